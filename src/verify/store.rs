//! The objects of buckets: in S3, or in a copy elsewhere by a map of names.
//!
//! Digests name the place where CloudTrail wrote them. A copy, another bucket or a folder, is read in their stead, under
//! the original names, so that everything but the reading is the same. What a folder lacks is S3's metadata: an object's
//! lies beside it as `NAME.metadata.json`, as `aws s3api head-object` prints it.

use super::evidence::Failure;
use super::scope::Name;
use crate::aws::Fault;
use crate::aws::client::{Buckets, Place};
use crate::aws::listing::{Page, Range};
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The longest wait for a piece of an object.
const STALL: Duration = Duration::from_secs(60);
/// Bytes of a file read at a time.
const PIECE: usize = 256 * 1024;
/// Beside a file of a copied bucket.
const METADATA: &str = ".metadata.json";
/// Bytes of such a file.
const METADATA_BYTES: u64 = 1 << 20;
/// Inflated bytes from which on a digest is read together with few others only: small objects can hold very large ones.
const LARGE: usize = 2 << 20;
/// Large digests in memory at a time.
const LARGE_AT_A_TIME: usize = 2;

/// Where objects are read instead of where they say they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathMap {
    bucket: String,
    /// Keys that start so are mapped.
    prefix: String,
    to: Target,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Bucket { bucket: String, prefix: String },
    Folder(PathBuf),
}

/// A map that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no map of names; write `s3://bucket/prefix=s3://other/prefix` or `s3://bucket/prefix=/folder`")]
pub struct BadMap(String);

impl std::str::FromStr for PathMap {
    type Err = BadMap;

    fn from_str(text: &str) -> Result<PathMap, BadMap> {
        let bad = || BadMap(text.to_owned());
        let (from, to) = text.split_once('=').ok_or_else(bad)?;
        let (bucket, prefix) = bucket_and_prefix(from).ok_or_else(bad)?;
        let to = match bucket_and_prefix(to) {
            Some((bucket, prefix)) => Target::Bucket { bucket, prefix },
            None if to.is_empty() || to.contains("://") => return Err(bad()),
            None => Target::Folder(PathBuf::from(to)),
        };
        Ok(PathMap { bucket, prefix, to })
    }
}

impl PathMap {
    /// The folder that is read, when it is none.
    pub fn lacks_folder(&self) -> Option<&Path> {
        match &self.to {
            Target::Folder(folder) if !folder.is_dir() => Some(folder),
            Target::Folder(_) | Target::Bucket { .. } => None,
        }
    }
}

/// `s3://bucket/prefix`, the prefix with a slash at its end unless empty.
fn bucket_and_prefix(text: &str) -> Option<(String, String)> {
    let (bucket, prefix) = text.strip_prefix("s3://").map(|rest| rest.split_once('/').unwrap_or((rest, "")))?;
    let prefix = prefix.trim_end_matches('/');
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    (!bucket.is_empty()).then(|| (bucket.to_owned(), prefix))
}

/// Reads by names as digests have them.
pub struct Store {
    buckets: Option<Buckets>,
    maps: Vec<PathMap>,
    pub(super) room: Room,
}

/// The memory that large digests may take. Clones share it.
#[derive(Debug, Clone)]
pub struct Room {
    /// Inflated bytes from which on a digest is large.
    pub(super) from: usize,
    free: Arc<Semaphore>,
}

/// The part of it that one digest takes, until it is dropped.
pub type Share = OwnedSemaphorePermit;

impl Default for Room {
    fn default() -> Room {
        Room::new(LARGE, LARGE_AT_A_TIME)
    }
}

impl Room {
    /// Room for so many digests at a time that inflate to `from` bytes or more.
    pub fn new(from: usize, digests: usize) -> Room {
        Room { from, free: Arc::new(Semaphore::new(digests)) }
    }

    /// Waits for room.
    pub async fn take(&self) -> Option<Share> {
        Arc::clone(&self.free).acquire_owned().await.ok()
    }
}

/// An object whose head has arrived.
pub struct Opened {
    /// User metadata, without `x-amz-meta-`, in lower case; `None` for a copy beside which none were saved.
    pub metadata: Option<HashMap<String, String>>,
    body: Body,
    name: Name,
}

enum Body {
    Stream(ByteStream),
    File(tokio::fs::File),
}

/// Why an object is not opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotOpened {
    /// The bucket is there, the object is not.
    Missing,
    Failed(Failure),
}

