//! The outbox: documents from the transaction that made them until they have arrived.
//!
//! A row is a line with the `_id`, and `ledger` behind a space for what is no finding, then the document. Rows of those that
//! were tried begin with one more line, of JSON: what came of it. Invariant: `REFUSALS` counts the rows whose last try was
//! refused.

use super::{Fault, META, OUTBOX, PUT_OFF, REFUSALS, Tx, parse};
use crate::integrity::outbox::{Dropped, Fate, Refusals, Ticket, Tries, Undelivered, Waiting};
use jiff::Timestamp;
use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata};
use std::collections::BTreeMap;

/// Behind the `_id` of a document of the ledger.
const LEDGER: &str = " ledger";
/// Counters in the table of the version: the next number, and findings made.
const NEXT: &str = "next_document";
const FINDINGS: &str = "findings";

impl Tx<'_> {
    /// Puts a document into the outbox, unless it was said before; true when it was not.
    pub fn say(&mut self, id: &str, is_finding: bool, document: &[u8]) -> Result<bool, Fault> {
        if self.said.insert(id, self.now.as_second())?.is_some() {
            return Ok(false);
        }
        let number = self.counter(NEXT)?.max(self.outbox.last()?.map_or(0, |(number, _)| number.value() + 1));
        self.meta.insert(NEXT, number + 1)?;
        if is_finding {
            let findings = self.counter(FINDINGS)?;
            self.meta.insert(FINDINGS, findings + 1)?;
        }
        let kind = if is_finding { "" } else { LEDGER };
        self.outbox.insert(number, &*[id.as_bytes(), kind.as_bytes(), b"\n", document].concat())?;
        Ok(true)
    }

    /// The documents that may be tried now, at most `limit`: half of them those that were tried before, where there are as
    /// many; the oldest first.
    pub fn outbox(&self, limit: usize) -> Result<Vec<Waiting>, Fault> {
        let until = self.now.as_second().saturating_add(1);
        let mut lot = Vec::new();
        let fresh = usize::try_from(self.outbox.len()?).unwrap_or(usize::MAX);
        for row in self.put_off.range((i64::MIN, 0)..(until, 0))?.take(limit - fresh.min(limit / 2)) {
            let (key, row) = row?;
            let (due, number) = key.value();
            let (tries, row) = tried(row.value())?;
            lot.push(waiting(Ticket { number, due: Some(due) }, tries.refused.is_none(), row));
        }
        for row in self.outbox.iter()?.take(limit - lot.len()) {
            let (number, row) = row?;
            lot.push(waiting(Ticket { number: number.value(), due: None }, false, row.value()));
        }
        Ok(lot)
    }

    /// Notes what became of a try; true when a document that had been put off has arrived.
    pub fn tried(&mut self, ticket: Ticket, fate: &Fate) -> Result<bool, Fault> {
        let (before, row) = match ticket.due {
            None => (None, self.outbox.remove(ticket.number)?.map(|row| row.value().to_vec())),
            Some(due) => match self.put_off.remove((due, ticket.number))? {
                None => (None, None),
                Some(row) => {
                    let (tries, row) = tried(row.value())?;
                    (Some(tries), Some(row.to_vec()))
                }
            },
        };
        // It was dropped meanwhile.
        let Some(row) = row else { return Ok(false) };
        if let Some(tries) = &before {
            self.count_refusal(tries, false)?;
        }
        let refused = match fate {
            Fate::Arrived => return Ok(before.is_some()),
            Fate::Refused(refused) => Some(refused.clone()),
            Fate::Unanswered => None,
        };
        let tries = Tries::next(before, refused, self.now);
        self.count_refusal(&tries, true)?;
        self.put_off(&tries, tries.due(self.now), ticket.number, &row)?;
        Ok(false)
    }

    /// All that were put off may be tried now.
    pub fn wake(&mut self) -> Result<(), Fault> {
        let now = self.now.as_second();
        let asleep = self.put_off.range((now.saturating_add(1), 0)..)?;
        let asleep = asleep.map(|row| Ok(row?.0.value())).collect::<Result<Vec<_>, Fault>>()?;
        for (due, number) in asleep {
            let row = self.put_off.remove((due, number))?.map(|row| row.value().to_vec());
            if let Some(row) = row {
                self.put_off.insert((now, number), &*row)?;
            }
        }
        Ok(())
    }

    /// Drops documents that were first tried before `before`; and of more than `most` the oldest, those of the ledger first,
    /// as `trailship gaps` tells of them all the same.
    pub fn drop_old(&mut self, before: Timestamp, most: u64) -> Result<Dropped, Fault> {
        let mut dropped = Dropped::default();
        let (mut old, mut ledger, mut findings) = (Vec::new(), Vec::new(), Vec::new());
        let too_many = (self.outbox.len()? + self.put_off.len()?).saturating_sub(most);
        for row in self.put_off.iter()? {
            let (key, row) = row?;
            let (due, number) = key.value();
            let (tries, row) = tried(row.value())?;
            let entry = (number, Some(due), is_ledger(row));
            match () {
                () if tries.since < before.as_second() => old.push(entry),
                () if too_many == 0 => {}
                () if entry.2 => ledger.push(entry),
                () => findings.push(entry),
            }
        }
        if too_many > 0 {
            for row in self.outbox.iter()? {
                let (number, row) = row?;
                let entry = (number.value(), None, is_ledger(row.value()));
                if entry.2 { ledger.push(entry) } else { findings.push(entry) }
            }
        }
        ledger.sort_unstable();
        findings.sort_unstable();
        let rest = usize::try_from(too_many).unwrap_or(usize::MAX).saturating_sub(old.len());
        let surplus = ledger.into_iter().chain(findings).take(rest);
        for (number, due, is_ledger) in old.into_iter().chain(surplus) {
            match due {
                None => drop(self.outbox.remove(number)?),
                Some(due) => {
                    let row = self.put_off.remove((due, number))?.map(|row| row.value().to_vec());
                    if let Some(row) = row {
                        self.count_refusal(&tried(&row)?.0, false)?;
                    }
                }
            }
            *(if is_ledger { &mut dropped.ledger } else { &mut dropped.findings }) += 1;
        }
        Ok(dropped)
    }

    /// The next try of what was put off and may not be tried now.
    pub fn next_try(&self) -> Result<Option<Timestamp>, Fault> {
        let next = self.put_off.range((self.now.as_second().saturating_add(1), 0)..)?.next().transpose()?;
        Ok(next.and_then(|(key, _)| Timestamp::from_second(key.value().0).ok()))
    }

    /// Documents in the outbox.
    pub fn undelivered(&self) -> Result<u64, Fault> {
        Ok(self.outbox.len()? + self.put_off.len()?)
    }

    /// What is refused at present, by code.
    pub fn refusals(&self) -> Result<BTreeMap<String, Refusals>, Fault> {
        read_refusals(&self.refusals)
    }

    fn counter(&self, name: &str) -> Result<u64, Fault> {
        Ok(self.meta.get(name)?.map_or(0, |count| count.value()))
    }

    fn put_off(&mut self, tries: &Tries, due: i64, number: u64, row: &[u8]) -> Result<(), Fault> {
        let head = serde_json::to_vec(tries)?;
        self.put_off.insert((due, number), &*[&head, b"\n".as_slice(), row].concat())?;
        Ok(())
    }

    fn count_refusal(&mut self, tries: &Tries, add: bool) -> Result<(), Fault> {
        let Some(refused) = &tries.refused else { return Ok(()) };
        let known = self.refusals.get(&*refused.code)?.map(|row| parse::<Refusals>(row.value())).transpose()?;
        let mut refusals = known.unwrap_or_else(|| Refusals { documents: 0, since: self.now, reason: String::new() });
        if add {
            refusals.documents += 1;
            refusals.reason.clone_from(&refused.reason);
        } else {
            refusals.documents = refusals.documents.saturating_sub(1);
        }
        if refusals.documents == 0 {
            self.refusals.remove(&*refused.code)?;
        } else {
            self.refusals.insert(&*refused.code, &*serde_json::to_vec(&refusals)?)?;
        }
        Ok(())
    }
}

