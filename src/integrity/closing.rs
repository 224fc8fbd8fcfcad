//! Looks after the hours of the ledger that are not closed yet: what digests cover of them, and whether it is time.
//!
//! Every hour has one task on the agenda from its first file until it is closed. What decides is in `ledger`; this only
//! brings it what the store knows.

use super::ledger::{self, Coverage, Entry, SLACK};
use super::model::{ChainState, DigestRow, HOUR, Hour, HourKey};
use super::store::{Fault, Tx};
use crate::verify::moment;
use jiff::Timestamp;
use std::collections::HashMap;

/// Longest and shortest pause between two looks at an hour, seconds.
const PAUSE: (i64, i64) = (1, 300);
/// A digest covers an hour, or less, or somewhat more after a pause; so many seconds are looked back and ahead.
const REACH: i64 = 2 * HOUR;

/// The result of a look at an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// It closes now: this is to be said of it.
    Closed(Box<Hour>, Entry),
    /// Nothing yet.
    Again(Timestamp),
    /// It was closed before, or is forgotten.
    Gone,
}

/// The chains of each account and region, and whether they are silent, so that many hours can be looked at for the price
/// of one reading.
pub struct ChainsByPlace(HashMap<(String, String), Vec<(String, bool)>>);

impl ChainsByPlace {
    /// Backfill chains are left out: they cover nothing that the others do not.
    pub fn new(chains: Vec<ChainState>) -> ChainsByPlace {
        let mut places: HashMap<_, Vec<_>> = HashMap::new();
        for chain in chains.into_iter().filter(|chain| !chain.backfill) {
            places.entry((chain.account, chain.region)).or_default().push((chain.id, chain.silent));
        }
        ChainsByPlace(places)
    }

    fn of(&self, key: &HourKey) -> &[(String, bool)] {
        self.0.get(&(key.account.clone(), key.region.clone())).map_or(&[], Vec::as_slice)
    }
}

/// Looks at an hour, and closes it when it is time. `late_after` is in seconds.
///
/// # Errors
/// [`Fault`] of the store.
pub fn look(tx: &mut Tx<'_>, chains: &ChainsByPlace, key: &HourKey, late_after: i64) -> Result<Look, Fault> {
    let Some(mut hour) = tx.hour(key)?.filter(|hour| hour.closed.is_none()) else { return Ok(Look::Gone) };
    let (coverage, by_all) = coverage(tx, chains, key, late_after)?;
    if !ledger::is_due(&hour, by_all, late_after, tx.now()) {
        return Ok(Look::Again(moment::plus(tx.now(), (late_after / 8).clamp(PAUSE.0, PAUSE.1))));
    }
    let entry = ledger::entry(&hour, coverage, &tx.files(key)?);
    hour.closed = Some(tx.now());
    tx.put_hour(&hour)?;
    Ok(Look::Closed(Box::new(hour), entry))
}

/// What the digests of all chains cover of an hour together, and what each of them does, of those that reach back so far:
/// what one has covered, another may still list a file of. As long as one is new, so may digests before its first that came,
/// and trails that nobody has heard of: in a backlog all comes at once, in any order.
fn coverage(
    tx: &Tx<'_>,
    chains: &ChainsByPlace,
    key: &HourKey,
    late_after: i64,
) -> Result<(Coverage, Coverage), Fault> {
    let (mut covered, mut begin, mut by_all) = (Vec::new(), None::<Timestamp>, Coverage::Whole);
    let until = moment::plus(key.hour, HOUR + SLACK + REACH);
    for (chain, silent) in chains.of(key) {
        let Some(oldest) = tx.first_digest(chain)? else {
            // It was heard of, and is read next.
            by_all = if *silent { by_all } else { Coverage::Unknown };
            continue;
        };
        let first = beginning(&oldest);
        begin = Some(begin.map_or(first, |begin| begin.min(first)));
        let digests = tx.digests(chain, key.hour, until)?;
        let authentic = digests.into_iter().filter(|digest| digest.authentic);
        let own: Vec<_> = authentic.filter_map(|digest| digest.covers).collect();
        if !silent && first < moment::plus(key.hour, HOUR) {
            by_all = by_all.min(ledger::coverage(key.hour, &own, Some(first)));
        }
        if tx.now() < moment::plus(oldest.first, late_after) {
            by_all = Coverage::Unknown;
        }
        covered.extend(own);
    }
    let together = ledger::coverage(key.hour, &covered, begin);
    Ok((together, by_all.min(together)))
}

