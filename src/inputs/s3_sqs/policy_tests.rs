//! What becomes of messages that are not understood, name foreign buckets, or cannot be read for good, under each policy.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::super::testing::{End, body, key};
use super::tests::Rig;
use crate::ack::Counts;
use crate::output::parking::{Letter, Letters, Stands};
use crate::pipeline::{Cause, Policies, Policy};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::sleep;

/// The bucket that [`body`] names.
const OWN: &str = "trail-bucket";
const MINUTES: Duration = Duration::from_secs(60);

impl Rig {
    fn under(mut self, cause: Cause, policy: Policy) -> Rig {
        self.policies = Policies::default().with(cause, policy);
        self
    }

    fn letters(&self) -> Vec<Letter> {
        Letters::all(self.folder.path()).unwrap().map(|entry| entry.unwrap().letter.unwrap()).collect()
    }

    fn counts(&self) -> Counts {
        let counts = self.counters.read();
        assert_eq!((counts.unbalanced(), counts.in_flight), (0, 0));
        counts
    }

    fn faults(&self) -> Vec<(Cause, Policy, u64)> {
        self.progress.faults.read()
    }

    /// Runs without `--once` for so long on the paused clock, then stops.
    async fn run_for(self, time: Duration) -> Rig {
        let rig = Arc::new(Rig { once: false, ..self });
        let running = Arc::clone(&rig);
        let run = tokio::spawn(async move { running.run().await });
        sleep(time).await;
        rig.stop.cancel();
        run.await.unwrap().unwrap();
        Arc::into_inner(rig).unwrap()
    }
}

fn foreign(keys: &[&str]) -> String {
    json!({"s3Bucket": "bucket-of-mallory", "s3ObjectKey": keys}).to_string()
}

/// A notification that names an object in a foreign bucket, one of its own, and another foreign one.
fn mixed(number: usize) -> String {
    let object = |bucket: &str, key: String| {
        json!({"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-west-1", "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": bucket}, "object": {"key": key}}})
    };
    let objects = [object("bucket-of-mallory", key(100)), object(OWN, key(number)), object("of-trent", key(101))];
    json!({"Records": objects}).to_string()
}

