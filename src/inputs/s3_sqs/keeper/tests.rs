#![allow(clippy::unwrap_used, clippy::panic)]

use super::super::testing::{FakeQueue, Verb, Wrong};
use super::*;
use crate::ack::Tally;
use crate::status::Health;
use proptest::prelude::*;
use std::collections::HashSet;
use std::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{advance, sleep};

const VISIBILITY: Duration = Duration::from_secs(300);

struct Rig {
    queue: Arc<FakeQueue>,
    keeper: Keeper,
    progress: Arc<Progress>,
    stop: CancellationToken,
    abort: CancellationToken,
    task: JoinHandle<Kept>,
}

impl Rig {
    fn new(messages: usize) -> Rig {
        Rig::with(messages, true, false)
    }

    fn with(messages: usize, consume: bool, once: bool) -> Rig {
        let queue = FakeQueue::with((0..messages).map(|number| format!("body {number}")));
        let (progress, stop, abort) =
            (Arc::new(Progress::default()), CancellationToken::new(), CancellationToken::new());
        let settings = KeeperSettings { visibility: VISIBILITY, consume, once };
        let (keeper, task) =
            Keeper::new(Arc::clone(&queue), settings, Arc::clone(&progress), stop.clone(), abort.clone());
        Rig { queue, keeper, progress, stop, abort, task: tokio::spawn(task.run()) }
    }

    /// Receives what is there and hands it to the keeper; the keys of what is to be read.
    async fn receive(&self) -> Vec<u64> {
        let mut keys = Vec::new();
        loop {
            let before = self.queue.deliveries();
            keys.extend(self.receive_once().await);
            if self.queue.deliveries() == before {
                return keys;
            }
        }
    }

    async fn receive_once(&self) -> Vec<u64> {
        let messages = self.queue.receive(BATCH, Duration::ZERO, VISIBILITY).await.unwrap();
        let incoming = messages.into_iter().map(|message| Incoming { message, slot: None }).collect();
        self.keeper.hold(incoming).await.iter().map(|admitted| admitted.key).collect()
    }

    fn verdict(&self, key: u64, settled: bool) {
        let reasons = if settled { Vec::new() } else { vec!["scripted".to_owned()] };
        self.keeper.verdicts().send(Verdict { key, tally: Tally::default(), settled, reasons }).unwrap();
    }

    /// Waits until no clone of the keeper is left and its task has ended.
    async fn end(self) -> Arc<FakeQueue> {
        drop(self.keeper);
        self.task.await.unwrap();
        self.queue
    }
}

