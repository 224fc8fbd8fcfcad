//! The whole sender against a server that fails as scripted: nothing lost, nothing settled twice.

#![allow(clippy::unwrap_used, clippy::panic)]

use super::config::ElasticsearchConfig;
use super::fake::{Fake, Fault};
use super::host::Host;
use super::{Cluster, Elasticsearch};
use crate::ack::{Counts, Outcome, Tally};
use crate::config::types::{Period, Secret};
use crate::check::Verdict;
use crate::output::body::Body;
use crate::output::parking::Parking;
use crate::output::segments::tests::Trail;
use crate::output::{Bulk, Output};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

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
    (Elasticsearch::new(settings, Arc::clone(&parking)).unwrap(), parking)
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
    let segments = (from..to).step_by(3).map(|at| trail.segment(&format!("object-{at}"), (to - at).min(3) as u64)).collect();
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
async fn broken_connections_repeat_ids_and_lose_nothing() {
    for fault in [Fault::BreakBefore, Fault::BreakAfter, Fault::HalfAnswer, Fault::ItemMissing, Fault::Page] {
        let stored_first = !matches!(fault, Fault::BreakBefore);
        let (fake, tally, _) = ten_through(vec![fault.clone()]).await;
        assert_eq!(fake.state().stored.len(), 10, "{fault:?}");
        let expected = if stored_first { (0, 10) } else { (10, 0) };
        assert_eq!((tally.indexed, tally.duplicate), expected, "{fault:?}");
    }
}

#[tokio::test]
async fn a_silent_server_is_left_after_the_timeout() {
    let fake = Fake::start(vec![Fault::Silence]).await;
    let dir = tempfile::tempdir().unwrap();
    let config = ElasticsearchConfig { timeout: Period::from_millis(200), workers: 4, ..config(&[&fake]) };
    let (output, _) = open(&config, dir.path());
    let trail = Trail::open();
    output.deliver(bulk(&trail, 0, 3, 0)).await;
    assert_eq!(trail.counters.read().duplicate, 3);
    assert_eq!(output.allowed(), 2, "a time-out is a sign of overload");
}

#[tokio::test]
async fn refused_requests_wait_until_they_are_mended() {
    for status in [401, 403, 404, 429, 500, 502, 503, 504] {
        let (fake, tally, parked) = ten_through(vec![Fault::Status(status); 3]).await;
        assert_eq!((tally.indexed, parked.len()), (10, 0), "{status}");
        assert_eq!(fake.state().requests, [names(0..10)], "{status}");
    }
    for status in [401, 403, 404] {
        let (_, tally, parked) = ten_through(vec![Fault::Items { from: 0, to: 10, status }; 3]).await;
        assert_eq!((tally.indexed, parked.len()), (10, 0), "{status}");
    }
}

#[tokio::test]
async fn documents_in_the_failure_store_count_as_parked() {
    let (_, tally, parked) = ten_through(vec![Fault::FailureStore { from: 2, to: 4 }]).await;
    assert_eq!((tally.indexed, tally.parked, parked.len()), (8, 2, 0));
}

