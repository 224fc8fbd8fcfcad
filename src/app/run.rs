//! Runs inputs, mill and output until the sources are drained or somebody says stop.
//!
//! Start goes downstream to upstream, the end goes the other way by channels closing: inputs return, the mill flushes
//! and ends, the senders run out of bulks. After `shutdown_timeout` what is left is dropped, which gives it back.

use super::identity::{Identity, IdentityError};
use super::settings::Settings;
use crate::ack::{Counters, Counts};
use crate::ecs;
use crate::filter::{Rule, Rules};
use crate::inputs::kinds::Configured;
use crate::inputs::{Context, InputError, Progress};
use crate::output::kinds::{self, OutputError};
use crate::output::parking::Parking;
use crate::output::{Bulk, Output};
use crate::pipeline::{Mill, MillSettings};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Bulks that wait for a sender, beside those being sent.
const WAITING_BULKS: usize = 1;
/// How often the watcher is told.
const TICK: Duration = Duration::from_millis(250);

/// Why a run ended in failure.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("cannot open the dead letter: {0}")]
    Parking(String),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    /// What the run did all the same comes with the reasons.
    #[error("{}", .reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Inputs { reasons: Vec<InputError>, summary: Box<Summary> },
}

/// How a run is told to end. Clones are the same.
#[derive(Clone, Default)]
pub struct Stop {
    stop: CancellationToken,
    abort: CancellationToken,
    signals: Arc<AtomicU32>,
}

impl Stop {
    /// The first call drains and gives back, the second drops everything at once. True for the first.
    pub fn signal(&self) -> bool {
        let first = self.signals.fetch_add(1, Relaxed) == 0;
        self.stop.cancel();
        if !first {
            self.abort.cancel();
        }
        first
    }
}

/// What one input has done.
#[derive(Debug, Clone, Serialize)]
pub struct InputStatus {
    pub id: String,
    #[serde(flatten)]
    pub records: Counts,
    /// `received` less all outcomes; 0 unless the program is wrong.
    pub unbalanced: i64,
    pub objects: u64,
    pub skipped: u64,
    pub bytes: u64,
    /// Messages or files that wait, when known.
    pub waiting: Option<u64>,
    pub messages_received: u64,
    pub messages_deleted: u64,
    pub messages_released: u64,
    pub messages_unknown: u64,
    /// For inputs that read log groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_groups: Option<LogGroupStatus>,
}

/// What an input has done with log groups.
#[derive(Debug, Clone, Serialize)]
pub struct LogGroupStatus {
    /// Groups that are read, and those of them that fail at present.
    pub groups: u64,
    pub failing: u64,
    /// Events that were recognised as read before.
    pub repeated: u64,
    /// Calls under the quota: let through, ms that they waited for it, answers that they are too many.
    pub calls_granted: u64,
    pub calls_waited_ms: u64,
    pub calls_throttled: u64,
}

/// What a run has done.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    pub inputs: Vec<InputStatus>,
    /// Objects and records of all inputs.
    pub objects: u64,
    pub records: u64,
    pub indexed: u64,
    pub duplicate: u64,
    pub filtered: u64,
    pub parked: u64,
    /// Records whose document had to be changed for the index to take it, whatever their outcome.
    pub repaired: u64,
    /// Parked records by reason.
    pub parked_by_code: BTreeMap<String, u64>,
    /// Filtered records by the `id` or the place of the rule that dropped them; rules that dropped none have 0.
    pub filtered_by_rule: BTreeMap<String, u64>,
    /// Documents that a processor failed on, by its `id` or place.
    pub failed_by_rule: BTreeMap<String, u64>,
    pub seconds: f64,
}

/// Told four times a second how far the run is.
pub type Watch<'a> = &'a mut (dyn FnMut(&Summary) + Send);

