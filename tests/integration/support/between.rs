//! Stands between the program and a real server, notes every call, and spoils those that a rule names.
//!
//! A call is read whole, passed on whole, and its answer read whole; what is spoilt is what the program sees of it. Also
//! a plain forward proxy (`proxy_url`): requests with a whole address, and tunnels.

use reqwest::Method;
use serde_json::{Value, json};
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A place that the program is sent to instead of the server's.
pub struct Between {
    pub url: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

/// One request of the program's.
#[derive(Clone)]
pub struct Call {
    pub method: String,
    /// Path and query; a whole address where a proxy is asked.
    pub target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// How many calls of this operation came before.
    pub before: usize,
}

/// What becomes of a call.
pub enum Fate {
    Pass,
    /// Passed on after a pause.
    Late(Duration),
    /// Not passed on; answered with status, kind and text.
    Refuse(u16, &'static str, String),
    /// The same, with headers.
    RefuseWith(u16, Vec<(&'static str, String)>, String),
    /// Not passed on; the connection ends.
    Break,
    /// Passed on; the connection ends without an answer.
    Lose,
    /// Passed on; the answer ends after these bytes of its body.
    Cut(usize),
    /// Passed on; the first function changes the request's body, the second the answer's.
    Change(fn(Value) -> Value, fn(Value) -> Value),
    /// Documents of a bulk at these places are not passed on, but answered with this status and type.
    Items(Vec<usize>, u16, &'static str),
}

type Rule = dyn Fn(&Call) -> Fate + Send + Sync;

impl Between {
    /// In front of the server at `server`.
    pub async fn new(server: &str, rule: impl Fn(&Call) -> Fate + Send + Sync + 'static) -> Between {
        Between::listen(Some(server.to_owned()), Arc::new(rule)).await
    }

    /// A proxy to wherever it is asked for.
    pub async fn proxy() -> Between {
        Between::listen(None, Arc::new(|_: &Call| Fate::Pass)).await
    }

    async fn listen(server: Option<String>, rule: Arc<Rule>) -> Between {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let line = Line {
            server,
            rule,
            calls: Arc::clone(&calls),
            http: reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap(),
        };
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let line = line.clone();
                tokio::spawn(async move { line.serve(socket).await });
            }
        });
        Between { url, calls }
    }

    /// Calls of an operation so far.
    pub fn calls(&self, operation: &str) -> Vec<Call> {
        self.calls.lock().unwrap().iter().filter(|call| call.operation() == operation).cloned().collect()
    }

    pub fn count(&self, operation: &str) -> usize {
        self.calls(operation).len()
    }
}

impl Call {
    /// `_bulk`, the name of an AWS operation, `GetObject` for a read of an object, else the method.
    pub fn operation(&self) -> String {
        let path = self.target.split('?').next().unwrap_or_default();
        if let Some((_, action)) = self.header("x-amz-target").rsplit_once('.') {
            return action.to_owned();
        }
        if path.ends_with("/_bulk") {
            return "_bulk".to_owned();
        }
        let path = path.split_once("://").map_or(path, |(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
        let key = path.trim_start_matches('/').split_once('/').is_some_and(|(_, key)| !key.is_empty());
        let read = self.method == "GET" && key && !self.header("authorization").is_empty();
        if read { "GetObject".to_owned() } else { self.method.clone() }
    }

    pub fn is(&self, operation: &str) -> bool {
        self.operation() == operation
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }

    /// The plain text of the body.
    pub fn body(&self) -> Vec<u8> {
        if self.header("content-encoding") != "gzip" {
            return self.body.clone();
        }
        let mut plain = Vec::new();
        flate2::read::MultiGzDecoder::new(&self.body[..]).read_to_end(&mut plain).unwrap();
        plain
    }

    /// Action and document of each item of a bulk.
    pub fn items(&self) -> Vec<(Value, String)> {
        let text = String::from_utf8(self.body()).unwrap();
        let mut lines = text.lines();
        let mut items = Vec::new();
        while let (Some(action), Some(document)) = (lines.next(), lines.next()) {
            items.push((serde_json::from_str(action).unwrap(), document.to_owned()));
        }
        items
    }
}

#[derive(Clone)]
struct Line {
    /// `None`: a proxy.
    server: Option<String>,
    rule: Arc<Rule>,
    calls: Arc<Mutex<Vec<Call>>>,
    http: reqwest::Client,
}

struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Line {
    /// One connection, to its end.
    async fn serve(&self, mut socket: TcpStream) {
        let mut read = Vec::new();
        while let Some(mut call) = request(&mut socket, &mut read).await {
            {
                let mut calls = self.calls.lock().unwrap();
                call.before = calls.iter().filter(|other| other.operation() == call.operation()).count();
                calls.push(call.clone());
            }
            if call.method == "CONNECT" {
                return tunnel(socket, &call.target).await;
            }
            let reply = match (self.rule)(&call) {
                Fate::Pass => self.ask(&call, call.body.clone()).await,
                Fate::Late(pause) => {
                    tokio::time::sleep(pause).await;
                    self.ask(&call, call.body.clone()).await
                }
                Fate::Refuse(status, kind, text) => {
                    let headers = vec![("content-type".to_owned(), kind.to_owned())];
                    Some(Reply { status, headers, body: text.into_bytes() })
                }
                Fate::RefuseWith(status, headers, text) => {
                    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                    Some(Reply { status, headers, body: text.into_bytes() })
                }
                Fate::Break => None,
                Fate::Lose => {
                    self.ask(&call, call.body.clone()).await;
                    None
                }
                Fate::Cut(bytes) => {
                    if let Some(reply) = self.ask(&call, call.body.clone()).await {
                        let text = written(&call, &reply);
                        let head = text.len() - reply.body.len();
                        let _ = socket.write_all(&text[..(head + bytes).min(text.len() - 1)]).await;
                    }
                    None
                }
                Fate::Change(request, answer) => {
                    let body = match serde_json::from_slice(&call.body) {
                        Ok(body) => request(body).to_string().into_bytes(),
                        Err(_) => call.body.clone(),
                    };
                    let reply = self.ask(&call, body).await;
                    reply.map(|reply| match serde_json::from_slice(&reply.body) {
                        Ok(value) => Reply { body: answer(value).to_string().into_bytes(), ..reply },
                        Err(_) => reply,
                    })
                }
                Fate::Items(places, status, kind) => self.without(&call, &places, status, kind).await,
            };
            let Some(reply) = reply else { return };
            if socket.write_all(&written(&call, &reply)).await.is_err() {
                return;
            }
        }
    }

    /// The real server's answer; `None` where there is none.
    async fn ask(&self, call: &Call, body: Vec<u8>) -> Option<Reply> {
        let url = match &self.server {
            Some(server) => format!("{server}{}", call.target),
            None => call.target.clone(),
        };
        let mut request = self.http.request(Method::from_bytes(call.method.as_bytes()).unwrap(), url).body(body);
        for (name, value) in &call.headers {
            if !matches!(name.as_str(), "host" | "content-length" | "connection" | "transfer-encoding") {
                request = request.header(name, value);
            }
        }
        let answer = request.send().await.ok()?;
        let headers = answer.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()));
        Some(Reply {
            status: answer.status().as_u16(),
            headers: headers.collect(),
            body: answer.bytes().await.ok()?.to_vec(),
        })
    }

