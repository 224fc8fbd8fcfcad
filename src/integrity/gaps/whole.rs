//! The parts of all processes put together: what one shipped, no other lacks.

use super::{Asked, Gaps, Missing, Scope, Why};
use crate::integrity::ledger::SLACK;
use crate::integrity::model::{ChainState, FileState, HOUR, HourKey};
use crate::integrity::peers::{Counted, Known, Marks, Peers};
use crate::integrity::store::View;
use crate::verify::moment;
use crate::verify::scope::Name;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Processes that ship from the same sources, as far as can be known.
#[derive(Debug)]
pub enum Others {
    /// There are none.
    Nobody,
    /// What they know cannot be read, for this reason.
    Unknown(String),
    /// All that was said; `own` is the process whose store is asked too.
    Told { peers: Peers, own: String },
}

impl Others {
    pub(super) fn scope(&self) -> Scope {
        match self {
            Others::Nobody => Scope::Alone,
            Others::Unknown(reason) => Scope::OwnPart(reason.clone()),
            Others::Told { peers, own } => {
                let all: BTreeSet<&str> = peers.processes.iter().map(String::as_str).chain([own.as_str()]).collect();
                Scope::Whole(all.into_iter().filter(|process| !process.is_empty()).count() as u64)
            }
        }
    }

    pub(super) fn peers(&self) -> Option<&Peers> {
        if let Others::Told { peers, .. } = self { Some(peers) } else { None }
    }

    /// Whether some process shipped the file, or none should.
    pub(super) fn has_settled(&self, name: &Name) -> bool {
        self.peers().and_then(|peers| peers.files.get(name)).is_some_and(|known| known.marks.is_settled())
    }

    /// Whether another process has a newer digest of the chain.
    pub(super) fn has_heard_of(&self, chain: &ChainState) -> bool {
        let place = (chain.account.clone(), chain.region.clone(), chain.trail.clone());
        self.peers().and_then(|peers| peers.newest.get(&place)).is_some_and(|newest| *newest > chain.newest)
    }

    /// Counts of the others, by hour.
    pub(super) fn hours(&self) -> impl Iterator<Item = (&HourKey, &Counted)> {
        let own = if let Others::Told { own, .. } = self { own.as_str() } else { "" };
        let hours = self.peers().into_iter().flat_map(|peers| &peers.hours);
        hours.filter(move |((process, _), _)| process != own).map(|((_, key), counted)| (key, counted))
    }

    /// Files that digests list and some pattern selects, each once; `None` where no digest says what to expect.
    pub(super) fn expected(&self, view: &View, asked: &Asked) -> Option<u64> {
        let peers = self.peers()?;
        let is_about = |account: &str, region: &str| asked.is_about_place(account, region);
        let any = view.chains.iter().any(|chain| is_about(&chain.account, &chain.region))
            || peers.covered.keys().any(|(account, region)| is_about(account, region));
        let mut names = BTreeSet::new();
        for (name, known) in all(view, peers) {
            if asked.is_about(&known.key) && known.marks.listed && !known.marks.skipped {
                names.insert(name);
            }
        }
        any.then_some(names.len() as u64)
    }
}

impl Gaps {
    /// Files that nobody shipped, of which the own process alone does not know that they lack.
    pub(super) fn look_at_others(&mut self, view: &View, asked: &Asked, others: &Others, seen: &BTreeSet<&Name>) {
        let Some(peers) = others.peers() else { return };
        let own: BTreeMap<&Name, &FileState> = view.files.iter().map(|(_, file)| (&file.name, file)).collect();
        for (name, known) in all(view, peers) {
            let Marks { listed, absent, failed, unread, .. } = known.marks;
            let lacks = (listed || failed || unread) && !known.marks.is_settled();
            if !lacks || seen.contains(&name) || !asked.is_about(&known.key) {
                continue;
            }
            let decided = absent || failed;
            if !decided && view.taken < awaited_until(&known, asked.late_after) {
                self.awaited += 1;
                continue;
            }
            let why = match () {
                () if absent => Why::NotInBucket,
                () if failed => Why::Failed,
                () if unread => Why::NotRead,
                () => Why::NotAnnounced,
            };
            let digest = own.get(&name).and_then(|file| Some(file.listed.as_ref()?.digest.key.clone()));
            self.add(Missing {
                account: known.key.account.clone(),
                region: known.key.region.clone(),
                hour: known.key.hour,
                bucket: name.bucket.clone(),
                key: name.key.clone(),
                why,
                code: None,
                digest,
            });
        }
    }
}

/// All files that anybody knows, with what all say of each.
fn all<'a>(view: &'a View, peers: &'a Peers) -> BTreeMap<&'a Name, Known> {
    let mut all: BTreeMap<&Name, Known> = peers.files.iter().map(|(name, known)| (name, known.clone())).collect();
    for (key, file) in &view.files {
        let marks = Marks::of(file);
        let known = all.entry(&file.name).or_insert_with(|| Known { key: key.clone(), marks, said: file.changed });
        known.marks.add(marks);
        known.said = known.said.max(file.changed);
    }
    all
}

