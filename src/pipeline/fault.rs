//! Why an object, a record or a message cannot be shipped, what the user wants done about it, and how often it was.
//!
//! Leaves out how it is done: records are the mill's, objects and messages the inputs'. The defaults lose nothing: what
//! somebody may mend stays with its source, what will never be whole lies in the dead letter.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Why something cannot be shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    ObjectMissing,
    AccessDenied,
    KmsDenied,
    Archived,
    /// Bytes that are no whole gzip.
    CorruptObject,
    /// An object that is not JSON or ends early, or a record that is not JSON.
    BrokenJson,
    /// More than `limits.object_bytes`, `limits.inflate_ratio` or `limits.record_bytes`.
    TooLarge,
    UnknownNotification,
    /// A bucket that `allowed_buckets` does not name.
    ForeignBucket,
    /// Refused in a way that has no setting of its own.
    Other,
}

/// What is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// It stays with its source and is tried again.
    Retry,
    /// It is put into the dead letter, and is settled with that.
    Park,
    /// It is counted and logged, and is settled with that.
    Ignore,
}

/// What is done about each cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policies([Policy; CAUSES]);

/// How often each policy was applied to each cause.
#[derive(Debug, Default)]
pub struct FaultCounts([[AtomicU64; POLICIES]; CAUSES]);

/// The policies of one input, and its counts. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    policies: Policies,
    counts: Arc<FaultCounts>,
}

const CAUSES: usize = Cause::ALL.len();
const POLICIES: usize = Policy::ALL.len();

impl Cause {
    pub const ALL: [Cause; 10] = [
        Cause::ObjectMissing,
        Cause::AccessDenied,
        Cause::KmsDenied,
        Cause::Archived,
        Cause::CorruptObject,
        Cause::BrokenJson,
        Cause::TooLarge,
        Cause::UnknownNotification,
        Cause::ForeignBucket,
        Cause::Other,
    ];

    /// The key below `on_fault`, which is also the label of its metric.
    pub fn name(self) -> &'static str {
        match self {
            Cause::ObjectMissing => "object_missing",
            Cause::AccessDenied => "access_denied",
            Cause::KmsDenied => "kms_denied",
            Cause::Archived => "archived",
            Cause::CorruptObject => "corrupt_object",
            Cause::BrokenJson => "broken_json",
            Cause::TooLarge => "too_large",
            Cause::UnknownNotification => "unknown_notification",
            Cause::ForeignBucket => "foreign_bucket",
            Cause::Other => "other",
        }
    }
}

impl Policy {
    pub const ALL: [Policy; 3] = [Policy::Retry, Policy::Park, Policy::Ignore];

    /// The word of the configuration, which is also the label of the metric.
    pub fn name(self) -> &'static str {
        match self {
            Policy::Retry => "retry",
            Policy::Park => "park",
            Policy::Ignore => "ignore",
        }
    }
}

impl Default for Policies {
    fn default() -> Policies {
        Policies([Policy::Retry; CAUSES])
            .with(Cause::CorruptObject, Policy::Park)
            .with(Cause::BrokenJson, Policy::Park)
            .with(Cause::TooLarge, Policy::Park)
    }
}

impl Policies {
    pub fn of(&self, cause: Cause) -> Policy {
        self.0.get(cause as usize).copied().unwrap_or(Policy::Retry)
    }

    /// The same but for one cause.
    pub fn with(mut self, cause: Cause, policy: Policy) -> Policies {
        if let Some(own) = self.0.get_mut(cause as usize) {
            *own = policy;
        }
        self
    }
}

impl FaultCounts {
    /// What happened at all: cause, policy, and how often.
    pub fn read(&self) -> Vec<(Cause, Policy, u64)> {
        let all = Cause::ALL.into_iter().zip(&self.0);
        let each =
            all.flat_map(|(cause, row)| Policy::ALL.into_iter().zip(row).map(move |(policy, n)| (cause, policy, n)));
        each.map(|(cause, policy, n)| (cause, policy, n.load(Relaxed))).filter(|(_, _, n)| *n > 0).collect()
    }
}

impl Faults {
    pub fn new(policies: Policies, counts: Arc<FaultCounts>) -> Faults {
        Faults { policies, counts }
    }

    /// What is to be done about the cause.
    pub fn policy(&self, cause: Cause) -> Policy {
        self.policies.of(cause)
    }

    /// Counts that it was met, and tells what is to be done about it.
    pub fn meet(&self, cause: Cause) -> Policy {
        let policy = self.policy(cause);
        if let Some(count) = self.counts.0.get(cause as usize).and_then(|row| row.get(policy as usize)) {
            count.fetch_add(1, Relaxed);
        }
        policy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_a_place_of_its_own() {
        for (place, cause) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(cause as usize, place);
            let policies = Policies::default().with(cause, Policy::Ignore);
            let ignored: Vec<_> = Cause::ALL.into_iter().filter(|it| policies.of(*it) == Policy::Ignore).collect();
            assert_eq!(ignored, [cause]);
        }
        for (place, policy) in Policy::ALL.into_iter().enumerate() {
            assert_eq!(policy as usize, place);
        }
    }

    #[test]
    fn by_default_nothing_is_ignored_and_only_what_is_damaged_is_parked() {
        let parked: Vec<_> =
            Cause::ALL.into_iter().filter(|cause| Policies::default().of(*cause) == Policy::Park).collect();
        assert_eq!(parked, [Cause::CorruptObject, Cause::BrokenJson, Cause::TooLarge]);
        assert!(Cause::ALL.into_iter().all(|cause| Policies::default().of(cause) != Policy::Ignore));
    }

    #[test]
    fn what_is_met_is_counted_by_cause_and_policy() {
        let counts = Arc::new(FaultCounts::default());
        let faults = Faults::new(Policies::default().with(Cause::Archived, Policy::Park), Arc::clone(&counts));
        assert_eq!(
            [Cause::Archived, Cause::Archived, Cause::Other].map(|cause| faults.meet(cause)),
            [Policy::Park, Policy::Park, Policy::Retry]
        );
        assert_eq!(counts.read(), [(Cause::Archived, Policy::Park, 2), (Cause::Other, Policy::Retry, 1)]);
    }
}
