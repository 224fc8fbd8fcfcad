//! Digests and their chains: judged, compared with their neighbours, missed, silent.

use super::{Ask, Book, Done, Judged};
use crate::integrity::document::About;
use crate::integrity::judge;
use crate::integrity::model::{ChainState, DigestRow, HOUR, Task};
use crate::integrity::store::{Fault, Tx};
use crate::verify::evidence::Failure;
use crate::verify::finding::{Finding, Kind};
use crate::verify::moment;
use crate::verify::scope::Name;
use jiff::Timestamp;

/// Times that a digest's place is judged anew because the one before it was found.
const LINKS: u32 = 3;

impl Book<'_> {
    pub(super) fn about_chain(&mut self, chain: &ChainState, findings: Vec<Finding>) {
        for finding in findings {
            let about = About { chain: Some(chain), ..About::default() };
            self.to_tell.push(self.rules.writer.finding(&finding, about, self.now));
        }
    }

    /// A digest of this chain has come.
    pub(super) fn heard(&self, tx: &mut Tx<'_>, chain: &ChainState) -> Done {
        let newest = tx.chain(&chain.id)?.map_or(chain.newest, |known| known.newest.max(chain.newest));
        tx.put_chain(&ChainState { newest, ..chain.clone() })
    }

    /// A digest was read; `linked`: because another names it, and not because it was announced.
    pub(super) fn digest(&mut self, tx: &mut Tx<'_>, name: &Name, tries: u32, linked: bool, judged: &Judged) -> Done {
        let Some(chain) = ChainState::of(name, self.now) else { return Ok(()) };
        let (row, findings, entries) = match judged {
            Judged::Failed(failure) => {
                self.outcome.failed.push(failure.clone());
                let (name, next) = (name.clone(), tries + 1);
                let task = if linked { Task::Linked { name, tries: next } } else { Task::Digest { name, tries: next } };
                return self.again(tx, tries, task);
            }
            Judged::Missing => {
                let reason = "it was announced, but is not there";
                self.about_chain(&chain, vec![Finding::of(Kind::DigestMissing, name, reason)]);
                return Ok(());
            }
            Judged::Read { row, findings, entries } => (row, findings, entries),
        };
        self.heard(tx, &chain)?;
        let known = tx.digests(&chain.id, row.end, row.end)?.into_iter().find(|known| known.name == *name);
        let known = known.filter(|known| known.hash == row.hash && known.authentic == row.authentic);
        let is_known = known.is_some();
        let linked = linked && known.as_ref().is_none_or(|known| known.linked);
        let first = known.map_or(row.first, |known| known.first);
        let row = &DigestRow { first, linked, ..(**row).clone() };
        tx.put_digest(&chain.id, row)?;
        let added = &mut self.outcome.added;
        if row.valid {
            added.verified += 1;
        } else {
            added.invalid += 1;
        }
        self.about_chain(&chain, findings.clone());
        self.to_tell.extend(self.rules.writer.covered(&chain, row, self.now));
        if row.authentic {
            for entry in entries {
                self.list(tx, row, entry, is_known)?;
            }
            self.reconsider(tx, &chain, row)?;
        }
        self.neighbours(tx, &chain, row)?;
        let due = moment::plus(self.now, self.rules.late_after);
        // The place of the next one was judged without this.
        let (from, to) = (moment::plus(row.end, 1), moment::plus(row.end, 7 * 24 * HOUR));
        let next = if is_known { None } else { tx.digests(&chain.id, from, to)?.into_iter().next() };
        let again = next.map(|next| Task::Link { chain: chain.id.clone(), end: next.end, name: next.name, tries: 0 });
        let task = Task::Link { chain: chain.id, end: row.end, name: name.clone(), tries: 0 };
        [Some(task), again].iter().flatten().try_for_each(|task| tx.plan(due, task))
    }

    /// Compares a digest with those beside it, as far as they are known.
    fn neighbours(&mut self, tx: &mut Tx<'_>, chain: &ChainState, row: &DigestRow) -> Done {
        if let Some(older) = known(tx, row.previous.as_ref())? {
            self.about_chain(chain, judge::neighbours(row, &older, chain.backfill));
        }
        let until = moment::plus(row.end, 7 * 24 * HOUR);
        let named = |newer: &&DigestRow| newer.previous.as_ref() == Some(&row.name) && newer.name != row.name;
        let newer = tx.digests(&chain.id, row.end, until)?.iter().find(named).cloned();
        if let Some(newer) = newer {
            self.about_chain(chain, judge::neighbours(&newer, row, chain.backfill));
        }
        Ok(())
    }

    /// Judges a digest's place in its chain; what must be asked of the digest before it, when there is something.
    pub(super) fn link(
        &mut self,
        tx: &mut Tx<'_>,
        id: &str,
        end: Timestamp,
        name: &Name,
    ) -> std::result::Result<Option<Ask>, Fault> {
        let Some((chain, row)) = placed(tx, id, end, name)? else { return Ok(None) };
        let older = tx.digest_before(id, end)?;
        let Some(previous) = row.previous.clone() else {
            let Some(older) = older.filter(|_| !chain.backfill) else { return Ok(None) };
            // The digest between may be late, or known to another process only.
            if older.end < row.start() {
                return Ok(Some(Ask::Previous(ends_at_start(&chain, &row))));
            }
            self.about_chain(&chain, Vec::from_iter(judge::beginning(&row, &older)));
            return Ok(None);
        };
        if let Some(found) = known(tx, Some(&previous))? {
            let between = tx.digests(id, moment::plus(found.end, 1), moment::plus(end, -1))?;
            let mut findings = judge::neighbours(&row, &found, chain.backfill);
            findings.extend(judge::orphans(&row, &between));
            self.about_chain(&chain, findings);
            return Ok(None);
        }
        // Before the first digest that came it is one step: what that lists and names was before shipping began.
        let is_first = older.is_none() && ChainState::of(&previous, self.now).is_some();
        Ok(Some(if is_first { Ask::Digest(previous) } else { Ask::Previous(previous) }))
    }

    /// Compares the first digest that came with the one before it, which is not kept.
    pub(super) fn before(
        &mut self,
        tx: &mut Tx<'_>,
        id: &str,
        end: Timestamp,
        name: &Name,
        tries: u32,
        judged: &Judged,
    ) -> Done {
        let (before, findings) = match judged {
            Judged::Failed(failure) => {
                return self.previous(tx, id, end, name, tries, &Err(failure.clone()));
            }
            Judged::Missing => return self.previous(tx, id, end, name, tries, &Ok(false)),
            Judged::Read { row, findings, .. } => (row, findings),
        };
        if let Some((chain, row)) = placed(tx, id, end, name)?.filter(|(_, row)| row.authentic) {
            self.about_chain(&chain, judge::neighbours(&row, before, chain.backfill));
            self.about_chain(&chain, findings.clone());
        }
        Ok(())
    }

    pub(super) fn previous(
        &mut self,
        tx: &mut Tx<'_>,
        id: &str,
        end: Timestamp,
        name: &Name,
        tries: u32,
        previous: &std::result::Result<bool, Failure>,
    ) -> Done {
        let Some((chain, row)) = placed(tx, id, end, name)? else { return Ok(()) };
        let gone = row.previous.clone().unwrap_or_else(|| ends_at_start(&chain, &row));
        let older = tx.digest_before(id, end)?;
        let task = Task::Link { chain: id.to_owned(), end, name: name.clone(), tries: tries + 1 };
        match previous {
            Err(failure) => {
                self.outcome.failed.push(failure.clone());
                self.again(tx, tries, task)
            }
            // It was not announced; it is verified like any other.
            Ok(true) if tries < LINKS && older.is_some() => {
                tx.plan(self.now, &Task::Linked { name: gone, tries: 0 })?;
                tx.plan(moment::plus(self.now, self.rules.late_after), &task)
            }
            Ok(true) => Ok(()),
            Ok(false) => {
                let older = older.as_ref().filter(|_| !chain.backfill);
                let finding = match row.previous {
                    Some(_) => Some(judge::missing(&row, &gone, older)),
                    None => older.and_then(|older| judge::beginning(&row, older)),
                };
                self.about_chain(&chain, Vec::from_iter(finding));
                Ok(())
            }
        }
    }

    /// Chains that speak no more.
    pub(super) fn silence(&mut self, tx: &mut Tx<'_>) -> Done {
        for chain in tx.chains()? {
            let since = chain.arrived.max(self.rules.started);
            if chain.backfill || chain.silent || self.now < moment::plus(since, self.rules.silent_after) {
                continue;
            }
            self.to_tell.push(self.rules.writer.silent(&chain, self.now));
            tx.put_chain(&ChainState { silent: true, ..chain })?;
        }
        Ok(())
    }
}

/// The digest that would come before one that names none, without a pause between.
fn ends_at_start(chain: &ChainState, row: &DigestRow) -> Name {
    Name::new(row.name.bucket.clone(), chain.chain().key_at(row.start()))
}

/// A digest that is known, and its chain.
fn placed(
    tx: &Tx<'_>,
    id: &str,
    end: Timestamp,
    name: &Name,
) -> std::result::Result<Option<(ChainState, DigestRow)>, Fault> {
    let row = tx.digests(id, end, end)?.into_iter().find(|row| row.name == *name);
    Ok(tx.chain(id)?.zip(row))
}

/// A digest by its name, in whatever chain.
pub(super) fn known(tx: &Tx<'_>, name: Option<&Name>) -> std::result::Result<Option<DigestRow>, Fault> {
    let Some((name, chain)) = name.and_then(|name| Some((name, ChainState::of(name, Timestamp::UNIX_EPOCH)?))) else {
        return Ok(None);
    };
    Ok(tx.digests(&chain.id, chain.newest, chain.newest)?.into_iter().find(|row| row.name == *name))
}
