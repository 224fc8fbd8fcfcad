//! Writing a document: slots in the order of the table, objects opened and closed by what the names have in common.
//!
//! No tree is built: each name's JSON is prepared once, and an object without fields is never opened.

use super::doc::{Doc, Slot};
use super::field::FieldId;
use super::origin::Rendered;
use super::settings::Constants;
use super::table::FIELDS;
use crate::record::json::{Tape, write};
use std::sync::LazyLock;

/// How to get to a field from the field before it.
struct Step {
    /// `"aws":{"cloudtrail":{"error_code":` for `aws.cloudtrail.error_code`.
    path: String,
    /// For each number of objects that are open already: where the rest of `path` begins.
    from: Vec<usize>,
    /// Objects that the field shares with the row before.
    shared: usize,
}

static STEPS: LazyLock<Vec<Step>> = LazyLock::new(|| {
    let mut before: Vec<&str> = Vec::new();
    let mut steps = Vec::with_capacity(FIELDS.len());
    for field in FIELDS {
        let parts: Vec<&str> = field.name.split('.').collect();
        let (mut path, mut from) = (String::new(), Vec::new());
        for (i, part) in parts.iter().enumerate() {
            from.push(path.len());
            path.push_str(&format!("\"{part}\":"));
            if i + 1 < parts.len() {
                path.push('{');
            }
        }
        let objects = &parts[..parts.len() - 1];
        let shared = before.iter().zip(objects).take_while(|(a, b)| a == b).count();
        steps.push(Step { path, from, shared });
        before = objects.to_vec();
    }
    steps
});

/// Everything that slots point to.
pub(super) struct Sources<'m> {
    pub(super) tape: &'m Tape,
    pub(super) origin: &'m Rendered,
    pub(super) constants: &'m Constants,
}

/// Appends the document as one line of JSON, without a line end.
pub(super) fn document(out: &mut Vec<u8>, doc: &Doc, sources: &Sources<'_>) {
    let (mut open, mut shared, mut first) = (0, 0, true);
    out.push(b'{');
    for (i, (slot, step)) in doc.slots().iter().zip(STEPS.iter()).enumerate() {
        shared = step.shared.min(shared);
        if *slot == Slot::Empty {
            continue;
        }
        for _ in shared..open {
            out.push(b'}');
        }
        if !first {
            out.push(b',');
        }
        first = false;
        let from = step.from.get(shared).copied().unwrap_or_default();
        out.extend_from_slice(step.path.get(from..).unwrap_or_default().as_bytes());
        value(out, FieldId(i as u8), doc, sources);
        open = step.from.len() - 1;
        shared = open;
    }
    for _ in 0..=open {
        out.push(b'}');
    }
}

/// Appends the JSON text of one field; nothing for a field that the document does not have.
pub(super) fn value(out: &mut Vec<u8>, field: FieldId, doc: &Doc, sources: &Sources<'_>) {
    match doc.slots()[field.index()] {
        Slot::Empty => {}
        Slot::Value(id) => {
            if let Some(value) = sources.tape.value(id) {
                write::value(out, value);
            }
        }
        Slot::Made { start, end } => out.extend_from_slice(doc.made(start, end)),
        Slot::Fixed(json) => out.extend_from_slice(json.as_bytes()),
        Slot::Origin => out.extend_from_slice(sources.origin.get(field).as_bytes()),
        Slot::Constant => out.extend_from_slice(sources.constants.get(field).as_bytes()),
    }
}
