#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::integrity::ledger::tests::at;
use crate::integrity::outbox::{Fate, Ticket, Waiting};

const KEY: &str = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/01/111122223333_CloudTrail_us-east-1_20260301T0310Z_AbCdEfGhIjKlMnOp.json.gz";

fn file() -> (Place, FileState) {
    let read =
        FileState { notified: true, read: true, records: 3, ..FileState::new(Name::new("b", KEY), at("03:12:00")) };
    (Place::of(KEY).unwrap(), read)
}

fn task() -> Task {
    Task::File { name: Name::new("b", KEY), tries: 0 }
}

#[test]
fn what_was_written_is_there_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    let (place, read) = file();
    store
        .write(at("03:12:00"), |tx| {
            tx.put_file(&place, None, &read)?;
            tx.plan(at("05:12:00"), &task())?;
            tx.say("id", true, b"{}").map(drop)
        })
        .unwrap();
    // What a kill leaves: the file as it is on disk, without an orderly end.
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(store.path(), copy.path().join(FILE)).unwrap();
    let left = Store::new(copy.path());
    let view = left.view(at("03:13:00"), Question { from: at("03:00:00"), to: at("04:00:00"), whole: false }).unwrap();
    assert_eq!((view.hours[0].notified, view.hours[0].read, view.hours[0].records), (1, 1, 3));
    left.write(at("05:12:00"), |tx| {
        assert_eq!(tx.file(&read.name, &place)?, Some(read.clone()));
        assert_eq!(tx.due(10)?, [(at("05:12:00"), task())]);
        let ticket = Ticket { number: 0, due: None };
        let waiting = Waiting { ticket, id: "id".to_owned(), document: b"{}".to_vec(), in_doubt: false };
        assert_eq!(tx.outbox(10)?, [waiting]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_transaction_that_fails_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    let (place, read) = file();
    let failed = store.write(at("03:12:00"), |tx| {
        tx.put_file(&place, None, &read)?;
        Err::<(), Fault>(serde_json::from_str::<u8>("?").unwrap_err().into())
    });
    assert!(matches!(failed, Err(StoreError::Failed { what: "write", .. })));
    let hours = store.write(at("03:13:00"), |tx| tx.hours()).unwrap();
    assert_eq!(hours, []);
}

#[test]
fn a_damaged_file_is_set_aside_and_a_new_one_begun() {
    for damage in ["head", "all", "cut"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let (place, read) = file();
        Store::new(folder.path()).write(at("03:12:00"), |tx| tx.put_file(&place, None, &read)).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        match damage {
            "head" => bytes[..512].fill(0xA5),
            "all" => bytes.fill(0xA5),
            _ => bytes.truncate(100),
        }
        std::fs::write(&path, &bytes).unwrap();
        let store = Store::new(folder.path());
        assert_eq!(store.write(at("03:13:00"), |tx| tx.hours()).unwrap(), [], "{damage}");
        let aside = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).find(|it| *it != path);
        assert_eq!(std::fs::read(aside.unwrap()).unwrap(), bytes, "{damage}");
    }
}

#[test]
fn two_processes_do_not_share_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    store.write(at("03:12:00"), |_| Ok(())).unwrap();
    let other = Store::new(folder.path()).write(at("03:12:00"), |_| Ok(()));
    assert!(matches!(other, Err(StoreError::Busy { .. })));
    store.write(at("03:12:00"), |_| Ok(())).unwrap();
}

#[test]
fn an_hour_counts_what_its_files_are() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    let (place, read) = file();
    let listed = Listed { digest: Name::new("b", "d"), sha256: None, at: at("04:10:00") };
    let later = FileState { indexed: true, listed: Some(listed), ..read.clone() };
    let hour = store
        .write(at("03:12:00"), |tx| {
            tx.put_file(&place, None, &read)?;
            tx.put_file(&place, Some(&read), &later)?;
            tx.hour(&place.key)
        })
        .unwrap()
        .unwrap();
    assert_eq!((hour.expected, hour.notified, hour.read, hour.indexed, hour.open, hour.records), (1, 1, 1, 1, 1, 3));
    let wrong = FileState { compared: Some(Compared::Altered), ..later.clone() };
    let hour = store.write(at("04:12:00"), |tx| {
        tx.put_file(&place, Some(&later), &wrong)?;
        tx.hour(&place.key)
    });
    let hour = hour.unwrap().unwrap();
    assert_eq!((hour.open, hour.wrong, hour.expected, hour.records), (0, 1, 1, 3));
}

#[test]
fn what_was_said_is_not_said_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    let said = |now, id: &str| store.write(now, |tx| tx.say(id, true, b"{}")).unwrap();
    assert!(said(at("03:00:00"), "a"));
    assert!(!said(at("03:00:01"), "a"));
    assert!(said(at("03:00:02"), "b"));
    store.write(at("03:00:03"), |tx| tx.tried(Ticket { number: 0, due: None }, &Fate::Arrived)).unwrap();
    assert!(!said(at("03:00:04"), "a"), "its outcome does not make it news");
    let left = store.write(at("03:00:05"), |tx| tx.outbox(10)).unwrap();
    assert_eq!(left.iter().map(|waiting| waiting.id.as_str()).collect::<Vec<_>>(), ["b"]);
}

#[test]
fn the_agenda_is_in_order_and_keeps_what_is_not_done() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    let digest = Task::Digest { name: Name::new("b", "d"), tries: 0 };
    store
        .write(at("03:00:00"), |tx| {
            tx.plan(at("03:00:10"), &task())?;
            tx.plan(at("03:00:05"), &digest)?;
            assert_eq!((tx.due(10)?, tx.next_due()?), (vec![], Some(at("03:00:05"))));
            Ok(())
        })
        .unwrap();
    store
        .write(at("03:00:10"), |tx| {
            assert_eq!(tx.due(10)?, [(at("03:00:05"), digest.clone()), (at("03:00:10"), task())]);
            assert!(tx.done(at("03:00:05"), &digest)?);
            assert!(!tx.done(at("03:00:05"), &digest)?);
            assert_eq!(tx.levels()?.awaiting, 1);
            Ok(())
        })
        .unwrap();
}
