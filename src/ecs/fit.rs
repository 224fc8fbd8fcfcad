//! Making a document one that an index takes: what the types of its fields would have refused is put in a form that
//! they take.
//!
//! The mapping keeps values as they are (ECS mapping 7, 12); this comes behind it, where documents are shipped. Only
//! values of the record can be unfit: what stages make has the declared type. Left alone is what the index itself
//! makes do with by `ignore_malformed` and `ignore_above` of our templates: texts in a boolean, long keywords.
//! Invariants: what AWS really sends is not touched, and costs one look at two flags; nothing is lost, because a
//! repaired document keeps the record's text.
//!
//! | in | unfit is | it becomes |
//! |---|---|---|
//! | keyword, text, date, ip | an object, alone or in a list | its JSON text |
//! | boolean | an object, alone or in a list | nothing |
//! | object, flattened | a single value | an object with the one member `value` |
//! | object | an object with a key that is blank, has a blank part between dots or goes on below a declared field | an object with its JSON text as `value` |
//! | flattened | an object below the 20th level, or with a key that holds a zero character or ends a path of more than 8000 bytes | its JSON text |
//! | flattened | a text that with its path is longer than a term may be | the beginning that fits |
//! | any | a number of more than 1000 characters | a text |

use super::doc::{Doc, Slot};
use super::field::{Field, FieldId, Kind as FieldKind};
use super::table::{COUNT, FIELDS};
use crate::record::json::{Blanks, Kind, Tape, Value, write};

/// Bytes of a term of Lucene.
const LONGEST_TERM: usize = 32_766;
/// Bytes of a path in a flattened field. Behind it 8191 characters of three bytes, the most that the templates have
/// indexed, still fit into a term.
const LONGEST_PATH: usize = 8000;
/// Deepest nesting in a flattened field, by the templates and by Elasticsearch's default.
const FLATTENED_DEPTH: usize = 20;
/// Name of the member that takes what cannot stand alone.
const WRAPPED: &str = "value";

/// The fields that hold objects.
const HOLDS_OBJECTS: [bool; COUNT] = {
    let mut holds = [false; COUNT];
    let mut i = 0;
    while i < COUNT {
        holds[i] = matches!(FIELDS[i].kind, FieldKind::Object | FieldKind::Flattened);
        i += 1;
    }
    holds
};

/// Whether the value must be looked at before an index can take it for `field`: an object where a single value is
/// expected or the reverse, or a list, which may hold either.
#[inline]
pub(super) fn is_doubtful(field: FieldId, value: Value<'_>) -> bool {
    value.is_list() || value.is_object() != HOLDS_OBJECTS[field.index()]
}

/// Whether a resource must be looked at: a member that is no single value, or whose name is more than a plain word.
pub(super) fn is_doubtful_resource(resource: Value<'_>) -> bool {
    resource.members().any(|(key, member)| {
        let is_word = !key.text.is_empty() && key.text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        member.is_object() || member.is_list() || !is_word
    })
}

/// Repairs what an index would refuse; true if there was such a thing. `spare` is for reading what stages have made.
pub(super) fn repair(doc: &mut Doc, tape: &Tape, spare: &mut Tape) -> bool {
    let extremes = tape.extremes();
    let suspicious = extremes.zero || extremes.number || extremes.depth > FLATTENED_DEPTH;
    let doubtful = doc.is_doubtful() || suspicious;
    // A shorter text has neither a term nor a path that is too long.
    if !doubtful && tape.text().len() <= LONGEST_PATH {
        return false;
    }
    // Such a number is written as a text wherever it is.
    let mut repaired = extremes.number;
    for (i, field) in FIELDS.iter().enumerate() {
        let value = match doc.slots().get(i) {
            Some(Slot::Value(id)) if doubtful || HOLDS_OBJECTS[i] => tape.value(*id),
            Some(Slot::Made { start, end }) if HOLDS_OBJECTS[i] => {
                spare.parse(doc.made(*start, *end), Blanks::Kept).ok()
            }
            _ => None,
        };
        let Some(value) = value.filter(|value| doubtful || value.text_len() > LONGEST_PATH) else { continue };
        let id = FieldId(i as u8);
        match mend(field, value) {
            Mended::Fits => continue,
            Mended::Gone => doc.remove(id),
            Mended::Json(json) => doc.make(id, |out| out.extend_from_slice(&json)),
        }
        repaired = true;
    }
    repaired
}

/// What becomes of a value.
enum Mended {
    Fits,
    Gone,
    Json(Vec<u8>),
}

fn mend(field: &Field, value: Value<'_>) -> Mended {
    let mut mender = Mender { field: field.name, out: Vec::new(), mended: false };
    match field.kind {
        FieldKind::Flattened => mender.flattened(value),
        FieldKind::Object => mender.objects(value),
        FieldKind::Boolean if any(value, &|inner| inner.is_object()) => return Mended::Gone,
        _ => mender.singles(value),
    }
    if mender.mended { Mended::Json(mender.out) } else { Mended::Fits }
}

/// Writes one field's value as an index takes it.
struct Mender {
    /// Dotted name of the field.
    field: &'static str,
    out: Vec<u8>,
    /// Something had to be changed.
    mended: bool,
}

impl Mender {
    /// Single values, or lists of them.
    fn singles(&mut self, value: Value<'_>) {
        match value.kind() {
            Kind::List(list) => self.list(list, Mender::singles),
            Kind::Object(_) => self.as_text(value, usize::MAX),
            _ => self.single(value, usize::MAX),
        }
    }

