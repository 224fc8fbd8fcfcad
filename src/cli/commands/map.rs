//! `trailship map`: decodes and maps on this machine, to standard output. Nothing is shipped and nothing remembered.

use crate::cli::Failure;
use crate::cli::args::MapArgs;
use crate::ecs::{Mapper, Origin, Position, Retain, Settings, Timestamp};
use crate::record::inflate::{Inflate, InflateFault, InflateLimits};
use crate::record::split::{Piece, SplitFault, Splitter};
use anyhow::Context as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of one record; larger ones are reported, not mapped.
const RECORD: usize = 10 << 20;
const LIMITS: InflateLimits = InflateLimits { bytes: u64::MAX, ratio: u64::MAX };

pub fn map(args: &MapArgs, out: &mut dyn Write, notes: &mut dyn Write) -> Result<(), Failure> {
    let now = match &args.now {
        Some(text) => Timestamp::parse(text)
            .ok_or_else(|| Failure::usage(format!("`--now {text}` is not a time such as 2026-01-02T03:04:05Z")))?,
        None => Timestamp::now(),
    };
    // What goes to an index is as `run` would send it; anything else shows what the mapping makes.
    let mut settings = Settings { repair: args.bulk, ..Settings::default() };
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
            for file in files(path)? {
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
    let origin = Origin::default();
    let (mut line, mut document, mut offset) = (Vec::new(), Vec::new(), 0);
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).with_context(|| format!("cannot read `{}`", path.display()))?;
        if read == 0 {
            return Ok(());
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        document.clear();
        mapper.map_line(text, Position::new(&origin, offset), now).write(&mut document);
        document.push(b'\n');
        out.write_all(&document).context("cannot write the documents")?;
        offset += read as u64;
    }
}

/// Every file below a folder, in order; a file is itself.
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
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Maps one file; answers how many of its records, or the file itself, could not be.
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
    let (mut body, mut broken, mut number) = (Vec::new(), Vec::new(), 0u64);
    let mut stored = vec![0; 128 * 1024];
    loop {
        let read = reader.read(&mut stored).with_context(|| format!("cannot read `{name}`"))?;
        let mut window = |text: &[u8]| {
            splitter.push(text, &mut |piece| {
                number += 1;
                match piece {
                    Piece::Oversized { offset, length, .. } => {
                        broken.push(format!("{name}: record {number} at byte {offset}: {length} bytes are too many"))
                    }
                    Piece::Record { offset, text } => match mapper.map(text, Position::new(&origin, offset), now) {
                        Err(fault) => broken.push(format!("{name}: record {number} at byte {offset}: {fault}")),
                        Ok(document) => {
                            if bulk {
                                body.extend_from_slice(b"{\"create\":{\"_id\":\"");
                                body.extend_from_slice(document.id().as_bytes());
                                body.extend_from_slice(b"\"}}\n");
                            }
                            document.write(&mut body);
                            body.push(b'\n');
                        }
                    },
                }
            })?;
            Ok::<(), Unreadable>(())
        };
        let step = if read == 0 { inflate.finish(&mut window) } else { inflate.push(&stored[..read], &mut window) };
        let step = step.and_then(|()| if read == 0 { Ok(splitter.finish()?) } else { Ok(()) });
        out.write_all(&body).context("cannot write the documents")?;
        body.clear();
        if let Err(Unreadable(reason)) = &step {
            broken.push(format!("{name}: {reason}"));
        }
        if read == 0 || step.is_err() {
            break;
        }
    }
    for note in &broken {
        writeln!(notes, "{note}").context("cannot write to standard error")?;
    }
    Ok(broken.len() as u64)
}

struct Unreadable(String);

impl From<InflateFault> for Unreadable {
    fn from(fault: InflateFault) -> Unreadable {
        Unreadable(fault.to_string())
    }
}

impl From<SplitFault> for Unreadable {
    fn from(fault: SplitFault) -> Unreadable {
        Unreadable(fault.to_string())
    }
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path).with_context(|| format!("cannot open `{}`", path.display()))?;
    Ok(Box::new(BufReader::with_capacity(128 * 1024, file)))
}
