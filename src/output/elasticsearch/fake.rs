//! A search server on a real socket that answers `_bulk` and fails as a script says; for tests.
//!
//! Keeps documents by `_id` as a data stream does. Each fault of the script serves one bulk request; with the script at
//! its end everything works.

#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What goes wrong with one bulk request.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    None,
    /// The whole request, nothing is stored.
    Status(u16),
    /// Items `from` to `to` (exclusive) alone.
    Items {
        from: usize,
        to: usize,
        status: u16,
    },
    /// Items `from` to `to` go to the failure store.
    FailureStore {
        from: usize,
        to: usize,
    },
    /// The connection breaks before anything is stored.
    BreakBefore,
    /// Everything is stored, then the connection breaks.
    BreakAfter,
    /// Everything is stored, the answer breaks off.
    HalfAnswer,
    /// One item is missing in the answer.
    ItemMissing,
    /// 200 with a page of something else.
    Page,
    /// Stored, but no answer for as long as the connection lasts.
    Silence,
    /// Everything is stored, the stream rolls over, then the connection breaks.
    BreakAfterRollover,
}

/// What the server knows and does.
#[derive(Default)]
pub struct State {
    pub script: VecDeque<Fault>,
    /// In the newest backing index.
    pub stored: BTreeSet<String>,
    /// In the backing indices before it, the oldest first.
    pub earlier: Vec<BTreeSet<String>>,
    /// Status of the answer to questions about what is stored, when they are refused.
    pub no_looks: Option<u16>,
    /// Questions for ids that were answered, and questions that were refused.
    pub looks: usize,
    pub refused_looks: usize,
    pub failure_store: BTreeSet<String>,
    /// Whether the write index is blocked, and has a failure store that takes everything meanwhile.
    pub blocked: bool,
    /// Documents that the failure store took, counted as often as they came.
    pub copies: usize,
    /// Questions for blocks, and the status that they are answered with when they are refused.
    pub asked_for_blocks: usize,
    pub no_settings: Option<u16>,
    /// Ids of each bulk request that was understood, in order.
    pub requests: Vec<Vec<String>>,
    /// Plain bytes above which a request is refused with 413.
    pub largest: Option<usize>,
    /// Plain bytes above which a request is refused with 429, as by a server with little memory for requests.
    pub memory: Option<usize>,
    /// Ids that make a whole request fail with 400.
    pub poison: BTreeSet<String>,
    /// Ids that are always refused, with status and error type.
    pub refused: BTreeMap<String, (u16, &'static str)>,
    /// Headers of the last bulk request, in lower case.
    pub headers: BTreeMap<String, String>,
    /// Request line of the last bulk request.
    pub line: String,
    /// Answers to other requests, by "METHOD /path".
    pub pages: BTreeMap<String, (u16, Value)>,
}

#[derive(Clone)]
pub struct Fake {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Fake {
    /// Serves on a free port of this machine until the runtime ends.
    pub async fn start(script: Vec<Fault>) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { script: script.into(), ..State::default() }));
        let fake = Fake { address, state };
        let serving = fake.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let fake = serving.clone();
                tokio::spawn(async move { fake.serve(socket).await });
            }
        });
        fake
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn serve(&self, mut socket: TcpStream) {
        let mut read = Vec::new();
        while let Some((line, headers, body)) = request(&mut socket, &mut read).await {
            let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
            if !path.split('?').next().unwrap_or_default().ends_with("/_bulk") {
                let method = line.split(' ').next().unwrap_or_default();
                let found = self.state().pages.get(&format!("{method} {path}")).cloned();
                let found = found.or_else(|| self.state().look(&path, &body));
                let (status, page) = found.unwrap_or((404, json!({"error": "no such page"})));
                answer(&mut socket, status, page.to_string().as_bytes()).await;
                continue;
            }
            let fault = {
                let mut state = self.state();
                state.headers = headers.clone();
                state.line = line.clone();
                state.script.pop_front().unwrap_or(Fault::None)
            };
            if fault == Fault::BreakBefore {
                return;
            }
            let plain = if headers.get("content-encoding").is_some_and(|value| value == "gzip") {
                let mut inflated = Vec::new();
                flate2::read::MultiGzDecoder::new(&body[..]).read_to_end(&mut inflated).unwrap();
                inflated
            } else {
                body
            };
            let (status, text) = self.state().bulk(&plain, &fault);
            match fault {
                Fault::BreakAfter => return,
                Fault::BreakAfterRollover => return self.state().roll_over(),
                Fault::Silence => {
                    let _ = socket.read_to_end(&mut Vec::new()).await;
                    return;
                }
                Fault::HalfAnswer => {
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", text.len());
                    let _ = socket.write_all(head.as_bytes()).await;
                    let _ = socket.write_all(&text.as_bytes()[..text.len() / 2]).await;
                    return;
                }
                _ => answer(&mut socket, status, text.as_bytes()).await,
            }
        }
    }
}

impl State {
    /// Begins another backing index.
    pub fn roll_over(&mut self) {
        let full = std::mem::take(&mut self.stored);
        self.earlier.push(full);
    }

