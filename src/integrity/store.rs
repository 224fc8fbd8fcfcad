//! What is remembered of files, hours, digests and chains, in one file: `integrity.redb` in `path.data`.
//!
//! Everything happens in transactions: what one [`write`](Store::write) does is there as a whole or not at all, whatever is
//! killed when. A write that fails (disk full) closes the file, and the next one opens it again. A file that is damaged, or of
//! a newer version, is set aside under another name, and a new one begun: what was not compared yet is then not compared.
//!
//! Invariants: the counts of an [`Hour`] are those of its [`FileState`]s, since both change in [`Tx::put_file`] alone; a
//! finding that was said once is not said again while it is remembered.
//!
//! Leaves out what rows mean (`model`), and reading beside a running process (`view`).

mod outbox;
mod tx;

use super::ledger;
pub use super::model::{ChainState, Compared, DigestRow, FileState, HOUR, Hour, HourKey, Listed, Place, Task};
use super::outbox::Undelivered;
use crate::state;
use crate::verify::scope::Name;
use jiff::Timestamp;
use redb::{
    Database, DatabaseError, Durability, ReadableDatabase, ReadableTable, StorageError, Table, TableDefinition,
    TableError,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Name of the file in `path.data`.
pub const FILE: &str = "integrity.redb";
/// Version of its tables.
const VERSION: u64 = 1;
/// Bytes of the file that are held in memory.
const CACHE: usize = 16 << 20;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// By account, region and hour.
const HOURS: TableDefinition<'_, (&str, &str, i64), &[u8]> = TableDefinition::new("hours");
/// By account, region, hour, and `bucket/key`.
const FILES: TableDefinition<'_, (&str, &str, i64, &str), &[u8]> = TableDefinition::new("files");
const CHAINS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("chains");
/// By chain, end, and `bucket/key`.
const DIGESTS: TableDefinition<'_, (&str, i64, &str), &[u8]> = TableDefinition::new("digests");
/// By second, and task.
const AGENDA: TableDefinition<'_, (i64, &str), ()> = TableDefinition::new("agenda");
/// Documents that were not tried yet, by number.
const OUTBOX: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("outbox");
/// Documents that were tried, by the second of the next try and number.
const PUT_OFF: TableDefinition<'_, (i64, u64), &[u8]> = TableDefinition::new("put_off");
/// What is refused at present, by code.
const REFUSALS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("refusals");
/// `_id`s of what was said, with the second.
const SAID: TableDefinition<'_, &str, i64> = TableDefinition::new("said");

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot {what} `{}`: {reason}; free space or mend the permissions of `path.data`", path.display())]
    Failed { what: &'static str, path: PathBuf, reason: String },
    #[error("`{}` is in use by another process", path.display())]
    Busy { path: PathBuf },
    #[error("`{}` is damaged: {reason}", path.display())]
    Damaged { path: PathBuf, reason: String },
}

/// The store of one process.
pub struct Store {
    path: PathBuf,
    open: Mutex<Option<Database>>,
}

/// One transaction.
pub struct Tx<'t> {
    hours: Table<'t, (&'static str, &'static str, i64), &'static [u8]>,
    files: Table<'t, (&'static str, &'static str, i64, &'static str), &'static [u8]>,
    chains: Table<'t, &'static str, &'static [u8]>,
    digests: Table<'t, (&'static str, i64, &'static str), &'static [u8]>,
    agenda: Table<'t, (i64, &'static str), ()>,
    meta: Table<'t, &'static str, u64>,
    outbox: Table<'t, u64, &'static [u8]>,
    put_off: Table<'t, (i64, u64), &'static [u8]>,
    refusals: Table<'t, &'static str, &'static [u8]>,
    said: Table<'t, &'static str, i64>,
    /// Hours that changed, written at the end.
    changed: BTreeMap<HourKey, Hour>,
    now: Timestamp,
}

