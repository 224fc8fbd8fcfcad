//! The values that settings are made of: durations, sizes, secrets, patterns, ARNs and URLs.
//!
//! Each type parses once, when the configuration is read, so that the rest of the program never
//! sees an unchecked text. Each deserializes from what a person writes (quoted or not, with or
//! without a unit) and serializes to one canonical text, so that an exported configuration can be
//! read again. A type's complaint is a [`Malformed`]: what is wrong, and how it is written rightly.
//! Positions in a file are added by the reader, not here.

mod arn;
mod byte_size;
mod http_url;
mod pattern;
mod period;
mod secret;

pub use arn::Arn;
pub use byte_size::ByteSize;
pub use http_url::HttpUrl;
pub use pattern::Pattern;
pub use period::Period;
pub use secret::Secret;

pub(crate) use http_url::{credentials_range, without_credentials};
pub(crate) use secret::{REDACTED, SECRET_NAME};

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{self, Deserializer, Visitor};

/// Separates a complaint from its hint in the text of a serde error, so that any `Deserialize`
/// implementation can give both.
pub const HINT: &str = "\nhint: ";

/// Why a text is not a value of the wanted type, with a hint on how to write it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}{HINT}{hint}")]
pub struct Malformed {
    message: String,
    hint: String,
}

impl Malformed {
    /// Makes a complaint; both texts are lower-case and without a full stop.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How it is written rightly.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

/// Reads a value from its text. The reader of settings gives any scalar as the text that was
/// written, so that a bare number (`90`) arrives here too, and unrounded.
fn deserialize_text<'de, D, T>(deserializer: D, expecting: &'static str) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err = Malformed>,
{
    deserializer.deserialize_str(TextVisitor { expecting, value: PhantomData })
}

struct TextVisitor<T> {
    expecting: &'static str,
    value: PhantomData<T>,
}

impl<T: FromStr<Err = Malformed>> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.expecting)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}
