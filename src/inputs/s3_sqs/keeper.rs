//! Holds every received message until its end is known: the only owner of receipt handles.
//!
//! A message is *held* from its receive until it is deleted, given back or left. While it is open its visibility is
//! renewed at half of `visibility_timeout`. Its verdict ends that: settled, it is deleted; not settled, it is given back
//! after a pause. Nothing is deleted for any other reason, whatever the receive count. All calls are batches of ten.
//!
//! Calls run beside the loop, so that a slow answer delays no renewal. Leaves out receiving, reading, and the counting
//! of records, which is the delivery's.

mod calls;
mod kept;

use super::queue::{BATCH, LONGEST_HOLD, Message, Queue, Refused};
use super::recent::Recent;
use crate::ack::Verdict;
use crate::aws::Fault;
use crate::inputs::Progress;
use crate::telemetry::repeats::Repeats;
use calls::{Call, Verb};
pub use kept::Kept;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, UnboundedReceiver, UnboundedSender, channel, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

/// How messages are kept.
#[derive(Debug, Clone, Copy)]
pub struct KeeperSettings {
    /// How long a message is hidden at a time.
    pub visibility: Duration,
    /// Whether settled messages are deleted.
    pub consume: bool,
    /// The run ends when the queue is drained, so that what cannot be read now must not be waited for again and again.
    pub once: bool,
}

/// A message and the slot that it takes among those held.
pub struct Incoming {
    pub message: Message,
    pub slot: Option<OwnedSemaphorePermit>,
}

/// A message to be read: its number, which is also the delivery's key, and its body.
pub struct Admitted {
    pub key: u64,
    pub body: String,
    /// It was handed out before, to this or another process.
    pub repeated: bool,
}

/// What is kept at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holdings {
    /// Messages whose end is not yet known to the queue.
    pub held: usize,
    /// Hidden messages that this run will not read (again).
    pub left: u64,
    /// When the last message given back for another try can be received again.
    pub returning: Option<Instant>,
}

/// The way to the keeper, for receivers and readers. Clones lead to the same one.
#[derive(Clone)]
pub struct Keeper {
    commands: Sender<Command>,
    verdicts: UnboundedSender<Verdict>,
    held: watch::Receiver<usize>,
}

/// Deleting waits so long for more to delete.
const GATHER: Duration = Duration::from_millis(200);
/// Settled messages that are known again when they come back.
const REMEMBERED: usize = 20_000;
/// First pause of a message that may go well later; doubles with every receive.
const PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// Pause of a message whose object cannot be read until somebody mends something.
const GRAVE_PAUSE: Duration = Duration::from_secs(900);
/// Reads of a message in a run with `--once`.
const ONCE_TRIES: u32 = 3;
/// After an abort: time for the last calls.
const LAST_CALLS: Duration = Duration::from_secs(5);

impl Keeper {
    /// Makes a keeper; its task must be run for as long as any clone of the first lives.
    pub fn new<Q: Queue>(
        queue: Arc<Q>,
        settings: KeeperSettings,
        progress: Arc<Progress>,
        stop: CancellationToken,
        abort: CancellationToken,
    ) -> (Keeper, KeeperTask<Q>) {
        let (commands, received) = channel(256);
        let (verdicts, ended) = unbounded_channel();
        let (count, held) = watch::channel(0);
        let task = KeeperTask {
            queue,
            settings,
            progress,
            stop,
            abort,
            commands: received,
            verdicts: ended,
            count,
            held: HashMap::new(),
            by_id: HashMap::new(),
            next_key: 0,
            settled: Recent::new(REMEMBERED),
            left: HashMap::new(),
            failed: HashMap::new(),
            deletes: VecDeque::new(),
            releases: VecDeque::new(),
            flush_at: None,
            calls: JoinSet::new(),
            under_way: HashMap::new(),
            faults: Repeats::default(),
            kept: Kept::default(),
            closed: false,
            stopping: false,
            ends_at: None,
        };
        (Keeper { commands, verdicts, held }, task)
    }

