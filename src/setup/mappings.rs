//! The mappings: one property per row of the ECS table, and rules for fields that others add.
//!
//! Types are Elasticsearch's, as if every server had them. What the index would refuse for a value is made as small as
//! the types allow, because a refused document is parked and an unindexed value is still in `_source`.

use crate::ecs::{Field, Kind};
use serde_json::{Map, Value, json};

/// Characters of a leaf of a `flattened` field that are indexed. A leaf becomes two terms, and one of more than 32,766
/// bytes has the document refused; 8,191 characters of three bytes and the longest key stay below.
const FLATTENED_LIMIT: u32 = 8191;

/// Levels of a `flattened` field; a deeper document is refused.
const FLATTENED_DEPTH: u32 = 20;

/// Characters of an undeclared keyword that are indexed, as in ECS.
pub const KEYWORD_LIMIT: u32 = 1024;

/// Object whose undeclared members are kept but not indexed. AWS adds members at any time, and the same name with two
/// shapes would have the later documents refused.
const CLOSED: &str = "aws.cloudtrail";

/// The mappings of a data stream of CloudTrail documents.
pub fn mappings(fields: &[Field]) -> Value {
    let mut properties = Map::new();
    for field in fields.iter().filter(|field| field.kind != Kind::Object) {
        insert(&mut properties, field.name, property(field));
    }
    if let Some(Value::Object(closed)) = object(&mut properties, CLOSED) {
        closed.insert("dynamic".to_owned(), json!(false));
    }
    json!({
        "date_detection": false,
        "dynamic_templates": undeclared(),
        "properties": properties,
    })
}

/// Rules for fields that processors and pipelines of users add, first match first; in the spirit of ECS. A pattern
/// each, because not every server takes lists.
fn undeclared() -> Value {
    json!([
        {"addresses": {
            "path_match": "*.ip",
            "match_mapping_type": "string",
            "mapping": {"type": "ip"},
        }},
        {"places": {
            "path_match": "*.geo.location",
            "match_mapping_type": "object",
            "mapping": {"type": "geo_point"},
        }},
        {"messages": {
            "path_match": "message",
            "match_mapping_type": "string",
            "mapping": {"type": "match_only_text"},
        }},
        {"texts": {
            "match_mapping_type": "string",
            "mapping": {"type": "keyword", "ignore_above": KEYWORD_LIMIT},
        }},
    ])
}

fn property(field: &Field) -> Value {
    let mut property = Map::new();
    let mut set = |name: &str, value: Value| property.insert(name.to_owned(), value);
    set("type", json!(field.kind.name()));
    if field.kind == Kind::Flattened {
        set("ignore_above", json!(FLATTENED_LIMIT));
        set("depth_limit", json!(FLATTENED_DEPTH));
    } else if let Some(limit) = field.ignore_above {
        set("ignore_above", json!(limit));
    }
    if !field.indexed {
        set("index", json!(false));
        set("doc_values", json!(false));
    }
    if let Some(value) = field.value.filter(|_| field.kind == Kind::ConstantKeyword) {
        set("value", json!(value));
    }
    if let Some(kind) = field.text_subfield {
        set("fields", json!({"text": {"type": kind.name()}}));
    }
    if field.name == "@timestamp" {
        // A data stream's time is never taken malformed, whatever the index does otherwise.
        set("ignore_malformed", json!(false));
    }
    Value::Object(property)
}

/// Puts a property under its dotted name.
fn insert(properties: &mut Map<String, Value>, name: &str, property: Value) {
    let Some((first, rest)) = name.split_once('.') else {
        properties.insert(name.to_owned(), property);
        return;
    };
    let object = properties.entry(first).or_insert_with(|| json!({}));
    if let Value::Object(object) = object {
        let inner = object.entry("properties").or_insert_with(|| json!({}));
        if let Value::Object(inner) = inner {
            insert(inner, rest, property);
        }
    }
}

/// The mapping of an object by its dotted name.
fn object<'a>(properties: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Value> {
    match name.split_once('.') {
        None => properties.get_mut(name),
        Some((first, rest)) => {
            let inner = properties.get_mut(first)?.get_mut("properties")?;
            object(inner.as_object_mut()?, rest)
        }
    }
}
