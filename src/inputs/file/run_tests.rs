#![allow(clippy::unwrap_used)]

use super::super::registry::Mark;
use super::*;
use crate::ack::Tally;
use crate::inputs::reader::testing::{Receiver, record};
use std::path::Path;

/// A run over `paths` of `receiver`'s folder.
fn run(receiver: &Receiver, once: bool, path: &str) -> Run {
    let root = receiver.folder.path();
    let config = FileConfig {
        paths: vec![root.join(path).to_str().unwrap().to_owned()],
        number_of_workers: 1,
        ..FileConfig::default()
    };
    let selection = Selection::new(
        &config.cloudtrail_regex,
        &config.cloudtrail_digest_regex,
        &config.cloudtrail_insight_regex,
        &config.file_selectors,
    );
    let registry = Registry::open(root, &config.id).unwrap();
    Run::new(config, selection, Context { once, ..receiver.context.clone() }, registry)
}

/// `n` files with one record each; their ids.
fn files(root: &Path, n: usize) -> Vec<String> {
    let folder = root.join("AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/02");
    std::fs::create_dir_all(&folder).unwrap();
    let ids: Vec<String> = (0..n).map(|n| format!("event-{n:04}")).collect();
    for id in &ids {
        std::fs::write(folder.join(format!("{id}.json")), format!(r#"{{"Records":[{}]}}"#, record(id))).unwrap();
    }
    ids
}

#[tokio::test]
async fn two_stars_ship_everything_below_once() {
    let receiver = Receiver::start();
    let ids = files(receiver.folder.path(), 5);
    for expected in [5, 0] {
        run(&receiver, true, "AWSLogs/**").run().await.unwrap();
        assert_eq!(receiver.context.progress.objects.swap(0, Relaxed), expected);
    }
    let (mut events, _) = receiver.events().await;
    events.sort();
    assert_eq!(events, ids);
}

#[tokio::test]
async fn the_newest_go_first_by_their_names_else_by_the_time_of_their_change() {
    let receiver = Receiver::start();
    let folder = receiver.folder.path().join("AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/02");
    std::fs::create_dir_all(&folder).unwrap();
    let name = |time: &str| format!("111122223333_CloudTrail_us-east-1_{time}_x.json");
    for (id, file) in [("b", name("20260102T0310Z")), ("d", name("20260102T0305Z")), ("a", name("20260102T0320Z"))] {
        std::fs::write(folder.join(file), format!(r#"{{"Records":[{}]}}"#, record(id))).unwrap();
    }
    let plain = receiver.folder.path().join("AWSLogs/plain.json");
    std::fs::write(&plain, format!(r#"{{"Records":[{}]}}"#, record("c"))).unwrap();
    // Between the second and the third: 2026-01-02T03:07:00Z.
    let changed = std::time::UNIX_EPOCH + Duration::from_secs(1_767_323_220);
    std::fs::File::open(&plain).unwrap().set_modified(changed).unwrap();
    let mut run = run(&receiver, true, "AWSLogs");
    run.config.order = Order::Newest;
    run.run().await.unwrap();
    assert_eq!(receiver.events().await.0, ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn nothing_there_is_no_success() {
    let receiver = Receiver::start();
    let fault = run(&receiver, true, "elsewhere/**").run().await.unwrap_err();
    assert!(fault.ends_with("elsewhere/**` matches nothing"), "{fault}");
}

/// Which of several ready branches runs first is chosen at random, so once would show little.
const ROUNDS: usize = 20;

#[tokio::test]
async fn after_a_stop_no_file_is_begun() {
    for _ in 0..ROUNDS {
        let receiver = Receiver::start();
        files(receiver.folder.path(), 50);
        let stop = receiver.context.stop.clone();
        // The look is under way when the stop comes.
        let (ended, ()) = tokio::join!(run(&receiver, false, "AWSLogs").run(), async { stop.cancel() });
        ended.unwrap();
        assert_eq!(receiver.events().await.0, Vec::<String>::new());
    }
}

#[tokio::test]
async fn files_that_wait_at_a_stop_are_left() {
    let receiver = Receiver::start();
    files(receiver.folder.path(), 5);
    let mut run = run(&receiver, false, "AWSLogs");
    run.queue.extend(look(&run.config, &run.selection).await.found);
    assert_eq!(run.queue.len(), 5);
    receiver.context.stop.cancel();
    run.run().await.unwrap();
    assert_eq!(receiver.events().await.0, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_settled_at_an_abort_is_remembered() {
    let mark = Mark { size: 1, modified: 2 };
    for _ in 0..ROUNDS {
        let receiver = Receiver::start();
        let mut run = run(&receiver, false, "AWSLogs");
        for key in 0..3 {
            let path = format!("/settled/{key}");
            run.open.insert(key, Found { path, mark, digest: false });
            run.verdicts.send(Verdict { key, tally: Tally::default(), settled: true, reasons: Vec::new() }).unwrap();
        }
        receiver.context.stop.cancel();
        receiver.context.abort.cancel();
        run.run().await.unwrap();
        let registry = Registry::open(receiver.folder.path(), "file").unwrap();
        assert!((0..3).all(|key| registry.is_done(&format!("/settled/{key}"), mark)));
    }
}