    /// Takes messages over before anything else is done with them. Gives back those that are to be read: not what is
    /// being read already, nor what was settled before and came back.
    pub async fn hold(&self, messages: Vec<Incoming>) -> Vec<Admitted> {
        let (reply, admitted) = oneshot::channel();
        self.tell(Command::Hold { messages, reply }).await;
        admitted.await.unwrap_or_default()
    }

    /// The message is not understood: it stays hidden for its time and is then the queue's own matter. To be told before
    /// the delivery ends.
    pub async fn leave(&self, key: u64) {
        self.tell(Command::Leave(key)).await;
    }

    /// The verdict to come is due to a fault that somebody must mend. To be told before the delivery ends.
    pub async fn mark_grave(&self, key: u64) {
        self.tell(Command::Grave(key)).await;
    }

    /// The id of a held message, and how often it was received.
    pub async fn receives(&self, key: u64) -> Option<(Arc<str>, u32)> {
        let (reply, receives) = oneshot::channel();
        self.tell(Command::Receives { key, reply }).await;
        receives.await.ok().flatten()
    }

    pub async fn holdings(&self) -> Holdings {
        let (reply, holdings) = oneshot::channel();
        self.tell(Command::Report(reply)).await;
        holdings.await.unwrap_or(Holdings { held: 0, left: 0, returning: None })
    }

    /// Waits until nothing is held.
    pub async fn idle(&self) {
        let mut held = self.held.clone();
        // An error means that the task has ended, and with it all that was held.
        let _ = held.wait_for(|held| *held == 0).await;
    }

    /// Where deliveries report their end.
    pub fn verdicts(&self) -> UnboundedSender<Verdict> {
        self.verdicts.clone()
    }

    async fn tell(&self, command: Command) {
        // The task ends before its senders only when the run is aborted, or by a fault of the program, which ends the
        // run as well; then nobody is to be told.
        let _ = self.commands.send(command).await;
    }
}

enum Command {
    Hold { messages: Vec<Incoming>, reply: oneshot::Sender<Vec<Admitted>> },
    Leave(u64),
    Grave(u64),
    Receives { key: u64, reply: oneshot::Sender<Option<(Arc<str>, u32)>> },
    Report(oneshot::Sender<Holdings>),
}

struct Held {
    id: Arc<str>,
    handle: String,
    /// Grows with every new handle, so that an answer about an old one is known.
    handles: u32,
    receives: u32,
    received: Instant,
    hidden_until: Instant,
    /// When the next call for this message is due: a renewal, or another try at its end.
    due: Option<Instant>,
    state: State,
    grave: bool,
    _slot: Option<OwnedSemaphorePermit>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its verdict is to come.
    Open,
    Deleting {
        tries: u32,
    },
    Releasing {
        tries: u32,
        pause: Duration,
    },
}

