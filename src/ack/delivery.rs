//! Delivery, part, receipt, verdict: counted promises whose default is "give it back".
//!
//! Invariants: a receipt is never cloned; `issue`, `split` and `merge` conserve the number of open records; a delivery
//! sends exactly one verdict, when its last part and receipt are gone. Drop neither blocks nor logs. Each part is counted
//! twice, at its issue and at its ends; one that does not add up is noted by its name.

use super::miscount::{Miscount, Miscounts};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::mpsc::UnboundedSender;

/// How a record ended. There is no "failed": what failed is still open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The index has it.
    Indexed,
    /// The index had it already, by `_id`.
    Duplicate,
    /// A rule of the user dropped it.
    Filtered,
    /// It lies in the dead letter, durably, with its reason.
    Parked,
}

/// Records of one part or delivery by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub indexed: u64,
    pub duplicate: u64,
    pub filtered: u64,
    pub parked: u64,
    /// Issued, but without outcome when the last receipt went.
    pub lost: u64,
}

impl Tally {
    /// Records that ended, whichever way.
    pub fn records(&self) -> u64 {
        self.indexed + self.duplicate + self.filtered + self.parked + self.lost
    }
}

/// The end of a delivery, sent once.
#[derive(Debug)]
pub struct Verdict {
    /// The key that the source gave to [`Delivery::open`].
    pub key: u64,
    pub tally: Tally,
    /// True when every record of every part has an outcome: the source may forget the delivery.
    pub settled: bool,
    /// Why not, when not settled; one text a part.
    pub reasons: Vec<String>,
}

/// Records of one input by where they are; shared by all its deliveries and read by status and tests.
///
/// `received = indexed + duplicate + filtered + parked + returned + in_flight` at any quiet moment.
#[derive(Debug, Default)]
pub struct Counters {
    received: AtomicU64,
    indexed: AtomicU64,
    duplicate: AtomicU64,
    filtered: AtomicU64,
    parked: AtomicU64,
    returned: AtomicU64,
    in_flight: AtomicU64,
    repaired: AtomicU64,
    miscounts: Miscounts,
}

/// A reading of [`Counters`], in records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Taken out of objects.
    pub received: u64,
    pub indexed: u64,
    pub duplicate: u64,
    pub filtered: u64,
    pub parked: u64,
    /// Given back to the source without outcome.
    pub returned: u64,
    pub in_flight: u64,
    /// Of those received: whose document had to be changed for the index to take it. No outcome of its own.
    pub repaired: u64,
    /// Objects whose records did not add up at their end; 0 unless the program is wrong.
    pub miscounted: u64,
}

impl Counters {
    pub fn read(&self) -> Counts {
        Counts {
            received: self.received.load(Relaxed),
            indexed: self.indexed.load(Relaxed),
            duplicate: self.duplicate.load(Relaxed),
            filtered: self.filtered.load(Relaxed),
            parked: self.parked.load(Relaxed),
            returned: self.returned.load(Relaxed),
            in_flight: self.in_flight.load(Relaxed),
            repaired: self.repaired.load(Relaxed),
            miscounted: self.miscounts.seen(),
        }
    }

    /// The parts that did not add up since the last call; of very many the first.
    pub fn take_miscounts(&self) -> Vec<Miscount> {
        self.miscounts.take()
    }

    fn of(&self, outcome: Outcome) -> &AtomicU64 {
        match outcome {
            Outcome::Indexed => &self.indexed,
            Outcome::Duplicate => &self.duplicate,
            Outcome::Filtered => &self.filtered,
            Outcome::Parked => &self.parked,
        }
    }
}

impl Counts {
    /// Records that are neither settled, nor given back, nor under way; 0 unless the program is wrong.
    pub fn unbalanced(&self) -> i64 {
        let known = self.indexed + self.duplicate + self.filtered + self.parked + self.returned + self.in_flight;
        self.received.wrapping_sub(known).cast_signed()
    }
}

/// One promise to a source. Holding it keeps the delivery open; [`seal`](Delivery::seal) says that all parts are named.
pub struct Delivery(Arc<DeliveryCore>);

/// One readable thing in a delivery: an object. Dropped without [`complete`](Part::complete) it is given back.
pub struct Part(Arc<PartCore>);

/// How one part ended, for the witness that was given to [`Delivery::witnessed`].
pub struct PartEnd {
    pub tally: Tally,
    /// True when every record has an outcome, and the true end was read.
    pub settled: bool,
    /// Keeps the delivery open until the witness is ready.
    pub hold: Hold,
}

/// Keeps a delivery open that has nothing else left. Dropped without [`release`](Hold::release) it gives the delivery back.
pub struct Hold(Part);

impl Hold {
    /// The delivery may end, as far as this is concerned.
    pub fn release(self) {
        self.0.complete();
    }
}

