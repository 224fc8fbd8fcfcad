//! A search server on a real socket that keeps templates and policies and has the modules that a test gives it: those that
//! the real servers of the tests lack.

#![allow(clippy::unwrap_used)]

use crate::output::elasticsearch::{Cluster, ElasticsearchConfig};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the server knows and was told.
#[derive(Default)]
pub struct State {
    /// The answer to `GET /`.
    pub greeting: Value,
    /// Beginnings of paths that it answers, each with the status by which it does not, such as 410 for serverless.
    pub lacking: Vec<(&'static str, u16)>,
    /// Bodies that were put, by path.
    pub stored: BTreeMap<String, Value>,
    /// How often each was put.
    pub revisions: BTreeMap<String, u64>,
    /// Answers that are given as they are, by "METHOD /path".
    pub pages: BTreeMap<String, (u16, Value)>,
    /// Everything but questions: "METHOD /path".
    pub orders: Vec<String>,
}

#[derive(Clone)]
pub struct Fake {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Fake {
    pub async fn elasticsearch() -> Fake {
        Fake::start(json!({"version": {"number": "8.19.2"}, "tagline": "You Know, for Search"})).await
    }

    pub async fn opensearch() -> Fake {
        Fake::start(json!({"version": {"number": "2.19.6", "distribution": "opensearch"}, "tagline": ""})).await
    }

    async fn start(greeting: Value) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let fake = Fake { address, state: Arc::new(Mutex::new(State { greeting, ..State::default() })) };
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

    pub fn cluster(&self) -> Cluster {
        let config = json!({"hosts": [format!("http://{}", self.address)], "proxy_disable": true});
        let config: ElasticsearchConfig = serde_json::from_value(config).unwrap();
        Cluster::new(Arc::new(config.settle("default").unwrap())).unwrap()
    }

    /// One request a connection.
    async fn serve(&self, mut socket: TcpStream) {
        let mut read = Vec::new();
        let head = loop {
            if let Some(at) = memchr::memmem::find(&read, b"\r\n\r\n") {
                break at + 4;
            }
            if socket.read_buf(&mut read).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let text = String::from_utf8_lossy(&read[..head]).to_lowercase();
        let length = text.split_once("content-length: ").and_then(|(_, rest)| rest.lines().next()?.parse().ok());
        while read.len() < head + length.unwrap_or(0) {
            if socket.read_buf(&mut read).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let line = String::from_utf8_lossy(&read[..head]).lines().next().unwrap_or_default().to_owned();
        let body = serde_json::from_slice(&read[head..]).unwrap_or(Value::Null);
        let (method, rest) = line.split_once(' ').unwrap_or_default();
        let path = rest.split(' ').next().unwrap_or_default().trim_start_matches('/');
        let (status, answer) = self.state().answer(method, path, body);
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        let _ = socket.write_all(head.as_bytes()).await;
        let _ = socket.write_all(answer.as_bytes()).await;
    }
}

impl State {
    fn answer(&mut self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let is_question = method == "GET" || path.starts_with("_index_template/_simulate");
        if !is_question {
            self.orders.push(format!("{method} /{path}"));
        }
        if let Some(page) = self.pages.get(&format!("{method} /{path}")) {
            return page.clone();
        }
        if let Some((_, status)) = self.lacking.iter().find(|(beginning, _)| path.starts_with(beginning)) {
            return (*status, json!({"error": "no handler found for uri", "status": status}));
        }
        match (method, path) {
            ("GET", "") => (200, self.greeting.clone()),
            ("GET", path) if path.starts_with("_index_template?") => (200, json!({"index_templates": []})),
            ("GET", path) if path.starts_with("_resolve/index/") => (200, json!({"data_streams": []})),
            ("GET", path) => self.get(path).map_or((404, json!({"error": "not found"})), |found| (200, found)),
            ("POST", "_index_template/_simulate") => (200, json!({})),
            ("POST", path) if path.starts_with("_index_template/_simulate_index/") => (400, json!({})),
            ("POST", path) if path.ends_with("/_rollover") => (200, json!({"new_index": "new"})),
            ("PUT", path) => {
                let name = path.split('?').next().unwrap_or_default().to_owned();
                *self.revisions.entry(name.clone()).or_default() += 1;
                self.stored.insert(name, body);
                (200, json!({"acknowledged": true}))
            }
            _ => (400, json!({"error": "no handler found for uri"})),
        }
    }

    /// As each API wraps what is stored.
    fn get(&self, path: &str) -> Option<Value> {
        let stored = self.stored.get(path)?;
        let (call, name) = path.rsplit_once('/')?;
        let revision = self.revisions.get(path).copied().unwrap_or(0);
        Some(match call {
            "_ilm/policy" => {
                let found = json!({"version": revision, "policy": stored["policy"]});
                Value::Object(Map::from_iter([(name.to_owned(), found)]))
            }
            "_plugins/_ism/policies" => {
                json!({"_id": name, "_version": revision, "_seq_no": revision - 1, "_primary_term": 1, "policy": stored["policy"]})
            }
            call => {
                let kind = call.trim_start_matches('_');
                let list = json!([{"name": name, kind: stored}]);
                Value::Object(Map::from_iter([(format!("{kind}s"), list)]))
            }
        })
    }
}
