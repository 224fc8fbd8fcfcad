//! The calls of the keeper: what is due, in batches of ten, and what their answers mean for each message.

use super::super::queue::{BATCH, LONGEST_HOLD, Queue, Refused};
use super::{GATHER, KeeperTask, State};
use crate::aws::{Fault, FaultKind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::task::{Id, JoinError};
use tokio::time::Instant;

/// Calls beside each other.
const CALLS: usize = 32;
/// Tries of a delete or release while stopping.
const STOPPING_TRIES: u32 = 3;
/// Kept free below [`LONGEST_HOLD`], since asking for more than is left is an error.
const MARGIN: Duration = Duration::from_secs(60);
/// Renewing ends so long after the receive: 15 minutes before SQS takes the message back in any case.
const LAST_RENEWAL: Duration = Duration::from_secs(11 * 3600 + 45 * 60);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Verb {
    Renew,
    Delete,
    Release,
}

pub(super) struct Call {
    verb: Verb,
    started: Instant,
    entries: Vec<Entry>,
}

/// A message in a call.
struct Entry {
    key: u64,
    /// Which of its handles was sent.
    handle: u32,
    /// How long it is to be hidden.
    time: Duration,
}

impl<Q: Queue> KeeperTask<Q> {
    pub(super) fn flush_within(&mut self, time: Duration) {
        let at = Instant::now() + time;
        self.flush_at = Some(self.flush_at.map_or(at, |set| set.min(at)));
    }

    /// Sends what waits to be deleted or released, as far as calls may run.
    pub(super) fn flush(&mut self) {
        self.flush_at = None;
        while self.calls.len() < CALLS {
            let (verb, waiting) = if self.deletes.is_empty() {
                (Verb::Release, &mut self.releases)
            } else {
                (Verb::Delete, &mut self.deletes)
            };
            if waiting.is_empty() {
                return;
            }
            let keys: Vec<u64> = waiting.drain(..waiting.len().min(BATCH)).collect();
            // A message may have been forgotten, or been queued twice, since.
            let entries = keys.into_iter().filter_map(|key| match (self.held.get(&key)?.state, verb) {
                (State::Deleting { .. }, Verb::Delete) => Some((key, Duration::ZERO)),
                (State::Releasing { pause, .. }, Verb::Release) => Some((key, pause)),
                _ => None,
            });
            let entries = entries.collect();
            self.call(verb, entries);
        }
    }

    pub(super) fn tick(&mut self) {
        let now = Instant::now();
        let due: Vec<u64> =
            self.held.iter().filter(|(_, held)| held.due.is_some_and(|due| due <= now)).map(|(key, _)| *key).collect();
        let mut renew = Vec::new();
        for key in due {
            let Some(held) = self.held.get_mut(&key) else { continue };
            held.due = None;
            match held.state {
                State::Open if now >= held.received + LAST_RENEWAL => {
                    tracing::warn!(
                        message = &*held.id,
                        "a message is held for 11 h 45 min, the longest that SQS allows is 12 h: it will be delivered again, and its records be recognised as duplicates"
                    );
                }
                State::Open => {
                    let allowed = (held.received + LONGEST_HOLD).saturating_duration_since(now + MARGIN);
                    // Asked again without waiting for an answer that hangs.
                    held.due = Some(now + self.settings.visibility / 4);
                    renew.push((key, self.settings.visibility.min(allowed)));
                }
                State::Deleting { .. } => self.deletes.push_back(key),
                State::Releasing { .. } => self.releases.push_back(key),
            }
        }
        for entries in renew.chunks(BATCH) {
            self.call(Verb::Renew, entries.to_vec());
        }
        if !(self.deletes.is_empty() && self.releases.is_empty()) {
            self.flush_within(Duration::ZERO);
        }
    }

    fn call(&mut self, verb: Verb, entries: Vec<(u64, Duration)>) {
        let with_handles = entries.into_iter().filter_map(|(key, time)| {
            let held = self.held.get(&key)?;
            Some((Entry { key, handle: held.handles, time }, (held.handle.clone(), time)))
        });
        let (entries, sent): (Vec<_>, Vec<_>) = with_handles.unzip();
        if entries.is_empty() {
            return;
        }
        let queue = Arc::clone(&self.queue);
        let task = self.calls.spawn(async move {
            match verb {
                Verb::Delete => queue.delete(sent.into_iter().map(|(handle, _)| handle).collect()).await,
                Verb::Renew | Verb::Release => queue.hide(sent).await,
            }
        });
        self.under_way.insert(task.id(), Call { verb, started: Instant::now(), entries });
    }

    pub(super) fn answered(&mut self, answer: Result<(Id, Result<Vec<Refused>, Fault>), JoinError>) {
        let (id, result) = match answer {
            Ok((id, result)) => (id, result),
            Err(broken) => (broken.id(), Err(Fault::of_entry("call", "queue", "fault-inside-trailship", None))),
        };
        let Some(Call { verb, started, entries }) = self.under_way.remove(&id) else { return };
        self.note(verb, &result);
        for (index, Entry { key, handle, time }) in entries.into_iter().enumerate() {
            let refused = match &result {
                Ok(refused) => refused.iter().find(|refused| refused.index == index).map(|refused| &refused.fault),
                Err(fault) => Some(fault),
            };
            match (verb, refused) {
                (Verb::Renew, None) => self.renewed(key, started, time),
                (Verb::Renew, Some(fault)) => self.not_renewed(key, handle, fault.kind),
                (Verb::Delete, None) if self.forget(key).is_some() => {
                    self.progress.deleted.fetch_add(1, Relaxed);
                }
                (Verb::Release, None) if self.forget(key).is_some() => {
                    self.progress.released.fetch_add(1, Relaxed);
                }
                (Verb::Delete | Verb::Release, None) => {}
                (Verb::Delete | Verb::Release, Some(fault)) => self.try_again(key, handle, fault),
            }
        }
        if !(self.deletes.is_empty() && self.releases.is_empty()) {
            self.flush_within(GATHER);
        }
    }

    fn renewed(&mut self, key: u64, started: Instant, time: Duration) {
        let Some(held) = self.held.get_mut(&key) else { return };
        // A redelivery in between brought a later end.
        held.hidden_until = held.hidden_until.max(started + time);
        if held.state == State::Open {
            held.due = Some(started + self.settings.visibility / 2);
        }
    }

    fn not_renewed(&mut self, key: u64, handle: u32, kind: FaultKind) {
        let pause = (self.settings.visibility / 10).min(Duration::from_secs(5));
        let Some(held) = self.held.get_mut(&key) else { return };
        if held.state != State::Open || held.handles != handle {
            return;
        }
        // A handle that is no longer good cannot be renewed; its message will be delivered again, and known.
        held.due = (kind != FaultKind::Stale).then(|| Instant::now() + pause);
    }

    /// A delete or release failed: again, for as long as the handle may be good. Except with `--once` when it is refused
    /// for good: then the message is left, since a run that waited for somebody to mend it would not end.
    fn try_again(&mut self, key: u64, handle: u32, fault: &Fault) {
        let Some(held) = self.held.get_mut(&key).filter(|held| held.handles == handle) else { return };
        let tries = match &mut held.state {
            State::Deleting { tries } | State::Releasing { tries, .. } => tries,
            State::Open => return,
        };
        if self.settings.once && !fault.may_pass() && fault.kind != FaultKind::Stale {
            self.failed.remove(&held.id);
            self.kept.note_refused(fault);
            return self.leave(key);
        }
        *tries += 1;
        let next = Instant::now() + Duration::from_millis(500) * (1 << (*tries).min(5));
        if fault.kind == FaultKind::Stale || next >= held.hidden_until || (self.stopping && *tries >= STOPPING_TRIES) {
            tracing::debug!(
                message = &*held.id,
                "the message could be neither deleted nor given back; it will be delivered again"
            );
            self.forget(key);
            return;
        }
        held.due = Some(next);
    }

    /// Says a fault of a kind of call once a minute, and when such calls go well again; tells health what is in the way.
    fn note(&self, verb: Verb, result: &Result<Vec<Refused>, Fault>) {
        let fault = match result {
            Ok(refused) => refused.first().map(|refused| &refused.fault),
            Err(fault) => Some(fault),
        };
        let Some(fault) = fault else {
            self.progress.health.well(verb.api());
            if let Some(lasted) = self.faults.only(|(other, _)| *other != verb) {
                tracing::info!(?lasted, "messages can be {} again", past(verb));
            }
            return;
        };
        // A stale handle is one message's matter.
        if fault.is_in_the_way() && fault.kind != FaultKind::Stale {
            self.progress.health.trouble(verb.api(), fault.told(), &format!("{fault}; {}", fault.advice()));
        }
        if let Some(due) = self.faults.occurred((verb, fault.code())) {
            tracing::warn!(code = fault.code(), times = due.times, lasting = ?due.lasted, "{fault}; {}", fault.advice());
        }
    }

    /// Nothing is held: what calls could not do is over, whatever it was.
    pub(super) fn nothing_in_the_way(&self) {
        [Verb::Renew, Verb::Delete, Verb::Release].iter().for_each(|verb| self.progress.health.well(verb.api()));
    }
}

impl Verb {
    /// What health calls it.
    fn api(self) -> &'static str {
        match self {
            Verb::Delete => "sqs:DeleteMessageBatch",
            Verb::Renew | Verb::Release => "sqs:ChangeMessageVisibilityBatch",
        }
    }
}

fn past(verb: Verb) -> &'static str {
    match verb {
        Verb::Renew => "kept hidden",
        Verb::Delete => "deleted",
        Verb::Release => "given back",
    }
}
