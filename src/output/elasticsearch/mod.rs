//! `output.elasticsearch`: documents into a data stream of Elasticsearch or OpenSearch, by `_bulk`.
//!
//! One bulk's way: `limit` (may it go?) -> `blocks` (may the index be written?) -> `nodes` (where to?) -> `rollover` (is it stored already?, where there is a doubt)
//! -> `send` (bytes out, answer in) -> `judge` (what becomes of each document) -> `retry` (settle, park, cut out and go
//! again). Nothing here gives a record up.

mod answer;
mod ask;
mod blocks;
mod config;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod faults;
mod fingerprint;
mod host;
mod judge;
mod limit;
mod nodes;
mod parcel;
mod privileges;
mod report;
mod retry;
mod rollover;
mod send;
mod settings;
mod test;
mod tls;

pub use ask::Cluster;
pub use config::{BackoffConfig, ElasticsearchConfig, Protocol, SslConfig, VerificationMode};
pub use elasticsearch::http::Method;
pub use elasticsearch::http::headers::HeaderValue;
pub use host::Host;
pub use send::{Content, Node, Reply, Request, SendFault};
pub use settings::{Fault, Login, Settings};
pub use test::test;

use super::parking::Parking;
use super::{Bulk, BulkShape, Framing, Output};
use crate::status;
use retry::Sender;
use std::pin::Pin;
use std::sync::Arc;

/// The output.
pub struct Elasticsearch {
    settings: Arc<Settings>,
    sender: Sender,
}

impl Elasticsearch {
    /// Makes ready to send; connects to nobody yet. Records that no index takes go to `parking`; what keeps all of them
    /// waiting is reported to `health`.
    ///
    /// # Errors
    /// Certificates or proxy of the settings cannot be used.
    pub fn new(settings: Arc<Settings>, parking: Arc<Parking>, health: status::Part) -> Result<Elasticsearch, String> {
        let nodes: Result<Vec<Node>, String> =
            settings.nodes.iter().map(|url| Node::new(url.clone(), Arc::clone(&settings))).collect();
        let sender = Sender::new(nodes?, &settings, parking, health);
        Ok(Elasticsearch { settings, sender })
    }

    /// Requests that the cluster is given at a time now, at most [`Output::concurrency`].
    pub fn allowed(&self) -> usize {
        self.sender.allowed()
    }
}

impl Output for Elasticsearch {
    fn shape(&self) -> BulkShape {
        BulkShape {
            framing: Framing::Create,
            compression_level: self.settings.compression_level,
            max_bytes: self.settings.max_bytes,
            max_records: self.settings.max_records,
        }
    }

    fn concurrency(&self) -> usize {
        self.settings.concurrency
    }

    fn deliver(&self, bulk: Bulk) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.sender.deliver(bulk))
    }
}
