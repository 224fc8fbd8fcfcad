//! What must be found of a scenario, and what its hours must say, by the report of `trailship validate` and by the objects
//! themselves.

use super::super::tampering::{DIFFERENT, action};
use super::super::{Object, Scene, hour_of};
use flate2::read::MultiGzDecoder;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

/// How the run went.
#[derive(Clone, Copy)]
pub struct Circumstances {
    /// Something came after it was given up.
    pub late: bool,
    /// Several processes had a part each.
    pub shared: bool,
}

pub struct Expected {
    /// By action and object: the kinds of findings, each a document.
    findings: BTreeMap<(String, String), BTreeSet<String>>,
    kinds: BTreeSet<String>,
    /// Objects that nothing need be said of: files that no digest lists, as long as one may still do so.
    open: BTreeSet<String>,
    hours: BTreeMap<Place, Hour>,
}

/// Account, region, and hour.
type Place = (String, String, String);

#[derive(Default)]
struct Hour {
    /// Files that are there.
    files: BTreeSet<String>,
    /// Files that digests list whose signature nobody doubts.
    listed: BTreeSet<String>,
    /// A file is not as it was, so that it may not be read.
    is_spoilt: bool,
    /// A digest that is in doubt lists files of it.
    is_doubtful: bool,
}

/// What only a process can see that knows both neighbours, or all digests of a time.
const NEEDS_ALL: &[&str] = &["log_unlisted", "chain_orphan", "chain_restarted", "gap"];

impl Expected {
    pub fn new(scene: &Scene, report: &Value) -> Expected {
        let chains = report["chains"].as_array().into_iter().flatten().map(|chain| &chain["findings"]);
        let told = chains.chain([&report["findings"]]).filter_map(Value::as_array).flatten();
        let told: Vec<(String, String)> = told.map(|it| (text(&it["kind"]), text(&it["object"]))).collect();
        let only = DIFFERENT.iter().find(|(name, ..)| *name == scene.name).map(|(_, actions, _)| *actions);
        let mut findings: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        for (kind, object) in &told {
            let Some(action) = action(kind).filter(|action| only.is_none_or(|only| only.contains(action))) else {
                continue;
            };
            findings.entry((action.to_owned(), object.clone())).or_default().insert(kind.clone());
        }
        let kinds = told.iter().map(|(kind, _)| kind.clone()).collect();
        Expected { findings, kinds, open: open(scene, &told), hours: hours(scene, &told) }
    }

    /// Whether something can never be checked, such as for want of keys.
    pub fn is_undecidable(&self) -> bool {
        self.kinds.contains("unreadable")
    }

    /// What is not as it should be among the documents of integrity.
    pub fn faults(&self, documents: &[Value], circumstances: Circumstances) -> Vec<String> {
        let of_kind = |kind: &'static str| documents.iter().filter(move |it| it["event"]["kind"] == kind);
        let mut faults = self.of_findings(of_kind("alert"), circumstances);
        faults.extend(self.of_hours(of_kind("metric"), circumstances));
        faults
    }

