//! Parts whose records do not add up at their end: a fault of the program, counted, and named for whoever reports it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// A part of which other records ended than were issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miscount {
    /// What the part is, as [`Part::named`](super::Part::named) said.
    pub object: String,
    /// Records that were taken out of it.
    pub issued: u64,
    /// Records of it that have an outcome or were given back.
    pub ended: u64,
}

/// Miscounts that are kept until they are said; of more only their number is.
const KEPT: usize = 100;

/// The miscounts of one input.
#[derive(Debug, Default)]
pub(super) struct Miscounts {
    seen: AtomicU64,
    unsaid: Mutex<Vec<Miscount>>,
}

impl Miscounts {
    pub(super) fn note(&self, miscount: Miscount) {
        self.seen.fetch_add(1, Relaxed);
        let mut unsaid = self.unsaid.lock().unwrap_or_else(PoisonError::into_inner);
        if unsaid.len() < KEPT {
            unsaid.push(miscount);
        }
    }

    pub(super) fn seen(&self) -> u64 {
        self.seen.load(Relaxed)
    }

    pub(super) fn take(&self) -> Vec<Miscount> {
        std::mem::take(&mut self.unsaid.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
