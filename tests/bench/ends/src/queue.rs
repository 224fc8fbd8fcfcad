//! One standard queue in SQS's JSON protocol: long polls, visibility, receive counts, batches of ten.
//!
//! As on SQS only the receipt handle of the last receive deletes. Left out: dead letters, sending, attributes to set.

use crate::http::{Response, hung_up};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::TcpStream;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const NAME: &str = "trail";
const ARN: &str = "arn:aws:sqs:us-east-1:111122223333:trail";
const MISSING: &str = "AWS.SimpleQueueService.NonExistentQueue;Sender";
const BATCH: usize = 10;
/// Seconds, unless the request says otherwise; SQS's own default.
const VISIBILITY: u64 = 30;
/// How often a long poll looks for messages that have become visible again, and for its client.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Default)]
pub struct Queue {
    inner: Mutex<Inner>,
    arrived: Condvar,
}

#[derive(Default)]
struct Inner {
    messages: BTreeMap<u64, Message>,
    next: u64,
    /// Requests by operation; an empty receive is an operation of its own.
    requests: BTreeMap<String, u64>,
    redelivered: u64,
    stale: u64,
    first_receive: Option<Instant>,
    last_delete: Option<Instant>,
}

struct Message {
    body: String,
    digest: String,
    sent_ms: u128,
    first_ms: u128,
    received: u64,
    visible: Instant,
}

type Fault = &'static str;

impl Queue {
    /// Adds messages, all at once.
    pub fn fill(&self, bodies: impl Iterator<Item = String>) -> usize {
        let mut inner = self.lock();
        let before = inner.messages.len();
        for body in bodies {
            let number = inner.next;
            inner.next += 1;
            let message = Message {
                digest: format!("{:x}", md5::compute(&body)),
                body,
                sent_ms: unix_ms(),
                first_ms: 0,
                received: 0,
                visible: Instant::now(),
            };
            inner.messages.insert(number, message);
        }
        self.arrived.notify_all();
        inner.messages.len() - before
    }

    /// Starts counting anew and forgets what is queued.
    pub fn reset(&self) {
        let mut inner = self.lock();
        // Receipt handles of earlier messages must stay without effect.
        let next = inner.next;
        *inner = Inner { next, ..Inner::default() };
    }

    pub fn stats(&self) -> Value {
        let inner = self.lock();
        let span = inner.first_receive.zip(inner.last_delete);
        let span = span.map(|(first, last)| last.saturating_duration_since(first).as_secs_f64());
        json!({"left": inner.messages.len(), "requests": inner.requests, "redelivered": inner.redelivered,
            "stale_receipts": inner.stale, "seconds": span})
    }

    pub fn answer(&self, operation: &str, request: &Value, peer: &TcpStream) -> Response {
        let answer = match name(request) {
            NAME => self.operate(operation, request, peer),
            _ => Err("QueueDoesNotExist"),
        };
        let fault = match answer {
            Ok(answer) => return json_answer(200, &answer),
            Err(fault) => fault,
        };
        let kind = format!("com.amazonaws.sqs#{fault}");
        let answer = json_answer(400, &json!({"__type": kind, "message": fault}));
        match fault {
            // By this header the SDKs know it.
            "QueueDoesNotExist" => answer.with("x-amzn-query-error", MISSING),
            _ => answer,
        }
    }

    fn operate(&self, operation: &str, request: &Value, peer: &TcpStream) -> Result<Value, Fault> {
        if operation == "ReceiveMessage" {
            return self.receive(request, peer);
        }
        let mut inner = self.lock();
        inner.count(operation);
        match operation {
            "DeleteMessage" => inner.delete(request),
            "DeleteMessageBatch" => batch(request, |entry| inner.delete(entry)),
            "ChangeMessageVisibility" => inner.change(request),
            "ChangeMessageVisibilityBatch" => batch(request, |entry| inner.change(entry)),
            "GetQueueAttributes" => Ok(inner.attributes()),
            "GetQueueUrl" => Ok(json!({"QueueUrl": format!("http://127.0.0.1/111122223333/{NAME}")})),
            _ => Err("UnsupportedOperation"),
        }
    }

