//! Pauses between tries: growing, bounded, and spread so that many waiters do not return at once.
//!
//! Knows no clock and counts nothing: the caller keeps the number of tries.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// How long to wait before the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    init: Duration,
    max: Duration,
}

impl Backoff {
    /// Pauses from about `init` to at most `max`; a smaller `max` counts as `init`.
    pub fn new(init: Duration, max: Duration) -> Backoff {
        Backoff { init, max: max.max(init) }
    }

    /// The pause after `failures` failures in a row (0 and 1 mean the first): doubled each time, and between half and
    /// all of that.
    pub fn pause(&self, failures: u32) -> Duration {
        self.spread(failures, random_share())
    }

    fn spread(&self, failures: u32, share: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(30);
        let full = self.init.saturating_mul(1 << doublings).min(self.max);
        full.mul_f64(0.5 + share / 2.0)
    }
}

/// A number from 0 to 1. The keys of the standard hasher are random, and nothing here needs a better source.
fn random_share() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 32;
    f64::from(u32::try_from(bits).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn doubles_up_to_the_maximum() {
        let backoff = Backoff::new(SECOND, Duration::from_secs(60));
        let seconds: Vec<u64> = (0..9).map(|n| backoff.spread(n, 1.0).as_secs()).collect();
        assert_eq!(seconds, [1, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff.spread(u32::MAX, 1.0), Duration::from_secs(60));
    }

    #[test]
    fn spreads_over_the_upper_half() {
        let backoff = Backoff::new(SECOND, Duration::from_secs(60));
        assert_eq!(backoff.spread(3, 0.0), Duration::from_secs(2));
        for _ in 0..100 {
            let pause = backoff.pause(3);
            assert!(pause >= Duration::from_secs(2) && pause <= Duration::from_secs(4));
        }
    }

    #[test]
    fn a_maximum_below_the_start_counts_as_the_start() {
        assert_eq!(Backoff::new(SECOND, Duration::ZERO).spread(9, 1.0), SECOND);
    }
}
