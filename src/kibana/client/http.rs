//! Requests to Kibana: sent again while it starts or is overloaded, and answered whole.
//!
//! Leaves out what an answer means. What holds: only requests that may be repeated are made here (questions, and imports
//! that replace what is there), and after `setup.kibana.wait` the last fault is told instead of waiting on.

use super::config::KibanaSettings;
use super::refusal::{About, KibanaError, reason};
use crate::output::elasticsearch::{Content, Method, Node, Reply, Request, SendFault, Settings};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A Kibana to talk to.
pub struct Kibana {
    node: Node,
    server: Arc<Settings>,
    pub(super) space: Option<String>,
    wait: Duration,
}

/// One request; its path is below Kibana's own and begins without a slash.
pub(super) struct Call<'a> {
    about: About,
    method: Method,
    path: &'a str,
    body: Content,
}

/// An answer, whatever its status, unless that is "later".
#[derive(Debug)]
pub(super) struct Answer {
    /// What was asked, such as `POST /api/saved_objects/_import`.
    pub asked: String,
    about: About,
    reply: Reply,
}

impl Kibana {
    /// Makes ready; connects to nobody yet.
    ///
    /// # Errors
    /// Certificates or proxy of the settings cannot be used.
    pub fn new(settings: &KibanaSettings) -> Result<Kibana, String> {
        let server = Arc::clone(&settings.server);
        let url = server.nodes.first().cloned().ok_or_else(|| "there is no host".to_owned())?;
        let node = Node::new(url, Arc::clone(&server))?;
        Ok(Kibana { node, server, space: settings.space.clone(), wait: settings.wait })
    }

    /// The address, without credentials.
    pub fn address(&self) -> &str {
        self.node.url().as_str()
    }

    /// A path in the space of the settings.
    pub(super) fn in_space(&self, path: &str) -> String {
        match &self.space {
            Some(space) => format!("s/{space}/{path}"),
            None => path.to_owned(),
        }
    }

    /// Asks until the answer is not "later".
    ///
    /// # Errors
    /// There is none within `setup.kibana.wait` of trying, or TLS fails, which no waiting cures.
    pub(super) async fn ask(&self, call: Call<'_>) -> Result<Answer, KibanaError> {
        let asked = call.name();
        let began = Instant::now();
        let mut tries = 0;
        loop {
            let (path, body) = (call.path, call.body.clone());
            let request = Request { method: call.method, path, query: &[], body, timeout: self.server.timeout };
            let answered = self.node.send(request).await;
            tries += 1;
            let fault = match answered {
                Ok(reply) if !is_later(reply.status) => return Ok(Answer { asked, about: call.about, reply }),
                Ok(reply) => {
                    let reason = reason(&reply.body);
                    KibanaError::Later { asked: asked.clone(), status: reply.status, tries, reason }
                }
                Err(fault @ SendFault::Tls(_)) => return Err(KibanaError::Insecure { asked, fault }),
                Err(fault) => KibanaError::Unanswered { asked: asked.clone(), tries, fault },
            };
            let pause = self.server.backoff.pause(tries);
            if began.elapsed() + pause > self.wait {
                return Err(fault);
            }
            tracing::info!(address = self.address(), "waiting for Kibana: {fault}");
            tokio::time::sleep(pause).await;
        }
    }
}

impl<'a> Call<'a> {
    pub fn get(about: About, path: &'a str) -> Call<'a> {
        Call { about, method: Method::Get, path, body: Content::None }
    }

    pub fn post(about: About, path: &'a str, body: Content) -> Call<'a> {
        Call { about, method: Method::Post, path, body }
    }

    fn name(&self) -> String {
        let method = if self.method == Method::Get { "GET" } else { "POST" };
        format!("{method} /{}", self.path.split('?').next().unwrap_or_default())
    }
}

impl Answer {
    pub fn status(&self) -> u16 {
        self.reply.status
    }

    /// The body where the answer is a success.
    ///
    /// # Errors
    /// A refusal, or no JSON.
    pub fn accepted(&self) -> Result<Value, KibanaError> {
        if !self.reply.is_success() {
            return Err(self.refusal());
        }
        serde_json::from_slice(&self.reply.body).map_err(|_| self.foreign())
    }

    /// The documents of a success, one a line.
    ///
    /// # Errors
    /// A refusal, or a line that is no JSON.
    pub fn lines(&self) -> Result<Vec<Value>, KibanaError> {
        if !self.reply.is_success() {
            return Err(self.refusal());
        }
        let lines = self.reply.body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        lines.map(|line| serde_json::from_slice(line).map_err(|_| self.foreign())).collect()
    }

    /// The body as JSON, null where it is none.
    pub fn json(&self) -> Value {
        self.reply.json()
    }

    /// The refusal as a fault; one that is no JSON is not Kibana's.
    pub fn refusal(&self) -> KibanaError {
        if !self.json().is_object() && !matches!(self.reply.status, 401 | 403 | 413) {
            return self.foreign();
        }
        let (asked, status) = (self.asked.clone(), self.reply.status);
        KibanaError::Refused { asked, status, reason: reason(&self.reply.body), about: self.about }
    }

    /// An answer that Kibana would not give.
    pub fn foreign(&self) -> KibanaError {
        let (asked, status) = (self.asked.clone(), self.reply.status);
        KibanaError::Foreign { asked, status, start: reason(&self.reply.body) }
    }
}

/// Statuses of a server that starts or has too much to do: Kibana's own, and those of a proxy before it.
fn is_later(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}
