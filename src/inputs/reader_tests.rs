#![allow(clippy::unwrap_used, clippy::panic)]

use super::testing::{BULK, Receiver, letters, record};
use super::*;
use crate::ack::{Delivery, Tally, Verdict};
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
}

/// An object with one entry for each time it is opened.
struct Scripted {
    tries: Mutex<VecDeque<Try>>,
    opened: AtomicU32,
}

struct Pieces(VecDeque<Result<Bytes, ReadFault>>);

impl Object for Scripted {
    type Stream = Pieces;

    async fn open(&self) -> Result<Pieces, ReadFault> {
        self.opened.fetch_add(1, Relaxed);
        let next = self.tries.lock().unwrap().pop_front();
        let (body, fault) = match next.unwrap_or_else(|| panic!("opened more often than expected")) {
            Try::Refused(fault) => return Err(fault),
            Try::Body(body) => (body, None),
            Try::Cut(body, fault) => (body, Some(Err(fault))),
            Try::Silence => std::future::pending().await,
        };
        Ok(Pieces(body.chunks(10_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).chain(fault).collect()))
    }
}

impl Chunks for Pieces {
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
    let subject = Subject { origin: Arc::default(), source: Arc::default(), digest: false, seen: Some(Seen::default()) };
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
        assert!(matches!(outcome.read, Read::Done { records: 602 }), "{:?}", outcome.read);
        assert_eq!(outcome.events, ids);
        assert!(outcome.verdict.settled);
        assert_eq!(outcome.verdict.tally, Tally { indexed: 600, parked: 2, ..Tally::default() });
        let broken: Vec<&str> = outcome.letters.iter().map(|letter| letter["record"].as_str().unwrap()).collect();
        assert_eq!(broken, [r#"{"eventID":"early","a":tru}"#, r#"{"eventID":"late","a":tru}"#]);
    }
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
    assert!(matches!(outcome.read, Read::Done { records: 602 }), "{:?}", outcome.read);
    assert_eq!((outcome.opened, outcome.events), (5, ids));
    assert!(outcome.verdict.settled);
    // 0.5 + 1 + 2 + 4 s
    assert!(started.elapsed() >= Duration::from_millis(7_500), "with growing pauses: {:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn five_faults_give_the_object_back() {
    let outcome = reading((0..5).map(|n| Try::Refused(passing(&format!("503 number {n}")))).collect()).await;
    let Read::Failed { transient: true, reason } = &outcome.read else { panic!("{:?}", outcome.read) };
    assert_eq!(reason, "503 number 4");
    assert!(!outcome.verdict.settled);
    assert_eq!(outcome.verdict.reasons, ["503 number 4"]);
}

#[tokio::test(start_paused = true)]
async fn a_final_fault_is_not_tried_again() {
    let denied = ReadFault::Final { code: "s3-access-denied", text: "access is denied".to_owned() };
    let outcome = reading(vec![Try::Refused(denied)]).await;
    let Read::Failed { transient: false, reason } = &outcome.read else { panic!("{:?}", outcome.read) };
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
    assert!(matches!(outcome.read, Read::Done { records: 602 }), "{:?}", outcome.read);
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
        let Read::Failed { transient: true, reason } = &outcome.read else { panic!("{:?}", outcome.read) };
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
