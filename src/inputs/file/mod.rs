//! Input `file`: reads what lies in folders, follows what comes, remembers what was acknowledged.
//!
//! Files are expected to be complete when they appear, as `aws s3 sync` leaves them; one that changes later is read
//! again, and what it repeats is a duplicate by `_id`.

pub mod config;
mod registry;
mod walk;

use super::reader::{self, Chunks, Object, Read, ReadFault, Subject};
use super::selection::Selection;
use super::{Check, Context, Input, InputError, Verdict as CheckVerdict};
use crate::ack::{Delivery, Verdict};
use crate::ecs::Origin;
use crate::output::Source;
use bytes::{Bytes, BytesMut};
use config::FileConfig;
use registry::Registry;
use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use walk::{Found, Walk};

/// Bytes asked of the file system at a time.
const READ: usize = 128 * 1024;
/// How often acknowledged files are written to the registry, at most.
const SAVE: Duration = Duration::from_secs(1);
/// Tries of a file that fails, in a run with `--once`.
const TRIES: u32 = 3;

/// The input, configured.
pub struct FileInput {
    config: FileConfig,
    selection: Selection,
}

impl FileInput {
    pub fn new(config: FileConfig) -> FileInput {
        let selection = Selection::new(
            &config.cloudtrail_regex,
            &config.cloudtrail_digest_regex,
            &config.cloudtrail_insight_regex,
            &config.file_selectors,
        );
        FileInput { config, selection }
    }
}

impl Input for FileInput {
    fn id(&self) -> &str {
        &self.config.id
    }

    fn run(self: Box<Self>, context: Context) -> Pin<Box<dyn Future<Output = Result<(), InputError>> + Send>> {
        Box::pin(async move {
            let failed = |reason: String| InputError { input: self.config.id.clone(), reason };
            let registry = Registry::open(&context.data, &self.config.id).map_err(|error| failed(error.to_string()))?;
            let (verdicts, settled) = unbounded_channel();
            let run = Run {
                config: Arc::new(self.config.clone()),
                selection: Arc::new(self.selection.clone()),
                context,
                registry,
                verdicts,
                queue: VecDeque::new(),
                open: HashMap::new(),
                next: 0,
                reads: JoinSet::new(),
                failures: HashMap::new(),
                faults: Vec::new(),
            };
            run.run(settled).await.map_err(failed)
        })
    }

    fn test(&self) -> Pin<Box<dyn Future<Output = Vec<Check>> + Send + '_>> {
        Box::pin(async move {
            let Walk { found, skipped, faults } = look(&self.config, &self.selection).await;
            let mut checks: Vec<Check> = faults
                .into_iter()
                .map(|detail| Check { step: "look for files".to_owned(), verdict: CheckVerdict::Failed, detail })
                .collect();
            let verdict = if found.is_empty() { CheckVerdict::Warning } else { CheckVerdict::Ok };
            let detail = format!("{} files to read, {skipped} that no pattern selects", found.len());
            checks.push(Check { step: "look for files".to_owned(), verdict, detail });
            if let Some(first) = found.first() {
                let (verdict, detail) = match tokio::fs::File::open(&first.path).await {
                    Ok(_) => (CheckVerdict::Ok, format!("`{}` can be read", first.path)),
                    Err(error) => (CheckVerdict::Failed, unreadable(&first.path, &error)),
                };
                checks.push(Check { step: "open the first file".to_owned(), verdict, detail });
            }
            checks
        })
    }
}

async fn look(config: &FileConfig, selection: &Selection) -> Walk {
    let (paths, selection) = (config.paths.clone(), selection.clone());
    tokio::task::spawn_blocking(move || walk::walk(&paths, &selection)).await.unwrap_or_default()
}

/// One run of the input: a queue of found files, the reads under way, the files that wait for their verdict.
struct Run {
    config: Arc<FileConfig>,
    selection: Arc<Selection>,
    context: Context,
    registry: Registry,
    verdicts: tokio::sync::mpsc::UnboundedSender<Verdict>,
    queue: VecDeque<Found>,
    open: HashMap<u64, Found>,
    next: u64,
    reads: JoinSet<()>,
    failures: HashMap<String, u32>,
    faults: Vec<String>,
}

