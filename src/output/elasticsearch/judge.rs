//! What becomes of a document or a request, by status: one table.
//!
//! Nothing is given up and nothing is dropped: a document ends indexed, known or parked; everything else is sent again,
//! at once, later, or when somebody has mended what is wrong.

use super::answer::Item;
use crate::ack::Outcome;

/// What becomes of one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemFate {
    Done(Outcome),
    /// Passes by itself.
    Again,
    /// Passes when the cluster has less to do.
    Busy,
    /// Will never pass; the code goes into the dead letter.
    Park(&'static str),
    /// Passes when somebody has mended what is wrong.
    Hold,
}

/// What becomes of a whole request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestFate {
    /// The answer tells of each item.
    Read,
    /// Passes by itself.
    Again,
    /// Passes when the cluster has less to do.
    Busy,
    /// This node does not work; another may.
    NodeDown,
    /// Too large.
    Split,
    /// One of its records may have spoilt it: cut until it is alone.
    Isolate,
    /// Passes when somebody has mended what is wrong.
    Hold,
}

/// What becomes of one item of a bulk that was answered.
pub fn item(item: &Item) -> ItemFate {
    if item.in_failure_store {
        return ItemFate::Done(Outcome::Parked);
    }
    if let Some((_, fate)) = NOT_THE_DOCUMENT.iter().find(|(kind, _)| *kind == item.kind) {
        return *fate;
    }
    if is_pipeline_missing(item) {
        return ItemFate::Hold;
    }
    row(item.status).item
}

/// What becomes of a request that was answered with `status`.
pub fn request(status: u16) -> RequestFate {
    row(status).request
}

/// What to do about a request or an item on hold.
pub fn advice(status: u16, told: &Item) -> &'static str {
    if is_pipeline_missing(told) {
        return "the ingest pipeline does not exist: check `pipeline`";
    }
    match (status, told.kind.as_str()) {
        (_, "cluster_block_exception") => {
            "the index is blocked, as when disks are full: free space, then remove the block"
        }
        (_, "validation_exception") => "the cluster has no room for another index: check `cluster.max_shards_per_node`",
        (401, _) => "the credentials are wrong or have expired: check `api_key`, or `username` and `password`",
        (403, _) => "the credentials lack a privilege: give them `create_doc` and `auto_configure` on the data stream",
        (404, _) => "there is no such index, and it may not be made: run `trailship setup`, check `index` and `path`",
        (407, _) => "the proxy wants credentials: put them into `proxy_url`",
        _ => {
            "the request itself is refused: check `hosts`, `path`, `parameters`, `headers` and `pipeline` with `trailship test output`"
        }
    }
}

fn is_pipeline_missing(told: &Item) -> bool {
    told.kind == "illegal_argument_exception" && told.reason.starts_with("pipeline with id [")
}

/// Errors with status 400 that tell of the index or the cluster, and not of the document.
const NOT_THE_DOCUMENT: &[(&str, ItemFate)] = &[
    ("resource_already_exists_exception", ItemFate::Again),
    ("index_closed_exception", ItemFate::Hold),
    ("invalid_index_name_exception", ItemFate::Hold),
    ("validation_exception", ItemFate::Hold),
];

struct Row {
    from: u16,
    to: u16,
    item: ItemFate,
    request: RequestFate,
}

const fn rows(from: u16, to: u16, item: ItemFate, request: RequestFate) -> Row {
    Row { from, to, item, request }
}

/// The first row that fits counts.
const TABLE: &[Row] = &[
    rows(200, 299, ItemFate::Done(Outcome::Indexed), RequestFate::Read),
    rows(400, 400, ItemFate::Park("mapping-refused"), RequestFate::Isolate),
    rows(401, 401, ItemFate::Hold, RequestFate::Hold),
    rows(403, 404, ItemFate::Hold, RequestFate::Hold),
    rows(408, 408, ItemFate::Again, RequestFate::Again),
    rows(409, 409, ItemFate::Done(Outcome::Duplicate), RequestFate::Again),
    rows(413, 413, ItemFate::Park("too-large"), RequestFate::Split),
    rows(429, 429, ItemFate::Busy, RequestFate::Busy),
    rows(400, 499, ItemFate::Park("document-refused"), RequestFate::Hold),
    rows(502, 502, ItemFate::Again, RequestFate::NodeDown),
    rows(503, 503, ItemFate::Busy, RequestFate::NodeDown),
    rows(504, 504, ItemFate::Busy, RequestFate::NodeDown),
    rows(500, 599, ItemFate::Again, RequestFate::Again),
    // A redirect that leads nowhere: the address is not that of a search server.
    rows(300, 399, ItemFate::Again, RequestFate::Hold),
];

