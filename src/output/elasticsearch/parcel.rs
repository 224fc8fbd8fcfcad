//! A bulk or a piece of one, on its way: bytes and promises in step.
//!
//! Cutting runs off the async threads. Invariant: the pieces of a parcel hold its records, in order, once.

use super::rollover::Doubt;
use crate::output::backoff::Backoff;
use crate::output::body::{Body, Unsound};
use crate::output::segments::Segments;
use bytes::Bytes;
use tokio::time::Instant;

/// A bulk or a piece of one.
pub struct Parcel {
    pub body: Body,
    pub segments: Segments,
    /// Answers without any progress.
    pub failures: u32,
    /// Connections that broke under it.
    pub breaks: u32,
    /// Not to be sent before.
    pub due: Instant,
    pub suspicion: Option<Suspicion>,
    /// Whether its items may be stored already.
    pub doubt: Doubt,
}

impl Parcel {
    /// Due at once.
    pub fn new(body: Body, segments: Segments) -> Parcel {
        Parcel { body, segments, failures: 0, breaks: 0, due: Instant::now(), suspicion: None, doubt: Doubt::default() }
    }

    /// Not to be sent before a pause that grows with the failures.
    pub fn later(mut self, backoff: Backoff) -> Parcel {
        self.failures = self.failures.saturating_add(1);
        self.due = Instant::now() + backoff.pause(self.failures);
        self
    }

    /// Two pieces of about the same size, compressed at `level`, due at once.
    ///
    /// # Errors
    /// Body and lengths do not agree.
    pub async fn halve(self, level: u8) -> Result<Vec<Parcel>, Unsound> {
        let Parcel { body, mut segments, suspicion, doubt, .. } = self;
        let (front, back) = blocking(move || {
            let items = body.plain_items()?;
            let (front, back) = items.split_at(middle(&body));
            Ok((Body::of(front, level), Body::of(back, level)))
        })
        .await?;
        let taken = segments.take_front(front.records() as u64);
        let piece = |body, segments| Parcel { suspicion, doubt, ..Parcel::new(body, segments) };
        Ok(vec![piece(front, taken), piece(back, segments)])
    }
}

/// A request was refused as a whole, which one of its records may have caused, or the settings.
#[derive(Clone, Copy)]
pub struct Suspicion {
    /// Requests that had been accepted when it began: more since then acquit the settings.
    pub accepted: u64,
    pub halvings: u8,
}

/// The parcel that is due first.
pub fn take_due(open: &mut Vec<Parcel>) -> Option<Parcel> {
    let first = (0..open.len()).min_by_key(|at| open.get(*at).map(|parcel| parcel.due))?;
    Some(open.remove(first))
}

/// The plain bytes of each item.
///
/// # Errors
/// Body and lengths do not agree.
pub async fn plain_items(body: Body) -> Result<Vec<Bytes>, Unsound> {
    blocking(move || body.plain_items()).await
}

/// A body of these items, compressed at `level`.
///
/// # Errors
/// Only when the program is wrong.
pub async fn packed(items: Vec<Bytes>, level: u8) -> Result<Body, Unsound> {
    blocking(move || Ok(Body::of(&items, level))).await
}

/// Where to cut a body in two: at least one item on each side, if there are two.
fn middle(body: &Body) -> usize {
    let half = body.plain_bytes() / 2;
    let mut size = 0;
    let fitting = body.items.iter().take_while(|length| {
        size += **length as usize;
        size <= half
    });
    let last = body.records().saturating_sub(1).max(1);
    fitting.count().clamp(1, last).min(body.records())
}

/// Runs what takes CPU off the async threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Unsound> + Send + 'static) -> Result<T, Unsound> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(fault) => Err(Unsound::Cut(fault.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_cut_near_its_middle_with_something_on_each_side() {
        for (items, at) in [
            (vec![1, 1, 1, 1], 2),
            (vec![1, 1], 1),
            (vec![100, 1], 1),
            (vec![1, 100], 1),
            (vec![1, 1, 100], 2),
            (vec![5], 1),
            (vec![], 0),
        ] {
            let body = Body { wire: Bytes::new(), gzip: false, items: items.clone() };
            assert_eq!(middle(&body), at, "{items:?}");
        }
    }
}
