//! A search server of a test's own that keeps documents in memory: what was sent in all, and under which `_id`.
//!
//! `_bulk` creates as Elasticsearch does: 201, and 409 for an `_id` that is there. What else a shipper asks it answers
//! plainly. For tests with many programs, and for those in which it must fail for a while.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::JoinHandle;

/// Ends when it is dropped.
pub struct Index {
    pub url: String,
    kept: Arc<Mutex<Kept>>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct Kept {
    /// By stream and `_id`.
    documents: BTreeMap<(String, String), Value>,
    refuses: bool,
}

impl Index {
    pub async fn new() -> Index {
        let kept = Arc::<Mutex<Kept>>::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&kept));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Index { url, kept, serving }
    }

    /// Documents of the streams whose name contains `part`, with their `_id`s.
    pub fn documents(&self, part: &str) -> Vec<(String, Value)> {
        let kept = lock(&self.kept);
        let of_stream = kept.documents.iter().filter(|((stream, _), _)| stream.contains(part));
        of_stream.map(|((_, id), document)| (id.clone(), document.clone())).collect()
    }

    /// From now on every bulk is answered with 503, or none.
    pub fn refuse(&self, refuses: bool) {
        lock(&self.kept).refuses = refuses;
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(kept): State<Arc<Mutex<Kept>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let (status, answer) = match (&parts.method, path.strip_suffix("/_bulk")) {
        (&Method::POST, Some(stream)) => {
            let is_packed = parts.headers.contains_key(header::CONTENT_ENCODING);
            bulk(&mut lock(&kept), stream.trim_start_matches('/'), &body, is_packed)
        }
        (&Method::GET, _) if path == "/" => (200, product()),
        (&Method::GET, _) if path.starts_with("/_data_stream") => (200, json!({"data_streams": []})),
        (&Method::GET, _) => (404, json!({"error": {"type": "not_found", "reason": "nothing of this name"}})),
        _ => (200, json!({"acknowledged": true})),
    };
    let headers = [(header::CONTENT_TYPE.as_str(), "application/json"), ("x-elastic-product", "Elasticsearch")];
    (StatusCode::from_u16(status).unwrap(), headers, answer.to_string()).into_response()
}

fn bulk(kept: &mut Kept, stream: &str, body: &Bytes, is_packed: bool) -> (u16, Value) {
    if kept.refuses {
        return (503, json!({"error": {"type": "unavailable_shards_exception", "reason": "as told"}, "status": 503}));
    }
    let mut text = String::new();
    if is_packed {
        MultiGzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
    } else {
        text = String::from_utf8(body.to_vec()).unwrap();
    }
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (mut items, mut errors) = (Vec::new(), false);
    for pair in lines.chunks(2) {
        let [action, document] = pair else { panic!("half a document: {pair:?}") };
        let id = action["create"]["_id"].as_str().unwrap_or_else(|| panic!("no `_id`: {action}")).to_owned();
        items.push(match kept.documents.entry((stream.to_owned(), id)) {
            Entry::Occupied(_) => {
                errors = true;
                let error = json!({"type": "version_conflict_engine_exception", "reason": "it is there"});
                json!({"create": {"status": 409, "error": error}})
            }
            Entry::Vacant(place) => {
                place.insert(document.clone());
                json!({"create": {"status": 201}})
            }
        });
    }
    (200, json!({"errors": errors, "items": items}))
}

fn product() -> Value {
    json!({"name": "memory", "cluster_name": "memory", "cluster_uuid": "AAAAAAAAAAAAAAAAAAAAAA",
        "version": {"number": "8.19.0", "build_flavor": "default"}, "tagline": "You Know, for Search"})
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
