//! Processes that share groups, over a store in memory and a clock that stands still.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::state::documents::Answer;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Documents with the number of their last write.
type Stored = HashMap<String, (Value, u64)>;

/// A store as Elasticsearch has it: every write counts up, and must name what it replaces.
#[derive(Default)]
struct Store {
    documents: Mutex<Stored>,
    away: AtomicBool,
}

impl Store {
    fn documents(&self) -> Result<MutexGuard<'_, Stored>, String> {
        if self.away.load(Relaxed) { Err("away".to_owned()) } else { Ok(self.documents.lock().unwrap()) }
    }
}

impl Documents for Store {
    fn read<'a>(&'a self, id: &'a str) -> Answer<'a, Option<(Value, Version)>> {
        Box::pin(async move {
            let found = self.documents()?.get(id).cloned();
            Ok(found.map(|(document, number)| (document, Version { number, term: 1 })))
        })
    }

    fn write<'a>(&'a self, id: &'a str, document: &'a Value, known: Option<Version>) -> Answer<'a, Option<Version>> {
        Box::pin(async move {
            let mut documents = self.documents()?;
            let now = documents.get(id).map(|(_, number)| *number);
            if now != known.map(|version| version.number) {
                return Ok(None);
            }
            let number = now.unwrap_or(0) + 1;
            documents.insert(id.to_owned(), (document.clone(), number));
            Ok(Some(Version { number, term: 1 }))
        })
    }
}

const GROUPS: usize = 10;

fn groups() -> Vec<Group> {
    let group = |n| Group {
        name: format!("group-{n}"),
        identifier: None,
        account: Some("111122223333".to_owned()),
        region: "eu-west-1".to_owned(),
    };
    (0..GROUPS).map(group).collect()
}

/// What a run does with its cursors.
struct Process {
    cursors: SharedCursors,
    marks: HashMap<String, Option<Mark>>,
}

impl Process {
    fn new(store: &Arc<Store>) -> Process {
        let documents: Arc<dyn Documents> = Arc::clone(store) as Arc<dyn Documents>;
        Process { cursors: SharedCursors::new(documents, "input"), marks: HashMap::new() }
    }

    async fn claim(&mut self) {
        for group in groups() {
            let key = group.key();
            if self.marks.contains_key(&key) {
                continue;
            }
            if let Ok(Claim::Ours(mark)) = self.cursors.claim(&key, &group, GROUPS).await {
                self.marks.insert(key, mark);
            }
        }
    }

    async fn save(&mut self) {
        for key in self.cursors.save().await.unwrap_or_default() {
            self.marks.remove(&key).unwrap();
        }
    }
}

/// Lets `seconds` pass for the processes: a save a second, a claim every ten.
async fn live(processes: &mut [&mut Process], seconds: u64) {
    for second in 0..seconds {
        for process in processes.iter_mut() {
            if second % 10 == 0 {
                process.claim().await;
            }
            process.save().await;
        }
        tokio::time::advance(Duration::from_secs(1)).await;
    }
}

fn nobody_shares(a: &Process, b: &Process) -> bool {
    !a.marks.keys().any(|key| b.marks.contains_key(key))
}

#[tokio::test(start_paused = true)]
async fn two_processes_have_half_of_the_groups_each_and_one_that_dies_is_taken_over_within_a_minute() {
    let store = Arc::new(Store::default());
    let (mut first, mut second) = (Process::new(&store), Process::new(&store));
    live(&mut [&mut first], 30).await;
    assert_eq!(first.marks.len(), GROUPS, "alone it has all");
    for (n, key) in first.marks.keys().enumerate() {
        first.cursors.note(key, Mark { cursor: n as i64, closed: 0 });
    }
    live(&mut [&mut first, &mut second], 40).await;
    assert_eq!((first.marks.len(), second.marks.len()), (GROUPS / 2, GROUPS / 2));
    assert!(nobody_shares(&first, &second));
    assert!(second.marks.values().all(Option::is_some), "the marks came with the groups");
    // The first is killed; it neither saves nor gives back.
    live(&mut [&mut second], 60).await;
    assert_eq!(second.marks.len(), GROUPS);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_ends_in_order_leaves_its_groups_at_once() {
    let store = Arc::new(Store::default());
    let (mut first, mut second) = (Process::new(&store), Process::new(&store));
    first.claim().await;
    let key = groups()[0].key();
    first.cursors.note(&key, Mark { cursor: 7, closed: 5 });
    first.cursors.finish().await.unwrap();
    live(&mut [&mut second], 40).await;
    assert_eq!(second.marks.len(), GROUPS);
    assert_eq!(second.marks[&key], Some(Mark { cursor: 7, closed: 5 }));
}

#[tokio::test(start_paused = true)]
async fn who_was_asleep_loses_its_lease_and_overwrites_nothing() {
    let store = Arc::new(Store::default());
    let (mut asleep, mut awake) = (Process::new(&store), Process::new(&store));
    asleep.claim().await;
    live(&mut [&mut awake], 60).await;
    assert_eq!(awake.marks.len(), GROUPS);
    let key = groups()[0].key();
    awake.cursors.note(&key, Mark { cursor: 9, closed: 9 });
    asleep.cursors.note(&key, Mark { cursor: 1, closed: 1 });
    live(&mut [&mut asleep, &mut awake], 6).await;
    assert!(asleep.marks.is_empty() && awake.marks.len() >= GROUPS / 2);
    let saved = store.documents.lock().unwrap()[&awake.cursors.id(&key)].0["mark"]["cursor"].clone();
    assert_eq!(saved, 9);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_too_long_ends_the_leases() {
    let store = Arc::new(Store::default());
    let mut process = Process::new(&store);
    process.claim().await;
    store.away.store(true, Relaxed);
    live(&mut [&mut process], 10).await;
    assert_eq!(process.marks.len(), GROUPS, "not at once");
    live(&mut [&mut process], 15).await;
    assert_eq!(process.marks.len(), 0, "others may have them by now");
    store.away.store(false, Relaxed);
    live(&mut [&mut process], 60).await;
    assert_eq!(process.marks.len(), GROUPS);
}
