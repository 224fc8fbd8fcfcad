//! Broken records of one object: put into the dead letter in small lots, left out, or what keeps the object with its source.

use super::fault::{Cause, Faults, Policy};
use super::reading::ObjectFault;
use crate::ack::{Outcome, Part};
use crate::output::Source;
use crate::output::parking::{BROKEN_RECORDS, Parked, Parking};
use std::cmp::Ordering;

/// Broken records of one object.
#[derive(Default)]
pub(super) struct Asides {
    waiting: Vec<Aside>,
    /// Bytes of the records that wait.
    bytes: usize,
    /// Broken records of the object so far.
    broken: u64,
    /// Those of them that no letter is written for, not settled yet.
    counted: u64,
    /// Records of the object that are left out, and those of them that are not settled yet.
    ignored: u64,
    unsettled: u64,
    /// Why the object must stay with its source: what was wrong with the first of its records.
    held: Option<String>,
    faults: Faults,
}

struct Aside {
    code: &'static str,
    reason: String,
    offset: u64,
    record: Vec<u8>,
}

/// Broken records, and their bytes, that wait for one durable write.
const LOT: usize = 256;
const LOT_BYTES: usize = 1 << 20;
/// Broken records of one object that are kept one by one. A small hostile object can hold millions, whose letters would
/// fill the disk; what is beyond this stays in the object, which the last letter names.
const KEPT: u64 = 10_000;

impl Asides {
    /// Those of an object, about which is done as `faults` say.
    pub(super) fn facing(faults: Faults) -> Asides {
        Asides { faults, ..Asides::default() }
    }

    /// Records of the object that are left out.
    pub(super) fn ignored(&self) -> u64 {
        self.ignored
    }

    /// Why the object must stay with its source, if it must.
    pub(super) fn held(&mut self) -> Option<String> {
        self.held.take()
    }

    /// The records so far were of a content that is no more: what was done about them is done, the rest is forgotten.
    pub(super) fn forget(&mut self) {
        self.ignored = 0;
        self.held = None;
    }

    /// Takes a broken record; true when the lot is full.
    pub(super) fn add(&mut self, cause: Cause, code: &'static str, reason: String, offset: u64, record: &[u8]) -> bool {
        // A held object is met once, at its end.
        if self.faults.policy(cause) == Policy::Retry {
            self.held.get_or_insert_with(|| format!("the record at byte {offset} is broken: {reason}"));
            return false;
        }
        if self.faults.meet(cause) == Policy::Ignore {
            self.ignored += 1;
            self.unsettled += 1;
            return false;
        }
        self.broken += 1;
        let (code, reason) = match self.broken.cmp(&(KEPT + 1)) {
            Ordering::Less => (code, reason),
            Ordering::Equal => {
                let all = format!("more than {KEPT} records of this object are broken, the rest is only counted");
                (BROKEN_RECORDS, format!("{all}; here: {reason}"))
            }
            Ordering::Greater => {
                self.counted += 1;
                return false;
            }
        };
        self.waiting.push(Aside { code, reason, offset, record: record.to_vec() });
        self.bytes += record.len();
        self.waiting.len() >= LOT || self.bytes >= LOT_BYTES
    }

    /// Parks what waits. Records are settled only after the dead letter has them, or the letter that stands for them.
    pub(super) fn park(&mut self, part: &Part, source: &Source, parking: &Parking) -> Result<(), ObjectFault> {
        let unsettled = std::mem::take(&mut self.unsettled);
        if unsettled > 0 {
            part.issue(unsettled).settle(Outcome::Filtered, unsettled);
        }
        let n = self.waiting.len() as u64 + self.counted;
        if n == 0 {
            return Ok(());
        }
        let letters: Vec<Parked<'_>> = self
            .waiting
            .iter()
            .map(|aside| Parked {
                code: aside.code,
                reason: aside.reason.clone(),
                status: None,
                source,
                offset: Some(aside.offset),
                id: None,
                record: &aside.record,
            })
            .collect();
        let mut receipt = part.issue(n);
        parking.park(&letters).map_err(|error| ObjectFault::Parking(error.to_string()))?;
        receipt.settle(Outcome::Parked, n);
        parking.count_elsewhere("broken-record", self.counted);
        self.waiting.clear();
        (self.bytes, self.counted) = (0, 0);
        Ok(())
    }
}
