//! A number of bytes as Beats writes it: `10MiB`, `10mb`, `1048576`.
//!
//! As in Beats, `kb`, `mb` and `gb` count in thousands while `KiB`, `MiB` and `GiB` count in 1,024s;
//! case does not matter and `10m` is `10mb`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Malformed, deserialize_text};

/// A number of bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

const HINT: &str = "write a number of bytes, with a unit if you like, such as `10MiB`, `10MB` or `1048576`";

/// Units in lower case with their bytes; those of one size stand together, the canonical one first.
const UNITS: [(&str, &[&str], u64); 9] = [
    ("TiB", &["tib", "ti"], 1 << 40),
    ("TB", &["tb", "t"], 1_000_000_000_000),
    ("GiB", &["gib", "gi"], 1 << 30),
    ("GB", &["gb", "g"], 1_000_000_000),
    ("MiB", &["mib", "mi"], 1 << 20),
    ("MB", &["mb", "m"], 1_000_000),
    ("KiB", &["kib", "ki"], 1 << 10),
    ("KB", &["kb", "k"], 1_000),
    ("", &["", "b"], 1),
];

impl ByteSize {
    /// A size in bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// A size in KiB (1,024 bytes).
    pub const fn from_kib(kib: u64) -> Self {
        Self(kib << 10)
    }

    /// A size in MiB (1,048,576 bytes).
    pub const fn from_mib(mib: u64) -> Self {
        Self(mib << 20)
    }

    /// The size in bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The size in bytes as a length in memory; the largest possible one if it does not fit.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteSize {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed::new(format!("`{text}` is not a size in bytes"), HINT);
        let trimmed = text.trim();
        if trimmed.starts_with('-') {
            return Err(Malformed::new(format!("`{text}` is negative, which a size cannot be"), HINT));
        }
        let number_end = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(number_end);
        let unit = unit.trim_start().to_ascii_lowercase();
        let scale = UNITS
            .iter()
            .find_map(|(_, names, bytes)| names.contains(&unit.as_str()).then_some(*bytes))
            .ok_or_else(malformed)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return Err(malformed());
        }
        let mut bytes: u128 = 0;
        for digit in whole.bytes() {
            bytes = bytes.saturating_mul(10).saturating_add(u128::from(digit - b'0'));
        }
        bytes = bytes.saturating_mul(u128::from(scale));
        let mut numerator: u128 = 0;
        let mut denominator: u128 = 1;
        // Eighteen places are finer than one byte in any unit.
        for digit in fraction.bytes().take(18) {
            numerator = numerator * 10 + u128::from(digit - b'0');
            denominator *= 10;
        }
        bytes = bytes.saturating_add(numerator * u128::from(scale) / denominator);
        u64::try_from(bytes).map(Self).map_err(|_| Malformed::new(format!("`{text}` is too large a size"), HINT))
    }
}

impl From<ByteSize> for u64 {
    fn from(size: ByteSize) -> Self {
        size.0
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, _, scale) in UNITS {
            if self.0 >= scale && self.0.is_multiple_of(scale) {
                return write!(formatter, "{}{unit}", self.0 / scale);
            }
        }
        write!(formatter, "{}", self.0)
    }
}

impl fmt::Debug for ByteSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer, "a size such as `10MiB`")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(text: &str) -> u64 {
        text.parse::<ByteSize>().unwrap().bytes()
    }

    #[test]
    fn reads_what_beats_reads() {
        assert_eq!(bytes("1048576"), 1_048_576);
        assert_eq!(bytes("10MiB"), 10_485_760);
        assert_eq!(bytes("10mib"), 10_485_760);
        assert_eq!(bytes("10mb"), 10_000_000);
        assert_eq!(bytes("10MB"), 10_000_000);
        assert_eq!(bytes("10 MB"), 10_000_000);
        assert_eq!(bytes("16KiB"), 16_384);
        assert_eq!(bytes("1.5GiB"), 1_610_612_736);
        assert_eq!(bytes("3k"), 3_000);
        assert_eq!(bytes("512b"), 512);
        assert_eq!(bytes("0"), 0);
        assert_eq!(bytes("2TiB"), 2_199_023_255_552);
    }

    #[test]
    fn refuses_what_is_no_size() {
        for text in ["", "MiB", "10 parsecs", "1.2.3MB", ".", "0x10", "1,000"] {
            let fault = text.parse::<ByteSize>().unwrap_err();
            assert_eq!(fault.message(), format!("`{text}` is not a size in bytes"));
        }
        assert_eq!("-1MB".parse::<ByteSize>().unwrap_err().message(), "`-1MB` is negative, which a size cannot be");
        assert_eq!("99999999TiB".parse::<ByteSize>().unwrap_err().message(), "`99999999TiB` is too large a size");
    }

    #[test]
    fn writes_the_largest_unit_that_divides() {
        assert_eq!(ByteSize::from_mib(10).to_string(), "10MiB");
        assert_eq!(ByteSize::from_kib(1_536).to_string(), "1536KiB");
        assert_eq!(ByteSize::from_bytes(10_000_000).to_string(), "10MB");
        assert_eq!(ByteSize::from_bytes(1_500).to_string(), "1500");
        assert_eq!(ByteSize::from_bytes(0).to_string(), "0");
    }

    proptest! {
        #[test]
        fn its_text_reads_back(bytes: u64, shift in 0_u32..40) {
            let written = ByteSize((bytes >> shift) << shift);
            prop_assert_eq!(written.to_string().parse::<ByteSize>().unwrap(), written);
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<ByteSize>();
        }
    }
}
