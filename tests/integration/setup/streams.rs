//! All data sets together: each has its data stream, documents of every kind fit, and what does not goes into the failure
//! store.

use super::{Own, detail, of_records, verdicts};
use crate::have;
use crate::support::program::Program;
use crate::support::servers::{Server, engines};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use trailship::setup::{Options, Verdict};

/// A parked record with every field.
fn parked() -> Value {
    json!({
        "aws": {"cloudwatch": {"log_group": "/aws/cloudtrail/org", "log_stream": "111122223333_CloudTrail_eu-west-1"},
            "s3": {"bucket": {"name": "trail"}, "object": {"key": "AWSLogs/111122223333/CloudTrail/x.json.gz"}}},
        "cloud": {"account": {"id": "111122223333"}, "region": "eu-west-1"},
        "data_stream": {"type": "logs", "dataset": "aws.cloudtrail_dead_letter", "namespace": "default"},
        "ecs": {"version": "8.11.0"},
        "error": {"code": "mapping-refused", "message": "failed to parse field [x]: ".repeat(1000)},
        "event": {"created": "2026-01-02T03:04:05.123Z", "dataset": "aws.cloudtrail_dead_letter",
            "ingested": "2026-01-02T03:04:06.123Z", "kind": "pipeline_error", "module": "aws", "original": "{".repeat(100_000)},
        "http": {"response": {"status_code": 400}},
        "input": {"type": "aws-s3"},
        "log": {"file": {"path": "s3://trail/AWSLogs/111122223333/CloudTrail/x.json.gz"}, "offset": 5_000_000_000_i64},
        "trailship": {"document_id": "abc", "input": {"id": "org-trail"}},
    })
}

/// A finding with every field of findings and of the ledger.
fn finding() -> Value {
    json!({
        "aws": {"s3": {"bucket": {"name": "trail"}, "object": {"key": "AWSLogs/111122223333/CloudTrail/x.json.gz"}}},
        "cloud": {"account": {"id": "111122223333"}, "region": "eu-west-1"},
        "data_stream": {"type": "logs", "dataset": "aws.cloudtrail_integrity", "namespace": "default"},
        "ecs": {"version": "8.11.0"},
        "event": {"action": "log_file_altered", "category": ["file"], "created": "2026-01-02T03:04:05.123Z",
            "dataset": "aws.cloudtrail_integrity", "ingested": "2026-01-02T03:04:05.123Z", "kind": "alert", "module": "aws",
            "outcome": "failure", "reason": "the log file is not what the digest says", "severity": 73, "type": ["change"]},
        "file": {"hash": {"sha256": "0".repeat(64)}},
        "message": "the log file is not what the digest says",
        "organization": {"id": "o-exampleorg"},
        "trailship": {
            "integrity": {"digest_end": "2026-01-02T03:00:00Z", "digest_key": "AWSLogs/x", "digest_start": "2026-01-02T02:00:00Z",
                "expected_sha256": "1".repeat(64), "trail_arn": "arn:aws:cloudtrail:eu-west-1:111122223333:trail/org"},
            "ledger": {"expected": 12, "failed": 0, "hour": "2026-01-02T02:00:00Z", "indexed": 12, "notified": 11, "read": 12,
                "records": 12_345_678_901_i64, "process": "4d8a1f0e-7c35-4b7e-9f5e-1f2a3b4c5d6e",
                "files": {"absent": ["trail/a"], "failed": ["trail/b"], "listed": ["trail/a", "trail/b"], "shipped": ["trail/c"],
                    "skipped": ["trail/d"], "unread": ["trail/e"]}},
        },
    })
}

/// Names of the leaves of a document, by dots.
fn leaves(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                leaves(value, &if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, found);
            }
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

