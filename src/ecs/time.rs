//! Times: what Elasticsearch reads as ISO 8601, and the two forms that a document has them in (ECS mapping 4).
//!
//! Own code, because it runs for every record and must agree with Elasticsearch on what is no time.

use std::time::{SystemTime, UNIX_EPOCH};

/// A point in time, exact to the nanosecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z, rounded down.
    seconds: i64,
    nanos: u32,
}

impl Timestamp {
    /// The system clock's time.
    pub fn now() -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp { seconds: since.as_secs() as i64, nanos: since.subsec_nanos() }
    }

    /// The time `nanoseconds` after 1970-01-01T00:00:00Z.
    pub fn from_unix_nanos(nanoseconds: i64) -> Timestamp {
        Timestamp {
            seconds: nanoseconds.div_euclid(1_000_000_000),
            nanos: nanoseconds.rem_euclid(1_000_000_000) as u32,
        }
    }

    /// The time `milliseconds` after 1970-01-01T00:00:00Z.
    pub fn from_unix_millis(milliseconds: i64) -> Timestamp {
        Timestamp { seconds: milliseconds.div_euclid(1000), nanos: milliseconds.rem_euclid(1000) as u32 * 1_000_000 }
    }

    /// Seconds since 1970-01-01T00:00:00Z, rounded down.
    pub fn unix_seconds(self) -> i64 {
        self.seconds
    }

    /// Milliseconds since 1970-01-01T00:00:00Z, rounded down.
    pub fn unix_millis(self) -> i64 {
        self.seconds * 1000 + i64::from(self.nanos / 1_000_000)
    }

    /// Reads `YYYY[-MM[-DD[T[hh[:mm[:ss[.f]]]][offset]]]]` (ECS mapping 4, 16): up to nine digits of fraction behind
    /// a point or comma; `Z`, `+hh`, `+hhmm`, `+hh:mm` and the like as offset, none means UTC. Letters are upper
    /// case.
    pub fn parse(text: &str) -> Option<Timestamp> {
        let mut reader = Reader { bytes: text.as_bytes(), at: 0 };
        let time = reader.iso()?;
        (reader.at == text.len()).then_some(time)
    }

    /// Like [`Timestamp::parse`], and the basic forms `20131102T010628Z` and `20131102T010628.123Z` of `creationDate`.
    pub fn parse_creation_date(text: &str) -> Option<Timestamp> {
        Timestamp::parse(text).or_else(|| {
            let mut reader = Reader { bytes: text.as_bytes(), at: 0 };
            let time = reader.basic()?;
            (reader.at == text.len()).then_some(time)
        })
    }

    /// Appends `yyyy-MM-ddTHH:mm:ss.SSSZ`, the form of every time that is read from a record; finer digits are cut off.
    pub fn write_millis(self, out: &mut Vec<u8>) {
        self.write_seconds(out);
        write_fraction(out, self.nanos / 1_000_000, 3);
        out.push(b'Z');
    }

    /// Appends the time with three, six or nine digits of fraction, as many as it needs.
    pub fn write_full(self, out: &mut Vec<u8>) {
        self.write_seconds(out);
        match self.nanos {
            n if n % 1_000_000 == 0 => write_fraction(out, n / 1_000_000, 3),
            n if n % 1_000 == 0 => write_fraction(out, n / 1_000, 6),
            n => write_fraction(out, n, 9),
        }
        out.push(b'Z');
    }

    fn write_seconds(self, out: &mut Vec<u8>) {
        let (year, month, day) = civil(self.seconds.div_euclid(86_400));
        let second = self.seconds.rem_euclid(86_400) as u32;
        if year < 0 {
            out.push(b'-');
        }
        write_padded(out, year.unsigned_abs(), 4);
        for (mark, number) in
            [(b'-', month), (b'-', day), (b'T', second / 3600), (b':', second / 60 % 60), (b':', second % 60)]
        {
            out.push(mark);
            out.extend_from_slice(&[b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]);
        }
    }
}

fn write_fraction(out: &mut Vec<u8>, number: u32, digits: usize) {
    out.push(b'.');
    write_padded(out, u64::from(number), digits);
}

