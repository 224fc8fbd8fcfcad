//! One lot after the other: sent, awaited, judged, marked.

use super::lots::Lot;
use super::outcome::{Stayed, Tally};
use super::{ReplayError, ReplayProgress};
use crate::ack::{Counters, Delivery, Part, Verdict};
use crate::inputs::Again;
use crate::inputs::reader::Read;
use crate::output::parking::{Key, Letter, LetterId, Marks, Parking, Refusal, Stands};
use crate::output::{Bulk, BulkShape, Segment, Source};
use crate::pipeline::Mill;
use bytes::Bytes;
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::{self, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// An input that reads again, and the mill with its rules.
#[derive(Clone)]
pub(super) struct Reader {
    pub again: Arc<dyn Again>,
    pub mill: Mill,
}

/// What letters are sent with.
pub(super) struct Work {
    /// By the `id` of the input; why it cannot read, where it cannot.
    pub readers: HashMap<String, Result<Reader, String>>,
    pub bulks: mpsc::Sender<Bulk>,
    pub shape: BulkShape,
    /// Knows the subjects of all letters, so that none gets a second one.
    pub parking: Arc<Parking>,
    pub counters: Arc<Counters>,
    pub marks: Arc<Mutex<Marks>>,
    pub so_far: SoFar,
}

/// Letters that have an outcome, for whoever watches.
#[derive(Default)]
pub(super) struct SoFar {
    replayed: AtomicU64,
    stayed: AtomicU64,
}

impl SoFar {
    /// How far a replay of `letters` is.
    pub(super) fn read(&self, letters: u64) -> ReplayProgress {
        let stayed = self.stayed.load(Relaxed);
        ReplayProgress { letters, tried: self.replayed.load(Relaxed) + stayed, stayed }
    }
}

/// Letters that share a promise, and what they stand for.
struct Sent {
    letters: Vec<(LetterId, Letter)>,
    stands: Stands,
    verdict: Option<Verdict>,
    /// Why the object could not be read to its end.
    unread: Option<String>,
}

/// What became of a letter.
#[derive(Debug, PartialEq)]
enum Fate {
    Replayed,
    /// It failed again.
    Stays {
        code: String,
        reason: String,
    },
    /// The replay ended before there was an outcome.
    Open,
}

impl Work {
    /// Works until the lots are at their end or `stop`.
    pub(super) async fn run(
        &self,
        mut lots: mpsc::Receiver<io::Result<Lot>>,
        stop: &CancellationToken,
    ) -> Result<Tally, ReplayError> {
        let mut tally = Tally::default();
        while let Some(Some(lot)) = stop.run_until_cancelled(lots.recv()).await {
            let lot = lot.map_err(ReplayError::Read)?;
            lot.letters().for_each(|(_, letter)| self.parking.watch(letter.keys()));
            let sent = match lot {
                Lot::Held(letters) => self.send(letters).await,
                Lot::Objects(objects) => self.read(objects).await?,
            };
            let refused = self.parking.take_refused();
            let mut well = Vec::new();
            for sent in sent {
                for (id, letter) in &sent.letters {
                    match sent.fate(letter, &refused) {
                        Fate::Replayed => {
                            tally.replayed(&letter.code);
                            self.so_far.replayed.fetch_add(1, Relaxed);
                            well.push(*id);
                        }
                        Fate::Stays { code, reason } => {
                            tally.stayed(&letter.code, Stayed { id: *id, code, reason });
                            self.so_far.stayed.fetch_add(1, Relaxed);
                        }
                        Fate::Open => {}
                    }
                }
            }
            self.mark(well).await?;
        }
        Ok(tally)
    }

    /// Sends what the letters hold; returns when each has its verdict.
    async fn send(&self, letters: Vec<(LetterId, Letter)>) -> Vec<Sent> {
        let (verdicts, mut told) = unbounded_channel();
        let mut sent = Vec::with_capacity(letters.len());
        let mut ready = Ready::default();
        for (key, (id, letter)) in letters.into_iter().enumerate() {
            let stands = letter.stands();
            if stands == Stands::Message {
                self.read_message(key, &verdicts, &letter).await;
                sent.push(Sent { letters: vec![(id, letter)], stands, verdict: None, unread: None });
                continue;
            }
            let part = self.promise(key, &verdicts);
            if stands == Stands::Record {
                self.map_anew(part, &letter).await;
            } else if letter.record.contains(&b'\n') {
                part.fail("the document in the letter is more than one line");
            } else {
                let source = Arc::new(letter.source.clone());
                ready.add(&letter, Segment { receipt: part.issue(1), source });
                part.complete();
            }
            sent.push(Sent { letters: vec![(id, letter)], stands, verdict: None, unread: None });
            let is_full = ready.bytes >= self.shape.max_bytes || ready.documents.len() >= self.shape.max_records;
            if is_full {
                // A closed channel drops the bulk, and the verdicts say so.
                let _ = self.bulks.send(std::mem::take(&mut ready).bulk(&self.shape)).await;
            }
        }
        if !ready.documents.is_empty() {
            let _ = self.bulks.send(ready.bulk(&self.shape)).await;
        }
        drop(verdicts);
        while let Some(verdict) = told.recv().await {
            keep(&mut sent, verdict);
        }
        sent
    }

    /// Reads objects again, side by side; returns when each has its verdict.
    async fn read(&self, objects: Vec<(Source, Vec<(LetterId, Letter)>)>) -> Result<Vec<Sent>, ReplayError> {
        let (verdicts, mut told) = unbounded_channel();
        let (mut sent, mut reads) = (Vec::new(), JoinSet::new());
        for (key, (source, letters)) in objects.into_iter().enumerate() {
            sent.push(Sent { letters, stands: Stands::Object, verdict: None, unread: None });
            let part = self.promise(key, &verdicts);
            // Its letters stay when it fails as a whole, so that it needs none of its own.
            self.parking.know([Key::of_object(&source)]);
            match self.reader(&source.input) {
                Ok(reader) => {
                    let again = Arc::clone(&reader.again);
                    reads.spawn(async move { (key, again.read(part, &source).await) });
                }
                Err(reason) => part.fail(reason),
            }
        }
        drop(verdicts);
        while let Some(ended) = reads.join_next().await {
            let (key, read) = ended.map_err(|fault| ReplayError::Bug(fault.to_string()))?;
            if let (Some(sent), Read::Parked { reason } | Read::Ignored { reason } | Read::Failed { reason, .. }) =
                (sent.get_mut(key), read)
            {
                sent.unread = Some(reason);
            }
        }
        while let Some(verdict) = told.recv().await {
            keep(&mut sent, verdict);
        }
        Ok(sent)
    }

    /// Puts a record through the mill, as at its place in its object.
    async fn map_anew(&self, part: Part, letter: &Letter) {
        let reader = match self.reader(&letter.source.input) {
            Ok(reader) => reader,
            Err(reason) => return part.fail(reason),
        };
        let origin = Arc::new(reader.again.origin(&letter.source));
        let source = Arc::new(letter.source.clone());
        // As one record whole, whatever its members are called.
        let reading = reader.mill.begin(part, origin, source, true).at(letter.offset.unwrap_or(0)).with_room();
        let stepped = match reader.mill.step(reading, Bytes::copy_from_slice(&letter.record)).await {
            Ok(reading) => reader.mill.finish(reading).await,
            Err(fault) => Err(fault),
        };
        match stepped {
            Ok(reading) if reading.seen() == 1 => reading.into_part().complete(),
            Ok(reading) => reading.into_part().fail("the text in the letter is not one record"),
            Err((Some(reading), fault)) => reading.into_part().fail(fault.to_string()),
            // The part was dropped, which the verdict tells.
            Err((None, _)) => {}
        }
    }

    /// Reads what the message in a letter names.
    async fn read_message(&self, key: usize, verdicts: &UnboundedSender<Verdict>, letter: &Letter) {
        let delivery = Delivery::open(key as u64, Arc::clone(&self.counters), verdicts.clone());
        match (self.reader(&letter.source.input), std::str::from_utf8(&letter.record)) {
            (Ok(reader), Ok(body)) => reader.again.message(delivery, body).await,
            (Ok(_), Err(_)) => delivery.fail("the message in the letter is not text"),
            (Err(reason), _) => delivery.fail(reason),
        }
    }

    fn promise(&self, key: usize, verdicts: &UnboundedSender<Verdict>) -> Part {
        // Some records of an object that is read again were shipped when it was read first.
        let delivery = Delivery::open(key as u64, Arc::clone(&self.counters), verdicts.clone()).repeated();
        let part = delivery.part();
        delivery.seal();
        part
    }

    fn reader(&self, input: &str) -> Result<&Reader, String> {
        match self.readers.get(input) {
            Some(Ok(reader)) => Ok(reader),
            Some(Err(reason)) => Err(format!("input `{input}`: {reason}")),
            None => Err(format!("there is no input `{input}` in the configuration: name one with this `id`")),
        }
    }

    /// Marks letters as replayed, durably.
    async fn mark(&self, ids: Vec<LetterId>) -> Result<(), ReplayError> {
        if ids.is_empty() {
            return Ok(());
        }
        let marks = Arc::clone(&self.marks);
        let saved = tokio::task::spawn_blocking(move || {
            let mut marks = marks.lock().unwrap_or_else(PoisonError::into_inner);
            marks.add(ids);
            marks.save()
        });
        Ok(saved.await.map_err(|fault| ReplayError::Bug(fault.to_string()))??)
    }
}

impl Sent {
    /// What became of one of its letters.
    fn fate(&self, letter: &Letter, refused: &HashMap<Key, Refusal>) -> Fate {
        let stays = |code: &str, reason: &str| Fate::Stays { code: code.to_owned(), reason: reason.to_owned() };
        if let Some(refusal) = letter.keys().iter().find_map(|key| refused.get(key)) {
            return stays(refusal.code, &refusal.reason);
        }
        if let Some(reason) = &self.unread {
            return stays("not-read", reason);
        }
        match &self.verdict {
            // What of an object or a message is parked again has a letter of its own.
            Some(verdict)
                if verdict.settled
                    && matches!(self.stands, Stands::Document | Stands::Record)
                    && verdict.tally.parked > 0 =>
            {
                stays("failure-store", "the server put the document into its failure store")
            }
            Some(verdict) if verdict.settled => Fate::Replayed,
            Some(verdict) if !verdict.reasons.is_empty() => stays("not-read", &verdict.reasons.join(", ")),
            _ => Fate::Open,
        }
    }
}

/// Documents that wait for their bulk.
#[derive(Default)]
struct Ready {
    documents: Vec<(String, Vec<u8>)>,
    segments: Vec<Segment>,
    bytes: usize,
}

impl Ready {
    fn add(&mut self, letter: &Letter, segment: Segment) {
        self.bytes += letter.record.len();
        self.documents.push((letter.document_id.clone().unwrap_or_default(), letter.record.clone()));
        self.segments.push(segment);
    }

    fn bulk(self, shape: &BulkShape) -> Bulk {
        let documents = self.documents.iter().map(|(id, document)| (id.as_str(), document.as_slice()));
        Bulk::ready(shape.framing, documents, self.segments)
    }
}

fn keep(sent: &mut [Sent], verdict: Verdict) {
    let at = usize::try_from(verdict.key).ok();
    if let Some(sent) = at.and_then(|at| sent.get_mut(at)) {
        sent.verdict = Some(verdict);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ack::Tally;

    fn letter(code: &str, more: &str) -> Letter {
        let line = format!(
            r#"{{"@timestamp":"2026-01-02T03:04:05Z","version":1,"code":"{code}","reason":"r","input":"i","object":"o","offset":7{more}}}"#
        );
        Letter::read(line.as_bytes()).unwrap()
    }

    fn sent(stands: Stands, verdict: Option<Verdict>, unread: Option<&str>) -> Sent {
        Sent { letters: Vec::new(), stands, verdict, unread: unread.map(str::to_owned) }
    }

    fn verdict(settled: bool, parked: u64, reasons: &[&str]) -> Option<Verdict> {
        let reasons = reasons.iter().map(|reason| (*reason).to_owned()).collect();
        Some(Verdict { key: 0, tally: Tally { parked, ..Tally::default() }, settled, reasons })
    }

    /// A letter goes only on an outcome that is not `parked`, and an object's only when it was read to its end.
    #[test]
    fn a_letter_goes_only_when_all_went_well() {
        use Stands::{Document, Message, Object};
        let document = letter("mapping-refused", r#","_id":"k","record":"{}""#);
        let head = letter("too-large", r#","record":"{""#);
        let refusal = |letter: &Letter| {
            let refusal = Refusal { code: "mapping-refused", reason: "still".into() };
            HashMap::from([(letter.keys()[0], refusal)])
        };
        for (sent, letter, refused, code) in [
            (sent(Document, verdict(true, 0, &[]), None), &document, HashMap::new(), None),
            (sent(Document, verdict(true, 1, &[]), None), &document, refusal(&document), Some("mapping-refused")),
            (sent(Document, verdict(true, 1, &[]), None), &document, HashMap::new(), Some("failure-store")),
            (sent(Document, verdict(false, 0, &[]), None), &document, HashMap::new(), Some("open")),
            (sent(Document, None, None), &document, HashMap::new(), Some("open")),
            (sent(Document, verdict(false, 0, &["no input"]), None), &document, HashMap::new(), Some("not-read")),
            (sent(Object, verdict(true, 0, &[]), None), &head, HashMap::new(), None),
            (sent(Object, verdict(true, 5, &[]), None), &head, HashMap::new(), None),
            (sent(Object, verdict(true, 5, &[]), None), &head, refusal(&head), Some("mapping-refused")),
            (sent(Message, verdict(true, 1, &[]), None), &head, HashMap::new(), None),
            (sent(Message, verdict(false, 0, &["unknown"]), None), &head, HashMap::new(), Some("not-read")),
            (sent(Object, verdict(true, 1, &[]), Some("torn")), &head, HashMap::new(), Some("not-read")),
        ] {
            let fate = match sent.fate(letter, &refused) {
                Fate::Replayed => None,
                Fate::Stays { code, .. } => Some(code),
                Fate::Open => Some("open".to_owned()),
            };
            assert_eq!(fate.as_deref(), code, "{:?} {:?} {:?}", sent.stands, sent.verdict, sent.unread);
        }
    }
}
