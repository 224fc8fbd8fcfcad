//! What a queue message says: which objects have arrived (CloudTrail formats 2, shapes 1 to 8).
//!
//! Reads the text of a message and nothing else. Names of objects are decoded here, as each shape writes them, so that
//! an [`ObjectKey`] is always the true key. Leaves out which objects are wanted, and what happens to a message that is
//! not understood: it comes back as [`Unknown`], with the way to mend it, and must not be thrown away silently.
//!
//! Bounds: [`MAX_BODY`] bytes, [`MAX_NESTING`] envelopes, [`MAX_OBJECTS`] objects; `serde_json` bounds the depth.

use serde_json::{Map, Value};
use std::fmt;

/// The largest message that SQS delivers, in bytes (SQS quotas).
pub const MAX_BODY: usize = 1 << 20;
/// Envelopes around a notification.
pub const MAX_NESTING: usize = 4;
/// Objects that one message may name; a notification of S3 holds at most 64 KB.
pub const MAX_OBJECTS: usize = 4_096;

/// A message that is understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notification {
    /// Objects have arrived.
    Objects {
        shape: Shape,
        objects: Vec<ObjectRef>,
        /// Events that announce no new object (removals, restores), which nothing is done about.
        ignored: usize,
        /// Why another part of the message is not understood: its objects are read, and it must not be thrown away.
        unread: Option<Unknown>,
    },
    /// `s3:TestEvent`, sent when a notification is configured: nothing to do.
    Test,
    /// CloudTrail's plain text, sent when a topic is set on a trail: nothing to do.
    Validation,
    /// SNS asks whether the queue wants to hear from a topic: a person must answer.
    SubscriptionConfirmation {
        /// The topic's ARN, where given.
        topic: Option<String>,
    },
}

/// Who wrote the notification, and whether it came through SNS with its envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// 1 and 3: S3's own notification, straight or by raw delivery.
    S3,
    /// 2
    S3BySns,
    /// 4, by raw delivery
    CloudTrail,
    /// 4
    CloudTrailBySns,
    /// 5
    EventBridge,
    /// 5, through a topic
    EventBridgeBySns,
}

/// An object that a notification names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectRef {
    pub bucket: String,
    pub key: ObjectKey,
    /// The region of the bucket, where the shape tells.
    pub region: Option<String>,
    /// Version of the object, where the bucket keeps versions.
    pub version: Option<String>,
    pub etag: Option<String>,
    /// Stored size in bytes.
    pub size: Option<u64>,
    /// What happened, as the writer names it (`ObjectCreated:Put`, `PutObject`); empty where the shape does not tell.
    pub event_name: String,
}

/// The true key of an object: decoded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectKey(String);

/// Why a message is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    #[error("the message has {0} bytes, more than a queue delivers")]
    TooLarge(usize),
    #[error("the message is not JSON")]
    NotJson,
    #[error("the message lies in more than {MAX_NESTING} envelopes")]
    TooNested,
    #[error("the message names more than {MAX_OBJECTS} objects")]
    TooManyObjects,
    #[error("the message is not a notification of a new object")]
    Foreign,
    #[error("`Records` holds an entry whose `eventSource` is not `aws:s3`")]
    ForeignRecord,
    #[error("the notification has version `{0}`, of which only 2.x is known")]
    Version(String),
    #[error("the notification lacks `{0}`")]
    Incomplete(&'static str),
    #[error("the key in the notification is not URL-encoded UTF-8")]
    Key,
    #[error("the message is a CloudTrail record by EventBridge, not a notification of an object")]
    EventBridgeRecord,
    #[error("the message announces an object of Security Lake, which is not a CloudTrail file")]
    SecurityLake,
    #[error("the message is a batch of CloudWatch Logs, not a notification of an object")]
    LogBatch,
}

impl Shape {
    /// A bounded name for counts and logs.
    pub fn name(self) -> &'static str {
        match self {
            Shape::S3 => "s3",
            Shape::S3BySns => "s3-sns",
            Shape::CloudTrail => "cloudtrail",
            Shape::CloudTrailBySns => "cloudtrail-sns",
            Shape::EventBridge => "eventbridge",
            Shape::EventBridgeBySns => "eventbridge-sns",
        }
    }
}

impl ObjectRef {
    /// An object that is known by other ways than a notification; `key` is decoded.
    pub fn named(bucket: &str, key: &str, version: Option<&str>) -> ObjectRef {
        ObjectRef {
            bucket: bucket.to_owned(),
            key: ObjectKey(key.to_owned()),
            region: None,
            version: version.map(str::to_owned),
            etag: None,
            size: None,
            event_name: String::new(),
        }
    }
}

