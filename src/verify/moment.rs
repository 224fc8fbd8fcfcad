//! Times as digests, keys of digests and people write them. UTC; parts of a second count, but are never written.
//!
//! The AWS CLI reads times with a free-form parser and drops their offset; here the offset counts, unless its behaviour is
//! asked for.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

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

/// Reads `2026-03-01T09:00:00Z`, `2026-03-01 09:00`, `2026-03-01`, `20260301T090000Z` and their kin, and times with the name
/// of a month, as `date` and mail write them. Without an offset it is UTC. Whatever could be read in two ways is refused.
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
    time.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(time)
}

/// The time in a file name, as `record::trail_key` gives it.
pub fn utc(time: DateTime) -> Option<Timestamp> {
    Offset::UTC.to_timestamp(time).ok()
}

fn read(text: &str, offsets: Offsets) -> Option<Timestamp> {
    if !text.is_ascii() {
        return None;
    }
    let (date, clock, offset) = if text.starts_with(|first: char| first.is_ascii_digit()) {
        read_numbers(text).or_else(|| read_words(text))?
    } else {
        read_words(text)?
    };
    let time = utc(date.to_datetime(clock))?;
    Some(match offsets {
        Offsets::Convert => plus(time, -offset),
        Offsets::Drop => time,
    })
}

/// Date, clock, and offset in seconds of a time whose month is a number.
fn read_numbers(text: &str) -> Option<(Date, Time, i64)> {
    let (date, rest) = read_date(text)?;
    let rest = rest.strip_prefix(['T', 't']).unwrap_or(rest).trim_start();
    let (clock, offset) = split_offset(rest)?;
    Some((date, read_clock(clock)?, offset))
}

/// `2026-03-01`, `2026/03/01`, `2026-3-1` or `20260301`, and what follows.
fn read_date(text: &str) -> Option<(Date, &str)> {
    let year = text.get(..4)?;
    let separator = text.get(4..5)?.chars().next()?;
    let (month, day, rest) = if matches!(separator, '-' | '/') {
        let (month, rest) = text.get(5..)?.split_once(separator)?;
        let (day, rest) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
        (month, day, rest)
    } else {
        (text.get(4..6)?, text.get(6..8)?, text.get(8..)?)
    };
    if month.len() > 2 || day.len() > 2 {
        return None;
    }
    let date = Date::new(number(year)?, number(month)?, number(day)?).ok()?;
    Some((date, rest))
}

/// A time whose month is a word: `Sun, 01 Mar 2026 09:00:31 GMT`, `Sun Mar  1 09:00:31 UTC 2026`, `1 March 2026`.
fn read_words(text: &str) -> Option<(Date, Time, i64)> {
    let (mut year, mut month, mut day, mut clock, mut offset) = (None, None, None, None, None);
    for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
        let taken = if word.contains(':') && !word.starts_with(['+', '-']) {
            let (text, seconds) = split_offset(word)?;
            if text.len() != word.len() && offset.replace(seconds).is_some() {
                return None;
            }
            clock.replace(read_clock(text)?).is_some()
        } else if let Some(found) = place_of(word, &MONTHS) {
            month.replace(found).is_some()
        } else if place_of(word, &DAYS).is_some() {
            false
        } else if matches!(word, "Z" | "UTC" | "GMT") || word.starts_with(['+', '-']) {
            offset.replace(split_offset(word)?.1).is_some()
        } else if word.len() == 4 {
            year.replace(number(word)?).is_some()
        } else {
            word.len() > 2 || day.replace(number(word)?).is_some()
        };
        if taken {
            return None;
        }
    }
    let date = Date::new(year?, month?, day?).ok()?;
    Some((date, clock.unwrap_or(Time::midnight()), offset.unwrap_or(0)))
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Which of the names a word is, from 1 on: written out, or its first three letters.
fn place_of(word: &str, names: &[&str]) -> Option<i8> {
    let word = word.to_ascii_lowercase();
    let at = names.iter().position(|name| *name == word || name.get(..3) == Some(word.as_str()))?;
    i8::try_from(at + 1).ok()
}

/// The clock, and the offset in seconds.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    let named = text.strip_suffix(['Z', 'z']).or_else(|| text.strip_suffix("UTC"));
    if let Some(clock) = named.or_else(|| text.strip_suffix("GMT")) {
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

/// `09:00:31.5`, `9:00`, `09:00`, `090031`, `0900`, `09` or nothing.
fn read_clock(text: &str) -> Option<Time> {
    let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let parts: Vec<&str> = match whole.len() {
        0 if text.is_empty() => Vec::new(),
        _ if whole.contains(':') => whole.split(':').collect(),
        2 | 4 | 6 => whole.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap_or_default()).collect(),
        _ => return None,
    };
    if parts.len() > 3 || parts.iter().any(|part| part.len() > 2) || (text.len() > whole.len() && parts.len() < 3) {
        return None;
    }
    let part = |n: usize| parts.get(n).map_or(Some(0), |part| number(part));
    // Microseconds, as the AWS CLI counts.
    let fraction = fraction.get(..6).unwrap_or(fraction);
    let micros: i32 = number(fraction)?;
    let digits = u32::try_from(fraction.len()).ok()?;
    Time::new(part(0)?, part(1)?, part(2)?, micros * 10_i32.pow(9 - digits)).ok()
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
            ("2026-03-01T09", "2026-03-01T09:00:00Z"),
            ("2026-3-1 9:05", "2026-03-01T09:05:00Z"),
            ("2026-03-01T09:00:31,5Z", "2026-03-01T09:00:31Z"),
            ("Sun, 01 Mar 2026 09:00:31 GMT", "2026-03-01T09:00:31Z"),
            ("Sun Mar  1 09:00:31 UTC 2026", "2026-03-01T09:00:31Z"),
            ("Mar 1, 2026", "2026-03-01T00:00:00Z"),
            ("1 march 2026 09:00:31+05:00", "2026-03-01T04:00:31Z"),
            ("Sun, 1 Mar 2026 09:00:31 -0530", "2026-03-01T14:30:31Z"),
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
            "2026-03-01T09:00:60Z",
            "2026-03-01T24:00:00Z",
            "2026-02-29",
            "2026-060",
            "03/01/2026",
            "2026-03-01T09:00.5",
            "2026-03-01T09:00:00.",
            "1 Mar 2026 2 Apr",
            "Mar 2026",
            "1 Mar 2026 09:00Z +05:00",
        ] {
            assert_eq!(parse(text, Offsets::Convert), Err(BadTime(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn parts_of_a_second_count_and_are_not_written() {
        let at = |text| parse(text, Offsets::Convert).unwrap();
        assert!(at("2026-03-01T09:00:31.5Z") > at("2026-03-01T09:00:31.499999Z"));
        assert_eq!(at("2026-03-01T09:00:31.0000009Z"), at("2026-03-01T09:00:31Z"));
        let moved = plus(at("2026-03-01T09:00:31.5Z"), -HOUR);
        assert_eq!((display(moved).as_str(), moved), ("2026-03-01T08:00:31Z", at("2026-03-01T08:00:31.5Z")));
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
