//! Findings in every order of arrival, through kills, faults and damage; none of them false.

use super::{Object, Scenes, Watched, actions, set};
use crate::have;
use crate::support::disk::Disk;
use crate::support::program::{Program, until, until_async};
use crate::support::search::Stream;
use crate::support::servers::Server;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_trail_in_any_order_has_no_findings() {
    let (aws, scenes) = (have!(Server::fast()), have!(Scenes::get()));
    for order in ["files first", "digests first", "newest first"] {
        let mut scene = scenes.scene("organization");
        scene.bucket = format!("organization-{}", order.replace(' ', "-"));
        // The digests name their bucket, so each order has an S3 of its own.
        let aws = if order == "files first" { aws.clone() } else { have!(Server::fast()) };
        let watched = Watched::new(&aws, scenes, &scene, "", "late_after: 4s").await;
        let mut objects = match order {
            "digests first" => [scene.digests(), scene.logs()].concat(),
            _ => [scene.logs(), scene.digests()].concat(),
        };
        if order == "newest first" {
            objects.reverse();
        }
        let running = watched.run();
        watched.put_all(&objects).await;
        watched.until_closed(scene.hours().len());
        assert_eq!(watched.actions(), BTreeSet::new(), "{order}: {:?}", watched.findings());
        assert_eq!(watched.hours().len(), scene.hours().len(), "{order}: one document an hour");
        let records = watched.records();
        assert_eq!(records.len(), scene.logs().len(), "{order}: digests are verified and not shipped");
        assert!(running.terminate().0.success());
        assert_eq!(watched.trail.depth().await, (0, 0), "{order}: every message is deleted");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn digests_that_are_selected_are_shipped_and_verified() {
    let (aws, scenes) = (have!(Server::fast()), have!(Scenes::get()));
    let scene = scenes.scene("newest-altered");
    let watched = Watched::new(&aws, scenes, &scene, "cloudtrail_digest_regex: /CloudTrail-Digest/", "").await;
    watched.put_all(&scene.objects).await;
    let running = watched.run();
    watched.until_action("digest_signature_invalid");
    let digests = scene.digests().len();
    until("all digests are shipped", || (watched.records().len() == scene.logs().len() + digests).then_some(()));
    assert!(running.terminate().0.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_comes_after_it_was_missed_is_late() {
    let (aws, scenes) = (have!(Server::fast()), have!(Scenes::get()));
    let scene = scenes.scene("whole");
    let watched = Watched::new(&aws, scenes, &scene, "", "").await;
    let logs = scene.logs();
    let (late, others) = logs.split_first().unwrap();
    watched.put_all(others).await;
    watched.put_all(&scene.digests()).await;
    let running = watched.run();
    watched.until_action("log_file_missing");
    assert_eq!(named(&watched, "log_file_missing"), [late.key.as_str()]);
    watched.put(late).await;
    watched.until_action("log_file_late");
    assert_eq!(named(&watched, "log_file_late"), [late.key.as_str()]);
    assert_eq!(watched.actions(), set(&["log_file_late", "log_file_missing"]));
    until("it is shipped", || (watched.records().len() == logs.len()).then_some(()));
    assert!(running.terminate().0.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_never_announced_is_late_and_not_missing() {
    let (aws, scenes) = (have!(Server::fast()), have!(Scenes::get()));
    let scene = scenes.scene("whole");
    let watched = Watched::quiet(&aws, scenes, &scene, "", "").await;
    watched.put_all(&scene.objects).await;
    for digest in scene.digests() {
        watched.announce(&digest).await;
    }
    let running = watched.run();
    until("all are found", || (watched.findings().len() >= scene.logs().len()).then_some(()));
    assert_eq!(watched.actions(), set(&["log_file_late"]));
    let expected: BTreeSet<String> = scene.logs().iter().map(|log| log.key.clone()).collect();
    assert_eq!(BTreeSet::from_iter(named(&watched, "log_file_late")), expected);
    assert!(running.terminate().0.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_come_from_cloudtrail() {
    let scenes = have!(Scenes::get());
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys.json");
    let ring: Value = serde_json::from_slice(&std::fs::read(scenes.keys()).unwrap()).unwrap();
    std::fs::write(&keys, ring["PublicKeyList"].to_string()).unwrap();
    let aws = Arc::new(have!(Server::start(&["aws", "--keys", keys.to_str().unwrap()])));
    let scene = scenes.scene("newest-altered");
    let endpoint = format!("cloudtrail_endpoint: {}", aws.url);
    let watched = Watched::new(&aws, scenes, &scene, "", &endpoint).await;
    watched.put_all(&scene.objects).await;
    let running = watched.run();
    watched.until_closed(scene.hours().len());
    watched.until_action("digest_signature_invalid");
    let newest = &scene.digests()[7];
    assert_eq!(named(&watched, "digest_signature_invalid"), [newest.key.as_str()], "the others are valid");
    assert_eq!(watched.actions(), set(&["digest_signature_invalid"]));
    assert!(running.terminate().0.success());
}

/// Shipped before it was altered: the documents are true. Shipped after: they are not, and that is found.
#[tokio::test(flavor = "multi_thread")]
async fn what_counts_are_the_bytes_that_were_shipped() {
    let (aws, scenes) = (have!(Server::fast()), have!(Scenes::get()));
    let scene = scenes.scene("whole");
    let watched = Watched::quiet(&aws, scenes, &scene, "", "").await;
    let logs = scene.logs();
    let [before, after, ..] = &logs[..] else { panic!("two log files") };
    let altered = crate::support::trail::object(&crate::support::trail::records("forged", 1));
    let none = HashMap::new();
    watched.put_all(&logs).await;
    watched.trail.put_into(&after.bucket, &after.key, altered.clone(), &none).await;
    for log in &logs {
        watched.announce(log).await;
    }
    let running = watched.run();
    until("the files are shipped", || (watched.records().len() == logs.len()).then_some(()));
    watched.trail.put_into(&before.bucket, &before.key, altered, &none).await;
    for digest in scene.digests() {
        watched.put(&digest).await;
        watched.announce(&digest).await;
    }
    watched.until_closed(scene.hours().len());
    assert_eq!(watched.actions(), set(&["log_file_altered"]));
    assert_eq!(named(&watched, "log_file_altered"), [after.key.as_str()]);
    assert!(running.terminate().0.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_fail_are_never_tampering() {
    let (aws, scenes) = (have!(Server::fast()), have!(Scenes::get()));
    let scene = scenes.scene("whole");
    let watched = Watched::quiet(&aws, scenes, &scene, "", "late_after: 1s").await;
    watched.put_all(&scene.objects).await;
    // Log files are never announced, so S3 is asked for them.
    for digest in scene.digests() {
        watched.announce(&digest).await;
    }
    for (status, code) in [(503, "SlowDown"), (403, "AccessDenied"), (500, "InternalError")] {
        let rules = json!([{"op": "GetObject", "contains": "_CloudTrail_us-east-1_", "status": status, "code": code}]);
        aws.set_faults(&rules).await;
        let mut running = watched.run();
        until_async("S3 was asked", async || (aws.hits().await[0] >= 2).then_some(())).await;
        assert_eq!(watched.actions(), BTreeSet::new(), "{code}: {:?}", watched.findings());
        running.kill();
    }
    let cut = json!([{"op": "GetObject", "contains": "_CloudTrail_us-east-1_", "cut_after": 40, "times": 6}]);
    aws.set_faults(&cut).await;
    let running = watched.run();
    let files = scene.logs().len();
    until("each is found to be there", || (distinct(&watched.findings()).len() >= files).then_some(()));
    assert_eq!(watched.actions(), set(&["log_file_late"]));
    assert!(running.terminate().0.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_store_is_set_aside_and_shipping_goes_on() {
    let (aws, scenes) = (have!(Server::fast()), have!(Scenes::get()));
    let scene = scenes.scene("whole");
    let watched = Watched::new(&aws, scenes, &scene, "", "").await;
    let (first, second) = scene.objects.split_at(scene.objects.len() / 2);
    watched.put_all(first).await;
    let running = watched.run();
    let count = |objects: &[Object]| objects.iter().filter(|object| !object.is_digest()).count();
    until("the first half is shipped", || (watched.records().len() == count(first)).then_some(()));
    assert!(running.terminate().0.success());
    let store = watched.program.data().join("integrity.redb");
    let mut bytes = std::fs::read(&store).unwrap();
    let half = bytes.len() / 2;
    bytes[..half].fill(0xa5);
    std::fs::write(&store, bytes).unwrap();
    watched.put_all(second).await;
    let running = watched.run();
    until("the second half is shipped", || (watched.records().len() == count(&scene.objects)).then_some(()));
    watched.until_closed(1);
    assert!(!watched.actions().contains("log_file_missing"), "{:?}", watched.findings());
    assert!(!watched.actions().contains("log_file_altered"), "{:?}", watched.findings());
    assert!(running.terminate().0.success());
    let names = std::fs::read_dir(watched.program.data()).unwrap();
    let aside =
        names.filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with("integrity.redb"));
    assert_eq!(aside.count(), 2, "the damaged one is kept under another name");
}

/// No record is lost for what verification cannot write down, and nothing is forgotten either.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_the_store_costs_no_record_and_no_finding() {
    let (aws, scenes) = (have!(Server::fast()), have!(Scenes::get()));
    let scene = scenes.scene("log-altered");
    let watched = Watched::new(&aws, scenes, &scene, "", "").await;
    let disk = have!(Disk::in_place_of(&watched.program.data()));
    let running = disk.spawn(&watched.program, &["run"], "8m");
    let seen = disk.seen_by(&running);
    until("the store is there", || std::fs::exists(seen.join("integrity.redb")).unwrap().then_some(()));
    let says = |words: &str| until(&format!("the log says `{words}`"), || running.said().contains(words).then_some(()));
    let (logs, digests) = (scene.logs(), scene.digests());
    watched.put_all(&logs[..2]).await;
    watched.put_all(&digests[..2]).await;
    until("something is shipped", || (watched.records().len() == 2).then_some(()));

    disk.fill(&running);
    watched.put_all(&logs[2..]).await;
    watched.put_all(&digests[2..]).await;
    says("shipping goes on, and what is to be compared is kept in memory");
    until_async("every message is deleted", async || (watched.trail.depth().await == (0, 0)).then_some(())).await;
    assert_eq!(watched.records().len(), logs.len(), "everything is shipped");
    assert_eq!(watched.actions(), BTreeSet::new(), "{:?}", watched.findings());

    disk.free(&running);
    says("the store of `integrity` is written again");
    watched.until_action("log_file_altered");
    watched.until_closed(scene.hours().len());
    assert_eq!(named(&watched, "log_file_altered"), [logs[2].key.as_str()]);
    assert_eq!(watched.actions(), set(&["log_file_altered"]), "{:?}", watched.findings());
    let names = std::fs::read_dir(&seen).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let aside: Vec<String> = names.filter(|name| name.contains("damaged")).collect();
    assert!(aside.is_empty(), "a full disk is no damage: {aside:?}");
    assert!(running.terminate().0.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_falls_silent_is_told_once_until_it_speaks() {
    let (aws, scenes) = (have!(Server::fast()), have!(Scenes::get()));
    let scene = scenes.scene("whole");
    let watched = Watched::new(&aws, scenes, &scene, "", "silent_after: 3s").await;
    let digests = scene.digests();
    let silent = |n: usize| {
        until(&format!("silence is told {n} times"), || (watched.findings().len() == n).then_some(()));
        let findings = watched.findings();
        (findings[n - 1]["event"]["action"].clone(), findings[n - 1]["trailship"]["integrity"]["digest_key"].clone())
    };
    let mut running = watched.run();
    watched.put_all(&scene.logs()).await;
    watched.put_all(&digests[..4]).await;
    assert_eq!(silent(1), (json!("account_silent"), json!(digests[3].key)));
    // Neither later nor after a restart.
    running.kill();
    let running = watched.run();
    watched.until_closed(1);
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert_eq!(watched.findings().len(), 1, "{:?}", watched.findings());
    watched.put_all(&digests[4..6]).await;
    assert_eq!(silent(2), (json!("account_silent"), json!(digests[5].key)));
    assert_eq!(watched.findings()[1]["trailship"]["integrity"]["trail_arn"], scene.arn);
    assert!(running.terminate().0.success());
}

/// Kills in mid-way, on a real index: each finding is one document, and there is no other.
#[tokio::test(flavor = "multi_thread")]
async fn kills_neither_lose_nor_repeat_findings() {
    let (aws, scenes) = (have!(Server::fast()), have!(Scenes::get()));
    let search = have!(Server::search("opensearch"));
    let stream = Stream::new(&search.url, "kills");
    let scene = scenes.scene("log-renamed");
    let mut watched = Watched::new(&aws, scenes, &scene, "", "").await;
    let section = format!("integrity: {{enabled: true, public_keys: {}, late_after: 2s}}", scenes.keys().display());
    watched.program = Program::new(
        &watched.trail.input("visibility_timeout: 5s"),
        &Program::elasticsearch(&search.url, &stream.namespace, ""),
        &section,
    );
    watched.program.setup();
    let found = async || -> Vec<(String, Value)> {
        let hits = stream.found_beside("_integrity").await;
        hits.iter().map(|hit| (hit["_id"].as_str().unwrap().to_owned(), hit["_source"].clone())).collect()
    };
    for part in scene.objects.chunks(4) {
        watched.put_all(part).await;
        let mut running = watched.run();
        let before = stream.count().await;
        until_async("something is shipped", async || {
            let waits = watched.trail.depth().await.0;
            (stream.count().await > before || waits == 0).then_some(())
        })
        .await;
        running.kill();
    }
    let running = watched.run();
    let expected = scene.hours().len();
    until_async("all hours are closed", async || {
        let hours = found().await.iter().filter(|(_, it)| it["event"]["kind"] == "metric").count();
        (hours >= expected).then_some(())
    })
    .await;
    until_async("both findings are there", async || {
        let findings = found().await.iter().filter(|(_, it)| it["event"]["kind"] == "alert").count();
        (findings >= 2).then_some(())
    })
    .await;
    let documents = found().await;
    let findings: Vec<Value> =
        documents.iter().map(|(_, it)| it.clone()).filter(|it| it["event"]["kind"] == "alert").collect();
    assert_eq!(actions(&findings), set(&["log_file_missing", "log_file_unlisted"]), "{findings:?}");
    assert_eq!(findings.len(), 2, "each once: {findings:?}");
    let hours: Vec<&Value> = documents.iter().map(|(_, it)| it).filter(|it| it["event"]["kind"] == "metric").collect();
    let distinct: BTreeSet<String> = hours.iter().map(|it| it["trailship"]["ledger"]["hour"].to_string()).collect();
    assert_eq!(hours.len(), distinct.len(), "each hour once: {hours:?}");
    assert!(running.terminate().0.success());
}

/// Keys of the findings with this action, sorted.
fn named(watched: &Watched, action: &str) -> Vec<String> {
    let findings = watched.findings();
    let mut keys: Vec<String> = findings
        .iter()
        .filter(|finding| finding["event"]["action"] == action)
        .map(|finding| finding["aws"]["s3"]["object"]["key"].as_str().unwrap().to_owned())
        .collect();
    keys.sort();
    keys
}

fn distinct(findings: &[Value]) -> BTreeSet<String> {
    findings.iter().map(|finding| finding["aws"]["s3"]["object"]["key"].to_string()).collect()
}
