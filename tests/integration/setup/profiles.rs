//! Index mode `logsdb` and storage profile `lean`: accepted, effective, and nothing is lost that is asked for.

use super::{Own, verdicts};
use crate::have;
use crate::support::program::Program;
use crate::support::servers::{Server, engines};
use reqwest::Method;
use serde_json::{Value, json};
use trailship::setup::{Options, Verdict};

async fn hits(own: &Own, query: Value) -> u64 {
    let (status, answer) =
        own.stream.call(Method::POST, &format!("{}/_count", own.stream.name()), Some(json!({"query": query}))).await;
    assert_eq!(status, 200, "{query}: {answer}");
    answer["count"].as_u64().unwrap()
}

fn document(bucket: &str) -> Value {
    let text = format!("{{bucketName={bucket}, Effect=Allow}}");
    json!({"aws": {"cloudtrail": {
        "request_parameters": text,
        "response_elements": text,
        "additional_eventdata": text,
        "flattened": {"request_parameters": {"bucketName": bucket}, "response_elements": {"bucketName": bucket},
            "additional_eventdata": {"bucketName": bucket}, "insight_details": {"bucketName": bucket}},
    }}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lean_index_finds_what_detection_rules_ask_for() {
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let own = Own::new(&search.url, "lean");
        let report = own.setup(json!({"storage": "lean"}), false).await;
        assert!(!report.failed(), "{engine}: {report:?}");
        own.ship(document("mine")).await;
        own.ship(document("other")).await;
        own.stream.call(Method::POST, &format!("{}/_refresh", own.stream.name()), None).await;
        for field in ["request_parameters", "response_elements", "additional_eventdata"] {
            let field = format!("aws.cloudtrail.{field}");
            assert_eq!(hits(&own, json!({"wildcard": {field.as_str(): "*Name=mine*"}})).await, 1, "{engine}: {field}");
            assert_eq!(hits(&own, json!({"exists": {"field": field}})).await, 2, "{engine}: {field}");
            assert_eq!(
                hits(&own, json!({"term": {field.as_str(): "{bucketName=mine, Effect=Allow}"}})).await,
                1,
                "{engine}: {field}"
            );
        }
        for field in ["request_parameters", "response_elements", "insight_details"] {
            let field = format!("aws.cloudtrail.flattened.{field}.bucketName");
            assert_eq!(hits(&own, json!({"term": {field.as_str(): "mine"}})).await, 1, "{engine}: {field}");
        }
        let stored = "aws.cloudtrail.flattened.additional_eventdata.bucketName";
        assert_eq!(hits(&own, json!({"term": {stored: "mine"}})).await, 0, "{engine}");
        let sources: Vec<Value> = own.stream.documents().await.into_iter().map(|(_, source)| source).collect();
        assert_eq!(sources.len(), 2, "{engine}");
        assert!(
            sources.iter().all(|source| source["aws"]["cloudtrail"]["flattened"]["additional_eventdata"].is_object())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logsdb_sorts_and_keeps_the_source_or_is_said_to_lack() {
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let own = Own::new(&search.url, "logsdb");
        let report = own.setup(json!({"index_mode": "logsdb"}), false).await;
        assert!(!report.failed(), "{engine}: {report:?}");
        let has_it = engine.starts_with("elasticsearch");
        let said = verdicts(&report, "index mode `logsdb`");
        assert_eq!(said, if has_it { vec![] } else { vec![Verdict::Replaced] }, "{engine}: {report:?}");
        let input = "  - type: file\n    paths: ['samples/AWSLogs/o-exampleorg/123456789012/**']";
        let program = Program::new(input, &Program::elasticsearch(&search.url, &own.stream.namespace, ""), "");
        let first = program.once();
        assert!(first["indexed"].as_u64().unwrap() > 0 && first["parked"] == json!(0), "{engine}: {first}");
        let again = Program::new(input, &Program::elasticsearch(&search.url, &own.stream.namespace, ""), "").once();
        assert_eq!((&again["indexed"], &again["duplicate"]), (&json!(0), &again["records"]), "{engine}: ids are ours");
        let path = format!("{}/_settings?flat_settings=true", own.stream.name());
        let (_, answer) = own.stream.call(Method::GET, &path, None).await;
        let settings = &answer.as_object().unwrap().values().next().unwrap()["settings"];
        if has_it {
            assert_eq!(settings["index.mode"], "logsdb", "{engine}");
            assert_eq!(settings["index.sort.field"], json!(["cloud.account.id", "@timestamp"]), "{engine}");
            assert_eq!(settings["index.mapping.source.mode"], "stored", "{engine}");
        }
        // A list with an object, with repeats and in this order: what a source made anew does not keep.
        let list = json!([{"b": ["z", "a", "z"]}, {"a": 1}]);
        own.ship(json!({"labels": {"kept": "x"}, "aws": {"cloudtrail": {"flattened": {"request_parameters": {"list": list}}}}})).await;
        let documents = own.stream.documents().await;
        let kept = documents.iter().find(|(_, source)| source["labels"]["kept"] == "x").unwrap();
        assert_eq!(kept.1["aws"]["cloudtrail"]["flattened"]["request_parameters"]["list"], list, "{engine}");
        assert!(kept.1.get("host").is_none(), "{engine}: nothing is added");
        let report = own
            .install(json!({"template": {"index_mode": "logsdb"}}), Options { rollover: true, ..Options::default() })
            .await;
        assert_eq!(super::of_records(&report), Verdict::Unchanged, "{engine}: {report:?}");
    }
}
