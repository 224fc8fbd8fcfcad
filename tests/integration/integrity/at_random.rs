//! Notifications in random order, through kills, restarts and faults: what is found at the end is what `trailship validate`
//! finds in the same bucket, each once, and the ledger has the right numbers.
//!
//! A seed decides everything (`plan`), and what fails prints its seed. `SEEDS=100..400` in the environment runs those
//! instead, with a scenario that the seed chooses, `SEEDS=7` one; `SCENE` narrows the choice.

mod expected;
mod plan;

use super::{Object, Scene, Scenes};
use crate::have;
use crate::monitoring::newest_address;
use crate::support::aws::Trail;
use crate::support::index::Index;
use crate::support::program::{Program, Running};
use crate::support::servers::Server;
use expected::{Circumstances, Expected};
use plan::{Plan, Then};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Those that are always run, with their scenarios: every order, interruption and fault is among them.
const SEEDS: [(u64, &str); 12] = [
    (9, "fork"),
    (11, "long-digests"),
    (13, "organization"),
    (18, "unlisted"),
    (34, "backfill"),
    (38, "two-hashes"),
    (39, "foreign-trail"),
    (45, "run-removed"),
    (63, "newest-altered"),
    (78, "own-trail-too"),
    (93, "first-missing"),
    (129, "dotted"),
];
/// Seeds at a time; their programs mostly wait.
const WORKERS: usize = 12;
/// Longest wait until nothing more is awaited.
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn in_any_order_and_through_any_interruption_the_same_is_found() {
    have!(Server::fast());
    let (scenes, seeds) = (have!(Scenes::get()), Arc::new(seeds()));
    let next = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (next, seeds) = (Arc::clone(&next), Arc::clone(&seeds));
            tokio::spawn(async move {
                let mut faults = Vec::new();
                while let Some((seed, scene)) = seeds.get(next.fetch_add(1, Ordering::Relaxed)).cloned() {
                    let (plan, scene) = Plan::of(seed, scenes, &scene);
                    let told = format!("seed {seed}: {plan}");
                    let ended = tokio::spawn(async move { faults_of(plan, scene, scenes).await }).await;
                    let found = ended.unwrap_or_else(|panic| vec![panic.to_string()]);
                    if !found.is_empty() {
                        faults.push(format!("{told}\n    {}", found.join("\n    ")));
                    }
                }
                faults
            })
        })
        .collect();
    let mut faults = Vec::new();
    for worker in workers {
        faults.extend(worker.await.unwrap());
    }
    assert!(faults.is_empty(), "{} of {} seeds:\n{}", faults.len(), seeds.len(), faults.join("\n"));
}

/// Seeds, and what the names of their scenarios contain.
fn seeds() -> Vec<(u64, String)> {
    let Ok(text) = std::env::var("SEEDS") else { return SEEDS.map(|(seed, scene)| (seed, scene.to_owned())).to_vec() };
    let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("`SEEDS` is `7` or `100..400`, not `{text}`"));
    let range = match text.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => number(&text)..number(&text) + 1,
    };
    let scene = std::env::var("SCENE").unwrap_or_default();
    range.map(|seed| (seed, scene.clone())).collect()
}