    fn of_findings<'d>(&self, documents: impl Iterator<Item = &'d Value>, how: Circumstances) -> Vec<String> {
        let mut found: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for it in documents {
            let s3 = &it["aws"]["s3"];
            let object = format!("s3://{}/{}", text(&s3["bucket"]["name"]), text(&s3["object"]["key"]));
            let reason = text(&it["event"]["reason"]);
            found.entry((text(&it["event"]["action"]), object)).or_default().push(reason);
        }
        let mut faults = Vec::new();
        for (what, kinds) in &self.findings {
            let is_open = how.shared || how.late || self.open.contains(&what.1);
            let excused = |kind: &String| is_open && NEEDS_ALL.contains(&kind.as_str());
            let (n, needed) = (found.get(what).map_or(0, Vec::len), kinds.iter().filter(|kind| !excused(kind)).count());
            if n < needed {
                faults.push(format!("not found: {what:?} {kinds:?}"));
            }
        }
        for (what, reasons) in &found {
            let known = self.findings.get(what).map_or(0, BTreeSet::len);
            // What came too late was missed first; the digest before may have been another, and a digest of files unknown.
            let is_late =
                how.late && matches!(what.0.as_str(), "log_file_late" | "digest_missing" | "log_file_unlisted");
            if reasons.len() > known && !is_late {
                faults.push(format!("false or repeated: {what:?} {reasons:?}"));
            }
        }
        faults
    }

    fn of_hours<'d>(&self, documents: impl Iterator<Item = &'d Value>, how: Circumstances) -> Vec<String> {
        let mut found: BTreeMap<Place, Vec<&Value>> = BTreeMap::new();
        for it in documents {
            let ledger = &it["trailship"]["ledger"];
            let cloud = &it["cloud"];
            let place = (text(&cloud["account"]["id"]), text(&cloud["region"]), text(&ledger["hour"])[..13].to_owned());
            found.entry(place).or_default().push(ledger);
        }
        let mut faults = Vec::new();
        for (place, hour) in &self.hours {
            let Some(said) = found.get(place) else {
                if !hour.files.is_empty() || !hour.is_doubtful {
                    faults.push(format!("nothing is said of the hour {place:?}"));
                }
                continue;
            };
            if said.len() > 1 && !how.shared {
                faults.push(format!("an hour was said twice: {said:?}"));
            }
            if how.late {
                continue;
            }
            let sum = |name: &str| said.iter().map(|ledger| ledger[name].as_u64().unwrap_or(0)).sum::<u64>();
            // What no digest lists may come when the hour is over.
            let (least, most) = (hour.files.intersection(&hour.listed).count() as u64, hour.files.len() as u64);
            for name in ["notified", "read", "indexed"] {
                let n = sum(name);
                // A file that two processes were told of counts twice.
                if !hour.is_spoilt && !hour.is_doubtful && (n < least || (n > most && !how.shared)) {
                    faults.push(format!("{name} is {n} and not {least} to {most}: {place:?} {said:?}"));
                }
            }
            let (expected, listed) = (sum("expected"), hour.listed.len() as u64);
            let is_doubtful = hour.is_doubtful || self.is_undecidable();
            if !is_doubtful && (expected < listed || (expected > listed && !how.shared)) {
                faults.push(format!("expected is {expected} and not {listed}: {place:?} {said:?}"));
            }
        }
        let unknown = found.keys().filter(|place| !self.hours.contains_key(*place));
        faults.extend(unknown.map(|place| format!("an hour of nothing: {place:?}")));
        faults
    }
}

fn name_of(object: &Object) -> String {
    format!("s3://{}/{}", object.bucket, object.key)
}

fn has(told: &[(String, String)], name: &str, start: &str) -> bool {
    told.iter().any(|(kind, of)| of == name && kind.starts_with(start))
}

/// Bucket, and the folder of the account and region with all before it: what lies in others is no chain of these files.
fn folder(object: &Object) -> (&str, String) {
    let (before, _) = object.key.rsplit_once("/20").unwrap();
    (&object.bucket, before.replace("/CloudTrail-Digest/", "/CloudTrail/"))
}

/// The trail of a digest, as its name tells it.
fn trail(digest: &Object) -> &str {
    let name = digest.key.rsplit('/').next().unwrap();
    name.rsplit_once("_20").map_or(name, |(trail, _)| trail)
}

