//! Input `file`: reads what lies in folders, follows what comes, remembers what was acknowledged.
//!
//! Files are expected to be complete when they appear, as `aws s3 sync` leaves them; one that changes later is read
//! again, and what it repeats is a duplicate by `_id`.

pub mod config;
mod expand;
mod registry;
mod run;
mod walk;

pub use walk::{is_digest, looks_like_trail};

use super::backlog::{Backlog, Looking};
use super::reader::{self, Chunks, Object, Read, ReadFault};
use super::selection::{Choice, Selection};
use super::{Again, Check, Context, Input, InputError, Opening, Verdict};
use crate::ack::Part;
use crate::ecs::Origin;
use crate::output::Source;
use crate::pipeline::{Cause, Faults};
use crate::visible;
use bytes::{Bytes, BytesMut};
use config::FileConfig;
use registry::{Mark, Registry};
use run::Run;
use std::io::ErrorKind;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use tokio::io::AsyncReadExt;
use walk::Walk;

/// Bytes asked of the file system at a time.
const READ: usize = 128 * 1024;

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
            let faults = Faults::new(self.config.on_fault.policies(), Arc::clone(&context.progress.faults));
            let context = Context { mill: context.mill.facing(faults), ..context };
            let (data, id) = (context.data.clone(), self.config.id.clone());
            let opened = tokio::task::spawn_blocking(move || Registry::open(&data, &id));
            let registry = match opened.await {
                Ok(opened) => opened.map_err(|error| failed(error.to_string()))?,
                Err(fault) => return Err(failed(format!("a fault inside trailship: {fault}"))),
            };
            Run::new(self.config.clone(), self.selection.clone(), context, registry).run().await.map_err(failed)
        })
    }

    fn again(&self, context: Context) -> Opening<'_> {
        let again: Arc<dyn Again> = Arc::new(FilesAgain { selection: self.selection.clone(), context });
        Box::pin(std::future::ready(Ok(again)))
    }

    fn backlog<'a>(&'a self, data: &'a Path) -> Looking<'a> {
        Box::pin(async move {
            let (data, id) = (data.to_owned(), self.config.id.clone());
            let opened = tokio::task::spawn_blocking(move || Registry::open(&data, &id)).await;
            let registry = opened.map_err(|fault| format!("a fault inside trailship: {fault}"))?;
            let registry = registry.map_err(|error| error.to_string())?;
            let Walk { found, skipped, faults, .. } = look(&self.config, &self.selection).await;
            let read = found.iter().filter(|found| registry.is_done(&found.path, found.mark)).count() as u64;
            Ok(Backlog::Files { unread: found.len() as u64 - read, read, skipped, faults })
        })
    }

    fn test(&self) -> Pin<Box<dyn Future<Output = Vec<Check>> + Send + '_>> {
        Box::pin(async move {
            let Walk { found, skipped, faults, .. } = look(&self.config, &self.selection).await;
            let mut checks: Vec<Check> = faults
                .into_iter()
                .map(|detail| Check { step: "look for files".to_owned(), verdict: Verdict::Failed, detail })
                .collect();
            let verdict = if found.is_empty() { Verdict::Warning } else { Verdict::Ok };
            let detail = format!("{} files to read, {skipped} that no pattern selects", found.len());
            checks.push(Check { step: "look for files".to_owned(), verdict, detail });
            if let Some(first) = found.first() {
                let (verdict, detail) = match tokio::fs::File::open(&first.path).await {
                    Ok(_) => (Verdict::Ok, format!("`{}` can be read", first.path)),
                    Err(error) => (Verdict::Failed, unreadable(&first.path, &error)),
                };
                checks.push(Check { step: "open the first file".to_owned(), verdict, detail });
            }
            checks
        })
    }
}

/// Reads single files again, as letters name them; the patterns only tell as what.
struct FilesAgain {
    selection: Selection,
    context: Context,
}

impl Again for FilesAgain {
    fn origin(&self, source: &Source) -> Origin {
        run::origin(&source.object)
    }

    fn read<'a>(&'a self, part: Part, source: &'a Source) -> Pin<Box<dyn Future<Output = Read> + Send + 'a>> {
        let path = source.object.clone();
        let digest = match self.selection.choose(&path) {
            Choice::Digest => true,
            Choice::Log | Choice::Insight => false,
            Choice::Skip => is_digest(&path),
        };
        Box::pin(async move {
            let subject = run::subject(&source.input, &path, digest);
            reader::read(&self.context, part, &subject, &LocalFile { path }).await
        })
    }
}

async fn look(config: &FileConfig, selection: &Selection) -> Walk {
    let (paths, selection, symlinks) = (config.paths.clone(), selection.clone(), config.symlinks);
    tokio::task::spawn_blocking(move || walk::walk(&paths, &selection, symlinks)).await.unwrap_or_default()
}

struct LocalFile {
    path: String,
}

impl Object for LocalFile {
    type Stream = LocalStream;

    async fn open(&self) -> Result<LocalStream, ReadFault> {
        let fault = |error| read_fault(&self.path, &error);
        let file = tokio::fs::File::open(&self.path).await.map_err(fault)?;
        let version = version(&file.metadata().await.map_err(fault)?);
        Ok(LocalStream { file, version, path: self.path.clone() })
    }
}

struct LocalStream {
    file: tokio::fs::File,
    version: String,
    path: String,
}

impl Chunks for LocalStream {
    fn version(&self) -> Option<String> {
        Some(self.version.clone())
    }

    async fn next(&mut self) -> Result<Option<Bytes>, ReadFault> {
        let mut chunk = BytesMut::with_capacity(READ);
        match self.file.read_buf(&mut chunk).await {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(chunk.freeze())),
            Err(error) => Err(read_fault(&self.path, &error)),
        }
    }
}

/// Size, modification time and, where files have one, number: another one of any is another content.
fn version(metadata: &std::fs::Metadata) -> String {
    let Mark { size, modified } = Mark::of(metadata);
    #[cfg(unix)]
    let number = std::os::unix::fs::MetadataExt::ino(metadata);
    #[cfg(not(unix))]
    let number = 0;
    format!("{size}-{modified}-{number}")
}

fn read_fault(path: &str, error: &std::io::Error) -> ReadFault {
    let (cause, code) = match error.kind() {
        ErrorKind::NotFound => (Cause::ObjectMissing, "file-missing"),
        ErrorKind::PermissionDenied => (Cause::AccessDenied, "file-access-denied"),
        _ => (Cause::Other, "file-unreadable"),
    };
    ReadFault::Final { cause, code, text: unreadable(path, error) }
}

fn unreadable(path: &str, error: &std::io::Error) -> String {
    format!("cannot read `{}`: {error}", visible::line(path))
}
