//! Says a lasting fault once, then once a minute with a count, and says when it has passed.
//!
//! Decides only *whether* to speak; the text and the level stay with the caller. Keys are a bounded set: codes in the
//! source and the number of a node.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Time between two messages about one lasting fault.
const EVERY: Duration = Duration::from_secs(60);

/// What a fault is told apart by: a code, and the number of the node that showed it (0 where there is none).
pub type Key = (&'static str, usize);

/// Faults that last, by key.
#[derive(Default)]
pub struct Repeats {
    lasting: Mutex<HashMap<Key, Lasting>>,
}

/// A fault that is worth a message now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// How often it occurred since the last message, this time included.
    pub times: u64,
    /// How long it has lasted.
    pub lasted: Duration,
}

struct Lasting {
    since: Instant,
    said: Instant,
    unsaid: u64,
}

impl Repeats {
    /// Counts one occurrence; answers when it should be said.
    pub fn occurred(&self, key: Key) -> Option<Due> {
        let now = Instant::now();
        let mut all = self.lasting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(lasting) = all.get_mut(&key) else {
            all.insert(key, Lasting { since: now, said: now, unsaid: 0 });
            return Some(Due { times: 1, lasted: Duration::ZERO });
        };
        lasting.unsaid += 1;
        if now.duration_since(lasting.said) < EVERY {
            return None;
        }
        let times = std::mem::take(&mut lasting.unsaid);
        lasting.said = now;
        Some(Due { times, lasted: now.duration_since(lasting.since) })
    }

    /// Forgets a fault that has passed; answers how long it lasted, if it was there.
    pub fn passed(&self, key: Key) -> Option<Duration> {
        let mut all = self.lasting.lock().unwrap_or_else(PoisonError::into_inner);
        let lasting = all.remove(&key)?;
        Some(lasting.since.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn speaks_at_the_start_and_once_a_minute_with_a_count() {
        let repeats = Repeats::default();
        let key = ("overloaded", 0);
        assert_eq!(repeats.occurred(key).map(|due| due.times), Some(1));
        let mut said = Vec::new();
        for _ in 0..120 {
            tokio::time::advance(Duration::from_secs(1)).await;
            if let Some(due) = repeats.occurred(key) {
                said.push((due.times, due.lasted.as_secs()));
            }
        }
        assert_eq!(said, [(60, 60), (60, 120)]);
    }

    #[tokio::test(start_paused = true)]
    async fn faults_are_told_apart_and_end() {
        let repeats = Repeats::default();
        assert!(repeats.occurred(("network", 0)).is_some());
        assert!(repeats.occurred(("network", 1)).is_some());
        assert!(repeats.occurred(("network", 1)).is_none());
        tokio::time::advance(Duration::from_secs(7)).await;
        assert_eq!(repeats.passed(("network", 1)), Some(Duration::from_secs(7)));
        assert_eq!(repeats.passed(("network", 1)), None);
        assert!(repeats.occurred(("network", 1)).is_some(), "a new fault");
    }
}
