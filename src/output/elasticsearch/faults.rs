//! The whole sender against a server that fails as scripted: nothing lost, nothing settled twice.
//!
//! Here what happens to documents; `requests` has what happens to requests, `any` has any script at all.

#![allow(clippy::unwrap_used, clippy::panic)]

mod any;
mod blocks;
mod requests;
mod rollover;

use super::Elasticsearch;
use super::config::ElasticsearchConfig;
use super::fake::{Fake, Fault};
use super::host::Host;
use crate::ack::Tally;
use crate::config::types::Period;
use crate::output::body::Body;
use crate::output::parking::Parking;
use crate::output::segments::tests::Trail;
use crate::output::{Bulk, Output};
use crate::status;
use bytes::Bytes;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

fn config(fakes: &[&Fake]) -> ElasticsearchConfig {
    let mut config = ElasticsearchConfig {
        hosts: fakes.iter().map(|fake| Host::from(fake.address.to_string().as_str())).collect(),
        timeout: Period::from_secs(20),
        ..ElasticsearchConfig::default()
    };
    config.backoff.init = Period::from_millis(1);
    config.backoff.max = Period::from_millis(4);
    config
}

fn open(config: &ElasticsearchConfig, data: &Path) -> (Elasticsearch, Arc<Parking>) {
    let parking = Arc::new(Parking::open(data).unwrap());
    let settings = Arc::new(config.settle("default").unwrap());
    (Elasticsearch::new(settings, Arc::clone(&parking), status::Part::default()).unwrap(), parking)
}

fn name(n: usize) -> String {
    format!("id-{n:04}")
}

/// Records `from` to `to`, in segments of at most three, gzip at `level` unless 0.
fn bulk(trail: &Trail, from: usize, to: usize, level: u8) -> Bulk {
    let items: Vec<Bytes> = (from..to)
        .map(|n| {
            let document = json!({"n": n, "log": {"offset": n * 100}, "text": "x".repeat(n % 50)});
            Bytes::from(format!("{}\n{document}\n", json!({"create": {"_id": name(n)}})))
        })
        .collect();
    let body = Body::of(&items, level);
    let segments =
        (from..to).step_by(3).map(|at| trail.segment(&format!("object-{at}"), (to - at).min(3) as u64)).collect();
    Bulk { body: body.wire.to_vec(), gzip: body.gzip, items: body.items, keys: Vec::new(), segments, charge: None }
}

/// The dead letter's lines.
fn letters(parking: &Parking) -> Vec<Value> {
    let text = std::fs::read_to_string(parking.folder().join("parked-v1-000001.ndjson")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn names(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(name).collect()
}

/// Sends ten records through a server with this script; gives back what became of them.
async fn ten_through(script: Vec<Fault>) -> (Fake, Tally, Vec<Value>) {
    let fake = Fake::start(script).await;
    let dir = tempfile::tempdir().unwrap();
    let (output, parking) = open(&config(&[&fake]), dir.path());
    let mut trail = Trail::open();
    output.deliver(bulk(&trail, 0, 10, 1)).await;
    trail.seal();
    let verdict = trail.verdicts.try_recv().unwrap();
    assert!(verdict.settled);
    (fake, verdict.tally, letters(&parking))
}

#[tokio::test]
async fn only_refused_items_go_again_and_positions_hold() {
    let (fake, tally, parked) = ten_through(vec![Fault::Items { from: 5, to: 9, status: 429 }]).await;
    let requests = fake.state().requests.clone();
    assert_eq!(requests, [names(0..10), names(5..9)]);
    assert_eq!((tally.indexed, tally.duplicate, parked.len()), (10, 0, 0));
}

#[tokio::test]
async fn what_the_mapping_refuses_is_parked_alone_with_its_source() {
    let (fake, tally, parked) = ten_through(vec![Fault::Items { from: 4, to: 5, status: 400 }]).await;
    assert_eq!(fake.state().requests.len(), 1);
    assert_eq!((tally.indexed, tally.parked), (9, 1));
    let line = &parked[0];
    assert_eq!(
        (&line["code"], &line["status"], &line["_id"], &line["offset"], &line["object"]),
        (&json!("mapping-refused"), &json!(400), &json!("id-0004"), &json!(400), &json!("object-3"))
    );
    assert_eq!(line["reason"], "scripted: as asked");
    let document: Value = serde_json::from_str(line["record"].as_str().unwrap()).unwrap();
    assert_eq!(document["n"], 4);
}

#[tokio::test]
async fn documents_in_the_failure_store_count_as_parked() {
    let (_, tally, parked) = ten_through(vec![Fault::FailureStore { from: 2, to: 4 }]).await;
    assert_eq!((tally.indexed, tally.parked, parked.len()), (8, 2, 0));

    let fake = Fake::start(vec![Fault::FailureStore { from: 0, to: 3 }]).await;
    let dir = tempfile::tempdir().unwrap();
    let (output, parking) = open(&config(&[&fake]), dir.path());
    output.deliver(bulk(&Trail::open(), 0, 5, 0)).await;
    assert_eq!(parking.counts().into_iter().collect::<Vec<_>>(), [("failure-store", 3)]);
}

#[tokio::test]
async fn one_spoilt_record_is_found_and_parked_alone() {
    let fake = Fake::start(vec![]).await;
    fake.state().poison.insert(name(7));
    let dir = tempfile::tempdir().unwrap();
    let (output, parking) = open(&config(&[&fake]), dir.path());
    let trail = Trail::open();
    output.deliver(bulk(&trail, 0, 20, 1)).await;
    let counts = trail.counters.read();
    assert_eq!((counts.indexed, counts.parked), (19, 1));
    let parked = letters(&parking);
    assert_eq!((&parked[0]["code"], &parked[0]["_id"]), (&json!("request-refused"), &json!("id-0007")));
}

#[tokio::test]
async fn cancelling_gives_back_what_is_open() {
    let fake = Fake::start(vec![Fault::Items { from: 0, to: 2, status: 403 }; 1_000]).await;
    let dir = tempfile::tempdir().unwrap();
    let (output, _) = open(&config(&[&fake]), dir.path());
    let mut trail = Trail::open();
    tokio::select! {
        () = output.deliver(bulk(&trail, 0, 6, 1)) => panic!("a held bulk ended"),
        () = async { while fake.state().requests.len() < 3 { tokio::task::yield_now().await } } => {}
    }
    trail.seal();
    let verdict = trail.verdicts.try_recv().unwrap();
    assert!(!verdict.settled);
    assert_eq!((verdict.tally.indexed, verdict.tally.lost), (4, 2));
}

#[tokio::test]
async fn a_bulk_that_disagrees_with_its_receipts_is_given_back() {
    let fake = Fake::start(vec![]).await;
    let dir = tempfile::tempdir().unwrap();
    let (output, _) = open(&config(&[&fake]), dir.path());
    let trail = Trail::open();
    let mut odd = bulk(&trail, 0, 6, 1);
    odd.items.pop();
    output.deliver(odd).await;
    let mut odd = bulk(&trail, 0, 6, 1);
    odd.body = b"no gzip".to_vec();
    fake.state().script.push_back(Fault::Status(413));
    output.deliver(odd).await;
    assert_eq!((trail.counters.read().returned, fake.state().stored.len()), (12, 0));
}
