//! What goes wrong in practice loses nothing and doubles nothing.

use crate::have;
use crate::support::aws::Trail;
use crate::support::program::{Program, until, until_async};
use crate::support::search::Stream;
use crate::support::servers::{Server, engines};
use crate::support::trail;
use serde_json::{Value, json};
use std::sync::Arc;

/// A bucket with `objects` objects of `records` events each, and their ids.
async fn filled(aws: &Arc<Server>, objects: usize, records: usize) -> (Trail, Vec<String>) {
    let bucket = Trail::new(aws, true).await;
    let mut events = Vec::new();
    for n in 0..objects {
        let some = trail::records(&format!("event-{n:03}"), records);
        bucket.put(&trail::key("CloudTrail", &format!("object{n:03}")), trail::object(&some)).await;
        events.extend(some);
    }
    (bucket, trail::ids(&events))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_429_gets_everything_in_the_end() {
    let aws = have!(Server::aws());
    for engine in engines() {
        // So little that several requests at a time are refused.
        let search = have!(Server::start(&["search", &engine, "indexing_pressure.memory.limit=300kb"]));
        let (bucket, events) = filled(&aws, 6, 400).await;
        let stream = Stream::new(&search.url, "pressure");
        let output = Program::elasticsearch(
            &search.url,
            &stream.namespace,
            "bulk_max_bytes: 200KiB\nworkers: 4\ncompression_level: 0",
        );
        let program = Program::new(&bucket.input(""), &output, "");
        program.setup();
        let summary = program.once();
        assert_eq!(summary["parked"], 0, "{engine}: {summary}");
        assert_eq!(stream.event_ids().await, events, "{engine}");
        let (_, stats) = stream.call(reqwest::Method::GET, "_nodes/stats/indexing_pressure", None).await;
        assert!(rejections(&stats) > 0, "{engine} refused nothing, so the test showed nothing: {stats}");
    }
}

fn rejections(stats: &Value) -> u64 {
    match stats {
        Value::Object(map) => map
            .iter()
            .map(
                |(key, value)| {
                    if key.ends_with("rejections") { value.as_u64().unwrap_or(0) } else { rejections(value) }
                },
            )
            .sum(),
        _ => 0,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_413_is_split_until_it_fits() {
    let aws = have!(Server::aws());
    for engine in engines() {
        let search = have!(Server::start(&["search", &engine, "http.max_content_length=64kb"]));
        let bucket = Trail::new(&aws, true).await;
        let mut records = trail::records("small", 300);
        // Longer than the server takes, even alone.
        records[150]["requestParameters"] = json!({"policyDocument": "x".repeat(100_000)});
        records[150]["eventID"] = json!("too-large");
        bucket.put(&trail::key("CloudTrail", "large"), trail::object(&records)).await;
        let stream = Stream::new(&search.url, "split");
        let output = Program::elasticsearch(&search.url, &stream.namespace, "compression_level: 0");
        let program = Program::new(&bucket.input(""), &output, "");
        program.setup();
        let summary = program.once();
        assert_eq!(
            (summary["indexed"].as_u64(), summary["parked"].as_u64()),
            (Some(299), Some(1)),
            "{engine}: {summary}"
        );
        let mut fitting = trail::ids(&records);
        fitting.retain(|id| id != "too-large");
        assert_eq!(stream.event_ids().await, fitting, "{engine}");
        let dead = program.dead_letters();
        assert_eq!((dead.len(), dead[0]["code"].as_str()), (1, Some("too-large")), "{dead:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_minus_nine_loses_nothing_and_doubles_nothing() {
    let aws = have!(Server::aws());
    let search = have!(Server::search(&engines()[0]));
    let (bucket, events) = filled(&aws, 30, 200).await;
    let stream = Stream::new(&search.url, "killed");
    let output = Program::elasticsearch(&search.url, &stream.namespace, "bulk_max_size: 50");
    let program = Program::new(&bucket.input("visibility_timeout: 5s\nnumber_of_workers: 2"), &output, "");
    program.setup();
    for round in 1..=2 {
        let mut running = program.spawn(&["run"]);
        until_async("some of it is indexed", async || {
            assert!(running.ended().is_none(), "{}", running.said());
            (stream.event_ids().await.len() >= round * 400).then_some(())
        })
        .await;
        running.kill();
    }
    assert!(bucket.depth().await != (0, 0), "killed too late to show anything");
    program.once();
    assert_eq!(stream.event_ids().await, events);
    assert_eq!(bucket.depth().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_server_that_is_away_for_a_while_gets_everything() {
    let aws = have!(Server::aws());
    let kept = tempfile::tempdir().unwrap();
    let keep = kept.path().join("node");
    let data = keep.to_str().unwrap();
    let engine = &engines()[0];
    let search = have!(Server::start(&["search", engine, "--keep-data", data]));
    let port = search.details["port"].to_string();
    let url = search.url.clone();
    let (bucket, events) = filled(&aws, 30, 200).await;
    let stream = Stream::new(&url, "away");
    let output = Program::elasticsearch(&url, &stream.namespace, "bulk_max_size: 50\ntimeout: 5s");
    // Shorter than the outage, so that visibility must be extended.
    let program = Program::new(&bucket.input("visibility_timeout: 4s\nnumber_of_workers: 2"), &output, "");
    program.setup();
    let mut running = program.spawn(&["run", "--format", "json"]);
    until_async("some of it is indexed", async || (stream.event_ids().await.len() >= 400).then_some(())).await;
    drop(search);
    // The outage lasts for three visibility timeouts: without extension every message would come back.
    tokio::time::sleep(std::time::Duration::from_secs(12)).await;
    assert!(running.ended().is_none(), "{}", running.said());
    let back = Server::start(&["search", engine, "--keep-data", data, "--port", &port]).unwrap();
    until_async("the queue is empty", async || (bucket.depth().await == (0, 0)).then_some(())).await;
    let log = running.log().to_owned();
    let (status, printed) = running.terminate();
    assert!(status.success(), "{}", std::fs::read_to_string(log).unwrap());
    let summary: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(stream.event_ids().await, events);
    assert_eq!(
        (summary["parked"].as_u64(), summary["objects"].as_u64()),
        (Some(0), Some(30)),
        "no object was read twice: {summary}"
    );
    drop(back);
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_gives_back_what_has_no_outcome() {
    let aws = have!(Server::aws());
    let (bucket, _) = filled(&aws, 8, 20).await;
    // Nothing listens there: no record can have an outcome.
    let output = "output.elasticsearch:\n  hosts: ['http://127.0.0.1:9']\n  backoff: {init: 100ms, max: 200ms}";
    let program = Program::new(&bucket.input("visibility_timeout: 10m"), output, "trailship.shutdown_timeout: 1s");
    let mut running = program.spawn(&["run"]);
    until_async("messages are held", async || {
        assert!(running.ended().is_none(), "{}", running.said());
        (bucket.depth().await.1 == 8).then_some(())
    })
    .await;
    let log = running.log().to_owned();
    let (status, _) = running.terminate();
    assert!(status.success(), "{}", std::fs::read_to_string(log).unwrap());
    assert_eq!(bucket.depth().await, (8, 0), "every message is visible again, long before its timeout");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_object_is_parked_and_holds_up_nothing() {
    let aws = have!(Server::aws());
    let search = have!(Server::search(&engines()[0]));
    let (bucket, events) = filled(&aws, 2, 50).await;
    let whole = trail::object(&trail::records("cut", 2000));
    bucket.put(&trail::key("CloudTrail", "truncated"), whole[..whole.len() / 2].to_vec()).await;
    bucket.put(&trail::key("CloudTrail", "nothing"), Vec::new()).await;
    bucket.put(&trail::key("CloudTrail", "text"), b"this is no trail".to_vec()).await;
    let stream = Stream::new(&search.url, "cut");
    let program = Program::new(&bucket.input(""), &Program::elasticsearch(&search.url, &stream.namespace, ""), "");
    program.setup();
    let summary = program.once();
    let ids = stream.event_ids().await;
    let (cut, fine): (Vec<String>, Vec<String>) = ids.into_iter().partition(|id| id.starts_with("cut"));
    assert_eq!(fine, events);
    assert!(!cut.is_empty() && cut.len() < 2000, "the whole records before the cut are shipped");
    assert_eq!(summary["parked"], 2, "{summary}");
    let mut parked: Vec<_> =
        program.dead_letters().iter().map(|letter| (letter["object"].clone(), letter["code"].clone())).collect();
    parked.sort_by_key(|(object, _)| object.to_string());
    assert_eq!(
        parked,
        [
            (json!(trail::key("CloudTrail", "text")), json!("broken-json")),
            (json!(trail::key("CloudTrail", "truncated")), json!("corrupt-object"))
        ]
    );
    assert_eq!(bucket.depth().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_missing_goes_back_to_the_queue_and_others_go_on() {
    let aws = have!(Server::aws());
    let (bucket, events) = filled(&aws, 3, 10).await;
    let lost = json!({"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": bucket.bucket}, "object": {"key": trail::key("CloudTrail", "gone")}}}]});
    bucket.send(&lost.to_string()).await;
    let program = Program::new(&bucket.input("visibility_timeout: 5s"), "output.file.path: ${OUT}", "");
    let out = program.folder.path().join("out");
    let mut running = {
        let configuration = program.folder.path().join("trailship.yml");
        let text = std::fs::read_to_string(&configuration).unwrap();
        std::fs::write(&configuration, text.replace("${OUT}", out.to_str().unwrap())).unwrap();
        program.spawn(&["run"])
    };
    until_async("only the message of the missing object is left", async || {
        assert!(running.ended().is_none(), "{}", running.said());
        let (visible, hidden) = bucket.depth().await;
        (visible + hidden == 1).then_some(())
    })
    .await;
    until("the fault is named, with the object", || {
        let said = running.said();
        (said.contains("NoSuchKey") && said.contains("_gone.json.gz")).then_some(())
    });
    let (status, _) = running.terminate();
    assert!(status.success());
    let mut shipped = Vec::new();
    for entry in std::fs::read_dir(&out).unwrap() {
        for line in std::fs::read_to_string(entry.unwrap().path()).unwrap().lines() {
            shipped.push(serde_json::from_str::<Value>(line).unwrap()["event"]["id"].as_str().unwrap().to_owned());
        }
    }
    shipped.sort();
    assert_eq!(shipped, events);
}