impl Store {
    /// Without `buckets` only what is mapped to folders can be read.
    pub fn new(buckets: Option<Buckets>, mut maps: Vec<PathMap>) -> Store {
        maps.sort_by_key(|map| std::cmp::Reverse(map.prefix.len()));
        Store { buckets, maps, room: Room::default() }
    }

    /// The same with room that others share.
    pub fn within(self, room: Room) -> Store {
        Store { room, ..self }
    }

    /// Opens an object.
    ///
    /// # Errors
    /// [`NotOpened`].
    pub async fn open(&self, name: &Name) -> Result<Opened, NotOpened> {
        // A digest may say anything; nothing lies under no name.
        if name.bucket.is_empty() || name.key.is_empty() {
            return Err(NotOpened::Missing);
        }
        match self.place(&name.bucket, &name.key) {
            Placed::Bucket { bucket, key, .. } => self.open_in_s3(name, &bucket, &key).await,
            Placed::File { root, rest } => open_file(name, &root, &rest).await,
        }
    }

    /// One page of keys or folders, by original names; `token` is [`Page::next`] of the page before.
    ///
    /// # Errors
    /// The failed call.
    pub async fn list(&self, range: Range<'_>, token: Option<String>) -> Result<Page, Failure> {
        match self.place(range.bucket, range.prefix) {
            Placed::Bucket { bucket, key, original, mapped } => {
                let theirs = |key: &str| key.strip_prefix(&original).map(|rest| format!("{mapped}{rest}"));
                let after = range.after.and_then(theirs);
                let there = Range { bucket: &bucket, prefix: &key, after: after.as_deref(), ..range };
                let page = self.s3()?.list(there, token).await.map_err(|fault| failure(&fault))?;
                let ours = |keys: Vec<String>| {
                    let back = |key: String| key.strip_prefix(&mapped).map(|rest| format!("{original}{rest}"));
                    keys.into_iter().filter_map(back).collect()
                };
                Ok(Page { keys: ours(page.keys), folders: ours(page.folders), next: page.next })
            }
            Placed::File { root, rest } => {
                let (prefix, after) = (range.prefix.to_owned(), range.after.map(str::to_owned));
                let (folders, cut) = (range.folders, prefix.len() - rest.len());
                let listed =
                    tokio::task::spawn_blocking(move || list_files(&root, &prefix, cut, after.as_deref(), folders));
                listed.await.map_err(|error| broken(&error.to_string()))?
            }
        }
    }

    async fn open_in_s3(&self, name: &Name, bucket: &str, key: &str) -> Result<Opened, NotOpened> {
        let place = Place { bucket, key, version: None, hint: None };
        let s3 = self.s3().map_err(NotOpened::Failed)?;
        match s3.open(place).await {
            Ok(output) => {
                let metadata = output.metadata.unwrap_or_default();
                let metadata = metadata.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
                Ok(Opened { metadata: Some(metadata), body: Body::Stream(output.body), name: name.clone() })
            }
            // Only this answer says that the bucket is there and the object is not.
            Err(fault) if fault.answer().0 == "NoSuchKey" => Err(NotOpened::Missing),
            Err(fault) => Err(NotOpened::Failed(failure(&fault))),
        }
    }

    fn s3(&self) -> Result<&Buckets, Failure> {
        self.buckets.as_ref().ok_or_else(|| broken("no access to S3 was set up, and no `--path-map` fits"))
    }

    /// Where a name is to be found.
    fn place(&self, bucket: &str, key: &str) -> Placed {
        let fits = |map: &&PathMap| map.bucket == bucket && key.starts_with(&map.prefix);
        let Some(map) = self.maps.iter().find(fits) else {
            return Placed::Bucket {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                original: String::new(),
                mapped: String::new(),
            };
        };
        let rest = key.get(map.prefix.len()..).unwrap_or_default();
        match &map.to {
            Target::Bucket { bucket, prefix } => Placed::Bucket {
                bucket: bucket.clone(),
                key: format!("{prefix}{rest}"),
                original: map.prefix.clone(),
                mapped: prefix.clone(),
            },
            Target::Folder(root) => Placed::File { root: root.clone(), rest: rest.to_owned() },
        }
    }
}

enum Placed {
    Bucket { bucket: String, key: String, original: String, mapped: String },
    File { root: PathBuf, rest: String },
}

