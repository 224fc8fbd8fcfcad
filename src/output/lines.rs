//! Numbered files of whole lines, appended durably: what the dead letter and the file output write to.
//!
//! `<name>-000001.ndjson`, `<name>-000002.ndjson`, ...: the highest number is written, the others are finished and never
//! renamed. Invariants: [`LineFiles::append`] adds all of its lines or none; a file ends in a newline whenever it is not
//! being written; one process holds the lock of the file that is written. What to delete is not decided here.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Why a folder of line files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process writes there.
    #[error("`{path}` is being written by another process: give each process its own folder (`path.data`, `output.file.path`)", path = path.display())]
    InUse { path: PathBuf },
    /// The file system refuses.
    #[error("cannot open `{path}`: {error}: check that the folder exists, is writable and has space", path = path.display())]
    Io { path: PathBuf, error: io::Error },
}

/// An appender to the newest of the numbered files.
pub struct LineFiles {
    folder: PathBuf,
    name: String,
    file_bytes: u64,
    mode: u32,
    number: u64,
    current: File,
    /// Bytes of the current file that are whole lines on disk.
    length: u64,
}

impl LineFiles {
    /// Opens the newest file in `folder`, or the first; cuts off a last line that a crash has torn. The folder and its
    /// files are made where missing, files with `mode`. A file that has reached `file_bytes` is followed by the next.
    ///
    /// # Errors
    /// The file system refuses, or another process writes there.
    pub fn open(folder: &Path, name: &str, file_bytes: u64, mode: u32) -> Result<LineFiles, OpenError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error| OpenError::Io { path, error }
        };
        make_folder(folder).map_err(failed(folder))?;
        let number = numbers(folder, name).map_err(failed(folder))?.pop().unwrap_or(1);
        let path = file_path(folder, name, number);
        let mut current = open_file(&path, mode).map_err(failed(&path))?;
        match current.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { path }),
            // A file system without locks: the user's care must do.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(failed(&path)(error)),
        }
        let (whole, found) = whole_lines(&mut current).map_err(failed(&path))?;
        if whole < found {
            tracing::warn!(
                path = %path.display(),
                bytes = found - whole,
                "the last line was torn by a crash and is cut off; its record is delivered again"
            );
            current.set_len(whole).map_err(failed(&path))?;
            current.sync_all().map_err(failed(&path))?;
        }
        sync_folder(folder).map_err(failed(folder))?;
        Ok(LineFiles {
            folder: folder.to_owned(),
            name: name.to_owned(),
            file_bytes,
            mode,
            number,
            current,
            length: whole,
        })
    }

    /// Appends whole lines (the last byte is a newline) and waits until they are on disk; all go into one file.
    /// Answers whether a new file was begun.
    ///
    /// # Errors
    /// The disk is full or failing. Nothing is added then, and the call may be repeated.
    pub fn append(&mut self, lines: &[u8]) -> io::Result<bool> {
        let begun = self.length >= self.file_bytes;
        if begun {
            self.begin_next()?;
        }
        let written =
            self.rewind().and_then(|()| self.current.write_all(lines)).and_then(|()| self.current.sync_data());
        if let Err(error) = written {
            // Half of a line may be there; a failure to cut it now is made good by the rewind of the next call.
            let _ = self.rewind();
            return Err(error);
        }
        self.length += lines.len() as u64;
        Ok(begun)
    }

    /// The finished and the current files, oldest first.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn paths(&self) -> io::Result<Vec<PathBuf>> {
        let found = numbers(&self.folder, &self.name)?;
        Ok(found.into_iter().map(|n| file_path(&self.folder, &self.name, n)).collect())
    }

    /// Number of the file that is written, and its bytes that are whole lines on disk.
    pub fn end(&self) -> (u64, u64) {
        (self.number, self.length)
    }

    fn begin_next(&mut self) -> io::Result<()> {
        let path = file_path(&self.folder, &self.name, self.number + 1);
        let next = open_file(&path, self.mode)?;
        // Nobody else can hold it: whoever writes here holds the current file.
        let _ = next.try_lock();
        sync_folder(&self.folder)?;
        self.number += 1;
        self.length = 0;
        self.current = next;
        Ok(())
    }

    /// Takes the file back to its last whole line.
    fn rewind(&mut self) -> io::Result<()> {
        if self.current.metadata()?.len() != self.length {
            self.current.set_len(self.length)?;
        }
        self.current.seek(SeekFrom::Start(self.length))?;
        Ok(())
    }
}

