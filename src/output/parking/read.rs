//! Reads letters, oldest first, from files that somebody may be writing.
//!
//! Only whole lines count, and only up to an [`End`]: what is being written is not seen by half. A line that is blank was
//! purged. Memory is one line; a line longer than any letter is passed over.

use super::letter::{Letter, LetterId};
use super::{FILES, RECORD_LIMIT};
use crate::output::lines::{file_path, numbers};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

/// How far letters may be read: up to byte `bytes` of file `file`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    pub file: u64,
    pub bytes: u64,
}

/// A letter and where it lies, or why the line there is none.
#[derive(Debug)]
pub struct Entry {
    pub id: LetterId,
    pub letter: Result<Letter, String>,
}

/// The letters of a folder up to an end. At the end it may be told a later one and goes on.
pub struct Letters {
    folder: PathBuf,
    end: End,
    /// The file that is read; `None` before the first.
    open: Option<Open>,
    /// The last file that was read to its end.
    done: u64,
}

struct Open {
    number: u64,
    reader: BufReader<File>,
    lines: u64,
    bytes: u64,
}

/// Bytes of the longest line: a record in which every byte is escaped, and what else a letter says.
const LONGEST: u64 = 6 * RECORD_LIMIT as u64 + (1 << 20);

impl Letters {
    /// All letters that are in `folder` now; none where it is missing.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn all(folder: &Path) -> io::Result<Letters> {
        let found = existing(folder)?;
        let end = match found.last() {
            Some(newest) => {
                let bytes = std::fs::metadata(file_path(folder, FILES, *newest))?.len();
                End { file: *newest, bytes }
            }
            None => End { file: 0, bytes: 0 },
        };
        Letters::after(folder, None, end)
    }

    /// The letters behind `last`, or all, up to `end`.
    ///
    /// # Errors
    /// The file of `last` cannot be read.
    pub fn after(folder: &Path, last: Option<LetterId>, end: End) -> io::Result<Letters> {
        let mut letters = Letters { folder: folder.to_owned(), end, open: None, done: 0 };
        let Some(last) = last else { return Ok(letters) };
        letters.done = last.file;
        if let Some(mut open) = letters.begin(last.file)? {
            while open.lines < last.line {
                let skipped = open.reader.skip_until(b'\n')? as u64;
                if skipped == 0 {
                    break;
                }
                open.lines += 1;
                open.bytes += skipped;
            }
            letters.open = Some(open);
        }
        Ok(letters)
    }

    /// Lets it go on up to a later end.
    pub fn extend(&mut self, end: End) {
        self.end = end.max(self.end);
    }

    fn begin(&self, number: u64) -> io::Result<Option<Open>> {
        match File::open(file_path(&self.folder, FILES, number)) {
            Ok(file) => {
                Ok(Some(Open { number, reader: BufReader::with_capacity(256 << 10, file), lines: 0, bytes: 0 }))
            }
            // Purged meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn advance(&mut self) -> io::Result<Option<Entry>> {
        loop {
            let Some(open) = &mut self.open else {
                let next = existing(&self.folder)?.into_iter().find(|n| *n > self.done && *n <= self.end.file);
                let Some(number) = next else { return Ok(None) };
                self.open = self.begin(number)?;
                if self.open.is_none() {
                    self.done = number;
                }
                continue;
            };
            let is_last = open.number >= self.end.file;
            if is_last && open.bytes >= self.end.bytes {
                return Ok(None);
            }
            match open.line()? {
                Some(line) if line.is_blank() => {}
                Some(line) => {
                    let id = LetterId { file: open.number, line: open.lines };
                    return Ok(Some(Entry { id, letter: line.letter() }));
                }
                None if is_last => return Ok(None),
                None => {
                    self.done = open.number;
                    self.open = None;
                }
            }
        }
    }
}

impl Iterator for Letters {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<io::Result<Entry>> {
        self.advance().transpose()
    }
}

/// One line of a file.
enum Line {
    Whole(Vec<u8>),
    TooLong,
}

impl Line {
    fn is_blank(&self) -> bool {
        matches!(self, Line::Whole(text) if text.trim_ascii().is_empty())
    }

    fn letter(&self) -> Result<Letter, String> {
        match self {
            Line::Whole(text) => Letter::read(text),
            Line::TooLong => Err(format!("the line has more than {LONGEST} bytes")),
        }
    }
}

