//! One run of the input: its groups, the windows under way, who is next.
//!
//! Invariants: a group has one window at a time; its cursor moves only when a worker says that all up to there is
//! acknowledged; of the groups that are due the one furthest behind goes first. Which groups there are: `roster.rs`.

use super::config::CloudWatchConfig;
use super::cursor::{Claim, Cursors};
use super::groups::{Found, Group};
use super::memory::Memory;
use super::piece::Full;
use super::source::Logs;
use super::window::{Reach, Spans};
use super::worker::{Done, End, Reader, Task};
use super::workload::Workload;
use crate::aws::fault::{Fault, FaultKind};
use crate::inputs::Context;
use crate::telemetry::repeats::Repeats;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

#[path = "roster.rs"]
mod roster;

pub struct Run<L, C> {
    config: CloudWatchConfig,
    context: Context,
    spans: Spans,
    cursors: Arc<C>,
    reader: Arc<Reader<L>>,
    reached: UnboundedReceiver<(String, i64)>,
    workers: Arc<Semaphore>,
    groups: HashMap<String, State>,
    windows: JoinSet<(String, Option<Done>)>,
    looks: JoinSet<Result<Found, Fault>>,
    claims: JoinSet<Result<Vec<(String, Claim)>, String>>,
    saves: JoinSet<Result<Vec<String>, String>>,
    looked: bool,
    /// By subject and code.
    complaints: Repeats<(String, String)>,
    workload: Workload,
    /// With `--once`: what keeps the run from success, and up to where groups are read.
    faults: Vec<String>,
    until: i64,
}

/// A group, and how far it is.
struct State {
    group: Arc<Group>,
    /// `None` while another process has it, or nobody has asked yet.
    reach: Option<Reach>,
    /// At the worker while a window is under way.
    memory: Option<Memory>,
    due: Instant,
    planned: i64,
    /// Windows in a row that failed without moving the cursor.
    failures: u32,
    /// The group is gone, or lost to another process: not read again.
    leaves: bool,
    /// It was found by the first look.
    first: bool,
    /// Since when another process has it.
    others: Option<Instant>,
}

/// How often cursors are saved, at most.
const SAVE: Duration = Duration::from_secs(1);
/// How often groups that others have are asked for.
const CLAIM: Duration = Duration::from_secs(10);
/// Between two looks for groups: `scan_frequency` within these bounds.
const LOOKS: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(300));
/// After a window that failed: the first pause, doubled with every failure in a row, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
/// With `--once`: a group that another process has for so long is left to it.
const OTHERS: Duration = Duration::from_secs(60);
/// Windows of a group that may fail in a row, with `--once`.
const TRIES: u32 = 3;
/// Events that all groups together remember, about 40 bytes each.
const REMEMBERED: usize = 500_000;
/// Events that a group remembers however many groups there are.
const LEAST_REMEMBERED: usize = 1_000;

impl<L: Logs, C: Cursors> Run<L, C> {
    pub fn new(config: CloudWatchConfig, context: Context, logs: L, cursors: C) -> Run<L, C> {
        let (sender, reached) = unbounded_channel();
        let spans = Spans::new(config.latency.get(), config.overlap.get());
        let reader = Reader {
            logs: Arc::new(logs),
            input: config.id.clone(),
            context: context.clone(),
            api_sleep: config.api_sleep.get(),
            reached: sender,
        };
        Run {
            spans,
            cursors: Arc::new(cursors),
            reader: Arc::new(reader),
            reached,
            workers: Arc::new(Semaphore::new(config.number_of_workers)),
            groups: HashMap::new(),
            windows: JoinSet::new(),
            looks: JoinSet::new(),
            claims: JoinSet::new(),
            saves: JoinSet::new(),
            looked: false,
            complaints: Repeats::default(),
            workload: Workload::new(config.number_of_workers, config.scan_frequency.get()),
            faults: Vec::new(),
            until: spans.end(now()),
            config,
            context,
        }
    }

