//! Log groups of CloudWatch Logs: every event exactly one document, whatever goes wrong on the way.

use crate::have;
use crate::monitoring::{address, get};
use crate::support::logs::{Groups, ids, now};
use crate::support::program::{Program, documents, until, until_async};
use crate::support::search::Stream;
use crate::support::servers::{Server, engines};
use crate::support::trail;
use aws_sdk_cloudwatchlogs::types::LogGroupClass;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

const FILES: &str = "output.file.path: ${OUT}";

/// `event.id` of every document in the folder of a file output, sorted.
fn shipped(out: &Path) -> Vec<String> {
    if !out.exists() {
        return Vec::new();
    }
    let documents = documents(out);
    let mut ids: Vec<String> =
        documents.iter().filter_map(|document| document["event"]["id"].as_str().map(str::to_owned)).collect();
    ids.sort();
    ids
}

/// The documents as the files have them while they are written.
fn so_far(out: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(out) else { return 0 };
    let lines = |path: &Path| std::fs::read_to_string(path).unwrap_or_default().lines().count();
    entries.map(|entry| lines(&entry.unwrap().path())).sum()
}

fn sorted(lists: &[&[String]]) -> Vec<String> {
    let mut all = lists.concat();
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn events_arrive_as_documents_with_the_id_of_the_other_routes() {
    let aws = have!(Server::aws());
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let groups = Groups::new(&aws);
        let (some, others, end) = (ids("some", 300), ids("others", 200), now() - 60_000);
        for (name, ids) in [("a", &some), ("b", &others)] {
            groups.create(name).await;
            groups.fill(name, ids, end).await;
        }
        groups.put("b", "other", &[(end, "no record".to_owned()), (end, "{}".to_owned())]).await;
        let stream = Stream::new(&search.url, "cloudwatch");
        let output = Program::elasticsearch(&search.url, &stream.namespace, "");
        let program = Program::new(&groups.input("number_of_workers: 2"), &output, "");
        program.setup();
        let summary = program.once();
        assert_eq!((summary["indexed"].as_u64(), summary["duplicate"].as_u64()), (Some(502), Some(0)), "{summary}");
        assert_eq!(summary["inputs"][0]["log_groups"]["groups"], 2, "{summary}");
        assert_eq!(stream.event_ids().await, sorted(&[&some, &others]), "{engine}");
        let all = stream.documents().await;
        let (id, one) = all.iter().find(|(_, source)| source["event"]["id"] == some[7].as_str()).unwrap();
        let (group, stream_name) = (groups.name("a"), "111122223333_CloudTrail_us-east-1");
        assert_eq!(one["aws"]["cloudwatch"]["log_group"], group.as_str());
        assert_eq!(one["aws"]["cloudwatch"]["log_stream"], stream_name);
        assert!(one["aws"]["cloudwatch"]["ingestion_time"].is_string(), "{one}");
        assert_eq!(one["log"]["file"]["path"], format!("{group}/{stream_name}"));
        assert_eq!((&one["input"]["type"], &one["log"]["offset"]), (&json!("aws-cloudwatch"), &Value::Null));
        // The same record from a file.
        std::fs::write(program.folder.path().join("one.json"), trail::record(&some[7]).to_string()).unwrap();
        let file = program.folder.path().join("one.json");
        let mapped = std::process::Command::new(env!("CARGO_BIN_EXE_trailship"))
            .args(["map", "--bulk", file.to_str().unwrap()])
            .output()
            .unwrap();
        let action: Value = serde_json::from_slice(mapped.stdout.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
        assert_eq!(action["create"]["_id"], id.as_str());
        let broken: Vec<&Value> =
            all.iter().map(|(_, source)| source).filter(|s| s["event"]["kind"] == "pipeline_error").collect();
        assert_eq!(broken.len(), 1);
        assert_eq!(broken[0]["event"]["original"], "no record");
        assert_eq!(broken[0]["aws"]["cloudwatch"]["log_stream"], "other");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_service_does_every_event_is_one_document() {
    let aws = have!(Server::fast());
    let rule = |more: Value| {
        let mut rule = json!({"op": "FilterLogEvents", "skip": 2});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([rule])
    };
    let none = json!([]);
    for (what, faults, pages) in [
        ("throttling", rule(json!({"status": 400, "code": "ThrottlingException", "times": 3})), json!({})),
        ("an outage", rule(json!({"status": 503, "code": "ServiceUnavailableException", "times": 2})), json!({})),
        ("a fault without code", rule(json!({"status": 500, "code": "", "times": 2})), json!({})),
        ("a reset in mid-page", rule(json!({"cut_after": 3000, "reset": true, "times": 2})), json!({})),
        ("a page that ends early", rule(json!({"cut_after": 3000, "times": 2})), json!({})),
        ("expired credentials", rule(json!({"status": 400, "code": "ExpiredTokenException", "times": 2})), json!({})),
        (
            "a token that expires",
            rule(json!({"contains": "nextToken", "status": 400, "code": "InvalidParameterException", "times": 2})),
            json!({}),
        ),
        ("pages that come twice", none.clone(), json!({"repeat_every": 2})),
        ("empty pages with tokens", none.clone(), json!({"empty_every": 2})),
        ("all kinds of pages", none, json!({"empty_every": 3, "repeat_every": 2})),
    ] {
        let groups = Groups::new(&aws);
        let (some, others, end) = (ids("some", 130), ids("others", 45), now() - 1000);
        for (name, ids) in [("a", &some), ("b", &others)] {
            groups.create(name).await;
            groups.fill(name, ids, end).await;
        }
        // Several in the millisecond on which pages end.
        let same = ids("same", 30);
        let events: Vec<(i64, String)> = same.iter().map(|id| (end, trail::record(id).to_string())).collect();
        groups.put("a", "other", &events).await;
        let mut manner = pages.clone();
        manner["page_events"] = json!(10);
        aws.set_pages(&manner).await;
        aws.set_faults(&faults).await;
        let program = Program::new(&groups.input("number_of_workers: 2\nrequests_per_second: 100"), FILES, "");
        let out = program.to_files();
        let summary = program.once();
        for hits in aws.hits().await {
            assert!(hits >= 2, "{what}: {hits} hits");
        }
        assert_eq!(shipped(&out), sorted(&[&some, &others, &same]), "{what}: {summary}");
        assert_eq!(
            (summary["indexed"].as_u64(), summary["parked"].as_u64()),
            (Some(205), Some(0)),
            "{what}: {summary}"
        );
        let again = program.once();
        assert_eq!(again["inputs"][0]["log_groups"]["failing"], 0, "{what}: {again}");
        aws.set_faults(&json!([])).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_denied_holds_up_no_other() {
    let aws = have!(Server::fast());
    let groups = Groups::new(&aws);
    let (some, others) = (ids("some", 20), ids("others", 20));
    for (name, ids) in [("open", &some), ("shut", &others)] {
        groups.create(name).await;
        groups.fill(name, ids, now()).await;
    }
    let shut = groups.name("shut");
    let denied = json!([{"op": "FilterLogEvents", "contains": shut, "status": 400, "code": "AccessDeniedException"}]);
    aws.set_faults(&denied).await;
    let program = Program::new(
        &groups.input("scan_frequency: 1s\noverlap: 0s"),
        FILES,
        "http: {enabled: true, host: 127.0.0.1, port: 0}",
    );
    let out = program.to_files();
    let output = program.output(&["run", "--once", "--format", "json"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}");
    assert!(said.contains(&shut) && said.contains("allow `logs:FilterLogEvents`"), "{said}");
    assert_eq!(shipped(&out), some);
    // It is read when it is allowed, without a restart.
    let mut running = program.spawn(&["run"]);
    until("the fault is named", || running.said().contains("logs-access-denied").then_some(()));
    let ready = format!("{}/readyz", address(&running));
    let told = until_async("it is not ready", async || Some(get(&ready).await).filter(|told| told.0 == 503)).await.1;
    assert!(
        told.contains(&format!("logs:FilterLogEvents of `{shut}`")) && told.contains("logs-access-denied"),
        "{told}"
    );
    aws.set_faults(&json!([])).await;
    until("the group is read", || {
        assert!(running.ended().is_none(), "{}", running.said());
        (so_far(&out) == 40).then_some(())
    });
    until_async("it is ready again", async || (get(&ready).await.0 == 200).then_some(())).await;
    assert!(running.terminate().0.success());
    assert_eq!(shipped(&out), sorted(&[&some, &others]));
}

#[tokio::test(flavor = "multi_thread")]
async fn late_events_and_events_on_a_bound_are_found_once() {
    let aws = have!(Server::fast());
    let groups = Groups::new(&aws);
    groups.create("a").await;
    let program = Program::new(&groups.input("scan_frequency: 1s\noverlap: 60s\nlatency: 1s"), FILES, "");
    let out = program.to_files();
    let running = program.spawn(&["run"]);
    let mut all = Vec::new();
    // A window ends at every moment: with an event in every millisecond of some seconds, events lie on each bound.
    for round in 0..4 {
        let end = now();
        let own = ids(&format!("round-{round}"), 1000);
        let events: Vec<(i64, String)> =
            own.iter().enumerate().map(|(n, id)| (end - n as i64, trail::record(id).to_string())).collect();
        groups.put("a", "stream", &events).await;
        let late = ids(&format!("late-{round}"), 20);
        let events: Vec<(i64, String)> =
            late.iter().enumerate().map(|(n, id)| (end - 2000 * n as i64, trail::record(id).to_string())).collect();
        all.extend([own, late].concat());
        until("the round is shipped", || (so_far(&out) >= all.len() - 20).then_some(()));
        groups.put("a", "late", &events).await;
        until("the late ones are shipped", || (so_far(&out) >= all.len()).then_some(()));
    }
    // Some more windows, which show the same events again.
    let windows = aws.calls("FilterLogEvents").await.len();
    let mut more = 0;
    until_async("more windows were read", async || {
        more += aws.calls("FilterLogEvents").await.len();
        (more >= 3).then_some(())
    })
    .await;
    assert!(windows > 0);
    let (status, printed) = running.terminate();
    assert!(status.success(), "{printed}");
    all.sort();
    assert_eq!(shipped(&out), all);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_goes_on_where_the_first_ended() {
    let aws = have!(Server::fast());
    let groups = Groups::new(&aws);
    groups.create("a").await;
    let (old, new) = (ids("old", 50), ids("new", 50));
    groups.fill("a", &old, now() - 3_600_000).await;
    let name = format!("log_group_name: {}\nregion_name: us-east-1", groups.name("a"));
    let program = Program::new(&groups.input_of(&name), FILES, "");
    let out = program.to_files();
    assert_eq!(program.once()["indexed"], 50);
    groups.fill("a", &new, now()).await;
    let summary = program.once();
    // The hour between is older than the overlap.
    assert_eq!((summary["records"].as_u64(), summary["indexed"].as_u64()), (Some(50), Some(50)), "{summary}");
    assert_eq!(shipped(&out), sorted(&[&old, &new]));
    let registry = program.data().join("registry/cloudwatch-groups.json");
    assert!(registry.exists() && registry.with_extension("previous").exists());
    std::fs::write(&registry, "{\"version\":1,\"state\":{").unwrap();
    let output = program.output(&["run", "--once"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("is damaged") && said.contains("cloudwatch-groups"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_may_begin_at_the_end_and_be_named_by_its_arn() {
    let aws = have!(Server::fast());
    let groups = Groups::new(&aws);
    groups.create("a").await;
    groups.fill("a", &ids("old", 20), now() - 120_000).await;
    let new = ids("new", 20);
    groups.fill("a", &new, now()).await;
    groups.put("a", "not-ours", &[(now(), trail::record("other-stream").to_string())]).await;
    let arn = format!("log_group_arn: 'arn:aws:logs:us-east-1:123456789012:log-group:{}:*'", groups.name("a"));
    let more = "start_position: end\nscan_frequency: 60s\nlog_stream_prefix: '111122223333_'";
    let program = Program::new(&groups.input_of(&format!("{arn}\n{more}")), FILES, "");
    let out = program.to_files();
    program.once();
    assert_eq!(shipped(&out), new);
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_come_and_go_while_running() {
    let aws = have!(Server::fast());
    let groups = Groups::new(&aws);
    groups.create("first").await;
    groups.create_of("archive", LogGroupClass::InfrequentAccess).await;
    groups.fill("first", &ids("first", 10), now()).await;
    let program = Program::new(&groups.input("scan_frequency: 1s\nstart_position: end"), FILES, "");
    let out = program.to_files();
    let running = program.spawn(&["run"]);
    until("the class is named", || {
        (running.said().contains("INFREQUENT_ACCESS") && running.said().contains(&groups.name("archive"))).then_some(())
    });
    // What is in a group that comes later is read from its first event on.
    groups.create("second").await;
    let second = ids("second", 10);
    groups.fill("second", &second, now() - 7_200_000).await;
    until("the new group is read", || (shipped_while(&out, "second") == 10).then_some(()));
    groups.delete("second").await;
    until("the deleted group leaves", || running.said().contains("the log group is no longer read").then_some(()));
    assert!(running.terminate().0.success());
    assert!(shipped(&out).iter().filter(|id| id.starts_with("second")).eq(second.iter()));
}

/// Documents so far whose `event.id` begins with `prefix`.
fn shipped_while(out: &Path, prefix: &str) -> usize {
    let Ok(entries) = std::fs::read_dir(out) else { return 0 };
    let id = format!("\"id\":\"{prefix}-");
    let lines = |path: &Path| {
        std::fs::read_to_string(path).unwrap_or_default().lines().filter(|line| line.contains(&id)).count()
    };
    entries.map(|entry| lines(&entry.unwrap().path())).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_never_exceed_the_rate() {
    const RATE: usize = 10;
    let aws = have!(Server::fast());
    aws.set_pages(&json!({"page_events": 2})).await;
    for number in [1, 20] {
        let groups = Groups::new(&aws);
        let each = 120 / number;
        for n in 0..number {
            groups.create(&n.to_string()).await;
            groups.fill(&n.to_string(), &ids(&format!("group-{n:02}"), each), now()).await;
        }
        let more = format!("number_of_workers: 20\nrequests_per_second: {RATE}");
        let program = Program::new(&groups.input(&more), FILES, "");
        program.to_files();
        aws.calls("").await;
        let summary = program.once();
        assert_eq!(summary["indexed"], each * number, "{summary}");
        let times = aws.calls("FilterLogEvents").await;
        assert!(times.len() >= 60, "{} calls", times.len());
        // What the way through the network adds to one call and not to the next.
        let second = 0.95;
        let most = times.iter().map(|from| times.iter().filter(|t| *t >= from && **t < from + second).count()).max();
        assert!(most.unwrap() <= RATE, "{number} groups: {most:?} calls in a second");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_minus_nine_loses_nothing_and_doubles_nothing() {
    const GROUPS: usize = 5;
    let rounds: u64 = std::env::var("ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(8);
    let aws = have!(Server::fast());
    let search = have!(Server::search(&engines()[0]));
    let groups = Groups::new(&aws);
    aws.set_pages(&json!({"page_events": 100})).await;
    let stream = Stream::new(&search.url, "killed_groups");
    let output = Program::elasticsearch(&search.url, &stream.namespace, "bulk_max_size: 50\nworkers: 2");
    let input = groups.input("number_of_workers: 3\nscan_frequency: 1s\nrequests_per_second: 25\noverlap: 5m");
    let program = Program::new(&input, &output, "");
    let mut all = Vec::new();
    // A backlog of days, which outlasts the kills, so that most of them come in the middle of it.
    let each = 250 * rounds;
    for n in 0..GROUPS {
        let record = trail::record(&format!("backlog-{n}-@N@")).to_string();
        let step = 5 * 86_400_000 / each;
        let made = json!({"group": groups.name(&n.to_string()), "stream": "s", "count": each,
            "start": now() - 6 * 86_400_000, "step_ms": step, "message": record});
        aws.make_events(&made).await;
        all.extend((0..each).map(|i| format!("backlog-{n}-{i:012}")));
    }
    program.setup();
    let registry = program.data().join("registry/cloudwatch-groups.json");
    let mut saved = std::collections::BTreeSet::new();
    for round in 0..rounds {
        for n in 0..GROUPS {
            let own = ids(&format!("round-{round:02}-group-{n}"), 20);
            groups.fill(&n.to_string(), &own, now()).await;
            all.extend(own);
        }
        let mut running = program.spawn(&["run"]);
        // Anywhere: before the first page, between pages, while cursors are saved.
        tokio::time::sleep(Duration::from_millis(300 + 1237 * round % 2900)).await;
        assert!(running.ended().is_none(), "{}", running.said());
        running.kill();
        saved.extend(std::fs::read_to_string(&registry));
    }
    assert!(saved.len() as u64 > rounds / 3, "cursors were saved only {} times", saved.len());
    let before = stream.count().await;
    program.once();
    all.sort();
    let indexed = stream.event_ids().await;
    let _ = writeln!(std::io::stderr(), "{rounds} kills, {before} of {} events before the last run", all.len());
    assert_eq!(indexed.len(), all.len());
    assert_eq!(indexed, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_share_the_groups_and_one_that_is_killed_is_taken_over() {
    let aws = have!(Server::fast());
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let groups = Groups::new(&aws);
        let stream = Stream::new(&search.url, "shared");
        let output = Program::elasticsearch(&search.url, &stream.namespace, "");
        let input = groups.input("number_of_workers: 2\nscan_frequency: 1s\nrequests_per_second: 20");
        let shared = format!("state.elasticsearch: {{enabled: true, index: state-{}}}", stream.namespace);
        let programs = [(); 2].map(|()| Program::new(&input, &output, &shared));
        programs[0].setup();
        for n in 0..6 {
            groups.create(&n.to_string()).await;
        }
        let mut first = programs[0].spawn(&["run"]);
        let mut all = Vec::new();
        let mut fill = async |round: &str| {
            for n in 0..6 {
                let own = ids(&format!("{round}-{n}"), 50);
                groups.fill(&n.to_string(), &own, now()).await;
                all.extend(own);
            }
            all.len()
        };
        let count = fill("first").await;
        until_async("the first round is indexed", async || (stream.count().await == count).then_some(())).await;
        // The one that comes later gets its share from the first.
        let second = programs[1].spawn(&["run"]);
        until("the groups are shared", || {
            let given = first.said().matches("another process reads the log group now").count();
            (given >= 3).then_some(())
        });
        let count = fill("second").await;
        until_async("the second round is indexed", async || (stream.count().await == count).then_some(())).await;
        first.kill();
        let killed = std::time::Instant::now();
        let count = fill("third").await;
        until_async("the third round is indexed", async || (stream.count().await == count).then_some(())).await;
        assert!(killed.elapsed() < Duration::from_secs(60), "taken over after {:?}", killed.elapsed());
        assert!(second.terminate().0.success());
        all.sort();
        assert_eq!(stream.event_ids().await, all, "{engine}");
        // What ends in order is not waited for.
        let alone = std::time::Instant::now();
        programs[0].once();
        assert!(alone.elapsed() < Duration::from_secs(60), "{:?}", alone.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_is_caught_up_in_bounded_memory() {
    let number =
        |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (events, number) = (number("BACKLOG", 40_000), number("LOG_GROUPS", 8));
    let aws = have!(Server::fast());
    let groups = Groups::new(&aws);
    for n in 0..number {
        let mut record = trail::record(&format!("backlog-{n:03}-@N@"));
        record["requestParameters"] = json!({"text": "x".repeat(600)});
        // Five days of it.
        let made = json!({"group": groups.name(&n.to_string()), "stream": "s", "count": events / number,
            "start": now() - 5 * 86_400_000, "step_ms": 400_000_000 / (events / number), "message": record.to_string()});
        aws.make_events(&made).await;
    }
    let input = groups.input("number_of_workers: 4\nrequests_per_second: 100");
    let program = Program::new(&input, FILES, "memory.budget: 64MiB\noutput.file.rotate_every_kb: 1000000");
    let out = program.to_files();
    let started = std::time::Instant::now();
    let mut running = program.spawn(&["run", "--once", "--format", "json"]);
    let mut peak = 0;
    while running.ended().is_none() {
        peak = peak.max(running.resident().unwrap_or(0));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let said = running.said();
    assert!(running.ended().unwrap().success(), "{said}");
    let figures = format!("{events} events of {number} groups in {:?}, at most {} MiB", started.elapsed(), peak >> 20);
    let _ = writeln!(std::io::stderr(), "{figures}");
    assert!(peak < 192 << 20, "{} MiB", peak >> 20);
    assert_eq!(so_far(&out) as u64, events / number * number);
    if events <= 100_000 {
        let mut ids = shipped(&out);
        ids.dedup();
        assert_eq!(ids.len() as u64, events / number * number);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_of_a_subscription_filter_is_read_as_its_events() {
    let aws = have!(Server::aws());
    let groups = Groups::new(&aws);
    let program = Program::new("  - type: file\n    paths: ['${IN}']", FILES, "");
    let (folder, out) = (program.fill("IN", "in"), program.to_files());
    std::fs::create_dir_all(&folder).unwrap();
    let payload = |kind: &str, ids: &[String]| {
        let event = |id: &String| json!({"id": format!("37{id}"), "timestamp": now(), "message": trail::record(id).to_string()});
        let events: Vec<Value> = ids.iter().map(event).collect();
        trail::gzip(
            json!({"messageType": kind, "owner": trail::ACCOUNT, "logGroup": groups.name("a"), "logStream": "s",
                "subscriptionFilters": ["all"], "logEvents": events})
            .to_string()
            .as_bytes(),
        )
    };
    let (some, others) = (ids("some", 30), ids("others", 40));
    // Firehose puts several payloads into one object.
    let object = [
        payload("DATA_MESSAGE", &some),
        payload("CONTROL_MESSAGE", &ids("probe", 1)),
        payload("DATA_MESSAGE", &others),
    ];
    std::fs::write(folder.join("firehose.gz"), object.concat()).unwrap();
    let summary = program.once();
    assert_eq!((summary["indexed"].as_u64(), summary["parked"].as_u64()), (Some(70), Some(0)), "{summary}");
    assert_eq!(shipped(&out), sorted(&[&some, &others]));
    let document = &documents(&out)[0];
    assert_eq!(document["aws"]["cloudwatch"], json!({"log_group": groups.name("a"), "log_stream": "s"}));
    assert_eq!(document["input"]["type"], "file");
    let mapped = program.folder.path().join("in/firehose.gz");
    let mapped = std::process::Command::new(env!("CARGO_BIN_EXE_trailship")).arg("map").arg(mapped).output().unwrap();
    assert_eq!(mapped.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count(), 70);
}
