//! Receives messages, ten at a time and never more than there is room for, and starts their reading.
//!
//! Several pollers share the queue: one while it is shallow, more while every receive comes back full. Each waits for
//! room *before* it asks, and a receive that was asked is always awaited: cancelling it would hide what the service has
//! handed out; so a stop may last as long as a long poll. Room is counted twice: messages not yet read (the readers and
//! a batch for each poller, or enough to choose the newest from), and messages not yet acknowledged. So an output that
//! stands still ends in not receiving.

use super::drain::Drain;
use super::handler::Handler;
use super::keeper::{Incoming, Keeper};
use super::queue::{BATCH, Message, Queue};
use crate::ack::{Counters, Delivery, Part};
use crate::aws::Fault;
use crate::inputs::Progress;
use crate::inputs::order::Order;
use crate::inputs::reader::Read;
use crate::inputs::selection::Choice;
use crate::integrity::note::Seen;
use crate::record::notification::{MAX_BODY, ObjectRef};
use crate::telemetry::repeats::Repeats;
use std::hash::{BuildHasher, RandomState};
use std::pin::pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Reads one object and answers for its records with the part.
pub trait Reads: Send + Sync + 'static {
    /// `seen` takes down what was read, where that is verified.
    fn read(
        &self,
        part: Part,
        object: &ObjectRef,
        choice: Choice,
        seen: Option<Seen>,
    ) -> impl Future<Output = Read> + Send;
}

/// How messages are received.
#[derive(Debug, Clone, Copy)]
pub struct ReceiverSettings {
    pub visibility: Duration,
    /// Length of a long poll.
    pub wait: Duration,
    /// Pause after a receive that came back empty.
    pub poll_interval: Duration,
    /// Objects read at a time.
    pub workers: usize,
    /// Which of the messages that wait are read first.
    pub order: Order,
    /// After so long without an answer the input is not ready.
    pub silence: Duration,
    pub once: bool,
}

/// The pollers of one queue.
pub struct Receiver<Q, R> {
    settings: ReceiverSettings,
    queue: Arc<Q>,
    keeper: Keeper,
    handler: Arc<Handler<R>>,
    counters: Arc<Counters>,
    progress: Arc<Progress>,
    /// Messages that are not yet read.
    unread: Arc<Semaphore>,
    /// Messages that are not yet acknowledged.
    held: Arc<Semaphore>,
    /// Pollers that may receive.
    active: watch::Sender<usize>,
    /// The stop of the run, or the end of the queue in a run with `--once`.
    ending: CancellationToken,
    stop: CancellationToken,
    /// That a long poll outlasts the stop is said by the first poller.
    said: Once,
    health: Mutex<Health>,
    /// Faults of receives by their code.
    faults: Repeats<&'static str>,
}

/// How the last receives went.
#[derive(Default)]
struct Health {
    /// Failures in a row, and since when nothing else happened.
    failures: u32,
    since: Option<Instant>,
    last_good: Option<Instant>,
    hopeless: Option<String>,
}

/// Messages that may be held unacknowledged: enough to fill bulks from objects of a few records each.
const HELD: usize = 1_000;
/// Messages from which the newest are chosen, beside those held above.
const CHOICE: usize = 1_000;
/// Bytes of a body for which a message counts as one of them: the heaviest allowed counts as 64.
const WEIGHT: usize = 16 << 10;
const MAX_POLLERS: usize = 8;
/// Length of a long poll with `--once`: long enough that SQS asks all its hosts, short enough to see the end.
const ONCE_WAIT: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The call that receivers report on.
const RECEIVE: &str = "sqs:ReceiveMessage";
/// Failed receives in a row, of a kind that may pass, after which the input is not ready.
const IN_THE_WAY: u32 = 3;
/// With `--once`: refused receives in a row, with a fault that does not pass by itself, after which the run fails.
const ONCE_REFUSALS: u32 = 5;

impl<Q: Queue, R: Reads> Receiver<Q, R> {
    /// Receives until `stop`.
    pub fn new(
        settings: ReceiverSettings,
        queue: Arc<Q>,
        keeper: Keeper,
        handler: Arc<Handler<R>>,
        counters: Arc<Counters>,
        progress: Arc<Progress>,
        stop: &CancellationToken,
    ) -> Receiver<Q, R> {
        let under_way = settings.workers + BATCH * pollers(settings.workers);
        let held = HELD.max(10 * settings.workers);
        let (unread, held) = match settings.order {
            Order::Any => (under_way, held),
            Order::Newest => (under_way + CHOICE, held + CHOICE),
        };
        Receiver {
            unread: Arc::new(Semaphore::new(unread)),
            held: Arc::new(Semaphore::new(held)),
            active: watch::Sender::new(1),
            ending: stop.child_token(),
            stop: stop.clone(),
            said: Once::new(),
            health: Mutex::default(),
            faults: Repeats::default(),
            settings,
            queue,
            keeper,
            handler,
            counters,
            progress,
        }
    }

