//! A digest file: CloudTrail's hourly list of the log files it delivered (CloudTrail formats 5.1).
//!
//! Read from hostile bytes: members of any type are taken, duplicates end with the last as in other readers, nothing is
//! held but what the checks need. Leaves out every judgement: a digest that was read is not a digest that is valid.

use super::moment::{self, Offsets};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Members without which nothing can be checked, in the order in which they are looked for.
const REQUIRED: [&str; 6] = [
    "digestPublicKeyFingerprint",
    "digestS3Bucket",
    "digestS3Object",
    "previousDigestSignature",
    "digestEndTime",
    "digestStartTime",
];

/// Log files that one digest may list: more than fit into the largest digest that is read, with entries as CloudTrail
/// writes them. Without it a few kilobytes of empty entries would become gigabytes.
const LOG_FILES: usize = 250_000;
/// Bytes of a member's text: keys have at most 1024, signatures 1024.
const TEXT: usize = 16 * 1024;

/// A member of the JSON object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Member {
    #[default]
    Absent,
    Null,
    Text(String),
    /// A value of a type, or a text of a length, that it should not have.
    Other,
}

impl Member {
    pub fn text(&self) -> Option<&str> {
        match self {
            Member::Text(text) => Some(text),
            _ => None,
        }
    }

    fn into_text(self) -> Option<String> {
        match self {
            Member::Text(text) => Some(text),
            _ => None,
        }
    }

    fn is_absent(&self) -> bool {
        *self == Member::Absent
    }
}

/// A digest as it was written, with the SHA-256 of its text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Digest {
    pub account: Member,
    pub start: Member,
    pub end: Member,
    pub bucket: Member,
    pub key: Member,
    pub fingerprint: Member,
    pub algorithm: Member,
    pub previous_bucket: Member,
    pub previous_key: Member,
    pub previous_hash: Member,
    pub previous_hash_algorithm: Member,
    pub previous_signature: Member,
    pub logs: Logs,
    /// Lower-case hex SHA-256 of the inflated text.
    pub hash: String,
}

/// The list of log files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Logs {
    #[default]
    Absent,
    /// `null`.
    None,
    /// A value that is no list.
    Other,
    List(Vec<LogEntry>),
}

/// One log file of the list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct LogEntry {
    pub bucket: String,
    pub key: String,
    /// Lower-case hex SHA-256 of the inflated log, empty when it is no text; `None` when the entry has none.
    pub hash: Option<String>,
    pub algorithm: Option<String>,
}

/// Why bytes are no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoDigest {
    #[error("it cannot be read: {0}")]
    NotJson(String),
    #[error("it is JSON, but no object")]
    NoObject(JsonKind),
}

/// The type of a JSON text that is no object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonKind {
    Null,
    Bool,
    Number,
    /// A number with a fraction or an exponent.
    Fraction,
    Text,
    List,
}

impl Digest {
    /// Reads the inflated text of a digest; `hash` is its SHA-256 in lower-case hex.
    ///
    /// # Errors
    /// [`NoDigest`].
    pub fn parse(text: &[u8], hash: String) -> Result<Digest, NoDigest> {
        // Members that nobody asks for must be text too, as for other readers.
        let text = std::str::from_utf8(text).map_err(|error| NoDigest::NotJson(error.to_string()))?;
        match serde_json::from_str::<Top>(text) {
            Ok(Top::Digest(digest)) => Ok(Digest { hash, ..*digest }),
            Ok(Top::Other(kind)) => Err(NoDigest::NoObject(kind)),
            Err(error) => Err(NoDigest::NotJson(error.to_string())),
        }
    }

    /// The first required member that is missing.
    pub fn missing(&self) -> Option<&'static str> {
        let members = [&self.fingerprint, &self.bucket, &self.key, &self.previous_signature, &self.end, &self.start];
        REQUIRED.iter().zip(members).find(|(_, member)| member.is_absent()).map(|(name, _)| *name)
    }

    pub fn start(&self) -> Option<Timestamp> {
        moment::parse(self.start.text()?, Offsets::Drop).ok()
    }

    pub fn end(&self) -> Option<Timestamp> {
        moment::parse(self.end.text()?, Offsets::Drop).ok()
    }

    /// Bucket and key of the digest before this one; `None` at the start of a chain.
    pub fn previous(&self) -> Option<(&str, &str)> {
        self.previous_bucket.text().zip(self.previous_key.text())
    }

    /// The listed log files; none when the list is missing.
    pub fn entries(&self) -> &[LogEntry] {
        match &self.logs {
            Logs::List(entries) => entries,
            Logs::Absent | Logs::None | Logs::Other => &[],
        }
    }

    /// The text that CloudTrail signs (CloudTrail formats 5.4).
    pub fn string_to_sign(&self) -> String {
        let text = |member: &Member| member.text().unwrap_or("null").to_owned();
        format!(
            "{}\n{}/{}\n{}\n{}",
            text(&self.end),
            text(&self.bucket),
            text(&self.key),
            self.hash,
            text(&self.previous_signature)
        )
    }
}

