//! Every trap that shippers of CloudTrail are known to fall into, by name; docs/traps.md is the list.
//!
//! What other tests prove already is not repeated here: the page names them too. A file output shows repeats as lines, so
//! traps of the way in are tested on it; traps of the way out on real search servers.

mod bulk;
mod notifications;
mod objects;
mod page;
mod process;
mod queue;
mod records;
mod store;

use crate::support::aws::Trail;
use crate::support::program::{Running, until_async};
use serde_json::{Value, json};

const FILES: &str = "output.file.path: ${OUT}";

/// Records, indexed, duplicate, filtered, parked.
fn counts(summary: &Value) -> [u64; 5] {
    ["records", "indexed", "duplicate", "filtered", "parked"].map(|key| summary[key].as_u64().unwrap())
}

/// A direct notification of S3 for keys that are encoded already.
fn notice(bucket: &str, keys: &[&str]) -> Value {
    let records = keys.iter().map(|key| {
        json!({
            "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": bucket}, "object": {"key": key}},
        })
    });
    json!({"Records": records.collect::<Vec<_>>()})
}

/// Waits until the queue holds just `messages`, hidden or not.
async fn left(running: &mut Running, bucket: &Trail, messages: u64) {
    until_async("the queue holds no more than it should", async || {
        assert!(running.ended().is_none(), "{}", running.said());
        let (visible, hidden) = bucket.depth().await;
        (visible + hidden == messages).then_some(())
    })
    .await;
}

/// SIGTERM; the program's summary.
fn ended(running: Running) -> Value {
    let log = running.log().to_owned();
    let (status, printed) = running.terminate();
    assert!(status.success(), "{}", std::fs::read_to_string(log).unwrap());
    let summary: Value = serde_json::from_str(&printed).unwrap();
    for input in summary["inputs"].as_array().unwrap() {
        assert_eq!((&input["unbalanced"], &input["in_flight"]), (&json!(0), &json!(0)), "{summary}");
    }
    summary
}
