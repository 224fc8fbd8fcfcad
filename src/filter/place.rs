//! What a name means: a member of the record, or a field of the document.
//!
//! A declared ECS field, what lies above or inside one, and anything below `fields` and `labels` is the document's; a
//! name that begins with a member of CloudTrail's records is the record's. `record.` and `document.` in front decide it
//! for all other names, so that a misspelt one is an error of the configuration and not a rule that never matches.

use crate::config::{Malformed, nearest};
use crate::ecs::{FieldId, Kind, record_members};
use crate::record::json::Value;

/// Members of CloudTrail's records that the mapping does not look at (CloudTrail record contents).
const FURTHER_MEMBERS: [&str; 2] = ["eventContext", "edgeDeviceDetails"];
/// Where Beats and ECS put what users add.
const USERS_OWN: [&str; 2] = ["fields", "labels"];

/// A value's place.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Record(Vec<String>),
    Document(FieldPath),
}

/// A path in the document.
#[derive(Debug, Clone)]
pub(super) struct FieldPath {
    pub(super) parts: Vec<String>,
    /// Declared fields that are this path or hold it, with the number of parts that lead to them.
    pub(super) holders: Vec<(FieldId, usize)>,
    /// Declared fields below it.
    pub(super) below: Vec<FieldId>,
}

impl Place {
    /// Reads a name as conditions have it.
    pub(super) fn read(name: &str) -> Result<Place, Malformed> {
        if let Some(path) = name.strip_prefix("record.") {
            return Ok(Place::Record(parts(path)?));
        }
        if let Some(path) = name.strip_prefix("document.") {
            return Ok(Place::Document(FieldPath::of(parts(path)?)));
        }
        let parts = parts(name)?;
        let first = parts.first().map(String::as_str).unwrap_or_default();
        let path = FieldPath::of(parts.clone());
        if path.is_known() || USERS_OWN.contains(&first) {
            return Ok(Place::Document(path));
        }
        if members().any(|member| member == first) {
            return Ok(Place::Record(parts));
        }
        let message = format!("`{name}` is neither a field of documents nor a member of records");
        let names = FieldId::all().map(|field| field.field().name).chain(members());
        Err(match nearest(name, names) {
            Some(near) => Malformed::new(message, format!("did you mean `{near}`?")),
            None => Malformed::new(
                message,
                format!("write `document.{name}` for a field that you add, `record.{name}` for a member of the record"),
            ),
        })
    }
}

impl FieldPath {
    fn of(parts: Vec<String>) -> FieldPath {
        let (mut holders, mut below) = (Vec::new(), Vec::new());
        for field in FieldId::all() {
            let name: Vec<&str> = field.field().name.split('.').collect();
            let shared = name.iter().zip(&parts).take_while(|(a, b)| *a == b).count();
            if shared == name.len() && (shared == parts.len() || holds_objects(field)) {
                holders.push((field, shared));
            } else if shared == parts.len() && shared < name.len() {
                below.push(field);
            }
        }
        FieldPath { parts, holders, below }
    }

    fn is_known(&self) -> bool {
        !self.holders.is_empty() || !self.below.is_empty()
    }
}

/// Reads the name of a field that is to be changed: the document's, since records are never changed.
pub(super) fn field_path(name: &str) -> Result<Vec<String>, Malformed> {
    let own = name.strip_prefix("document.").unwrap_or(name);
    let parts = parts(own)?;
    let first = parts.first().map(String::as_str).unwrap_or_default();
    if own == name && (first == "record" || members().any(|member| member == first)) {
        return Err(Malformed::new(
            format!("`{name}` is a member of the record, which cannot be changed"),
            "name the field of the document, such as `event.action` for `eventName`",
        ));
    }
    Ok(parts)
}

/// What is put at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Object,
    Single,
    Unknown,
}

/// Whether the index would take something of this shape at a path.
///
/// # Errors
/// A path at which the declared types leave no room for it.
pub(super) fn settable(parts: &[String], shape: Shape) -> Result<(), Malformed> {
    let name = parts.join(".");
    if name == "@timestamp" {
        return Err(Malformed::new("`@timestamp` cannot be changed", "add a field of another name"));
    }
    for field in FieldId::all() {
        let declared = field.field();
        if declared.name == name {
            if declared.kind == Kind::ConstantKeyword {
                return Err(Malformed::new(
                    format!("`{name}` is the same in the whole data stream"),
                    "leave it out; `data_stream.namespace` is set at the top",
                ));
            }
            match shape {
                Shape::Object if !holds_objects(field) => {
                    return Err(Malformed::new(
                        format!("`{name}` holds single values ({}), not further fields", declared.kind.name()),
                        "choose another name",
                    ));
                }
                Shape::Single if holds_objects(field) => {
                    return Err(Malformed::new(
                        format!("`{name}` holds further fields, not single values"),
                        "choose another name",
                    ));
                }
                _ => {}
            }
        } else if is_below(&name, declared.name) && !holds_objects(field) {
            return Err(Malformed::new(
                format!(
                    "`{}` holds single values ({}), so nothing can be below it",
                    declared.name,
                    declared.kind.name()
                ),
                "choose another name",
            ));
        } else if shape == Shape::Single && is_below(declared.name, &name) {
            return Err(Malformed::new(
                format!("`{name}` holds further fields, such as `{}`", declared.name),
                "choose another name",
            ));
        }
    }
    Ok(())
}

