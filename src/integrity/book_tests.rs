#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::integrity::judge;
use crate::integrity::ledger::tests::at;
use crate::integrity::note::{End, Read};
use crate::integrity::store::Store;
use crate::verify::key::hex;
use std::collections::BTreeSet;
use tempfile::TempDir;

const LATE_AFTER: i64 = 60;

/// A store, and the actions that were told so far.
struct Run {
    _folder: TempDir,
    store: Store,
    rules: Rules,
    told: BTreeSet<&'static str>,
    outcome: Outcome,
    /// What is answered about a backfill digest that nobody announced.
    backfill: Box<dyn Fn(&Name) -> Judged>,
}

impl Run {
    fn new() -> Run {
        let folder = tempfile::tempdir().unwrap();
        let rules = Rules {
            late_after: LATE_AFTER,
            silent_after: 26 * HOUR,
            keep: 14 * 24 * HOUR,
            shared: false,
            started: at("00:00:00"),
            writer: Writer { namespace: "default".to_owned(), process: None },
        };
        let store = Store::new(folder.path());
        Run {
            store,
            _folder: folder,
            rules,
            told: BTreeSet::new(),
            outcome: Outcome::default(),
            backfill: Box::new(|_| Judged::Missing),
        }
    }

    fn cycle(&mut self, now: &str, notes: Vec<Note>, answers: Vec<Answer>, sweep: bool) {
        let intake = Intake { notes, answers, sweep, forget: sweep, ..Intake::default() };
        self.outcome = self.store.write(at(now), |tx| cycle(tx, &self.rules, &intake)).unwrap();
        self.told.extend(self.outcome.told.iter().filter(|told| told.is_finding).map(|told| told.action));
        let answer = |(due, task, ask): &(Timestamp, Task, Ask)| {
            let Ask::Backfills(names) = ask else { return None };
            let judged = names.iter().map(|name| (name.clone(), (self.backfill)(name))).collect();
            Some(Answer { due: *due, task: task.clone(), result: Result::Backfills(judged) })
        };
        let answers: Vec<Answer> = self.outcome.asks.iter().filter_map(answer).collect();
        if !answers.is_empty() {
            self.cycle(now, Vec::new(), answers, false);
        }
    }

    fn tell(&mut self, now: &str, notes: Vec<Note>) {
        self.cycle(now, notes, Vec::new(), false);
    }

    /// Answers the tasks that ask for `name`.
    fn answer(&mut self, now: &str, name: &Name, result: &Result) {
        let asks = |ask: &Ask| matches!(ask, Ask::Digest(it) | Ask::File(it) | Ask::Previous(it) if it == name);
        let answers: Vec<Answer> = std::mem::take(&mut self.outcome.asks)
            .into_iter()
            .filter(|(_, _, ask)| asks(ask))
            .map(|(due, task, _)| Answer { due, task, result: result.clone() })
            .collect();
        assert!(!answers.is_empty(), "nobody asks for {name}");
        self.cycle(now, Vec::new(), answers, false);
    }

    /// A digest arrives, is read and is sound.
    fn digest(&mut self, now: &str, row: &DigestRow, entries: &[LogEntry]) {
        self.tell(now, vec![Note::Digest { name: row.name.clone(), hold: None }]);
        let row = DigestRow { arrived: at(now), ..row.clone() };
        let judged = Judged::Read { row: Box::new(row.clone()), findings: Vec::new(), entries: entries.to_vec() };
        self.answer(now, &row.name, &Result::Digest(judged));
    }

    fn actions(&self) -> Vec<&'static str> {
        self.told.iter().copied().collect()
    }
}

fn log(minute: &str) -> Name {
    Name::new(
        "b",
        format!(
            "AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/01/111122223333_CloudTrail_us-east-1_20260301T{minute}Z_AbCdEfGhIjKlMnOp.json.gz"
        ),
    )
}

fn shipped_as(name: &Name, hash: u8) -> Note {
    let read = Read::Whole { sha256: Some([hash; 32]), records: 5 };
    Note::Ended { name: name.clone(), end: End { read, settled: true }, hold: None }
}

fn entry(name: &Name, hash: u8) -> LogEntry {
    LogEntry { bucket: name.bucket.clone(), key: name.key.clone(), hash: Some(hex(&[hash; 32])), algorithm: None }
}

