//! Detection rules on real servers: each finds what it must, and nothing else.
//!
//! The records of `tests/rules` are mapped as they are when shipped; a rule is run as the detection engine runs it: its
//! query in KQL, its window of time by `timestamp_override`, and for a threshold rule groups of a composite aggregation.

use crate::have;
use crate::support::program::Program;
use crate::support::search::Stream;
use crate::support::servers::{Server, engines};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use trailship::config::document;
use trailship::ecs::{Mapper, Origin, Position, Settings, Timestamp};
use trailship::kibana::dashboards::{DEFAULT_REGIONS, Options};
use trailship::kibana::kql::Query;
use trailship::kibana::rules;

/// What a rule must find and must not.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    fires: Vec<Case>,
    silent: Vec<Case>,
}

/// See `tests/rules/README.md`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    why: String,
    record: Option<Value>,
    finding: Option<Value>,
    #[serde(default)]
    actions: Vec<String>,
    times: Option<usize>,
}

/// One document of a case.
struct Sent {
    id: String,
    /// Name of the source of its rule.
    rule: String,
    fires: bool,
    integrity: bool,
    document: Value,
}

/// The rules as they are installed, by the names of their sources. Here `us-east-1` is not approved, so that global
/// services, which record there, can be told apart.
fn installed() -> BTreeMap<String, Value> {
    let approved = DEFAULT_REGIONS.into_iter().filter(|region| *region != "us-east-1");
    let all = rules::all(&Options { approved_regions: approved.map(str::to_owned).collect() });
    let text = rules::ndjson(&all);
    assert_eq!(text.lines().count(), all.len());
    all.iter().zip(text.lines()).map(|(rule, line)| (rule.id.clone(), serde_json::from_str(line).unwrap())).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules")
}