    /// Objects whose members are declared, at the most; or lists of them.
    fn objects(&mut self, value: Value<'_>) {
        match value.kind() {
            Kind::List(list) => self.list(list, Mender::objects),
            Kind::Object(object) if object.members().all(|(key, _)| self.is_member(key.text)) => {
                self.members(object, |mender, key, member| {
                    let path = format!("{}.{key}", mender.field);
                    let declared = FIELDS.iter().any(|field| field.name == path);
                    if declared { mender.singles(member) } else { mender.unmapped(member) }
                });
            }
            _ => self.wrapped(value),
        }
    }

    /// A value that the index keeps without a look at it.
    fn unmapped(&mut self, value: Value<'_>) {
        if any(value, &|inner| inner.members().any(|(key, _)| key.text.len() > LONGEST_PATH)) {
            self.as_text(value, usize::MAX);
        } else {
            write::value(&mut self.out, value);
        }
    }

    /// Whether the index takes `key` for a member's name. It reads dots as further objects.
    fn is_member(&self, key: &str) -> bool {
        let below_declared = key.split_once('.').is_some_and(|(first, _)| {
            let path = format!("{}.{first}", self.field);
            FIELDS.iter().any(|field| field.name == path)
        });
        // Blank as Java sees it, which takes four control characters for blanks.
        let is_blank = |part: &str| part.chars().all(|c| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c));
        !below_declared && key.len() <= LONGEST_PATH && !key.split('.').any(is_blank)
    }

    fn flattened(&mut self, value: Value<'_>) {
        match value.kind() {
            Kind::List(list) => self.list(list, Mender::flattened),
            Kind::Object(object) if takes_keys(object, 0) => self.level(object, 0, 1),
            _ => self.wrapped(value),
        }
    }

    /// An object inside a flattened field, `path` bytes and `depth` levels down.
    fn level(&mut self, object: Value<'_>, path: usize, depth: usize) {
        self.members(object, |mender, key, member| mender.below(member, path + 1 + key.len(), depth));
    }

    fn below(&mut self, value: Value<'_>, path: usize, depth: usize) {
        match value.kind() {
            Kind::List(list) => self.list(list, |mender, element| mender.below(element, path, depth)),
            Kind::Object(object) if depth < FLATTENED_DEPTH && takes_keys(object, path) => {
                self.level(object, path, depth + 1)
            }
            Kind::Object(_) => self.as_text(value, self.room(path)),
            _ => self.single(value, self.room(path)),
        }
    }

    /// Bytes that a text may have at the end of a path. OpenSearch's longest term of it is
    /// `field.field.path=text`; those of Elasticsearch are shorter.
    fn room(&self, path: usize) -> usize {
        LONGEST_TERM.saturating_sub(2 * (self.field.len() + 1) + path)
    }

    /// The only member of an object.
    fn wrapped(&mut self, value: Value<'_>) {
        self.mended = true;
        self.out.push(b'{');
        write::string(&mut self.out, WRAPPED);
        self.out.push(b':');
        let room = self.room(WRAPPED.len() + 1);
        if value.is_object() {
            self.as_text(value, room)
        } else {
            self.single(value, room)
        }
        self.out.push(b'}');
    }

    /// The value's JSON text, up to `room` bytes of it.
    fn as_text(&mut self, value: Value<'_>, room: usize) {
        self.mended = true;
        self.text(&write::to_json(value), room);
    }

    /// A value that is neither object nor list; of a text up to `room` bytes.
    fn single(&mut self, value: Value<'_>, room: usize) {
        match value.kind() {
            Kind::String(text) if text.text.len() > room => self.text(text.text, room),
            Kind::Number(number) if number.text.len() > room => self.text(number.text, room),
            _ => return write::value(&mut self.out, value),
        }
        self.mended = true;
    }

    fn text(&mut self, text: &str, room: usize) {
        write::string(&mut self.out, text.get(..text.floor_char_boundary(room)).unwrap_or_default());
    }

    fn list(&mut self, list: Value<'_>, mut element: impl FnMut(&mut Mender, Value<'_>)) {
        self.out.push(b'[');
        for (i, value) in list.elements().enumerate() {
            if i > 0 {
                self.out.push(b',');
            }
            element(self, value);
        }
        self.out.push(b']');
    }

    fn members(&mut self, object: Value<'_>, mut member: impl FnMut(&mut Mender, &str, Value<'_>)) {
        self.out.push(b'{');
        for (i, (key, value)) in object.members().enumerate() {
            if i > 0 {
                self.out.push(b',');
            }
            write::quoted(&mut self.out, key);
            self.out.push(b':');
            member(self, key.text, value);
        }
        self.out.push(b'}');
    }
}

/// Whether a flattened field takes the object's keys, `path` bytes down.
fn takes_keys(object: Value<'_>, path: usize) -> bool {
    object.members().all(|(key, _)| !key.text.contains('\0') && path + 1 + key.text.len() <= LONGEST_PATH)
}

/// Whether the value, or one inside it, is such a one.
fn any(value: Value<'_>, is: &dyn Fn(Value<'_>) -> bool) -> bool {
    is(value) || value.elements().any(|inner| any(inner, is)) || value.members().any(|(_, inner)| any(inner, is))
}

#[cfg(test)]
#[path = "fit_tests.rs"]
mod tests;