impl Opened {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// A body that broke off or stalled.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let Ok(piece) = tokio::time::timeout(STALL, self.piece()).await else {
            return Err(broken(&format!("`{}` stalled for {} s", self.name, STALL.as_secs())));
        };
        piece
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, Failure> {
        match &mut self.body {
            Body::Stream(stream) => match stream.next().await {
                Some(Ok(bytes)) => Ok(Some(bytes)),
                Some(Err(error)) => Err(failure(&Fault::of_body(self.name.to_string(), &error))),
                None => Ok(None),
            },
            Body::File(file) => {
                let mut piece = vec![0; PIECE];
                match file.read(&mut piece).await {
                    Ok(0) => Ok(None),
                    Ok(read) => {
                        piece.truncate(read);
                        Ok(Some(piece.into()))
                    }
                    Err(error) => Err(broken(&format!("cannot read `{}`: {error}", self.name))),
                }
            }
        }
    }
}

/// A fault of AWS as a failure.
pub fn failure(fault: &Fault) -> Failure {
    let (code, message, action) = fault.answer();
    Failure { code: code.to_owned(), action, message: message.to_owned(), text: format!("{fault}; {}", fault.advice()) }
}

fn broken(text: &str) -> Failure {
    Failure { code: "Unreadable".to_owned(), action: "GetObject", message: text.to_owned(), text: text.to_owned() }
}

/// A path below `root`; `None` for a key that would lead out of it.
fn below(root: &Path, rest: &str) -> Option<PathBuf> {
    let plain = rest.split('/').all(|part| !matches!(part, "" | "." | "..")) && !rest.contains(['\\', '\0']);
    plain.then(|| root.join(rest))
}

