//! Faults that every look finds again: each is said once, again when it changed, and once a minute with a count.
//!
//! Holds no more subjects than have a fault at present: [`Complaints::keep`] forgets the others.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Time after which a fault that lasts is said again.
const AGAIN: Duration = Duration::from_secs(60);

/// What was said about which subject.
#[derive(Debug, Default)]
pub struct Complaints(HashMap<String, Said>);

#[derive(Debug)]
struct Said {
    fault: String,
    at: Instant,
    /// Times that the fault was seen since `at`.
    times: u64,
}

impl Complaints {
    /// Notes that `subject` has `fault`. `Some` when it is to be said now: how often it was seen since it was said last.
    pub fn note(&mut self, subject: &str, fault: &str, now: Instant) -> Option<u64> {
        let Some(said) = self.0.get_mut(subject) else {
            self.0.insert(subject.to_owned(), Said { fault: fault.to_owned(), at: now, times: 0 });
            return Some(1);
        };
        said.times += 1;
        if said.fault != fault {
            *said = Said { fault: fault.to_owned(), at: now, times: 0 };
            return Some(1);
        }
        if now.saturating_duration_since(said.at) < AGAIN {
            return None;
        }
        said.at = now;
        Some(std::mem::take(&mut said.times))
    }

    /// Forgets the subjects that are without fault now; what comes back is said at once.
    pub fn keep(&mut self, has_fault: impl Fn(&str) -> bool) {
        self.0.retain(|subject, _| has_fault(subject));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn said_once_again_when_changed_and_once_a_minute() {
        let mut complaints = Complaints::default();
        let start = Instant::now();
        let after = |seconds: u64| start + Duration::from_secs(seconds);
        assert_eq!(complaints.note("a", "denied", start), Some(1));
        assert_eq!(complaints.note("b", "denied", start), Some(1), "another subject");
        assert_eq!(complaints.note("a", "denied", after(10)), None);
        assert_eq!(complaints.note("a", "gone", after(20)), Some(1), "it changed");
        assert_eq!(complaints.note("a", "gone", after(30)), None);
        assert_eq!(complaints.note("a", "gone", after(79)), None);
        assert_eq!(complaints.note("a", "gone", after(80)), Some(3));
        assert_eq!(complaints.note("a", "gone", after(81)), None);
        complaints.keep(|subject| subject == "b");
        assert_eq!(complaints.note("a", "gone", after(82)), Some(1), "it was well in between");
        assert_eq!(complaints.note("b", "denied", after(83)), Some(1));
    }
}
