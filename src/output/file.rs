//! `output.file`: documents as lines of JSON in numbered files.
//!
//! A record counts as indexed when `fdatasync` has returned. Nothing is lost silently: files are kept unless
//! `number_of_files` says how many, and then each deletion is logged. Repeats are recognised within this run, among the
//! last few hundred thousand documents; after a crash the documents of unfinished objects are written again.

use super::backoff::Backoff;
use super::body::Body;
use super::lines::{LineFiles, OpenError};
use super::segments::Segments;
use super::{Bulk, BulkShape, Framing, Output};
use crate::ack::Outcome;
use crate::config::types::Malformed;
use crate::telemetry::repeats::Repeats;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Settings of `output.file`; keys as in Filebeat.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileConfig {
    /// `false` takes the section out of play.
    pub enabled: bool,
    /// Folder of the files; made where missing.
    pub path: PathBuf,
    /// Start of the file names, `<filename>-000001.ndjson` and so on.
    pub filename: String,
    /// KiB at which a file is closed and the next one begun.
    pub rotate_every_kb: u64,
    /// Files to keep, the oldest are deleted; 0 keeps all. Filebeat keeps 7, which would lose documents silently.
    pub number_of_files: usize,
    /// Mode of the files, octal.
    pub permissions: String,
}

impl Default for FileConfig {
    fn default() -> FileConfig {
        FileConfig {
            enabled: true,
            path: PathBuf::new(),
            filename: "trailship".to_owned(),
            rotate_every_kb: 10_240,
            number_of_files: 0,
            permissions: "0600".to_owned(),
        }
    }
}

impl FileConfig {
    /// What is wrong with the settings, by key.
    pub fn faults(&self) -> Vec<(&'static str, Malformed)> {
        let mut faults = Vec::new();
        if self.path.as_os_str().is_empty() {
            faults.push(("path", Malformed::new("`path` is missing", "name the folder of the files")));
        }
        let is_plain = !self.filename.is_empty() && !self.filename.contains(['/', '\\', '\0']);
        if !is_plain {
            let text = format!("`{}` is not the start of a file name", self.filename);
            faults.push(("filename", Malformed::new(text, "write a name without slashes, such as `trailship`")));
        }
        if self.rotate_every_kb == 0 {
            faults.push(("rotate_every_kb", Malformed::new("`0` is too small a file", "write at least 1")));
        }
        if self.mode().is_none() {
            let text = format!("`{}` is not a file mode that lets its owner read and write", self.permissions);
            faults.push(("permissions", Malformed::new(text, "write it as `0600` or `0640`")));
        }
        faults
    }

    fn mode(&self) -> Option<u32> {
        let mode = u32::from_str_radix(self.permissions.trim(), 8).ok()?;
        (mode <= 0o777 && mode & 0o600 == 0o600).then_some(mode)
    }
}

/// The output.
pub struct FileOutput {
    state: Arc<Mutex<State>>,
    backoff: Backoff,
    repeats: Repeats<&'static str>,
}

struct State {
    files: LineFiles,
    keep: usize,
    recent: Recent,
}

impl FileOutput {
    /// Opens the newest file; a line that a crash has torn is cut off.
    ///
    /// # Errors
    /// The folder cannot be written, or another process writes there.
    pub fn open(config: &FileConfig) -> Result<FileOutput, OpenError> {
        let mode = config.mode().unwrap_or(0o600);
        let file_bytes = config.rotate_every_kb.saturating_mul(1024);
        let state = State {
            files: LineFiles::open(&config.path, &config.filename, file_bytes, mode)?,
            keep: config.number_of_files,
            recent: Recent::new(RECENT),
        };
        Ok(FileOutput {
            state: Arc::new(Mutex::new(state)),
            backoff: Backoff::new(Duration::from_secs(1), Duration::from_secs(60)),
            repeats: Repeats::default(),
        })
    }

    async fn write(&self, bulk: Bulk) {
        let body = Body { wire: bulk.body.into(), gzip: bulk.gzip, items: bulk.items };
        let mut segments = Segments::new(bulk.segments);
        let items: Arc<[Bytes]> = match body.plain_items() {
            Ok(items) => items.into(),
            Err(fault) => return tracing::error!(%fault, "a bulk is unsound; given back"),
        };
        let keys: Arc<[u64]> = bulk.keys.into();
        let mut failures = 0;
        loop {
            let (state, items, keys) = (Arc::clone(&self.state), Arc::clone(&items), Arc::clone(&keys));
            let written = tokio::task::spawn_blocking(move || lock(&state).write(&items, &keys)).await;
            match written {
                Ok(Ok(outcomes)) => {
                    self.repeats.passed("file-write");
                    return segments.settle(&outcomes);
                }
                Ok(Err(fault)) => {
                    if let Some(due) = self.repeats.occurred("file-write") {
                        tracing::error!(error = %fault, times = due.times, "cannot write to `output.file`; trying until it works");
                    }
                }
                // The write panicked; the records are given back.
                Err(_) => return,
            }
            failures += 1;
            tokio::time::sleep(self.backoff.pause(failures)).await;
        }
    }
}

impl Output for FileOutput {
    fn shape(&self) -> BulkShape {
        BulkShape { framing: Framing::Lines, compression_level: 0, max_bytes: 1 << 20, max_records: 5_000 }
    }

    /// Two, so that one bulk is ready while the other waits for the disk.
    fn concurrency(&self) -> usize {
        2
    }

    fn deliver(&self, bulk: Bulk) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.write(bulk))
    }
}

