//! A letter: one line of the dead letter, as it is written and as it is read again.
//!
//! Version 1 of the format is read for ever; its fields only ever grow. What a letter stands for, and so how it is sent
//! again, follows from its fields alone ([`Letter::stands`]), and so does what tells it from others ([`Letter::keys`]).

use super::{Parked, RECORD_LIMIT, VERSION};
use crate::output::Source;
use jiff::Timestamp;
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// Where a letter lies: number of its file and of its line, both from 1. Written `<file>-<line>`; never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct LetterId {
    pub file: u64,
    pub line: u64,
}

/// A record, a document or an object that was put aside, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// When it was parked.
    pub parked: Timestamp,
    /// One of a bounded set, such as `mapping-refused`.
    pub code: String,
    pub reason: String,
    /// HTTP status with which a server refused it.
    pub status: Option<u16>,
    pub source: Source,
    /// Byte offset of the record in the inflated object.
    pub offset: Option<u64>,
    /// `_id` of the document; given exactly when `record` is a mapped document.
    pub document_id: Option<String>,
    /// Text of the record or document, or its first bytes.
    pub record: Vec<u8>,
    /// The record was longer than a letter keeps.
    pub truncated: bool,
}

/// What a letter stands for, which is how it is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stands {
    /// A mapped document: it goes as it is, with the `_id` it had.
    Document,
    /// A record: it is mapped anew from its text.
    Record,
    /// An object, or a record of which the letter holds a piece: the object is read again.
    Object,
    /// A message that was not understood: it is read anew from its text.
    Message,
}

/// What tells the subject of a letter from all others: a hash, so that millions fit into memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 16]);

/// A broken record, whose text the letter holds.
const BROKEN_RECORD: &str = "broken-record";
/// The broken records of an object that have no letter each.
pub const BROKEN_RECORDS: &str = "broken-records";
/// A record of which the letter holds the head.
const TOO_LARGE: &str = "too-large";
/// A message by which a topic asks to confirm its subscription.
pub const UNCONFIRMED: &str = "subscription-confirmation";
/// An object in a bucket that is not to be read.
pub const FOREIGN_BUCKET: &str = "foreign-bucket";
/// A note about an object whose message is left to the queue's redrive policy.
pub const LEFT_OBJECT: &str = "left-to-redrive";
/// A note about a message that is not understood and is left to the queue's redrive policy.
pub const LEFT_MESSAGE: &str = "message-left-to-redrive";

impl Letter {
    /// Reads one line.
    ///
    /// # Errors
    /// It is no letter, or one of a newer trailship; says why.
    pub fn read(line: &[u8]) -> Result<Letter, String> {
        let line: Line<'_> = serde_json::from_slice(line).map_err(|fault| format!("the line is no letter: {fault}"))?;
        if line.version > VERSION {
            return Err(format!("the letter has version {}, written by a newer trailship", line.version));
        }
        let record = match (line.record, line.record_base64) {
            (Some(text), _) => text.into_owned().into_bytes(),
            (None, Some(text)) => aws_smithy_types::base64::decode(text.as_ref())
                .map_err(|fault| format!("`record_base64` is damaged: {fault}"))?,
            (None, None) => Vec::new(),
        };
        Ok(Letter {
            parked: line.timestamp.parse().map_err(|fault| format!("`@timestamp` is no time: {fault}"))?,
            code: line.code.into_owned(),
            reason: line.reason.into_owned(),
            status: line.status,
            source: Source {
                input: line.input.into_owned(),
                bucket: line.bucket.map(Cow::into_owned),
                object: line.object.into_owned(),
                version: line.version_id.map(Cow::into_owned),
            },
            offset: line.offset,
            document_id: line.id.map(Cow::into_owned),
            record,
            truncated: line.truncated,
        })
    }

    pub fn stands(&self) -> Stands {
        match (&self.document_id, self.code.as_str()) {
            _ if self.truncated || self.record.is_empty() => Stands::Object,
            (Some(_), _) => Stands::Document,
            (None, code) if is_about_message(code) => Stands::Message,
            (None, BROKEN_RECORD) => Stands::Record,
            (None, _) => Stands::Object,
        }
    }

    /// What it is about: the same for every letter about the same record or object.
    pub fn keys(&self) -> Vec<Key> {
        keys(&self.code, &self.source, self.offset, self.document_id.as_deref(), &self.record)
    }
}

impl Parked<'_> {
    /// The keys of the letter that would be written.
    pub(super) fn keys(&self) -> Vec<Key> {
        keys(self.code, self.source, self.offset, self.id, cut(self.record))
    }
}

impl Key {
    /// An object as a whole.
    pub fn of_object(source: &Source) -> Key {
        Key::of("object", source, &[])
    }

    /// A document by its `_id`.
    pub fn of_document(id: &str) -> Key {
        Key::hash(&[b"document", id.as_bytes()])
    }

