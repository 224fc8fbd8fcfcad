//! What follows from what is known, of files and of neighbours in a chain (CloudTrail formats 5.4). Pure.
//!
//! Kinds of findings are those of `trailship validate`, so that both say the same of the same tampering. Invariants: a call
//! that failed is never a finding; what is listed or linked by a digest that its signature does not prove counts for nothing.

use super::model::{Compared, DigestRow, FileState};
use crate::verify::chain::between;
use crate::verify::digest::LogEntry;
use crate::verify::evidence::{Failure, LogRead};
use crate::verify::finding::{Finding, Kind};
use crate::verify::logs;
use crate::verify::moment;
use crate::verify::scope::Name;
use crate::verify::unpack::Ending;
use jiff::Timestamp;

/// What asking S3 for a listed file came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    Decided(Compared, Option<Finding>),
    /// To be asked again.
    Later(Failure),
}

/// What the hash of the shipped bytes says of a listed file; `None` while either is not known.
pub(super) fn shipped(file: &FileState) -> Option<(Compared, Option<Finding>)> {
    file.listed.as_ref()?;
    let read = LogRead::Hashed { hash: file.sha256.clone()?, ending: Ending::Whole };
    let finding = against_digests(file, &read);
    let compared = if finding.is_some() { Compared::Altered } else { Compared::Intact };
    Some((compared, finding))
}

/// What S3's answer says of a listed file whose bytes were not hashed. `elsewhere`: it may have been shipped by another
/// process, or before anything was remembered.
pub(super) fn asked(file: &FileState, read: LogRead, elsewhere: bool) -> Asked {
    if let LogRead::Failed(failure) = read {
        return Asked::Later(failure);
    }
    match against_digests(file, &read) {
        Some(finding) if finding.kind == Kind::LogMissing => Asked::Decided(Compared::Missing, Some(finding)),
        Some(finding) => Asked::Decided(Compared::Altered, Some(finding)),
        // It was read, but its bytes could not be hashed on the way.
        None if file.read => Asked::Decided(Compared::Intact, None),
        None if elsewhere || file.notified => Asked::Decided(Compared::Elsewhere, None),
        None => Asked::Decided(Compared::Late, None),
    }
}

/// What the newer of two neighbours states of the older, against what that is. `newer` names `older` as the one before.
pub(super) fn neighbours(newer: &DigestRow, older: &DigestRow, backfill: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !newer.authentic {
        return findings;
    }
    if older.end >= newer.end {
        let reason = format!("its link leads to `{}`, which is not older", older.name);
        findings.push(Finding::of(Kind::ChainLoop, &newer.name, reason));
        return findings;
    }
    if !older.hash.is_empty() && newer.previous_hash.as_deref() != Some(&older.hash) {
        findings.push(between::other_hash(&newer.name, &older.name, newer.previous_hash.as_deref(), &older.hash));
    }
    let differs = |signature: &String| {
        !newer.previous_signature.as_ref().is_some_and(|stated| stated.eq_ignore_ascii_case(signature))
    };
    if older.signature.as_ref().is_some_and(differs) && !older.hash.is_empty() {
        findings.push(between::other_signature(&newer.name, &older.name));
    }
    if let (Some((start, _)), Some((_, end)), true, false) = (newer.covers, older.covers, older.authentic, backfill)
        && start != end
    {
        findings.push(between::discontinuity(&newer.name, start, end));
    }
    findings
}

/// What a digest's place in its chain says, when all had time to come. `others` are those between it and
/// the one that it names, which is there.
pub(super) fn orphans(row: &DigestRow, others: &[DigestRow]) -> Vec<Finding> {
    let orphan = |other: &DigestRow| between::orphan(&row.name, &other.name);
    if row.authentic { others.iter().map(orphan).collect() } else { Vec::new() }
}

/// What the beginning of a chain, or a digest that proves nothing, leaves uncovered after `older`.
pub(super) fn beginning(row: &DigestRow, older: &DigestRow) -> Option<Finding> {
    let (start, end) = (row.start(), older.end);
    if row.authentic {
        return Some(between::beginning(&row.name, end, start));
    }
    (end < start).then(|| between::hole(&row.name, end, start))
}

/// The digest that `row` names is gone, and with it all down to `older`, where that tells anything.
pub(super) fn missing(row: &DigestRow, gone: &Name, older: Option<&DigestRow>) -> Finding {
    match older {
        Some(older) => between::missing(gone, older.end, row.start()),
        None => Finding::of(Kind::DigestMissing, gone, "a later digest names it, but it is not there"),
    }
}

/// Whether a file of this time (its minute) is sure to be listed by `digests`, if by any: they cover its time without a hole,
/// and the slack after it, within which CloudTrail lists what came late.
pub(super) fn must_be_listed(time: Timestamp, digests: &[DigestRow]) -> bool {
    let until = moment::plus(time, super::ledger::SLACK);
    let covered: Vec<_> = digests.iter().filter(|digest| digest.authentic).filter_map(|digest| digest.covers).collect();
    super::ledger::uncovered(time, until, &covered).is_empty()
}

/// A finding about a file that no digest lists.
pub(super) fn unlisted(name: &Name) -> Finding {
    Finding::of(Kind::LogUnlisted, name, "no digest lists it, though digests cover the time of its delivery")
}

/// What is wrong with a file by the first of those that list it with which it does not agree.
fn against_digests(file: &FileState, read: &LogRead) -> Option<Finding> {
    let Name { bucket, key } = &file.name;
    file.listings().find_map(|listed| {
        let hash = listed.sha256.clone();
        logs::finding(&LogEntry { bucket: bucket.clone(), key: key.clone(), hash, algorithm: None }, read)
    })
}

#[cfg(test)]
#[path = "judge_tests.rs"]
pub(super) mod tests;
