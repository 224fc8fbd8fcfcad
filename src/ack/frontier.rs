//! The frontier of a source that is read in order and settled in any: a cursor that never passes what is open.
//!
//! Invariants: a ticket holds the frontier back until it is settled, and one that is dropped holds it back for good; the
//! cursor never goes back. Leaves out what positions mean and where the cursor is kept.

use std::collections::BTreeMap;

/// How far a source is settled.
#[derive(Debug)]
pub struct Frontier<P> {
    cursor: P,
    /// Positions at or before which something is open, or was when a position before them was; true when settled.
    positions: BTreeMap<(P, u64), bool>,
    next: u64,
}

/// The promise that a position will be settled. Dropped, it is not.
#[must_use = "a ticket that is dropped holds the frontier back for good"]
#[derive(Debug)]
pub struct Ticket<P>((P, u64));

impl<P: Copy + Ord> Frontier<P> {
    /// A frontier at `cursor`: all at or before it is settled.
    pub fn new(cursor: P) -> Frontier<P> {
        Frontier { cursor, positions: BTreeMap::new(), next: 0 }
    }

    /// Opens a position: something at or before it is under way.
    pub fn open(&mut self, position: P) -> Ticket<P> {
        let key = (position, self.next);
        self.next += 1;
        self.positions.insert(key, false);
        Ticket(key)
    }

    /// What `ticket` stands for is settled; the cursor when this moved it.
    pub fn settle(&mut self, ticket: Ticket<P>) -> Option<P> {
        if let Some(settled) = self.positions.get_mut(&ticket.0) {
            *settled = true;
        }
        let before = self.cursor;
        while let Some(first) = self.positions.first_entry() {
            if !*first.get() {
                break;
            }
            let (position, _) = first.remove_entry().0;
            self.cursor = self.cursor.max(position);
        }
        (self.cursor > before).then_some(self.cursor)
    }

    /// The greatest position with nothing open at or before it.
    pub fn cursor(&self) -> P {
        self.cursor
    }

    /// Whether nothing is open.
    pub fn is_settled(&self) -> bool {
        self.positions.is_empty()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_cursor_waits_for_the_first_that_is_open() {
        let mut frontier = Frontier::new(0);
        let (one, two, three) = (frontier.open(10), frontier.open(20), frontier.open(30));
        assert_eq!((frontier.settle(two), frontier.cursor()), (None, 0));
        assert_eq!((frontier.settle(one), frontier.cursor()), (Some(20), 20));
        drop(three);
        let four = frontier.open(40);
        assert_eq!((frontier.settle(four), frontier.cursor()), (None, 20), "a ticket that is lost holds it back");
        assert!(!frontier.is_settled());
    }

    #[test]
    fn a_position_behind_the_cursor_holds_it_and_does_not_take_it_back() {
        let mut frontier = Frontier::new(50);
        let (late, next) = (frontier.open(5), frontier.open(60));
        assert_eq!((frontier.settle(next), frontier.cursor()), (None, 50));
        assert_eq!((frontier.settle(late), frontier.is_settled()), (Some(60), true));
    }

    proptest! {
        #[test]
        fn the_cursor_is_the_greatest_position_with_nothing_open_at_or_before_it(
            positions in prop::collection::vec(1u32..40, 1..30), order in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        ) {
            let mut frontier = Frontier::new(0u32);
            let mut open: Vec<(u32, Ticket<u32>)> = positions.iter().map(|p| (*p, frontier.open(*p))).collect();
            let mut settled: Vec<u32> = Vec::new();
            for index in order {
                if open.is_empty() { break; }
                let (position, ticket) = open.swap_remove(index.index(open.len()));
                frontier.settle(ticket);
                settled.push(position);
                let first_open = open.iter().map(|(p, _)| *p).min().unwrap_or(u32::MAX);
                let greatest = settled.iter().copied().filter(|p| *p < first_open).max().unwrap_or(0);
                // Among equal positions those opened first may pass; none of them is beyond the first that is open.
                prop_assert!(frontier.cursor() >= greatest && frontier.cursor() <= first_open);
                prop_assert!(frontier.cursor() == greatest || frontier.cursor() == first_open);
            }
        }
    }
}