#[tokio::test(start_paused = true)]
async fn messages_that_are_not_understood() {
    let confirmation = r#"{"Type":"SubscriptionConfirmation","TopicArn":"t","Message":"m"}"#;
    for (policy, deleted, letters) in [(Policy::Retry, 1, 0), (Policy::Park, 3, 2), (Policy::Ignore, 3, 0)] {
        let rig = Rig::new(["hello".to_owned(), confirmation.to_owned(), body(&[&key(1)])]);
        let rig = rig.under(Cause::UnknownNotification, policy);
        rig.run().await.unwrap();
        assert_eq!((rig.queue.deleted(), rig.reads.keys()), (deleted, vec![key(1)]), "{policy:?}");
        assert_eq!(rig.progress.unknown.load(Relaxed), if policy == Policy::Retry { 2 } else { 0 }, "{policy:?}");
        assert_eq!(rig.faults(), [(Cause::UnknownNotification, policy, 2)]);
        let counts = rig.counts();
        assert_eq!((counts.indexed, counts.parked), (3, letters), "{policy:?}");
        let mut written = rig.letters();
        written.sort_by(|a, b| a.code.cmp(&b.code));
        assert_eq!(written.len() as u64, letters, "{policy:?}");
        for (letter, (code, text)) in
            written.iter().zip([("notification-not-json", "hello"), ("subscription-confirmation", confirmation)])
        {
            assert_eq!((letter.code.as_str(), letter.record.as_slice()), (code, text.as_bytes()));
            assert_eq!((letter.stands(), letter.source.object.as_str()), (Stands::Message, "the queue"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn foreign_buckets_are_never_opened_and_hold_up_nothing() {
    for (policy, deleted, letters) in [(Policy::Retry, 1, 0), (Policy::Park, 3, 3), (Policy::Ignore, 3, 0)] {
        let mut rig = Rig::new([foreign(&[&key(50)]), mixed(1), body(&[&key(2)])]).under(Cause::ForeignBucket, policy);
        rig.allowed = json!(["arn:aws:s3:::trail-*"]);
        let ended = rig.run().await;
        assert_eq!(ended.is_err(), policy == Policy::Retry, "{policy:?}: {ended:?}");
        let mut read = rig.reads.keys();
        read.sort();
        assert_eq!(read, [key(1), key(2)], "{policy:?}");
        assert_eq!(rig.queue.deleted(), deleted, "{policy:?}");
        assert_eq!(rig.faults(), [(Cause::ForeignBucket, policy, 3)]);
        let counts = rig.counts();
        assert_eq!((counts.indexed, counts.parked), (6, letters), "{policy:?}");
        let mut parked: Vec<_> =
            rig.letters().into_iter().map(|it| (it.code, it.source.bucket, it.source.object)).collect();
        parked.sort();
        let of = |bucket: &str, number| ("foreign-bucket".to_owned(), Some(bucket.to_owned()), key(number));
        let expected = [of("bucket-of-mallory", 100), of("bucket-of-mallory", 50), of("of-trent", 101)];
        assert_eq!(parked, if letters > 0 { expected.to_vec() } else { Vec::new() }, "{policy:?}");
    }
}

/// At the last receive that the queue allows one letter tells why, whatever the reason is.
#[tokio::test(start_paused = true)]
async fn poison_leaves_a_letter_before_the_queue_moves_it_away() {
    for (end, allowed, cause) in [
        (End::Final, json!([]), "object_missing: scripted"),
        (End::Transient, json!([]), "scripted"),
        (End::Final, json!(["other"]), "foreign_bucket: the bucket is not in `allowed_buckets`"),
    ] {
        let mut rig = Rig::of(1);
        rig.queue.redrive_after(4);
        rig.reads.script(&key(0), &[end; 9]);
        rig.allowed = allowed;
        let rig = rig.run_for(120 * MINUTES).await;
        assert_eq!((rig.queue.deliveries(), rig.queue.deleted()), (vec![4], 0), "{cause}");
        let letters = rig.letters();
        let [letter] = letters.as_slice() else { panic!("{cause}: {letters:?}") };
        assert_eq!((letter.code.as_str(), letter.stands()), ("left-to-redrive", Stands::Object));
        let expected = format!("left to the queue's redrive policy after 4 receives: {cause}");
        assert!(letter.reason.starts_with(&expected), "{}", letter.reason);
        assert_eq!((letter.source.bucket.as_deref(), letter.source.object.as_str()), (Some(OWN), key(0).as_str()));
        assert_eq!(rig.counts(), Counts::default(), "nothing was received, so nothing is parked");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_redrive_policy_the_third_receive_leaves_the_letter() {
    let rig = Rig::new(["hello".to_owned(), body(&[&key(1), &key(2)]), body(&[&key(3)])]);
    rig.reads.script(&key(1), &[End::Final; 99]);
    rig.reads.script(&key(3), &[End::Transient; 99]);
    let rig = rig.run_for(300 * MINUTES).await;
    assert!(rig.queue.deliveries().iter().all(|deliveries| *deliveries > 4), "{:?}", rig.queue.deliveries());
    assert_eq!(rig.queue.deleted(), 0, "nothing is deleted by its receive count");
    let mut letters: Vec<_> = rig.letters().into_iter().map(|it| (it.code, it.source.object, it.record)).collect();
    letters.sort();
    // One each; what may pass by itself is not poison yet.
    let of_object = ("left-to-redrive".to_owned(), key(1), Vec::new());
    let of_message = ("message-left-to-redrive".to_owned(), "the queue".to_owned(), b"hello".to_vec());
    assert_eq!(letters, [of_object, of_message]);
    assert_eq!(rig.counts().parked, 0);
}

/// A letter that cannot be written costs neither the message nor the run.
#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn a_full_disk_gives_the_message_back() {
    for (cause, text) in [(Cause::UnknownNotification, "hello".to_owned()), (Cause::ForeignBucket, foreign(&[&key(1)]))]
    {
        let mut rig = Rig::new([text]).under(cause, Policy::Park);
        rig.allowed = json!([OWN]);
        std::os::unix::fs::symlink("/dev/full", rig.folder.path().join("parked-v1-000001.ndjson")).unwrap();
        let error = rig.run().await.unwrap_err();
        assert!(error.contains("cannot write to the dead letter"), "{error}");
        assert_eq!((rig.queue.deleted(), rig.counts().parked), (0, 0), "{cause:?}");
    }
}
