//! `trailship map`: decodes and maps on this machine, to standard output. Nothing is shipped and nothing remembered.

mod explain;
mod read;

use crate::cli::Failure;
use crate::cli::args::MapArgs;
use crate::ecs::{Mapper, Origin, Position, Retain, Settings, Timestamp};
use crate::record::split::Piece;
use anyhow::Context as _;
use read::{Lines, Records, Step, files};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    let standard_input = [PathBuf::from("-")];
    let paths = if args.paths.is_empty() { &standard_input[..] } else { &args.paths };
    if let Some(id) = &args.explain {
        return explain::explain(id, paths, args.lines, &mut mapper, now, out);
    }
    let mut out = BufWriter::with_capacity(1 << 20, out);
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
    let mut lines = Lines::open(path)?;
    let origin = Origin::default();
    let mut document = Vec::new();
    while let Some((offset, text)) = lines.next()? {
        document.clear();
        mapper.map_line(text, Position::new(&origin, offset), now).write(&mut document);
        document.push(b'\n');
        out.write_all(&document).context("cannot write the documents")?;
    }
    Ok(())
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
    let mut records = Records::open(path)?;
    let (name, origin) = (records.name().to_owned(), records.origin());
    let (mut body, mut broken, mut number) = (Vec::new(), Vec::new(), 0u64);
    loop {
        let step = records.step(&mut |piece| {
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
        out.write_all(&body).context("cannot write the documents")?;
        body.clear();
        match step {
            Step::More => {}
            Step::End => break,
            Step::Unreadable(why) => {
                broken.push(format!("{name}: {why}"));
                break;
            }
        }
    }
    for note in &broken {
        writeln!(notes, "{note}").context("cannot write to standard error")?;
    }
    Ok(broken.len() as u64)
}
