//! What notes, answers and time change in the store: one cycle of the work is one transaction.
//!
//! Invariants: nothing is said, counted or planned outside of the transaction that keeps what it follows from; a task stays on
//! the agenda until its result is kept; a file's row and its hour change together.

mod chains;
mod files;

use super::closing::{self, ChainsByPlace, Look};
use super::document::{Told, Writer};
use super::figures::Added;
use super::model::{ChainState, Compared, DigestRow, FileState, HOUR, Place, Task};
use super::note::Note;
use super::outbox::{self, Fate, Refusals, Ticket, Waiting};
use super::peers::Marks;
use super::store::{Fault, Levels, Tx};
use crate::verify::digest::LogEntry;
use crate::verify::evidence::{Failure, LogRead};
use crate::verify::finding::Finding;
use crate::verify::moment;
use crate::verify::scope::Name;
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What the cycles work by. Times are in seconds.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub late_after: i64,
    pub silent_after: i64,
    pub keep: i64,
    /// Other processes ship from the same sources.
    pub shared: bool,
    /// When this process began.
    pub started: Timestamp,
    pub writer: Writer,
}

/// The result of a task that asked somebody.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub due: Timestamp,
    pub task: Task,
    pub result: Result,
}

#[derive(Debug, Clone)]
pub(super) enum Result {
    Digest(Judged),
    File(LogRead),
    /// Whether the digest that another names is there.
    Previous(std::result::Result<bool, Failure>),
    /// Backfill digests that may be there.
    Backfills(Vec<(Name, Judged)>),
}

/// A digest that was read.
#[derive(Debug, Clone)]
pub(super) enum Judged {
    Missing,
    Failed(Failure),
    Read { row: Box<DigestRow>, findings: Vec<Finding>, entries: Vec<LogEntry> },
}

impl Judged {
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Judged::Failed(failure) => Some(failure),
            Judged::Missing | Judged::Read { .. } => None,
        }
    }
}

/// Something to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    Digest(Name),
    File(Name),
    Previous(Name),
    Backfills(Vec<Name>),
}

/// What came of a cycle.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub added: Added,
    /// Said for the first time.
    pub told: Vec<Told>,
    /// Tasks that must ask somebody.
    pub asks: Vec<(Timestamp, Task, Ask)>,
    /// Calls that failed and are repeated.
    pub failed: Vec<Failure>,
    /// When the agenda wants the next cycle.
    pub next: Option<Timestamp>,
    pub levels: Levels,
    /// Documents of the outbox that may be tried now.
    pub lot: Vec<Waiting>,
    /// What the data stream refuses at present, by code.
    pub refusals: BTreeMap<String, Refusals>,
    /// Documents that had been put off may be tried at once, since one of them has arrived.
    pub woken: bool,
}

/// What one cycle takes in.
#[derive(Default)]
pub(super) struct Intake {
    pub notes: Vec<Note>,
    pub answers: Vec<Answer>,
    /// What became of documents.
    pub sent: Vec<(Ticket, Fate)>,
    /// Whether those that were put off may be woken.
    pub wake: bool,
    /// Tasks that are being asked about.
    pub running: HashSet<Task>,
    /// Look for chains that are silent.
    pub sweep: bool,
    /// Look for what is old.
    pub forget: bool,
}

/// Tasks looked at in one cycle.
const TASKS: usize = 512;
/// Documents that go in one request.
const LOT: usize = 200;
/// Files that are as they should be are forgotten after this time.
const FILES_KEPT: i64 = 6 * HOUR;
/// Pauses between tries of a call that failed, seconds: the first, and the longest.
const PAUSE: (i64, i64) = (5, 3600);

/// Does one cycle.
pub(super) fn cycle(tx: &mut Tx<'_>, rules: &Rules, intake: &Intake) -> std::result::Result<Outcome, Fault> {
    let mut book = Book {
        rules,
        now: tx.now(),
        files: BTreeMap::new(),
        to_tell: Vec::new(),
        newest: None,
        outcome: Outcome::default(),
    };
    book.sent(tx, intake)?;
    for note in &intake.notes {
        book.note(tx, note)?;
    }
    book.flush(tx)?;
    for answer in &intake.answers {
        // An answer to a task that is gone is of no use.
        if tx.done(answer.due, &answer.task)? {
            book.answer(tx, answer)?;
        }
    }
    book.flush(tx)?;
    book.agenda(tx, &intake.running)?;
    if intake.sweep {
        book.silence(tx)?;
    }
    if intake.forget {
        book.forget(tx)?;
    }
    book.flush(tx)?;
    book.bound(tx, intake.forget)?;
    let mut outcome = book.outcome;
    outcome.next = [tx.next_due()?, tx.next_try()?].into_iter().flatten().min();
    (outcome.levels, outcome.lot, outcome.refusals) = (tx.levels()?, tx.outbox(LOT)?, tx.refusals()?);
    Ok(outcome)
}