    /// Reads until the context says stop, or until all groups are read up to now when `once`.
    ///
    /// # Errors
    /// Groups that can never be found; with `once`, what could not be read; cursors that cannot be saved at the end.
    pub async fn run(mut self) -> Result<(), String> {
        let mut saves = interval(SAVE);
        let mut claims = interval(CLAIM);
        let mut looks = interval(self.config.scan_frequency.get().clamp(LOOKS.0, LOOKS.1));
        saves.set_missed_tick_behavior(MissedTickBehavior::Delay);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let stopping = self.context.stop.is_cancelled();
            if self.windows.is_empty() && (stopping || (self.context.once && self.is_through())) {
                break;
            }
            let next = if stopping { None } else { self.next() };
            let due = next.as_ref().and_then(|key| self.groups.get(key)).map(|state| state.due);
            let is_due = due.is_some_and(|due| due <= Instant::now());
            tokio::select! {
                Some((key, cursor)) = self.reached.recv() => self.reached(&key, cursor),
                Some(ended) = self.windows.join_next() => self.window_ended(ended),
                permit = Arc::clone(&self.workers).acquire_owned(), if is_due => {
                    if let (Ok(permit), Some(key)) = (permit, next) { self.start(key, permit) }
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() && !is_due => {}
                _ = saves.tick(), if self.saves.is_empty() => {
                    let cursors = Arc::clone(&self.cursors);
                    self.saves.spawn(async move { cursors.save().await });
                }
                Some(saved) = self.saves.join_next() => self.saved(saved.unwrap_or_else(|fault| Err(fault.to_string()))),
                _ = claims.tick(), if !stopping => self.claim(),
                Some(claimed) = self.claims.join_next() => {
                    self.claimed(claimed.unwrap_or_else(|fault| Err(fault.to_string())));
                }
                _ = looks.tick(), if !stopping && self.looks.is_empty() && !(self.context.once && self.looked) => {
                    self.look();
                }
                Some(look) = self.looks.join_next(), if !stopping => match look {
                    Ok(look) => { self.found(look)?; self.claim() }
                    Err(fault) => return Err(format!("a fault inside trailship ended the look for log groups: {fault}")),
                },
                () = self.context.stop.cancelled(), if !stopping => {}
                () = self.context.abort.cancelled() => break,
            }
        }
        while let Ok((key, cursor)) = self.reached.try_recv() {
            self.reached(&key, cursor);
        }
        // One save at a time.
        while self.saves.join_next().await.is_some() {}
        self.cursors.finish().await?;
        if self.context.once && !self.faults.is_empty() {
            return Err(self.faults.join("; "));
        }
        Ok(())
    }

    /// The group that is to be read next: of those that are due the one furthest behind, else the next to be due.
    fn next(&self) -> Option<String> {
        let now = Instant::now();
        let idle = self.groups.iter().filter_map(|(key, state)| {
            let reach = state.reach.as_ref().filter(|_| state.memory.is_some() && !state.leaves)?;
            let cursor = reach.mark().cursor;
            let wanted = !self.context.once || cursor < self.until || is_ahead(cursor, self.until);
            wanted.then_some((key, state, cursor))
        });
        // Of equals always the same one.
        let ranked = idle.map(|(key, state, cursor)| (state.due.max(now), cursor, key));
        ranked.min().map(|(.., key)| key.clone())
    }

    fn start(&mut self, key: String, permit: OwnedSemaphorePermit) {
        let most = (REMEMBERED / self.groups.len().max(1)).max(LEAST_REMEMBERED);
        let (Some(state), planned) = (self.groups.get_mut(&key), now()) else { return };
        let Some(reach) = &state.reach else { return };
        let Some(window) = reach.window(planned) else {
            state.due = Instant::now() + self.config.scan_frequency.get();
            let (cursor, name) = (reach.mark().cursor, state.group.name.clone());
            if is_ahead(cursor, planned) {
                self.failed(&key, &name, "clock", &ahead(cursor), Some(FaultKind::SkewedClock));
            }
            return;
        };
        let Some(mut memory) = state.memory.take() else { return };
        memory.trim(window.start, most);
        state.planned = planned;
        // The next window begins so long after this one began; when it takes longer, at once.
        state.due = Instant::now() + self.config.scan_frequency.get();
        let task =
            Task { key: key.clone(), group: Arc::clone(&state.group), window, cursor: reach.mark().cursor, memory };
        let reader = Arc::clone(&self.reader);
        self.windows.spawn(async move { (key, reader.read(task, permit).await) });
    }

    fn reached(&mut self, key: &str, cursor: i64) {
        let Some(state) = self.groups.get_mut(key) else { return };
        let Some(reach) = &mut state.reach else { return };
        reach.reached(cursor, state.planned);
        state.failures = 0;
        self.cursors.note(key, reach.mark());
    }

    fn window_ended(&mut self, ended: Result<(String, Option<Done>), tokio::task::JoinError>) {
        // What the window's end says of its cursor comes first.
        while let Ok((key, cursor)) = self.reached.try_recv() {
            self.reached(&key, cursor);
        }
        let done = match ended {
            Ok((_, Some(done))) => done,
            Ok((_, None)) => return,
            Err(fault) => {
                tracing::error!(input = %self.config.id, "a fault inside trailship ended a window: {fault}");
                self.faults.push("a fault inside trailship ended a window".to_owned());
                return self.context.stop.cancel();
            }
        };
        self.workload.note(&done.key, done.busy, done.calls);
        let Some(state) = self.groups.get_mut(&done.key) else { return };
        state.memory = Some(done.memory);
        let name = state.group.name.clone();
        match done.end {
            End::Whole => {
                self.context.progress.health.well(&reading_of(&name));
                if let Some(reach) = &mut state.reach {
                    reach.double();
                }
                state.failures = 0;
                self.complaints.only(|(subject, _)| *subject != name);
            }
            End::Full(full) => {
                if let (Full::TooMuch, Some(reach)) = (full, &mut state.reach) {
                    reach.halve(done.window);
                }
                state.due = Instant::now();
            }
            End::Stopped => {}
            End::Failed { code, reason, kind } => self.failed(&done.key, &name, code, &reason, kind),
        }
        if let Some(text) = self.workload.verdict(self.groups.len(), self.reader.logs.rate()) {
            tracing::warn!(input = %self.config.id, "{text}");
        }
        self.drop_leavers();
    }

