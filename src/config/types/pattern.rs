//! A regular expression of the configuration, compiled once.
//!
//! The syntax is that of the `regex` crate, which is Go's but for rare corners: no look-around and
//! no back-references, and matching time linear in the text. A blank pattern matches nothing: that
//! is how an operator switches a kind of object off.

use std::fmt;
use std::str::FromStr;

use regex::Regex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Malformed, deserialize_text};

/// A compiled regular expression, or blank.
#[derive(Clone, Default)]
pub struct Pattern {
    regex: Option<Regex>,
}

impl Pattern {
    /// The pattern that finds this text itself: for defaults, which cannot fail.
    #[expect(clippy::expect_used, reason = "an escaped text is always a valid expression")]
    pub fn containing(text: &str) -> Self {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-');
        let expression = if text.chars().all(plain) { text.to_owned() } else { regex::escape(text) };
        if expression.is_empty() {
            return Self::default();
        }
        Self { regex: Some(Regex::new(&expression).expect("escaped text")) }
    }

    /// Whether the pattern is blank and so matches nothing.
    pub fn is_blank(&self) -> bool {
        self.regex.is_none()
    }

    /// Whether the pattern is found anywhere in the text; never for a blank pattern.
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.as_ref().is_some_and(|regex| regex.is_match(text))
    }

    /// The expression as it was written; empty for a blank pattern.
    pub fn as_str(&self) -> &str {
        self.regex.as_ref().map_or("", Regex::as_str)
    }
}

impl FromStr for Pattern {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        match Regex::new(text) {
            Ok(regex) => Ok(Self { regex: Some(regex) }),
            Err(fault) => Err(Malformed::new(
                format!("`{text}` is not a regular expression: {}", reason(&fault)),
                "the syntax is Go's: without look-around and back-references; quote the pattern with single quotes",
            )),
        }
    }
}

/// The parser draws the pattern with a marker below it; only the last line says what is wrong.
fn reason(fault: &regex::Error) -> String {
    let text = fault.to_string();
    let last = text.lines().last().unwrap_or_default().trim();
    let reason = last.strip_prefix("error: ").unwrap_or(last);
    reason.trim_end_matches('.').to_owned()
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer, "a regular expression")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn finds_anywhere_in_the_text() {
        let pattern: Pattern = "/CloudTrail(-Insight)?/".parse().unwrap();
        assert!(pattern.is_match("AWSLogs/111122223333/CloudTrail/eu-west-1/x.json.gz"));
        assert!(pattern.is_match("AWSLogs/111122223333/CloudTrail-Insight/eu-west-1/x.json.gz"));
        assert!(!pattern.is_match("AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/x.json.gz"));
    }

    #[test]
    fn a_blank_one_matches_nothing() {
        for text in ["", "  "] {
            let pattern: Pattern = text.parse().unwrap();
            assert!(pattern.is_blank());
            assert!(!pattern.is_match(""));
            assert!(!pattern.is_match("anything"));
            assert_eq!(pattern.as_str(), "");
        }
    }

    #[test]
    fn says_why_it_cannot_be_compiled() {
        let fault = "(a".parse::<Pattern>().unwrap_err();
        assert_eq!(fault.message(), "`(a` is not a regular expression: unclosed group");
        let fault = "(?!a)".parse::<Pattern>().unwrap_err();
        assert_eq!(
            fault.message(),
            "`(?!a)` is not a regular expression: look-around, including look-ahead and look-behind, is not supported"
        );
    }

    #[test]
    fn a_default_finds_its_text_literally() {
        assert_eq!(Pattern::containing("/CloudTrail-Insight/").as_str(), "/CloudTrail-Insight/");
        let pattern = Pattern::containing("a.b(");
        assert!(pattern.is_match("xa.b(x"));
        assert!(!pattern.is_match("xaxb(x"));
        assert!(Pattern::containing("").is_blank());
    }
}
