//! How far a group is read, and which span of time is read next. Times are ms since 1970; pure.
//!
//! A window is `[cursor - overlap, now - latency]`. Events may arrive late, so the time behind the cursor is read again
//! until it is `overlap` older than a window's end was when it was read; it is *closed* then. A backlog, which is older
//! than that, is therefore read once.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A span of time, both ends included, as FilterLogEvents has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub start: i64,
    pub end: i64,
}

/// How far a group is read; what is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Every event up to here that was there when it was read has an outcome.
    pub cursor: i64,
    /// Up to here nothing is looked for again.
    pub closed: i64,
}

/// The spans of the configuration, in ms.
#[derive(Debug, Clone, Copy)]
pub struct Spans {
    pub latency: i64,
    pub overlap: i64,
}

/// A group's way through time.
#[derive(Debug)]
pub struct Reach {
    mark: Mark,
    spans: Spans,
    /// Longest way beyond the cursor, after windows that held too much.
    stride: Option<i64>,
}

impl Mark {
    /// Before all events.
    pub const BEGINNING: Mark = Mark { cursor: -1, closed: -1 };

    /// Nothing up to `time` is read.
    pub fn at(time: i64) -> Mark {
        Mark { cursor: time, closed: time }
    }
}

impl Spans {
    pub fn new(latency: Duration, overlap: Duration) -> Spans {
        Spans { latency: millis(latency), overlap: millis(overlap) }
    }

    /// Where windows end that are read at `now`.
    pub fn end(self, now: i64) -> i64 {
        now.saturating_sub(self.latency)
    }
}

impl Reach {
    pub fn new(mark: Mark, spans: Spans) -> Reach {
        Reach { mark, spans, stride: None }
    }

    pub fn mark(&self) -> Mark {
        self.mark
    }

    /// What to read at `now`; `None` while there is nothing beyond the cursor.
    pub fn window(&self, now: i64) -> Option<Window> {
        let Mark { cursor, closed } = self.mark;
        let start = cursor.saturating_sub(self.spans.overlap).max(closed).saturating_add(1).max(0);
        let end = self.spans.end(now);
        let stride = self.stride.map_or(end, |stride| cursor.saturating_add(stride));
        (end > cursor).then_some(Window { start, end: end.min(stride) })
    }

    /// Everything up to `cursor` has an outcome, in a window that was planned at `planned`.
    pub fn reached(&mut self, cursor: i64, planned: i64) {
        self.mark.cursor = self.mark.cursor.max(cursor);
        let final_by_then = self.spans.end(planned).saturating_sub(self.spans.overlap);
        self.mark.closed = self.mark.closed.max(self.mark.cursor.min(final_by_then));
    }

    /// `window` held too much, and nothing of it could be told to be whole: the next is half as long.
    pub fn halve(&mut self, window: Window) {
        self.stride = Some((window.end.saturating_sub(self.mark.cursor) / 2).max(1));
    }

    /// A window was read to its end: the next may be twice as long.
    pub fn double(&mut self) {
        self.stride = self.stride.and_then(|stride| stride.checked_mul(2));
    }
}

/// A time in ms.
pub fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: i64 = 60_000;
    const SPANS: Spans = Spans { latency: 5 * MINUTE, overlap: 15 * MINUTE };
    /// 2026-11-20T10:00:00Z
    const NOW: i64 = 1_795_168_800_000;

    #[test]
    fn a_window_goes_from_the_overlap_to_the_latency() {
        let mut reach = Reach::new(Mark::BEGINNING, SPANS);
        let first = reach.window(NOW).unwrap();
        assert_eq!(first, Window { start: 0, end: NOW - 5 * MINUTE });
        reach.reached(first.end, NOW);
        assert_eq!(reach.window(NOW), None, "all is read");
        let second = reach.window(NOW + MINUTE).unwrap();
        assert_eq!(second, Window { start: NOW - 20 * MINUTE + 1, end: NOW - 4 * MINUTE });
    }

    #[test]
    fn a_backlog_is_not_read_again() {
        let mut reach = Reach::new(Mark::BEGINNING, SPANS);
        let old = NOW - 1000 * MINUTE;
        reach.reached(old, NOW);
        assert_eq!(reach.window(NOW).unwrap().start, old + 1);
        // Within the overlap of the window's end it is.
        reach.reached(NOW - 10 * MINUTE, NOW);
        assert_eq!(reach.window(NOW).unwrap().start, NOW - 20 * MINUTE + 1);
    }

    #[test]
    fn nothing_before_the_start_is_read() {
        let reach = Reach::new(Mark::at(NOW - 6 * MINUTE), SPANS);
        assert_eq!(reach.window(NOW), Some(Window { start: NOW - 6 * MINUTE + 1, end: NOW - 5 * MINUTE }));
    }

    #[test]
    fn a_window_that_held_too_much_is_halved_and_grows_again() {
        let mut reach = Reach::new(Mark::at(1000), Spans { latency: 0, overlap: 100 });
        let mut window = reach.window(9000).unwrap();
        for expected in [5000, 3000, 2000] {
            reach.halve(window);
            window = reach.window(9000).unwrap();
            assert_eq!(window.end, expected);
        }
        reach.reached(2000, 9000);
        reach.double();
        assert_eq!(reach.window(9000).unwrap().end, 4000);
        for _ in 0..80 {
            reach.double();
        }
        assert_eq!(reach.window(9000).unwrap().end, 9000);
        reach.halve(Window { start: 0, end: 2001 });
        assert_eq!(reach.window(9000).unwrap().end, 2001, "never shorter than the least that can be read");
    }

    proptest! {
        /// An event that arrives at most `latency + overlap` after its time is in a window that is read after its arrival.
        #[test]
        fn late_events_are_found(
            event in 0i64..500, late in 0i64..=80, scans in prop::collection::vec((1i64..60, 0.0f64..=1.0), 1..60),
        ) {
            let spans = Spans { latency: 30, overlap: 50 };
            let (mut reach, mut now, mut found) = (Reach::new(Mark::BEGINNING, spans), 0, false);
            for (pause, part) in scans {
                now += pause;
                let Some(window) = reach.window(now) else { continue };
                prop_assert!(window.start <= reach.mark().cursor + 1 && window.start <= window.end);
                // Some windows are cut short.
                let length = (window.end - reach.mark().cursor) as f64;
                let end = reach.mark().cursor + ((length * part) as i64).max(1);
                found |= (window.start..=end).contains(&event) && now >= event + late;
                reach.reached(end, now);
            }
            prop_assert!(found || reach.mark().closed < event, "closed {} over an event at {event}, {late} late", reach.mark().closed);
        }
    }
}
