//! What all processes on the same sources wrote into the data stream of integrity, for `trailship gaps`.
//!
//! Each process knows the files that it was told of. A file is missing when a digest lists it, or somebody announced it, and
//! no process shipped it; counts of files cannot tell that, as a file that came twice makes up for one that never came. So
//! each process that has others beside it writes which files it knows (`event.action: ledger_files`: when an hour closes, and
//! once more for each that changes afterwards), and which time digests cover (`ledger_digest`). All of it only grows: what one
//! process shipped is shipped, whatever others say.

mod fetch;

use super::model::{Compared, FileState, HourKey, Place};
use crate::record::trail_key::TrailKey;
use crate::verify::scope::Name;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub use fetch::fetch;

/// `event.action` of the documents.
pub(super) const FILES: &str = "ledger_files";
pub(super) const DIGEST: &str = "ledger_digest";
pub(super) const HOUR: &str = "ledger_hour";
/// Files in one document.
pub(super) const FILES_A_DOCUMENT: usize = 500;

/// What processes say of one file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    /// A digest lists it.
    pub listed: bool,
    /// All its records have an outcome.
    pub shipped: bool,
    /// S3 says that it is not there.
    pub absent: bool,
    /// It was tried, and failed.
    pub failed: bool,
    /// It was announced, and not read to its end, or some of its records had no outcome.
    pub unread: bool,
    /// No pattern selects it.
    pub skipped: bool,
}

/// One file, and when it was last said anything of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub key: HourKey,
    pub marks: Marks,
    pub said: Timestamp,
}

/// Counts of one process for one hour.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    pub notified: u64,
    pub read: u64,
    pub indexed: u64,
    pub failed: u64,
    pub records: u64,
}

/// What all said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peers {
    pub files: BTreeMap<Name, Known>,
    /// By process and hour.
    pub hours: BTreeMap<(String, HourKey), Counted>,
    /// What authentic digests cover, by account and region.
    pub covered: BTreeMap<(String, String), BTreeSet<(Timestamp, Timestamp)>>,
    /// The end of the newest digest, by account, region and trail.
    pub newest: BTreeMap<(String, String, String), Timestamp>,
    /// Those that said anything.
    pub processes: BTreeSet<String>,
}

impl Marks {
    pub fn of(file: &FileState) -> Marks {
        let tried = file.notified && !file.indexed && !file.skipped;
        Marks {
            listed: file.listed.is_some(),
            shipped: file.indexed,
            absent: file.compared == Some(Compared::Missing),
            failed: tried && file.failed.is_some(),
            unread: tried && file.failed.is_none(),
            skipped: file.skipped,
        }
    }

    /// Whether nobody lacks it.
    pub fn is_settled(self) -> bool {
        self.shipped || self.skipped
    }

    pub(super) fn add(&mut self, other: Marks) {
        self.listed |= other.listed;
        self.shipped |= other.shipped;
        self.absent |= other.absent;
        self.failed |= other.failed;
        self.unread |= other.unread;
        self.skipped |= other.skipped;
    }

