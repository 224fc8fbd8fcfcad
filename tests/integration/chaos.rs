//! A short run of `make chaos` on each engine (docs/chaos.md): nothing lost, nothing doubled, counters balanced.

use crate::support::servers::{engines, skipped};
use std::path::Path;
use std::process::{Command, Stdio};

/// What is spoilt follows from it, so that the test does the same each time. Longer runs take others.
const SEED: &str = "6";
const SECONDS: &str = "30";
/// Of the scripts: a server cannot be had here.
const SKIPPED: i32 = 3;

#[test]
fn calls_that_are_spoilt_and_kills_lose_nothing_and_double_nothing() {
    for engine in engines() {
        chaos("run.py", &["--seconds", SECONDS, "--seed", SEED, "--engine", &engine]);
    }
}

#[test]
fn s3_and_sqs_of_other_make_lose_nothing_and_double_nothing() {
    chaos("run.py", &["--seconds", "15", "--seed", SEED, "--engine", &engines()[0], "--aws", "aws"]);
}

#[test]
fn each_fault_by_itself_is_overcome_by_a_run_to_the_end() {
    chaos("each.py", &["--engine", &engines()[0]]);
}

#[test]
fn a_loss_and_a_double_would_be_noticed() {
    chaos("run.py", &["--prove", "--seconds", "5", "--seed", SEED, "--engine", &engines()[0]]);
}

fn chaos(script: &str, arguments: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let started = Command::new("python3")
        .arg(root.join("tests/chaos").join(script))
        .args(arguments)
        .env("TRAILSHIP", env!("CARGO_BIN_EXE_trailship"))
        .stdin(Stdio::null())
        .output();
    let output = match started {
        Ok(output) => output,
        Err(error) => return skipped(&format!("python3 cannot be run: {error}")),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(SKIPPED) {
        return skipped(said.trim());
    }
    assert!(output.status.success(), "{}\n{said}", String::from_utf8_lossy(&output.stdout));
}
