//! Standard queues: visibility, receive counts, one valid receipt handle per message, batches with partial failures, dead letters.

use crate::fault::error;
use crate::http::Response;
use crate::time::now_ms;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

struct Message {
    id: String,
    body: String,
    md5: String,
    sent: i64,
    first: i64,
    received: u64,
    visible_at: i64,
}

#[derive(Default)]
struct Queue {
    /// By arrival number, which is also the first half of a receipt handle; the second half is the receive count.
    messages: BTreeMap<u64, Message>,
    ready: std::collections::BTreeSet<(i64, u64)>,
    next: u64,
    attributes: Map<String, Value>,
}

#[derive(Default)]
pub struct Queues {
    all: Mutex<HashMap<String, Queue>>,
    arrived: Condvar,
}

const PREFIX: &str = "arn:aws:sqs:us-east-1:123456789012:";

fn code(kind: &str) -> String {
    format!("com.amazonaws.sqs#{kind}")
}

impl Queue {
    fn set_visible(&mut self, n: u64, at: i64) {
        if let Some(m) = self.messages.get_mut(&n) {
            self.ready.remove(&(m.visible_at, n));
            m.visible_at = at;
            self.ready.insert((at, n));
        }
    }

    fn push(&mut self, body: String, now: i64, delay_ms: i64) -> (String, String) {
        let n = self.next;
        self.next += 1;
        let md5 = format!("{:x}", md5::compute(&body));
        let id = format!("00000000-0000-4000-8000-{n:012x}");
        self.messages.insert(
            n,
            Message {
                id: id.clone(),
                md5: md5.clone(),
                body,
                sent: now,
                first: 0,
                received: 0,
                visible_at: now + delay_ms,
            },
        );
        self.ready.insert((now + delay_ms, n));
        (id, md5)
    }

    /// The message that a handle stands for: Ok(None) when it is gone or was received again since.
    fn by_handle(&self, h: &str) -> Result<Option<u64>, ()> {
        let (n, count) = h.strip_prefix("rh-").and_then(|h| h.split_once('-')).ok_or(())?;
        let (n, count) = (n.parse().map_err(|_| ())?, count.parse::<u64>().map_err(|_| ())?);
        Ok(self.messages.get(&n).filter(|m| m.received == count).map(|_| n))
    }

    fn delete(&mut self, h: &str) -> Result<(), &'static str> {
        if let Some(n) = self.by_handle(h).map_err(|_| "ReceiptHandleIsInvalid")? {
            let m = self.messages.remove(&n).unwrap();
            self.ready.remove(&(m.visible_at, n));
        }
        Ok(())
    }

    fn change(&mut self, h: &str, seconds: i64, now: i64) -> Result<(), &'static str> {
        let n = self.by_handle(h).map_err(|_| "ReceiptHandleIsInvalid")?.ok_or("InvalidParameterValue")?;
        if self.messages[&n].visible_at <= now {
            return Err("MessageNotInflight");
        }
        if !(0..=43_200).contains(&seconds) {
            return Err("InvalidParameterValue");
        }
        self.set_visible(n, now + seconds * 1000);
        Ok(())
    }
}

impl Queues {
    pub fn send(&self, queue: &str, body: String) {
        if let Some(q) = self.all.lock().unwrap().get_mut(queue) {
            q.push(body, now_ms(), 0);
        }
        self.arrived.notify_one();
    }

    pub fn handle(&self, op: &str, v: &Value, host: &str) -> Response {
        match self.answer(op, v, host) {
            Ok(v) => Response::new(200, "application/x-amz-json-1.0", v.to_string()),
            Err("QueueDoesNotExist") => {
                error(true, 400, &code("QueueDoesNotExist"), "The specified queue does not exist.")
                    .with("x-amzn-query-error", "AWS.SimpleQueueService.NonExistentQueue;Sender")
            }
            Err(e) => error(true, 400, &code(e), e),
        }
    }

