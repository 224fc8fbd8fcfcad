//! A Kibana on a real socket that keeps what it is given and fails as a script says; for tests.
//!
//! Answers as Kibana documents it: status, spaces, import and export of saved objects and of detection rules. Each fault
//! of the script serves one request; with the script at its end everything works.

#![allow(clippy::unwrap_used, clippy::panic, dead_code, reason = "a test fails by panicking, and uses what it needs")]

mod wire;

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use wire::{file, lines, request};

/// Newest form of saved objects that this Kibana knows.
const NEWEST: [u64; 3] = [8, 9, 0];
const KNOWN_TYPES: [&str; 2] = ["dashboard", "index-pattern"];
const RESOLVABLE: [&str; 3] = ["conflict", "ambiguous_conflict", "missing_references"];

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    None,
    /// 503 of a Kibana that starts.
    Starting,
    /// 503 of a Kibana that is up while its Elasticsearch is not.
    Unavailable,
    /// Refused in Kibana's form.
    Status(u16),
    /// A proxy's page in HTML.
    Page(u16),
    /// The connection breaks before anything is done.
    Cut,
    /// Everything is done, then the connection breaks.
    CutAfter,
}

/// Space, type and id; rules have the type `rule`.
type Name = (String, String, String);

/// What the server knows and does.
pub struct State {
    pub script: VecDeque<Fault>,
    /// Serves every request for which the script has nothing.
    pub always: Fault,
    /// `None` tells no version, as to those it does not know.
    pub version: Option<String>,
    /// The `authorization` that is let in.
    pub authorization: Option<String>,
    /// Parts of paths that the login has no privilege for.
    pub denied: Vec<&'static str>,
    pub spaces: BTreeSet<String>,
    pub has_security: bool,
    /// Longest body, in bytes.
    pub largest: usize,
    /// Errors of single objects, by id.
    pub refused: BTreeMap<String, Value>,
    /// Ids that are given to objects whose id belongs to another space.
    pub moved: BTreeMap<String, String>,
    pub kept: BTreeMap<Name, Value>,
    /// Every request, as in `POST /api/status`, in order.
    pub asked: Vec<String>,
    /// Headers of the last request, in lower case.
    pub headers: BTreeMap<String, String>,
}

