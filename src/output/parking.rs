//! The dead letter: records that no index will take, durably on disk with the reason.
//!
//! Lines of JSON in `parked-v1-<number>.ndjson` in the folder `dead-letter` of `path.data`. [`Parking::park`] returns after `fdatasync`, so
//! that a record may be settled as parked. Nothing is ever deleted here: the files are the user's.
//!
//! Invariants: every line is whole (a line torn by a crash is cut off when the folder is opened, and the record behind
//! it was never settled); one process writes to a folder at a time; a line's fields only ever grow under one version.

use super::Source;
use super::lines::{LineFiles, OpenError};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Version of a line and of the file name; raised when a reader of the old form would misread the new one.
const VERSION: u8 = 1;

/// Bytes at which a file is closed and the next one begun.
const FILE_BYTES: u64 = 64 << 20;

/// Bytes of one record that a line keeps. What is longer is cut, and the line says `"truncated": true`.
pub const RECORD_LIMIT: usize = 32 << 20;

/// The dead letter of one process. Calls may come from any thread.
pub struct Parking {
    folder: PathBuf,
    files: Mutex<LineFiles>,
    counts: Mutex<BTreeMap<&'static str, u64>>,
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
        let files = LineFiles::open(dir, &format!("parked-v{VERSION}"), FILE_BYTES, 0o600)?;
        Ok(Parking { folder: dir.to_owned(), files: Mutex::new(files), counts: Mutex::default() })
    }

    /// Where the files lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes one line a record and waits until they are on disk. Blocks: not for async code.
    ///
    /// # Errors
    /// The disk is full or failing; then none of these records counts as parked and the call may be repeated.
    pub fn park(&self, records: &[Parked<'_>]) -> io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let timestamp = format!("{:.3}", jiff::Timestamp::now());
        let mut text = Vec::new();
        for parked in records {
            serde_json::to_writer(&mut text, &Line::of(parked, &timestamp))?;
            text.push(b'\n');
        }
        lock(&self.files).append(&text)?;
        let mut counts = lock(&self.counts);
        for parked in records {
            *counts.entry(parked.code).or_default() += 1;
        }
        Ok(())
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
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: &'a str,
    version: u8,
    code: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    input: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket: Option<&'a str>,
    object: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(rename = "_id", skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<&'a str>,
    /// The record where it is not UTF-8, which JSON could not carry unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    record_base64: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

impl<'a> Line<'a> {
    fn of(parked: &'a Parked<'_>, timestamp: &'a str) -> Line<'a> {
        let truncated = parked.record.len() > RECORD_LIMIT;
        let kept = if truncated { cut(parked.record) } else { parked.record };
        let text = std::str::from_utf8(kept).ok();
        Line {
            timestamp,
            version: VERSION,
            code: parked.code,
            reason: &parked.reason,
            status: parked.status,
            input: &parked.source.input,
            bucket: parked.source.bucket.as_deref(),
            object: &parked.source.object,
            version_id: parked.source.version.as_deref(),
            offset: parked.offset,
            id: parked.id,
            record: text,
            record_base64: text.is_none().then(|| aws_smithy_types::base64::encode(kept)),
            truncated,
        }
    }
}

/// The first [`RECORD_LIMIT`] bytes, or up to three fewer where that would halve a character.
fn cut(record: &[u8]) -> &[u8] {
    let is_inside = |at: usize| record.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let end = (RECORD_LIMIT - 3..=RECORD_LIMIT).rev().find(|at| !is_inside(*at)).unwrap_or(RECORD_LIMIT);
    record.get(..end).unwrap_or(record)
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
    fn what_the_server_keeps_is_counted_too() {
        let dir = tempfile::tempdir().unwrap();
        let parking = Parking::open(dir.path()).unwrap();
        parking.count_elsewhere("failure-store", 3);
        assert_eq!(parking.counts(), BTreeMap::from([("failure-store", 3)]));
        assert!(lines(&parking).is_empty());
    }
}
