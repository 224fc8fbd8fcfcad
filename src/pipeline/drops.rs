//! Records of one step that rules drop, counted until the step ends.

use crate::ack::{Outcome, Part};
use crate::filter::Rule;
use std::sync::Arc;

#[derive(Default)]
pub(super) struct Drops(Vec<(Arc<Rule>, u64)>);

impl Drops {
    pub(super) fn add(&mut self, rule: &Arc<Rule>) {
        match self.0.iter_mut().find(|(own, _)| Arc::ptr_eq(own, rule)) {
            Some((_, records)) => *records += 1,
            None => self.0.push((Arc::clone(rule), 1)),
        }
    }

    /// Gives the records, which are all of `part`, their outcome, and counts them by rule.
    pub(super) fn settle(&mut self, part: &Part) {
        for (rule, records) in self.0.drain(..) {
            part.issue(records).settle(Outcome::Filtered, records);
            rule.count(records);
        }
    }
}
