//! No document is refused for its shape: records that no service sends, on real servers with our templates.

use crate::have;
use crate::support::search::Stream;
use crate::support::servers::{Server, engines};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use trailship::ecs::{ENTITIES_TAG, Mapper, Origin, Position, REPAIRED_TAG, Settings, Timestamp};
use trailship::output::elasticsearch::{Cluster, ElasticsearchConfig};
use trailship::setup::{Options, SetupConfig, install};

/// Records of the property, beside one for each nasty value at each place.
const RECORDS: usize = 1000;
/// Stands for a number that no library here can hold.
const NUMBER: &str = "@a number of many digits@";

/// Members that become fields, so that what is in them reaches the index.
const PLACES: &[&str] = &[
    "eventVersion",
    "eventSource",
    "eventName",
    "eventID",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "errorMessage",
    "requestID",
    "apiVersion",
    "managementEvent",
    "readOnly",
    "resources",
    "recipientAccountId",
    "sharedEventID",
    "requestParameters",
    "requestParameters.userName",
    "requestParameters.groupName",
    "responseElements",
    "responseElements.user.userId",
    "additionalEventData",
    "additionalEventData.LoginTo",
    "serviceEventDetails",
    "insightDetails",
    "awsAccountId",
    "digestS3Object",
    "logFiles",
    "previousDigestHashValue",
    "addendum.updatedFields",
    "tlsDetails.tlsVersion",
    "tlsDetails.keyExchange",
    "userIdentity",
    "userIdentity.type",
    "userIdentity.arn",
    "userIdentity.principalId",
    "userIdentity.userName",
    "userIdentity.accountId",
    "userIdentity.sessionContext.assumedRoot",
    "userIdentity.sessionContext.attributes.creationDate",
    "userIdentity.sessionContext.webIdFederationData.attributes",
    "userIdentity.sessionContext.sessionIssuer.arn",
    "userIdentity.onBehalfOf.userId",
    "eventTime",
];

fn nested(levels: usize, inner: Value) -> Value {
    (0..levels).fold(inner, |inner, _| json!({ "a": inner }))
}

fn nasty_keys() -> Vec<String> {
    let short =
        ["", " ", ".", "..", "a..b", ".a", "a.", "a. .b", "\0", "a\0b", "\u{1c}", "\u{85}", "\u{a0}", "\u{2003}"];
    let names =
        ["arn.x", "arn.", "type.", "account_id", "ARN", "accountId", "type", "ARNPrefix", "value", "a", "b", "a.b"];
    let long = [8_000, 8_200, 33_000].map(|length| "k".repeat(length));
    short.into_iter().chain(names).map(str::to_owned).chain(long).collect()
}

