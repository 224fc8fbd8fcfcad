//! What inputs tell of the objects that they ship.
//!
//! Telling never waits. What must not be forgotten before the source is told holds its delivery open; where nobody listens any
//! more, the hold is released at once, so that shipping goes on without it.

use super::model::Place;
use crate::ack::{Delivery, Hold, Part, PartEnd};
use crate::aws::client::Buckets;
use crate::aws::cloudtrail::CloudTrail;
use crate::config::types::HttpUrl;
use crate::record::trail_key::TrailKey;
use crate::verify::scope::Name;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::UnboundedSender;

/// An input's way to tell.
#[derive(Clone)]
pub struct Teller {
    notes: UnboundedSender<Note>,
    /// Replaces the endpoint of CloudTrail.
    endpoint: Option<HttpUrl>,
}

/// What was told.
pub(super) enum Note {
    /// Who may be asked for the objects of an input's buckets, and for keys.
    Access(Box<Access>),
    Notified(Name),
    /// A log file that no pattern of the input selects.
    Skipped(Name),
    Ended {
        name: Name,
        end: End,
        hold: Option<Hold>,
    },
    Digest {
        name: Name,
        hold: Option<Hold>,
    },
}

/// The identity of one input.
pub(super) struct Access {
    pub buckets: Buckets,
    pub cloudtrail: CloudTrail,
}

/// How the reading of a log file ended, and its records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct End {
    pub read: Read,
    /// Every record has an outcome.
    pub settled: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Read {
    /// It broke off, for a reason that says nothing of the object.
    #[default]
    Open,
    Whole {
        sha256: Option<[u8; 32]>,
        records: u64,
    },
    /// It cannot be read, or lies in the dead letter as a whole.
    Failed(&'static str),
}

/// What the reading of one object leaves for the end of its part.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Read>>);

impl Seen {
    /// It was read to its end.
    pub fn whole(&self, sha256: Option<[u8; 32]>, records: u64) {
        *lock(&self.0) = Read::Whole { sha256, records };
    }

    /// SHA-256 of the text, once it was read to its end.
    #[cfg(test)]
    pub fn hash(&self) -> Option<[u8; 32]> {
        match &*lock(&self.0) {
            Read::Whole { sha256, .. } => *sha256,
            _ => None,
        }
    }

    /// It cannot be read, or was parked as a whole; `code` is of a bounded set.
    pub fn failed(&self, code: &'static str) {
        *lock(&self.0) = Read::Failed(code);
    }
}

impl Teller {
    pub(super) fn new(notes: UnboundedSender<Note>, endpoint: Option<HttpUrl>) -> Teller {
        Teller { notes, endpoint }
    }

    /// Gives the identity of an input, for what must be asked of S3 and CloudTrail.
    pub fn access(&self, session: &crate::aws::Session) {
        let cloudtrail = CloudTrail::new(session, self.endpoint.clone());
        self.tell(Note::Access(Box::new(Access { buckets: session.buckets(), cloudtrail })));
    }

    /// A part of `delivery` for the object, with what its reader fills in. Objects that are no log files of a trail are not
    /// followed.
    pub fn follow(&self, delivery: &Delivery, bucket: &str, key: &str) -> (Part, Option<Seen>) {
        if Place::of(key).is_none() {
            return (delivery.part(), None);
        }
        let name = Name::new(bucket, key);
        self.tell(Note::Notified(name.clone()));
        let (seen, teller) = (Seen::default(), self.clone());
        let kept = seen.clone();
        let witness = move |PartEnd { settled, hold, .. }: PartEnd| {
            let read = std::mem::take(&mut *lock(&kept.0));
            teller.tell(Note::Ended { name, end: End { read, settled }, hold: Some(hold) });
        };
        (delivery.witnessed(Box::new(witness)), Some(seen))
    }

    /// A digest is to be verified; false for an object that is none.
    pub fn digest(&self, delivery: &Delivery, bucket: &str, key: &str) -> bool {
        if TrailKey::parse(key).is_none_or(|key| key.digest.is_none()) {
            return false;
        }
        self.tell(Note::Digest { name: Name::new(bucket, key), hold: Some(delivery.hold()) });
        true
    }

    /// An object is not read, since nothing selects it.
    pub fn skipped(&self, bucket: &str, key: &str) {
        if Place::of(key).is_some() {
            self.tell(Note::Skipped(Name::new(bucket, key)));
        }
    }

    fn tell(&self, note: Note) {
        if let Err(unheard) = self.notes.send(note) {
            unheard.0.release();
        }
    }
}

impl Note {
    /// Lets go of the delivery.
    pub fn release(self) {
        if let Note::Ended { hold: Some(hold), .. } | Note::Digest { hold: Some(hold), .. } = self {
            hold.release();
        }
    }

    /// Takes the hold out of the note.
    pub fn take_hold(&mut self) -> Option<Hold> {
        match self {
            Note::Ended { hold, .. } | Note::Digest { hold, .. } => hold.take(),
            _ => None,
        }
    }
}

fn lock(read: &Mutex<Read>) -> MutexGuard<'_, Read> {
    read.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::ack::{Counters, Outcome};
    use tokio::sync::mpsc::unbounded_channel;

    const KEY: &str = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/01/111122223333_CloudTrail_us-east-1_20260301T0310Z_AbCdEfGhIjKlMnOp.json.gz";

    fn delivery() -> (Delivery, tokio::sync::mpsc::UnboundedReceiver<crate::ack::Verdict>) {
        let (verdicts, told) = unbounded_channel();
        (Delivery::open(1, Arc::<Counters>::default(), verdicts), told)
    }

    #[test]
    fn a_file_is_told_of_when_it_is_announced_and_when_its_last_record_is_settled() {
        let (notes, mut heard) = unbounded_channel();
        let teller = Teller::new(notes, None);
        let (delivery, mut verdicts) = delivery();
        let (part, seen) = teller.follow(&delivery, "b", KEY);
        assert!(matches!(heard.try_recv().unwrap(), Note::Notified(name) if name.key == KEY));
        let mut receipt = part.issue(1);
        seen.unwrap().whole(Some([7; 32]), 1);
        part.complete();
        delivery.seal();
        assert!(heard.try_recv().is_err(), "a record is open");
        receipt.settle(Outcome::Indexed, 1);
        drop(receipt);
        let Note::Ended { end, hold, .. } = heard.try_recv().unwrap() else { panic!("its end") };
        assert_eq!(end, End { read: Read::Whole { sha256: Some([7; 32]), records: 1 }, settled: true });
        assert!(verdicts.try_recv().is_err(), "the source is not told before it is kept");
        hold.unwrap().release();
        assert!(verdicts.try_recv().unwrap().settled);
    }

    #[test]
    fn nobody_listens_and_shipping_goes_on() {
        let (notes, heard) = unbounded_channel();
        drop(heard);
        let teller = Teller::new(notes, None);
        let (delivery, mut verdicts) = delivery();
        teller.follow(&delivery, "b", KEY).0.complete();
        let digest = KEY.replace(
            "CloudTrail_us-east-1_20260301T0310Z_AbCdEfGhIjKlMnOp",
            "CloudTrail-Digest_us-east-1_t_us-east-1_20260301T040000Z",
        );
        assert!(teller.digest(&delivery, "b", &digest.replace("/CloudTrail/", "/CloudTrail-Digest/")));
        assert!(!teller.digest(&delivery, "b", KEY));
        delivery.seal();
        assert!(verdicts.try_recv().unwrap().settled);
    }
}
