//! What is done: each file's size and modification time when it was acknowledged. Kept in `path.data`.

use crate::state::{self, StateError};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

const VERSION: u64 = 1;

/// What tells that a file is the same as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Bytes.
    pub size: u64,
    /// Modification time, ns since 1970.
    pub modified: u64,
}

impl Mark {
    pub fn of(metadata: &std::fs::Metadata) -> Mark {
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Mark {
            size: metadata.len(),
            modified: modified.map_or(0, |age| u64::try_from(age.as_nanos()).unwrap_or(u64::MAX)),
        }
    }
}

/// The acknowledged files of one input.
pub struct Registry {
    path: PathBuf,
    done: HashMap<String, Mark>,
    changed: bool,
}

impl Registry {
    /// Opens the registry of input `id` in the folder `data`.
    ///
    /// # Errors
    /// [`StateError`] when it is damaged or unreadable.
    pub fn open(data: &Path, id: &str) -> Result<Registry, StateError> {
        let path = data.join("registry").join(state::file_name("file", id));
        let done = state::load(&path, VERSION)?.unwrap_or_default();
        Ok(Registry { path, done, changed: false })
    }

    /// True when this very content was acknowledged before.
    pub fn is_done(&self, path: &str, mark: Mark) -> bool {
        self.done.get(path) == Some(&mark)
    }

    pub fn done(&mut self, path: String, mark: Mark) {
        self.done.insert(path, mark);
        self.changed = true;
    }

    /// Forgets files that are gone while their folder is there, so that the registry does not outgrow its source. A
    /// source that is not mounted for a moment has lost its folders as well, and is remembered. Blocks.
    pub fn forget_the_gone(&mut self) {
        let before = self.done.len();
        self.done.retain(|path, _| {
            let path = Path::new(path);
            let is_gone = |path: &Path| matches!(path.try_exists(), Ok(false));
            // The parent of a bare name is the empty path.
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            !is_gone(path) || is_gone(folder)
        });
        self.changed |= self.done.len() != before;
    }

    /// Writes what has changed since the last call. Blocks.
    ///
    /// # Errors
    /// [`StateError::Io`]; the change is kept for the next call.
    pub fn save(&mut self) -> Result<(), StateError> {
        if self.changed {
            state::save(&self.path, VERSION, &self.done)?;
            self.changed = false;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::fs;

    const MARK: Mark = Mark { size: 7, modified: 9 };

    #[test]
    fn ids_that_look_alike_have_files_of_their_own() {
        let data = tempfile::tempdir().unwrap();
        for id in ["a_b", "a.b", "a/b"] {
            let mut registry = Registry::open(data.path(), id).unwrap();
            assert!(!registry.is_done("/x", MARK), "{id}");
            registry.done("/x".to_owned(), MARK);
            registry.save().unwrap();
            assert!(Registry::open(data.path(), id).unwrap().is_done("/x", MARK), "{id}");
        }
    }

    #[test]
    fn a_deleted_file_is_forgotten_and_a_source_that_is_away_is_not() {
        let (data, source) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mounted = source.path().join("mounted");
        let path = |name: &str| mounted.join(name).to_str().unwrap().to_owned();
        fs::create_dir_all(mounted.join("day")).unwrap();
        let mut registry = Registry::open(data.path(), "file").unwrap();
        for name in ["day/kept.json", "day/deleted.json"] {
            fs::write(path(name), "{}").unwrap();
            registry.done(path(name), MARK);
        }
        fs::remove_file(path("day/deleted.json")).unwrap();
        registry.forget_the_gone();
        assert!(registry.is_done(&path("day/kept.json"), MARK));
        assert!(!registry.is_done(&path("day/deleted.json"), MARK));
        fs::remove_dir_all(mounted.join("day")).unwrap();
        registry.forget_the_gone();
        assert!(registry.is_done(&path("day/kept.json"), MARK));
    }
}