impl ObjectKey {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Unknown {
    /// A bounded name for counts and logs.
    pub fn code(&self) -> &'static str {
        match self {
            Unknown::TooLarge(_) => "notification-too-large",
            Unknown::NotJson => "notification-not-json",
            Unknown::TooNested => "notification-too-nested",
            Unknown::TooManyObjects => "notification-too-many-objects",
            Unknown::Foreign => "notification-unknown",
            Unknown::ForeignRecord => "notification-foreign-record",
            Unknown::Version(_) => "notification-version",
            Unknown::Incomplete(_) => "notification-incomplete",
            Unknown::Key => "notification-key",
            Unknown::EventBridgeRecord => "notification-eventbridge-record",
            Unknown::SecurityLake => "notification-security-lake",
            Unknown::LogBatch => "notification-log-batch",
        }
    }

    /// What an operator can do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Unknown::EventBridgeRecord => {
                "let the EventBridge rule match `aws.s3` `Object Created` instead; records by EventBridge are not read in this version"
            }
            Unknown::SecurityLake => "subscribe to the bucket of the trail itself; Security Lake keeps its own format",
            Unknown::LogBatch => "let the trail write to a bucket, and the bucket notify this queue",
            Unknown::Version(_) => "look for a newer release",
            _ => "look at what else writes to the queue",
        }
    }
}

/// Reads the body of a queue message.
///
/// # Errors
/// What the message is instead, when it is none of the shapes 1 to 8.
pub fn read(body: &str) -> Result<Notification, Unknown> {
    if body.len() > MAX_BODY {
        return Err(Unknown::TooLarge(body.len()));
    }
    if is_validation(body) {
        return Ok(Notification::Validation);
    }
    let mut message = parse(body)?;
    let mut by_sns = false;
    for _ in 0..MAX_NESTING {
        let Some(inner) = enclosed(&message) else {
            return read_bare(&message, by_sns);
        };
        by_sns = true;
        if is_validation(inner) {
            return Ok(Notification::Validation);
        }
        message = parse(inner)?;
    }
    Err(Unknown::TooNested)
}

type Object = Map<String, Value>;

/// The text that CloudTrail sends to a topic to see whether it may.
fn is_validation(text: &str) -> bool {
    text.trim() == "CloudTrail validation message."
}

fn parse(text: &str) -> Result<Object, Unknown> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Unknown::Foreign),
        Err(_) => Err(Unknown::NotJson),
    }
}

fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

/// The message inside an envelope of SNS.
fn enclosed(object: &Object) -> Option<&str> {
    let sns = text(object, "Type") == Some("Notification") || object.contains_key("TopicArn");
    text(object, "Message").filter(|_| sns && text(object, "Type") != Some("SubscriptionConfirmation"))
}

fn read_bare(message: &Object, by_sns: bool) -> Result<Notification, Unknown> {
    if let Some(records) = message.get("Records").and_then(Value::as_array) {
        return read_s3(records, if by_sns { Shape::S3BySns } else { Shape::S3 });
    }
    if let (Some(bucket), Some(keys)) = (text(message, "s3Bucket"), message.get("s3ObjectKey")) {
        return read_cloudtrail(bucket, keys, if by_sns { Shape::CloudTrailBySns } else { Shape::CloudTrail });
    }
    if message.contains_key("detail") {
        return read_eventbridge(message, if by_sns { Shape::EventBridgeBySns } else { Shape::EventBridge });
    }
    if text(message, "Event") == Some("s3:TestEvent") {
        return Ok(Notification::Test);
    }
    if text(message, "Type") == Some("SubscriptionConfirmation") {
        return Ok(Notification::SubscriptionConfirmation { topic: text(message, "TopicArn").map(str::to_owned) });
    }
    if message.contains_key("logEvents") && message.contains_key("messageType") {
        return Err(Unknown::LogBatch);
    }
    Err(Unknown::Foreign)
}

/// Shapes 1 to 3. One message may hold several records; what announces no new object is passed over, and one that is not
/// understood holds up no other.
fn read_s3(records: &[Value], shape: Shape) -> Result<Notification, Unknown> {
    if records.is_empty() {
        return Err(Unknown::Incomplete("Records[0]"));
    }
    let (mut objects, mut ignored, mut unread) = (Vec::new(), 0, None);
    for record in records {
        match read_s3_record(record) {
            Ok(Some(object)) => push(&mut objects, object)?,
            Ok(None) => ignored += 1,
            Err(unknown) => unread = unread.or(Some(unknown)),
        }
    }
    understood(Notification::Objects { shape, objects, ignored, unread })
}

/// The object that one record announces; `None` when it announces none.
fn read_s3_record(record: &Value) -> Result<Option<ObjectRef>, Unknown> {
    let record = record.as_object().ok_or(Unknown::ForeignRecord)?;
    if text(record, "eventSource") != Some("aws:s3") {
        return Err(Unknown::ForeignRecord);
    }
    if let Some(version) = text(record, "eventVersion")
        && version.split('.').next() != Some("2")
    {
        return Err(Unknown::Version(version.chars().take(20).collect()));
    }
    let event_name = text(record, "eventName").ok_or(Unknown::Incomplete("eventName"))?;
    if !event_name.trim_start_matches("s3:").starts_with("ObjectCreated:") {
        return Ok(None);
    }
    let s3 = member(record, "s3")?;
    let object = member(s3, "object")?;
    let key = text(object, "key").ok_or(Unknown::Incomplete("key"))?;
    Ok(Some(ObjectRef {
        bucket: named(member(s3, "bucket")?, "name")?,
        key: form_decoded(key)?,
        region: filled(record, "awsRegion"),
        version: filled(object, "versionId"),
        etag: filled(object, "eTag"),
        size: object.get("size").and_then(Value::as_u64),
        event_name: event_name.to_owned(),
    }))
}

