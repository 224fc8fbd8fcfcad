//! Properties of the whole mapping, for records of any shape.
#![allow(clippy::unwrap_used)]

use super::stage::tests::NOW;
use super::table::FIELDS;
use super::{Compat, Field, Kind, Mapper, Origin, Position, REPAIRED_TAG, Retain, Settings, Timestamp};
use proptest::prelude::*;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;

fn settings() -> impl Strategy<Value = Settings> {
    let retain = prop::sample::select(vec!["all", "flattened", "keyword", "minimal", "none"]);
    (any::<[bool; 5]>(), retain).prop_map(|([original, entities, groups, names, repair], retain)| Settings {
        repair,
        preserve_original_event: original,
        actor_target_mapping: entities,
        retain: Retain::parse(retain).unwrap(),
        compat: Compat { complete_entity_groups: groups, session_user_name: names },
        ..Settings::default()
    })
}

/// Names that rules look for, at any place, and others.
fn key() -> impl Strategy<Value = String> {
    let known = "eventTime eventName eventSource eventID userIdentity type arn sessionContext sessionIssuer attributes creationDate \
        requestParameters responseElements additionalEventData serviceEventDetails resources ARN accountId tlsDetails tlsVersion userName \
        UserName instancesSet items instanceId groupSet targets values userAgent sourceIPAddress managementEvent readOnly insightDetails \
        digestEndTime logFiles errorCode recipientAccountId onBehalfOf userId invokedBy eventCategory timeWindow windowEnd";
    let known: Vec<String> = known.split_whitespace().map(str::to_string).collect();
    prop_oneof![4 => prop::sample::select(known), 1 => ".{0,6}"]
}

fn leaf() -> impl Strategy<Value = Value> {
    let known = "ConsoleLogin UserAuthentication AssumeRole RunInstances SendCommand sts.amazonaws.com ec2.amazonaws.com ssm.amazonaws.com \
        AssumedRole AWSService IdentityCenterUser arn:aws:sts::1:assumed-role/r/a@b 10.0.0.1 2026-11-02T01:06:28Z TLSv1.2 tlsVersion - none i-0123456789";
    let known: Vec<Value> = known.split_whitespace().map(Value::from).collect();
    prop_oneof![
        4 => prop::sample::select(known),
        1 => ".{0,8}".prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ]
}

fn record() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(6, 96, 10, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            4 => prop::collection::hash_map(key(), inner, 0..14).prop_map(|map| map.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

fn map(mapper: &mut Mapper, text: &[u8]) -> (String, Vec<u8>, bool) {
    let origin = Origin { input_type: "file", log_file_path: Some("f".to_string()), ..Origin::default() };
    let mut out = Vec::new();
    let mapped = mapper.map_line(text, Position::new(&origin, 3), Timestamp::from_unix_nanos(NOW));
    mapped.write(&mut out);
    (mapped.id().to_string(), out, mapped.faulted())
}

/// Whether every leaf of the document is a declared field.
fn is_declared(kinds: &HashMap<&str, Kind>, path: &str, value: &Value) -> bool {
    if let Some(kind) = kinds.get(path)
        && *kind != Kind::Object
    {
        return true;
    }
    // The list of resources may have members of any name.
    path == "aws.cloudtrail.resources"
        || value.as_object().is_some_and(|map| {
            map.iter().all(|(key, value)| {
                is_declared(kinds, &if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, value)
            })
        })
}

/// Whether an index with the declared type takes what the document has in the field, as far as its shape goes.
fn fits(field: &Field, doc: &Value) -> bool {
    fn single(value: &Value) -> bool {
        value.as_array().map_or(!value.is_object(), |list| list.iter().all(single))
    }
    fn objects(value: &Value, takes: fn(&Map<String, Value>) -> bool) -> bool {
        match value {
            Value::Array(list) => list.iter().all(|value| objects(value, takes)),
            Value::Object(map) => takes(map),
            _ => false,
        }
    }
    fn deep(map: &Map<String, Value>, levels: usize) -> bool {
        levels > 0 && map.iter().all(|(key, value)| !key.contains('\0') && below(value, levels - 1))
    }
    fn below(value: &Value, levels: usize) -> bool {
        match value {
            Value::Array(list) => list.iter().all(|value| below(value, levels)),
            Value::Object(map) => deep(map, levels),
            _ => true,
        }
    }
    let pointer = format!("/{}", field.name.replace('.', "/"));
    let Some(value) = doc.pointer(&pointer) else { return true };
    match field.kind {
        Kind::Flattened => objects(value, |map| deep(map, 20)),
        // Its own keys alone are names of fields; what lies below an undeclared one is not looked at.
        Kind::Object => objects(value, |map| map.keys().all(|key| !key.trim().is_empty())),
        _ => single(value),
    }
}

fn has_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty() || list.iter().any(has_nothing),
        Value::Object(map) => map.is_empty() || map.values().any(has_nothing),
        _ => false,
    }
}

