//! Repeats after a rollover, which the newest backing index does not recognise.

use super::*;

#[tokio::test]
async fn what_was_stored_before_a_rollover_is_not_sent_again() {
    let (fake, tally, _) = ten_through(vec![Fault::BreakAfterRollover]).await;
    assert_eq!((tally.indexed, tally.duplicate), (0, 10));
    let state = fake.state();
    assert_eq!((state.earlier[0].len(), state.stored.len()), (10, 0));
    assert_eq!(state.requests, [names(0..10)], "sent once");
}

#[tokio::test]
async fn what_is_handed_out_again_is_looked_up_and_only_the_rest_is_sent() {
    let fake = Fake::start(vec![Fault::BreakAfterRollover]).await;
    let dir = tempfile::tempdir().unwrap();
    let (output, _) = open(&config(&[&fake]), dir.path());
    let trail = Trail::open();
    output.deliver(bulk(&trail, 0, 5, 1)).await;
    (0..2).for_each(|_| fake.state().roll_over());
    let repeats = Trail::repeated();
    output.deliver(bulk(&repeats, 0, 10, 1)).await;
    let counts = repeats.counters.read();
    assert_eq!((counts.indexed, counts.duplicate), (5, 5));
    let state = fake.state();
    assert_eq!(state.requests, [names(0..5), names(5..10)]);
    assert_eq!(state.stored.len(), 5);
}

#[tokio::test]
async fn nobody_is_asked_without_a_doubt_and_ids_only_after_a_rollover() {
    let fake = Fake::start(vec![]).await;
    let dir = tempfile::tempdir().unwrap();
    let (output, _) = open(&config(&[&fake]), dir.path());
    let trail = Trail::open();
    fake.state().roll_over();
    output.deliver(bulk(&trail, 0, 5, 1)).await;
    assert_eq!(fake.state().looks, 0, "no doubt");
    fake.state().script.push_back(Fault::BreakAfter);
    output.deliver(bulk(&trail, 5, 10, 1)).await;
    assert_eq!(fake.state().looks, 1, "the index before may have been the newest");
    fake.state().script.push_back(Fault::BreakAfter);
    output.deliver(bulk(&trail, 10, 15, 1)).await;
    assert_eq!(fake.state().looks, 1, "no rollover since it was sent");
    assert_eq!(trail.counters.read().duplicate, 10);
}

#[tokio::test]
async fn credentials_that_may_not_read_ship_all_the_same() {
    for status in [400, 403] {
        let fake = Fake::start(vec![Fault::BreakBefore]).await;
        fake.state().no_looks = Some(status);
        let dir = tempfile::tempdir().unwrap();
        let (output, _) = open(&config(&[&fake]), dir.path());
        let trail = Trail::open();
        output.deliver(bulk(&trail, 0, 5, 1)).await;
        assert_eq!(trail.counters.read().indexed, 5, "{status}");
    }
}

#[tokio::test]
async fn what_cannot_be_looked_up_for_a_while_waits() {
    let fake = Fake::start(vec![Fault::BreakAfterRollover]).await;
    fake.state().no_looks = Some(503);
    let dir = tempfile::tempdir().unwrap();
    let (output, _) = open(&config(&[&fake]), dir.path());
    let trail = Trail::open();
    let mended = async {
        while fake.state().refused_looks < 10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(fake.state().requests.len(), 1, "not sent again meanwhile");
        fake.state().no_looks = None;
    };
    tokio::join!(output.deliver(bulk(&trail, 0, 5, 1)), mended);
    assert_eq!((trail.counters.read().duplicate, fake.state().stored.len()), (5, 0));
}
