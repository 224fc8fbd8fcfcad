//! Repeats across a rollover: before items are sent again, asks whether an earlier backing index has them.
//!
//! A data stream compares `_id`s within its newest backing index only. So an item whose first try may have been stored,
//! but was not plainly answered, is looked up in the indices that were the newest since. Only such items pay for it: one
//! small question, and a look-up of ids only after a rollover. Left out: a rollover in the moment between the look and
//! the next try, and a first try that the cluster carries out after the look.

use super::answer::{self, Item};
use super::parcel::{self, Parcel};
use super::report::{self, Report};
use super::send::{Content, Node, Reply, Request, SendFault};
use crate::ack::Outcome;
use crate::output::body::Unsound;
use bytes::Bytes;
use elasticsearch::http::Method;
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What may be stored already, of a parcel's items.
#[derive(Debug, Clone, Copy, Default)]
pub struct Doubt {
    /// They were sent, by this or an earlier process, and the answer did not plainly refuse them.
    pub open: bool,
    /// The newest backing index when they were sent, or an earlier one; none when not known.
    since: Option<u64>,
    /// When the cluster began to refuse looks.
    refused: Option<Instant>,
}

/// What a look has brought.
pub enum Looked {
    /// To be sent: all that no earlier index has.
    Send(Parcel),
    /// All of it is stored.
    Done,
    /// To be looked up again after a pause.
    Later(Parcel),
    /// The node gave no answer.
    Unanswered(Parcel, SendFault),
}

/// The backing indices of one data stream, as far as they matter here.
pub struct Rollovers {
    stream: String,
    timeout: Duration,
    level: u8,
    /// The last of the backing indices that were seen. One whose shards are not there yet, as after a restart, may be
    /// missing where names are told.
    seen: Mutex<BTreeMap<u64, String>>,
}

/// Earlier indices that are looked into: as many rollovers between two tries are accounted for.
const EARLIER: usize = 4;
/// Ids in one request.
const IDS: usize = 1_000;
/// Time for which looks may be refused before items are sent without one: shipping does not depend on old indices.
const PATIENCE: Duration = Duration::from_secs(300);

impl Doubt {
    /// For items that an earlier process, or an earlier delivery of their message, may have stored.
    pub fn of_a_repeat() -> Doubt {
        Doubt { open: true, ..Doubt::default() }
    }
}

impl Rollovers {
    /// Cut bodies are compressed at `level`; each question may take `timeout`.
    pub fn new(stream: &str, timeout: Duration, level: u8) -> Rollovers {
        Rollovers { stream: stream.to_owned(), timeout, level, seen: Mutex::default() }
    }

    /// Notes what is known when a parcel is sent, for the case that its answer leaves a doubt.
    pub fn note(&self, doubt: &mut Doubt) {
        if !doubt.open {
            doubt.since = self.seen().last_key_value().map(|(newest, _)| *newest);
        }
    }