proptest! {
    #[test]
    fn any_record_becomes_one_line_of_declared_fields(record in record(), settings in settings()) {
        let kinds: HashMap<&str, Kind> = FIELDS.iter().map(|field| (field.name, field.kind)).collect();
        let mut mapper = Mapper::new(Arc::new(settings.clone()));
        let text = record.to_string();
        let (id, out, faulted) = map(&mut mapper, text.as_bytes());
        prop_assert!(!out.contains(&b'\n'));
        let doc: Value = serde_json::from_slice(&out).unwrap();
        prop_assert!(is_declared(&kinds, "", &doc), "{doc}");
        prop_assert!(!has_nothing(&doc), "{doc}");
        prop_assert_eq!(faulted, doc["event"]["kind"] == "pipeline_error");
        prop_assert_eq!(faulted, doc["error"]["message"].is_array());
        let repaired = doc["tags"].as_array().is_some_and(|tags| tags.contains(&Value::from(REPAIRED_TAG)));
        prop_assert!(settings.repair || !repaired);
        prop_assert!(!settings.repair || FIELDS.iter().all(|field| fits(field, &doc)), "{doc}");
        prop_assert_eq!(
            faulted || repaired || settings.preserve_original_event,
            doc["event"]["original"] == text.as_str()
        );
        // The same record gives the same bytes, whatever the mapper has seen before.
        let again = map(&mut mapper, text.as_bytes());
        prop_assert_eq!((&id, &out), (&again.0, &again.1));
        map(&mut mapper, b"{\"eventName\":\"x\\n\"");
        let later = map(&mut mapper, text.as_bytes());
        prop_assert_eq!((id, out), (later.0, later.1));
    }

    #[test]
    fn white_space_changes_nothing_but_the_text(record in record(), settings in settings()) {
        let mut mapper = Mapper::new(Arc::new(settings));
        let documents = [serde_json::to_string(&record).unwrap(), serde_json::to_string_pretty(&record).unwrap()].map(|text| {
            let mut doc: Value = serde_json::from_slice(&map(&mut mapper, text.as_bytes()).1).unwrap();
            doc["event"]["original"].take();
            doc
        });
        prop_assert_eq!(&documents[0], &documents[1]);
    }

    #[test]
    fn any_bytes_have_a_document(bytes in prop::collection::vec(any::<u8>(), 0..120), settings in settings()) {
        let (_, out, _) = map(&mut Mapper::new(Arc::new(settings)), &bytes);
        prop_assert!(serde_json::from_slice::<Value>(&out).is_ok());
    }

    #[test]
    fn a_cut_record_is_a_fault_and_keeps_its_text(record in record(), cut in any::<prop::sample::Index>()) {
        let text = record.to_string();
        prop_assume!(record.is_object());
        let cut = &text.as_bytes()[..cut.index(text.len())];
        let (_, out, faulted) = map(&mut Mapper::new(Arc::new(Settings::default())), cut);
        let doc: Value = serde_json::from_slice(&out).unwrap();
        prop_assert_eq!(faulted, !cut.is_empty());
        prop_assert!(cut.is_empty() || doc["event"]["original"] == String::from_utf8_lossy(cut).as_ref());
    }
}
