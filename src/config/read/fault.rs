//! What goes wrong while a section is read, in the words of its author.
//!
//! Serde's own complaints are made for programmers ("invalid type: string, expected u32"); here they
//! become sentences about settings. A fault gets its place once, from the innermost value.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use crate::config::nearest::nearest;
use crate::config::source::{Place, enumerate, shown};
use crate::config::types::HINT;

/// One fault; serde's error type for the reader.
#[derive(Debug)]
pub(in crate::config) struct Fault(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    hint: Option<String>,
    quotable: bool,
    at: Option<At>,
}

#[derive(Debug)]
struct At {
    path: String,
    place: Place,
    culprit: String,
}

/// What kind of fault it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) enum Kind {
    /// A value that does not fit.
    Wrong { message: String },
    /// A name that the section does not know, with those that it knows.
    Unknown { key: String, known: &'static [&'static str] },
    /// A setting without a default that is not there.
    Missing { name: &'static str },
}

/// A fault with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) struct Located {
    pub kind: Kind,
    pub hint: Option<String>,
    /// Whether the line may be quoted.
    pub quotable: bool,
    /// The setting that the message is about; for an unknown name, the section that holds it.
    pub path: String,
    pub place: Place,
    /// The setting without which the rest can be read.
    pub culprit: String,
}

impl Fault {
    /// A value that does not fit; the text may hold a hint after [`HINT`].
    pub(super) fn message(text: impl Into<String>) -> Self {
        let text = text.into();
        let (message, hint) = match text.split_once(HINT) {
            Some((message, hint)) => (message.to_owned(), Some(hint.to_owned())),
            None => (text, None),
        };
        let mut fault = Self::new(Kind::Wrong { message });
        fault.0.hint = hint;
        fault
    }

    /// A word that is none of those to choose from.
    pub(super) fn choice(quoted: &str, word: &str, words: &[&'static str]) -> Self {
        let fault = Self::message(format!("{quoted} is not one of {}", enumerate(words)));
        match nearest(word, words.iter().copied()) {
            Some(near) => fault.hint(format!("did you mean `{near}`?")),
            None => fault,
        }
    }

    fn new(kind: Kind) -> Self {
        Self(Box::new(Inner { kind, hint: None, quotable: true, at: None }))
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Forbids quoting the line, because it shows a secret.
    pub(super) fn unquotable(mut self) -> Self {
        self.0.quotable = false;
        self
    }

    /// Tells where it happened, unless that is known already.
    pub(super) fn at(mut self, path: &str, place: Place, culprit: &str) -> Self {
        if self.0.at.is_none() {
            self.0.at = Some(At { path: path.to_owned(), place, culprit: culprit.to_owned() });
        }
        self
    }

    /// Replaces a secret text in message and hint.
    pub(super) fn without(mut self, secret: &str, mask: &str) -> Self {
        let secret = secret.trim();
        if secret.is_empty() || self.0.at.is_some() {
            return self;
        }
        if let Kind::Wrong { message } = &mut self.0.kind {
            *message = message.replace(secret, mask);
        }
        if let Some(hint) = &mut self.0.hint {
            *hint = hint.replace(secret, mask);
        }
        self
    }

    /// The fault with its place: its own, or else the given one.
    pub(super) fn locate(self, path: &str, place: Place, culprit: &str) -> Located {
        let Inner { kind, hint, quotable, at } = *self.at(path, place, culprit).0;
        let At { path, place, culprit } =
            at.unwrap_or_else(|| At { path: path.to_owned(), place, culprit: culprit.to_owned() });
        Located { kind, hint, quotable, path, place, culprit }
    }
}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::message(text.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::message(format!("must be {}, not {}", wanted(expected), what(&found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::message(format!("{} is not {}", what(&found), wanted(expected)))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::message(format!("has {length} items where {} was wanted", wanted(expected)))
    }

    fn unknown_variant(variant: &str, words: &'static [&'static str]) -> Self {
        Self::choice(&format!("`{variant}`"), variant, words)
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self::new(Kind::Unknown { key: key.to_owned(), known })
    }

    fn missing_field(name: &'static str) -> Self {
        Self::new(Kind::Missing { name })
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::message(format!("`{name}` is set twice, by two of its names"))
    }
}

impl std::error::Error for Fault {}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.kind, formatter)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong { message } => formatter.write_str(message),
            Self::Unknown { key, .. } => write!(formatter, "unknown setting `{key}`"),
            Self::Missing { name } => write!(formatter, "`{name}` must be set"),
        }
    }
}

/// What was found, in the words of somebody who writes settings.
fn what(found: &Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(number) => format!("`{number}`"),
        Unexpected::Signed(number) => format!("`{number}`"),
        Unexpected::Float(number) => format!("`{number}`"),
        Unexpected::Char(c) => format!("`{c}`"),
        Unexpected::Str(text) => format!("`{}`", shown(text)),
        Unexpected::Unit | Unexpected::Option => "an empty value".to_owned(),
        Unexpected::Seq | Unexpected::TupleVariant => "a list".to_owned(),
        Unexpected::Map | Unexpected::StructVariant => "a map of settings".to_owned(),
        _ => "a single value".to_owned(),
    }
}

/// What was wanted: the standard library's types in plain words, others in their own.
fn wanted(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    let integer = |word: &str| {
        let digits = word.trim_start_matches(['u', 'i']);
        let prefixed = digits.len() + 1 == word.len();
        prefixed && matches!(digits, "8" | "16" | "32" | "64" | "128" | "size")
    };
    let last = text.rsplit(' ').next().unwrap_or_default();
    let plain = match text.as_str() {
        _ if text.contains("nonzero") => "a whole number other than 0",
        _ if integer(last) => "a whole number",
        "a string" | "a borrowed string" | "string" => "text",
        "a boolean" => "`true` or `false`",
        "f32" | "f64" => "a number",
        "a sequence" => "a list",
        "a map" => "a map of settings",
        "unit" => "empty",
        _ if text.starts_with("struct ") => "a map of settings",
        _ if text.starts_with("tuple ") || text.starts_with("a tuple ") => "a list",
        _ if text.starts_with("enum ") || text.starts_with("variant ") => "one word",
        _ if text.starts_with("an array ") => "a list",
        _ => return text,
    };
    plain.to_owned()
}
