//! Runs over a service in memory and a real mill.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::super::config::StartPosition;
use super::super::cursor::FileCursors;
use super::super::testing::FakeLogs;
use super::super::window::Mark;
use super::*;
use crate::config::types::Period;
use crate::inputs::Progress;
use crate::inputs::reader::testing::Receiver;
use crate::status::Health;
use std::sync::atomic::Ordering::Relaxed;

/// Long ago, so that nothing of it is in the overlap.
const THEN: i64 = 1_700_000_000_000;

fn config() -> CloudWatchConfig {
    CloudWatchConfig {
        log_group_name_prefix: "g".to_owned(),
        region_name: Some("eu-west-1".to_owned()),
        scan_frequency: Period::from_secs(1),
        ..CloudWatchConfig::default()
    }
}

fn run(receiver: &Receiver, logs: &FakeLogs, config: CloudWatchConfig, once: bool) -> Run<FakeLogs, FileCursors> {
    let cursors = FileCursors::open(receiver.folder.path(), &config.id).unwrap();
    Run::new(config, Context { once, ..receiver.context.clone() }, logs.clone(), cursors)
}

fn ids(name: &str, n: usize) -> Vec<String> {
    (0..n).map(|n| format!("{name}-{n}")).collect()
}

#[tokio::test]
async fn every_event_of_every_group_is_shipped_once() {
    let (receiver, logs) = (Receiver::start(), FakeLogs::new(7));
    for (name, n) in [("g1", 50), ("g2", 0), ("g3", 8)] {
        logs.create(name, "STANDARD");
        logs.put(name, (0..n).map(|n| THEN + n / 3));
    }
    run(&receiver, &logs, config(), true).run().await.unwrap();
    let before = logs.windows().len();
    // A second run finds nothing beyond the cursors.
    run(&receiver, &logs, config(), true).run().await.unwrap();
    assert!(logs.windows()[before..].iter().all(|(_, window)| window.start > THEN + 100));
    let (mut events, _) = receiver.events().await;
    events.sort();
    let mut expected = [ids("g1", 50), ids("g3", 8)].concat();
    expected.sort();
    assert_eq!(events, expected);
}

#[tokio::test]
async fn the_group_furthest_behind_goes_first() {
    let (receiver, logs) = (Receiver::start(), FakeLogs::new(10));
    let cursors = FileCursors::open(receiver.folder.path(), "aws-cloudwatch").unwrap();
    for (name, cursor) in [("g1", 300), ("g2", 100), ("g3", 200), ("g4", 50)] {
        logs.create(name, "STANDARD");
        cursors.note(&format!("111122223333/eu-west-1/{name}"), Mark::at(THEN + cursor));
    }
    cursors.save().await.unwrap();
    run(&receiver, &logs, config(), true).run().await.unwrap();
    let order: Vec<(String, i64)> =
        logs.windows().into_iter().map(|(name, window)| (name, window.start - THEN)).collect();
    let expected = [("g4", 51), ("g2", 101), ("g3", 201), ("g1", 301)].map(|(name, start)| (name.to_owned(), start));
    assert_eq!(order, expected);
}

