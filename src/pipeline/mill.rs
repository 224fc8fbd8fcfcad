//! The threads: each takes steps from one queue, works on its own mapper and bulk, and flushes when it has nothing to do.

use super::bulker::Bulker;
use super::fault::Faults;
use super::reading::{Bench, Chunk, ObjectFault, Reading, RecordLimits};
use super::room::Room;
use crate::ack::{Budget, Charge, Part};
use crate::ecs::{Mapper, Origin, Settings, Timestamp};
use crate::filter::{Filter, Rules};
use crate::output::parking::Parking;
use crate::output::{Bulk, BulkShape, Source};
use crate::record::log_event::LogEvent;
use bytes::Bytes;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

/// Stored bytes of one step: about 3 MB of text, a few tens of milliseconds of work.
const STEP: usize = 256 * 1024;
/// Bytes that a bulk may have however small the budget is.
const LEAST_BULK: usize = 64 * 1024;
/// A bulk is sent when no step has come for this long.
const IDLE: Duration = Duration::from_millis(50);

/// How the mill works.
#[derive(Clone)]
pub struct MillSettings {
    pub threads: usize,
    pub mapping: Arc<Settings>,
    pub shape: BulkShape,
    pub limits: RecordLimits,
    /// `memory.budget`, in bytes: half for chunks under way, half for bulks.
    pub budget: usize,
    /// A bulk is sent at this age even when more comes.
    pub flush_timeout: Duration,
}

/// The inputs' handle to the mill. The mill ends when the last clone is dropped.
#[derive(Clone)]
pub struct Mill {
    steps: Sender<Step>,
    chunks: Budget,
    limits: RecordLimits,
    rules: Arc<Rules>,
    faults: Faults,
}

/// The running threads; they end by themselves.
pub struct Threads(Vec<std::thread::JoinHandle<()>>);

impl Threads {
    /// Waits until every thread has flushed and ended.
    pub fn join(self) {
        for thread in self.0 {
            // A panic was already turned into a fault of its object.
            let _ = thread.join();
        }
    }
}

impl Mill {
    /// Starts the threads. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(
        settings: &MillSettings,
        parking: &Arc<Parking>,
        bulks: &mpsc::Sender<Bulk>,
    ) -> std::io::Result<(Mill, Threads)> {
        // Bounded by its senders: a reading waits for its step's answer before it sends another.
        let (steps, queue) = crossbeam_channel::unbounded();
        let bulk_budget = Budget::new(settings.budget / 2);
        let threads_wanted = settings.threads.max(1);
        // Each thread builds one bulk, which the budget cannot be charged with before it is complete.
        let most = (settings.budget / (8 * threads_wanted)).max(LEAST_BULK);
        let shape = BulkShape { max_bytes: settings.shape.max_bytes.min(most), ..settings.shape };
        let mut threads = Vec::new();
        for n in 0..threads_wanted {
            let worker = Worker {
                queue: queue.clone(),
                mapping: Arc::clone(&settings.mapping),
                parking: Arc::clone(parking),
                bulker: Bulker::new(shape, bulks.clone(), bulk_budget.clone(), Handle::current()),
                shape,
                bulks: bulks.clone(),
                budget: bulk_budget.clone(),
                runtime: Handle::current(),
                flush_timeout: settings.flush_timeout,
            };
            threads.push(std::thread::Builder::new().name(format!("mill-{n}")).spawn(move || worker.run())?);
        }
        let chunks = Budget::new(settings.budget / 2);
        Ok((
            Mill { steps, chunks, limits: settings.limits, rules: Arc::default(), faults: Faults::default() },
            Threads(threads),
        ))
    }

    /// The same mill for objects whose records are subject to `rules`: those of one input.
    pub fn with(&self, rules: Arc<Rules>) -> Mill {
        Mill { rules, ..self.clone() }
    }

    /// The same mill for an input that wants this done about what cannot be shipped.
    pub fn facing(&self, faults: Faults) -> Mill {
        Mill { faults, ..self.clone() }
    }

    /// The same mill with other limits for objects.
    #[cfg(test)]
    pub(crate) fn inflating(&self, inflate: crate::record::inflate::InflateLimits) -> Mill {
        Mill { limits: RecordLimits { inflate, ..self.limits }, ..self.clone() }
    }

    /// What is done about what cannot be shipped.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Begins an object.
    pub fn begin(&self, part: Part, origin: Arc<Origin>, source: Arc<Source>, digest: bool) -> Reading {
        part.named(&source.object);
        let room = Room::new(self.chunks.clone());
        Reading::new(part, origin, source, digest, self.limits, Arc::clone(&self.rules), room)
            .facing(self.faults.clone())
    }

    /// Bytes of the longest record: what a reading may take beside its chunks.
    pub fn longest_record(&self) -> usize {
        self.limits.record
    }

    /// Waits until `bytes` of stored data may be held; to be called before they are read, and by nobody who holds some:
    /// two who wait for each other's would wait for ever.
    pub async fn charge(&self, bytes: usize) -> Option<Charge> {
        self.chunks.charge(bytes).await
    }

    /// Feeds stored bytes. The reading comes back for the next chunk; the fault comes with it, except after a bug.
    ///
    /// # Errors
    /// [`ObjectFault`], with the reading when it survived.
    pub async fn step(
        &self,
        mut reading: Reading,
        mut chunk: Bytes,
    ) -> Result<Reading, (Option<Reading>, ObjectFault)> {
        while !chunk.is_empty() {
            let piece = chunk.split_to(chunk.len().min(STEP));
            reading = self.hand(reading, Chunk::Bytes(piece)).await?;
        }
        Ok(reading)
    }

    /// Feeds records that their source has split already: a page of log events, of bounded size.
    ///
    /// # Errors
    /// As [`step`](Mill::step).
    pub async fn events(
        &self,
        reading: Reading,
        events: Vec<LogEvent>,
    ) -> Result<Reading, (Option<Reading>, ObjectFault)> {
        self.hand(reading, Chunk::Events(events)).await
    }

    /// Ends the object.
    ///
    /// # Errors
    /// As [`step`](Mill::step); an end in the middle of a record is a fault.
    pub async fn finish(&self, reading: Reading) -> Result<Reading, (Option<Reading>, ObjectFault)> {
        self.hand(reading, Chunk::End).await
    }

    async fn hand(&self, reading: Reading, chunk: Chunk) -> Result<Reading, (Option<Reading>, ObjectFault)> {
        let (reply, answer) = oneshot::channel();
        if let Err(unsent) = self.steps.send(Step { reading, chunk, reply }) {
            return Err((Some(unsent.0.reading), ObjectFault::Stopped));
        }
        match answer.await {
            Ok((reading, Ok(()))) => Ok(reading),
            Ok((reading, Err(fault))) => Err((Some(reading), fault)),
            Err(_) => Err((None, ObjectFault::Bug)),
        }
    }
}

