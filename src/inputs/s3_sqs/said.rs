//! What was said already, so that neither a broken bucket nor a hostile queue fills the log.

use crate::record::notification::ObjectRef;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Remembers what was said.
#[derive(Default)]
pub struct Said(Mutex<Inside>);

#[derive(Default)]
struct Inside {
    kinds: HashSet<&'static str>,
    minute: Option<Instant>,
    faults: u32,
}

/// Faults of objects that are said in one minute.
const FAULTS_A_MINUTE: u32 = 10;

impl Said {
    /// True for the first of its kind.
    pub fn is_new(&self, kind: &'static str) -> bool {
        self.lock().kinds.insert(kind)
    }

    /// Says what became of an object, unless ten were said in this minute; then they are counted.
    pub fn fault(&self, object: &ObjectRef, end: &str, reason: &str) {
        let mut said = self.lock();
        let now = Instant::now();
        if said.minute.is_none_or(|minute| now.duration_since(minute) >= Duration::from_secs(60)) {
            if said.faults > FAULTS_A_MINUTE {
                tracing::error!("{} more objects could not be read since", said.faults - FAULTS_A_MINUTE);
            }
            (said.minute, said.faults) = (Some(now), 0);
        }
        said.faults += 1;
        if said.faults <= FAULTS_A_MINUTE {
            tracing::error!(bucket = object.bucket, key = %object.key, "{end}: {reason}");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