#[tokio::test(start_paused = true)]
async fn settled_messages_are_deleted_ten_at_a_time() {
    let rig = Rig::new(25);
    for key in rig.receive().await {
        rig.verdict(key, true);
    }
    sleep(Duration::from_millis(300)).await;
    assert_eq!((rig.queue.deleted(), rig.queue.calls(Verb::Delete)), (25, 3));
    assert_eq!(rig.progress.deleted.load(Relaxed), 25);
    rig.keeper.idle().await;
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_message_stays_hidden() {
    let rig = Rig::new(20);
    let keys = rig.receive().await;
    for _ in 0..3 * 60 {
        sleep(Duration::from_secs(60)).await;
        assert_eq!(rig.queue.visible(), 0);
    }
    // Two batches at every half of the visibility; the clock looks every second.
    let renewals = rig.queue.calls(Verb::Hide);
    assert!((2 * 70..=2 * 72).contains(&renewals), "{renewals}");
    keys.into_iter().for_each(|key| rig.verdict(key, true));
    let queue = rig.end().await;
    assert_eq!((queue.deleted(), queue.wrongs()), (20, Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_failed_delete_is_tried_again() {
    for wrong in [
        Wrong::Refused("ServiceUnavailable"),
        Wrong::Entries("InternalError"),
        Wrong::Refused("AccessDenied"),
        Wrong::AnswerLost,
    ] {
        let rig = Rig::new(3);
        rig.queue.fail(Verb::Delete, wrong, 0, 2);
        for key in rig.receive().await {
            rig.verdict(key, true);
        }
        sleep(Duration::from_secs(20)).await;
        assert_eq!(rig.queue.deleted(), 3, "{wrong:?}");
        assert!(rig.queue.calls(Verb::Delete) >= 2, "{wrong:?}");
        rig.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_settled_message_that_comes_back_is_deleted_unread() {
    let rig = Rig::new(2);
    rig.queue.fail(Verb::Delete, Wrong::Refused("ServiceUnavailable"), 0, 1_000);
    for key in rig.receive().await {
        rig.verdict(key, true);
    }
    sleep(VISIBILITY).await;
    assert_eq!((rig.queue.deleted(), rig.queue.visible()), (0, 2));
    rig.keeper.idle().await;
    rig.queue.mend();
    assert_eq!(rig.receive().await, Vec::<u64>::new());
    let queue = rig.end().await;
    assert_eq!((queue.deleted(), queue.deliveries()), (2, vec![2, 2]));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_settled_returns_after_a_pause_that_grows() {
    let rig = Rig::new(1);
    for (receive, pause) in [(1, 10), (2, 20), (3, 40), (4, 80)] {
        let keys = rig.receive().await;
        assert_eq!(keys.len(), 1, "receive {receive}");
        rig.verdict(keys[0], false);
        sleep(Duration::from_millis(300)).await;
        rig.keeper.idle().await;
        sleep(Duration::from_secs(pause - 1)).await;
        assert_eq!(rig.queue.visible(), 0, "receive {receive}");
        sleep(Duration::from_secs(1)).await;
        assert_eq!(rig.queue.visible(), 1, "receive {receive}");
    }
    assert_eq!(rig.progress.released.load(Relaxed), 4);
    let queue = rig.end().await;
    assert_eq!(queue.calls(Verb::Delete), 0, "whatever the receive count");
}

#[tokio::test(start_paused = true)]
async fn a_grave_fault_keeps_a_message_away_for_long() {
    let rig = Rig::new(1);
    let key = rig.receive().await[0];
    rig.keeper.mark_grave(key).await;
    rig.verdict(key, false);
    sleep(GRAVE_PAUSE - Duration::from_secs(1)).await;
    assert_eq!(rig.queue.visible(), 0);
    sleep(Duration::from_secs(2)).await;
    assert_eq!((rig.queue.visible(), rig.queue.deleted()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_failed_release_is_tried_again() {
    let rig = Rig::new(12);
    rig.queue.fail(Verb::Hide, Wrong::Entries("InternalError"), 0, 2);
    for key in rig.receive().await {
        rig.verdict(key, false);
    }
    // Each try hides anew for the pause of 10 s; the third, 3 s after the first, goes well.
    sleep(Duration::from_secs(20)).await;
    assert_eq!((rig.queue.visible(), rig.progress.released.load(Relaxed)), (12, 12));
}

#[tokio::test(start_paused = true)]
async fn renewing_ends_before_sqs_ends_it() {
    let rig = Rig::new(1);
    let key = rig.receive().await[0];
    sleep(LONGEST_HOLD - Duration::from_secs(20 * 60)).await;
    assert_eq!(rig.queue.visible(), 0);
    sleep(Duration::from_secs(10 * 60)).await;
    let renewals = rig.queue.calls(Verb::Hide);
    assert_eq!(rig.queue.visible(), 1, "five minutes after the last renewal");
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(rig.queue.calls(Verb::Hide), renewals);
    // It is delivered again to us: nothing is read twice, and the new handle counts.
    assert_eq!(rig.receive().await, Vec::<u64>::new());
    rig.verdict(key, true);
    let queue = rig.end().await;
    assert_eq!((queue.deleted(), queue.wrongs()), (1, Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn the_last_renewals_of_a_long_visibility_stay_within_twelve_hours() {
    let queue = FakeQueue::with(["body".to_owned()]);
    let settings = KeeperSettings { visibility: LONGEST_HOLD, consume: true, once: false };
    let (stop, abort) = (CancellationToken::new(), CancellationToken::new());
    let (keeper, task) = Keeper::new(Arc::clone(&queue), settings, Arc::default(), stop, abort);
    let task = tokio::spawn(task.run());
    let message = queue.receive(1, Duration::ZERO, LONGEST_HOLD).await.unwrap().remove(0);
    let admitted = keeper.hold(vec![Incoming { message, slot: None }]).await;
    sleep(LONGEST_HOLD - Duration::from_secs(90)).await;
    assert_eq!((queue.visible(), queue.wrongs()), (0, Vec::new()));
    let settled = Verdict { key: admitted[0].key, tally: Tally::default(), settled: true, reasons: Vec::new() };
    keeper.verdicts().send(settled).unwrap();
    drop(keeper);
    task.await.unwrap();
    assert_eq!(queue.deleted(), 1);
}

#[tokio::test(start_paused = true)]
async fn renewals_that_fail_are_tried_again_before_the_message_returns() {
    for wrong in
        [Wrong::Refused("ServiceUnavailable"), Wrong::Entries("InternalError"), Wrong::Late(Duration::from_secs(1_000))]
    {
        let rig = Rig::new(1);
        rig.queue.fail(Verb::Hide, wrong, 0, 3);
        rig.receive().await;
        for _ in 0..20 {
            sleep(VISIBILITY / 4).await;
            assert_eq!(rig.queue.visible(), 0, "{wrong:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_redelivered_while_it_is_read_is_not_read_twice() {
    let rig = Rig::new(1);
    rig.queue.fail(Verb::Hide, Wrong::Refused("ServiceUnavailable"), 0, 1_000);
    let key = rig.receive().await[0];
    sleep(VISIBILITY).await;
    assert_eq!(rig.queue.visible(), 1);
    rig.queue.mend();
    assert_eq!(rig.receive().await, Vec::<u64>::new());
    for _ in 0..10 {
        sleep(VISIBILITY / 2).await;
        assert_eq!(rig.queue.visible(), 0, "renewed by the new handle");
    }
    rig.verdict(key, true);
    let queue = rig.end().await;
    assert_eq!(queue.deleted(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_delete_by_a_handle_that_has_run_out_waits_for_the_message_to_return() {
    let rig = Rig::new(1);
    let key = rig.receive().await[0];
    // Renewals fail until its hiding ends; then another process receives it.
    rig.queue.fail(Verb::Hide, Wrong::Refused("ServiceUnavailable"), 0, 1_000);
    sleep(VISIBILITY).await;
    let others = rig.queue.receive(BATCH, Duration::ZERO, VISIBILITY).await.unwrap();
    assert_eq!(others.len(), 1);
    rig.verdict(key, true);
    rig.keeper.idle().await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!((rig.queue.calls(Verb::Delete), rig.queue.deleted()), (1, 0), "the old handle is of no use");
    // The other process gives up, and it comes back to us: by a new handle it is deleted, unread.
    sleep(VISIBILITY).await;
    assert_eq!(rig.receive().await, Vec::<u64>::new());
    let queue = rig.end().await;
    assert_eq!((queue.deleted(), queue.deliveries()), (1, vec![3]));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_left_is_neither_renewed_nor_released() {
    let rig = Rig::new(1);
    let key = rig.receive().await[0];
    rig.keeper.leave(key).await;
    sleep(VISIBILITY - Duration::from_secs(1)).await;
    assert_eq!((rig.queue.visible(), rig.queue.calls(Verb::Hide)), (0, 0));
    sleep(Duration::from_secs(2)).await;
    assert_eq!((rig.queue.visible(), rig.progress.unknown.load(Relaxed)), (1, 1));
    assert_eq!(rig.receive().await.len(), 1, "a later release of the program may know it");
}

#[tokio::test(start_paused = true)]
async fn without_consuming_nothing_is_deleted() {
    let rig = Rig::with(2, false, false);
    for key in rig.receive().await {
        rig.verdict(key, true);
    }
    sleep(VISIBILITY).await;
    assert_eq!((rig.queue.visible(), rig.queue.calls(Verb::Delete), rig.queue.calls(Verb::Hide)), (2, 0, 0));
    assert_eq!(rig.receive().await, Vec::<u64>::new(), "read once is enough");
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn while_stopping_messages_return_at_once() {
    let rig = Rig::new(15);
    let keys = rig.receive().await;
    rig.stop.cancel();
    let before = Instant::now();
    keys.iter().for_each(|key| rig.verdict(*key, *key % 2 == 0));
    let queue = rig.end().await;
    assert_eq!((queue.deleted(), queue.visible()), (7, 8));
    assert!(before.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_verdicts_and_goes_on_renewing() {
    let rig = Rig::new(1);
    let key = rig.receive().await[0];
    rig.stop.cancel();
    let verdicts = rig.keeper.verdicts();
    let queue = Arc::clone(&rig.queue);
    let end = tokio::spawn(rig.end());
    sleep(3 * VISIBILITY).await;
    assert!(!end.is_finished());
    assert_eq!(queue.visible(), 0);
    verdicts.send(Verdict { key, tally: Tally::default(), settled: true, reasons: Vec::new() }).unwrap();
    assert_eq!(end.await.unwrap().deleted(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_abort_gives_everything_back_and_does_not_wait_for_long() {
    let rig = Rig::new(30);
    rig.receive().await;
    rig.abort.cancel();
    let before = Instant::now();
    let queue = rig.end().await;
    assert_eq!(queue.visible(), 30);
    assert!(before.elapsed() < Duration::from_secs(1));

    let rig = Rig::new(30);
    rig.receive().await;
    rig.queue.fail(Verb::Hide, Wrong::Late(Duration::from_secs(3_600)), 0, 1_000);
    rig.abort.cancel();
    let before = Instant::now();
    rig.end().await;
    assert!(before.elapsed() <= LAST_CALLS + Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn what_a_single_run_leaves_is_counted_while_it_is_hidden() {
    let rig = Rig::with(3, true, true);
    let keys = rig.receive().await;
    rig.keeper.leave(keys[0]).await;
    rig.keeper.mark_grave(keys[1]).await;
    rig.verdict(keys[1], false);
    rig.verdict(keys[2], false);
    sleep(Duration::from_secs(1)).await;
    let holdings = rig.keeper.holdings().await;
    assert_eq!((holdings.held, holdings.left), (0, 2));
    assert!(holdings.returning.is_some());
    sleep(PAUSE).await;
    assert_eq!(rig.receive().await.len(), 1, "a fault that may pass is tried again");
    sleep(VISIBILITY).await;
    assert_eq!((rig.queue.visible(), rig.keeper.holdings().await.left), (1, 1));
    assert_eq!(rig.receive().await, Vec::<u64>::new(), "what is left is not read again");
    assert_eq!(rig.keeper.holdings().await.left, 2);
}

#[tokio::test(start_paused = true)]
async fn a_single_run_does_not_try_for_ever_what_is_refused_for_good() {
    for wrong in [Wrong::Refused("AccessDenied"), Wrong::Entries("AccessDenied")] {
        let rig = Rig::with(12, true, true);
        rig.queue.fail(Verb::Delete, wrong, 0, 1_000);
        for key in rig.receive().await {
            rig.verdict(key, true);
        }
        sleep(Duration::from_secs(1)).await;
        let holdings = rig.keeper.holdings().await;
        assert_eq!((holdings.held, holdings.left, rig.queue.calls(Verb::Delete)), (0, 12, 2), "{wrong:?}");
        sleep(VISIBILITY).await;
        assert_eq!(rig.receive().await, Vec::<u64>::new(), "neither read nor deleted again");
        assert_eq!((rig.keeper.holdings().await.left, rig.queue.calls(Verb::Delete)), (12, 2));
        drop(rig.keeper);
        let complaint = rig.task.await.unwrap().complaint(false).unwrap();
        assert!(complaint.starts_with("12 messages could be neither deleted nor given back"), "{complaint}");
        assert!(complaint.ends_with("allow `sqs:DeleteMessage` on the queue to this identity"), "{complaint}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_single_run_leaves_what_may_not_be_given_back() {
    let rig = Rig::with(1, true, true);
    rig.queue.fail(Verb::Hide, Wrong::Refused("AccessDenied"), 0, 1_000);
    let key = rig.receive().await[0];
    rig.verdict(key, false);
    sleep(Duration::from_secs(1)).await;
    let holdings = rig.keeper.holdings().await;
    assert_eq!(holdings, Holdings { held: 0, left: 1, returning: None }, "its return is not waited for");
    drop(rig.keeper);
    let complaint = rig.task.await.unwrap().complaint(false).unwrap();
    assert!(complaint.contains("allow `sqs:ChangeMessageVisibility` on the queue"), "{complaint}");
}

#[tokio::test(start_paused = true)]
async fn a_single_run_tries_again_what_may_go_well() {
    for code in ["ServiceUnavailable", "ExpiredToken"] {
        let rig = Rig::with(3, true, true);
        rig.queue.fail(Verb::Delete, Wrong::Refused(code), 0, 2);
        for key in rig.receive().await {
            rig.verdict(key, true);
        }
        sleep(Duration::from_secs(20)).await;
        assert_eq!(rig.queue.deleted(), 3, "{code}");
        drop(rig.keeper);
        assert_eq!(rig.task.await.unwrap(), Kept::default(), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_does_not_wait_for_its_messages_gets_them_given_back() {
    let rig = Rig::new(7);
    let messages = rig.queue.receive(BATCH, Duration::ZERO, VISIBILITY).await.unwrap();
    let incoming = messages.into_iter().map(|message| Incoming { message, slot: None }).collect();
    tokio::select! {
        biased;
        _ = rig.keeper.hold(incoming) => panic!("answered before the keeper ran"),
        () = std::future::ready(()) => {}
    }
    sleep(Duration::from_millis(100)).await;
    assert_eq!((rig.queue.visible(), rig.progress.released.load(Relaxed)), (7, 7));
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_an_abort_is_given_back_unread() {
    let rig = Rig::new(7);
    rig.abort.cancel();
    sleep(Duration::from_millis(100)).await;
    assert_eq!(rig.receive_once().await, Vec::<u64>::new());
    sleep(Duration::from_millis(100)).await;
    assert_eq!((rig.queue.visible(), rig.progress.released.load(Relaxed)), (7, 7));
}

#[tokio::test(start_paused = true)]
async fn a_verdict_that_follows_a_release_changes_nothing() {
    let rig = Rig::new(1);
    let key = rig.receive().await[0];
    // The release is done, and its answer under way, when the verdict comes.
    rig.queue.fail(Verb::Hide, Wrong::Late(Duration::from_millis(500)), 0, 1);
    rig.abort.cancel();
    sleep(Duration::from_millis(1)).await;
    rig.verdict(key, false);
    sleep(Duration::from_secs(1)).await;
    assert_eq!((rig.queue.visible(), rig.queue.calls(Verb::Hide)), (1, 1));
}

/// A keeper whose health is watched.
fn watched(messages: usize) -> (Rig, Health) {
    let health = Health::default();
    health.begin();
    let queue = FakeQueue::with((0..messages).map(|number| format!("body {number}")));
    let progress = Arc::new(Progress { health: health.part("trail"), ..Progress::default() });
    let (stop, abort) = (CancellationToken::new(), CancellationToken::new());
    let settings = KeeperSettings { visibility: VISIBILITY, consume: true, once: false };
    let (keeper, task) = Keeper::new(Arc::clone(&queue), settings, Arc::clone(&progress), stop.clone(), abort.clone());
    (Rig { queue, keeper, progress, stop, abort, task: tokio::spawn(task.run()) }, health)
}

#[tokio::test(start_paused = true)]
async fn what_keeps_messages_from_being_deleted_is_told_until_it_is_mended() {
    let (rig, health) = watched(12);
    rig.queue.fail(Verb::Delete, Wrong::Refused("AccessDenied"), 0, 1_000);
    let keys = rig.receive().await;
    rig.verdict(keys[0], true);
    sleep(Duration::from_secs(5)).await;
    let told: Vec<_> = health.troubles().into_iter().map(|trouble| (trouble.api, trouble.code)).collect();
    assert_eq!(told, [("sqs:DeleteMessageBatch".to_owned(), "AccessDenied".to_owned())]);
    rig.queue.mend();
    keys[1..].iter().for_each(|key| rig.verdict(*key, true));
    sleep(Duration::from_secs(1)).await;
    assert!(health.is_ready());
}

#[tokio::test(start_paused = true)]
async fn nothing_held_is_nothing_in_the_way() {
    let (rig, health) = watched(1);
    rig.queue.fail(Verb::Hide, Wrong::Refused("ExpiredToken"), 0, 1_000);
    let key = rig.receive().await[0];
    sleep(VISIBILITY * 2 / 3).await;
    assert!(!health.is_ready(), "it could not be renewed");
    rig.verdict(key, true);
    sleep(Duration::from_secs(1)).await;
    assert_eq!((rig.queue.deleted(), health.is_ready()), (1, true));
}

#[tokio::test(start_paused = true)]
async fn calls_that_fail_and_go_well_in_turn_are_said_once_a_minute() {
    let written = tempfile::NamedTempFile::new().unwrap();
    let file = Arc::new(written.reopen().unwrap());
    let log = tracing_subscriber::fmt().with_writer(file).with_ansi(false).finish();
    let _logs = tracing::subscriber::set_default(log);
    // While there is one subscriber alone, a message that another test's thread comes upon first is never shown to it.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let rig = Rig::new(300);
    // Each message is refused at first, and deleted at the next try.
    let pairs: Vec<[u64; 2]> = rig.receive().await.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect();
    for pair in pairs {
        rig.queue.fail(Verb::Delete, Wrong::Refused("ServiceUnavailable"), 0, 1);
        pair.iter().for_each(|key| rig.verdict(*key, true));
        sleep(Duration::from_secs(4)).await;
    }
    assert_eq!((rig.queue.deleted(), rig.queue.calls(Verb::Delete)), (300, 300));
    let text = std::fs::read_to_string(written.path()).unwrap();
    let warnings = text.lines().filter(|line| line.contains("sqs-unavailable")).count();
    let seconds = 600;
    assert!((seconds / 60 - 2..=seconds / 60 + 3).contains(&warnings), "{warnings} in ten minutes:\n{text}");
    assert!(!text.contains("can be deleted again"), "none of them lasted:\n{text}");
}

/// What happens to one message each time it is read.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Settled(u64),
    Given(u64),
    Grave(u64),
}

fn fate() -> impl Strategy<Value = Fate> {
    (0u8..6, 0u64..900).prop_map(|(kind, after)| match kind {
        0 => Fate::Given(after),
        1 => Fate::Grave(after),
        _ => Fate::Settled(after),
    })
}

fn wrong() -> impl Strategy<Value = (Verb, Wrong, usize, usize)> {
    let verb = prop_oneof![Just(Verb::Delete), Just(Verb::Hide)];
    let wrong = prop_oneof![
        Just(Wrong::Refused("ServiceUnavailable")),
        Just(Wrong::Refused("AccessDenied")),
        Just(Wrong::Entries("InternalError")),
        Just(Wrong::Entries("ReceiptHandleIsInvalid")),
        Just(Wrong::AnswerLost),
        (1u64..400).prop_map(|seconds| Wrong::Late(Duration::from_secs(seconds))),
    ];
    (verb, wrong, 0usize..6, 1usize..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_faults_end_with_every_message_deleted_after_it_was_settled_or_visible(
        fates in prop::collection::vec(prop::collection::vec(fate(), 1..3), 1..25),
        wrongs in prop::collection::vec(wrong(), 0..6),
        stop_after in prop::option::of(0u64..2_000),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let rig = Rig::new(fates.len());
            let settled: Arc<Mutex<HashSet<String>>> = Arc::default();
            let is_settled = Arc::clone(&settled);
            rig.queue.only_delete(move |body| is_settled.lock().unwrap().contains(body));
            wrongs.iter().for_each(|(verb, wrong, skip, times)| rig.queue.fail(*verb, *wrong, *skip, *times));
            let started = Instant::now();
            let mut reads: HashMap<String, usize> = HashMap::new();
            let is_over = |at: Instant| at.duration_since(started) >= Duration::from_secs(stop_after.unwrap_or(20_000));
            while !is_over(Instant::now()) && rig.queue.deleted() < fates.len() {
                let messages = rig.queue.receive(BATCH, Duration::from_secs(1), VISIBILITY).await.unwrap();
                let incoming = messages.into_iter().map(|message| Incoming { message, slot: None }).collect();
                for admitted in rig.keeper.hold(incoming).await {
                    let try_number = reads.entry(admitted.body.clone()).or_default();
                    let number: usize = admitted.body.trim_start_matches("body ").parse().unwrap();
                    let fate = fates[number].get(*try_number).copied().unwrap_or(Fate::Settled(1));
                    *try_number += 1;
                    let (keeper, settled) = (rig.keeper.clone(), Arc::clone(&settled));
                    let verdicts = keeper.verdicts();
                    tokio::spawn(async move {
                        let (after, done) = match fate {
                            Fate::Settled(after) => (after, true),
                            Fate::Given(after) | Fate::Grave(after) => (after, false),
                        };
                        sleep(Duration::from_secs(after)).await;
                        if let Fate::Grave(_) = fate {
                            keeper.mark_grave(admitted.key).await;
                        }
                        if done {
                            settled.lock().unwrap().insert(admitted.body);
                        }
                        let _ = verdicts.send(Verdict { key: admitted.key, tally: Tally::default(), settled: done, reasons: Vec::new() });
                    });
                }
            }
            rig.stop.cancel();
            let queue = rig.end().await;
            advance(Duration::from_secs(2_000)).await;
            prop_assert_eq!(queue.wrongs(), Vec::<String>::new());
            prop_assert_eq!(queue.deleted() + queue.visible(), fates.len());
            if stop_after.is_none() {
                prop_assert_eq!(queue.deleted(), fates.len());
            }
            Ok(())
        })?;
    }
}
