//! Quotas of AWS APIs: one token bucket for each identity, region and API, shared by all who call it in this process.
//!
//! Grants are evenly spaced, so that no second holds more calls than the rate. An answer that we are too fast halves the
//! rate, quiet raises it again step by step: the quota is shared with other readers, the console included. Leaves out
//! what is called and how a refused call is repeated.

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::time::Instant;

/// The APIs whose calls are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Api {
    FilterLogEvents,
    DescribeLogGroups,
}

impl Api {
    /// Calls a second that AWS grants an account in a region (CloudWatch Logs quotas; CloudTrail formats 3.2).
    pub fn quota(self, region: &str) -> f64 {
        const FIVE: [&str; 5] = ["ap-northeast-3", "ap-southeast-3", "ca-west-1", "eu-central-1", "il-central-1"];
        match self {
            Api::FilterLogEvents if region == "us-east-1" => 25.0,
            Api::FilterLogEvents if FIVE.contains(&region) => 5.0,
            Api::FilterLogEvents | Api::DescribeLogGroups => 10.0,
        }
    }

    /// Calls a second that we make by default: the rest is left to other readers of the account.
    pub fn default_rate(self, region: &str) -> f64 {
        self.quota(region) * SHARE
    }
}

/// Calls of one API so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Calls {
    /// Calls that were let through.
    pub granted: u64,
    /// ms that calls waited for their turn, summed.
    pub waited: u64,
    /// Answers that we are too fast.
    pub throttled: u64,
}

/// A bucket of one API.
pub struct Bucket {
    pace: Mutex<Pace>,
    /// Held while waiting: who asked first goes first.
    turn: tokio::sync::Mutex<()>,
    granted: AtomicU64,
    waited: AtomicU64,
    throttled: AtomicU64,
}

/// The share of a quota that is used by default.
const SHARE: f64 = 0.8;
/// Calls a second below which the rate never falls.
const LEAST: f64 = 0.2;
/// Complaints that come so soon after each other are one: all these calls were made at the old rate.
const ONE_COMPLAINT: Duration = Duration::from_secs(1);
/// After so long without complaint the rate is raised by a tenth of the full one.
const RAISE: Duration = Duration::from_secs(10);

impl Bucket {
    /// The bucket of `api` for `caller` in `region`, the same for everybody who names these while anybody holds it. Of
    /// different rates (calls a second) the least holds for all.
    pub fn shared(api: Api, caller: &str, region: &str, rate: f64) -> Arc<Bucket> {
        type Known = HashMap<(Api, String, String), Weak<Bucket>>;
        static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
        let mut known = lock(&KNOWN);
        known.retain(|_, bucket| bucket.strong_count() > 0);
        let key = (api, caller.to_owned(), region.to_owned());
        if let Some(bucket) = known.get(&key).and_then(Weak::upgrade) {
            lock(&bucket.pace).limit(rate);
            return bucket;
        }
        let bucket = Arc::new(Bucket::new(rate));
        known.insert(key, Arc::downgrade(&bucket));
        bucket
    }

    /// A bucket of its own, of `rate` calls a second.
    pub fn new(rate: f64) -> Bucket {
        Bucket {
            pace: Mutex::new(Pace::new(rate.max(LEAST))),
            turn: tokio::sync::Mutex::default(),
            granted: AtomicU64::new(0),
            waited: AtomicU64::new(0),
            throttled: AtomicU64::new(0),
        }
    }