    /// A bulk without the documents at `places`, which are answered as if the server had refused them.
    async fn without(&self, call: &Call, places: &[usize], status: u16, kind: &str) -> Option<Reply> {
        let items = call.items();
        let mut text = String::new();
        for (_, (action, document)) in items.iter().enumerate().filter(|(place, _)| !places.contains(place)) {
            text.push_str(&format!("{action}\n{document}\n"));
        }
        let mut answered = Vec::new();
        if !text.is_empty() {
            let headers = call.headers.iter().filter(|(name, _)| name != "content-encoding").cloned().collect();
            let plain = Call { headers, ..call.clone() };
            let reply = self.ask(&plain, text.into_bytes()).await?;
            let value: Value = serde_json::from_slice(&reply.body).ok()?;
            let Some(told) = value["items"].as_array() else { return Some(reply) };
            answered = told.clone();
        }
        let mut answered = answered.into_iter();
        let told: Vec<Value> = (0..items.len())
            .map(|place| match places.contains(&place) {
                true => json!({"create": {"status": status, "error": {"type": kind, "reason": "as asked"}}}),
                false => answered.next().unwrap(),
            })
            .collect();
        let body = json!({"errors": true, "items": told}).to_string().into_bytes();
        Some(Reply { status: 200, headers: vec![("content-type".into(), "application/json".into())], body })
    }
}

fn written(call: &Call, reply: &Reply) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {} Told\r\n", reply.status);
    let mut length = reply.body.len().to_string();
    for (name, value) in &reply.headers {
        match name.as_str() {
            "connection" | "transfer-encoding" => {}
            "content-length" if call.method == "HEAD" => length.clone_from(value),
            "content-length" => {}
            _ => text.push_str(&format!("{name}: {value}\r\n")),
        }
    }
    text.push_str(&format!("content-length: {length}\r\n\r\n"));
    [text.as_bytes(), &reply.body].concat()
}

async fn tunnel(mut socket: TcpStream, to: &str) {
    let Ok(mut server) = TcpStream::connect(to).await else { return };
    let _ = socket.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await;
    let _ = tokio::io::copy_bidirectional(&mut socket, &mut server).await;
}

/// The next request; `None` at the end of the connection.
async fn request(socket: &mut TcpStream, read: &mut Vec<u8>) -> Option<Call> {
    let end = loop {
        if let Some(at) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        more(socket, read).await?;
    };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    read.drain(..end + 4);
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, n)| n.parse().unwrap());
    while read.len() < length {
        more(socket, read).await?;
    }
    let body = read.drain(..length).collect();
    Some(Call { method, target, headers, body, before: 0 })
}

async fn more(socket: &mut TcpStream, read: &mut Vec<u8>) -> Option<()> {
    let mut piece = [0; 64 << 10];
    let n = socket.read(&mut piece).await.ok()?;
    read.extend_from_slice(&piece[..n]);
    (n > 0).then_some(())
}
