//! What verification has done, counted for `/metrics` and the summary.

use super::model::Compared;
use super::outbox::{Dropped, Refusals};
use super::store::Levels;
use crate::status::IntegrityStatus;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The counts of one run.
#[derive(Debug, Default)]
pub struct Figures(Mutex<IntegrityStatus>);

/// What one transaction adds; nothing of it counts when the transaction fails.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Added {
    pub verified: u64,
    pub invalid: u64,
    pub compared: BTreeMap<Compared, u64>,
    pub findings: BTreeMap<&'static str, u64>,
    pub hours: u64,
    /// Tries that the data stream refused, by code.
    pub refusals: BTreeMap<String, u64>,
    /// Documents that were given up.
    pub dropped: Dropped,
}

impl Figures {
    /// All counts so far.
    pub fn read(&self) -> IntegrityStatus {
        self.lock().clone()
    }

    pub(super) fn add(&self, added: &Added) {
        let mut status = self.lock();
        status.digests_verified += added.verified;
        status.digests_invalid += added.invalid;
        status.hours_closed += added.hours;
        for (compared, n) in &added.compared {
            *status.files.entry(compared.label().to_owned()).or_default() += n;
        }
        status.dropped_findings += added.dropped.findings;
        status.dropped_ledger += added.dropped.ledger;
        for (code, n) in &added.refusals {
            *status.refusals.entry(code.clone()).or_default() += n;
        }
        for (action, n) in &added.findings {
            *status.findings.entry((*action).to_owned()).or_default() += n;
        }
    }

    pub(super) fn levels(&self, levels: Levels, refusals: &BTreeMap<String, Refusals>) {
        let mut status = self.lock();
        status.refused = refusals.iter().map(|(code, refusals)| (code.clone(), refusals.documents)).collect();
        (status.awaiting, status.outbox, status.store_bytes) = (levels.awaiting, levels.outbox, levels.bytes);
    }

    pub(super) fn store_failed(&self) {
        self.lock().store_failures += 1;
    }

    pub(super) fn call_failed(&self) {
        self.lock().calls_failed += 1;
    }

    fn lock(&self) -> MutexGuard<'_, IntegrityStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
