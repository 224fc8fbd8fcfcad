#![allow(clippy::unwrap_used, clippy::panic)]

use super::super::handler::HandlerSettings;
use super::super::keeper::KeeperSettings;
use super::super::poison::{Poison, Redrive};
use super::super::testing::{End, FakeQueue, FakeReads, Verb, Wrong, body, key, key_of_minute};
use super::super::until_kept;
use super::*;
use crate::ack::Counters;
use crate::inputs::selection::{FileSelector, Selection};
use crate::output::parking::Parking;
use crate::pipeline::{Faults, Policies};
use crate::status::Health;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

const VISIBILITY: Duration = Duration::from_secs(300);
const NEVER: Duration = Duration::from_secs(10_000_000);

pub(super) struct Rig {
    pub(super) queue: Arc<FakeQueue>,
    pub(super) reads: FakeReads,
    pub(super) progress: Arc<Progress>,
    pub(super) counters: Arc<Counters>,
    pub(super) stop: CancellationToken,
    pub(super) abort: CancellationToken,
    pub(super) once: bool,
    pub(super) consume: bool,
    pub(super) workers: usize,
    pub(super) order: Order,
    pub(super) poll_interval: Duration,
    pub(super) policies: Policies,
    pub(super) allowed: serde_json::Value,
    pub(super) folder: TempDir,
}

