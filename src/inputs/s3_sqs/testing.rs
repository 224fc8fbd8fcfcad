//! A queue with true visibility clocks, and readings that end as a test wants, on tokio's paused clock.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::queue::{BATCH, LONGEST_HOLD, Message, Queue, QueueState, Refused};
use super::receiver::Reads;
use crate::ack::{Outcome, Part};
use crate::aws::Fault;
use crate::aws::fault::Service;
use crate::inputs::reader::Read;
use crate::inputs::selection::Choice;
use crate::integrity::note::Seen;
use crate::pipeline::Cause;
use crate::record::notification::ObjectRef;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    Receive,
    Delete,
    Hide,
    State,
}

/// What goes wrong with calls of one verb.
#[derive(Debug, Clone, Copy)]
pub enum Wrong {
    /// The call is refused with this code.
    Refused(&'static str),
    /// Every entry of the batch is refused with this code.
    Entries(&'static str),
    /// It is done, but the answer is lost.
    AnswerLost,
    /// The answer comes so much later.
    Late(Duration),
    /// No answer comes, which is given up so much later.
    Silent(Duration),
}

struct Rule {
    verb: Verb,
    wrong: Wrong,
    skip: usize,
    times: usize,
}

struct Stored {
    id: String,
    body: String,
    visible_at: Instant,
    received_at: Instant,
    deliveries: u32,
    deleted: bool,
}

impl Stored {
    fn is_visible(&self) -> bool {
        !self.deleted && self.visible_at <= Instant::now()
    }

    fn handle(&self) -> String {
        format!("{}#{}", self.id, self.deliveries)
    }
}

type MayDelete = Arc<dyn Fn(&str) -> bool + Send + Sync>;

#[derive(Default)]
struct Inside {
    messages: Vec<Stored>,
    rules: Vec<Rule>,
    calls: HashMap<Verb, usize>,
    /// Whether the message of a body may be deleted; `None` while the test does not care.
    may_delete: Option<MayDelete>,
    /// Of the redrive policy: a message is not received more often.
    max_receives: Option<u32>,
    wrongs: Vec<String>,
}

/// A standard queue as SQS describes it: a stale handle is refused, hiding ends by the clock, 12 hours are the limit.
#[derive(Default)]
pub struct FakeQueue {
    inside: Mutex<Inside>,
    /// A message may have become visible before its time.
    changed: Notify,
}

impl FakeQueue {
    pub fn with(bodies: impl IntoIterator<Item = String>) -> Arc<FakeQueue> {
        let queue = Arc::new(FakeQueue::default());
        bodies.into_iter().for_each(|body| queue.send(body));
        queue
    }

    pub fn send(&self, body: String) {
        let mut inside = self.lock();
        let id = format!("m{}", inside.messages.len());
        let now = Instant::now();
        inside.messages.push(Stored { id, body, visible_at: now, received_at: now, deliveries: 0, deleted: false });
        self.changed.notify_waiters();
    }

    /// Makes every message as if another process had received it just now.
    pub fn hide_all(&self, time: Duration) {
        for message in &mut self.lock().messages {
            message.deliveries += 1;
            message.visible_at = Instant::now() + time;
        }
    }

    /// The rule takes the calls after the first `skip`, `times` times.
    pub fn fail(&self, verb: Verb, wrong: Wrong, skip: usize, times: usize) {
        self.lock().rules.push(Rule { verb, wrong, skip, times });
    }

    /// Sets a redrive policy: what was received so often is moved away instead of being received again.
    pub fn redrive_after(&self, receives: u32) {
        self.lock().max_receives = Some(receives);
    }

    pub fn mend(&self) {
        self.lock().rules.clear();
    }

    /// From now on a delete of a message whose body is not settled, as `is_settled` tells, is a fault of the program.
    pub fn only_delete(&self, is_settled: impl Fn(&str) -> bool + Send + Sync + 'static) {
        self.lock().may_delete = Some(Arc::new(is_settled));
    }

    pub fn calls(&self, verb: Verb) -> usize {
        self.lock().calls.get(&verb).copied().unwrap_or(0)
    }

    pub fn deleted(&self) -> usize {
        self.lock().messages.iter().filter(|message| message.deleted).count()
    }

    pub fn visible(&self) -> usize {
        self.lock().messages.iter().filter(|message| message.is_visible()).count()
    }

    /// Deliveries of each message, in order of sending.
    pub fn deliveries(&self) -> Vec<u32> {
        self.lock().messages.iter().map(|message| message.deliveries).collect()
    }

    /// What the program did that it must not do.
    pub fn wrongs(&self) -> Vec<String> {
        self.lock().wrongs.clone()
    }

    /// What it would say of itself, without being asked.
    pub fn figures(&self) -> QueueState {
        let inside = self.lock();
        let left = inside.messages.iter().filter(|message| !message.deleted).count() as u64;
        let visible = inside.messages.iter().filter(|message| message.is_visible()).count() as u64;
        QueueState {
            visible,
            delayed: 0,
            hidden: left - visible,
            visibility: Duration::from_secs(30),
            max_receives: inside.max_receives,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }

    /// Counts the call and finds what is wrong with it.
    fn called(&self, verb: Verb) -> Option<Wrong> {
        let mut inside = self.lock();
        *inside.calls.entry(verb).or_default() += 1;
        let rule = inside.rules.iter_mut().find(|rule| rule.verb == verb && (rule.skip > 0 || rule.times > 0))?;
        if rule.skip > 0 {
            rule.skip -= 1;
            return None;
        }
        rule.times -= 1;
        Some(rule.wrong)
    }

    async fn answered<T: Default>(
        &self,
        verb: Verb,
        entries: usize,
        work: impl FnOnce(&mut Inside) -> T,
        refused: impl Fn(Refused) -> T,
    ) -> Result<T, Fault> {
        assert!(entries <= BATCH, "{verb:?} with {entries} entries");
        let action = action(verb);
        match self.called(verb) {
            None => Ok(work(&mut self.lock())),
            Some(Wrong::Refused(code)) => Err(fault(action, code)),
            Some(Wrong::Entries(code)) => Ok(refused(Refused { index: 0, fault: fault(action, code) })),
            Some(Wrong::AnswerLost) => {
                work(&mut self.lock());
                Err(fault(action, "InternalError"))
            }
            Some(Wrong::Silent(time)) => Err(silent(action, time).await),
            Some(Wrong::Late(time)) => {
                let done = work(&mut self.lock());
                sleep(time).await;
                Ok(done)
            }
        }
    }
}

fn action(verb: Verb) -> &'static str {
    match verb {
        Verb::Receive => "ReceiveMessage",
        Verb::Delete => "DeleteMessageBatch",
        Verb::Hide => "ChangeMessageVisibilityBatch",
        Verb::State => "GetQueueAttributes",
    }
}

async fn silent(action: &'static str, time: Duration) -> Fault {
    sleep(time).await;
    Fault::transient(Service::Sqs, action, "the queue", "timeout", "no answer within `api_timeout`")
}

pub fn fault(action: &'static str, code: &str) -> Fault {
    Fault::of_entry(action, "the queue", code, None)
}

impl Queue for FakeQueue {
    async fn receive(&self, max: usize, wait: Duration, visibility: Duration) -> Result<Vec<Message>, Fault> {
        let wrong = self.called(Verb::Receive);
        if let Some(Wrong::Refused(code)) = wrong {
            return Err(fault("ReceiveMessage", code));
        }
        match wrong {
            Some(Wrong::Silent(time)) => return Err(silent("ReceiveMessage", time).await),
            Some(Wrong::Late(time)) => sleep(time).await,
            _ => {}
        }
        let end = Instant::now() + wait;
        loop {
            let now = Instant::now();
            let (received, next) = {
                let mut inside = self.lock();
                let most = inside.max_receives.unwrap_or(u32::MAX);
                let ready = inside
                    .messages
                    .iter_mut()
                    .filter(|message| message.is_visible() && message.deliveries < most)
                    .take(max);
                let received: Vec<Message> = ready
                    .map(|message| {
                        message.deliveries += 1;
                        message.received_at = now;
                        message.visible_at = now + visibility;
                        Message {
                            id: message.id.clone(),
                            handle: message.handle(),
                            body: message.body.clone(),
                            receives: message.deliveries,
                        }
                    })
                    .collect();
                let next = inside
                    .messages
                    .iter()
                    .filter(|message| !message.deleted && message.visible_at > now)
                    .map(|message| message.visible_at)
                    .min();
                (received, next)
            };
            if !received.is_empty() || now >= end {
                return match wrong {
                    Some(Wrong::AnswerLost) => Err(fault("ReceiveMessage", "InternalError")),
                    _ => Ok(received),
                };
            }
            tokio::select! {
                () = sleep_until(next.unwrap_or(end).min(end)) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    async fn delete(&self, handles: Vec<String>) -> Result<Vec<Refused>, Fault> {
        let entries = handles.len();
        let work = |inside: &mut Inside| {
            let mut refused = Vec::new();
            for (index, handle) in handles.iter().enumerate() {
                let may_delete = inside.may_delete.clone();
                let Some(message) = inside.messages.iter_mut().find(|message| message.handle() == *handle) else {
                    refused.push(Refused { index, fault: fault("DeleteMessageBatch", "ReceiptHandleIsInvalid") });
                    continue;
                };
                message.deleted = true;
                let body = message.body.clone();
                if may_delete.is_some_and(|may_delete| !may_delete(&body)) {
                    inside.wrongs.push(format!("deleted before it was settled: {body}"));
                }
            }
            refused
        };
        self.answered(Verb::Delete, entries, work, |refused| {
            (0..entries).map(|index| Refused { index, ..refused.clone() }).collect()
        })
        .await
    }

    async fn hide(&self, entries: Vec<(String, Duration)>) -> Result<Vec<Refused>, Fault> {
        let count = entries.len();
        let work = |inside: &mut Inside| {
            let now = Instant::now();
            let mut refused = Vec::new();
            let mut wrongs = Vec::new();
            for (index, (handle, time)) in entries.iter().enumerate() {
                let message =
                    inside.messages.iter_mut().find(|message| message.handle() == *handle && !message.deleted);
                match message {
                    Some(message) if message.visible_at > now => {
                        if now + *time > message.received_at + LONGEST_HOLD {
                            wrongs.push(format!("asked to hide {handle} past 12 hours"));
                        }
                        message.visible_at = now + *time;
                    }
                    _ => refused.push(Refused {
                        index,
                        fault: fault("ChangeMessageVisibilityBatch", "ReceiptHandleIsInvalid"),
                    }),
                }
            }
            inside.wrongs.extend(wrongs);
            self.changed.notify_waiters();
            refused
        };
        self.answered(Verb::Hide, count, work, |refused| {
            (0..count).map(|index| Refused { index, ..refused.clone() }).collect()
        })
        .await
    }

    async fn state(&self) -> Result<QueueState, Fault> {
        match self.called(Verb::State) {
            Some(Wrong::Refused(code)) => return Err(fault("GetQueueAttributes", code)),
            Some(Wrong::Silent(time)) => return Err(silent("GetQueueAttributes", time).await),
            Some(Wrong::Late(time)) => sleep(time).await,
            _ => {}
        }
        Ok(self.figures())
    }
}

/// How the reading of an object ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Read, and its records settled so much later.
    Settled(Duration),
    /// Read, and its records given back so much later.
    Lost(Duration),
    Transient,
    Final,
    Panic,
}

/// Readings by script: each object has a list of ends, one for each try; then it settles.
#[derive(Clone, Default)]
pub struct FakeReads {
    pub takes: Duration,
    pub script: Arc<Mutex<HashMap<String, Vec<End>>>>,
    /// End of objects that are not in the script.
    pub usual: Option<End>,
    /// Keys whose records are settled.
    pub settled: Arc<Mutex<HashSet<String>>>,
    /// Keys in the order of their reading.
    pub read: Arc<Mutex<Vec<(String, Choice)>>>,
    now: Arc<Mutex<(usize, usize)>>,
}

impl FakeReads {
    pub fn taking(takes: Duration) -> FakeReads {
        FakeReads { takes, ..FakeReads::default() }
    }

    pub fn script(&self, key: &str, ends: &[End]) {
        self.script.lock().unwrap().insert(key.to_owned(), ends.to_vec());
    }

    /// Most readings at one time.
    pub fn most(&self) -> usize {
        self.now.lock().unwrap().1
    }

    pub fn keys(&self) -> Vec<String> {
        self.read.lock().unwrap().iter().map(|(key, _)| key.clone()).collect()
    }

    fn end(&self, key: &str) -> End {
        let mut script = self.script.lock().unwrap();
        match script.get_mut(key) {
            Some(ends) if !ends.is_empty() => ends.remove(0),
            _ => self.usual.unwrap_or(End::Settled(Duration::ZERO)),
        }
    }
}

/// Counts a reading for as long as it lives.
struct Counted(Arc<Mutex<(usize, usize)>>);

impl Counted {
    fn new(now: &Arc<Mutex<(usize, usize)>>) -> Counted {
        let mut counts = now.lock().unwrap();
        counts.0 += 1;
        counts.1 = counts.1.max(counts.0);
        Counted(Arc::clone(now))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.lock().unwrap().0 -= 1;
    }
}

impl Reads for FakeReads {
    async fn read(&self, part: Part, object: &ObjectRef, choice: Choice, _: Option<Seen>) -> Read {
        let _counted = Counted::new(&self.now);
        let key = object.key.as_str().to_owned();
        self.read.lock().unwrap().push((key.clone(), choice));
        sleep(self.takes).await;
        let end = self.end(&key);
        match end {
            End::Transient | End::Final => {
                part.fail("scripted");
                let cause = (end == End::Final).then_some(Cause::ObjectMissing);
                return Read::Failed { transient: end == End::Transient, cause, reason: "scripted".to_owned() };
            }
            End::Panic => panic!("scripted"),
            End::Settled(_) | End::Lost(_) => {}
        }
        let mut receipt = part.issue(3);
        part.complete();
        let settled = Arc::clone(&self.settled);
        tokio::spawn(async move {
            match end {
                End::Settled(later) => {
                    sleep(later).await;
                    settled.lock().unwrap().insert(key);
                    receipt.settle(Outcome::Indexed, 3);
                }
                End::Lost(later) => sleep(later).await,
                End::Transient | End::Final | End::Panic => {}
            }
        });
        Read::Done { records: 3, ignored: 0 }
    }
}

/// The body of a message that names these keys, which are read as log files.
pub fn body(keys: &[&str]) -> String {
    serde_json::json!({ "s3Bucket": "trail-bucket", "s3ObjectKey": keys }).to_string()
}

/// A key that the default patterns choose.
pub fn key(number: usize) -> String {
    format!("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/04/{number}.json.gz")
}

/// The key of an object that CloudTrail delivered so many minutes after a day's begin.
pub fn key_of_minute(minute: usize) -> String {
    let (day, hour, minute) = (1 + minute / 1_440, minute / 60 % 24, minute % 60);
    format!(
        "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/{day:02}/111122223333_CloudTrail_eu-west-1_202603{day:02}T{hour:02}{minute:02}Z_x.json.gz"
    )
}
