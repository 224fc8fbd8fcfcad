//! What one transaction reads and changes.

use super::{
    AGENDA, CHAINS, DIGESTS, FILES, Fault, HOURS, Levels, META, OUTBOX, PUT_OFF, REFUSALS, SAID, Tx, joined, of_hour,
    parse,
};
use crate::integrity::model::{ChainState, DigestRow, FileState, Hour, HourKey, Place, Task};
use crate::verify::scope::Name;
use jiff::Timestamp;
use redb::{ReadableTable, ReadableTableMetadata, WriteTransaction};
use std::collections::BTreeMap;

impl<'t> Tx<'t> {
    pub(super) fn new(write: &'t WriteTransaction, now: Timestamp) -> Result<Tx<'t>, Fault> {
        Ok(Tx {
            hours: write.open_table(HOURS)?,
            files: write.open_table(FILES)?,
            chains: write.open_table(CHAINS)?,
            digests: write.open_table(DIGESTS)?,
            agenda: write.open_table(AGENDA)?,
            meta: write.open_table(META)?,
            outbox: write.open_table(OUTBOX)?,
            put_off: write.open_table(PUT_OFF)?,
            refusals: write.open_table(REFUSALS)?,
            said: write.open_table(SAID)?,
            changed: BTreeMap::new(),
            now,
        })
    }

    pub(super) fn finish(&mut self) -> Result<(), Fault> {
        for hour in std::mem::take(&mut self.changed).into_values() {
            self.write_hour(&hour)?;
        }
        Ok(())
    }

    fn write_hour(&mut self, hour: &Hour) -> Result<(), Fault> {
        let key = &hour.key;
        self.hours.insert((&*key.account, &*key.region, key.hour.as_second()), &*serde_json::to_vec(hour)?)?;
        Ok(())
    }

    /// The time of this transaction.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// A log file; `None` when nothing is known of it.
    pub fn file(&self, name: &Name, place: &Place) -> Result<Option<FileState>, Fault> {
        let key = &place.key;
        let row = self.files.get((&*key.account, &*key.region, key.hour.as_second(), &*joined(name)))?;
        row.map(|row| parse(row.value())).transpose()
    }

    /// Keeps a log file, in place of `before`, and counts it in its hour.
    pub fn put_file(&mut self, place: &Place, before: Option<&FileState>, file: &FileState) -> Result<(), Fault> {
        let mut hour = match self.changed.remove(&place.key) {
            Some(hour) => hour,
            None => self.hour(&place.key)?.unwrap_or_else(|| Hour::new(place.key.clone(), self.now)),
        };
        hour.changed = self.now;
        if let Some(before) = before {
            hour.count(before, false);
        }
        hour.count(file, true);
        self.changed.insert(place.key.clone(), hour);
        let key = &place.key;
        self.files.insert(
            (&*key.account, &*key.region, key.hour.as_second(), &*joined(&file.name)),
            &*serde_json::to_vec(file)?,
        )?;
        Ok(())
    }

    /// The files of one hour.
    pub fn files(&self, key: &HourKey) -> Result<Vec<FileState>, Fault> {
        self.files.range(of_hour(key))?.map(|row| parse(row?.1.value())).collect()
    }

    /// One hour.
    pub fn hour(&self, key: &HourKey) -> Result<Option<Hour>, Fault> {
        if let Some(hour) = self.changed.get(key) {
            return Ok(Some(hour.clone()));
        }
        let row = self.hours.get((&*key.account, &*key.region, key.hour.as_second()))?;
        row.map(|row| parse(row.value())).transpose()
    }

    /// All hours, in order of account, region, hour.
    pub fn hours(&self) -> Result<Vec<Hour>, Fault> {
        let rows = self.hours.iter()?;
        rows.map(|row| {
            let hour: Hour = parse(row?.1.value())?;
            Ok(self.changed.get(&hour.key).cloned().unwrap_or(hour))
        })
        .collect()
    }

    /// Keeps an hour whose counts are unchanged.
    pub fn put_hour(&mut self, hour: &Hour) -> Result<(), Fault> {
        if let Some(changed) = self.changed.get_mut(&hour.key) {
            *changed = hour.clone();
            return Ok(());
        }
        self.write_hour(hour)
    }

    /// Forgets the files of an hour for which `is_old` holds, without changing its counts.
    pub fn forget_files(&mut self, key: &HourKey, is_old: impl Fn(&FileState) -> bool) -> Result<(), Fault> {
        // A row that cannot be read is of no use either.
        let old = |row: &[u8]| parse::<FileState>(row).map_or(true, |file| is_old(&file));
        self.files.retain_in(of_hour(key), |_, row| !old(row))?;
        Ok(())
    }

    /// Forgets an hour and its files.
    pub fn forget_hour(&mut self, key: &HourKey) -> Result<(), Fault> {
        self.forget_files(key, |_| true)?;
        self.changed.remove(key);
        self.hours.remove((&*key.account, &*key.region, key.hour.as_second()))?;
        Ok(())
    }

    pub fn chain(&self, id: &str) -> Result<Option<ChainState>, Fault> {
        self.chains.get(id)?.map(|row| parse(row.value())).transpose()
    }

    pub fn chains(&self) -> Result<Vec<ChainState>, Fault> {
        self.chains.iter()?.map(|row| parse(row?.1.value())).collect()
    }

    pub fn put_chain(&mut self, chain: &ChainState) -> Result<(), Fault> {
        self.chains.insert(&*chain.id, &*serde_json::to_vec(chain)?)?;
        Ok(())
    }

    pub fn forget_chain(&mut self, id: &str) -> Result<(), Fault> {
        self.chains.remove(id)?;
        Ok(())
    }

    /// The digests of a chain that end from `from` to `to`, in order of time.
    pub fn digests(&self, chain: &str, from: Timestamp, to: Timestamp) -> Result<Vec<DigestRow>, Fault> {
        if from > to {
            return Ok(Vec::new());
        }
        let range = (chain, from.as_second(), "")..(chain, to.as_second().saturating_add(1), "");
        self.digests.range(range)?.map(|row| parse(row?.1.value())).collect()
    }

    /// The last digest of a chain that ends before `end`.
    pub fn digest_before(&self, chain: &str, end: Timestamp) -> Result<Option<DigestRow>, Fault> {
        let mut range = self.digests.range((chain, i64::MIN, "")..(chain, end.as_second(), ""))?;
        range.next_back().map(|row| parse(row?.1.value())).transpose()
    }

    /// The oldest digest of a chain that is remembered.
    pub fn first_digest(&self, chain: &str) -> Result<Option<DigestRow>, Fault> {
        let mut range = self.digests.range((chain, i64::MIN, "")..(chain, i64::MAX, ""))?;
        range.next().map(|row| parse(row?.1.value())).transpose()
    }

    pub fn put_digest(&mut self, chain: &str, digest: &DigestRow) -> Result<(), Fault> {
        let key = (chain, digest.end.as_second(), &*joined(&digest.name));
        self.digests.insert(key, &*serde_json::to_vec(digest)?)?;
        Ok(())
    }

    /// Forgets the digests that arrived before `before`.
    pub fn forget_digests(&mut self, before: Timestamp) -> Result<(), Fault> {
        self.digests.retain(|_, row| parse::<DigestRow>(row).is_ok_and(|digest| digest.arrived >= before))?;
        Ok(())
    }

    /// Plans a task.
    pub fn plan(&mut self, due: Timestamp, task: &Task) -> Result<(), Fault> {
        self.agenda.insert((due.as_second(), &*serde_json::to_string(task)?), ())?;
        Ok(())
    }

    /// The tasks that are due, at most `limit`; they stay until [`done`](Tx::done).
    pub fn due(&self, limit: usize) -> Result<Vec<(Timestamp, Task)>, Fault> {
        let until = self.now.as_second().saturating_add(1);
        let rows = self.agenda.range((i64::MIN, "")..(until, ""))?.take(limit);
        rows.map(|row| {
            let key = row?.0;
            let (due, task) = key.value();
            Ok((Timestamp::from_second(due).unwrap_or(self.now), serde_json::from_str(task)?))
        })
        .collect()
    }

    /// When the next task is due that is not due now.
    pub fn next_due(&self) -> Result<Option<Timestamp>, Fault> {
        let mut later = self.agenda.range((self.now.as_second().saturating_add(1), "")..)?;
        let next = later.next().transpose()?.map(|(key, _)| key.value().0);
        Ok(next.and_then(|second| Timestamp::from_second(second).ok()))
    }

    /// Takes a task off the agenda; false when it was not there.
    pub fn done(&mut self, due: Timestamp, task: &Task) -> Result<bool, Fault> {
        Ok(self.agenda.remove((due.as_second(), &*serde_json::to_string(task)?))?.is_some())
    }

    /// Forgets that something was said before `before`.
    pub fn forget_said(&mut self, before: Timestamp) -> Result<(), Fault> {
        self.said.retain(|_, second| second >= before.as_second())?;
        Ok(())
    }

    /// How much is waited for; `bytes` is not known here.
    pub fn levels(&self) -> Result<Levels, Fault> {
        Ok(Levels { awaiting: self.agenda.len()?, outbox: self.undelivered()?, bytes: 0 })
    }
}

impl Hour {
    pub(in crate::integrity) fn new(key: HourKey, now: Timestamp) -> Hour {
        Hour {
            key,
            expected: 0,
            notified: 0,
            read: 0,
            indexed: 0,
            failed: 0,
            records: 0,
            open: 0,
            wrong: 0,
            first: now,
            changed: now,
            closed: None,
        }
    }

    /// Adds a file to the counts, or takes it out of them.
    fn count(&mut self, file: &FileState, add: bool) {
        let counts = [
            (&mut self.expected, u64::from(file.listed.is_some() && !file.skipped && !file.uncounted)),
            (&mut self.notified, u64::from(file.notified)),
            (&mut self.read, u64::from(file.read)),
            (&mut self.indexed, u64::from(file.indexed)),
            (&mut self.failed, u64::from(file.failed.is_some())),
            (&mut self.records, file.records),
            (&mut self.open, u64::from(file.is_open())),
            (&mut self.wrong, u64::from(file.is_wrong())),
        ];
        for (count, n) in counts {
            *count = if add { count.saturating_add(n) } else { count.saturating_sub(n) };
        }
    }
}
