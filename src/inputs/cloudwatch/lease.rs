//! Cursors that processes share: each group is leased to one of them, which renews its lease together with the mark.
//!
//! A lease is over when its document did not change for [`LEASE`], by the clock of whoever wants it, so that clocks need
//! not agree. Processes show that they are alive in one more document; each takes its share of the groups and gives back
//! what is more. A write that meets a change of somebody else is a lost lease: nobody's mark is ever overwritten.

use super::cursor::{Claim, Cursors};
use super::groups::Group;
use super::window::Mark;
use crate::state::documents::{Documents, Version};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A lease that is not renewed for so long is over.
const LEASE: Duration = Duration::from_secs(20);
/// How often leases are renewed; marks are as old as this at most.
const RENEW: Duration = Duration::from_secs(5);
/// Longest wait for the last save of a run.
const LAST_SAVE: Duration = Duration::from_secs(10);
/// Tries of a change to the list of processes.
const TRIES: u32 = 3;

/// The store for one input of one process. Clones are the same.
#[derive(Clone)]
pub struct SharedCursors {
    documents: Arc<dyn Documents>,
    input: Arc<str>,
    /// Names this run of this process.
    owner: Arc<str>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    ours: HashMap<String, Lease>,
    /// Versions of others' leases, and since when they are the same.
    others: HashMap<String, (Version, Instant)>,
    /// Processes by how often they have shown themselves, and since when that is the same.
    members: BTreeMap<String, (u64, Instant)>,
    groups: usize,
    renew: Option<Instant>,
}

struct Lease {
    mark: Option<Mark>,
    version: Version,
    renewed: Instant,
}

/// A lease as a document.
#[derive(Serialize, Deserialize)]
struct LeaseDocument {
    input: String,
    group: String,
    /// Blank when nobody has it.
    owner: String,
    mark: Option<Mark>,
    /// Counts renewals, so that each is a change.
    renewals: u64,
}

impl SharedCursors {
    pub fn new(documents: Arc<dyn Documents>, input: &str) -> SharedCursors {
        let owner = format!("{}-{:016x}", std::process::id(), RandomState::new().hash_one(input));
        SharedCursors { documents, input: input.into(), owner: owner.into(), shared: Arc::default() }
    }

    /// Groups that this process should have, when every live one has as many.
    fn share(&self) -> usize {
        let shared = self.lock();
        let alive = |(owner, (_, since)): (&String, &(u64, Instant))| **owner != *self.owner && since.elapsed() < LEASE;
        let others = shared.members.iter().filter(|member| alive(*member)).count();
        shared.groups.div_ceil(others + 1)
    }

    /// Shows that this process is alive, and sees who else is.
    async fn beat(&self) -> Result<(), String> {
        let id = self.id("members");
        for _ in 0..TRIES {
            let found = self.documents.read(&id).await?;
            let (mut members, version): (BTreeMap<String, u64>, _) = match found {
                Some((document, version)) => {
                    (serde_json::from_value(document["members"].clone()).unwrap_or_default(), Some(version))
                }
                None => (BTreeMap::new(), None),
            };
            {
                let mut shared = self.lock();
                shared.members.retain(|owner, _| members.contains_key(owner));
                for (owner, beats) in &members {
                    let seen = shared.members.entry(owner.clone()).or_insert((*beats, Instant::now()));
                    if seen.0 != *beats {
                        *seen = (*beats, Instant::now());
                    }
                }
                // Long gone: nobody would ever take it out.
                members
                    .retain(|owner, _| shared.members.get(owner).is_none_or(|(_, since)| since.elapsed() < 6 * LEASE));
            }
            *members.entry(self.owner.to_string()).or_default() += 1;
            let document = json!({"input": &*self.input, "members": members});
            if self.documents.write(&id, &document, version).await?.is_some() {
                return Ok(());
            }
        }
        // Others change it all the time: they will see us the next time.
        Ok(())
    }

    /// Renews a lease with its mark, or gives it back; false when it was lost.
    async fn renew(&self, key: &str, owner: &str) -> Result<bool, String> {
        let Some((mark, version, renewed)) = self.lock().ours.get(key).map(|own| (own.mark, own.version, own.renewed))
        else {
            return Ok(true);
        };
        match self.documents.write(&self.id(key), &self.document(key, owner, mark, version), Some(version)).await {
            Ok(Some(version)) => {
                if let Some(own) = self.lock().ours.get_mut(key) {
                    (own.version, own.renewed) = (version, Instant::now());
                }
                Ok(true)
            }
            Ok(None) => Ok(false),
            // By now others may take it.
            Err(_) if renewed.elapsed() >= LEASE - RENEW => Ok(false),
            Err(reason) => Err(reason),
        }
    }

