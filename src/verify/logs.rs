//! Log files against what digests say of them, and files that no digest mentions (CloudTrail formats 5.4, rows 16 and 17).

use super::digest::LogEntry;
use super::evidence::LogRead;
use super::finding::{Finding, Kind};
use super::moment;
use super::scope::{Name, Scope};
use super::unpack::Ending;
use super::walk;
use crate::record::trail_key::{Kind as Category, TrailKey};
use jiff::Timestamp;
use std::collections::HashSet;

/// A file's name tells the minute of its delivery only.
const MINUTE: i64 = 60;
/// Findings of one kind that are named one by one.
const NAMED: usize = 1000;

/// What the AWS CLI says of a log file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Valid,
    Invalid(&'static str),
    /// The command ends here with this text.
    Fatal(String),
}

/// The AWS CLI's line.
pub fn line(entry: &LogEntry, read: &LogRead) -> Line {
    match read {
        LogRead::Missing => Line::Invalid("not found"),
        LogRead::Failed(failure) => Line::Fatal(walk::client_error(failure)),
        LogRead::Broken(_) => Line::Invalid("invalid format"),
        LogRead::Hashed { ending: Ending::Trailing, .. } => {
            Line::Invalid("unexpected data after end of compressed stream")
        }
        LogRead::Hashed { hash, .. } => match &entry.hash {
            None => Line::Invalid("invalid format"),
            Some(stated) if stated == hash => Line::Valid,
            Some(_) => Line::Invalid("hash value doesn't match"),
        },
    }
}

/// What is wrong with a log file; `None` when nothing is.
pub fn finding(entry: &LogEntry, read: &LogRead) -> Option<Finding> {
    let name = Name::new(entry.bucket.clone(), entry.key.clone());
    let (kind, reason) = match (read, &entry.hash) {
        (LogRead::Missing, _) => (Kind::LogMissing, "a digest lists it, but it is not there".to_owned()),
        (LogRead::Failed(failure), _) => (Kind::Unreadable, failure.text.clone()),
        (LogRead::Broken(why), _) => (Kind::LogMalformed, why.to_string()),
        (LogRead::Hashed { ending: Ending::Trailing, .. }, _) => {
            (Kind::LogTrailingData, "bytes follow the end of its gzip data".to_owned())
        }
        (_, None) => (Kind::LogMalformed, "its digest states no hash for it".to_owned()),
        (LogRead::Hashed { hash, .. }, Some(stated)) if hash != stated => {
            (Kind::LogAltered, format!("its digest states the hash `{stated}`, it has `{hash}`"))
        }
        (LogRead::Hashed { ending: Ending::Cut, .. }, _) => {
            (Kind::LogCut, "its content is whole, but its gzip data has no end".to_owned())
        }
        _ => return None,
    };
    Some(Finding::of(kind, &name, reason))
}

/// Log files among `keys` that were delivered in time that digests cover, and that none of them lists.
pub fn unlisted(
    scope: &Scope,
    keys: impl Iterator<Item = String>,
    listed: &HashSet<Name>,
    covered: &[(Timestamp, Timestamp)],
) -> Vec<Name> {
    let is_covered = |key: &str| {
        let Some(read) = TrailKey::parse(key).filter(|read| read.kind == Category::Log) else { return false };
        let Some(time) = read.time.and_then(moment::utc) else { return false };
        covered.iter().any(|(from, to)| *from <= time && moment::plus(time, MINUTE) <= *to)
    };
    keys.filter(|key| is_covered(key))
        .map(|key| Name::new(scope.bucket.clone(), key))
        .filter(|name| !listed.contains(name))
        .collect()
}

/// Findings for unlisted files; of very many only the first are named.
pub fn unlisted_findings(names: &[Name]) -> Vec<Finding> {
    let reason = "no digest lists it, though digests cover the time of its delivery";
    let mut findings: Vec<Finding> =
        names.iter().take(NAMED).map(|name| Finding::of(Kind::LogUnlisted, name, reason)).collect();
    if let Some(rest) = names.len().checked_sub(NAMED).filter(|rest| *rest > 0) {
        findings.push(Finding {
            count: rest as u64,
            ..Finding::new(Kind::LogUnlisted, format!("no digest lists {rest} more log files"))
        });
    }
    findings
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::verify::evidence::Failure;
    use crate::verify::testing::hour;
    use crate::verify::unpack::UnpackFault;

    #[test]
    fn a_log_file_in_the_words_of_both() {
        let entry = LogEntry {
            bucket: "b".to_owned(),
            key: "k".to_owned(),
            hash: Some("ab".to_owned()),
            algorithm: Some("SHA-256".to_owned()),
        };
        let read = |hash: &str, ending| LogRead::Hashed { hash: hash.to_owned(), ending };
        let failure = Failure {
            code: "AccessDenied".to_owned(),
            action: "GetObject",
            message: "no".to_owned(),
            text: String::new(),
        };
        for (read, expected, kind) in [
            (read("ab", Ending::Whole), Line::Valid, None),
            (read("ab", Ending::Cut), Line::Valid, Some(Kind::LogCut)),
            (read("ac", Ending::Whole), Line::Invalid("hash value doesn't match"), Some(Kind::LogAltered)),
            (read("ac", Ending::Cut), Line::Invalid("hash value doesn't match"), Some(Kind::LogAltered)),
            (
                read("ab", Ending::Trailing),
                Line::Invalid("unexpected data after end of compressed stream"),
                Some(Kind::LogTrailingData),
            ),
            (LogRead::Broken(UnpackFault::Damaged), Line::Invalid("invalid format"), Some(Kind::LogMalformed)),
            (LogRead::Missing, Line::Invalid("not found"), Some(Kind::LogMissing)),
            (
                LogRead::Failed(failure),
                Line::Fatal("An error occurred (AccessDenied) when calling the GetObject operation: no".to_owned()),
                Some(Kind::Unreadable),
            ),
        ] {
            assert_eq!(line(&entry, &read), expected);
            assert_eq!(finding(&entry, &read).map(|finding| finding.kind), kind, "{read:?}");
        }
        let upper = LogEntry { hash: Some("AB".to_owned()), ..entry };
        assert_eq!(line(&upper, &read("ab", Ending::Whole)), Line::Invalid("hash value doesn't match"));
    }

    #[test]
    fn only_what_was_surely_delivered_in_covered_time_is_unlisted() {
        let scope = crate::verify::scope::tests::chain().scope;
        let key = |file: &str| format!("{}2026/03/01/{file}", scope.folder(Category::Log));
        let name = |stamp: &str| key(&format!("111122223333_CloudTrail_us-east-1_{stamp}_AbCdEfGhIjKlMnOp.json.gz"));
        let keys = ["20260301T0059Z", "20260301T0100Z", "20260301T0130Z", "20260301T0159Z", "20260301T0200Z"];
        let listed: HashSet<Name> = [Name::new("ct-bucket", name("20260301T0130Z"))].into();
        let found = unlisted(
            &scope,
            keys.iter().map(|stamp| name(stamp)).chain([key("readme.txt")]),
            &listed,
            &[(hour(1), moment::plus(hour(2), -1))],
        );
        assert_eq!(found, [Name::new("ct-bucket", name("20260301T0100Z"))]);
        assert_eq!(
            unlisted_findings(&vec![found[0].clone(); 1500]).iter().map(|finding| finding.count).sum::<u64>(),
            1500
        );
    }
}
