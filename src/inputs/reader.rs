//! Reads one object through the mill: opens it, feeds its chunks, retries what may pass; what will not is given back,
//! parked or ignored, as `on_fault` says of its cause.
//!
//! Shared by every input that reads objects. A second try skips the records that the first one issued already, so that
//! an interrupted download repeats nothing; where the object was overwritten in between, it skips nothing.

use super::Context;
use crate::ack::{Outcome, Part};
use crate::ecs::Origin;
use crate::integrity::note::Seen;
use crate::output::Source;
use crate::output::parking::Parked;
use crate::pipeline::{Cause, ObjectFault, Policy, Reading};
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
    /// What tells this content from another one under the same name; `None` where nothing does.
    fn version(&self) -> Option<String>;

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
    Final { cause: Cause, code: &'static str, text: String },
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
    /// To its true end; the records are under way, but for those that `on_fault` leaves out.
    Done { records: u64, ignored: u64 },
    /// The object as a whole lies in the dead letter.
    Parked { reason: String },
    /// The object is settled with its fault, as `on_fault` wants it.
    Ignored { reason: String },
    /// Given back to the source. `transient`: it may go well later by itself.
    Failed { transient: bool, cause: Option<Cause>, reason: String },
}

/// Code of an object whose bytes are no whole gzip.
const CORRUPT: &str = "corrupt-object";
/// Tries at opening and downloading, with pauses between them.
const TRIES: u32 = 5;
/// Reads of an object whose bytes are damaged, before it is parked: the damage may be in transit.
const DAMAGED_READS: u32 = 3;
/// Stored bytes that are gathered for one step.
const GATHER: usize = 128 * 1024;
/// Bytes that an object under way is charged with: what is gathered, its inflated window, and a record of usual length
/// under way. A longer one is charged as it grows.
const CHARGE: usize = 512 * 1024;

/// Reads `object` from its start to its end; `part` answers for its records.
pub async fn read<O: Object>(context: &Context, part: Part, subject: &Subject, object: &O) -> Read {
    let whole = async {
        let mill = &context.mill;
        let reading = mill.begin(part, Arc::clone(&subject.origin), Arc::clone(&subject.source), subject.digest);
        let reading = if subject.seen.is_some() { reading.hashed() } else { reading };
        let (reading, end) = charged(context, CHARGE, reading, object).await;
        match (reading, end) {
            // Its charge has returned by now: who waits holds nothing.
            (Some(reading), End::Fault(ObjectFault::NoRoom)) => {
                tracing::debug!(object = %reading.source().object, "read again, with room for a long record");
                charged(context, CHARGE + mill.longest_record(), reading.with_room(), object).await
            }
            ended => ended,
        }
    };
    let ended = tokio::select! {
        ended = whole => ended,
        // The reading is dropped: its part is given back.
        () = context.abort.cancelled() => (None, End::Fault(ObjectFault::Stopped)),
    };
    let (reading, met) = match ended {
        (Some(reading), End::Whole) => {
            let (records, ignored) = (reading.seen(), reading.ignored());
            // Before the part ends, which may tell of it.
            if let Some(seen) = &subject.seen {
                seen.whole(reading.sha256(), records);
            }
            reading.into_part().complete();
            context.progress.objects.fetch_add(1, Relaxed);
            return Read::Done { records, ignored };
        }
        (reading, end) => (reading, end.met()),
    };
    match (reading, met) {
        (Some(reading), Ok(met)) => {
            if let Some(seen) = &subject.seen {
                seen.failed(met.code);
            }
            dispose(context, reading, met).await
        }
        (reading, met) => {
            let (transient, reason) = met.map_or_else(|left| left, |met| (false, met.reason));
            if let Some(reading) = reading {
                reading.into_part().fail(reason.clone());
            }
            Read::Failed { transient, cause: None, reason }
        }
    }
}

/// What keeps an object from being read, and will not pass by itself.
struct Met {
    cause: Cause,
    code: &'static str,
    reason: String,
}

/// Does about the object as `on_fault` says.
async fn dispose(context: &Context, reading: Reading, met: Met) -> Read {
    let Met { cause, code, reason } = met;
    match context.mill.faults().meet(cause) {
        Policy::Retry => {
            reading.into_part().fail(reason.clone());
            Read::Failed { transient: false, cause: Some(cause), reason }
        }
        Policy::Park => park(context, reading, code, reason).await,
        Policy::Ignore => {
            reading.into_part().complete();
            context.progress.objects.fetch_add(1, Relaxed);
            Read::Ignored { reason }
        }
    }
}

/// How one try ended.
enum End {
    Whole,
    Read(ReadFault),
    Fault(ObjectFault),
}

impl End {
    /// What is met here for good; else whether it may pass by itself, and what it is.
    fn met(self) -> Result<Met, (bool, String)> {
        let met = |cause, code, reason| Ok(Met { cause, code, reason });
        match self {
            End::Read(ReadFault::Final { cause, code, text }) => met(cause, code, text),
            End::Fault(ObjectFault::Damaged { code: CORRUPT, text }) => met(Cause::CorruptObject, CORRUPT, text),
            End::Fault(ObjectFault::Damaged { code, text }) => met(Cause::BrokenJson, code, text),
            End::Fault(ObjectFault::HeldBack(text)) => met(Cause::BrokenJson, "broken-record", text),
            End::Fault(ObjectFault::Limit(text)) => met(Cause::TooLarge, "object-limit", text),
            End::Read(ReadFault::Transient(text)) => Err((true, text)),
            End::Fault(fault @ (ObjectFault::Parking(_) | ObjectFault::NoRoom | ObjectFault::Stopped)) => {
                Err((true, fault.to_string()))
            }
            End::Fault(ObjectFault::Bug) | End::Whole => Err((false, ObjectFault::Bug.to_string())),
        }
    }
}

/// Reads it while `bytes` are charged for it.
async fn charged<O: Object>(context: &Context, bytes: usize, reading: Reading, object: &O) -> (Option<Reading>, End) {
    let Some(_charge) = context.mill.charge(bytes).await else {
        return (Some(reading), End::Fault(ObjectFault::Stopped));
    };
    attempts(context, reading, object).await
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
    if reading.is_overwritten(stream.version()) {
        tracing::info!(object = %reading.source().object, "overwritten while it was read: read from its first record");
    }
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
        Err(_) => return Read::Failed { transient: false, cause: None, reason: ObjectFault::Bug.to_string() },
    };
    if let Err(error) = written {
        let reason = ObjectFault::Parking(error.to_string()).to_string();
        part.fail(reason.clone());
        return Read::Failed { transient: true, cause: None, reason };
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
