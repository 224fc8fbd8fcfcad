//! Turns at reading: a bounded number of readers, and who of those that wait goes next.
//!
//! With [`Order::Any`] the one that has waited longest; with [`Order::Newest`] the one of the highest rank, and every
//! tenth turn all the same the one that has waited longest, so that nobody waits for ever.
//!
//! Invariants: a turn that ends goes to exactly one who still waits, or is free; one who gives up waiting holds no turn.

use crate::inputs::order::Order;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// The turns of one input.
pub struct Turns<K: Ord + Copy> {
    order: Order,
    waiting: Mutex<Waiting<K>>,
}

/// The right to read, until it is dropped.
pub struct Turn<K: Ord + Copy> {
    turns: Arc<Turns<K>>,
}

struct Waiting<K: Ord + Copy> {
    free: usize,
    /// Turns handed on so far.
    handed: u64,
    next: u64,
    /// In order of coming.
    waiting: BTreeMap<u64, (K, oneshot::Sender<Turn<K>>)>,
    /// The same by rank; of equals the one that came first is the greatest.
    ranked: BTreeSet<(K, std::cmp::Reverse<u64>)>,
}

/// With `newest`: each so many-th turn goes to the one that has waited longest.
const LONGEST_WAIT_TURN: u64 = 10;

impl<K: Ord + Copy> Turns<K> {
    /// So many turns at a time.
    pub fn new(order: Order, at_a_time: usize) -> Arc<Turns<K>> {
        let waiting =
            Waiting { free: at_a_time, handed: 0, next: 0, waiting: BTreeMap::new(), ranked: BTreeSet::new() };
        Arc::new(Turns { order, waiting: Mutex::new(waiting) })
    }

    /// Waits for a turn; `rank` is how new the object is. Dropping the future gives up waiting.
    pub async fn take(self: &Arc<Self>, rank: K) -> Turn<K> {
        let (place, turn) = {
            let mut waiting = self.lock();
            if waiting.free > 0 {
                waiting.free -= 1;
                return Turn { turns: Arc::clone(self) };
            }
            let (sender, turn) = oneshot::channel();
            let number = waiting.next;
            waiting.next += 1;
            waiting.waiting.insert(number, (rank, sender));
            waiting.ranked.insert((rank, std::cmp::Reverse(number)));
            (Place { turns: self, number, rank }, turn)
        };
        let taken = turn.await;
        drop(place);
        match taken {
            Ok(turn) => turn,
            // The sender stays with the turns, which outlive this call, until it is used.
            Err(_) => std::future::pending().await,
        }
    }

