//! The promises behind the items of a bulk, kept in step with the items.
//!
//! Invariant: the n-th open record of the segments, counted in order, is the n-th item of the body that goes with them.

use super::{Segment, Source};
use crate::ack::Outcome;
use std::sync::Arc;

/// The segments of one bulk or of a piece of it.
pub struct Segments(Vec<Segment>);

impl Segments {
    pub fn new(segments: Vec<Segment>) -> Segments {
        Segments(segments)
    }

    /// Records without outcome.
    pub fn open(&self) -> u64 {
        self.0.iter().map(|segment| segment.receipt.open()).sum()
    }

    /// Whether some of them were delivered before, and may be stored.
    pub fn any_repeat(&self) -> bool {
        self.0.iter().any(|segment| segment.receipt.is_repeat())
    }

    /// Where each open record came from, in order.
    pub fn sources(&self) -> impl Iterator<Item = &Arc<Source>> {
        self.0.iter().flat_map(|segment| {
            let records = usize::try_from(segment.receipt.open()).unwrap_or(usize::MAX);
            std::iter::repeat_n(&segment.source, records)
        })
    }

    /// Gives each open record its outcome, in order; `None`, and what lies beyond the end of `outcomes`, stays open.
    pub fn settle(&mut self, outcomes: &[Option<Outcome>]) {
        let mut rest = outcomes;
        for segment in &mut self.0 {
            let records = usize::try_from(segment.receipt.open()).unwrap_or(usize::MAX);
            let (own, others) = rest.split_at(records.min(rest.len()));
            rest = others;
            for outcome in [Outcome::Indexed, Outcome::Duplicate, Outcome::Filtered, Outcome::Parked] {
                let n = own.iter().filter(|found| **found == Some(outcome)).count();
                if n > 0 {
                    segment.receipt.settle(outcome, n as u64);
                }
            }
        }
        self.0.retain(|segment| segment.receipt.open() > 0);
    }

    /// Takes the first `records` open records away into segments of their own.
    pub fn take_front(&mut self, records: u64) -> Segments {
        let mut wanted = records;
        let mut front = Vec::new();
        let mut back = Vec::new();
        for mut segment in std::mem::take(&mut self.0) {
            if wanted == 0 {
                back.push(segment);
            } else if segment.receipt.open() <= wanted {
                wanted -= segment.receipt.open();
                front.push(segment);
            } else {
                let receipt = segment.receipt.split(wanted);
                wanted = 0;
                front.push(Segment { receipt, source: Arc::clone(&segment.source) });
                back.push(segment);
            }
        }
        self.0 = back;
        Segments(front)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;
    use crate::ack::{Counters, Delivery, Part, Verdict};
    use proptest::prelude::*;
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    /// A delivery of one part, to issue receipts for tests of outputs.
    pub(crate) struct Trail {
        pub counters: Arc<Counters>,
        pub verdicts: UnboundedReceiver<Verdict>,
        part: Option<(Part, Delivery)>,
    }

    impl Trail {
        pub(crate) fn open() -> Trail {
            Trail::of(|delivery| delivery)
        }

        /// Its source has handed it out before.
        pub(crate) fn repeated() -> Trail {
            Trail::of(Delivery::repeated)
        }

        fn of(change: impl FnOnce(Delivery) -> Delivery) -> Trail {
            let counters = Arc::new(Counters::default());
            let (sender, verdicts) = unbounded_channel();
            let delivery = change(Delivery::open(1, Arc::clone(&counters), sender));
            let part = Some((delivery.part(), delivery));
            Trail { counters, verdicts, part }
        }

        /// One segment of `records` records from `object`.
        pub(crate) fn segment(&self, object: &str, records: u64) -> Segment {
            let (part, _) = self.part.as_ref().unwrap();
            let source = Source { input: "test".into(), object: object.into(), ..Source::default() };
            Segment { receipt: part.issue(records), source: Arc::new(source) }
        }

        /// Ends the part; the verdict comes when the last receipt is gone.
        pub(crate) fn seal(&mut self) {
            let (part, delivery) = self.part.take().unwrap();
            part.complete();
            delivery.seal();
        }
    }

    fn objects(segments: &Segments) -> String {
        segments.sources().map(|source| source.object.as_str()).collect()
    }

    #[test]
    fn records_are_settled_in_order_across_segments() {
        let trail = Trail::open();
        let mut segments = Segments::new(vec![trail.segment("a", 2), trail.segment("b", 0), trail.segment("c", 3)]);
        assert_eq!(objects(&segments), "aaccc");
        let (done, twice, open) = (Some(Outcome::Indexed), Some(Outcome::Duplicate), None);
        segments.settle(&[done, open, twice, open, done]);
        assert_eq!(objects(&segments), "ac");
        let counts = trail.counters.read();
        assert_eq!((counts.indexed, counts.duplicate, counts.in_flight), (2, 1, 2));
        segments.settle(&[open]);
        assert_eq!(objects(&segments), "ac", "what has no outcome stays");
    }

    proptest! {
        #[test]
        fn taking_the_front_conserves_order_and_number(sizes in prop::collection::vec(0u64..5, 0..6), at in 0u64..30) {
            let trail = Trail::open();
            let named = sizes.iter().zip("abcdef".chars()).map(|(n, name)| trail.segment(&name.to_string(), *n)).collect();
            let mut back = Segments::new(named);
            let all = objects(&back);
            let front = back.take_front(at);
            prop_assert_eq!(front.open(), at.min(all.len() as u64));
            prop_assert_eq!(objects(&front) + &objects(&back), all);
            drop((front, back));
            prop_assert_eq!(trail.counters.read().unbalanced(), 0);
        }
    }
}