    /// Names of the fields below `trailship.ledger.files`, with whether each holds.
    fn named(mut self) -> [(&'static str, bool); 6] {
        self.named_mut().map(|(name, holds)| (name, *holds))
    }

    fn named_mut(&mut self) -> [(&'static str, &mut bool); 6] {
        [
            ("listed", &mut self.listed),
            ("shipped", &mut self.shipped),
            ("absent", &mut self.absent),
            ("failed", &mut self.failed),
            ("unread", &mut self.unread),
            ("skipped", &mut self.skipped),
        ]
    }
}

/// `trailship.ledger.files` of a document about these files: `bucket/key` under each that holds for it.
pub(super) fn lists(files: &[FileState]) -> Value {
    let mut lists: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for file in files {
        for (name, _) in Marks::of(file).named().into_iter().filter(|(_, holds)| *holds) {
            lists.entry(name).or_default().push(format!("{}/{}", file.name.bucket, file.name.key));
        }
    }
    json!(lists)
}

impl Peers {
    /// Takes in one document; what is none of ours is passed over.
    pub fn add(&mut self, document: &Value) {
        let ledger = &document["trailship"]["ledger"];
        let Some(process) = ledger["process"].as_str() else { return };
        self.processes.insert(process.to_owned());
        match document["event"]["action"].as_str() {
            Some(FILES) => self.add_files(document),
            Some(DIGEST) => self.add_digest(document),
            Some(HOUR) => self.add_hour(process, document),
            _ => {}
        }
    }

    fn add_files(&mut self, document: &Value) {
        let said = time(&document["event"]["created"]).unwrap_or(Timestamp::UNIX_EPOCH);
        for (mark, _) in Marks::default().named() {
            let names = document["trailship"]["ledger"]["files"][mark].as_array();
            for text in names.into_iter().flatten().filter_map(Value::as_str) {
                let Some((bucket, key)) = text.split_once('/') else { continue };
                // The hour is that of the name, whatever the document says.
                let Some(place) = Place::of(key) else { continue };
                let known = self.files.entry(Name::new(bucket, key)).or_insert_with(|| Known {
                    key: place.key,
                    marks: Marks::default(),
                    said,
                });
                known.said = known.said.max(said);
                let named = known.marks.named_mut().into_iter();
                named.filter(|(name, _)| *name == mark).for_each(|(_, holds)| *holds = true);
            }
        }
    }

    fn add_digest(&mut self, document: &Value) {
        let integrity = &document["trailship"]["integrity"];
        let place = place(document);
        if let (Some(place), Some(from), Some(to)) =
            (place, time(&integrity["digest_start"]), time(&integrity["digest_end"]))
        {
            let trail =
                integrity["digest_key"].as_str().and_then(TrailKey::parse).and_then(|key| Some(key.digest?.trail));
            if let Some(trail) = trail {
                let newest = self.newest.entry((place.0.clone(), place.1.clone(), trail.to_owned())).or_insert(to);
                *newest = to.max(*newest);
            }
            self.covered.entry(place).or_default().insert((from, to));
        }
    }

    fn add_hour(&mut self, process: &str, document: &Value) {
        let ledger = &document["trailship"]["ledger"];
        let (Some((account, region)), Some(hour)) = (place(document), time(&ledger["hour"])) else { return };
        let count = |name: &str| ledger[name].as_u64().unwrap_or(0);
        let counted = Counted {
            notified: count("notified"),
            read: count("read"),
            indexed: count("indexed"),
            failed: count("failed"),
            records: count("records"),
        };
        self.hours.insert((process.to_owned(), HourKey { account, region, hour }), counted);
    }
}

fn place(document: &Value) -> Option<(String, String)> {
    let cloud = &document["cloud"];
    Some((cloud["account"]["id"].as_str()?.to_owned(), cloud["region"].as_str()?.to_owned()))
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::integrity::ledger::tests::{at, file, listed};

    const KEY: &str = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/01/111122223333_CloudTrail_us-east-1_20260301T0310Z_AbCdEfGhIjKlMnOp.json.gz";

    fn said(process: &str, files: &[FileState]) -> Value {
        json!({
            "event": {"action": FILES, "created": "2026-03-01T05:00:00Z"},
            "trailship": {"ledger": {"process": process, "files": lists(files)}},
        })
    }

    #[test]
    fn what_a_process_says_of_a_file_comes_back() {
        for (row, expected) in [
            (FileState { notified: true, read: true, indexed: true, ..listed(KEY) }, ["listed", "shipped"].as_slice()),
            (FileState { compared: Some(Compared::Missing), ..listed(KEY) }, &["listed", "absent"]),
            (FileState { compared: Some(Compared::Elsewhere), ..listed(KEY) }, &["listed"]),
            (FileState { notified: true, failed: Some("x".to_owned()), ..file(KEY) }, &["failed"]),
            (FileState { notified: true, read: true, ..file(KEY) }, &["unread"]),
            (FileState { skipped: true, ..file(KEY) }, &["skipped"]),
        ] {
            let mut peers = Peers::default();
            peers.add(&said("a", std::slice::from_ref(&row)));
            let known = &peers.files[&row.name];
            assert_eq!(known.marks, Marks::of(&row));
            let names: Vec<_> =
                known.marks.named().into_iter().filter(|(_, holds)| *holds).map(|(name, _)| name).collect();
            assert_eq!(names, expected);
            assert_eq!((known.said, known.key.hour), (at("05:00:00"), at("03:00:00")));
        }
    }

    #[test]
    fn what_one_shipped_is_shipped_whatever_others_say() {
        let shipped = FileState { notified: true, read: true, indexed: true, ..file(KEY) };
        let lacking = FileState { notified: true, failed: Some("x".to_owned()), ..listed(KEY) };
        for order in [[&shipped, &lacking], [&lacking, &shipped]] {
            let mut peers = Peers::default();
            for (process, row) in ["a", "b"].into_iter().zip(order) {
                peers.add(&said(process, std::slice::from_ref(row)));
            }
            let marks = peers.files[&shipped.name].marks;
            assert!(marks.is_settled() && marks.listed && marks.failed);
            assert_eq!(peers.processes.len(), 2);
        }
    }

    #[test]
    fn foreign_documents_are_passed_over() {
        let mut peers = Peers::default();
        for document in [
            json!(null),
            json!({"event": {"action": FILES}}),
            json!({"event": {"action": DIGEST}, "trailship": {"ledger": {"process": 7}}}),
        ] {
            peers.add(&document);
        }
        assert_eq!(peers, Peers::default());
        peers.add(&json!({"event": {"action": FILES}, "trailship": {"ledger": {"process": "a", "files": {"listed": ["x", 1, "b/k"]}}}}));
        assert!(peers.files.is_empty(), "no log files");
    }
}