/// Ships until the inputs return or `stop` is signalled.
///
/// # Errors
/// [`RunError`]. Records that have no outcome then were given back to their sources.
pub async fn run(settings: Settings, once: bool, stop: &Stop, watch: Watch<'_>) -> Result<Summary, RunError> {
    let started = Instant::now();
    // Reading the rules takes a moment that the first object need not wait for.
    std::thread::spawn(ecs::preload_user_agents);
    if let Some(geoip) = settings.geoip() {
        geoip.watch().map_err(RunError::Thread)?;
    }
    let identity = Identity::take(&settings.data)?;
    let parking = Arc::new(
        Parking::open(&settings.data.join("dead-letter")).map_err(|error| RunError::Parking(error.to_string()))?,
    );
    let output = settings.output.open(kinds::Context { parking: Arc::clone(&parking), stop: stop.stop.clone() })?;
    let (bulks, queue) = mpsc::channel(WAITING_BULKS);
    let mut senders = send(&output, queue, &stop.abort);
    let mapping = Arc::new(settings.mapping(&identity));
    let mill = MillSettings {
        threads: settings.threads,
        mapping: Arc::clone(&mapping),
        shape: output.shape(),
        limits: settings.limits,
        budget: settings.budget,
        flush_timeout: settings.flush_timeout,
    };
    let (mill, threads) = Mill::start(&mill, &parking, &bulks).map_err(RunError::Thread)?;
    drop(bulks);

    let mut watched = Vec::new();
    let mut inputs = JoinSet::new();
    let mut rules = settings.processors.clone();
    for Configured { input, own } in settings.inputs {
        rules.extend(own.rules().iter().cloned());
        let own = Arc::new(Rules::new(&mapping, own, &settings.processors));
        let (counters, progress) = (Arc::new(Counters::default()), Arc::new(Progress::default()));
        progress.waiting.store(u64::MAX, Relaxed);
        watched.push((input.id().to_owned(), Arc::clone(&counters), Arc::clone(&progress)));
        let context = Context {
            mill: mill.with(own),
            parking: Arc::clone(&parking),
            counters,
            progress,
            once,
            stop: stop.stop.clone(),
            abort: stop.abort.clone(),
            data: settings.data.clone(),
            shared: settings.shared.clone(),
        };
        inputs.spawn(input.run(context));
    }
    drop(mill);

    let summary = |started: Instant| summarize(&watched, &rules, &parking, started);
    let mut failures = Vec::new();
    let mut ticks = tokio::time::interval(TICK);
    let mut threads = Some(threads);
    let mut joining: JoinSet<()> = JoinSet::new();
    let mut deadline = None;
    loop {
        tokio::select! {
            Some(ended) = inputs.join_next() => match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::error!("{error}");
                    failures.push(error);
                    // One input that cannot run must not leave the others half watched.
                    stop.stop.cancel();
                }
                Err(error) => {
                    failures.push(InputError { input: "?".to_owned(), reason: format!("ended by a fault inside trailship: {error}") });
                    stop.stop.cancel();
                }
            },
            Some(_) = joining.join_next() => {}
            Some(ended) = senders.join_next() => if let Err(error) = ended {
                failures.push(InputError { input: "all".to_owned(), reason: format!("a sender was ended by a fault inside trailship: {error}") });
                stop.stop.cancel();
            },
            _ = ticks.tick() => watch(&summary(started)),
            () = stop.stop.cancelled(), if deadline.is_none() => deadline = Some(tokio::time::Instant::now() + settings.shutdown_timeout),
            () = async { match deadline { Some(at) => tokio::time::sleep_until(at).await, None => std::future::pending().await } }, if !stop.abort.is_cancelled() => {
                tracing::warn!("`shutdown_timeout` is over; what has no outcome is given back");
                stop.abort.cancel();
            }
        }
        if inputs.is_empty() {
            if let Some(threads) = threads.take() {
                joining.spawn_blocking(move || threads.join());
            }
            if joining.is_empty() && senders.is_empty() {
                break;
            }
        }
    }
    let last = summary(started);
    watch(&last);
    drop(identity);
    if failures.is_empty() { Ok(last) } else { Err(RunError::Inputs { reasons: failures, summary: Box::new(last) }) }
}

/// Starts the senders: each takes the next bulk and stays with it until every record has an outcome.
fn send(output: &Arc<dyn Output>, queue: mpsc::Receiver<Bulk>, abort: &CancellationToken) -> JoinSet<()> {
    let queue = Arc::new(Mutex::new(queue));
    let mut senders = JoinSet::new();
    for _ in 0..output.concurrency().max(1) {
        let (output, queue, abort) = (Arc::clone(output), Arc::clone(&queue), abort.clone());
        senders.spawn(async move {
            let deliver = async {
                loop {
                    let bulk = queue.lock().await.recv().await;
                    match bulk {
                        Some(bulk) => output.deliver(bulk).await,
                        None => return,
                    }
                }
            };
            tokio::select! {
                () = deliver => {}
                // Dropping the bulk gives its records back.
                () = abort.cancelled() => queue.lock().await.close(),
            }
        });
    }
    senders
}

fn log_groups(progress: &Progress) -> Option<LogGroupStatus> {
    let status = LogGroupStatus {
        groups: progress.groups.load(Relaxed),
        failing: progress.failing.load(Relaxed),
        repeated: progress.repeated.load(Relaxed),
        calls_granted: progress.granted.load(Relaxed),
        calls_waited_ms: progress.waited.load(Relaxed),
        calls_throttled: progress.throttled.load(Relaxed),
    };
    (status.groups > 0 || status.calls_granted > 0).then_some(status)
}

fn summarize(
    inputs: &[(String, Arc<Counters>, Arc<Progress>)],
    rules: &[Arc<Rule>],
    parking: &Parking,
    started: Instant,
) -> Summary {
    let inputs: Vec<InputStatus> = inputs
        .iter()
        .map(|(id, counters, progress)| {
            let records = counters.read();
            let waiting = progress.waiting.load(Relaxed);
            InputStatus {
                id: id.clone(),
                records,
                unbalanced: records.unbalanced(),
                objects: progress.objects.load(Relaxed),
                skipped: progress.skipped.load(Relaxed),
                bytes: progress.bytes.load(Relaxed),
                waiting: (waiting != u64::MAX).then_some(waiting),
                messages_received: progress.received.load(Relaxed),
                messages_deleted: progress.deleted.load(Relaxed),
                messages_released: progress.released.load(Relaxed),
                messages_unknown: progress.unknown.load(Relaxed),
                log_groups: log_groups(progress),
            }
        })
        .collect();
    let sum = |of: fn(&InputStatus) -> u64| inputs.iter().map(of).sum();
    let (mut filtered_by_rule, mut failed_by_rule) = (BTreeMap::new(), BTreeMap::new());
    for rule in rules {
        if rule.drops() {
            *filtered_by_rule.entry(rule.label().to_owned()).or_default() += rule.dropped();
        }
        if rule.failed() > 0 {
            *failed_by_rule.entry(rule.label().to_owned()).or_default() += rule.failed();
        }
    }
    Summary {
        objects: sum(|input| input.objects),
        records: sum(|input| input.records.received),
        indexed: sum(|input| input.records.indexed),
        duplicate: sum(|input| input.records.duplicate),
        filtered: sum(|input| input.records.filtered),
        parked: sum(|input| input.records.parked),
        repaired: sum(|input| input.records.repaired),
        parked_by_code: parking.counts().into_iter().map(|(code, n)| (code.to_owned(), n)).collect(),
        filtered_by_rule,
        failed_by_rule,
        seconds: started.elapsed().as_secs_f64(),
        inputs,
    }
}
