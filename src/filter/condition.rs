//! Conditions, in Beats' words, and how they are tried on a record and its document.
//!
//! A list passes when one of its elements does. What is not there passes no test; `not` turns that round, as in Beats.

use super::network::Network;
use super::place::{FieldPath, Place, reach};
use super::tree::Tree;
use crate::config::Pattern;
use crate::ecs::Mapped;
use crate::record::json::{Blanks, Kind, Tape, Value};

/// When a rule applies.
#[derive(Debug)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// Every place has a value that passes its test.
    Values(Vec<(Place, Test)>),
    /// Every place has a value.
    Has(Vec<Place>),
}

/// What a single value must be.
#[derive(Debug)]
pub(super) enum Test {
    Equals(Expected),
    Contains(String),
    Matches(Pattern),
    Range(Bounds),
    Network(Vec<Network>),
}

/// A value as it was written, for comparison with a value of any type.
#[derive(Debug)]
pub(super) struct Expected {
    text: String,
    number: Option<f64>,
}

/// Limits of a number, each optional.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Bounds {
    pub(super) lt: Option<f64>,
    pub(super) lte: Option<f64>,
    pub(super) gt: Option<f64>,
    pub(super) gte: Option<f64>,
}

/// What a condition looks at.
pub(super) struct View<'v> {
    /// The record without its blank members.
    pub(super) record: Option<Value<'v>>,
    pub(super) document: Looked<'v>,
    pub(super) scratch: &'v mut Scratch,
}

/// The document as it is so far.
#[derive(Clone, Copy)]
pub(super) enum Looked<'v> {
    /// There is none yet.
    Nothing,
    Mapped(Mapped<'v>),
    Edited(&'v Tree),
}

/// Buffers in which one field's value is parsed.
#[derive(Default)]
pub(super) struct Scratch {
    text: Vec<u8>,
    tape: Tape,
}

impl Condition {
    pub(super) fn holds(&self, view: &mut View<'_>) -> bool {
        match self {
            Condition::All(conditions) => conditions.iter().all(|condition| condition.holds(view)),
            Condition::Any(conditions) => conditions.iter().any(|condition| condition.holds(view)),
            Condition::Not(condition) => !condition.holds(view),
            Condition::Values(tests) => {
                tests.iter().all(|(place, test)| view.any(place, &mut |value| test.passes(value)))
            }
            Condition::Has(places) => places.iter().all(|place| view.has(place)),
        }
    }

    /// Whether it looks at the record alone.
    pub(super) fn is_raw(&self) -> bool {
        let raw = |place: &Place| matches!(place, Place::Record(_));
        match self {
            Condition::All(conditions) | Condition::Any(conditions) => conditions.iter().all(Condition::is_raw),
            Condition::Not(condition) => condition.is_raw(),
            Condition::Values(tests) => tests.iter().all(|(place, _)| raw(place)),
            Condition::Has(places) => places.iter().all(raw),
        }
    }
}

impl Test {
    fn passes(&self, value: Value<'_>) -> bool {
        let text = value.as_str();
        match self {
            Test::Equals(expected) => expected.is(value),
            Test::Contains(part) => text.is_some_and(|text| text.contains(part.as_str())),
            Test::Matches(pattern) => text.is_some_and(|text| pattern.is_match(text)),
            Test::Range(bounds) => number(value).is_some_and(|number| bounds.hold(number)),
            Test::Network(ranges) => text.is_some_and(|text| ranges.iter().any(|range| range.holds_text(text))),
        }
    }
}

impl Expected {
    pub(super) fn new(text: &str) -> Expected {
        Expected { text: text.to_owned(), number: text.trim().parse().ok() }
    }

    /// The type of the value decides how it is compared.
    fn is(&self, value: Value<'_>) -> bool {
        match value.kind() {
            Kind::String(text) => text.text == self.text,
            Kind::Number(number) => number.text == self.text || self.number == Some(number.as_f64()),
            Kind::Bool(value) => self.text == if value { "true" } else { "false" },
            _ => false,
        }
    }
}

impl Bounds {
    fn hold(&self, number: f64) -> bool {
        self.lt.is_none_or(|bound| number < bound)
            && self.lte.is_none_or(|bound| number <= bound)
            && self.gt.is_none_or(|bound| number > bound)
            && self.gte.is_none_or(|bound| number >= bound)
    }
}

impl View<'_> {
    /// Whether one of the single values at a place passes.
    fn any(&mut self, place: &Place, test: &mut dyn FnMut(Value<'_>) -> bool) -> bool {
        match (place, self.document) {
            (Place::Record(parts), _) => self.record.is_some_and(|record| reach(record, parts, test)),
            (Place::Document(_), Looked::Nothing) => false,
            (Place::Document(path), Looked::Mapped(mapped)) => self.scratch.any(mapped, path, test),
            (Place::Document(path), Looked::Edited(tree)) => match tree.find(&path.parts) {
                Some((json, used)) => {
                    let rest = path.parts.get(used..).unwrap_or_default();
                    self.scratch.tape.parse(json, Blanks::Kept).is_ok_and(|value| reach(value, rest, test))
                }
                None => false,
            },
        }
    }

    fn has(&mut self, place: &Place) -> bool {
        let holds_fields = match (place, self.document) {
            (Place::Document(path), Looked::Mapped(mapped)) => path.below.iter().any(|field| mapped.has(*field)),
            (Place::Document(path), Looked::Edited(tree)) => tree.has_object(&path.parts),
            _ => false,
        };
        holds_fields || self.any(place, &mut |_| true)
    }
}

impl Scratch {
    fn any(&mut self, mapped: Mapped<'_>, path: &FieldPath, test: &mut dyn FnMut(Value<'_>) -> bool) -> bool {
        path.holders.iter().any(|(field, used)| {
            if !mapped.has(*field) {
                return false;
            }
            self.text.clear();
            mapped.write_field(*field, &mut self.text);
            let rest = path.parts.get(*used..).unwrap_or_default();
            self.tape.parse(&self.text, Blanks::Kept).is_ok_and(|value| reach(value, rest, test))
        })
    }
}

/// A number, or a text that is one.
fn number(value: Value<'_>) -> Option<f64> {
    match value.kind() {
        Kind::Number(number) => Some(number.as_f64()),
        Kind::String(text) => text.text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}
