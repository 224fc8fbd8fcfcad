//! The log events of a group that are recognised when a window shows them again.
//!
//! In here are events that have an outcome, and those of the window under way; what is given back is forgotten at once.
//! Bounded: what does not fit is shipped again and is a duplicate by `_id`.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// Identifiers of a group's events, as 128 bits of them, with their times.
pub struct Memory {
    events: HashMap<u128, i64>,
    most: usize,
    hashers: [RandomState; 2],
}

/// A remembered event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered(u128);

impl Memory {
    /// Remembers at most `most` events.
    pub fn new(most: usize) -> Memory {
        Memory { events: HashMap::new(), most, hashers: [RandomState::new(), RandomState::new()] }
    }

    /// Notes an event of `time`, ms since 1970; `None` when it is known already.
    pub fn note(&mut self, id: &str, time: i64) -> Option<Remembered> {
        let [high, low] = self.hashers.each_ref().map(|hasher| u128::from(hasher.hash_one(id)));
        let event = high << 64 | low;
        if self.events.contains_key(&event) {
            return None;
        }
        if self.events.len() < self.most {
            self.events.insert(event, time);
        }
        Some(Remembered(event))
    }

    /// Forgets an event that has no outcome.
    pub fn forget(&mut self, event: Remembered) {
        self.events.remove(&event.0);
    }

    /// Forgets what no window will show again, all before `start`, and sets the bound anew.
    pub fn trim(&mut self, start: i64, most: usize) {
        self.events.retain(|_, time| *time >= start);
        self.most = most;
        if self.events.capacity() > 2 * self.events.len() + 1024 {
            self.events.shrink_to_fit();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_known_until_it_is_forgotten() {
        let mut memory = Memory::new(10);
        let noted = memory.note("a", 5).unwrap();
        assert_eq!(memory.note("a", 5), None);
        assert!(memory.note("b", 6).is_some());
        memory.forget(noted);
        assert!(memory.note("a", 5).is_some(), "it was given back");
        memory.trim(6, 10);
        assert_eq!(memory.events.len(), 1);
        assert!(memory.note("a", 5).is_some() && memory.note("b", 6).is_none());
    }

    #[test]
    fn what_does_not_fit_is_not_remembered() {
        let mut memory = Memory::new(1);
        assert!(memory.note("a", 1).is_some() && memory.note("b", 1).is_some());
        assert!(memory.note("b", 1).is_some(), "shipped again");
        assert_eq!((memory.note("a", 1), memory.events.len()), (None, 1));
    }
}