impl Open {
    /// The next whole line; `None` at the end, and where a line is being written.
    fn line(&mut self) -> io::Result<Option<Line>> {
        let mut text = Vec::new();
        let mut read = self.reader.by_ref().take(LONGEST).read_until(b'\n', &mut text)? as u64;
        let mut line = Line::Whole(Vec::new());
        if !text.ends_with(b"\n") {
            if read == LONGEST {
                read += self.reader.skip_until(b'\n')? as u64;
                line = Line::TooLong;
            } else {
                self.reader.seek(io::SeekFrom::Start(self.bytes))?;
                return Ok(None);
            }
        } else if read > 0 {
            line = Line::Whole(text);
        }
        self.lines += 1;
        self.bytes += read;
        Ok(Some(line))
    }
}

/// Numbers of the files there are.
pub(super) fn existing(folder: &Path) -> io::Result<Vec<u64>> {
    match numbers(folder, FILES) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        found => found,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::fs;

    fn line(code: &str) -> String {
        format!(
            r#"{{"@timestamp":"2026-01-02T03:04:05Z","version":1,"code":"{code}","reason":"","input":"i","object":"o"}}"#
        ) + "\n"
    }

    fn write(folder: &Path, number: u64, text: &str) {
        fs::write(folder.join(format!("parked-v1-{number:06}.ndjson")), text).unwrap();
    }

    /// What is read, as `id code`, or `id !` where a line is no letter.
    fn told(letters: &mut Letters) -> Vec<String> {
        letters
            .map(|entry| {
                let Entry { id, letter } = entry.unwrap();
                format!("{id} {}", letter.map_or("!".to_owned(), |letter| letter.code))
            })
            .collect()
    }

    #[test]
    fn letters_come_in_order_with_the_numbers_of_their_lines() {
        let dir = tempfile::tempdir().unwrap();
        assert!(told(&mut Letters::all(&dir.path().join("missing")).unwrap()).is_empty());
        assert!(told(&mut Letters::all(dir.path()).unwrap()).is_empty());
        write(dir.path(), 2, &(line("a") + "\n" + "{broken\n" + &line("b")));
        write(dir.path(), 5, &(line("c") + &line("d") + "{\"torn"));
        write(dir.path(), 4, "");
        fs::write(dir.path().join("replayed.json"), "{}").unwrap();
        assert_eq!(told(&mut Letters::all(dir.path()).unwrap()), ["2-1 a", "2-3 !", "2-4 b", "5-1 c", "5-2 d"]);
    }

    #[test]
    fn reading_goes_on_where_it_ended() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (line("a"), line("b"));
        write(dir.path(), 1, &(one.clone() + &two));
        let end = |file, text: &str| End { file, bytes: text.len() as u64 };
        let mut letters = Letters::after(dir.path(), None, end(1, &one)).unwrap();
        assert_eq!(told(&mut letters), ["1-1 a"], "no further than said");
        letters.extend(end(1, &(one.clone() + &two)));
        assert_eq!(told(&mut letters), ["1-2 b"]);
        write(dir.path(), 1, &(one.clone() + &two + &line("c")));
        write(dir.path(), 2, &one);
        letters.extend(end(2, &one));
        assert_eq!(told(&mut letters), ["1-3 c", "2-1 a"], "past a file that was finished");
        for (last, expected) in [("1-1", vec!["1-2 b", "1-3 c", "2-1 a"]), ("1-3", vec!["2-1 a"]), ("2-1", vec![])] {
            let mut letters = Letters::after(dir.path(), Some(last.parse().unwrap()), end(2, &one)).unwrap();
            assert_eq!(told(&mut letters), expected, "{last}");
        }
        fs::remove_file(dir.path().join("parked-v1-000001.ndjson")).unwrap();
        let mut letters = Letters::after(dir.path(), Some("1-1".parse().unwrap()), end(2, &one)).unwrap();
        assert_eq!(told(&mut letters), ["2-1 a"], "the file was purged");
    }

    #[test]
    fn a_line_under_way_is_read_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let text = line("a") + &line("b");
        write(dir.path(), 1, &text[..text.len() - 3]);
        let mut letters = Letters::after(dir.path(), None, End { file: 1, bytes: u64::MAX }).unwrap();
        assert_eq!(told(&mut letters), ["1-1 a"]);
        write(dir.path(), 1, &text);
        assert_eq!(told(&mut letters), ["1-2 b"]);
    }
}
