//! A lifecycle policy with its signature, and what a server has stored under its name.
//!
//! A policy of a newer trailship stays; one that somebody else made, or changed, stays and is used, unless
//! `setup.ilm.overwrite` says otherwise: retention is not changed behind anybody's back.

use crate::setup::config::SetupConfig;
use crate::setup::server::{Answer, Server, ServerError};
use crate::setup::stored::Found;
use crate::setup::template::{MANAGED_BY, fingerprint, number_of};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// A policy that rolls indices over and may delete them.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    pub name: String,
    kind: Kind,
    content: Map<String, Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ilm,
    Ism,
}

/// Why the file of `setup.ilm.policy_file` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    #[error("cannot read `{path}` of `setup.ilm.policy_file`: {reason}")]
    Unreadable { path: PathBuf, reason: String },
    #[error("`{0}` of `setup.ilm.policy_file` has no `phases`: write it as the ILM API takes it")]
    NoPhases(PathBuf),
}

impl Policy {
    pub(super) fn new(kind: Kind, name: &str, content: Map<String, Value>) -> Policy {
        Policy { name: name.to_owned(), kind, content }
    }

    /// As a step of the report names it.
    pub fn what(&self) -> String {
        match self.kind {
            Kind::Ilm => format!("ILM policy `{}`", self.name),
            Kind::Ism => format!("ISM policy `{}`", self.name),
        }
    }

    /// `ilm-policy` or `ism-policy`, as in names of files.
    pub fn slug(&self) -> &'static str {
        match self.kind {
            Kind::Ilm => "ilm-policy",
            Kind::Ism => "ism-policy",
        }
    }

    /// Where the server keeps it.
    pub fn path(&self) -> String {
        match self.kind {
            Kind::Ilm => format!("_ilm/policy/{}", self.name),
            Kind::Ism => format!("_plugins/_ism/policies/{}", self.name),
        }
    }

    /// Where it is put, given what is there: ISM replaces only the version that was looked at.
    pub fn path_over(&self, there: Option<&Value>) -> String {
        let number = |name: &str| there.and_then(|there| there.get(name)).and_then(Value::as_u64);
        match (self.kind, number("_seq_no"), number("_primary_term")) {
            (Kind::Ism, Some(seq_no), Some(term)) => {
                format!("{}?if_seq_no={seq_no}&if_primary_term={term}", self.path())
            }
            _ => self.path(),
        }
    }

    /// Fingerprint of what it does.
    pub fn fingerprint(&self) -> String {
        fingerprint(&json!(self.content))
    }

    /// As the server takes it. `revision` is the number that the server will give it: another one says later that
    /// somebody changed it.
    pub fn body(&self, revision: u64) -> Value {
        let mut policy = self.content.clone();
        let (release, fingerprint) = (env!("CARGO_PKG_VERSION"), self.fingerprint());
        match self.kind {
            Kind::Ilm => {
                let meta = policy.entry("_meta").or_insert_with(|| json!({}));
                if let Value::Object(meta) = meta {
                    meta.insert("fingerprint".to_owned(), json!(fingerprint));
                    meta.insert("managed_by".to_owned(), json!(MANAGED_BY));
                    meta.insert("revision".to_owned(), json!(revision));
                    meta.insert("version".to_owned(), json!(release));
                }
            }
            // ISM has no other place for it.
            Kind::Ism => {
                policy.insert("description".to_owned(), json!(format!("{SIGNED}{release}, content {fingerprint}")));
            }
        }
        json!({"policy": policy})
    }

    /// What is stored under its name.
    pub fn found(&self, there: Option<&Value>) -> Found {
        let Some(there) = there else {
            return Found::Nothing;
        };
        match self.kind {
            Kind::Ilm => self.found_ilm(there),
            Kind::Ism => found_ism(there),
        }
    }

    /// The number that the server gives it next.
    pub fn next_revision(&self, there: Option<&Value>) -> u64 {
        let current = there.and_then(|there| there.get(&self.name)?.get("version")?.as_u64());
        current.map_or(1, |current| current.saturating_add(1))
    }

    /// Whether the server has what policies of this kind are for.
    ///
    /// # Errors
    /// The server does not answer, or refuses.
    pub(super) async fn is_known_to(&self, server: &Server<'_>, config: &SetupConfig) -> Result<bool, ServerError> {
        let answer = server.get(&self.path()).await?;
        match answer.status {
            200 | 404 => Ok(true),
            403 if !config.ilm.check_exists => Ok(true),
            _ if answer.is_no_such_call() => Ok(false),
            _ => Err(Answer::refusal(answer)),
        }
    }

    fn found_ilm(&self, there: &Value) -> Found {
        let stored = there.get(&self.name);
        let meta = stored.and_then(|stored| stored.pointer("/policy/_meta"));
        let text = |name: &str| meta.and_then(|meta| meta.get(name)).and_then(Value::as_str);
        let revision = meta.and_then(|meta| meta.get("revision")).and_then(Value::as_u64);
        let is_as_put = revision.is_some() && revision == stored.and_then(|stored| stored["version"].as_u64());
        match (text("managed_by"), text("version")) {
            (Some(MANAGED_BY), Some(release))
                if is_as_put || number_of(release) > crate::setup::template::version() =>
            {
                ours(release, text("fingerprint").unwrap_or_default())
            }
            _ => Found::Foreign,
        }
    }
}

