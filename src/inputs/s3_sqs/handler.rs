//! What is done with one message: its notification read, its objects chosen and read one after the other.
//!
//! A message is one delivery, whatever it names, so that it is deleted only when all its objects are settled. The
//! objects after one that cannot be read are read all the same. The delivery is open from the start: however the work
//! on a message breaks off, its verdict gives the message back.

use super::keeper::Keeper;
use super::receiver::Reads;
use crate::ack::Delivery;
use crate::inputs::Progress;
use crate::inputs::reader::Read;
use crate::inputs::selection::{Choice, Selection};
use crate::record::notification::{self, Notification, ObjectRef, Unknown};
use std::collections::HashSet;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Reads messages, a bounded number at a time.
pub struct Handler<R> {
    reads: R,
    selection: Selection,
    keeper: Keeper,
    progress: Arc<Progress>,
    readers: Arc<Semaphore>,
    stop: CancellationToken,
    said: Mutex<Said>,
}

/// What was said already, so that a broken bucket does not fill the log.
#[derive(Default)]
struct Said {
    kinds: HashSet<&'static str>,
    minute: Option<Instant>,
    faults: u32,
}

/// Faults of objects that are said in one minute.
const FAULTS_A_MINUTE: u32 = 10;
/// Why a message is given back unread after a stop.
const RUN_ENDS: &str = "the run ends";

impl<R: Reads> Handler<R> {
    /// Reads `workers` objects at a time.
    pub fn new(
        reads: R,
        selection: Selection,
        keeper: Keeper,
        progress: Arc<Progress>,
        workers: usize,
        stop: CancellationToken,
    ) -> Handler<R> {
        Handler {
            reads,
            selection,
            keeper,
            progress,
            readers: Arc::new(Semaphore::new(workers)),
            stop,
            said: Mutex::default(),
        }
    }

    /// Brings a held message to its end, or to where only its records are under way. `delivery` has the keeper's `key`.
    pub async fn handle(&self, key: u64, delivery: Delivery, body: String) {
        let reader = tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            reader = self.readers.acquire() => reader.ok(),
        };
        let Some(_reader) = reader else {
            return delivery.fail(RUN_ENDS);
        };
        let read = notification::read(&body);
        drop(body);
        match read {
            Ok(Notification::Objects { objects, ignored, unread, .. }) => {
                self.progress.skipped.fetch_add(ignored as u64, Relaxed);
                if let Some(unknown) = unread {
                    self.half_understood(key, &delivery, &unknown).await;
                }
                self.read_objects(key, delivery, &objects).await;
            }
            Ok(Notification::Test | Notification::Validation) => {
                tracing::debug!("a test message was acknowledged");
                delivery.seal();
            }
            Ok(Notification::SubscriptionConfirmation { topic }) => {
                if self.is_new("subscription-confirmation") {
                    tracing::warn!(
                        code = "subscription-confirmation",
                        topic = topic.as_deref().unwrap_or("unknown"),
                        "a topic asks this queue to confirm its subscription; open the `SubscribeURL` of the message, or subscribe the queue with `sns:Subscribe`; the message is left to the queue's redrive policy"
                    );
                }
                self.keeper.leave(key).await;
            }
            Err(unknown) => {
                if self.is_new(unknown.code()) {
                    tracing::warn!(code = unknown.code(), "{unknown}; {}", unknown.advice());
                }
                self.keeper.leave(key).await;
            }
        }
    }

    /// What is not understood beside objects that are: they are read, and the message stays.
    async fn half_understood(&self, key: u64, delivery: &Delivery, unknown: &Unknown) {
        if self.is_new(unknown.code()) {
            tracing::warn!(code = unknown.code(), "a part of the message: {unknown}; {}", unknown.advice());
        }
        self.keeper.mark_grave(key).await;
        delivery.part().fail(unknown.to_string());
    }

    async fn read_objects(&self, key: u64, delivery: Delivery, objects: &[ObjectRef]) {
        for object in objects {
            let choice = self.selection.choose(object.key.as_str());
            if choice == Choice::Skip {
                self.progress.skipped.fetch_add(1, Relaxed);
                continue;
            }
            if self.stop.is_cancelled() {
                return delivery.fail(RUN_ENDS);
            }
            match self.reads.read(delivery.part(), object, choice).await {
                Read::Done { records } => {
                    tracing::debug!(bucket = object.bucket, key = %object.key, records, "object read")
                }
                Read::Parked { reason } => self.fault(object, "the object was put into the dead letter", &reason),
                Read::Failed { transient: true, reason } => {
                    self.fault(object, "the object could not be read and will be tried again", &reason)
                }
                Read::Failed { transient: false, reason } => {
                    self.keeper.mark_grave(key).await;
                    self.fault(
                        object,
                        "the object cannot be read; its message is left to the queue's redrive policy",
                        &reason,
                    );
                }
            }
        }
        delivery.seal();
    }

    fn fault(&self, object: &ObjectRef, end: &str, reason: &str) {
        if self.stop.is_cancelled() {
            tracing::debug!(bucket = object.bucket, key = %object.key, "{end}: {reason}");
            return;
        }
        let mut said = lock(&self.said);
        let now = Instant::now();
        if said.minute.is_none_or(|minute| now.duration_since(minute) >= Duration::from_secs(60)) {
            if said.faults > FAULTS_A_MINUTE {
                tracing::error!("{} more objects could not be read since", said.faults - FAULTS_A_MINUTE);
            }
            (said.minute, said.faults) = (Some(now), 0);
        }
        said.faults += 1;
        if said.faults <= FAULTS_A_MINUTE {
            tracing::error!(bucket = object.bucket, key = %object.key, "{end}: {reason}");
        }
    }

    fn is_new(&self, kind: &'static str) -> bool {
        lock(&self.said).kinds.insert(kind)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
