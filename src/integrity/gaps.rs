//! What is missing in a time: the ledger read for people. Pure.
//!
//! A gap is what should be in the index and is not, or cannot be proved to be all there is: log files that were not shipped,
//! hours without a valid digest, chains whose digests stopped. What may still come is awaited, and no gap. Files that were
//! altered are findings, not gaps: their records are there.

mod whole;

pub use whole::Others;

use super::ledger::{self, SLACK};
use super::model::{ChainState, Compared, FileState, HOUR, HourKey};
use super::outbox::Undelivered;
use super::store::View;
use crate::verify::moment;
use crate::verify::scope::Name;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Log files that are named one by one.
const NAMED: usize = 10_000;

/// Which part of the ledger is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub from: Timestamp,
    /// Hours that begin before it.
    pub to: Timestamp,
    /// All when there are none.
    pub accounts: Vec<String>,
    pub regions: Vec<String>,
    /// `integrity.late_after`, seconds: how long a file may be awaited.
    pub late_after: i64,
}

/// The answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Gaps {
    /// Whose part it is.
    pub scope: Scope,
    pub hours: u64,
    /// Hours that the ledger has not closed yet.
    pub open_hours: u64,
    /// `None` where no digest says what to expect.
    pub expected: Option<u64>,
    pub notified: u64,
    pub read: u64,
    pub indexed: u64,
    pub failed: u64,
    pub records: u64,
    /// Log files that may still come.
    pub awaited: u64,
    /// Log files that are missing, with those that are not named.
    pub missing: u64,
    /// In order of account, region, hour; at most ten thousand.
    pub files: Vec<Missing>,
    /// Time that no valid digest covers, between and after digests that do.
    pub without_digest: Vec<Uncovered>,
    /// Chains that are said to be silent.
    pub silent: Vec<Silent>,
    /// Findings and hours that have not arrived in the data stream, of whatever time.
    pub undelivered: Undelivered,
}

/// Whose part of the ledger was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// That of the only process.
    #[default]
    Alone,
    /// That of this process, as those of others cannot be read, for this reason.
    OwnPart(String),
    /// Those of so many processes.
    Whole(u64),
}

/// A log file that is not in the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    pub account: String,
    pub region: String,
    pub hour: Timestamp,
    pub bucket: String,
    pub key: String,
    pub why: Why,
    /// Why the last try failed, where it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Key of the digest that lists it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// Why a log file is not in the index, and with it what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The bucket does not have it.
    NotInBucket,
    /// It lies in the bucket, and this process was never told.
    NotAnnounced,
    /// It was tried, and failed.
    Failed,
    /// It was announced, and has not been read to its end.
    NotRead,
    /// It was read, and some of its records have no outcome.
    NotIndexed,
}

impl Why {
    /// What to do about it, for people.
    pub fn advice(self) -> &'static str {
        match self {
            Why::NotInBucket => "restore it from an older version or a replica, and find out who deleted it",
            Why::NotAnnounced => {
                "announce it again: copy the object onto itself, or send its notification to the queue"
            }
            Why::Failed => "see its code, mend the cause, then `trailship dead-letter replay` or announce it again",
            Why::NotRead | Why::NotIndexed => {
                "see the log and the dead-letter queue of SQS; its message comes back until it works"
            }
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Why::NotInBucket => "not in the bucket",
            Why::NotAnnounced => "never announced",
            Why::Failed => "failed",
            Why::NotRead => "not read",
            Why::NotIndexed => "not indexed",
        }
    }

    fn of(file: &FileState) -> Why {
        match file.compared {
            Some(Compared::Missing) => Why::NotInBucket,
            _ if file.failed.is_some() => Why::Failed,
            _ if file.read => Why::NotIndexed,
            _ if file.notified => Why::NotRead,
            _ => Why::NotAnnounced,
        }
    }
}

/// Time without a valid digest in one account and region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Uncovered {
    pub account: String,
    pub region: String,
    pub from: Timestamp,
    pub to: Timestamp,
}

