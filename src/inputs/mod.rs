//! Where records come from. An input emits objects and receives acknowledgements, nothing else.
//!
//! A new input is one folder with a configuration struct that implements [`Input`], and one line in [`KINDS`].

pub mod access;
pub mod backlog;
pub mod cloudwatch;
pub mod file;
pub mod kinds;
pub mod on_fault;
pub mod order;
pub mod reader;
pub mod s3_sqs;
pub mod selection;

use crate::ack::{Counters, Delivery, Part};
pub use crate::check::{Check, Verdict};
use crate::ecs::Origin;
use crate::integrity::note::Teller;
use crate::output::Source;
use crate::output::parking::Parking;
use crate::pipeline::{FaultCounts, Mill};
use crate::state::documents::Documents;
use crate::status::Part as HealthPart;
use backlog::Looking;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio_util::sync::CancellationToken;

/// A configured source of records, ready to run.
pub trait Input: Send {
    /// Its `id`, unique in the configuration.
    fn id(&self) -> &str;

    /// Reads until `stop`, or until the source is drained when `once`. Returns when everything that it took from its
    /// source is acknowledged or given back.
    ///
    /// # Errors
    /// What makes the source unusable at the start (no such queue, no such folder); later faults are retried.
    fn run(self: Box<Self>, context: Context) -> Pin<Box<dyn Future<Output = Result<(), InputError>> + Send>>;

    /// Makes ready to read single objects again, for `dead-letter replay`. Nothing is received and no state is changed.
    ///
    /// # Errors
    /// The source cannot be used, or has no objects that could be read again.
    fn again(&self, context: Context) -> Opening<'_> {
        drop(context);
        let reason = "inputs of this kind cannot read anything again".to_owned();
        let refused = InputError { input: self.id().to_owned(), reason };
        Box::pin(std::future::ready(Err(refused)))
    }

    /// Looks at what waits at the source; `data` is `path.data`, which is only read. For `trailship status`.
    ///
    /// # Errors
    /// Why the source does not tell, with what to do about it.
    fn backlog<'a>(&'a self, data: &'a Path) -> Looking<'a>;

    /// Checks the way to the source, step by step, and reads nothing from it: `trailship test input`.
    fn test(&self) -> Pin<Box<dyn Future<Output = Vec<Check>> + Send + '_>>;
}

/// An input that is being made ready to read again.
pub type Opening<'a> = Pin<Box<dyn Future<Output = Result<Arc<dyn Again>, InputError>> + Send + 'a>>;

/// An input that reads what a letter names.
pub trait Again: Send + Sync {
    /// What documents of records from `source` say of their origin.
    fn origin(&self, source: &Source) -> Origin;

    /// Reads the object `source` from its start to its end; `part` answers for its records.
    fn read<'a>(&'a self, part: Part, source: &'a Source) -> Pin<Box<dyn Future<Output = reader::Read> + Send + 'a>>;

    /// Reads a message again whose text is `body`; `delivery` answers for the records of all objects that it names.
    fn message<'a>(&'a self, delivery: Delivery, body: &'a str) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        let _ = body;
        delivery.fail("inputs of this kind read no messages");
        Box::pin(std::future::ready(()))
    }
}

/// What an input works with.
#[derive(Clone)]
pub struct Context {
    pub mill: Mill,
    pub parking: Arc<Parking>,
    pub counters: Arc<Counters>,
    pub progress: Arc<Progress>,
    /// Read what is there, then return.
    pub once: bool,
    /// Set on SIGTERM and SIGINT: stop receiving, finish or give back what is held, return.
    pub stop: CancellationToken,
    /// Set after `shutdown_timeout` or a second signal: return at once; receipts that are dropped give back.
    pub abort: CancellationToken,
    /// `path.data`: folder for the input's own state.
    pub data: PathBuf,
    /// Where processes share state, when they do.
    pub shared: Option<Arc<dyn Documents>>,
    /// Told of log files and digests, where they are verified.
    pub integrity: Option<Teller>,
}

/// Figures of one input that are not records; for status, the live line and the summary.
#[derive(Debug, Default)]
pub struct Progress {
    /// Objects read to their end or parked.
    pub objects: AtomicU64,
    /// Objects that no pattern selects.
    pub skipped: AtomicU64,
    /// Bytes read from the source, as stored (compressed).
    pub bytes: AtomicU64,
    /// Messages or files that wait, when the source tells; `u64::MAX` while unknown.
    pub waiting: AtomicU64,
    /// Messages received, deleted, given back, and left to redrive because their shape is unknown.
    pub received: AtomicU64,
    pub deleted: AtomicU64,
    pub released: AtomicU64,
    pub unknown: AtomicU64,
    /// Log groups that are read, and those of them that fail at present.
    pub groups: AtomicU64,
    pub failing: AtomicU64,
    /// Log events that were recognised as read before.
    pub repeated: AtomicU64,
    /// Calls under a quota: let through, ms that they waited for it, answers that we are too fast.
    pub granted: AtomicU64,
    pub waited: AtomicU64,
    pub throttled: AtomicU64,
    /// What could not be shipped, by cause, and what was done about it.
    pub faults: Arc<FaultCounts>,
    /// Where what keeps the input from its work is reported.
    pub health: HealthPart,
}

/// Why an input cannot run.
#[derive(Debug, thiserror::Error)]
#[error("input `{input}`: {reason}")]
pub struct InputError {
    pub input: String,
    pub reason: String,
}
