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
        let name: String = id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
        let path = data.join("registry").join(format!("file-{name}.json"));
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

    /// Forgets files that are gone, so that the registry does not outgrow its folder.
    pub fn retain(&mut self, exists: impl Fn(&str) -> bool) {
        let before = self.done.len();
        self.done.retain(|path, _| exists(path));
        self.changed |= self.done.len() != before;
    }

    /// Writes what has changed since the last call.
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
