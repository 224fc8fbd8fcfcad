//! Hostile input: texts that are mutated from a corpus, thrown at every reader of what comes from outside.
//!
//! Without settings each target gets a few thousand texts, the same on every run. `make fuzz` goes on for
//! `FUZZ_SECONDS` with `FUZZ_SEED` (printed when none is given) and leaves a text that breaks something in
//! `target/fuzz/`, to be added to the corpus with its mend.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "a person waits for the result of a long run")]

mod mutate;
mod targets;

use mutate::Mutator;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Texts for each target in a run without settings.
const TEXTS: u64 = 4_000;
/// Longest text, in bytes; what is long is tested elsewhere.
const LONGEST: usize = 64 << 10;

/// Runs one target; `check` panics when what must always hold does not.
fn fuzz(name: &str, check: impl Fn(&[u8]) + std::panic::RefUnwindSafe) {
    let corpus = corpus(name);
    assert!(!corpus.is_empty(), "tests/fuzz/corpus/{name} is empty");
    // Every text of the corpus once broke something, or shows what is right.
    for text in &corpus {
        check(text);
    }
    let seed = setting("FUZZ_SEED").unwrap_or(1);
    let deadline = setting("FUZZ_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut mutator = Mutator::new(seed ^ hash(name), corpus, LONGEST);
    let mut done = 0u64;
    while deadline.map_or(done < TEXTS, |end| Instant::now() < end) {
        let text = mutator.next();
        if let Err(panic) = std::panic::catch_unwind(|| check(&text)) {
            let kept = keep(name, &text);
            eprintln!("target {name}, seed {seed}, text {done}: kept as {}", kept.display());
            std::panic::resume_unwind(panic);
        }
        done += 1;
    }
    if deadline.is_some() {
        eprintln!("target {name}, seed {seed}: {done} texts, nothing found");
    }
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = root().join("tests/fuzz/corpus").join(name);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

fn keep(name: &str, text: &[u8]) -> PathBuf {
    let folder = root().join("target/fuzz");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{name}-{:016x}", hash(&String::from_utf8_lossy(text))));
    std::fs::write(&path, text).unwrap();
    path
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn records_become_documents() {
    fuzz("record", targets::record);
}

#[test]
fn objects_are_inflated_and_split() {
    fuzz("object", targets::object);
}

#[test]
fn notifications_are_read() {
    fuzz("notification", targets::notification);
}

#[test]
fn keys_are_read() {
    fuzz("key", targets::key);
}

#[test]
fn configurations_are_read() {
    fuzz("config", targets::config);
}

#[test]
fn state_is_read() {
    fuzz("state", targets::state);
}
