//! What an index would refuse: values that do not have the type their field is declared with.
//!
//! The mapping keeps values as they are (ECS mapping 7, 12); this only tells, and only when it is asked.

use super::doc::{Doc, Slot};
use super::field::{FieldId, Kind as FieldKind};
use super::table::FIELDS;
use crate::record::json::{Kind, Tape, Value};

/// Longest term that Lucene indexes, in bytes.
const LONGEST_TERM: usize = 32766;
/// Deepest nesting in a flattened field, by Elasticsearch's default.
const FLATTENED_DEPTH: usize = 20;

/// A value that its field's type does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misfit {
    pub field: FieldId,
    pub why: Why,
}

/// Why an index refuses a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// An object where a single value is expected, or the reverse.
    Shape,
    /// Not a boolean.
    NotBoolean,
    /// A text of more than 32766 bytes.
    Long,
    /// More than 20 levels in a flattened field.
    Deep,
    /// A key with a zero character in a flattened field.
    ZeroInKey,
}

/// The misfits of a document. Only values of the record can be some: what stages make has the declared type.
pub(super) fn misfits(doc: &Doc, tape: &Tape) -> Vec<Misfit> {
    let mut misfits = Vec::new();
    for (i, (slot, field)) in doc.slots().iter().zip(FIELDS).enumerate() {
        let Slot::Value(id) = slot else { continue };
        let Some(value) = tape.value(*id) else { continue };
        if let Some(why) = refusal(field.kind, field.indexed && field.ignore_above.is_none(), value) {
            misfits.push(Misfit { field: FieldId(i as u8), why });
        }
    }
    misfits
}

fn refusal(kind: FieldKind, unlimited: bool, value: Value<'_>) -> Option<Why> {
    match kind {
        FieldKind::Flattened => flattened(value, 1),
        FieldKind::Object => single(value).then_some(Why::Shape),
        FieldKind::Boolean => leaves(value, &|leaf| match leaf.kind() {
            Kind::Bool(_) => None,
            Kind::String(text) if matches!(text.text, "true" | "false") => None,
            Kind::Object(_) => Some(Why::Shape),
            _ => Some(Why::NotBoolean),
        }),
        _ => leaves(value, &|leaf| match leaf.kind() {
            Kind::Object(_) => Some(Why::Shape),
            Kind::String(text) if unlimited && text.text.len() > LONGEST_TERM => Some(Why::Long),
            _ => None,
        }),
    }
}

/// The first refusal among a value, or the elements of lists of them.
fn leaves(value: Value<'_>, refusal: &dyn Fn(Value<'_>) -> Option<Why>) -> Option<Why> {
    if value.is_list() { value.elements().find_map(|element| leaves(element, refusal)) } else { refusal(value) }
}

fn single(value: Value<'_>) -> bool {
    if value.is_list() { value.elements().any(single) } else { !value.is_object() }
}

fn flattened(value: Value<'_>, depth: usize) -> Option<Why> {
    match value.kind() {
        Kind::Object(_) if depth > FLATTENED_DEPTH => Some(Why::Deep),
        Kind::Object(object) => object.members().find_map(|(key, member)| {
            let zero = key.text.contains('\0').then_some(Why::ZeroInKey);
            zero.or_else(|| flattened(member, depth + 1))
        }),
        Kind::List(list) => list.elements().find_map(|element| flattened(element, depth)),
        Kind::String(text) if text.text.len() > LONGEST_TERM => Some(Why::Long),
        _ if depth == 1 => Some(Why::Shape),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ecs::{Mapper, Origin, Position, Settings, Timestamp};
    use serde_json::json;
    use std::sync::Arc;

    fn misfits(record: &serde_json::Value) -> Vec<(&'static str, Why)> {
        let origin = Origin::default();
        let mut mapper = Mapper::new(Arc::new(Settings::default()));
        let mapped = mapper
            .map(record.to_string().as_bytes(), Position::new(&origin, 0), Timestamp::from_unix_nanos(0))
            .unwrap();
        mapped.misfits().into_iter().map(|misfit| (misfit.field.field().name, misfit.why)).collect()
    }

    #[test]
    fn values_of_the_declared_types_fit() {
        let record = json!({"eventVersion": 1.1, "readOnly": "true", "errorCode": ["a", 1, true], "resources": [{"ARN": "a"}],
            "requestParameters": {"a": [{"b": 1}]}, "userAgent": "x", "sourceIPAddress": "10.0.0.1"});
        assert_eq!(misfits(&record), []);
    }

    #[test]
    fn what_an_index_refuses_is_told_by_field() {
        let mut deep = json!("x");
        for _ in 0..21 {
            deep = json!({"a": deep});
        }
        for (record, field, why) in [
            (json!({"errorCode": {"a": 1}}), "aws.cloudtrail.error_code", Why::Shape),
            (json!({"errorCode": [["x", {"a": 1}]]}), "aws.cloudtrail.error_code", Why::Shape),
            (json!({"readOnly": "yes"}), "aws.cloudtrail.read_only", Why::NotBoolean),
            (json!({"readOnly": {"a": 1}}), "aws.cloudtrail.read_only", Why::Shape),
            (json!({"resources": "x"}), "aws.cloudtrail.resources", Why::Shape),
            (json!({"insightDetails": "x"}), "aws.cloudtrail.flattened.insight_details", Why::Shape),
            (json!({"insightDetails": {"a\0b": 1}}), "aws.cloudtrail.flattened.insight_details", Why::ZeroInKey),
            (
                json!({"insightDetails": {"a": "x".repeat(32_767)}}),
                "aws.cloudtrail.flattened.insight_details",
                Why::Long,
            ),
            (json!({"insightDetails": deep}), "aws.cloudtrail.flattened.insight_details", Why::Deep),
        ] {
            assert_eq!(misfits(&record), [(field, why)]);
        }
    }
}
