//! What goes wrong in practice loses nothing and doubles nothing.

use crate::have;
use crate::support::aws::Trail;
use crate::support::program::{Program, documents, until, until_async};
use crate::support::search::Stream;
use crate::support::servers::{Server, engines};
use crate::support::trail;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// A bucket with `objects` objects of `records` events each, and their ids.
pub async fn filled(aws: &Arc<Server>, objects: usize, records: usize) -> (Trail, Vec<String>) {
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
    let (bucket, events) = filled(&aws, 60, 200).await;
    let stream = Stream::new(&search.url, "killed");
    // Slow enough that it is not over before the kill.
    let output = Program::elasticsearch(&search.url, &stream.namespace, "bulk_max_size: 50\nworkers: 1");
    let input = bucket.input("visibility_timeout: 5s\nnumber_of_workers: 2");
    let program = Program::new(&input, &output, "max_procs: 1");
    program.setup();
    for _ in 0..2 {
        let before = stream.count().await;
        let mut running = program.spawn(&["run"]);
        until_async("some more is indexed", async || {
            assert!(running.ended().is_none(), "{}", running.said());
            (stream.count().await >= before + 400).then_some(())
        })
        .await;
        running.kill();
        assert!(bucket.depth().await != (0, 0), "killed too late to show anything");
    }
    program.once();
    assert_eq!(stream.event_ids().await, events);
    assert_eq!(bucket.depth().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_server_that_is_away_for_a_while_gets_everything() {
    // More than is shipped while the server takes its time to end.
    const OBJECTS: usize = 120;
    let aws = have!(Server::aws());
    let kept = tempfile::tempdir().unwrap();
    let keep = kept.path().join("node");
    let data = keep.to_str().unwrap();
    let engine = &engines()[0];
    let search = have!(Server::start(&["search", engine, "--keep-data", data]));
    let port = search.details["port"].to_string();
    let url = search.url.clone();
    let (bucket, events) = filled(&aws, OBJECTS, 200).await;
    let stream = Stream::new(&url, "away");
    let output = Program::elasticsearch(&url, &stream.namespace, "bulk_max_size: 50\nworkers: 1\ntimeout: 5s");
    // Shorter than the outage, so that visibility must be extended.
    let input = bucket.input("visibility_timeout: 4s\nnumber_of_workers: 2");
    let program = Program::new(&input, &output, "max_procs: 1");
    program.setup();
    let mut running = program.spawn(&["run", "--format", "json"]);
    until_async("some of it is indexed", async || (stream.count().await >= 400).then_some(())).await;
    drop(search);
    assert!(bucket.depth().await != (0, 0), "away too late to show anything");
    // The outage lasts for seven visibility timeouts: without extension every message would come back.
    tokio::time::sleep(std::time::Duration::from_secs(30)).await;
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
        (Some(0), Some(OBJECTS as u64)),
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
async fn s3_that_is_busy_or_breaks_off_costs_no_event_and_doubles_none() {
    let aws = have!(Server::fast());
    let busy = json!([{"op": "GetObject", "status": 503, "code": "SlowDown", "times": 2}]);
    let reset = json!([{"op": "GetObject", "cut_after": 400_000, "reset": true, "times": 1}]);
    let cut = json!([{"op": "GetObject", "cut_after": 400_000, "times": 1}]);
    for (rules, hits) in [(busy, 2), (reset, 1), (cut, 1)] {
        let bucket = Trail::new(&aws, true).await;
        let mut records = trail::records("event", 1000);
        for record in &mut records {
            // What does not compress, so that the break is in mid-download.
            record["requestParameters"] = json!({"ciphertext": noise(record["eventID"].as_str().unwrap())});
        }
        let object = trail::object(&records);
        assert!(object.len() > 500_000, "{} bytes", object.len());
        bucket.put(&trail::key("CloudTrail", "large"), object).await;
        aws.set_faults(&rules).await;
        let program = Program::new(&bucket.input(""), "output.file.path: ${OUT}", "");
        let out = program.to_files();
        let summary = program.once();
        assert_eq!(aws.hits().await, [hits], "{rules}");
        let counted = ["records", "indexed", "duplicate", "parked"].map(|key| summary[key].as_u64().unwrap());
        assert_eq!(counted, [1000, 1000, 0, 0], "{rules}: {summary}");
        assert_eq!(event_ids(&out), trail::ids(&records), "{rules}");
        assert_eq!(bucket.depth().await, (0, 0));
        aws.set_faults(&json!([])).await;
    }
}

/// About 800 characters that follow from `seed` and look like chance.
fn noise(seed: &str) -> String {
    let mut state = seed
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let mut text = String::new();
    for _ in 0..50 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&format!("{:016x}", state ^ (state >> 29)));
    }
    text
}

/// `event.id` of every document in the folder of a file output, sorted.
pub fn event_ids(out: &Path) -> Vec<String> {
    let mut ids: Vec<String> =
        documents(out).iter().map(|document| document["event"]["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
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
    let out = program.to_files();
    let mut running = program.spawn(&["run"]);
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
    assert_eq!(event_ids(&out), events);
}
