//! Small JSON questions and orders to the cluster, for `trailship setup` and `trailship test output`.
//!
//! The first node that answers counts. No retry: whoever asks is there to read the answer.

use super::send::{Content, Node, Reply, Request, SendFault};
use super::settings::Settings;
use bytes::Bytes;
use elasticsearch::http::Method;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for an answer, unless `timeout` is shorter.
const PATIENCE: Duration = Duration::from_secs(30);

/// A cluster to be asked.
pub struct Cluster {
    nodes: Vec<Node>,
    settings: Arc<Settings>,
}

impl Cluster {
    /// # Errors
    /// Certificates or proxy of the settings cannot be used.
    pub fn new(settings: Arc<Settings>) -> Result<Cluster, String> {
        let nodes: Result<Vec<Node>, String> =
            settings.nodes.iter().map(|url| Node::new(url.clone(), Arc::clone(&settings))).collect();
        Ok(Cluster { nodes: nodes?, settings })
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Asks the nodes in turn until one answers; `path` begins without a slash and may hold a query.
    ///
    /// # Errors
    /// None answers; the fault of the last one.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Reply, SendFault> {
        let mut answered = Err(SendFault::Unreachable("there is no host".to_owned()));
        for node in &self.nodes {
            answered = self.ask_node(node, method, path, body).await;
            if answered.is_ok() {
                break;
            }
        }
        answered
    }

    pub(super) async fn ask_node(
        &self,
        node: &Node,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Reply, SendFault> {
        let body = body.map_or(Content::None, |json| Content::Json(Bytes::from(json.to_string())));
        let timeout = self.settings.timeout.min(PATIENCE);
        node.send(Request { method, path, query: &[], body, timeout }).await
    }
}

impl Reply {
    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Why `stream` could not be searched, by a refusal, and what to do about it.
    pub fn refused_search(&self, stream: &str) -> String {
        let body = self.json();
        let error = &body["error"];
        let reason = error["root_cause"][0]["reason"].as_str().or_else(|| error["reason"].as_str()).unwrap_or_default();
        let advice = match self.status {
            401 => "; check `api_key`, or `username` and `password`",
            403 => {
                "; give this login the privilege `read` on the data stream: shipping does not need it, this command does"
            }
            400 => "; a field may have another type than trailship's: see `trailship setup`",
            _ => "",
        };
        format!("searching `{stream}` was refused with {}: {reason}{advice}", self.status)
    }
}