fn write_padded(out: &mut Vec<u8>, number: u64, width: usize) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(number);
    out.extend(std::iter::repeat_n(b'0', width.saturating_sub(digits.len())));
    out.extend_from_slice(digits.as_bytes());
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn iso(&mut self) -> Option<Timestamp> {
        let year = self.number(4)?;
        let month = self.part(b'-', 2)?.unwrap_or(1);
        let day = if self.at == 7 { self.part(b'-', 2)?.unwrap_or(1) } else { 1 };
        let days = days(i64::from(year), month, day)?;
        let (mut clock, mut nanos, mut offset) = (0, 0, 0);
        // Elasticsearch reads a date with a bare `T` behind it.
        if self.at == 10 && self.take(b'T') && self.at < self.bytes.len() {
            (clock, nanos) = self.clock()?;
            if self.at < self.bytes.len() {
                offset = self.offset()?;
            }
        }
        Some(Timestamp { seconds: days * 86_400 + i64::from(clock) - offset, nanos })
    }

    /// Hours, then as many of minutes, seconds and fraction as there are.
    fn clock(&mut self) -> Option<(u32, u32)> {
        let hour = self.number(2).filter(|&n| n < 24)?;
        let Some(minute) = self.part(b':', 2)? else { return Some((hour * 3600, 0)) };
        let second = self.part(b':', 2)?;
        let nanos = match second {
            Some(_) if self.take(b'.') || self.take(b',') => self.fraction()?,
            _ => 0,
        };
        let second = second.unwrap_or(0);
        (minute < 60 && second < 60).then_some((hour * 3600 + minute * 60 + second, nanos))
    }

    fn fraction(&mut self) -> Option<u32> {
        let (mut nanos, start) = (0, self.at);
        while self.at < start + 9
            && let Some(digit) = self.digit()
        {
            nanos = nanos * 10 + digit;
        }
        let digits = self.at - start;
        (digits > 0).then(|| nanos * 10u32.pow(9 - digits as u32))
    }

    /// Seconds east of Greenwich.
    fn offset(&mut self) -> Option<i64> {
        let rest = self.bytes.get(self.at..)?;
        if let b"Z" | b"UTC" | b"GMT" | b"UT" = rest {
            self.at = self.bytes.len();
            return Some(0);
        }
        let sign = if self.take(b'+') {
            1
        } else if self.take(b'-') {
            -1
        } else {
            return None;
        };
        let mut seconds = self.number(2)? * 3600;
        let colon = self.take(b':');
        if colon || self.at < self.bytes.len() {
            seconds += self.number(2).filter(|&n| n < 60)? * 60;
        }
        if self.at < self.bytes.len() {
            if colon && !self.take(b':') {
                return None;
            }
            seconds += self.number(2).filter(|&n| n < 60)?;
        }
        (seconds <= 18 * 3600).then_some(sign * i64::from(seconds))
    }

    fn basic(&mut self) -> Option<Timestamp> {
        let (year, month, day) = (self.number(4)?, self.number(2)?, self.number(2)?);
        let days = days(i64::from(year), month, day)?;
        if !self.take(b'T') {
            return None;
        }
        let (hour, minute, second) = (self.number(2)?, self.number(2)?, self.number(2)?);
        let millis = if self.take(b'.') { self.number(3)? } else { 0 };
        if hour > 23 || minute > 59 || second > 59 || !self.take(b'Z') {
            return None;
        }
        Some(Timestamp {
            seconds: days * 86_400 + i64::from(hour * 3600 + minute * 60 + second),
            nanos: millis * 1_000_000,
        })
    }

    /// `mark` and a number of `digits` digits; `Some(None)` if the mark is not there.
    fn part(&mut self, mark: u8, digits: usize) -> Option<Option<u32>> {
        if self.take(mark) { self.number(digits).map(Some) } else { Some(None) }
    }

    fn number(&mut self, digits: usize) -> Option<u32> {
        let mut number = 0;
        for _ in 0..digits {
            number = number * 10 + self.digit()?;
        }
        Some(number)
    }

    fn digit(&mut self) -> Option<u32> {
        let digit = self.bytes.get(self.at).filter(|b| b.is_ascii_digit())?;
        self.at += 1;
        Some(u32::from(digit - b'0'))
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.bytes.get(self.at) == Some(&byte);
        self.at += usize::from(there);
        there
    }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar; none for a date that does not exist.