impl Run {
    async fn run(mut self, mut settled: UnboundedReceiver<Verdict>) -> Result<(), String> {
        let mut saves = tokio::time::interval(SAVE);
        let mut looks = tokio::time::interval(self.config.scan_frequency.get().max(Duration::from_millis(100)));
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut looked = false;
        loop {
            self.start_reads();
            let idle = self.queue.is_empty() && self.open.is_empty() && self.reads.is_empty();
            let stopping = self.context.stop.is_cancelled();
            if idle && (stopping || (self.context.once && looked)) {
                break;
            }
            tokio::select! {
                Some(verdict) = settled.recv() => self.verdict(verdict),
                Some(_) = self.reads.join_next() => {}
                _ = looks.tick(), if !stopping && self.queue.is_empty() && !(looked && self.context.once) => {
                    self.look().await;
                    looked = true;
                }
                _ = saves.tick() => self.save(),
                () = self.context.stop.cancelled(), if !stopping => self.queue.clear(),
                () = self.context.abort.cancelled() => break,
            }
        }
        self.registry.save().map_err(|error| error.to_string())?;
        if self.context.once && !self.faults.is_empty() {
            return Err(self.faults.join("; "));
        }
        Ok(())
    }

    async fn look(&mut self) {
        let Walk { found, skipped, faults } = look(&self.config, &self.selection).await;
        self.context.progress.skipped.store(skipped, Relaxed);
        for fault in faults {
            tracing::warn!(input = %self.config.id, "{fault}");
            if self.context.once {
                self.faults.push(fault);
            }
        }
        if !self.context.once {
            self.registry.retain(|path| Path::new(path).exists());
        }
        let under_way: std::collections::HashSet<&str> = self.open.values().map(|found| found.path.as_str()).collect();
        self.queue.extend(found.into_iter().filter(|found| {
            !self.registry.is_done(&found.path, found.mark) && !under_way.contains(found.path.as_str())
        }));
        self.context.progress.waiting.store(self.queue.len() as u64, Relaxed);
    }

    fn start_reads(&mut self) {
        while self.reads.len() < self.config.number_of_workers.max(1) {
            let Some(found) = self.queue.pop_front() else { return };
            self.context.progress.waiting.store(self.queue.len() as u64, Relaxed);
            let key = self.next;
            self.next += 1;
            let delivery = Delivery::open(key, Arc::clone(&self.context.counters), self.verdicts.clone());
            let part = delivery.part();
            delivery.seal();
            let subject = subject(&self.config.id, &found);
            let object = LocalFile { path: found.path.clone() };
            self.open.insert(key, found);
            let context = self.context.clone();
            self.reads.spawn(async move {
                match reader::read(&context, part, &subject, &object).await {
                    Read::Done { .. } => {}
                    Read::Parked { reason } => {
                        tracing::error!(file = %object.path, "the file is parked in the dead letter: {reason}")
                    }
                    Read::Failed { reason, .. } => {
                        tracing::error!(file = %object.path, "the file cannot be read: {reason}")
                    }
                }
            });
        }
    }

    fn verdict(&mut self, verdict: Verdict) {
        let Some(found) = self.open.remove(&verdict.key) else { return };
        if verdict.settled {
            self.failures.remove(&found.path);
            return self.registry.done(found.path, found.mark);
        }
        if self.context.stop.is_cancelled() || !self.context.once {
            // The next look finds it again.
            return;
        }
        let failures = self.failures.entry(found.path.clone()).or_default();
        *failures += 1;
        if *failures < TRIES {
            self.queue.push_back(found);
        } else {
            self.faults.push(format!("`{}` was not shipped: {}", found.path, verdict.reasons.join(", ")));
        }
    }

    fn save(&mut self) {
        if let Err(error) = self.registry.save() {
            tracing::error!(input = %self.config.id, "{error}; files may be read again after a restart");
        }
    }
}

fn subject(input: &str, found: &Found) -> Subject {
    Subject {
        origin: Arc::new(Origin { input_type: "file", log_file_path: Some(found.path.clone()), ..Origin::default() }),
        source: Arc::new(Source { input: input.to_owned(), object: found.path.clone(), ..Source::default() }),
        digest: found.digest,
    }
}

struct LocalFile {
    path: String,
}

impl Object for LocalFile {
    type Stream = LocalStream;

    async fn open(&self) -> Result<LocalStream, ReadFault> {
        match tokio::fs::File::open(&self.path).await {
            Ok(file) => Ok(LocalStream { file, path: self.path.clone() }),
            Err(error) => Err(ReadFault::Final { code: "file-unreadable", text: unreadable(&self.path, &error) }),
        }
    }
}

struct LocalStream {
    file: tokio::fs::File,
    path: String,
}

impl Chunks for LocalStream {
    async fn next(&mut self) -> Result<Option<Bytes>, ReadFault> {
        let mut chunk = BytesMut::with_capacity(READ);
        match self.file.read_buf(&mut chunk).await {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(chunk.freeze())),
            Err(error) => Err(ReadFault::Final { code: "file-unreadable", text: unreadable(&self.path, &error) }),
        }
    }
}

fn unreadable(path: &str, error: &std::io::Error) -> String {
    format!("cannot read `{path}`: {error}")
}