fn row(status: u16) -> &'static Row {
    const NO_STATUS: Row = rows(0, u16::MAX, ItemFate::Again, RequestFate::Again);
    TABLE.iter().find(|row| (row.from..=row.to).contains(&status)).unwrap_or(&NO_STATUS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, kind: &str) -> ItemFate {
        item(&Item { status, kind: kind.into(), ..Item::default() })
    }

    /// Search servers: bulk item outcomes, and whole-request outcomes.
    #[test]
    fn statuses_mean_what_the_servers_mean() {
        for (status, kind, fate) in [
            (200, "", ItemFate::Done(Outcome::Indexed)),
            (201, "", ItemFate::Done(Outcome::Indexed)),
            (409, "version_conflict_engine_exception", ItemFate::Done(Outcome::Duplicate)),
            (429, "es_rejected_execution_exception", ItemFate::Busy),
            (429, "circuit_breaking_exception", ItemFate::Busy),
            (429, "cluster_block_exception", ItemFate::Busy),
            (500, "", ItemFate::Again),
            (502, "", ItemFate::Again),
            (503, "unavailable_shards_exception", ItemFate::Busy),
            (504, "", ItemFate::Busy),
            (400, "document_parsing_exception", ItemFate::Park("mapping-refused")),
            (400, "mapper_parsing_exception", ItemFate::Park("mapping-refused")),
            (400, "illegal_argument_exception", ItemFate::Park("mapping-refused")),
            (400, "validation_exception", ItemFate::Hold),
            (400, "index_closed_exception", ItemFate::Hold),
            (400, "invalid_index_name_exception", ItemFate::Hold),
            (400, "resource_already_exists_exception", ItemFate::Again),
            (401, "security_exception", ItemFate::Hold),
            (403, "security_exception", ItemFate::Hold),
            (404, "index_not_found_exception", ItemFate::Hold),
            (413, "", ItemFate::Park("too-large")),
            (422, "", ItemFate::Park("document-refused")),
            (0, "", ItemFate::Again),
        ] {
            assert_eq!(of(status, kind), fate, "{status} {kind}");
        }
        for (status, fate) in [
            (200, RequestFate::Read),
            (302, RequestFate::Hold),
            (400, RequestFate::Isolate),
            (401, RequestFate::Hold),
            (403, RequestFate::Hold),
            (404, RequestFate::Hold),
            (405, RequestFate::Hold),
            (406, RequestFate::Hold),
            (408, RequestFate::Again),
            (413, RequestFate::Split),
            (415, RequestFate::Hold),
            (429, RequestFate::Busy),
            (500, RequestFate::Again),
            (502, RequestFate::NodeDown),
            (503, RequestFate::NodeDown),
            (504, RequestFate::NodeDown),
            (599, RequestFate::Again),
        ] {
            assert_eq!(request(status), fate, "{status}");
        }
    }

    #[test]
    fn the_failure_store_parks() {
        let stored = Item { status: 201, in_failure_store: true, ..Item::default() };
        assert_eq!(item(&stored), ItemFate::Done(Outcome::Parked));
    }

    #[test]
    fn a_missing_pipeline_is_nobodys_documents_fault() {
        let missing = Item {
            status: 400,
            kind: "illegal_argument_exception".into(),
            reason: "pipeline with id [x] does not exist".into(),
            in_failure_store: false,
        };
        assert_eq!(item(&missing), ItemFate::Hold);
    }

    #[test]
    fn no_status_gives_a_record_up() {
        for status in 0..=u16::MAX {
            let parked_or_done = matches!(of(status, ""), ItemFate::Park(_) | ItemFate::Done(_));
            assert!(!parked_or_done || (200..300).contains(&status) || (400..500).contains(&status), "{status}");
        }
    }
}
