//! Objects of unusual shape.

use super::*;
use crate::faults::event_ids;
use crate::have;
use crate::support::between::{Between, Fate};
use crate::support::program::Program;
use crate::support::search::Stream;
use crate::support::servers::{Server, engines};
use crate::support::trail;
use std::collections::BTreeMap;
use std::time::Duration;

/// What becomes of an object of 200 records.
enum End {
    /// Every record is a document.
    All,
    /// The first ones are; the object has a letter with this code.
    First(usize, &'static str),
    /// Some of the first ones are; the same.
    Some(&'static str),
    /// Every record is a document, and so many members are that are no records.
    And(usize),
    /// No event, so many other documents.
    Other(usize),
}

struct Shape {
    name: &'static str,
    key: String,
    bytes: Vec<u8>,
    encoding: Option<&'static str>,
    end: End,
}

const RECORDS: usize = 200;

fn shapes() -> Vec<Shape> {
    let shape = |name: &'static str, make: fn(&[Value]) -> Vec<u8>, end: End| {
        let records = trail::records(name, RECORDS);
        Shape { name, key: trail::key("CloudTrail", name), bytes: make(&records), encoding: None, end }
    };
    let mut shapes = vec![
        shape("truncated-gzip", |records| half(&trail::object(records)).to_vec(), End::Some("corrupt-object")),
        shape(
            "truncated-json",
            |records| trail::gzip(&text(records)[..at(records, 150)]),
            End::First(149, "truncated-object"),
        ),
        shape("two-members", |records| members(&text(records), &[777]), End::All),
        shape("member-of-zero-length", |records| members(&text(records), &[0, 5_000, 5_000, 5_001]), End::All),
        shape(
            "several-lines",
            |records| trail::gzip(serde_json::to_string_pretty(&json!({"Records": records})).unwrap().as_bytes()),
            End::All,
        ),
        shape("plain-in-spite-of-name", text, End::All),
        shape("gzip-in-spite-of-name", trail::object, End::All),
        shape("empty", |_| Vec::new(), End::Other(0)),
        shape("zero-records", |_| trail::gzip(b"{\"Records\":[]}"), End::Other(0)),
        shape("no-members", |_| trail::gzip(b"{}"), End::Other(0)),
        shape("records-null", |_| trail::gzip(b"{\"Records\":null}"), End::Other(1)),
        shape("records-absent", |_| trail::gzip(b"{\"records\":[],\"events\":3}"), End::Other(1)),
        shape("junk-members", junk, End::And(2)),
        shape("invalid-utf-8", invalid, End::All),
        shape("carriage-return", |records| trail::gzip(&[&text(records)[..], b"\r\n"].concat()), End::All),
        shape("records-second", second, End::All),
        shape("one-a-line", |records| trail::gzip(lines(records).as_bytes()), End::All),
        shape("bare-array", |records| trail::gzip(&serde_json::to_vec(records).unwrap()), End::All),
        shape("records-null-then-list", null_then_list, End::All),
        shape("records-twice", twice, End::All),
        shape("byte-order-mark", |records| trail::gzip(&[b"\xef\xbb\xbf", &text(records)[..]].concat()), End::All),
        shape(
            "garbage-after-gzip",
            |records| [&trail::object(records)[..], &[0; 512]].concat(),
            End::First(RECORDS, "corrupt-object"),
        ),
        shape(
            "garbage-after-json",
            |records| trail::gzip(&[&text(records)[..], b"garbage"].concat()),
            End::First(RECORDS, "broken-json"),
        ),
        shape("gzip-of-gzip", |records| trail::gzip(&trail::object(records)), End::First(0, "broken-json")),
        shape("utf-16", |records| trail::gzip(&wide(&text(records))), End::First(0, "broken-json")),
    ];
    for shape in &mut shapes {
        match shape.name {
            // Says gzip, and is none.
            "plain-in-spite-of-name" => shape.encoding = Some("gzip"),
            "gzip-in-spite-of-name" => shape.key = shape.key.trim_end_matches(".gz").to_owned(),
            _ => {}
        }
    }
    shapes
}

fn text(records: &[Value]) -> Vec<u8> {
    serde_json::to_vec(&json!({"Records": records})).unwrap()
}

fn half(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len() / 2]
}

