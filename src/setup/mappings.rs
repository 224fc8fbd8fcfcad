//! The mappings: one property per row of a data set's table, and rules for fields that others add.
//!
//! Types are Elasticsearch's, as if every server had them. What the index would refuse for a value is made as small as
//! the types allow, because a refused document is parked and an unindexed value is still in `_source`.

use super::config::Storage;
use super::datasets::DataSet;
use crate::ecs::{Field, Kind};
use serde_json::{Map, Value, json};

/// Characters of a leaf of a `flattened` field that are indexed. A leaf becomes two terms, and one of more than 32,766
/// bytes has the document refused; 8,191 characters of three bytes and the longest key stay below.
const FLATTENED_LIMIT: u32 = 8191;

/// Levels of a `flattened` field; a deeper document is refused.
const FLATTENED_DEPTH: u32 = 20;

/// Characters of an undeclared keyword that are indexed, as in ECS.
pub const KEYWORD_LIMIT: u32 = 1024;

/// What storage profile `lean` leaves out of the index for a field.
enum Thin {
    /// Found by wildcards and scripts, as detection rules ask; not word by word, and not by terms.
    Scanned,
    /// Found by keys and values; not counted or sorted by.
    Searched,
    /// Only in `_source`.
    Stored,
}

/// Fields that storage profile `lean` thins out: what records carry besides their payloads is small. Detection rules ask
/// for the texts and for the objects of request and response.
const LEAN: &[(&str, Thin)] = &[
    ("aws.cloudtrail.additional_eventdata", Thin::Scanned),
    ("aws.cloudtrail.request_parameters", Thin::Scanned),
    ("aws.cloudtrail.response_elements", Thin::Scanned),
    ("aws.cloudtrail.service_event_details", Thin::Scanned),
    ("aws.cloudtrail.flattened.additional_eventdata", Thin::Stored),
    ("aws.cloudtrail.flattened.request_parameters", Thin::Searched),
    ("aws.cloudtrail.flattened.response_elements", Thin::Searched),
    ("aws.cloudtrail.flattened.service_event_details", Thin::Stored),
];

/// The mappings of a data stream.
pub fn mappings(data_set: &DataSet, storage: Storage) -> Value {
    let mut properties = Map::new();
    for field in data_set.fields.iter().filter(|field| field.kind != Kind::Object) {
        let thin = LEAN.iter().find(|(name, _)| storage == Storage::Lean && *name == field.name);
        let property = thin.map_or_else(|| property(field), |(_, thin)| thinned(field, thin));
        insert(&mut properties, field.name, property);
    }
    let closed = data_set.closed.and_then(|name| object(&mut properties, name));
    if let Some(Value::Object(closed)) = closed {
        closed.insert("dynamic".to_owned(), json!(false));
    }
    json!({
        "date_detection": false,
        "dynamic_templates": undeclared(),
        "properties": properties,
    })
}

fn thinned(field: &Field, thin: &Thin) -> Value {
    let mut property = property(field);
    if let Value::Object(property) = &mut property {
        match thin {
            Thin::Scanned => {
                property.remove("fields");
                property.insert("index".to_owned(), json!(false));
            }
            Thin::Searched => {
                property.insert("doc_values".to_owned(), json!(false));
            }
            Thin::Stored => return json!({"type": "object", "enabled": false}),
        }
    }
    property
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
