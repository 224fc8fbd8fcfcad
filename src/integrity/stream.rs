//! Sends documents of the outbox, and tells which have an outcome.

use super::store::Waiting;
use crate::ack::{Counters, Delivery};
use crate::output::{Bulk, Output, Segment, Source};
use std::sync::Arc;

/// Returns when the output is done with each; the numbers of those that have an outcome.
pub(super) async fn send(output: &dyn Output, lot: Vec<Waiting>) -> Vec<u64> {
    let (verdicts, mut told) = tokio::sync::mpsc::unbounded_channel();
    let mut segments = Vec::with_capacity(lot.len());
    // One delivery a document, so that each tells its own end.
    for waiting in &lot {
        let delivery = Delivery::open(waiting.number, Arc::<Counters>::default(), verdicts.clone());
        let part = delivery.part();
        segments.push(Segment { receipt: part.issue(1), source: Arc::<Source>::default() });
        part.complete();
        delivery.seal();
    }
    drop(verdicts);
    let ready = lot.iter().map(|waiting| (waiting.id.as_str(), waiting.document.as_slice()));
    output.deliver(Bulk::ready(output.shape().framing, ready, segments)).await;
    let (mut ended, mut refused) = (Vec::new(), 0);
    while let Some(verdict) = told.recv().await {
        refused += verdict.tally.parked;
        if verdict.settled {
            ended.push(verdict.key);
        }
    }
    if refused > 0 {
        tracing::warn!(
            documents = refused,
            "the data stream of integrity refuses documents, which are lost: run `trailship setup` for its template"
        );
    }
    ended
}