    fn of(what: &str, source: &Source, rest: &[u8]) -> Key {
        let bucket = source.bucket.as_deref().unwrap_or_default();
        let version = source.version.as_deref().unwrap_or_default();
        Key::hash(&[
            what.as_bytes(),
            source.input.as_bytes(),
            bucket.as_bytes(),
            source.object.as_bytes(),
            version.as_bytes(),
            rest,
        ])
    }

    fn hash(parts: &[&[u8]]) -> Key {
        let mut hash = Context::new(&SHA256);
        for part in parts {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let mut key = [0; 16];
        key.iter_mut().zip(hash.finish().as_ref()).for_each(|(to, from)| *to = *from);
        Key(key)
    }
}

fn keys(code: &str, source: &Source, offset: Option<u64>, id: Option<&str>, record: &[u8]) -> Vec<Key> {
    let by_offset = offset.map(|offset| Key::of("record", source, &offset.to_le_bytes()));
    match (id, code) {
        (Some(id), _) => [Some(Key::of_document(id)), by_offset].into_iter().flatten().collect(),
        (None, BROKEN_RECORD | TOO_LARGE) => vec![by_offset.unwrap_or_else(|| Key::of("text", source, record))],
        (None, BROKEN_RECORDS) => vec![Key::of("rest", source, &[])],
        (None, code) if is_about_message(code) => vec![Key::of("message", source, record)],
        (None, _) => vec![Key::of_object(source)],
    }
}

/// Whether a letter of this code holds a message rather than a piece of an object.
fn is_about_message(code: &str) -> bool {
    code.starts_with("notification-") || matches!(code, UNCONFIRMED | LEFT_MESSAGE)
}

/// A letter as it stands in its line.
#[derive(Serialize, Deserialize)]
pub(super) struct Line<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: Cow<'a, str>,
    version: u8,
    code: Cow<'a, str>,
    reason: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    input: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bucket: Option<Cow<'a, str>>,
    object: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version_id: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(rename = "_id", default, skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    record: Option<Cow<'a, str>>,
    /// The record where it is not UTF-8, which JSON could not carry unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    record_base64: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

impl<'a> Line<'a> {
    pub(super) fn of(parked: &'a Parked<'_>, timestamp: &'a str) -> Line<'a> {
        let kept = cut(parked.record);
        let text = std::str::from_utf8(kept).ok();
        Line {
            timestamp: timestamp.into(),
            version: VERSION,
            code: parked.code.into(),
            reason: parked.reason.as_str().into(),
            status: parked.status,
            input: parked.source.input.as_str().into(),
            bucket: parked.source.bucket.as_deref().map(Cow::from),
            object: parked.source.object.as_str().into(),
            version_id: parked.source.version.as_deref().map(Cow::from),
            offset: parked.offset,
            id: parked.id.map(Cow::from),
            record: text.map(Cow::from),
            record_base64: text.is_none().then(|| aws_smithy_types::base64::encode(kept).into()),
            truncated: kept.len() < parked.record.len(),
        }
    }
}

/// The first [`RECORD_LIMIT`] bytes, or up to three fewer where that would halve a character.
fn cut(record: &[u8]) -> &[u8] {
    if record.len() <= RECORD_LIMIT {
        return record;
    }
    let is_inside = |at: usize| record.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let end = (RECORD_LIMIT - 3..=RECORD_LIMIT).rev().find(|at| !is_inside(*at)).unwrap_or(RECORD_LIMIT);
    record.get(..end).unwrap_or(record)
}

impl fmt::Display for LetterId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.file, self.line)
    }
}

impl FromStr for LetterId {
    type Err = String;

    fn from_str(text: &str) -> Result<LetterId, String> {
        let number = |text: &str| text.parse::<u64>().ok().filter(|number| *number > 0);
        let id =
            text.split_once('-').and_then(|(file, line)| Some(LetterId { file: number(file)?, line: number(line)? }));
        id.ok_or_else(|| {
            format!("`{text}` is no letter: write file and line as `dead-letter list` shows them, such as `1-17`")
        })
    }
}

impl From<LetterId> for String {
    fn from(id: LetterId) -> String {
        id.to_string()
    }
}

impl TryFrom<String> for LetterId {
    type Error = String;

