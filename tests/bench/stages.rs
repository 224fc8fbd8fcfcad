//! CPU time of the steps from stored objects to bulk bodies, on one thread: `stages FOLDER ROUNDS [STEP]`.
//!
//! Each step includes those before it. Between any two of them, and at both ends, runs the reference: a fixed piece of
//! work, so that a busy machine shows. Prints a JSON line for each run: step, records, nanoseconds of CPU, allocations. The
//! first round is not printed. `tests/bench/run.py` makes figures of the lines.

#![expect(clippy::print_stdout, reason = "the lines are the result")]

use libdeflater::{CompressionLvl, Compressor};
use rustix::time::{ClockId, clock_gettime};
use std::error::Error;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use trailship::ecs::{Mapped, Mapper, Origin, Position, Settings, Timestamp};
use trailship::record::inflate::{Inflate, InflateLimits};
use trailship::record::json::{Blanks, Tape};
use trailship::record::split::{Piece, Splitter};

type Outcome = Result<(), Box<dyn Error>>;
/// A step: works once over all objects, and keeps its buffers for the next time.
type Step<'a> = Box<dyn FnMut() -> Outcome + 'a>;

const LIMITS: InflateLimits = InflateLimits { bytes: 8 << 30, ratio: 1000 };
/// Bytes of the longest record; none of a corpus is near it.
const RECORD: usize = 1 << 20;
/// Plain bytes of a bulk body and gzip level, as `output.elasticsearch` has them by default.
const BULK: usize = 2 << 20;
const LEVEL: i32 = 1;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (folder, rounds, only) = match arguments.as_slice() {
        [folder, rounds] => (folder, rounds.parse()?, None),
        [folder, rounds, only] => (folder, rounds.parse()?, Some(only.as_str())),
        _ => return Err("usage: stages FOLDER ROUNDS [STEP]".into()),
    };
    let corpus = Corpus::load(Path::new(folder))?;
    let mut reference = corpus.reference();
    let mut steps = corpus.steps();
    if let Some(only) = only {
        steps.retain(|(name, _)| *name == only);
    }
    for round in 0..=rounds {
        corpus.time("reference", round, &mut reference)?;
        for (name, step) in &mut steps {
            corpus.time(name, round, step)?;
            corpus.time("reference", round, &mut reference)?;
        }
    }
    Ok(())
}

struct Corpus {
    stored: Vec<Vec<u8>>,
    /// The records' texts, for the reference alone.
    records: Vec<Vec<u8>>,
}

impl Corpus {
    /// Reads every file below `folder`.
    fn load(folder: &Path) -> Result<Corpus, Box<dyn Error>> {
        let mut paths = Vec::new();
        list(folder, &mut paths)?;
        paths.sort();
        let stored: Vec<Vec<u8>> = paths.iter().map(std::fs::read).collect::<Result<_, _>>()?;
        let mut records = Vec::new();
        for object in &stored {
            split(object, |_, text| {
                records.push(text.to_vec());
                Ok(())
            })?;
        }
        if records.is_empty() {
            return Err(format!("no records below `{}`", folder.display()).into());
        }
        Ok(Corpus { stored, records })
    }

    fn steps(&self) -> Vec<(&'static str, Step<'_>)> {
        vec![
            ("gunzip", self.gunzip()),
            ("split", self.split()),
            ("parse", self.parse()),
            ("map", self.map(false, discard)),
            ("compress", self.map(false, compress())),
            ("map, with original", self.map(true, discard)),
            ("compress, with original", self.map(true, compress())),
            ("control", self.reference()),
        ]
    }

