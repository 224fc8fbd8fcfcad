//! A length of time as Beats writes it: `300s`, `1m30s`, `500ms`, or a bare number of seconds.
//!
//! Follows Go's duration grammar (units `ns`, `us`, `ms`, `s`, `m`, `h`, fractions, several parts
//! in a row), plus `d` for a day. Leaves out negative lengths: no setting means anything by one.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Malformed, deserialize_text};

/// A length of time with a resolution of one nanosecond, at most about 292 years (as in Go).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(Duration);

const NANOS_PER_SECOND: u128 = 1_000_000_000;
const LONGEST_NANOS: u128 = i64::MAX as u128;
const HINT: &str = "write a number with a unit, such as `300s`, `1m30s`, `500ms` or `2h`; a bare number counts seconds";

/// Units by text with their nanoseconds; both signs for micro are in use.
const UNITS: [(&str, u128); 9] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", NANOS_PER_SECOND),
    ("m", 60 * NANOS_PER_SECOND),
    ("h", 3_600 * NANOS_PER_SECOND),
    ("d", 86_400 * NANOS_PER_SECOND),
];

/// Units of the canonical text, the largest first.
const CANONICAL_UNITS: [(&str, u128); 6] = [
    ("h", 3_600 * NANOS_PER_SECOND),
    ("m", 60 * NANOS_PER_SECOND),
    ("s", NANOS_PER_SECOND),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

impl Period {
    /// The empty length.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// A length in whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// A length in milliseconds.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(Duration::from_millis(milliseconds))
    }

    /// The same as a standard duration.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl Deref for Period {
    type Target = Duration;

    fn deref(&self) -> &Duration {
        &self.0
    }
}

impl From<Duration> for Period {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl From<Period> for Duration {
    fn from(period: Period) -> Self {
        period.0
    }
}

impl FromStr for Period {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed::new(format!("`{text}` is not a duration"), HINT);
        let trimmed = text.trim();
        if trimmed.starts_with('-') {
            return Err(Malformed::new(format!("`{text}` is negative, which a duration cannot be"), HINT));
        }
        let mut rest = trimmed.strip_prefix('+').unwrap_or(trimmed);
        if rest.is_empty() {
            return Err(malformed());
        }
        let bare_number = rest.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let mut nanos: u128 = 0;
        while !rest.is_empty() {
            let (number, after) = split_where(rest, |c| !c.is_ascii_digit() && c != '.');
            let (unit, after) = split_where(after, |c| c.is_ascii_digit() || c == '.');
            let unit = if bare_number { "s" } else { unit };
            let unit_nanos =
                UNITS.iter().find_map(|(name, nanos)| (*name == unit).then_some(*nanos)).ok_or_else(malformed)?;
            nanos = scaled(number, unit_nanos).ok_or_else(malformed)?.saturating_add(nanos);
            rest = after;
        }
        if nanos > LONGEST_NANOS {
            return Err(Malformed::new(format!("`{text}` is too long a duration"), "the longest is about 292 years"));
        }
        let seconds = u64::try_from(nanos / NANOS_PER_SECOND).map_err(|_| malformed())?;
        let below = u32::try_from(nanos % NANOS_PER_SECOND).map_err(|_| malformed())?;
        Ok(Self(Duration::new(seconds, below)))
    }
}

fn split_where(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

/// `number` times `unit`, cut to whole nanoseconds; saturates instead of overflowing.
fn scaled(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let mut total: u128 = 0;
    for digit in whole.bytes() {
        total = total.saturating_mul(10).saturating_add(u128::from(digit - b'0'));
    }
    total = total.saturating_mul(unit);
    let mut place = unit;
    // No unit has more than 14 decimal places of nanoseconds; what follows cannot count.
    for digit in fraction.bytes().take(14) {
        total = total.saturating_add(u128::from(digit - b'0').saturating_mul(place) / 10);
        place /= 10;
    }
    Some(total)
}

impl fmt::Display for Period {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut nanos = self.0.as_nanos();
        if nanos == 0 {
            return formatter.write_str("0s");
        }
        for (unit, unit_nanos) in CANONICAL_UNITS {
            let count = nanos / unit_nanos;
            nanos %= unit_nanos;
            if count > 0 {
                write!(formatter, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Period {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer, "a duration such as `300s`")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn period(text: &str) -> Duration {
        text.parse::<Period>().unwrap().get()
    }

    #[test]
    fn reads_what_beats_reads() {
        assert_eq!(period("300s"), Duration::from_secs(300));
        assert_eq!(period("1m30s"), Duration::from_secs(90));
        assert_eq!(period("500ms"), Duration::from_millis(500));
        assert_eq!(period("1.5h"), Duration::from_secs(5_400));
        assert_eq!(period(".5s"), Duration::from_millis(500));
        assert_eq!(period("2us"), Duration::from_micros(2));
        assert_eq!(period("2µs"), Duration::from_micros(2));
        assert_eq!(period("7ns"), Duration::from_nanos(7));
        assert_eq!(period("0"), Duration::ZERO);
        assert_eq!(period("120"), Duration::from_secs(120));
        assert_eq!(period("0.25"), Duration::from_millis(250));
        assert_eq!(period("+20s"), Duration::from_secs(20));
        assert_eq!(period(" 20s "), Duration::from_secs(20));
        assert_eq!(period("1d"), Duration::from_secs(86_400));
        assert_eq!(period("1.000000001s"), Duration::new(1, 1));
    }

    #[test]
    fn refuses_what_is_no_duration() {
        for text in ["", " ", "s", "5 m", "5x", "1m30", "1.2.3s", ".", "1e3s", "5M", "s5", "٣s"] {
            let fault = text.parse::<Period>().unwrap_err();
            assert_eq!(fault.message(), format!("`{text}` is not a duration"));
        }
        let fault = "-5s".parse::<Period>().unwrap_err();
        assert_eq!(fault.message(), "`-5s` is negative, which a duration cannot be");
        let fault = "999999999999h".parse::<Period>().unwrap_err();
        assert_eq!(fault.message(), "`999999999999h` is too long a duration");
    }

    #[test]
    fn writes_the_largest_units_first() {
        assert_eq!(Period::from_secs(300).to_string(), "5m");
        assert_eq!(Period::from_secs(90).to_string(), "1m30s");
        assert_eq!(Period::from_millis(1_500).to_string(), "1s500ms");
        assert_eq!(Period::ZERO.to_string(), "0s");
        assert_eq!(serde_json::to_string(&Period::from_secs(20)).unwrap(), "\"20s\"");
    }

    proptest! {
        #[test]
        fn its_text_reads_back(nanos in 0..i64::MAX.cast_unsigned()) {
            let written = Period(Duration::from_nanos(nanos));
            prop_assert_eq!(written.to_string().parse::<Period>().unwrap(), written);
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<Period>();
        }
    }
}
