//! Documents on their way into the data stream: what each is called, what became of a try, and when the next one is. Pure.
//!
//! A document leaves the outbox when it has arrived, and not before: one that is refused, or gets no answer, waits for a
//! pause of its own, so that it holds up no other.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Documents that are kept; beyond that, and beyond `integrity.keep`, some are dropped (`Tx::drop_old`).
pub const DOCUMENTS: u64 = 200_000;
/// Code of a document that the failure store took in place of the data stream.
pub const FAILURE_STORE: &str = "failure-store";
/// Pauses between tries, seconds: the first; the longest after a refusal, and after no answer, which mends itself.
const PAUSE: (i64, i64, i64) = (5, 3600, 60);
/// Bytes of a reason that are kept.
const REASON: usize = 1000;

/// Where a document stands in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket {
    pub number: u64,
    /// The second of this try; `None` for the first one.
    pub due: Option<i64>,
}

/// A document that waits for its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub ticket: Ticket,
    pub id: String,
    pub document: Vec<u8>,
    /// An earlier try had no answer, so that it may be there already.
    pub in_doubt: bool,
}

/// What became of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    Arrived,
    Refused(Refused),
    /// Neither taken nor refused in time: the stream is away, blocked or forbidden.
    Unanswered,
}

/// Why the data stream does not take a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// One of a bounded set, such as `mapping-refused`.
    pub code: String,
    /// As the server says it.
    pub reason: String,
}

/// What is remembered of a document's tries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tries {
    pub tries: u32,
    /// Second of the first one.
    pub since: i64,
    /// Of the last one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refused: Option<Refused>,
}

/// What is refused for one reason at present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusals {
    pub documents: u64,
    /// The first refusal since none was left.
    pub since: Timestamp,
    /// The newest reason.
    pub reason: String,
}

/// What is in the outbox, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undelivered {
    /// Findings that were made since the store was begun.
    pub findings_made: u64,
    /// Findings without outcome.
    pub findings: u64,
    /// Documents of the ledger without outcome.
    pub ledger: u64,
    /// Those of both that the data stream refused, by code.
    pub refused: BTreeMap<String, Refusals>,
}

/// What had to be given up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    pub findings: u64,
    pub ledger: u64,
}

impl Refused {
    /// With a reason of bounded length.
    pub fn new(code: impl Into<String>, reason: &str) -> Refused {
        let end = (0..=REASON.min(reason.len())).rev().find(|at| reason.is_char_boundary(*at)).unwrap_or(0);
        Refused { code: code.into(), reason: reason.get(..end).unwrap_or_default().to_owned() }
    }
}

impl Tries {
    /// One more, at `now`.
    pub fn next(before: Option<Tries>, refused: Option<Refused>, now: Timestamp) -> Tries {
        let (tries, since) = before.map_or((0, now.as_second()), |before| (before.tries, before.since));
        Tries { tries: tries.saturating_add(1), since, refused }
    }

    /// The second of the next try.
    pub fn due(&self, now: Timestamp) -> i64 {
        let longest = if self.refused.is_some() { PAUSE.1 } else { PAUSE.2 };
        let pause = PAUSE.0.saturating_mul(1 << self.tries.saturating_sub(1).min(20)).min(longest);
        now.as_second().saturating_add(pause)
    }
}

impl Undelivered {
    /// Documents without outcome.
    pub fn documents(&self) -> u64 {
        self.findings + self.ledger
    }

    pub fn refused_documents(&self) -> u64 {
        self.refused.values().map(|refusals| refusals.documents).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrity::ledger::tests::at;

    #[test]
    fn pauses_grow_to_an_hour_after_refusals_and_to_a_minute_without_an_answer() {
        let now = at("03:00:00");
        let pauses = |refused: Option<Refused>| -> Vec<i64> {
            let mut tries = None;
            let pause = |_| {
                let next = Tries::next(tries.take(), refused.clone(), now);
                let due = next.due(now) - now.as_second();
                tries = Some(next);
                due
            };
            (0..40).map(pause).collect()
        };
        let refused = pauses(Some(Refused::new("mapping-refused", "x")));
        assert_eq!(refused.get(..12), Some(&[5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600][..]));
        assert_eq!(refused.last(), Some(&3600));
        assert_eq!(pauses(None).get(..6), Some(&[5, 10, 20, 40, 60, 60][..]));
    }

    #[test]
    fn a_reason_is_cut_between_characters() {
        let reason = format!("{}ü and more", "a".repeat(REASON - 1));
        assert_eq!(Refused::new("x", &reason).reason, "a".repeat(REASON - 1));
        assert_eq!(Refused::new("x", "short").reason, "short");
    }
}
