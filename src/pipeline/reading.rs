//! One object on its way through the mill: its decoder, its splitter, and the part that answers for its records.

use super::asides::Asides;
use super::bulker::Bulker;
use super::drops::Drops;
use super::fault::{Cause, Faults};
use super::room::Room;
use crate::ack::Part;
use crate::ecs::{Broken, Mapped, Mapper, Origin, Position, Timestamp};
use crate::filter::{Fate, Filter, Rules};
use crate::output::Source;
use crate::output::parking::Parking;
use crate::record::inflate::{Inflate, InflateFault, InflateLimits};
use crate::record::log_event::{self, LogEvent, Payload, Subscribed};
use crate::record::split::{Piece, SplitFault, Splitter};
use bytes::Bytes;
use ring::digest::{Context as Hasher, SHA256};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Limits on what one object may hold; what is over them is parked.
#[derive(Debug, Clone, Copy)]
pub struct RecordLimits {
    pub inflate: InflateLimits,
    /// Bytes of one record.
    pub record: usize,
}

/// Why an object could not be read to its end.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ObjectFault {
    /// The bytes are not what they should be; a second read may help when the damage is in transit.
    #[error("{text}")]
    Damaged { code: &'static str, text: String },
    /// A limit was passed; reading again changes nothing.
    #[error("{0}")]
    Limit(String),
    /// Whole but for broken records, for which `on_fault.broken_json` keeps it with its source.
    #[error("{0}")]
    HeldBack(String),
    /// The dead letter cannot be written.
    #[error("cannot write to the dead letter: {0}; free space or mend the permissions of `path.data`")]
    Parking(String),
    /// The budget has no room now for a record under way: to be read again, with room for the longest record.
    #[error("`memory.budget` has no room for a record of this object")]
    NoRoom,
    /// The run is being aborted.
    #[error("the run ends")]
    Stopped,
    /// A bug: the mill panicked on this object.
    #[error("a fault inside trailship stopped this object; please report it with the object's key")]
    Bug,
}

/// The state of one object between two chunks.
pub struct Reading {
    part: Part,
    origin: Arc<Origin>,
    source: Arc<Source>,
    limits: RecordLimits,
    rules: Arc<Rules>,
    digest: bool,
    inflate: Inflate,
    splitter: Splitter,
    room: Room,
    /// Records of this try.
    seen: u64,
    /// Records that an earlier try issued, not to be repeated.
    issued: u64,
    /// What tells the content that they are of from another.
    version: Option<String>,
    /// Over the text of this try, where it is wanted.
    hasher: Option<Hasher>,
    asides: Asides,
    drops: Drops,
}

impl Reading {
    /// Starts on an object. `digest`: the whole object is one record.
    pub(super) fn new(
        part: Part,
        origin: Arc<Origin>,
        source: Arc<Source>,
        digest: bool,
        limits: RecordLimits,
        rules: Arc<Rules>,
        room: Room,
    ) -> Reading {
        let (inflate, splitter) = (Inflate::new(limits.inflate), Splitter::new(limits.record, digest));
        Reading {
            part,
            origin,
            source,
            limits,
            rules,
            digest,
            inflate,
            splitter,
            room,
            seen: 0,
            issued: 0,
            version: None,
            hasher: None,
            asides: Asides::default(),
            drops: Drops::default(),
        }
    }

    /// Does about what cannot be shipped as `faults` say. Before the first chunk.
    pub fn facing(self, faults: Faults) -> Reading {
        Reading { asides: Asides::facing(faults), ..self }
    }

    /// Takes the text for a piece of its object that begins at byte `offset`. Before the first chunk.
    pub fn at(self, offset: u64) -> Reading {
        Reading { splitter: self.splitter.at(offset), ..self }
    }

    /// Whoever reads holds room for the longest record, so that none is asked for.
    pub fn with_room(mut self) -> Reading {
        self.room.make_whole();
        self
    }

    /// Hashes the text on its way. Before the first chunk.
    pub fn hashed(self) -> Reading {
        Reading { hasher: Some(Hasher::new(&SHA256)), ..self }
    }

    /// SHA-256 of the whole text; `None` where it is not wanted, and for an object that is not stored as one gzip member,
    /// as CloudTrail's always are.
    pub fn sha256(&self) -> Option<[u8; 32]> {
        let hash = self.hasher.clone().filter(|_| self.inflate.is_one_member())?.finish();
        hash.as_ref().try_into().ok()
    }

    /// Starts again from the first byte; records that are under way already will be passed over.
    pub fn rewind(&mut self) {
        self.issued = self.issued.max(self.seen);
        self.seen = 0;
        self.inflate = Inflate::new(self.limits.inflate);
        self.splitter = Splitter::new(self.limits.record, self.digest);
        self.room.clear();
        if let Some(hasher) = &mut self.hasher {
            *hasher = Hasher::new(&SHA256);
        }
    }