/// A chain from which no digest has come for long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Silent {
    pub account: String,
    pub region: String,
    pub trail: String,
    /// When its last digest arrived.
    pub since: Timestamp,
    /// What that digest covered ends here.
    pub covered_until: Timestamp,
}

impl Gaps {
    /// What `view` and other processes say about the part of the ledger that is asked about.
    pub fn of(view: &View, asked: &Asked, others: &Others) -> Gaps {
        let undelivered = view.undelivered.clone();
        let mut gaps = Gaps { undelivered, scope: others.scope(), ..Gaps::default() };
        gaps.count(view, asked, others);
        let seen = gaps.look_at_files(view, asked, others);
        gaps.look_at_others(view, asked, others, &seen);
        gaps.look_at_chains(view, asked, others);
        gaps
    }

    /// Whether something is missing; what the data stream refuses is, whatever time it is about.
    pub fn is_any(&self) -> bool {
        let refused = self.undelivered.refused_documents() > 0;
        self.missing > 0 || !self.without_digest.is_empty() || !self.silent.is_empty() || refused
    }

    /// Whether nothing is known of that time at all.
    pub fn is_unknown(&self) -> bool {
        self.hours == 0 && !self.is_any()
    }

    fn count(&mut self, view: &View, asked: &Asked, others: &Others) {
        let places: BTreeSet<_> = view.chains.iter().map(|chain| (&chain.account, &chain.region)).collect();
        let mut hours = BTreeSet::new();
        for hour in view.hours.iter().filter(|hour| asked.is_about(&hour.key)) {
            hours.insert(&hour.key);
            self.open_hours += u64::from(hour.closed.is_none());
            if places.contains(&(&hour.key.account, &hour.key.region)) {
                *self.expected.get_or_insert(0) += hour.expected;
            }
            self.notified += hour.notified;
            self.read += hour.read;
            self.indexed += hour.indexed;
            self.failed += hour.failed;
            self.records += hour.records;
        }
        for (key, counted) in others.hours().filter(|(key, _)| asked.is_about(key)) {
            hours.insert(key);
            self.notified += counted.notified;
            self.read += counted.read;
            self.indexed += counted.indexed;
            self.failed += counted.failed;
            self.records += counted.records;
        }
        self.hours = hours.len() as u64;
        if others.peers().is_some() {
            self.expected = others.expected(view, asked);
        }
    }

    /// What the own process lacks and no other has; the names of all that it lacks, as they are judged by that.
    fn look_at_files<'v>(&mut self, view: &'v View, asked: &Asked, others: &Others) -> BTreeSet<&'v Name> {
        let mut seen = BTreeSet::new();
        let closed: BTreeSet<&HourKey> =
            view.hours.iter().filter(|hour| hour.closed.is_some()).map(|hour| &hour.key).collect();
        for (key, file) in view.files.iter().filter(|(key, file)| asked.is_about(key) && ledger::lacks(file)) {
            seen.insert(&file.name);
            if others.has_settled(&file.name) {
                continue;
            }
            let decided = file.failed.is_some() || file.compared.is_some() || closed.contains(key);
            if !decided && view.taken < moment::plus(file.changed, asked.late_after) {
                self.awaited += 1;
                continue;
            }
            self.add(Missing::of(key, file));
        }
        seen
    }

    fn add(&mut self, missing: Missing) {
        self.missing += 1;
        if self.files.len() < NAMED {
            self.files.push(missing);
        }
    }

    fn look_at_chains(&mut self, view: &View, asked: &Asked, others: &Others) {
        let mut covered: BTreeMap<(&str, &str), Vec<(Timestamp, Timestamp)>> = BTreeMap::new();
        let chains: BTreeMap<&str, &ChainState> = view.chains.iter().map(|chain| (&*chain.id, chain)).collect();
        for chain in view.chains.iter().filter(|chain| asked.is_about_chain(chain)) {
            covered.entry((&chain.account, &chain.region)).or_default();
            if chain.silent && !others.has_heard_of(chain) {
                self.silent.push(Silent::of(chain));
            }
        }
        for (id, from, to) in &view.covered {
            let Some(chain) = chains.get(&**id).filter(|chain| !chain.backfill) else { continue };
            if let Some(covered) = covered.get_mut(&(&*chain.account, &*chain.region)) {
                covered.push((*from, *to));
            }
        }
        for ((account, region), spans) in others.peers().into_iter().flat_map(|peers| &peers.covered) {
            if asked.is_about_place(account, region) {
                covered.entry((account, region)).or_default().extend(spans);
            }
        }
        // The digest of an hour comes after it, and its delivery takes time.
        let due = moment::plus(view.taken, -(HOUR + SLACK));
        for ((account, region), covered) in covered {
            // Before the first digest there was no validation, as far as is known.
            let Some(begin) = covered.iter().map(|(from, _)| *from).min() else { continue };
            for (from, to) in ledger::uncovered(begin.max(asked.from), asked.to.min(due), &covered) {
                let (account, region) = (account.to_owned(), region.to_owned());
                self.without_digest.push(Uncovered { account, region, from, to });
            }
        }
    }
}

