//! The part of a window that is read at one go: its pages under way, how far it is whole, when it is cut.

use super::memory::{Memory, Remembered};
use super::window::Window;
use crate::ack::{Frontier, Ticket, Verdict};
use crate::record::log_event::LogEvent;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Pages and events beyond the cursor after which a piece ends, so that other groups get their turn.
const PAGES: u32 = 64;
const EVENTS: usize = 50_000;

/// Pages of a window that have no outcome yet, and what is remembered of the group's events.
pub struct UnderWay(Mutex<Open>);

struct Open {
    frontier: Frontier<i64>,
    pages: HashMap<u64, (Ticket<i64>, Vec<Remembered>)>,
    next: u64,
    memory: Memory,
    /// Why a page was given back.
    lost: Option<String>,
}

impl UnderWay {
    pub fn new(cursor: i64, memory: Memory) -> UnderWay {
        let frontier = Frontier::new(cursor);
        UnderWay(Mutex::new(Open { frontier, pages: HashMap::new(), next: 0, memory, lost: None }))
    }

    /// The events that are not known yet, with what to remember of them.
    pub fn fresh(&self, events: Vec<LogEvent>) -> (Vec<LogEvent>, Vec<Remembered>) {
        let memory = &mut self.lock().memory;
        let noted = events.into_iter().filter_map(|event| {
            let noted = memory.note(&event.id, event.timestamp)?;
            Some((event, noted))
        });
        noted.unzip()
    }

    /// Opens a page: when it has an outcome, all up to `position` has. Gives its key.
    pub fn open(&self, position: i64, noted: Vec<Remembered>) -> u64 {
        let mut open = self.lock();
        let key = open.next;
        open.next += 1;
        let ticket = open.frontier.open(position);
        open.pages.insert(key, (ticket, noted));
        key
    }

    /// Takes the verdict of a page; the cursor when this moved it.
    pub fn settle(&self, verdict: Verdict) -> Option<i64> {
        let mut open = self.lock();
        let (ticket, noted) = open.pages.remove(&verdict.key)?;
        if verdict.settled {
            return open.frontier.settle(ticket);
        }
        noted.into_iter().for_each(|event| open.memory.forget(event));
        let reason =
            if verdict.reasons.is_empty() { "it was given back".to_owned() } else { verdict.reasons.join(", ") };
        open.lost.get_or_insert(reason);
        None
    }

    pub fn has_lost(&self) -> bool {
        self.lock().lost.is_some()
    }

    /// The memory, and why a page was given back, if one was.
    pub fn finish(self) -> (Memory, Option<String>) {
        let open = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        (open.memory, open.lost)
    }

    /// Every update is whole before it can panic, so poisoning is ignored.
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far the pages of a window reach.
pub struct Piece {
    window: Window,
    cursor: i64,
    /// Up to here the pages so far show all that the window holds.
    whole: i64,
    /// The latest event so far.
    latest: i64,
    pages: u32,
    events: usize,
}

/// What to do after a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Go on with another window, which begins at the cursor.
    Cut,
    /// The cursor could not move: go on with a shorter window.
    TooMuch,
}

impl Piece {
    pub fn new(window: Window, cursor: i64) -> Piece {
        Piece { window, cursor, whole: cursor.min(window.start - 1), latest: i64::MIN, pages: 0, events: 0 }
    }

    /// Takes the fresh events of the next page; up to where all is shown with it.
    ///
    /// FilterLogEvents promises the order of time. A page that goes behind the one before it breaks the promise; then
    /// nothing more counts as whole before the end.
    pub fn take(&mut self, fresh: &[LogEvent], last: bool) -> i64 {
        let times = || fresh.iter().map(|event| event.timestamp);
        if let (Some(first), Some(latest)) = (times().min(), times().max()) {
            if first >= self.latest {
                // More of the same millisecond may be on the next page.
                self.whole = self.whole.max(latest - 1);
            }
            self.latest = self.latest.max(latest);
        }
        let beyond = times().filter(|time| *time > self.cursor).count();
        self.events += beyond;
        self.pages += u32::from(beyond > 0);
        if last {
            self.whole = self.window.end;
        }
        self.whole
    }

    /// Whether this is enough at one go. A window of one millisecond is read however much it holds.
    pub fn full(&self) -> Option<Full> {
        if self.pages < PAGES && self.events < EVENTS {
            return None;
        }
        if self.whole > self.cursor {
            return Some(Full::Cut);
        }
        (self.window.end > self.cursor + 1).then_some(Full::TooMuch)
    }
}

#[cfg(test)]
#[path = "piece_tests.rs"]
mod tests;