    /// Hands a turn on, or keeps it free.
    fn hand_on(self: &Arc<Self>) {
        let mut waiting = self.lock();
        let Some(sender) = waiting.take_next(self.order) else {
            waiting.free += 1;
            return;
        };
        drop(waiting);
        // One who has given up in this very moment drops the turn that it is sent, which hands it on.
        let _ = sender.send(Turn { turns: Arc::clone(self) });
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<K>> {
        // Nothing in here can panic between two changes that belong together.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Ord + Copy> Waiting<K> {
    fn take_next(&mut self, order: Order) -> Option<oneshot::Sender<Turn<K>>> {
        self.handed += 1;
        let is_longest = order == Order::Any || self.handed.is_multiple_of(LONGEST_WAIT_TURN);
        let number = match is_longest {
            true => *self.waiting.first_key_value()?.0,
            false => self.ranked.last()?.1.0,
        };
        self.remove(number)
    }

    fn remove(&mut self, number: u64) -> Option<oneshot::Sender<Turn<K>>> {
        let (rank, sender) = self.waiting.remove(&number)?;
        self.ranked.remove(&(rank, std::cmp::Reverse(number)));
        Some(sender)
    }
}

impl<K: Ord + Copy> Drop for Turn<K> {
    fn drop(&mut self) {
        self.turns.hand_on();
    }
}

/// A place among those that wait.
struct Place<'a, K: Ord + Copy> {
    turns: &'a Turns<K>,
    number: u64,
    rank: K,
}

impl<K: Ord + Copy> Drop for Place<'_, K> {
    fn drop(&mut self) {
        let mut waiting = self.turns.lock();
        waiting.waiting.remove(&self.number);
        waiting.ranked.remove(&(self.rank, std::cmp::Reverse(self.number)));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::task::JoinHandle;
    use tokio::time::sleep;

    type Told = Arc<Mutex<Vec<u32>>>;

    /// One who waits, and holds the turn for a second.
    fn wait(turns: &Arc<Turns<u32>>, rank: u32, told: &Told) -> JoinHandle<()> {
        let (turns, told) = (Arc::clone(turns), Arc::clone(told));
        tokio::spawn(async move {
            let _turn = turns.take(rank).await;
            told.lock().unwrap().push(rank);
            sleep(Duration::from_secs(1)).await;
        })
    }

    /// The ranks in which turns are given, when all of `ranks` wait behind one who has it.
    async fn given(order: Order, ranks: impl IntoIterator<Item = u32>) -> Vec<u32> {
        let (turns, told) = (Turns::new(order, 1), Told::default());
        let first = turns.take(0).await;
        let mut waiting = Vec::new();
        for rank in ranks {
            waiting.push(wait(&turns, rank, &told));
            tokio::task::yield_now().await;
        }
        drop(first);
        for one in waiting {
            one.await.unwrap();
        }
        let told = told.lock().unwrap().clone();
        assert_eq!(turns.lock().free, 1, "the last turn is free again");
        told
    }

    #[tokio::test(start_paused = true)]
    async fn any_order_is_that_of_coming() {
        assert_eq!(given(Order::Any, [3, 1, 2, 3]).await, [3, 1, 2, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_highest_rank_goes_first_and_each_tenth_turn_to_the_longest_wait() {
        assert_eq!(given(Order::Newest, [3, 1, 2]).await, [3, 2, 1]);
        // Nine of the highest, then 1, which came first, then again nine.
        let expected: Vec<u32> = (22..=30).rev().chain([1]).chain((13..=21).rev()).chain([2]).collect();
        assert_eq!(given(Order::Newest, 1..=30).await[..20], expected);
    }

    #[tokio::test(start_paused = true)]
    async fn of_equals_the_one_that_came_first_goes_first() {
        let (turns, told) = (Turns::new(Order::Newest, 1), Told::default());
        let first = turns.take((0, 0)).await;
        let mut waiting = Vec::new();
        for number in 0..5 {
            let (turns, told) = (Arc::clone(&turns), Arc::clone(&told));
            waiting.push(tokio::spawn(async move {
                // Equal ranks, told apart here only.
                let _turn = turns.take((7, 0)).await;
                told.lock().unwrap().push(number);
            }));
            tokio::task::yield_now().await;
        }
        drop(first);
        for one in waiting {
            one.await.unwrap();
        }
        assert_eq!(*told.lock().unwrap(), [0, 1, 2, 3, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_leaves_nothing_behind() {
        let (turns, told) = (Turns::new(Order::Newest, 1), Told::default());
        let first = turns.take(0).await;
        let (gone, stays) = (wait(&turns, 9, &told), wait(&turns, 1, &told));
        tokio::task::yield_now().await;
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        drop(first);
        stays.await.unwrap();
        assert_eq!(*told.lock().unwrap(), [1]);
        // One who gives up after the turn was sent, and before it was taken.
        let first = turns.take(0).await;
        let sent = wait(&turns, 5, &told);
        tokio::task::yield_now().await;
        drop(first);
        sent.abort();
        assert!(sent.await.unwrap_err().is_cancelled());
        let waiting = turns.lock();
        assert_eq!((waiting.free, waiting.waiting.len(), waiting.ranked.len()), (1, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn as_many_as_there_are_turns_go_at_a_time() {
        let (turns, told) = (Turns::new(Order::Any, 3), Told::default());
        let waiting: Vec<_> = (0..7).map(|rank| wait(&turns, rank, &told)).collect();
        sleep(Duration::from_millis(500)).await;
        assert_eq!(told.lock().unwrap().len(), 3);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(told.lock().unwrap().len(), 6);
        for one in waiting {
            one.await.unwrap();
        }
    }
}