    /// Waits until one more call may be made. Cancelling costs no call.
    pub async fn ready(&self) {
        let asked = Instant::now();
        let _turn = self.turn.lock().await;
        loop {
            let wait = lock(&self.pace).next();
            match wait {
                None => break,
                Some(wait) => tokio::time::sleep(wait).await,
            }
        }
        self.granted.fetch_add(1, Relaxed);
        self.waited.fetch_add(u64::try_from(asked.elapsed().as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    /// AWS answered that we are too fast: the rate is halved.
    pub fn throttled(&self) {
        self.throttled.fetch_add(1, Relaxed);
        lock(&self.pace).slow_down();
    }

    /// Calls a second at present.
    pub fn rate(&self) -> f64 {
        lock(&self.pace).rate
    }

    pub fn calls(&self) -> Calls {
        Calls {
            granted: self.granted.load(Relaxed),
            waited: self.waited.load(Relaxed),
            throttled: self.throttled.load(Relaxed),
        }
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>;

/// The rate at present, and the limiter that holds to it.
struct Pace {
    limiter: Limiter,
    rate: f64,
    /// Calls a second while nobody complains.
    full: f64,
    changed: Instant,
}

impl Pace {
    fn new(rate: f64) -> Pace {
        Pace { limiter: limiter(rate), rate, full: rate, changed: Instant::now() }
    }

    /// Takes a token, or tells how long to wait before asking again.
    fn next(&mut self) -> Option<Duration> {
        if self.rate < self.full && self.changed.elapsed() >= RAISE {
            self.set((self.rate + self.full / 10.0).min(self.full));
        }
        let refused = self.limiter.check().err()?;
        Some(refused.wait_time_from(self.limiter.clock().now()))
    }

    fn slow_down(&mut self) {
        if self.rate >= self.full || self.changed.elapsed() >= ONE_COMPLAINT {
            self.set((self.rate / 2.0).max(LEAST));
        }
    }

    fn limit(&mut self, rate: f64) {
        self.full = self.full.min(rate.max(LEAST));
        if self.rate > self.full {
            self.set(self.full);
        }
    }

    fn set(&mut self, rate: f64) {
        (self.rate, self.limiter, self.changed) = (rate, limiter(rate), Instant::now());
        // The first token of a fresh limiter is free, which would put two calls next to each other.
        let _: Result<(), _> = self.limiter.check();
    }
}

fn limiter(rate: f64) -> Limiter {
    let period = Duration::from_secs_f64(1.0 / rate);
    // `with_period` refuses a period of zero, which no rate has.
    let quota = Quota::with_period(period).unwrap_or(Quota::per_second(NonZeroU32::MIN));
    RateLimiter::direct_with_clock(quota, TokioClock { start: Instant::now() })
}

/// The runtime's clock, so that waiting and counting agree, in tests too.
#[derive(Clone)]
struct TokioClock {
    start: Instant,
}

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Every update is whole in itself, so that a lock poisoned by a panic elsewhere is still good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times at which `calls` calls of `workers` workers are let through.
    async fn grants(bucket: &Arc<Bucket>, workers: usize, calls: usize) -> Vec<Duration> {
        let start = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..workers {
            let bucket = Arc::clone(bucket);
            tasks.spawn(async move {
                let mut times = Vec::new();
                for _ in 0..calls / workers {
                    bucket.ready().await;
                    times.push(start.elapsed());
                }
                times
            });
        }
        let mut times: Vec<Duration> = tasks.join_all().await.into_iter().flatten().collect();
        times.sort();
        times
    }

    /// Most grants in any span of one second.
    fn most_in_a_second(times: &[Duration]) -> usize {
        let within =
            |from: &Duration| times.iter().filter(|t| *t >= from && **t < *from + Duration::from_secs(1)).count();
        times.iter().map(within).max().unwrap_or_default()
    }

    #[tokio::test(start_paused = true)]
    async fn no_second_holds_more_calls_than_the_rate_and_none_is_wasted() {
        for workers in [1, 20] {
            let bucket = Arc::new(Bucket::new(8.0));
            let times = grants(&bucket, workers, 200).await;
            assert_eq!((times.len(), most_in_a_second(&times)), (200, 8), "{workers} workers");
            assert!(times.last().is_some_and(|last| *last < Duration::from_secs(26)), "{times:?}");
            assert_eq!(bucket.calls().granted, 200);
            assert!(bucket.calls().waited > 20_000);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_complaint_halves_the_rate_and_quiet_raises_it_again() {
        let bucket = Arc::new(Bucket::new(10.0));
        // Ten calls were under way at the same rate.
        (0..10).for_each(|_| bucket.throttled());
        assert_eq!((bucket.rate(), bucket.calls().throttled), (5.0, 10));
        assert_eq!(most_in_a_second(&grants(&bucket, 4, 20).await), 5);
        bucket.throttled();
        assert_eq!(bucket.rate(), 2.5);
        (0..10).for_each(|_| bucket.throttled());
        assert_eq!(bucket.rate(), 2.5);
        for expected in [3.5, 4.5, 5.5] {
            tokio::time::sleep(RAISE).await;
            bucket.ready().await;
            assert_eq!(bucket.rate(), expected);
        }
        for _ in 0..20 {
            tokio::time::sleep(RAISE).await;
            bucket.ready().await;
        }
        assert_eq!(bucket.rate(), 10.0, "and no further");
        for _ in 0..20 {
            tokio::time::sleep(ONE_COMPLAINT).await;
            bucket.throttled();
        }
        assert_eq!(bucket.rate(), LEAST);
    }

    #[tokio::test(start_paused = true)]
    async fn who_names_the_same_shares_a_bucket() {
        let ours = Bucket::shared(Api::FilterLogEvents, "shared-test", "eu-west-1", 8.0);
        let also = Bucket::shared(Api::FilterLogEvents, "shared-test", "eu-west-1", 4.0);
        assert!(Arc::ptr_eq(&ours, &also));
        assert_eq!(ours.rate(), 4.0);
        for other in [
            Bucket::shared(Api::DescribeLogGroups, "shared-test", "eu-west-1", 8.0),
            Bucket::shared(Api::FilterLogEvents, "shared-test", "eu-west-2", 8.0),
            Bucket::shared(Api::FilterLogEvents, "shared-test-2", "eu-west-1", 8.0),
        ] {
            assert!(!Arc::ptr_eq(&ours, &other));
        }
    }

    #[test]
    fn quotas_are_those_of_the_region() {
        // CloudWatch Logs quotas, FilterLogEvents.
        for (region, expected) in [("us-east-1", 25.0), ("eu-central-1", 5.0), ("ca-west-1", 5.0), ("eu-west-1", 10.0)]
        {
            assert_eq!(Api::FilterLogEvents.quota(region), expected, "{region}");
            assert!(Api::FilterLogEvents.default_rate(region) < expected);
        }
        assert_eq!(Api::DescribeLogGroups.quota("us-east-1"), 10.0);
    }
}