    /// Takes down which content this try is of; true when an earlier try was of another one, whose records are not these
    /// and are not passed over. Before the first chunk of a try.
    pub fn is_overwritten(&mut self, version: Option<String>) -> bool {
        let is_other = matches!((&self.version, &version), (Some(before), Some(now)) if before != now);
        if is_other {
            self.issued = 0;
            self.asides.forget();
        }
        self.version = version.or(self.version.take());
        is_other
    }

    /// Gives up the state, keeps the promise.
    pub fn into_part(self) -> Part {
        self.part
    }

    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Records seen so far in this try.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Records that are left out, as `on_fault` says.
    pub fn ignored(&self) -> u64 {
        self.asides.ignored()
    }

    /// The record that was under way when the text ended: its offset and first bytes.
    pub fn unfinished(&self) -> Option<(u64, &[u8])> {
        self.splitter.unfinished()
    }

    /// Takes the next chunk.
    pub(super) fn step(&mut self, chunk: &Chunk, bench: &mut Bench<'_>) -> Result<(), ObjectFault> {
        let read = self.read(chunk, bench);
        bench.bulker.issue(&self.part, &self.source);
        self.drops.settle(&self.part);
        self.asides.park(&self.part, &self.source, bench.parking)?;
        match read {
            Err(Halt::Inflate(fault @ (InflateFault::TooLarge { .. } | InflateFault::Ratio { .. }))) => {
                Err(ObjectFault::Limit(fault.to_string()))
            }
            Err(Halt::Inflate(fault)) => Err(ObjectFault::Damaged { code: "corrupt-object", text: fault.to_string() }),
            Err(Halt::Split(fault @ SplitFault::NotJson { .. })) => {
                Err(ObjectFault::Damaged { code: "broken-json", text: fault.to_string() })
            }
            Err(Halt::Split(fault @ SplitFault::Truncated { .. })) => {
                Err(ObjectFault::Damaged { code: "truncated-object", text: fault.to_string() })
            }
            Err(Halt::Object(fault)) => {
                // Lets go of the record at once, as others may be waiting for its bytes.
                if matches!(fault, ObjectFault::NoRoom) {
                    self.rewind();
                }
                Err(fault)
            }
            Ok(()) if matches!(chunk, Chunk::End) => match self.asides.held() {
                Some(reason) => Err(ObjectFault::HeldBack(reason)),
                None => Ok(()),
            },
            Ok(()) => Ok(()),
        }
    }

    fn read(&mut self, chunk: &Chunk, bench: &mut Bench<'_>) -> Result<(), Halt> {
        let record_limit = self.limits.record;
        let Reading {
            part, origin, source, rules, inflate, splitter, room, seen, issued, hasher, asides, drops, ..
        } = self;
        let of = Of { part, origin, source, rules };
        let mut window = |text: &[u8]| -> Result<(), Halt> {
            if let Some(hasher) = hasher {
                hasher.update(text);
            }
            let mut flow = ControlFlow::Continue(());
            splitter.push(text, &mut |piece| {
                if flow.is_break() {
                    return;
                }
                *seen += 1;
                if *seen > *issued {
                    flow = bench.record(piece, of, asides, drops);
                }
            })?;
            match flow {
                ControlFlow::Break(fault) => Err(Halt::Object(fault)),
                ControlFlow::Continue(()) if room.cover(splitter.held()) => Ok(()),
                ControlFlow::Continue(()) => Err(Halt::Object(ObjectFault::NoRoom)),
            }
        };
        match chunk {
            Chunk::Bytes(bytes) => inflate.push(bytes, &mut window),
            Chunk::End => {
                inflate.finish(&mut window)?;
                Ok(splitter.finish()?)
            }
            Chunk::Events(events) => {
                for event in events {
                    *seen += 1;
                    if let ControlFlow::Break(fault) = bench.log_event(event, record_limit, of, asides, drops) {
                        return Err(Halt::Object(fault));
                    }
                }
                Ok(())
            }
        }
    }
}

/// What a step takes of an object.
pub(super) enum Chunk {
    /// Stored bytes.
    Bytes(Bytes),
    /// Log events: records that their source has split already.
    Events(Vec<LogEvent>),
    /// The object ends.
    End,
}

/// What a thread of the mill works with.
pub(super) struct Bench<'a> {
    pub mapper: &'a mut Mapper,
    pub filter: &'a mut Filter,
    pub bulker: &'a mut Bulker,
    pub parking: &'a Parking,
    pub now: Timestamp,
}

/// What all records of an object have in common.
#[derive(Clone, Copy)]
struct Of<'a> {
    part: &'a Part,
    origin: &'a Origin,
    source: &'a Arc<Source>,
    rules: &'a Rules,
}

