//! Faults between the program and the search server, and of the server itself: nothing lost, nothing doubled.
//!
//! In `faults` are 429, 413, a server that is away, and kills; here connections, blocks, rollovers, credentials.

use crate::faults::filled;
use crate::have;
use crate::monitoring::{address, get};
use crate::security::Secured;
use crate::support::aws::Trail;
use crate::support::program::{Program, Running, until, until_async};
use crate::support::proxy::{Mode, Proxy};
use crate::support::search::Stream;
use crate::support::servers::{Server, engines, skipped};
use crate::support::trail;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// The program from a bucket to hosts, with the templates installed past them, without the failure store.
fn shipper(bucket: &Trail, hosts: &[&str], stream: &Stream, more: &str) -> Program {
    shipper_and(bucket, hosts, stream, more, "setup.failure_store: false")
}

/// The same with `sections` of the configuration.
fn shipper_and(bucket: &Trail, hosts: &[&str], stream: &Stream, more: &str, sections: &str) -> Program {
    let at = |hosts: &str, more: &str| {
        let output = Program::elasticsearch(hosts, &stream.namespace, more);
        Program::new(&bucket.input("visibility_timeout: 5s"), &output, sections)
    };
    at(&stream.url, "").setup();
    at(&hosts.join("', '"), more)
}

fn says(running: &mut Running, words: &[&str]) {
    until(&format!("the log says {words:?}"), || {
        assert!(running.ended().is_none(), "{}", running.said());
        running.said().lines().any(|line| words.iter().all(|word| line.contains(word))).then_some(())
    });
}

async fn done(bucket: &Trail) {
    until_async("every message is deleted", async || (bucket.depth().await == (0, 0)).then_some(())).await;
}

/// Ends it; the summary, which must be balanced, with nothing parked.
fn ended(running: Running) -> Value {
    let log = running.log().to_owned();
    let (status, printed) = running.terminate();
    assert!(status.success(), "{}", std::fs::read_to_string(log).unwrap());
    let summary: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((&summary["parked"], &summary["inputs"][0]["unbalanced"]), (&json!(0), &json!(0)), "{summary}");
    summary
}

const RUN: [&str; 3] = ["run", "--format", "json"];

