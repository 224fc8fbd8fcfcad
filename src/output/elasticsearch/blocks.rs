//! Blocks on the stream's write index that a failure store hides: whether there is one is asked, and nothing is sent
//! until it is gone.
//!
//! An index that may not be written answers 403 or 429. With a failure store Elasticsearch takes the documents into that
//! instead and answers 201, as for documents that the mapping refuses. So an answer that tells of the failure store is
//! followed by one small question, and what a block sent there is held, not parked. Without such an answer nothing is
//! asked. Invariants: one question at a time, which serves all who wait for it; while a block stands the questions are
//! all that is sent, a pause apart. Left out: blocks of the whole cluster, under which the failure store takes nothing
//! either, so that requests are refused as such; a block that ends between an answer and its question.

use super::answer;
use super::judge::{self, RequestFate};
use super::nodes::Nodes;
use super::report::Report;
use super::rollover;
use super::send::{Content, Reply, Request};
use crate::output::backoff::Backoff;
use elasticsearch::http::Method;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// What is known of blocks on one data stream.
pub struct Blocks {
    path: String,
    timeout: Duration,
    pause: Backoff,
    /// All that is looked at while nothing is wrong.
    stands: AtomicBool,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// When the last question that was answered began.
    looked: Option<Instant>,
    /// When to ask again, while a block stands or may stand.
    due: Option<Instant>,
    /// Questions since it stands.
    looks: u32,
    /// Since when no question had an answer that tells.
    untold: Option<Instant>,
    /// Documents that the failure store took since it stands.
    copies: u64,
}

/// What an answer tells.
enum Found {
    Free,
    Blocked(Trouble),
    /// To be asked again.
    Untold(Trouble),
}

struct Trouble {
    code: String,
    reason: String,
}

/// What a blocked request is answered with, where there is no failure store.
const BLOCKED: &str = "cluster_block_exception";
/// Index blocks under which no document is written (Elasticsearch: index block settings).
const FORBID_WRITES: [&str; 3] = ["write", "read_only", "read_only_allow_delete"];
/// Time for which questions may fail before documents in the failure store count as parked without one.
const PATIENCE: Duration = Duration::from_secs(300);

impl Blocks {
    /// Each question may take `timeout`; they are asked as `pause` says.
    pub fn new(stream: &str, timeout: Duration, pause: Backoff) -> Blocks {
        let path = format!("{stream}/_settings");
        Blocks { path, timeout, pause, stands: AtomicBool::new(false), known: Mutex::default() }
    }

    /// When to come again, where a block stands and nothing may be sent now.
    pub async fn wait_until(&self, nodes: &Nodes, report: &Report) -> Option<Instant> {
        if !self.stands.load(Relaxed) {
            return None;
        }
        let mut known = self.known.lock().await;
        // Another may have found it gone meanwhile.
        if known.due? <= Instant::now() {
            self.look(&mut known, nodes, report).await;
        }
        known.due
    }

    /// Whether it was a block that sent `copies` documents of an answer to the failure store.
    pub async fn sent_there(&self, copies: usize, nodes: &Nodes, report: &Report) -> bool {
        let answered = Instant::now();
        let mut known = self.known.lock().await;
        let is_told = known.due.is_some() || known.looked.is_some_and(|looked| looked > answered);
        if !is_told {
            self.look(&mut known, nodes, report).await;
        }
        if known.due.is_some() {
            known.copies += copies as u64;
        }
        known.due.is_some()
    }

    async fn look(&self, known: &mut Known, nodes: &Nodes, report: &Report) {
        let began = Instant::now();
        let found = self.ask(nodes, report).await;
        known.looked = Some(began);
        let trouble = match found {
            Found::Untold(trouble) => {
                let since = *known.untold.get_or_insert(began);
                (since.elapsed() < PATIENCE).then_some(trouble)
            }
            Found::Blocked(trouble) => {
                known.untold = None;
                Some(trouble)
            }
            Found::Free => {
                known.untold = None;
                None
            }
        };
        self.stands.store(trouble.is_some(), Relaxed);
        match trouble {
            Some(Trouble { code, reason }) => {
                known.looks = known.looks.saturating_add(1);
                known.due = Some(Instant::now() + self.pause.pause(known.looks));
                report.blocked(&code, &reason);
            }
            None => {
                if known.due.take().is_some() {
                    report.no_longer_blocked(known.copies);
                }
                (known.looks, known.copies) = (0, 0);
            }
        }
    }

