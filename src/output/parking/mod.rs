//! The dead letter: records that no index will take, durably on disk with the reason.
//!
//! Lines of JSON in `parked-v1-<number>.ndjson` in the folder `dead-letter` of `path.data`. [`Parking::park`] returns after
//! `fdatasync`, so that a record may be settled as parked. A letter is one line (`letter`), read again by `read`. Nothing
//! is deleted but by `purge`, when a user says so: the files are the user's. What went well when it was sent again is
//! marked beside them (`replayed`).
//!
//! Invariants: every line is whole (a line torn by a crash is cut off when the folder is opened, and the record behind
//! it was never settled); one process writes to a folder at a time; a line's fields only ever grow under one version; a
//! letter's file and line are never another's, as the newest file is never removed.

mod letter;
mod purge;
mod read;
mod replayed;

pub use letter::{
    BROKEN_RECORDS, FOREIGN_BUCKET, Key, LEFT_MESSAGE, LEFT_OBJECT, Letter, LetterId, Stands, UNCONFIRMED,
};
pub use purge::{Purged, purge};
pub use read::{End, Entry, Letters};
pub use replayed::Marks;

use super::Source;
use super::lines::{LineFiles, OpenError};
use letter::Line;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Name of the folder in `path.data`.
pub const FOLDER: &str = "dead-letter";

/// Version of a line and of the file name; raised when a reader of the old form would misread the new one.
const VERSION: u8 = 1;

/// Start of the names of the files; ends in the version.
const FILES: &str = "parked-v1";

/// Bytes at which a file is closed and the next one begun.
const FILE_BYTES: u64 = 64 << 20;

/// Bytes of one record that a line keeps. What is longer is cut, and the line says `"truncated": true`.
pub const RECORD_LIMIT: usize = 32 << 20;

/// The dead letter of one process. Calls may come from any thread.
pub struct Parking {
    folder: PathBuf,
    /// `None` where nothing is written.
    files: Option<Mutex<LineFiles>>,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    /// Those for which no letter is written, as they have one.
    known: Mutex<HashSet<Key>>,
    /// Those of them whose refusal is to be told, with it.
    watched: Mutex<HashMap<Key, Option<Refusal>>>,
    written: AtomicU64,
}

/// Why a record that has a letter was to be parked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: &'static str,
    pub reason: String,
}

/// A record to be put aside, and why.
#[derive(Debug, Clone)]
pub struct Parked<'a> {
    /// One of a bounded set, such as `mapping-refused`, `broken-json`, `too-large`, `truncated-object`.
    pub code: &'static str,
    /// In full, for people.
    pub reason: String,
    /// HTTP status with which a server refused it.
    pub status: Option<u16>,
    pub source: &'a Source,
    /// Byte offset of the record in the inflated object.
    pub offset: Option<u64>,
    /// `_id` of the document; given exactly when `record` is a mapped document rather than the record as delivered.
    pub id: Option<&'a str>,
    /// Text of the record or document; more than [`RECORD_LIMIT`] bytes are cut.
    pub record: &'a [u8],
}

impl Parking {
    /// Opens the dead letter in the folder `dir`, which is made where missing, for its owner alone.
    ///
    /// # Errors
    /// The folder cannot be written, or another process writes to it.
    pub fn open(dir: &Path) -> Result<Parking, OpenError> {
        let files = LineFiles::open(dir, FILES, FILE_BYTES, 0o600)?;
        Ok(Parking::new(dir, Some(files)))
    }

    /// One that writes nothing, for documents that lie somewhere else already: what is parked here is only counted, and
    /// told of what is watched.
    pub fn nowhere() -> Parking {
        Parking::new(Path::new(""), None)
    }

    fn new(dir: &Path, files: Option<LineFiles>) -> Parking {
        Parking {
            folder: dir.to_owned(),
            files: files.map(Mutex::new),
            counts: Mutex::default(),
            known: Mutex::default(),
            watched: Mutex::default(),
            written: AtomicU64::new(0),
        }
    }

    /// Whether what is parked is kept here.
    pub fn keeps(&self) -> bool {
        self.files.is_some()
    }

    /// Where the files lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How far letters are written and durable.
    pub fn end(&self) -> End {
        let (file, bytes) = self.files.as_ref().map_or((0, 0), |files| lock(files).end());
        End { file, bytes }
    }

