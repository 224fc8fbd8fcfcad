//! What a run says: for people as the AWS CLI does, for programs as JSON, and as an exit code.

pub mod json;
pub mod text;

use super::finding::{Finding, Severity};
use super::logs::{self, Line};
use super::run::Outcome;
use super::walk::Event;
use serde::Serialize;

/// The verdict over everything that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything is there, and is what CloudTrail wrote.
    Valid,
    Invalid,
    Incomplete,
    NothingFound,
    Operational,
}

impl Verdict {
    /// What was altered goes before what could not be read, and that before what cannot be proved.
    pub fn of(outcomes: &[Outcome], other: &[Finding]) -> Verdict {
        let own = outcomes.iter().flat_map(|outcome| &outcome.findings);
        let worst = own.chain(other).map(|finding| finding.severity).max().unwrap_or(Severity::Note);
        let digests: u64 = outcomes.iter().map(|outcome| outcome.audit.digests).sum();
        match worst {
            Severity::Invalid => Verdict::Invalid,
            Severity::Operational => Verdict::Operational,
            _ if digests == 0 => Verdict::NothingFound,
            Severity::Incomplete => Verdict::Incomplete,
            Severity::Note => Verdict::Valid,
        }
    }

    /// The exit code of `trailship validate`.
    pub fn code(self) -> u8 {
        match self {
            Verdict::Valid => 0,
            Verdict::Invalid => 1,
            Verdict::Incomplete => 3,
            Verdict::NothingFound => 4,
            Verdict::Operational => 5,
        }
    }
}

/// The exit code of the AWS CLI (its first generation) for the same.
pub fn compat_code(outcomes: &[Outcome]) -> u8 {
    let tallies = || outcomes.iter().map(tally);
    if tallies().any(|tally| tally.fatal.is_some()) { 255 } else { u8::from(tallies().any(|tally| tally.is_invalid())) }
}

/// The AWS CLI's counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Valid and invalid.
    pub digests: (u64, u64),
    pub backfill: (u64, u64),
    pub logs: (u64, u64),
    /// Why the command ended early.
    pub fatal: Option<String>,
}

impl Tally {
    pub fn is_invalid(&self) -> bool {
        self.digests.1 + self.backfill.1 + self.logs.1 > 0
    }
}

/// Counts, then drops what only the lines need: an organization has very many log files.
pub fn settle(outcome: &mut Outcome) {
    outcome.tally = Some(tally(outcome));
    outcome.events = Vec::new();
    outcome.logs = std::sync::Arc::default();
}

/// Counts as the AWS CLI does.
pub fn tally(outcome: &Outcome) -> Tally {
    if let Some(tally) = &outcome.tally {
        return tally.clone();
    }
    let mut tally = Tally::default();
    visit(outcome, &mut |said| match said {
        Said::Digest { backfill: false, .. } => tally.digests.0 += 1,
        Said::Digest { backfill: true, .. } => tally.backfill.0 += 1,
        Said::InvalidDigest { backfill: false, .. } => tally.digests.1 += 1,
        Said::InvalidDigest { backfill: true, .. } => tally.backfill.1 += 1,
        Said::Log { why: None, .. } => tally.logs.0 += 1,
        Said::Log { why: Some(_), .. } => tally.logs.1 += 1,
        Said::Gap { .. } => {}
        Said::Fatal(text) => tally.fatal = Some(text.to_owned()),
    });
    tally
}

/// One line of the AWS CLI.
enum Said<'o> {
    Digest { backfill: bool, name: &'o super::scope::Name, start: jiff::Timestamp, end: jiff::Timestamp },
    InvalidDigest { backfill: bool, name: &'o super::scope::Name, why: &'o str },
    Log { bucket: &'o str, key: &'o str, why: Option<&'static str> },
    Gap { backfill: bool, from: jiff::Timestamp, to: jiff::Timestamp },
    Fatal(&'o str),
}

/// Goes through the AWS CLI's lines in its order, up to where it would end.
fn visit(outcome: &Outcome, take: &mut dyn FnMut(Said<'_>)) {
    for event in &outcome.events {
        match event {
            Event::Invalid { backfill, name, why } => take(Said::InvalidDigest { backfill: *backfill, name, why }),
            Event::Gap { backfill, from, to } => take(Said::Gap { backfill: *backfill, from: *from, to: *to }),
            Event::Fatal(text) => return take(Said::Fatal(text)),
            Event::Valid { backfill, name, start, end, logs } => {
                take(Said::Digest { backfill: *backfill, name, start: *start, end: *end });
                for entry in logs {
                    let name = super::scope::Name::new(entry.bucket.clone(), entry.key.clone());
                    let Some(read) = outcome.logs.get(&name) else { continue };
                    let why = match logs::line(entry, read) {
                        Line::Valid => None,
                        Line::Invalid(why) => Some(why),
                        Line::Fatal(text) => return take(Said::Fatal(&text)),
                    };
                    take(Said::Log { bucket: &entry.bucket, key: &entry.key, why });
                }
            }
        }
    }
}