    async fn ask(&self, nodes: &Nodes, report: &Report) -> Found {
        // With something that every index has, so that one without a block is named too.
        let query = [("filter_path".to_owned(), "*.settings.index.blocks,*.settings.index.uuid".to_owned())];
        let request = Request {
            method: Method::Get,
            path: &self.path,
            query: &query,
            body: Content::None,
            timeout: self.timeout,
        };
        let turn = nodes.turn().await;
        match turn.node().send(request).await {
            Err(fault) => {
                report.unreachable(&turn, &fault);
                turn.failed();
                untold("no answer", &fault.to_string())
            }
            Ok(reply) if judge::request(reply.status) == RequestFate::NodeDown => {
                report.node_down(&turn, &reply);
                turn.failed();
                untold(&reply.status.to_string(), "a node, or what stands before it, is not available")
            }
            Ok(reply) => told(&reply, report),
        }
    }
}

fn told(reply: &Reply, report: &Report) -> Found {
    if reply.is_success() {
        return match serde_json::from_slice::<HashMap<String, Index>>(&reply.body) {
            Ok(indices) => newest(indices),
            Err(fault) => untold("unreadable", &fault.to_string()),
        };
    }
    let refused = answer::error_of(&reply.body);
    match judge::request(reply.status) {
        RequestFate::Again | RequestFate::Busy => untold(&reply.status.to_string(), &refused.reason),
        _ => {
            report.cannot_ask_for_blocks(reply.status, &refused);
            Found::Free
        }
    }
}

/// Only the newest backing index is written; those before it may well be blocked for good, by a lifecycle.
fn newest(indices: HashMap<String, Index>) -> Found {
    let numbered = indices.into_iter().filter_map(|(name, index)| Some((rollover::number(&name)?, name, index)));
    let Some((_, name, index)) = numbered.max_by_key(|(number, _, _)| *number) else {
        return Found::Free;
    };
    let blocks = index.settings.index.blocks;
    let is_set = |value: &Value| value.as_str() == Some("true") || value.as_bool() == Some(true);
    let set = FORBID_WRITES.iter().filter(|block| blocks.get(**block).is_some_and(is_set));
    let names: Vec<String> = set.map(|block| format!("`index.blocks.{block}`")).collect();
    if names.is_empty() {
        return Found::Free;
    }
    let reason = format!("index `{name}` has {}", names.join(" and "));
    Found::Blocked(Trouble { code: BLOCKED.to_owned(), reason })
}

fn untold(code: &str, reason: &str) -> Found {
    let reason = format!("documents went to the failure store, and whether a block is the cause is not told: {reason}");
    Found::Untold(Trouble { code: code.to_owned(), reason })
}

/// `{"settings": {"index": {"blocks": {"write": "true"}}}}`.
#[derive(Deserialize)]
struct Index {
    settings: Settings,
}

#[derive(Deserialize)]
struct Settings {
    index: Inner,
}

#[derive(Deserialize)]
struct Inner {
    #[serde(default)]
    blocks: BTreeMap<String, Value>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reason(indices: Value) -> Option<String> {
        match newest(serde_json::from_value(indices).unwrap()) {
            Found::Blocked(trouble) => Some(trouble.reason),
            Found::Free | Found::Untold(_) => None,
        }
    }

    #[test]
    fn the_blocks_of_the_newest_backing_index_count() {
        let free = json!({"settings": {"index": {"uuid": "a"}}});
        let blocked = |by: Value| json!({"settings": {"index": {"uuid": "b", "blocks": by}}});
        let old = ".ds-logs-x-2026.01.02-000009";
        let new = ".ds-logs-x-2026.02.02-000010";
        for (indices, expected) in [
            (json!({}), None),
            (json!({"no-stream": blocked(json!({"write": "true"}))}), None),
            (json!({old: blocked(json!({"write": "true"})), new: free}), None),
            (json!({old: free, new: blocked(json!({"write": "true"}))}), Some("`index.blocks.write`")),
            (json!({new: blocked(json!({"read_only": true}))}), Some("`index.blocks.read_only`")),
            (
                json!({new: blocked(json!({"read_only_allow_delete": "true", "write": "true"}))}),
                Some("`index.blocks.write` and `index.blocks.read_only_allow_delete`"),
            ),
            (json!({new: blocked(json!({"write": "false", "read": "true", "metadata": "true"}))}), None),
        ] {
            let expected = expected.map(|names| format!("index `{new}` has {names}"));
            assert_eq!(reason(indices.clone()), expected, "{indices}");
        }
    }
}