/// Where a digest's time begins; a digest that cannot be read is one of an hour.
fn beginning(digest: &DigestRow) -> Timestamp {
    digest.covers.map_or(moment::plus(digest.end, -HOUR), |(start, _)| start)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::integrity::ledger::tests::at;
    use crate::integrity::model::{FileState, Listed, Place};
    use crate::integrity::store::Store;
    use crate::verify::scope::Name;

    fn log(minute: &str) -> Name {
        let folder = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/01";
        Name::new(
            "trails",
            format!("{folder}/111122223333_CloudTrail_us-east-1_20260301T{minute}Z_AbCdEfGhIjKlMnOp.json.gz"),
        )
    }

    /// A file of that hour, with its place.
    fn shipped() -> (Place, FileState) {
        let name = log("0310");
        let place = Place::of(&name.key).unwrap();
        (place, FileState { notified: true, read: true, indexed: true, ..FileState::new(name, at("03:12:00")) })
    }

    fn digest(end: &str) -> Name {
        let folder = "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/03/01";
        Name::new(
            "trails",
            format!("{folder}/111122223333_CloudTrail-Digest_us-east-1_t_us-east-1_20260301T{end}Z.json.gz"),
        )
    }

    /// The digest of the hour that ends at `hour`:00:31.
    fn keep_digest(tx: &mut Tx<'_>, hour: u8) -> Result<(), Fault> {
        let name = digest(&format!("{hour:02}0031"));
        let chain = ChainState::of(&name, tx.now()).unwrap();
        let row = DigestRow {
            end: chain.newest,
            covers: Some((moment::plus(chain.newest, -HOUR), chain.newest)),
            authentic: true,
            ..DigestRow::new(name, tx.now()).unwrap()
        };
        tx.put_chain(&chain)?;
        tx.put_digest(&chain.id, &row)
    }

    fn looked(tx: &mut Tx<'_>, key: &HourKey) -> Result<Look, Fault> {
        let chains = ChainsByPlace::new(tx.chains()?);
        look(tx, &chains, key, 2 * HOUR)
    }

    #[test]
    fn an_hour_closes_once_when_digests_cover_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let name = log("0310");
        let place = Place::of(&name.key).unwrap();
        let file = FileState {
            notified: true,
            read: true,
            indexed: true,
            records: 7,
            listed: Some(Listed { digest: digest("040031"), sha256: None, at: at("04:11:00") }),
            compared: Some(crate::integrity::model::Compared::Intact),
            ..FileState::new(name, at("03:12:00"))
        };
        let again = store
            .write(at("04:12:00"), |tx| {
                tx.put_file(&place, None, &file)?;
                keep_digest(tx, 3)?;
                keep_digest(tx, 4)?;
                looked(tx, &place.key)
            })
            .unwrap();
        assert_eq!(again, Look::Again(at("04:17:00")), "the slack is not covered");
        let closed = store
            .write(at("06:12:00"), |tx| {
                (5..=6).try_for_each(|hour| keep_digest(tx, hour))?;
                looked(tx, &place.key)
            })
            .unwrap();
        let Look::Closed(hour, entry) = closed else { panic!("{closed:?}") };
        assert_eq!((hour.closed, hour.records), (Some(at("06:12:00")), 7));
        assert_eq!((entry.expected, entry.lacking, entry.is_complete), (Some(1), 0, true));
        assert_eq!(store.write(at("06:13:00"), |tx| looked(tx, &place.key)).unwrap(), Look::Gone);
    }

    #[test]
    fn an_hour_waits_for_the_digests_of_each_trail() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let (place, file) = shipped();
        let second = Name::new("trails", digest("030031").key.replace("_t_", "_second_"));
        let chain = ChainState::of(&second, at("03:05:00")).unwrap();
        let look = |now: &str, silent: bool| {
            let looked = store.write(at(now), |tx| {
                tx.put_chain(&ChainState { silent, ..chain.clone() })?;
                looked(tx, &place.key)
            });
            looked.unwrap()
        };
        let kept = store.write(at("06:12:00"), |tx| {
            tx.put_file(&place, None, &file)?;
            (3..=6).try_for_each(|hour| keep_digest(tx, hour))?;
            tx.put_chain(&chain)
        });
        kept.unwrap();
        assert!(matches!(look("06:12:01", false), Look::Again(_)), "its digest was announced and not read yet");
        let row = DigestRow { authentic: true, ..DigestRow::new(second.clone(), at("06:12:02")).unwrap() };
        let kept = store.write(at("08:12:00"), |tx| {
            tx.put_digest(&chain.id, &row)?;
            tx.put_file(&place, Some(&file), &file)
        });
        kept.unwrap();
        assert!(matches!(look("08:12:03", false), Look::Again(_)), "the next ones may list more");
        let Look::Closed(_, entry) = look("08:12:04", true) else { panic!("it is silent") };
        assert!(entry.is_complete, "one is enough to cover it: {entry:?}");
    }

    #[test]
    fn an_hour_waits_while_a_trail_is_new_there() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let (place, file) = shipped();
        // A backlog of one trail, and then another trail that begins in it.
        let kept = store.write(at("06:12:00"), |tx| {
            tx.put_file(&place, None, &file)?;
            (3..=6).try_for_each(|hour| keep_digest(tx, hour))
        });
        kept.unwrap();
        let look = |now: &str| store.write(at(now), |tx| looked(tx, &place.key)).unwrap();
        assert!(matches!(look("08:11:59"), Look::Again(_)), "others may be on the way");
        let later = Name::new("trails", digest("060031").key.replace("_t_", "_second_"));
        let chain = ChainState::of(&later, at("08:11:59")).unwrap();
        let row = DigestRow { authentic: true, ..DigestRow::new(later, at("08:11:59")).unwrap() };
        let kept = store.write(at("08:11:59"), |tx| {
            tx.put_chain(&chain)?;
            tx.put_digest(&chain.id, &row)?;
            // Else the hour was quiet for so long that it closes for that.
            tx.put_file(&place, Some(&file), &file)
        });
        kept.unwrap();
        assert!(matches!(look("08:12:00"), Look::Again(_)), "so may digests before its first");
        assert!(matches!(look("10:11:59"), Look::Closed(..)), "they are awaited as long as anything else");
    }

    #[test]
    fn an_hour_without_digests_closes_by_time() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let name = log("0310");
        let place = Place::of(&name.key).unwrap();
        let failed = FileState {
            notified: true,
            failed: Some("access-denied".to_owned()),
            ..FileState::new(name, at("03:12:00"))
        };
        let before = store.write(at("07:59:00"), |tx| {
            tx.put_file(&place, None, &failed)?;
            looked(tx, &place.key)
        });
        assert_eq!(before.unwrap(), Look::Again(at("08:04:00")));
        let Look::Closed(_, entry) = store.write(at("09:59:00"), |tx| looked(tx, &place.key)).unwrap() else {
            panic!("it is time")
        };
        assert_eq!((entry.expected, entry.lacking, entry.is_complete), (None, 1, false));
    }
}
