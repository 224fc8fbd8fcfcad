//! Reads one object through the mill: opens it, feeds its chunks, retries what may pass, parks what will not.
//!
//! Shared by every input that reads objects. A second try skips the records that the first one issued already, so that
//! an interrupted download repeats nothing.

use super::Context;
use crate::ack::{Outcome, Part};
use crate::ecs::Origin;
use crate::integrity::note::Seen;
use crate::output::Source;
use crate::output::parking::Parked;
use crate::pipeline::{ObjectFault, Reading};
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// An object that can be opened again and again from its start.
pub trait Object: Send + Sync {
    type Stream: Chunks;

    /// Opens it from the first byte.
    fn open(&self) -> impl Future<Output = Result<Self::Stream, ReadFault>> + Send;
}

/// The stored bytes of an object, in pieces as they arrive.
pub trait Chunks: Send {
    /// The next piece; `None` after the last.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, ReadFault>> + Send;
}

/// Why bytes could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadFault {
    /// May pass by itself: throttling, 5xx, a connection reset. Retried here.
    #[error("{0}")]
    Transient(String),
    /// Will not pass by itself: missing, denied, archived. `code` is one of a bounded set, such as `s3-access-denied`.
    #[error("{text}")]
    Final { code: &'static str, text: String },
}

/// What is read, for provenance and messages.
#[derive(Clone)]
pub struct Subject {
    pub origin: Arc<Origin>,
    pub source: Arc<Source>,
    /// A digest: the whole object is one record.
    pub digest: bool,
    /// Takes down what was read, where that is compared with a digest.
    pub seen: Option<Seen>,
}

/// How reading an object ended.
#[derive(Debug)]
pub enum Read {
    /// To its true end; the records are under way.
    Done { records: u64 },
    /// The object as a whole lies in the dead letter.
    Parked { reason: String },
    /// Given back to the source. `transient`: it may go well later by itself.
    Failed { transient: bool, reason: String },
}

/// Tries at opening and downloading, with pauses between them.
const TRIES: u32 = 5;
/// Reads of an object whose bytes are damaged, before it is parked: the damage may be in transit.
const DAMAGED_READS: u32 = 3;
/// Stored bytes that are gathered for one step.
const GATHER: usize = 128 * 1024;
/// Bytes that an object under way is charged with: what is gathered, and its inflated window.
const CHARGE: usize = 512 * 1024;

/// Reads `object` from its start to its end; `part` answers for its records.
pub async fn read<O: Object>(context: &Context, part: Part, subject: &Subject, object: &O) -> Read {
    let whole = async {
        let Some(_charge) = context.mill.charge(CHARGE).await else {
            return (None, End::Fault(ObjectFault::Stopped));
        };
        let reading =
            context.mill.begin(part, Arc::clone(&subject.origin), Arc::clone(&subject.source), subject.digest);
        let reading = if subject.seen.is_some() { reading.hashed() } else { reading };
        attempts(context, reading, object).await
    };
    let ended = tokio::select! {
        ended = whole => ended,
        // The reading is dropped: its part is given back.
        () = context.abort.cancelled() => (None, End::Fault(ObjectFault::Stopped)),
    };
    match ended {
        (Some(reading), End::Whole) => {
            let records = reading.seen();
            // Before the part ends, which may tell of it.
            if let Some(seen) = &subject.seen {
                seen.whole(reading.sha256(), records);
            }
            reading.into_part().complete();
            context.progress.objects.fetch_add(1, Relaxed);
            Read::Done { records }
        }
        (Some(reading), End::Fault(ObjectFault::Damaged { code, text })) => {
            failed(subject, code);
            park(context, reading, code, text).await
        }
        (Some(reading), End::Fault(ObjectFault::Limit(text))) => {
            failed(subject, "object-limit");
            park(context, reading, "object-limit", text).await
        }
        (reading, end) => {
            if let End::Read(ReadFault::Final { code, .. }) = &end {
                failed(subject, code);
            }
            let (transient, reason) = match end {
                End::Read(ReadFault::Final { text, .. }) => (false, text),
                End::Read(ReadFault::Transient(text)) => (true, text),
                End::Fault(fault) => (!matches!(fault, ObjectFault::Bug), fault.to_string()),
                End::Whole => (false, ObjectFault::Bug.to_string()),
            };
            if let Some(reading) = reading {
                reading.into_part().fail(reason.clone());
            }
            Read::Failed { transient, reason }
        }
    }
}