    fn answer(&self, op: &str, v: &Value, host: &str) -> Result<Value, &'static str> {
        let url = |name: &str| format!("http://{host}/123456789012/{name}");
        let text = |k: &str| v[k].as_str().unwrap_or("");
        let mut all = self.all.lock().unwrap();
        match op {
            "CreateQueue" => {
                let q = all.entry(text("QueueName").into()).or_default();
                q.attributes.extend(v["Attributes"].as_object().cloned().unwrap_or_default());
                return Ok(json!({"QueueUrl": url(text("QueueName"))}));
            }
            "GetQueueUrl" => {
                return if all.contains_key(text("QueueName")) {
                    Ok(json!({"QueueUrl": url(text("QueueName"))}))
                } else {
                    Err("QueueDoesNotExist")
                };
            }
            "ListQueues" => {
                return Ok(json!({"QueueUrls": all.keys().map(|k| url(k)).collect::<Vec<_>>()}));
            }
            "ReceiveMessage" => {
                drop(all);
                return self.receive(v);
            }
            _ => {}
        }
        let name = text("QueueUrl").rsplit('/').next().unwrap_or("");
        let q = all.get_mut(name).ok_or("QueueDoesNotExist")?;
        let now = now_ms();
        let batch = |f: &mut dyn FnMut(&Value) -> Result<Value, &'static str>| {
            let entries = v["Entries"].as_array().map_or(&[][..], |a| a);
            match entries.len() {
                0 => return Err("EmptyBatchRequest"),
                11.. => return Err("TooManyEntriesInBatchRequest"),
                _ => {}
            }
            let (mut ok, mut failed) = (vec![], vec![]);
            for e in entries {
                match f(e) {
                    Ok(mut r) => {
                        r["Id"] = e["Id"].clone();
                        ok.push(r)
                    }
                    Err(c) => failed.push(json!({"Id": e["Id"], "SenderFault": true, "Code": c, "Message": c})),
                }
            }
            Ok(json!({"Successful": ok, "Failed": failed}))
        };
        let str_of = |e: &Value, k: &str| e[k].as_str().unwrap_or("").to_string();
        let answer = match op {
            "SendMessage" => {
                let (id, md5) = q.push(text("MessageBody").into(), now, v["DelaySeconds"].as_i64().unwrap_or(0) * 1000);
                Ok(json!({"MessageId": id, "MD5OfMessageBody": md5}))
            }
            "SendMessageBatch" => batch(&mut |e| {
                let (id, md5) = q.push(str_of(e, "MessageBody"), now, e["DelaySeconds"].as_i64().unwrap_or(0) * 1000);
                Ok(json!({"MessageId": id, "MD5OfMessageBody": md5}))
            }),
            "DeleteMessage" => q.delete(text("ReceiptHandle")).map(|_| json!({})),
            "DeleteMessageBatch" => batch(&mut |e| q.delete(&str_of(e, "ReceiptHandle")).map(|_| json!({}))),
            "ChangeMessageVisibility" => {
                q.change(text("ReceiptHandle"), v["VisibilityTimeout"].as_i64().unwrap_or(-1), now).map(|_| json!({}))
            }
            "ChangeMessageVisibilityBatch" => batch(&mut |e| {
                q.change(&str_of(e, "ReceiptHandle"), e["VisibilityTimeout"].as_i64().unwrap_or(-1), now)
                    .map(|_| json!({}))
            }),
            "PurgeQueue" => {
                q.messages.clear();
                q.ready.clear();
                Ok(json!({}))
            }
            "SetQueueAttributes" => {
                q.attributes.extend(v["Attributes"].as_object().cloned().unwrap_or_default());
                Ok(json!({}))
            }
            "GetQueueAttributes" => {
                let visible = q.ready.range(..=(now, u64::MAX)).count();
                let mut a = q.attributes.clone();
                a.insert("QueueArn".into(), format!("{PREFIX}{name}").into());
                a.insert("ApproximateNumberOfMessages".into(), visible.to_string().into());
                a.insert(
                    "ApproximateNumberOfMessagesNotVisible".into(),
                    (q.messages.len() - visible).to_string().into(),
                );
                a.entry("VisibilityTimeout").or_insert("30".into());
                Ok(json!({"Attributes": a}))
            }
            _ => Err("InvalidAction"),
        };
        drop(all);
        self.arrived.notify_all();
        answer
    }

    fn receive(&self, v: &Value) -> Result<Value, &'static str> {
        let name = v["QueueUrl"].as_str().unwrap_or("").rsplit('/').next().unwrap_or("");
        let max = v["MaxNumberOfMessages"].as_u64().unwrap_or(1);
        if !(1..=10).contains(&max) {
            return Err("InvalidParameterValue");
        }
        let mut all = self.all.lock().unwrap();
        let attributes = all.get(name).ok_or("QueueDoesNotExist")?.attributes.clone();
        let number = |k: &str| attributes.get(k).and_then(|x| x.as_str()).and_then(|s| s.parse::<i64>().ok());
        let visibility = v["VisibilityTimeout"].as_i64().or(number("VisibilityTimeout")).unwrap_or(30);
        let deadline =
            now_ms() + 1000 * v["WaitTimeSeconds"].as_i64().or(number("ReceiveMessageWaitTimeSeconds")).unwrap_or(0);
        let redrive: Option<(String, u64)> = attributes
            .get("RedrivePolicy")
            .and_then(|p| serde_json::from_str::<Value>(p.as_str()?).ok())
            .and_then(|p| {
                let n = p["maxReceiveCount"].as_u64().or_else(|| p["maxReceiveCount"].as_str()?.parse().ok())?;
                Some((p["deadLetterTargetArn"].as_str()?.rsplit(':').next()?.to_string(), n))
            });
        loop {
            let now = now_ms();
            let (mut out, mut dead) = (vec![], vec![]);
            let q = all.get_mut(name).ok_or("QueueDoesNotExist")?;
            while (out.len() as u64) < max {
                let Some(&(_, n)) = q.ready.range(..=(now, u64::MAX)).next() else {
                    break;
                };
                if redrive.as_ref().is_some_and(|(_, limit)| q.messages[&n].received >= *limit) {
                    let m = q.messages.remove(&n).unwrap();
                    q.ready.remove(&(m.visible_at, n));
                    dead.push(m);
                    continue;
                }
                q.set_visible(n, now + visibility * 1000);
                let m = q.messages.get_mut(&n).unwrap();
                m.received += 1;
                if m.first == 0 {
                    m.first = now;
                }
                out.push(json!({"MessageId": m.id, "ReceiptHandle": format!("rh-{n}-{}", m.received), "MD5OfBody": m.md5, "Body": m.body,
                    "Attributes": {"ApproximateReceiveCount": m.received.to_string(), "SentTimestamp": m.sent.to_string(), "ApproximateFirstReceiveTimestamp": m.first.to_string(), "SenderId": "AIDAEXAMPLE"}}));
            }
            if let (Some((target, _)), false) = (&redrive, dead.is_empty())
                && let Some(d) = all.get_mut(target)
            {
                for m in dead {
                    let n = d.next;
                    d.next += 1;
                    d.ready.insert((now, n));
                    d.messages.insert(n, Message { visible_at: now, ..m });
                }
            }
            let left = deadline - now;
            if !out.is_empty() || left <= 0 {
                return Ok(if out.is_empty() { json!({}) } else { json!({"Messages": out}) });
            }
            // Wake for arrivals, and often enough to see a message become visible again.
            all = self.arrived.wait_timeout(all, Duration::from_millis(left.clamp(1, 100) as u64)).unwrap().0;
        }
    }
}
