//! A search server that accepts every document, counts it and forgets it.
//!
//! Bulk bodies are inflated and cut into lines, not parsed. What a shipper may ask at its start is answered plainly, as
//! Elasticsearch would: the product, templates that were put before, data streams.

use crate::http::{Request, Response};
use libdeflater::Decompressor;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Bytes of an inflated bulk body: as much as a real server takes at most.
const LARGEST: usize = 100 << 20;

#[derive(Default)]
pub struct Sink {
    counts: Mutex<Counts>,
    /// Bodies that were put, by path.
    stored: Mutex<BTreeMap<String, Value>>,
}

#[derive(Default)]
struct Counts {
    requests: u64,
    documents: u64,
    /// Hashes of `_id`s.
    ids: HashSet<u64>,
    wire_bytes: u64,
    plain_bytes: u64,
    most_documents: u64,
    span: Option<(Instant, Instant)>,
}

/// What one bulk body holds.
#[derive(Debug, Default, PartialEq)]
struct Content {
    documents: u64,
    ids: Vec<u64>,
}

thread_local! {
    static INFLATED: RefCell<(Decompressor, Vec<u8>)> = RefCell::new((Decompressor::new(), Vec::new()));
}

impl Sink {
    pub fn answer(&self, request: &Request) -> Response {
        let answer = match request.path.as_str() {
            "/_bench/reset" => {
                *self.lock() = Counts::default();
                Response::json(200, &json!({}))
            }
            "/_bench/stats" => Response::json(200, &self.lock().show()),
            path if path.ends_with("/_bulk") => self.bulk(request),
            _ => self.plainly(request),
        };
        answer.with("x-elastic-product", "Elasticsearch")
    }

    fn bulk(&self, request: &Request) -> Response {
        let read = match request.header("content-encoding") {
            None => Some((content(&request.body), request.body.len())),
            Some("gzip") => inflated(&request.body, |plain| (content(plain), plain.len())),
            Some(_) => None,
        };
        let Some((Some(content), plain_bytes)) = read else {
            return fault(400, "this body is no bulk");
        };
        let answer = acknowledgement(content.documents, request.parameter("filter_path"));
        self.lock().add(&content, request.body.len(), plain_bytes);
        Response::text(200, "application/json", answer)
    }

    fn plainly(&self, request: &Request) -> Response {
        let path = request.path.as_str();
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match request.method.as_str() {
            "HEAD" => json!({}),
            "PUT" => {
                let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
                stored.insert(path.to_owned(), body);
                json!({"acknowledged": true})
            }
            "GET" if path == "/" => product(),
            "GET" => match (path.split('/').nth(1), stored.get(path)) {
                (Some("_index_template"), Some(body)) => {
                    json!({"index_templates": [{"name": last(path), "index_template": body}]})
                }
                (Some("_component_template"), Some(body)) => {
                    json!({"component_templates": [{"name": last(path), "component_template": body}]})
                }
                (Some("_data_stream"), _) => json!({"data_streams": []}),
                _ => return fault(404, "nothing of this name"),
            },
            _ => json!({"acknowledged": true, "template": {}, "overlapping": []}),
        };
        Response::json(200, &answer)
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn add(&mut self, content: &Content, wire_bytes: usize, plain_bytes: usize) {
        let now = Instant::now();
        self.requests += 1;
        self.documents += content.documents;
        self.ids.extend(&content.ids);
        self.wire_bytes += wire_bytes as u64;
        self.plain_bytes += plain_bytes as u64;
        self.most_documents = self.most_documents.max(content.documents);
        self.span = Some((self.span.map_or(now, |(first, _)| first), now));
    }

    fn show(&self) -> Value {
        let seconds = self.span.map(|(first, last)| (last - first).as_secs_f64());
        json!({"requests": self.requests, "documents": self.documents, "distinct_ids": self.ids.len(),
            "wire_bytes": self.wire_bytes, "plain_bytes": self.plain_bytes,
            "most_documents_in_a_request": self.most_documents, "seconds": seconds})
    }
}

/// Gives `read` the inflated body; none when it is not one gzip member of bearable size.
fn inflated<T>(zipped: &[u8], read: impl FnOnce(&[u8]) -> T) -> Option<T> {
    let size: [u8; 4] = zipped.get(zipped.len().checked_sub(4)?..)?.try_into().ok()?;
    let size = u32::from_le_bytes(size) as usize;
    if size > LARGEST {
        return None;
    }
    INFLATED.with_borrow_mut(|(decompressor, plain)| {
        if plain.len() < size {
            plain.resize(size, 0);
        }
        let size = decompressor.gzip_decompress(zipped, &mut plain[..size]).ok()?;
        Some(read(&plain[..size]))
    })
}

/// Counts the documents: each is an action in one line and a source in the next. None when that is not so.
fn content(body: &[u8]) -> Option<Content> {
    let mut content = Content::default();
    let mut rest = body;
    while !rest.is_empty() {
        let action = line(&mut rest)?;
        let source = line(&mut rest)?;
        if !action.starts_with(b"{\"create\":{") || !source.starts_with(b"{") || !source.ends_with(b"}") {
            return None;
        }
        content.documents += 1;
        content.ids.extend(id(action));
    }
    Some(content)
}

/// Takes the next line, without its end.
fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = memchr::memchr(b'\n', rest)?;
    let line = &rest[..end];
    *rest = &rest[end + 1..];
    Some(line)
}

