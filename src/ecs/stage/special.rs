//! Kinds of records with fields of their own: digests, Insights and aggregates (ECS mapping 11).
//!
//! Network activity needs nothing. Aggregates are foreseen by nobody (CloudTrail formats 1.10): they get the time, id
//! and account that they carry under other names; what they count stays in `event.original`.

use super::times;
use crate::ecs::doc::Doc;
use crate::ecs::source::{self as s, Record, Source};
use crate::ecs::table as f;
use crate::ecs::time::Timestamp;

/// Sub-fields of a digest in the order of the ECS mapping, and the members that they come from; the first that is
/// there.
const DIGEST: [(&str, &[Source]); 9] = [
    ("s3_bucket", &[s::DIGEST_BUCKET]),
    ("signature_algorithm", &[s::DIGEST_ALGORITHM]),
    ("public_key_fingerprint", &[s::DIGEST_FINGERPRINT, s::DIGEST_FINGERPRINT_OTHER]),
    ("previous_s3_bucket", &[s::DIGEST_PREVIOUS_BUCKET]),
    ("previous_s3_object", &[s::DIGEST_PREVIOUS_OBJECT]),
    ("previous_hash_algorithm", &[s::DIGEST_PREVIOUS_HASH_ALGORITHM]),
    ("previous_hash_value", &[s::DIGEST_PREVIOUS_HASH]),
    ("previous_signature", &[s::DIGEST_PREVIOUS_SIGNATURE]),
    ("log_files", &[s::DIGEST_LOG_FILES]),
];

const DIGEST_TIMES: [(&str, Source); 4] = [
    ("start_time", s::DIGEST_START_TIME),
    ("end_time", s::DIGEST_END_TIME),
    ("newest_event_time", s::DIGEST_NEWEST_TIME),
    ("oldest_event_time", s::DIGEST_OLDEST_TIME),
];

/// Sets the fields; answers the time of a record that has no eventTime.
pub fn apply(record: Record<'_>, doc: &mut Doc) -> Option<Timestamp> {
    doc.maybe(f::FLATTENED_INSIGHT_DETAILS, record.value(s::INSIGHT_DETAILS));
    digest(record, doc).or_else(|| aggregate(record, doc))
}

fn digest(record: Record<'_>, doc: &mut Doc) -> Option<Timestamp> {
    doc.maybe(f::FILE_PATH, record.value(s::DIGEST_OBJECT));
    let times = DIGEST_TIMES.map(|(name, source)| {
        let time = record.value(source).and_then(|value| times::read(value, source, Timestamp::parse, doc));
        (name, time)
    });
    doc.object(f::FLATTENED_DIGEST, |object| {
        for (name, time) in times {
            if let Some(time) = time {
                object.time(name, time);
            }
        }
        for (name, sources) in DIGEST {
            object.maybe(name, sources.iter().find_map(|source| record.value(*source)));
        }
    });
    let [_, (_, end), ..] = times;
    let end = end.filter(|_| !record.has(s::EVENT_TIME))?;
    doc.time(f::TIMESTAMP, end);
    Some(end)
}

fn aggregate(record: Record<'_>, doc: &mut Doc) -> Option<Timestamp> {
    if record.text(s::EVENT_CATEGORY) != Some("Aggregated") {
        return None;
    }
    if !doc.has(f::EVENT_ID) {
        doc.maybe(f::EVENT_ID, record.value(s::AGGREGATED_ID));
    }
    if !doc.has(f::CLOUD_ACCOUNT_ID) {
        doc.maybe(f::CLOUD_ACCOUNT_ID, record.value(s::AGGREGATED_ACCOUNT_ID));
    }
    let end = record.value(s::AGGREGATED_WINDOW_END).filter(|_| !record.has(s::EVENT_TIME))?;
    // A field of ours, not of the integration: what cannot be read is left out without a fault.
    let end = end.as_str().and_then(Timestamp::parse)?;
    doc.time(f::TIMESTAMP, end);
    Some(end)
}

#[cfg(test)]
mod tests {
    use crate::ecs::stage::tests::{cloudtrail, document, is_fault};
    use serde_json::json;