/// The digest of the hour that ends at `hour`:00:31; the first hour's begins the chain.
fn digest(hour: u8) -> DigestRow {
    let row = judge::tests::digest(hour);
    DigestRow {
        signature: None,
        previous: row.previous.clone().filter(|_| hour > 1),
        previous_hash: row.previous_hash.clone().filter(|_| hour > 1),
        previous_signature: None,
        ..row
    }
}

#[test]
fn a_file_before_its_digest_and_after_it() {
    for digest_first in [false, true] {
        for (hash, expected) in [(7, vec![]), (8, vec!["log_file_altered"])] {
            let mut run = Run::new();
            let name = log("0010");
            let file =
                |run: &mut Run| run.tell("09:00:00", vec![Note::Notified(name.clone()), shipped_as(&name, hash)]);
            if !digest_first {
                file(&mut run);
            }
            run.digest("09:00:00", &digest(1), &[entry(&name, 7)]);
            if digest_first {
                file(&mut run);
            }
            assert_eq!(run.actions(), expected, "digest first: {digest_first}");
            run.tell("09:05:00", vec![]);
            assert_eq!(run.outcome.asks, [], "nothing is to be asked");
        }
    }
}

#[test]
fn a_file_that_is_listed_with_two_hashes_is_not_as_one_of_them_says() {
    let name = log("0010");
    for hashes in [[7, 8], [8, 7]] {
        for file_first in [false, true] {
            let mut run = Run::new();
            let entries = hashes.map(|hash| entry(&name, hash));
            if file_first {
                run.tell("09:00:00", vec![Note::Notified(name.clone()), shipped_as(&name, 7)]);
            }
            run.digest("09:00:00", &digest(1), &entries);
            if !file_first {
                run.tell("09:00:00", vec![Note::Notified(name.clone()), shipped_as(&name, 7)]);
            }
            run.digest("09:00:10", &digest(1), &entries);
            assert_eq!(run.actions(), ["log_file_altered"], "{hashes:?}, file first: {file_first}");
            run.tell("09:05:00", vec![]);
            assert_eq!(run.outcome.asks, [], "nothing is to be asked");
        }
    }
}

#[test]
fn a_listed_file_that_does_not_come_is_asked_for_and_never_accused_for_a_failed_call() {
    let name = log("0010");
    let failure =
        Failure { code: "SlowDown".to_owned(), action: "GetObject", message: String::new(), text: String::new() };
    let whole = LogRead::Hashed { hash: hex(&[7; 32]), ending: crate::verify::unpack::Ending::Whole };
    for (answer, shared, expected) in [
        (LogRead::Missing, false, vec!["log_file_missing"]),
        (whole.clone(), false, vec!["log_file_late"]),
        (whole, true, vec![]),
        (
            LogRead::Hashed { hash: "00".to_owned(), ending: crate::verify::unpack::Ending::Whole },
            true,
            vec!["log_file_altered"],
        ),
    ] {
        let mut run = Run::new();
        run.rules.shared = shared;
        run.digest("09:00:00", &digest(1), &[entry(&name, 7)]);
        run.tell("09:00:59", vec![]);
        assert_eq!(run.outcome.asks, [], "it may still come");
        run.tell("09:01:00", vec![]);
        run.answer("09:01:01", &name, &Result::File(LogRead::Failed(failure.clone())));
        assert_eq!((run.actions(), run.outcome.failed.len()), (vec![], 1));
        run.tell("09:03:00", vec![]);
        run.answer("09:03:01", &name, &Result::File(answer));
        assert_eq!(run.actions(), expected);
    }
}

#[test]
fn a_missing_file_that_comes_is_late_and_then_compared() {
    let mut run = Run::new();
    let name = log("0010");
    run.digest("09:00:00", &digest(1), &[entry(&name, 7)]);
    run.tell("09:01:00", vec![]);
    run.answer("09:01:01", &name, &Result::File(LogRead::Missing));
    run.tell("09:09:00", vec![Note::Notified(name.clone()), shipped_as(&name, 7)]);
    assert_eq!(run.actions(), ["log_file_late", "log_file_missing"]);
    assert_eq!(run.outcome.added.compared, BTreeMap::from([(Compared::Intact, 1)]));
}

