//! The task that keeps what inputs tell, asks what must be asked, and sends what is found.
//!
//! One cycle is one transaction: notes are gathered for a tenth of a second, kept together, and then their deliveries are let
//! go. Where the store cannot be written they are let go all the same, with a log line: shipping goes on, and the notes are
//! tried again.

use super::ask::Sources;
use super::book::{self, Answer, Ask, Intake, Outcome, Rules};
use super::config::IntegritySettings;
use super::document::{Told, Writer};
use super::figures::Figures;
use super::model::Task;
use super::note::{Note, Teller};
use super::outbox::{Fate, Refusals, Ticket};
use super::store::Store;
use super::stream;
use super::view;
use crate::ack::Hold;
use crate::output::Output;
use crate::output::parking::Parking;
use crate::verify::finding::Severity;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long notes are gathered before they are kept together.
const GATHER: Duration = Duration::from_millis(100);
/// Notes of one cycle.
const NOTES: usize = 10_000;
/// Notes that wait for a store that cannot be written; of more, the oldest are forgotten.
const WAITING: usize = 100_000;
/// Things asked at a time, so that shipping has the network to itself.
const ASKED: usize = 4;
/// How often questions of other processes are looked for.
const LOOK: Duration = Duration::from_secs(1);
/// How often documents that were put off are woken at most.
const WAKE: Duration = Duration::from_secs(60);
/// How often it is looked for silent chains, unless they are silent sooner, and for what is old.
const SWEEP: Duration = Duration::from_secs(60);
const FORGET: Duration = Duration::from_secs(600);
/// Pause after a failed write.
const PAUSE: Duration = Duration::from_secs(5);
/// Findings that are logged in a minute.
const SAID: u32 = 30;

/// Verification while shipping, ready to run.
pub struct Integrity {
    store: Arc<Store>,
    data: PathBuf,
    rules: Arc<Rules>,
    sources: Sources,
    figures: Arc<Figures>,
    notes: UnboundedReceiver<Note>,
}

/// Where documents go.
pub struct Sink {
    pub output: Arc<dyn Output>,
    /// Learns why `output` parks what it parks.
    pub refused: Arc<Parking>,
    /// Longest wait for one lot; what has no outcome by then is put off, so that it holds up no other.
    pub time: Duration,
    /// Longest wait for the last documents at the end of a run.
    pub patience: Duration,
}

/// What one installation is.
pub struct Installation<'a> {
    pub data: &'a Path,
    pub namespace: &'a str,
    /// Tells this process apart, where others ship from the same sources.
    pub process: Option<&'a str>,
}

impl Integrity {
    /// The work, and the way of inputs to tell it. It ends after the last clone of the teller is gone.
    pub fn new(settings: IntegritySettings, installation: &Installation<'_>) -> (Teller, Integrity) {
        let (sender, notes) = unbounded_channel();
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let rules = Rules {
            late_after: seconds(settings.late_after),
            silent_after: seconds(settings.silent_after),
            keep: seconds(settings.keep),
            shared: installation.process.is_some(),
            started: Timestamp::now(),
            writer: Writer {
                namespace: installation.namespace.to_owned(),
                process: installation.process.map(str::to_owned),
            },
        };
        let work = Integrity {
            store: Arc::new(Store::new(installation.data)),
            data: installation.data.to_owned(),
            rules: Arc::new(rules),
            sources: Sources::new(settings.keys),
            figures: Arc::default(),
            notes,
        };
        (Teller::new(sender, settings.cloudtrail_endpoint), work)
    }

    /// What is counted.
    pub fn figures(&self) -> Arc<Figures> {
        Arc::clone(&self.figures)
    }

    /// Works until the last teller is gone, `shipped` is set, and what is due now is done; for a bounded time. `abort` ends it
    /// at once.
    pub async fn run(self, sink: Sink, shipped: CancellationToken, abort: CancellationToken) {
        let patience = sink.patience;
        let work = Work::new(self, sink).run(shipped.clone());
        let over = async {
            shipped.cancelled().await;
            tokio::time::sleep(patience).await;
            tracing::warn!("what integrity still had to do is done after the next start");
        };
        tokio::select! {
            () = work => {}
            () = over => {}
            () = abort.cancelled() => {}
        }
    }
}

/// What a job of this task came to.
enum Job {
    Answered(Answer),
    /// What became of documents.
    Sent(Vec<(Ticket, Fate)>),
}

struct Work {
    own: Integrity,
    sink: Arc<Sink>,
    jobs: JoinSet<Job>,
    running: HashSet<Task>,
    sending: bool,
    intake: Intake,
    /// Whether the last cycle failed.
    failing: bool,
    /// How often it is looked for silent chains.
    sweep: Duration,
    /// When it was last looked for silent chains, and for what is old.
    swept: Option<Instant>,
    forgotten: Option<Instant>,
    /// When documents that were put off were last woken.
    woken: Option<Instant>,
    /// Codes of refusals that were said and last.
    refused: BTreeSet<String>,
    said: Said,
}

