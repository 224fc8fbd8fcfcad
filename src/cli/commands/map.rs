//! `trailship map`: decodes and maps on this machine, to standard output. Nothing is shipped and nothing remembered.

use crate::cli::Failure;
use crate::cli::args::MapArgs;
use crate::ecs::{Broken, Mapper, Origin, Position, Retain, Settings, Timestamp};
use crate::inputs::file::looks_like_trail;
use crate::record::inflate::{Inflate, InflateFault, InflateLimits};
use crate::record::json::{Error, ErrorKind};
use crate::record::split::{Piece, SplitFault, Splitter};
use anyhow::Context as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of one record; larger ones are reported, not mapped.
const RECORD: usize = 10 << 20;
/// Bytes at the end of a line that are not its text: `\r\n`.
const LINE_END: u64 = 2;
const LIMITS: InflateLimits = InflateLimits { bytes: u64::MAX, ratio: u64::MAX };

pub fn map(args: &MapArgs, out: &mut dyn Write, notes: &mut dyn Write) -> Result<(), Failure> {
    let now = match &args.now {
        Some(text) => Timestamp::parse(text)
            .ok_or_else(|| Failure::usage(format!("`--now {text}` is not a time such as 2026-01-02T03:04:05Z")))?,
        None => Timestamp::now(),
    };
    let mut settings = Settings::default();
    if !args.tags.is_empty() {
        settings.set_tags(args.tags.clone());
    }
    if let Some(mode) = &args.retain {
        settings.retain = Retain::parse(mode).ok_or_else(|| {
            Failure::usage(format!("`--retain {mode}` is none of all, flattened, keyword, minimal, none"))
        })?;
    }
    let mut mapper = Mapper::new(Arc::new(settings));
    let mut out = BufWriter::with_capacity(1 << 20, out);
    let standard_input = [PathBuf::from("-")];
    let paths = if args.paths.is_empty() { &standard_input[..] } else { &args.paths };
    let mut broken = 0;
    for path in paths {
        if args.lines {
            lines(path, &mut mapper, now, &mut out)?;
        } else {
            let files = files(path)?;
            if files.is_empty() {
                note(notes, &format!("{}: holds no file that looks like one of a trail", path.display()))?;
            }
            for file in files {
                broken += objects(&file, &mut mapper, now, args.bulk, &mut out, notes)?;
            }
        }
    }
    out.flush().context("cannot write the documents")?;
    if broken > 0 {
        return Err(Failure::work(format!("{broken} records or files could not be mapped")));
    }
    Ok(())
}

/// One document for every line, whatever it holds.
fn lines(path: &Path, mapper: &mut Mapper, now: Timestamp, out: &mut impl Write) -> Result<(), Failure> {
    let mut reader = open(path)?;
    let cannot_read = || format!("cannot read `{}`", path.display());
    let origin = Origin::default();
    let (mut line, mut document, mut offset) = (Vec::new(), Vec::new(), 0);
    loop {
        line.clear();
        let mut read =
            reader.by_ref().take(RECORD as u64 + LINE_END).read_until(b'\n', &mut line).with_context(cannot_read)?
                as u64;
        if read == 0 {
            return Ok(());
        }
        let is_whole = line.ends_with(b"\n");
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let at = Position::new(&origin, offset);
        document.clear();
        if text.len() <= RECORD {
            mapper.map_line(text, at, now).write(&mut document);
        } else {
            let broken =
                Broken::from(Error { kind: ErrorKind::Syntax("the line goes on, more than 10 MiB"), at: RECORD });
            mapper.fault_document(text.get(..RECORD).unwrap_or(text), at, now, &broken).write(&mut document);
        }
        if !is_whole {
            read += reader.skip_until(b'\n').with_context(cannot_read)? as u64;
        }
        document.push(b'\n');
        out.write_all(&document).context("cannot write the documents")?;
        offset += read;
    }
}

