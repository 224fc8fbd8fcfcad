//! A context over a real mill, for tests: its bulks go to a receiver that remembers the events and settles them.

#![allow(clippy::unwrap_used)]

use crate::ack::Counters;
use crate::ecs::Settings;
use crate::inputs::{Context, Progress};
use crate::output::parking::Parking;
use crate::output::{Bulk, BulkShape, Framing};
use crate::pipeline::{Mill, MillSettings, RecordLimits};
use crate::record::inflate::InflateLimits;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Records in one bulk of the tests, at most.
pub const BULK: usize = 20;

/// The far end of a mill.
pub struct Receiver {
    pub context: Context,
    pub folder: TempDir,
    received: JoinHandle<Vec<String>>,
}

impl Receiver {
    pub fn start() -> Receiver {
        Receiver::in_folder(tempfile::tempdir().unwrap())
    }

    /// With the dead letter in `dead-letter` of `folder`.
    pub fn in_folder(folder: TempDir) -> Receiver {
        Receiver::with_memory(folder, 64 << 20, 1 << 20)
    }

    /// With a budget of so many bytes, and records of at most `record` bytes.
    pub fn with_memory(folder: TempDir, budget: usize, record: usize) -> Receiver {
        let parking = Arc::new(Parking::open(&folder.path().join("dead-letter")).unwrap());
        let (bulks, queue) = mpsc::channel(2);
        let settings = MillSettings {
            threads: 1,
            mapping: Arc::new(Settings::default()),
            shape: BulkShape { framing: Framing::Lines, compression_level: 0, max_bytes: 1 << 20, max_records: BULK },
            limits: RecordLimits { inflate: InflateLimits { bytes: 1 << 30, ratio: 10_000 }, record },
            budget,
            flush_timeout: Duration::from_millis(100),
        };
        let (mill, _) = Mill::start(&settings, &parking, &bulks).unwrap();
        let context = Context {
            mill,
            parking,
            counters: Arc::new(Counters::default()),
            progress: Arc::new(Progress::default()),
            once: false,
            stop: CancellationToken::new(),
            abort: CancellationToken::new(),
            data: folder.path().to_owned(),
            shared: None,
            integrity: None,
        };
        Receiver { context, folder, received: tokio::spawn(receive(queue)) }
    }

    /// `event.id` of every document that came, in the order in which they came. No clone of the context may be left.
    pub async fn events(self) -> (Vec<String>, TempDir) {
        drop(self.context);
        (self.received.await.unwrap(), self.folder)
    }
}

async fn receive(mut queue: mpsc::Receiver<Bulk>) -> Vec<String> {
    let mut events = Vec::new();
    while let Some(bulk) = queue.recv().await {
        for line in bulk.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let document: Value = serde_json::from_slice(line).unwrap();
            events.push(document["event"]["id"].as_str().unwrap().to_owned());
        }
        for mut segment in bulk.segments {
            let open = segment.receipt.open();
            segment.receipt.settle(crate::ack::Outcome::Indexed, open);
        }
    }
    events
}

/// Lines of the dead letter in `folder`; none where it is a device that a test put there.
pub fn letters(folder: &Path) -> Vec<Value> {
    let path = folder.join("dead-letter/parked-v1-000001.ndjson");
    if !path.metadata().unwrap().is_file() {
        return Vec::new();
    }
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A record of about a kilobyte.
pub fn record(id: &str) -> String {
    format!(
        r#"{{"eventVersion":"1.11","eventTime":"2026-01-02T03:04:05Z","eventID":"{id}","errorMessage":"{}"}}"#,
        "x".repeat(900)
    )
}