    /// Writes one line a record and waits until they are on disk. Blocks: not for async code.
    ///
    /// # Errors
    /// The disk is full or failing; then none of these records counts as parked and the call may be repeated.
    pub fn park(&self, records: &[Parked<'_>]) -> io::Result<()> {
        self.note(records)?;
        let mut counts = lock(&self.counts);
        for parked in records {
            *counts.entry(parked.code).or_default() += 1;
        }
        Ok(())
    }

    /// Writes lines about what stays with its source, which count nothing as parked. Else as [`park`](Parking::park).
    ///
    /// # Errors
    /// The disk is full or failing; the call may be repeated.
    pub fn note(&self, records: &[Parked<'_>]) -> io::Result<()> {
        let timestamp = format!("{:.3}", jiff::Timestamp::now());
        let Some(files) = &self.files else {
            records.iter().for_each(|parked| self.tell_watched(parked));
            return Ok(());
        };
        let (mut text, mut letters) = (Vec::new(), 0);
        for parked in records.iter().filter(|parked| !self.has_letter(parked)) {
            serde_json::to_writer(&mut text, &Line::of(parked, &timestamp))?;
            text.push(b'\n');
            letters += 1;
        }
        if letters > 0 {
            lock(files).append(&text)?;
            self.written.fetch_add(letters, Relaxed);
        }
        Ok(())
    }

    /// Letters written since the start.
    pub fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// Counts `records` that the search server itself put aside durably (its failure store), so that one place knows
    /// all that is parked.
    pub fn count_elsewhere(&self, code: &'static str, records: u64) {
        *lock(&self.counts).entry(code).or_default() += records;
    }

    /// Records parked since the start, by code.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.counts).clone()
    }

    /// These have a letter: when they are parked again, no second one is written.
    pub fn know(&self, keys: impl IntoIterator<Item = Key>) {
        lock(&self.known).extend(keys);
    }

    /// Of these, which have a letter or need none, [`take_refused`](Parking::take_refused) tells.
    pub fn watch(&self, keys: impl IntoIterator<Item = Key>) {
        lock(&self.watched).extend(keys.into_iter().map(|key| (key, None)));
    }

    /// Those that were watched and parked again, and why; nothing is watched any more.
    pub fn take_refused(&self) -> HashMap<Key, Refusal> {
        let watched = std::mem::take(&mut *lock(&self.watched));
        watched.into_iter().filter_map(|(key, refusal)| Some((key, refusal?))).collect()
    }

    fn has_letter(&self, parked: &Parked<'_>) -> bool {
        let known = lock(&self.known);
        if known.is_empty() {
            return false;
        }
        if !parked.keys().iter().any(|key| known.contains(key)) {
            return false;
        }
        self.tell_watched(parked);
        true
    }

    fn tell_watched(&self, parked: &Parked<'_>) {
        let mut watched = lock(&self.watched);
        for key in parked.keys() {
            if let Some(told) = watched.get_mut(&key) {
                *told = Some(Refusal { code: parked.code, reason: parked.reason.clone() });
            }
        }
    }
}

/// A panic elsewhere leaves both maps and files as they were before the call, so poisoning is ignored.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::fs;
    use std::sync::Arc;

    fn source() -> Source {
        Source {
            input: "org-trail".into(),
            bucket: Some("trail".into()),
            object: "AWSLogs/1.json.gz".into(),
            version: None,
        }
    }

    fn parked<'a>(source: &'a Source, record: &'a [u8]) -> Parked<'a> {
        Parked {
            code: "mapping-refused",
            reason: "failed to parse field".into(),
            status: Some(400),
            source,
            offset: Some(17),
            id: Some("k-1"),
            record,
        }
    }

    fn lines(parking: &Parking) -> Vec<Value> {
        let mut names: Vec<PathBuf> =
            fs::read_dir(parking.folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        let mut all = Vec::new();
        for name in names {
            let text = fs::read_to_string(name).unwrap();
            assert!(text.is_empty() || text.ends_with('\n'));
            all.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        }
        all
    }

    #[test]
    fn a_line_says_what_why_and_whence() {
        let dir = tempfile::tempdir().unwrap();
        let parking = Parking::open(dir.path()).unwrap();
        let source = source();
        parking.park(&[parked(&source, b"{\"a\":\"\xc3\xbc\"}")]).unwrap();
        let mut line = lines(&parking).remove(0);
        let time: jiff::Timestamp = line["@timestamp"].as_str().unwrap().parse().unwrap();
        assert!(jiff::Timestamp::now().duration_since(time).as_secs().abs() < 3_600);
        line.as_object_mut().unwrap().remove("@timestamp");
        assert_eq!(
            line,
            json!({"version": 1, "code": "mapping-refused", "reason": "failed to parse field", "status": 400,
                "input": "org-trail", "bucket": "trail", "object": "AWSLogs/1.json.gz", "offset": 17, "_id": "k-1",
                "record": "{\"a\":\"ü\"}"})
        );
        assert_eq!(parking.counts(), BTreeMap::from([("mapping-refused", 1)]));
    }

    #[test]
    fn bytes_that_are_not_text_come_back_unchanged() {
        let dir = tempfile::tempdir().unwrap();
        let parking = Parking::open(dir.path()).unwrap();
        let source = source();
        parking.park(&[parked(&source, b"\xff\x00\n")]).unwrap();
        let line = lines(&parking).remove(0);
        assert_eq!(line["record_base64"], "/wAK");
        assert_eq!(line.get("record"), None);
    }

    #[test]
    fn a_record_over_the_limit_is_cut_between_characters() {
        let dir = tempfile::tempdir().unwrap();
        let parking = Parking::open(dir.path()).unwrap();
        let source = source();
        let mut record = vec![b'a'; RECORD_LIMIT - 1];
        record.extend("ü and more".as_bytes());
        parking.park(&[parked(&source, &record)]).unwrap();
        let line = lines(&parking).remove(0);
        assert_eq!(line["record"].as_str().unwrap().len(), RECORD_LIMIT - 1);
        assert_eq!(line["truncated"], true);
    }

    #[test]
    fn a_torn_line_is_cut_off_at_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let source = source();
        let parking = Parking::open(dir.path()).unwrap();
        parking.park(&[parked(&source, b"one"), parked(&source, b"two")]).unwrap();
        let name = fs::read_dir(parking.folder()).unwrap().next().unwrap().unwrap().path();
        drop(parking);
        let whole = fs::read(&name).unwrap();
        fs::write(&name, &whole[..whole.len() - 5]).unwrap();

        let parking = Parking::open(dir.path()).unwrap();
        parking.park(&[parked(&source, b"three")]).unwrap();
        let records: Vec<Value> = lines(&parking).iter().map(|line| line["record"].clone()).collect();
        assert_eq!(records, ["one", "three"]);
    }

