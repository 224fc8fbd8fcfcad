//! What is done with one message: its notification read, its objects chosen and read one after the other.
//!
//! A message is one delivery, whatever it names, so that it is deleted only when all its objects are settled. The
//! objects after one that cannot be read are read all the same. The delivery is open from the start: however the work
//! on a message breaks off, its verdict gives the message back.

use super::allowed::AllowedBuckets;
use super::keeper::Keeper;
use super::object::source;
use super::poison::{Left, Poison};
use super::receiver::Reads;
use super::said::Said;
use super::turns::{Turn, Turns};
use crate::ack::{Delivery, Outcome, Part};
use crate::inputs::Progress;
use crate::inputs::order::{self, Order};
use crate::inputs::reader::Read;
use crate::inputs::selection::{Choice, Selection};
use crate::integrity::note::Teller;
use crate::output::Source;
use crate::output::parking::{FOREIGN_BUCKET, Parked, Parking, UNCONFIRMED};
use crate::pipeline::{Cause, Faults, Policy};
use crate::record::notification::{self, Notification, ObjectRef, Unknown};
use jiff::civil::DateTime;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tokio_util::sync::CancellationToken;

/// What messages are read with.
#[derive(Clone)]
pub struct HandlerSettings {
    /// `id` of the input, and the queue's URL, for letters.
    pub input: String,
    pub queue: String,
    pub selection: Selection,
    pub allowed: AllowedBuckets,
    pub faults: Faults,
    /// Which of the messages that wait goes next.
    pub order: Order,
    /// Objects read at a time.
    pub workers: usize,
}

/// Reads messages, a bounded number at a time.
pub struct Handler<R> {
    settings: HandlerSettings,
    reads: R,
    keeper: Keeper,
    parking: Arc<Parking>,
    poison: Poison,
    progress: Arc<Progress>,
    readers: Arc<Turns<Newness>>,
    stop: CancellationToken,
    /// Told of log files and digests, where they are verified.
    teller: Option<Teller>,
    said: Said,
}

/// A message that names no objects, and why not.
struct Misunderstood {
    code: &'static str,
    reason: String,
}

/// When CloudTrail delivered the newest object of a message; messages whose keys do not tell go behind the others.
type Newness = Option<DateTime>;

/// Why a message is given back unread after a stop.
const RUN_ENDS: &str = "the run ends";

impl<R: Reads> Handler<R> {
    pub fn new(
        settings: HandlerSettings,
        reads: R,
        keeper: Keeper,
        parking: Arc<Parking>,
        poison: Poison,
        progress: Arc<Progress>,
        stop: CancellationToken,
    ) -> Handler<R> {
        let readers = Turns::new(settings.order, settings.workers);
        Handler {
            settings,
            reads,
            keeper,
            parking,
            poison,
            progress,
            readers,
            stop,
            teller: None,
            said: Said::default(),
        }
    }

    /// Tells `teller` of log files and digests.
    pub fn telling(self, teller: Option<Teller>) -> Handler<R> {
        Handler { teller, ..self }
    }

    /// Brings a held message to its end, or to where only its records are under way. `delivery` has the keeper's `key`.
    pub async fn handle(&self, key: u64, delivery: Delivery, body: String) {
        if self.stop.is_cancelled() {
            return delivery.fail(RUN_ENDS);
        }
        let misunderstood = match notification::read(&body) {
            Ok(Notification::Objects { objects, ignored, unread, .. }) => {
                let rest = unread.map(|unknown| (unknown, body));
                let newest = objects.iter().filter_map(|object| order::delivered(object.key.as_str())).max();
                let Some(_turn) = self.turn(newest).await else { return delivery.fail(RUN_ENDS) };
                self.progress.skipped.fetch_add(ignored as u64, Relaxed);
                let left = match rest {
                    Some((unknown, body)) => self.half_understood(key, &delivery, &unknown, body).await,
                    None => None,
                };
                return self.read_objects(key, delivery, &objects, left).await;
            }
            Ok(Notification::Test | Notification::Validation) => {
                tracing::debug!("a test message was acknowledged");
                return delivery.seal();
            }
            Ok(Notification::SubscriptionConfirmation { topic }) => Misunderstood {
                code: UNCONFIRMED,
                reason: format!(
                    "topic `{}` asks this queue to confirm its subscription; open the `SubscribeURL` of the message, or subscribe the queue with `sns:Subscribe`",
                    topic.as_deref().unwrap_or("unknown")
                ),
            },
            Err(unknown) => Misunderstood { code: unknown.code(), reason: format!("{unknown}; {}", unknown.advice()) },
        };
        self.misunderstood(key, delivery, body, misunderstood).await;
    }