    fn try_from(text: String) -> Result<LetterId, String> {
        text.parse()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn letter(line: &str) -> Letter {
        Letter::read(line.as_bytes()).unwrap()
    }

    /// A line as the first release writes it, field by field.
    fn v1(code: &str, more: &str) -> Letter {
        letter(&format!(
            r#"{{"@timestamp":"2026-01-02T03:04:05.678Z","version":1,"code":"{code}","reason":"r","input":"in","object":"o"{more}}}"#
        ))
    }

    #[test]
    fn a_line_of_version_1_is_read_whole() {
        let read = v1(
            "mapping-refused",
            r#","status":400,"bucket":"b","version_id":"v","offset":17,"_id":"k","record":"{\"a\":\"ü\"}""#,
        );
        assert_eq!(
            read,
            Letter {
                parked: "2026-01-02T03:04:05.678Z".parse().unwrap(),
                code: "mapping-refused".into(),
                reason: "r".into(),
                status: Some(400),
                source: Source {
                    input: "in".into(),
                    bucket: Some("b".into()),
                    object: "o".into(),
                    version: Some("v".into())
                },
                offset: Some(17),
                document_id: Some("k".into()),
                record: "{\"a\":\"ü\"}".into(),
                truncated: false,
            }
        );
        assert_eq!(v1("broken-record", r#","record_base64":"/wAK""#).record, b"\xff\x00\n");
        assert_eq!(v1("x", r#","of_tomorrow":[1]"#).record, b"", "fields may grow");
    }

    #[test]
    fn what_is_no_letter_says_why() {
        for (line, why) in [
            ("", "the line is no letter"),
            ("{}", "the line is no letter: missing field"),
            (
                r#"{"@timestamp":"2026-01-02T03:04:05Z","version":2,"code":"","reason":"","input":"","object":""}"#,
                "newer",
            ),
            (r#"{"@timestamp":"noon","version":1,"code":"","reason":"","input":"","object":""}"#, "`@timestamp`"),
            (
                r#"{"@timestamp":"2026-01-02T03:04:05Z","version":1,"code":"","reason":"","input":"","object":"","record_base64":"?"}"#,
                "`record_base64`",
            ),
        ] {
            let fault = Letter::read(line.as_bytes()).unwrap_err();
            assert!(fault.contains(why), "{fault}");
        }
    }

    #[test]
    fn a_letter_stands_for_what_it_holds() {
        for (code, more, stands) in [
            ("mapping-refused", r#","_id":"k","record":"{}""#, Stands::Document),
            ("too-large", r#","_id":"k","record":"{}""#, Stands::Document),
            ("mapping-refused", r#","_id":"k","record":"{","truncated":true"#, Stands::Object),
            ("broken-record", r#","record":"{\"a\":tru}""#, Stands::Record),
            ("broken-record", r#","record":"{","truncated":true"#, Stands::Object),
            ("broken-records", r#","record":"{""#, Stands::Object),
            ("too-large", r#","record":"{""#, Stands::Object),
            ("corrupt-object", r#","record":"{\"a\"""#, Stands::Object),
            ("s3-access-denied", "", Stands::Object),
            ("left-to-redrive", "", Stands::Object),
            ("foreign-bucket", "", Stands::Object),
            ("message-left-to-redrive", r#","record":"hello""#, Stands::Message),
            ("notification-not-json", r#","record":"hello""#, Stands::Message),
            ("subscription-confirmation", r#","record":"{}""#, Stands::Message),
        ] {
            assert_eq!(v1(code, more).stands(), stands, "{code} {more}");
        }
    }

    #[test]
    fn letters_about_one_record_share_a_key_and_others_do_not() {
        let shares = |a: &Letter, b: &Letter| a.keys().iter().any(|key| b.keys().contains(key));
        let broken = v1("broken-record", r#","offset":17,"record":"x""#);
        let refused = v1("mapping-refused", r#","offset":17,"_id":"k","record":"{}""#);
        let moved = v1("mapping-refused", r#","offset":99,"_id":"k","record":"{}""#);
        let object = v1("corrupt-object", r#","offset":17,"record":"x""#);
        let rest = v1("broken-records", r#","offset":17,"record":"x""#);
        assert!(shares(&broken, &refused), "the same place");
        assert!(shares(&refused, &moved), "the same `_id`");
        assert!(shares(&object, &v1("truncated-object", r#","offset":3"#)), "the same object");
        for (a, b) in [(&broken, &moved), (&broken, &object), (&broken, &rest), (&object, &rest)] {
            assert!(!shares(a, b), "{a:?} {b:?}");
        }
        let message = |code, text| v1(code, &format!(r#","record":"{text}""#));
        assert!(shares(&message("notification-not-json", "x"), &message("message-left-to-redrive", "x")));
        assert!(!shares(&message("notification-not-json", "x"), &message("notification-not-json", "y")));
        let elsewhere = v1("broken-record", r#","offset":17,"bucket":"b","record":"x""#);
        assert!(!shares(&broken, &elsewhere));
        let nowhere = |text| v1("broken-record", &format!(r#","record":"{text}""#));
        assert!(shares(&nowhere("x"), &nowhere("x")) && !shares(&nowhere("x"), &nowhere("y")));
    }

    #[test]
    fn an_id_is_read_as_it_is_shown() {
        let id = LetterId { file: 12, line: 345 };
        assert_eq!((id.to_string().as_str(), "12-345".parse()), ("12-345", Ok(id)));
        for text in ["", "1", "0-1", "1-0", "1-", "-1", "a-1", "1-1-1", "1 - 1"] {
            assert!(text.parse::<LetterId>().is_err(), "{text}");
        }
    }
}