impl Work {
    fn new(own: Integrity, sink: Sink) -> Work {
        let silent_after = Duration::from_secs(u64::try_from(own.rules.silent_after).unwrap_or(0));
        Work {
            sweep: silent_after.clamp(LOOK, SWEEP),
            own,
            sink: Arc::new(sink),
            jobs: JoinSet::new(),
            running: HashSet::new(),
            sending: false,
            intake: Intake::default(),
            failing: false,
            swept: None,
            forgotten: None,
            woken: None,
            refused: BTreeSet::new(),
            said: Said::default(),
        }
    }

    async fn run(mut self, shipped: CancellationToken) {
        let (mut next, mut looks) = (Instant::now(), tokio::time::interval(LOOK));
        let mut told = true;
        loop {
            let mut batch = Vec::new();
            tokio::select! {
                taken = self.own.notes.recv_many(&mut batch, NOTES), if told => {
                    told = taken > 0;
                    if told {
                        tokio::time::sleep(GATHER).await;
                        while batch.len() < NOTES && let Ok(note) = self.own.notes.try_recv() {
                            batch.push(note);
                        }
                    }
                }
                Some(done) = self.jobs.join_next() => self.done(done.ok()),
                () = tokio::time::sleep_until(next) => {}
                _ = looks.tick() => {
                    self.answer_questions().await;
                    continue;
                }
                // While jobs run, the end of each wakes it.
                () = shipped.cancelled(), if !told && self.is_idle() => {}
            }
            while let Some(done) = self.jobs.try_join_next() {
                self.done(done.ok());
            }
            let holds = self.take(batch);
            let outcome = self.cycle().await;
            holds.into_iter().for_each(Hold::release);
            next = Instant::now() + PAUSE;
            if let Some(outcome) = outcome {
                next = Instant::now() + self.sweep;
                if let Some(due) = outcome.next {
                    let left = due.as_millisecond().saturating_sub(Timestamp::now().as_millisecond());
                    next = next.min(Instant::now() + Duration::from_millis(u64::try_from(left).unwrap_or(0)));
                }
                let nobody = self.own.sources.is_empty();
                let is_done = outcome.lot.is_empty() && (nobody || outcome.asks.is_empty());
                let waiting = outcome.levels.outbox;
                self.start(outcome);
                if shipped.is_cancelled() && !told && is_done && self.is_idle() {
                    if waiting > 0 {
                        tracing::warn!(
                            documents = waiting,
                            "findings and hours of the ledger were not taken; they are tried again after the next start"
                        );
                    }
                    return;
                }
            } else if shipped.is_cancelled() && !told {
                return;
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Takes notes in, and their holds out.
    fn take(&mut self, batch: Vec<Note>) -> Vec<Hold> {
        let mut holds = Vec::new();
        for mut note in batch {
            holds.extend(note.take_hold());
            match note {
                Note::Access(access) => self.own.sources.add(*access),
                note => self.intake.notes.push(note),
            }
        }
        if let Some(forgotten) = self.intake.notes.len().checked_sub(WAITING).filter(|n| *n > 0) {
            self.intake.notes.drain(..forgotten);
        }
        holds
    }

    fn done(&mut self, done: Option<Job>) {
        match done {
            Some(Job::Answered(answer)) => self.intake.answers.push(answer),
            Some(Job::Sent(fates)) => {
                self.sending = false;
                self.intake.sent.extend(fates);
            }
            // A panic in a job: which one is not known, so that all are asked again.
            None => {
                tracing::error!("a fault inside trailship ended a job of `integrity`");
                self.running.clear();
                self.sending = false;
            }
        }
    }

    /// One transaction; `None` when it failed, and everything waits for the next.
    async fn cycle(&mut self) -> Option<Outcome> {
        let mut intake = std::mem::take(&mut self.intake);
        intake.running.clone_from(&self.running);
        // What was answered may be asked again.
        intake.running.retain(|task| intake.answers.iter().all(|answer| answer.task != *task));
        let is_due = |last: Option<Instant>, period| last.is_none_or(|last| last.elapsed() >= period);
        (intake.sweep, intake.forget) = (is_due(self.swept, self.sweep), is_due(self.forgotten, FORGET));
        intake.wake = is_due(self.woken, WAKE);
        if intake.sweep {
            self.swept = Some(Instant::now());
        }
        if intake.forget {
            self.forgotten = Some(Instant::now());
        }
        let (store, rules) = (Arc::clone(&self.own.store), Arc::clone(&self.own.rules));
        let worked = tokio::task::spawn_blocking(move || {
            let done = store.write(Timestamp::now(), |tx| book::cycle(tx, &rules, &intake));
            let bytes = std::fs::metadata(store.path()).map_or(0, |metadata| metadata.len());
            (intake, done, bytes)
        });
        let (intake, done, bytes) = match worked.await {
            Ok(worked) => worked,
            Err(_) => {
                tracing::error!("a fault inside trailship cost `integrity` what was just told to it");
                return None;
            }
        };
        match done {
            Ok(mut outcome) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the store of `integrity` is written again");
                }
                for answer in &intake.answers {
                    self.running.remove(&answer.task);
                }
                outcome.levels.bytes = bytes;
                self.own.figures.add(&outcome.added);
                self.own.figures.levels(outcome.levels, &outcome.refusals);
                if outcome.woken {
                    self.woken = Some(Instant::now());
                }
                self.say(&outcome);
                Some(outcome)
            }
            Err(error) => {
                self.own.figures.store_failed();
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(
                        "{error}; shipping goes on, and what is to be compared is kept in memory until then"
                    );
                }
                self.intake.notes.splice(0..0, intake.notes);
                self.intake.answers.splice(0..0, intake.answers);
                self.intake.sent.splice(0..0, intake.sent);
                None
            }
        }
    }

