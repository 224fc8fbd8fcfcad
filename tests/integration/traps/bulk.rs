//! Answers of search servers, and servers that go.

use super::*;
use crate::faults::filled;
use crate::have;
use crate::support::between::{Between, Fate};
use crate::support::program::{Program, until};
use crate::support::search::Stream;
use crate::support::servers::{Server, engines};
use crate::support::trail;
use reqwest::Method;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Lines of the output by which a bulk holds 500 records, and one is under way at a time.
const ONE_BY_ONE: &str = "workers: 1\nbulk_max_size: 500";

/// A template under which a text that is no boolean is refused, as in an index that forgives nothing.
fn strict(pattern: &str) -> String {
    format!(
        "setup.template:\n  name: strict-{pattern}\n  pattern: logs-aws.cloudtrail-{pattern}_*\n  priority: 300\n  settings.index.mapping.ignore_malformed: false\nsetup.failure_store: false"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn one_mapping_conflict_among_500() {
    let aws = have!(Server::aws());
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let bucket = Trail::new(&aws, true).await;
        let mut records = trail::records("event", 500);
        records[333]["readOnly"] = json!("maybe");
        bucket.put(&trail::key("CloudTrail", "conflict"), trail::object(&records)).await;
        let stream = Stream::new(&search.url, "conflict");
        let output = Program::elasticsearch(&search.url, &stream.namespace, ONE_BY_ONE);
        let program = Program::new(&bucket.input(""), &output, &strict("conflict"));
        program.setup();
        let summary = program.once();
        assert_eq!(counts(&summary), [500, 499, 0, 0, 1], "{engine}: {summary}");
        let refused = trail::ids(&records[333..334]);
        let mut others = trail::ids(&records);
        others.retain(|id| *id != refused[0]);
        assert_eq!(stream.event_ids().await, others, "{engine}");
        let dead = program.dead_letters();
        assert_eq!(dead.len(), 1, "{engine}: {dead:?}");
        assert_eq!((&dead[0]["status"], &dead[0]["code"]), (&json!(400), &json!("mapping-refused")), "{engine}");
        assert!(dead[0]["record"].as_str().unwrap().contains(&refused[0]), "{engine}");
        assert!(dead[0]["reason"].as_str().unwrap().contains("maybe"), "{engine}: {}", dead[0]["reason"]);
        assert_eq!(bucket.depth().await, (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_items_answer_400() {
    let aws = have!(Server::fast());
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let (bucket, events) = filled(&aws, 4, 250).await;
        let between = Between::new(&search.url, |call| match call.is("_bulk") && call.before == 0 {
            true => Fate::Items((40..60).collect(), 400, "mapper_parsing_exception"),
            false => Fate::Pass,
        })
        .await;
        let stream = Stream::new(&search.url, "twenty");
        let output = Program::elasticsearch(&between.url, &stream.namespace, ONE_BY_ONE);
        let program = Program::new(&bucket.input(""), &output, "");
        program.setup();
        let summary = program.once();
        assert_eq!(counts(&summary), [1000, 980, 0, 0, 20], "{engine}: {summary}");
        let bulk = &between.calls("_bulk")[0];
        let refused: BTreeSet<String> = bulk.items()[40..60].iter().map(|(_, document)| id_of(document)).collect();
        let dead = program.dead_letters();
        let parked: Vec<String> = dead.iter().map(|letter| id_of(letter["record"].as_str().unwrap())).collect();
        assert_eq!((parked.len(), &parked.iter().cloned().collect()), (20, &refused), "{engine}");
        let mut others = events.clone();
        others.retain(|id| !refused.contains(id));
        assert_eq!(stream.event_ids().await, others, "{engine}");
        assert_eq!(bucket.depth().await, (0, 0));
    }
}

fn id_of(document: &str) -> String {
    let document: Value = serde_json::from_str(document).unwrap();
    document["event"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_items_answer_429() {
    let aws = have!(Server::fast());
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let (bucket, events) = filled(&aws, 4, 250).await;
        // Twice in a row, other ones the second time.
        let between = Between::new(&search.url, |call| match (call.is("_bulk"), call.before) {
            (true, 0) => Fate::Items((100..200).collect(), 429, "es_rejected_execution_exception"),
            (true, 1) => Fate::Items((0..50).collect(), 429, "es_rejected_execution_exception"),
            _ => Fate::Pass,
        })
        .await;
        let stream = Stream::new(&search.url, "hundred");
        let output = Program::elasticsearch(&between.url, &stream.namespace, ONE_BY_ONE);
        let program = Program::new(&bucket.input(""), &output, "");
        program.setup();
        let summary = program.once();
        assert_eq!(counts(&summary), [1000, 1000, 0, 0, 0], "{engine}: {summary}");
        assert_eq!(stream.event_ids().await, events, "{engine}");
        let sent: usize = between.calls("_bulk").iter().map(|call| call.items().len()).sum();
        assert!(sent <= 1150, "{engine}: {sent} documents were sent, where the refused alone go again");
        assert_eq!(bucket.depth().await, (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_answers_429_or_503_for_longer_than_the_visibility() {
    let aws = have!(Server::fast());
    let search = have!(Server::search(&engines()[0]));
    for (status, kind, text) in [
        (
            429,
            "application/json",
            r#"{"error":{"type":"circuit_breaking_exception","reason":"as asked"},"status":429}"#,
        ),
        (503, "application/json", r#"{"error":{"type":"cluster_block_exception","reason":"as asked"},"status":503}"#),
        (503, "text/html", "<html>Service Unavailable</html>"),
        (502, "text/html", "<html>Bad Gateway</html>"),
    ] {
        let (bucket, events) = filled(&aws, 6, 100).await;
        let first: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        // Four visibility time-outs.
        let between = Between::new(&search.url, move |_| {
            let over = first.get_or_init(Instant::now).elapsed() > Duration::from_secs(8);
            if over { Fate::Pass } else { Fate::Refuse(status, kind, text.to_owned()) }
        })
        .await;
        let stream = Stream::new(&search.url, &format!("outage_{status}_{}", kind.len()));
        let output = Program::elasticsearch(&between.url, &stream.namespace, "");
        let program = Program::new(&bucket.input("visibility_timeout: 2s"), &output, "");
        let mut running = program.spawn(&["run", "--format", "json"]);
        left(&mut running, &bucket, 0).await;
        let summary = ended(running);
        assert_eq!(counts(&summary), [600, 600, 0, 0, 0], "{status} {kind}: {summary}");
        assert_eq!(summary["objects"], 6, "{status} {kind}: no object was read twice: {summary}");
        assert_eq!(stream.event_ids().await, events, "{status} {kind}");
        assert!(program.dead_letters().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_request_answers_400_or_413() {
    let aws = have!(Server::fast());
    for engine in engines() {
        let search = have!(Server::search(&engine));
        for (status, times) in [(400, 1), (400, 9), (413, 1), (413, 5)] {
            let (bucket, events) = filled(&aws, 4, 250).await;
            let between = Between::new(&search.url, move |call| match call.is("_bulk") && call.before < times {
                true => Fate::Refuse(
                    status,
                    "application/json",
                    format!(
                        r#"{{"error":{{"type":"illegal_argument_exception","reason":"as asked"}},"status":{status}}}"#
                    ),
                ),
                false => Fate::Pass,
            })
            .await;
            let stream = Stream::new(&search.url, &format!("whole_{status}_{times}"));
            let output = Program::elasticsearch(&between.url, &stream.namespace, ONE_BY_ONE);
            let program = Program::new(&bucket.input(""), &output, "");
            program.setup();
            let summary = program.once();
            assert_eq!(counts(&summary), [1000, 1000, 0, 0, 0], "{engine} {status} {times}: {summary}");
            assert_eq!(stream.event_ids().await, events, "{engine} {status} {times}");
            assert!(program.dead_letters().is_empty());
            assert_eq!(bucket.depth().await, (0, 0));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_makes_every_request_with_it_fail() {
    let aws = have!(Server::fast());
    let search = have!(Server::search(&engines()[0]));
    for (status, kind, text, code) in [
        (
            400,
            "application/json",
            r#"{"error":{"type":"parse_exception","reason":"as asked"},"status":400}"#,
            "request-refused",
        ),
        (413, "text/html", "<html>Request Entity Too Large</html>", "too-large"),
    ] {
        let (bucket, events) = filled(&aws, 4, 250).await;
        let poison = "event-002-000123";
        let between = Between::new(&search.url, move |call| {
            let poisoned = call.is("_bulk") && call.items().iter().any(|(_, document)| document.contains(poison));
            if poisoned { Fate::Refuse(status, kind, text.to_owned()) } else { Fate::Pass }
        })
        .await;
        let stream = Stream::new(&search.url, &format!("poison_{status}"));
        let output = Program::elasticsearch(&between.url, &stream.namespace, ONE_BY_ONE);
        let program = Program::new(&bucket.input(""), &output, "");
        program.setup();
        let summary = program.once();
        assert_eq!(counts(&summary), [1000, 999, 0, 0, 1], "{status}: {summary}");
        let mut others = events.clone();
        others.retain(|id| id != poison);
        assert_eq!(stream.event_ids().await, others, "{status}");
        let dead = program.dead_letters();
        assert_eq!((dead.len(), &dead[0]["code"]), (1, &json!(code)), "{status}");
        assert_eq!(id_of(dead[0]["record"].as_str().unwrap()), poison);
        assert_eq!(bucket.depth().await, (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_after_a_lost_answer_is_a_409_and_no_second_document() {
    let aws = have!(Server::fast());
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let (bucket, events) = filled(&aws, 4, 250).await;
        let between = Between::new(&search.url, |call| match (call.is("_bulk"), call.before) {
            (true, 0) => Fate::Lose,
            (true, 2) => Fate::Cut(100),
            (true, 3) => Fate::Cut(0),
            _ => Fate::Pass,
        })
        .await;
        let stream = Stream::new(&search.url, "lost_answer");
        let output = Program::elasticsearch(&between.url, &stream.namespace, ONE_BY_ONE);
        let program = Program::new(&bucket.input(""), &output, "");
        program.setup();
        let summary = program.once();
        let [records, indexed, duplicate, filtered, parked] = counts(&summary);
        assert_eq!((records, indexed + duplicate, filtered, parked), (1000, 1000, 0, 0), "{engine}: {summary}");
        assert!(duplicate >= 500, "{engine}: nothing was answered with 409, so the test showed nothing: {summary}");
        assert_eq!(stream.event_ids().await, events, "{engine}");
        assert_eq!(bucket.depth().await, (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_lost_in_the_middle_of_a_bulk() {
    let aws = have!(Server::fast());
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let (bucket, events) = filled(&aws, 8, 250).await;
        let lost = Arc::new(AtomicBool::new(false));
        let gone = Arc::clone(&lost);
        // Indexes its second bulk and is gone before it says so.
        let first = Between::new(&search.url, move |call| {
            if gone.load(Relaxed) {
                return Fate::Break;
            }
            if call.is("_bulk") && call.before == 1 {
                gone.store(true, Relaxed);
                return Fate::Lose;
            }
            Fate::Pass
        })
        .await;
        let second = Between::new(&search.url, |_| Fate::Pass).await;
        let stream = Stream::new(&search.url, "node_lost");
        let more = format!("{ONE_BY_ONE}\ntimeout: 5s");
        let output = Program::elasticsearch(&first.url, &stream.namespace, &more)
            .replace(&format!("['{}']", first.url), &format!("['{}', '{}']", first.url, second.url));
        let program = Program::new(&bucket.input(""), &output, "");
        program.setup();
        let summary = program.once();
        assert!(lost.load(Relaxed) && second.count("_bulk") > 1);
        let [records, indexed, duplicate, filtered, parked] = counts(&summary);
        assert_eq!((records, indexed + duplicate, filtered, parked), (2000, 2000, 0, 0), "{engine}: {summary}");
        assert!(duplicate > 0, "{engine}: {summary}");
        assert_eq!(stream.event_ids().await, events, "{engine}");
        assert_eq!(bucket.depth().await, (0, 0));
    }
}

/// Sets a block of the index, or takes it away.
async fn set(stream: &Stream, block: &str, to: Value) {
    let path = format!("{}/_settings", stream.name());
    let (status, told) = stream.call(Method::PUT, &path, Some(json!({ block: to }))).await;
    assert_eq!(status, 200, "{block}: {told}");
}

/// A run that has met the block of its index for three visibility time-outs.
async fn blocked(program: &Program, stream: &Stream, block: &str) -> Running {
    // A first document makes the index.
    let path = format!("{}/_create/first", stream.name());
    let first = json!({"@timestamp": "2026-01-02T03:04:05Z"});
    let (status, told) = stream.call(Method::POST, &path, Some(first)).await;
    assert_eq!(status, 201, "{told}");
    set(stream, block, json!(true)).await;
    let mut running = program.spawn(&["run", "--format", "json"]);
    until("the block is named", || {
        assert!(running.ended().is_none(), "{}", running.said());
        running.said().contains("cluster_block_exception").then_some(())
    });
    tokio::time::sleep(Duration::from_secs(6)).await;
    running
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_may_not_be_written_holds_everything_until_it_may() {
    let aws = have!(Server::fast());
    for engine in engines() {
        let search = have!(Server::search(&engine));
        // Not `read_only_allow_delete`, which the server takes away by itself where disks are not full.
        for block in ["index.blocks.write", "index.blocks.read_only"] {
            let (bucket, events) = filled(&aws, 4, 100).await;
            let stream = Stream::new(&search.url, &block.replace('.', "_"));
            let output = Program::elasticsearch(&search.url, &stream.namespace, "");
            let more = "setup.failure_store: false";
            let program = Program::new(&bucket.input("visibility_timeout: 2s"), &output, more);
            program.setup();
            let mut running = blocked(&program, &stream, block).await;
            assert_eq!(bucket.depth().await, (0, 4), "{engine} {block}: all is held");
            set(&stream, block, Value::Null).await;
            left(&mut running, &bucket, 0).await;
            let summary = ended(running);
            assert_eq!(counts(&summary), [400, 400, 0, 0, 0], "{engine} {block}: {summary}");
            assert_eq!(stream.event_ids().await, events, "{engine} {block}");
            assert!(program.dead_letters().is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_may_not_be_written_and_has_a_failure_store() {
    let Some(engine) = engines().into_iter().find(|engine| engine.starts_with("elasticsearch")) else {
        return crate::support::servers::skipped("no engine of this run has a failure store");
    };
    let aws = have!(Server::fast());
    let search = have!(Server::search(&engine));
    for block in ["index.blocks.write", "index.blocks.read_only"] {
        let (bucket, events) = filled(&aws, 4, 100).await;
        let stream = Stream::new(&search.url, &format!("store_{}", block.replace('.', "_")));
        let output = Program::elasticsearch(&search.url, &stream.namespace, ONE_BY_ONE);
        let program = Program::new(&bucket.input("visibility_timeout: 2s"), &output, "setup.failure_store: true");
        program.setup();
        let mut running = blocked(&program, &stream, block).await;
        assert_eq!(bucket.depth().await, (0, 4), "{block}: all is held, though the server took what was sent first");
        set(&stream, block, Value::Null).await;
        left(&mut running, &bucket, 0).await;
        assert!(running.said().contains("the failure store keeps its copies"), "{}", running.said());
        let summary = ended(running);
        assert_eq!(counts(&summary), [400, 400, 0, 0, 0], "{block}: {summary}");
        assert_eq!(stream.event_ids().await, events, "{block}");
        assert!(program.dead_letters().is_empty());
        stream.call(Method::POST, &format!("{}::failures/_refresh", stream.name()), None).await;
        let query = json!({"size": 1000, "_source": ["document.source.event.id"]});
        let (_, found) = stream.call(Method::POST, &format!("{}::failures/_search", stream.name()), Some(query)).await;
        let hits = found["hits"]["hits"].as_array().unwrap();
        let kept: BTreeSet<&str> =
            hits.iter().map(|hit| hit["_source"]["document"]["source"]["event"]["id"].as_str().unwrap()).collect();
        // One bulk at a time: no other was under way when the first was answered.
        assert!((1..=400).contains(&kept.len()) && kept.len() == hits.len(), "{block}: each was sent there once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_names_other_ids_than_were_sent() {
    /// Ids of other documents of the same bulk, so that who matches by id settles the wrong one.
    fn turned(mut answer: Value) -> Value {
        let Some(items) = answer["items"].as_array_mut() else { return answer };
        let n = items.len();
        for (place, item) in items.iter_mut().enumerate() {
            item["create"]["_id"] = json!(format!("own-{}", n - place));
            item["create"]["_index"] = json!("elsewhere");
        }
        answer
    }
    let aws = have!(Server::fast());
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let bucket = Trail::new(&aws, true).await;
        let mut records = trail::records("event", 300);
        for place in [7, 150, 151] {
            records[place]["readOnly"] = json!("maybe");
        }
        bucket.put(&trail::key("CloudTrail", "ids"), trail::object(&records)).await;
        let between = Between::new(&search.url, |call| match call.is("_bulk") {
            true => Fate::Change(|request| request, turned),
            false => Fate::Pass,
        })
        .await;
        let stream = Stream::new(&search.url, "other_ids");
        let output = Program::elasticsearch(&between.url, &stream.namespace, ONE_BY_ONE);
        let program = Program::new(&bucket.input(""), &output, &strict("other_ids"));
        program.setup();
        let summary = program.once();
        assert_eq!(counts(&summary), [300, 297, 0, 0, 3], "{engine}: {summary}");
        let mut parked: Vec<String> =
            program.dead_letters().iter().map(|letter| id_of(letter["record"].as_str().unwrap())).collect();
        parked.sort();
        assert_eq!(parked, ["event-000007", "event-000150", "event-000151"], "{engine}");
        assert_eq!(stream.event_ids().await.len(), 297, "{engine}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ingest_pipeline_that_sets_the_id() {
    let aws = have!(Server::fast());
    let mut ran = 0;
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let stream = Stream::new(&search.url, "set_id");
        let pipeline = json!({"processors": [{"set": {"field": "_id", "value": "own-{{event.id}}"}}]});
        // The Elasticsearch of these tests has no processors.
        if stream.call(Method::PUT, &format!("_ingest/pipeline/{}", stream.namespace), Some(pipeline)).await.0 != 200 {
            continue;
        }
        ran += 1;
        let bucket = Trail::new(&aws, true).await;
        let mut records = trail::records("event", 300);
        records[150]["readOnly"] = json!("maybe");
        bucket.put(&trail::key("CloudTrail", "ids"), trail::object(&records)).await;
        let output = Program::elasticsearch(&search.url, &stream.namespace, &format!("pipeline: {}", stream.namespace));
        let program = Program::new(&bucket.input(""), &output, &strict("set_id"));
        program.setup();
        let summary = program.once();
        assert_eq!(counts(&summary), [300, 299, 0, 0, 1], "{engine}: {summary}");
        assert!(stream.documents().await.iter().all(|(id, _)| id.starts_with("own-event-")), "{engine}");
        let dead = program.dead_letters();
        assert_eq!(id_of(dead[0]["record"].as_str().unwrap()), "event-000150", "{engine}");
    }
    if ran == 0 {
        crate::support::servers::skipped("no engine of this run has ingest processors");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_far_larger_than_asked_for() {
    /// As from a server that does not know `filter_path`: 20 MB for 400 documents.
    fn padded(mut answer: Value) -> Value {
        let Some(items) = answer["items"].as_array_mut() else { return answer };
        for item in items {
            item["create"]["_shards"] = json!({"total": 2, "padding": "x".repeat(50 << 10)});
            if item["create"]["status"] == 400 {
                item["create"]["error"]["reason"] = json!("maybe ".repeat(400_000));
            }
        }
        answer["took"] = json!(3);
        answer
    }
    let aws = have!(Server::fast());
    let search = have!(Server::search(&engines()[0]));
    let bucket = Trail::new(&aws, true).await;
    let mut records = trail::records("event", 400);
    records[99]["readOnly"] = json!("maybe");
    bucket.put(&trail::key("CloudTrail", "one"), trail::object(&records)).await;
    let between = Between::new(&search.url, |call| match call.is("_bulk") {
        true => Fate::Change(|request| request, padded),
        false => Fate::Pass,
    })
    .await;
    let stream = Stream::new(&search.url, "large_answers");
    let output = Program::elasticsearch(&between.url, &stream.namespace, ONE_BY_ONE);
    let program = Program::new(&bucket.input(""), &output, &strict("large_answers"));
    program.setup();
    let summary = program.once();
    assert_eq!(counts(&summary), [400, 399, 0, 0, 1], "{summary}");
    assert_eq!(stream.count().await, 399);
    let dead = program.dead_letters();
    assert_eq!(id_of(dead[0]["record"].as_str().unwrap()), "event-000099");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_product_at_the_address_gets_nothing_and_loses_nothing() {
    let aws = have!(Server::fast());
    let search = have!(Server::search(&engines()[0]));
    for (number, (status, kind, text)) in [
        (200, "application/json", r#"{"name":"another product","version":"1"}"#),
        (200, "text/html", "<html>Welcome</html>"),
        (200, "application/json", r#"{"errors":false,"items":[]}"#),
        (204, "application/json", ""),
        (302, "text/html", ""),
        (400, "application/json", r#"{"error":"no handler found for uri [/x/_bulk] and method [POST]","status":400}"#),
        (404, "text/plain", "404 page not found"),
        (405, "application/json", r#"{"error":"Incorrect HTTP method"}"#),
        (406, "application/json", r#"{"error":"Content-Type header is not supported"}"#),
    ]
    .into_iter()
    .enumerate()
    {
        let (bucket, events) = filled(&aws, 3, 20).await;
        let right = Arc::new(AtomicUsize::new(0));
        let is_right = Arc::clone(&right);
        let between = Between::new(&search.url, move |call| match is_right.load(Relaxed) == 0 && call.is("_bulk") {
            true => Fate::Refuse(status, kind, text.to_owned()),
            false => Fate::Pass,
        })
        .await;
        let stream = Stream::new(&search.url, &format!("product_{number}"));
        let output = Program::elasticsearch(&between.url, &stream.namespace, "");
        let program = Program::new(&bucket.input("visibility_timeout: 5s"), &output, "");
        let mut running = program.spawn(&["run", "--format", "json"]);
        until_async("it has tried some times", async || (between.count("_bulk") >= 4).then_some(())).await;
        assert!(running.ended().is_none(), "{status} {kind}: {}", running.said());
        assert_eq!(bucket.depth().await, (0, 3), "{status} {kind}: all is held");
        // The address is mended.
        right.store(1, Relaxed);
        left(&mut running, &bucket, 0).await;
        let summary = ended(running);
        assert_eq!(counts(&summary), [60, 60, 0, 0, 0], "{status} {kind}: {summary}");
        assert_eq!(stream.event_ids().await, events, "{status} {kind}");
        assert!(program.dead_letters().is_empty());
    }
}