#[tokio::test]
async fn too_large_is_halved_and_remembered_and_a_giant_is_parked() {
    let fake = Fake::start(vec![]).await;
    fake.state().largest = Some(400);
    let dir = tempfile::tempdir().unwrap();
    let (output, parking) = open(&config(&[&fake]), dir.path());
    let trail = Trail::open();
    let mut giant = bulk(&trail, 0, 10, 0);
    let long = format!("{}\n{}\n", json!({"create": {"_id": "giant"}}), json!({"n": "y".repeat(1_000)}));
    giant.body.extend(long.as_bytes());
    giant.items.push(long.len() as u32);
    giant.segments.push(trail.segment("giants", 1));
    output.deliver(giant).await;
    let counts = trail.counters.read();
    assert_eq!((counts.indexed, counts.parked), (10, 1));
    let parked = letters(&parking);
    assert_eq!((&parked[0]["code"], &parked[0]["_id"], &parked[0]["status"]), (&json!("too-large"), &json!("giant"), &json!(413)));

    // A bulk as large as one that was refused is halved before it is sent.
    fake.state().requests.clear();
    fake.state().largest = None;
    output.deliver(bulk(&trail, 20, 40, 0)).await;
    assert!(fake.state().requests.len() > 1);
    assert_eq!(fake.state().requests.concat().len(), 20);
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
async fn wrong_settings_park_nothing() {
    // Every request is refused as a whole, as an unknown URL parameter makes a server do; later it is mended.
    let (fake, tally, parked) = ten_through(vec![Fault::Status(400); 25]).await;
    assert_eq!((tally.indexed, parked.len()), (10, 0));
    assert_eq!(fake.state().requests.len(), 4, "cut into quarters at most");
}

#[tokio::test]
async fn another_node_takes_over() {
    let (dead, alive) = (Fake::start(vec![Fault::BreakBefore; 50]).await, Fake::start(vec![]).await);
    let dir = tempfile::tempdir().unwrap();
    let (output, _) = open(&config(&[&dead, &alive]), dir.path());
    let trail = Trail::open();
    for n in 0..5 {
        output.deliver(bulk(&trail, n * 4, n * 4 + 4, 1)).await;
    }
    assert_eq!(trail.counters.read().indexed, 20);
    assert_eq!(alive.state().stored.len(), 20);
}

#[tokio::test]
async fn overload_lowers_the_number_of_requests() {
    let fake = Fake::start(vec![Fault::Items { from: 0, to: 1, status: 429 }]).await;
    let dir = tempfile::tempdir().unwrap();
    let (output, _) = open(&config(&[&fake]), dir.path());
    assert_eq!((output.concurrency(), output.allowed()), (4, 4));
    let trail = Trail::open();
    output.deliver(bulk(&trail, 0, 4, 1)).await;
    assert_eq!(output.allowed(), 2);
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

#[tokio::test]
async fn requests_look_as_configured() {
    let fake = Fake::start(vec![]).await;
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(&[&fake]);
    config.path = "/es".into();
    config.api_key = Secret::new("id:key");
    config.pipeline = "Mine".into();
    config.parameters.insert("require_data_stream".into(), "true".into());
    config.headers.insert("X-Tenant".into(), Secret::new("blue"));
    let (output, _) = open(&config, dir.path());
    let trail = Trail::open();
    output.deliver(bulk(&trail, 0, 1, 1)).await;
    let state = fake.state();
    let filter = "filter_path=errors%2Citems.*.status%2Citems.*.error%2Citems.*.failure_store";
    assert_eq!(
        state.line,
        format!("POST /es/logs-aws.cloudtrail-default/_bulk?{filter}&pipeline=mine&require_data_stream=true HTTP/1.1")
    );
    for (name, value) in [
        ("authorization", "ApiKey aWQ6a2V5"),
        ("content-type", "application/x-ndjson"),
        ("content-encoding", "gzip"),
        ("accept", "application/json"),
        ("x-tenant", "blue"),
        ("user-agent", concat!("trailship/", env!("CARGO_PKG_VERSION"))),
    ] {
        assert_eq!(state.headers.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert_eq!(state.headers.get("x-elastic-client-meta"), None);
}

#[tokio::test]
async fn the_test_walks_from_the_address_to_the_privileges() {
    let fake = Fake::start(vec![]).await;
    let stream = "logs-aws.cloudtrail-default";
    let simulated = json!({"template": {"mappings": {"properties": {"aws": {"properties": {"cloudtrail": {}}}}}}});
    let granted = json!({"index": {stream: {"create_doc": false, "auto_configure": false}}});
    for (page, answer) in [
        ("GET /", json!({"version": {"number": "3.8.0", "distribution": "opensearch"}})),
        ("POST /_index_template/_simulate_index/logs-aws.cloudtrail-default", simulated),
        ("POST /_security/user/_has_privileges", granted),
    ] {
        fake.state().pages.insert(page.into(), (200, answer));
    }
    let config = ElasticsearchConfig { pipeline: "gone".into(), ..config(&[&fake]) };
    let cluster = Cluster::new(Arc::new(config.settle("default").unwrap())).unwrap();
    let steps: Vec<(String, Verdict)> = super::test(&cluster).await.into_iter().map(|check| (check.step, check.verdict)).collect();
    let expected = [
        ("address", Verdict::Ok),
        ("name", Verdict::Ok),
        ("connection", Verdict::Ok),
        ("login", Verdict::Ok),
        ("version", Verdict::Ok),
        ("template", Verdict::Ok),
        ("pipeline", Verdict::Failed),
        ("privileges", Verdict::Failed),
    ];
    assert_eq!(steps, expected.map(|(step, verdict)| (step.to_owned(), verdict)));
    assert!(fake.state().requests.is_empty(), "nothing is written");
}

#[tokio::test]
async fn the_test_stops_where_nobody_listens() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    drop(taken);
    let config = ElasticsearchConfig { hosts: vec![Host::from(address.as_str())], ..ElasticsearchConfig::default() };
    let cluster = Cluster::new(Arc::new(config.settle("default").unwrap())).unwrap();
    let last = super::test(&cluster).await.pop().unwrap();
    assert_eq!((last.step.as_str(), last.verdict), ("connection", Verdict::Failed));
}

fn fault() -> impl Strategy<Value = Fault> {
    let status = prop::sample::select(vec![400u16, 401, 403, 404, 408, 413, 429, 500, 502, 503, 504]);
    let item_status = prop::sample::select(vec![400u16, 401, 403, 404, 409, 413, 422, 429, 500, 503]);
    prop_oneof![
        Just(Fault::None),
        status.prop_map(Fault::Status),
        (0usize..12, 0usize..12, item_status).prop_map(|(from, to, status)| Fault::Items { from, to, status }),
        (0usize..12, 0usize..12).prop_map(|(from, to)| Fault::FailureStore { from, to }),
        Just(Fault::BreakBefore),
        Just(Fault::BreakAfter),
        Just(Fault::HalfAnswer),
        Just(Fault::ItemMissing),
        Just(Fault::Page),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_faults_end_in_one_outcome_for_each_record(
        script in prop::collection::vec(fault(), 0..14),
        sizes in prop::collection::vec(1usize..12, 1..4),
        level in 0u8..2,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let records: usize = sizes.iter().sum();
        let dir = tempfile::tempdir().unwrap();
        // A conflict is scripted for records that are not there: those count as known, and need be nowhere.
        let lies = script.iter().any(|fault| matches!(fault, Fault::Items { status: 409, .. }));
        let (counts, verdict, places) = runtime.block_on(async {
            let fake = Fake::start(script).await;
            let (output, parking) = open(&config(&[&fake]), dir.path());
            let mut trail = Trail::open();
            let mut from = 0;
            let mut bulks = Vec::new();
            for size in &sizes {
                bulks.push(bulk(&trail, from, from + size, level));
                from += size;
            }
            trail.seal();
            let everything = async {
                let mut rest = bulks.into_iter();
                let (a, b, c) = (rest.next(), rest.next(), rest.next());
                let deliver = async |bulk| if let Some(bulk) = bulk { output.deliver(bulk).await };
                tokio::join!(deliver(a), deliver(b), deliver(c));
            };
            tokio::time::timeout(Duration::from_secs(60), everything).await.unwrap();
            let state = fake.state();
            let mut places: BTreeSet<String> = state.stored.union(&state.failure_store).cloned().collect();
            places.extend(letters(&parking).iter().map(|line| line["_id"].as_str().unwrap().to_owned()));
            (trail.counters.read(), trail.verdicts.try_recv().unwrap(), places)
        });
        let Counts { received, in_flight, returned, .. } = counts;
        prop_assert_eq!((received, in_flight, returned), (records as u64, 0, 0));
        prop_assert_eq!(counts.unbalanced(), 0);
        prop_assert!(verdict.settled);
        let settled = [Outcome::Indexed, Outcome::Duplicate, Outcome::Parked];
        prop_assert_eq!(settled.len(), 3);
        prop_assert_eq!(verdict.tally.indexed + verdict.tally.duplicate + verdict.tally.parked, records as u64);
        prop_assert!(lies || places == (0..records).map(name).collect());
    }
}