async fn roll_over(stream: &Stream) {
    let (status, answer) = stream.call(Method::POST, &format!("{}/_rollover", stream.name()), None).await;
    assert_eq!((status, &answer["rolled_over"]), (200, &json!(true)), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rollover_between_first_try_and_retry() {
    let aws = have!(Server::aws());
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let (bucket, events) = filled(&aws, 1, 300).await;
        let stream = Stream::new(&search.url, "rollover");
        let proxy = Proxy::start(&search.url, Mode::Pass).await;
        let program = shipper(&bucket, &[&proxy.url], &stream, "timeout: 5s");
        proxy.set(Mode::LoseAnswers);
        let running = program.spawn(&RUN);
        until_async("all is stored, and nobody knows", async || (stream.count().await == 300).then_some(())).await;
        roll_over(&stream).await;
        proxy.set(Mode::Pass);
        done(&bucket).await;
        let summary = ended(running);
        assert_eq!(stream.event_ids().await, events, "{engine}: {summary}");
        assert_eq!((&summary["indexed"], &summary["duplicate"]), (&json!(0), &json!(300)), "{engine}: {summary}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rollover_between_kill_and_redelivery() {
    let aws = have!(Server::aws());
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let (bucket, mut events) = filled(&aws, 1, 300).await;
        let stream = Stream::new(&search.url, "rolledkill");
        let proxy = Proxy::start(&search.url, Mode::Pass).await;
        let program = shipper(&bucket, &[&proxy.url], &stream, "timeout: 5s");
        proxy.set(Mode::LoseAnswers);
        let mut running = program.spawn(&RUN);
        until_async("all is stored, and nobody knows", async || (stream.count().await == 300).then_some(())).await;
        running.kill();
        roll_over(&stream).await;
        proxy.set(Mode::Pass);
        // What is new is stored all the same.
        let new = trail::records("new", 10);
        bucket.put(&trail::key("CloudTrail", "new"), trail::object(&new)).await;
        events.extend(trail::ids(&new));
        let summary = program.once();
        assert_eq!(stream.event_ids().await, events, "{engine}: {summary}");
        assert_eq!((&summary["indexed"], &summary["duplicate"]), (&json!(10), &json!(300)), "{engine}: {summary}");
        assert_eq!(bucket.depth().await, (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hosts_a_dead_one_is_set_aside_and_gets_its_share_when_it_is_back() {
    let aws = have!(Server::aws());
    let search = have!(Server::search(&engines()[0]));
    let (bucket, mut events) = filled(&aws, 8, 100).await;
    let stream = Stream::new(&search.url, "hosts");
    let dead = Proxy::start(&search.url, Mode::Reset).await;
    let alive = Proxy::start(&search.url, Mode::Pass).await;
    let program = shipper(&bucket, &[&dead.url, &alive.url], &stream, "bulk_max_size: 50");
    let mut running = program.spawn(&RUN);
    done(&bucket).await;
    says(&mut running, &["node set aside", &dead.url]);
    assert_eq!((stream.event_ids().await, dead.requested()), (events.clone(), 0));
    dead.set(Mode::Pass);
    let mut n = 0;
    until_async("the node gets bulks again", async || {
        let more = trail::records(&format!("more-{n:03}"), 20);
        bucket.put(&trail::key("CloudTrail", &format!("more{n:03}")), trail::object(&more)).await;
        events.extend(trail::ids(&more));
        n += 1;
        // More than the small question by which it is found to be back.
        (dead.requested() > 4_000).then_some(())
    })
    .await;
    done(&bucket).await;
    ended(running);
    events.sort();
    assert_eq!(stream.event_ids().await, events);
}

#[tokio::test(flavor = "multi_thread")]
async fn node_lost_in_mid_bulk() {
    let aws = have!(Server::aws());
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let (bucket, events) = filled(&aws, 4, 300).await;
        let stream = Stream::new(&search.url, "midbulk");
        // It takes some kilobytes of each request, and breaks off.
        let lost = Proxy::start(&search.url, Mode::CutAfter(9_000)).await;
        let other = Proxy::start(&search.url, Mode::Pass).await;
        let more = "compression_level: 0\nbulk_max_size: 100";
        let program = shipper(&bucket, &[&lost.url, &other.url], &stream, more);
        let running = program.spawn(&RUN);
        done(&bucket).await;
        assert!(lost.requested() >= 9_000, "{engine}: it was cut in mid-bulk");
        ended(running);
        assert_eq!(stream.event_ids().await, events, "{engine}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn read_only_cluster_and_full_disks_hold_and_go_on() {
    let aws = have!(Server::aws());
    for engine in engines() {
        // Its own: the block is for the whole cluster.
        let search = have!(Server::start(&["search", &engine]));
        for failure_store in ["auto", "false"] {
            held_under_blocks(&aws, &search, &engine, failure_store).await;
        }
    }
}

async fn held_under_blocks(aws: &Arc<Server>, search: &Server, engine: &str, failure_store: &str) {
    let (bucket, mut events) = filled(aws, 1, 100).await;
    let stream = Stream::new(&search.url, &format!("blocked_{failure_store}"));
    let sections = format!("setup.failure_store: {failure_store}\nhttp: {{enabled: true, host: 127.0.0.1, port: 0}}");
    let program = shipper_and(&bucket, &[&search.url], &stream, "", &sections);
    let mut running = program.spawn(&RUN);
    done(&bucket).await;
    let status = address(&running);
    let has_store = failure_store == "auto" && engine.starts_with("elasticsearch");
    let cluster = |on: Value| ("_cluster/settings".to_owned(), json!({"persistent": {"cluster.blocks.read_only": on}}));
    // Not `read_only_allow_delete`, which the server takes away by itself where disks are not full.
    let index = |on: Value| (format!("{}/_settings", stream.name()), json!({"index.blocks.read_only": on}));
    for (n, (block, undo)) in
        [(cluster(json!(true)), cluster(Value::Null)), (index(json!(true)), index(Value::Null))].into_iter().enumerate()
    {
        let (status_of_block, answer) = stream.call(Method::PUT, &block.0, Some(block.1)).await;
        assert_eq!(status_of_block, 200, "{engine}: {answer}");
        let before = running.said().matches("cluster_block_exception").count();
        let more = trail::records(&format!("blocked-{n}"), 100);
        bucket.put(&trail::key("CloudTrail", &format!("blocked{n}")), trail::object(&more)).await;
        events.extend(trail::ids(&more));
        until("the block is named", || {
            assert!(running.ended().is_none(), "{}", running.said());
            (running.said().matches("cluster_block_exception").count() > before).then_some(())
        });
        // For longer than the message stays hidden.
        tokio::time::sleep(Duration::from_secs(7)).await;
        let (visible, hidden) = bucket.depth().await;
        assert_eq!((visible, hidden), (0, 1), "{engine}: held");
        if n == 1 && has_store {
            let (code, text) = get(&format!("{status}/readyz")).await;
            assert!(code == 503 && text.contains("cluster_block_exception"), "{engine}: {code} {text}");
            assert_eq!(copies(&stream).await, 100, "{engine}: sent once while the block lasted");
        }
        let (status_of_undo, answer) = stream.call(Method::PUT, &undo.0, Some(undo.1)).await;
        assert_eq!(status_of_undo, 200, "{engine}: {answer}");
        done(&bucket).await;
    }
    let summary = ended(running);
    events.sort();
    assert_eq!(stream.event_ids().await, events, "{engine} {failure_store}");
    assert_eq!(
        (&summary["records"], &summary["indexed"]),
        (&json!(300), &json!(300)),
        "{engine} {failure_store}: no object was read twice: {summary}"
    );
    if has_store {
        assert_eq!(copies(&stream).await, 100, "{engine}: the server keeps what it took");
    }
}

/// Documents in the stream's failure store.
async fn copies(stream: &Stream) -> u64 {
    stream.call(Method::POST, &format!("{}::failures/_refresh", stream.name()), None).await;
    let (_, counted) = stream.call(Method::GET, &format!("{}::failures/_count", stream.name()), None).await;
    counted["count"].as_u64().unwrap_or_else(|| panic!("no count: {counted}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn half_open_connections_are_left_and_nothing_is_doubled() {
    let aws = have!(Server::aws());
    let search = have!(Server::search(&engines()[0]));
    let (bucket, mut events) = filled(&aws, 10, 100).await;
    let stream = Stream::new(&search.url, "halfopen");
    let proxy = Proxy::start(&search.url, Mode::Pass).await;
    let program = shipper(&bucket, &[&proxy.url], &stream, "timeout: 2s\nbulk_max_size: 50\nworkers: 2");
    proxy.set(Mode::HalfOpen);
    let mut running = program.spawn(&RUN);
    says(&mut running, &["node set aside", "no answer within"]);
    let before = proxy.connections();
    until("it knocks again", || (proxy.connections() >= before + 2).then_some(()));
    // The other side is gone for good; then another takes its place, which turns half-open in mid-work.
    proxy.set(Mode::Reset);
    tokio::time::sleep(Duration::from_secs(1)).await;
    proxy.set(Mode::Pass);
    until_async("something is stored", async || (stream.count().await > 0).then_some(())).await;
    proxy.set(Mode::LoseAnswers);
    let more = trail::records("late", 100);
    bucket.put(&trail::key("CloudTrail", "late"), trail::object(&more)).await;
    events.extend(trail::ids(&more));
    until("an answer is lost", || (proxy.lost() > 0).then_some(()));
    proxy.set(Mode::Pass);
    done(&bucket).await;
    ended(running);
    assert_eq!(stream.event_ids().await, events);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_slower_than_the_timeout_cost_time_and_nothing_else() {
    let aws = have!(Server::aws());
    let search = have!(Server::search(&engines()[0]));
    let (bucket, events) = filled(&aws, 4, 100).await;
    let stream = Stream::new(&search.url, "slow");
    let proxy = Proxy::start(&search.url, Mode::Pass).await;
    let program = shipper(&bucket, &[&proxy.url], &stream, "timeout: 2s");
    proxy.set(Mode::Late(Duration::from_secs(4)));
    let mut running = program.spawn(&RUN);
    says(&mut running, &["node set aside", "no answer within"]);
    until("it was tried again", || (proxy.lost() >= 3).then_some(()));
    proxy.set(Mode::Pass);
    done(&bucket).await;
    let summary = ended(running);
    assert_eq!(stream.event_ids().await, events, "{summary}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_hold_and_go_on_when_they_are_mended() {
    if !engines().iter().any(|engine| engine == "elasticsearch") {
        return skipped("`elasticsearch` is not in ENGINES");
    }
    let aws = have!(Server::aws());
    let secured = have!(Secured::start());
    let (bucket, events) = filled(&aws, 1, 25).await;
    let output = |login: &str| {
        let more = format!("{login}\nssl.certificate_authorities: ['{}']", secured.authority);
        Program::elasticsearch(&secured.server.url, "mended", &more)
    };
    Program::new(&bucket.input(""), &output("username: elastic\npassword: secret-of-elastic"), "").setup();
    let login = "username: shipper\npassword: secret-of-shipper";
    let program = Program::new(&bucket.input("visibility_timeout: 5s"), &output(login), "");
    let mut running = program.spawn(&RUN);
    says(&mut running, &["on hold", "401"]);
    let privileges = json!(["create_doc", "auto_configure"]);
    let role =
        json!({"cluster": ["monitor"], "indices": [{"names": ["logs-aws.cloudtrail-*"], "privileges": privileges}]});
    secured.post("_security/role/ship", role).await;
    let user = |roles: Value| json!({"password": "secret-of-shipper", "roles": roles});
    secured.post("_security/user/shipper", user(json!([]))).await;
    says(&mut running, &["on hold", "403"]);
    secured.post("_security/user/shipper", user(json!(["ship"]))).await;
    done(&bucket).await;
    assert!(!running.said().contains("secret-of-shipper"), "the password is not in the log");
    let summary = ended(running);
    assert_eq!(
        (&summary["indexed"], secured.count("logs-aws.cloudtrail-mended").await),
        (&json!(25), events.len() as u64)
    );
}
