//! Where cursors are kept: who reads a group, and from where on.
//!
//! Leaves out what a mark means. In `path.data` one process has all groups; a store that processes share hands out groups
//! for a time and may take them away.

use super::groups::Group;
use super::window::Mark;
use crate::state::{self, StateError};
use jiff::Timestamp;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What became of the wish to read a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// It is ours, with the mark that was saved last, if one was.
    Ours(Option<Mark>),
    /// Another process reads it.
    Others,
}

/// Keeps the marks of an input's groups.
pub trait Cursors: Send + Sync + 'static {
    /// Asks for one of `groups` groups.
    fn claim(&self, key: &str, group: &Group, groups: usize) -> impl Future<Output = Result<Claim, String>> + Send;

    /// Notes how far a group is read; [`save`](Cursors::save) makes it last.
    fn note(&self, key: &str, mark: Mark);

    /// Makes the marks last; tells the groups that are no longer ours.
    fn save(&self) -> impl Future<Output = Result<Vec<String>, String>> + Send;

    /// Gives a group back that is gone.
    fn release(&self, key: &str) -> impl Future<Output = ()> + Send;

    /// The last save: everything is given back.
    fn finish(&self) -> impl Future<Output = Result<(), String>> + Send;
}

const VERSION: u64 = 1;

/// The store in `path.data`.
#[derive(Clone)]
pub struct FileCursors(Arc<Mutex<Marks>>);

struct Marks {
    path: PathBuf,
    marks: HashMap<String, Mark>,
    changed: bool,
}

impl FileCursors {
    /// Opens the store of input `id` in the folder `data`. Blocks.
    ///
    /// # Errors
    /// [`StateError`] when it is damaged or unreadable.
    pub fn open(data: &Path, id: &str) -> Result<FileCursors, StateError> {
        let path = data.join("registry").join(state::file_name("cloudwatch", id));
        let marks = state::load(&path, VERSION)?.unwrap_or_default();
        Ok(FileCursors(Arc::new(Mutex::new(Marks { path, marks, changed: false }))))
    }

    /// The time up to which every event of a group has an outcome; none when the group was never read from here.
    pub fn read_up_to(&self, key: &str, group: &Group) -> Option<Timestamp> {
        Timestamp::from_millisecond(self.mark(key, group)?.cursor).ok()
    }

    fn mark(&self, key: &str, group: &Group) -> Option<Mark> {
        let own = self.lock();
        own.marks.get(key).or_else(|| own.marks.get(&group.older_key())).copied()
    }

    /// Every update is whole before it can panic, so poisoning is ignored.
    fn lock(&self) -> MutexGuard<'_, Marks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cursors for FileCursors {
    async fn claim(&self, key: &str, group: &Group, _: usize) -> Result<Claim, String> {
        Ok(Claim::Ours(self.mark(key, group)))
    }

    fn note(&self, key: &str, mark: Mark) {
        let mut own = self.lock();
        own.changed |= own.marks.insert(key.to_owned(), mark) != Some(mark);
    }

    async fn save(&self) -> Result<Vec<String>, String> {
        let own = self.clone();
        let saved = tokio::task::spawn_blocking(move || {
            let (path, marks) = {
                let mut own = own.lock();
                if !std::mem::take(&mut own.changed) {
                    return Ok(());
                }
                (own.path.clone(), own.marks.clone())
            };
            // Not under the lock: the disk may be slow.
            state::save(&path, VERSION, &marks).inspect_err(|_| own.lock().changed = true)
        });
        match saved.await {
            Ok(saved) => saved.map(|()| Vec::new()).map_err(|error| error.to_string()),
            Err(fault) => Err(format!("a fault inside trailship stopped the writing of the cursors: {fault}")),
        }
    }

    async fn release(&self, _: &str) {}

    async fn finish(&self) -> Result<(), String> {
        self.save().await.map(drop)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const MARK: Mark = Mark { cursor: 7, closed: 5 };

    fn group(account: Option<&str>) -> Group {
        Group {
            name: "g".to_owned(),
            identifier: None,
            account: account.map(str::to_owned),
            region: "eu-west-1".to_owned(),
        }
    }

    #[tokio::test]
    async fn marks_last_under_input_account_region_and_group() {
        let data = tempfile::tempdir().unwrap();
        let (known, unknown) = (group(Some("111122223333")), group(None));
        assert_eq!((known.key().as_str(), unknown.key().as_str()), ("111122223333/eu-west-1/g", "-/eu-west-1/g"));
        let cursors = FileCursors::open(data.path(), "a").unwrap();
        assert_eq!(cursors.claim(&known.key(), &known, 1).await, Ok(Claim::Ours(None)));
        cursors.note(&unknown.key(), MARK);
        cursors.save().await.unwrap();
        let reopened = FileCursors::open(data.path(), "a").unwrap();
        assert_eq!(reopened.claim(&known.key(), &known, 1).await, Ok(Claim::Ours(Some(MARK))), "kept while unknown");
        let other = FileCursors::open(data.path(), "b").unwrap();
        assert_eq!(other.claim(&known.key(), &known, 1).await, Ok(Claim::Ours(None)));
    }

    #[test]
    fn damage_is_said_and_not_mended() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("registry");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("cloudwatch-a.json"), r#"{"version":1,"state":{"x":{"cursor""#).unwrap();
        let error = FileCursors::open(data.path(), "a").err().unwrap();
        assert!(error.to_string().contains("is damaged") && error.to_string().contains("cloudwatch-a.previous"));
    }
}