    /// Starts what the cycle found to be done, as far as there is room.
    fn start(&mut self, outcome: Outcome) {
        if !self.sending && !outcome.lot.is_empty() {
            self.sending = true;
            let (sink, lot) = (Arc::clone(&self.sink), outcome.lot);
            self.jobs.spawn(async move { Job::Sent(stream::send(&sink, &lot).await) });
        }
        if self.own.sources.is_empty() {
            return;
        }
        for (due, task, ask) in outcome.asks {
            if self.running.len() >= ASKED {
                return;
            }
            self.running.insert(task.clone());
            let sources = self.own.sources.clone();
            self.jobs.spawn(async move { Job::Answered(answer(&sources, due, task, &ask).await) });
        }
    }

    async fn answer_questions(&self) {
        let (store, data) = (Arc::clone(&self.own.store), self.own.data.clone());
        let answered = tokio::task::spawn_blocking(move || view::answer(&store, &data, Timestamp::now())).await;
        if let Ok(Err(error)) = answered {
            tracing::warn!("a question about the ledger could not be answered: {error}");
        }
    }

    fn say(&mut self, outcome: &Outcome) {
        for failure in &outcome.failed {
            self.own.figures.call_failed();
            self.said.failure(&failure.text);
        }
        for told in outcome.told.iter().filter(|told| told.is_finding) {
            self.said.finding(told);
        }
        self.say_refusals(&outcome.refusals);
        let dropped = outcome.added.dropped;
        if dropped.findings + dropped.ledger > 0 {
            tracing::error!(
                findings = dropped.findings,
                hours = dropped.ledger,
                "documents of integrity are given up: they could not be delivered for `integrity.keep`, or were more than the outbox holds"
            );
        }
    }

    /// Each kind once, until it has passed.
    fn say_refusals(&mut self, refusals: &BTreeMap<String, Refusals>) {
        for (code, told) in refusals.iter().filter(|(code, _)| !self.refused.contains(*code)) {
            tracing::error!(
                code,
                documents = told.documents,
                reason = told.reason,
                "the data stream of integrity refuses documents; they are kept and tried again: run `trailship setup` for its template, and see `trailship gaps` for how many there are"
            );
        }
        for code in self.refused.iter().filter(|code| !refusals.contains_key(*code)) {
            tracing::info!(code, "the data stream of integrity has taken what it refused");
        }
        if !self.refused.iter().eq(refusals.keys()) {
            self.refused = refusals.keys().cloned().collect();
        }
    }
}

async fn answer(sources: &Sources, due: Timestamp, task: Task, ask: &Ask) -> Answer {
    let result = sources.answer(ask, Timestamp::now()).await;
    Answer { due, task, result }
}

/// What is logged in a minute.
#[derive(Default)]
struct Said {
    minute: Option<Instant>,
    findings: u32,
    failures: u32,
}

impl Said {
    fn finding(&mut self, told: &Told) {
        self.turn();
        self.findings += 1;
        if self.findings > SAID {
            return;
        }
        match told.severity {
            Severity::Invalid => tracing::error!(action = told.action, "{}", told.reason),
            _ => tracing::warn!(action = told.action, "{}", told.reason),
        }
    }

    fn failure(&mut self, text: &str) {
        self.turn();
        self.failures += 1;
        if self.failures == 1 {
            tracing::warn!("a check of `integrity` could not be made and is tried again: {text}");
        }
    }

    fn turn(&mut self) {
        if self.minute.is_some_and(|minute| minute.elapsed() < Duration::from_secs(60)) {
            return;
        }
        if let Some(more) = self.findings.checked_sub(SAID).filter(|more| *more > 0) {
            tracing::warn!("{more} more findings were made; they are in the data stream of integrity");
        }
        *self = Said { minute: Some(Instant::now()), findings: 0, failures: 0 };
    }
}