/// The keeper's loop and all that it knows.
pub struct KeeperTask<Q> {
    queue: Arc<Q>,
    settings: KeeperSettings,
    progress: Arc<Progress>,
    stop: CancellationToken,
    abort: CancellationToken,
    commands: Receiver<Command>,
    verdicts: UnboundedReceiver<Verdict>,
    count: watch::Sender<usize>,
    held: HashMap<u64, Held>,
    by_id: HashMap<Arc<str>, u64>,
    next_key: u64,
    settled: Recent,
    /// With `once`: messages that are not to be read again, with the end of their hiding.
    left: HashMap<Arc<str>, Instant>,
    /// With `once`: tries of messages that failed, and when they return.
    failed: HashMap<Arc<str>, (u32, Instant)>,
    deletes: VecDeque<u64>,
    releases: VecDeque<u64>,
    flush_at: Option<Instant>,
    calls: JoinSet<Result<Vec<Refused>, Fault>>,
    under_way: HashMap<Id, Call>,
    /// By what was called and the code.
    faults: Repeats<(Verb, &'static str)>,
    kept: Kept,
    closed: bool,
    stopping: bool,
    ends_at: Option<Instant>,
}

impl<Q: Queue> KeeperTask<Q> {
    /// Runs until all clones of the [`Keeper`] are gone and nothing is held; after an abort for 5 s at most. Tells what
    /// it could not bring to its end.
    pub async fn run(mut self) -> Kept {
        let (stop, abort) = (self.stop.clone(), self.abort.clone());
        let mut tick =
            interval((self.settings.visibility / 20).clamp(Duration::from_millis(50), Duration::from_secs(1)));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.is_done() {
            let far = Instant::now() + LONGEST_HOLD;
            let (flush_at, ends_at) = (self.flush_at.unwrap_or(far), self.ends_at.unwrap_or(far));
            tokio::select! {
                biased;
                _ = tick.tick() => self.tick(),
                () = abort.cancelled(), if self.ends_at.is_none() => self.abandon(),
                () = stop.cancelled(), if !self.stopping => self.stopping = true,
                command = self.commands.recv(), if !self.closed => match command {
                    Some(command) => self.obey(command),
                    None => self.closed = true,
                },
                Some(verdict) = self.verdicts.recv() => self.judge(&verdict),
                Some(answer) = self.calls.join_next_with_id(), if !self.calls.is_empty() => self.answered(answer),
                () = sleep_until(flush_at), if self.flush_at.is_some() => self.flush(),
                () = sleep_until(ends_at), if self.ends_at.is_some() => break,
            }
            if self.deletes.len() >= BATCH || self.releases.len() >= BATCH {
                self.flush();
            }
            let has_changed =
                self.count.send_if_modified(|count| std::mem::replace(count, self.held.len()) != self.held.len());
            if has_changed && self.held.is_empty() {
                self.nothing_in_the_way();
            }
        }
        self.kept
    }

    fn is_done(&self) -> bool {
        self.closed && self.held.is_empty() && self.calls.is_empty()
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Hold { messages, reply } => {
                let admitted = messages.into_iter().filter_map(|incoming| self.admit(incoming)).collect();
                // A receiver that was dropped meanwhile reads nothing.
                if let Err(unclaimed) = reply.send(admitted) {
                    unclaimed.iter().for_each(|admitted| self.release(admitted.key, Duration::ZERO));
                }
            }
            Command::Leave(key) => {
                self.progress.unknown.fetch_add(1, Relaxed);
                self.leave(key);
            }
            Command::Grave(key) => {
                if let Some(held) = self.held.get_mut(&key) {
                    held.grave = true;
                }
            }
            Command::Receives { key, reply } => {
                let _ = reply.send(self.held.get(&key).map(|held| (Arc::clone(&held.id), held.receives)));
            }
            Command::Report(reply) => {
                let now = Instant::now();
                let left = self.left.values().filter(|until| **until > now).count() as u64;
                let returning =
                    self.failed.values().map(|(_, returns)| *returns).filter(|returns| *returns > now).max();
                let _ = reply.send(Holdings { held: self.held.len(), left, returning });
            }
        }
    }

    fn admit(&mut self, incoming: Incoming) -> Option<Admitted> {
        let Incoming { message, slot } = incoming;
        let now = Instant::now();
        let hidden_until = now + self.settings.visibility;
        let id: Arc<str> = message.id.into();
        if let Some(key) = self.by_id.get(&id).copied()
            && let Some(held) = self.held.get_mut(&key)
        {
            // Its hiding ran out while we hold it: only the new handle is good, the work goes on.
            (held.handle, held.received, held.hidden_until) = (message.handle, now, hidden_until);
            held.handles += 1;
            held.receives = held.receives.max(message.receives);
            held.due = Some(if held.state == State::Open { now + self.settings.visibility / 2 } else { now });
            tracing::debug!(message = &*id, "a message that is being read was delivered again");
            return None;
        }
        let again = self.settled.contains(&id);
        if self.left.contains_key(&id) || (again && !self.settings.consume) {
            if self.settings.once {
                self.left.insert(id, hidden_until);
            }
            return None;
        }
        self.next_key += 1;
        let key = self.next_key;
        let held = Held {
            id: Arc::clone(&id),
            handle: message.handle,
            handles: 0,
            receives: message.receives,
            received: now,
            hidden_until,
            due: Some(now + self.settings.visibility / 2),
            state: State::Open,
            grave: false,
            _slot: slot,
        };
        self.held.insert(key, held);
        self.by_id.insert(Arc::clone(&id), key);
        if again {
            tracing::debug!(message = &*id, "a message that was settled before came back and is deleted unread");
            self.settle(key);
            return None;
        }
        if self.ends_at.is_some() {
            // It came after the abort, which gave back all that was held by then.
            self.release(key, Duration::ZERO);
            return None;
        }
        Some(Admitted { key, body: message.body, repeated: message.receives > 1 })
    }

