//! What became of the letters that were sent again.

use crate::ack::Counts;
use crate::output::parking::LetterId;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Letters that stayed and are told one by one; of more only their number is.
const TOLD: usize = 1_000;

/// The end of a replay.
#[derive(Debug, Clone, Serialize)]
pub struct Replayed {
    /// Letters that were chosen.
    pub letters: u64,
    /// Letters that went well and are marked.
    pub replayed: u64,
    /// Letters that failed again and stay.
    pub stayed: u64,
    /// Letters that an early end left without outcome.
    pub open: u64,
    /// Letters written for records that had none, in objects that were read again.
    pub new_letters: u64,
    pub by_code: BTreeMap<String, ByCode>,
    /// Those that stayed, with their new reason; of very many the first.
    pub staying: Vec<Stayed>,
    /// Records, by what became of them.
    pub indexed: u64,
    pub duplicate: u64,
    pub filtered: u64,
    pub seconds: f64,
}

/// Letters of one code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ByCode {
    pub replayed: u64,
    pub stayed: u64,
}

/// A letter that failed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stayed {
    pub id: LetterId,
    /// Why now; the letter itself still tells why first.
    pub code: String,
    pub reason: String,
}

/// Letters as they are settled.
#[derive(Default)]
pub(super) struct Tally {
    by_code: BTreeMap<String, ByCode>,
    staying: Vec<Stayed>,
}

impl Tally {
    pub(super) fn replayed(&mut self, code: &str) {
        self.by_code.entry(code.to_owned()).or_default().replayed += 1;
    }

    pub(super) fn stayed(&mut self, code: &str, stayed: Stayed) {
        self.by_code.entry(code.to_owned()).or_default().stayed += 1;
        if self.staying.len() < TOLD {
            self.staying.push(stayed);
        }
    }
}

impl Replayed {
    pub(super) fn new(tally: Tally, letters: u64, records: Counts, new_letters: u64, took: Duration) -> Replayed {
        let sum = |of: fn(&ByCode) -> u64| tally.by_code.values().map(of).sum::<u64>();
        let (replayed, stayed) = (sum(|code| code.replayed), sum(|code| code.stayed));
        Replayed {
            letters,
            replayed,
            stayed,
            open: letters.saturating_sub(replayed + stayed),
            new_letters,
            by_code: tally.by_code,
            staying: tally.staying,
            indexed: records.indexed,
            duplicate: records.duplicate,
            filtered: records.filtered,
            seconds: took.as_secs_f64(),
        }
    }

    /// Whether nothing that was chosen is left.
    pub fn is_complete(&self) -> bool {
        self.stayed == 0 && self.open == 0 && self.new_letters == 0
    }
}