/// Fields that some document has and the index has not, by `_ignored`, for another reason than a text that is longer
/// than its field's limit.
async fn surprises(own: &Own, stream: &str) -> BTreeSet<String> {
    let types = own.types_of(stream).await;
    let query = json!({"size": 1000, "query": {"exists": {"field": "_ignored"}}});
    let (status, answer) = own.stream.call(Method::POST, &format!("{stream}/_search"), Some(query)).await;
    assert_eq!(status, 200, "{answer}");
    let mut found = BTreeSet::new();
    for hit in answer["hits"]["hits"].as_array().unwrap() {
        for field in hit["_ignored"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()) {
            let limit = types.get(field).and_then(|mapping| mapping["ignore_above"].as_u64());
            let value = hit["_source"].pointer(&format!("/{}", field.replace('.', "/"))).and_then(Value::as_str);
            let is_long = value.zip(limit).is_some_and(|(value, limit)| value.encode_utf16().count() as u64 > limit);
            if !is_long {
                found.insert(field.to_owned());
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn parked_records_and_findings_have_data_streams_of_their_own() {
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let own = Own::new(&search.url, "beside");
        let report = own.setup(json!({}), false).await;
        assert!(!report.failed(), "{engine}: {report:?}");
        for (suffix, document) in [("_dead_letter", parked()), ("_integrity", finding())] {
            let stream = own.beside(suffix);
            own.ship_into(&stream, document.clone()).await;
            let types = own.types_of(&stream).await;
            let (mut named, mut declared) = (BTreeSet::new(), BTreeSet::from_iter(types.keys().cloned()));
            leaves(&document, "", &mut named);
            declared.remove("@timestamp");
            assert_eq!(declared, named, "{engine}: the table has the fields of the document");
            for (field, wanted) in [
                ("@timestamp", "date"),
                ("event.created", "date"),
                ("cloud.account.id", "keyword"),
                ("http.response.status_code", "long"),
                ("log.offset", "long"),
                ("event.severity", "long"),
                ("trailship.ledger.records", "long"),
                ("trailship.ledger.hour", "date"),
                ("trailship.integrity.digest_end", "date"),
            ] {
                assert!(types.get(field).is_none_or(|found| found["type"] == wanted), "{engine}: {field}");
            }
            assert_eq!(surprises(&own, &stream).await, BTreeSet::new(), "{engine}");
        }
        let report = own.setup(json!({}), true).await;
        assert_eq!(
            verdicts(&report, "data stream `"),
            [Verdict::Ok, Verdict::Unchanged, Verdict::Unchanged],
            "{engine}: {report:?}"
        );
        let report = own.setup(json!({"settings": {"index": {"number_of_replicas": "0"}}}), true).await;
        assert_eq!(
            verdicts(&report, "data stream `"),
            [Verdict::Ok, Verdict::Updated, Verdict::Updated],
            "{engine}: {report:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_of_every_kind_are_indexed_whole() {
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let own = Own::new(&search.url, "kinds");
        let report = own.setup(json!({}), false).await;
        assert!(!report.failed(), "{engine}: {report:?}");
        let input = "  - type: file\n    paths: ['samples/AWSLogs']\n    cloudtrail_regex: '/CloudTrail(-NetworkActivity)?/'\n    cloudtrail_digest_regex: '/CloudTrail-Digest/'";
        let program = Program::new(input, &Program::elasticsearch(&search.url, &own.stream.namespace, ""), "");
        let summary = program.once();
        assert_eq!((&summary["records"], &summary["parked"]), (&json!(2793), &json!(0)), "{engine}: {summary}");
        assert_eq!(own.stream.count().await, 2738, "{engine}");
        assert_eq!(surprises(&own, &own.stream.name()).await, BTreeSet::new(), "{engine}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_mapping_refuses_lies_in_the_failure_store() {
    for engine in engines().iter().filter(|engine| engine.starts_with("elasticsearch")) {
        let search = have!(Server::search(engine));
        let own = Own::new(&search.url, "failures");
        let strict = json!({"event": {"properties": {"action": {"type": "date", "ignore_malformed": false}}}});
        own.put(
            &format!("_component_template/{}@custom", own.name),
            json!({"template": {"mappings": {"properties": strict}}}),
        )
        .await;
        let report = own.setup(json!({}), false).await;
        assert!(!report.failed(), "{engine}: {report:?}");
        let input = "  - type: file\n    paths: ['samples/AWSLogs/o-exampleorg/123456789012/CloudTrail/**']";
        let program = Program::new(input, &Program::elasticsearch(&search.url, &own.stream.namespace, ""), "");
        let summary = program.once();
        let records = summary["records"].as_u64().unwrap();
        assert!(records > 0, "{engine}: {summary}");
        assert_eq!(summary["parked"], json!(records), "{engine}: {summary}");
        assert_eq!(summary["indexed"], json!(0), "{engine}: {summary}");
        assert_eq!(own.stream.count().await, 0, "{engine}");
        let failures = format!("{}::failures", own.stream.name());
        own.stream.call(Method::POST, &format!("{failures}/_refresh"), None).await;
        let (status, answer) = own
            .stream
            .call(Method::POST, &format!("{failures}/_search"), Some(json!({"track_total_hits": true})))
            .await;
        assert_eq!(status, 200, "{engine}: {answer}");
        assert_eq!(answer["hits"]["total"]["value"], json!(records), "{engine}");
        assert_eq!(
            answer["hits"]["hits"][0]["_source"]["document"]["source"]["event"]["module"], "aws",
            "{engine}: {answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_failure_store_what_is_refused_lies_in_the_dead_letter() {
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let own = Own::new(&search.url, "refusing");
        let config = json!({"failure_store": "false", "template": {"settings": {"index": {"mapping": {"ignore_malformed": false}}}}});
        let report = own.install(config, Options::default()).await;
        assert!(!report.failed(), "{engine}: {report:?}");
        let mut record = crate::support::trail::record("refused");
        // A text that is no boolean.
        record["readOnly"] = json!("maybe");
        let input = "  - type: file\n    paths: ['${IN}/**']";
        let program = Program::new(input, &Program::elasticsearch(&search.url, &own.stream.namespace, ""), "");
        let path = program.fill("IN", "in").join(crate::support::trail::key("CloudTrail", "x"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, crate::support::trail::object(&[record])).unwrap();
        let summary = program.once();
        assert_eq!(summary["parked_by_code"], json!({"mapping-refused": 1}), "{engine}: {summary}");
        assert_eq!(program.dead_letters().len(), 1, "{engine}");
        let report = own.install(json!({"failure_store": "true"}), Options::default()).await;
        assert_eq!(report.failed(), engine.starts_with("opensearch"), "{engine}: {report:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_what_setup_would_do() {
    let options = Options { dry_run: true, rollover: true };
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let own = Own::new(&search.url, "dry");
        let before = own.stored().await;
        let report = own.install(json!({}), options).await;
        assert!(report.dry_run && !report.failed(), "{engine}: {report:?}");
        assert_eq!(verdicts(&report, "template `"), [Verdict::Created; 9], "{engine}: {report:?}");
        assert!(
            detail(&report, "data stream `").starts_with(&format!("`{}` applies", own.name)),
            "{engine}: {report:?}"
        );
        assert_eq!(own.stored().await, before, "{engine}");

        own.setup(json!({}), false).await;
        own.ship(json!({})).await;
        let before = own.stored().await;
        let config = json!({"template": {"settings": {"index": {"number_of_replicas": "0"}}}});
        let report = own.install(config, options).await;
        assert_eq!(of_records(&report), Verdict::Updated, "{engine}: {report:?}");
        assert_eq!(
            verdicts(&report, &format!("template `{}-settings`", own.name)),
            [Verdict::Updated],
            "{engine}: {report:?}"
        );
        assert_eq!(own.stored().await, before, "{engine}");
        let (_, indices) = own.stream.call(Method::GET, &format!("{}/_mapping", own.stream.name()), None).await;
        assert_eq!(indices.as_object().unwrap().len(), 1, "{engine}: nothing rolled over");
    }
}