impl Bench<'_> {
    fn record(
        &mut self,
        piece: Piece<'_>,
        of: Of<'_>,
        asides: &mut Asides,
        drops: &mut Drops,
    ) -> ControlFlow<ObjectFault> {
        let full = match piece {
            Piece::Record { offset, text } => match self.text(text, Position::new(of.origin, offset), of, drops) {
                Ok(flow) => return flow,
                Err(broken) => asides.add(Cause::BrokenJson, "broken-record", broken.to_string(), offset, text),
            },
            Piece::LogEvents { offset, text } => match log_event::payload(text) {
                Some(Payload::Events(events)) => return self.payload(&events, offset, of, drops),
                Some(Payload::Control) => false,
                None => return self.record(Piece::Record { offset, text }, of, asides, drops),
            },
            Piece::Oversized { offset, head, length } => {
                asides.add(Cause::TooLarge, "too-large", too_large(length), offset, head)
            }
        };
        self.park_if(full, of, asides)
    }

    /// A log event that CloudWatch Logs answered with.
    fn log_event(
        &mut self,
        event: &LogEvent,
        limit: usize,
        of: Of<'_>,
        asides: &mut Asides,
        drops: &mut Drops,
    ) -> ControlFlow<ObjectFault> {
        let text = event.message.as_bytes();
        if text.len() > limit {
            let full = asides.add(Cause::TooLarge, "too-large", too_large(text.len() as u64), 0, text);
            return self.park_if(full, of, asides);
        }
        let at = Position {
            log_stream: Some(&event.stream),
            ingestion_time: event.ingested.map(Timestamp::from_unix_millis),
            log_event_id: Some(&event.id),
            ..Position::new(of.origin, 0)
        };
        self.message(text, at, of, drops)
    }

    /// The events of a subscription filter's payload, which lies `offset` bytes into its object.
    fn payload(
        &mut self,
        events: &Subscribed<'_>,
        offset: u64,
        of: Of<'_>,
        drops: &mut Drops,
    ) -> ControlFlow<ObjectFault> {
        for event in &events.log_events {
            let at = Position {
                log_group: Some(&events.log_group),
                log_stream: Some(&events.log_stream),
                log_event_id: Some(&event.id),
                ..Position::new(of.origin, offset)
            };
            self.message(event.message.as_bytes(), at, of, drops)?;
        }
        ControlFlow::Continue(())
    }

    /// The message of a log event. What is no record becomes a document that says so (ECS mapping 12): a group may hold
    /// other lines, and its owner should see them.
    fn message(&mut self, text: &[u8], at: Position<'_>, of: Of<'_>, drops: &mut Drops) -> ControlFlow<ObjectFault> {
        let broken = match self.text(text, at, of, drops) {
            Ok(flow) => return flow,
            Err(broken) => broken,
        };
        let at = Position { tags: of.rules.tags(), ..at };
        let mapped = self.mapper.fault_document(text, at, self.now, &broken);
        if mapped.repaired() {
            of.part.count_repaired();
        }
        match self.filter.apply(of.rules, mapped) {
            Fate::Shipped(document) => self.bulker.add(&document, of.part, of.source),
            Fate::Dropped(rule) => {
                drops.add(rule);
                ControlFlow::Continue(())
            }
        }
    }

    /// Maps a record, and ships or drops its document as the rules say.
    fn text(
        &mut self,
        text: &[u8],
        at: Position<'_>,
        of: Of<'_>,
        drops: &mut Drops,
    ) -> Result<ControlFlow<ObjectFault>, Broken> {
        let at = Position { tags: of.rules.tags(), ..at };
        let mut unwanted = None;
        let mapped = self.mapper.map_unless(text, at, self.now, &mut |record| {
            unwanted = of.rules.unwanted(record, self.filter);
            unwanted.is_some()
        })?;
        if mapped.as_ref().is_some_and(Mapped::repaired) {
            of.part.count_repaired();
        }
        let fate = mapped.map(|mapped| self.filter.apply(of.rules, mapped));
        match (fate, unwanted) {
            (Some(Fate::Shipped(document)), _) => return Ok(self.bulker.add(&document, of.part, of.source)),
            (Some(Fate::Dropped(rule)), _) | (None, Some(rule)) => drops.add(rule),
            // The mapper leaves out only what a rule does not want; anything else must not be lost.
            (None, None) => return Ok(ControlFlow::Break(ObjectFault::Bug)),
        }
        Ok(ControlFlow::Continue(()))
    }

    fn park_if(&self, full: bool, of: Of<'_>, asides: &mut Asides) -> ControlFlow<ObjectFault> {
        match full.then(|| asides.park(of.part, of.source, self.parking)) {
            Some(Err(fault)) => ControlFlow::Break(fault),
            _ => ControlFlow::Continue(()),
        }
    }
}

fn too_large(length: u64) -> String {
    format!("the record has {length} bytes, more than `limits.record_bytes`")
}

/// What ends a step early.
enum Halt {
    Inflate(InflateFault),
    Split(SplitFault),
    Object(ObjectFault),
}

impl From<InflateFault> for Halt {
    fn from(fault: InflateFault) -> Halt {
        Halt::Inflate(fault)
    }
}

impl From<SplitFault> for Halt {
    fn from(fault: SplitFault) -> Halt {
        Halt::Split(fault)
    }
}
