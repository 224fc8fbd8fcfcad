//! Rules that spoil chosen requests. `PUT /_faults` takes a JSON array of rules, `GET /_faults` shows them with their hit counts.
//!
//! A rule: `op` (GetObject, ReceiveMessage, ... or `*`), `contains` (text in path or body), `skip`, `times`,
//! then what happens: `status` + `code` (+ `message`), `cut_after`, `reset`, `rate`, `delay_ms`, `skew_s`, `after` (do the work, then spoil the answer).

use crate::http::{Request, Response, Wire};
use serde_json::{Value, json};
use std::time::Duration;

pub struct Rule {
    spec: Value,
    seen: u64,
    hits: u64,
}

#[derive(Default)]
pub struct Faults(Vec<Rule>);

pub struct Hit {
    pub wire: Wire,
    pub answer: Option<Response>,
    pub after: bool,
}

impl Faults {
    pub fn set(&mut self, v: &Value) {
        self.0 = v.as_array().into_iter().flatten().map(|r| Rule { spec: r.clone(), seen: 0, hits: 0 }).collect();
    }

    pub fn show(&self) -> Value {
        self.0.iter().map(|r| json!({"rule": r.spec, "seen": r.seen, "hits": r.hits})).collect()
    }

    pub fn find(&mut self, op: &str, req: &Request, json_protocol: bool) -> Option<Hit> {
        for r in &mut self.0 {
            let s = &r.spec;
            if !matches!(s["op"].as_str(), Some(o) if o == "*" || o == op) {
                continue;
            }
            if let Some(t) = s["contains"].as_str()
                && !req.path.contains(t)
                && !String::from_utf8_lossy(&req.body).contains(t)
            {
                continue;
            }
            r.seen += 1;
            if r.seen <= s["skip"].as_u64().unwrap_or(0) || r.hits >= s["times"].as_u64().unwrap_or(u64::MAX) {
                continue;
            }
            r.hits += 1;
            let wire = Wire {
                cut_after: s["cut_after"].as_u64().map(|n| n as usize),
                reset: s["reset"].as_bool().unwrap_or(false),
                rate: s["rate"].as_u64(),
                delay: Duration::from_millis(s["delay_ms"].as_u64().unwrap_or(0)),
                skew: s["skew_s"].as_i64().unwrap_or(0),
            };
            let answer = s["status"].as_u64().map(|st| {
                error(
                    json_protocol,
                    st as u16,
                    s["code"].as_str().unwrap_or("InternalError"),
                    s["message"].as_str().unwrap_or("injected"),
                )
            });
            return Some(Hit { wire, answer, after: s["after"].as_bool().unwrap_or(false) });
        }
        None
    }
}

pub fn error(json_protocol: bool, status: u16, code: &str, message: &str) -> Response {
    if json_protocol {
        Response::new(status, "application/x-amz-json-1.0", json!({"__type": code, "message": message}).to_string())
    } else {
        Response::new(
            status,
            "application/xml",
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message><RequestId>0</RequestId></Error>"
            ),
        )
    }
}