impl State {
    /// Writes what is new; answers for every item.
    fn write(&mut self, items: &[Bytes], keys: &[u64]) -> io::Result<Vec<Option<Outcome>>> {
        let mut text = Vec::new();
        let mut fresh = HashSet::new();
        let mut outcomes = Vec::with_capacity(items.len());
        for (number, item) in items.iter().enumerate() {
            let key = keys.get(number).copied();
            let known = key.is_some_and(|key| self.recent.contains(key) || !fresh.insert(key));
            if !known {
                text.extend_from_slice(item);
            }
            outcomes.push(Some(if known { Outcome::Duplicate } else { Outcome::Indexed }));
        }
        let begun = !text.is_empty() && self.files.append(&text)?;
        fresh.into_iter().for_each(|key| self.recent.insert(key));
        if begun && self.keep > 0 {
            self.delete_oldest();
        }
        Ok(outcomes)
    }

    fn delete_oldest(&self) {
        let paths = self.files.paths().unwrap_or_default();
        let surplus = paths.len().saturating_sub(self.keep);
        for path in paths.iter().take(surplus) {
            match std::fs::remove_file(path) {
                Ok(()) => {
                    tracing::info!(path = %path.display(), "deleted, as `output.file.number_of_files` asks")
                }
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "cannot delete an old file")
                }
            }
        }
    }
}

/// Keys of one generation; two are kept, which is 8 MB at most.
const RECENT: usize = 200_000;

/// The latest keys: between one and two generations of them.
struct Recent {
    capacity: usize,
    newer: HashSet<u64>,
    older: HashSet<u64>,
}

impl Recent {
    fn new(capacity: usize) -> Recent {
        Recent { capacity, newer: HashSet::new(), older: HashSet::new() }
    }

    fn contains(&self, key: u64) -> bool {
        self.newer.contains(&key) || self.older.contains(&key)
    }

    fn insert(&mut self, key: u64) {
        if self.newer.len() >= self.capacity {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(key);
    }
}

/// A panic inside leaves files and keys as they were before the bulk, so poisoning is ignored.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::output::segments::tests::Trail;
    use std::fs;
    use std::path::Path;

    fn config(path: &Path) -> FileConfig {
        FileConfig { path: path.to_owned(), ..FileConfig::default() }
    }

    fn bulk(trail: &Trail, texts: &[&str], keys: &[u64]) -> Bulk {
        Bulk {
            body: texts.concat().into_bytes(),
            gzip: false,
            items: texts.iter().map(|text| text.len() as u32).collect(),
            keys: keys.to_vec(),
            segments: vec![trail.segment("o", texts.len() as u64)],
            charge: None,
        }
    }

    fn written(path: &Path) -> Vec<String> {
        let mut names: Vec<PathBuf> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        names.iter().map(|name| fs::read_to_string(name).unwrap()).collect()
    }

    #[tokio::test]
    async fn documents_are_lines_and_repeats_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let output = FileOutput::open(&config(dir.path())).unwrap();
        let mut trail = Trail::open();
        output.deliver(bulk(&trail, &["1\n", "2\n", "1\n"], &[1, 2, 1])).await;
        output.deliver(bulk(&trail, &["2\n", "3\n"], &[2, 3])).await;
        trail.seal();
        assert_eq!(written(dir.path()), ["1\n2\n3\n"]);
        let verdict = trail.verdicts.try_recv().unwrap();
        assert!(verdict.settled);
        assert_eq!((verdict.tally.indexed, verdict.tally.duplicate), (3, 2));
    }

    #[tokio::test]
    async fn files_are_numbered_and_kept_unless_told_otherwise() {
        for (keep, left) in [(0, 4), (2, 2)] {
            let dir = tempfile::tempdir().unwrap();
            let config = FileConfig { rotate_every_kb: 1, number_of_files: keep, ..config(dir.path()) };
            let output = FileOutput::open(&config).unwrap();
            let trail = Trail::open();
            for n in 0..4u64 {
                let line = format!("{n}{}\n", "x".repeat(1_100));
                output.deliver(bulk(&trail, &[&line], &[n])).await;
            }
            let files = written(dir.path());
            assert_eq!(files.len(), left);
            assert!(files.last().unwrap().starts_with('3'));
            assert_eq!(trail.counters.read().indexed, 4);
        }
    }

    #[test]
    fn recent_keys_are_bounded() {
        let mut recent = Recent::new(10);
        for key in 0..1_000 {
            recent.insert(key);
        }
        assert!((990..1_000).all(|key| recent.contains(key)));
        assert!(!recent.contains(900));
        assert!(recent.newer.len() + recent.older.len() <= 20);
    }

    #[test]
    fn settings_are_judged() {
        let faults =
            |config: FileConfig| -> Vec<&'static str> { config.faults().iter().map(|fault| fault.0).collect() };
        assert_eq!(faults(FileConfig::default()), ["path"]);
        let good = config(Path::new("out"));
        assert!(faults(good.clone()).is_empty());
        for permissions in ["600", "0640"] {
            assert!(faults(FileConfig { permissions: permissions.into(), ..good.clone() }).is_empty());
        }
        for permissions in ["rw", "0200", "07777", "", "9"] {
            assert_eq!(faults(FileConfig { permissions: permissions.into(), ..good.clone() }), ["permissions"]);
        }
        assert_eq!(faults(FileConfig { filename: "a/b".into(), ..good.clone() }), ["filename"]);
        assert_eq!(faults(FileConfig { rotate_every_kb: 0, ..good }), ["rotate_every_kb"]);
    }
}
