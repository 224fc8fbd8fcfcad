//! Numbers, times and lengths as people read them, in the manner of Kibana's defaults; times are UTC.

use crate::kibana::dashboards::model::Format;
use jiff::Timestamp;
use jiff::tz::TimeZone;

const SECOND: f64 = 1000.0;
const MINUTE: f64 = 60.0 * SECOND;
const HOUR: f64 = 60.0 * MINUTE;
const DAY: f64 = 24.0 * HOUR;

/// A number in its format. Dates and durations are in ms.
pub fn number(format: Format, value: f64) -> String {
    match format {
        Format::Number => grouped(value, 3),
        Format::Percent => format!("{}%", grouped(value * 100.0, 1)),
        Format::Bytes => {
            scaled(value, &[(1024.0 * 1024.0 * 1024.0, " GB"), (1024.0 * 1024.0, " MB"), (1024.0, " KB")], " B")
        }
        Format::Duration => scaled(value, &[(DAY, " d"), (HOUR, " h"), (MINUTE, " min"), (SECOND, " s")], " ms"),
        #[expect(clippy::cast_possible_truncation, reason = "a time in ms; what lies outside of it saturates")]
        Format::Date => date(value as i64),
    }
}

/// A text that is a time, in the form of [`number`]; other texts as they are.
pub fn text(format: Format, value: &str) -> String {
    match (format, value.parse::<Timestamp>()) {
        (Format::Date, Ok(time)) => date(time.as_millisecond()),
        _ => value.to_owned(),
    }
}

/// A time in ms since 1970 with seconds.
pub fn date(ms: i64) -> String {
    strftime(ms, "%Y-%m-%d %H:%M:%S")
}

/// A time below an axis whose bars are `interval` ms wide: no more of it than tells bars apart.
pub fn tick(ms: i64, interval: i64) -> String {
    const DAY: i64 = 86_400_000;
    let midnight = ms.rem_euclid(DAY) == 0;
    match interval {
        ..60_000 if !midnight => strftime(ms, "%H:%M:%S"),
        ..DAY if !midnight => strftime(ms, "%H:%M"),
        ..1_000_000_000 => strftime(ms, "%b %-d"),
        _ => strftime(ms, "%b %Y"),
    }
}

fn strftime(ms: i64, form: &str) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(time) => time.to_zoned(TimeZone::UTC).strftime(form).to_string(),
        Err(_) => ms.to_string(),
    }
}

fn scaled(value: f64, units: &[(f64, &str)], smallest: &str) -> String {
    let unit = units.iter().find(|(size, _)| value.abs() >= *size);
    let (size, name) = unit.copied().unwrap_or((1.0, smallest));
    format!("{}{name}", grouped(value / size, 1))
}

/// Digits in groups of three, at most so many decimals.
fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let mut shown = String::new();
    if value < 0.0 && text.bytes().any(|byte| matches!(byte, b'1'..=b'9')) {
        shown.push('-');
    }
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) && digit.is_ascii_digit() {
            shown.push(',');
        }
        shown.push(digit);
    }
    let rest = rest.trim_end_matches('0');
    if !rest.is_empty() {
        shown.push('.');
        shown.push_str(rest);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_in_their_format() {
        let cases = [
            (Format::Number, 0.0, "0"),
            (Format::Number, -0.0, "0"),
            (Format::Number, 999.0, "999"),
            (Format::Number, 2738.0, "2,738"),
            (Format::Number, -1_234_567.25, "-1,234,567.25"),
            (Format::Number, f64::INFINITY, "inf"),
            (Format::Percent, 0.1234, "12.3%"),
            (Format::Bytes, 1536.0, "1.5 KB"),
            (Format::Bytes, 12.0, "12 B"),
            (Format::Duration, 850.0, "850 ms"),
            (Format::Duration, 61_000.0, "1 min"),
            (Format::Duration, 9_000_000.0, "2.5 h"),
            (Format::Duration, -3_000.0, "-3 s"),
            (Format::Date, 1_772_488_828_000.0, "2026-03-02 22:00:28"),
        ];
        for (format, value, shown) in cases {
            assert_eq!(number(format, value), shown);
        }
        assert_eq!(text(Format::Date, "2026-03-02T22:00:28Z"), "2026-03-02 22:00:28");
        assert_eq!(text(Format::Date, "yesterday"), "yesterday");
        assert_eq!(date(i64::MAX), i64::MAX.to_string());
    }

    #[test]
    fn ticks_say_no_more_than_tells_bars_apart() {
        let evening = 1_772_488_800_000; // 2026-03-02T22:00:00Z
        let midnight = evening + 7_200_000;
        assert_eq!(tick(evening + 10_000, 10_000), "22:00:10");
        assert_eq!(tick(evening, 300_000), "22:00");
        assert_eq!(tick(midnight, 300_000), "Mar 3");
        assert_eq!(tick(midnight, 86_400_000), "Mar 3");
        assert_eq!(tick(midnight, 30 * 86_400_000), "Mar 2026");
    }
}
