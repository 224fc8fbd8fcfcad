//! `state.elasticsearch`: shared state as documents of an index, replaced by `if_seq_no` and `if_primary_term`.

use crate::config::Malformed;
use crate::output::elasticsearch::{Cluster, Method, Settings};
use crate::state::documents::{Answer, Documents, Version};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::OnceCell;

/// `state.elasticsearch.*`; the cluster is that of `output.elasticsearch`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SharedStateConfig {
    pub enabled: bool,
    index: IndexName,
}

impl Default for SharedStateConfig {
    fn default() -> SharedStateConfig {
        SharedStateConfig { enabled: false, index: IndexName("trailship-state".to_owned()) }
    }
}

impl SharedStateConfig {
    /// The store in this cluster.
    ///
    /// # Errors
    /// Certificates or proxy of the cluster's settings cannot be used.
    pub(super) fn open(&self, cluster: Arc<Settings>) -> Result<Arc<dyn Documents>, String> {
        let (cluster, index) = (Cluster::new(cluster)?, self.index.0.clone());
        Ok(Arc::new(ClusterDocuments { cluster, index, made: OnceCell::new() }))
    }
}

/// The name of an index, which becomes part of a path.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(try_from = "String")]
struct IndexName(String);

impl TryFrom<String> for IndexName {
    type Error = Malformed;

    fn try_from(text: String) -> Result<IndexName, Malformed> {
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
        if text.is_empty() || text.len() > 200 || text.starts_with(['-', '_']) || !text.chars().all(fine) {
            let hint = "write lower-case letters, digits, `-`, `_` and `.`, such as `trailship-state`";
            return Err(Malformed::new(format!("`{text}` is not the name of an index"), hint));
        }
        Ok(IndexName(text))
    }
}

struct ClusterDocuments {
    cluster: Cluster,
    index: String,
    made: OnceCell<()>,
}

impl ClusterDocuments {
    /// Makes the index, unless it is there, so that nothing in it is guessed from its first document.
    async fn make(&self) -> Result<(), String> {
        let body =
            json!({"settings": {"number_of_shards": 1, "auto_expand_replicas": "0-1"}, "mappings": {"dynamic": false}});
        let reply = self.cluster.ask(Method::Put, &self.index, Some(&body)).await.map_err(|fault| fault.to_string())?;
        // 400: it is there. 403: it may be there, and writing will tell.
        if reply.is_success() || matches!(reply.status, 400 | 403) {
            return Ok(());
        }
        Err(self.refused("PUT", "", reply.status, &reply.json()))
    }

    fn refused(&self, method: &str, path: &str, status: u16, body: &Value) -> String {
        let reason = body.pointer("/error/reason").and_then(Value::as_str).unwrap_or_default();
        let advice = match status {
            401 | 403 => "; `state.elasticsearch` needs `create_index`, `read` and `index` on this index",
            _ => "",
        };
        format!("`{method} /{}{path}` was refused with {status}: {reason}{advice}", self.index)
    }
}

impl Documents for ClusterDocuments {
    fn read<'a>(&'a self, id: &'a str) -> Answer<'a, Option<(Value, Version)>> {
        Box::pin(async move {
            self.made.get_or_try_init(|| self.make()).await?;
            let path = format!("{}/_doc/{id}", self.index);
            let reply = self.cluster.ask(Method::Get, &path, None).await.map_err(|fault| fault.to_string())?;
            let mut body = reply.json();
            match reply.status {
                404 => Ok(None),
                _ if reply.is_success() => match version(&body) {
                    Some(version) => Ok(Some((body["_source"].take(), version))),
                    None => Err(format!("`GET /{path}` answered without `_seq_no`")),
                },
                status => Err(self.refused("GET", "/_doc", status, &body)),
            }
        })
    }

    fn write<'a>(&'a self, id: &'a str, document: &'a Value, known: Option<Version>) -> Answer<'a, Option<Version>> {
        Box::pin(async move {
            let path = match known {
                None => format!("{}/_create/{id}", self.index),
                Some(Version { number, term }) => {
                    format!("{}/_doc/{id}?if_seq_no={number}&if_primary_term={term}", self.index)
                }
            };
            let reply =
                self.cluster.ask(Method::Put, &path, Some(document)).await.map_err(|fault| fault.to_string())?;
            let body = reply.json();
            match reply.status {
                409 => Ok(None),
                _ if reply.is_success() => {
                    version(&body).map(Some).ok_or_else(|| format!("`PUT /{path}` answered without `_seq_no`"))
                }
                status => Err(self.refused("PUT", "/_doc", status, &body)),
            }
        })
    }
}

fn version(body: &Value) -> Option<Version> {
    Some(Version { number: body["_seq_no"].as_u64()?, term: body["_primary_term"].as_u64()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_has_a_name_that_may_stand_in_a_path() {
        for (text, fine) in [
            ("trailship-state", true),
            (".trailship", true),
            ("a/b", false),
            ("A", false),
            ("_x", false),
            ("", false),
            ("a?b", false),
        ] {
            assert_eq!(IndexName::try_from(text.to_owned()).is_ok(), fine, "{text}");
        }
    }
}