    async fn misunderstood(&self, key: u64, delivery: Delivery, body: String, what: Misunderstood) {
        match self.dispose(&delivery, body, what, "the message").await {
            Some(left) => {
                self.tell(key, vec![left]).await;
                self.keeper.leave(key).await;
            }
            None => delivery.seal(),
        }
    }

    /// What is not understood beside objects that are: they hold up nothing, and are read. Gives what is left.
    async fn half_understood(&self, key: u64, delivery: &Delivery, unknown: &Unknown, body: String) -> Option<Left> {
        let what = Misunderstood { code: unknown.code(), reason: format!("{unknown}; {}", unknown.advice()) };
        let left = self.dispose(delivery, body, what, "a part of the message").await?;
        self.keeper.mark_grave(key).await;
        delivery.part().fail(left.reason.clone());
        Some(left)
    }

    /// Does about what is not understood as `on_fault` says; gives what is left to the queue.
    async fn dispose(&self, delivery: &Delivery, body: String, what: Misunderstood, which: &str) -> Option<Left> {
        let Misunderstood { code, reason } = what;
        let policy = self.settings.faults.meet(Cause::UnknownNotification);
        if self.said.is_new(code) {
            let end = match policy {
                Policy::Retry => "left to the queue's redrive policy",
                Policy::Park => "put into the dead letter",
                Policy::Ignore => "deleted, as `on_fault` says",
            };
            tracing::warn!(code, "{reason}; {which} is {end}");
        }
        let source =
            Source { input: self.settings.input.clone(), object: self.settings.queue.clone(), ..Source::default() };
        match policy {
            Policy::Retry => Some(Left { source, reason, body: Some(body), passing: false }),
            Policy::Park => {
                self.park(code, &reason, vec![source], body, vec![delivery.part()]).await;
                None
            }
            Policy::Ignore => None,
        }
    }

