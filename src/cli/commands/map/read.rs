//! Log files on this machine, record by record or line by line.

use crate::cli::Failure;
use crate::ecs::{Origin, Position};
use crate::inputs::file::{is_digest, looks_like_trail};
use crate::record::inflate::{Inflate, InflateFault, InflateLimits};
use crate::record::log_event::{self, Payload};
use crate::record::split::{Piece, SplitFault, Splitter};
use anyhow::Context as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Bytes of one record; larger ones are reported, not mapped.
pub const RECORD: usize = 10 << 20;
/// Bytes at the end of a line that are not its text: `\r\n`.
const LINE_END: u64 = 2;
const LIMITS: InflateLimits = InflateLimits { bytes: u64::MAX, ratio: u64::MAX };

/// The files of a trail below a folder, in order; a file is itself.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let (mut folders, mut files) = (vec![path.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot look into `{}`", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot look into `{}`", folder.display()))?;
            let kind = entry.file_type().with_context(|| format!("cannot look at `{}`", entry.path().display()))?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && looks_like_trail(&entry.path()) {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The lines of a file, each with its first byte.
pub struct Lines {
    name: String,
    reader: Box<dyn BufRead>,
    line: Vec<u8>,
    offset: u64,
}

impl Lines {
    pub fn open(path: &Path) -> Result<Lines, Failure> {
        Ok(Lines { name: path.display().to_string(), reader: open(path)?, line: Vec::new(), offset: 0 })
    }

    /// The next line without its end. Of one longer than [`RECORD`] bytes the beginning is given, which is longer too.
    pub fn next(&mut self) -> Result<Option<(u64, &[u8])>, Failure> {
        self.line.clear();
        let cannot_read = || format!("cannot read `{}`", self.name);
        let most = RECORD as u64 + LINE_END;
        let read = self.reader.by_ref().take(most).read_until(b'\n', &mut self.line).with_context(cannot_read)?;
        if read == 0 {
            return Ok(None);
        }
        let offset = self.offset;
        self.offset += read as u64;
        if !self.line.ends_with(b"\n") {
            self.offset += self.reader.skip_until(b'\n').with_context(cannot_read)? as u64;
        }
        let text = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        Ok(Some((offset, text.strip_suffix(b"\r").unwrap_or(text))))
    }
}

/// The records of a log file, gzip or plain.
pub struct Records {
    name: String,
    origin: Origin,
    reader: Box<dyn BufRead>,
    inflate: Inflate,
    splitter: Splitter,
    stored: Vec<u8>,
}

/// Takes a record's place and text, or the bytes of one that is too long.
pub type Visit<'a> = &'a mut dyn FnMut(Position<'_>, Result<&[u8], u64>) -> Result<(), Failure>;

/// What a step of reading came to.
pub enum Step {
    More,
    End,
    /// The rest of the file cannot be read, and why.
    Unreadable(String),
}

impl Records {
    pub fn open(path: &Path) -> Result<Records, Failure> {
        let name = path.display().to_string();
        let digest = is_digest(&name);
        let log_file_path = (name != "-").then(|| name.clone());
        Ok(Records {
            name,
            origin: Origin { input_type: "file", log_file_path, ..Origin::default() },
            reader: open(path)?,
            inflate: Inflate::new(LIMITS),
            splitter: Splitter::new(RECORD, digest),
            stored: vec![0; 128 * 1024],
        })
    }

    /// The file's path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads on, and hands over the records that are whole then, until `visit` fails.
    pub fn step(&mut self, visit: Visit<'_>) -> Result<Step, Failure> {
        let Records { name, origin, reader, inflate, splitter, stored } = self;
        let read = reader.read(stored).with_context(|| format!("cannot read `{name}`"))?;
        let mut window = |text: &[u8]| {
            let mut visited = Ok(());
            splitter.push(text, &mut |piece| {
                if visited.is_ok() {
                    visited = give(piece, origin, visit);
                }
            })?;
            visited.map_err(Halt::Failed)
        };
        let step = match stored.get(..read).unwrap_or_default() {
            [] => inflate.finish(&mut window).and_then(|()| Ok(splitter.finish()?)),
            stored => inflate.push(stored, &mut window),
        };
        match step {
            Err(Halt::Failed(failure)) => Err(failure),
            Err(Halt::Unreadable(reason)) => Ok(Step::Unreadable(reason)),
            Ok(()) if read == 0 => Ok(Step::End),
            Ok(()) => Ok(Step::More),
        }
    }
}

/// Gives the records of one piece to `visit`.
fn give(piece: Piece<'_>, origin: &Origin, visit: Visit<'_>) -> Result<(), Failure> {
    let (offset, text) = match piece {
        Piece::Oversized { offset, length, .. } => return visit(Position::new(origin, offset), Err(length)),
        Piece::Record { offset, text } | Piece::LogEvents { offset, text } => (offset, text),
    };
    let payload = matches!(piece, Piece::LogEvents { .. }).then(|| log_event::payload(text)).flatten();
    match payload {
        None => visit(Position::new(origin, offset), Ok(text)),
        Some(Payload::Control) => Ok(()),
        Some(Payload::Events(events)) => events.log_events.iter().try_for_each(|event| {
            let at = Position {
                log_group: Some(&events.log_group),
                log_stream: Some(&events.log_stream),
                log_event_id: Some(&event.id),
                ..Position::new(origin, offset)
            };
            visit(at, Ok(event.message.as_bytes()))
        }),
    }
}

/// What ends a file early.
enum Halt {
    Unreadable(String),
    Failed(Failure),
}

impl From<InflateFault> for Halt {
    fn from(fault: InflateFault) -> Halt {
        Halt::Unreadable(fault.to_string())
    }
}

impl From<SplitFault> for Halt {
    fn from(fault: SplitFault) -> Halt {
        Halt::Unreadable(fault.to_string())
    }
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path).with_context(|| format!("cannot open `{}`", path.display()))?;
    Ok(Box::new(BufReader::with_capacity(128 * 1024, file)))
}