    #[test]
    fn a_digest_is_an_event_at_its_end_time() {
        let doc = document(&json!({
            "awsAccountId": "111122223333", "digestStartTime": "2026-11-02T00:00:00Z", "digestEndTime": "2026-11-02T01:00:00Z",
            "digestS3Bucket": "b", "digestS3Object": "AWSLogs/d.json.gz", "digestPublicKeyFingerprint": "fp", "publicKeyFingerprint": "other",
            "digestSignatureAlgorithm": "SHA256withRSA", "newestEventTime": "2026-11-02T00:59:59.1239Z", "oldestEventTime": "2026-11-02T00:00:01Z",
            "previousDigestS3Bucket": "pb", "previousDigestS3Object": "po", "previousDigestHashValue": "h", "previousDigestHashAlgorithm": "SHA-256",
            "previousDigestSignature": "sig", "logFiles": [{"s3Bucket": "b", "s3Object": "o", "hashValue": "x", "newestEventTime": "2026-11-02T00:59:59Z"}],
        }));
        assert_eq!(doc["@timestamp"], "2026-11-02T01:00:00.000Z");
        assert_eq!(doc["cloud"], json!({"provider": "aws", "account": {"id": "111122223333"}}));
        assert_eq!((&doc["file"], &doc["related"]), (&json!({"path": "AWSLogs/d.json.gz"}), &json!({"hash": ["h"]})));
        assert_eq!(
            doc["aws"]["cloudtrail"],
            json!({"flattened": {"digest": {
                "start_time": "2026-11-02T00:00:00.000Z", "end_time": "2026-11-02T01:00:00.000Z",
                "newest_event_time": "2026-11-02T00:59:59.123Z", "oldest_event_time": "2026-11-02T00:00:01.000Z",
                "s3_bucket": "b", "signature_algorithm": "SHA256withRSA", "public_key_fingerprint": "fp",
                "previous_s3_bucket": "pb", "previous_s3_object": "po", "previous_hash_algorithm": "SHA-256", "previous_hash_value": "h",
                "previous_signature": "sig",
                "log_files": [{"s3Bucket": "b", "s3Object": "o", "hashValue": "x", "newestEventTime": "2026-11-02T00:59:59Z"}],
            }}})
        );
        let event = &doc["event"];
        assert_eq!(
            (&event["kind"], &event["type"], &event["outcome"]),
            (&json!("event"), &json!(["info"]), &json!("success"))
        );
        assert!(event["action"].is_null() && event["provider"].is_null() && event["category"].is_null());
    }

    #[test]
    fn the_first_digest_of_a_chain_has_no_predecessor() {
        let doc = cloudtrail(
            &json!({"digestEndTime": "2026-11-02T01:00:00Z", "previousDigestS3Bucket": null, "logFiles": [], "newestEventTime": null, "publicKeyFingerprint": "fp"}),
        );
        assert_eq!(
            doc["flattened"]["digest"],
            json!({"end_time": "2026-11-02T01:00:00.000Z", "public_key_fingerprint": "fp"})
        );
    }

    #[test]
    fn a_digest_time_that_is_none_is_left_out_as_a_fault() {
        let doc = document(&json!({"digestStartTime": "x", "digestS3Bucket": "b"}));
        assert_eq!(doc["aws"]["cloudtrail"]["flattened"]["digest"], json!({"s3_bucket": "b"}));
        assert!(is_fault(&doc));
    }

    #[test]
    fn insights_keep_their_details_to_themselves() {
        let doc = document(
            &json!({"eventType": "AwsCloudTrailInsight", "sharedEventID": "s", "insightDetails": {"state": "Start",
            "eventName": "RunInstances", "eventSource": "ec2.amazonaws.com", "insightContext": {"statistics": {"baseline": {}, "insight": {"average": 0.5}}}}}),
        );
        assert_eq!(
            doc["aws"]["cloudtrail"],
            json!({"event_type": "AwsCloudTrailInsight", "shared_event_id": "s", "flattened": {"insight_details": {"state": "Start",
            "eventName": "RunInstances", "eventSource": "ec2.amazonaws.com", "insightContext": {"statistics": {"insight": {"average": 0.5}}}}}})
        );
        assert!(doc["event"]["action"].is_null() && doc["event"]["provider"].is_null());
    }

    #[test]
    fn an_aggregate_has_the_time_of_its_window() {
        let doc = document(
            &json!({"eventVersion": "1.0", "accountId": "1", "eventId": "e", "eventCategory": "Aggregated", "eventType": "AwsAggregatedEvent",
            "timeWindow": {"windowStart": "2026-11-02T01:00:00Z", "windowEnd": "2026-11-02T01:05:00Z", "windowSize": "PT5M"}, "summary": {"details": [1]}}),
        );
        assert_eq!(
            (&doc["@timestamp"], &doc["event"]["id"], &doc["cloud"]["account"]["id"]),
            (&json!("2026-11-02T01:05:00.000Z"), &json!("e"), &json!("1"))
        );
        let other =
            document(&json!({"accountId": "1", "eventId": "e", "timeWindow": {"windowEnd": "2026-11-02T01:05:00Z"}}));
        assert!(other["event"]["id"].is_null() && other["cloud"]["account"].is_null());
        assert_eq!(other["@timestamp"], "2026-11-20T10:00:00.123456789Z");
    }
}
