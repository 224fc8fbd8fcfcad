//! Says a lasting fault once, then once a minute with a count, and says when it has passed.
//!
//! A fault that comes and goes is said once a minute too, and its passing only when it had lasted. Decides only
//! *whether* to speak; the text and the level stay with the caller. Keys are a bounded set: codes in the source and the
//! number of a node.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Time between two messages about one fault.
const EVERY: Duration = Duration::from_secs(60);

/// Time that a fault must have lasted for its end to be worth a message.
const LONG: Duration = Duration::from_secs(5);

/// What a fault is told apart by: a code, and the number of the node that showed it (0 where there is none).
pub type Key = (&'static str, usize);

/// Faults of the last while, by key.
#[derive(Default)]
pub struct Repeats {
    faults: Mutex<HashMap<Key, Seen>>,
}

/// A fault that is worth a message now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// How often it occurred since the last message, this time included.
    pub times: u64,
    /// How long it has lasted.
    pub lasted: Duration,
}

struct Seen {
    /// When it began, while it lasts.
    since: Option<Instant>,
    said: Instant,
    unsaid: u64,
}

impl Repeats {
    /// Counts one occurrence; answers when it should be said.
    pub fn occurred(&self, key: Key) -> Option<Due> {
        let now = Instant::now();
        let mut faults = self.lock();
        let Some(seen) = faults.get_mut(&key) else {
            faults.insert(key, Seen { since: Some(now), said: now, unsaid: 0 });
            return Some(Due { times: 1, lasted: Duration::ZERO });
        };
        let since = *seen.since.get_or_insert(now);
        seen.unsaid += 1;
        if now.duration_since(seen.said) < EVERY {
            return None;
        }
        seen.said = now;
        Some(Due { times: std::mem::take(&mut seen.unsaid), lasted: now.duration_since(since) })
    }

    /// The fault has passed; answers how long it lasted when that is worth a message.
    pub fn passed(&self, key: Key) -> Option<Duration> {
        let lasted = self.lock().get_mut(&key)?.since.take()?.elapsed();
        (lasted >= LONG).then_some(lasted)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Seen>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn speaks_at_the_start_and_once_a_minute_with_a_count() {
        let repeats = Repeats::default();
        let key = ("overloaded", 0);
        assert_eq!(repeats.occurred(key).map(|due| due.times), Some(1));
        let mut said = Vec::new();
        for _ in 0..120 {
            tokio::time::advance(SECOND).await;
            if let Some(due) = repeats.occurred(key) {
                said.push((due.times, due.lasted.as_secs()));
            }
        }
        assert_eq!(said, [(60, 60), (60, 120)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_and_goes_is_said_once_a_minute_too() {
        let repeats = Repeats::default();
        let key = ("overloaded", 0);
        let mut said = Vec::new();
        for _ in 0..100 {
            said.extend(repeats.occurred(key).map(|due| due.times));
            tokio::time::advance(SECOND).await;
            assert_eq!(repeats.passed(key), None, "a second is not worth a message");
        }
        assert_eq!(said, [1, 60]);
    }

    #[tokio::test(start_paused = true)]
    async fn faults_are_told_apart_and_their_end_is_said() {
        let repeats = Repeats::default();
        assert!(repeats.occurred(("network", 0)).is_some());
        assert!(repeats.occurred(("network", 1)).is_some());
        assert!(repeats.occurred(("network", 1)).is_none());
        tokio::time::advance(7 * SECOND).await;
        assert_eq!(repeats.passed(("network", 1)), Some(7 * SECOND));
        assert_eq!(repeats.passed(("network", 1)), None);
        tokio::time::advance(60 * SECOND).await;
        let again = repeats.occurred(("network", 1));
        assert_eq!(again.map(|due| (due.times, due.lasted)), Some((2, Duration::ZERO)), "a new fault, and one unsaid");
    }
}