/// Files for which digests without a doubt, of each trail that has any there, do not cover the two hours in which CloudTrail may list them.
fn open(scene: &Scene, told: &[(String, String)]) -> BTreeSet<String> {
    let digests = scene.digests();
    let mut trails: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for digest in digests.iter().filter(|it| !it.key.contains("_backfill.")) {
        let spans = trails.entry((folder(digest), trail(digest))).or_default();
        spans.extend(span(digest).filter(|_| !has(told, &name_of(digest), "digest_")));
    }
    let is_covered = |log: &Object| {
        let (minute, place) = (delivered(&log.key)?, folder(log));
        let until = minute + SignedDuration::from_hours(2);
        let mut ends = trails.iter().filter(|((of, _), _)| *of == place).map(|(_, spans)| {
            let mut at = minute;
            while let Some((_, end)) = spans.iter().find(|(from, to)| *from <= at && *to > at) {
                at = *end;
            }
            at
        });
        Some(ends.all(|end| end >= until))
    };
    scene.logs().iter().filter(|log| is_covered(log) != Some(true)).map(name_of).collect()
}

/// The minute in the name of a log file.
fn delivered(key: &str) -> Option<Timestamp> {
    let stamp = key.rsplit('/').next()?.split('_').nth(3)?;
    let of = |from: usize, to: usize| stamp.get(from..to);
    let text = format!("{}-{}-{}T{}:{}:00Z", of(0, 4)?, of(4, 6)?, of(6, 8)?, of(9, 11)?, of(11, 13)?);
    text.parse().ok()
}

/// What a digest says that it covers.
fn span(digest: &Object) -> Option<(Timestamp, Timestamp)> {
    let value = read(digest);
    let time = |name: &str| value[name].as_str()?.parse().ok();
    Some((time("digestStartTime")?, time("digestEndTime")?))
}

fn hours(scene: &Scene, told: &[(String, String)]) -> BTreeMap<Place, Hour> {
    let mut hours: BTreeMap<Place, Hour> = BTreeMap::new();
    let is_log = |key: &str| key.contains("/CloudTrail/") && key.rsplit('/').next().unwrap().contains("_CloudTrail_");
    let found = |name: &str, start: &str| has(told, name, start);
    for log in scene.logs().iter().filter(|log| is_log(&log.key)) {
        let hour = hours.entry(hour_of(&log.key)).or_default();
        let name = name_of(log);
        hour.is_spoilt |= (found(&name, "log_") && !found(&name, "log_unlisted")) || read(log).is_null();
        hour.files.insert(name);
    }
    for object in scene.digests() {
        let name = name_of(&object);
        // A backfill digest, or one that none names after it, may come when the hour is over.
        let is_late = object.key.contains("_backfill.") || found(&name, "chain_orphan");
        let is_doubtful = is_late || found(&name, "digest_");
        for (key, name) in listed(&object) {
            if is_log(&key) {
                // A digest of another account or region covers nothing of the hour, so that nothing is expected in it.
                let is_foreign = account_and_region(&key) != account_and_region(&object.key);
                let hour = hours.entry(hour_of(&key)).or_default();
                hour.is_doubtful |= is_doubtful || is_foreign;
                hour.listed.insert(name);
            }
        }
    }
    hours
}

/// As the names of log files and digests tell them.
fn account_and_region(key: &str) -> [Option<&str>; 2] {
    let name = key.rsplit('/').next().unwrap();
    [0, 2].map(|n| name.split('_').nth(n))
}

/// A digest's members, as far as it can be read.
fn read(digest: &Object) -> Value {
    let mut bytes = Vec::new();
    let _ = MultiGzDecoder::new(&digest.bytes()[..]).take(1 << 20).read_to_end(&mut bytes);
    // What stands behind it may be another member.
    serde_json::Deserializer::from_slice(&bytes).into_iter().next().and_then(Result::ok).unwrap_or_default()
}

/// Key and name of every file that a digest lists.
fn listed(digest: &Object) -> Vec<(String, String)> {
    let entries = read(digest)["logFiles"].as_array().cloned().unwrap_or_default();
    entries
        .iter()
        .map(|entry| {
            (text(&entry["s3Object"]), format!("s3://{}/{}", text(&entry["s3Bucket"]), text(&entry["s3Object"])))
        })
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
