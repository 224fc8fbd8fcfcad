//! Who ships: the ids of `agent.*`, and the lock that keeps two processes out of one `path.data`.

use crate::state::{self, StateError};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

const VERSION: u64 = 1;
/// Its name in `path.data`.
const FILE: &str = "meta.json";

/// The program's identity, held for as long as it runs.
pub struct Identity {
    /// The same at every start with this `path.data`.
    pub id: String,
    /// New at every start.
    pub ephemeral_id: String,
    _lock: File,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    id: String,
}

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("cannot use `path.data` `{}`: {error}; check that it exists and is writable", path.display())]
    Folder { path: PathBuf, error: std::io::Error },
    #[error("`path.data` `{}` is in use by another trailship; give each process its own", path.display())]
    Locked { path: PathBuf },
    #[error(transparent)]
    State(#[from] StateError),
    #[error("the system gives no random numbers")]
    Random,
}

impl Identity {
    /// Takes hold of `data`, which is made when missing.
    ///
    /// # Errors
    /// [`IdentityError`]: another process holds it, or it cannot be written.
    pub fn take(data: &Path) -> Result<Identity, IdentityError> {
        let failed = |error| IdentityError::Folder { path: data.to_owned(), error };
        std::fs::create_dir_all(data).map_err(failed)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(data.join("trailship.lock"))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(IdentityError::Locked { path: data.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let path = data.join(FILE);
        let id = match state::load::<Saved>(&path, VERSION)? {
            Some(saved) => saved.id,
            None => {
                let id = uuid()?;
                state::save(&path, VERSION, &Saved { id: id.clone() })?;
                id
            }
        };
        Ok(Identity { id, ephemeral_id: uuid()?, _lock: lock })
    }
}

/// The id of the process whose `path.data` is `data`, also while it runs; `None` when none ever did, or it cannot be read.
pub fn id_of(data: &Path) -> Option<String> {
    state::load::<Saved>(&data.join(FILE), VERSION).ok()?.map(|saved| saved.id)
}

/// A random UUID, version 4 of RFC 9562.
fn uuid() -> Result<String, IdentityError> {
    let mut bytes = [0u8; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| IdentityError::Random)?;
    bytes[6] = bytes[6] & 0x0F | 0x40;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn one_process_a_folder_and_one_id_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let first = Identity::take(folder.path()).unwrap();
        assert!(matches!(Identity::take(folder.path()), Err(IdentityError::Locked { .. })));
        let (id, ephemeral) = (first.id.clone(), first.ephemeral_id.clone());
        drop(first);
        let second = Identity::take(folder.path()).unwrap();
        assert_eq!(second.id, id);
        assert_ne!(second.ephemeral_id, ephemeral);
        assert_eq!((id.len(), &id[14..15]), (36, "4"));
    }
}
