//! The embedded default: no server, no account.

use crate::support::program::Program;
use serde_json::Value;
use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn lines(folder: &Path) -> Vec<Value> {
    let mut documents = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        documents.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
    }
    documents
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
    let documents = lines(&folder.path().join("out"));
    assert_eq!(summary["parked"], 0, "{summary}");
    let events: HashSet<(String, String)> = documents
        .iter()
        .filter_map(|document| {
            let id = document["event"]["id"].as_str()?;
            Some((
                id.to_owned(),
                document["aws"]["cloudtrail"]["recipient_account_id"].as_str().unwrap_or_default().to_owned(),
            ))
        })
        .collect();
    assert_eq!(events.len(), documents.iter().filter(|d| !d["event"]["id"].is_null()).count(), "each event once");
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
    let (input, out) = (program.folder.path().join("in"), program.folder.path().join("out"));
    std::fs::create_dir_all(&input).unwrap();
    let configuration = program.folder.path().join("trailship.yml");
    let text = std::fs::read_to_string(&configuration).unwrap();
    std::fs::write(
        &configuration,
        text.replace("${IN}", input.to_str().unwrap()).replace("${OUT}", out.to_str().unwrap()),
    )
    .unwrap();
    let mut running = program.spawn(&["run", "--format", "json"]);
    for n in 0..3 {
        std::fs::write(
            input.join("part"),
            crate::support::trail::object(&crate::support::trail::records(&format!("file{n}"), 10)),
        )
        .unwrap();
        move_into_place(&input.join("part"), &input.join(format!("{n}.json.gz")));
        crate::support::program::until("the file is shipped", || {
            assert!(running.ended().is_none(), "{}", running.said());
            (out.exists() && lines(&out).len() == (n + 1) * 10).then_some(())
        });
    }
    let log = running.log().to_owned();
    let (status, printed) = running.terminate();
    assert!(status.success(), "{}", std::fs::read_to_string(log).unwrap());
    let summary: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(summary["indexed"], 30, "{summary}");
}

#[expect(clippy::disallowed_methods, reason = "as `aws s3 sync` does")]
fn move_into_place(from: &Path, to: &Path) {
    std::fs::rename(from, to).unwrap();
}