    /// Settles those items of a doubtful parcel as duplicates that an earlier backing index has.
    ///
    /// # Errors
    /// Body and lengths do not agree.
    pub async fn look(&self, mut parcel: Parcel, node: &Node, report: &Report) -> Result<Looked, Unsound> {
        let (newest, earlier) = match self.earlier(node, parcel.doubt.since).await {
            Ok(told) => told,
            Err(fault) => return Ok(without(parcel, fault, report)),
        };
        let mut stored = HashSet::new();
        let items = if earlier.is_empty() { Vec::new() } else { parcel::plain_items(parcel.body.clone()).await? };
        let ids: Vec<String> = items.iter().map(|item| report::id_and_document(item).0.unwrap_or_default()).collect();
        for index in earlier {
            for some in ids.chunks(IDS) {
                match self.ids_in(node, &index, some).await {
                    Ok(found) => stored.extend(found),
                    Err(fault) => return Ok(without(parcel, fault, report)),
                }
            }
        }
        // Whatever follows, those indices need not be asked again.
        parcel.doubt = Doubt { open: true, since: newest.or(parcel.doubt.since), refused: None };
        if stored.is_empty() {
            return Ok(Looked::Send(parcel));
        }
        report.stored_before(stored.len());
        let outcomes: Vec<Option<Outcome>> =
            ids.iter().map(|id| stored.contains(id).then_some(Outcome::Duplicate)).collect();
        parcel.segments.settle(&outcomes);
        let rest: Vec<Bytes> =
            items.into_iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_none()).map(|(item, _)| item).collect();
        if rest.is_empty() {
            return Ok(Looked::Done);
        }
        parcel.body = parcel::packed(rest, self.level).await?;
        Ok(Looked::Send(parcel))
    }

    /// The number of the newest backing index, and the names of earlier ones that were the newest from `since` on.
    async fn earlier(&self, node: &Node, since: Option<u64>) -> Result<(Option<u64>, Vec<String>), Fault> {
        let told = self.indices(node).await?;
        let mut seen = self.seen();
        seen.extend(told);
        while seen.len() > EARLIER + 1 {
            seen.pop_first();
        }
        let mut latest = seen.iter().rev();
        let newest = latest.next().map(|(number, _)| *number);
        let earlier = latest.filter(|(number, _)| since.is_none_or(|since| **number >= since));
        Ok((newest, earlier.map(|(_, index)| index.clone()).collect()))
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<u64, String>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The backing indices with their numbers. Empty when there is no stream yet, or what stands in its place is no data
    /// stream.
    async fn indices(&self, node: &Node) -> Result<Vec<(u64, String)>, Fault> {
        #[derive(Deserialize)]
        struct Told {
            #[serde(default)]
            indices: Vec<String>,
            #[serde(default)]
            failures: Vec<Failure>,
        }
        #[derive(Deserialize)]
        struct Failure {
            #[serde(default)]
            indices: Vec<String>,
        }
        // What tells the names and needs no privilege but `read`.
        let query = [("fields", "@timestamp"), ("filter_path", "indices,failures.indices")]
            .map(|(key, value)| (key.into(), value.into()));
        let path = format!("{}/_field_caps", self.stream);
        let reply = self.ask(node, Method::Get, &path, &query, Content::None).await?;
        if reply.status == 404 {
            return Ok(Vec::new());
        }
        let told: Told = read(&reply)?;
        let all = told.indices.into_iter().chain(told.failures.into_iter().flat_map(|failure| failure.indices));
        Ok(all.filter_map(|index| Some((number(&index)?, index))).collect())
    }

    /// Those of `ids` that `index` has, as of now: also what no search finds yet.
    async fn ids_in(&self, node: &Node, index: &str, ids: &[String]) -> Result<Vec<String>, Fault> {
        #[derive(Deserialize)]
        struct Told {
            #[serde(default)]
            docs: Vec<Document>,
        }
        #[derive(Deserialize)]
        struct Document {
            #[serde(rename = "_id")]
            id: String,
            found: Option<bool>,
            #[serde(default)]
            error: serde_json::Value,
        }
        let query = [("_source", "false"), ("filter_path", "docs._id,docs.found,docs.error.type")]
            .map(|(key, value)| (key.into(), value.into()));
        let body = Content::Json(Bytes::from(serde_json::json!({"ids": ids}).to_string()));
        let reply = self.ask(node, Method::Post, &format!("{index}/_mget"), &query, body).await?;
        // An index that was deleted in the meantime has nothing.
        if reply.status == 404 {
            return Ok(Vec::new());
        }
        let told: Told = read(&reply)?;
        let mut found = Vec::new();
        for document in told.docs {
            match document.found {
                Some(true) => found.push(document.id),
                Some(false) => {}
                None if is_gone(&document.error) => {}
                // Its shard is not there now; what it has is not known.
                None => {
                    let told = answer::error_of(serde_json::json!({"error": document.error}).to_string().as_bytes());
                    return Err(Fault::Refused(503, told));
                }
            }
        }
        Ok(found)
    }

    async fn ask(
        &self,
        node: &Node,
        method: Method,
        path: &str,
        query: &[(String, String)],
        body: Content,
    ) -> Result<Reply, Fault> {
        let request = Request { method, path, query, body, timeout: self.timeout };
        node.send(request).await.map_err(Fault::Unanswered)
    }
}

/// What becomes of a parcel about which nothing can be known now.
fn without(mut parcel: Parcel, fault: Fault, report: &Report) -> Looked {
    let (status, told) = match fault {
        Fault::Unanswered(fault) => return Looked::Unanswered(parcel, fault),
        Fault::Refused(status, told) => (status, told),
    };
    report.cannot_look(status, &told);
    let since = *parcel.doubt.refused.get_or_insert_with(Instant::now);
    let may_pass = status == 429 || status >= 500;
    if may_pass && since.elapsed() < PATIENCE { Looked::Later(parcel) } else { Looked::Send(parcel) }
}

/// Whether an error of one document says that its index can have nothing that a search finds.
fn is_gone(error: &serde_json::Value) -> bool {
    matches!(error["type"].as_str(), Some("index_not_found_exception" | "index_closed_exception"))
}

/// Why nothing is known.
enum Fault {
    Unanswered(SendFault),
    Refused(u16, Item),
}

fn read<T: for<'de> Deserialize<'de>>(reply: &Reply) -> Result<T, Fault> {
    let told = answer::error_of(&reply.body);
    if !reply.is_success() {
        return Err(Fault::Refused(reply.status, told));
    }
    serde_json::from_slice(&reply.body).map_err(|_| Fault::Refused(reply.status, told))
}

/// The number at the end of a backing index's name: `.ds-logs-x-2026.01.02-000017`.
pub fn number(index: &str) -> Option<u64> {
    let (_, digits) = index.rsplit_once('-')?;
    let is_number = digits.len() >= 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backing_indices_are_known_by_their_numbers() {
        for (index, expected) in [
            (".ds-logs-aws.cloudtrail-default-2026.01.02-000017", Some(17)),
            (".ds-logs-aws.cloudtrail-default-000001", Some(1)),
            ("shrink-ab1c-.ds-logs-aws.cloudtrail-default-2026.01.02-1000000", Some(1_000_000)),
            ("trail", None),
            ("trail-2026.01.02", None),
            ("trail-2026", None),
            ("trail-0000x1", None),
            ("trail-", None),
            ("trail-99999999999999999999", None),
        ] {
            assert_eq!(number(index), expected, "{index}");
        }
    }
}
