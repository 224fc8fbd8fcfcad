//! One run of the input: a queue of found files, the reads under way, the files that wait for their verdict.
//!
//! Invariants: a file enters the registry only when its verdict says that every record has an outcome; after a stop no
//! file is begun. Nothing here waits for the disk on an async thread.

use super::config::FileConfig;
use super::registry::Registry;
use super::walk::{Found, Walk};
use super::{LocalFile, look};
use crate::ack::{Delivery, Verdict};
use crate::ecs::Origin;
use crate::inputs::Context;
use crate::inputs::order::{self, Order};
use crate::inputs::reader::{self, Read, Subject};
use crate::inputs::selection::Selection;
use crate::output::Source;
use crate::state::StateError;
use crate::telemetry::repeats::Repeats;
use crate::visible;
use jiff::tz::TimeZone;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

/// How often acknowledged files are written to the registry, at most.
const SAVE: Duration = Duration::from_secs(1);
/// Tries of a file that fails, in a run with `--once`.
const TRIES: u32 = 3;

pub struct Run {
    config: FileConfig,
    selection: Selection,
    context: Context,
    /// Locked for the disk on threads that may block, and here only while nothing is under way there.
    registry: Arc<Mutex<Registry>>,
    verdicts: UnboundedSender<Verdict>,
    settled: UnboundedReceiver<Verdict>,
    queue: VecDeque<Found>,
    open: HashMap<u64, Found>,
    next: u64,
    reads: JoinSet<(String, Read)>,
    failures: HashMap<String, u32>,
    /// What keeps a run with `--once` from success.
    faults: Vec<String>,
    /// Faults of looks, and of files by path and reason.
    looks: Repeats<String>,
    unreadable: Repeats<(String, String)>,
}

impl Run {
    pub fn new(config: FileConfig, selection: Selection, context: Context, registry: Registry) -> Run {
        let (verdicts, settled) = unbounded_channel();
        Run {
            config,
            selection,
            context,
            registry: Arc::new(Mutex::new(registry)),
            verdicts,
            settled,
            queue: VecDeque::new(),
            open: HashMap::new(),
            next: 0,
            reads: JoinSet::new(),
            failures: HashMap::new(),
            faults: Vec::new(),
            looks: Repeats::default(),
            unreadable: Repeats::default(),
        }
    }

    /// Reads until the context says stop, or until all is read when `once`.
    ///
    /// # Errors
    /// With `once`, what could not be read or found; else a registry that cannot be written at the end.
    pub async fn run(mut self) -> Result<(), String> {
        let mut saves = tokio::time::interval(SAVE);
        let mut looks = tokio::time::interval(self.config.scan_frequency.get().max(Duration::from_millis(100)));
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut looked = false;
        loop {
            let stopping = self.context.stop.is_cancelled();
            if stopping {
                self.queue.clear();
            }
            self.start_reads();
            let idle = self.queue.is_empty() && self.open.is_empty() && self.reads.is_empty();
            if idle && (stopping || (self.context.once && looked)) {
                break;
            }
            tokio::select! {
                Some(verdict) = self.settled.recv() => self.verdict(verdict),
                Some(ended) = self.reads.join_next() => if let Ok((path, read)) = ended {
                    self.ended(&path, &read);
                },
                _ = looks.tick(), if !stopping && self.queue.is_empty() && !(looked && self.context.once) => {
                    self.look().await;
                    looked = true;
                }
                _ = saves.tick() => if let Err(reason) = self.save().await {
                    tracing::error!(input = %self.config.id, "{reason}; files may be read again after a restart");
                },
                // The loop begins anew and sees it.
                () = self.context.stop.cancelled(), if !stopping => {}
                () = self.context.abort.cancelled() => break,
            }
        }
        while let Ok(verdict) = self.settled.try_recv() {
            self.verdict(verdict);
        }
        self.save().await?;
        if self.context.once && !self.faults.is_empty() {
            return Err(self.faults.join("; "));
        }
        Ok(())
    }

    async fn look(&mut self) {
        let look = look(&self.config, &self.selection);
        let Some(Walk { found, skipped, faults, .. }) = self.context.stop.run_until_cancelled(look).await else {
            return;
        };
        self.context.progress.skipped.store(skipped, Relaxed);
        for fault in &faults {
            if let Some(due) = self.looks.occurred(fault.clone()) {
                tracing::warn!(input = %self.config.id, times = due.times, "{fault}");
            }
        }
        let present: HashSet<&str> = faults.iter().map(String::as_str).collect();
        self.looks.only(|fault| present.contains(fault.as_str()));
        if self.context.once {
            self.faults.extend(faults);
        } else {
            // A panic in there, which is a bug, leaves the registry as it was or without a few of the gone.
            let _ = self.on_disk(Registry::forget_the_gone).await;
        }
        let here: HashSet<&str> = found.iter().map(|found| found.path.as_str()).collect();
        self.unreadable.only(|(path, _)| here.contains(path.as_str()));
        let under_way: HashSet<&str> = self.open.values().map(|found| found.path.as_str()).collect();
        let registry = lock(&self.registry);
        let mut found: Vec<Found> = found
            .into_iter()
            .filter(|found| !registry.is_done(&found.path, found.mark) && !under_way.contains(found.path.as_str()))
            .collect();
        if self.config.order == Order::Newest {
            found.sort_by_cached_key(|found| std::cmp::Reverse(newness(found)));
        }
        self.queue.extend(found);
        self.context.progress.waiting.store(self.queue.len() as u64, Relaxed);
    }