/// The files of a trail below a folder, in order; a file is itself.
fn files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
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

/// Maps one file; answers how many of its records, or the file itself, could not be. Each is noted as it comes.
fn objects(
    path: &Path,
    mapper: &mut Mapper,
    now: Timestamp,
    bulk: bool,
    out: &mut impl Write,
    notes: &mut dyn Write,
) -> Result<u64, Failure> {
    let name = path.display().to_string();
    let origin = Origin { input_type: "file", log_file_path: (name != "-").then(|| name.clone()), ..Origin::default() };
    let mut reader = open(path)?;
    let mut inflate = Inflate::new(LIMITS);
    let digest = name.contains("/CloudTrail-Digest/") || name.contains("_CloudTrail-Digest_");
    let mut splitter = Splitter::new(RECORD, digest);
    let (mut body, mut broken, mut number) = (Vec::new(), 0u64, 0u64);
    let mut stored = vec![0; 128 * 1024];
    loop {
        let read = reader.read(&mut stored).with_context(|| format!("cannot read `{name}`"))?;
        let mut window = |text: &[u8]| {
            let mut noted = Ok(());
            splitter.push(text, &mut |piece| {
                number += 1;
                let (offset, fault) = match piece {
                    Piece::Oversized { offset, length, .. } => (offset, format!("{length} bytes are too many")),
                    Piece::Record { offset, text } => match mapper.map(text, Position::new(&origin, offset), now) {
                        Err(fault) => (offset, fault.to_string()),
                        Ok(document) => {
                            if bulk {
                                body.extend_from_slice(b"{\"create\":{\"_id\":\"");
                                body.extend_from_slice(document.id().as_bytes());
                                body.extend_from_slice(b"\"}}\n");
                            }
                            document.write(&mut body);
                            body.push(b'\n');
                            return;
                        }
                    },
                };
                broken += 1;
                if noted.is_ok() {
                    noted = note(notes, &format!("{name}: record {number} at byte {offset}: {fault}"));
                }
            })?;
            noted?;
            out.write_all(&body).context("cannot write the documents").map_err(Failure::from)?;
            body.clear();
            Ok::<(), Halt>(())
        };
        let step = if read == 0 { inflate.finish(&mut window) } else { inflate.push(&stored[..read], &mut window) };
        let step = step.and_then(|()| if read == 0 { Ok(splitter.finish()?) } else { Ok(()) });
        // What was mapped of a window before its text broke off.
        out.write_all(&body).context("cannot write the documents")?;
        body.clear();
        match step {
            Ok(()) if read > 0 => {}
            Ok(()) => return Ok(broken),
            Err(Halt::Failed(failure)) => return Err(failure),
            Err(Halt::Unreadable(reason)) => {
                note(notes, &format!("{name}: {reason}"))?;
                return Ok(broken + 1);
            }
        }
    }
}

fn note(notes: &mut dyn Write, text: &str) -> Result<(), Failure> {
    Ok(writeln!(notes, "{text}").context("cannot write to standard error")?)
}

/// What ends a file early.
enum Halt {
    Unreadable(String),
    Failed(Failure),
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Halt {
        Halt::Failed(failure)
    }
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn arguments(path: &Path, lines: bool) -> MapArgs {
        MapArgs {
            paths: vec![path.to_owned()],
            lines,
            bulk: false,
            now: Some("2026-01-02T03:04:05Z".to_owned()),
            tags: Vec::new(),
            retain: None,
        }
    }

    /// Maps `path`: how it ended, the documents, the notes.
    fn mapped(path: &Path, lines: bool) -> (Result<(), Failure>, Vec<Value>, String) {
        let (mut out, mut notes) = (Vec::new(), Vec::new());
        let ended = map(&arguments(path, lines), &mut out, &mut notes);
        let documents = out.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let documents = documents.map(|line| serde_json::from_slice(line).unwrap()).collect();
        (ended, documents, String::from_utf8(notes).unwrap())
    }

