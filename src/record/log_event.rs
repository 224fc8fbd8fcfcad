//! Log events of CloudWatch Logs: the records of a trail as a log group holds them, and the payload of a subscription
//! filter, as Firehose or Kinesis leave it in objects (CloudTrail formats 2.1).
//!
//! The message of an event is one bare record. Leaves out what a message holds.

use serde::Deserialize;
use std::borrow::Cow;

/// One event of a log group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEvent {
    /// CloudWatch Logs' own identifier, unique in its group, the same whichever API tells it.
    pub id: String,
    pub stream: String,
    /// ms since 1970, by which groups are searched.
    pub timestamp: i64,
    /// When CloudWatch Logs received it, ms since 1970.
    pub ingested: Option<i64>,
    pub message: String,
}

/// The payload of a subscription filter.
#[derive(Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// `DATA_MESSAGE`: events of one stream.
    Events(Box<Subscribed<'a>>),
    /// `CONTROL_MESSAGE`: CloudWatch Logs only tried whether the destination can be reached.
    Control,
}

/// Events of one log stream.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscribed<'a> {
    #[serde(borrow)]
    pub log_group: Cow<'a, str>,
    #[serde(borrow)]
    pub log_stream: Cow<'a, str>,
    #[serde(borrow)]
    pub log_events: Vec<SubscribedEvent<'a>>,
}

/// An event in such a payload, which does not tell when it was received.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct SubscribedEvent<'a> {
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    #[serde(borrow)]
    pub message: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    #[serde(borrow)]
    message_type: Cow<'a, str>,
}

/// Reads the text of one payload. `None` when it is something else.
pub fn payload(text: &[u8]) -> Option<Payload<'_>> {
    let head: Head<'_> = serde_json::from_slice(text).ok()?;
    match head.message_type.as_ref() {
        "DATA_MESSAGE" => serde_json::from_slice(text).ok().map(|events| Payload::Events(Box::new(events))),
        "CONTROL_MESSAGE" => Some(Payload::Control),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_has_a_group_a_stream_and_messages() {
        let text = br#"{"messageType":"DATA_MESSAGE","owner":"111122223333","logGroup":"trail","logStream":"s\u0031",
            "subscriptionFilters":["all"],"policyLevel":"ACCOUNT_LEVEL_POLICY",
            "logEvents":[{"id":"3953","timestamp":1432826855000,"message":"{\"eventID\":\"e\"}","extractedFields":{"a":"b"}},
                         {"id":"3954","timestamp":1432826855001,"message":"plain"}]}"#;
        let Some(Payload::Events(events)) = payload(text) else { panic!() };
        assert_eq!((events.log_group.as_ref(), events.log_stream.as_ref()), ("trail", "s1"));
        let events: Vec<(&str, &str)> = events.log_events.iter().map(|e| (e.id.as_ref(), e.message.as_ref())).collect();
        assert_eq!(events, [("3953", r#"{"eventID":"e"}"#), ("3954", "plain")]);
    }

    #[test]
    fn a_probe_is_told_from_events_and_from_anything_else() {
        let probe = br#"{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logGroup":"","logStream":"","subscriptionFilters":[],
            "logEvents":[{"id":"","timestamp":1432826855000,"message":"CWL CONTROL MESSAGE: Checking health of destination Kinesis stream."}]}"#;
        assert_eq!(payload(probe), Some(Payload::Control));
        for text in [
            r#"{"logEvents":[]}"#,
            r#"{"messageType":"OTHER","logGroup":"g","logStream":"s","logEvents":[]}"#,
            r#"{"messageType":"DATA_MESSAGE","logGroup":"g","logStream":"s","logEvents":[{"id":7}]}"#,
            r#"{"messageType":"DATA_MESSAGE","logEvents":[]}"#,
            r#"{"messageType":"DATA_MESSAGE""#,
        ] {
            assert_eq!(payload(text.as_bytes()), None, "{text}");
        }
    }
}
