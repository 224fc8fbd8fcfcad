//! The mapper: one record's text in, one document out.

use super::doc::Doc;
use super::fit::{self, Misfit};
use super::map::stages;
use super::origin::{Position, Rendered};
use super::settings::{Choices, Constants, Settings};
use super::source::{self as s, Found, Record};
use super::stage::faults;
use super::stage::user_agent::Agents;
use super::time::Timestamp;
use super::write::{self, Sources};
use super::{id, table as f};
use crate::record::json::{Blanks, Error, ErrorKind, Kind, Tape, repair_utf8};
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
    agents: Agents,
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
            agents: Agents::default(),
        }
    }

    /// Maps one record, found at `at` and read at `now`.
    ///
    /// Faults in a record that is JSON (ECS mapping 12) become documents whose `event.kind` is `pipeline_error`; two members
    /// of one name are such a fault, too. Errors: text that is not JSON, which the caller parks, or ships by
    /// [`Mapper::fault_document`].
    pub fn map(&mut self, text: &[u8], at: Position<'_>, now: Timestamp) -> Result<Mapped<'_>, Broken> {
        match self.tape.parse(text, Blanks::Dropped).map(|_| ()) {
            // Elasticsearch takes nothing, and a comment alone, for a record without members (ECS mapping 12, 16).
            Ok(()) | Err(Error { kind: ErrorKind::Empty, .. }) => {}
            Err(error) if matches!(error.kind, ErrorKind::DuplicateKey(_)) => {
                return Ok(self.fault_document(text, at, now, &Broken(error)));
            }
            Err(error) => return Err(Broken(error)),
        }
        self.begin(&at, now);
        let record = Record::find(&self.tape, &mut self.found);
        self.time = match record.root().map(|root| root.kind()) {
            None | Some(Kind::Object(_) | Kind::Null) => stages(record, &mut self.doc, &mut self.agents, &self.choices),
            Some(_) => {
                self.doc.fixed(f::ECS_VERSION, "\"8.11.0\"");
                self.doc.fault("the record is not a JSON object");
                None
            }
        };
        if self.choices.original || !self.doc.faults().is_empty() {
            self.doc.text(f::EVENT_ORIGINAL, &repair_utf8(text));
        }
        id::write(&mut self.id, record, &at, self.time);
        Ok(self.finish())
    }

    /// The document for text that is no record (ECS mapping 12): the text, when it was read, and what is wrong with it.
    /// Invalid UTF-8 in it is replaced.
    pub fn fault_document(&mut self, text: &[u8], at: Position<'_>, now: Timestamp, broken: &Broken) -> Mapped<'_> {
        self.tape.reset();
        self.time = None;
        self.begin(&at, now);
        self.doc.fault(&broken.to_string());
        self.doc.text(f::EVENT_ORIGINAL, &repair_utf8(text));
        id::write(&mut self.id, Record::find(&self.tape, &mut self.found), &at, None);
        self.finish()
    }

    /// One document for any text: that of [`Mapper::map`], else that of [`Mapper::fault_document`].
    pub fn map_line(&mut self, text: &[u8], at: Position<'_>, now: Timestamp) -> Mapped<'_> {
        let broken = self.map(text, at, now).err();
        match broken {
            None => Mapped { mapper: self },
            Some(broken) => self.fault_document(text, at, now, &broken),
        }
    }

    /// What the agent sends, and what is the same in every document.
    fn begin(&mut self, at: &Position<'_>, now: Timestamp) {
        self.doc.clear();
        self.origin.follow(at.origin);
        self.origin.describe(at, &mut self.doc);
        for field in self.constants.fields() {
            self.doc.of_constants(field);
        }
        self.doc.own_time(f::EVENT_CREATED, now);
        self.doc.same(f::EVENT_INGESTED, f::EVENT_CREATED);
        // Until a stage finds a better one.
        self.doc.same(f::TIMESTAMP, f::EVENT_CREATED);
    }

    fn finish(&mut self) -> Mapped<'_> {
        faults::finish(&mut self.doc, &self.constants.fault_tags);
        Mapped { mapper: self }
    }
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
        let Mapper { doc, tape, origin, constants, .. } = self.mapper;
        write::document(out, doc, &Sources { tape, origin, constants });
    }

    /// Whether something could not be mapped: the document is a `pipeline_error`.
    pub fn faulted(&self) -> bool {
        !self.mapper.doc.faults().is_empty()
    }

    /// When the event happened; none if the record does not say it readably.
    pub fn event_time(&self) -> Option<Timestamp> {
        self.mapper.time
    }

    /// The event's name, if it is a string.
    pub fn action(&self) -> Option<&'m str> {
        self.record().text(s::EVENT_NAME)
    }

    /// The fields that an index with the declared types would refuse, or not index.
    pub fn misfits(&self) -> Vec<Misfit> {
        fit::misfits(&self.mapper.doc, &self.mapper.tape)
    }

    fn record(&self) -> Record<'m> {
        Record::of(&self.mapper.tape, &self.mapper.found)
    }
}
