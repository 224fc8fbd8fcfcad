//! A blocked index behind a failure store, which takes everything and answers 201.

use super::*;

fn part(health: &status::Health) -> status::Part {
    health.part("output")
}

/// What keeps the output waiting: calls and codes.
fn troubles(health: &status::Health) -> Vec<(String, String)> {
    health.troubles().into_iter().map(|trouble| (trouble.api, trouble.code)).collect()
}

async fn until(what: impl Fn() -> bool) {
    while !what() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_a_block_sends_to_the_failure_store_is_held_and_indexed_after_it() {
    let fake = Fake::start(vec![]).await;
    fake.state().blocked = true;
    let dir = tempfile::tempdir().unwrap();
    let parking = Arc::new(Parking::open(dir.path()).unwrap());
    let settings = Arc::new(config(&[&fake]).settle("default").unwrap());
    let health = status::Health::default();
    let output = Elasticsearch::new(settings, Arc::clone(&parking), part(&health)).unwrap();
    let trail = Trail::open();
    let mended = async {
        until(|| fake.state().asked_for_blocks >= 10).await;
        assert_eq!(troubles(&health), [("index.blocks".to_owned(), "cluster_block_exception".to_owned())]);
        let counts = trail.counters.read();
        assert_eq!((counts.indexed, counts.parked, counts.in_flight), (0, 0, 20));
        assert_eq!(fake.state().requests.len(), 1, "no more copies while it lasts, also of what comes later");
        fake.state().blocked = false;
    };
    let later = async {
        until(|| fake.state().asked_for_blocks >= 5).await;
        output.deliver(bulk(&trail, 10, 20, 1)).await;
    };
    tokio::join!(output.deliver(bulk(&trail, 0, 10, 1)), later, mended);
    let counts = trail.counters.read();
    assert_eq!((counts.indexed, counts.duplicate, counts.parked), (20, 0, 0));
    assert_eq!(fake.state().copies, 10);
    assert_eq!(fake.state().stored.len(), 20);
    assert!(parking.counts().is_empty(), "copies of what is indexed are not parked");
    assert!(health.troubles().is_empty());
}

#[tokio::test]
async fn bulks_that_were_under_way_together_are_all_held() {
    let fake = Fake::start(vec![]).await;
    fake.state().blocked = true;
    let dir = tempfile::tempdir().unwrap();
    let (output, _) = open(&config(&[&fake]), dir.path());
    let trail = Trail::open();
    let mended = async {
        until(|| fake.state().asked_for_blocks >= 3).await;
        assert!(fake.state().requests.len() <= output.concurrency());
        fake.state().blocked = false;
    };
    let some = |n: usize| output.deliver(bulk(&trail, n * 5, n * 5 + 5, 1));
    tokio::join!(some(0), some(1), some(2), some(3), some(4), some(5), mended);
    let counts = trail.counters.read();
    assert_eq!((counts.indexed, counts.parked), (30, 0));
    assert_eq!(fake.state().stored.len(), 30);
}

#[tokio::test]
async fn without_the_failure_store_nobody_asks_and_what_the_mapping_refuses_is_parked() {
    let fake = Fake::start(vec![Fault::None, Fault::FailureStore { from: 2, to: 4 }]).await;
    // Blocked for good, as a lifecycle leaves them: no matter.
    fake.state().roll_over();
    let dir = tempfile::tempdir().unwrap();
    let (output, parking) = open(&config(&[&fake]), dir.path());
    let trail = Trail::open();
    output.deliver(bulk(&trail, 0, 10, 1)).await;
    assert_eq!(fake.state().asked_for_blocks, 0);
    output.deliver(bulk(&trail, 10, 20, 1)).await;
    let counts = trail.counters.read();
    assert_eq!((counts.indexed, counts.parked), (18, 2));
    assert_eq!(fake.state().asked_for_blocks, 1);
    assert_eq!(fake.state().requests.len(), 2);
    assert_eq!(parking.counts().into_iter().collect::<Vec<_>>(), [("failure-store", 2)]);
}

#[tokio::test]
async fn where_the_question_is_refused_documents_in_the_failure_store_are_parked() {
    for status in [401, 403, 404] {
        let fake = Fake::start(vec![]).await;
        (fake.state().blocked, fake.state().no_settings) = (true, Some(status));
        let dir = tempfile::tempdir().unwrap();
        let (output, parking) = open(&config(&[&fake]), dir.path());
        let trail = Trail::open();
        output.deliver(bulk(&trail, 0, 10, 1)).await;
        assert_eq!(trail.counters.read().parked, 10, "{status}");
        assert_eq!(parking.counts().into_iter().collect::<Vec<_>>(), [("failure-store", 10)]);
    }
}

#[tokio::test]
async fn a_question_that_is_not_answered_now_is_asked_again() {
    for status in [429, 500, 503] {
        let fake = Fake::start(vec![]).await;
        (fake.state().blocked, fake.state().no_settings) = (true, Some(status));
        let dir = tempfile::tempdir().unwrap();
        let (output, _) = open(&config(&[&fake]), dir.path());
        let trail = Trail::open();
        let mended = async {
            until(|| fake.state().asked_for_blocks >= 3).await;
            assert_eq!((trail.counters.read().parked, fake.state().requests.len()), (0, 1), "{status}");
            fake.state().no_settings = None;
            let asked = fake.state().asked_for_blocks;
            until(|| fake.state().asked_for_blocks >= asked + 2).await;
            assert_eq!((trail.counters.read().parked, fake.state().requests.len()), (0, 1), "{status}");
            fake.state().blocked = false;
        };
        tokio::join!(output.deliver(bulk(&trail, 0, 10, 1)), mended);
        assert_eq!((trail.counters.read().indexed, fake.state().copies), (10, 10), "{status}");
    }
}