/// Told of a part's end from within a drop: it must neither block nor log.
pub type Witness = Box<dyn FnOnce(PartEnd) + Send>;

/// A number of records of one part that have no outcome yet. Dropped with records open, they are given back.
pub struct Receipt {
    part: Arc<PartCore>,
    open: u64,
}

impl Delivery {
    /// Opens a promise. The verdict with this `key` goes to `verdicts`.
    pub fn open(key: u64, counters: Arc<Counters>, verdicts: UnboundedSender<Verdict>) -> Delivery {
        Delivery(Arc::new(DeliveryCore {
            key,
            counters,
            verdicts,
            sealed: AtomicBool::new(false),
            repeat: AtomicBool::new(false),
            report: Mutex::default(),
        }))
    }

    /// The source has handed it out before, so that some of its records may have an outcome that nobody knows of.
    pub fn repeated(self) -> Delivery {
        self.0.repeat.store(true, Relaxed);
        self
    }

    /// Names one more part.
    pub fn part(&self) -> Part {
        self.0.part(None)
    }

    /// Names one more part, whose end `witness` learns. The delivery ends after the witness has released its hold.
    pub fn witnessed(&self, witness: Witness) -> Part {
        self.0.part(Some(witness))
    }

    /// Keeps the delivery open until the hold is released.
    pub fn hold(&self) -> Hold {
        Hold(self.part())
    }

    /// All parts are named.
    pub fn seal(self) {
        self.0.sealed.store(true, Relaxed);
    }

    /// Gives the whole delivery back with a reason.
    pub fn fail(self, reason: impl Into<String>) {
        lock(&self.0.report).reasons.push(reason.into());
    }
}

impl Part {
    /// Says what it is, for people, when it has no name yet.
    pub fn named(&self, name: &str) {
        self.0.name.get_or_init(|| name.to_owned());
    }

    /// Takes responsibility for `n` more records.
    pub fn issue(&self, n: u64) -> Receipt {
        let counters = &self.0.delivery.counters;
        counters.received.fetch_add(n, Relaxed);
        counters.in_flight.fetch_add(n, Relaxed);
        self.0.issued.fetch_add(n, Relaxed);
        Receipt { part: Arc::clone(&self.0), open: n }
    }

    /// Counts one record whose document had to be repaired.
    pub fn count_repaired(&self) {
        self.0.delivery.counters.repaired.fetch_add(1, Relaxed);
    }

    /// The true end was read.
    pub fn complete(self) {
        self.0.complete.store(true, Relaxed);
    }

    /// Gives the part back with a reason; records already settled stay settled.
    pub fn fail(self, reason: impl Into<String>) {
        lock(&self.0.report).reason = Some(reason.into());
    }

    /// True when the receipt belongs to this part, so that both can be one.
    pub fn issued(&self, receipt: &Receipt) -> bool {
        Arc::ptr_eq(&self.0, &receipt.part)
    }
}

impl Receipt {
    /// Records without outcome.
    pub fn open(&self) -> u64 {
        self.open
    }

    /// Whether the source has handed out its delivery before.
    pub fn is_repeat(&self) -> bool {
        self.part.delivery.repeat.load(Relaxed)
    }

    /// Gives `n` of the open records an outcome; more than are open counts as all.
    pub fn settle(&mut self, outcome: Outcome, n: u64) {
        let n = n.min(self.open);
        self.open -= n;
        let counters = &self.part.delivery.counters;
        counters.of(outcome).fetch_add(n, Relaxed);
        counters.in_flight.fetch_sub(n, Relaxed);
        let tally = &mut lock(&self.part.report).tally;
        match outcome {
            Outcome::Indexed => tally.indexed += n,
            Outcome::Duplicate => tally.duplicate += n,
            Outcome::Filtered => tally.filtered += n,
            Outcome::Parked => tally.parked += n,
        }
    }

    /// Takes `n` of the open records into a receipt of their own; more than are open counts as all.
    pub fn split(&mut self, n: u64) -> Receipt {
        let n = n.min(self.open);
        self.open -= n;
        Receipt { part: Arc::clone(&self.part), open: n }
    }

    /// Joins a receipt of the same part; gives it back when it is of another.
    pub fn merge(&mut self, mut other: Receipt) -> Result<(), Receipt> {
        if !Arc::ptr_eq(&self.part, &other.part) {
            return Err(other);
        }
        self.open += other.open;
        other.open = 0;
        Ok(())
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if self.open > 0 {
            let counters = &self.part.delivery.counters;
            counters.returned.fetch_add(self.open, Relaxed);
            counters.in_flight.fetch_sub(self.open, Relaxed);
            lock(&self.part.report).tally.lost += self.open;
        }
    }
}

