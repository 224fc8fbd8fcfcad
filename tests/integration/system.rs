//! Faults of the machine: full and read-only disks, damaged state, a clock that jumps, kills while state is written.

use crate::have;
use crate::support::aws::Trail;
use crate::support::disk::Disk;
use crate::support::logs::{Groups, ids, now};
use crate::support::program::{Program, Running, documents, until, until_async};
use crate::support::servers::{Server, skipped};
use crate::support::trail;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const FILES: &str = "output.file.path: ${OUT}";
const SIZE: &str = "512k";

/// `event.id` of every document in a folder, sorted; lines that are being written are left out.
fn shipped(out: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(out) else { return Vec::new() };
    let paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    let texts = paths.iter().map(|path| std::fs::read_to_string(path).unwrap_or_default());
    let mut ids: Vec<String> = texts
        .flat_map(|text| text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect::<Vec<_>>())
        .filter_map(|document| document["event"]["id"].as_str().map(str::to_owned))
        .collect();
    ids.sort();
    ids
}

/// An object of ten records and one that is no JSON.
fn with_a_broken_record() -> (Vec<u8>, Vec<String>) {
    let records = trail::records("fine", 10);
    let text = json!({"Records": records}).to_string();
    (trail::gzip(text.replacen("[{", "[{\"eventID\":\"broken\",\"a\":tru},{", 1).as_bytes()), trail::ids(&records))
}

