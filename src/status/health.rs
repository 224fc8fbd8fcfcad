//! What keeps a run from its work right now, as told by the parts that meet it.
//!
//! A part reports a trouble under the name of the call that fails, and takes it back when that call works again. A run
//! is ready when it has begun and nobody has a trouble. What concerns one record or one object is no trouble: that is
//! counted and logged.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The troubles of one run. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<State>);

#[derive(Debug, Default)]
struct State {
    begun: AtomicBool,
    /// By part and call.
    troubles: Mutex<BTreeMap<(String, String), Trouble>>,
}

/// Something that does not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Input or output that has it.
    pub part: String,
    /// The call that fails, such as `ReceiveMessage`.
    pub api: String,
    /// What the other side calls the fault, such as `AccessDenied` or `403`.
    pub code: String,
    /// In full, for people.
    pub reason: String,
    pub since: Timestamp,
}

/// One part's way to report. The default one reports to nobody.
#[derive(Debug, Clone, Default)]
pub struct Part {
    health: Health,
    name: String,
}

impl Health {
    /// The reports of an input or output by this name.
    pub fn part(&self, name: &str) -> Part {
        Part { health: self.clone(), name: name.to_owned() }
    }

    /// Everything has been started.
    pub fn begin(&self) {
        self.0.begun.store(true, Relaxed);
    }

    /// Whether everything has been started and nothing is in the way.
    pub fn is_ready(&self) -> bool {
        self.0.begun.load(Relaxed) && self.troubles().is_empty()
    }

    /// What is wrong now, by part and call.
    pub fn troubles(&self) -> Vec<Trouble> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String), Trouble>> {
        self.0.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    /// `api` fails with `code`. While it lasts, the time of its beginning stays.
    pub fn trouble(&self, api: &str, code: &str, reason: &str) {
        let mut troubles = self.health.lock();
        let trouble = troubles.entry((self.name.clone(), api.to_owned())).or_insert_with(|| Trouble {
            part: self.name.clone(),
            api: api.to_owned(),
            code: String::new(),
            reason: String::new(),
            since: Timestamp::now(),
        });
        code.clone_into(&mut trouble.code);
        reason.clone_into(&mut trouble.reason);
    }

    /// `api` works.
    pub fn well(&self, api: &str) {
        let mut troubles = self.health.lock();
        if !troubles.is_empty() {
            troubles.remove(&(self.name.clone(), api.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_ready_when_it_has_begun_and_nothing_is_wrong() {
        let health = Health::default();
        assert!(!health.is_ready());
        health.begin();
        assert!(health.is_ready());
        let (queue, index) = (health.part("trail"), health.part("output.elasticsearch"));
        queue.trouble("ReceiveMessage", "ExpiredToken", "the credentials have expired");
        index.trouble("POST /_bulk", "403", "no right to create_doc");
        let told: Vec<(String, String)> =
            health.troubles().into_iter().map(|trouble| (trouble.part, trouble.code)).collect();
        assert_eq!(
            told,
            [("output.elasticsearch", "403"), ("trail", "ExpiredToken")].map(|(a, b)| (a.to_owned(), b.to_owned()))
        );
        queue.well("ReceiveMessage");
        index.well("GET /");
        assert!(!health.is_ready(), "another call works, this one does not");
        index.well("POST /_bulk");
        assert!(health.is_ready());
    }

    #[test]
    fn a_trouble_that_changes_keeps_its_beginning() {
        let health = Health::default();
        let part = health.part("trail");
        part.trouble("ReceiveMessage", "ExpiredToken", "expired");
        let since = health.troubles().first().map(|trouble| trouble.since);
        part.trouble("ReceiveMessage", "AccessDenied", "denied");
        let troubles = health.troubles();
        assert_eq!(troubles.len(), 1);
        let first = troubles.first();
        assert_eq!(first.map(|trouble| trouble.since), since);
        assert_eq!(first.map(|trouble| trouble.code.as_str()), Some("AccessDenied"));
    }
}