    fn document(&self, key: &str, owner: &str, mark: Option<Mark>, version: Version) -> Value {
        json!(LeaseDocument {
            input: self.input.to_string(),
            group: key.to_owned(),
            owner: owner.to_owned(),
            mark,
            renewals: version.number.wrapping_add(1),
        })
    }

    /// Ids of documents are short, and names of groups are not.
    fn id(&self, what: &str) -> String {
        let hash = digest(&SHA256, format!("{}\0{what}", self.input).as_bytes());
        let hash: String = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        format!("cloudwatch-{hash}")
    }

    /// Every update is whole before it can panic, so poisoning is ignored.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cursors for SharedCursors {
    async fn claim(&self, key: &str, group: &Group, groups: usize) -> Result<Claim, String> {
        self.lock().groups = groups;
        if self.lock().members.is_empty() {
            self.beat().await?;
        }
        let id = self.id(key);
        let found = self.documents.read(&id).await?;
        let (lease, version) = match found {
            None => {
                let older = self.documents.read(&self.id(&group.older_key())).await?;
                let mark = older.and_then(|(document, _)| read(document)).and_then(|lease| lease.mark);
                (
                    LeaseDocument {
                        input: String::new(),
                        group: String::new(),
                        owner: String::new(),
                        mark,
                        renewals: 0,
                    },
                    None,
                )
            }
            Some((document, version)) => match read(document) {
                Some(lease) => (lease, Some(version)),
                None => {
                    return Err(format!(
                        "the document `{id}` of the log group `{key}` is no lease; delete it to start that group afresh"
                    ));
                }
            },
        };
        // An answer got lost, or the claim of another group failed.
        if *lease.owner == *self.owner
            && let Some(own) = self.lock().ours.get(key)
        {
            return Ok(Claim::Ours(own.mark));
        }
        let is_over = lease.owner.is_empty() || {
            let mut shared = self.lock();
            let now = (version.unwrap_or(Version { number: 0, term: 0 }), Instant::now());
            let seen = shared.others.entry(key.to_owned()).or_insert(now);
            if seen.0 != now.0 {
                *seen = now;
            }
            seen.1.elapsed() >= LEASE
        };
        let share = self.share();
        if !is_over || self.lock().ours.len() >= share {
            return Ok(Claim::Others);
        }
        let before = version.unwrap_or(Version { number: 0, term: 0 });
        let document = self.document(key, &self.owner, lease.mark, before);
        let Some(version) = self.documents.write(&id, &document, version).await? else {
            return Ok(Claim::Others);
        };
        let mut shared = self.lock();
        shared.others.remove(key);
        shared.ours.insert(key.to_owned(), Lease { mark: lease.mark, version, renewed: Instant::now() });
        Ok(Claim::Ours(lease.mark))
    }

    fn note(&self, key: &str, mark: Mark) {
        if let Some(own) = self.lock().ours.get_mut(key) {
            own.mark = Some(mark);
        }
    }

    async fn save(&self) -> Result<Vec<String>, String> {
        if self.lock().renew.is_some_and(|at| Instant::now() < at) {
            return Ok(Vec::new());
        }
        self.lock().renew = Some(Instant::now() + RENEW);
        let beaten = self.beat().await;
        let share = self.share();
        let keys: Vec<String> = self.lock().ours.keys().cloned().collect();
        let (mut gone, mut fault) = (Vec::new(), beaten.err());
        for (n, key) in keys.into_iter().enumerate() {
            let kept = n < share;
            match self.renew(&key, if kept { &self.owner } else { "" }).await {
                Ok(ours) if ours && kept => {}
                Ok(_) => {
                    self.lock().ours.remove(&key);
                    gone.push(key);
                }
                Err(reason) => fault = Some(reason),
            }
        }
        match fault {
            Some(reason) if gone.is_empty() => Err(reason),
            _ => Ok(gone),
        }
    }

    async fn release(&self, key: &str) {
        // When it cannot be given back, it ends by itself.
        let _ = self.renew(key, "").await;
        self.lock().ours.remove(key);
    }

    async fn finish(&self) -> Result<(), String> {
        let keys: Vec<String> = self.lock().ours.keys().cloned().collect();
        let all = async {
            for key in keys {
                self.release(&key).await;
            }
        };
        let late =
            |_| "the cursors could not be given back in time; they are taken over when their leases end".to_owned();
        tokio::time::timeout(LAST_SAVE, all).await.map_err(late)
    }
}

fn read(document: Value) -> Option<LeaseDocument> {
    serde_json::from_value(document).ok()
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