    /// The names of the backing indices, and which ids one of them has.
    fn look(&mut self, path: &str, body: &[u8]) -> Option<(u16, Value)> {
        let (path, _) = path.split_once('?')?;
        let (index, question) = path.trim_start_matches('/').rsplit_once('/')?;
        if question == "_settings" {
            self.asked_for_blocks += 1;
            return Some(self.settings(index));
        }
        if let Some(status) = self.no_looks {
            self.refused_looks += 1;
            return Some((status, json!({"error": {"type": "scripted", "reason": "as asked"}})));
        }
        match question {
            "_field_caps" => {
                let names: Vec<String> =
                    (1..=self.earlier.len() + 1).rev().map(|number| format!(".ds-{index}-{number:06}")).collect();
                Some((200, json!({"indices": names})))
            }
            "_mget" => {
                self.looks += 1;
                let number: usize = index.rsplit_once('-')?.1.parse().ok()?;
                let has = self.earlier.get(number - 1).unwrap_or(&self.stored);
                let asked: Value = serde_json::from_slice(body).ok()?;
                let ids = asked["ids"].as_array()?.iter().filter_map(Value::as_str);
                let docs: Vec<Value> = ids.map(|id| json!({"_id": id, "found": has.contains(id)})).collect();
                Some((200, json!({"docs": docs})))
            }
            _ => None,
        }
    }

    /// The settings of the backing indices: those before the newest are always blocked.
    fn settings(&self, index: &str) -> (u16, Value) {
        if let Some(status) = self.no_settings {
            return (status, json!({"error": {"type": "scripted", "reason": "as asked"}}));
        }
        let newest = self.earlier.len() + 1;
        let indices = (1..=newest).map(|number| {
            let blocks = if number < newest || self.blocked { json!({"write": "true"}) } else { json!({}) };
            let settings = json!({"settings": {"index": {"uuid": number.to_string(), "blocks": blocks}}});
            (format!(".ds-{index}-2026.01.02-{number:06}"), settings)
        });
        (200, Value::Object(indices.collect()))
    }

    fn bulk(&mut self, plain: &[u8], fault: &Fault) -> (u16, String) {
        let refusal = |status: u16| {
            (status, json!({"error": {"type": "scripted", "reason": "as asked"}, "status": status}).to_string())
        };
        if let Fault::Status(status) = fault {
            return refusal(*status);
        }
        if self.largest.is_some_and(|largest| plain.len() > largest) {
            return refusal(413);
        }
        if self.memory.is_some_and(|memory| plain.len() > memory) {
            return refusal(429);
        }
        assert!(plain.ends_with(b"\n"), "a bulk ends in a newline");
        let lines: Vec<&str> = std::str::from_utf8(plain).unwrap().lines().collect();
        let ids: Vec<String> = lines
            .chunks(2)
            .map(|pair| {
                let action: Value = serde_json::from_str(pair[0]).unwrap();
                let document: Value = serde_json::from_str(pair[1]).unwrap();
                assert!(document.is_object());
                action["create"]["_id"].as_str().unwrap().to_owned()
            })
            .collect();
        self.requests.push(ids.clone());
        if ids.iter().any(|id| self.poison.contains(id)) {
            return refusal(400);
        }
        let mut items: Vec<Value> = ids.iter().enumerate().map(|(at, id)| self.create(at, id, fault)).collect();
        if *fault == Fault::ItemMissing {
            items.pop();
        }
        if *fault == Fault::Page {
            return (200, "<html>welcome</html>".to_owned());
        }
        let errors = items.iter().any(|item| item["create"].get("error").is_some());
        (200, json!({"errors": errors, "items": items}).to_string())
    }

    fn create(&mut self, at: usize, id: &str, fault: &Fault) -> Value {
        let error = |status: u16, kind: &str| json!({"create": {"status": status, "error": {"type": kind, "reason": "as asked"}}});
        match fault {
            Fault::Items { from, to, status } if (*from..*to).contains(&at) => {
                return error(*status, "scripted");
            }
            Fault::FailureStore { from, to } if (*from..*to).contains(&at) => {
                self.copies += 1;
                self.failure_store.insert(id.to_owned());
                return json!({"create": {"status": 201, "failure_store": "used"}});
            }
            _ if self.blocked => {
                self.copies += 1;
                return json!({"create": {"status": 201, "failure_store": "used"}});
            }
            _ => {}
        }
        if let Some((status, kind)) = self.refused.get(id) {
            return error(*status, kind);
        }
        if self.stored.insert(id.to_owned()) {
            json!({"create": {"status": 201}})
        } else {
            error(409, "version_conflict_engine_exception")
        }
    }
}

type Head = (String, BTreeMap<String, String>, Vec<u8>);

/// The next request on a connection; `None` at its end.
async fn request(socket: &mut TcpStream, read: &mut Vec<u8>) -> Option<Head> {
    let end = loop {
        if let Some(at) = memchr::memmem::find(read, b"\r\n\r\n") {
            break at + 4;
        }
        if socket.read_buf(read).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    read.drain(..end);
    let mut lines = head.lines();
    let line = lines.next()?.to_owned();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
    while read.len() < length {
        if socket.read_buf(read).await.ok()? == 0 {
            return None;
        }
    }
    let body = read.drain(..length).collect();
    Some((line, headers, body))
}

async fn answer(socket: &mut TcpStream, status: u16, body: &[u8]) {
    let head =
        format!("HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    let _ = socket.write_all(head.as_bytes()).await;
    let _ = socket.write_all(body).await;
}
