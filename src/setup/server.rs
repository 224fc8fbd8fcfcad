//! Questions and orders to the cluster: JSON in, JSON out, and a refusal that says what to do.

use super::engine::{Engine, EngineError};
use super::lifecycle::PolicyError;
use super::refusal::reasons;
use crate::output::elasticsearch::{Cluster, Method, SendFault};
use serde_json::Value;

/// Characters that are shown of an answer that is no JSON.
const SHOWN: usize = 200;

/// A server that is known to be one that trailship works with.
pub struct Server<'a> {
    cluster: &'a Cluster,
    pub engine: Engine,
    /// Orders are not sent.
    dry_run: bool,
}

/// An answer, whatever its status.
pub struct Answer {
    pub status: u16,
    pub body: Value,
    asked: String,
}

/// Why setup cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("`{asked}`: {fault}")]
    Unanswered { asked: String, fault: SendFault },
    #[error("`{asked}` answered {status}, and not in JSON: {start}")]
    NotJson { asked: String, status: u16, start: String },
    #[error("`{asked}` was refused with {status}: {reason}{}", advice(*.status))]
    Refused { asked: String, status: u16, reason: String },
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("the server refuses the templates even after {0} changes to them")]
    Unfit(usize),
    #[error("this server has no {lacking}, and `{setting}` asks for it")]
    Lacking { lacking: &'static str, setting: &'static str },
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

impl<'a> Server<'a> {
    /// Asks the cluster what it is. In a dry run, nothing that would change it is sent.
    ///
    /// # Errors
    /// It does not answer, refuses, or is no server that trailship works with.
    pub async fn find(cluster: &'a Cluster, dry_run: bool) -> Result<Server<'a>, ServerError> {
        let greeting = exchange(cluster, Method::Get, "", None).await?.accepted()?;
        let engine = Engine::read(&greeting)?;
        Ok(Server { cluster, engine, dry_run })
    }

    /// # Errors
    /// No answer.
    pub async fn get(&self, path: &str) -> Result<Answer, ServerError> {
        exchange(self.cluster, Method::Get, path, None).await
    }

    /// A question that is asked by POST, and changes nothing.
    ///
    /// # Errors
    /// No answer.
    pub async fn simulate(&self, path: &str, body: Option<&Value>) -> Result<Answer, ServerError> {
        exchange(self.cluster, Method::Post, path, body).await
    }

    /// Stores something; nothing in a dry run.
    ///
    /// # Errors
    /// No answer.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Answer, ServerError> {
        self.order(Method::Put, path, Some(body)).await
    }

    /// Does something; nothing in a dry run.
    ///
    /// # Errors
    /// No answer.
    pub async fn post(&self, path: &str) -> Result<Answer, ServerError> {
        self.order(Method::Post, path, None).await
    }

    async fn order(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, ServerError> {
        if self.dry_run {
            return Ok(Answer { status: 200, body: Value::Null, asked: String::new() });
        }
        exchange(self.cluster, method, path, body).await
    }
}

impl Answer {
    pub fn is_accepted(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// # Errors
    /// The answer is a refusal.
    pub fn accepted(self) -> Result<Value, ServerError> {
        match self.is_accepted() {
            true => Ok(self.body),
            false => Err(self.refusal()),
        }
    }

    /// Whether the server has no such call at all: another product, an older version, or serverless.
    pub fn is_no_such_call(&self) -> bool {
        matches!(self.status, 400 | 405 | 410)
    }

    /// What was asked for, where it is there.
    ///
    /// # Errors
    /// The answer is a refusal of another kind.
    pub fn found(self) -> Result<Option<Value>, ServerError> {
        match self.status {
            404 => Ok(None),
            _ => self.accepted().map(Some),
        }
    }

    /// The refusal as a fault.
    pub fn refusal(self) -> ServerError {
        let reasons = reasons(&self.body).join(": ");
        let reason = if reasons.is_empty() { self.body.to_string() } else { reasons };
        ServerError::Refused { asked: self.asked, status: self.status, reason }
    }
}

async fn exchange(cluster: &Cluster, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, ServerError> {
    let asked = format!("{} /{path}", name(method));
    let reply = match cluster.ask(method, path, body).await {
        Ok(reply) => reply,
        Err(fault) => return Err(ServerError::Unanswered { asked, fault }),
    };
    match serde_json::from_slice(&reply.body) {
        Ok(body) => Ok(Answer { status: reply.status, body, asked }),
        Err(_) => {
            let start = String::from_utf8_lossy(&reply.body).chars().take(SHOWN).collect();
            Err(ServerError::NotJson { asked, status: reply.status, start })
        }
    }
}

fn name(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Put => "PUT",
        Method::Post => "POST",
        Method::Delete => "DELETE",
        Method::Head => "HEAD",
    }
}

fn advice(status: u16) -> &'static str {
    match status {
        401 => "; the credentials are wrong or have expired: check `api_key`, or `username` and `password`",
        403 => {
            "; the credentials lack a privilege: setup wants `monitor`, `manage_index_templates` and `manage_ilm` on the \
             cluster, `view_index_metadata` on the data streams, and `manage` on them for a rollover"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(status: u16, body: Value) -> String {
        Answer { status, body, asked: "PUT /_index_template/x".to_owned() }.refusal().to_string()
    }

    #[test]
    fn refusals_are_shown_whole_and_with_what_to_do() {
        let body = json!({"error": {"reason": "outer", "caused_by": {"reason": "inner"}}, "status": 400});
        assert_eq!(refused(400, body), "`PUT /_index_template/x` was refused with 400: outer: inner");
        let body = json!({"error": "no handler found"});
        assert_eq!(refused(405, body), "`PUT /_index_template/x` was refused with 405: no handler found");
        assert_eq!(refused(500, json!({"x": 1})), "`PUT /_index_template/x` was refused with 500: {\"x\":1}");
        assert!(refused(401, json!({"error": {"reason": "no"}})).contains("check `api_key`"));
        assert!(refused(403, json!({"error": {"reason": "no"}})).contains("`manage_index_templates`"));
    }
}
