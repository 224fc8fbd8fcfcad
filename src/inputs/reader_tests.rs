#![allow(clippy::unwrap_used, clippy::panic)]

use super::testing::{BULK, Receiver, letters, record};
use super::*;
use crate::ack::{Delivery, Tally, Verdict};
use crate::pipeline::{Faults, Policies};
use crate::record::inflate::InflateLimits;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::VecDeque;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use tokio::sync::mpsc::unbounded_channel;

/// What one try at an object meets.
enum Try {
    Refused(ReadFault),
    /// These bytes, then the end.
    Body(Vec<u8>),
    /// These bytes, then the fault.
    Cut(Vec<u8>, ReadFault),
    /// No answer at all.
    Silence,
    /// As the other, of this version.
    Of(&'static str, Box<Try>),
}

/// An object with one entry for each time it is opened.
struct Scripted {
    tries: Mutex<VecDeque<Try>>,
    opened: AtomicU32,
}

struct Pieces(VecDeque<Result<Bytes, ReadFault>>, Option<String>);

impl Object for Scripted {
    type Stream = Pieces;

    async fn open(&self) -> Result<Pieces, ReadFault> {
        self.opened.fetch_add(1, Relaxed);
        let next = self.tries.lock().unwrap().pop_front();
        let next = next.unwrap_or_else(|| panic!("opened more often than expected"));
        let (next, version) = match next {
            Try::Of(version, next) => (*next, Some(version.to_owned())),
            next => (next, None),
        };
        let (body, fault) = match next {
            Try::Refused(fault) => return Err(fault),
            Try::Body(body) => (body, None),
            Try::Cut(body, fault) => (body, Some(Err(fault))),
            Try::Silence => std::future::pending().await,
            Try::Of(..) => panic!("a version of a version"),
        };
        let pieces = body.chunks(10_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).chain(fault).collect();
        Ok(Pieces(pieces, version))
    }
}

impl Chunks for Pieces {
    fn version(&self) -> Option<String> {
        self.1.clone()
    }

