//! One object on its way through the mill: its decoder, its splitter, and the part that answers for its records.

use super::bulker::Bulker;
use super::drops::Drops;
use crate::ack::{Outcome, Part};
use crate::ecs::{Broken, Mapped, Mapper, Origin, Position, Timestamp};
use crate::filter::{Fate, Filter, Rules};
use crate::output::Source;
use crate::output::parking::{BROKEN_RECORDS, Parked, Parking};
use crate::record::inflate::{Inflate, InflateFault, InflateLimits};
use crate::record::log_event::{self, LogEvent, Payload, Subscribed};
use crate::record::split::{Piece, SplitFault, Splitter};
use bytes::Bytes;
use ring::digest::{Context as Hasher, SHA256};
use std::cmp::Ordering;
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
    /// The dead letter cannot be written.
    #[error("cannot write to the dead letter: {0}; free space or mend the permissions of `path.data`")]
    Parking(String),
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
    /// Records of this try.
    seen: u64,
    /// Records that an earlier try issued, not to be repeated.
    issued: u64,
    /// Over the text of this try, where it is wanted.
    hasher: Option<Hasher>,
    asides: Asides,
    drops: Drops,
}

impl Reading {
    /// Starts on an object. `digest`: the whole object is one record.
    pub fn new(
        part: Part,
        origin: Arc<Origin>,
        source: Arc<Source>,
        digest: bool,
        limits: RecordLimits,
        rules: Arc<Rules>,
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
            seen: 0,
            issued: 0,
            hasher: None,
            asides: Asides::default(),
            drops: Drops::default(),
        }
    }

    /// Takes the text for a piece of its object that begins at byte `offset`. Before the first chunk.
    pub fn at(self, offset: u64) -> Reading {
        Reading { splitter: self.splitter.at(offset), ..self }
    }

    /// Hashes the text on its way. Before the first chunk.
    pub fn hashed(self) -> Reading {
        Reading { hasher: Some(Hasher::new(&SHA256)), ..self }
    }

    /// SHA-256 of the text so far; `None` where it is not wanted, and for an object that is not stored as gzip, which
    /// CloudTrail's always are.
    pub fn sha256(&self) -> Option<[u8; 32]> {
        let hash = self.hasher.clone().filter(|_| self.inflate.is_gzip())?.finish();
        hash.as_ref().try_into().ok()
    }

    /// Starts again from the first byte; records that are under way already will be passed over.
    pub fn rewind(&mut self) {
        self.issued = self.issued.max(self.seen);
        self.seen = 0;
        self.inflate = Inflate::new(self.limits.inflate);
        self.splitter = Splitter::new(self.limits.record, self.digest);
        if let Some(hasher) = &mut self.hasher {
            *hasher = Hasher::new(&SHA256);
        }
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
            Err(Halt::Object(fault)) => Err(fault),
            Ok(()) => Ok(()),
        }
    }

    fn read(&mut self, chunk: &Chunk, bench: &mut Bench<'_>) -> Result<(), Halt> {
        let record_limit = self.limits.record;
        let Reading { part, origin, source, rules, inflate, splitter, seen, issued, hasher, asides, drops, .. } = self;
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
                ControlFlow::Continue(()) => Ok(()),
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
                Err(broken) => asides.add("broken-record", broken.to_string(), offset, text),
            },
            Piece::LogEvents { offset, text } => match log_event::payload(text) {
                Some(Payload::Events(events)) => return self.payload(&events, offset, of, drops),
                Some(Payload::Control) => false,
                None => return self.record(Piece::Record { offset, text }, of, asides, drops),
            },
            Piece::Oversized { offset, head, length } => asides.add("too-large", too_large(length), offset, head),
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
            let full = asides.add("too-large", too_large(text.len() as u64), 0, text);
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

/// Broken records of one object on their way to the dead letter, in small lots.
#[derive(Default)]
struct Asides {
    waiting: Vec<Aside>,
    /// Bytes of the records that wait.
    bytes: usize,
    /// Broken records of the object so far.
    broken: u64,
    /// Those of them that no letter is written for, not settled yet.
    counted: u64,
}

struct Aside {
    code: &'static str,
    reason: String,
    offset: u64,
    record: Vec<u8>,
}

/// Broken records, and their bytes, that wait for one durable write.
const LOT: usize = 256;
const LOT_BYTES: usize = 1 << 20;
/// Broken records of one object that are kept one by one. A small hostile object can hold millions, whose letters would
/// fill the disk; what is beyond this stays in the object, which the last letter names.
const KEPT: u64 = 10_000;

impl Asides {
    /// Takes a broken record; true when the lot is full.
    fn add(&mut self, code: &'static str, reason: String, offset: u64, record: &[u8]) -> bool {
        self.broken += 1;
        let (code, reason) = match self.broken.cmp(&(KEPT + 1)) {
            Ordering::Less => (code, reason),
            Ordering::Equal => {
                let all = format!("more than {KEPT} records of this object are broken, the rest is only counted");
                (BROKEN_RECORDS, format!("{all}; here: {reason}"))
            }
            Ordering::Greater => {
                self.counted += 1;
                return false;
            }
        };
        self.waiting.push(Aside { code, reason, offset, record: record.to_vec() });
        self.bytes += record.len();
        self.waiting.len() >= LOT || self.bytes >= LOT_BYTES
    }

    /// Parks what waits. Records are settled only after the dead letter has them, or the letter that stands for them.
    fn park(&mut self, part: &Part, source: &Source, parking: &Parking) -> Result<(), ObjectFault> {
        let n = self.waiting.len() as u64 + self.counted;
        if n == 0 {
            return Ok(());
        }
        let letters: Vec<Parked<'_>> = self
            .waiting
            .iter()
            .map(|aside| Parked {
                code: aside.code,
                reason: aside.reason.clone(),
                status: None,
                source,
                offset: Some(aside.offset),
                id: None,
                record: &aside.record,
            })
            .collect();
        let mut receipt = part.issue(n);
        parking.park(&letters).map_err(|error| ObjectFault::Parking(error.to_string()))?;
        receipt.settle(Outcome::Parked, n);
        parking.count_elsewhere("broken-record", self.counted);
        self.waiting.clear();
        (self.bytes, self.counted) = (0, 0);
        Ok(())
    }
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
