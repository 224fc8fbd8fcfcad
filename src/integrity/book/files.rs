//! Log files: read, listed, missed, compared.

use super::chains::known;
use super::{Ask, Book, Done, FILES_KEPT, Judged};
use crate::integrity::document::{About, covers_of};
use crate::integrity::judge::{self, Asked};
use crate::integrity::ledger::SLACK;
use crate::integrity::model::{ChainState, Compared, DigestRow, FileState, HOUR, HourKey, Listed, Place, Task};
use crate::integrity::note::{End, Read};
use crate::integrity::store::{Fault, Tx};
use crate::record::trail_key::TrailKey;
use crate::verify::digest::LogEntry;
use crate::verify::evidence::LogRead;
use crate::verify::finding::Finding;
use crate::verify::key::hex;
use crate::verify::moment;
use crate::verify::scope::{Name, backfill_of};
use jiff::Timestamp;
use std::collections::HashMap;

/// How S3 answers for an object that it may not show.
const DENIED: &str = "AccessDenied";
/// Tries at the backfill digests of an unlisted file: some hours. Whoever put the file there may have put something beside
/// it that cannot be read.
const TRIES: u32 = 12;

impl Book<'_> {
    pub(super) fn ended(&mut self, tx: &mut Tx<'_>, name: &Name, end: &End) -> Done {
        let (rules, covered) = (self.rules, self.may_be_covered(tx, name)?);
        self.change(tx, name, |now, file| {
            file.notified = true;
            match &end.read {
                Read::Whole { sha256, records } => {
                    (file.read, file.records, file.failed) = (true, *records, None);
                    file.sha256 = sha256.map(|hash| hex(&hash));
                    file.indexed |= end.settled;
                }
                Read::Failed(code) if !file.indexed => file.failed = Some((*code).to_owned()),
                Read::Failed(_) | Read::Open => {}
            }
            let name = file.name.clone();
            match file.listed {
                Some(_) if file.read && file.sha256.is_none() => {
                    vec![(moment::plus(now, rules.late_after), Task::File { name, tries: 0 })]
                }
                // Before that, the digest that covers it asks for it.
                None if file.read && covered => {
                    vec![(moment::plus(now, rules.late_after), Task::Unlisted { name, tries: 0 })]
                }
                _ => Vec::new(),
            }
        })?;
        self.late(name);
        self.compare(name);
        Ok(())
    }

    /// Whether digests reach beyond the time of a file.
    fn may_be_covered(&mut self, tx: &Tx<'_>, name: &Name) -> std::result::Result<bool, Fault> {
        let Some(place) = Place::of(&name.key) else { return Ok(false) };
        if self.newest.is_none() {
            let mut newest: HashMap<_, Timestamp> = HashMap::new();
            for chain in tx.chains()? {
                let known = newest.entry((chain.account, chain.region)).or_insert(chain.newest);
                *known = chain.newest.max(*known);
            }
            self.newest = Some(newest);
        }
        let newest = self.newest.as_ref().and_then(|all| all.get(&(place.key.account, place.key.region)));
        Ok(newest.is_some_and(|newest| *newest >= place.time))
    }

    /// A file that was missed has arrived.
    fn late(&mut self, name: &Name) {
        let Some((_, _, file)) = self.files.get_mut(name) else { return };
        if !file.read || file.compared != Some(Compared::Missing) {
            return;
        }
        // Its bytes are compared next.
        file.compared = None;
        let file = file.clone();
        let reason = "a digest lists it and it was not there; it has arrived since, and was shipped late: find out who held it back";
        self.tell_late(&file, reason);
    }

    fn tell_late(&mut self, file: &FileState, reason: &str) {
        let listed = file.listed.as_ref();
        let about = About { listed, covers: listed.and_then(covers_of), ..About::default() };
        let told = self.rules.writer.late(file, reason, about, self.now);
        self.to_tell.push(told);
    }

    /// Compares the shipped bytes of a file with its digest, when both are known.
    pub(super) fn compare(&mut self, name: &Name) {
        let Some((_, _, file)) = self.files.get_mut(name) else { return };
        let Some((compared, finding)) = judge::shipped(file) else { return };
        if file.compared.replace(compared) != Some(compared) {
            *self.outcome.added.compared.entry(compared).or_default() += 1;
        }
        let file = file.clone();
        self.about_file(&file, finding);
    }

    fn about_file(&mut self, file: &FileState, finding: Option<Finding>) {
        let Some(finding) = finding else { return };
        let listed = file.listings().find(|listed| listed.sha256 != file.sha256).or(file.listed.as_ref());
        let about =
            About { listed, sha256: file.sha256.as_deref(), covers: listed.and_then(covers_of), ..About::default() };
        self.to_tell.push(self.rules.writer.finding(&finding, about, self.now));
    }

    /// A digest lists a file. `again`: it was applied before, so files that are not known any more were as they should be.
    pub(super) fn list(&mut self, tx: &mut Tx<'_>, row: &DigestRow, entry: &LogEntry, again: bool) -> Done {
        let name = Name::new(entry.bucket.clone(), entry.key.clone());
        let Some(place) = Place::of(&name.key) else { return Ok(()) };
        if again && !self.files.contains_key(&name) && tx.file(&name, &place)?.is_none() {
            return Ok(());
        }
        let rules = self.rules;
        let listed = Listed { digest: row.name.clone(), sha256: entry.hash.clone(), at: self.now };
        self.change(tx, &name, |now, file| {
            let uncounted = rules.shared && row.linked;
            file.uncounted = uncounted && (file.uncounted || file.listed.is_none());
            if file.contradicted.is_some() || file.listings().any(|known| known.sha256 == listed.sha256) {
                return Vec::new();
            }
            let place = if file.listed.is_none() { &mut file.listed } else { &mut file.contradicted };
            *place = Some(listed);
            file.compared = file.skipped.then_some(Compared::Skipped);
            vec![(moment::plus(now, rules.late_after), Task::File { name: file.name.clone(), tries: 0 })]
        })?;
        self.compare(&name);
        Ok(())
    }

    /// Files that nothing listed so far may be sure to be unlisted soon: the first digest of another trail in the same
    /// folders may be on its way.
    pub(super) fn reconsider(&mut self, tx: &mut Tx<'_>, chain: &ChainState, row: &DigestRow) -> Done {
        let Some((start, end)) = row.covers else { return Ok(()) };
        // As far back as the slack reaches; a span that is out of all reason is no reason to read everything.
        let first = moment::plus(start.max(moment::plus(end, -24 * HOUR)), -SLACK);
        let mut hour = moment::plus(first, -first.as_second().rem_euclid(HOUR));
        while hour <= end {
            let key = HourKey { account: chain.account.clone(), region: chain.region.clone(), hour };
            for file in tx.files(&key)? {
                if file.read && file.listed.is_none() && file.compared.is_none() {
                    let due = moment::plus(file.changed, self.rules.late_after).max(self.now);
                    tx.plan(due, &Task::Unlisted { name: file.name, tries: 0 })?;
                }
            }
            hour = moment::plus(hour, HOUR);
        }
        Ok(())
    }

    pub(super) fn is_open(&self, tx: &Tx<'_>, name: &Name) -> std::result::Result<bool, Fault> {
        let Some(place) = Place::of(&name.key) else { return Ok(false) };
        Ok(tx.file(name, &place)?.is_some_and(|file| file.is_open()))
    }

    pub(super) fn file(&mut self, tx: &mut Tx<'_>, name: &Name, tries: u32, read: &LogRead) -> Done {
        let Some(place) = Place::of(&name.key) else { return Ok(()) };
        self.change(tx, name, |_, _| Vec::new())?;
        let Some((_, _, file)) = self.files.get(name) else { return Ok(()) };
        let Some(listed) = file.listed.clone().filter(|_| file.is_open()) else { return Ok(()) };
        let elsewhere = self.rules.shared || is_before_memory(tx, &listed, &place)?;
        let decided = judge::asked(file, read.clone(), elsewhere);
        let (compared, finding) = match decided {
            Asked::Later(failure) => {
                self.outcome.failed.push(failure);
                return self.again(tx, tries, Task::File { name: name.clone(), tries: tries + 1 });
            }
            Asked::Decided(compared, finding) => (compared, finding),
        };
        *self.outcome.added.compared.entry(compared).or_default() += 1;
        let Some((_, _, file)) = self.files.get_mut(name) else { return Ok(()) };
        file.compared = Some(compared);
        file.changed = self.now;
        let mut file = file.clone();
        if compared == Compared::Late {
            let reason = "it lies in the bucket, intact, but was never announced to this process, so its records were not shipped: look at the bucket's notifications, and ship it with the input `file` or by a message that names it";
            self.tell_late(&file, reason);
        }
        if let LogRead::Hashed { hash, .. } = read {
            file.sha256 = Some(hash.clone());
        }
        self.about_file(&file, finding);
        Ok(())
    }

    /// Looks whether a file must be listed; the backfill digests to ask for before it is said that none lists it.
    pub(super) fn unlisted(&mut self, tx: &mut Tx<'_>, name: &Name) -> Result<Option<Ask>, Fault> {
        let (Some(place), Some(key)) = (Place::of(&name.key), TrailKey::parse(&name.key)) else { return Ok(None) };
        let Some(file) = tx.file(name, &place)?.filter(|file| place.is_log && file.read) else { return Ok(None) };
        if file.listed.is_some() || file.compared.is_some() {
            return Ok(None);
        }
        let due = moment::plus(file.changed, self.rules.late_after);
        // The agenda goes by seconds.
        if self.now.as_second() < due.as_second() {
            tx.plan(due, &Task::Unlisted { name: name.clone(), tries: 0 })?;
            return Ok(None);
        }
        let (from, to) = (moment::plus(place.time, -HOUR), moment::plus(place.time, SLACK + HOUR));
        let (mut digests, mut chains) = (Vec::new(), 0);
        for chain in tx.chains()? {
            let is_its = chain.bucket == name.bucket
                && chain.prefix == key.prefix
                && chain.account == key.account
                && chain.region == key.region
                && !chain.backfill
                && !chain.silent;
            if !is_its {
                continue;
            }
            // What was in a chain before its first known digest may have listed it, unless the chain begins there. Where it
            // began anew, another process may know what was before.
            match tx.first_digest(&chain.id)? {
                Some(first) if first.start() <= place.time => {}
                Some(first) if first.authentic && first.previous.is_none() && !self.rules.shared => continue,
                Some(_) | None => return Ok(None),
            }
            let of_chain = tx.digests(&chain.id, from, to)?;
            // A digest that comes later asks again. Where several trails write, each must have had its say.
            if !judge::must_be_listed(place.time, &of_chain) {
                return Ok(None);
            }
            chains += 1;
            digests.extend(of_chain);
        }
        if chains == 0 {
            return Ok(None);
        }
        // What it lists may be forgotten by now, and was not applied to this file unless it was read again since.
        let old = moment::plus(self.now, -FILES_KEPT);
        let is_forgotten = |digest: &&DigestRow| digest.first < old && digest.arrived < file.changed;
        let forgotten: Vec<&DigestRow> = digests.iter().filter(is_forgotten).collect();
        if !forgotten.is_empty() {
            for digest in forgotten {
                tx.plan(moment::plus(self.now, 1), &Task::Linked { name: digest.name.clone(), tries: 0 })?;
            }
            let task = Task::Unlisted { name: name.clone(), tries: 0 };
            tx.plan(moment::plus(self.now, self.rules.late_after), &task)?;
            return Ok(None);
        }
        let mut beside = Vec::new();
        for name in digests.iter().filter_map(|digest| backfill_of(&digest.name)) {
            if known(tx, Some(&name))?.is_none() {
                beside.push(name);
            }
        }
        if beside.is_empty() {
            self.tell_unlisted(tx, name)?;
            return Ok(None);
        }
        Ok(Some(Ask::Backfills(beside)))
    }

    /// Backfill digests of a file's time were asked for: their announcement may be late, or have gone to another process.
    pub(super) fn backfills(&mut self, tx: &mut Tx<'_>, name: &Name, tries: u32, judged: &[(Name, Judged)]) -> Done {
        // Without the permission to list, S3 denies what is not there.
        let failure = judged.iter().filter_map(|(_, judged)| judged.failure()).find(|failure| failure.code != DENIED);
        if let Some(failure) = failure.filter(|_| tries < TRIES) {
            self.outcome.failed.push(failure.clone());
            return self.again(tx, tries, Task::Unlisted { name: name.clone(), tries: tries + 1 });
        }
        for (digest, judged) in judged.iter().filter(|(_, judged)| matches!(judged, Judged::Read { .. })) {
            self.digest(tx, digest, 0, true, judged)?;
        }
        self.tell_unlisted(tx, name)
    }

    fn tell_unlisted(&mut self, tx: &mut Tx<'_>, name: &Name) -> Done {
        let mut unlisted = None;
        self.change(tx, name, |_, file| {
            if file.listed.is_none() && file.compared.is_none() {
                file.compared = Some(Compared::Unlisted);
                unlisted = Some(file.clone());
            }
            Vec::new()
        })?;
        if let Some(file) = unlisted {
            *self.outcome.added.compared.entry(Compared::Unlisted).or_default() += 1;
            self.about_file(&file, Some(judge::unlisted(name)));
        }
        Ok(())
    }
}

/// Whether the file may have been shipped before anything was remembered of its chain: while the first digest that is known
/// was on its way. Not where the chain itself begins.
fn is_before_memory(tx: &Tx<'_>, listed: &Listed, place: &Place) -> std::result::Result<bool, Fault> {
    let Some(chain) = ChainState::of(&listed.digest, Timestamp::UNIX_EPOCH) else { return Ok(false) };
    let Some(first) = tx.first_digest(&chain.id)? else { return Ok(false) };
    Ok(first.previous.is_some() && place.time < moment::plus(first.end, HOUR))
}
