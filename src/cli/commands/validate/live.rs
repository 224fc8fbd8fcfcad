//! The live line on a terminal: what is done, its rate, the time left.

use crate::status::grouped;
use crate::verify::run::Progress;
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

pub struct Live {
    bar: ProgressBar,
    started: Instant,
    scopes: usize,
}

impl Live {
    /// `wanted`: false keeps it silent.
    pub fn new(wanted: bool, scopes: usize) -> Live {
        let bar = if wanted { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        Live { bar, started: Instant::now(), scopes }
    }

    /// `done`: chains that are printed.
    pub fn show(&self, progress: &Progress, done: usize) {
        self.bar.set_message(line(progress, done, self.scopes, self.started.elapsed()));
        self.bar.tick();
    }

    pub fn clear(&self) {
        self.bar.set_message("");
        self.bar.finish_and_clear();
    }
}

fn line(progress: &Progress, done: usize, scopes: usize, elapsed: Duration) -> String {
    let read = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
    let (digests, logs, known) = (read(&progress.digests), read(&progress.logs_done), read(&progress.logs));
    let seconds = elapsed.as_secs_f64().max(0.001);
    let rate = (digests + logs) as f64 / seconds;
    let mib = read(&progress.bytes) as f64 / f64::from(1 << 20);
    let mut text = format!(
        "{}/{} accounts and regions, {} digests, {}/{} log files, {:.0} MiB, {} files/s",
        grouped(done as u64),
        grouped(scopes as u64),
        grouped(digests),
        grouped(logs),
        grouped(known),
        mib,
        grouped(rate as u64)
    );
    if logs > 0 && rate > 0.0 && known > logs {
        let here = (known - logs) as f64 / (logs as f64 / seconds);
        // What other scopes hold is not known yet; they are taken to be as large as those that are.
        let others =
            if done > 0 && scopes > done { elapsed.as_secs_f64() / done as f64 * (scopes - done) as f64 } else { 0.0 };
        text.push_str(&format!(", about {} s left", grouped(here.max(others).ceil() as u64)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_rate_and_time_left() {
        let progress = Progress::default();
        progress.digests.store(20, Ordering::Relaxed);
        progress.logs.store(1080, Ordering::Relaxed);
        progress.logs_done.store(80, Ordering::Relaxed);
        progress.bytes.store(3 << 20, Ordering::Relaxed);
        assert_eq!(
            line(&progress, 0, 1, Duration::from_secs(2)),
            "0/1 accounts and regions, 20 digests, 80/1,080 log files, 3 MiB, 50 files/s, about 25 s left"
        );
    }
}
