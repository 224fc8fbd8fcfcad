//! Sends documents of the outbox, and tells what became of each.

use super::outbox::{FAILURE_STORE, Fate, Refused, Ticket, Waiting};
use super::work::Sink;
use crate::ack::{Counters, Delivery};
use crate::output::parking::Key;
use crate::output::{Bulk, Segment, Source};
use std::collections::HashMap;
use std::sync::Arc;

/// Returns when the output is done with each, or the sink's time for one lot is over.
pub(super) async fn send(sink: &Sink, lot: &[Waiting]) -> Vec<(Ticket, Fate)> {
    let (verdicts, mut told) = tokio::sync::mpsc::unbounded_channel();
    let mut segments = Vec::with_capacity(lot.len());
    // One delivery a document, so that each tells its own end.
    for (place, waiting) in lot.iter().enumerate() {
        let delivery = Delivery::open(place as u64, Arc::<Counters>::default(), verdicts.clone());
        let delivery = if waiting.in_doubt { delivery.repeated() } else { delivery };
        let part = delivery.part();
        segments.push(Segment { receipt: part.issue(1), source: Arc::<Source>::default() });
        part.complete();
        delivery.seal();
    }
    drop(verdicts);
    let keys: Vec<Key> = lot.iter().map(|waiting| Key::of_document(&waiting.id)).collect();
    sink.refused.watch(keys.iter().copied());
    let ready = lot.iter().map(|waiting| (waiting.id.as_str(), waiting.document.as_slice()));
    let bulk = Bulk::ready(sink.output.shape().framing, ready, segments);
    // What has no outcome by then is given back.
    let _ = tokio::time::timeout(sink.time, sink.output.deliver(bulk)).await;
    let refused = sink.refused.take_refused();
    let mut ended = HashMap::new();
    while let Some(verdict) = told.recv().await {
        ended.insert(verdict.key, (verdict.settled, verdict.tally.parked > 0));
    }
    let fate = |place: usize| match ended.get(&(place as u64)) {
        Some((true, false)) => Fate::Arrived,
        Some((true, true)) => Fate::Refused(match keys.get(place).and_then(|key| refused.get(key)) {
            Some(refusal) => Refused::new(refusal.code, &refusal.reason),
            None => Refused::new(FAILURE_STORE, "it lies in the failure store: `<data stream>::failures` tells why"),
        }),
        _ => Fate::Unanswered,
    };
    lot.iter().enumerate().map(|(place, waiting)| (waiting.ticket, fate(place))).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ack::Outcome;
    use crate::output::parking::{Parked, Parking};
    use crate::output::{BulkShape, Framing, Output};
    use std::pin::Pin;
    use std::time::Duration;

    /// Takes the first document, refuses the second with a reason, stores the third elsewhere, and says nothing of the fourth.
    struct Stream(Arc<Parking>);

    impl Output for Stream {
        fn shape(&self) -> BulkShape {
            BulkShape { framing: Framing::Create, compression_level: 0, max_bytes: 1 << 20, max_records: 100 }
        }

        fn concurrency(&self) -> usize {
            1
        }

        fn deliver(&self, bulk: Bulk) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
            Box::pin(async move {
                let fates = [Some(Outcome::Indexed), Some(Outcome::Parked), Some(Outcome::Parked), None];
                let mut segments = bulk.segments;
                for (segment, fate) in segments.iter_mut().zip(fates) {
                    if let Some(outcome) = fate {
                        segment.receipt.settle(outcome, 1);
                    }
                }
                let (source, reason) = (Source::default(), "no date".to_owned());
                let parked = Parked {
                    code: "mapping-refused",
                    reason,
                    status: Some(400),
                    source: &source,
                    offset: None,
                    id: Some("1"),
                    record: b"{}",
                };
                self.0.park(&[parked]).unwrap();
                std::future::pending::<()>().await;
                drop(segments);
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_document_tells_its_own_end_and_none_is_waited_for_for_ever() {
        let refused = Arc::new(Parking::nowhere());
        let output = Arc::new(Stream(Arc::clone(&refused)));
        let sink = Sink { output, refused, time: Duration::from_secs(120), patience: Duration::from_secs(1) };
        let waiting = |number: u64| Waiting {
            ticket: Ticket { number, due: None },
            id: number.to_string(),
            document: b"{}".to_vec(),
            in_doubt: false,
        };
        let lot: Vec<Waiting> = (0..4).map(waiting).collect();
        let fates: Vec<Fate> = send(&sink, &lot).await.into_iter().map(|(_, fate)| fate).collect();
        let stored = Refused::new(FAILURE_STORE, "it lies in the failure store: `<data stream>::failures` tells why");
        let refusal = Refused::new("mapping-refused", "no date");
        assert_eq!(fates, [Fate::Arrived, Fate::Refused(refusal), Fate::Refused(stored), Fate::Unanswered]);
    }
}