#[tokio::test]
async fn a_backlog_is_cut_so_that_others_get_their_turn() {
    let (receiver, logs) = (Receiver::start(), FakeLogs::new(1));
    for (name, n) in [("g1", 200), ("g2", 200)] {
        logs.create(name, "STANDARD");
        logs.put(name, (0..n).map(|n| THEN + n));
    }
    run(&receiver, &logs, config(), true).run().await.unwrap();
    let names: Vec<String> = logs.windows().into_iter().map(|(name, _)| name).collect();
    // 64 pages of one event each, then the other's turn.
    assert_eq!(names.iter().filter(|name| *name == "g1").count(), 4, "{names:?}");
    assert_eq!(names[..4], ["g1", "g2", "g1", "g2"]);
    assert_eq!(receiver.context.counters.read().received, 400);
    // Each of the six cuts is before the last millisecond that was seen, whose event is shown once more.
    assert_eq!(receiver.context.progress.repeated.load(Relaxed), 6);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_fails_keeps_its_cursor_and_holds_up_no_other() {
    for (kind, times, ends_well) in [
        (FaultKind::Denied, usize::MAX, false),
        (FaultKind::Transient, usize::MAX, false),
        (FaultKind::Transient, 8, true),
        (FaultKind::Other, 2, true),
    ] {
        let (receiver, logs) = (Receiver::start(), FakeLogs::new(10));
        for name in ["g1", "g2"] {
            logs.create(name, "STANDARD");
            logs.put(name, [THEN, THEN + 1]);
        }
        logs.fail("g1", kind, times);
        let ended = run(&receiver, &logs, config(), true).run().await;
        assert_eq!(ended.is_ok(), ends_well, "{kind:?} {times}: {ended:?}");
        if let Err(reason) = ended {
            assert!(reason.contains("`g1` was not read to its end"), "{reason}");
        }
        let saved = FileCursors::open(receiver.folder.path(), "aws-cloudwatch").unwrap();
        let group = Group {
            name: "g1".to_owned(),
            identifier: None,
            account: Some("111122223333".to_owned()),
            region: "eu-west-1".to_owned(),
        };
        let Claim::Ours(Some(mark)) = saved.claim(&group.key(), &group, 1).await.unwrap() else { panic!() };
        assert_eq!(mark == Mark::BEGINNING, !ends_well, "{kind:?} {times}: {mark:?}");
        let expected = if ends_well { vec!["g1-0", "g1-1", "g2-0", "g2-1"] } else { vec!["g2-0", "g2-1"] };
        let (mut events, _) = receiver.events().await;
        events.sort();
        assert_eq!(events, expected, "{kind:?} {times}");
    }
}

#[tokio::test]
async fn a_run_without_groups_is_no_success() {
    let (receiver, logs) = (Receiver::start(), FakeLogs::new(10));
    logs.create("other", "STANDARD");
    let fault = run(&receiver, &logs, config(), true).run().await.unwrap_err();
    assert!(fault.contains("no log group"), "{fault}");
}

#[tokio::test]
async fn a_start_waits_until_groups_may_be_looked_up_and_a_single_run_does_not() {
    let (mut receiver, logs) = (Receiver::start(), FakeLogs::new(10));
    logs.deny_descriptions();
    let fault = run(&receiver, &logs, config(), true).run().await.unwrap_err();
    assert!(fault.contains("allow"), "{fault}");
    let health = Health::default();
    receiver.context.progress = Arc::new(Progress { health: health.part("logs"), ..Progress::default() });
    let running = tokio::spawn(run(&receiver, &logs, config(), false).run());
    let told = loop {
        if let Some(trouble) = health.troubles().pop() {
            break (trouble.api, trouble.code);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!((told.0.as_str(), running.is_finished()), ("logs:DescribeLogGroups", false), "{told:?}");
    receiver.context.stop.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_end_is_one_scan_before_the_start() {
    let (receiver, logs) = (Receiver::start(), FakeLogs::new(10));
    logs.create("g", "STANDARD");
    let now = jiff::Timestamp::now().as_millisecond();
    logs.put("g", [now - 7_200_000, now - 1_800_000, now - 1000]);
    let config =
        CloudWatchConfig { start_position: StartPosition::End, scan_frequency: Period::from_secs(3600), ..config() };
    run(&receiver, &logs, config, true).run().await.unwrap();
    assert_eq!(receiver.events().await.0, ["g-1", "g-2"]);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_from_a_clock_that_was_ahead_is_said_and_kept() {
    let (receiver, logs) = (Receiver::start(), FakeLogs::new(10));
    let cursors = FileCursors::open(receiver.folder.path(), "aws-cloudwatch").unwrap();
    logs.create("g1", "STANDARD");
    logs.put("g1", [THEN]);
    // 2100-01-01.
    cursors.note("111122223333/eu-west-1/g1", Mark::at(4_102_444_800_000));
    cursors.save().await.unwrap();
    let fault = run(&receiver, &logs, config(), true).run().await.unwrap_err();
    assert!(fault.contains("`g1`") && fault.contains("2100-01-01T00:00:00Z") && fault.contains("clock"), "{fault}");
    assert!(logs.windows().is_empty());
}