    async fn next(&mut self) -> Result<Option<Bytes>, ReadFault> {
        self.0.pop_front().transpose()
    }
}

/// What a script led to.
struct Played {
    read: Read,
    verdict: Verdict,
    opened: u32,
    /// Ids that reached the output.
    events: Vec<String>,
    letters: Vec<serde_json::Value>,
    seen: Seen,
}

async fn reading(script: Vec<Try>) -> Played {
    reading_into(Receiver::start(), script).await
}

async fn reading_into(receiver: Receiver, script: Vec<Try>) -> Played {
    let (verdicts, mut settled) = unbounded_channel();
    let delivery = Delivery::open(1, Arc::clone(&receiver.context.counters), verdicts);
    let part = delivery.part();
    delivery.seal();
    let object = Scripted { tries: Mutex::new(script.into()), opened: AtomicU32::new(0) };
    let subject =
        Subject { origin: Arc::default(), source: Arc::default(), digest: false, seen: Some(Seen::default()) };
    let read = read(&receiver.context, part, &subject, &object).await;
    let counters = Arc::clone(&receiver.context.counters);
    let (events, folder) = receiver.events().await;
    assert_eq!((counters.read().unbalanced(), counters.read().in_flight), (0, 0));
    assert!(object.tries.lock().unwrap().is_empty(), "the whole script was played");
    let verdict = settled.recv().await.unwrap();
    let letters = letters(folder.path());
    let seen = subject.seen.unwrap();
    Played { read, verdict, opened: object.opened.into_inner(), events, letters, seen }
}

fn passing(text: &str) -> ReadFault {
    ReadFault::Transient(text.to_owned())
}

fn ids(n: usize) -> Vec<String> {
    (0..n).map(|n| format!("event-{n:04}")).collect()
}

/// 600 records, about 600 kB, with two broken ones among them: one early, one late.
fn mixed() -> (Vec<u8>, Vec<String>) {
    let ids = ids(600);
    let mut records: Vec<String> = ids.iter().map(|id| record(id)).collect();
    records.insert(500, r#"{"eventID":"late","a":tru}"#.to_owned());
    records.insert(50, r#"{"eventID":"early","a":tru}"#.to_owned());
    (format!(r#"{{"Records":[{}]}}"#, records.join(",")).into_bytes(), ids)
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_download_that_breaks_off_repeats_nothing() {
    let (text, ids) = mixed();
    for body in [text.clone(), gzip(&text)] {
        // Two breaks, the second before the first: what was issued then counts for the third try all the same.
        let script = vec![
            Try::Cut(body[..400_000].to_vec(), passing("reset")),
            Try::Cut(body[..150_000].to_vec(), passing("reset")),
            Try::Body(body),
        ];
        let outcome = reading(script).await;
        assert!(matches!(outcome.read, Read::Done { records: 602, ignored: 0 }), "{:?}", outcome.read);
        assert_eq!(outcome.events, ids);
        assert!(outcome.verdict.settled);
        assert_eq!(outcome.verdict.tally, Tally { indexed: 600, parked: 2, ..Tally::default() });
        let broken: Vec<&str> = outcome.letters.iter().map(|letter| letter["record"].as_str().unwrap()).collect();
        assert_eq!(broken, [r#"{"eventID":"early","a":tru}"#, r#"{"eventID":"late","a":tru}"#]);
    }
}

/// Another content, with other records in front: what the first try issued says nothing about it.
#[tokio::test(start_paused = true)]
async fn an_object_that_is_overwritten_between_two_tries_is_read_from_its_first_record() {
    let trail = |names: &[String]| {
        let records: Vec<String> = names.iter().map(|name| record(name)).collect();
        format!(r#"{{"Records":[{}]}}"#, records.join(",")).into_bytes()
    };
    let old: Vec<String> = (0..600).map(|n| format!("old-{n:04}")).collect();
    let new = ids(600);
    let cut = |version| Try::Of(version, Box::new(Try::Cut(trail(&old)[..400_000].to_vec(), passing("reset"))));
    let whole = |version, names: &[String]| Try::Of(version, Box::new(Try::Body(trail(names))));
    let refused = || Try::Refused(passing("503"));
    let played = reading(vec![cut("a"), refused(), whole("b", &new)]).await;
    assert!(matches!(played.read, Read::Done { records: 600, ignored: 0 }), "{:?}", played.read);
    let before = played.events.len() - 600;
    assert!(before > 0 && played.events[..before] == old[..before], "what was under way stays so");
    assert_eq!(played.events[before..], new);
    assert!(played.verdict.settled);
    // The same content again, and one that nobody can tell from it.
    for last in [whole("a", &old), Try::Body(trail(&old))] {
        assert_eq!(reading(vec![cut("a"), refused(), last]).await.events, old);
    }
}

/// `on_fault.broken_json: retry` holds an object back for a broken record that it has, not for one that it had.
#[tokio::test(start_paused = true)]
async fn a_broken_record_that_was_overwritten_holds_nothing_back() {
    let (old, _) = mixed();
    let new = format!(r#"{{"Records":[{}]}}"#, record("whole")).into_bytes();
    let mut receiver = Receiver::start();
    let faults = Faults::new(Policies::default().with(Cause::BrokenJson, Policy::Retry), Arc::default());
    receiver.context.mill = receiver.context.mill.facing(faults);
    let cut = Try::Cut(old[..400_000].to_vec(), passing("reset"));
    let script = vec![Try::Of("a", Box::new(cut)), Try::Of("b", Box::new(Try::Body(new)))];
    let played = reading_into(receiver, script).await;
    assert!(matches!(played.read, Read::Done { records: 1, ignored: 0 }), "{:?}", played.read);
    assert_eq!((played.events.last().map(String::as_str), played.verdict.settled), (Some("whole"), true));
}

#[tokio::test(start_paused = true)]
async fn the_hash_is_that_of_the_whole_text_of_the_last_try() {
    let (text, _) = mixed();
    let expected = ring::digest::digest(&ring::digest::SHA256, &text);
    let body = gzip(&text);
    let script = vec![Try::Cut(body[..400_000].to_vec(), passing("reset")), Try::Body(body.clone())];
    let outcome = reading(script).await;
    assert_eq!(outcome.seen.hash().unwrap().as_slice(), expected.as_ref());
    let plain = reading(vec![Try::Body(text)]).await;
    assert_eq!(plain.seen.hash(), None, "CloudTrail stores gzip; this is to be looked at in the bucket");
    let two = reading(vec![Try::Body([body.clone(), gzip(b"{\"Records\":[]}")].concat())]).await;
    assert_eq!(two.seen.hash(), None, "nor does it write two members");
    let cut = body[..body.len() - 100].to_vec();
    let damaged = reading((0..DAMAGED_READS).map(|_| Try::Body(cut.clone())).collect()).await;
    assert_eq!((damaged.seen.hash(), damaged.verdict.settled), (None, true));
}

#[tokio::test(start_paused = true)]
async fn faults_that_pass_are_waited_for() {
    let started = tokio::time::Instant::now();
    let (body, ids) = mixed();
    let mut script: Vec<Try> = (0..4).map(|_| Try::Refused(passing("503"))).collect();
    script.push(Try::Body(body));
    let outcome = reading(script).await;
    assert!(matches!(outcome.read, Read::Done { records: 602, ignored: 0 }), "{:?}", outcome.read);
    assert_eq!((outcome.opened, outcome.events), (5, ids));
    assert!(outcome.verdict.settled);
    // 0.5 + 1 + 2 + 4 s
    assert!(started.elapsed() >= Duration::from_millis(7_500), "with growing pauses: {:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn five_faults_give_the_object_back() {
    let outcome = reading((0..5).map(|n| Try::Refused(passing(&format!("503 number {n}")))).collect()).await;
    let Read::Failed { transient: true, reason, .. } = &outcome.read else { panic!("{:?}", outcome.read) };
    assert_eq!(reason, "503 number 4");
    assert!(!outcome.verdict.settled);
    assert_eq!(outcome.verdict.reasons, ["503 number 4"]);
}

#[tokio::test(start_paused = true)]
async fn a_final_fault_is_not_tried_again() {
    let denied =
        ReadFault::Final { cause: Cause::AccessDenied, code: "s3-access-denied", text: "access is denied".to_owned() };
    let outcome = reading(vec![Try::Refused(denied)]).await;
    let Read::Failed { transient: false, reason, .. } = &outcome.read else { panic!("{:?}", outcome.read) };
    assert_eq!(reason, "access is denied");
    assert!(!outcome.verdict.settled);
    assert_eq!(outcome.verdict.reasons, ["access is denied"]);
    assert!(outcome.letters.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_damaged_three_times_is_parked_whole() {
    let damaged = || Try::Body(b"this is no trail".to_vec());
    for faults_before in [0, 4] {
        let mut script: Vec<Try> = (0..faults_before).map(|_| Try::Refused(passing("503"))).collect();
        script.extend([damaged(), damaged(), damaged()]);
        let outcome = reading(script).await;
        let Read::Parked { reason } = &outcome.read else { panic!("{:?}", outcome.read) };
        assert_eq!(outcome.letters.len(), 1);
        assert_eq!(
            (&outcome.letters[0]["code"], outcome.letters[0]["reason"].as_str()),
            (&"broken-json".into(), Some(reason.as_str()))
        );
        assert!(outcome.verdict.settled);
        assert_eq!(outcome.verdict.tally, Tally { parked: 1, ..Tally::default() });
    }
}

#[tokio::test(start_paused = true)]
async fn damage_in_transit_costs_nothing() {
    let (text, ids) = mixed();
    let body = gzip(&text);
    let outcome = reading(vec![Try::Body(body[..400_000].to_vec()), Try::Body(body)]).await;
    assert!(matches!(outcome.read, Read::Done { records: 602, ignored: 0 }), "{:?}", outcome.read);
    assert_eq!(outcome.events, ids);
    assert_eq!(outcome.verdict.tally, Tally { indexed: 600, parked: 2, ..Tally::default() });
}

#[tokio::test(start_paused = true)]
async fn whole_records_before_the_damage_are_shipped_once() {
    let (text, ids) = mixed();
    let half = gzip(&text)[..400_000].to_vec();
    let outcome = reading((0..3).map(|_| Try::Body(half.clone())).collect()).await;
    assert!(matches!(outcome.read, Read::Parked { .. }), "{:?}", outcome.read);
    let n = outcome.events.len();
    assert!(n > 2 * BULK && n < 600, "{n}");
    assert_eq!(outcome.events, ids[..n]);
    // The broken record before the cut, and the object.
    assert_eq!(outcome.verdict.tally, Tally { indexed: n as u64, parked: 2, ..Tally::default() });
}

/// The dead letter is a link to the device that is always full.
#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn what_cannot_be_parked_is_given_back() {
    let broken = format!(r#"{{"Records":[{},{{"a":tru}}]}}"#, record("one")).into_bytes();
    let no_trail = || Try::Body(b"this is no trail".to_vec());
    for (script, indexed) in [(vec![no_trail(), no_trail(), no_trail()], 0), (vec![Try::Body(broken)], 1)] {
        let folder = tempfile::tempdir().unwrap();
        let letters = folder.path().join("dead-letter");
        std::fs::create_dir(&letters).unwrap();
        std::os::unix::fs::symlink("/dev/full", letters.join("parked-v1-000001.ndjson")).unwrap();
        let receiver = Receiver::in_folder(folder);
        let outcome = reading_into(receiver, script).await;
        let Read::Failed { transient: true, reason, .. } = &outcome.read else { panic!("{:?}", outcome.read) };
        assert!(reason.contains("cannot write to the dead letter"), "{reason}");
        assert!(!outcome.verdict.settled);
        assert_eq!((outcome.verdict.tally.parked, outcome.verdict.tally.indexed), (0, indexed));
        assert_eq!(&outcome.verdict.reasons, std::slice::from_ref(reason));
    }
}

#[tokio::test(start_paused = true)]
async fn an_abort_gives_back_at_once() {
    let receiver = Receiver::start();
    let abort = receiver.context.abort.clone();
    let (outcome, ()) = tokio::join!(reading_into(receiver, vec![Try::Silence]), async { abort.cancel() });
    assert!(matches!(outcome.read, Read::Failed { transient: true, .. }), "{:?}", outcome.read);
    assert!(!outcome.verdict.settled);
}

/// Ten thousand broken records have a letter each; one more letter stands for all others.
#[tokio::test(start_paused = true)]
async fn very_many_broken_records_share_a_letter() {
    let text = format!(r#"{{"Records":[{}]}}"#, vec!["{]}"; 10_003].join(","));
    let outcome = reading(vec![Try::Body(text.into_bytes())]).await;
    assert!(outcome.verdict.settled);
    assert_eq!(outcome.verdict.tally, Tally { parked: 10_003, ..Tally::default() });
    let codes: Vec<&str> = outcome.letters.iter().map(|letter| letter["code"].as_str().unwrap()).collect();
    assert_eq!((codes.len(), codes.last().copied()), (10_001, Some("broken-records")));
    assert!(codes[..10_000].iter().all(|code| *code == "broken-record"));
}

/// An object of one long record, whose first reader stops in the middle of it until another one is as far.
struct Long {
    text: Vec<u8>,
    meet: tokio::sync::Barrier,
    opened: AtomicU32,
}

struct Meeting<'a> {
    pieces: VecDeque<Bytes>,
    meet: Option<&'a tokio::sync::Barrier>,
}

/// The two ends of the same meeting.
struct Side<'a>(&'a Long);

impl<'a> Object for Side<'a> {
    type Stream = Meeting<'a>;

    async fn open(&self) -> Result<Meeting<'a>, ReadFault> {
        let is_early = self.0.opened.fetch_add(1, Relaxed) < 2;
        let pieces = self.0.text.chunks(64 << 10).map(Bytes::copy_from_slice).collect();
        Ok(Meeting { pieces, meet: is_early.then_some(&self.0.meet) })
    }
}

impl Chunks for Meeting<'_> {
    fn version(&self) -> Option<String> {
        None
    }

    async fn next(&mut self) -> Result<Option<Bytes>, ReadFault> {
        // Here each has 1 MiB beside its charge, and the next step wants more.
        if self.pieces.len() == 10
            && let Some(meet) = self.meet.take()
        {
            meet.wait().await;
        }
        Ok(self.pieces.pop_front())
    }
}

#[tokio::test]
async fn two_long_records_that_each_hold_half_of_the_budget_do_not_wait_for_each_other() {
    const LONG: usize = 3 << 19;
    let long = format!(r#"{{"eventID":"long","errorMessage":"{}"}}"#, "x".repeat(LONG - 100));
    let text = format!(r#"{{"Records":[{},{long}]}}"#, record("short")).into_bytes();
    // Half of it is for objects: two charges and, beside them, room for both records up to where they meet.
    let budget = 2 * (2 * CHARGE + (2 << 20));
    let receiver = Receiver::with_memory(tempfile::tempdir().unwrap(), budget, LONG);
    let long = Long { text, meet: tokio::sync::Barrier::new(2), opened: AtomicU32::new(0) };
    let (verdicts, mut settled) = unbounded_channel();
    let part = |key| {
        let delivery = Delivery::open(key, Arc::clone(&receiver.context.counters), verdicts.clone());
        let part = delivery.part();
        delivery.seal();
        part
    };
    let subject = Subject { origin: Arc::default(), source: Arc::default(), digest: false, seen: None };
    let (one, other) = (Side(&long), Side(&long));
    let both = async {
        tokio::join!(
            read(&receiver.context, part(1), &subject, &one),
            read(&receiver.context, part(2), &subject, &other)
        )
    };
    let (one, other) = tokio::time::timeout(Duration::from_secs(60), both).await.unwrap();
    assert!(
        matches!((&one, &other), (Read::Done { records: 2, .. }, Read::Done { records: 2, .. })),
        "{one:?}, {other:?}"
    );
    assert!(long.opened.load(Relaxed) > 2, "there was room for both, so this showed nothing");
    let (mut events, _folder) = receiver.events().await;
    events.sort();
    assert_eq!(events, ["long", "long", "short", "short"], "what was issued before is not repeated");
    assert!(settled.recv().await.unwrap().settled && settled.recv().await.unwrap().settled);
}

/// Each cause under each policy that it may have: how the reading ends, whether its source may forget it, and its letter.
#[tokio::test(start_paused = true)]
async fn each_cause_ends_as_its_policy_says() {
    let refused = |cause, code| vec![Try::Refused(ReadFault::Final { cause, code, text: "why".to_owned() })];
    let three = |body: &[u8]| (0..3).map(|_| Try::Body(body.to_vec())).collect::<Vec<_>>();
    let torn = gzip(&mixed().0)[..1_000].to_vec();
    let bomb = || {
        let limited = InflateLimits { bytes: 1_000, ratio: 10_000 };
        (vec![Try::Body(gzip(&[b' '; 5_000]))], limited)
    };
    let usual = InflateLimits { bytes: 1 << 30, ratio: 10_000 };
    type Script<'a> = Box<dyn Fn() -> (Vec<Try>, InflateLimits) + 'a>;
    let scripts: Vec<(Cause, &str, Script<'_>)> = vec![
        (Cause::ObjectMissing, "s3-missing", Box::new(|| (refused(Cause::ObjectMissing, "s3-missing"), usual))),
        (
            Cause::AccessDenied,
            "s3-access-denied",
            Box::new(|| (refused(Cause::AccessDenied, "s3-access-denied"), usual)),
        ),
        (Cause::KmsDenied, "s3-kms-denied", Box::new(|| (refused(Cause::KmsDenied, "s3-kms-denied"), usual))),
        (Cause::Archived, "s3-archived", Box::new(|| (refused(Cause::Archived, "s3-archived"), usual))),
        (Cause::CorruptObject, "corrupt-object", Box::new(|| (three(&torn), usual))),
        (Cause::BrokenJson, "broken-json", Box::new(|| (three(b"this is no trail"), usual))),
        (Cause::BrokenJson, "truncated-object", Box::new(|| (three(b"{\"Records\":["), usual))),
        (Cause::TooLarge, "object-limit", Box::new(bomb)),
    ];
    for (cause, code, script) in &scripts {
        for policy in Policy::ALL {
            let mut receiver = Receiver::start();
            let (script, limits) = script();
            let counts = Arc::clone(&receiver.context.progress.faults);
            let faults = Faults::new(Policies::default().with(*cause, policy), Arc::clone(&counts));
            receiver.context.mill = receiver.context.mill.facing(faults).inflating(limits);
            let outcome = reading_into(receiver, script).await;
            let ended = match &outcome.read {
                Read::Failed { transient: false, cause: Some(met), .. } if met == cause => Policy::Retry,
                Read::Parked { .. } => Policy::Park,
                Read::Ignored { .. } => Policy::Ignore,
                other => panic!("{code} {policy:?}: {other:?}"),
            };
            assert_eq!((ended, outcome.verdict.settled), (policy, policy != Policy::Retry), "{code} {policy:?}");
            let codes: Vec<&str> = outcome.letters.iter().map(|letter| letter["code"].as_str().unwrap()).collect();
            assert_eq!(codes, if policy == Policy::Park { vec![*code] } else { vec![] }, "{code} {policy:?}");
            assert_eq!(outcome.verdict.tally.parked, u64::from(policy == Policy::Park), "{code} {policy:?}");
            assert_eq!(counts.read(), [(*cause, policy, 1)], "{code}");
        }
    }
}

/// Records that are broken among whole ones: the whole ones are shipped under every policy.
#[tokio::test(start_paused = true)]
async fn broken_records_end_as_their_policy_says() {
    for (policy, ends) in [(Policy::Retry, "Failed"), (Policy::Park, "Done"), (Policy::Ignore, "Done")] {
        let (body, ids) = mixed();
        let mut receiver = Receiver::start();
        let counts = Arc::clone(&receiver.context.progress.faults);
        let faults = Faults::new(Policies::default().with(Cause::BrokenJson, policy), Arc::clone(&counts));
        receiver.context.mill = receiver.context.mill.facing(faults);
        let outcome = reading_into(receiver, vec![Try::Body(body)]).await;
        assert!(format!("{:?}", outcome.read).starts_with(ends), "{policy:?}: {:?}", outcome.read);
        assert_eq!(outcome.events, ids, "{policy:?}");
        assert_eq!(outcome.verdict.settled, policy != Policy::Retry);
        let (parked, filtered, met) = match policy {
            Policy::Retry => (0, 0, 1),
            Policy::Park => (2, 0, 2),
            Policy::Ignore => (0, 2, 2),
        };
        assert_eq!(outcome.verdict.tally, Tally { indexed: 600, parked, filtered, ..Tally::default() }, "{policy:?}");
        assert_eq!(outcome.letters.len() as u64, parked, "{policy:?}");
        assert_eq!(counts.read(), [(Cause::BrokenJson, policy, met)]);
        if let Read::Failed { reason, .. } = &outcome.read {
            assert!(reason.starts_with("the record at byte ") && reason.contains(" is broken: "), "{reason}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_too_large_is_left_out_when_told_so() {
    let large = format!(r#"{{"eventID":"large","errorMessage":"{}"}}"#, "x".repeat(2 << 20));
    let body = format!(r#"{{"Records":[{},{large},{}]}}"#, record("one"), record("two")).into_bytes();
    let mut receiver = Receiver::start();
    let faults = Faults::new(Policies::default().with(Cause::TooLarge, Policy::Ignore), Arc::default());
    receiver.context.mill = receiver.context.mill.facing(faults);
    let outcome = reading_into(receiver, vec![Try::Body(body)]).await;
    assert!(matches!(outcome.read, Read::Done { records: 3, ignored: 1 }), "{:?}", outcome.read);
    assert_eq!((outcome.events, outcome.letters.len()), (vec!["one".to_owned(), "two".to_owned()], 0));
    assert_eq!(outcome.verdict.tally, Tally { indexed: 2, filtered: 1, ..Tally::default() });
}