    /// What other figures are compared with: a tree of every record by `serde_json`.
    fn reference(&self) -> Step<'_> {
        Box::new(|| {
            for record in &self.records {
                black_box(serde_json::from_slice::<serde_json::Value>(record)?);
            }
            Ok(())
        })
    }

    fn gunzip(&self) -> Step<'_> {
        Box::new(|| {
            self.stored.iter().try_for_each(|object| {
                inflate(object, |window| {
                    black_box(window);
                    Ok(())
                })
            })
        })
    }

    fn split(&self) -> Step<'_> {
        Box::new(|| {
            self.each_record(|_, text| {
                black_box(text);
                Ok(())
            })
        })
    }

    fn parse(&self) -> Step<'_> {
        let mut tape = Tape::default();
        Box::new(move || {
            self.each_record(|_, text| {
                black_box(tape.parse(text, Blanks::Dropped)?.len());
                Ok(())
            })
        })
    }

    /// Maps every record and writes bulk bodies, which `finish` is given when they are full.
    fn map<'a>(&'a self, original: bool, mut finish: impl FnMut(&[u8]) + 'a) -> Step<'a> {
        let mut mapper = Mapper::new(Arc::new(Settings { preserve_original_event: original, ..Settings::default() }));
        let origin = origin();
        let mut body = Vec::with_capacity(BULK + RECORD);
        Box::new(move || {
            let now = Timestamp::now();
            self.each_record(|offset, text| {
                let document = mapper.map(text, Position::new(&origin, offset), now)?;
                write_item(&document, &mut body);
                if body.len() >= BULK {
                    finish(&body);
                    body.clear();
                }
                Ok(())
            })?;
            finish(&body);
            body.clear();
            Ok(())
        })
    }

    fn each_record(&self, mut take: impl FnMut(u64, &[u8]) -> Outcome) -> Outcome {
        self.stored.iter().try_for_each(|object| split(object, &mut take))
    }

    /// Runs the step; prints what it took, except in the first round, which only warms up.
    fn time(&self, name: &str, round: u32, step: &mut Step<'_>) -> Outcome {
        let (mut outcome, mut spent) = (Ok(()), 0);
        let allocated = allocation_counter::measure(|| {
            let before = cpu_ns();
            outcome = step();
            spent = cpu_ns() - before;
        });
        if round > 0 {
            let (records, count) = (self.records.len(), allocated.count_total);
            println!(
                r#"{{"stage":"{name}","round":{round},"records":{records},"cpu_ns":{spent},"allocations":{count}}}"#
            );
        }
        outcome
    }
}

fn inflate(object: &[u8], mut take: impl FnMut(&[u8]) -> Outcome) -> Outcome {
    let mut inflate = Inflate::new(LIMITS);
    inflate.push(object, &mut take)?;
    inflate.finish(&mut take)
}

/// Gives every record of an object, with its offset in the text, to `take`.
fn split(object: &[u8], mut take: impl FnMut(u64, &[u8]) -> Outcome) -> Outcome {
    let mut splitter = Splitter::new(RECORD, false);
    inflate(object, |window| {
        let mut outcome = Ok(());
        splitter.push(window, &mut |piece| {
            if outcome.is_ok() {
                outcome = match piece {
                    Piece::Record { offset, text } | Piece::LogEvents { offset, text } => take(offset, text),
                    Piece::Oversized { length, .. } => Err(format!("a record has {length} bytes").into()),
                };
            }
        })?;
        outcome
    })?;
    Ok(splitter.finish()?)
}

/// One item of a bulk body: the action and the document.
fn write_item(document: &Mapped<'_>, body: &mut Vec<u8>) {
    body.extend_from_slice(b"{\"create\":{\"_id\":\"");
    body.extend_from_slice(document.id().as_bytes());
    body.extend_from_slice(b"\"}}\n");
    document.write(body);
    body.push(b'\n');
}

fn discard(body: &[u8]) {
    black_box(body);
}

fn compress() -> impl FnMut(&[u8]) {
    let mut compressor = Compressor::new(CompressionLvl::new(LEVEL).unwrap_or_default());
    let mut zipped = Vec::new();
    move |body| {
        zipped.resize(compressor.gzip_compress_bound(body.len()), 0);
        // The buffer has the size that this needs at most.
        let _ = black_box(compressor.gzip_compress(body, &mut zipped));
    }
}

fn origin() -> Origin {
    let key = "AWSLogs/111122223333/CloudTrail/us-east-1/2025/06/02/111122223333_CloudTrail_us-east-1_20250602T0805Z_0000000000000000.json.gz";
    Origin {
        input_type: "aws-s3",
        bucket_name: Some("trail".to_owned()),
        bucket_arn: Some("arn:aws:s3:::trail".to_owned()),
        object_key: Some(key.to_owned()),
        log_file_path: Some(format!("https://trail.s3.us-east-1.amazonaws.com/{key}")),
        region: Some("us-east-1".to_owned()),
        ..Origin::default()
    }
}

/// CPU time of this thread so far, in nanoseconds.
fn cpu_ns() -> i64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

fn list(folder: &Path, paths: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, paths)?;
        } else {
            paths.push(path);
        }
    }
    Ok(())
}
