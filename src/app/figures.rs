//! The figures of a run, gathered from those who count.

use crate::ack::{Counters, Miscount};
use crate::filter::Rule;
use crate::inputs::Progress;
use crate::integrity;
use crate::output::parking::Parking;
use crate::pipeline::{Cause, Policy};
use crate::status::{InputStatus, LogGroupStatus, Summary};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// Those who count.
pub(super) struct Figures {
    /// By their `id`.
    pub inputs: Vec<(String, Arc<Counters>, Arc<Progress>)>,
    pub rules: Vec<Arc<Rule>>,
    pub parking: Arc<Parking>,
    pub integrity: Option<Arc<integrity::Figures>>,
    pub started: Instant,
}

impl Figures {
    /// Says which objects do not add up.
    pub fn say_miscounts(&self) {
        for (input, counters, _) in &self.inputs {
            for Miscount { object, issued, ended } in counters.take_miscounts() {
                tracing::error!(
                    input,
                    object,
                    issued,
                    ended,
                    "a fault inside trailship: the records of an object do not add up; please report it with the log"
                );
            }
        }
    }

    /// What the run has done so far.
    pub fn read(&self) -> Summary {
        let inputs: Vec<InputStatus> =
            self.inputs.iter().map(|(id, counters, progress)| input(id, counters, progress)).collect();
        let sum = |of: fn(&InputStatus) -> u64| inputs.iter().map(of).sum();
        let (mut filtered_by_rule, mut failed_by_rule) = (BTreeMap::new(), BTreeMap::new());
        for rule in &self.rules {
            if rule.drops() {
                *filtered_by_rule.entry(rule.label().to_owned()).or_default() += rule.dropped();
            }
            if rule.failed() > 0 {
                *failed_by_rule.entry(rule.label().to_owned()).or_default() += rule.failed();
            }
        }
        Summary {
            objects: sum(|input| input.objects),
            records: sum(|input| input.records.received),
            indexed: sum(|input| input.records.indexed),
            duplicate: sum(|input| input.records.duplicate),
            filtered: sum(|input| input.records.filtered),
            parked: sum(|input| input.records.parked),
            repaired: sum(|input| input.records.repaired),
            parked_by_code: self.parking.counts().into_iter().map(|(code, n)| (code.to_owned(), n)).collect(),
            filtered_by_rule,
            failed_by_rule,
            integrity: self.integrity.as_ref().map(|figures| figures.read()),
            seconds: self.started.elapsed().as_secs_f64(),
            inputs,
        }
    }
}

fn input(id: &str, counters: &Counters, progress: &Progress) -> InputStatus {
    let records = counters.read();
    let waiting = progress.waiting.load(Relaxed);
    InputStatus {
        id: id.to_owned(),
        records,
        unbalanced: records.unbalanced(),
        objects: progress.objects.load(Relaxed),
        skipped: progress.skipped.load(Relaxed),
        bytes: progress.bytes.load(Relaxed),
        waiting: (waiting != u64::MAX).then_some(waiting),
        messages_received: progress.received.load(Relaxed),
        messages_deleted: progress.deleted.load(Relaxed),
        messages_released: progress.released.load(Relaxed),
        messages_unknown: progress.unknown.load(Relaxed),
        faults: faults(&progress.faults.read()),
        log_groups: log_groups(progress),
    }
}

fn faults(counts: &[(Cause, Policy, u64)]) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut faults: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for (cause, policy, n) in counts {
        faults.entry(cause.name().to_owned()).or_default().insert(policy.name().to_owned(), *n);
    }
    faults
}

fn log_groups(progress: &Progress) -> Option<LogGroupStatus> {
    let status = LogGroupStatus {
        groups: progress.groups.load(Relaxed),
        failing: progress.failing.load(Relaxed),
        repeated: progress.repeated.load(Relaxed),
        calls_granted: progress.granted.load(Relaxed),
        calls_waited_ms: progress.waited.load(Relaxed),
        calls_throttled: progress.throttled.load(Relaxed),
    };
    (status.groups > 0 || status.calls_granted > 0).then_some(status)
}
