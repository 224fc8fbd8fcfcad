//! The byte budget: memory that object chunks and bulks may hold at one time.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A number of bytes that is shared by all who hold data. Clones share it.
///
/// A charge larger than the whole budget takes the whole budget, so that one oversized piece waits until it is alone
/// instead of waiting for ever.
#[derive(Clone)]
pub struct Budget {
    free: Arc<Semaphore>,
    units: u32,
}

/// Bytes taken from a [`Budget`]; they return when this is dropped.
pub struct Charge {
    permit: OwnedSemaphorePermit,
}

/// Bytes in one permit: the semaphore counts in 32 bits.
const UNIT: usize = 1024;

impl Budget {
    /// A budget of `bytes` (rounded up to whole KiB, at least one).
    pub fn new(bytes: usize) -> Budget {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).max(1);
        Budget { free: Arc::new(Semaphore::new(units as usize)), units }
    }

    /// Waits until `bytes` are free and takes them. `None` only after the budget was closed, which nobody does while
    /// a run lasts.
    pub async fn charge(&self, bytes: usize) -> Option<Charge> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).clamp(1, self.units);
        let permit = Arc::clone(&self.free).acquire_many_owned(units).await.ok()?;
        Some(Charge { permit })
    }

    /// Takes `bytes` if they are free now; those for whom somebody waits are not.
    pub fn try_charge(&self, bytes: usize) -> Option<Charge> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
        let permit = Arc::clone(&self.free).try_acquire_many_owned(units).ok()?;
        Some(Charge { permit })
    }
}

impl Charge {
    /// Holds the bytes of `other` too, which must come from the same budget; from another one they return at once.
    pub fn add(&mut self, other: Charge) {
        if Arc::ptr_eq(self.permit.semaphore(), other.permit.semaphore()) {
            self.permit.merge(other.permit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_charge_waits_until_bytes_return() {
        let budget = Budget::new(10 * UNIT);
        let first = budget.charge(8 * UNIT).await;
        let mut second = tokio_test_poll(budget.charge(4 * UNIT));
        assert!(second.poll_once().is_none(), "only 2 KiB are free");
        drop(first);
        assert!(second.poll_once().is_some());
    }

    #[tokio::test]
    async fn an_oversized_charge_takes_all_instead_of_waiting_for_ever() {
        let budget = Budget::new(4 * UNIT);
        let all = budget.charge(100 * UNIT).await;
        assert!(all.is_some());
        assert_eq!(budget.free.available_permits(), 0);
        drop(all);
        assert_eq!(budget.free.available_permits(), 4);
    }

    /// Polls a future by hand, so that "it waits" is seen without a clock.
    struct Polled<F>(std::pin::Pin<Box<F>>);

    fn tokio_test_poll<F: Future>(future: F) -> Polled<F> {
        Polled(Box::pin(future))
    }

    impl<F: Future> Polled<F> {
        fn poll_once(&mut self) -> Option<F::Output> {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            match self.0.as_mut().poll(&mut context) {
                std::task::Poll::Ready(value) => Some(value),
                std::task::Poll::Pending => None,
            }
        }
    }
}
