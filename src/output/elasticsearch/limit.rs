//! How much the cluster takes: requests at a time, and bytes in one request.
//!
//! [`Limit`] halves when the cluster is overloaded and grows by one after a full round of good answers. It knows no
//! clock: a round is as many answers as requests are allowed at a time, so its pace follows the cluster's own. Overload
//! seen by requests that began before the last halving says nothing new and is ignored. [`Ceiling`] remembers a body
//! that was refused as too large.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// The number of requests under way at a time.
pub struct Limit {
    free: Arc<Semaphore>,
    controller: Mutex<Controller>,
}

/// The right to one request; returns by drop. Say how it went with [`Permit::good`] or [`Permit::overloaded`].
pub struct Permit<'a> {
    limit: &'a Limit,
    held: Option<OwnedSemaphorePermit>,
    epoch: u64,
}

impl Limit {
    /// Allows `most` requests (at least one) at the start and never more.
    pub fn new(most: usize) -> Limit {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        Limit { free: Arc::new(Semaphore::new(most)), controller: Mutex::new(Controller::new(most)) }
    }

    /// Waits for the right to one request.
    pub async fn acquire(&self) -> Permit<'_> {
        // The semaphore is never closed; were it so, requests would go out without a limit rather than not at all.
        let held = Arc::clone(&self.free).acquire_owned().await.ok();
        let epoch = self.controller().epoch;
        Permit { limit: self, held, epoch }
    }

    /// Requests allowed at a time now.
    pub fn allowed(&self) -> usize {
        self.controller().allowed
    }

    fn controller(&self) -> MutexGuard<'_, Controller> {
        self.controller.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// The request was answered without a sign of overload.
    pub fn good(self) {
        if self.limit.controller().good() {
            self.limit.free.add_permits(1);
        }
    }

    /// The cluster was overloaded: 429, 503, or no answer in time.
    pub fn overloaded(self) {
        let mut controller = self.limit.controller();
        controller.overloaded(self.epoch);
        controller.surplus -= self.limit.free.forget_permits(controller.surplus);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.limit.controller().must_withhold()
            && let Some(held) = self.held.take()
        {
            held.forget();
        }
    }
}

/// The rule, apart from the waiting.
#[derive(Debug)]
struct Controller {
    most: usize,
    allowed: usize,
    /// Permits that are still out although the limit has fallen below them.
    surplus: usize,
    good_in_a_row: usize,
    /// Counts the halvings.
    epoch: u64,
}

impl Controller {
    fn new(most: usize) -> Controller {
        Controller { most, allowed: most, surplus: 0, good_in_a_row: 0, epoch: 0 }
    }

    /// True when one more permit is to be made.
    fn good(&mut self) -> bool {
        self.good_in_a_row += 1;
        if self.allowed == self.most || self.good_in_a_row < self.allowed {
            return false;
        }
        self.good_in_a_row = 0;
        self.allowed += 1;
        // A permit that was to be withheld may stay instead.
        if self.surplus > 0 {
            self.surplus -= 1;
            return false;
        }
        true
    }

    fn overloaded(&mut self, epoch: u64) {
        self.good_in_a_row = 0;
        if epoch != self.epoch {
            return;
        }
        self.epoch += 1;
        let lower = (self.allowed / 2).max(1);
        self.surplus += self.allowed - lower;
        self.allowed = lower;
    }

    /// True when a returning permit is one too many.
    fn must_withhold(&mut self) -> bool {
        let too_many = self.surplus > 0;
        self.surplus -= usize::from(too_many);
        too_many
    }
}

/// The size of body that was refused with 413, so that the next ones are cut before they are sent.
#[derive(Default)]
pub struct Ceiling(Mutex<Option<(usize, Instant)>>);

/// Time after which a refused size is tried again: somebody may have raised the server's limit.
const FORGET: Duration = Duration::from_secs(300);