/// What is in the outbox, for people.
pub(super) fn undelivered(read: &ReadTransaction) -> Result<Undelivered, Fault> {
    let findings_made = read.open_table(META)?.get(FINDINGS)?.map_or(0, |count| count.value());
    let refused = read_refusals(&read.open_table(REFUSALS)?)?;
    let mut all = Undelivered { findings_made, refused, ..Undelivered::default() };
    let mut count = |row: &[u8]| *(if is_ledger(row) { &mut all.ledger } else { &mut all.findings }) += 1;
    for row in read.open_table(OUTBOX)?.iter()? {
        count(row?.1.value());
    }
    for row in read.open_table(PUT_OFF)?.iter()? {
        count(split(row?.1.value()).1);
    }
    Ok(all)
}

fn read_refusals(table: &impl ReadableTable<&'static str, &'static [u8]>) -> Result<BTreeMap<String, Refusals>, Fault> {
    let rows = table.iter()?;
    rows.map(|row| {
        let (code, row) = row?;
        Ok((code.value().to_owned(), parse(row.value())?))
    })
    .collect()
}

fn waiting(ticket: Ticket, in_doubt: bool, row: &[u8]) -> Waiting {
    let (head, document) = split(row);
    let head = String::from_utf8_lossy(head);
    let id = head.strip_suffix(LEDGER).unwrap_or(&head).to_owned();
    Waiting { ticket, id, document: document.to_vec(), in_doubt }
}