    fn file(text: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn a_line_without_end_is_one_broken_document() {
        let blank = " ".repeat(RECORD - 4);
        let just_fits = format!("{blank}null\r\n");
        // A whole record in the first 10 MiB does not make a longer line whole.
        let longer = format!("{{\"eventID\":\"cut\"}}{blank}{blank}{blank}x\n");
        let by_one = format!("{blank} null");
        let text = format!("{just_fits}{longer}{{\"eventID\":\"next\"}}\n{by_one}");
        let (ended, documents, notes) = mapped(file(text.as_bytes()).path(), true);
        assert!(ended.is_ok());
        assert_eq!(notes, "");
        let kinds: Vec<&Value> = documents.iter().map(|document| &document["event"]["kind"]).collect();
        assert_eq!(kinds, ["event", "pipeline_error", "event", "pipeline_error"]);
        assert_eq!(documents[2]["event"]["id"], "next");
        let second = &documents[1];
        assert_eq!(second["event"]["original"].as_str().unwrap(), &longer[..RECORD]);
        assert!(second["error"]["message"].to_string().contains("more than 10 MiB"), "{}", second["error"]);
    }

    #[test]
    fn of_a_folder_only_what_looks_like_a_trail_is_mapped() {
        let folder = tempfile::tempdir().unwrap();
        let record = |id: &str| format!("{{\"Records\":[{{\"eventID\":\"{id}\"}}]}}");
        for name in ["b.json", "a.json", "README.md", "under-way.json.gz.6Ea7", ".hidden.json"] {
            std::fs::write(folder.path().join(name), record(name)).unwrap();
        }
        let (ended, documents, notes) = mapped(folder.path(), false);
        assert!(ended.is_ok());
        assert_eq!(notes, "");
        let ids: Vec<&Value> = documents.iter().map(|document| &document["event"]["id"]).collect();
        assert_eq!(ids, ["a.json", "b.json"]);
        let (_, documents, _) = mapped(&folder.path().join("README.md"), false);
        assert_eq!(documents.len(), 1, "what is named is mapped");
        let empty = tempfile::tempdir().unwrap();
        let (_, documents, notes) = mapped(empty.path(), false);
        assert!(documents.is_empty());
        assert!(notes.ends_with("holds no file that looks like one of a trail\n"), "{notes}");
    }

    #[test]
    fn what_is_broken_is_noted_and_counted() {
        let text = br#"{"Records":[{"eventID":"1"},{"a":tru},{"eventID":"2"},{"b":nul},{"eventID":"3"},"#;
        let (ended, documents, notes) = mapped(file(text).path(), false);
        assert_eq!(documents.len(), 3);
        let places: Vec<&str> = notes.lines().map(|line| line.split(": ").nth(1).unwrap()).collect();
        assert_eq!(places[..2], ["record 2 at byte 28", "record 4 at byte 54"]);
        assert_eq!(places.len(), 3, "and that the text ends early: {notes}");
        let Err(Failure::Work(error)) = ended else { panic!("{ended:?}") };
        assert_eq!(error.to_string(), "3 records or files could not be mapped");
    }

    /// Standard error that goes away after the first note.
    struct Closed(usize);

    impl Write for Closed {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            if self.0 > 1 { Err(io::Error::other("closed")) } else { Ok(buffer.len()) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn notes_are_written_while_the_file_is_read() {
        // Far more than one window; the second half is not read once the notes cannot be written.
        let text = format!("{{\"Records\":[{}{{}}]}}", "{\"a\":tru},".repeat(1_000_000));
        let (file, mut notes) = (file(text.as_bytes()), Closed(0));
        let ended = map(&arguments(file.path(), false), &mut Vec::new(), &mut notes);
        assert!(matches!(ended, Err(Failure::Work(error)) if format!("{error:#}").ends_with("closed")));
        assert_eq!(notes.0, 2);
    }
}
