//! The process: how it starts, and how it ends in the middle of its work.

use super::*;
use crate::faults::filled;
use crate::have;
use crate::support::between::{Between, Fate};
use crate::support::program::Program;
use crate::support::search::Stream;
use crate::support::servers::{Server, engines};
use crate::support::trail;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_repeats_nothing() {
    let aws = have!(Server::fast());
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let (bucket, events) = filled(&aws, 60, 200).await;
        let stream = Stream::new(&search.url, "sigterm");
        let output = Program::elasticsearch(&search.url, &stream.namespace, "bulk_max_size: 50\nworkers: 1");
        let program = Program::new(&bucket.input("number_of_workers: 2"), &output, "max_procs: 1");
        program.setup();
        let mut running = program.spawn(&["run", "--format", "json"]);
        until_async("some of it is indexed", async || {
            assert!(running.ended().is_none(), "{}", running.said());
            (stream.count().await >= 400).then_some(())
        })
        .await;
        let first = ended(running);
        let (visible, hidden) = bucket.depth().await;
        assert!(visible > 0 && hidden == 0, "{engine}: what was not begun is visible at once: {visible}, {hidden}");
        let second = program.once();
        let [first, second] = [counts(&first), counts(&second)];
        // What was begun was finished, so that nothing was sent twice.
        assert_eq!((first[1] + second[1], first[2] + second[2]), (12_000, 0), "{engine}: {first:?} {second:?}");
        assert_eq!(first[1], 12_000 - 200 * visible, "{engine}: {first:?}");
        assert_eq!(stream.event_ids().await, events, "{engine}");
        assert_eq!(bucket.depth().await, (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_to_end_is_over_in_the_middle_of_an_object() {
    let aws = have!(Server::fast());
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let bucket = Trail::new(&aws, true).await;
        let records = trail::records("event", 4000);
        bucket.put(&trail::key("CloudTrail", "long"), trail::object(&records)).await;
        // Forty bulks of half a second each.
        let slow = Between::new(&search.url, |call| match call.is("_bulk") {
            true => Fate::Late(Duration::from_millis(500)),
            false => Fate::Pass,
        })
        .await;
        let stream = Stream::new(&search.url, "shutdown");
        let output = Program::elasticsearch(&slow.url, &stream.namespace, "bulk_max_size: 100\nworkers: 1");
        let more = "trailship.shutdown_timeout: 1s";
        let program = Program::new(&bucket.input("visibility_timeout: 10m"), &output, more);
        program.setup();
        let running = program.spawn(&["run", "--format", "json"]);
        until_async("some of it is indexed", async || (stream.count().await >= 200).then_some(())).await;
        let asked = Instant::now();
        let first = ended(running);
        assert!(asked.elapsed() < Duration::from_secs(20), "{engine}: {:?}", asked.elapsed());
        assert_eq!(bucket.depth().await, (1, 0), "{engine}: its message is visible, long before its time");
        let there = stream.count().await as u64;
        assert!((200..4000).contains(&there), "{engine}: {there}");
        let second = program.once();
        let [records_again, indexed, duplicate, _, parked] = counts(&second);
        // A bulk under way at the end may be indexed although nobody heard so.
        assert_eq!((records_again, indexed + duplicate, parked), (4000, 4000, 0), "{engine}: {first} {second}");
        assert!(duplicate >= counts(&first)[1], "{engine}: {first} {second}");
        assert_eq!(stream.event_ids().await, trail::ids(&records), "{engine}");
        assert_eq!(bucket.depth().await, (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_cannot_be_read_consumes_nothing() {
    let aws = have!(Server::fast());
    let (bucket, _) = filled(&aws, 3, 5).await;
    for spoil in ["output.file: [", "no_such_key: 1", "output.console.enabled: true"] {
        let program = Program::new(&bucket.input(""), FILES, spoil);
        program.to_files();
        let output = program.output(&["run", "--once"]);
        assert_eq!(output.status.code(), Some(2), "{spoil}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let program = Program::new(&bucket.input(""), FILES, "");
    std::fs::remove_file(program.folder.path().join("trailship.yml")).unwrap();
    assert_eq!(program.output(&["run", "--once"]).status.code(), Some(2));
    assert_eq!(bucket.depth().await, (3, 0));
}
