//! The live line on a terminal: objects, records, rate, what waits.

use crate::status::{Summary, grouped};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::VecDeque;
use std::time::Instant;

/// Readings over which the rate is taken; four a second.
const READINGS: usize = 20;

/// A line that is redrawn; nothing when standard error is no terminal.
pub struct Live {
    bar: ProgressBar,
    readings: VecDeque<(Instant, u64)>,
}

impl Live {
    /// `wanted`: false keeps it silent, as when logs go to the terminal.
    pub fn new(wanted: bool) -> Live {
        let bar = if wanted { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        Live { bar, readings: VecDeque::new() }
    }

    pub fn show(&mut self, summary: &Summary) {
        let now = Instant::now();
        self.readings.push_back((now, summary.records));
        if self.readings.len() > READINGS {
            self.readings.pop_front();
        }
        let rate = match self.readings.front() {
            Some((then, records)) if now > *then => (summary.records - records) as f64 / (now - *then).as_secs_f64(),
            _ => 0.0,
        };
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
        self.bar.set_message(text);
        self.bar.tick();
    }

    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
