//! The ledger: when an hour of one account and region is over, and what is said of it then. Pure.
//!
//! An hour is told by the time in the names of its log files, which is that of their delivery. It closes once, when
//! everything about it can be known, or when waiting any longer would bring nothing: what comes afterwards is a finding of
//! its own (`log_file_late`), never a second entry.

use super::model::{FileState, HOUR, Hour};
use crate::verify::moment::{self, display};
use jiff::Timestamp;

/// CloudTrail may list a file in the digest after the one that covers the time in its name, and may take this many seconds
/// to deliver a digest (CloudTrail formats 5.4).
pub const SLACK: i64 = 2 * HOUR;

/// How far authentic digests cover an hour and the slack after it, from the least on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Coverage {
    /// No digest of this account and region reaches back so far: validation was off, or digests are not announced.
    Unknown,
    /// A part of the hour is not covered.
    Partial,
    /// The hour is covered; not yet the slack.
    Hour,
    Whole,
}

/// What the ledger says of an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `None` where no digest tells what to expect.
    pub expected: Option<u64>,
    /// Log files that digests name, or that failed, and whose records have no outcome.
    pub lacking: u64,
    /// Nothing lacks, and all is as digests say.
    pub is_complete: bool,
    /// For people: what lacks and what to do; empty when nothing does.
    pub reason: String,
}

/// How far `covered`, the time of authentic digests of this account and region in any order, reaches over the hour.
/// `begin` is the beginning of the first that is known; what was before it, nobody can ask of digests.
pub fn coverage(hour: Timestamp, covered: &[(Timestamp, Timestamp)], begin: Option<Timestamp>) -> Coverage {
    let end = moment::plus(hour, HOUR);
    let Some(begin) = begin.filter(|begin| *begin < end) else { return Coverage::Unknown };
    match uncovered(hour.max(begin), moment::plus(end, SLACK), covered).first() {
        None => Coverage::Whole,
        Some((from, _)) if *from >= end => Coverage::Hour,
        Some(_) => Coverage::Partial,
    }
}

/// The parts of the time from `from` to `to` that nothing in `covered` covers, in order.
pub fn uncovered(from: Timestamp, to: Timestamp, covered: &[(Timestamp, Timestamp)]) -> Vec<(Timestamp, Timestamp)> {
    let mut covered: Vec<_> = covered.iter().filter(|(start, end)| *end > from && *start < to).copied().collect();
    covered.sort_unstable();
    let (mut at, mut open) = (from, Vec::new());
    for (start, end) in covered {
        if start > at {
            open.push((at, start));
        }
        at = at.max(end);
    }
    if at < to {
        open.push((at, to));
    }
    open
}

/// Whether the hour closes now. `late_after` (seconds) is how long a file or digest may be awaited.
///
/// With digests over the whole hour and its slack it closes as soon as everything that was told of it came to an end. Else
/// it closes by time: nothing was told for `late_after`, and twice that while S3 is still to be asked for listed files,
/// which happens after the first.
pub fn is_due(hour: &Hour, coverage: Coverage, late_after: i64, now: Timestamp) -> bool {
    if hour.closed.is_some() {
        return false;
    }
    let ended = hour.open == 0 && hour.notified <= hour.indexed.saturating_add(hour.failed);
    if coverage == Coverage::Whole && ended {
        return true;
    }
    let patience = if hour.open > 0 { late_after.saturating_mul(2) } else { late_after };
    let quiet_since = hour.changed.max(moment::plus(hour.key.hour, HOUR + SLACK));
    now >= moment::plus(quiet_since, patience)
}

/// What is said of the hour when it closes; `files` are those of the hour.
pub fn entry<'a>(hour: &Hour, coverage: Coverage, files: impl IntoIterator<Item = &'a FileState>) -> Entry {
    let (mut lacking, mut wrong) = (0, 0);
    for file in files {
        lacking += u64::from(lacks(file));
        wrong += u64::from(file.is_wrong() && !lacks(file));
    }
    let expected = (coverage != Coverage::Unknown).then_some(hour.expected);
    let mut faults = Vec::new();
    if lacking > 0 {
        faults.push(format!("{} not shipped", files_of(lacking)));
    }
    if wrong > 0 {
        faults.push(format!("{} not as digests say", files_of(wrong)));
    }
    if coverage == Coverage::Partial {
        faults.push("no valid digest covers a part of the hour".to_owned());
    }
    let is_complete = faults.is_empty();
    let reason = match is_complete {
        true => String::new(),
        false => format!(
            "{}; `trailship gaps --start {} --end {}` names what lacks",
            faults.join(", "),
            display(hour.key.hour),
            display(moment::plus(hour.key.hour, HOUR)),
        ),
    };
    Entry { expected, lacking, is_complete, reason }
}