    #[test]
    fn a_second_process_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let _first = Parking::open(dir.path()).unwrap();
        let fault = Parking::open(dir.path()).err().unwrap();
        assert!(matches!(fault, OpenError::InUse { .. }), "{fault}");
    }

    #[test]
    fn without_files_what_is_watched_is_told_and_nothing_kept() {
        let (parking, source) = (Parking::nowhere(), source());
        let key = Key::of_document("k-1");
        parking.watch([key, Key::of_document("k-2")]);
        parking.park(&[parked(&source, b"{}")]).unwrap();
        let refusal = Refusal { code: "mapping-refused", reason: "failed to parse field".to_owned() };
        assert_eq!(parking.take_refused(), HashMap::from([(key, refusal)]));
        parking.park(&[parked(&source, b"{}")]).unwrap();
        assert_eq!(parking.take_refused(), HashMap::new(), "nothing is watched any more");
    }

    #[test]
    fn threads_do_not_mix_their_lines() {
        let dir = tempfile::tempdir().unwrap();
        let parking = Arc::new(Parking::open(dir.path()).unwrap());
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let parking = Arc::clone(&parking);
                std::thread::spawn(move || {
                    let source = source();
                    for n in 0..10 {
                        let record = format!("{writer}-{n}").repeat(1_000);
                        parking.park(&[parked(&source, record.as_bytes()), parked(&source, b"x")]).unwrap();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!(lines(&parking).len(), 80);
        assert_eq!(parking.counts(), BTreeMap::from([("mapping-refused", 80)]));
    }

    #[test]
    fn who_has_a_letter_gets_no_second_one() {
        let dir = tempfile::tempdir().unwrap();
        let source = source();
        let first = Parking::open(dir.path()).unwrap();
        first.park(&[parked(&source, b"{}")]).unwrap();
        drop(first);

        let again = Parking::open(dir.path()).unwrap();
        let letter = Letters::all(dir.path()).unwrap().next().unwrap().unwrap().letter.unwrap();
        again.know(letter.keys());
        again.watch(letter.keys());
        let other = Parked { id: Some("k-2"), offset: Some(99), ..parked(&source, b"{}") };
        let moved = Parked { offset: Some(18), reason: "still".into(), ..parked(&source, b"{}") };
        again.park(&[moved, other]).unwrap();
        assert_eq!(lines(&again).iter().map(|line| line["_id"].clone()).collect::<Vec<_>>(), ["k-1", "k-2"]);
        let refused = again.take_refused();
        let told = letter.keys().iter().find_map(|key| refused.get(key)).cloned();
        assert_eq!(told, Some(Refusal { code: "mapping-refused", reason: "still".into() }));
        assert!(again.take_refused().is_empty());
        assert_eq!(again.counts(), BTreeMap::from([("mapping-refused", 2)]));
    }

    #[test]
    fn the_end_is_what_is_on_disk() {
        let dir = tempfile::tempdir().unwrap();
        let parking = Parking::open(dir.path()).unwrap();
        assert_eq!(parking.end(), End { file: 1, bytes: 0 });
        parking.park(&[parked(&source(), b"{}")]).unwrap();
        let bytes = fs::metadata(dir.path().join("parked-v1-000001.ndjson")).unwrap().len();
        assert_eq!(parking.end(), End { file: 1, bytes });
        let nowhere = Parking::nowhere();
        nowhere.park(&[parked(&source(), b"{}")]).unwrap();
        assert_eq!((nowhere.end(), nowhere.counts().len()), (End { file: 0, bytes: 0 }, 1));
    }

    #[test]
    fn what_the_server_keeps_is_counted_too() {
        let dir = tempfile::tempdir().unwrap();
        let parking = Parking::open(dir.path()).unwrap();
        parking.count_elsewhere("failure-store", 3);
        assert_eq!(parking.counts(), BTreeMap::from([("failure-store", 3)]));
        assert!(lines(&parking).is_empty());
    }
}
