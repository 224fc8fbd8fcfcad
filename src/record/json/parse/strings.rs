//! Strings: taken from the text as they stand, or expanded behind it when they have escapes.

use super::{Key, Parser};
use crate::record::json::{Error, ErrorKind, Span};

impl Parser<'_, '_> {
    /// A string from its opening quote to behind its closing one.
    pub(super) fn string(&mut self) -> Result<Key, Error> {
        self.at += 1;
        let start = self.at;
        self.at += plain_run(self.rest());
        match self.peek() {
            Some(b'"') => {
                let span = Span { start: start as u32, end: self.at as u32 };
                self.at += 1;
                Ok(Key { span, verbatim: true })
            }
            Some(b'\\') => {
                let span = self.unescape(start)?;
                Ok(Key { span, verbatim: false })
            }
            Some(_) => Err(self.syntax("control character in a string")),
            None => Err(self.error(ErrorKind::End)),
        }
    }

    /// The string from `start` without its escapes, behind the text; `at` is at the first backslash.
    fn unescape(&mut self, start: usize) -> Result<Span, Error> {
        let from = self.tape.text.len() as u32;
        let mut run = start;
        loop {
            self.tape.text.push_str(self.text.get(run..self.at).unwrap_or_default());
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.syntax("control character in a string")),
                None => return Err(self.error(ErrorKind::End)),
            }
            run = self.at;
            self.at += plain_run(self.rest());
        }
        self.at += 1;
        Ok(Span { start: from, end: self.tape.text.len() as u32 })
    }

    fn escape(&mut self) -> Result<(), Error> {
        let letter = self.bytes.get(self.at + 1).copied();
        let plain = match letter {
            Some(b @ (b'"' | b'\\' | b'/')) => char::from(b),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let character = self.unicode()?;
                self.tape.extremes.zero |= character == '\0';
                self.tape.text.push(character);
                return Ok(());
            }
            Some(_) => return Err(self.syntax("unknown escape in a string")),
            None => return Err(self.error(ErrorKind::End)),
        };
        self.tape.text.push(plain);
        self.at += 2;
        Ok(())
    }

    /// One `\uXXXX`, or two that make a pair; half a pair becomes U+FFFD.
    fn unicode(&mut self) -> Result<char, Error> {
        let first = self.four_digits()?;
        if let 0xD800..=0xDBFF = first
            && self.rest().starts_with(b"\\u")
        {
            let back = self.at;
            let second = self.four_digits()?;
            if let 0xDC00..=0xDFFF = second {
                let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = back;
        }
        self.odd += u32::from(char::from_u32(first).is_none());
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn four_digits(&mut self) -> Result<u32, Error> {
        let mut code = 0;
        for i in 2..6 {
            let digit = match self.bytes.get(self.at + i) {
                Some(&b) => char::from(b).to_digit(16),
                None => return Err(self.error(ErrorKind::End)),
            };
            code = code << 4 | digit.ok_or_else(|| self.syntax("expected four hexadecimal digits after `\\u`"))?;
        }
        self.at += 6;
        Ok(code)
    }
}

/// Length in bytes of the longest beginning without quote, backslash and control characters.
pub fn plain_run(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (i, word) in words.iter().enumerate() {
        let special = special(u64::from_le_bytes(*word));
        if special != 0 {
            return i * 8 + (special.trailing_zeros() / 8) as usize;
        }
    }
    let tail = rest.iter().position(|&b| b < 0x20 || b == b'"' || b == b'\\').unwrap_or(rest.len());
    bytes.len() - rest.len() + tail
}

/// The top bit of each byte that is a quote, a backslash or a control character; only the lowest one set is exact.
fn special(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const TOPS: u64 = ONES << 7;
    let zero = |x: u64| x.wrapping_sub(ONES) & !x;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (control | zero(word ^ (ONES * b'"' as u64)) | zero(word ^ (ONES * b'\\' as u64))) & TOPS
}