impl Rig {
    /// A queue with these messages, each a list of keys.
    pub(super) fn new(messages: impl IntoIterator<Item = String>) -> Rig {
        Rig {
            queue: FakeQueue::with(messages),
            reads: FakeReads::taking(Duration::from_millis(50)),
            progress: Arc::default(),
            counters: Arc::default(),
            stop: CancellationToken::new(),
            abort: CancellationToken::new(),
            once: true,
            consume: true,
            workers: 16,
            order: Order::Any,
            poll_interval: Duration::ZERO,
            policies: Policies::default(),
            allowed: serde_json::json!([]),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(super) fn of(count: usize) -> Rig {
        Rig::new((0..count).map(|number| body(&[&key(number)])))
    }

    pub(super) async fn run(&self) -> Result<(), String> {
        let settings = KeeperSettings { visibility: VISIBILITY, consume: self.consume, once: self.once };
        let (keeper, task) = Keeper::new(
            Arc::clone(&self.queue),
            settings,
            Arc::clone(&self.progress),
            self.stop.clone(),
            self.abort.clone(),
        );
        let receiver = self.receiver(keeper);
        until_kept(receiver.run(&self.abort), tokio::spawn(task.run()), &self.stop).await
    }

    fn receiver(&self, keeper: Keeper) -> Receiver<FakeQueue, FakeReads> {
        let selection = Selection::new(
            &Selection::default_log(),
            &Default::default(),
            &Selection::default_insight(),
            &[] as &[FileSelector],
        );
        let parking = Arc::new(Parking::open(self.folder.path()).unwrap());
        let redrive = Arc::new(Redrive::default());
        redrive.note(&self.queue.figures());
        let settings = HandlerSettings {
            input: "trail".to_owned(),
            queue: "the queue".to_owned(),
            selection,
            allowed: serde_json::from_value(self.allowed.clone()).unwrap(),
            faults: Faults::new(self.policies, Arc::clone(&self.progress.faults)),
            order: self.order,
            workers: self.workers,
        };
        let handler = Handler::new(
            settings,
            self.reads.clone(),
            keeper.clone(),
            Arc::clone(&parking),
            Poison::new(parking, redrive),
            Arc::clone(&self.progress),
            self.stop.clone(),
        );
        let settings = ReceiverSettings {
            visibility: VISIBILITY,
            wait: Duration::from_secs(20),
            poll_interval: self.poll_interval,
            workers: self.workers,
            order: self.order,
            silence: Duration::from_secs(120),
            once: self.once,
        };
        Receiver::new(
            settings,
            Arc::clone(&self.queue),
            keeper,
            Arc::new(handler),
            Arc::clone(&self.counters),
            Arc::clone(&self.progress),
            &self.stop,
        )
    }

    fn calls(&self) -> usize {
        [Verb::Receive, Verb::Delete, Verb::Hide].into_iter().map(|verb| self.queue.calls(verb)).sum()
    }
}

#[tokio::test(start_paused = true)]
async fn a_deep_queue_is_read_with_few_calls() {
    let rig = Rig::of(2_000);
    rig.queue.only_delete(is_settled(&rig.reads));
    rig.run().await.unwrap();
    assert_eq!((rig.queue.deleted(), rig.queue.wrongs()), (2_000, Vec::new()));
    assert_eq!(rig.reads.most(), 16, "as many readings as workers");
    // One call a message for receive and for delete would be 4,000.
    assert!(rig.calls() <= 4_000 / 8, "{} calls", rig.calls());
    assert_eq!(rig.queue.deliveries(), vec![1; 2_000]);
    assert_eq!(rig.counters.read().indexed, 6_000);
    assert_eq!(rig.progress.deleted.load(Relaxed), 2_000);
}

/// Whether every key that a message names is settled.
fn is_settled(reads: &FakeReads) -> impl Fn(&str) -> bool + Send + Sync + 'static {
    let settled = Arc::clone(&reads.settled);
    move |body| {
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let settled = settled.lock().unwrap();
        body["s3ObjectKey"].as_array().unwrap().iter().all(|key| settled.contains(key.as_str().unwrap()))
    }
}

#[tokio::test(start_paused = true)]
async fn no_message_waits_for_the_acknowledgement_of_another() {
    let mut rig = Rig::of(500);
    rig.reads.usual = Some(End::Settled(Duration::from_secs(60)));
    let before = Instant::now();
    rig.run().await.unwrap();
    assert_eq!(rig.queue.deleted(), 500);
    assert!(before.elapsed() < Duration::from_secs(75), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_output_that_stands_still_ends_in_not_receiving() {
    let mut rig = Rig::of(3_000);
    rig.once = false;
    rig.reads.usual = Some(End::Settled(NEVER));
    let (queue, abort) = (Arc::clone(&rig.queue), rig.abort.clone());
    let run = tokio::spawn(async move { rig.run().await });
    for _ in 0..20 {
        sleep(VISIBILITY).await;
        assert_eq!(queue.visible(), 2_000, "1,000 are held and stay hidden");
    }
    abort.cancel();
    run.await.unwrap().unwrap();
    assert_eq!((queue.visible(), queue.deleted()), (3_000, 0));
}

#[tokio::test(start_paused = true)]
async fn a_message_of_several_objects_is_one_promise() {
    let keys = [key(1), key(2), key(3)];
    let rig = Rig::new([body(&[&keys[0], &keys[1], &keys[2]])]);
    rig.queue.only_delete(is_settled(&rig.reads));
    rig.reads.script(&keys[1], &[End::Transient]);
    rig.reads.script(&keys[2], &[End::Settled(Duration::ZERO), End::Lost(Duration::from_secs(1))]);
    rig.run().await.unwrap();
    assert_eq!((rig.queue.deleted(), rig.queue.deliveries(), rig.queue.wrongs()), (1, vec![3], Vec::new()));
    assert_eq!(rig.reads.keys().len(), 9, "what comes after a fault is read all the same");
    assert_eq!(rig.progress.released.load(Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn messages_that_name_nothing_to_read() {
    let digest = "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/03/04/d.json.gz";
    let test = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}"#.to_owned();
    let removed = r#"{"Records":[{"eventSource":"aws:s3","eventName":"ObjectRemoved:Delete","s3":{}}]}"#.to_owned();
    let rig = Rig::new([
        body(&[digest, "other/file.txt"]),
        test,
        "CloudTrail validation message.".to_owned(),
        removed,
        body(&[digest, &key(1)]),
    ]);
    rig.run().await.unwrap();
    assert_eq!((rig.queue.deleted(), rig.reads.keys()), (5, vec![key(1)]));
    assert_eq!((rig.progress.skipped.load(Relaxed), rig.progress.unknown.load(Relaxed)), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn unknown_shapes_are_left_and_counted() {
    let confirmation =
        r#"{"Type":"SubscriptionConfirmation","TopicArn":"arn:aws:sns:eu-west-1:111122223333:t","Message":"m"}"#
            .to_owned();
    let rig = Rig::new(["hello".to_owned(), confirmation, r#"{"Records":[]}"#.to_owned(), body(&[&key(1)])]);
    let before = Instant::now();
    rig.run().await.unwrap();
    assert_eq!((rig.queue.deleted(), rig.progress.unknown.load(Relaxed)), (1, 3));
    assert_eq!(rig.queue.calls(Verb::Hide), 0, "neither renewed nor released");
    assert!(before.elapsed() < Duration::from_secs(30), "they are not waited for");
}

#[tokio::test(start_paused = true)]
async fn a_single_run_does_not_wait_for_what_cannot_be_read() {
    let rig = Rig::of(3);
    rig.reads.script(&key(0), &[End::Final, End::Final]);
    rig.reads.script(&key(1), &[End::Transient; 9]);
    let error = rig.run().await.unwrap_err();
    assert_eq!(error, "2 messages name objects that could not be read; they are left in the queue: scripted");
    assert_eq!((rig.queue.deleted(), rig.queue.deliveries()), (1, vec![1, 3, 1]));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_single_run_is_no_failure_for_what_it_left() {
    let rig = Rig::of(2);
    rig.reads.script(&key(0), &[End::Final]);
    rig.reads.script(&key(1), &[End::Settled(Duration::from_secs(5))]);
    let (stop, queue) = (rig.stop.clone(), Arc::clone(&rig.queue));
    let run = tokio::spawn(async move { rig.run().await });
    sleep(Duration::from_secs(3)).await;
    stop.cancel();
    run.await.unwrap().unwrap();
    assert_eq!(queue.deleted(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_single_run_ends_with_a_failure_when_deleting_is_denied() {
    let rig = Rig::of(25);
    rig.queue.fail(Verb::Delete, Wrong::Refused("AccessDenied"), 0, 1_000);
    let before = Instant::now();
    let error = rig.run().await.unwrap_err();
    assert!(error.contains("allow `sqs:DeleteMessage` on the queue to this identity"), "{error}");
    assert!(before.elapsed() < Duration::from_secs(30), "{:?}", before.elapsed());
    assert_eq!((rig.counters.read().indexed, rig.queue.deliveries()), (75, vec![1; 25]));
}

#[tokio::test(start_paused = true)]
async fn a_reading_that_never_began_gives_its_message_back() {
    let mut rig = Rig::of(3);
    rig.once = false;
    let settings = KeeperSettings { visibility: VISIBILITY, consume: true, once: false };
    let (keeper, task) =
        Keeper::new(Arc::clone(&rig.queue), settings, Arc::clone(&rig.progress), rig.stop.clone(), rig.abort.clone());
    let task = tokio::spawn(task.run());
    let receiver = rig.receiver(keeper);
    let messages = rig.queue.receive(BATCH, Duration::ZERO, VISIBILITY).await.unwrap();
    let room = receiver.room(0, &mut receiver.active.subscribe()).await.unwrap();
    let mut readings = JoinSet::new();
    assert_eq!(receiver.take(messages, room, &mut readings).await, 3);
    // On this runtime no task has run yet.
    drop(readings);
    sleep(Duration::from_secs(15)).await;
    assert_eq!((rig.queue.visible(), rig.reads.keys().len()), (3, 0));
    drop(receiver);
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_keeper_that_breaks_ends_the_receiving() {
    let rig = Rig::of(0);
    let keeping = tokio::spawn(async { panic!("scripted") });
    let ended = until_kept(std::future::pending(), keeping, &rig.stop).await;
    assert!(ended.unwrap_err().starts_with("a fault inside trailship ended the keeper"));
}

#[tokio::test(start_paused = true)]
async fn a_single_run_waits_for_the_messages_of_a_killed_process() {
    let rig = Rig::of(40);
    rig.queue.hide_all(Duration::from_secs(290));
    let before = Instant::now();
    rig.run().await.unwrap();
    assert_eq!(rig.queue.deleted(), 40);
    assert!(before.elapsed() < Duration::from_secs(300));
}

#[tokio::test(start_paused = true)]
async fn a_single_run_does_not_wait_for_ever_for_another_process() {
    let rig = Rig::of(1);
    rig.queue.hide_all(NEVER);
    let before = Instant::now();
    rig.run().await.unwrap();
    assert!((300..330).contains(&before.elapsed().as_secs()), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_is_left_and_comes_back_does_not_prolong_a_single_run() {
    let rig = Rig::new(["hello".to_owned(), body(&[&key(1)])]);
    rig.queue.hide_all(NEVER);
    rig.queue.send("hello again".to_owned());
    let before = Instant::now();
    rig.run().await.unwrap();
    assert!((300..330).contains(&before.elapsed().as_secs()), "{:?}", before.elapsed());
    assert_eq!(rig.progress.unknown.load(Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_hides_its_figures_is_drained_after_two_empty_receives() {
    let rig = Rig::of(30);
    rig.queue.fail(Verb::State, Wrong::Refused("AccessDenied"), 0, 1_000);
    rig.reads.script(&key(7), &[End::Transient]);
    rig.run().await.unwrap();
    assert_eq!(rig.queue.deleted(), 30, "the one that was given back was waited for");
}

#[tokio::test(start_paused = true)]
async fn an_empty_queue_ends_a_single_run_soon() {
    let rig = Rig::of(0);
    let before = Instant::now();
    rig.run().await.unwrap();
    assert!(before.elapsed() <= Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_single_run_fails_when_receiving_is_denied() {
    let rig = Rig::of(1);
    rig.queue.fail(Verb::Receive, Wrong::Refused("AccessDenied"), 0, 1_000);
    let error = rig.run().await.unwrap_err();
    assert!(error.contains("allow `sqs:ReceiveMessage` on the queue"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn receiving_backs_off_and_recovers() {
    let mut rig = Rig::of(5);
    rig.once = false;
    rig.queue.fail(Verb::Receive, Wrong::Refused("AccessDenied"), 0, 20);
    let (queue, stop) = (Arc::clone(&rig.queue), rig.stop.clone());
    let run = tokio::spawn(async move { rig.run().await });
    sleep(Duration::from_secs(600)).await;
    let calls = queue.calls(Verb::Receive);
    assert!((20..=60).contains(&calls), "{calls} calls in ten minutes");
    assert_eq!(queue.deleted(), 5);
    stop.cancel();
    run.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_idle_queue_costs_one_call_in_twenty_seconds() {
    let mut rig = Rig::of(0);
    rig.once = false;
    let (queue, stop) = (Arc::clone(&rig.queue), rig.stop.clone());
    let run = tokio::spawn(async move { rig.run().await });
    sleep(Duration::from_secs(3_600)).await;
    assert!(queue.calls(Verb::Receive) <= 181, "{}", queue.calls(Verb::Receive));
    stop.cancel();
    run.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_deep_queue_is_received_from_several_times_at_once() {
    let rig = Rig::of(400);
    rig.queue.fail(Verb::Receive, Wrong::Late(Duration::from_secs(1)), 0, 1_000);
    let before = Instant::now();
    rig.run().await.unwrap();
    // Forty receives of a second each, one after the other, would take 40 s.
    assert_eq!(rig.queue.deleted(), 400);
    assert!(before.elapsed() < Duration::from_secs(20), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_poll_interval_follows_an_empty_receive_only() {
    let mut rig = Rig::of(100);
    (rig.once, rig.poll_interval) = (false, Duration::from_secs(40));
    let (queue, stop) = (Arc::clone(&rig.queue), rig.stop.clone());
    let run = tokio::spawn(async move { rig.run().await });
    sleep(Duration::from_secs(10)).await;
    assert_eq!(queue.deleted(), 100);
    let calls = queue.calls(Verb::Receive);
    sleep(Duration::from_secs(600)).await;
    assert_eq!(queue.calls(Verb::Receive) - calls, 10);
    stop.cancel();
    run.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stop_finishes_what_is_read_and_gives_back_the_rest() {
    let mut rig = Rig::of(200);
    rig.once = false;
    rig.reads.takes = Duration::from_secs(10);
    let (queue, stop, counters) = (Arc::clone(&rig.queue), rig.stop.clone(), Arc::clone(&rig.counters));
    let run = tokio::spawn(async move { rig.run().await });
    sleep(Duration::from_secs(5)).await;
    stop.cancel();
    let before = Instant::now();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(queue.visible(), 184, "what was not begun is back at once");
    run.await.unwrap().unwrap();
    assert!(before.elapsed() < Duration::from_secs(7));
    assert_eq!((queue.deleted(), queue.visible()), (16, 184));
    assert_eq!((counters.read().in_flight, counters.read().unbalanced()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_arrives_with_a_poll_that_was_under_way_is_given_back() {
    let mut rig = Rig::of(0);
    rig.once = false;
    let (queue, stop) = (Arc::clone(&rig.queue), rig.stop.clone());
    let reads = rig.reads.clone();
    let run = tokio::spawn(async move { rig.run().await });
    sleep(Duration::from_secs(2)).await;
    stop.cancel();
    sleep(Duration::from_secs(1)).await;
    queue.send(body(&[&key(1)]));
    run.await.unwrap().unwrap();
    assert_eq!((queue.visible(), queue.deleted(), reads.keys().len()), (1, 0, 0));
    assert_eq!(queue.deliveries(), [1]);
}

#[tokio::test(start_paused = true)]
async fn an_abort_drops_what_is_read() {
    let mut rig = Rig::of(50);
    rig.once = false;
    rig.reads.takes = NEVER;
    let (queue, stop, abort, counters) =
        (Arc::clone(&rig.queue), rig.stop.clone(), rig.abort.clone(), Arc::clone(&rig.counters));
    let run = tokio::spawn(async move { rig.run().await });
    sleep(Duration::from_secs(5)).await;
    stop.cancel();
    sleep(Duration::from_secs(30)).await;
    assert!(!run.is_finished());
    abort.cancel();
    let before = Instant::now();
    run.await.unwrap().unwrap();
    assert!(before.elapsed() < Duration::from_secs(6));
    assert_eq!((queue.visible(), queue.deleted(), counters.read().in_flight), (50, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_reading_that_panics_gives_its_message_back() {
    let rig = Rig::of(3);
    rig.reads.script(&key(1), &[End::Panic]);
    rig.run().await.unwrap();
    assert_eq!((rig.queue.deleted(), rig.queue.deliveries()), (3, vec![1, 2, 1]));
}

#[tokio::test(start_paused = true)]
async fn reading_without_consuming_ends_and_deletes_nothing() {
    let mut rig = Rig::of(60);
    rig.consume = false;
    rig.reads.takes = Duration::from_secs(100);
    rig.workers = 2;
    rig.run().await.unwrap();
    assert_eq!((rig.queue.deleted(), rig.reads.keys().len()), (0, 60));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_of_receive_costs_time_and_nothing_else() {
    let rig = Rig::of(25);
    rig.queue.fail(Verb::Receive, Wrong::AnswerLost, 0, 1);
    rig.run().await.unwrap();
    assert_eq!(rig.queue.deleted(), 25);
}

#[test]
fn jitter_stays_within_its_bounds() {
    assert!((0..1_000).map(|_| jitter()).all(|jitter| (0.5..1.0).contains(&jitter)));
}

/// A backlog of an outage: messages from the oldest to the newest, as the queue gives them.
fn backlog(messages: usize) -> Rig {
    let mut rig = Rig::new((0..messages).map(|minute| body(&[&key_of_minute(minute)])));
    (rig.order, rig.workers, rig.reads.takes) = (Order::Newest, 4, Duration::from_secs(1));
    rig
}

#[tokio::test(start_paused = true)]
async fn the_newest_of_a_backlog_go_first_and_none_waits_for_ever() {
    let rig = backlog(500);
    rig.run().await.unwrap();
    // Four are begun before there is a choice; then nine times the newest, and once the one that has waited longest.
    let mut waiting: std::collections::VecDeque<usize> = (4..500).collect();
    let chosen = (1..=496).filter_map(|turn| if turn % 10 == 0 { waiting.pop_front() } else { waiting.pop_back() });
    let expected: Vec<String> = (0..4).chain(chosen).map(key_of_minute).collect();
    assert_eq!(rig.reads.keys(), expected);
    assert_eq!((rig.queue.deleted(), rig.queue.deliveries(), rig.reads.most()), (500, vec![1; 500], 4));
}

#[tokio::test(start_paused = true)]
async fn as_they_come_is_the_order_when_none_is_asked_for() {
    let mut rig = backlog(100);
    rig.order = Order::Any;
    rig.run().await.unwrap();
    assert_eq!(rig.reads.keys(), (0..100).map(key_of_minute).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn the_choice_is_bounded_and_stays_hidden() {
    let mut rig = backlog(3_000);
    (rig.once, rig.reads.takes) = (false, NEVER);
    let (queue, abort) = (Arc::clone(&rig.queue), rig.abort.clone());
    let run = tokio::spawn(async move { rig.run().await });
    for _ in 0..20 {
        sleep(VISIBILITY).await;
        // A thousand, four that are read, and what there was room for beside them: a batch.
        assert_eq!(queue.visible(), 3_000 - 1_010);
    }
    abort.cancel();
    run.await.unwrap().unwrap();
    assert_eq!(queue.visible(), 3_000);
}

#[tokio::test(start_paused = true)]
async fn an_output_that_stands_still_ends_in_not_receiving_whatever_the_order() {
    let mut rig = backlog(5_000);
    (rig.once, rig.reads.takes, rig.reads.usual) = (false, Duration::from_millis(1), Some(End::Settled(NEVER)));
    let (queue, abort) = (Arc::clone(&rig.queue), rig.abort.clone());
    let run = tokio::spawn(async move { rig.run().await });
    for _ in 0..5 {
        sleep(VISIBILITY).await;
        assert_eq!(queue.visible(), 3_000, "two thousand are held");
    }
    abort.cancel();
    run.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn heavy_messages_take_more_room_of_the_choice() {
    let padding = "x".repeat(320 << 10);
    let heavy = |minute| {
        let body: serde_json::Value = serde_json::from_str(&body(&[&key_of_minute(minute)])).unwrap();
        let mut body = body.as_object().unwrap().clone();
        body.insert("padding".to_owned(), padding.clone().into());
        serde_json::Value::Object(body).to_string()
    };
    let mut rig = Rig::new((0..200).map(heavy));
    (rig.order, rig.workers, rig.reads.takes, rig.once) = (Order::Newest, 4, NEVER, false);
    let (queue, abort) = (Arc::clone(&rig.queue), rig.abort.clone());
    let run = tokio::spawn(async move { rig.run().await });
    sleep(VISIBILITY).await;
    let taken = 200 - queue.visible();
    assert!((40..=60).contains(&taken), "{taken} of 320 KiB each");
    abort.cancel();
    run.await.unwrap().unwrap();
    let mut rig = Rig::new((0..200).map(heavy));
    (rig.order, rig.workers) = (Order::Newest, 4);
    rig.run().await.unwrap();
    assert_eq!(rig.queue.deleted(), 200, "all are read in the end");
}

/// A run over an empty queue, and what health says of it.
async fn watched(rig: &mut Rig) -> Health {
    let health = Health::default();
    health.begin();
    rig.progress = Arc::new(Progress { health: health.part("trail"), ..Progress::default() });
    rig.once = false;
    health
}

#[tokio::test(start_paused = true)]
async fn one_receive_without_an_answer_is_in_the_way_and_one_refusal_for_now_is_not() {
    for (wrong, times, in_the_way_after) in [
        (Wrong::Silent(Duration::from_secs(120)), 1, Some(120)),
        (Wrong::Refused("ServiceUnavailable"), 2, None),
        // The pauses between are a second and two, or half of them.
        (Wrong::Refused("ServiceUnavailable"), 3, Some(3)),
        (Wrong::Refused("ExpiredToken"), 1, Some(0)),
        (Wrong::Refused("AccessDenied"), 1, Some(0)),
    ] {
        let mut rig = Rig::of(0);
        let health = watched(&mut rig).await;
        rig.queue.fail(Verb::Receive, wrong, 0, times);
        let stop = rig.stop.clone();
        let before = Instant::now();
        let run = tokio::spawn(async move { rig.run().await });
        let mut unready = None;
        while before.elapsed() < Duration::from_secs(200) {
            if unready.is_none() && !health.is_ready() {
                unready = Some(before.elapsed().as_secs());
            }
            sleep(Duration::from_millis(100)).await;
        }
        match (unready, in_the_way_after) {
            (Some(unready), Some(after)) => assert!(unready <= after && unready + 2 >= after, "{wrong:?}: {unready}"),
            (unready, after) => assert_eq!(unready, after, "{wrong:?}"),
        }
        assert!(health.is_ready(), "{wrong:?} has passed: {:?}", health.troubles());
        stop.cancel();
        run.await.unwrap().unwrap();
    }
}
