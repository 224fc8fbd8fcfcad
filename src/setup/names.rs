//! Names of assets, and patterns of data streams, in characters that need no escaping in a URL.

use crate::config::Malformed;
use serde::{Deserialize, Serialize};

/// Name of an index template or a lifecycle policy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct AssetName(String);

impl AssetName {
    pub(super) fn fixed(name: &str) -> AssetName {
        AssetName(name.to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for AssetName {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        let starts_well = text.starts_with(|first: char| first.is_ascii_alphanumeric());
        if starts_well && text.chars().all(is_plain) {
            return Ok(Self(text));
        }
        Err(Malformed::new(
            format!("`{text}` is not a name for a template or policy"),
            "use lower-case letters, digits, `.`, `_` and `-`, beginning with a letter or digit",
        ))
    }
}

impl From<AssetName> for String {
    fn from(name: AssetName) -> String {
        name.0
    }
}

/// Names of data streams, with `*` for any characters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct IndexPattern(String);

impl IndexPattern {
    pub(super) fn fixed(pattern: &str) -> IndexPattern {
        IndexPattern(pattern.to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for IndexPattern {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        let starts_well = text.starts_with(|first: char| first.is_ascii_alphanumeric());
        if starts_well && text.chars().all(|c| c == '*' || is_plain(c)) {
            return Ok(Self(text));
        }
        Err(Malformed::new(
            format!("`{text}` is not a pattern of data streams"),
            "write it like `logs-aws.cloudtrail-*`: lower-case letters, digits, `.`, `_`, `-` and `*`, beginning with a letter or digit",
        ))
    }
}

impl From<IndexPattern> for String {
    fn from(pattern: IndexPattern) -> String {
        pattern.0
    }
}

fn is_plain(c: char) -> bool {
    matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_patterns_that_no_server_takes_are_refused() {
        for name in ["", "Upper", "_hidden", "a b", "a/b", "a*", "a,b", "a@custom", "../x"] {
            assert!(AssetName::try_from(name.to_owned()).is_err(), "{name}");
        }
        for pattern in ["", "*", "_x", "Logs-*", "logs aws", "logs,aws", "logs/../x"] {
            assert!(IndexPattern::try_from(pattern.to_owned()).is_err(), "{pattern}");
        }
    }
}
