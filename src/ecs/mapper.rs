//! The mapper: one record's text in, one document out.

use super::doc::Doc;
use super::field::{Field, FieldId};
use super::fit;
use super::map::stages;
use super::origin::{Position, Rendered};
use super::places::Lookup;
use super::settings::{Choices, Constants, MappedBy, Settings};
use super::source::{self as s, Found, Record};
use super::stage::faults;
use super::stage::user_agent::Agents;
use super::time::Timestamp;
use super::write::{self, Sources};
use super::{id, table as f};
use crate::record::json::{Blanks, Error, ErrorKind, Kind, Tape, Value, repair_utf8};
use std::sync::Arc;

/// Maps records to documents; one per thread, because it reuses its buffers.
pub struct Mapper {
    choices: Choices,
    constants: Constants,
    origin: Rendered,
    tape: Tape,
    found: Found,
    doc: Doc,
    id: String,
    /// The event's time in the record that was mapped last.
    time: Option<Timestamp>,
    /// Whether that record, or its document, had to be repaired.
    repaired: bool,
    /// For reading again what stages have made.
    spare: Tape,
    agents: Agents,
    lookup: Lookup,
}

/// Why a text is no record; see [`Mapper::map`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the record is not readable as JSON: {0}")]
pub struct Broken(#[from] Error);

impl Broken {
    /// What exactly is wrong with the text, and at which byte.
    pub fn reason(&self) -> &Error {
        &self.0
    }
}

impl Mapper {
    pub fn new(settings: Arc<Settings>) -> Mapper {
        Mapper {
            choices: Choices::new(&settings),
            constants: Constants::new(&settings),
            origin: Rendered::default(),
            tape: Tape::default(),
            found: Found::default(),
            doc: Doc::new(),
            id: String::with_capacity(id::LENGTH),
            time: None,
            repaired: false,
            spare: Tape::default(),
            agents: Agents::default(),
            lookup: Lookup::new(settings.places.clone()),
        }
    }

    /// Maps one record, found at `at` and read at `now`.
    ///
    /// Faults in a record that is JSON (ECS mapping 12) become documents whose `event.kind` is `pipeline_error`; two
    /// members of one name are such a fault, too. Invalid UTF-8 is replaced, see [`Mapped::repaired`]. Errors: text
    /// that is not JSON, which the caller parks, or ships by [`Mapper::fault_document`]; none where a pipeline maps.
    pub fn map(&mut self, text: &[u8], at: Position<'_>, now: Timestamp) -> Result<Mapped<'_>, Broken> {
        self.prepare(text, at, now, &mut |_| false)?;
        Ok(Mapped { mapper: self })
    }

    /// Maps one record as [`Mapper::map`], unless `unwanted` says of the record that nobody wants its document. It is asked
    /// once, before any mapping; blank members are gone already (ECS mapping 3). It is not asked of what is no object
    /// or has two members of one name.
    pub fn map_unless(
        &mut self,
        text: &[u8],
        at: Position<'_>,
        now: Timestamp,
        unwanted: &mut dyn FnMut(Value<'_>) -> bool,
    ) -> Result<Option<Mapped<'_>>, Broken> {
        Ok(match self.prepare(text, at, now, unwanted)? {
            Ready::Yes => Some(Mapped { mapper: self }),
            Ready::Unwanted => None,
        })
    }

    fn prepare(
        &mut self,
        text: &[u8],
        at: Position<'_>,
        now: Timestamp,
        unwanted: &mut dyn FnMut(Value<'_>) -> bool,
    ) -> Result<Ready, Broken> {
        self.repaired = false;
        let mut parsed = self.tape.parse(text, Blanks::Dropped).map(|_| ());
        if let Err(Error { kind: ErrorKind::Utf8, .. }) = parsed {
            self.repaired = true;
            parsed = self.tape.parse(repair_utf8(text).as_bytes(), Blanks::Dropped).map(|_| ());
        }
        let choices = self.choices.with(at.tags);
        if choices.mapped_by == MappedBy::Pipeline {
            return Ok(self.forward(text, &at, now, unwanted));
        }
        match parsed {
            // Elasticsearch takes nothing, and a comment alone, for a record without members (ECS mapping 12, 16).
            Ok(()) | Err(Error { kind: ErrorKind::Empty, .. }) => {}
            Err(error) if matches!(error.kind, ErrorKind::DuplicateKey(_)) => {
                self.fault_document(text, at, now, &Broken(error));
                return Ok(Ready::Yes);
            }
            Err(error) => return Err(Broken(error)),
        }
        if self.tape.root().is_some_and(|root| root.is_object() && unwanted(root)) {
            return Ok(Ready::Unwanted);
        }
        self.begin(&at, now);
        let record = Record::find(&self.tape, &mut self.found);
        self.time = match record.root().map(|root| root.kind()) {
            None | Some(Kind::Object(_) | Kind::Null) => {
                stages(record, &mut self.doc, &mut self.agents, &mut self.lookup, &choices)
            }
            Some(_) => {
                self.doc.fixed(f::ECS_VERSION, "\"8.11.0\"");
                self.doc.fault("the record is not a JSON object");
                None
            }
        };
        if choices.repair {
            self.repaired |= fit::repair(&mut self.doc, &self.tape, &mut self.spare);
        }
        if choices.original || !self.doc.faults().is_empty() || (choices.repair && self.repaired) {
            self.doc.text(f::EVENT_ORIGINAL, &repair_utf8(text));
        }
        id::write(&mut self.id, record, &at, self.time);
        self.finish(&at);
        Ok(Ready::Yes)
    }

    /// Leaves the mapping to the index's pipeline. Text that is no JSON goes as well, for the pipeline to say so.
    fn forward(
        &mut self,
        text: &[u8],
        at: &Position<'_>,
        now: Timestamp,
        unwanted: &mut dyn FnMut(Value<'_>) -> bool,
    ) -> Ready {
        if self.tape.root().is_some_and(|root| root.is_object() && unwanted(root)) {
            return Ready::Unwanted;
        }
        self.agents_part(at);
        self.read_at(f::TIMESTAMP, now);
        self.doc.text(f::MESSAGE, &repair_utf8(text));
        let record = Record::find(&self.tape, &mut self.found);
        self.time = record.text(s::EVENT_TIME).and_then(Timestamp::parse);
        id::write(&mut self.id, record, at, self.time);
        Ready::Yes
    }

    /// The document for text that is no record (ECS mapping 12): the text, when it was read, and what is wrong with it.
    /// Invalid UTF-8 in it is replaced.
    pub fn fault_document(&mut self, text: &[u8], at: Position<'_>, now: Timestamp, broken: &Broken) -> Mapped<'_> {
        self.tape.reset();
        self.time = None;
        self.repaired = std::str::from_utf8(text).is_err();
        self.begin(&at, now);
        self.doc.fault(&broken.to_string());
        self.doc.text(f::EVENT_ORIGINAL, &repair_utf8(text));
        id::write(&mut self.id, Record::find(&self.tape, &mut self.found), &at, None);
        self.finish(&at);
        Mapped { mapper: self }
    }

    /// One document for any text: that of [`Mapper::map`], else that of [`Mapper::fault_document`].
    pub fn map_line(&mut self, text: &[u8], at: Position<'_>, now: Timestamp) -> Mapped<'_> {
        let broken = self.map(text, at, now).err();
        match broken {
            None => Mapped { mapper: self },
            Some(broken) => self.fault_document(text, at, now, &broken),
        }
    }

    /// What a document has before the stages.
    fn begin(&mut self, at: &Position<'_>, now: Timestamp) {
        self.agents_part(at);
        self.read_at(f::EVENT_CREATED, now);
        self.doc.same(f::EVENT_INGESTED, f::EVENT_CREATED);
        // Until a stage finds a better one.
        self.doc.same(f::TIMESTAMP, f::EVENT_CREATED);
    }

    fn read_at(&mut self, field: FieldId, now: Timestamp) {
        match &self.constants.read_at {
            None => self.doc.own_time(field, now),
            Some(time) => self.doc.make(field, |out| out.extend_from_slice(time.as_bytes())),
        }
    }

    /// What the integration's agent sends besides record and time (ECS mapping 1), and what is the same in every document.
    fn agents_part(&mut self, at: &Position<'_>) {
        self.doc.clear();
        self.origin.follow(at.origin);
        self.origin.describe(at, &mut self.doc);
        for field in self.constants.fields() {
            self.doc.of_constants(field);
        }
        if let Some(tags) = at.tags.filter(|tags| !tags.list.is_empty()) {
            self.doc.make(f::TAGS, |out| out.extend_from_slice(tags.list.as_bytes()));
        }
    }

    fn finish(&mut self, at: &Position<'_>) {
        let Constants { fault_tags, repair_tags, .. } = &self.constants;
        let (faulted, repaired) =
            at.tags.map_or((fault_tags, repair_tags), |tags| (&tags.fault_list, &tags.repair_list));
        faults::finish(&mut self.doc, faulted);
        if self.choices.repair && self.repaired {
            self.doc.make(f::TAGS, |out| out.extend_from_slice(repaired.as_bytes()));
        }
    }
}

/// Whether the mapper holds a document.
enum Ready {
    Yes,
    Unwanted,
}

/// A document, ready to be written; it lives until the mapper takes the next record.
#[derive(Clone, Copy)]
pub struct Mapped<'m> {
    mapper: &'m Mapper,
}

impl<'m> Mapped<'m> {
    /// The document's `_id`.
    pub fn id(&self) -> &'m str {
        &self.mapper.id
    }

    /// Appends the document as one line of JSON, without a line end.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (doc, sources) = self.parts();
        write::document(out, doc, &sources);
    }

    /// Whether the document has this field.
    pub fn has(&self, field: FieldId) -> bool {
        self.mapper.doc.has(field)
    }

    /// Appends the JSON of one field's value, repaired where the document is; nothing if the document does not have it.
    pub fn write_field(&self, field: FieldId, out: &mut Vec<u8>) {
        let (doc, sources) = self.parts();
        write::value(out, field, doc, &sources);
    }

    /// The fields that the document has, in its order, each with its JSON text.
    pub fn fields(&self) -> Vec<(&'static Field, String)> {
        let texts = FieldId::all().filter(|field| self.has(*field)).map(|field| {
            let mut text = Vec::new();
            self.write_field(field, &mut text);
            (field.field(), String::from_utf8(text).unwrap_or_default())
        });
        texts.collect()
    }

    /// The record, without its blank members; none when its text could not be read.
    pub fn raw(&self) -> Option<Value<'m>> {
        self.mapper.tape.root()
    }

    /// The record's `eventID`, or `eventId` as aggregated events have it; if it is a string.
    pub fn event_id(&self) -> Option<&'m str> {
        self.record().text(s::EVENT_ID).or_else(|| self.record().text(s::AGGREGATED_ID))
    }

    /// Whether something could not be mapped: the document is a `pipeline_error`.
    pub fn faulted(&self) -> bool {
        !self.mapper.doc.faults().is_empty()
    }

    /// Whether the record had invalid UTF-8, each sequence of which has become U+FFFD; or, where documents are repaired,
    /// a value that an index would have refused for its field.
    pub fn repaired(&self) -> bool {
        self.mapper.repaired
    }

    /// When the event happened; none if the record does not say it readably.
    pub fn event_time(&self) -> Option<Timestamp> {
        self.mapper.time
    }

    /// The event's name, if it is a string.
    pub fn action(&self) -> Option<&'m str> {
        self.record().text(s::EVENT_NAME)
    }

    fn parts(&self) -> (&'m Doc, Sources<'m>) {
        let Mapper { doc, tape, origin, constants, .. } = self.mapper;
        (doc, Sources { tape, origin, constants })
    }

    fn record(&self) -> Record<'m> {
        Record::of(&self.mapper.tape, &self.mapper.found)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ecs::origin::Origin;
    use crate::ecs::stage::tests::{NOW, is_fault, map};
    use serde_json::{Value, json};

    fn plain(text: &[u8]) -> Value {
        map(Settings::default(), text)
    }

    fn kept(text: &[u8]) -> Value {
        map(Settings { preserve_original_event: true, ..Settings::default() }, text)
    }

    #[test]
    fn nothing_is_an_event_without_members() {
        for text in [&b""[..], b"{}", b"null", b" \t", b"/* nothing */", b"// nothing", b"{\"a\":null}"] {
            assert_eq!(
                plain(text),
                json!({
                    "@timestamp": "2026-11-20T10:00:00.123456789Z", "cloud": {"provider": "aws"}, "ecs": {"version": "8.11.0"},
                    "event": {"created": "2026-11-20T10:00:00.123456789Z", "ingested": "2026-11-20T10:00:00.123456789Z", "kind": "event",
                        "outcome": "success", "type": ["info"], "module": "aws", "dataset": "aws.cloudtrail"},
                    "data_stream": {"type": "logs", "dataset": "aws.cloudtrail", "namespace": "default"}, "tags": ["forwarded", "aws-cloudtrail"],
                })
            );
        }
        assert!(kept(b"")["event"]["original"].is_null());
        assert_eq!(kept(b"null")["event"]["original"], "null");
        assert_eq!(kept(b"{}")["event"]["original"], "{}");
    }

    #[test]
    fn text_that_is_no_json_has_a_document_of_its_own() {
        for text in ["{", "abc", "{\"a\":1} x", "{\"a\":1,\"a\":2}", "{\"a\":01}", "-"] {
            assert_eq!(
                plain(text.as_bytes()),
                json!({
                    "@timestamp": "2026-11-20T10:00:00.123456789Z", "error": {"message": plain(text.as_bytes())["error"]["message"]},
                    "event": {"created": "2026-11-20T10:00:00.123456789Z", "ingested": "2026-11-20T10:00:00.123456789Z", "kind": "pipeline_error",
                        "original": text, "module": "aws", "dataset": "aws.cloudtrail"},
                    "data_stream": {"type": "logs", "dataset": "aws.cloudtrail", "namespace": "default"},
                    "tags": ["forwarded", "aws-cloudtrail", "preserve_original_event"],
                })
            );
            assert!(is_fault(&plain(text.as_bytes())));
        }
    }

    #[test]
    fn a_record_that_is_no_object_stops_after_the_version() {
        for text in ["[]", "[1]", "7", "\"x\"", "true"] {
            let doc = plain(text.as_bytes());
            assert!(is_fault(&doc));
            assert_eq!(
                (&doc["ecs"]["version"], &doc["event"]["original"], &doc["cloud"]),
                (&json!("8.11.0"), &json!(text), &json!(null))
            );
        }
    }

    #[test]
    fn the_text_is_kept_as_it_is_if_asked_for() {
        let text = br#"{ "eventName" : "GetUser", "requestParameters": {"a": "\u00e4\/\n"} }"#;
        assert!(plain(text)["event"]["original"].is_null());
        let doc = kept(text);
        assert_eq!(doc["event"]["original"].as_str().unwrap().as_bytes(), text);
        assert_eq!(doc["tags"], json!(["preserve_original_event", "forwarded", "aws-cloudtrail"]));
        assert_eq!(doc["event"]["kind"], "event");
    }

    #[test]
    fn invalid_utf_8_is_replaced_and_told() {
        let origin = Origin::default();
        let mut mapper = Mapper::new(Arc::new(Settings::default()));
        let (at, now) = (Position::new(&origin, 0), Timestamp::from_unix_nanos(NOW));
        let mapped = mapper.map(b"{\"eventName\":\"a\xFFb\"}", at, now).unwrap();
        assert_eq!((mapped.action(), mapped.repaired(), mapped.faulted()), (Some("a\u{FFFD}b"), true, false));
        assert!(!mapper.map(b"{}", at, now).unwrap().repaired());
        assert!(mapper.map(b"\xFF", at, now).is_err());
        assert!(mapper.map_line(b"\xFF", at, now).repaired());
    }

    #[test]
    fn the_fields_are_those_of_the_document() {
        let origin = Origin { input_type: "file", ..Origin::default() };
        let mut mapper = Mapper::new(Arc::new(Settings::default()));
        let text = br#"{"eventID":"e","eventName":"GetUser","requestParameters":{"a":[1]}}"#;
        let mapped = mapper.map(text, Position::new(&origin, 0), Timestamp::from_unix_nanos(NOW)).unwrap();
        assert_eq!(mapped.event_id(), Some("e"));
        let mut out = Vec::new();
        mapped.write(&mut out);
        let document: Value = serde_json::from_slice(&out).unwrap();
        let fields = mapped.fields();
        for (field, text) in &fields {
            let pointer = format!("/{}", field.name.replace('.', "/"));
            assert_eq!(document.pointer(&pointer), Some(&serde_json::from_str(text).unwrap()), "{}", field.name);
        }
        for (name, present) in [("event.id", true), ("input.type", true), ("tags", true), ("user.name", false)] {
            assert_eq!(fields.iter().any(|(field, _)| field.name == name), present, "{name}");
        }
    }

    #[test]
    fn broken_text_is_an_error_with_its_place() {
        let origin = Origin::default();
        let mut mapper = Mapper::new(Arc::new(Settings::default()));
        let (at, now) = (Position::new(&origin, 0), Timestamp::from_unix_nanos(NOW));
        let broken = mapper.map(br#"{"a":}"#, at, now).err().unwrap();
        assert_eq!(broken.to_string(), "the record is not readable as JSON: expected a value at byte 5");
        let twice = mapper.map(br#"{"a":1,"a":2}"#, at, now).unwrap();
        assert!(twice.faulted());
    }

    #[test]
    fn what_the_input_knows_is_in_every_document() {
        let origin = Origin {
            input_type: "aws-s3",
            bucket_name: Some("trail".to_string()),
            bucket_arn: Some("arn:aws:s3:::trail".to_string()),
            object_key: Some("AWSLogs/x.json.gz".to_string()),
            log_file_path: Some("https://trail.s3.eu-west-1.amazonaws.com/AWSLogs/x.json.gz".to_string()),
            region: Some("eu-west-1".to_string()),
            ..Origin::default()
        };
        let settings = Settings {
            namespace: "prod".to_string(),
            agent: crate::ecs::Agent {
                id: "a".to_string(),
                name: "n".to_string(),
                kind: "trailship".to_string(),
                ..Default::default()
            },
            ..Settings::default()
        };
        let mut mapper = Mapper::new(Arc::new(settings));
        for (text, region) in [(r#"{"awsRegion":"us-east-1"}"#, "us-east-1"), ("{}", "eu-west-1"), ("{", "eu-west-1")] {
            let mut out = Vec::new();
            mapper
                .map_line(text.as_bytes(), Position::new(&origin, 17), Timestamp::from_unix_nanos(NOW))
                .write(&mut out);
            let doc: Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(
                doc["aws"]["s3"],
                json!({"bucket": {"name": "trail", "arn": "arn:aws:s3:::trail"}, "object": {"key": "AWSLogs/x.json.gz"}})
            );
            assert_eq!(
                doc["log"],
                json!({"offset": 17, "file": {"path": "https://trail.s3.eu-west-1.amazonaws.com/AWSLogs/x.json.gz"}})
            );
            assert_eq!(
                (&doc["input"]["type"], &doc["cloud"]),
                (&json!("aws-s3"), &json!({"provider": "aws", "region": region}))
            );
            assert_eq!(doc["agent"], json!({"id": "a", "name": "n", "type": "trailship"}));
            assert_eq!(doc["data_stream"]["namespace"], "prod");
        }
    }

    #[test]
    fn a_pipeline_gets_what_the_agent_would_send() {
        let origin = Origin {
            input_type: "aws-s3",
            bucket_name: Some("trail".to_string()),
            object_key: Some("AWSLogs/x.json.gz".to_string()),
            region: Some("eu-west-1".to_string()),
            ..Origin::default()
        };
        let by_pipeline = Settings { mapped_by: MappedBy::Pipeline, repair: true, ..Settings::default() };
        let (at, now) = (Position::new(&origin, 17), Timestamp::from_unix_nanos(NOW));
        let record = r#"{"eventID":"e","eventTime":"2026-11-02T01:06:28Z","recipientAccountId":"1","requestParameters":{"a":"-"}}"#;
        let mut mapper = Mapper::new(Arc::new(by_pipeline.clone()));
        let expected = |message: &str| {
            json!({
                "@timestamp": "2026-11-20T10:00:00.123456789Z", "message": message, "tags": ["forwarded", "aws-cloudtrail"],
                "aws": {"s3": {"bucket": {"name": "trail"}, "object": {"key": "AWSLogs/x.json.gz"}}}, "log": {"offset": 17},
                "cloud": {"provider": "aws", "region": "eu-west-1"}, "input": {"type": "aws-s3"},
                "event": {"module": "aws", "dataset": "aws.cloudtrail"},
                "data_stream": {"type": "logs", "dataset": "aws.cloudtrail", "namespace": "default"},
            })
        };
        // What is no JSON goes as well, and two members of one name are the pipeline's to judge.
        for text in [record, "{\"a\":", r#"{"a":1,"a":2}"#, "[7]"] {
            let mut out = Vec::new();
            mapper.map(text.as_bytes(), at, now).unwrap().write(&mut out);
            assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), expected(text));
        }
        let id = mapper.map(record.as_bytes(), at, now).unwrap().id().to_string();
        let mut client = Mapper::new(Arc::new(Settings::default()));
        assert_eq!(client.map(record.as_bytes(), at, now).unwrap().id(), id);
        assert!(mapper.map_unless(record.as_bytes(), at, now, &mut |_| true).unwrap().is_none());
        let retain = crate::ecs::Retain::parse("flattened").unwrap();
        let mut mapper = Mapper::new(Arc::new(Settings { retain, ..by_pipeline }));
        let mut out = Vec::new();
        mapper.map(record.as_bytes(), at, now).unwrap().write(&mut out);
        assert_eq!(serde_json::from_slice::<Value>(&out).unwrap()["_conf"], json!({"retain": "flattened"}));
    }

    #[test]
    fn the_time_of_reading_may_be_given_as_a_text() {
        let doc = map(Settings { read_at: Some("2026-11-20T10:00:00Z".to_string()), ..Settings::default() }, b"{}");
        assert_eq!(doc["@timestamp"], "2026-11-20T10:00:00Z");
        assert_eq!((&doc["event"]["created"], &doc["event"]["ingested"]), (&doc["@timestamp"], &doc["@timestamp"]));
    }

    #[test]
    fn an_unwanted_record_is_asked_of_once_and_not_mapped() {
        let origin = Origin::default();
        let mut mapper = Mapper::new(Arc::new(Settings::default()));
        let (at, now) = (Position::new(&origin, 0), Timestamp::from_unix_nanos(NOW));
        for (text, asked, mapped) in [
            (r#"{"eventName":"Noise"}"#, 1, false),
            (r#"{"eventName":"Other"}"#, 1, true),
            ("[1]", 0, true),
            ("", 0, true),
            (r#"{"eventName":"Noise","eventName":"Noise"}"#, 0, true),
        ] {
            let mut questions = 0;
            let answer = mapper
                .map_unless(text.as_bytes(), at, now, &mut |record| {
                    questions += 1;
                    record.get("eventName").and_then(crate::record::json::Value::as_str) == Some("Noise")
                })
                .unwrap();
            assert_eq!((questions, answer.is_some()), (asked, mapped), "{text}");
        }
    }

    #[test]
    fn an_input_may_have_tags_of_its_own() {
        let origin = Origin::default();
        let settings = Settings::default();
        let tags = crate::ecs::InputTags::new(&settings, &["mine".to_string(), "preserve_original_event".to_string()]);
        let mut mapper = Mapper::new(Arc::new(settings));
        let own = Position { tags: Some(&tags), ..Position::new(&origin, 0) };
        let mut tags_of = |text: &str, at| {
            let mut out = Vec::new();
            mapper.map_line(text.as_bytes(), at, Timestamp::from_unix_nanos(NOW)).write(&mut out);
            let doc: Value = serde_json::from_slice(&out).unwrap();
            (doc["tags"].clone(), doc["event"]["original"].clone())
        };
        let all = json!(["forwarded", "aws-cloudtrail", "mine", "preserve_original_event"]);
        assert_eq!(tags_of("{\"a\":1}", own), (all.clone(), json!("{\"a\":1}")));
        assert_eq!(tags_of("{", own), (all, json!("{")));
        assert_eq!(tags_of("{}", Position::new(&origin, 0)), (json!(["forwarded", "aws-cloudtrail"]), json!(null)));
    }

    #[test]
    fn a_repaired_document_keeps_the_tags_of_its_input() {
        let origin = Origin::default();
        let settings = Settings { repair: true, ..Settings::default() };
        let tags = crate::ecs::InputTags::new(&settings, &["mine".to_string()]);
        let mut mapper = Mapper::new(Arc::new(settings));
        let at = Position { tags: Some(&tags), ..Position::new(&origin, 0) };
        // The second is a fault, too.
        for text in [r#"{"errorCode":{"a":1}}"#, r#"{"errorCode":{"a":1},"userIdentity":7}"#] {
            let mapped = mapper.map(text.as_bytes(), at, Timestamp::from_unix_nanos(NOW)).unwrap();
            let field = |id| {
                let mut out = Vec::new();
                mapped.write_field(id, &mut out);
                serde_json::from_slice::<Value>(&out).unwrap()
            };
            let all = ["forwarded", "aws-cloudtrail", "mine", "preserve_original_event", "shape_repaired"];
            assert_eq!((mapped.repaired(), field(f::TAGS)), (true, json!(all)));
            assert_eq!((field(f::ERROR_CODE), field(f::EVENT_ORIGINAL)), (json!(r#"{"a":1}"#), json!(text)));
        }
    }

    #[test]
    fn log_events_say_group_stream_and_time() {
        let origin = Origin { input_type: "aws-cloudwatch", log_group: Some("g".to_string()), ..Origin::default() };
        let mut at = Position::new(&origin, 0);
        at.log_stream = Some("s");
        at.ingestion_time = Some(Timestamp::from_unix_millis(1_795_168_800_001));
        at.log_event_id = Some("1");
        let mut mapper = Mapper::new(Arc::new(Settings::default()));
        let mut out = Vec::new();
        let now = Timestamp::from_unix_nanos(NOW);
        mapper.map_line(b"{}", at, now).write(&mut out);
        let doc: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            doc["aws"]["cloudwatch"],
            json!({"log_group": "g", "log_stream": "s", "ingestion_time": "2026-11-20T10:00:00.001Z"})
        );
        let first = mapper.map_line(b"{}", at, now).id().to_string();
        at.log_event_id = Some("2");
        assert_ne!(mapper.map_line(b"{}", at, now).id(), first);
    }

    #[test]
    fn a_mapper_may_be_handed_to_another_thread() {
        fn is_send<T: Send>() {}
        is_send::<Mapper>();
    }

    #[test]
    fn statistics_learn_time_and_action() {
        let origin = Origin::default();
        let mut mapper = Mapper::new(Arc::new(Settings::default()));
        let text = br#"{"eventTime":"2026-11-02T01:06:28Z","eventName":"GetUser","eventID":"e-1","recipientAccountId":"111122223333"}"#;
        let mapped = mapper.map(text, Position::new(&origin, 0), Timestamp::from_unix_nanos(NOW)).unwrap();
        assert_eq!((mapped.event_time(), mapped.action()), (Timestamp::parse("2026-11-02T01:06:28Z"), Some("GetUser")));
        assert_eq!((mapped.id(), mapped.faulted()), ("1c821a2-r4RPf1v3Sx526IPk5DwR", false));
    }
}