    /// Runs the pollers until the stop, or the end of the queue, and all readings are done; on `abort` returns at once,
    /// which drops what is being read.
    ///
    /// # Errors
    /// With `--once`: the queue cannot be read.
    pub async fn run(self, abort: &CancellationToken) -> Result<(), String> {
        let receiver = Arc::new(self);
        let mut tasks = JoinSet::new();
        for number in 0..pollers(receiver.settings.workers) {
            tasks.spawn(Arc::clone(&receiver).poll(number));
        }
        tokio::select! {
            () = joined(&mut tasks) => {}
            () = abort.cancelled() => tasks.shutdown().await,
        }
        let hopeless = lock(&receiver.health).hopeless.take();
        hopeless.map_or(Ok(()), Err)
    }

    async fn poll(self: Arc<Self>, number: usize) {
        // Dropped with this future, so that an abort ends the readings too.
        let mut readings = JoinSet::new();
        let mut active = self.active.subscribe();
        // Only one poller may find the queue drained.
        let mut drain = (self.settings.once && number == 0).then(|| Drain::new(self.settings.visibility));
        let wait = if self.settings.once { self.settings.wait.min(ONCE_WAIT) } else { self.settings.wait };
        while !self.ending.is_cancelled() {
            while let Some(done) = readings.try_join_next() {
                report(done);
            }
            let room = tokio::select! {
                () = self.ending.cancelled() => break,
                room = self.room(number, &mut active) => room,
            };
            let Some(room) = room else { break };
            let asked = Instant::now();
            let received = self.receive(wait).await;
            let pause = match received {
                Ok(messages) => {
                    self.healthy();
                    self.adapt(messages.len());
                    let empty = messages.is_empty();
                    let taken = self.take(messages, room, &mut readings).await;
                    match &mut drain {
                        // Messages that are left come back for ever; they are no news.
                        Some(drain) if taken == 0 => {
                            if drain.is_over(&*self.queue, &self.keeper, &self.progress, &self.ending).await {
                                self.ending.cancel();
                            }
                            Duration::ZERO
                        }
                        Some(drain) => {
                            drain.begin_again();
                            Duration::ZERO
                        }
                        None if empty => self.settings.poll_interval,
                        None => Duration::ZERO,
                    }
                }
                Err(fault) => self.failed(&fault, asked),
            };
            if !pause.is_zero() {
                tokio::select! {
                    () = self.ending.cancelled() => {}
                    () = tokio::time::sleep(pause) => {}
                }
            }
        }
        joined(&mut readings).await;
    }

