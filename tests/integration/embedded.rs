//! The embedded default: no server, no account.

use crate::support::program::{Program, documents, until};
use crate::support::trail;
use serde_json::Value;
use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_example_configuration_ships_the_sample_trail() {
    let folder = tempfile::tempdir().unwrap();
    let run = || {
        Command::new(env!("CARGO_BIN_EXE_trailship"))
            .args(["run", "-c", "config.example.yml", "--once", "--format", "json", "-e", "--path.data"])
            .arg(folder.path().join("data"))
            .arg("-E")
            .arg(format!("output.file.path={}", folder.path().join("out").display()))
            .current_dir(root())
            .output()
            .unwrap()
    };
    let output = run();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected: Value =
        serde_json::from_str(&std::fs::read_to_string(root().join("samples/expected.json")).unwrap()).unwrap();
    let shipped = documents(&folder.path().join("out"));
    assert_eq!(summary["parked"], 0, "{summary}");
    let events: HashSet<(String, String)> = shipped
        .iter()
        .filter_map(|document| {
            let id = document["event"]["id"].as_str()?;
            Some((
                id.to_owned(),
                document["aws"]["cloudtrail"]["recipient_account_id"].as_str().unwrap_or_default().to_owned(),
            ))
        })
        .collect();
    assert_eq!(events.len(), shipped.iter().filter(|d| !d["event"]["id"].is_null()).count(), "each event once");
    assert_eq!(summary["duplicate"], expected["duplicates"], "{summary}");
    // The registry knows what is done.
    let again = run();
    let summary: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(summary["records"], 0, "{summary}");
}

#[test]
fn a_followed_folder_ships_what_comes_and_ends_on_sigterm() {
    let program =
        Program::new("  - type: file\n    paths: ['${IN}']\n    scan_frequency: 100ms", "output.file.path: ${OUT}", "");
    let (input, out) = (program.fill("IN", "in"), program.to_files());
    std::fs::create_dir_all(&input).unwrap();
    let mut running = program.spawn(&["run", "--format", "json"]);
    for n in 0..3 {
        std::fs::write(input.join("part"), trail::object(&trail::records(&format!("file{n}"), 10))).unwrap();
        move_into_place(&input.join("part"), &input.join(format!("{n}.json.gz")));
        until("the file is shipped", || {
            assert!(running.ended().is_none(), "{}", running.said());
            (out.exists() && documents(&out).len() == (n + 1) * 10).then_some(())
        });
    }
    let log = running.log().to_owned();
    let (status, printed) = running.terminate();
    assert!(status.success(), "{}", std::fs::read_to_string(log).unwrap());
    let summary: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(summary["indexed"], 30, "{summary}");
}

/// Standard output holds the program up, so that the stop comes in the middle whatever the speed.
#[test]
fn sigterm_with_a_backlog_of_files_finishes_what_is_begun_and_leaves_the_rest() {
    const FILES: usize = 60;
    let input = "  - type: file\n    paths: ['${IN}/**']\n    number_of_workers: 2";
    let program = Program::new(input, "output.console.enabled: true", "max_procs: 1");
    let folder = program.fill("IN", "in");
    std::fs::create_dir_all(folder.join("AWSLogs")).unwrap();
    let mut events = Vec::new();
    for n in 0..FILES {
        let records = trail::records(&format!("file{n:03}"), 200);
        std::fs::write(folder.join(format!("AWSLogs/{n:03}.json.gz")), trail::object(&records)).unwrap();
        events.extend(trail::ids(&records));
    }
    let mut running = program.spawn(&["run"]);
    let first = running.line();
    let log = running.log().to_owned();
    let (status, rest) = running.terminate();
    assert!(status.success(), "{}", std::fs::read_to_string(log).unwrap());
    let mut shipped = printed_ids(&format!("{first}{rest}"));
    assert!(shipped.len() < events.len(), "the stop came too late to show anything");
    assert_eq!(shipped.len() % 200, 0, "whole files");

    // What was finished is remembered, the rest is shipped now.
    let output = program.output(&["run", "--once"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    shipped.extend(printed_ids(&String::from_utf8(output.stdout).unwrap()));
    shipped.sort();
    assert_eq!(shipped, events, "each event once");
}

fn printed_ids(text: &str) -> Vec<String> {
    let documents = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    documents.map(|document| document["event"]["id"].as_str().unwrap().to_owned()).collect()
}

#[expect(clippy::disallowed_methods, reason = "as `aws s3 sync` does")]
fn move_into_place(from: &Path, to: &Path) {
    std::fs::rename(from, to).unwrap();
}