/// A process tells of its files when it closes their hour: `late_after` (seconds) after the last that it heard of it, or
/// after the hour and its slack, and twice that while S3 is to be asked. So long the shipper of a file may be unknown.
fn awaited_until(known: &Known, late_after: i64) -> Timestamp {
    let heard = known.said.max(moment::plus(known.key.hour, HOUR + SLACK));
    moment::plus(heard, late_after.saturating_mul(2).saturating_add((late_after / 4).max(10)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::integrity::ledger::tests::{at, file, hour, listed};
    use crate::integrity::model::{Compared, Place};

    fn key(minute: u8) -> String {
        format!(
            "AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/01/111122223333_CloudTrail_us-east-1_20260301T03{minute:02}Z_AbCdEfGhIjKlMnOp.json.gz"
        )
    }

    fn view(taken: &str, files: Vec<FileState>) -> View {
        let hours =
            vec![crate::integrity::model::Hour { closed: Some(at("07:00:00")), indexed: 1, ..hour("03:00:00") }];
        let files = files.into_iter().map(|file| (Place::of(&file.name.key).unwrap().key, file)).collect();
        View { hours, files, ..View::empty(at(taken)) }
    }

    fn told(rows: &[(&str, FileState)]) -> Others {
        let mut peers = Peers::default();
        for (process, row) in rows {
            let files = crate::integrity::peers::lists(std::slice::from_ref(row));
            peers.add(&serde_json::json!({
                "event": {"action": "ledger_files", "created": "2026-03-01T08:00:00Z"},
                "trailship": {"ledger": {"process": process, "files": files}},
            }));
        }
        Others::Told { peers, own: "own".to_owned() }
    }

    fn asked() -> Asked {
        Asked { from: at("00:00:00"), to: at("10:00:00"), accounts: vec![], regions: vec![], late_after: 2 * HOUR }
    }

    fn missing(view: &View, others: &Others) -> Vec<(u8, Why)> {
        let gaps = Gaps::of(view, &asked(), others);
        let minute = |key: &str| key.split("T03").nth(1).unwrap()[..2].parse().unwrap();
        gaps.files.iter().map(|file| (minute(&file.key), file.why)).collect()
    }

    #[test]
    fn missing_is_what_no_process_shipped() {
        let shipped = |row: FileState| FileState { notified: true, read: true, indexed: true, ..row };
        let elsewhere = |minute| FileState { compared: Some(Compared::Elsewhere), ..listed(&key(minute)) };
        let own = vec![
            shipped(listed(&key(1))),
            elsewhere(2),
            elsewhere(3),
            FileState { compared: Some(Compared::Missing), ..listed(&key(4)) },
            FileState { notified: true, failed: Some("x".to_owned()), ..listed(&key(5)) },
            FileState { compared: Some(Compared::Missing), ..listed(&key(6)) },
        ];
        let others = told(&[
            ("b", elsewhere(1)),
            ("b", shipped(file(&key(2)))),
            ("b", shipped(listed(&key(4)))),
            ("b", shipped(file(&key(5)))),
            ("b", listed(&key(7))),
            ("c", shipped(file(&key(7)))),
            ("c", listed(&key(8))),
            ("c", FileState { notified: true, ..file(&key(9)) }),
        ]);
        let late = view("20:00:00", own.clone());
        let gone = [(6, Why::NotInBucket), (3, Why::NotAnnounced), (8, Why::NotAnnounced), (9, Why::NotRead)];
        assert_eq!(missing(&late, &others), gone);
        let gaps = Gaps::of(&late, &asked(), &others);
        assert_eq!((gaps.missing, gaps.awaited, &gaps.scope), (4, 0, &Scope::Whole(3)));
        // An hour's other processes may still tell of it.
        let soon = Gaps::of(&view("10:00:00", own.clone()), &asked(), &others);
        assert_eq!((soon.missing, soon.awaited), (1, 3));
        let alone = Gaps::of(&late, &asked(), &Others::Unknown("403".to_owned()));
        assert_eq!((alone.missing, alone.scope), (3, Scope::OwnPart("403".to_owned())), "4, 5 and 6");
    }

    #[test]
    fn what_is_expected_counts_once_and_the_rest_is_summed() {
        let shipped = FileState { notified: true, read: true, indexed: true, ..listed(&key(1)) };
        let Others::Told { mut peers, own } = told(&[("b", listed(&key(1))), ("b", listed(&key(2)))]) else { return };
        peers.covered.insert(("111122223333".to_owned(), "us-east-1".to_owned()), BTreeSet::new());
        let counted = Counted { notified: 2, read: 2, indexed: 2, failed: 0, records: 9 };
        for process in ["own", "b"] {
            peers.hours.insert((process.to_owned(), hour("03:00:00").key), counted.clone());
        }
        let gaps = Gaps::of(&view("20:00:00", vec![shipped]), &asked(), &Others::Told { peers, own });
        assert_eq!((gaps.hours, gaps.expected, gaps.indexed, gaps.records), (1, Some(2), 3, 9));
    }
}
