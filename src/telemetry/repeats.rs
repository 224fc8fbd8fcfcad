//! Says a lasting fault once, then once a minute with a count, and says when it has passed.
//!
//! A fault that comes and goes is said once a minute too, and its passing only when it had lasted. Decides only
//! *whether* to speak; the text and the level stay with the caller. Keys are a bounded set, or the caller forgets those
//! that have passed with [`Repeats::only`].

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Time between two messages about one fault.
const EVERY: Duration = Duration::from_secs(60);

/// Time that a fault must have lasted for its end to be worth a message.
const LONG: Duration = Duration::from_secs(5);

/// Faults of the last while, by what they are told apart by: a code and the number of a node, or a subject and its fault.
#[derive(Debug)]
pub struct Repeats<K> {
    faults: Mutex<HashMap<K, Seen>>,
}

/// A fault that is worth a message now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// How often it occurred since the last message, this time included.
    pub times: u64,
    /// How long it has lasted.
    pub lasted: Duration,
}

#[derive(Debug)]
struct Seen {
    /// When it began, while it lasts.
    since: Option<Instant>,
    said: Instant,
    unsaid: u64,
}

impl<K> Default for Repeats<K> {
    fn default() -> Repeats<K> {
        Repeats { faults: Mutex::default() }
    }
}

impl<K: Eq + Hash> Repeats<K> {
    /// Counts one occurrence; answers when it should be said.
    pub fn occurred(&self, key: K) -> Option<Due> {
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
    pub fn passed<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<Duration>
    where
        K: Borrow<Q>,
    {
        worth(self.lock().get_mut(key)?.since.take()?.elapsed())
    }

    /// Only those faults last that `lasts` says, all others have passed; answers how long the longest of them lasted
    /// when that is worth a message. Those that passed more than a minute ago are forgotten.
    pub fn only(&self, lasts: impl Fn(&K) -> bool) -> Option<Duration> {
        let mut longest = None;
        self.lock().retain(|key, seen| {
            if lasts(key) {
                return true;
            }
            longest = longest.max(seen.since.take().map(|since| since.elapsed()));
            seen.said.elapsed() < EVERY
        });
        longest.and_then(worth)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Seen>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn worth(lasted: Duration) -> Option<Duration> {
    (lasted >= LONG).then_some(lasted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn speaks_at_the_start_and_once_a_minute_with_a_count() {
        let repeats = Repeats::default();
        assert_eq!(repeats.occurred("overloaded").map(|due| due.times), Some(1));
        let mut said = Vec::new();
        for _ in 0..120 {
            tokio::time::advance(SECOND).await;
            if let Some(due) = repeats.occurred("overloaded") {
                said.push((due.times, due.lasted.as_secs()));
            }
        }
        assert_eq!(said, [(60, 60), (60, 120)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_and_goes_is_said_once_a_minute_too() {
        let repeats = Repeats::default();
        let mut said = Vec::new();
        for _ in 0..100 {
            said.extend(repeats.occurred("overloaded").map(|due| due.times));
            tokio::time::advance(SECOND).await;
            assert_eq!(repeats.passed("overloaded"), None, "a second is not worth a message");
        }
        assert_eq!(said, [1, 60]);
    }

    #[tokio::test(start_paused = true)]
    async fn faults_are_told_apart_and_their_end_is_said() {
        let repeats = Repeats::default();
        let node = |number| ("network", number);
        assert!(repeats.occurred(node(0)).is_some());
        assert!(repeats.occurred(node(1)).is_some());
        assert!(repeats.occurred(node(1)).is_none());
        tokio::time::advance(7 * SECOND).await;
        assert_eq!(repeats.passed(&node(1)), Some(7 * SECOND));
        assert_eq!(repeats.passed(&node(1)), None);
        tokio::time::advance(60 * SECOND).await;
        let again = repeats.occurred(node(1));
        assert_eq!(again.map(|due| (due.times, due.lasted)), Some((2, Duration::ZERO)), "a new fault, and one unsaid");
    }

    #[tokio::test(start_paused = true)]
    async fn a_subject_whose_fault_changes_is_said_at_once_and_forgotten_a_minute_after_it_is_well() {
        let repeats = Repeats::default();
        let times = |subject, fault| repeats.occurred((subject, fault)).map(|due| due.times);
        assert_eq!((times("a", "denied"), times("b", "denied"), times("a", "denied")), (Some(1), Some(1), None));
        assert_eq!(times("a", "gone"), Some(1), "it changed");
        tokio::time::advance(30 * SECOND).await;
        assert_eq!(repeats.only(|(subject, _)| *subject == "b"), Some(30 * SECOND));
        assert_eq!(times("a", "gone"), None, "it comes and goes within a minute");
        assert_eq!(repeats.only(|(subject, _)| *subject == "b"), None);
        tokio::time::advance(30 * SECOND).await;
        assert_eq!(repeats.only(|(subject, _)| *subject == "b"), None);
        assert_eq!(repeats.lock().len(), 1);
        let lasted = |subject, fault| repeats.occurred((subject, fault)).map(|due| due.lasted);
        assert_eq!(lasted("b", "denied"), Some(60 * SECOND), "it has lasted all the while");
        assert_eq!(lasted("a", "gone"), Some(Duration::ZERO), "it is new");
    }
}