/// The hash of the action's `_id`.
fn id(action: &[u8]) -> Option<u64> {
    let from = memchr::memmem::find(action, b"\"_id\":\"")? + 7;
    let length = memchr::memchr(b'"', &action[from..])?;
    let mut hasher = DefaultHasher::new();
    action[from..from + length].hash(&mut hasher);
    Some(hasher.finish())
}

/// What Elasticsearch answers when all went well: whole items, or what `filter_path` leaves of them.
fn acknowledgement(documents: u64, filter: Option<&str>) -> Vec<u8> {
    let item = match filter {
        None => {
            r#"{"create":{"_index":".ds-logs-aws.cloudtrail-default-2025.06.02-000001","_id":"AZc1b2c3d4e5f6a7b8c9","_version":1,"result":"created","_shards":{"total":2,"successful":1,"failed":0},"_seq_no":123456,"_primary_term":1,"status":201}}"#
        }
        Some(filter) if filter.contains("items.*.status") => r#"{"create":{"status":201}}"#,
        Some(_) => return br#"{"errors":false}"#.to_vec(),
    };
    let documents = usize::try_from(documents).unwrap_or(0);
    let items = vec![item; documents].join(",");
    format!("{{\"errors\":false,\"items\":[{items}]}}").into_bytes()
}

fn product() -> Value {
    json!({"name": "sink", "cluster_name": "sink", "cluster_uuid": "AAAAAAAAAAAAAAAAAAAAAA",
        "version": {"number": "8.19.0", "build_flavor": "default", "build_type": "tar", "build_snapshot": false,
            "lucene_version": "9.12.0", "minimum_wire_compatibility_version": "7.17.0",
            "minimum_index_compatibility_version": "7.0.0"},
        "tagline": "You Know, for Search"})
}

fn fault(status: u16, reason: &str) -> Response {
    let error = json!({"type": "illegal_argument_exception", "reason": reason});
    Response::json(status, &json!({"error": error, "status": status}))
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[u8] = b"{\"create\":{\"_id\":\"a\"}}\n{\"x\":1}\n{\"create\":{\"_id\":\"b\"}}\n{}\n";

    #[test]
    fn documents_and_ids_are_counted() {
        let two = content(TWO).unwrap_or_default();
        assert_eq!((two.documents, two.ids.len()), (2, 2));
        assert_ne!(two.ids[0], two.ids[1]);
        assert_eq!(content(&[TWO, TWO].concat()).map(|four| four.ids[..2] == four.ids[2..]), Some(true));
        assert_eq!(content(b""), Some(Content::default()));
    }

    #[test]
    fn what_is_no_bulk_is_refused() {
        let half: &[u8] = b"{\"create\":{\"_id\":\"a\"}}\n";
        for body in [half, &TWO[..TWO.len() - 1], b"{}\n{}\n", b"{\"create\":{}}\nx\n"] {
            assert_eq!(content(body), None);
        }
        assert_eq!(inflated(b"no gzip", |plain| plain.len()), None);
    }

    #[test]
    fn a_filter_leaves_its_parts() {
        let text = |filter| String::from_utf8(acknowledgement(2, filter)).unwrap_or_default();
        assert_eq!(text(Some("errors")), r#"{"errors":false}"#);
        let filtered = text(Some("errors,items.*.status"));
        assert_eq!(filtered, r#"{"errors":false,"items":[{"create":{"status":201}},{"create":{"status":201}}]}"#);
        let whole: Value = serde_json::from_str(&text(None)).unwrap_or_default();
        assert_eq!(whole["items"].as_array().map(Vec::len), Some(2));
    }
}