    /// Waits until this poller is wanted and a full batch has room.
    async fn room(
        &self,
        number: usize,
        active: &mut watch::Receiver<usize>,
    ) -> Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        active.wait_for(|active| number < *active).await.ok()?;
        let batch = u32::try_from(BATCH).ok()?;
        let unread = Arc::clone(&self.unread).acquire_many_owned(batch).await.ok()?;
        let held = Arc::clone(&self.held).acquire_many_owned(batch).await.ok()?;
        Some((unread, held))
    }

    /// Asks for a batch, and waits for the answer even after a stop.
    async fn receive(&self, wait: Duration) -> Result<Vec<Message>, Fault> {
        let mut receive = pin!(self.queue.receive(BATCH, wait, self.settings.visibility));
        tokio::select! {
            biased;
            received = &mut receive => return received,
            () = self.stop.cancelled() => {}
        }
        self.said.call_once(|| {
            tracing::info!(
                "a long poll is under way and is waited for, {} s at most, so that no message stays hidden that nobody reads",
                wait.as_secs()
            );
        });
        receive.await
    }

    /// Hands the messages to the keeper, then starts reading those that are to be read, and tells how many. From then on
    /// a delivery stands for each, which gives the message back when its task ends early.
    async fn take(
        &self,
        messages: Vec<Message>,
        room: (OwnedSemaphorePermit, OwnedSemaphorePermit),
        readings: &mut JoinSet<()>,
    ) -> usize {
        let (mut unread, mut held) = room;
        self.progress.received.fetch_add(messages.len() as u64, Relaxed);
        let incoming = messages.into_iter().map(|message| Incoming { message, slot: held.split(1) }).collect();
        let admitted = self.keeper.hold(incoming).await;
        let taken = admitted.len();
        for admitted in admitted {
            let handler = Arc::clone(&self.handler);
            let mut slot = unread.split(1);
            let delivery = Delivery::open(admitted.key, Arc::clone(&self.counters), self.keeper.verdicts());
            let delivery = if admitted.repeated { delivery.repeated() } else { delivery };
            if let (Order::Newest, Some(slot)) = (self.settings.order, &mut slot) {
                self.weigh(slot, admitted.body.len()).await;
            }
            readings.spawn(async move {
                let _slot = slot;
                handler.handle(admitted.key, delivery, admitted.body).await;
            });
        }
        taken
    }

    /// Makes a message count by its weight, so that what waits to be chosen stays within bounds. Waits while the room is
    /// taken by others, which are read meanwhile.
    async fn weigh(&self, slot: &mut OwnedSemaphorePermit, bytes: usize) {
        let more = u32::try_from(bytes.min(MAX_BODY) / WEIGHT).unwrap_or(0);
        if more > 0
            && let Ok(weight) = Arc::clone(&self.unread).acquire_many_owned(more).await
        {
            slot.merge(weight);
        }
    }

    /// One poller more while receives come back full, one less while they do not.
    fn adapt(&self, received: usize) {
        let most = pollers(self.settings.workers);
        self.active.send_if_modified(|active| {
            let wanted = if received == BATCH { (*active + 1).min(most) } else { active.saturating_sub(1).max(1) };
            std::mem::replace(active, wanted) != wanted
        });
    }

    fn healthy(&self) {
        let mut health = lock(&self.health);
        (health.failures, health.since, health.last_good) = (0, None, Some(Instant::now()));
        self.progress.health.well(RECEIVE);
        if let Some(lasted) = self.faults.only(|_| false) {
            tracing::info!(?lasted, "messages can be received again");
        }
    }

    /// Notes a failed receive that was `asked` then, says it, and gives the pause before the next.
    fn failed(&self, fault: &Fault, asked: Instant) -> Duration {
        let mut health = lock(&self.health);
        health.failures += 1;
        let began = health.last_good.map_or(asked, |good| good.max(asked));
        let is_silent = health.since.get_or_insert(began).elapsed() >= self.settings.silence;
        // A throttled receive or a cut connection is everyday; several in a row are not, nor is one never answered.
        if fault.is_in_the_way() || is_silent || health.failures >= IN_THE_WAY {
            self.progress.health.trouble(RECEIVE, fault.told(), &format!("{fault}; {}", fault.advice()));
        }
        if let Some(due) = self.faults.occurred(fault.code()) {
            tracing::warn!(code = fault.code(), times = due.times, lasting = ?due.lasted, "{fault}; {}", fault.advice());
        }
        if self.settings.once && fault.is_in_the_way() && health.failures >= ONCE_REFUSALS {
            health.hopeless = Some(format!("{fault}; {}", fault.advice()));
            self.ending.cancel();
        }
        self.active.send_replace(1);
        pause_after(health.failures)
    }
}

/// The pause after so many failures in a row: longer each time, and not the same in processes that failed together.
pub(super) fn pause_after(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << failures.min(10)).min(LONGEST_PAUSE).mul_f64(jitter())
}

/// Pollers of a queue at most: a receive brings ten messages, and takes less time than reading them.
fn pollers(workers: usize) -> usize {
    (workers / 4).clamp(1, MAX_POLLERS)
}

/// A number from 0.5 to 1, so that processes that failed together do not try again together.
fn jitter() -> f64 {
    let random = RandomState::new().hash_one(0) % 1_000;
    0.5 + f64::from(u32::try_from(random).unwrap_or(0)) / 2_000.0
}

async fn joined(tasks: &mut JoinSet<()>) {
    while let Some(done) = tasks.join_next().await {
        report(done);
    }
}

/// A reading that panics gives its message back by itself; that it did so is a fault of the program.
fn report(done: Result<(), tokio::task::JoinError>) {
    if let Err(error) = done
        && error.is_panic()
    {
        tracing::error!("a fault inside trailship ended the reading of a message, which is given back: {error}");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod policy_tests;
#[cfg(test)]
#[path = "receiver_tests.rs"]
mod tests;
