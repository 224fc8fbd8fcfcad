//! The document while it is made: one slot per declared field.
//!
//! Slots hold places in the record's tape or text of their own that is JSON already, so that writing is copying. What
//! says nothing (null, an empty text or list) leaves its slot empty: that is the second clean-up of ECS mapping 2.

use super::field::FieldId;
use super::fit;
use super::java;
use super::table::COUNT;
use super::time::Timestamp;
use crate::record::json::{Kind, NodeId, Value, write};
use std::collections::HashSet;

/// A document under construction; one per mapper, cleared for each record.
pub struct Doc {
    slots: [Slot; COUNT],
    /// JSON text of slots.
    made: Vec<u8>,
    /// One text per fault, as JSON, with commas between (ECS mapping 12).
    faults: Vec<u8>,
    /// A value may be none that an index takes; see [`fit`].
    doubtful: bool,
}

/// Value of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Empty,
    /// A value of the record.
    Value(NodeId),
    /// JSON text in `Doc::made`.
    Made {
        start: u32,
        end: u32,
    },
    /// JSON text that is the same for every record.
    Fixed(&'static str),
    /// JSON text that the record's [`Origin`](super::origin::Origin) has.
    Origin,
    /// JSON text that the mapper's constants have.
    Constant,
}

/// List elements that are compared one by one before a set takes over.
const FEW_ELEMENTS: usize = 32;

impl Doc {
    pub(super) fn new() -> Doc {
        Doc { slots: [Slot::Empty; COUNT], made: Vec::new(), faults: Vec::new(), doubtful: false }
    }

    pub(super) fn clear(&mut self) {
        self.slots.fill(Slot::Empty);
        self.made.clear();
        self.made.shrink_to(1 << 20);
        self.faults.clear();
        self.doubtful = false;
    }

    /// The slots in the order of the table.
    pub(super) fn slots(&self) -> &[Slot; COUNT] {
        &self.slots
    }

    /// The JSON text of a made slot.
    pub(super) fn made(&self, start: u32, end: u32) -> &[u8] {
        self.made.get(start as usize..end as usize).unwrap_or_default()
    }

    /// What was noted by [`Doc::fault`].
    pub(super) fn faults(&self) -> &[u8] {
        &self.faults
    }

    pub(super) fn has(&self, field: FieldId) -> bool {
        self.slots[field.index()] != Slot::Empty
    }

    /// Whether a value may be none that an index takes.
    pub(super) fn is_doubtful(&self) -> bool {
        self.doubtful
    }

    /// Notes that a value that is made may be none that an index takes.
    pub(super) fn doubt(&mut self, doubtful: bool) {
        self.doubtful |= doubtful;
    }

    /// Notes that something could not be mapped; the document will be a `pipeline_error` (ECS mapping 12).
    pub(super) fn fault(&mut self, text: &str) {
        if !self.faults.is_empty() {
            self.faults.push(b',');
        }
        write::string(&mut self.faults, text);
    }

    /// Puts the faults into a field, as a list of texts.
    pub(super) fn faults_as_list(&mut self, field: FieldId) {
        let faults = std::mem::take(&mut self.faults);
        self.make(field, |out| {
            out.push(b'[');
            out.extend_from_slice(&faults);
            out.push(b']');
        });
        self.faults = faults;
    }

    /// The record's value as it is.
    pub(super) fn value(&mut self, field: FieldId, value: Value<'_>) {
        let says_nothing = match value.kind() {
            Kind::Null => true,
            Kind::String(text) => text.text.is_empty(),
            Kind::List(container) | Kind::Object(container) => container.is_empty(),
            _ => false,
        };
        if !says_nothing {
            self.doubtful |= fit::is_doubtful(field, value);
            self.slots[field.index()] = Slot::Value(value.id());
        }
    }

    /// The record's value as it is, if there is one.
    pub(super) fn maybe(&mut self, field: FieldId, value: Option<Value<'_>>) {
        if let Some(value) = value {
            self.value(field, value);
        }
    }

    /// A string that is not a member of the record.
    pub(super) fn text(&mut self, field: FieldId, text: &str) {
        if !text.is_empty() {
            self.make(field, |out| write::string(out, text));
        }
    }

    /// The value rendered as text, whatever its type.
    pub(super) fn as_text(&mut self, field: FieldId, value: Value<'_>) {
        match value.kind() {
            Kind::String(_) => self.value(field, value),
            _ => self.make(field, |out| java_string(out, value)),
        }
    }

    /// JSON text that is a constant of the program.
    pub(super) fn fixed(&mut self, field: FieldId, json: &'static str) {
        self.slots[field.index()] = Slot::Fixed(json);
    }

    /// JSON text that the origin holds under this field.
    pub(super) fn of_origin(&mut self, field: FieldId) {
        self.slots[field.index()] = Slot::Origin;
    }

    /// JSON text that the mapper's constants hold under this field.
    pub(super) fn of_constants(&mut self, field: FieldId) {
        self.slots[field.index()] = Slot::Constant;
    }

