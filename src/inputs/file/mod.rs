//! Input `file`: reads what lies in folders, follows what comes, remembers what was acknowledged.
//!
//! Files are expected to be complete when they appear, as `aws s3 sync` leaves them; one that changes later is read
//! again, and what it repeats is a duplicate by `_id`.

pub mod config;
mod registry;
mod run;
mod walk;

pub use walk::{is_digest, looks_like_trail};

use super::reader::{Chunks, Object, ReadFault};
use super::selection::Selection;
use super::{Check, Context, Input, InputError, Verdict};
use bytes::{Bytes, BytesMut};
use config::FileConfig;
use registry::Registry;
use run::Run;
use std::pin::Pin;
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
            let (data, id) = (context.data.clone(), self.config.id.clone());
            let opened = tokio::task::spawn_blocking(move || Registry::open(&data, &id));
            let registry = match opened.await {
                Ok(opened) => opened.map_err(|error| failed(error.to_string()))?,
                Err(fault) => return Err(failed(format!("a fault inside trailship: {fault}"))),
            };
            Run::new(self.config.clone(), self.selection.clone(), context, registry).run().await.map_err(failed)
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

async fn look(config: &FileConfig, selection: &Selection) -> Walk {
    let (paths, selection) = (config.paths.clone(), selection.clone());
    tokio::task::spawn_blocking(move || walk::walk(&paths, &selection)).await.unwrap_or_default()
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
