//! A bounded set that forgets what came first.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

/// The last few texts that were put in.
pub struct Recent {
    most: usize,
    known: HashSet<Arc<str>>,
    order: VecDeque<Arc<str>>,
}

impl Recent {
    /// A set of at most `most` texts.
    pub fn new(most: usize) -> Recent {
        Recent { most, known: HashSet::new(), order: VecDeque::new() }
    }

    pub fn contains(&self, text: &str) -> bool {
        self.known.contains(text)
    }

    /// Puts a text in; the oldest goes when the set is full.
    pub fn insert(&mut self, text: Arc<str>) {
        if !self.known.insert(Arc::clone(&text)) {
            return;
        }
        self.order.push_back(text);
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten() {
        let mut recent = Recent::new(2);
        for text in ["a", "b", "b", "c"] {
            recent.insert(text.into());
        }
        assert!(!recent.contains("a") && recent.contains("b") && recent.contains("c"));
        assert_eq!(recent.known.len(), 2);
    }
}