/// The file of this number.
pub(super) fn file_path(folder: &Path, name: &str, number: u64) -> PathBuf {
    folder.join(format!("{name}-{number:06}.ndjson"))
}

/// Numbers of the files there are, ascending.
pub(super) fn numbers(folder: &Path, name: &str) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let file_name = entry?.file_name();
        let number: Option<u64> = file_name
            .to_str()
            .and_then(|text| text.strip_prefix(name)?.strip_prefix('-')?.strip_suffix(".ndjson"))
            .filter(|digits| digits.len() >= 6 && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok());
        found.extend(number);
    }
    found.sort_unstable();
    Ok(found)
}

/// Bytes up to and with the last newline, and all bytes.
fn whole_lines(file: &mut File) -> io::Result<(u64, u64)> {
    const STEP: u64 = 64 << 10;
    let found = file.metadata()?.len();
    let mut end = found;
    let mut piece = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(STEP);
        file.seek(SeekFrom::Start(start))?;
        piece.clear();
        Read::take(&mut *file, end - start).read_to_end(&mut piece)?;
        if let Some(newline) = memchr::memrchr(b'\n', &piece) {
            return Ok((start + newline as u64 + 1, found));
        }
        end = start;
    }
    Ok((0, found))
}

#[cfg(unix)]
fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_folder(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)
}

fn open_file(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    options.open(path)
}

/// Makes a new file's name durable, where folders can be synced.
fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::fs;

    fn texts(files: &LineFiles) -> Vec<String> {
        files.paths().unwrap().iter().map(|path| fs::read_to_string(path).unwrap()).collect()
    }

    #[test]
    fn a_full_file_is_followed_by_the_next_number() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = LineFiles::open(dir.path(), "x", 4, 0o600).unwrap();
        let begun: Vec<bool> =
            ["1\n", "2\n", "3\n4\n5\n", "6\n"].iter().map(|lines| files.append(lines.as_bytes()).unwrap()).collect();
        assert_eq!(begun, [false, false, true, true]);
        assert_eq!(texts(&files), ["1\n2\n", "3\n4\n5\n", "6\n"]);
        drop(files);
        let mut files = LineFiles::open(dir.path(), "x", 4, 0o600).unwrap();
        files.append(b"7\n").unwrap();
        assert_eq!(texts(&files), ["1\n2\n", "3\n4\n5\n", "6\n7\n"], "the newest goes on");
    }

    #[test]
    fn any_torn_tail_is_cut_back_to_the_last_newline() {
        let long = "z".repeat(200_000);
        for (left, kept) in
            [("", ""), ("torn", ""), ("a\nb", "a\n"), ("a\nb\n", "a\nb\n"), (&format!("a\n{long}"), "a\n")]
        {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("x-000001.ndjson"), left).unwrap();
            let mut files = LineFiles::open(dir.path(), "x", 1 << 20, 0o600).unwrap();
            files.append(b"next\n").unwrap();
            assert_eq!(texts(&files), [format!("{kept}next\n")]);
        }
    }

    #[test]
    fn what_a_failed_write_left_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = LineFiles::open(dir.path(), "x", 1 << 20, 0o600).unwrap();
        files.append(b"1\n").unwrap();
        // As a write that ended early leaves it.
        files.current.write_all(b"half a li").unwrap();
        files.append(b"2\n").unwrap();
        assert_eq!(texts(&files), ["1\n2\n"]);
    }

    #[test]
    fn other_files_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["x-7.ndjson", "y-000009.ndjson", "x-000001.ndjson.bak", "x-aaaaaa.ndjson"] {
            fs::write(dir.path().join(name), "mine").unwrap();
        }
        let mut files = LineFiles::open(dir.path(), "x", 1 << 20, 0o600).unwrap();
        files.append(b"1\n").unwrap();
        assert_eq!(texts(&files), ["1\n"]);
        assert_eq!(fs::read_to_string(dir.path().join("x-000001.ndjson.bak")).unwrap(), "mine");
    }

    #[cfg(unix)]
    #[test]
    fn files_are_for_their_owner() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("made/here");
        let files = LineFiles::open(&folder, "x", 1 << 20, 0o600).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&files.paths().unwrap()[0]), 0o600);
    }
}