#[test]
fn what_was_shipped_before_anything_was_remembered_is_not_late() {
    let mut run = Run::new();
    let (before, after) = (log("0210"), log("0420"));
    run.digest("09:00:00", &digest(3), &[entry(&before, 7)]);
    run.digest("09:00:00", &digest(4), &[]);
    run.digest("09:00:00", &digest(5), &[entry(&after, 7)]);
    let whole = LogRead::Hashed { hash: hex(&[7; 32]), ending: crate::verify::unpack::Ending::Whole };
    run.tell("09:01:00", vec![]);
    run.answer("09:01:01", &before, &Result::File(whole.clone()));
    assert_eq!(run.actions(), Vec::<&str>::new());
    run.tell("09:01:02", vec![]);
    run.answer("09:01:03", &after, &Result::File(whole));
    assert_eq!(run.actions(), ["log_file_late"]);
}

#[test]
fn a_file_that_no_digest_lists() {
    for digests_first in [false, true] {
        let mut run = Run::new();
        let name = log("0110");
        let file = |run: &mut Run| run.tell("09:00:00", vec![Note::Notified(name.clone()), shipped_as(&name, 7)]);
        if !digests_first {
            file(&mut run);
        }
        for hour in [4, 2, 1] {
            run.digest("09:00:00", &digest(hour), &[]);
        }
        assert_eq!(run.actions(), Vec::<&str>::new(), "the third hour may list it");
        run.digest("09:00:00", &digest(3), &[]);
        if digests_first {
            file(&mut run);
        }
        assert_eq!(run.actions(), Vec::<&str>::new(), "another trail's first digest may be on its way");
        run.tell("09:01:00", vec![]);
        assert_eq!(run.actions(), ["log_file_unlisted"], "digests first: {digests_first}");
    }
}

/// Its files lie in the same folder, and what its earlier digests list is not known here.
#[test]
fn a_file_may_be_of_another_trail_whose_digests_came_later() {
    let trail = |name: &Name| Name::new("b", name.key.replace("_t_", "_second_"));
    for (begins, shared, expected) in
        [(false, false, vec![]), (true, false, vec!["log_file_unlisted"]), (true, true, vec![])]
    {
        let mut run = Run::new();
        run.rules.shared = shared;
        for hour in 1..=4 {
            run.digest("09:00:00", &digest(hour), &[]);
        }
        let previous = digest(4).previous.map(|name| trail(&name)).filter(|_| !begins);
        let other = DigestRow { name: trail(&digest(4).name), previous, ..digest(4) };
        run.digest("09:00:00", &other, &[]);
        run.tell("09:00:00", vec![Note::Notified(log("0110")), shipped_as(&log("0110"), 7)]);
        run.tell("09:01:00", vec![]);
        assert_eq!(run.actions(), expected, "it begins there: {begins}, shared: {shared}");
    }
}

/// Its announcement went to another process, or is late.
#[test]
fn before_a_file_is_called_unlisted_the_backfill_digests_of_its_time_are_asked_for() {
    let failed = |code: &str| {
        Judged::Failed(Failure {
            code: code.to_owned(),
            action: "GetObject",
            message: String::new(),
            text: String::new(),
        })
    };
    let name = Name::new("b", digest(2).name.key.replace(".json.gz", "_backfill.json.gz"));
    let row = DigestRow { authentic: true, valid: true, ..DigestRow::new(name.clone(), at("09:01:00")).unwrap() };
    let listing = |hash: u8| Judged::Read {
        row: Box::new(row.clone()),
        findings: Vec::new(),
        entries: vec![entry(&log("0110"), hash)],
    };
    for (judged, expected) in [
        (listing(7), vec![]),
        (listing(8), vec!["log_file_altered"]),
        (Judged::Missing, vec!["log_file_unlisted"]),
        (failed("AccessDenied"), vec!["log_file_unlisted"]),
        (failed("SlowDown"), vec![]),
    ] {
        let mut run = Run::new();
        let (beside, told) = (name.clone(), judged.clone());
        run.backfill = Box::new(move |name| if *name == beside { told.clone() } else { Judged::Missing });
        for hour in 1..=4 {
            run.digest("09:00:00", &digest(hour), &[]);
        }
        run.tell("09:00:00", vec![Note::Notified(log("0110")), shipped_as(&log("0110"), 7)]);
        run.tell("09:01:00", vec![]);
        assert_eq!(run.actions(), expected, "{judged:?}");
        for minute in 2..20 {
            run.tell(&format!("09:{minute:02}:00"), vec![]);
        }
        let is_known = matches!(judged, Judged::Read { .. });
        assert_eq!(run.actions().contains(&"log_file_unlisted"), !is_known, "not tried for ever: {judged:?}");
    }
}