enum Top {
    Digest(Box<Digest>),
    Other(JsonKind),
}

impl<'de> Deserialize<'de> for Top {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Top, D::Error> {
        deserializer.deserialize_any(TopVisitor)
    }
}

struct TopVisitor;

impl<'de> Visitor<'de> for TopVisitor {
    type Value = Top;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a digest")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Top, A::Error> {
        let mut digest = Box::new(Digest::default());
        while let Some(name) = map.next_key::<String>()? {
            let member = match name.as_str() {
                "awsAccountId" => &mut digest.account,
                "digestStartTime" => &mut digest.start,
                "digestEndTime" => &mut digest.end,
                "digestS3Bucket" => &mut digest.bucket,
                "digestS3Object" => &mut digest.key,
                "digestPublicKeyFingerprint" => &mut digest.fingerprint,
                "digestSignatureAlgorithm" => &mut digest.algorithm,
                "previousDigestS3Bucket" => &mut digest.previous_bucket,
                "previousDigestS3Object" => &mut digest.previous_key,
                "previousDigestHashValue" => &mut digest.previous_hash,
                "previousDigestHashAlgorithm" => &mut digest.previous_hash_algorithm,
                "previousDigestSignature" => &mut digest.previous_signature,
                "logFiles" => {
                    digest.logs = map.next_value()?;
                    continue;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *member = map.next_value()?;
        }
        Ok(Top::Digest(digest))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Top, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Top::Other(JsonKind::List))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Top, E> {
        Ok(Top::Other(JsonKind::Bool))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Top, E> {
        Ok(Top::Other(JsonKind::Number))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Top, E> {
        Ok(Top::Other(JsonKind::Number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Top, E> {
        Ok(Top::Other(JsonKind::Fraction))
    }

    fn visit_str<E>(self, _: &str) -> Result<Top, E> {
        Ok(Top::Other(JsonKind::Text))
    }

    fn visit_unit<E>(self) -> Result<Top, E> {
        Ok(Top::Other(JsonKind::Null))
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Member, D::Error> {
        deserializer.deserialize_any(MemberVisitor)
    }
}

struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Member;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Member, E> {
        Ok(if text.len() <= TEXT { Member::Text(text.to_owned()) } else { Member::Other })
    }

    fn visit_unit<E>(self) -> Result<Member, E> {
        Ok(Member::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Member, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Member::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Member, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Member::Other)
    }
}

impl<'de> Deserialize<'de> for Logs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Logs, D::Error> {
        deserializer.deserialize_any(LogsVisitor)
    }
}

struct LogsVisitor;

impl<'de> Visitor<'de> for LogsVisitor {
    type Value = Logs;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of log files")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Logs, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element::<LogEntry>()? {
            if entries.len() == LOG_FILES {
                return Err(serde::de::Error::custom(format!("it lists more than {LOG_FILES} log files")));
            }
            entries.push(entry);
        }
        Ok(Logs::List(entries))
    }

    fn visit_unit<E>(self) -> Result<Logs, E> {
        Ok(Logs::None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Logs, E> {
        Ok(Logs::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Logs, E> {
        Ok(Logs::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Logs, E> {
        Ok(Logs::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Logs, E> {
        Ok(Logs::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Logs, E> {
        Ok(Logs::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Logs, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Logs::Other)
    }
}

impl<'de> Deserialize<'de> for LogEntry {
    /// An entry of another type is an entry without anything.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LogEntry, D::Error> {
        deserializer.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = LogEntry;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a log file")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LogEntry, A::Error> {
        let mut entry = LogEntry::default();
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "s3Bucket" => entry.bucket = map.next_value::<Member>()?.into_text().unwrap_or_default(),
                "s3Object" => entry.key = map.next_value::<Member>()?.into_text().unwrap_or_default(),
                "hashValue" => entry.hash = Some(map.next_value::<Member>()?.into_text().unwrap_or_default()),
                "hashAlgorithm" => entry.algorithm = map.next_value::<Member>()?.into_text(),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(entry)
    }

    fn visit_unit<E>(self) -> Result<LogEntry, E> {
        Ok(LogEntry::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<LogEntry, E> {
        Ok(LogEntry::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<LogEntry, E> {
        Ok(LogEntry::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<LogEntry, E> {
        Ok(LogEntry::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<LogEntry, E> {
        Ok(LogEntry::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<LogEntry, E> {
        Ok(LogEntry::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<LogEntry, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(LogEntry::default())
    }
}

#[cfg(test)]
#[path = "digest_tests.rs"]
mod tests;
