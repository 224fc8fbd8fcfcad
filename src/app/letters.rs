//! `dead_letter.data_stream`: every letter becomes a document in `logs-aws.cloudtrail_dead_letter-<namespace>` too.
//!
//! A task of its own follows the files of the dead letter, so that shipping never waits for it. The last letter that the
//! stream has is kept in `sent.json` beside the files; what a crash repeats is a duplicate, as `_id` comes from the
//! letter's place. A document that the stream refuses is passed over: its letter is on disk.

mod document;

use super::identity::Identity;
use super::settings::Settings;
use crate::ack::{Counters, Delivery};
use crate::output::elasticsearch::Elasticsearch;
use crate::output::parking::{End, Entry, LetterId, Letters, Parking};
use crate::output::{Bulk, Framing, Output, Segment, Source};
use crate::state;
use crate::status;
use document::Writer;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const VERSION: u64 = 1;
/// How often it is looked for new letters.
const LOOK: Duration = Duration::from_secs(1);
/// Letters, and bytes of their records, that go in one request.
const LOT: usize = 200;
const LOT_BYTES: usize = 2 << 20;

/// The way of letters into their data stream.
pub(super) struct LetterStream {
    parking: Arc<Parking>,
    output: Elasticsearch,
    /// Counts what the stream refuses.
    refused: Arc<Parking>,
    writer: Arc<Writer>,
    cursor: PathBuf,
    sent: Option<LetterId>,
    /// How far there was nothing left to send.
    seen: Option<End>,
    /// Longest wait for the last letters at the end of a run.
    patience: Duration,
}

#[derive(Serialize, Deserialize)]
struct Cursor {
    sent: LetterId,
}

impl LetterStream {
    /// `None` unless the settings ask for it.
    ///
    /// # Errors
    /// The cursor is damaged, or certificates cannot be used.
    pub(super) fn open(
        settings: &Settings,
        identity: &Identity,
        parking: &Arc<Parking>,
    ) -> Result<Option<LetterStream>, String> {
        let Some(cluster) = settings.output.cluster().filter(|_| settings.letters_stream) else { return Ok(None) };
        let stream = format!("logs-aws.cloudtrail_dead_letter-{}", settings.namespace);
        let mut own = (*cluster).clone();
        (own.stream, own.pipeline) = (stream, None);
        // A letter about a letter would have no end; and readiness is about shipping.
        let refused = Arc::new(Parking::nowhere());
        let output = Elasticsearch::new(Arc::new(own), Arc::clone(&refused), status::Part::default())?;
        let cursor = parking.folder().join("sent.json");
        let sent = state::load::<Cursor>(&cursor, VERSION).map_err(|error| error.to_string())?;
        let kinds = settings.inputs.iter().map(|input| (input.input.id().to_owned(), input.kind)).collect();
        let writer = Writer { installation: identity.id.clone(), namespace: settings.namespace.clone(), kinds };
        Ok(Some(LetterStream {
            parking: Arc::clone(parking),
            output,
            refused,
            writer: Arc::new(writer),
            cursor,
            sent: sent.map(|cursor| cursor.sent),
            seen: None,
            patience: settings.shutdown_timeout,
        }))
    }

    /// Sends what there is and what comes. After `shipped`, when no letter comes any more, it sends the last ones, for a
    /// bounded time; `abort` ends it at once.
    pub(super) async fn run(mut self, shipped: CancellationToken, abort: CancellationToken) {
        let patience = self.patience;
        let follow = async {
            let mut complained = false;
            loop {
                let last_look = shipped.is_cancelled();
                match self.catch_up().await {
                    Ok(()) => complained = false,
                    Err(reason) if !complained => {
                        complained = true;
                        tracing::error!(
                            "letters do not reach their data stream: {reason}; they stay on disk and are tried again"
                        );
                    }
                    Err(_) => {}
                }
                if last_look {
                    return;
                }
                let _ = tokio::time::timeout(LOOK, shipped.cancelled()).await;
            }
        };
        let over = async {
            shipped.cancelled().await;
            tokio::time::sleep(patience).await;
            tracing::warn!("the last letters did not reach their data stream; they are sent after the next start");
        };
        tokio::select! {
            () = follow => {}
            () = over => {}
            () = abort.cancelled() => {}
        }
    }

    /// Sends all letters that are on disk now.
    async fn catch_up(&mut self) -> Result<(), String> {
        let (folder, sent, end) = (self.parking.folder().to_owned(), self.sent, self.parking.end());
        if self.seen == Some(end) {
            return Ok(());
        }
        let mut letters =
            blocking(move || Letters::after(&folder, sent, end).map_err(|error| error.to_string())).await?;
        loop {
            let lot;
            (letters, lot) = blocking(move || {
                let lot = take(&mut letters)?;
                Ok((letters, lot))
            })
            .await?;
            let Some(last) = lot.last().map(|entry| entry.id) else {
                self.seen = Some(end);
                return Ok(());
            };
            self.send(lot).await;
            let cursor = self.cursor.clone();
            blocking(move || state::save(&cursor, VERSION, &Cursor { sent: last }).map_err(|error| error.to_string()))
                .await?;
            self.sent = Some(last);
        }
    }

    /// Returns when each has an outcome.
    async fn send(&self, lot: Vec<Entry>) {
        let documents: Vec<(String, Vec<u8>)> =
            lot.iter().filter_map(|entry| Some(self.writer.document(entry.id, entry.letter.as_ref().ok()?))).collect();
        if documents.is_empty() {
            return;
        }
        let (verdicts, _told) = tokio::sync::mpsc::unbounded_channel();
        let part = Delivery::open(0, Arc::<Counters>::default(), verdicts).part();
        let receipt = part.issue(documents.len() as u64);
        let segments = vec![Segment { receipt, source: Arc::<Source>::default() }];
        let ready = documents.iter().map(|(id, document)| (id.as_str(), document.as_slice()));
        let before = self.refusals();
        self.output.deliver(Bulk::ready(Framing::Create, ready, segments)).await;
        let letters = self.refusals() - before;
        if letters > 0 {
            tracing::warn!(
                letters,
                "their data stream refuses letters, which stay on disk alone: run `trailship setup` for its template"
            );
        }
    }

    fn refusals(&self) -> u64 {
        self.refused.counts().values().sum()
    }
}

/// The next letters, for one request.
fn take(letters: &mut Letters) -> Result<Vec<Entry>, String> {
    let (mut lot, mut bytes) = (Vec::new(), 0);
    for entry in letters {
        let entry = entry.map_err(|error| format!("the dead letter cannot be read: {error}"))?;
        bytes += entry.letter.as_ref().map_or(0, |letter| letter.record.len().min(document::ORIGINAL));
        lot.push(entry);
        if lot.len() >= LOT || bytes >= LOT_BYTES {
            break;
        }
    }
    Ok(lot)
}

/// Does what waits for the disk on a thread that may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(fault) => Err(format!("a fault inside trailship: {fault}")),
    }
}
