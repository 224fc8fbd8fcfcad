//! The `_id` of a document: `TTTTTTT-HHHHHHHHHHHHHHHHHHHH`, the same whichever way a record comes.
//!
//! T: minutes since 1970 of the event's time, seven hexadecimal digits, so that documents of one time lie together in
//! the index and ids sort by time; 0000000 when the record has no readable time. H: the first 15 bytes of a SHA-256
//! in base64url. It is taken over `eventID`, a zero byte and `recipientAccountId`; aggregated records have them as
//! `eventId` and `accountId`. Cross-account copies differ in both, repeated deliveries in neither. Records without an
//! eventID, digests and faults are told apart by where they were found instead: bucket, key and offset; the path of a
//! file; the log group and CloudWatch Logs' own id. A leading zero byte keeps these from meeting the others.

use super::java;
use super::origin::Position;
use super::source as s;
use super::source::Record;
use super::time::Timestamp;
use crate::record::json::Value;
use ring::digest::{Context, SHA256};
use std::borrow::Cow;

/// Length of an `_id` in bytes.
pub const LENGTH: usize = 7 + 1 + 20;

/// Writes the `_id` of `record`, found at `at`, into `id`; `time` is the event's time, if it has one.
pub(super) fn write(id: &mut String, record: Record<'_>, at: &Position<'_>, time: Option<Timestamp>) {
    let mut hash = Context::new(&SHA256);
    let event = record.value(s::EVENT_ID).map(|id| (id, record.value(s::RECIPIENT_ACCOUNT_ID)));
    let aggregated = || record.value(s::AGGREGATED_ID).map(|id| (id, record.value(s::AGGREGATED_ACCOUNT_ID)));
    match event.or_else(aggregated) {
        Some((event, account)) => {
            hash.update(text(event).as_bytes());
            hash.update(&[0]);
            hash.update(account.map(text).unwrap_or_default().as_bytes());
        }
        None => {
            let [whole, part] = at.origin.identity();
            hash.update(&[0]);
            hash.update(whole.as_bytes());
            hash.update(&[0]);
            hash.update(at.log_stream.unwrap_or(part).as_bytes());
            hash.update(&[0]);
            match at.log_event_id {
                Some(event) => hash.update(event.as_bytes()),
                None => hash.update(&at.offset.to_be_bytes()),
            }
        }
    }
    id.clear();
    let minutes = time.map_or(0, |time| time.unix_seconds().div_euclid(60)).clamp(0, 0xFFF_FFFF);
    for shift in (0..7).rev() {
        id.push(char::from_digit((minutes >> (shift * 4) & 15) as u32, 16).unwrap_or('0'));
    }
    id.push('-');
    let hash = hash.finish();
    for three in hash.as_ref().chunks_exact(3).take(5) {
        let bits = three.iter().fold(0usize, |bits, &byte| bits << 8 | usize::from(byte));
        id.extend([18, 12, 6, 0].map(|shift| base64url(bits >> shift & 63)));
    }
}

fn base64url(six_bits: usize) -> char {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char::from(LETTERS[six_bits & 63])
}

fn text(value: Value<'_>) -> Cow<'_, str> {
    match value.as_str() {
        Some(text) => Cow::Borrowed(text),
        None => Cow::Owned(java::text(value)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ecs::origin::Origin;
    use crate::ecs::source::Found;
    use crate::record::json::{Blanks, Tape};

    fn id(json: &str, key: &str, offset: u64, time: &str) -> String {
        let (mut tape, mut found) = (Tape::default(), Found::default());
        tape.parse(json.as_bytes(), Blanks::Dropped).unwrap();
        let record = Record::find(&tape, &mut found);
        let origin =
            Origin { bucket_arn: Some("arn".to_string()), object_key: Some(key.to_string()), ..Origin::default() };
        let mut id = String::new();
        write(&mut id, record, &Position::new(&origin, offset), Timestamp::parse(time));
        id
    }

    #[test]
    fn an_event_has_the_same_id_wherever_it_was_found() {
        // 2026-11-02T01:06:28Z is minute 29893026 = 0x1C821A2. The hash: printf 'e-1\0111122223333' | sha256sum,
        // first 15 bytes in base64url.
        let record = r#"{"eventID":"e-1","recipientAccountId":"111122223333"}"#;
        let expected = "1c821a2-r4RPf1v3Sx526IPk5DwR";
        assert_eq!(id(record, "a", 0, "2026-11-02T01:06:28Z"), expected);
        assert_eq!(id(record, "b", 99, "2026-11-02T01:06:59Z"), expected);
        assert_eq!(expected.len(), LENGTH);
        let aggregated = r#"{"eventId":"e-1","accountId":"111122223333"}"#;
        assert_eq!(id(aggregated, "a", 0, "2026-11-02T01:06:28Z"), expected);
    }

    #[test]
    fn copies_for_other_accounts_differ() {
        let time = "2026-11-02T01:06:28Z";
        let ids = [
            r#"{"eventID":"e","recipientAccountId":"1"}"#,
            r#"{"eventID":"e","recipientAccountId":"2"}"#,
            r#"{"eventID":"e"}"#,
            r#"{"eventID":"e1"}"#,
        ]
        .map(|record| id(record, "a", 0, time));
        for (i, one) in ids.iter().enumerate() {
            assert!(!ids[..i].contains(one));
        }
    }

    #[test]
    fn records_without_an_event_id_differ_by_place() {
        let time = "2026-11-02T01:06:28Z";
        assert_eq!(id("{}", "a", 0, time), id(r#"{"x":1}"#, "a", 0, time));
        assert_ne!(id("{}", "a", 0, time), id("{}", "b", 0, time));
        assert_ne!(id("{}", "a", 0, time), id("{}", "a", 1, time));
        assert_ne!(id("{}", "a", 0, time), id(r#"{"eventID":"-"}"#, "a", 1, time));
    }

    #[test]
    fn ids_sort_by_time_and_have_one_length() {
        let times = ["", "1960-01-01", "1970-01-01T00:01", "2026-11-02", "2026-11-02T01", "9999-12-31"];
        let ids = times.map(|time| id(r#"{"eventID":"e"}"#, "a", 0, time));
        let prefixes = ids.each_ref().map(|id| &id[..8]);
        assert_eq!(prefixes, ["0000000-", "0000000-", "0000001-", "1c82160-", "1c8219c-", "fffffff-"]);
        assert!(ids.iter().all(|id| id.len() == LENGTH));
    }
}