fn days(year: i64, month: u32, day: u32) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        1..=12 => 31,
        _ => return None,
    };
    if day == 0 || day > length {
        return None;
    }
    // Years that start in March put the leap day at their end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = i64::from((153 * month + 2) / 5 + day - 1);
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// The reverse of [`days`].
fn civil(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = (of_era - (365 * year + year / 4 - year / 100)) as u32;
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year + era * 400 + next, month, day)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn millis(time: Timestamp) -> String {
        let mut out = Vec::new();
        time.write_millis(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_that_elasticsearch_reads() {
        for (text, expected) in [
            ("2026-11-02T01:06:28Z", "2026-11-02T01:06:28.000Z"),
            ("2026-11-02T01:06:28", "2026-11-02T01:06:28.000Z"),
            ("2026-11-02T01:06:28.123456789Z", "2026-11-02T01:06:28.123Z"),
            ("2026-11-02T01:06:28,9999Z", "2026-11-02T01:06:28.999Z"),
            ("2026-11-02T01:06:28.5+02:00", "2026-11-01T23:06:28.500Z"),
            ("2026-11-02T01:06:28+0200", "2026-11-01T23:06:28.000Z"),
            ("2026-11-02T01:06:28-02", "2026-11-02T03:06:28.000Z"),
            ("2026-11-02T01:06+02:30:15", "2026-11-01T22:35:45.000Z"),
            ("2026-11-02T01Z", "2026-11-02T01:00:00.000Z"),
            ("2026-11-02T01", "2026-11-02T01:00:00.000Z"),
            ("2026-11-02", "2026-11-02T00:00:00.000Z"),
            ("2026-02", "2026-02-01T00:00:00.000Z"),
            ("2026", "2026-01-01T00:00:00.000Z"),
            ("2024-02-29T23:59:59.999Z", "2024-02-29T23:59:59.999Z"),
            ("1969-12-31T23:59:59.001Z", "1969-12-31T23:59:59.001Z"),
            ("0000-03-01T00:00:00Z", "0000-03-01T00:00:00.000Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(Timestamp::parse(text).map(millis).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn texts_that_are_no_time() {
        for text in [
            "",
            "-",
            "none",
            "now",
            "202",
            "2026-",
            "2026-1",
            "2026-13",
            "2026-00-01",
            "2026-02-30",
            "2025-02-29",
            "2026-11-02t01:06:28Z",
            "2026-11-02T01:06:28z",
            "2026-11-02T01:06:60Z",
            "2026-11-02T24:00:00Z",
            "2026-11-02T01:60:00Z",
            "2026-11-02T01:06:28.Z",
            "2026-11-02T01:06:28.1234567890Z",
            "2026-11-02T01:06:28 Z",
            "2026-11-02 01:06:28Z",
            "2026-11-02T01:06:28ZZ",
            "2026-11-02Z",
            "2026-11-02T01:06:28+2",
            "2026-11-02T01:06:28+02:0",
            "2026-11-02T01:06:28+19:00",
            "2026-11-02T1:06:28Z",
            "20131102T010628Z",
            "1700000000000",
            "2026.5",
            "+2026-11-02",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn creation_dates_have_two_more_forms() {
        for (text, expected) in [
            ("20131102T010628Z", Some("2013-11-02T01:06:28.000Z")),
            ("20131102T010628.123Z", Some("2013-11-02T01:06:28.123Z")),
            ("2013-11-02T01:06:28Z", Some("2013-11-02T01:06:28.000Z")),
            ("20131102T010628", None),
            ("20131102T010628.12Z", None),
            ("20131302T010628Z", None),
            ("20131102T250628Z", None),
        ] {
            assert_eq!(Timestamp::parse_creation_date(text).map(millis).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_time_of_reading_keeps_its_nanoseconds() {
        for (nanos, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_700_000_000_120_000_000, "2023-11-14T22:13:20.120Z"),
            (1_700_000_000_000_001_000, "2023-11-14T22:13:20.000001Z"),
            (1_700_000_000_123_456_789, "2023-11-14T22:13:20.123456789Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
        ] {
            let mut out = Vec::new();
            Timestamp::from_unix_nanos(nanos).write_full(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn every_day_of_four_centuries_comes_back() {
        for day in -146_097..146_097 {
            let (year, month, of_month) = civil(day);
            assert_eq!(days(year, month, of_month), Some(day));
        }
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(20_759), (2026, 11, 2));
    }
}
