//! Every scenario of `tests/chain/`, shipped: what is found in line is what `trailship validate` finds in the same bucket.

use super::{Scene, Scenes, Watched, set};
use crate::have;
use crate::support::program::Running;
use crate::support::servers::Server;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Scenarios at a time; each has a process of its own that mostly waits.
const WORKERS: usize = 8;
/// Longest wait for the findings of a scenario.
const PATIENCE: Duration = Duration::from_secs(40);

/// The action of what `trailship validate` finds; `None` for what can only be told of a window, or of names that nobody
/// is misled by here.
pub fn action(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "digest_missing" | "gap" => "digest_missing",
        "digest_malformed" | "digest_trailing_data" | "digest_moved" | "digest_inconsistent" => "digest_altered",
        "digest_unsigned"
        | "digest_algorithm"
        | "digest_key_unknown"
        | "digest_key_fingerprint"
        | "digest_key_expired"
        | "digest_signature_wrong" => "digest_signature_invalid",
        "chain_hash_mismatch" | "chain_signature_mismatch" | "chain_discontinuity" | "chain_orphan" | "chain_loop" => {
            "chain_broken"
        }
        "chain_restarted" => "chain_restarted",
        "log_missing" => "log_file_missing",
        "log_altered" | "log_trailing_data" | "log_cut" | "log_malformed" => "log_file_altered",
        "log_unlisted" => "log_file_unlisted",
        "head_uncovered" | "tail_uncovered" | "no_digests" | "foreign_trail" | "foreign_object" | "unreadable" => {
            return None;
        }
        other => panic!("`{other}` has no action"),
    })
}

/// Where the two differ, and why.
pub const DIFFERENT: &[(&str, &[&str], &str)] =
    &[("no-list", &["digest_altered"], "no digest covers the two hours after the file that it should list")];

#[tokio::test(flavor = "multi_thread")]
async fn in_line_finds_what_validate_finds() {
    let (aws, scenes) = (have!(Server::fast()), have!(Scenes::get()));
    let only = std::env::var("SCENE").unwrap_or_default();
    let chosen: Arc<Vec<Scene>> =
        Arc::new(scenes.all().iter().filter(|scene| scene.name.contains(&only)).cloned().collect());
    let next = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (aws, chosen, next) = (Arc::clone(&aws), Arc::clone(&chosen), Arc::clone(&next));
            tokio::spawn(async move {
                let mut faults = Vec::new();
                while let Some(scene) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    faults.extend(differs(&aws, scenes, scene).await);
                }
                faults
            })
        })
        .collect();
    let mut faults = Vec::new();
    for worker in workers {
        faults.extend(worker.await.unwrap());
    }
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), chosen.len(), faults.join("\n"));
}

/// Ships a scenario; says how its findings differ from what they should be.
async fn differs(aws: &Arc<Server>, scenes: &Scenes, scene: &Scene) -> Option<String> {
    let watched = Watched::new(aws, scenes, scene, "", "").await;
    watched.put_all(&scene.objects).await;
    let (kinds, report) = scene.validate(&aws.url, &scenes.keys(), watched.program.folder.path());
    let expected = match DIFFERENT.iter().find(|(name, ..)| *name == scene.name) {
        Some((_, actions, _)) => set(actions),
        None => kinds.iter().filter_map(|kind| action(kind)).map(str::to_owned).collect(),
    };
    let running = watched.run();
    let found = settled(&watched, scene, &expected).await;
    let hours = repeated(&watched.hours());
    assert!(ended(running), "{}", scene.name);
    let told = || {
        let reasons: Vec<String> = watched
            .findings()
            .iter()
            .map(|it| {
                format!("    {}: {} {}", it["event"]["action"], it["aws"]["s3"]["object"]["key"], it["event"]["reason"])
            })
            .collect();
        reasons.join("\n")
    };
    if found != expected {
        let name = &scene.name;
        return Some(format!(
            "{name}: {found:?} and not {expected:?}\n{}\n    {kinds:?} {}",
            told(),
            report["verdict"]
        ));
    }
    hours.then(|| format!("{}: an hour was said twice", scene.name))
}

/// Waits until all is found that should be, and until every hour is closed, after which nothing is awaited.
async fn settled(watched: &Watched, scene: &Scene, expected: &BTreeSet<String>) -> BTreeSet<String> {
    let started = Instant::now();
    loop {
        let found = watched.actions();
        let is_over = found.is_superset(expected) && watched.hours().len() >= scene.hours().len();
        if is_over || started.elapsed() > PATIENCE {
            // What is false would be said with the rest, or soon after.
            tokio::time::sleep(Duration::from_secs(3)).await;
            return watched.actions();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn ended(running: Running) -> bool {
    running.terminate().0.success()
}

fn repeated(hours: &[Value]) -> bool {
    let distinct: BTreeSet<String> = hours
        .iter()
        .map(|it| {
            format!("{} {} {}", it["cloud"]["account"]["id"], it["cloud"]["region"], it["trailship"]["ledger"]["hour"])
        })
        .collect();
    distinct.len() != hours.len()
}