    fn receive(&self, request: &Value, peer: &TcpStream) -> Result<Value, Fault> {
        let number = |key: &str, default| request[key].as_u64().unwrap_or(default);
        let most = usize::try_from(number("MaxNumberOfMessages", 1)).unwrap_or(0);
        if !(1..=BATCH).contains(&most) {
            return Err("InvalidParameterValue");
        }
        let visibility = Duration::from_secs(number("VisibilityTimeout", VISIBILITY));
        let deadline = Instant::now() + Duration::from_secs(number("WaitTimeSeconds", 0));
        let mut inner = self.lock();
        while !hung_up(peer) {
            let messages = inner.take(most, visibility);
            if !messages.is_empty() {
                inner.count("ReceiveMessage");
                return Ok(json!({"Messages": messages}));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.arrived.wait_timeout(inner, left.min(LOOK));
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        inner.count("ReceiveMessage, empty");
        Ok(json!({}))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn count(&mut self, operation: &str) {
        *self.requests.entry(operation.to_owned()).or_default() += 1;
    }

    fn take(&mut self, most: usize, visibility: Duration) -> Vec<Value> {
        let (now, now_ms) = (Instant::now(), unix_ms());
        let visible = self.messages.iter_mut().filter(|(_, message)| message.visible <= now);
        let mut taken = Vec::new();
        for (number, message) in visible.take(most) {
            message.received += 1;
            message.visible = now + visibility;
            if message.received == 1 {
                message.first_ms = now_ms;
            } else {
                self.redelivered += 1;
            }
            taken.push(json!({
                "MessageId": format!("00000000-0000-4000-8000-{number:012x}"),
                "ReceiptHandle": format!("{number}-{}", message.received),
                "Body": message.body,
                "MD5OfBody": message.digest,
                "Attributes": {
                    "ApproximateReceiveCount": message.received.to_string(),
                    "ApproximateFirstReceiveTimestamp": message.first_ms.to_string(),
                    "SentTimestamp": message.sent_ms.to_string(),
                    "SenderId": "AIDAEXAMPLE",
                },
            }));
        }
        if !taken.is_empty() {
            self.first_receive.get_or_insert(now);
        }
        taken
    }

    fn delete(&mut self, entry: &Value) -> Result<Value, Fault> {
        self.last_delete = Some(Instant::now());
        match self.held(entry)? {
            Some(number) => drop(self.messages.remove(&number)),
            None => self.stale += 1,
        }
        Ok(json!({}))
    }

    fn change(&mut self, entry: &Value) -> Result<Value, Fault> {
        let seconds = entry["VisibilityTimeout"].as_u64();
        let seconds = seconds.ok_or("InvalidParameterValue")?;
        let Some(number) = self.held(entry)? else {
            self.stale += 1;
            return Err("InvalidParameterValue");
        };
        if let Some(message) = self.messages.get_mut(&number) {
            message.visible = Instant::now() + Duration::from_secs(seconds);
        }
        Ok(json!({}))
    }

    /// The message of a receipt handle; none when it is gone or was received again since.
    fn held(&self, entry: &Value) -> Result<Option<u64>, Fault> {
        let handle = entry["ReceiptHandle"].as_str().and_then(|handle| handle.split_once('-'));
        let (number, received) = handle.ok_or("ReceiptHandleIsInvalid")?;
        let number = number.parse().map_err(|_| "ReceiptHandleIsInvalid")?;
        let message = self.messages.get(&number);
        let current = message.filter(|message| message.received.to_string() == received);
        Ok(current.map(|_| number))
    }

    fn attributes(&self) -> Value {
        let now = Instant::now();
        let visible = self.messages.values().filter(|message| message.visible <= now).count();
        json!({"Attributes": {
            "QueueArn": ARN,
            "VisibilityTimeout": VISIBILITY.to_string(),
            "ApproximateNumberOfMessages": visible.to_string(),
            "ApproximateNumberOfMessagesNotVisible": (self.messages.len() - visible).to_string(),
            "ApproximateNumberOfMessagesDelayed": "0",
        }})
    }
}

fn batch(request: &Value, mut apply: impl FnMut(&Value) -> Result<Value, Fault>) -> Result<Value, Fault> {
    let entries = request["Entries"].as_array().map_or(&[][..], Vec::as_slice);
    match entries.len() {
        0 => return Err("EmptyBatchRequest"),
        1..=BATCH => {}
        _ => return Err("TooManyEntriesInBatchRequest"),
    }
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        match apply(entry) {
            Ok(_) => successful.push(json!({"Id": entry["Id"]})),
            Err(code) => failed.push(json!({"Id": entry["Id"], "SenderFault": true, "Code": code})),
        }
    }
    Ok(json!({"Successful": successful, "Failed": failed}))
}

fn json_answer(status: u16, answer: &Value) -> Response {
    let body = answer.to_string().into_bytes();
    Response::text(status, "application/x-amz-json-1.0", body)
}

fn name(request: &Value) -> &str {
    let name = request["QueueUrl"].as_str().or(request["QueueName"].as_str());
    name.and_then(|name| name.rsplit('/').next()).unwrap_or_default()
}

fn unix_ms() -> u128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis())
}
