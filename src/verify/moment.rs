//! Times as digests, keys of digests and people write them. Whole seconds, UTC.
//!
//! The AWS CLI reads times with a free-form parser and drops their offset; here the offset counts, unless its behaviour is
//! asked for.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

/// Seconds in the hour that a digest covers.
pub const HOUR: i64 = 3600;

/// What becomes of an offset such as `+05:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offsets {
    /// It counts.
    Convert,
    /// It is dropped, as by the AWS CLI: `09:00+05:00` is 09:00 UTC.
    Drop,
}

/// A time that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time; write it as `2026-03-01T09:00:00Z`")]
pub struct BadTime(pub String);

/// Reads `2026-03-01T09:00:00Z`, `2026-03-01 09:00`, `2026-03-01`, `20260301T090000Z` and their kin; without an offset it
/// is UTC, parts of a second are dropped.
///
/// # Errors
/// [`BadTime`].
pub fn parse(text: &str, offsets: Offsets) -> Result<Timestamp, BadTime> {
    read(text.trim(), offsets).ok_or_else(|| BadTime(text.to_owned()))
}

/// `2026-03-01T09:00:00Z`.
pub fn display(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `20260301T090000Z`, as in the keys of digests.
pub fn stamp(time: Timestamp) -> String {
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// `2026/03/01`, the folders of a day.
pub fn folders(time: Timestamp) -> String {
    time.strftime("%Y/%m/%d").to_string()
}

/// Moves a time by seconds; at the ends of time it stays.
pub fn plus(time: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_second(time.as_second().saturating_add(seconds)).unwrap_or(time)
}

/// The time in a file name, as `record::trail_key` gives it.
pub fn utc(time: DateTime) -> Option<Timestamp> {
    Offset::UTC.to_timestamp(time).ok()
}

fn read(text: &str, offsets: Offsets) -> Option<Timestamp> {
    if !text.is_ascii() {
        return None;
    }
    let (date, rest) = read_date(text)?;
    let rest = rest.strip_prefix(['T', 't']).unwrap_or(rest).trim_start();
    let (clock, offset) = split_offset(rest)?;
    let (hour, minute, second) = read_clock(clock)?;
    let time = date.at(hour, minute, second, 0);
    let seconds = match offsets {
        Offsets::Convert => offset,
        Offsets::Drop => 0,
    };
    utc(time).map(|time| plus(time, -seconds))
}

/// `2026-03-01`, `2026/03/01` or `20260301`, and what follows.
fn read_date(text: &str) -> Option<(Date, &str)> {
    let year = text.get(..4)?;
    let separator = text.get(4..5)?;
    let (month, day, rest) = if matches!(separator, "-" | "/") {
        if text.get(7..8)? != separator {
            return None;
        }
        (text.get(5..7)?, text.get(8..10)?, text.get(10..)?)
    } else {
        (text.get(4..6)?, text.get(6..8)?, text.get(8..)?)
    };
    let date = Date::new(number(year)?, number(month)?, number(day)?).ok()?;
    Some((date, rest))
}

/// The clock, and the offset in seconds.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(clock) = text.strip_suffix(['Z', 'z']).or_else(|| text.strip_suffix("UTC")) {
        return Some((clock.trim_end(), 0));
    }
    let Some(at) = text.rfind(['+', '-']) else { return Some((text, 0)) };
    let (clock, offset) = text.split_at(at);
    let digits = offset.get(1..)?.replace(':', "");
    let (hours, minutes) = match digits.len() {
        2 => (digits.as_str(), "0"),
        4 => digits.split_at(2),
        _ => return None,
    };
    let (hours, minutes): (i64, i64) = (number(hours)?, number(minutes)?);
    let seconds = hours * HOUR + minutes * 60;
    (hours < 24 && minutes < 60).then_some((clock.trim_end(), if offset.starts_with('-') { -seconds } else { seconds }))
}

/// `09:00:31.5`, `09:00`, `090031`, `0900` or nothing.
fn read_clock(text: &str) -> Option<(i8, i8, i8)> {
    if text.is_empty() {
        return Some((0, 0, 0));
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = whole.replace(':', "");
    let shaped = whole.len() == digits.len() || whole.split(':').all(|part| part.len() == 2);
    if !shaped || fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hour, minute, second) = match digits.len() {
        4 => (digits.get(..2)?, digits.get(2..)?, "0"),
        6 => (digits.get(..2)?, digits.get(2..4)?, digits.get(4..)?),
        _ => return None,
    };
    let (hour, minute, second) = (number(hour)?, number(minute)?, number(second)?);
    ((0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second))
        .then_some((hour, minute, second))
}

/// A number of nothing but digits (`parse` alone would take a sign).
fn number<N: std::str::FromStr>(text: &str) -> Option<N> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_forms_that_people_write() {
        for (text, expected) in [
            ("2026-03-01T09:00:31Z", "2026-03-01T09:00:31Z"),
            ("20260301T090031Z", "2026-03-01T09:00:31Z"),
            ("2026-03-01", "2026-03-01T00:00:00Z"),
            ("2026/03/01 09:00", "2026-03-01T09:00:00Z"),
            ("2026-03-01 09:00:31.999", "2026-03-01T09:00:31Z"),
            ("2026-03-01T09:00:00+05:00", "2026-03-01T04:00:00Z"),
            ("2026-03-01T09:00:00-0530", "2026-03-01T14:30:00Z"),
            ("2026-03-01T09:00:00 UTC", "2026-03-01T09:00:00Z"),
        ] {
            assert_eq!(display(parse(text, Offsets::Convert).unwrap()), expected, "{text}");
        }
        assert_eq!(display(parse("2026-03-01T09:00:00+05:00", Offsets::Drop).unwrap()), "2026-03-01T09:00:00Z");
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "1772355600",
            "2026-13-01",
            "2026-03-01T25:00:00Z",
            "yesterday",
            "2026-03-01T09:00:00+25:00",
            "2026-03-01T9",
        ] {
            assert_eq!(parse(text, Offsets::Convert), Err(BadTime(text.to_owned())), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            let _ = parse(&text, Offsets::Convert);
        }

        #[test]
        fn what_is_displayed_is_read_back(second in 0i64..4_000_000_000) {
            let time = Timestamp::from_second(second).unwrap();
            prop_assert_eq!(parse(&display(time), Offsets::Convert), Ok(time));
            prop_assert_eq!(parse(&stamp(time), Offsets::Convert), Ok(time));
        }
    }
}