/// Does what the plan says; everything that is not as it should be.
async fn faults_of(plan: Plan, scene: Scene, scenes: &Scenes) -> Vec<String> {
    let aws = Server::fast().unwrap();
    let (index, trail) = (Index::new().await, Trail::new(&aws, false).await);
    for bucket in scene.buckets() {
        trail.create(bucket).await;
    }
    for object in &scene.objects {
        trail.put_into(&object.bucket, &object.key, object.bytes(), &object.metadata).await;
    }
    let programs: Vec<Program> = (0..plan.processes).map(|_| program(&trail, &index, scenes, &plan)).collect();
    let folder = programs[0].folder.path();
    let (_, report) = tokio::task::block_in_place(|| scene.validate(&aws.url, &scenes.keys(), folder));
    let expected = Expected::new(&scene, &report);

    aws.set_faults(&plan.faults).await;
    index.refuse(plan.refuses);
    let mut processes: Vec<Process> = programs.iter().map(Process::start).collect();
    let (mut first, mut faults) = (None, Vec::new());
    for (n, step) in plan.steps.iter().enumerate() {
        for message in &step.messages {
            trail.send(&notification(message)).await;
        }
        first.get_or_insert_with(Instant::now);
        tokio::time::sleep(step.pause).await;
        if n == 0 {
            aws.set_faults(&json!([])).await;
            index.refuse(false);
        }
        let which = n % processes.len();
        match step.then {
            Then::GoesOn => continue,
            Then::IsKilled => processes[which].running.kill(),
            Then::IsRestarted => {
                let ended = processes.swap_remove(which);
                while ended.address().is_none() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                if !ended.terminate() {
                    faults.push(format!("SIGTERM after batch {n} ends it with a fault"));
                }
                processes.push(Process::start(&programs[which]));
                let last = processes.len() - 1;
                processes.swap(which, last);
                continue;
            }
        }
        processes[which] = Process::start(&programs[which]);
    }
    let drained = drained(&trail).await;
    let took = first.map_or(Duration::ZERO, |first| first.elapsed());
    if !drained {
        faults.push("messages are left in the queue".to_owned());
    }
    let patience = if expected.is_undecidable() { 3 * plan.late_after } else { PATIENCE };
    for process in &processes {
        if !process.is_done(patience).await && !expected.is_undecidable() {
            faults.push(format!("a process still awaits something; its log ends\n{}", end_of(&process.said())));
        }
    }
    for process in processes {
        if !process.terminate() {
            faults.push("a process ends with a fault".to_owned());
        }
    }
    let circumstances = Circumstances {
        // A machine that is too slow for the plan makes everything late.
        late: plan.late || took + Duration::from_secs(2) > plan.late_after,
        shared: plan.processes > 1,
    };
    let documents: Vec<Value> = index.documents("integrity").into_iter().map(|(_, document)| document).collect();
    faults.extend(expected.faults(&documents, circumstances));
    faults
}

fn program(trail: &Trail, index: &Index, scenes: &Scenes, plan: &Plan) -> Program {
    let section = format!(
        "http: {{enabled: true, host: 127.0.0.1, port: 0}}\nstate.elasticsearch.enabled: {}\nintegrity:\n  \
         enabled: true\n  public_keys: {}\n  late_after: {}s\n",
        plan.processes > 1,
        scenes.keys().display(),
        plan.late_after.as_secs(),
    );
    Program::new(&trail.input("visibility_timeout: 2s"), &Program::elasticsearch(&index.url, "random", ""), &section)
}

/// One message about these objects.
fn notification(objects: &[Object]) -> String {
    let records: Vec<Value> = objects
        .iter()
        .map(|object| {
            json!({
                "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
                "eventName": "ObjectCreated:Put", "eventTime": "2025-03-01T00:00:00.000Z",
                "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": object.bucket},
                    "object": {"key": encoded(&object.key), "size": 1}},
            })
        })
        .collect();
    json!({"Records": records}).to_string()
}

/// A key as notifications have it.
fn encoded(key: &str) -> String {
    let mut text = String::new();
    for byte in key.bytes() {
        match byte {
            b' ' => text.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => text.push(char::from(byte)),
            _ => text += &format!("%{byte:02X}"),
        }
    }
    text
}

/// Waits until every message is deleted.
async fn drained(trail: &Trail) -> bool {
    let started = Instant::now();
    while trail.depth().await != (0, 0) {
        if started.elapsed() > PATIENCE {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    true
}

/// One run of a program.
struct Process {
    running: Running,
    /// Bytes that runs before it have logged.
    before: usize,
}

impl Process {
    fn start(program: &Program) -> Process {
        let log = program.folder.path().join("stderr.log");
        let before = std::fs::read(log).map_or(0, |said| said.len());
        Process { running: program.spawn(&["run"]), before }
    }

    fn said(&self) -> String {
        self.running.said().split_off(self.before)
    }

    /// Where it serves its figures, once it does.
    fn address(&self) -> Option<String> {
        newest_address(&self.said())
    }

    /// Waits until it has nothing to look at any more, and nothing to send.
    async fn is_done(&self, patience: Duration) -> bool {
        let (started, client) = (Instant::now(), reqwest::Client::builder().no_proxy().build().unwrap());
        while started.elapsed() < patience {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let Some(address) = self.address() else { continue };
            let Ok(answer) = client.get(format!("{address}/metrics")).send().await else { continue };
            let text = answer.text().await.unwrap_or_default();
            let is_empty = |name: &str| text.lines().any(|line| line == format!("trailship_integrity_{name} 0"));
            // Before its first look at the store it knows of nothing.
            if is_empty("awaiting") && is_empty("outbox") && !is_empty("store_bytes") {
                return true;
            }
        }
        false
    }

    /// SIGTERM; whether it ends well.
    fn terminate(self) -> bool {
        tokio::task::block_in_place(|| self.running.terminate()).0.success()
    }
}

fn end_of(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