/// One chunk of one object.
struct Step {
    reading: Reading,
    chunk: Chunk,
    reply: oneshot::Sender<(Reading, Result<(), ObjectFault>)>,
}

struct Worker {
    queue: Receiver<Step>,
    mapping: Arc<Settings>,
    parking: Arc<Parking>,
    bulker: Bulker,
    shape: BulkShape,
    bulks: mpsc::Sender<Bulk>,
    budget: Budget,
    runtime: Handle,
    flush_timeout: Duration,
}

impl Worker {
    fn run(mut self) {
        let mut mapper = Mapper::new(Arc::clone(&self.mapping));
        let mut filter = Filter::default();
        loop {
            let next = match self.bulker.due(self.flush_timeout) {
                None => self.queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(left) => self.queue.recv_timeout(left.min(IDLE)),
            };
            match next {
                Ok(step) => {
                    // A panic costs the object and the bulk under construction: both are given back to their source.
                    if catch_unwind(AssertUnwindSafe(|| self.step(step, &mut mapper, &mut filter))).is_err() {
                        tracing::error!("the mill panicked; the object and the bulk under construction are given back");
                        mapper = Mapper::new(Arc::clone(&self.mapping));
                        filter = Filter::default();
                        self.bulker =
                            Bulker::new(self.shape, self.bulks.clone(), self.budget.clone(), self.runtime.clone());
                    }
                    if self.bulker.due(self.flush_timeout) == Some(Duration::ZERO) {
                        let _ = self.bulker.send();
                    }
                }
                // The output is gone only when the run is aborted; then dropping gives back.
                Err(RecvTimeoutError::Timeout) => {
                    let _ = self.bulker.send();
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let _ = self.bulker.send();
                    return;
                }
            }
        }
    }

    fn step(&mut self, step: Step, mapper: &mut Mapper, filter: &mut Filter) {
        let Step { mut reading, chunk, reply } = step;
        let now = Timestamp::now();
        let mut bench = Bench { mapper, filter, bulker: &mut self.bulker, parking: &self.parking, now };
        let end = reading.step(&chunk, &mut bench);
        drop(chunk);
        // The reader may have been cancelled; dropping the reading gives its part back.
        let _ = reply.send((reading, end));
    }
}