struct DeliveryCore {
    key: u64,
    counters: Arc<Counters>,
    verdicts: UnboundedSender<Verdict>,
    sealed: AtomicBool,
    repeat: AtomicBool,
    report: Mutex<DeliveryReport>,
}

#[derive(Default)]
struct DeliveryReport {
    tally: Tally,
    open_ended: bool,
    reasons: Vec<String>,
}

impl DeliveryCore {
    fn part(self: &Arc<DeliveryCore>, witness: Option<Witness>) -> Part {
        Part(Arc::new(PartCore {
            delivery: Arc::clone(self),
            name: OnceLock::new(),
            issued: AtomicU64::new(0),
            complete: AtomicBool::new(false),
            report: Mutex::new(PartReport { tally: Tally::default(), reason: None, witness }),
        }))
    }
}

struct PartCore {
    delivery: Arc<DeliveryCore>,
    name: OnceLock<String>,
    issued: AtomicU64,
    complete: AtomicBool,
    report: Mutex<PartReport>,
}

#[derive(Default)]
struct PartReport {
    tally: Tally,
    reason: Option<String>,
    witness: Option<Witness>,
}

impl Drop for PartCore {
    fn drop(&mut self) {
        let PartReport { tally, reason, witness } = std::mem::take(&mut *lock(&self.report));
        let (issued, ended) = (self.issued.load(Relaxed), tally.records());
        if issued != ended {
            let object = self.name.get().cloned().unwrap_or_default();
            self.delivery.counters.miscounts.note(Miscount { object, issued, ended });
        }
        if let Some(witness) = witness {
            let settled = self.complete.load(Relaxed) && tally.lost == 0 && reason.is_none();
            witness(PartEnd { tally, settled, hold: Hold(self.delivery.part(None)) });
        }
        let mut report = lock(&self.delivery.report);
        report.tally.indexed += tally.indexed;
        report.tally.duplicate += tally.duplicate;
        report.tally.filtered += tally.filtered;
        report.tally.parked += tally.parked;
        report.tally.lost += tally.lost;
        report.open_ended |= !self.complete.load(Relaxed);
        report.reasons.extend(reason);
    }
}

impl Drop for DeliveryCore {
    fn drop(&mut self) {
        let DeliveryReport { tally, open_ended, reasons } = std::mem::take(&mut *lock(&self.report));
        let settled = self.sealed.load(Relaxed) && !open_ended && tally.lost == 0 && reasons.is_empty();
        // The source may be gone at the end of a run; then nobody waits for the verdict.
        let _ = self.verdicts.send(Verdict { key: self.key, tally, settled, reasons });
    }
}