/// A folder of trail files for a `file` input in `${IN}`.
fn trail_folder(program: &Program) -> PathBuf {
    let folder = program.fill("IN", "in").join(format!("AWSLogs/{}/CloudTrail/eu-west-1/2026/01/02", trail::ACCOUNT));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn of_files(more: &str) -> Program {
    let input = format!("  - type: file\n    id: disk\n    paths: ['${{IN}}/**']\n    scan_frequency: 200ms\n{more}");
    Program::new(&input, FILES, "")
}

/// Waits until the log has all of these words in one line.
fn says(running: &mut Running, words: &[&str]) {
    until(&format!("the log says {words:?}"), || {
        assert!(running.ended().is_none(), "{}", running.said());
        running.said().lines().any(|line| words.iter().all(|word| line.contains(word))).then_some(())
    });
}

/// Whether the queue has one message. One that is given back meanwhile may be counted as visible and hidden for a moment.
async fn is_one(bucket: &Trail) -> Option<()> {
    let (visible, hidden) = bucket.depth().await;
    (visible + hidden == 1).then_some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_for_the_dead_letter_holds_the_message_until_there_is_room() {
    let aws = have!(Server::aws());
    let bucket = Trail::new(&aws, true).await;
    let program = Program::new(&bucket.input("visibility_timeout: 5s"), FILES, "");
    let (out, disk) = (program.to_files(), have!(Disk::in_place_of(&program.data())));
    let mut running = disk.spawn(&program, &["run"], SIZE);
    says(&mut running, &["messages are received"]);
    disk.fill(&running);
    let (object, events) = with_a_broken_record();
    bucket.put(&trail::key("CloudTrail", "mixed"), object).await;
    says(&mut running, &["cannot write to the dead letter", "No space left", "path.data"]);
    until_async("what is not parked is not deleted", async || is_one(&bucket).await).await;
    disk.free(&running);
    until_async("the message is deleted", async || (bucket.depth().await == (0, 0)).then_some(())).await;
    let letters = std::fs::read_to_string(disk.seen_by(&running).join("dead-letter/parked-v1-000001.ndjson")).unwrap();
    let letters: Vec<Value> = letters.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((letters.len(), &letters[0]["record"]), (1, &json!(r#"{"eventID":"broken","a":tru}"#)));
    assert!(running.terminate().0.success());
    assert_eq!(shipped(&out), events, "each once, although the object was read several times");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_for_the_output_file_is_waited_for() {
    let aws = have!(Server::aws());
    let bucket = Trail::new(&aws, true).await;
    let program = Program::new(&bucket.input("visibility_timeout: 5s"), FILES, "");
    let disk = have!(Disk::in_place_of(&program.to_files()));
    let mut running = disk.spawn(&program, &["run"], SIZE);
    says(&mut running, &["messages are received"]);
    disk.fill(&running);
    let records = trail::records("event", 50);
    bucket.put(&trail::key("CloudTrail", "one"), trail::object(&records)).await;
    says(&mut running, &["cannot write to `output.file`", "No space left"]);
    until_async("what is not written is not deleted", async || is_one(&bucket).await).await;
    disk.free(&running);
    until_async("the message is deleted", async || (bucket.depth().await == (0, 0)).then_some(())).await;
    let out = disk.seen_by(&running);
    assert_eq!(shipped(&out), trail::ids(&records), "each once");
    assert!(documents(&out).len() == 50, "and no half line");
    assert!(running.terminate().0.success());
}

#[test]
fn a_full_disk_for_the_registry_stops_nothing_and_is_caught_up_with() {
    let program = of_files("");
    let (folder, out) = (trail_folder(&program), program.to_files());
    let disk = have!(Disk::in_place_of(&program.data()));
    let mut running = disk.spawn(&program, &["run"], SIZE);
    std::fs::write(folder.join("first.json.gz"), trail::object(&trail::records("first", 5))).unwrap();
    let registry = disk.seen_by(&running).join("registry/file-disk.json");
    let has = |name: &str| {
        let text = std::fs::read_to_string(&registry).unwrap_or_default();
        (serde_json::from_str::<Value>(&text).is_ok() && text.contains(name)).then_some(())
    };
    until("the first file is noted", || has("first.json.gz"));
    disk.fill(&running);
    std::fs::write(folder.join("second.json.gz"), trail::object(&trail::records("second", 5))).unwrap();
    says(&mut running, &["cannot write", "registry/file-disk.", "No space left", "read again after a restart"]);
    until("it is shipped all the same", || (shipped(&out).len() == 10).then_some(()));
    has("first.json.gz").expect("the old registry is untouched");
    disk.free(&running);
    until("the second file is noted", || has("second.json.gz"));
    assert!(running.terminate().0.success());
    assert_eq!(shipped(&out).len(), 10);
}

#[test]
fn a_registry_that_turns_read_only_in_mid_run_is_said_and_written_later() {
    let program = of_files("");
    let (folder, out) = (trail_folder(&program), program.to_files());
    let disk = have!(Disk::in_place_of(&program.data()));
    let mut running = disk.spawn(&program, &["run"], SIZE);
    std::fs::write(folder.join("first.json.gz"), trail::object(&trail::records("first", 5))).unwrap();
    let registry = disk.seen_by(&running).join("registry/file-disk.json");
    until("the first file is noted", || registry.exists().then_some(()));
    disk.forbid(&running, "registry");
    std::fs::write(folder.join("second.json.gz"), trail::object(&trail::records("second", 5))).unwrap();
    says(&mut running, &["registry/file-disk.", "Read-only file system", "read again after a restart"]);
    until("it is shipped all the same", || (shipped(&out).len() == 10).then_some(()));
    disk.allow(&running, "registry");
    until("the second file is noted", || {
        std::fs::read_to_string(&registry).unwrap_or_default().contains("second.json.gz").then_some(())
    });
    assert!(running.terminate().0.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_for_cursors_stops_nothing_and_is_caught_up_with() {
    let aws = have!(Server::aws());
    let groups = Groups::new(&aws);
    groups.create("a").await;
    let (first, second) = (ids("first", 20), ids("second", 20));
    groups.fill("a", &first, now() - 60_000).await;
    let program = Program::new(&groups.input("scan_frequency: 1s"), FILES, "");
    let (out, disk) = (program.to_files(), have!(Disk::in_place_of(&program.data())));
    let mut running = disk.spawn(&program, &["run"], SIZE);
    let state = disk.seen_by(&running).join("registry");
    let cursors = || {
        let entries = std::fs::read_dir(&state).ok()?;
        let path = entries.map(|entry| entry.unwrap().path()).find(|path| path.extension() == Some("json".as_ref()))?;
        std::fs::read_to_string(path).ok()
    };
    until("the first events are shipped", || (shipped(&out).len() == 20).then_some(()));
    let before = until("a cursor is saved", cursors);
    disk.fill(&running);
    groups.fill("a", &second, now() - 30_000).await;
    says(&mut running, &["cursors-not-saved", "No space left", "read again after a restart"]);
    until("they are shipped all the same", || (shipped(&out).len() == 40).then_some(()));
    disk.free(&running);
    until("the cursor has moved", || cursors().filter(|text| *text != before && text.ends_with('}')));
    assert!(running.terminate().0.success());
    assert_eq!(shipped(&out).len(), 40, "each once");
}

#[test]
fn a_full_disk_for_the_log_stops_nothing() {
    let program = of_files("");
    let (folder, out) = (trail_folder(&program), program.to_files());
    let logs = program.folder.path().join("logs");
    let disk = have!(Disk::in_place_of(&logs));
    let text = std::fs::read_to_string(program.folder.path().join("trailship.yml")).unwrap();
    let text = format!("{text}path.logs: {}\n", logs.display());
    std::fs::write(program.folder.path().join("trailship.yml"), text).unwrap();
    let mut running = disk.spawn_quietly(&program, &["run"], SIZE);
    until("it logs", || std::fs::read_dir(disk.seen_by(&running)).ok()?.next().map(drop));
    disk.fill(&running);
    for n in 0..5 {
        let name = format!("file{n}");
        std::fs::write(folder.join(format!("{name}.json.gz")), trail::object(&trail::records(&name, 5))).unwrap();
    }
    until("everything is shipped", || {
        assert!(running.ended().is_none(), "{}", running.said());
        (shipped(&out).len() == 25).then_some(())
    });
    assert!(running.terminate().0.success());
}

#[test]
fn a_full_or_read_only_data_folder_at_the_start_is_said_and_ships_nothing() {
    for (size, why) in [("512k,nr_inodes=2", "No space left"), ("512k,ro", "Read-only file system")] {
        let program = of_files("");
        let (folder, out) = (trail_folder(&program), program.to_files());
        std::fs::write(folder.join("one.json.gz"), trail::object(&trail::records("one", 5))).unwrap();
        let disk = have!(Disk::in_place_of(&program.data()));
        let mut running = disk.spawn(&program, &["run"], size);
        let status = until("it ends", || running.ended());
        assert!(!status.success());
        let (said, data) = (running.said(), program.data());
        assert!(said.contains(why) && said.contains(data.to_str().unwrap()), "{why}: {said}");
        assert!(!said.contains("panicked") && shipped(&out).is_empty(), "{said}");
    }
}

/// How a file of state may be found after an accident.
fn damages(whole: &str) -> Vec<(&'static str, Vec<u8>)> {
    let newer = whole.replacen("\"version\":1", "\"version\":99", 1);
    assert_ne!(newer, whole);
    vec![
        ("empty", Vec::new()),
        ("torn", whole.as_bytes()[..whole.len() / 2].to_vec()),
        ("zeros", vec![0; whole.len()]),
        ("other JSON", b"[1,2,3]".to_vec()),
        ("no UTF-8", vec![0xFF; 20]),
        ("newer", newer.into_bytes()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_state_of_each_kind_stops_the_start_with_its_path() {
    let aws = have!(Server::aws());
    let groups = Groups::new(&aws);
    groups.create("a").await;
    groups.fill("a", &ids("event", 5), now() - 60_000).await;
    let input = format!("  - type: file\n    id: disk\n    paths: ['${{IN}}/**']\n{}", groups.input(""));
    let program = Program::new(&input, FILES, "");
    let (folder, out) = (trail_folder(&program), program.to_files());
    let (object, _) = with_a_broken_record();
    std::fs::write(folder.join("one.json.gz"), object).unwrap();
    program.once();
    let distinct = || shipped(&out).into_iter().collect::<BTreeSet<String>>();
    let before = distinct();
    assert_eq!(before.len(), 15);
    let registry = program.data().join("registry");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&registry).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension() == Some("json".as_ref()));
    assert_eq!(files.len(), 2, "the file input's and the log groups': {files:?}");
    files.push(program.data().join("meta.json"));
    for path in files {
        let whole = std::fs::read_to_string(&path).unwrap();
        for (how, bytes) in damages(&whole) {
            std::fs::write(&path, &bytes).unwrap();
            let output = program.output(&["run", "--once"]);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success(), "{how} {}: {said}", path.display());
            assert!(said.contains(path.to_str().unwrap()) && !said.contains("panicked"), "{how}: {said}");
            assert_eq!(std::fs::read(&path).unwrap(), bytes, "{how}: never replaced silently");
        }
        std::fs::write(&path, whole).unwrap();
    }
    program.once();
    // Files get the overlap of log groups once more after a start.
    assert_eq!(distinct(), before, "state that is whole again is gone on with");
}

#[test]
fn kills_while_state_is_written_leave_state_that_is_whole() {
    const KILLS: u64 = 25;
    let program = of_files("    number_of_workers: 1\n");
    let (folder, out) = (trail_folder(&program), program.to_files());
    let mut expected = BTreeSet::new();
    for n in 0..KILLS {
        for file in 0..6 {
            let records = trail::records(&format!("event-{n:02}-{file}"), 3);
            std::fs::write(folder.join(format!("f{n:02}-{file}.json.gz")), trail::object(&records)).unwrap();
            expected.extend(trail::ids(&records));
        }
        let mut running = program.spawn(&["run"]);
        // At another moment each time, around the first writing of the registry and the next.
        std::thread::sleep(Duration::from_millis(100 + n * 53 % 1_300));
        assert!(running.ended().is_none(), "{}", running.said());
        running.kill();
    }
    program.once();
    let ids: BTreeSet<String> = shipped(&out).into_iter().collect();
    assert_eq!(ids, expected);
}

/// A library that moves the system's clock by the seconds that stand in a file, for a program that loads it first.
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(id, time);
    if (done == 0 && id == CLOCK_REALTIME) {
        long seconds = 0;
        FILE *file = fopen(getenv("CLOCK_OFFSET"), "r");
        if (file) {
            if (fscanf(file, "%ld", &seconds) != 1) seconds = 0;
            fclose(file);
        }
        time->tv_sec += seconds;
    }
    return done;
}
"#;

/// Compiles it. `Err` is why it cannot be had here.
fn clock_library(folder: &Path) -> Result<PathBuf, String> {
    let (source, library) = (folder.join("clock.c"), folder.join("clock.so"));
    std::fs::write(&source, CLOCK).unwrap();
    let built =
        Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl").output();
    match built {
        Ok(built) if built.status.success() => Ok(library),
        Ok(built) => Err(format!("no C compiler that works: {}", String::from_utf8_lossy(&built.stderr))),
        Err(error) => Err(format!("there is no C compiler: {error}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_years_to_and_fro_loses_nothing() {
    if !cfg!(target_os = "linux") {
        return skipped("the clock is moved by a library that Linux loads first");
    }
    let aws = have!(Server::aws());
    let bucket = Trail::new(&aws, true).await;
    let program = Program::new(&bucket.input("visibility_timeout: 5s"), FILES, "http: {enabled: false}");
    let out = program.to_files();
    let library = have!(clock_library(program.folder.path()));
    let offset = program.folder.path().join("offset");
    let set = |seconds: i64| std::fs::write(&offset, seconds.to_string()).unwrap();
    set(0);
    let mut command = program.command(&["run", "--format", "json"]);
    command.env("LD_PRELOAD", library).env("CLOCK_OFFSET", &offset);
    let mut running = program.spawn_as(command);
    says(&mut running, &["messages are received"]);
    const YEAR: i64 = 31_557_600;
    let mut expected = Vec::new();
    for (n, seconds) in [0, 10 * YEAR, -20 * YEAR, -3_600, 60 * YEAR, -70 * YEAR, 0].into_iter().enumerate() {
        set(seconds);
        let records = trail::records(&format!("event-{n}"), 20);
        bucket.put(&trail::key("CloudTrail", &format!("object{n}")), trail::object(&records)).await;
        expected.extend(trail::ids(&records));
        until("its records are shipped", || {
            assert!(running.ended().is_none(), "{}", running.said());
            (shipped(&out).len() == expected.len()).then_some(())
        });
    }
    until_async("every message is deleted", async || (bucket.depth().await == (0, 0)).then_some(())).await;
    let log = running.log().to_owned();
    let (status, printed) = running.terminate();
    let said = std::fs::read_to_string(log).unwrap();
    assert!(status.success() && !said.contains("panicked"), "{said}");
    let summary: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((&summary["indexed"], &summary["inputs"][0]["unbalanced"]), (&json!(140), &json!(0)), "{summary}");
    assert!(summary["seconds"].as_f64().is_some_and(|seconds| (0.0..600.0).contains(&seconds)), "{summary}");
    let ingested = |decade: &str| {
        documents(&out).iter().any(|document| document["event"]["ingested"].as_str().unwrap().starts_with(decade))
    };
    assert!(ingested("203") && ingested("200"), "the clock did not jump, so this showed nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_aws_refuses_is_named_and_nothing_is_lost() {
    let aws = have!(Server::fast());
    let bucket = Trail::new(&aws, true).await;
    let records = trail::records("event", 20);
    let skewed = |op: &str, times: u32| json!([{"op": op, "status": 403, "code": "RequestTimeTooSkewed", "skew_s": -86400, "times": times}]);
    // Once: the SDK learns the server's time from the answer, and signs with it from then on.
    bucket.put(&trail::key("CloudTrail", "one"), trail::object(&records)).await;
    aws.set_faults(&skewed("GetObject", 1)).await;
    let program = Program::new(&bucket.input("visibility_timeout: 5s"), FILES, "");
    let out = program.to_files();
    let summary = program.once();
    assert_eq!(aws.hits().await, [1]);
    assert_eq!((&summary["indexed"], &summary["parked"]), (&json!(20), &json!(0)), "{summary}");
    assert_eq!(bucket.depth().await, (0, 0));

    // For as long as it lasts: said with what to do, held, and gone on with when the clock is right.
    let more = trail::records("later", 20);
    bucket.put(&trail::key("CloudTrail", "two"), trail::object(&more)).await;
    aws.set_faults(&skewed("ReceiveMessage", 1_000)).await;
    let mut running = program.spawn(&["run"]);
    says(&mut running, &["RequestTimeTooSkewed", "clock"]);
    assert_eq!(shipped(&out).len(), 20);
    aws.set_faults(&json!([])).await;
    until("the rest is shipped", || (shipped(&out).len() == 40).then_some(()));
    assert!(running.terminate().0.success());
}