    fn judge(&mut self, verdict: &Verdict) {
        // What a reader said of the message was sent before the verdict, on the other channel.
        while let Ok(command) = self.commands.try_recv() {
            self.obey(command);
        }
        if verdict.settled {
            if let Some(held) = self.held.get(&verdict.key) {
                tracing::debug!(message = &*held.id, tally = ?verdict.tally, "every record of the message has an outcome");
            }
            return self.settle(verdict.key);
        }
        // The stop may have come since the loop last looked for it.
        self.stopping |= self.stop.is_cancelled();
        let Some(held) = self.held.get(&verdict.key).filter(|held| held.state == State::Open) else { return };
        tracing::debug!(message = &*held.id, receives = held.receives, tally = ?verdict.tally, reasons = ?verdict.reasons, "the message is given back");
        let doublings = held.receives.saturating_sub(1).min(10);
        let pause = match (self.stopping, held.grave) {
            (true, _) => Duration::ZERO,
            (false, true) => GRAVE_PAUSE,
            (false, false) => PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE),
        };
        if self.settings.once && !self.stopping {
            let returns = Instant::now() + pause;
            let (tries, when) = self.failed.entry(Arc::clone(&held.id)).or_insert((0, returns));
            (*tries, *when) = (*tries + 1, returns);
            if held.grave || *tries >= ONCE_TRIES {
                self.failed.remove(&held.id);
                self.left.insert(Arc::clone(&held.id), returns);
                self.kept.note_unread(&verdict.reasons);
            }
        }
        self.release(verdict.key, pause);
    }

    fn settle(&mut self, key: u64) {
        let Some(held) = self.held.get_mut(&key) else { return };
        self.settled.insert(Arc::clone(&held.id));
        self.failed.remove(&held.id);
        if !self.settings.consume {
            return self.leave(key);
        }
        (held.state, held.due) = (State::Deleting { tries: 0 }, None);
        self.deletes.push_back(key);
        self.flush_within(GATHER);
    }

    fn release(&mut self, key: u64, pause: Duration) {
        let Some(held) = self.held.get_mut(&key) else { return };
        (held.state, held.due) = (State::Releasing { tries: 0, pause }, None);
        self.releases.push_back(key);
        self.flush_within(if pause.is_zero() { Duration::ZERO } else { GATHER });
    }

    /// Does nothing more about a message; it returns when its hiding ends.
    fn leave(&mut self, key: u64) {
        let Some(held) = self.forget(key) else { return };
        if self.settings.once {
            self.left.insert(held.id, held.hidden_until);
        }
    }

    fn forget(&mut self, key: u64) -> Option<Held> {
        let held = self.held.remove(&key)?;
        self.by_id.remove(&held.id);
        Some(held)
    }

    /// The run is aborted: what is held is given back, with a last moment for the calls.
    fn abandon(&mut self) {
        self.stopping = true;
        self.ends_at = Some(Instant::now() + LAST_CALLS);
        let open: Vec<u64> =
            self.held.iter().filter(|(_, held)| held.state == State::Open).map(|(key, _)| *key).collect();
        open.into_iter().for_each(|key| self.release(key, Duration::ZERO));
    }
}

#[cfg(test)]
#[path = "keeper/tests.rs"]
mod tests;
