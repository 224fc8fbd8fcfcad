//! The width of a bar over time: the `auto` interval of Kibana's date histogram, for about 50 bars.
//!
//! Kibana picks from a fixed list the interval that lies nearest to a fiftieth of the range (its setting
//! `histogram:barTarget`). A single minute, hour, day, week, month or year follows the calendar, all else is a fixed
//! length. Left out: `histogram:maxBars`, which this list never exceeds by much.

/// Bars that Kibana aims at.
const BARS: i64 = 50;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;
const MONTH: i64 = 30 * DAY;
const YEAR: i64 = 365 * DAY;

/// An interval as a date histogram takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Key of the aggregation: `fixed_interval` or `calendar_interval`.
    pub key: &'static str,
    /// Such as `30m`.
    pub text: &'static str,
    /// Length in ms; of months and years about.
    pub ms: i64,
}

/// From which width of a bar on, in ms, the interval of the row above is too long.
const STEPS: [(i64, Interval); 16] = [
    (i64::MAX, calendar("1y", YEAR)),
    (YEAR, calendar("1M", MONTH)),
    (3 * WEEK, calendar("1w", WEEK)),
    (WEEK, calendar("1d", DAY)),
    (DAY, fixed("12h", 12 * HOUR)),
    (6 * HOUR, fixed("3h", 3 * HOUR)),
    (2 * HOUR, calendar("1h", HOUR)),
    (45 * MINUTE, fixed("30m", 30 * MINUTE)),
    (20 * MINUTE, fixed("10m", 10 * MINUTE)),
    (9 * MINUTE, fixed("5m", 5 * MINUTE)),
    (3 * MINUTE, calendar("1m", MINUTE)),
    (45 * SECOND, fixed("30s", 30 * SECOND)),
    (15 * SECOND, fixed("10s", 10 * SECOND)),
    (7500, fixed("5s", 5 * SECOND)),
    (5 * SECOND, fixed("1s", SECOND)),
    (500, fixed("100ms", 100)),
];

/// The interval for a range of `length` ms.
pub fn auto(length: i64) -> Interval {
    let bar = length / BARS;
    let fitting = STEPS.iter().rev().find(|(bound, _)| bar < *bound);
    fitting.map_or(STEPS[0].1, |(_, interval)| *interval)
}

const fn calendar(text: &'static str, ms: i64) -> Interval {
    Interval { key: "calendar_interval", text, ms }
}

const fn fixed(text: &'static str, ms: i64) -> Interval {
    Interval { key: "fixed_interval", text, ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Kibana shows below its charts for these ranges.
    #[test]
    fn the_usual_ranges_have_the_bars_of_kibana() {
        let cases = [
            (15 * MINUTE, "fixed_interval", "30s"),
            (HOUR, "calendar_interval", "1m"),
            (4 * HOUR, "fixed_interval", "5m"),
            (DAY, "fixed_interval", "30m"),
            // 20 minutes a bar, where the next interval begins.
            (1000 * MINUTE - 50, "fixed_interval", "10m"),
            (1000 * MINUTE, "fixed_interval", "30m"),
            (7 * DAY, "fixed_interval", "3h"),
            (30 * DAY, "fixed_interval", "12h"),
            (90 * DAY, "calendar_interval", "1d"),
            (YEAR, "calendar_interval", "1w"),
            (5 * YEAR, "calendar_interval", "1M"),
        ];
        for (length, key, text) in cases {
            let interval = auto(length);
            assert_eq!((interval.key, interval.text), (key, text), "{length}");
        }
    }

    #[test]
    fn any_length_has_an_interval() {
        assert_eq!(auto(0).text, "100ms");
        assert_eq!(auto(-1).text, "100ms");
        assert_eq!(auto(i64::MAX).text, "1y");
    }
}
