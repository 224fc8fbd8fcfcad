//! Requests that are refused, broken off or never answered, and what requests look like.

use super::super::{Cluster, test};
use super::*;
use crate::check::Verdict;
use crate::config::types::Secret;

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
    assert_eq!(
        (&parked[0]["code"], &parked[0]["_id"], &parked[0]["status"]),
        (&json!("too-large"), &json!("giant"), &json!(413))
    );

    // A bulk as large as one that was refused is halved before it is sent.
    fake.state().requests.clear();
    fake.state().largest = None;
    output.deliver(bulk(&trail, 20, 40, 0)).await;
    assert!(fake.state().requests.len() > 1);
    assert_eq!(fake.state().requests.concat().len(), 20);
}

#[tokio::test]
async fn a_server_with_less_memory_than_a_bulk_gets_smaller_ones() {
    let fake = Fake::start(vec![]).await;
    fake.state().memory = Some(500);
    let dir = tempfile::tempdir().unwrap();
    let (output, _) = open(&config(&[&fake]), dir.path());
    let trail = Trail::open();
    output.deliver(bulk(&trail, 0, 20, 1)).await;
    assert_eq!(trail.counters.read().indexed, 20);
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
    let steps: Vec<(String, Verdict)> =
        test(&cluster).await.into_iter().map(|check| (check.step, check.verdict)).collect();
    let expected = [
        ("address", Verdict::Ok),
        ("name", Verdict::Ok),
        ("connection", Verdict::Ok),
        ("login", Verdict::Ok),
        ("version", Verdict::Ok),
        ("template", Verdict::Ok),
        ("pipeline", Verdict::Failed),
        ("privileges", Verdict::Failed),
        ("privileges for setup", Verdict::Ok),
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
    let last = test(&cluster).await.pop().unwrap();
    assert_eq!((last.step.as_str(), last.verdict), ("connection", Verdict::Failed));
}
