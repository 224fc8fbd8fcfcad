//! What the record under way of one object takes from the byte budget, beyond what every object is charged with.
//!
//! Asked for without waiting: an object that holds something never waits for more, so objects cannot wait for each other.
//! One that gets nothing lets go of all it has, and starts again with room for the longest record (`inputs/reader.rs`).

use crate::ack::{Budget, Charge};

/// The room of one object.
pub(super) struct Room {
    budget: Budget,
    taken: Option<Charge>,
    /// Bytes that `taken` covers.
    covered: usize,
    /// Its reader holds room for the longest record.
    whole: bool,
}

/// Bytes of a record under way that the charge of every object covers.
const FREE: usize = 128 * 1024;
/// Bytes by which room grows.
const GRAIN: usize = 512 * 1024;

impl Room {
    pub(super) fn new(budget: Budget) -> Room {
        Room { budget, taken: None, covered: 0, whole: false }
    }

    /// Its reader holds room for the longest record: nothing need be asked for.
    pub(super) fn make_whole(&mut self) {
        self.clear();
        self.whole = true;
    }

    /// Has room for `bytes` from now on; false when there is none now.
    #[must_use]
    pub(super) fn cover(&mut self, bytes: usize) -> bool {
        if self.whole {
            return true;
        }
        if bytes <= FREE {
            self.clear();
            return true;
        }
        let wanted = (bytes - FREE).next_multiple_of(GRAIN);
        if wanted <= self.covered {
            return true;
        }
        let Some(more) = self.budget.try_charge(wanted - self.covered) else { return false };
        self.covered = wanted;
        match &mut self.taken {
            Some(taken) => taken.add(more),
            taken => *taken = Some(more),
        }
        true
    }

    /// Gives back what was taken.
    pub(super) fn clear(&mut self) {
        self.taken = None;
        self.covered = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UNITS: usize = 8;

    proptest! {
        #[test]
        fn rooms_never_hold_more_than_the_budget_and_give_all_back(
            steps in prop::collection::vec((0usize..4, 0usize..12 * GRAIN), 0..60),
        ) {
            let budget = Budget::new(UNITS * GRAIN);
            let mut rooms: Vec<Room> = (0..4).map(|_| Room::new(budget.clone())).collect();
            let mut held = [0usize; 4];
            for (which, bytes) in steps {
                if rooms[which].cover(bytes) {
                    held[which] = bytes;
                } else {
                    rooms[which].clear();
                    held[which] = 0;
                }
                prop_assert!(held.iter().map(|bytes| bytes.saturating_sub(FREE)).sum::<usize>() <= UNITS * GRAIN);
            }
            drop(rooms);
            prop_assert!(budget.try_charge(UNITS * GRAIN).is_some(), "all of it came back");
        }
    }

    #[test]
    fn a_refusal_takes_nothing_and_a_whole_room_asks_for_nothing() {
        let budget = Budget::new(2 * GRAIN);
        let (mut first, mut second) = (Room::new(budget.clone()), Room::new(budget.clone()));
        assert!(first.cover(FREE + GRAIN) && second.cover(FREE + GRAIN));
        assert!(!first.cover(FREE + GRAIN + 1) && !second.cover(FREE + GRAIN + 1), "each wants what the other has");
        first.clear();
        assert!(second.cover(FREE + 2 * GRAIN));
        first.make_whole();
        assert!(first.cover(usize::MAX));
        assert!(second.cover(0), "a short record needs no room");
        assert!(budget.try_charge(2 * GRAIN).is_some());
    }
}
