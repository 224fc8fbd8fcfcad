//! Deletes letters, for good, when a user says which.
//!
//! Lines keep their numbers: a letter that goes leaves a blank line. A file whose letters are all gone is removed, except
//! the newest, whose number tells the next one. Nobody else may write to the folder meanwhile.

use super::FILES;
use super::read::{Entry, Letters, existing};
use super::replayed::Marks;
use crate::output::lines::file_path;
use crate::state::{self, StateError};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

/// What was deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Purged {
    pub letters: u64,
    /// Letters that stay.
    pub kept: u64,
    /// Files that were removed whole.
    pub files: u64,
    /// Bytes on disk that are free now.
    pub bytes: u64,
}

/// Deletes the letters in `folder` that `goes` names, and with a file its `marks`.
///
/// # Errors
/// A file cannot be read or replaced. Each file is as it was before or as it should be, whatever happens.
pub fn purge(folder: &Path, marks: &mut Marks, goes: impl Fn(&Entry, &Marks) -> bool) -> Result<Purged, StateError> {
    let failed = |error| StateError::Io { what: "read", path: folder.to_owned(), error };
    let mut purged = Purged::default();
    // By file: the lines that go, and the number of letters that stay.
    let mut files: BTreeMap<u64, (BTreeSet<u64>, u64)> = BTreeMap::new();
    for entry in Letters::all(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (gone, kept) = files.entry(entry.id.file).or_default();
        if goes(&entry, marks) {
            gone.insert(entry.id.line);
        } else {
            *kept += 1;
        }
    }
    let newest = existing(folder).map_err(failed)?.pop();
    for (number, (gone, kept)) in files {
        purged.kept += kept;
        if gone.is_empty() {
            continue;
        }
        let path = file_path(folder, FILES, number);
        let size = |path: &Path| fs::metadata(path).map_or(0, |found| found.len());
        let before = size(&path);
        if kept == 0 && newest != Some(number) {
            fs::remove_file(&path).map_err(|error| StateError::Io { what: "remove", path: path.clone(), error })?;
            purged.files += 1;
        } else {
            let mut old = BufReader::new(File::open(&path).map_err(|error| StateError::Io {
                what: "read",
                path: path.clone(),
                error,
            })?);
            state::replace(&path, |out| without(&mut old, &gone, out))?;
        }
        purged.letters += gone.len() as u64;
        purged.bytes += before.saturating_sub(size(&path));
    }
    let left: BTreeSet<u64> = existing(folder).map_err(failed)?.into_iter().collect();
    marks.keep_files(|file| left.contains(&file));
    if purged.letters > 0 {
        marks.save()?;
    }
    Ok(purged)
}

/// Copies the lines, blank where they go.
fn without(old: &mut impl BufRead, gone: &BTreeSet<u64>, out: &mut dyn Write) -> io::Result<()> {
    let mut number = 0;
    loop {
        number += 1;
        if gone.contains(&number) {
            if old.skip_until(b'\n')? == 0 {
                return Ok(());
            }
            out.write_all(b"\n")?;
        } else if copy_line(old, out)? == 0 {
            return Ok(());
        }
    }
}

/// Copies up to and with the next newline; answers the bytes.
fn copy_line(old: &mut impl BufRead, out: &mut dyn Write) -> io::Result<usize> {
    let mut copied = 0;
    loop {
        let piece = old.fill_buf()?;
        let end = memchr::memchr(b'\n', piece).map(|at| at + 1);
        let length = end.unwrap_or(piece.len());
        out.write_all(piece.get(..length).unwrap_or(piece))?;
        old.consume(length);
        copied += length;
        if end.is_some() || length == 0 {
            return Ok(copied);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::output::parking::{LetterId, Parking};

    fn line(code: &str) -> String {
        format!(
            r#"{{"@timestamp":"2026-01-02T03:04:05Z","version":1,"code":"{code}","reason":"","input":"i","object":"o"}}"#
        ) + "\n"
    }

    fn path(folder: &Path, number: u64) -> std::path::PathBuf {
        folder.join(format!("parked-v1-{number:06}.ndjson"))
    }

    fn ids(folder: &Path) -> Vec<String> {
        Letters::all(folder).unwrap().map(|entry| entry.unwrap().id.to_string()).collect()
    }

    #[test]
    fn letters_keep_their_place_when_others_go() {
        let dir = tempfile::tempdir().unwrap();
        let three = line("a") + &line("b") + &line("c");
        for number in 1..=3 {
            fs::write(path(dir.path(), number), &three).unwrap();
        }
        let id = |file, line| LetterId { file, line };
        let mut marks = Marks::load(dir.path()).unwrap();
        marks.add([id(1, 1), id(2, 2), id(3, 3)]);
        let goes = |entry: &Entry, _: &Marks| entry.id.file == 1 || entry.id.line == 2;
        let purged = purge(dir.path(), &mut marks, goes).unwrap();
        assert_eq!((purged.letters, purged.kept, purged.files), (5, 4, 1));
        assert_eq!(purged.bytes, (three.len() + 2 * (line("b").len() - 1)) as u64);
        assert_eq!(ids(dir.path()), ["2-1", "2-3", "3-1", "3-3"]);
        assert!(!path(dir.path(), 1).exists());
        assert_eq!(fs::read_to_string(path(dir.path(), 2)).unwrap(), line("a") + "\n" + &line("c"));
        let marks = Marks::load(dir.path()).unwrap();
        assert_eq!([id(1, 1), id(2, 2), id(3, 3)].map(|id| marks.contains(id)), [false, true, true]);
    }

    #[test]
    fn no_number_is_given_twice() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(path(dir.path(), 7), line("a")).unwrap();
        let mut marks = Marks::load(dir.path()).unwrap();
        purge(dir.path(), &mut marks, |_, _| true).unwrap();
        assert!(ids(dir.path()).is_empty());
        let source = crate::output::Source::default();
        let parked = crate::output::parking::Parked {
            code: "broken-record",
            reason: String::new(),
            status: None,
            source: &source,
            offset: None,
            id: None,
            record: b"x",
        };
        Parking::open(dir.path()).unwrap().park(&[parked]).unwrap();
        assert_eq!(ids(dir.path()), ["7-2"]);
    }

    #[test]
    fn what_is_no_letter_goes_by_name_alone_and_nothing_goes_by_itself() {
        let dir = tempfile::tempdir().unwrap();
        let text = "{no letter\n".to_owned() + &line("a");
        fs::write(path(dir.path(), 1), &text).unwrap();
        let mut marks = Marks::load(dir.path()).unwrap();
        let purged = purge(dir.path(), &mut marks, |_, _| false).unwrap();
        assert_eq!(purged, Purged { kept: 2, ..Purged::default() });
        assert_eq!(fs::read_to_string(path(dir.path(), 1)).unwrap(), text);
        let first = LetterId { file: 1, line: 1 };
        purge(dir.path(), &mut marks, |entry, _| entry.id == first).unwrap();
        assert_eq!(ids(dir.path()), ["1-2"]);
    }
}
