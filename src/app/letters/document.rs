//! A letter as a document: fields of ECS, and our own under `trailship`.

use crate::output::document::prune;
use crate::output::parking::{Letter, LetterId};
use crate::record::trail_key::TrailKey;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Bytes of the record that the document carries; the letter on disk has more.
pub const ORIGINAL: usize = 512 << 10;

/// What the documents of one installation have in common.
pub struct Writer {
    /// `agent.id`: tells the letters of several installations apart.
    pub installation: String,
    pub namespace: String,
    /// `type` of each input by its `id`.
    pub kinds: HashMap<String, &'static str>,
}

impl Writer {
    /// `_id` and document, on one line. The `_id` is the same whenever this letter is written.
    pub fn document(&self, id: LetterId, letter: &Letter) -> (String, Vec<u8>) {
        // A folder that was emptied begins its numbers anew, at another time.
        let key = format!("{}-{id}-{}", self.installation, letter.parked.as_millisecond());
        let mut document = self.fields(letter);
        prune(&mut document);
        (key, document.to_string().into_bytes())
    }

    fn fields(&self, letter: &Letter) -> Value {
        let time = format!("{:.3}", letter.parked);
        let source = &letter.source;
        let kind = self.kinds.get(&source.input).copied();
        let is = |wanted: &str| kind == Some(wanted);
        let key = TrailKey::parse(&source.object);
        let (original, cut) = original(&letter.record);
        let message = if cut { format!("{} (`event.original` is cut)", letter.reason) } else { letter.reason.clone() };
        json!({
            "@timestamp": time,
            "event": {
                "kind": "pipeline_error",
                "created": time,
                "module": "aws",
                "dataset": "aws.cloudtrail_dead_letter",
                "original": original,
            },
            "data_stream": {
                "type": "logs",
                "dataset": "aws.cloudtrail_dead_letter",
                "namespace": self.namespace,
            },
            "error": {"code": letter.code, "message": message},
            "http": {"response": {"status_code": letter.status}},
            "aws": {
                "s3": {
                    "bucket": {"name": source.bucket},
                    "object": {"key": source.bucket.as_ref().map(|_| &source.object)},
                },
                "cloudwatch": {"log_group": is("aws-cloudwatch").then_some(&source.object)},
            },
            "log": {
                "file": {"path": is("file").then_some(&source.object)},
                "offset": letter.offset,
            },
            "input": {"type": kind},
            "cloud": {
                "account": {"id": key.as_ref().map(|key| key.account)},
                "region": key.as_ref().map(|key| key.region),
            },
            "trailship": {"input": {"id": source.input}, "document_id": letter.document_id},
        })
    }
}

/// The record's text as far as a document carries it; what is not UTF-8 becomes U+FFFD.
fn original(record: &[u8]) -> (Option<String>, bool) {
    let cut = record.len() > ORIGINAL;
    let kept = record.get(..ORIGINAL).unwrap_or(record);
    let text = (!kept.is_empty()).then(|| String::from_utf8_lossy(kept).into_owned());
    (text, cut)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::output::Source;

    fn writer() -> Writer {
        let kinds = [("trail", "aws-s3"), ("files", "file"), ("groups", "aws-cloudwatch")];
        Writer {
            installation: "agent".into(),
            namespace: "prod".into(),
            kinds: kinds.map(|(id, kind)| (id.to_owned(), kind)).into(),
        }
    }

    fn letter(input: &str, bucket: Option<&str>, object: &str) -> Letter {
        Letter {
            parked: "2026-01-02T03:04:05.678Z".parse().unwrap(),
            code: "mapping-refused".into(),
            reason: "no".into(),
            status: Some(400),
            source: Source {
                input: input.into(),
                bucket: bucket.map(Into::into),
                object: object.into(),
                version: None,
            },
            offset: Some(17),
            document_id: Some("k".into()),
            record: b"{}".to_vec(),
            truncated: false,
        }
    }

    fn document(letter: &Letter) -> (String, Value) {
        let (id, document) = writer().document("3-12".parse().unwrap(), letter);
        assert!(!document.contains(&b'\n'));
        (id, serde_json::from_slice(&document).unwrap())
    }

    #[test]
    fn a_letter_of_an_object_in_s3() {
        let key = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/02/111122223333_CloudTrail_eu-west-1_20260102T0310Z_x.json.gz";
        let (id, document) = document(&letter("trail", Some("b"), key));
        assert_eq!(id, "agent-3-12-1767323045678");
        assert_eq!(
            document,
            json!({
                "@timestamp": "2026-01-02T03:04:05.678Z",
                "event": {
                    "kind": "pipeline_error", "created": "2026-01-02T03:04:05.678Z", "module": "aws",
                    "dataset": "aws.cloudtrail_dead_letter", "original": "{}",
                },
                "data_stream": {"type": "logs", "dataset": "aws.cloudtrail_dead_letter", "namespace": "prod"},
                "error": {"code": "mapping-refused", "message": "no"},
                "http": {"response": {"status_code": 400}},
                "aws": {"s3": {"bucket": {"name": "b"}, "object": {"key": key}}},
                "log": {"offset": 17},
                "input": {"type": "aws-s3"},
                "cloud": {"account": {"id": "111122223333"}, "region": "eu-west-1"},
                "trailship": {"input": {"id": "trail"}, "document_id": "k"},
            })
        );
    }

    #[test]
    fn other_sources_have_fields_of_their_own() {
        let of_file = document(&letter("files", None, "/logs/a.json")).1;
        assert_eq!(of_file["log"], json!({"file": {"path": "/logs/a.json"}, "offset": 17}));
        assert_eq!((&of_file["aws"], &of_file["cloud"]), (&Value::Null, &Value::Null));
        let of_group = document(&letter("groups", None, "trail/group")).1;
        assert_eq!(of_group["aws"], json!({"cloudwatch": {"log_group": "trail/group"}}));
        let of_nobody = document(&letter("gone", None, "x")).1;
        assert_eq!((&of_nobody["input"], &of_nobody["trailship"]["input"]["id"]), (&Value::Null, &json!("gone")));
    }

    #[test]
    fn what_is_long_is_cut_and_what_is_nothing_left_out() {
        let long = Letter { record: vec![b'a'; ORIGINAL + 1], ..letter("trail", None, "x") };
        let long = document(&long).1;
        assert_eq!(long["event"]["original"].as_str().unwrap().len(), ORIGINAL);
        assert_eq!(long["error"]["message"], "no (`event.original` is cut)");
        let bare = Letter { record: vec![], status: None, offset: None, document_id: None, ..letter("x", None, "x") };
        let bare = document(&bare).1;
        assert_eq!(
            (&bare["event"]["original"], &bare["http"], &bare["log"]),
            (&Value::Null, &Value::Null, &Value::Null)
        );
        let bytes = Letter { record: vec![0xff], ..letter("x", None, "x") };
        assert_eq!(document(&bytes).1["event"]["original"], "\u{fffd}");
    }
}
