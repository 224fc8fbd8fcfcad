//! Real servers through `tests/servers/run`: it stops them when its standard input closes, also when this process dies.

use serde_json::Value;
use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex};

pub struct Server {
    child: Child,
    pub url: String,
    pub details: Value,
}

impl Server {
    /// Starts a server of its own. `Err` is why it cannot be had here.
    pub fn start(arguments: &[&str]) -> Result<Server, String> {
        let runner = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/run");
        let spawned = Command::new("python3")
            .arg(runner)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) => return Err(format!("python3 cannot be run: {error}")),
        };
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            assert_eq!(output.status.code(), Some(3), "tests/servers/run {arguments:?}: {said}");
            return Err(said);
        }
        let details: Value = serde_json::from_str(&line).unwrap();
        Ok(Server { child, url: details["url"].as_str().unwrap().to_owned(), details })
    }

    /// One server for all tests that only read its answers and keep to names of their own.
    pub fn shared(arguments: &[&str]) -> Result<Arc<Server>, String> {
        type Started = HashMap<String, Result<Arc<Server>, String>>;
        static SHARED: LazyLock<Mutex<Started>> = LazyLock::new(Mutex::default);
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        shared.entry(arguments.join(" ")).or_insert_with(|| Server::start(arguments).map(Arc::new)).clone()
    }

    /// S3, SQS and SNS.
    pub fn aws() -> Result<Arc<Server>, String> {
        Server::shared(&["aws"])
    }

    /// S3 and SQS from memory, of a test's own: they fail as [`Server::set_faults`] says.
    pub fn fast() -> Result<Arc<Server>, String> {
        Server::start(&["fast"]).map(Arc::new)
    }

    /// Replaces the rules by which the server [`fast`](Server::fast) spoils requests (tests/servers/README.md).
    pub async fn set_faults(&self, rules: &Value) {
        let request = self.http().put(format!("{}/_faults", self.url)).body(rules.to_string());
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// How often each of those rules was applied.
    pub async fn hits(&self) -> Vec<u64> {
        let answer = self.http().get(format!("{}/_faults", self.url)).send().await.unwrap();
        let rules: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        rules.as_array().unwrap().iter().map(|rule| rule["hits"].as_u64().unwrap()).collect()
    }

    /// Says how the server [`fast`](Server::fast) gives pages of log events (tests/servers/README.md).
    pub async fn set_pages(&self, manner: &Value) {
        self.http().put(format!("{}/_logs", self.url)).body(manner.to_string()).send().await.unwrap();
    }

    /// Makes log events on the server [`fast`](Server::fast).
    pub async fn make_events(&self, events: &Value) {
        self.http().post(format!("{}/_logs", self.url)).body(events.to_string()).send().await.unwrap();
    }

    /// Times in seconds of the calls of `operation` that the server [`fast`](Server::fast) got since it was asked last.
    pub async fn calls(&self, operation: &str) -> Vec<f64> {
        let answer = self.http().get(format!("{}/_calls", self.url)).send().await.unwrap();
        let calls: Vec<(String, u64)> = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        calls.into_iter().filter(|(own, _)| own == operation).map(|(_, micros)| micros as f64 / 1e6).collect()
    }

    fn http(&self) -> reqwest::Client {
        reqwest::Client::builder().no_proxy().build().unwrap()
    }

    /// A search server with plain settings.
    pub fn search(engine: &str) -> Result<Arc<Server>, String> {
        Server::shared(&["search", engine])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The engines to test: `ENGINES`, by default one of each product.
pub fn engines() -> Vec<String> {
    match std::env::var("ENGINES").unwrap_or_default().trim() {
        "" => vec!["opensearch".to_owned(), "elasticsearch".to_owned()],
        "all" => ["opensearch", "elasticsearch", "opensearch3", "elasticsearch9"].map(str::to_owned).to_vec(),
        some => some.split([' ', ',']).filter(|name| !name.is_empty()).map(str::to_owned).collect(),
    }
}

/// Says that a test was skipped: on standard error past the harness, and counted in the file `TRAILSHIP_SKIPS`.
pub fn skipped(reason: &str) {
    let test = std::thread::current().name().unwrap_or("?").to_owned();
    let line = format!("SKIPPED {test}: {reason}");
    let _ = writeln!(std::io::stderr(), "{line}");
    if let Ok(path) = std::env::var("TRAILSHIP_SKIPS") {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let _ = file.and_then(|mut file| writeln!(file, "{line}"));
    }
}