/// Whether records of the file lack in the index: a digest lists it or somebody announced it, and it was not shipped.
pub fn lacks(file: &FileState) -> bool {
    file.is_lacking() || (file.notified && !file.indexed && !file.skipped)
}

fn files_of(n: u64) -> String {
    match n {
        1 => "1 log file was".to_owned(),
        n => format!("{n} log files were"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use super::*;
    use crate::integrity::model::{Compared, HourKey, Listed};
    use crate::verify::scope::Name;

    pub(in crate::integrity) fn at(text: &str) -> Timestamp {
        format!("2026-03-01T{text}Z").parse().unwrap()
    }

    pub(in crate::integrity) fn hour(start: &str) -> Hour {
        let key = HourKey { account: "111122223333".to_owned(), region: "us-east-1".to_owned(), hour: at(start) };
        Hour::new(key, at(start))
    }

    pub(in crate::integrity) fn file(key: &str) -> FileState {
        FileState::new(Name::new("trails", key), at("03:30:00"))
    }

    pub(in crate::integrity) fn listed(key: &str) -> FileState {
        let digest = Name::new("trails", "digest");
        FileState { listed: Some(Listed { digest, sha256: None, at: at("04:10:00") }), ..file(key) }
    }

    #[test]
    fn what_no_digest_covers() {
        let span = |from: &str, to: &str| (at(from), at(to));
        let all = span("03:00:00", "06:00:00");
        for (covered, expected) in [
            (vec![], vec![all]),
            (vec![span("01:00:31", "09:00:31")], vec![]),
            (vec![span("04:00:31", "06:00:31"), span("02:00:31", "03:00:31")], vec![span("03:00:31", "04:00:31")]),
            (vec![span("02:00:31", "04:00:31"), span("04:00:31", "06:00:31")], vec![]),
            (vec![span("03:00:31", "05:00:31")], vec![span("03:00:00", "03:00:31"), span("05:00:31", "06:00:00")]),
            (vec![span("02:00:31", "05:30:31"), span("03:00:31", "04:00:31")], vec![span("05:30:31", "06:00:00")]),
            (vec![span("01:00:31", "02:00:31"), span("06:00:00", "07:00:00")], vec![all]),
        ] {
            assert_eq!(uncovered(all.0, all.1, &covered), expected, "{covered:?}");
        }
    }

    #[test]
    fn an_hour_is_covered_with_the_slack_after_it() {
        let of = |covered: &[(&str, &str)], begin: Option<&str>| {
            let covered: Vec<_> = covered.iter().map(|(from, to)| (at(from), at(to))).collect();
            coverage(at("03:00:00"), &covered, begin.map(at))
        };
        let long_ago = Some("00:00:31");
        assert_eq!(of(&[("02:00:31", "06:00:31")], long_ago), Coverage::Whole);
        assert_eq!(of(&[("02:00:31", "05:00:31")], long_ago), Coverage::Hour);
        assert_eq!(of(&[("02:00:31", "03:59:31")], long_ago), Coverage::Partial);
        assert_eq!(of(&[("02:00:31", "03:00:31"), ("04:00:31", "07:00:31")], long_ago), Coverage::Partial);
        assert_eq!(of(&[], long_ago), Coverage::Partial);
        assert_eq!(of(&[], None), Coverage::Unknown);
        // The first hour of a chain, and the one before it.
        assert_eq!(of(&[("03:00:31", "06:00:31")], Some("03:00:31")), Coverage::Whole);
        assert_eq!(of(&[("04:00:31", "09:00:31")], Some("04:00:31")), Coverage::Unknown);
    }

    #[test]
    fn when_an_hour_closes() {
        use Coverage::{Partial, Unknown, Whole};
        let two_hours = 2 * HOUR;
        let told = |change: fn(&mut Hour)| {
            let mut hour = hour("03:00:00");
            hour.changed = at("04:05:00");
            change(&mut hour);
            hour
        };
        for (hour, coverage, now, due, why) in [
            (told(|_| {}), Whole, "04:05:00", true, "an hour without files, covered"),
            (told(|h| (h.expected, h.notified, h.indexed) = (2, 2, 2)), Whole, "06:01:00", true, "all is here"),
            (told(|h| (h.notified, h.indexed, h.failed) = (2, 1, 1)), Whole, "06:01:00", true, "failed is an end too"),
            (told(|h| (h.notified, h.indexed) = (2, 1)), Whole, "06:01:00", false, "one is being shipped"),
            (told(|h| (h.expected, h.open) = (1, 1)), Whole, "06:01:00", false, "one is awaited"),
            (told(|h| (h.notified, h.indexed) = (1, 1)), Partial, "07:59:59", false, "a digest may come"),
            (told(|h| (h.notified, h.indexed) = (1, 1)), Partial, "08:00:00", true, "it has not come"),
            (
                told(|h| (h.notified, h.indexed) = (1, 1)),
                Coverage::Hour,
                "07:59:59",
                false,
                "the next digest may list one more",
            ),
            (told(|h| (h.notified, h.indexed) = (1, 1)), Unknown, "08:00:00", true, "no digests here"),
            (told(|h| (h.expected, h.open) = (1, 1)), Whole, "08:00:00", false, "S3 is asked now"),
            (told(|h| (h.expected, h.open) = (1, 1)), Whole, "10:00:00", true, "S3 did not answer"),
            (told(|h| h.changed = at("09:00:00")), Partial, "10:59:59", false, "a backlog: told of late"),
            (told(|h| h.changed = at("09:00:00")), Partial, "11:00:00", true, "and quiet since"),
            (told(|h| h.closed = Some(at("05:00:00"))), Whole, "12:00:00", false, "only once"),
        ] {
            assert_eq!(is_due(&hour, coverage, two_hours, at(now)), due, "{why}");
        }
    }

    #[test]
    fn what_is_said_of_an_hour() {
        let hour = Hour { expected: 3, notified: 2, read: 2, indexed: 1, failed: 1, wrong: 1, ..hour("03:00:00") };
        let indexed = FileState { notified: true, indexed: true, ..listed("a") };
        let failed = FileState { notified: true, failed: Some("corrupt-object".to_owned()), ..listed("b") };
        let missing = FileState { compared: Some(Compared::Missing), ..listed("c") };
        let unlisted = FileState { compared: Some(Compared::Unlisted), listed: None, ..indexed.clone() };
        let said = entry(&hour, Coverage::Whole, &[indexed.clone(), failed, missing, unlisted]);
        assert_eq!((said.expected, said.lacking, said.is_complete), (Some(3), 2, false));
        assert_eq!(
            said.reason,
            "2 log files were not shipped, 1 log file was not as digests say; `trailship gaps --start \
             2026-03-01T03:00:00Z --end 2026-03-01T04:00:00Z` names what lacks"
        );
        let whole = Hour { expected: 1, notified: 1, read: 1, indexed: 1, failed: 0, wrong: 0, ..hour };
        let said = entry(&whole, Coverage::Whole, [&indexed]);
        assert_eq!(said, Entry { expected: Some(1), lacking: 0, is_complete: true, reason: String::new() });
        assert_eq!(entry(&whole, Coverage::Unknown, [&indexed]).expected, None);
        assert!(!entry(&whole, Coverage::Partial, [&indexed]).is_complete);
    }

    #[test]
    fn what_another_process_has_does_not_lack() {
        for (file, expected) in [
            (listed("a"), true),
            (FileState { compared: Some(Compared::Elsewhere), ..listed("a") }, false),
            (FileState { skipped: true, notified: true, ..listed("a") }, false),
            (FileState { compared: Some(Compared::Late), ..listed("a") }, true),
            (FileState { notified: true, ..file("a") }, true),
            (FileState { notified: true, indexed: true, ..file("a") }, false),
            (file("a"), false),
        ] {
            assert_eq!(lacks(&file), expected, "{file:?}");
        }
    }
}
