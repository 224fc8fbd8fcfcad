//! Reads the documents of all processes from the data stream, with the client and the credentials of the output.

use super::{DIGEST, FILES, HOUR, Peers};
use crate::output::elasticsearch::{Cluster, Method};
use crate::verify::moment;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Documents in one answer.
const PAGE: u64 = 500;
/// Documents that are read at most: those of a month of a thousand accounts and regions.
const DOCUMENTS: usize = 2_000_000;
/// How long the server keeps the place between two answers.
const KEEP: &str = "1m";
/// Digests come after the time that they cover, and cover more than an hour after a pause.
const DAY: i64 = 24 * moment::HOUR;

/// What is said of the hours that begin from `from` until before `to`.
///
/// # Errors
/// No answer, or a refusal, with what to do about it.
pub async fn fetch(cluster: &Cluster, stream: &str, from: Timestamp, to: Timestamp) -> Result<Peers, String> {
    let path = format!("{stream}/_search?scroll={KEEP}&ignore_unavailable=true&allow_no_indices=true");
    let mut answer = ask(cluster, Method::Post, &path, &search(from, to), stream).await?;
    let (mut peers, mut read) = (Peers::default(), 0);
    let outcome = loop {
        let hits = answer["hits"]["hits"].as_array().map_or(&[][..], Vec::as_slice);
        hits.iter().for_each(|hit| peers.add(&hit["_source"]));
        read += hits.len();
        let Some(place) = answer["_scroll_id"].as_str().filter(|_| !hits.is_empty()) else { break Ok(()) };
        if read > DOCUMENTS {
            break Err(format!("there are more than {DOCUMENTS} documents; ask for less time"));
        }
        let more = json!({"scroll": KEEP, "scroll_id": place});
        answer = match ask(cluster, Method::Post, "_search/scroll", &more, stream).await {
            Ok(answer) => answer,
            Err(reason) => break Err(reason),
        };
    };
    if let Some(place) = answer["_scroll_id"].as_str() {
        // The server forgets it by itself, only later.
        let _ = cluster.ask(Method::Delete, "_search/scroll", Some(&json!({"scroll_id": place}))).await;
    }
    outcome.map(|()| peers)
}

fn search(from: Timestamp, to: Timestamp) -> Value {
    let between = |field: &str, until: Timestamp| {
        let range = json!({"gte": from.as_millisecond(), "lt": until.as_millisecond(), "format": "epoch_millis"});
        json!({"range": {field: range}})
    };
    json!({
        "size": PAGE,
        "sort": ["_doc"],
        "_source": ["event.action", "event.created", "cloud", "trailship"],
        "query": {"bool": {"filter": [
            {"terms": {"event.action": [FILES, DIGEST, HOUR]}},
            {"exists": {"field": "trailship.ledger.process"}},
            between("@timestamp", moment::plus(to, DAY)),
        ]}},
    })
}

async fn ask(cluster: &Cluster, method: Method, path: &str, body: &Value, stream: &str) -> Result<Value, String> {
    let reply =
        cluster.ask(method, path, Some(body)).await.map_err(|fault| format!("searching `{stream}`: {fault}"))?;
    if reply.is_success() { Ok(reply.json()) } else { Err(reply.refused_search(stream)) }
}
