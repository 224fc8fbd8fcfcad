//! CloudWatch Logs reading: events of a group in the order (timestamp, arrival), pages of at most 1 MB and 10,000 events.
//!
//! `PUT /_logs` with a JSON object says how pages come: `page_events` (events of a page, at most), `empty_every`,
//! `repeat_every` (each n-th answer is an empty page with a token, the same page again); `{}` undoes it. `POST /_logs` makes
//! events: `group`, `stream`, `count`, `start` (ms), `step_ms`, `message` (`@N@` becomes a number of 12 digits from `first` on).

use crate::fault::error;
use crate::http::Response;
use crate::time::now_ms;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, RwLock};

struct Event {
    stream: usize,
    ingested: i64,
    message: Message,
}

/// The message, as JSON text.
enum Message {
    Own(Box<str>),
    /// A text with a number in place of `@N@`, so that a million events fit in memory.
    Made(Arc<str>, u64),
}

#[derive(Default)]
struct Group {
    streams: Vec<String>,
    events: BTreeMap<(i64, u64), Event>,
    next: u64,
    created: i64,
    class: String,
}

#[derive(Default)]
struct Manner {
    page_events: u64,
    empty_every: u64,
    repeat_every: u64,
    answers: AtomicU64,
}

#[derive(Default)]
pub struct Logs {
    groups: RwLock<BTreeMap<String, Group>>,
    manner: RwLock<Manner>,
}

type Refusal = &'static str;

impl Logs {
    pub fn handle(&self, op: &str, v: &Value) -> Response {
        match self.answer(op, v) {
            Ok(body) => Response::new(200, "application/x-amz-json-1.1", body),
            Err(c) => error(true, 400, c, c),
        }
    }

    pub fn set_manner(&self, v: &Value) {
        let of = |key: &str| v[key].as_u64().unwrap_or(0);
        *self.manner.write().unwrap() = Manner {
            page_events: of("page_events"),
            empty_every: of("empty_every"),
            repeat_every: of("repeat_every"),
            answers: AtomicU64::new(0),
        };
    }

    pub fn make(&self, v: &Value) {
        let mut all = self.groups.write().unwrap();
        let group = all.entry(v["group"].as_str().unwrap_or("").into()).or_insert_with(|| Group::new("STANDARD"));
        let stream = group.stream(v["stream"].as_str().unwrap_or(""));
        let (text, first): (Arc<str>, u64) = (v["message"].to_string().into(), v["first"].as_u64().unwrap_or(0));
        let (start, step) = (v["start"].as_i64().unwrap_or(0), v["step_ms"].as_i64().unwrap_or(1));
        for n in 0..v["count"].as_u64().unwrap_or(0) {
            group.add(start + step * n as i64, stream, Message::Made(text.clone(), first + n));
        }
    }

    fn answer(&self, op: &str, v: &Value) -> Result<String, Refusal> {
        let id = v["logGroupName"].as_str().or(v["logGroupIdentifier"].as_str()).unwrap_or("");
        let name = id.rsplit(":log-group:").next().unwrap_or(id).trim_end_matches(":*");
        match op {
            "FilterLogEvents" => {
                let all = self.groups.read().unwrap();
                let group = all.get(name).ok_or("ResourceNotFoundException")?;
                if group.class != "STANDARD" {
                    return Err("InvalidOperationException");
                }
                filter(group, v, &self.manner.read().unwrap())
            }
            "DescribeLogGroups" => describe(&self.groups.read().unwrap(), v),
            "DescribeLogStreams" => {
                let all = self.groups.read().unwrap();
                let g = all.get(name).ok_or("ResourceNotFoundException")?;
                Ok(json!({"logStreams": g.streams.iter().map(|s| json!({"logStreamName": s, "creationTime": g.created})).collect::<Vec<_>>()}).to_string())
            }
            "CreateLogGroup" => {
                let mut all = self.groups.write().unwrap();
                if all.contains_key(name) {
                    return Err("ResourceAlreadyExistsException");
                }
                all.insert(name.into(), Group::new(v["logGroupClass"].as_str().unwrap_or("STANDARD")));
                Ok("{}".into())
            }
            "DeleteLogGroup" => {
                self.groups.write().unwrap().remove(name).ok_or("ResourceNotFoundException")?;
                Ok("{}".into())
            }
            "CreateLogStream" | "PutLogEvents" => {
                let mut all = self.groups.write().unwrap();
                let g = all.get_mut(name).ok_or("ResourceNotFoundException")?;
                let stream = g.stream(v["logStreamName"].as_str().unwrap_or(""));
                for e in v["logEvents"].as_array().into_iter().flatten() {
                    let time = e["timestamp"].as_i64().unwrap_or(0);
                    g.add(time, stream, Message::Own(e["message"].to_string().into()));
                }
                Ok(json!({"nextSequenceToken": g.next.to_string()}).to_string())
            }
            _ => Err("UnknownOperationException"),
        }
    }
}

impl Group {
    fn new(class: &str) -> Group {
        Group { created: now_ms(), class: class.into(), ..Group::default() }
    }

