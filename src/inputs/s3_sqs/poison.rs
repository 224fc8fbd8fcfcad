//! What is left to the queue's redrive policy: one letter tells why, just before the message is gone from the queue.
//!
//! The letter is a note beside the message, which stays what counts: nothing is settled by it and no record counts as
//! parked. It is written at the last receive that the queue allows, whatever keeps the object from being read. Where no
//! redrive policy is seen, at the third receive or later, when what was met does not pass by itself. Once a message, as
//! far as this process remembers.

use super::queue::QueueState;
use super::recent::Recent;
use crate::output::Source;
use crate::output::parking::{LEFT_MESSAGE, LEFT_OBJECT, Parked, Parking};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// The queue's redrive policy as far as it is known.
#[derive(Debug, Default)]
pub struct Redrive {
    /// Receives after which a message goes to the dead letter queue; 0 where there is none, or nobody tells.
    most: AtomicU32,
}

/// Writes letters about what is left.
pub struct Poison {
    parking: Arc<Parking>,
    redrive: Arc<Redrive>,
    told: Mutex<Recent>,
}

/// An object or message that is left, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    pub source: Source,
    pub reason: String,
    /// The text of a message that is not understood; nothing for an object.
    pub body: Option<String>,
    /// It might go well later by itself.
    pub passing: bool,
}

/// Receives after which a letter is written where the queue's own limit is not seen.
const MANY: u32 = 3;
/// Messages that are remembered.
const REMEMBERED: usize = 20_000;

impl Redrive {
    /// Notes what the queue says of itself.
    pub fn note(&self, state: &QueueState) {
        self.most.store(state.max_receives.unwrap_or(0), Relaxed);
    }
}

impl Poison {
    pub fn new(parking: Arc<Parking>, redrive: Arc<Redrive>) -> Poison {
        Poison { parking, redrive, told: Mutex::new(Recent::new(REMEMBERED)) }
    }

    /// Writes letters about what of the message `id`, received so often, is left, when they are due. True when it did.
    pub async fn tell(&self, id: &Arc<str>, receives: u32, mut left: Vec<Left>) -> bool {
        let most = self.redrive.most.load(Relaxed);
        left.retain(|left| if most > 0 { receives >= most } else { receives >= MANY && !left.passing });
        if left.is_empty() || lock(&self.told).contains(id) {
            return false;
        }
        let parking = Arc::clone(&self.parking);
        // Durable writing blocks.
        let written = tokio::task::spawn_blocking(move || {
            let letters: Vec<Parked<'_>> = left.iter().map(|left| letter(left, receives)).collect();
            parking.note(&letters)
        });
        match written.await {
            Ok(Ok(())) => {
                lock(&self.told).insert(Arc::clone(id));
                true
            }
            Ok(Err(fault)) => {
                tracing::error!(
                    "no letter tells of a message that is left to the queue's redrive policy, as it cannot be written: {fault}"
                );
                false
            }
            Err(_) => false,
        }
    }
}

fn letter(left: &Left, receives: u32) -> Parked<'_> {
    Parked {
        code: if left.body.is_some() { LEFT_MESSAGE } else { LEFT_OBJECT },
        reason: format!("left to the queue's redrive policy after {receives} receives: {}", left.reason),
        status: None,
        source: &left.source,
        offset: None,
        id: None,
        record: left.body.as_deref().unwrap_or_default().as_bytes(),
    }
}

fn lock(told: &Mutex<Recent>) -> std::sync::MutexGuard<'_, Recent> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::output::parking::Letters;
    use std::time::Duration;

    fn left(passing: bool) -> Vec<Left> {
        let source = Source { input: "i".into(), bucket: Some("b".into()), object: "k".into(), version: None };
        vec![Left { source, reason: "why".into(), body: None, passing }]
    }

    #[tokio::test]
    async fn one_letter_at_the_last_receive() {
        let state =
            |max_receives| QueueState { visible: 0, delayed: 0, hidden: 0, visibility: Duration::ZERO, max_receives };
        for (limit, passing, expected) in [
            // Receives 1 to 6 of a message that fails each time.
            (Some(1), true, [true, false, false, false, false, false]),
            (Some(5), false, [false, false, false, false, true, false]),
            (Some(5), true, [false, false, false, false, true, false]),
            (None, false, [false, false, true, false, false, false]),
            (None, true, [false; 6]),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let parking = Arc::new(Parking::open(folder.path()).unwrap());
            let redrive = Arc::new(Redrive::default());
            redrive.note(&state(limit));
            let poison = Poison::new(Arc::clone(&parking), redrive);
            let id: Arc<str> = "m".into();
            let mut told = Vec::new();
            for receives in 1..=6 {
                told.push(poison.tell(&id, receives, left(passing)).await);
            }
            assert_eq!(told, expected, "{limit:?} {passing}");
            let letters: Vec<_> = Letters::all(folder.path()).unwrap().map(|it| it.unwrap().letter.unwrap()).collect();
            assert_eq!(letters.len(), usize::from(expected.contains(&true)));
            assert!(letters.iter().all(|it| it.code == "left-to-redrive" && it.reason.ends_with("receives: why")));
            assert!(parking.counts().is_empty(), "nothing counts as parked");
        }
    }

    #[tokio::test]
    async fn a_receive_that_was_missed_is_made_up_for() {
        let folder = tempfile::tempdir().unwrap();
        let poison = Poison::new(Arc::new(Parking::open(folder.path()).unwrap()), Arc::default());
        assert!(poison.tell(&"m".into(), 7, left(false)).await);
        assert!(!poison.tell(&"m".into(), 8, left(false)).await);
        assert!(poison.tell(&"another".into(), 8, left(false)).await);
    }
}