    fn start_reads(&mut self) {
        while self.reads.len() < self.config.number_of_workers.max(1) {
            let Some(found) = self.queue.pop_front() else { return };
            self.context.progress.waiting.store(self.queue.len() as u64, Relaxed);
            let key = self.next;
            self.next += 1;
            let delivery = Delivery::open(key, Arc::clone(&self.context.counters), self.verdicts.clone());
            let part = delivery.part();
            delivery.seal();
            let subject = subject(&self.config.id, &found.path, found.digest);
            let object = LocalFile { path: found.path.clone() };
            self.open.insert(key, found);
            let context = self.context.clone();
            self.reads.spawn(async move {
                let read = reader::read(&context, part, &subject, &object).await;
                (object.path, read)
            });
        }
    }

    /// Says how a read ended, when it ended badly.
    fn ended(&mut self, path: &str, read: &Read) {
        match read {
            Read::Done { ignored: 0, .. } => {
                self.unreadable.only(|(other, _)| other != path);
            }
            Read::Done { ignored, .. } => {
                tracing::warn!(file = %path, "{ignored} records of the file are left out, as `on_fault` says")
            }
            Read::Ignored { reason } => {
                tracing::warn!(file = %path, "the file is left out, as `on_fault` says: {reason}")
            }
            Read::Parked { reason } => {
                tracing::error!(file = %path, "the file is parked in the dead letter: {reason}")
            }
            Read::Failed { reason, .. } => {
                if let Some(due) = self.unreadable.occurred((path.to_owned(), reason.clone())) {
                    tracing::error!(file = %path, times = due.times, "the file cannot be read: {reason}")
                }
            }
        }
    }

    fn verdict(&mut self, verdict: Verdict) {
        let Some(found) = self.open.remove(&verdict.key) else { return };
        if verdict.settled {
            self.failures.remove(&found.path);
            return lock(&self.registry).done(found.path, found.mark);
        }
        if self.context.stop.is_cancelled() || !self.context.once {
            // The next look finds it again.
            return;
        }
        let failures = self.failures.entry(found.path.clone()).or_default();
        *failures += 1;
        if *failures < TRIES {
            self.queue.push_back(found);
        } else {
            let path = visible::line(&found.path);
            self.faults.push(format!("`{path}` was not shipped: {}", verdict.reasons.join(", ")));
        }
    }

    async fn save(&self) -> Result<(), String> {
        match self.on_disk(Registry::save).await {
            Some(saved) => saved.map_err(|error: StateError| error.to_string()),
            None => Err("a fault inside trailship stopped the writing of the registry".to_owned()),
        }
    }

    /// Does what waits for the disk on a thread that may block; `None` when it panicked.
    async fn on_disk<T: Send + 'static>(&self, work: impl FnOnce(&mut Registry) -> T + Send + 'static) -> Option<T> {
        let registry = Arc::clone(&self.registry);
        tokio::task::spawn_blocking(move || work(&mut lock(&registry))).await.ok()
    }
}

/// What is read: the file `path` of the input `input`; `digest`: as one record.
pub fn subject(input: &str, path: &str, digest: bool) -> Subject {
    Subject {
        seen: None,
        origin: Arc::new(origin(path)),
        source: Arc::new(Source { input: input.to_owned(), object: path.to_owned(), ..Source::default() }),
        digest,
    }
}

/// Where the records of a file come from.
pub fn origin(path: &str) -> Origin {
    Origin { input_type: "file", log_file_path: Some(path.to_owned()), ..Origin::default() }
}

/// How new a file is, ms since 1970: when CloudTrail delivered it, by its path, else when it was modified.
fn newness(found: &Found) -> i64 {
    let delivered = order::delivered(&found.path).and_then(|time| time.to_zoned(TimeZone::UTC).ok());
    match delivered {
        Some(delivered) => delivered.timestamp().as_millisecond(),
        None => i64::try_from(found.mark.modified / 1_000_000).unwrap_or(i64::MAX),
    }
}

/// Every change of the registry is whole before it can panic, so poisoning is ignored.
fn lock(registry: &Mutex<Registry>) -> MutexGuard<'_, Registry> {
    registry.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