/// Takes down that the object cannot be shipped.
fn failed(subject: &Subject, code: &'static str) {
    if let Some(seen) = &subject.seen {
        seen.failed(code);
    }
}

/// How one try ended.
enum End {
    Whole,
    Read(ReadFault),
    Fault(ObjectFault),
}

async fn attempts<O: Object>(context: &Context, mut reading: Reading, object: &O) -> (Option<Reading>, End) {
    let mut pause = Duration::from_millis(500);
    let mut damaged = 0;
    let mut tries = 0;
    loop {
        let (again, end) = attempt(context, reading, object).await;
        let Some(kept) = again else { return (None, end) };
        reading = kept;
        tries += 1;
        let retry = match &end {
            End::Read(ReadFault::Transient(_)) => tries < TRIES,
            End::Fault(ObjectFault::Damaged { .. }) => {
                damaged += 1;
                damaged < DAMAGED_READS
            }
            _ => false,
        };
        if !retry {
            return (Some(reading), end);
        }
        if let End::Read(fault) = &end {
            tracing::debug!(object = %reading.source().object, "reading is tried again: {fault}");
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
        reading.rewind();
    }
}

async fn attempt<O: Object>(context: &Context, mut reading: Reading, object: &O) -> (Option<Reading>, End) {
    let mut stream = match object.open().await {
        Ok(stream) => stream,
        Err(fault) => return (Some(reading), End::Read(fault)),
    };
    let mut gathered = BytesMut::with_capacity(GATHER);
    loop {
        let chunk = match stream.next().await {
            Ok(chunk) => chunk,
            Err(fault) => return (Some(reading), End::Read(fault)),
        };
        let last = chunk.is_none();
        if let Some(chunk) = chunk {
            context.progress.bytes.fetch_add(chunk.len() as u64, Relaxed);
            gathered.extend_from_slice(&chunk);
        }
        if gathered.len() >= GATHER || last {
            reading = match context.mill.step(reading, gathered.split().freeze()).await {
                Ok(reading) => reading,
                Err((reading, fault)) => return (reading, End::Fault(fault)),
            };
        }
        if last {
            return match context.mill.finish(reading).await {
                Ok(reading) => (Some(reading), End::Whole),
                Err((reading, fault)) => (reading, End::Fault(fault)),
            };
        }
    }
}

/// Puts the object as a whole into the dead letter, with the record that was under way.
async fn park(context: &Context, reading: Reading, code: &'static str, reason: String) -> Read {
    let parking = Arc::clone(&context.parking);
    let text = reason.clone();
    // Durable writing blocks.
    let parked = tokio::task::spawn_blocking(move || {
        let (offset, record) = reading.unfinished().unwrap_or((0, &[]));
        let parked = Parked {
            code,
            reason: text,
            status: None,
            source: reading.source(),
            offset: Some(offset),
            id: None,
            record,
        };
        let written = parking.park(&[parked]);
        (reading.into_part(), written)
    });
    let (part, written) = match parked.await {
        Ok(parked) => parked,
        Err(_) => return Read::Failed { transient: false, reason: ObjectFault::Bug.to_string() },
    };
    if let Err(error) = written {
        let reason = ObjectFault::Parking(error.to_string()).to_string();
        part.fail(reason.clone());
        return Read::Failed { transient: true, reason };
    }
    part.issue(1).settle(Outcome::Parked, 1);
    part.complete();
    context.progress.objects.fetch_add(1, Relaxed);
    Read::Parked { reason }
}

#[cfg(test)]
#[path = "reader_testing.rs"]
pub mod testing;
#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
