//! The figures of a run, as the summary at its end, `/stats` and the live line have them.

use crate::ack::Counts;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::{self, Display};

/// What one input has done.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct InputStatus {
    pub id: String,
    #[serde(flatten)]
    pub records: Counts,
    /// `received` less all outcomes; 0 unless the program is wrong.
    pub unbalanced: i64,
    pub objects: u64,
    pub skipped: u64,
    pub bytes: u64,
    /// Messages or files that wait, when known.
    pub waiting: Option<u64>,
    pub messages_received: u64,
    pub messages_deleted: u64,
    pub messages_released: u64,
    pub messages_unknown: u64,
    /// How often something could not be shipped, by cause, and by what was done about it.
    pub faults: BTreeMap<String, BTreeMap<String, u64>>,
    /// For inputs that read log groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_groups: Option<LogGroupStatus>,
}

impl InputStatus {
    /// What is wrong when the records do not add up, for people.
    pub fn imbalance(&self) -> Option<String> {
        (self.unbalanced != 0 || self.records.miscounted > 0).then(|| {
            format!(
                "a fault inside trailship: of {} records {} are not accounted for, in {} objects; please report it with the log",
                self.records.received, self.unbalanced, self.records.miscounted
            )
        })
    }
}

/// What an input has done with log groups.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LogGroupStatus {
    /// Groups that are read, and those of them that fail at present.
    pub groups: u64,
    pub failing: u64,
    /// Events that were recognised as read before.
    pub repeated: u64,
    /// Calls under the quota: let through, ms that they waited for it, answers that they are too many.
    pub calls_granted: u64,
    pub calls_waited_ms: u64,
    pub calls_throttled: u64,
}

/// What verification while shipping has done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IntegrityStatus {
    /// Digests that were judged: valid in themselves, and others.
    pub digests_verified: u64,
    pub digests_invalid: u64,
    /// Log files by what became of them: `intact`, `altered`, `missing`, `unlisted`, `late`, `elsewhere`, `skipped`.
    pub files: BTreeMap<String, u64>,
    /// Findings by `event.action`.
    pub findings: BTreeMap<String, u64>,
    /// Hours of the ledger that were closed.
    pub hours_closed: u64,
    /// Checks that wait for their time.
    pub awaiting: u64,
    /// Documents that have not arrived.
    pub outbox: u64,
    /// Those of them that the data stream refuses, by code; and the tries that it refused.
    pub refused: BTreeMap<String, u64>,
    pub refusals: BTreeMap<String, u64>,
    /// Documents that were given up, as they could not be delivered for too long or were too many.
    pub dropped_findings: u64,
    pub dropped_ledger: u64,
    pub store_bytes: u64,
    /// Writes of the store, and calls of AWS, that failed and were repeated.
    pub store_failures: u64,
    pub calls_failed: u64,
}

impl IntegrityStatus {
    /// Findings that were made.
    pub fn findings_made(&self) -> u64 {
        self.findings.values().sum()
    }

    /// Documents that the data stream refuses.
    pub fn refused_documents(&self) -> u64 {
        self.refused.values().sum()
    }
}

/// What a run has done.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    pub inputs: Vec<InputStatus>,
    /// Objects and records of all inputs.
    pub objects: u64,
    pub records: u64,
    pub indexed: u64,
    pub duplicate: u64,
    pub filtered: u64,
    pub parked: u64,
    /// Records whose document had to be changed for the index to take it, whatever their outcome.
    pub repaired: u64,
    /// Parked records by reason.
    pub parked_by_code: BTreeMap<String, u64>,
    /// Filtered records by the `id` or the place of the rule that dropped them; rules that dropped none have 0.
    pub filtered_by_rule: BTreeMap<String, u64>,
    /// Documents that a processor failed on, by its `id` or place.
    pub failed_by_rule: BTreeMap<String, u64>,
    /// With `integrity.enabled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integrity: Option<IntegrityStatus>,
    pub seconds: f64,
}

/// 1234567 as 1,234,567.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Seconds as days, hours, minutes and seconds, the two largest that there are.
#[derive(Debug, Clone, Copy)]
pub struct Lasted(pub f64);

impl Display for Lasted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whole seconds of a run's time fit.
        let seconds = self.0.max(0.0) as u64;
        match seconds {
            0..60 => write!(f, "{seconds} s"),
            60..3_600 => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            3_600..86_400 => write!(f, "{} h {} min", seconds / 3_600, seconds / 60 % 60),
            _ => write!(f, "{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Lasted, grouped};

    #[test]
    fn times_are_for_people() {
        for (seconds, text) in [(0.4, "0 s"), (61.0, "1 min 1 s"), (7_260.0, "2 h 1 min"), (90_000.0, "1 d 1 h")] {
            assert_eq!(Lasted(seconds).to_string(), text);
        }
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
