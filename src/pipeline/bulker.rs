//! Gathers encoded documents into one bulk body, over the borders of objects, until it is large or old enough.
//!
//! Each mill thread has its own, so nothing is locked. Receipts are issued in runs, not per record.

use super::reading::ObjectFault;
use crate::ack::{Budget, Part};
use crate::filter::Document;
use crate::output::{Bulk, BulkShape, Framing, Segment, Source, key};
use libdeflater::{CompressionLvl, Compressor};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::mpsc::Sender;

/// Bytes by which the last document of a bulk commonly passes its limit.
const SLACK: usize = 64 * 1024;

/// The bulk under construction of one thread.
pub(super) struct Bulker {
    shape: BulkShape,
    bulks: Sender<Bulk>,
    budget: Budget,
    runtime: Handle,
    gzip: Option<Gzip>,
    body: Vec<u8>,
    items: Vec<u32>,
    keys: Vec<u64>,
    segments: Vec<Segment>,
    /// Items at the end of the body for which no receipt is issued yet.
    loose: u64,
    started: Option<Instant>,
}

impl Bulker {
    pub(super) fn new(shape: BulkShape, bulks: Sender<Bulk>, budget: Budget, runtime: Handle) -> Bulker {
        Bulker {
            shape,
            bulks,
            budget,
            runtime,
            gzip: Gzip::new(shape.compression_level),
            body: Vec::new(),
            items: Vec::new(),
            keys: Vec::new(),
            segments: Vec::new(),
            loose: 0,
            started: None,
        }
    }

    /// Adds one document of `part`; sends the bulk when it is full.
    pub(super) fn add(
        &mut self,
        document: &Document<'_>,
        part: &Part,
        source: &Arc<Source>,
    ) -> ControlFlow<ObjectFault> {
        if self.body.capacity() == 0 {
            // All at once: growing by doubling would take up to twice as much.
            self.body.reserve(self.shape.max_bytes + SLACK);
        }
        let from = self.body.len();
        match self.shape.framing {
            Framing::Create => {
                self.body.extend_from_slice(b"{\"create\":{\"_id\":\"");
                self.body.extend_from_slice(document.id().as_bytes());
                self.body.extend_from_slice(b"\"}}\n");
            }
            Framing::Lines => self.keys.push(key(document.id())),
        }
        document.write(&mut self.body);
        self.body.push(b'\n');
        // A record is bounded far below 4 GiB; the body is not larger than a few records.
        self.items.push(u32::try_from(self.body.len() - from).unwrap_or(u32::MAX));
        self.loose += 1;
        self.started.get_or_insert_with(Instant::now);
        if self.body.len() >= self.shape.max_bytes || self.items.len() >= self.shape.max_records {
            self.issue(part, source);
            return self.send();
        }
        ControlFlow::Continue(())
    }

    /// Issues receipts for the documents added since the last call, which are all of `part`.
    pub(super) fn issue(&mut self, part: &Part, source: &Arc<Source>) {
        if self.loose == 0 {
            return;
        }
        let receipt = part.issue(std::mem::take(&mut self.loose));
        let unmerged = match self.segments.last_mut() {
            Some(last) => last.receipt.merge(receipt).err(),
            None => Some(receipt),
        };
        if let Some(receipt) = unmerged {
            self.segments.push(Segment { receipt, source: Arc::clone(source) });
        }
    }

    /// Time left until the bulk under construction is `age` old; `None` when there is none.
    pub(super) fn due(&self, age: Duration) -> Option<Duration> {
        self.started.map(|started| age.saturating_sub(started.elapsed()))
    }

    /// Sends what has gathered. Blocks while the output is busy; that is the back-pressure.
    pub(super) fn send(&mut self) -> ControlFlow<ObjectFault> {
        if self.items.is_empty() {
            return ControlFlow::Continue(());
        }
        let (body, gzip) = match self.gzip.as_mut().and_then(|gzip| gzip.zip(&self.body)) {
            Some(zipped) => (zipped, true),
            None => (self.body.clone(), false),
        };
        // One huge record must not pin its size for the rest of the run.
        if self.body.capacity() > 2 * self.shape.max_bytes + SLACK {
            self.body = Vec::new();
        }
        self.body.clear();
        self.started = None;
        let charge = self.runtime.block_on(self.budget.charge(body.len()));
        let (items, keys, segments) =
            (std::mem::take(&mut self.items), std::mem::take(&mut self.keys), std::mem::take(&mut self.segments));
        match self.bulks.blocking_send(Bulk { body, gzip, items, keys, segments, charge }) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(ObjectFault::Stopped),
        }
    }
}

/// gzip of bulk bodies, with one output buffer for all of them: a fresh one would be zeroed to its full bound, of which
/// a seventh is used.
struct Gzip {
    compressor: Compressor,
    buffer: Vec<u8>,
}

impl Gzip {
    /// `None` for level 0.
    fn new(level: u8) -> Option<Gzip> {
        let level = CompressionLvl::new(i32::from(level)).ok().filter(|_| level > 0)?;
        Some(Gzip { compressor: Compressor::new(level), buffer: Vec::new() })
    }

    /// One gzip member with the bytes of `body`; `None` never happens with a buffer of the stated bound.
    fn zip(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        let bound = self.compressor.gzip_compress_bound(body.len());
        if self.buffer.len() < bound {
            self.buffer = vec![0; bound];
        }
        let length = self.compressor.gzip_compress(body, &mut self.buffer).ok()?;
        self.buffer.get(..length).map(<[u8]>::to_vec)
    }
}