/// The beginning of an ISM policy's description.
const SIGNED: &str = "Rolls over the data streams of trailship. Made by trailship ";

fn found_ism(there: &Value) -> Found {
    let description = there.pointer("/policy/description").and_then(Value::as_str);
    let signature =
        description.and_then(|text| text.strip_prefix(SIGNED)).and_then(|rest| rest.split_once(", content "));
    signature.map_or(Found::Foreign, |(release, fingerprint)| ours(release, fingerprint))
}

fn ours(release: &str, fingerprint: &str) -> Found {
    Found::Ours { version: number_of(release), release: release.to_owned(), fingerprint: fingerprint.to_owned() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::Lifecycle;
    use super::*;
    use crate::setup::engine::Product;
    use crate::setup::stored::Plan;

    fn policy(product: Product, config: Value) -> Policy {
        let config: SetupConfig = serde_json::from_value(config).unwrap();
        Lifecycle::usual(product, &config).unwrap().policy().unwrap().clone()
    }

    /// As `GET _ilm/policy/trailship` answers.
    fn ilm(version: u64, policy: &Value) -> Value {
        json!({"trailship": {"version": version, "modified_date": "2026-01-01T00:00:00.000Z", "policy": policy["policy"]}})
    }

    #[test]
    fn ilm_policies_are_recognised() {
        let ours = policy(Product::Elasticsearch, json!({}));
        let plan = |there: Value| ours.found(Some(&there)).plan(&ours.fingerprint(), false);
        assert_eq!(ours.found(None).plan(&ours.fingerprint(), false), Plan::Create);
        assert_eq!(plan(ilm(1, &ours.body(1))), Plan::Leave);
        assert_eq!(plan(ilm(4, &ours.body(4))), Plan::Leave);
        let other = policy(Product::Elasticsearch, json!({"lifecycle": {"delete_after": "90d"}}));
        assert_eq!(plan(ilm(1, &other.body(1))), Plan::Update);
        // Changed in Kibana, which keeps `_meta` and counts on.
        assert_eq!(plan(ilm(2, &other.body(1))), Plan::Refuse);
        assert_eq!(plan(ilm(1, &json!({"policy": {"phases": {}}}))), Plan::Refuse);
        let mut newer = other.body(1);
        newer["policy"]["_meta"]["version"] = json!("999.0.0");
        assert_eq!(plan(ilm(1, &newer)), Plan::Keep);
        assert_eq!(plan(ilm(2, &newer)), Plan::Keep);
        assert_eq!(ours.next_revision(Some(&ilm(6, &newer))), 7);
        assert_eq!(ours.next_revision(None), 1);
    }

    #[test]
    fn ism_policies_are_recognised_and_replaced_by_number() {
        let ours = policy(Product::OpenSearch, json!({}));
        let there = |policy: &Value| json!({"_id": "trailship", "_version": 3, "_seq_no": 5, "_primary_term": 2, "policy": policy["policy"]});
        let plan = |policy: &Value| ours.found(Some(&there(policy))).plan(&ours.fingerprint(), false);
        assert_eq!(plan(&ours.body(1)), Plan::Leave);
        assert_eq!(
            plan(&policy(Product::OpenSearch, json!({"lifecycle": {"delete_after": "90d"}})).body(1)),
            Plan::Update
        );
        assert_eq!(plan(&json!({"policy": {"description": "mine"}})), Plan::Refuse);
        let newer = json!({"policy": {"description": format!("{SIGNED}999.0.0, content x")}});
        assert_eq!(plan(&newer), Plan::Keep);
        let path = "_plugins/_ism/policies/trailship";
        assert_eq!(ours.path_over(None), path);
        assert_eq!(ours.path_over(Some(&there(&newer))), format!("{path}?if_seq_no=5&if_primary_term=2"));
    }
}