/// A report must get through even while a panic unwinds, so poisoning is ignored: every update is a plain addition.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    fn open() -> (Delivery, Arc<Counters>, UnboundedReceiver<Verdict>) {
        let counters = Arc::new(Counters::default());
        let (sender, receiver) = unbounded_channel();
        (Delivery::open(7, Arc::clone(&counters), sender), counters, receiver)
    }

    fn only(verdicts: &mut UnboundedReceiver<Verdict>) -> Verdict {
        let verdict = verdicts.try_recv().unwrap();
        assert!(verdicts.try_recv().is_err(), "one verdict only");
        verdict
    }

    #[test]
    fn settled_when_every_record_has_an_outcome() {
        let (delivery, counters, mut verdicts) = open();
        let part = delivery.part();
        let mut receipt = part.issue(3);
        part.count_repaired();
        part.complete();
        delivery.seal();
        receipt.settle(Outcome::Indexed, 2);
        assert!(verdicts.try_recv().is_err(), "one record is open");
        receipt.settle(Outcome::Parked, 1);
        drop(receipt);
        let verdict = only(&mut verdicts);
        assert!(verdict.settled);
        assert_eq!((verdict.key, verdict.tally.indexed, verdict.tally.parked), (7, 2, 1));
        assert_eq!((counters.read().unbalanced(), counters.read().repaired), (0, 1));
    }

    #[test]
    fn an_empty_object_settles() {
        let (delivery, _, mut verdicts) = open();
        delivery.part().complete();
        delivery.seal();
        assert!(only(&mut verdicts).settled);
    }

    #[test]
    fn what_is_forgotten_is_given_back() {
        for forgotten in ["receipt", "part", "seal", "reason"] {
            let (delivery, counters, mut verdicts) = open();
            let part = delivery.part();
            let mut receipt = part.issue(2);
            receipt.settle(Outcome::Indexed, if forgotten == "receipt" { 1 } else { 2 });
            drop(receipt);
            match forgotten {
                "part" => drop(part),
                "reason" => part.fail("access denied"),
                _ => part.complete(),
            }
            if forgotten == "seal" {
                drop(delivery)
            } else {
                delivery.seal()
            }
            let verdict = only(&mut verdicts);
            assert!(!verdict.settled, "{forgotten}");
            assert_eq!(verdict.reasons.len(), usize::from(forgotten == "reason"));
            assert_eq!(counters.read().unbalanced(), 0);
            assert_eq!(counters.read().returned, u64::from(forgotten == "receipt"));
        }
    }

    /// No caller can bring this about; the counts are spoilt from within.
    #[test]
    fn a_part_that_does_not_add_up_is_named() {
        let (delivery, counters, _verdicts) = open();
        let (good, wrong) = (delivery.part(), delivery.part());
        for (part, name) in [(&good, "s3://b/good"), (&wrong, "s3://b/wrong")] {
            part.named(name);
            part.named("another");
            let mut receipt = part.issue(3);
            receipt.settle(Outcome::Filtered, 2);
        }
        wrong.0.issued.fetch_add(1, Relaxed);
        good.complete();
        wrong.complete();
        delivery.seal();
        let miscount = Miscount { object: "s3://b/wrong".to_owned(), issued: 4, ended: 3 };
        assert_eq!((counters.read().miscounted, counters.take_miscounts()), (1, vec![miscount]));
        assert_eq!((counters.read().miscounted, counters.take_miscounts()), (1, vec![]), "each is told once");
    }

    #[test]
    fn a_witness_learns_the_end_of_its_part_and_holds_the_delivery() {
        for (settle, complete, released) in
            [(true, true, true), (false, true, true), (true, false, true), (true, true, false)]
        {
            let (delivery, counters, mut verdicts) = open();
            let (ends, mut told) = unbounded_channel();
            let part = delivery.witnessed(Box::new(move |end| {
                let _ = ends.send(end);
            }));
            let mut receipt = part.issue(2);
            if complete {
                part.complete();
            } else {
                part.fail("denied");
            }
            delivery.seal();
            if settle {
                receipt.settle(Outcome::Duplicate, 2);
            }
            assert!(told.try_recv().is_err(), "the last receipt is not gone");
            drop(receipt);
            let end = told.try_recv().unwrap();
            assert_eq!(end.settled, settle && complete);
            assert_eq!((end.tally.duplicate, end.tally.lost), if settle { (2, 0) } else { (0, 2) });
            assert!(verdicts.try_recv().is_err(), "the witness holds it");
            if released {
                end.hold.release();
            } else {
                drop(end);
            }
            assert_eq!(only(&mut verdicts).settled, settle && complete && released);
            assert_eq!(counters.read().unbalanced(), 0);
        }
    }

    #[test]
    fn a_panic_gives_back() {
        let (delivery, _, mut verdicts) = open();
        let part = delivery.part();
        let receipt = part.issue(5);
        part.complete();
        delivery.seal();
        let worker = std::thread::spawn(move || {
            let _held = receipt;
            std::panic::resume_unwind(Box::new("a bug"));
        });
        assert!(worker.join().is_err());
        let verdict = only(&mut verdicts);
        assert!(!verdict.settled);
        assert_eq!(verdict.tally.lost, 5);
    }

    proptest! {
        #[test]
        fn any_life_ends_in_one_verdict_with_conserved_counts(steps in prop::collection::vec((0u8..5, 0u64..20), 1..60)) {
            let (delivery, counters, mut verdicts) = open();
            let mut parts = vec![delivery.part(), delivery.part()];
            let mut receipts: Vec<Receipt> = Vec::new();
            let mut issued = 0;
            for (step, n) in steps {
                match step {
                    0 => {
                        if let Some(part) = parts.get(usize::try_from(n % 2).unwrap()) {
                            receipts.push(part.issue(n));
                            issued += n;
                        }
                    }
                    1 => if let Some(last) = receipts.last_mut() { last.settle(Outcome::Indexed, n) },
                    2 => if let Some(mut last) = receipts.pop() { let piece = last.split(n); receipts.extend([last, piece]) },
                    3 => if let (Some(mut a), Some(b)) = (receipts.pop(), receipts.pop()) {
                        match a.merge(b) { Ok(()) => receipts.push(a), Err(b) => receipts.extend([a, b]) }
                    },
                    _ => if n == 0 { receipts.pop(); },
                }
            }
            parts.drain(..).for_each(Part::complete);
            delivery.seal();
            drop(receipts);
            let verdict = only(&mut verdicts);
            let tally = verdict.tally;
            prop_assert_eq!(tally.indexed + tally.lost, issued);
            prop_assert_eq!(verdict.settled, tally.lost == 0);
            let counts = counters.read();
            prop_assert_eq!((counts.unbalanced(), counts.in_flight, counts.received), (0, 0, issued));
            prop_assert_eq!(counts.miscounted, 0);
        }
    }
}
