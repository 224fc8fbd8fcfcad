//! CloudWatch Logs reading: events of a group in the order (timestamp, arrival), pages of at most 1 MB and 10,000 events.

use crate::fault::error;
use crate::http::Response;
use crate::time::now_ms;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Bound;
use std::sync::RwLock;

struct Event {
    stream: usize,
    ingested: i64,
    /// The message already as JSON text.
    message: Box<str>,
}

#[derive(Default)]
struct Group {
    streams: Vec<String>,
    events: BTreeMap<(i64, u64), Event>,
    next: u64,
    created: i64,
}

#[derive(Default)]
pub struct Logs(RwLock<BTreeMap<String, Group>>);

impl Logs {
    pub fn handle(&self, op: &str, v: &Value) -> Response {
        match self.answer(op, v) {
            Ok(body) => Response::new(200, "application/x-amz-json-1.1", body),
            Err(c) => error(true, 400, c, c),
        }
    }

    fn answer(&self, op: &str, v: &Value) -> Result<String, &'static str> {
        let id = v["logGroupName"].as_str().or(v["logGroupIdentifier"].as_str()).unwrap_or("");
        let name = id.rsplit(":log-group:").next().unwrap_or(id).trim_end_matches(":*");
        match op {
            "FilterLogEvents" => filter(self.0.read().unwrap().get(name).ok_or("ResourceNotFoundException")?, v),
            "DescribeLogGroups" => {
                let all = self.0.read().unwrap();
                let prefix = v["logGroupNamePrefix"].as_str().unwrap_or("");
                let after = v["nextToken"].as_str().unwrap_or("");
                let limit = v["limit"].as_u64().unwrap_or(50).min(50) as usize;
                let mut rows = all.iter().filter(|(k, _)| k.starts_with(prefix) && k.as_str() > after);
                let page: Vec<_> = rows.by_ref().take(limit).collect();
                let arn = |k: &str| format!("arn:aws:logs:us-east-1:123456789012:log-group:{k}");
                let groups: Vec<_> = page.iter().map(|(k, g)| json!({"logGroupName": k, "arn": format!("{}:*", arn(k)), "logGroupArn": arn(k), "creationTime": g.created, "storedBytes": 0, "metricFilterCount": 0, "logGroupClass": "STANDARD"})).collect();
                let mut out = json!({"logGroups": groups});
                if rows.next().is_some() {
                    out["nextToken"] = json!(page.last().unwrap().0);
                }
                Ok(out.to_string())
            }
            "DescribeLogStreams" => {
                let all = self.0.read().unwrap();
                let g = all.get(name).ok_or("ResourceNotFoundException")?;
                Ok(json!({"logStreams": g.streams.iter().map(|s| json!({"logStreamName": s, "creationTime": g.created})).collect::<Vec<_>>()}).to_string())
            }
            "CreateLogGroup" => {
                let mut all = self.0.write().unwrap();
                if all.contains_key(name) {
                    return Err("ResourceAlreadyExistsException");
                }
                all.insert(name.into(), Group { created: now_ms(), ..Group::default() });
                Ok("{}".into())
            }
            "CreateLogStream" | "PutLogEvents" => {
                let mut all = self.0.write().unwrap();
                let g = all.get_mut(name).ok_or("ResourceNotFoundException")?;
                let s = v["logStreamName"].as_str().unwrap_or("");
                let stream = g.streams.iter().position(|x| x == s).unwrap_or_else(|| {
                    g.streams.push(s.into());
                    g.streams.len() - 1
                });
                let now = now_ms();
                for e in v["logEvents"].as_array().into_iter().flatten() {
                    let key = (e["timestamp"].as_i64().unwrap_or(0), g.next);
                    g.next += 1;
                    g.events.insert(key, Event { stream, ingested: now, message: e["message"].to_string().into() });
                }
                Ok(json!({"nextSequenceToken": g.next.to_string()}).to_string())
            }
            _ => Err("UnknownOperationException"),
        }
    }
}

fn filter(g: &Group, v: &Value) -> Result<String, &'static str> {
    let limit = v["limit"].as_u64().unwrap_or(10_000);
    if !(1..=10_000).contains(&limit) || (!v["logStreamNames"].is_null() && !v["logStreamNamePrefix"].is_null()) {
        return Err("InvalidParameterException");
    }
    let start = v["startTime"].as_i64().unwrap_or(0);
    let end = v["endTime"].as_i64().unwrap_or(i64::MAX);
    let from = match v["nextToken"].as_str() {
        None => Bound::Included((start, 0)),
        Some(t) => {
            let (a, b) = t.split_once('/').ok_or("InvalidParameterException")?;
            Bound::Excluded((
                a.parse().map_err(|_| "InvalidParameterException")?,
                b.parse().map_err(|_| "InvalidParameterException")?,
            ))
        }
    };
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
    let (mut n, mut size, mut last) = (0, 0, None);
    for (&(ts, id), e) in g.events.range((from, Bound::Included((end, u64::MAX)))).filter(|(_, e)| wanted[e.stream]) {
        if n == limit || size + e.message.len() > 1_048_576 {
            let (a, b): (i64, u64) = last.unwrap();
            let _ = write!(out, "],\"searchedLogStreams\":[],\"nextToken\":\"{a}/{b}\"}}");
            return Ok(out);
        }
        let comma = if n > 0 { "," } else { "" };
        let _ = write!(
            out,
            "{comma}{{\"eventId\":\"{id:056}\",\"timestamp\":{ts},\"ingestionTime\":{},\"logStreamName\":{},\"message\":{}}}",
            e.ingested,
            Value::from(g.streams[e.stream].as_str()),
            e.message
        );
        (n, size, last) = (n + 1, size + e.message.len(), Some((ts, id)));
    }
    out.push_str("],\"searchedLogStreams\":[]}");
    Ok(out)
}
