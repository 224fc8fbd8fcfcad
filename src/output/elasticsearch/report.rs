//! What the log says of bulks, and what goes into the dead letter.
//!
//! A lasting fault is said once and then once a minute; its end is said too. A parked record's reason goes into the dead
//! letter and not into the log, as servers quote the document in it.

use super::answer::Item;
use super::judge::{self, ItemFate};
use super::nodes::Turn;
use super::send::{Reply, SendFault};
use crate::output::Source;
use crate::output::parking::{Parked, Parking};
use crate::status;
use crate::telemetry::repeats::Repeats;
use bytes::Bytes;
use serde::Deserialize;
use std::sync::Arc;

/// A document that will never pass, with what the server said.
pub struct Letter {
    pub code: &'static str,
    pub status: u16,
    pub reason: String,
    pub source: Arc<Source>,
    /// Action and document, a line each.
    pub item: Bytes,
}

/// The log of one sender.
pub struct Report {
    /// Method and path, as messages name the request.
    api: String,
    repeats: Repeats<Key>,
    health: status::Part,
}

/// Writes letters into the dead letter, as documents with their `_id` and position. Blocks.
///
/// # Errors
/// As [`Parking::park`].
pub fn park(parking: &Parking, letters: &[Letter]) -> std::io::Result<()> {
    let read: Vec<(Option<String>, &[u8])> = letters.iter().map(|letter| id_and_document(&letter.item)).collect();
    let parked: Vec<Parked<'_>> = letters
        .iter()
        .zip(&read)
        .map(|(letter, (id, document))| Parked {
            code: letter.code,
            reason: letter.reason.clone(),
            status: (letter.status > 0).then_some(letter.status),
            source: &letter.source,
            offset: offset(document),
            id: id.as_deref(),
            record: document,
        })
        .collect();
    parking.park(&parked)
}