#[test]
fn chains_in_any_order() {
    for order in [[1, 2, 3, 4], [4, 3, 2, 1], [2, 4, 1, 3]] {
        let mut run = Run::new();
        for hour in order {
            run.digest("09:00:00", &digest(hour), &[]);
        }
        run.tell("09:02:00", vec![]);
        assert_eq!((run.actions(), &run.outcome.asks), (vec![], &Vec::new()), "{order:?}");
        let mut run = Run::new();
        for hour in order {
            let altered = DigestRow { hash: "other".to_owned(), ..digest(hour) };
            run.digest("09:00:00", &if hour == 2 { altered } else { digest(hour) }, &[]);
        }
        assert_eq!(run.actions(), ["chain_broken"], "{order:?}");
    }
}

/// Nothing names it, but without a pause it would be there: it may be late, or known to another process.
#[test]
fn a_chain_that_begins_anew_has_no_pause_while_the_digest_between_may_be_there() {
    let restart = DigestRow { previous: None, ..digest(4) };
    for (is_there, expected) in [(false, "digest_missing"), (true, "chain_restarted")] {
        let mut run = Run::new();
        for row in [&digest(1), &digest(2), &restart] {
            run.digest("09:00:00", row, &[]);
        }
        run.tell("09:01:00", vec![]);
        assert_eq!(run.actions(), Vec::<&str>::new());
        run.answer("09:01:01", &digest(3).name, &Result::Previous(Ok(is_there)));
        if is_there {
            let judged = Judged::Read { row: Box::new(digest(3)), findings: Vec::new(), entries: Vec::new() };
            run.answer("09:01:02", &digest(3).name, &Result::Digest(judged));
        }
        run.tell("09:05:00", vec![]);
        assert_eq!((run.actions(), &run.outcome.asks), (vec![expected], &Vec::new()));
    }
}

#[test]
fn a_digest_that_its_successor_does_not_name_and_that_comes_long_after_it() {
    let mut run = Run::new();
    for hour in 1..=4 {
        run.digest("09:00:00", &digest(hour), &[]);
    }
    run.tell("09:02:00", vec![]);
    assert_eq!(run.actions(), Vec::<&str>::new());
    let key = digest(3).name.key.replace("T030031Z", "T023031Z");
    let (name, end) = (Name::new("b", key), at("02:30:31"));
    let orphan = DigestRow { name, end, covers: Some((at("02:00:31"), end)), ..digest(3) };
    run.digest("09:10:00", &orphan, &[]);
    run.tell("09:11:00", vec![]);
    assert_eq!(run.actions(), ["chain_broken"]);
}

#[test]
fn a_digest_that_is_gone() {
    let mut run = Run::new();
    for hour in [1, 2, 4] {
        run.digest("09:00:00", &digest(hour), &[]);
    }
    run.tell("09:01:00", vec![]);
    run.answer("09:01:01", &digest(3).name, &Result::Previous(Ok(false)));
    assert_eq!(run.actions(), ["digest_missing"]);
    let mut run = Run::new();
    for hour in [1, 2, 4] {
        run.digest("09:00:00", &digest(hour), &[]);
    }
    run.tell("09:01:00", vec![]);
    run.answer("09:01:01", &digest(3).name, &Result::Previous(Ok(true)));
    assert_eq!(run.outcome.asks.len(), 1, "it was not announced, and is read like any other: {:?}", run.outcome.asks);
    assert_eq!(run.actions(), Vec::<&str>::new());
}