struct Book<'r> {
    rules: &'r Rules,
    now: Timestamp,
    /// Files of this cycle: as they were, and as they are.
    files: BTreeMap<Name, (Place, Option<FileState>, FileState)>,
    to_tell: Vec<Told>,
    /// How far digests reach, by account and region; read when it is first asked for.
    newest: Option<HashMap<(String, String), Timestamp>>,
    outcome: Outcome,
}

type Done = std::result::Result<(), Fault>;

impl Book<'_> {
    fn sent(&mut self, tx: &mut Tx<'_>, intake: &Intake) -> Done {
        let mut mended = false;
        for (ticket, fate) in &intake.sent {
            mended |= tx.tried(*ticket, fate)?;
            if let Fate::Refused(refused) = fate {
                *self.outcome.added.refusals.entry(refused.code.clone()).or_default() += 1;
            }
        }
        self.outcome.woken = mended && intake.wake;
        if self.outcome.woken { tx.wake() } else { Ok(()) }
    }

    /// Keeps the outbox within its bounds.
    fn bound(&mut self, tx: &mut Tx<'_>, by_age: bool) -> Done {
        let is_full = tx.undelivered()? > outbox::DOCUMENTS;
        if !is_full && !by_age {
            return Ok(());
        }
        // Somewhat less, so that it is not done for each document.
        let most = if is_full { outbox::DOCUMENTS / 10 * 9 } else { outbox::DOCUMENTS };
        self.outcome.added.dropped = tx.drop_old(moment::plus(self.now, -self.rules.keep), most)?;
        Ok(())
    }

    fn note(&mut self, tx: &mut Tx<'_>, note: &Note) -> Done {
        match note {
            Note::Access(_) => Ok(()),
            Note::Notified(name) => self.change(tx, name, |_, file| {
                file.notified = true;
                file.skipped = false;
                file.compared = file.compared.filter(|compared| *compared != Compared::Skipped);
                Vec::new()
            }),
            Note::Skipped(name) => self.change(tx, name, |_, file| {
                file.skipped = !file.notified;
                if file.skipped && file.is_open() {
                    file.compared = Some(Compared::Skipped);
                }
                Vec::new()
            }),
            Note::Ended { name, end, .. } => self.ended(tx, name, end),
            Note::Digest { name, .. } => {
                if let Some(chain) = ChainState::of(name, self.now) {
                    self.heard(tx, &chain)?;
                    tx.plan(self.now, &Task::Digest { name: name.clone(), tries: 0 })?;
                }
                Ok(())
            }
        }
    }

    fn answer(&mut self, tx: &mut Tx<'_>, answer: &Answer) -> Done {
        match (&answer.task, &answer.result) {
            (task @ (Task::Digest { name, tries } | Task::Linked { name, tries }), Result::Digest(judged)) => {
                self.digest(tx, name, *tries, matches!(task, Task::Linked { .. }), judged)
            }
            (Task::File { name, tries }, Result::File(read)) => self.file(tx, name, *tries, read),
            (Task::Link { chain, end, name, tries }, Result::Previous(previous)) => {
                self.previous(tx, chain, *end, name, *tries, previous)
            }
            (Task::Link { chain, end, name, tries }, Result::Digest(judged)) => {
                self.before(tx, chain, *end, name, *tries, judged)
            }
            (Task::Unlisted { name, tries }, Result::Backfills(judged)) => self.backfills(tx, name, *tries, judged),
            _ => Ok(()),
        }
    }

    fn agenda(&mut self, tx: &mut Tx<'_>, running: &HashSet<Task>) -> Done {
        let chains = ChainsByPlace::new(tx.chains()?);
        let mut tasks = tx.due(TASKS)?;
        // What is found of its files belongs into an hour before it closes.
        tasks.sort_by_key(|(_, task)| matches!(task, Task::Hour { .. }));
        for (due, task) in tasks {
            if running.contains(&task) {
                continue;
            }
            let ask = match &task {
                Task::Digest { name, .. } | Task::Linked { name, .. } => Some(Ask::Digest(name.clone())),
                Task::File { name, .. } => self.is_open(tx, name)?.then(|| Ask::File(name.clone())),
                Task::Link { chain, end, name, .. } => self.link(tx, chain, *end, name)?,
                Task::Unlisted { name, .. } => self.unlisted(tx, name)?,
                Task::Hour { key } => {
                    self.flush(tx)?;
                    match closing::look(tx, &chains, key, self.rules.late_after)? {
                        Look::Gone => {}
                        Look::Again(at) => tx.plan(at, &task)?,
                        Look::Closed(hour, entry) => {
                            self.outcome.added.hours += 1;
                            self.to_tell.push(self.rules.writer.hour(&hour, &entry, self.now));
                            if self.rules.shared {
                                let files = tx.files(key)?;
                                self.to_tell.extend(self.rules.writer.files(key, &files, self.now));
                            }
                        }
                    }
                    None
                }
            };
            match ask {
                Some(ask) => self.outcome.asks.push((due, task, ask)),
                None => {
                    tx.done(due, &task)?;
                }
            }
        }
        self.flush(tx)
    }

    /// Plans a call again that failed, until nobody would care.
    fn again(&mut self, tx: &mut Tx<'_>, tries: u32, task: Task) -> Done {
        let pause = PAUSE.0.saturating_mul(1 << tries.min(20)).min(PAUSE.1).min(self.rules.late_after.max(1));
        if i64::from(tries).saturating_mul(pause) > self.rules.keep {
            return Ok(());
        }
        tx.plan(moment::plus(self.now, pause), &task)
    }

    /// Forgets what is of no more use.
    fn forget(&mut self, tx: &mut Tx<'_>) -> Done {
        let (old, kept) = (moment::plus(self.now, -FILES_KEPT), moment::plus(self.now, -self.rules.keep));
        for hour in tx.hours()? {
            if hour.changed < kept {
                tx.forget_hour(&hour.key)?;
            } else if hour.closed.is_some_and(|closed| closed < old) && hour.changed >= kept {
                let is_done = |file: &FileState| {
                    file.listed.is_some()
                        && matches!(file.compared, Some(Compared::Intact | Compared::Elsewhere | Compared::Skipped))
                        && !file.is_lacking()
                        && file.failed.is_none()
                };
                tx.forget_files(&hour.key, |file| is_done(file) && file.changed < old)?;
            }
        }
        tx.forget_digests(kept)?;
        tx.forget_said(kept)?;
        for chain in tx.chains()?.into_iter().filter(|chain| chain.arrived < kept) {
            tx.forget_chain(&chain.id)?;
        }
        Ok(())
    }

    /// Changes what is known of a file; it is kept at the end of the cycle. What `change` returns is planned.
    fn change(
        &mut self,
        tx: &mut Tx<'_>,
        name: &Name,
        change: impl FnOnce(Timestamp, &mut FileState) -> Vec<(Timestamp, Task)>,
    ) -> Done {
        if !self.files.contains_key(name) {
            let Some(place) = Place::of(&name.key) else { return Ok(()) };
            let before = tx.file(name, &place)?;
            let file = before.clone().unwrap_or_else(|| FileState::new(name.clone(), self.now));
            self.files.insert(name.clone(), (place, before, file));
        }
        let Some((_, _, file)) = self.files.get_mut(name) else { return Ok(()) };
        let before = file.clone();
        for (due, task) in change(self.now, file) {
            tx.plan(due, &task)?;
        }
        if *file != before {
            file.changed = self.now;
        }
        Ok(())
    }

    /// Keeps the files of this cycle, and what was told.
    fn flush(&mut self, tx: &mut Tx<'_>) -> Done {
        for (_, (place, before, file)) in std::mem::take(&mut self.files) {
            if before.as_ref() == Some(&file) {
                continue;
            }
            if before.is_none() && tx.hour(&place.key)?.is_none() {
                tx.plan(moment::plus(self.now, 1), &Task::Hour { key: place.key.clone() })?;
            }
            tx.put_file(&place, before.as_ref(), &file)?;
            let is_news = before.as_ref().map(Marks::of) != Some(Marks::of(&file));
            // Before that, the close tells of it.
            if self.rules.shared && is_news && tx.hour(&place.key)?.is_some_and(|hour| hour.closed.is_some()) {
                self.to_tell.extend(self.rules.writer.files(&place.key, &[file], self.now));
            }
        }
        for told in std::mem::take(&mut self.to_tell) {
            if tx.say(&told.id, told.is_finding, told.document.to_string().as_bytes())? {
                if told.is_finding {
                    *self.outcome.added.findings.entry(told.action).or_default() += 1;
                }
                self.outcome.told.push(told);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