/// A message of which nothing is understood is unknown as a whole.
fn understood(read: Notification) -> Result<Notification, Unknown> {
    match read {
        Notification::Objects { objects, unread: Some(unknown), .. } if objects.is_empty() => Err(unknown),
        read => Ok(read),
    }
}

/// Shape 4: several keys, written as they are.
fn read_cloudtrail(bucket: &str, keys: &Value, shape: Shape) -> Result<Notification, Unknown> {
    let keys = match keys {
        Value::Array(keys) => keys.as_slice(),
        key => std::slice::from_ref(key),
    };
    if bucket.is_empty() || keys.is_empty() {
        return Err(Unknown::Incomplete("s3ObjectKey"));
    }
    let (mut objects, mut unread) = (Vec::new(), None);
    for key in keys {
        match key.as_str().ok_or(Unknown::Incomplete("s3ObjectKey")).and_then(raw) {
            Ok(key) => push(&mut objects, ObjectRef { key, ..ObjectRef::named(bucket, "", None) })?,
            Err(unknown) => unread = unread.or(Some(unknown)),
        }
    }
    understood(Notification::Objects { shape, objects, ignored: 0, unread })
}

/// Shape 5, whose key is written as it is; and 9 and 10, which are not read.
fn read_eventbridge(message: &Object, shape: Shape) -> Result<Notification, Unknown> {
    let kind = text(message, "detail-type").unwrap_or_default();
    if kind.ends_with(" via CloudTrail") {
        return Err(Unknown::EventBridgeRecord);
    }
    let detail = member(message, "detail").map_err(|_| Unknown::Foreign)?;
    let bucket = detail.get("bucket").and_then(|bucket| bucket.get("name")).and_then(Value::as_str);
    if bucket.is_some_and(|name| name.starts_with("aws-security-data-lake-")) {
        return Err(Unknown::SecurityLake);
    }
    if text(message, "source") != Some("aws.s3") {
        return Err(Unknown::Foreign);
    }
    if kind != "Object Created" {
        return Ok(Notification::Objects { shape, objects: Vec::new(), ignored: 1, unread: None });
    }
    let object = member(detail, "object")?;
    let object = ObjectRef {
        bucket: named(member(detail, "bucket")?, "name")?,
        key: raw(text(object, "key").ok_or(Unknown::Incomplete("key"))?)?,
        region: filled(message, "region"),
        version: filled(object, "version-id"),
        etag: filled(object, "etag"),
        size: object.get("size").and_then(Value::as_u64),
        event_name: text(detail, "reason").unwrap_or_default().to_owned(),
    };
    Ok(Notification::Objects { shape, objects: vec![object], ignored: 0, unread: None })
}

fn push(objects: &mut Vec<ObjectRef>, object: ObjectRef) -> Result<(), Unknown> {
    if objects.len() == MAX_OBJECTS {
        return Err(Unknown::TooManyObjects);
    }
    objects.push(object);
    Ok(())
}

fn member<'a>(object: &'a Object, name: &'static str) -> Result<&'a Object, Unknown> {
    object.get(name).and_then(Value::as_object).ok_or(Unknown::Incomplete(name))
}

fn named(object: &Object, name: &'static str) -> Result<String, Unknown> {
    filled(object, name).ok_or(Unknown::Incomplete(name))
}

fn filled(object: &Object, name: &str) -> Option<String> {
    text(object, name).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn raw(key: &str) -> Result<ObjectKey, Unknown> {
    if key.is_empty() {
        return Err(Unknown::Incomplete("key"));
    }
    Ok(ObjectKey(key.to_owned()))
}

/// Undoes form encoding: `+` is a space, `%XX` a byte of UTF-8. S3 encodes every `%`, so that a loose one means that
/// the key is not what S3 wrote, and guessing would name another object.
fn form_decoded(key: &str) -> Result<ObjectKey, Unknown> {
    if key.is_empty() {
        return Err(Unknown::Incomplete("key"));
    }
    let mut decoded = Vec::with_capacity(key.len());
    let mut bytes = key.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = bytes.next().and_then(hex).ok_or(Unknown::Key)?;
                let low = bytes.next().and_then(hex).ok_or(Unknown::Key)?;
                high << 4 | low
            }
            other => other,
        });
    }
    String::from_utf8(decoded).map(ObjectKey).map_err(|_| Unknown::Key)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
#[path = "notification_tests.rs"]
mod tests;