/// What was before shipping began: one step back, of which nothing stays.
#[test]
fn the_digest_before_the_first_that_came() {
    let judged = |row: DigestRow| {
        let entries = vec![entry(&log("0210"), 7)];
        Result::Digest(Judged::Read { row: Box::new(row), findings: Vec::new(), entries })
    };
    let altered = DigestRow { hash: "other".to_owned(), ..digest(3) };
    let failure =
        Failure { code: "AccessDenied".to_owned(), action: "GetObject", message: String::new(), text: String::new() };
    for (answer, expected) in [
        (judged(digest(3)), vec![]),
        (judged(altered), vec!["chain_broken"]),
        (Result::Digest(Judged::Missing), vec!["digest_missing"]),
    ] {
        let mut run = Run::new();
        run.digest("09:00:00", &digest(4), &[]);
        run.tell("09:01:00", vec![]);
        run.answer("09:01:01", &digest(3).name, &Result::Digest(Judged::Failed(failure.clone())));
        assert_eq!((run.actions(), run.outcome.failed.len()), (vec![], 1), "a call that failed is no finding");
        run.tell("09:01:10", vec![]);
        run.answer("09:01:11", &digest(3).name, &answer);
        assert_eq!(run.actions(), expected);
        run.tell("11:00:00", vec![]);
        assert_eq!((run.actions(), &run.outcome.asks), (expected, &Vec::new()), "it is asked for once");
        let (chain, place) = (ChainState::of(&digest(3).name, at("00:00:00")).unwrap(), log("0210"));
        let kept = run.store.write(at("11:00:00"), |tx| Ok((tx.first_digest(&chain.id)?, tx.hours()?)));
        let (first, hours) = kept.unwrap();
        assert_eq!((first.map(|row| row.name), hours), (Some(digest(4).name), vec![]), "{place} is not awaited");
    }
}

/// The sum over processes is right: each expects what the digests list that it was told of.
#[test]
fn a_digest_that_was_announced_to_another_process_is_counted_there() {
    for (shared, before) in [(true, 0), (false, 1)] {
        let mut run = Run::new();
        run.rules.shared = shared;
        let (name, entries) = (log("0210"), [entry(&log("0210"), 7)]);
        let place = Place::of(&name.key).unwrap();
        let expected = |run: &Run| {
            run.store.write(at("10:00:00"), |tx| Ok(tx.hour(&place.key)?.map_or(0, |hour| hour.expected))).unwrap()
        };
        for hour in [1, 2, 4] {
            run.digest("09:00:00", &digest(hour), &[]);
        }
        run.tell("09:01:00", vec![]);
        run.answer("09:01:01", &digest(3).name, &Result::Previous(Ok(true)));
        let judged = Judged::Read { row: Box::new(digest(3)), findings: Vec::new(), entries: entries.to_vec() };
        run.answer("09:01:02", &digest(3).name, &Result::Digest(judged));
        assert_eq!(expected(&run), before, "shared: {shared}");
        run.digest("09:01:03", &digest(3), &entries);
        assert_eq!(expected(&run), 1, "shared: {shared}");
        run.tell("09:03:00", vec![]);
        let asked: Vec<&Ask> = run.outcome.asks.iter().map(|(_, _, ask)| ask).collect();
        assert_eq!(asked, [&Ask::File(name)], "it is compared all the same");
    }
}

#[test]
fn a_chain_that_falls_silent_is_told_once_until_it_speaks() {
    let mut run = Run::new();
    run.rules.silent_after = HOUR;
    run.digest("01:10:00", &digest(1), &[]);
    run.cycle("02:09:00", vec![], vec![], true);
    assert_eq!(run.actions(), Vec::<&str>::new());
    run.cycle("02:10:00", vec![], vec![], true);
    assert_eq!(run.outcome.told.len(), 1);
    run.cycle("02:20:00", vec![], vec![], true);
    assert_eq!(run.outcome.told.len(), 0);
    run.digest("03:00:00", &digest(2), &[]);
    run.cycle("04:00:00", vec![], vec![], true);
    assert_eq!((run.outcome.told.len(), run.actions()), (1, vec!["account_silent"]));
}

#[test]
fn an_unselected_file_is_not_missed() {
    let mut run = Run::new();
    let name = log("0010");
    run.tell("09:00:00", vec![Note::Skipped(name.clone())]);
    run.digest("09:00:00", &digest(1), &[entry(&name, 7)]);
    run.tell("09:02:00", vec![]);
    assert_eq!((run.actions(), &run.outcome.asks), (vec![], &Vec::new()));
}