async fn open_file(name: &Name, root: &Path, rest: &str) -> Result<Opened, NotOpened> {
    let Some(path) = below(root, rest) else { return Err(NotOpened::Missing) };
    let file = match tokio::fs::File::open(&path).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(NotOpened::Missing),
        Err(error) => return Err(NotOpened::Failed(broken(&format!("cannot open `{}`: {error}", path.display())))),
    };
    let beside = root.join(format!("{rest}{METADATA}"));
    let mut text = Vec::new();
    let metadata = match tokio::fs::File::open(&beside).await {
        Ok(file) => match file.take(METADATA_BYTES).read_to_end(&mut text).await {
            Ok(_) => saved_metadata(&text).map(Some),
            Err(error) => Err(error.to_string()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    };
    let metadata = metadata.map_err(|error| {
        NotOpened::Failed(broken(&format!("cannot read the saved metadata `{}`: {error}", beside.display())))
    })?;
    Ok(Opened { metadata, body: Body::File(file), name: name.clone() })
}

/// The answer of HeadObject, or only its metadata.
fn saved_metadata(text: &[u8]) -> Result<HashMap<String, String>, String> {
    let value: serde_json::Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let members = value.get("Metadata").unwrap_or(&value).as_object().cloned().unwrap_or_default();
    let text = |(name, value): (String, serde_json::Value)| {
        let name = name.to_ascii_lowercase();
        let name = name.strip_prefix("x-amz-meta-").unwrap_or(&name).to_owned();
        Some((name, value.as_str()?.to_owned()))
    };
    Ok(members.into_iter().filter_map(text).collect())
}

/// All keys with `prefix` below `root`, or its folders; `cut` bytes of the prefix stand for `root`. A link to a folder is
/// followed once, so that links in a circle have an end.
fn list_files(root: &Path, prefix: &str, cut: usize, after: Option<&str>, folders: bool) -> Result<Page, Failure> {
    let (mapped, rest) = prefix.split_at_checked(cut).unwrap_or((prefix, ""));
    let start = rest.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut open = vec![start.to_owned()];
    let (mut keys, mut found, mut followed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    while let Some(folder) = open.pop() {
        let path = if folder.is_empty() { Some(root.to_owned()) } else { below(root, &folder) };
        let Some(entries) = path.map(std::fs::read_dir) else { continue };
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(broken(&format!("cannot list `{}`: {error}", root.join(&folder).display()))),
        };
        for entry in entries.flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let inner = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            let kind = entry.file_type();
            let is_link = kind.as_ref().is_ok_and(std::fs::FileType::is_symlink);
            let leads_to = is_link.then(|| entry.path().canonicalize().ok().filter(|path| path.is_dir())).flatten();
            let is_folder = kind.is_ok_and(|kind| kind.is_dir()) || leads_to.is_some();
            if leads_to.is_some_and(|path| !followed.insert(path)) {
                continue;
            }
            let key = format!("{mapped}{inner}");
            if is_folder && folders && format!("{key}/").starts_with(prefix) && key.len() >= prefix.len() {
                found.insert(format!("{key}/"));
            } else if is_folder {
                open.push(inner);
            } else if key.starts_with(prefix) && !key.ends_with(METADATA) && !folders {
                keys.insert(key);
            }
        }
    }
    let keys = keys.into_iter().filter(|key| after.is_none_or(|after| key.as_str() > after)).collect();
    Ok(Page { keys, folders: found.into_iter().collect(), next: None })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn range<'a>(prefix: &'a str, after: Option<&'a str>, folders: bool) -> Range<'a> {
        Range { bucket: "b", prefix, after, folders }
    }

    #[tokio::test]
    async fn a_folder_in_place_of_a_bucket() {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("AWSLogs/1/x.gz", "x"),
            ("AWSLogs/1/x.gz.metadata.json", r#"{"ETag":"e","Metadata":{"signature":"ff"}}"#),
            ("AWSLogs/2/y.gz", "y"),
            ("secret", "s"),
        ] {
            let path = folder.path().join("root").join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let map = format!("s3://b/in/={}", folder.path().join("root").display()).parse().unwrap();
        let store = Store::new(None, vec![map]);
        let mut opened = store.open(&Name::new("b", "in/AWSLogs/1/x.gz")).await.unwrap();
        assert_eq!(opened.metadata.take().unwrap()["signature"], "ff");
        assert_eq!(opened.next().await.unwrap().unwrap(), "x");
        assert_eq!(opened.next().await, Ok(None));
        for key in ["in/AWSLogs/1/z.gz", "in/AWSLogs/../secret", "in//etc/passwd", "in/", ""] {
            assert!(matches!(store.open(&Name::new("b", key)).await, Err(NotOpened::Missing)), "{key}");
        }
        assert!(matches!(store.open(&Name::new("b", "out")).await, Err(NotOpened::Failed(_))));
        let listed = store.list(range("in/AWSLogs/", None, false), None).await.unwrap();
        assert_eq!(listed.keys, ["in/AWSLogs/1/x.gz", "in/AWSLogs/2/y.gz"]);
        let listed = store.list(range("in/AWSLogs/", Some("in/AWSLogs/1/x.gz"), false), None).await.unwrap();
        assert_eq!(listed.keys, ["in/AWSLogs/2/y.gz"]);
        let listed = store.list(range("in/AWSLogs/", None, true), None).await.unwrap();
        assert_eq!(listed.folders, ["in/AWSLogs/1/", "in/AWSLogs/2/"]);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn links_among_the_files_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (root, away) = (folder.path().join("root"), folder.path().join("away"));
        std::fs::create_dir_all(root.join("AWSLogs/1")).unwrap();
        std::fs::create_dir_all(&away).unwrap();
        std::fs::write(away.join("x.gz"), "x").unwrap();
        for (to, link) in [(&away, root.join("AWSLogs/1/a")), (&root, away.join("back")), (&away, away.join("self"))] {
            std::os::unix::fs::symlink(to, link).unwrap();
        }
        let store = Store::new(None, vec![format!("s3://b={}", root.display()).parse().unwrap()]);
        let listed = store.list(range("AWSLogs/", None, false), None).await.unwrap();
        assert!(listed.keys.contains(&"AWSLogs/1/a/x.gz".to_owned()), "{listed:?}");
        let mut opened = store.open(&Name::new("b", "AWSLogs/1/a/x.gz")).await.unwrap();
        assert_eq!(opened.next().await.unwrap().unwrap(), "x");
    }

    #[test]
    fn maps_of_names() {
        let map: PathMap = "s3://a/p=s3://b".parse().unwrap();
        assert_eq!(map.to, Target::Bucket { bucket: "b".to_owned(), prefix: String::new() });
        assert_eq!((map.bucket.as_str(), map.prefix.as_str()), ("a", "p/"));
        let lacks = |text: &str| text.parse::<PathMap>().unwrap().lacks_folder().is_some();
        assert!(lacks("s3://a=/no/such/folder") && lacks("s3://a=Cargo.toml"));
        assert!(!lacks("s3://a=src/") && !lacks("s3://a=s3://b"));
        for text in ["", "s3://a", "a=b", "s3://=b", "s3://a=", "s3://a=ftp://b"] {
            assert!(text.parse::<PathMap>().is_err(), "{text}");
        }
    }
}
