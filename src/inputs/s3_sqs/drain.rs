//! When a run with `--once` is over: nothing to receive, and nobody holds a message that may still return.
//!
//! A process that was killed leaves its messages hidden until their visibility ends; their return is waited for, since
//! a run that ends before would have shipped less than the queue held.

use super::keeper::Keeper;
use super::queue::Queue;
use crate::inputs::Progress;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Looks, after each empty receive, whether another can bring anything.
pub struct Drain {
    visibility: Duration,
    /// Empty receives in a row while the queue does not tell its state.
    empty: u32,
    /// When waiting for messages of others ends.
    until: Option<Instant>,
    said: bool,
}

/// Beyond the visibility: the queue's figures may be late.
const MARGIN: Duration = Duration::from_secs(15);
/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// Empty receives after which a queue that does not tell its state counts as drained.
const EMPTY: u32 = 2;

impl Drain {
    /// `visibility` is how long a killed process may have hidden its messages.
    pub fn new(visibility: Duration) -> Drain {
        Drain { visibility, empty: 0, until: None, said: false }
    }

    /// A receive brought something.
    pub fn begin_again(&mut self) {
        (self.empty, self.until) = (0, None);
    }

    /// After an empty receive: whether the queue is drained. Waits for what we hold ourselves, since it may come back.
    pub async fn is_over<Q: Queue>(
        &mut self,
        queue: &Q,
        keeper: &Keeper,
        progress: &Progress,
        ending: &CancellationToken,
    ) -> bool {
        if keeper.holdings().await.held > 0 {
            // Receiving goes on every now and then, for what arrives meanwhile.
            let _ = tokio::time::timeout(5 * PAUSE, or_end(keeper.idle(), ending)).await;
            self.begin_again();
        }
        let holdings = keeper.holdings().await;
        if holdings.held > 0 || ending.is_cancelled() {
            return false;
        }
        let now = Instant::now();
        let state = tokio::select! {
            state = queue.state() => state,
            () = ending.cancelled() => return false,
        };
        let waits = match state {
            Ok(state) => {
                progress.waiting.store(state.visible + state.delayed, Relaxed);
                let elsewhere = state.hidden.saturating_sub(holdings.left);
                if state.visible + state.delayed + elsewhere == 0 {
                    return true;
                }
                let until = *self.until.get_or_insert(now + self.visibility.max(state.visibility) + MARGIN);
                if now >= until && state.delayed == 0 {
                    tracing::warn!(
                        visible = state.visible,
                        hidden = elsewhere,
                        "the queue still counts messages that could not be received in time; they are left to the next run"
                    );
                    return true;
                }
                if elsewhere > 0 && !self.said {
                    self.said = true;
                    tracing::info!(
                        hidden = elsewhere,
                        "waiting for messages that were received and not deleted, by another or an earlier process or to be tried again; for {} s at most",
                        until.duration_since(now).as_secs()
                    );
                }
                PAUSE
            }
            Err(fault) => {
                self.empty += 1;
                if !self.said {
                    self.said = true;
                    tracing::warn!(
                        code = fault.code(),
                        "{fault}; the queue counts as drained after {EMPTY} empty receives; {}",
                        fault.advice()
                    );
                }
                match holdings.returning {
                    Some(returning) => returning.duration_since(now),
                    None if self.empty >= EMPTY => return true,
                    None => Duration::ZERO,
                }
            }
        };
        or_end(tokio::time::sleep(waits), ending).await;
        false
    }
}

async fn or_end(wait: impl Future<Output = ()>, ending: &CancellationToken) {
    tokio::select! {
        () = wait => {}
        () = ending.cancelled() => {}
    }
}
