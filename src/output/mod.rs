//! Where documents go. A [`Bulk`] arrives encoded; an [`Output`] answers for every record in it.
//!
//! An output is one file or folder and one line in [`kinds::KINDS`]. It settles each receipt of a bulk with an outcome, or
//! drops it to give the records back. It knows neither inputs nor the ECS mapping.

mod backoff;
mod body;
mod console;
pub mod document;
pub mod elasticsearch;
mod file;
pub mod kinds;
mod lines;
pub mod parking;
mod segments;

use crate::ack::{Charge, Receipt};
use std::hash::{DefaultHasher, Hasher};
use std::pin::Pin;
use std::sync::Arc;

/// One request body: items of one or more parts, encoded as [`Framing`] says.
pub struct Bulk {
    /// The body: gzip when `gzip`, else plain. Items follow each other; each ends with a newline.
    pub body: Vec<u8>,
    pub gzip: bool,
    /// Bytes of each item in the plain body, in order.
    pub items: Vec<u32>,
    /// A hash of each item's `_id`, in order, for outputs that must recognise repeats themselves; empty under
    /// [`Framing::Create`].
    pub keys: Vec<u64>,
    /// The promises behind the items: the first `receipt.open()` items belong to the first segment, and so on.
    pub segments: Vec<Segment>,
    /// The share of the byte budget that this bulk holds.
    pub charge: Option<Charge>,
}

impl Bulk {
    /// A plain bulk of documents that are mapped already, each with its `_id` and without a newline inside; `segments`
    /// promise as many.
    pub fn ready<'a>(
        framing: Framing,
        documents: impl Iterator<Item = (&'a str, &'a [u8])>,
        segments: Vec<Segment>,
    ) -> Bulk {
        let (mut body, mut items, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for (id, document) in documents {
            let from = body.len();
            match framing {
                Framing::Create => {
                    let action = serde_json::json!({"create": {"_id": id}});
                    body.extend_from_slice(action.to_string().as_bytes());
                    body.push(b'\n');
                }
                Framing::Lines => keys.push(key(id)),
            }
            body.extend_from_slice(document);
            body.push(b'\n');
            items.push(u32::try_from(body.len() - from).unwrap_or(u32::MAX));
        }
        Bulk { body, gzip: false, items, keys, segments, charge: None }
    }
}

/// A short form of an `_id`, for recognising repeats.
pub fn key(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(id.as_bytes());
    hasher.finish()
}

/// Items of one part that lie next to each other in a bulk.
pub struct Segment {
    pub receipt: Receipt,
    pub source: Arc<Source>,
}

/// Where records came from, as the dead letter and messages name it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Source {
    /// `id` of the input.
    pub input: String,
    /// Bucket, for objects in S3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// Object key, file path or log group.
    pub object: String,
    /// Version of the object, where the bucket keeps versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// How items are written into a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `{"create":{"_id":".."}}` and the document, a line each.
    Create,
    /// The document alone, a line.
    Lines,
}

/// What the encoder needs to know of an output.
#[derive(Debug, Clone, Copy)]
pub struct BulkShape {
    pub framing: Framing,
    /// Level 1 to 9 of gzip, 0 for a plain body.
    pub compression_level: u8,
    /// Plain bytes at which a bulk is closed.
    pub max_bytes: usize,
    /// Records at which a bulk is closed.
    pub max_records: usize,
}

/// A place for documents. Calls run concurrently, as many as [`Output::concurrency`] says.
pub trait Output: Send + Sync {
    fn shape(&self) -> BulkShape;

    /// Calls of [`deliver`](Output::deliver) at a time.
    fn concurrency(&self) -> usize;

    /// Brings every record of the bulk to an outcome, retrying for as long as it takes. Cancelling drops the receipts,
    /// so that the records are given back.
    fn deliver(&self, bulk: Bulk) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_documents_are_framed_as_the_output_wants_them() {
        let documents = [("a\"b", b"{}".as_slice()), ("c", b"{\"x\":1}")];
        let bulk = Bulk::ready(Framing::Create, documents.into_iter(), Vec::new());
        let expected = "{\"create\":{\"_id\":\"a\\\"b\"}}\n{}\n{\"create\":{\"_id\":\"c\"}}\n{\"x\":1}\n";
        assert_eq!(String::from_utf8_lossy(&bulk.body), expected);
        assert_eq!((bulk.items, bulk.keys.len(), bulk.gzip), (vec![29, 31], 0, false));
        let bulk = Bulk::ready(Framing::Lines, documents.into_iter(), Vec::new());
        assert_eq!(String::from_utf8_lossy(&bulk.body), "{}\n{\"x\":1}\n");
        assert_eq!((bulk.items, bulk.keys), (vec![3, 8], vec![key("a\"b"), key("c")]));
    }
}
