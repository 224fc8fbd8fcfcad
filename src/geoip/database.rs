//! One MaxMind file in memory.

use maxminddb::Reader;
use serde::Deserialize;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("cannot read `{}`: {error}", .path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },
    #[error("`{}` is no MaxMind file, or a damaged one: {reason}", .path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("`{}` is of the type `{found}`, not `{wanted}`", .path.display())]
    Type { path: PathBuf, found: String, wanted: &'static str },
}

pub(super) struct Database {
    path: PathBuf,
    /// What the type of the file must have in its name.
    kind: &'static str,
    loaded: RwLock<Loaded>,
}

#[derive(Clone)]
struct Loaded {
    reader: Arc<Reader<Vec<u8>>>,
    stamp: Stamp,
}

/// What changes when a file is replaced or written: its time and its length in bytes.
type Stamp = (Option<SystemTime>, u64);

impl Database {
    pub(super) fn open(path: &Path, kind: &'static str) -> Result<Database, DatabaseError> {
        let stamp = stamp(path)?;
        let reader = Arc::new(read(path, kind)?);
        Ok(Database { path: path.to_owned(), kind, loaded: RwLock::new(Loaded { reader, stamp }) })
    }

    /// The path, for messages.
    pub(super) fn name(&self) -> String {
        format!("`{}`", self.path.display())
    }

    /// Reads the file again if it has changed; answers whether it had. A damaged
    /// one is an error once for each change, a missing one each time.
    pub(super) fn refresh(&self) -> Result<bool, DatabaseError> {
        let stamp = stamp(&self.path)?;
        if self.loaded().stamp == stamp {
            return Ok(false);
        }
        let read = read(&self.path, self.kind);
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        loaded.stamp = stamp;
        loaded.reader = Arc::new(read?);
        Ok(true)
    }

    /// The entry of the address, if the file has one that can be read.
    pub(super) fn find<T: for<'a> Deserialize<'a>>(&self, address: IpAddr) -> Option<T> {
        self.loaded().reader.lookup(address).ok()?.decode().ok()?
    }

    fn loaded(&self) -> Loaded {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("path", &self.path).finish_non_exhaustive()
    }
}

fn stamp(path: &Path) -> Result<Stamp, DatabaseError> {
    let unreadable = |error| DatabaseError::Unreadable { path: path.to_owned(), error };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    Ok((metadata.modified().ok(), metadata.len()))
}

fn read(path: &Path, wanted: &'static str) -> Result<Reader<Vec<u8>>, DatabaseError> {
    let path = || path.to_owned();
    let bytes = fs::read(path()).map_err(|error| DatabaseError::Unreadable { path: path(), error })?;
    let damaged = |error: maxminddb::MaxMindDbError| DatabaseError::Damaged { path: path(), reason: error.to_string() };
    let reader = Reader::from_source(bytes).map_err(damaged)?;
    let found = &reader.metadata().database_type;
    if !found.contains(wanted) {
        return Err(DatabaseError::Type { path: path(), found: found.clone(), wanted });
    }
    Ok(reader)
}
