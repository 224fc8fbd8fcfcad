//! State on disk and, in `documents`, shared by processes. On disk: one JSON file a purpose, versioned, replaced atomically, its predecessor kept.
//!
//! This is the only place that replaces files. A reader sees the old state or the new one, whatever is killed when.

pub mod documents;

use ring::digest::{SHA256, digest};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Why state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("cannot {what} `{path}`: {error}")]
    Io { what: &'static str, path: PathBuf, error: io::Error },
    #[error("the state in `{path}` is damaged: {reason}; its predecessor is `{}`, and removing both starts afresh", previous(.path).display())]
    Damaged { path: PathBuf, reason: String },
    #[error("the state in `{path}` has version {found}, written by a newer trailship; this one knows up to {known}")]
    Newer { path: PathBuf, found: u64, known: u64 },
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Envelope<T> {
    version: u64,
    state: T,
}

/// Reads the state in `path`; `None` when there is none yet.
///
/// # Errors
/// [`StateError`]: state that cannot be understood is never replaced silently.
pub fn load<T: DeserializeOwned>(path: &Path, version: u64) -> Result<Option<T>, StateError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StateError::Io { what: "read", path: path.to_owned(), error }),
    };
    let damaged = |error: serde_json::Error| StateError::Damaged { path: path.to_owned(), reason: error.to_string() };
    let head: Envelope<serde::de::IgnoredAny> = serde_json::from_slice(&text).map_err(damaged)?;
    if head.version > version {
        return Err(StateError::Newer { path: path.to_owned(), found: head.version, known: version });
    }
    let envelope: Envelope<T> = serde_json::from_slice(&text).map_err(damaged)?;
    Ok(Some(envelope.state))
}

/// Replaces the state in `path` durably; the folder is made when missing.
///
/// # Errors
/// [`StateError::Io`]; the old state is then untouched.
pub fn save<T: Serialize>(path: &Path, version: u64, state: &T) -> Result<(), StateError> {
    let failed = |what: &'static str| move |error: io::Error| StateError::Io { what, path: path.to_owned(), error };
    let text = serde_json::to_vec(&Envelope { version, state }).map_err(|error| failed("encode")(error.into()))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed("make the folder of"))?;
    let fresh = path.with_extension("new");
    let mut file = File::create(&fresh).map_err(failed("write"))?;
    file.write_all(&text).and_then(|()| file.sync_all()).map_err(failed("write"))?;
    if path.exists() {
        // A copy, so that at no instant neither of the two is there.
        let kept = previous(path);
        let _ = fs::remove_file(&kept);
        fs::hard_link(path, &kept).or_else(|_| fs::copy(path, &kept).map(|_| ())).map_err(failed("keep"))?;
    }
    #[expect(clippy::disallowed_methods, reason = "the one place that replaces files")]
    fs::rename(&fresh, path).map_err(failed("replace"))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("make durable"))
}

/// A file name for the state of the input `id` of a kind. Where characters must be replaced, a hash of the id tells apart
/// what then looks the same; the dot before it is in no name without one.
pub fn file_name(kind: &str, id: &str) -> String {
    let name: String = id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    if name == id {
        return format!("{kind}-{name}.json");
    }
    let hash = digest(&SHA256, id.as_bytes());
    let hash: String = hash.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{kind}-{name}.{hash}.json")
}

/// Replaces the file `path` durably by what `write` writes. Its permissions stay; its predecessor does not.
///
/// # Errors
/// [`StateError::Io`]; the old file is then untouched.
pub fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), StateError> {
    let failed = |what: &'static str| move |error: io::Error| StateError::Io { what, path: path.to_owned(), error };
    let fresh = path.with_extension("new");
    let _ = fs::remove_file(&fresh);
    let mut file = io::BufWriter::new(create_private(&fresh).map_err(failed("write"))?);
    write(&mut file).map_err(failed("write"))?;
    let file = file.into_inner().map_err(|error| failed("write")(error.into_error()))?;
    let permissions = fs::metadata(path).map_err(failed("read"))?.permissions();
    file.set_permissions(permissions).and_then(|()| file.sync_all()).map_err(failed("write"))?;
    #[expect(clippy::disallowed_methods, reason = "the one place that replaces files")]
    fs::rename(&fresh, path).map_err(failed("replace"))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("make durable"))
}

/// Gives a file that cannot be used a name of its own, `NAME.damaged-SECONDS`, and tells it.
///
/// # Errors
/// [`StateError::Io`]; the file is then where it was.
pub fn set_aside(path: &Path) -> Result<PathBuf, StateError> {
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".damaged-{seconds}"));
    let aside = PathBuf::from(aside);
    #[expect(clippy::disallowed_methods, reason = "the one place that renames files")]
    fs::rename(path, &aside).map_err(|error| StateError::Io { what: "set aside", path: path.to_owned(), error })?;
    Ok(aside)
}

/// A new file for its owner alone, so that nobody else reads it before it has its true permissions.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn previous(path: &Path) -> PathBuf {
    path.with_extension("previous")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_comes_back_and_its_predecessor_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/registry.json");
        assert!(load::<Vec<u8>>(&path, 1).unwrap().is_none());
        save(&path, 1, &vec![1u8]).unwrap();
        save(&path, 1, &vec![2u8, 3]).unwrap();
        assert_eq!(load::<Vec<u8>>(&path, 1).unwrap(), Some(vec![2, 3]));
        assert_eq!(load::<Vec<u8>>(&previous(&path), 1).unwrap(), Some(vec![1]));
    }

    #[test]
    fn ids_that_look_alike_have_files_of_their_own() {
        // The hash: `printf 'a.b' | sha256sum`.
        assert_eq!(file_name("file", "a_b"), "file-a_b.json");
        assert_eq!(file_name("file", "a.b"), "file-a_b.2e7336dc.json");
    }

    #[test]
    fn a_replaced_file_keeps_its_permissions_and_a_failed_one_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.ndjson");
        fs::write(&path, "old").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions();
        let before = mode(&path);
        let refused = replace(&path, |out| out.write_all(b"half").and(Err(io::Error::other("full"))));
        assert!(matches!(refused, Err(StateError::Io { what: "write", .. })));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        replace(&path, |out| out.write_all(b"new")).unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"new".to_vec(), before));
        assert!(!previous(&path).exists());
    }

    #[test]
    fn what_is_not_understood_stops_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("registry.json");
        save(&path, 3, &vec![1u8]).unwrap();
        assert!(matches!(load::<Vec<u8>>(&path, 2), Err(StateError::Newer { found: 3, known: 2, .. })));
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 2]).unwrap();
        assert!(matches!(load::<Vec<u8>>(&path, 3), Err(StateError::Damaged { .. })));
    }
}