/// A place inside the `n`th record.
fn at(records: &[Value], n: usize) -> usize {
    let before: usize = records[..n - 1].iter().map(|record| record.to_string().len() + 1).sum();
    "{\"Records\":[".len() + before + 40
}

/// The text as gzip members that end at these places, and a last one.
fn members(text: &[u8], ends: &[usize]) -> Vec<u8> {
    let mut from = 0;
    let mut bytes = Vec::new();
    for end in ends.iter().copied().chain([text.len()]) {
        bytes.extend(trail::gzip(&text[from..end]));
        from = end;
    }
    bytes
}

fn junk(records: &[Value]) -> Vec<u8> {
    let mut all = records.to_vec();
    all.insert(50, json!(17));
    all.insert(120, json!("junk"));
    trail::object(&all)
}

fn invalid(records: &[Value]) -> Vec<u8> {
    let mut bytes = text(records);
    let place = bytes.windows(7).position(|window| window == b"aws-cli").unwrap();
    bytes[place] = 0xff;
    trail::gzip(&bytes)
}

fn second(records: &[Value]) -> Vec<u8> {
    let records = serde_json::to_string(records).unwrap();
    trail::gzip(format!("{{\"a\":{{\"Records\":[1]}},\"b\":\"]}}\\\"\",\"Records\":{records},\"c\":[2]}}").as_bytes())
}

fn null_then_list(records: &[Value]) -> Vec<u8> {
    trail::gzip(format!("{{\"Records\":null,\"Records\":{}}}", serde_json::to_string(records).unwrap()).as_bytes())
}

fn twice(records: &[Value]) -> Vec<u8> {
    let [one, two] = [&records[..70], &records[70..]].map(|some| serde_json::to_string(some).unwrap());
    trail::gzip(format!("{{\"Records\":{one},\"Records\":{two}}}").as_bytes())
}

/// UTF-16, little-endian, with its mark.
fn wide(text: &[u8]) -> Vec<u8> {
    [0xff, 0xfe].into_iter().chain(text.iter().flat_map(|byte| [*byte, 0])).collect()
}