    fn stream(&mut self, name: &str) -> usize {
        self.streams.iter().position(|known| known == name).unwrap_or_else(|| {
            self.streams.push(name.into());
            self.streams.len() - 1
        })
    }

    fn add(&mut self, time: i64, stream: usize, message: Message) {
        self.events.insert((time, self.next), Event { stream, ingested: now_ms(), message });
        self.next += 1;
    }
}

impl Message {
    fn len(&self) -> usize {
        match self {
            Message::Own(text) => text.len(),
            Message::Made(text, _) => text.len() + 9,
        }
    }

    fn write(&self, out: &mut String) {
        match self {
            Message::Own(text) => out.push_str(text),
            Message::Made(text, n) => out.push_str(&text.replace("@N@", &format!("{n:012}"))),
        }
    }
}

fn describe(all: &BTreeMap<String, Group>, v: &Value) -> Result<String, Refusal> {
    let prefix = v["logGroupNamePrefix"].as_str().unwrap_or("");
    let after = v["nextToken"].as_str().unwrap_or("");
    let limit = v["limit"].as_u64().unwrap_or(50).min(50) as usize;
    let mut rows = all.iter().filter(|(k, _)| k.starts_with(prefix) && k.as_str() > after);
    let page: Vec<_> = rows.by_ref().take(limit).collect();
    let arn = |k: &str| format!("arn:aws:logs:us-east-1:123456789012:log-group:{k}");
    let groups: Vec<_> = page.iter().map(|(k, g)| json!({"logGroupName": k, "arn": format!("{}:*", arn(k)), "logGroupArn": arn(k), "creationTime": g.created, "storedBytes": 0, "metricFilterCount": 0, "logGroupClass": g.class})).collect();
    let mut out = json!({"logGroups": groups});
    if rows.next().is_some() {
        out["nextToken"] = json!(page.last().unwrap().0);
    }
    Ok(out.to_string())
}

/// A token is `TIME/ID`: what comes after that event. In front of it the answer that gave it, so that no two are the same.
fn filter(g: &Group, v: &Value, manner: &Manner) -> Result<String, Refusal> {
    let limit = v["limit"].as_u64().unwrap_or(10_000);
    if !(1..=10_000).contains(&limit) || (!v["logStreamNames"].is_null() && !v["logStreamNamePrefix"].is_null()) {
        return Err("InvalidParameterException");
    }
    let limit = if manner.page_events > 0 { limit.min(manner.page_events) } else { limit };
    let start = v["startTime"].as_i64().unwrap_or(0);
    let end = v["endTime"].as_i64().unwrap_or(i64::MAX);
    let token = v["nextToken"].as_str().map(|text| text.split_once(':').map_or(text, |(_, rest)| rest));
    let from = match token {
        None | Some("start") => Bound::Included((start, 0)),
        Some(t) => {
            let (a, b) = t.split_once('/').ok_or("InvalidParameterException")?;
            Bound::Excluded((
                a.parse().map_err(|_| "InvalidParameterException")?,
                b.parse().map_err(|_| "InvalidParameterException")?,
            ))
        }
    };
    let answer = manner.answers.fetch_add(1, Relaxed) + 1;
    let nth = |every: u64| every > 0 && answer.is_multiple_of(every);
    let here = token.unwrap_or("start");
    if nth(manner.empty_every) {
        return Ok(format!("{{\"events\":[],\"searchedLogStreams\":[],\"nextToken\":\"{answer}:{here}\"}}"));
    }
    let wanted: Vec<bool> = g
        .streams
        .iter()
        .map(|s| match (&v["logStreamNames"], v["logStreamNamePrefix"].as_str()) {
            (Value::Array(names), _) => names.iter().any(|n| n == s),
            (_, Some(p)) => s.starts_with(p),
            _ => true,
        })
        .collect();
    let mut out = String::from("{\"events\":[");
    let (mut n, mut size, mut last, mut more) = (0, 0, None, None);
    for (&(ts, id), e) in g.events.range((from, Bound::Included((end, u64::MAX)))).filter(|(_, e)| wanted[e.stream]) {
        if n == limit || size + e.message.len() > 1_048_576 {
            let (a, b): (i64, u64) = last.unwrap();
            more = Some(format!("{a}/{b}"));
            break;
        }
        let comma = if n > 0 { "," } else { "" };
        let _ = write!(
            out,
            "{comma}{{\"eventId\":\"{id:056}\",\"timestamp\":{ts},\"ingestionTime\":{},\"logStreamName\":{},\"message\":",
            e.ingested,
            Value::from(g.streams[e.stream].as_str()),
        );
        e.message.write(&mut out);
        out.push('}');
        (n, size, last) = (n + 1, size + e.message.len(), Some((ts, id)));
    }
    if nth(manner.repeat_every) {
        more = Some(here.to_owned());
    }
    out.push_str("],\"searchedLogStreams\":[]");
    if let Some(token) = more {
        let _ = write!(out, ",\"nextToken\":\"{answer}:{token}\"");
    }
    out.push('}');
    Ok(out)
}