/// What a fault is told apart by: a code, and the number of the node that showed it (0 where there is none).
type Key = (&'static str, usize);

/// What health calls it when documents are refused one by one.
const DOCUMENTS: &str = "create";

/// What health calls it when the write index may be blocked. Only a look at its settings ends that.
const BLOCKS: &str = "index.blocks";

/// Keys of faults of the whole request, which one good answer ends.
const OF_REQUESTS: [Key; 4] = [("overloaded", 0), ("held", 0), ("unreadable", 0), ("failing", 0)];

impl Report {
    pub fn new(path: &str, health: status::Part) -> Report {
        Report { api: format!("POST /{path}"), repeats: Repeats::default(), health }
    }

    /// No node is left that works.
    pub fn nobody(&self, code: &str, reason: &str) {
        self.health.trouble(&self.api, code, reason);
    }

    /// No whole answer from a node.
    pub fn unreachable(&self, turn: &Turn<'_>, fault: &SendFault) {
        if let Some(due) = self.repeats.occurred(("unreachable", turn.index())) {
            tracing::warn!(node = %turn.node().url(), %fault, times = due.times, lasting = ?due.lasted, "node set aside; its bulks are sent again");
        }
    }

    /// 502, 503 or 504 from a node.
    pub fn node_down(&self, turn: &Turn<'_>, reply: &Reply) {
        if let Some(due) = self.repeats.occurred(("unreachable", turn.index())) {
            tracing::warn!(node = %turn.node().url(), status = reply.status, times = due.times, lasting = ?due.lasted, "node set aside; its bulks are sent again");
        }
    }

    /// A request was answered item by item.
    pub fn reachable(&self, turn: &Turn<'_>) {
        self.health.well(&self.api);
        if let Some(lasted) = self.repeats.passed(&("unreachable", turn.index())) {
            tracing::info!(node = %turn.node().url(), ?lasted, "node works again");
        }
        for key in OF_REQUESTS {
            if let Some(lasted) = self.repeats.passed(&key) {
                tracing::info!(api = self.api, ?lasted, "bulk requests are accepted again");
            }
        }
    }

    /// 429 or a fault of the server for a whole request.
    pub fn again(&self, status: u16, told: &Item) {
        let code = if status == 429 { "overloaded" } else { "failing" };
        if let Some(due) = self.repeats.occurred((code, 0)) {
            tracing::warn!(api = self.api, status, code = told.kind, reason = told.reason, times = due.times, lasting = ?due.lasted, "bulk request refused for now; sent again");
        }
    }

    /// A request that somebody must mend.
    pub fn held(&self, status: u16, told: &Item, records: usize) {
        self.health.trouble(&self.api, &status.to_string(), &told.reason);
        self.hold(("held", 0), status, told, records);
    }

    /// An answer that is no bulk answer.
    pub fn unreadable(&self, fault: &str) {
        if let Some(due) = self.repeats.occurred(("unreadable", 0)) {
            tracing::warn!(api = self.api, fault, times = due.times, lasting = ?due.lasted, "answer not understood; the bulk is sent again");
        }
    }

    /// A body that was halved.
    pub fn too_large(&self, bytes: usize) {
        if let Some(due) = self.repeats.occurred(("too-large-request", 0)) {
            tracing::info!(
                api = self.api,
                bytes,
                times = due.times,
                "bulk too large for the server; halved. Lower `bulk_max_bytes` to spare the detour"
            );
        }
    }

    /// The items of an answer that are not plainly indexed, with what becomes of them.
    pub fn read(&self, notable: &[(usize, Item)], fates: &[ItemFate]) {
        let mut held: Option<(&Item, usize)> = None;
        let mut again: Option<(&Item, usize)> = None;
        let mut stored = 0;
        for (position, item) in notable {
            match fates.get(*position) {
                // Said where the block is found.
                Some(ItemFate::Hold) if item.in_failure_store => {}
                Some(ItemFate::Done(_)) if item.in_failure_store => stored += 1,
                Some(ItemFate::Hold) => held.get_or_insert((item, 0)).1 += 1,
                Some(ItemFate::Again | ItemFate::Busy) => again.get_or_insert((item, 0)).1 += 1,
                _ => {}
            }
        }
        match held {
            Some((item, records)) => {
                self.health.trouble(DOCUMENTS, &item.status.to_string(), &item.reason);
                self.hold(("held-items", 0), item.status, item, records);
            }
            None => {
                self.health.well(DOCUMENTS);
                self.repeats.passed(&("held-items", 0));
            }
        }
        match again {
            Some((item, records)) => self.items_again(item, records),
            None => {
                self.repeats.passed(&("refused-items", 0));
            }
        }
        if stored > 0
            && let Some(due) = self.repeats.occurred(("failure-store", 0))
        {
            tracing::warn!(
                records = stored,
                times = due.times,
                "documents went to the failure store: search `<data stream>::failures` for the reasons"
            );
        }
    }

    /// The write index is blocked, or may be, and documents went to the failure store for it.
    pub fn blocked(&self, code: &str, reason: &str) {
        self.health.trouble(BLOCKS, code, reason);
        if let Some(due) = self.repeats.occurred(("blocked", 0)) {
            tracing::error!(
                code, reason, times = due.times, lasting = ?due.lasted,
                "on hold: documents went to the failure store in place of a blocked index; they wait, nothing is sent, and all goes on when the block is removed"
            );
        }
    }

    /// No block stands any more; the failure store took `copies` documents meanwhile.
    pub fn no_longer_blocked(&self, copies: u64) {
        self.health.well(BLOCKS);
        self.repeats.passed(&("blocked", 0));
        tracing::info!(
            copies,
            "no block stands any more: what was held is sent again; the failure store keeps its copies of it"
        );
    }

    /// Whether a block is why documents went to the failure store cannot be asked.
    pub fn cannot_ask_for_blocks(&self, status: u16, told: &Item) {
        if let Some(due) = self.repeats.occurred(("cannot-ask-for-blocks", 0)) {
            tracing::warn!(
                status,
                code = told.kind,
                reason = told.reason,
                times = due.times,
                "cannot ask whether documents went to the failure store because the index is blocked, so that they count as parked: give the credentials `view_index_metadata` on the data stream"
            );
        }
    }

    /// Letters that are on disk.
    pub fn parked(&self, letters: &[Letter]) {
        let Some(first) = letters.first() else { return };
        if let Some(due) = self.repeats.occurred((first.code, 0)) {
            let (code, status, source) = (first.code, first.status, &first.source);
            tracing::warn!(
                code,
                status,
                records = letters.len(),
                object = source.object,
                times = due.times,
                "records parked in the dead letter"
            );
        }
    }

    /// The dead letter cannot be written.
    pub fn cannot_park(&self, fault: &std::io::Error) {
        if let Some(due) = self.repeats.occurred(("cannot-park", 0)) {
            tracing::error!(%fault, times = due.times, lasting = ?due.lasted, "cannot write the dead letter; waiting: free space in `path.data`");
        }
    }

    /// Whether items are stored already cannot be asked.
    pub fn cannot_look(&self, status: u16, told: &Item) {
        if let Some(due) = self.repeats.occurred(("cannot-look", 0)) {
            tracing::warn!(
                status,
                code = told.kind,
                reason = told.reason,
                times = due.times,
                "cannot ask which documents are stored already, so that a rollover before they are sent again may double them: give the credentials `read` on the data stream"
            );
        }
    }

    /// Items that are sent again were found in an earlier backing index.
    pub fn stored_before(&self, records: usize) {
        if let Some(due) = self.repeats.occurred(("stored-before", 0)) {
            tracing::info!(
                records,
                times = due.times,
                "documents were stored before the last rollover; not sent again"
            );
        }
    }

    fn items_again(&self, item: &Item, records: usize) {
        if let Some(due) = self.repeats.occurred(("refused-items", 0)) {
            tracing::warn!(
                api = self.api, status = item.status, code = item.kind, reason = item.reason, records,
                times = due.times, lasting = ?due.lasted, "documents refused for now; these alone are sent again"
            );
        }
    }

    fn hold(&self, key: Key, status: u16, told: &Item, records: usize) {
        if let Some(due) = self.repeats.occurred(key) {
            tracing::error!(
                api = self.api, status, code = told.kind, reason = told.reason, records,
                times = due.times, lasting = ?due.lasted, advice = judge::advice(status, told),
                "on hold: records wait and are tried until this is mended"
            );
        }
    }
}

/// The `_id` in the action line, and the document line without its newline.
pub fn id_and_document(item: &Bytes) -> (Option<String>, &[u8]) {
    #[derive(Deserialize)]
    struct Action {
        create: Target,
    }
    #[derive(Deserialize)]
    struct Target {
        #[serde(rename = "_id")]
        id: String,
    }
    let end = memchr::memchr(b'\n', item).unwrap_or(item.len());
    let (action, rest) = item.split_at(end);
    let document = rest.trim_ascii();
    let id = serde_json::from_slice::<Action>(action).ok().map(|action| action.create.id);
    (id, document)
}

/// `log.offset` of the document: where its record begins in the inflated object.
fn offset(document: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Document {
        log: Log,
    }
    #[derive(Deserialize)]
    struct Log {
        offset: u64,
    }
    serde_json::from_slice::<Document>(document).ok().map(|document| document.log.offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_document_and_offset_are_found() {
        let item =
            Bytes::from("{\"create\":{\"_id\":\"a\\\"b\"}}\n{\"log\":{\"level\":\"x\",\"offset\":42},\"z\":1}\n");
        let (id, document) = id_and_document(&item);
        assert_eq!(id.as_deref(), Some("a\"b"));
        assert_eq!(document, b"{\"log\":{\"level\":\"x\",\"offset\":42},\"z\":1}");
        assert_eq!(offset(document), Some(42));
    }

    #[test]
    fn what_is_missing_is_none() {
        for item in ["", "\n", "{}\n{}\n", "{\"create\":{}}\nx\n"] {
            let item = Bytes::from(item);
            let (id, document) = id_and_document(&item);
            assert_eq!((id, offset(document)), (None, None));
        }
    }
}