    pub(super) fn number(&mut self, field: FieldId, number: u64) {
        self.make(field, |out| out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()));
    }

    /// A time from the record, to the millisecond.
    pub(super) fn time(&mut self, field: FieldId, time: Timestamp) {
        self.make(field, |out| quoted_time(out, time));
    }

    /// A time of the program's own, to the nanosecond.
    pub(super) fn own_time(&mut self, field: FieldId, time: Timestamp) {
        self.make(field, |out| {
            out.push(b'"');
            time.write_full(out);
            out.push(b'"');
        });
    }

    /// The value that another field has.
    pub(super) fn same(&mut self, field: FieldId, other: FieldId) {
        self.slots[field.index()] = self.slots[other.index()];
    }

    /// A list of distinct texts in order of insertion; an empty one leaves the field out.
    pub(super) fn list(&mut self, field: FieldId, fill: impl FnOnce(&mut List<'_>)) {
        let start = self.made.len();
        self.made.push(b'[');
        let mut list =
            List { out: &mut self.made, first: start + 1, ends: [0; FEW_ELEMENTS], few: 0, many: HashSet::new() };
        fill(&mut list);
        let empty = list.few == 0;
        self.made.push(b']');
        self.keep(field, start, empty);
    }

    /// An object made member by member; an empty one leaves the field out.
    pub(super) fn object(&mut self, field: FieldId, fill: impl FnOnce(&mut Object<'_>)) {
        let start = self.made.len();
        let mut object = Object::open(&mut self.made);
        fill(&mut object);
        let empty = object.close();
        self.keep(field, start, empty);
    }

    /// Whatever JSON `write` appends.
    pub(super) fn make(&mut self, field: FieldId, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.made.len();
        write(&mut self.made);
        self.keep(field, start, false);
    }

    /// Takes the field's value away again.
    pub(super) fn remove(&mut self, field: FieldId) {
        self.slots[field.index()] = Slot::Empty;
    }

    fn keep(&mut self, field: FieldId, start: usize, empty: bool) {
        if empty {
            self.made.truncate(start);
            return;
        }
        if let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(self.made.len())) {
            self.slots[field.index()] = Slot::Made { start, end };
        }
    }
}

/// A list under construction; see [`Doc::list`].
pub(super) struct List<'d> {
    out: &'d mut Vec<u8>,
    /// Where the first element begins.
    first: usize,
    /// Where each of the first elements ends.
    ends: [usize; FEW_ELEMENTS],
    few: usize,
    /// All elements, once there are many.
    many: HashSet<Vec<u8>>,
}

impl List<'_> {
    /// Adds a text unless it is empty or there already.
    pub(super) fn text(&mut self, text: &str) {
        if !text.is_empty() {
            self.add(|out| write::string(out, text));
        }
    }

    /// Adds a value rendered as text.
    pub(super) fn value(&mut self, value: Value<'_>) {
        match value.kind() {
            Kind::Null => {}
            Kind::String(text) if text.text.is_empty() => {}
            Kind::String(text) => self.add(|out| write::quoted(out, text)),
            _ => self.add(|out| java_string(out, value)),
        }
    }

    /// Adds a value rendered as text, if there is one.
    pub(super) fn maybe(&mut self, value: Option<Value<'_>>) {
        if let Some(value) = value {
            self.value(value);
        }
    }

    fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.out.len();
        if self.few > 0 {
            self.out.push(b',');
        }
        let start = self.out.len();
        write(self.out);
        if self.is_known(start) {
            self.out.truncate(before);
        } else if let Some(end) = self.ends.get_mut(self.few) {
            *end = self.out.len();
            self.few += 1;
        }
    }

    /// Whether the text from `start` on is an element already; remembers it in the set otherwise.
    fn is_known(&mut self, start: usize) -> bool {
        let (known, new) = self.out.split_at(start);
        let mut from = self.first;
        let mut elements = self.ends[..self.few].iter().map(|&end| {
            let element = known.get(from..end).unwrap_or_default();
            from = end + 1;
            element
        });
        if self.few < FEW_ELEMENTS {
            return elements.any(|element| element == new);
        }
        if self.many.is_empty() {
            self.many.extend(elements.map(<[u8]>::to_vec));
        }
        !self.many.insert(new.to_vec())
    }
}

/// An object under construction; see [`Doc::object`].
pub(super) struct Object<'d> {
    out: &'d mut Vec<u8>,
    empty: bool,
}

impl<'d> Object<'d> {
    pub(super) fn open(out: &'d mut Vec<u8>) -> Object<'d> {
        out.push(b'{');
        Object { out, empty: true }
    }

    /// Ends the object; true if it has no member.
    pub(super) fn close(self) -> bool {
        self.out.push(b'}');
        self.empty
    }

    pub(super) fn value(&mut self, key: &str, value: Value<'_>) {
        self.key(key);
        write::value(self.out, value);
    }

    pub(super) fn maybe(&mut self, key: &str, value: Option<Value<'_>>) {
        if let Some(value) = value {
            self.value(key, value);
        }
    }

    pub(super) fn time(&mut self, key: &str, time: Timestamp) {
        self.key(key);
        quoted_time(self.out, time);
    }

    fn key(&mut self, key: &str) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        write::string(self.out, key);
        self.out.push(b':');
    }
}

fn quoted_time(out: &mut Vec<u8>, time: Timestamp) {
    out.push(b'"');
    time.write_millis(out);
    out.push(b'"');
}

/// Appends the Java text of a value as a JSON string.
fn java_string(out: &mut Vec<u8>, value: Value<'_>) {
    out.push(b'"');
    java::escaped(out, value, None);
    out.push(b'"');
}