#[derive(Clone)]
pub struct Fake {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Fake {
    /// Serves on a free port of this machine until the runtime ends.
    pub async fn start(script: &[Fault]) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let fake = Fake { address, state: Arc::new(Mutex::new(State::new(script))) };
        let serving = fake.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let fake = serving.clone();
                tokio::spawn(async move { fake.serve(socket).await });
            }
        });
        fake
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn serve(&self, mut socket: TcpStream) {
        let mut read = Vec::new();
        while let Some((line, headers, body)) = request(&mut socket, &mut read).await {
            let (fault, (status, kind, text)) = {
                let mut state = self.state();
                let mut parts = line.split(' ');
                let (method, path) = (parts.next().unwrap(), parts.next().unwrap());
                state.asked.push(format!("{method} {path}"));
                state.headers = headers;
                let always = state.always;
                let fault = state.script.pop_front().unwrap_or(always);
                (fault, state.answer(fault, method, path, &body))
            };
            if matches!(fault, Fault::Cut | Fault::CutAfter) {
                return;
            }
            let head = format!("HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", text.len());
            if socket.write_all(head.as_bytes()).await.is_err() || socket.write_all(text.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

type Reply = (u16, &'static str, String);

impl State {
    fn new(script: &[Fault]) -> State {
        State {
            script: script.iter().copied().collect(),
            always: Fault::None,
            version: Some("9.2.0".to_owned()),
            authorization: None,
            denied: Vec::new(),
            spaces: ["default".to_owned()].into(),
            has_security: true,
            largest: 25 << 20,
            refused: BTreeMap::new(),
            moved: BTreeMap::new(),
            kept: BTreeMap::new(),
            asked: Vec::new(),
            headers: BTreeMap::new(),
        }
    }

    /// How often something was imported.
    pub fn imports(&self) -> usize {
        self.asked.iter().filter(|asked| asked.contains("/_import")).count()
    }

    /// An object of the default space.
    pub fn object(&self, kind: &str, id: &str) -> Option<&Value> {
        self.kept.get(&("default".to_owned(), kind.to_owned(), id.to_owned()))
    }

    /// Changes an object of the default space.
    pub fn change(&mut self, kind: &str, id: &str, change: impl FnOnce(&mut Value)) {
        change(self.kept.get_mut(&("default".to_owned(), kind.to_owned(), id.to_owned())).unwrap());
    }

    fn answer(&mut self, fault: Fault, method: &str, path: &str, body: &[u8]) -> Reply {
        match fault {
            Fault::None | Fault::CutAfter => self.route(method, path, body),
            Fault::Cut => refusal(500, ""),
            Fault::Starting => (503, "text/plain", "Kibana server is not ready yet".to_owned()),
            Fault::Unavailable => {
                let status = json!({"overall": {"level": "unavailable", "summary": "elasticsearch is unavailable"}});
                (503, "application/json", json!({"version": {"number": "9.2.0"}, "status": status}).to_string())
            }
            Fault::Status(status) => refusal(status, "as asked"),
            Fault::Page(status) => (status, "text/html", format!("<html>\n<h1>{status} of a proxy</h1>\n</html>")),
        }
    }

    fn route(&mut self, method: &str, path: &str, body: &[u8]) -> Reply {
        if body.len() > self.largest {
            return refusal(413, "Payload content length greater than maximum allowed");
        }
        if self.authorization.is_some() && self.headers.get("authorization") != self.authorization.as_ref() {
            return refusal(401, "unable to authenticate user");
        }
        if method == "POST" && !self.headers.contains_key("kbn-xsrf") {
            return refusal(400, "Request must contain a kbn-xsrf header.");
        }
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let (space, path) = match path.strip_prefix("/s/").and_then(|rest| rest.split_once('/')) {
            Some((space, rest)) => (space.to_owned(), format!("/{rest}")),
            None => ("default".to_owned(), path.to_owned()),
        };
        if let Some(part) = self.denied.iter().find(|part| path.contains(**part)) {
            return refusal(403, &format!("API [{method} {part}] is unauthorized for user"));
        }
        let is_rules = path.starts_with("/api/detection_engine/");
        if is_rules && !self.has_security {
            return refusal(404, "Not Found");
        }
        match (method, path.as_str()) {
            ("GET", "/api/status") => self.status(),
            ("GET", other) if other.starts_with("/api/spaces/space/") => {
                let id = other.rsplit('/').next().unwrap();
                if self.spaces.contains(id) { ok(&json!({"id": id})) } else { refusal(404, "Not Found") }
            }
            ("POST", "/api/saved_objects/_import" | "/api/detection_engine/rules/_import") => {
                let lines = match file(&self.headers, body).and_then(|text| lines(&text)) {
                    Ok(lines) => lines,
                    Err((status, message)) => return refusal(status, &message),
                };
                let overwrite = query.split('&').any(|pair| pair == "overwrite=true");
                if is_rules {
                    self.import_rules(&space, lines, overwrite)
                } else {
                    self.import(&space, lines, overwrite)
                }
            }
            ("POST", "/api/saved_objects/_export") => self.export(&space, &serde_json::from_slice(body).unwrap()),
            ("POST", "/api/detection_engine/rules/_export") => {
                self.export_rules(&space, &serde_json::from_slice(body).unwrap())
            }
            _ => refusal(404, "Not Found"),
        }
    }

    fn status(&self) -> Reply {
        let status = json!({"overall": {"level": "available", "summary": "All services are available"}});
        match &self.version {
            Some(version) => ok(&json!({"name": "kibana", "version": {"number": version}, "status": status})),
            None => ok(&json!({"status": {"overall": {"level": "available"}}})),
        }
    }

    fn import(&mut self, space: &str, lines: Vec<Value>, overwrite: bool) -> Reply {
        let name = |line: &Value| (space.to_owned(), line["type"].as_str().unwrap().to_owned(), text(line, "id"));
        let names: BTreeSet<Name> = lines.iter().map(name).collect();
        if names.len() < lines.len() {
            return refusal(400, "Non-unique import objects detected");
        }
        if let Some(line) = lines.iter().find(|line| numbers(&line["typeMigrationVersion"]) > NEWEST) {
            let message = format!("Document \"{}\" belongs to a more recent version of Kibana", text(line, "id"));
            return refusal(422, &message);
        }
        let (mut errors, mut results, mut good) = (Vec::new(), Vec::new(), Vec::new());
        for line in lines {
            let name = name(&line);
            let missing: Vec<&Value> = line["references"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|to| {
                    let key = (space.to_owned(), text(to, "type"), text(to, "id"));
                    !names.contains(&key) && !self.kept.contains_key(&key)
                })
                .collect();
            let error = if let Some(error) = self.refused.get(&name.2) {
                error.clone()
            } else if !KNOWN_TYPES.contains(&name.1.as_str()) {
                json!({"type": "unsupported_type"})
            } else if !missing.is_empty() {
                json!({"type": "missing_references", "references": missing})
            } else if self.kept.contains_key(&name) && !overwrite {
                json!({"type": "conflict"})
            } else {
                let mut result = json!({"type": name.1, "id": name.2, "meta": {}, "managed": false});
                if self.kept.contains_key(&name) {
                    result["overwrite"] = json!(true);
                }
                let (mut name, mut line) = (name, line);
                if let Some(id) = self.moved.get(&name.2) {
                    result["destinationId"] = json!(id);
                    name.2.clone_from(id);
                }
                for reference in line["references"].as_array_mut().unwrap() {
                    if let Some(id) = self.moved.get(&text(reference, "id")) {
                        reference["id"] = json!(id);
                    }
                }
                results.push(result);
                good.push((name, line));
                continue;
            };
            errors.push(json!({"type": name.1, "id": name.2, "meta": {"title": "its title"}, "error": error}));
        }
        let nothing = errors.iter().any(|error| RESOLVABLE.contains(&error["error"]["type"].as_str().unwrap()));
        if !nothing {
            self.kept.extend(good);
        }
        let mut answer = json!({"success": errors.is_empty(), "successCount": results.len(), "warnings": []});
        if !results.is_empty() {
            answer["successResults"] = Value::Array(results);
        }
        if !errors.is_empty() {
            answer["errors"] = Value::Array(errors);
        }
        ok(&answer)
    }

    fn import_rules(&mut self, space: &str, lines: Vec<Value>, overwrite: bool) -> Reply {
        let (mut errors, count) = (Vec::new(), lines.len());
        for line in lines {
            let id = text(&line, "rule_id");
            let name = (space.to_owned(), "rule".to_owned(), id.clone());
            let error = if let Some(error) = self.refused.get(&id) {
                error.clone()
            } else if self.kept.contains_key(&name) && !overwrite {
                json!({"status_code": 409, "message": format!("rule_id: \"{id}\" already exists")})
            } else {
                let mut rule = line;
                // Kibana's own, and its defaults.
                for (member, value) in
                    [("id", json!("1-2-3")), ("immutable", json!(false)), ("revision", json!(0)), ("to", json!("now"))]
                {
                    rule[member] = value;
                }
                self.kept.insert(name, rule);
                continue;
            };
            errors.push(json!({"rule_id": id, "error": error}));
        }
        ok(&json!({
            "success": errors.is_empty(), "success_count": count - errors.len(), "rules_count": count, "errors": errors,
            "exceptions_success": true, "exceptions_success_count": 0, "exceptions_errors": [],
            "action_connectors_success": true, "action_connectors_success_count": 0, "action_connectors_errors": [],
            "action_connectors_warnings": [],
        }))
    }

    fn export(&self, space: &str, asked: &Value) -> Reply {
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for object in asked["objects"].as_array().unwrap() {
            let (kind, id) = (text(object, "type"), text(object, "id"));
            match self.kept.get(&(space.to_owned(), kind.clone(), id.clone())) {
                Some(kept) => {
                    let mut kept = kept.clone();
                    kept["updated_at"] = json!("2026-01-02T03:04:05.000Z");
                    kept["version"] = json!("WzEsMV0=");
                    found.push(kept.to_string());
                }
                None => missing.push(json!({"type": kind, "id": id, "error": {
                    "statusCode": 404, "error": "Not Found", "message": format!("Saved object [{kind}/{id}] not found")}})),
            }
        }
        if missing.is_empty() {
            return (200, "application/ndjson", found.join("\n"));
        }
        let message = "Error fetching objects to export";
        let body =
            json!({"statusCode": 400, "error": "Bad Request", "message": message, "attributes": {"objects": missing}});
        (400, "application/json", body.to_string())
    }

    fn export_rules(&self, space: &str, asked: &Value) -> Reply {
        let (mut lines, mut missing) = (Vec::new(), Vec::new());
        for object in asked["objects"].as_array().unwrap() {
            let id = text(object, "rule_id");
            match self.kept.get(&(space.to_owned(), "rule".to_owned(), id.clone())) {
                Some(rule) => lines.push(rule.to_string()),
                None => missing.push(json!({"rule_id": id})),
            }
        }
        let summary = json!({"exported_rules_count": lines.len(), "missing_rules_count": missing.len(), "missing_rules": missing});
        lines.push(summary.to_string());
        (200, "application/ndjson", lines.join("\n") + "\n")
    }
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap().to_owned()
}

fn numbers(version: &Value) -> [u64; 3] {
    let mut numbers = version.as_str().unwrap_or("0.0.0").split('.').map(|number| number.parse().unwrap());
    std::array::from_fn(|_| numbers.next().unwrap_or(0))
}

fn ok(body: &Value) -> Reply {
    (200, "application/json; charset=utf-8", body.to_string())
}

fn refusal(status: u16, message: &str) -> Reply {
    (status, "application/json", json!({"statusCode": status, "error": "its name", "message": message}).to_string())
}