fn lines(records: &[Value]) -> String {
    records.iter().map(|record| format!("{record}\n")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_unusual_shape_lose_and_double_nothing() {
    let aws = have!(Server::aws());
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let bucket = Trail::new(&aws, true).await;
        let shapes = shapes();
        for shape in &shapes {
            bucket.put_as(&shape.key, shape.bytes.clone(), "application/json", shape.encoding).await;
        }
        let stream = Stream::new(&search.url, "shapes_of_objects");
        let output = Program::elasticsearch(&search.url, &stream.namespace, "");
        let program = Program::new(&bucket.input(""), &output, "setup.failure_store: false");
        program.setup();
        let summary = program.once();
        assert_eq!(bucket.depth().await, (0, 0), "{engine}: no object comes back for ever");

        let mut found: BTreeMap<String, (Vec<String>, usize)> = BTreeMap::new();
        for (_, source) in stream.documents().await {
            let (ids, others) =
                found.entry(source["aws"]["s3"]["object"]["key"].as_str().unwrap().to_owned()).or_default();
            match source["event"]["id"].as_str() {
                Some(id) => ids.push(id.to_owned()),
                None => *others += 1,
            }
        }
        let mut letters: BTreeMap<String, String> = BTreeMap::new();
        for letter in program.dead_letters() {
            let code = letter["code"].as_str().unwrap().to_owned();
            assert_eq!(
                letters.insert(letter["object"].as_str().unwrap().to_owned(), code),
                None,
                "{engine}: one letter each"
            );
        }
        let (mut documents, parked) = (0, letters.len() as u64);
        for shape in &shapes {
            let about = format!("{engine}: {}", shape.name);
            let (ids, others) = found.remove(&shape.key).unwrap_or_default();
            documents += ids.len() + others;
            let all = trail::ids(&trail::records(shape.name, RECORDS));
            let (first, more, code) = match shape.end {
                End::All => (RECORDS, 0, None),
                End::And(more) => (RECORDS, more, None),
                End::First(first, code) => (first, 0, Some(code)),
                End::Some(code) => {
                    assert!(!ids.is_empty() && ids.len() < RECORDS, "{about}: {}", ids.len());
                    (ids.len(), 0, Some(code))
                }
                End::Other(more) => (0, more, None),
            };
            assert_eq!(ids, all[..first], "{about}");
            assert_eq!(others, more, "{about}");
            assert_eq!(letters.remove(&shape.key).as_deref(), code, "{about}");
        }
        assert!(found.is_empty() && letters.is_empty(), "{found:?} {letters:?}");
        assert_eq!(counts(&summary)[1..], [documents as u64, 0, 0, parked], "{engine}: {summary}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_overwritten_before_it_is_read() {
    let aws = have!(Server::aws());
    let search = have!(Server::search(&engines()[0]));
    for versions in [false, true] {
        let bucket = Trail::new(&aws, true).await;
        if versions {
            bucket.keep_versions().await;
        }
        let (old, new) = (trail::records("old", 30), trail::records("new", 30));
        let key = trail::key("CloudTrail", "same");
        for records in [&old, &new] {
            let version = bucket.put_version(&key, trail::object(records)).await;
            assert_eq!(version.is_some(), versions);
            // The bucket of these tests does not say its versions in its notifications.
            if let Some(version) = version {
                let mut message = notice(&bucket.bucket, &[&key]);
                message["Records"][0]["s3"]["object"]["versionId"] = json!(version);
                bucket.send(&message.to_string()).await;
            }
        }
        let stream = Stream::new(&search.url, if versions { "versions" } else { "overwritten" });
        let output = Program::elasticsearch(&search.url, &stream.namespace, "");
        let program = Program::new(&bucket.input(""), &output, "");
        program.setup();
        let summary = program.once();
        let there = if versions { [new, old].concat() } else { new };
        assert_eq!(stream.event_ids().await, trail::ids(&there), "what the bucket holds, once: {summary}");
        assert_eq!(bucket.depth().await, (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_overwritten_between_two_tries_of_reading_it() {
    let aws = have!(Server::aws());
    let bucket = Trail::new(&aws, true).await;
    let key = trail::key("CloudTrail", "same");
    // Not compressed, so that the first records are read before the break.
    let (old, new) = (trail::records("old", 1000), trail::records("new", 1000));
    bucket.put(&key, text(&old)).await;
    let between = Between::new(&aws.url, |call| match (call.is("GetObject"), call.before) {
        (true, 0) => Fate::Cut(300_000),
        // Time enough to overwrite it.
        (true, 1) => Fate::Late(Duration::from_secs(3)),
        _ => Fate::Pass,
    })
    .await;
    let program = Program::new(&bucket.input_by(&between.url, ""), FILES, "");
    let out = program.to_files();
    let mut running = program.spawn(&["run", "--format", "json"]);
    until_async("the second try has begun", async || (between.count("GetObject") == 2).then_some(())).await;
    bucket.put(&key, text(&new)).await;
    left(&mut running, &bucket, 0).await;
    ended(running);
    let mut shipped = event_ids(&out);
    assert!(shipped.iter().any(|id| id.starts_with("old")), "nothing was read before the break");
    shipped.dedup();
    let missing: Vec<String> = trail::ids(&new).into_iter().filter(|id| !shipped.contains(id)).collect();
    assert!(missing.is_empty(), "{} of the new records, from {:?}", missing.len(), missing.first());
}

#[tokio::test(flavor = "multi_thread")]
async fn digests_without_log_files_and_backfilled_ones() {
    let aws = have!(Server::aws());
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let bucket = Trail::new(&aws, true).await;
        for (hour, tail, files) in [
            ("02", "", json!([])),
            ("03", "_backfill", json!([{"s3Bucket": "b", "s3Object": "o", "hashValue": "00ff"}])),
        ] {
            let key = format!(
                "AWSLogs/{0}/CloudTrail-Digest/us-east-1/2026/01/02/{0}_CloudTrail-Digest_us-east-1_trail_us-east-1_20260102T{hour}0000Z{tail}.json.gz",
                trail::ACCOUNT
            );
            let digest = json!({
                "awsAccountId": trail::ACCOUNT, "digestStartTime": "2026-01-02T01:00:00Z", "digestEndTime": format!("2026-01-02T{hour}:00:00Z"),
                "digestS3Bucket": bucket.bucket, "digestS3Object": key, "digestPublicKeyFingerprint": "31e8", "digestSignatureAlgorithm": "SHA256withRSA",
                "newestEventTime": null, "oldestEventTime": null, "previousDigestS3Bucket": null, "previousDigestHashValue": null, "logFiles": files,
            });
            bucket.put(&key, trail::gzip(digest.to_string().as_bytes())).await;
        }
        let stream = Stream::new(&search.url, "digest_shapes");
        let input = bucket.input("cloudtrail_digest_regex: '/CloudTrail-Digest/'");
        let program = Program::new(&input, &Program::elasticsearch(&search.url, &stream.namespace, ""), "");
        program.setup();
        let summary = program.once();
        assert_eq!(counts(&summary), [2, 2, 0, 0, 0], "{engine}: {summary}");
        let mut times: Vec<_> =
            stream.documents().await.iter().map(|(_, source)| source["@timestamp"].clone()).collect();
        times.sort_by_key(Value::to_string);
        assert_eq!(times, ["2026-01-02T02:00:00.000Z", "2026-01-02T03:00:00.000Z"], "{engine}");
        assert_eq!(bucket.depth().await, (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn insights_in_the_old_and_the_new_layout() {
    let statistics = json!({"baseline": {"average": 0.002}, "insight": {"average": 6}, "insightDuration": 1});
    let record = |id: &str, details: Value| {
        json!({
            "eventVersion": "1.09", "eventTime": "2026-01-02T03:04:05Z", "awsRegion": "us-east-1", "eventID": id, "eventType": "AwsCloudTrailInsight",
            "recipientAccountId": trail::ACCOUNT, "sharedEventID": "s", "insightDetails": details, "eventCategory": "Insight",
        })
    };
    let old = json!({"state": "Start", "eventSource": "ec2.amazonaws.com", "eventName": "RunInstances", "insightType": "ApiCallRateInsight",
        "insightContext": {"statistics": statistics}});
    let new = json!({"state": "End", "eventSource": "s3.amazonaws.com", "eventName": "GetObject", "insightType": "ApiErrorRateInsight", "errorCode": "AccessDenied",
        "sourceEventCategory": "Data", "insightSource": "arn:aws:cloudtrail:us-east-1:111122223333:trail/t",
        "insightContext": {"statistics": {"baseline": {"average": 1}, "insight": {"average": 7.5}, "insightDuration": 3, "baselineDuration": 10080},
            "attributions": [{"attribute": "errorCode", "insight": [{"value": "null", "average": 6}], "baseline": []}, {"attribute": "userAgent", "insight": [], "baseline": []}]}});
    let flat = json!({"insightSource": "arn:aws:cloudtrail:us-east-1:111122223333:trail/t", "insightState": "Start", "insightEventSource": "ec2.amazonaws.com",
        "insightEventName": "RunInstances", "insightType": "ApiCallRateInsight", "insightContext": {"baselineAverage": 1, "insightAverage": 2.5, "insightDuration": 1}});
    let records = [record("old", old), record("new", new), record("flat", flat)];
    let aws = have!(Server::aws());
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let bucket = Trail::new(&aws, true).await;
        bucket.put(&trail::key("CloudTrail-Insight", "insight"), trail::object(&records)).await;
        let stream = Stream::new(&search.url, "insights");
        let output = Program::elasticsearch(&search.url, &stream.namespace, "");
        let program = Program::new(&bucket.input(""), &output, "setup.failure_store: false");
        program.setup();
        let summary = program.once();
        assert_eq!(counts(&summary), [3, 3, 0, 0, 0], "{engine}: {summary}");
        assert_eq!(stream.event_ids().await, ["flat", "new", "old"], "{engine}");
        for (_, source) in stream.documents().await {
            assert_eq!(source["aws"]["cloudtrail"]["event_category"], "Insight", "{source}");
            assert!(source["aws"]["cloudtrail"]["flattened"]["insight_details"].is_object(), "{source}");
        }
    }
}