fn is_ledger(row: &[u8]) -> bool {
    split(row).0.ends_with(LEDGER.as_bytes())
}

fn tried(row: &[u8]) -> Result<(Tries, &[u8]), Fault> {
    let (head, row) = split(row);
    Ok((parse(head)?, row))
}

/// The first line, and what follows it.
fn split(row: &[u8]) -> (&[u8], &[u8]) {
    let at = row.iter().position(|byte| *byte == b'\n').unwrap_or(row.len());
    let (line, rest) = row.split_at(at);
    (line, rest.get(1..).unwrap_or_default())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::integrity::ledger::tests::at;
    use crate::integrity::outbox::Refused;
    use crate::integrity::store::{Question, Store};

    fn refused() -> Fate {
        Fate::Refused(Refused::new("mapping-refused", "no date"))
    }

    fn filled(findings: &[&str], ledger: &[&str]) -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        store
            .write(at("03:00:00"), |tx| {
                for id in findings {
                    tx.say(id, true, b"{\"a\":1}")?;
                }
                ledger.iter().try_for_each(|id| tx.say(id, false, b"{}").map(drop))
            })
            .unwrap();
        (folder, store)
    }

    fn lot(store: &Store, now: &str) -> Vec<Waiting> {
        store.write(at(now), |tx| tx.outbox(10)).unwrap()
    }

    fn ids(lot: &[Waiting]) -> Vec<&str> {
        lot.iter().map(|waiting| waiting.id.as_str()).collect()
    }

    fn waiting_and_refused(store: &Store, now: &str) -> (u64, u64) {
        let (levels, refusals) = store.write(at(now), |tx| Ok((tx.levels()?, tx.refusals()?))).unwrap();
        (levels.outbox, refusals.values().map(|refusals| refusals.documents).sum())
    }

    fn end(store: &Store, now: &str, ticket: Ticket, fate: &Fate) -> bool {
        store.write(at(now), |tx| tx.tried(ticket, fate)).unwrap()
    }

    #[test]
    fn what_is_refused_waits_alone_across_a_restart_and_arrives_once() {
        let (folder, store) = filled(&["bad", "good"], &["hour"]);
        let first = lot(&store, "03:00:00");
        assert_eq!(ids(&first), ["bad", "good", "hour"]);
        assert_eq!(first[0].document, b"{\"a\":1}");
        assert!(!end(&store, "03:00:01", first[0].ticket, &refused()));
        assert!(!end(&store, "03:00:01", first[1].ticket, &Fate::Arrived));
        assert!(!end(&store, "03:00:01", first[2].ticket, &Fate::Unanswered));
        drop(store);
        let store = Store::new(folder.path());
        assert_eq!(ids(&lot(&store, "03:00:05")), Vec::<&str>::new());
        let undelivered = store
            .view(at("03:00:05"), Question { from: at("03:00:00"), to: at("03:00:00"), whole: false })
            .unwrap()
            .undelivered;
        assert_eq!((undelivered.findings_made, undelivered.findings, undelivered.ledger), (2, 1, 1));
        let told = &undelivered.refused["mapping-refused"];
        assert_eq!((told.documents, told.since, told.reason.as_str()), (1, at("03:00:01"), "no date"));
        let again = lot(&store, "03:00:06");
        assert_eq!(ids(&again), ["bad", "hour"]);
        assert_eq!(again.iter().map(|it| it.in_doubt).collect::<Vec<_>>(), [false, true], "a refusal is an answer");
        assert!(!end(&store, "03:00:06", again[0].ticket, &refused()));
        assert_eq!(ids(&lot(&store, "03:00:15")), ["hour"], "the pause has grown");
        let last = lot(&store, "03:00:16");
        assert!(end(&store, "03:00:16", last[1].ticket, &Fate::Arrived));
        assert!(end(&store, "03:00:16", last[0].ticket, &Fate::Arrived));
        assert_eq!(waiting_and_refused(&store, "03:00:17"), (0, 0));
        assert!(!store.write(at("03:00:17"), |tx| tx.say("bad", true, b"{}")).unwrap(), "it is not said again");
    }

    #[test]
    fn those_behind_what_is_refused_are_tried() {
        let (_folder, store) = filled(&["a", "b", "c", "d"], &[]);
        for waiting in lot(&store, "03:00:00") {
            end(&store, "03:00:00", waiting.ticket, &refused());
        }
        store.write(at("03:00:01"), |tx| tx.say("fresh", true, b"{}")).unwrap();
        let both = store.write(at("03:00:06"), |tx| tx.outbox(2)).unwrap();
        assert_eq!(ids(&both), ["a", "fresh"]);
    }

    #[test]
    fn one_that_arrives_after_all_wakes_the_others() {
        let (_folder, store) = filled(&["a", "b"], &[]);
        for now in ["03:00:00", "03:00:05"] {
            for waiting in lot(&store, now) {
                end(&store, now, waiting.ticket, &refused());
            }
        }
        assert_eq!(ids(&lot(&store, "03:00:06")), Vec::<&str>::new());
        store.write(at("03:00:06"), |tx| tx.wake()).unwrap();
        assert_eq!(ids(&lot(&store, "03:00:06")), ["a", "b"]);
        assert_eq!(store.write(at("03:00:06"), |tx| tx.refusals()).unwrap()["mapping-refused"].documents, 2);
    }

    #[test]
    fn too_many_cost_the_ledger_first_and_then_the_oldest() {
        let (_folder, store) = filled(&["a", "b", "c"], &["h", "i"]);
        let first = lot(&store, "03:00:00");
        end(&store, "03:00:00", first[0].ticket, &refused());
        let dropped = store.write(at("03:00:01"), |tx| tx.drop_old(at("00:00:00"), 2)).unwrap();
        assert_eq!(dropped, Dropped { findings: 1, ledger: 2 });
        assert_eq!(ids(&lot(&store, "04:00:00")), ["b", "c"]);
        assert_eq!(waiting_and_refused(&store, "04:00:00"), (2, 0));
    }

    #[test]
    fn what_was_refused_for_too_long_is_dropped() {
        let (_folder, store) = filled(&["a", "b"], &[]);
        let first = lot(&store, "03:00:00");
        end(&store, "03:00:00", first[0].ticket, &refused());
        let none = store.write(at("04:00:00"), |tx| tx.drop_old(at("03:00:00"), 10)).unwrap();
        assert_eq!(none, Dropped::default());
        let dropped = store.write(at("04:00:00"), |tx| tx.drop_old(at("03:00:01"), 10)).unwrap();
        assert_eq!(dropped, Dropped { findings: 1, ledger: 0 });
        assert_eq!(ids(&lot(&store, "04:00:00")), ["b"]);
    }
}