impl Ceiling {
    /// A body of several records with `bytes` (plain) was refused.
    pub fn refused(&self, bytes: usize) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lowest = known.map_or(bytes, |(lowest, _)| lowest.min(bytes));
        *known = Some((lowest, Instant::now()));
    }

    /// Whether a body of `bytes` (plain) would be refused, as far as is known.
    pub fn exceeded_by(&self, bytes: usize) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_some_and(|(_, since)| since.elapsed() >= FORGET) {
            *known = None;
        }
        known.is_some_and(|(lowest, _)| bytes >= lowest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn halves_once_a_round_and_grows_by_one_after_a_full_round() {
        let mut controller = Controller::new(8);
        controller.overloaded(0);
        assert_eq!(controller.allowed, 4);
        controller.overloaded(0);
        assert_eq!(controller.allowed, 4, "the same overload, seen by an older request");
        controller.overloaded(1);
        assert_eq!(controller.allowed, 2);
        let mut steps = Vec::new();
        for _ in 0..12 {
            controller.good();
            steps.push(controller.allowed);
        }
        assert_eq!(steps, [2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5]);
    }

    #[test]
    fn overload_spoils_a_round() {
        let mut controller = Controller::new(8);
        controller.overloaded(0);
        (0..3).for_each(|_| assert!(!controller.good()));
        controller.overloaded(0);
        controller.good();
        assert_eq!(controller.allowed, 4, "three good, a bad, a good: no full round");
    }

    #[test]
    fn never_below_one_nor_above_the_most() {
        let mut controller = Controller::new(3);
        for epoch in 0..10 {
            controller.overloaded(epoch);
        }
        assert_eq!(controller.allowed, 1);
        (0..100).for_each(|_| {
            controller.good();
        });
        assert_eq!(controller.allowed, 3);
    }

    #[tokio::test]
    async fn free_permits_go_first() {
        let limit = Limit::new(8);
        limit.acquire().await.overloaded();
        assert_eq!((limit.allowed(), limit.free.available_permits()), (4, 4));
    }

    #[tokio::test]
    async fn requests_under_way_finish_before_new_ones_begin() {
        let limit = Limit::new(4);
        let (a, b, c, d) = tokio::join!(limit.acquire(), limit.acquire(), limit.acquire(), limit.acquire());
        a.overloaded();
        assert_eq!(limit.allowed(), 2);
        assert_eq!(limit.free.available_permits(), 0, "three are under way, two are allowed");
        // The same overload: one of the two too many is gone, b is the other.
        b.overloaded();
        assert_eq!((limit.allowed(), limit.free.available_permits()), (2, 0));
        c.good();
        assert_eq!(limit.free.available_permits(), 1);
        d.good();
        assert_eq!((limit.allowed(), limit.free.available_permits()), (3, 3), "a full round of two");
    }

    proptest! {
        #[test]
        fn permits_and_limit_agree_when_all_is_quiet(most in 1usize..9, steps in prop::collection::vec((0u8..3, 0usize..4), 0..80)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let limit = Limit::new(most);
            let mut held = Vec::new();
            for (step, which) in steps {
                if step == 0 && limit.free.available_permits() > 0 {
                    held.extend(runtime.as_ref().map(|runtime| runtime.block_on(limit.acquire())));
                } else if !held.is_empty() {
                    let permit = held.swap_remove(which % held.len());
                    match step {
                        1 => permit.good(),
                        2 => permit.overloaded(),
                        _ => drop(permit),
                    }
                }
            }
            drop(held);
            prop_assert_eq!(limit.free.available_permits(), limit.allowed());
            prop_assert!((1..=most).contains(&limit.allowed()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_size_is_remembered_for_a_while() {
        let ceiling = Ceiling::default();
        assert!(!ceiling.exceeded_by(usize::MAX));
        ceiling.refused(4_000);
        ceiling.refused(2_000);
        ceiling.refused(3_000);
        assert!(ceiling.exceeded_by(2_000) && !ceiling.exceeded_by(1_999));
        tokio::time::advance(FORGET).await;
        assert!(!ceiling.exceeded_by(4_000));
    }
}
