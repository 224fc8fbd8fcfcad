//! The times of a record (ECS mapping 4). What is no time leaves its field out and is a fault; absence is none.

use crate::ecs::doc::Doc;
use crate::ecs::java;
use crate::ecs::source::{self as s, Record, Source};
use crate::ecs::table as f;
use crate::ecs::time::Timestamp;
use crate::record::json::{Blank, Value};

/// Sets `@timestamp` and the session's creation date; answers the event's time.
pub fn apply(record: Record<'_>, doc: &mut Doc) -> Option<Timestamp> {
    if let Some(value) = record.value(s::SESSION_CREATION_DATE)
        && let Some(date) = read(value, s::SESSION_CREATION_DATE, Timestamp::parse_creation_date, doc)
    {
        doc.time(f::CREATION_DATE, date);
    }
    let Some(value) = record.value(s::EVENT_TIME) else {
        // Times are read before the clean-up, so that a blank one is an error, except null (ECS mapping 16).
        if let Some(Blank::Text | Blank::Container) = record.dropped(s::EVENT_TIME) {
            doc.fault("`eventTime` is blank");
        }
        return None;
    };
    let time = read(value, s::EVENT_TIME, Timestamp::parse, doc)?;
    doc.time(f::TIMESTAMP, time);
    Some(time)
}

/// A member that should be a time, read by `parse`.
pub fn read(
    value: Value<'_>,
    source: Source,
    parse: fn(&str) -> Option<Timestamp>,
    doc: &mut Doc,
) -> Option<Timestamp> {
    let time = match value.as_str() {
        Some(text) => parse(text),
        None => parse(&java::text(value)),
    };
    if time.is_none() {
        doc.fault(&format!("`{}` is not a time: `{}`", source.path(), shown(&java::text(value))));
    }
    time
}

/// The beginning of a text, for messages.
fn shown(text: &str) -> &str {
    let end = text.char_indices().nth(64).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::ecs::stage::tests::{document, is_fault};
    use serde_json::json;

    #[test]
    fn event_time_becomes_the_timestamp_to_the_millisecond() {
        for (time, expected) in [
            (json!("2026-11-02T01:06:28Z"), "2026-11-02T01:06:28.000Z"),
            (json!("2026-11-02T01:06:28.999999+01:00"), "2026-11-02T00:06:28.999Z"),
            (json!("2026"), "2026-01-01T00:00:00.000Z"),
            (json!(2026), "2026-01-01T00:00:00.000Z"),
        ] {
            let doc = document(&json!({"eventTime": time}));
            assert_eq!(doc["@timestamp"], expected);
            assert!(!is_fault(&doc));
        }
    }

    #[test]
    fn a_time_that_cannot_be_read_is_a_fault_and_leaves_the_time_of_reading() {
        for time in [
            json!("yesterday"),
            json!("-"),
            json!("none"),
            json!(""),
            json!([]),
            json!({}),
            json!([""]),
            json!(true),
            json!(["2026"]),
        ] {
            let doc = document(&json!({"eventTime": time}));
            assert_eq!(doc["@timestamp"], "2026-11-20T10:00:00.123456789Z", "{time}");
            assert!(is_fault(&doc), "{time}");
        }
    }

    #[test]
    fn no_time_is_no_fault() {
        for record in [json!({}), json!({"eventTime": null})] {
            let doc = document(&record);
            assert_eq!(doc["@timestamp"], "2026-11-20T10:00:00.123456789Z");
            assert_eq!(doc["event"]["created"], "2026-11-20T10:00:00.123456789Z");
            assert!(!is_fault(&doc));
        }
    }

    #[test]
    fn the_creation_date_of_a_session_may_be_in_basic_form() {
        let with =
            |date: &str| document(&json!({"userIdentity": {"sessionContext": {"attributes": {"creationDate": date}}}}));
        for (date, expected) in
            [("20131102T010628Z", "2013-11-02T01:06:28.000Z"), ("2013-11-02T01:06:28Z", "2013-11-02T01:06:28.000Z")]
        {
            assert_eq!(with(date)["aws"]["cloudtrail"]["user_identity"]["session_context"]["creation_date"], expected);
        }
        let doc = with("long ago");
        assert!(is_fault(&doc));
        assert!(doc["aws"]["cloudtrail"].is_null());
    }
}