    fn failed(&mut self, key: &str, name: &str, code: &'static str, reason: &str, kind: Option<FaultKind>) {
        let Some(state) = self.groups.get_mut(key) else { return };
        state.failures = state.failures.saturating_add(1);
        let pause = PAUSES.0.saturating_mul(1 << (state.failures - 1).min(16)).min(PAUSES.1);
        state.due = Instant::now() + pause;
        let tried = state.failures;
        self.complain(name, code, reason, &format!("the log group `{name}` cannot be read and is tried again"));
        let lasting = matches!(
            kind,
            Some(FaultKind::Denied | FaultKind::Missing | FaultKind::KmsDenied | FaultKind::SkewedClock)
        );
        // What may pass is everyday; several windows in a row are not.
        if kind.is_some_and(|kind| !matches!(kind, FaultKind::Throttled | FaultKind::Transient)) || tried >= TRIES {
            self.context.progress.health.trouble(&reading_of(name), code, reason);
        }
        if self.context.once && (lasting || tried >= TRIES) {
            self.faults.push(format!("`{name}` was not read to its end: {reason}"));
            if let Some(state) = self.groups.get_mut(key) {
                state.leaves = true;
            }
        }
    }

    /// With `--once`: whether every group is read, or given up.
    fn is_through(&self) -> bool {
        let through = |state: &State| match &state.reach {
            Some(reach) => reach.mark().cursor >= self.until && !is_ahead(reach.mark().cursor, self.until),
            // Whoever has it is alive, or it would be ours by now.
            None => state.others.is_some_and(|since| since.elapsed() >= OTHERS),
        };
        self.looked && self.groups.values().all(|state| state.leaves || through(state))
    }

    fn saved(&mut self, saved: Result<Vec<String>, String>) {
        match saved {
            Ok(lost) => {
                self.complaints.only(|(subject, _)| subject != SAVES);
                for key in lost {
                    if let Some(state) = self.groups.get_mut(&key) {
                        tracing::info!(input = %self.config.id, log_group = state.group.name, "another process reads the log group now");
                        (state.reach, state.others) = (None, Some(Instant::now()));
                    }
                }
            }
            Err(reason) => {
                self.complain(SAVES, "cursors-not-saved", &reason, "events may be read again after a restart")
            }
        }
        self.show();
    }

    fn complain(&mut self, subject: &str, code: &str, reason: &str, what: &str) {
        if let Some(due) = self.complaints.occurred((subject.to_owned(), code.to_owned())) {
            tracing::error!(input = %self.config.id, code, times = due.times, "{what}: {reason}");
        }
    }

    /// Brings the figures for status up to date.
    fn show(&self) {
        let (progress, calls) = (&self.context.progress, self.reader.logs.calls());
        progress.groups.store(self.groups.len() as u64, Relaxed);
        let failing = self.groups.values().filter(|state| state.failures > 0).count();
        progress.failing.store(failing as u64, Relaxed);
        progress.granted.store(calls.granted, Relaxed);
        progress.waited.store(calls.waited, Relaxed);
        progress.throttled.store(calls.throttled, Relaxed);
    }
}

/// A subject of complaints that is no group; a group's name holds no space.
const SAVES: &str = "the saving of cursors";

/// What health calls the reading of a group.
fn reading_of(name: &str) -> String {
    format!("logs:FilterLogEvents of `{name}`")
}

/// Time (ms) by which a cursor may be ahead of the clock, as those of several machines are.
const AHEAD: i64 = 60_000;

/// Whether a cursor can only come from a clock that was, or is, wrong: nothing would be read until then.
fn is_ahead(cursor: i64, now: i64) -> bool {
    cursor > now.saturating_add(AHEAD)
}

fn ahead(cursor: i64) -> String {
    let until = jiff::Timestamp::from_millisecond(cursor).map_or_else(|_| cursor.to_string(), |time| time.to_string());
    format!(
        "it is noted as read up to `{until}`, which is still to come: this machine's clock is wrong, or was when that was noted; set the clock, and if it is right now take the group out of the saved cursors to have it read from `start_position` again"
    )
}

fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
