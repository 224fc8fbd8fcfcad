//! What the tests of the stages have in common: a record in, a document out.
#![allow(clippy::unwrap_used)]

use crate::ecs::{Mapper, Origin, Position, Settings, Timestamp};
use serde_json::Value;
use std::sync::Arc;

/// 2026-11-20T10:00:00.123456789Z, the time of reading in these tests.
pub const NOW: i64 = 1_795_168_800_123_456_789;

/// The document of a record, with the default settings and nothing known of its origin.
pub fn document(record: &Value) -> Value {
    document_with(Settings::default(), record)
}

/// Its part `aws.cloudtrail`.
pub fn cloudtrail(record: &Value) -> Value {
    document(record)["aws"]["cloudtrail"].take()
}

pub fn document_with(settings: Settings, record: &Value) -> Value {
    map(settings, record.to_string().as_bytes())
}

/// The document of any text, with the default settings.
pub fn line(text: &[u8]) -> Value {
    map(Settings::default(), text)
}

/// Whether the document says that something could not be mapped.
pub fn is_fault(document: &Value) -> bool {
    let fault = document["event"]["kind"] == "pipeline_error";
    assert_eq!(document["error"]["message"].is_array(), fault);
    fault
}

pub fn map(settings: Settings, text: &[u8]) -> Value {
    let mut out = Vec::new();
    let origin = Origin::default();
    Mapper::new(Arc::new(settings))
        .map_line(text, Position::new(&origin, 0), Timestamp::from_unix_nanos(NOW))
        .write(&mut out);
    serde_json::from_slice(&out).unwrap()
}