    /// A turn at reading; none after a stop.
    async fn turn(&self, newest: Newness) -> Option<Turn<Newness>> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            turn = self.readers.take(newest) => Some(turn),
        }
    }

    /// `left`: what is left of the message beside its objects.
    async fn read_objects(&self, key: u64, delivery: Delivery, objects: &[ObjectRef], left: Option<Left>) {
        let (own, foreign): (Vec<&ObjectRef>, Vec<&ObjectRef>) =
            objects.iter().partition(|object| self.settings.allowed.contain(&object.bucket));
        let mut left = Vec::from_iter(left);
        left.extend(self.refuse(key, &delivery, &foreign).await);
        for object in own {
            let (bucket, object_key) = (object.bucket.as_str(), object.key.as_str());
            let choice = self.settings.selection.choose(object_key);
            if let Some(teller) = &self.teller
                && !teller.digest(&delivery, bucket, object_key)
                && choice == Choice::Skip
            {
                teller.skipped(bucket, object_key);
            }
            if choice == Choice::Skip {
                self.progress.skipped.fetch_add(1, Relaxed);
                continue;
            }
            if self.stop.is_cancelled() {
                return delivery.fail(RUN_ENDS);
            }
            let (part, seen) = match &self.teller {
                Some(teller) => teller.follow(&delivery, bucket, object_key),
                None => (delivery.part(), None),
            };
            let read = self.reads.read(part, object, choice, seen).await;
            left.extend(self.told(key, object, read).await);
        }
        if !left.is_empty() && !self.stop.is_cancelled() {
            self.tell(key, left).await;
        }
        delivery.seal();
    }

    /// Says how the reading of an object ended; gives what is left of it.
    async fn told(&self, key: u64, object: &ObjectRef, read: Read) -> Option<Left> {
        match read {
            Read::Done { records, ignored } => {
                tracing::debug!(bucket = object.bucket, key = %object.key, records, "object read");
                if ignored > 0 {
                    self.fault(
                        object,
                        "records of the object are left out, as `on_fault` says",
                        &format!("{ignored} of {records}"),
                    );
                }
                None
            }
            Read::Parked { reason } => {
                self.fault(object, "the object was put into the dead letter", &reason);
                None
            }
            Read::Ignored { reason } => {
                self.fault(object, "the object is left out, as `on_fault` says", &reason);
                None
            }
            Read::Failed { transient, cause, reason } => {
                let end = if transient {
                    "the object could not be read and will be tried again"
                } else {
                    self.keeper.mark_grave(key).await;
                    "the object cannot be read; its message is left to the queue's redrive policy"
                };
                self.fault(object, end, &reason);
                let reason = cause.map_or_else(|| reason.clone(), |cause| format!("{}: {reason}", cause.name()));
                let source = source(&self.settings.input, object);
                Some(Left { source, reason, body: None, passing: transient })
            }
        }
    }

    /// Does about objects in buckets that are not allowed as `on_fault` says; gives those that are left. None is opened.
    async fn refuse(&self, key: u64, delivery: &Delivery, objects: &[&ObjectRef]) -> Vec<Left> {
        const REASON: &str = "the bucket is not in `allowed_buckets`; add it if it is yours, and look at who may write to the queue if it is not";
        let mut policy = Policy::Ignore;
        for object in objects {
            policy = self.settings.faults.meet(Cause::ForeignBucket);
            let end = match policy {
                Policy::Retry => "the object is not read; its message is left to the queue's redrive policy",
                Policy::Park => "the object is not read; a letter in the dead letter names it",
                Policy::Ignore => "the object is not read",
            };
            self.fault(object, end, REASON);
        }
        let sources = objects.iter().map(|object| source(&self.settings.input, object));
        match policy {
            _ if objects.is_empty() => Vec::new(),
            Policy::Retry => {
                self.keeper.mark_grave(key).await;
                delivery.part().fail(REASON);
                let reason = format!("{}: {REASON}", Cause::ForeignBucket.name());
                sources.map(|source| Left { source, reason: reason.clone(), body: None, passing: false }).collect()
            }
            Policy::Park => {
                let parts = objects.iter().map(|_| delivery.part()).collect();
                self.park(FOREIGN_BUCKET, REASON, sources.collect(), String::new(), parts).await;
                Vec::new()
            }
            Policy::Ignore => Vec::new(),
        }
    }

    /// Puts each of these into the dead letter, with `body`, and settles its part with that.
    async fn park(&self, code: &'static str, reason: &str, sources: Vec<Source>, body: String, parts: Vec<Part>) {
        let (parking, reason) = (Arc::clone(&self.parking), reason.to_owned());
        // Durable writing blocks.
        let written = tokio::task::spawn_blocking(move || {
            let letter = |source| Parked {
                code,
                reason: reason.clone(),
                status: None,
                source,
                offset: None,
                id: None,
                record: body.as_bytes(),
            };
            parking.park(&sources.iter().map(letter).collect::<Vec<_>>())
        });
        let fault = match written.await {
            Ok(Ok(())) => None,
            Ok(Err(fault)) => Some(format!("cannot write to the dead letter: {fault}")),
            Err(_) => Some("a fault inside trailship stopped the writing of a letter".to_owned()),
        };
        if let Some(fault) = &fault {
            tracing::error!("{fault}; the message is given back");
        }
        for part in parts {
            match &fault {
                None => {
                    part.issue(1).settle(Outcome::Parked, 1);
                    part.complete();
                }
                Some(fault) => part.fail(fault.clone()),
            }
        }
    }

    async fn tell(&self, key: u64, left: Vec<Left>) {
        let Some((id, receives)) = self.keeper.receives(key).await else { return };
        if self.poison.tell(&id, receives, left).await {
            tracing::warn!(
                message = &*id,
                receives,
                "a letter in the dead letter tells why the message is left to the queue's redrive policy"
            );
        }
    }

    fn fault(&self, object: &ObjectRef, end: &str, reason: &str) {
        if self.stop.is_cancelled() {
            tracing::debug!(bucket = object.bucket, key = %object.key, "{end}: {reason}");
            return;
        }
        self.said.fault(object, end, reason);
    }
}