/// How much is waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Levels {
    /// Tasks for later.
    pub awaiting: u64,
    /// Documents without outcome.
    pub outbox: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Hours that begin from `from` until before `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Question {
    pub from: Timestamp,
    pub to: Timestamp,
    /// With all files that are remembered, also those that are as they should be.
    #[serde(default)]
    pub whole: bool,
}

/// What is read for people: hours, files that are not as they should be, and chains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct View {
    /// When it was taken.
    pub taken: Timestamp,
    /// In order of account, region, hour.
    pub hours: Vec<Hour>,
    /// Files of these hours that are open, lacking, failed or wrong; all when the whole was asked for.
    pub files: Vec<(HourKey, FileState)>,
    pub chains: Vec<ChainState>,
    /// What authentic digests cover, one a digest, by the `id` of its chain, in order of time; and always the first of each
    /// chain, whenever it was.
    pub covered: Vec<(String, Timestamp, Timestamp)>,
    /// Whatever time it is about.
    #[serde(default)]
    pub undelivered: Undelivered,
}

/// Inner faults of the database and of what lies in it.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Other(#[from] redb::Error),
    #[error("a row cannot be read: {0}")]
    Row(#[from] serde_json::Error),
}

impl View {
    /// Of a store that is not there.
    pub fn empty(now: Timestamp) -> View {
        View {
            taken: now,
            hours: Vec::new(),
            files: Vec::new(),
            chains: Vec::new(),
            covered: Vec::new(),
            undelivered: Undelivered::default(),
        }
    }
}

impl Store {
    /// The store in the folder `data`. Nothing is read before the first use.
    pub fn new(data: &Path) -> Store {
        Store { path: data.join(FILE), open: Mutex::new(None) }
    }

    /// Does `work` in one transaction that is on disk when this returns. Blocks.
    ///
    /// # Errors
    /// [`StoreError`]; nothing of it happened then.
    pub fn write<T>(
        &self,
        now: Timestamp,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let mut open = lock(&self.open);
        let database = match open.take() {
            Some(database) => database,
            None => self.begin()?,
        };
        let done = caught(|| write(&database, now, work));
        match done {
            Ok(Ok(done)) => {
                *open = Some(database);
                Ok(done)
            }
            Ok(Err(fault)) => Err(self.failed("write", &fault)),
            Err(reason) => Err(StoreError::Failed { what: "write", path: self.path.clone(), reason }),
        }
    }

    /// What there is about the hours that are asked for. Blocks.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn view(&self, now: Timestamp, asked: Question) -> Result<View, StoreError> {
        let mut open = lock(&self.open);
        let database = match open.take() {
            Some(database) => database,
            None => self.begin()?,
        };
        let done = caught(|| {
            let read = database.begin_read().map_err(redb::Error::from)?;
            view(&read, now, asked)
        });
        match done {
            Ok(Ok(view)) => {
                *open = Some(database);
                Ok(view)
            }
            Ok(Err(fault)) => Err(self.failed("read", &fault)),
            Err(reason) => Err(StoreError::Failed { what: "read", path: self.path.clone(), reason }),
        }
    }

    /// The same of a store that no process has open; `None` when there is none.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when a process has it.
    pub fn view_alone(data: &Path, now: Timestamp, asked: Question) -> Result<Option<View>, StoreError> {
        let store = Store::new(data);
        if !store.path.exists() {
            return Ok(None);
        }
        // After a kill the file must be mended, which takes writing.
        let database = store.open_file()?;
        *lock(&store.open) = Some(database);
        store.view(now, asked).map(Some)
    }

    /// Opens the file, and begins a new one in place of one that cannot be used.
    fn begin(&self) -> Result<Database, StoreError> {
        match self.open_file() {
            Err(StoreError::Damaged { path, reason }) => {
                let aside = state::set_aside(&path).map_err(|error| StoreError::Failed {
                    what: "set aside",
                    path: path.clone(),
                    reason: error.to_string(),
                })?;
                tracing::error!(
                    "the store of `integrity` is damaged: {reason}; it was set aside as `{}` and a new one begun: files and digests that waited for each other are not compared, `trailship validate` checks them",
                    aside.display()
                );
                self.open_file()
            }
            opened => opened,
        }
    }

    fn open_file(&self) -> Result<Database, StoreError> {
        let path = || self.path.clone();
        let opened = caught(|| Database::builder().set_cache_size(CACHE).create(&self.path));
        let database = match opened {
            Ok(Ok(database)) => database,
            Ok(Err(DatabaseError::DatabaseAlreadyOpen)) => return Err(StoreError::Busy { path: path() }),
            Ok(Err(error)) if is_damage(&error) => {
                return Err(StoreError::Damaged { path: path(), reason: error.to_string() });
            }
            Ok(Err(error)) => return Err(StoreError::Failed { what: "open", path: path(), reason: error.to_string() }),
            Err(reason) => return Err(StoreError::Damaged { path: path(), reason }),
        };
        match caught(|| prepare(&database)) {
            Ok(Ok(None)) => Ok(database),
            Ok(Ok(Some(version))) => Err(StoreError::Damaged {
                path: path(),
                reason: format!(
                    "it has version {version}, written by a newer trailship; this one knows up to {VERSION}"
                ),
            }),
            Ok(Err(fault)) => Err(self.failed("prepare", &fault)),
            Err(reason) => Err(StoreError::Damaged { path: path(), reason }),
        }
    }

    fn failed(&self, what: &'static str, fault: &Fault) -> StoreError {
        let reason = fault.to_string();
        match fault {
            Fault::Storage(StorageError::Corrupted(_)) | Fault::Other(redb::Error::Corrupted(_)) => {
                StoreError::Damaged { path: self.path.clone(), reason }
            }
            _ => StoreError::Failed { what, path: self.path.clone(), reason },
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A damaged file may make the database panic.
fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| "reading it failed inside the database".to_owned())
}

fn is_damage(error: &DatabaseError) -> bool {
    match error {
        DatabaseError::RepairAborted | DatabaseError::UpgradeRequired(_) => true,
        DatabaseError::Storage(StorageError::Corrupted(_)) => true,
        DatabaseError::Storage(StorageError::Io(error)) => {
            matches!(error.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof)
        }
        _ => false,
    }
}

/// Makes the tables; the version when it is a newer one.
fn prepare(database: &Database) -> Result<Option<u64>, Fault> {
    let write = database.begin_write().map_err(redb::Error::from)?;
    {
        let mut meta = write.open_table(META)?;
        let version = meta.get("version")?.map(|version| version.value());
        if let Some(version) = version.filter(|version| *version > VERSION) {
            return Ok(Some(version));
        }
        meta.insert("version", VERSION)?;
    }
    Tx::new(&write, Timestamp::UNIX_EPOCH)?;
    write.commit().map_err(redb::Error::from)?;
    Ok(None)
}

fn write<T>(
    database: &Database,
    now: Timestamp,
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut write = database.begin_write().map_err(redb::Error::from)?;
    write.set_durability(Durability::Immediate).map_err(redb::Error::from)?;
    let done = {
        let mut tx = Tx::new(&write, now)?;
        let done = work(&mut tx)?;
        tx.finish()?;
        done
    };
    write.commit().map_err(redb::Error::from)?;
    Ok(done)
}

fn view(read: &redb::ReadTransaction, now: Timestamp, asked: Question) -> Result<View, Fault> {
    let Question { from, to, whole } = asked;
    let mut view = View { undelivered: outbox::undelivered(read)?, ..View::empty(now) };
    for row in read.open_table(HOURS)?.iter()? {
        let hour: Hour = parse(row?.1.value())?;
        if from <= hour.key.hour && hour.key.hour < to {
            view.hours.push(hour);
        }
    }
    let files = read.open_table(FILES)?;
    let is_whole =
        |hour: &Hour| hour.open + hour.wrong + hour.failed == 0 && hour.indexed >= hour.expected.max(hour.notified);
    for hour in view.hours.iter().filter(|hour| whole || !is_whole(hour)) {
        for row in files.range(of_hour(&hour.key))? {
            let file: FileState = parse(row?.1.value())?;
            if whole || file.is_open() || file.is_wrong() || file.failed.is_some() || ledger::lacks(&file) {
                view.files.push((hour.key.clone(), file));
            }
        }
    }
    for row in read.open_table(CHAINS)?.iter()? {
        view.chains.push(parse(row?.1.value())?);
    }
    for row in read.open_table(DIGESTS)?.iter()? {
        let (key, value) = row?;
        let digest: DigestRow = parse(value.value())?;
        let Some((start, end)) = digest.covers.filter(|_| digest.authentic) else { continue };
        let chain = key.value().0;
        // The first tells since when there are digests.
        let is_first = view.covered.last().is_none_or(|(last, ..)| last != chain);
        if is_first || (start < to && end > from) {
            view.covered.push((chain.to_owned(), start, end));
        }
    }
    Ok(view)
}

fn of_hour(key: &HourKey) -> std::ops::Range<(&str, &str, i64, &str)> {
    let hour = key.hour.as_second();
    (&key.account, &key.region, hour, "")..(&key.account, &key.region, hour + 1, "")
}

/// `bucket/key`; a bucket's name has no slash.
fn joined(name: &Name) -> String {
    format!("{}/{}", name.bucket, name.key)
}

fn parse<T: DeserializeOwned>(row: &[u8]) -> Result<T, Fault> {
    Ok(serde_json::from_slice(row)?)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