fn cases(rule: &str) -> Cases {
    let name = format!("{rule}.yml");
    let text = std::fs::read_to_string(folder().join(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    document(&name, &text).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn every_rule_is_tried_with_what_fires_and_what_does_not() {
    let installed = installed();
    for (rule, line) in &installed {
        let Cases { fires, silent } = cases(rule);
        assert!(fires.len() >= 2 && silent.len() >= 2, "{rule}");
        let data = &line["index"][0];
        for case in fires.iter().chain(&silent) {
            assert!(!case.why.is_empty(), "{rule}");
            assert!(case.record.is_some() != case.finding.is_some(), "{rule}: {}", case.why);
            assert_eq!(case.finding.is_some(), data == "logs-aws.cloudtrail_integrity-*", "{rule}: {}", case.why);
        }
    }
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let kept: BTreeSet<String> = files.filter(|name| name.ends_with(".yml")).collect();
    assert_eq!(kept, installed.keys().map(|rule| format!("{rule}.yml")).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_finds_what_it_must_and_nothing_else() {
    let installed = installed();
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let stream = Stream::new(&search.url, "rules");
        Program::new(
            "  - {type: file, id: rules, paths: ['none']}",
            &Program::elasticsearch(&search.url, &stream.namespace, ""),
            "",
        )
        .setup();
        let sent: Vec<Sent> = installed.keys().flat_map(|rule| documents(rule, &stream.namespace)).collect();
        index(&stream, &sent).await;
        for dataset in ["aws.cloudtrail", "aws.cloudtrail_integrity"] {
            let kind = kind_of_action(&stream, dataset).await;
            assert_eq!(kind, "keyword", "{engine}: no template of ours made the stream of {dataset}");
        }
        let mut wrong = Vec::new();
        for (rule, line) in &installed {
            let own: Vec<&Sent> = sent.iter().filter(|sent| sent.rule == *rule).collect();
            let (found, expected) = match line["type"].as_str().unwrap() {
                "threshold" => (groups_found(&stream, line, &own).await, groups_expected(line, &own)),
                _ => (ids_found(&stream, line, &own).await, ids_expected(&own)),
            };
            let (more, less): (Vec<_>, Vec<_>) =
                (found.difference(&expected).collect(), expected.difference(&found).collect());
            if !more.is_empty() || !less.is_empty() {
                wrong.push(format!("{engine}: {rule} finds wrongly {more:?}, and not {less:?}"));
            }
            assert!(!expected.is_empty(), "{rule}");
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// Every document of a rule's cases.
fn documents(rule: &str, namespace: &str) -> Vec<Sent> {
    let settings = Settings { namespace: namespace.to_owned(), ..Settings::default() };
    let mut mapper = Mapper::new(Arc::new(settings));
    let mut sent = Vec::new();
    let Cases { fires, silent } = cases(rule);
    for (fires, cases) in [(true, fires), (false, silent)] {
        for (place, case) in cases.iter().enumerate() {
            let actions = case.actions.iter().map(Some).chain(case.actions.is_empty().then_some(None));
            for (action, n) in actions.flat_map(|action| (0..case.times.unwrap_or(1)).map(move |n| (action, n))) {
                let word = if fires { "fires" } else { "silent" };
                let id = format!("{rule} {word} {place} {n} {}", action.map_or("", String::as_str));
                let document = match (&case.record, &case.finding) {
                    (Some(record), _) => mapped(&mut mapper, record, action, &id),
                    (None, Some(finding)) => found(finding, namespace),
                    (None, None) => panic!("{rule}: {} has neither record nor finding", case.why),
                };
                sent.push(Sent { id, rule: rule.to_owned(), fires, integrity: case.finding.is_some(), document });
            }
        }
    }
    sent
}

/// The document of an ordinary record with these changes.
fn mapped(mapper: &mut Mapper, changes: &Value, action: Option<&String>, id: &str) -> Value {
    let mut record = json!({
        "eventVersion": "1.11",
        "eventTime": "2026-03-02T10:00:00Z",
        "eventSource": "sts.amazonaws.com",
        "eventName": "GetCallerIdentity",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "198.51.100.23",
        "userAgent": "aws-cli/2.18.17",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDAEXAMPLE",
            "arn": "arn:aws:iam::111122223333:user/ana",
            "accountId": "111122223333",
            "accessKeyId": "AKIAEXAMPLE",
            "userName": "ana",
        },
        "requestParameters": null,
        "responseElements": null,
        "requestID": id,
        "eventID": id,
        "readOnly": false,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": "111122223333",
        "eventCategory": "Management",
    });
    merge(&mut record, changes);
    if let Some(action) = action {
        record["eventName"] = json!(action);
    }
    let origin = Origin { input_type: "file", log_file_path: Some("rules".to_owned()), ..Origin::default() };
    let text = record.to_string();
    let mut document = Vec::new();
    mapper.map(text.as_bytes(), Position::new(&origin, 0), Timestamp::now()).unwrap().write(&mut document);
    serde_json::from_slice(&document).unwrap()
}

/// A finding with these changes.
fn found(changes: &Value, namespace: &str) -> Value {
    let mut now = Vec::new();
    Timestamp::now().write_millis(&mut now);
    let now = String::from_utf8(now).unwrap();
    let dataset = "aws.cloudtrail_integrity";
    let mut finding = json!({
        "@timestamp": now.trim_matches('"'),
        "event": {
            "kind": "alert", "category": ["file"], "type": ["info"], "action": "", "outcome": "failure", "severity": 73,
            "reason": "found by the check of digests", "module": "aws", "dataset": dataset,
            "ingested": now.trim_matches('"'),
        },
        "data_stream": {"type": "logs", "dataset": dataset, "namespace": namespace},
        "cloud": {"account": {"id": "111122223333"}, "region": "eu-west-1"},
        "aws": {"s3": {"bucket": {"name": "trail"}, "object": {"key": "AWSLogs/111122223333/x.json.gz"}}},
    });
    merge(&mut finding, changes);
    finding
}

/// Objects member by member; `null` takes a member away (RFC 7396).
fn merge(into: &mut Value, changes: &Value) {
    let Value::Object(members) = changes else {
        *into = changes.clone();
        return;
    };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    let object = into.as_object_mut().unwrap();
    for (name, change) in members {
        match change {
            Value::Null => {
                object.remove(name);
            }
            change => merge(object.entry(name.clone()).or_insert(Value::Null), change),
        }
    }
}

async fn index(stream: &Stream, sent: &[Sent]) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut body = String::new();
    for sent in sent {
        let dataset = if sent.integrity { "aws.cloudtrail_integrity" } else { "aws.cloudtrail" };
        let target = json!({"create": {"_index": format!("logs-{dataset}-{}", stream.namespace), "_id": sent.id}});
        body.push_str(&format!("{target}\n{}\n", sent.document));
    }
    let request =
        http.post(format!("{}/_bulk?refresh=true", stream.url)).header("content-type", "application/x-ndjson");
    let answer = request.body(body).send().await.unwrap();
    let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(answer["errors"], false, "{answer:.2000}");
}

/// Type of `event.action` in a stream.
async fn kind_of_action(stream: &Stream, dataset: &str) -> String {
    let path = format!("logs-{dataset}-{}/_mapping/field/event.action", stream.namespace);
    let (status, answer) = stream.call(Method::GET, &path, None).await;
    assert_eq!(status, 200, "{answer}");
    let index = answer.as_object().and_then(|indices| indices.values().next()).unwrap();
    index["mappings"]["event.action"]["mapping"]["action"]["type"].as_str().unwrap_or_default().to_owned()
}

/// Runs a rule's search over the documents of its cases.
async fn search(stream: &Stream, line: &Value, own: &[&Sent], more: Value) -> Value {
    let pattern = line["index"][0].as_str().unwrap();
    let name = format!("{}{}", pattern.strip_suffix('*').unwrap(), stream.namespace);
    let kql = Query::parse(line["query"].as_str().unwrap()).unwrap();
    let within = json!({"gte": line["from"], "lte": line["to"], "format": "strict_date_optional_time"});
    let by = line["timestamp_override"].as_str().unwrap();
    let fallback = json!({"bool": {"filter": [
        {"range": {"@timestamp": within}}, {"bool": {"must_not": {"exists": {"field": by}}}},
    ]}});
    let mut filters = vec![
        json!({"bool": {"must": [], "filter": [kql.to_search()], "should": [], "must_not": []}}),
        json!({"bool": {"should": [{"range": {by: within}}, fallback], "minimum_should_match": 1}}),
    ];
    filters.extend(line["filters"].as_array().unwrap().iter().cloned());
    filters.push(json!({"ids": {"values": own.iter().map(|sent| &sent.id).collect::<Vec<_>>()}}));
    let mut body = json!({"query": {"bool": {"filter": filters}}, "track_total_hits": true});
    merge(&mut body, &more);
    let (status, answer) = stream.call(Method::POST, &format!("{name}/_search"), Some(body)).await;
    assert!(status == 200 && answer["_shards"]["failed"] == 0, "{}: {answer:.2000}", line["name"]);
    answer
}

async fn ids_found(stream: &Stream, line: &Value, own: &[&Sent]) -> BTreeSet<String> {
    let answer = search(stream, line, own, json!({"size": 1000, "_source": false})).await;
    let hits = answer["hits"]["hits"].as_array().unwrap();
    assert_eq!(answer["hits"]["total"]["value"], hits.len());
    hits.iter().map(|hit| hit["_id"].as_str().unwrap().to_owned()).collect()
}

fn ids_expected(own: &[&Sent]) -> BTreeSet<String> {
    own.iter().filter(|sent| sent.fires).map(|sent| sent.id.clone()).collect()
}

/// The groups that have enough documents, each with its number. The engine cuts off the others by a script in the
/// aggregation, which not every server of the tests can run.
async fn groups_found(stream: &Stream, line: &Value, own: &[&Sent]) -> BTreeSet<String> {
    let fields = fields(line);
    let sources: Vec<Value> = fields.iter().map(|field| json!({*field: {"terms": {"field": field}}})).collect();
    let groups = json!({"groups": {"composite": {"size": 1000, "sources": sources}}});
    let answer = search(stream, line, own, json!({"size": 0, "aggs": groups})).await;
    let least = line["threshold"]["value"].as_u64().unwrap();
    let buckets = answer["aggregations"]["groups"]["buckets"].as_array().unwrap();
    let enough = buckets.iter().filter(|bucket| bucket["doc_count"].as_u64().unwrap() >= least);
    enough
        .map(|bucket| {
            let key: Vec<&str> = fields.iter().map(|field| bucket["key"][*field].as_str().unwrap()).collect();
            format!("{} {}", key.join(" "), bucket["doc_count"])
        })
        .collect()
}

fn groups_expected(line: &Value, own: &[&Sent]) -> BTreeSet<String> {
    let mut groups: BTreeMap<String, usize> = BTreeMap::new();
    for sent in own.iter().filter(|sent| sent.fires) {
        let values = fields(line).into_iter().map(|field| {
            let place = format!("/{}", field.replace('.', "/"));
            sent.document.pointer(&place).and_then(Value::as_str).unwrap_or_else(|| panic!("{} lacks {field}", sent.id))
        });
        *groups.entry(values.collect::<Vec<_>>().join(" ")).or_default() += 1;
    }
    groups.into_iter().map(|(key, count)| format!("{key} {count}")).collect()
}

fn fields(line: &Value) -> Vec<&str> {
    line["threshold"]["field"].as_array().unwrap().iter().map(|field| field.as_str().unwrap()).collect()
}