#[test]
fn files_that_are_forgotten_do_not_come_back_by_a_digest_that_is_read_again() {
    let mut run = Run::new();
    let name = log("0010");
    run.tell("01:00:00", vec![Note::Notified(name.clone()), shipped_as(&name, 7)]);
    for hour in 1..=4 {
        let entries: Vec<_> = (hour == 1).then(|| entry(&name, 7)).into_iter().collect();
        run.digest("04:05:00", &digest(hour), &entries);
    }
    run.tell("04:05:10", vec![]);
    run.cycle("12:00:00", vec![], vec![], true);
    let place = Place::of(&name.key).unwrap();
    let known = run.store.write(at("12:00:00"), |tx| tx.file(&name, &place)).unwrap();
    assert_eq!(known, None, "it was as it should be");
    run.digest("12:01:00", &digest(1), &[entry(&name, 7)]);
    run.tell("12:05:00", vec![]);
    assert_eq!((run.actions(), &run.outcome.asks), (vec![], &Vec::new()));
    // It is read again, and is another by now: its digest is asked for once more.
    run.tell("12:06:00", vec![Note::Notified(name.clone()), shipped_as(&name, 8)]);
    run.tell("12:07:00", vec![]);
    run.tell("12:07:02", vec![]);
    for hour in 1..=3 {
        let asked = run.outcome.asks.iter().any(|(_, _, ask)| *ask == Ask::Digest(digest(hour).name));
        assert!(asked, "digest {hour} may have listed it");
        let entries: Vec<_> = (hour == 1).then(|| entry(&name, 7)).into_iter().collect();
        run.digest("12:07:02", &digest(hour), &entries);
    }
    assert_eq!(run.actions(), ["log_file_altered"]);
}

#[test]
fn what_is_refused_is_counted_and_told_until_it_arrives() {
    let mut run = Run::new();
    let name = log("0010");
    run.digest("09:00:00", &digest(1), &[entry(&name, 7)]);
    run.tell("09:00:01", vec![Note::Notified(name.clone()), shipped_as(&name, 8)]);
    let send = |run: &mut Run, now: &str, fate: Fate| {
        let sent = run.outcome.lot.iter().map(|waiting| (waiting.ticket, fate.clone())).collect();
        let intake = Intake { sent, wake: true, ..Intake::default() };
        run.outcome = run.store.write(at(now), |tx| cycle(tx, &run.rules, &intake)).unwrap();
    };
    assert_eq!(run.outcome.lot.len(), 1, "the finding");
    let refused = Fate::Refused(outbox::Refused::new("mapping-refused", "x"));
    send(&mut run, "09:00:02", refused);
    assert_eq!(run.outcome.added.refusals, BTreeMap::from([("mapping-refused".to_owned(), 1)]));
    let refused: u64 = run.outcome.refusals.values().map(|refusals| refusals.documents).sum();
    assert_eq!((run.outcome.lot.len(), run.outcome.levels.outbox, refused), (0, 1, 1));
    assert_eq!(run.outcome.next, Some(at("09:00:07")));
    run.tell("09:00:07", vec![]);
    send(&mut run, "09:00:08", Fate::Arrived);
    assert_eq!((run.outcome.levels.outbox, run.outcome.refusals.len(), run.outcome.woken), (0, 0, true));
}

#[test]
fn what_cannot_be_delivered_for_as_long_as_things_are_kept_is_dropped_and_counted() {
    let mut run = Run::new();
    let name = log("0010");
    run.rules.keep = HOUR;
    run.digest("09:00:00", &digest(1), &[entry(&name, 7)]);
    run.tell("09:00:01", vec![Note::Notified(name.clone()), shipped_as(&name, 8)]);
    let sent = run.outcome.lot.iter().map(|waiting| (waiting.ticket, Fate::Unanswered)).collect();
    let intake = Intake { sent, ..Intake::default() };
    run.store.write(at("09:00:02"), |tx| cycle(tx, &run.rules, &intake)).unwrap();
    run.cycle("10:00:02", vec![], vec![], true);
    assert_eq!(run.outcome.added.dropped, outbox::Dropped::default());
    run.cycle("10:00:03", vec![], vec![], true);
    assert_eq!(run.outcome.added.dropped.findings, 1);
}