fn nasty_values() -> Vec<Value> {
    let mut values = vec![
        json!("HIDDEN_DUE_TO_SECURITY_REASONS"),
        json!(true),
        json!(7),
        json!(-1.5e300),
        json!(u64::MAX),
        json!("a\0b"),
        json!("x".repeat(32_700)),
        json!("x".repeat(33_000)),
        json!("語".repeat(12_000)),
        json!("-1"),
        json!("99999-01-01T00:00:00Z"),
        json!("0000-01-01T00:00:00Z"),
        json!(["a", 1, [true]]),
        json!(["a", {"b": 1}]),
        json!([[{"ARN": "a"}], "b"]),
        json!({"ARN": {"a": 1}, "type": [{"b": 2}], "accountId": [["c"]]}),
        json!([{"ARN": {"a": 1}}, {"type": [{"b": 2}]}, {"x": {"y": [{}]}}]),
        json!({"a.b": 1, "a": {"b": 2}}),
        json!({"k".repeat(5_000): {"j".repeat(5_000): "x"}}),
        json!({"k".repeat(7_900): "語".repeat(8_191)}),
        json!({"a": {"b": "語".repeat(10_910)}}),
        json!(NUMBER),
        json!({"a": [NUMBER]}),
        json!([{"x": {"y": NUMBER}}]),
    ];
    values.extend([19, 20, 21, 22, 60].map(|levels| nested(levels, json!("x"))));
    values.extend([19, 20, 21, 60].map(|levels| json!([[nested(levels, json!(["x", {"b": 1}]))]])));
    for key in nasty_keys() {
        values.push(json!({ &key: 5 }));
        values.push(json!([{"x": { &key: {"y": 1} }}, { &key: [1] }]));
    }
    values
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => prop::sample::select(nasty_values()),
        1 => ".{0,8}".prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 12, 4, |inner| {
        let key = prop_oneof![prop::sample::select(nasty_keys()), ".{0,6}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(key, inner, 0..4).prop_map(|map| map.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

/// Puts a value under a dotted path; what stands in the way gives way.
fn put(record: &mut Value, path: &str, value: Value) {
    if !record.is_object() {
        *record = json!({});
    }
    match path.split_once('.') {
        Some((first, rest)) => put(&mut record[first], rest, value),
        None => record[path] = value,
    }
}

/// The texts of nasty records, the same in every run.
fn records() -> Vec<String> {
    let mut records = Vec::new();
    for place in PLACES {
        for value in nasty_values() {
            let mut record = json!({});
            put(&mut record, place, value);
            records.push(record);
        }
    }
    let mut runner =
        TestRunner::new_with_rng(ProptestConfig::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let members = prop::collection::vec((prop::sample::select(PLACES), value()), 1..6);
    for _ in 0..RECORDS {
        let mut record = json!({});
        for (place, value) in members.new_tree(&mut runner).unwrap().current() {
            put(&mut record, place, value);
        }
        records.push(record);
    }
    let digits = format!("0.{}", "1".repeat(1_500));
    records.iter().map(|record| record.to_string().replace(&format!("\"{NUMBER}\""), &digits)).collect()
}

/// Sends the documents of the records; answers what the server said of those that it refused, and how many had to be
/// repaired.
async fn send(stream: &Stream, records: &[String], settings: Settings) -> (Vec<String>, usize) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut mapper = Mapper::new(Arc::new(settings));
    let origin = Origin { input_type: "file", log_file_path: Some("nasty".to_owned()), ..Origin::default() };
    let (mut refused, mut repaired) = (Vec::new(), 0);
    for (n, chunk) in records.chunks(250).enumerate() {
        let mut body = Vec::new();
        for (i, record) in chunk.iter().enumerate() {
            let position = Position::new(&origin, i as u64);
            let mapped =
                mapper.map_line(record.as_bytes(), position, Timestamp::from_unix_nanos(1_795_168_800_000_000_000));
            body.extend_from_slice(format!("{{\"create\":{{\"_id\":\"{n}-{i}\"}}}}\n").as_bytes());
            let start = body.len();
            mapped.write(&mut body);
            let document: Value = serde_json::from_slice(&body[start..]).unwrap();
            let flagged = document["tags"].as_array().unwrap().contains(&json!(REPAIRED_TAG));
            assert_eq!(flagged, mapped.repaired(), "{record:.300}");
            repaired += usize::from(flagged);
            body.push(b'\n');
        }
        let request = http.post(format!("{}/{}/_bulk", stream.url, stream.name()));
        let answer = request.header("content-type", "application/x-ndjson").body(body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        let items = answer["items"].as_array().unwrap();
        assert_eq!(items.len(), chunk.len());
        for (item, record) in items.iter().zip(chunk) {
            if item["create"]["status"] != 201 {
                refused.push(format!("{:.400}\n  {:.600}", record, item["create"].to_string()));
            }
        }
    }
    (refused, repaired)
}

async fn prepare(url: &str, test: &str) -> Stream {
    let stream = Stream::new(url, test);
    // What is refused must not vanish into a failure store.
    let setup = json!({"failure_store": "false", "template": {"name": format!("shapes-{}", stream.namespace), "pattern": format!("{}*", stream.name()), "priority": 400}});
    let setup: SetupConfig = serde_json::from_value(setup).unwrap();
    let output: ElasticsearchConfig =
        serde_json::from_value(json!({"hosts": [stream.url], "index": stream.name()})).unwrap();
    let Ok(settings) = output.settle("default") else { panic!("the settings are right") };
    let report = install(&Cluster::new(Arc::new(settings)).unwrap(), &setup, Options::default()).await;
    assert!(!report.failed(), "{report:?}");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn no_document_is_refused_for_its_shape() {
    let records = records();
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let tags = vec!["forwarded".to_owned(), ENTITIES_TAG.to_owned()];
        let repairing = Settings { repair: true, tags, ..Settings::default() };
        let stream = prepare(&search.url, "shapes").await;
        let (refused, repaired) = send(&stream, &records, repairing).await;
        assert!(
            refused.is_empty(),
            "{engine} refused {}:\n{}",
            refused.len(),
            refused[..refused.len().min(5)].join("\n")
        );
        assert!(repaired > 100 && repaired < records.len(), "{engine}: {repaired} of {}", records.len());
        let (status, _) = stream.call(Method::POST, &format!("{}/_refresh", stream.name()), None).await;
        assert_eq!(status, 200);
        let (_, count) =
            stream.call(Method::GET, &format!("{}/_count?q=tags:{REPAIRED_TAG}", stream.name()), None).await;
        assert_eq!(count["count"], repaired, "{engine}");

        // The records are such that the mapping alone would not do.
        let bare = prepare(&search.url, "shapes_bare").await;
        let (refused, _) = send(&bare, &records, Settings::default()).await;
        assert!(!refused.is_empty(), "{engine} refused nothing");
    }
}
