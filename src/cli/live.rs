//! The live line on a terminal: how far a run or a replay is, how fast, and how long it still takes where that is known.

use crate::app::ReplayProgress;
use crate::status::{Lasted, Summary, grouped};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::VecDeque;
use std::time::Instant;

/// Readings over which the rate is taken; four a second.
const READINGS: usize = 20;

/// A line that is redrawn; nothing when standard error is no terminal.
pub struct Live {
    bar: ProgressBar,
    rate: Rate,
}

impl Live {
    /// `wanted`: false keeps it silent, as when logs go to the terminal.
    pub fn new(wanted: bool) -> Live {
        let bar = if wanted { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        Live { bar, rate: Rate::default() }
    }

    pub fn show(&mut self, summary: &Summary) {
        let rate = self.rate.of(summary.records, Instant::now());
        let mut text = format!(
            "{} objects, {} records, {} records/s",
            grouped(summary.objects),
            grouped(summary.records),
            grouped(rate as u64)
        );
        let waiting: Vec<u64> = summary.inputs.iter().filter_map(|input| input.waiting).collect();
        if !waiting.is_empty() {
            text.push_str(&format!(", {} waiting", grouped(waiting.iter().sum())));
        }
        if summary.parked > 0 {
            text.push_str(&format!(", {} parked", grouped(summary.parked)));
        }
        self.say(text);
    }

    pub fn show_replay(&mut self, progress: &ReplayProgress) {
        let rate = self.rate.of(progress.tried, Instant::now());
        self.say(replay(progress, rate));
    }

    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }

    fn say(&self, text: String) {
        self.bar.set_message(text);
        self.bar.tick();
    }
}

fn replay(progress: &ReplayProgress, rate: f64) -> String {
    let ReplayProgress { letters, tried, stayed } = progress;
    let mut text = format!("{} of {} letters, {} letters/s", grouped(*tried), grouped(*letters), grouped(rate as u64));
    if rate > 0.0 {
        text.push_str(&format!(", {} left", Lasted(letters.saturating_sub(*tried) as f64 / rate)));
    }
    if *stayed > 0 {
        text.push_str(&format!(", {} stay", grouped(*stayed)));
    }
    text
}

/// How fast a number grows.
#[derive(Default)]
struct Rate(VecDeque<(Instant, u64)>);

impl Rate {
    /// Takes a reading; gives the growth a second over the last few.
    fn of(&mut self, number: u64, now: Instant) -> f64 {
        self.0.push_back((now, number));
        if self.0.len() > READINGS {
            self.0.pop_front();
        }
        match self.0.front() {
            Some((then, before)) if now > *then => number.saturating_sub(*before) as f64 / (now - *then).as_secs_f64(),
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_rate_is_that_of_the_last_readings() {
        let (mut rate, start) = (Rate::default(), Instant::now());
        assert_eq!(rate.of(100, start), 0.0, "one reading tells none");
        for second in 1..=40 {
            rate.of(100 + second * 10, start + Duration::from_secs(second));
        }
        assert_eq!(rate.of(1_470, start + Duration::from_secs(41)), (1_470.0 - 320.0) / 19.0);
    }

    #[test]
    fn a_replay_tells_how_long_it_still_takes() {
        let progress = |tried, stayed| ReplayProgress { letters: 5_000, tried, stayed };
        assert_eq!(replay(&progress(0, 0), 0.0), "0 of 5,000 letters, 0 letters/s");
        assert_eq!(replay(&progress(2_000, 3), 30.0), "2,000 of 5,000 letters, 30 letters/s, 1 min 40 s left, 3 stay");
    }
}