/// What lies at a path, as far as the declared types say it.
pub(super) fn shape(parts: &[String]) -> Shape {
    let name = parts.join(".");
    for field in FieldId::all() {
        let declared = field.field().name;
        if declared == name {
            return if holds_objects(field) { Shape::Object } else { Shape::Single };
        }
        if is_below(declared, &name) {
            return Shape::Object;
        }
    }
    Shape::Unknown
}

/// Tries every single value that a path leads to, through lists too, until one passes.
pub(super) fn reach(value: Value<'_>, parts: &[String], test: &mut dyn FnMut(Value<'_>) -> bool) -> bool {
    if value.is_list() {
        return value.elements().any(|element| reach(element, parts, test));
    }
    match parts.split_first() {
        None => test(value),
        Some((first, rest)) => value.get(first).is_some_and(|member| reach(member, rest, test)),
    }
}

fn members() -> impl Iterator<Item = &'static str> {
    record_members().chain(FURTHER_MEMBERS)
}

fn holds_objects(field: FieldId) -> bool {
    matches!(field.field().kind, Kind::Flattened | Kind::Object | Kind::GeoPoint)
}

fn is_below(name: &str, above: &str) -> bool {
    name.strip_prefix(above).is_some_and(|rest| rest.starts_with('.'))
}

fn parts(name: &str) -> Result<Vec<String>, Malformed> {
    if name.is_empty() || name.split('.').any(|part| part.trim().is_empty()) {
        return Err(Malformed::new(format!("`{name}` is not a name"), "write parts with a dot between them"));
    }
    Ok(name.split('.').map(str::to_owned).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn is_record(name: &str) -> bool {
        matches!(Place::read(name).unwrap_or_else(|fault| panic!("{name}: {fault}")), Place::Record(_))
    }

    #[test]
    fn names_are_told_apart() {
        for name in ["eventName", "userIdentity.type", "requestParameters.a.b", "resources.ARN", "record.anything.new"]
        {
            assert!(is_record(name), "{name}");
        }
        for name in [
            "event.action",
            "user",
            "source.ip",
            "tags",
            "aws.cloudtrail.flattened.request_parameters.bucketName",
            "aws.cloudtrail.resources.arn",
            "fields.team",
            "labels.team",
            "document.team",
        ] {
            assert!(!is_record(name), "{name}");
        }
    }

    #[test]
    fn a_misspelt_name_is_told_with_the_nearest() {
        for (name, hint) in [
            ("evenName", "did you mean `eventName`?"),
            ("event.acton", "did you mean `event.action`?"),
            ("team", "write `document.team` for a field that you add, `record.team` for a member of the record"),
        ] {
            assert_eq!(Place::read(name).unwrap_err().hint(), hint);
        }
        for name in ["", "a..b", ".a", "record."] {
            assert!(Place::read(name).is_err(), "{name}");
        }
    }

    #[test]
    fn only_the_document_is_changed() {
        assert_eq!(field_path("event.action").unwrap(), ["event", "action"]);
        assert_eq!(field_path("team").unwrap(), ["team"]);
        assert_eq!(field_path("document.resources").unwrap(), ["resources"]);
        for name in ["eventName", "userIdentity.arn", "record.x"] {
            assert!(field_path(name).is_err(), "{name}");
        }
    }

    #[test]
    fn declared_types_say_what_lies_at_a_path() {
        for (name, expected) in [
            ("event.action", Shape::Single),
            ("source", Shape::Object),
            ("aws.cloudtrail.resources", Shape::Object),
            ("aws.cloudtrail.flattened.request_parameters", Shape::Object),
            ("aws.cloudtrail.flattened.request_parameters.x", Shape::Unknown),
            ("fields.team", Shape::Unknown),
        ] {
            assert_eq!(shape(&parts(name).unwrap()), expected, "{name}");
        }
    }

    #[test]
    fn what_the_declared_types_have_no_room_for_is_refused() {
        let settable = |name: &str, shape| settable(&parts(name).unwrap(), shape).is_ok();
        for (name, single, object) in [
            ("team", true, true),
            ("event.kind", true, false),
            ("event", false, true),
            ("user.name.first", false, false),
            ("@timestamp", false, false),
            ("data_stream.namespace", false, false),
            ("aws.cloudtrail.flattened.request_parameters", false, true),
            ("aws.cloudtrail.flattened.request_parameters.x", true, true),
        ] {
            assert_eq!((settable(name, Shape::Single), settable(name, Shape::Object)), (single, object), "{name}");
        }
    }
}