impl Asked {
    fn is_about(&self, key: &HourKey) -> bool {
        let overlaps = key.hour < self.to && moment::plus(key.hour, HOUR) > self.from;
        overlaps && self.is_about_place(&key.account, &key.region)
    }

    fn is_about_chain(&self, chain: &ChainState) -> bool {
        self.is_about_place(&chain.account, &chain.region)
    }

    fn is_about_place(&self, account: &str, region: &str) -> bool {
        let among = |wanted: &[String], own: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == own);
        among(&self.accounts, account) && among(&self.regions, region)
    }
}

impl Missing {
    fn of(key: &HourKey, file: &FileState) -> Missing {
        Missing {
            account: key.account.clone(),
            region: key.region.clone(),
            hour: key.hour,
            bucket: file.name.bucket.clone(),
            key: file.name.key.clone(),
            why: Why::of(file),
            code: file.failed.clone(),
            digest: file.listed.as_ref().map(|listed| listed.digest.key.clone()),
        }
    }
}

impl Silent {
    fn of(chain: &ChainState) -> Silent {
        Silent {
            account: chain.account.clone(),
            region: chain.region.clone(),
            trail: chain.trail.clone(),
            since: chain.arrived,
            covered_until: chain.newest,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::integrity::ledger::tests::{at, hour, listed};
    use crate::integrity::model::Hour;
    use crate::verify::scope::Name;

    fn asked() -> Asked {
        Asked { from: at("00:00:00"), to: at("10:00:00"), accounts: vec![], regions: vec![], late_after: 2 * HOUR }
    }

    fn chain() -> ChainState {
        let key = "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/03/01/111122223333_CloudTrail-Digest_us-east-1_main_us-east-1_20260301T090031Z.json.gz";
        ChainState::of(&Name::new("trails", key), at("09:10:00")).unwrap()
    }

    fn view() -> View {
        View::empty(at("20:00:00"))
    }

    #[test]
    fn files_by_why_they_are_missing() {
        let key = hour("03:00:00").key;
        let indexed = FileState { notified: true, read: true, indexed: true, ..listed("indexed") };
        for (file, why) in [
            (FileState { compared: Some(Compared::Missing), ..listed("a") }, Some(Why::NotInBucket)),
            (FileState { compared: Some(Compared::Late), ..listed("a") }, Some(Why::NotAnnounced)),
            (FileState { failed: Some("too-large".to_owned()), notified: true, ..listed("a") }, Some(Why::Failed)),
            (FileState { notified: true, ..listed("a") }, Some(Why::NotRead)),
            (FileState { notified: true, read: true, ..listed("a") }, Some(Why::NotIndexed)),
            (FileState { compared: Some(Compared::Elsewhere), ..listed("a") }, None),
            (FileState { compared: Some(Compared::Altered), ..indexed }, None),
        ] {
            let view = View { files: vec![(key.clone(), file)], hours: vec![hour("03:00:00")], ..view() };
            let gaps = Gaps::of(&view, &asked(), &Others::Nobody);
            assert_eq!(gaps.files.first().map(|missing| missing.why), why);
            assert_eq!((gaps.missing, gaps.is_any()), (u64::from(why.is_some()), why.is_some()));
        }
    }

    #[test]
    fn what_may_still_come_is_awaited() {
        // `file` changed at 03:30.
        let files = vec![(hour("03:00:00").key, FileState { notified: true, ..listed("a") })];
        let open = View { files: files.clone(), hours: vec![hour("03:00:00")], ..view() };
        let counts = |view: &View| {
            let gaps = Gaps::of(view, &asked(), &Others::Nobody);
            (gaps.awaited, gaps.missing, gaps.open_hours)
        };
        assert_eq!(counts(&View { taken: at("05:29:59"), ..open.clone() }), (1, 0, 1));
        assert_eq!(counts(&View { taken: at("05:30:00"), ..open.clone() }), (0, 1, 1));
        let closed = Hour { closed: Some(at("04:00:00")), ..hour("03:00:00") };
        assert_eq!(counts(&View { taken: at("05:00:00"), hours: vec![closed], ..open }), (0, 1, 0));
    }

    #[test]
    fn hours_without_a_digest() {
        let span = |from: &str, to: &str| (chain().id, at(from), at(to));
        let chains = vec![chain()];
        let covered = vec![span("01:00:31", "02:00:31"), span("03:00:31", "04:00:31")];
        let of = |view: View| -> Vec<(Timestamp, Timestamp)> {
            Gaps::of(&view, &asked(), &Others::Nobody).without_digest.into_iter().map(|it| (it.from, it.to)).collect()
        };
        let view = View { chains, covered, ..view() };
        let middle = (at("02:00:31"), at("03:00:31"));
        assert_eq!(of(view.clone()), [middle, (at("04:00:31"), at("10:00:00"))], "and none since 04:00:31");
        assert_eq!(of(View { taken: at("07:00:31"), ..view.clone() }), [middle], "the next may still come");
        let long_ago = (chain().id, at("00:00:00") - jiff::SignedDuration::from_hours(9), at("00:00:00"));
        let none = View { covered: vec![long_ago], ..view.clone() };
        assert_eq!(of(none), [(at("00:00:00"), at("10:00:00"))], "the chain began long ago");
        assert_eq!(of(View { covered: vec![], ..view }), [], "no digest could be read, ever");
    }

    #[test]
    fn only_what_was_asked_about() {
        let other = HourKey { region: "eu-west-1".to_owned(), ..hour("03:00:00").key };
        let counted = |n| Hour { indexed: n, expected: n, ..hour("03:00:00") };
        let silent = ChainState { silent: true, ..chain() };
        let view = View {
            hours: vec![
                Hour { key: other, ..counted(2) },
                counted(5),
                Hour { key: hour("12:00:00").key, ..counted(9) },
            ],
            chains: vec![silent],
            ..view()
        };
        let all = Gaps::of(&view, &asked(), &Others::Nobody);
        assert_eq!((all.hours, all.indexed, all.expected), (2, 7, Some(5)), "in eu-west-1 nothing is expected");
        assert_eq!((all.silent.len(), all.is_any()), (1, true));
        let one = Gaps::of(&view, &Asked { regions: vec!["eu-west-1".to_owned()], ..asked() }, &Others::Nobody);
        assert_eq!((one.hours, one.expected, one.silent.len()), (1, None, 0));
        let none = Gaps::of(&view, &Asked { accounts: vec!["999988887777".to_owned()], ..asked() }, &Others::Nobody);
        assert!(none.is_unknown() && !none.is_any());
    }
}
