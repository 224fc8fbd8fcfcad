//! The rules of one input, and how a thread applies them.
//!
//! The order is that of Beats: tags and fields of the input, its processors, the processors at the top. Only rules that
//! drop by the record alone are asked before all others, since they save the mapping; which documents are left is the
//! same, but such a rule counts what a later one would have dropped, too.

use super::change::Change;
use super::condition::{Condition, Looked, Scratch, View};
use super::tree::{Added, Tree};
use crate::ecs::{InputTags, Mapped, Settings};
use crate::record::json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One processor of the configuration, with what it has done so far.
#[derive(Debug)]
pub struct Rule {
    pub(super) label: String,
    pub(super) when: Option<Condition>,
    pub(super) action: Action,
    dropped: AtomicU64,
    failed: AtomicU64,
}

#[derive(Debug)]
pub(super) enum Action {
    Drop,
    Change(Change),
}

/// What one input's section says of its documents.
#[derive(Debug, Default)]
pub struct Own {
    pub(super) tags: Vec<String>,
    pub(super) fields: Vec<(String, Added)>,
    pub(super) rules: Vec<Arc<Rule>>,
}

/// All rules that one input's records are subject to, in order.
#[derive(Debug, Default)]
pub struct Rules {
    tags: Option<InputTags>,
    fields: Vec<(String, Added)>,
    /// Those that drop by the record alone.
    early: Vec<Arc<Rule>>,
    late: Vec<Arc<Rule>>,
}

/// Applies rules on one thread, because it reuses its buffers.
#[derive(Default)]
pub struct Filter {
    tree: Tree,
    scratch: Scratch,
}

/// What becomes of a document.
pub enum Fate<'a> {
    Shipped(Document<'a>),
    Dropped(&'a Arc<Rule>),
}

/// A document as it is shipped: the mapping's own, or a changed one.
pub struct Document<'a> {
    mapped: Mapped<'a>,
    edited: Option<&'a Tree>,
}

impl Rule {
    pub(super) fn new(label: String, when: Option<Condition>, action: Action) -> Rule {
        Rule { label, when, action, dropped: AtomicU64::new(0), failed: AtomicU64::new(0) }
    }

    /// Its `id`, else its path in the configuration.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Whether it drops documents.
    pub fn drops(&self) -> bool {
        matches!(self.action, Action::Drop)
    }

    /// Counts records that it dropped, once they have their outcome.
    pub fn count(&self, records: u64) {
        self.dropped.fetch_add(records, Relaxed);
    }

    /// Records that it dropped.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Documents on which it failed.
    pub fn failed(&self) -> u64 {
        self.failed.load(Relaxed)
    }

    fn fail(&self, reason: &str) {
        if self.failed.fetch_add(1, Relaxed) == 0 {
            tracing::warn!(rule = %self.label, "a processor failed: {reason}; further failures of it are only counted");
        }
    }

    fn is_early(&self) -> bool {
        self.drops() && self.when.as_ref().is_some_and(Condition::is_raw)
    }
}

impl Own {
    /// The processors of the section.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }
}

impl Rules {
    /// The rules of an input: its own and those of all. `settings` has the tags of all documents.
    pub fn new(settings: &Settings, own: Own, all: &[Arc<Rule>]) -> Rules {
        let tags = (!own.tags.is_empty()).then(|| InputTags::new(settings, &own.tags));
        let (early, late) = own.rules.into_iter().chain(all.iter().cloned()).partition(|rule| rule.is_early());
        Rules { tags, fields: own.fields, early, late }
    }

    /// The input's own tags.
    pub fn tags(&self) -> Option<&InputTags> {
        self.tags.as_ref()
    }

    #[cfg(test)]
    pub(super) fn late_rules(&self) -> &[Arc<Rule>] {
        &self.late
    }

    /// The first rule that drops a record for what it is, whatever its document.
    pub fn unwanted(&self, record: Value<'_>, filter: &mut Filter) -> Option<&Arc<Rule>> {
        let mut view = View { record: Some(record), document: Looked::Nothing, scratch: &mut filter.scratch };
        self.early.iter().find(|rule| rule.when.as_ref().is_some_and(|condition| condition.holds(&mut view)))
    }
}

impl Filter {
    /// Applies the rules that are about documents.
    pub fn apply<'a>(&'a mut self, rules: &'a Rules, mapped: Mapped<'a>) -> Fate<'a> {
        let Filter { tree, scratch } = self;
        let mut edited = false;
        if !rules.fields.is_empty() {
            tree.load(mapped);
            tree.merge(&rules.fields);
            edited = true;
        }
        for rule in &rules.late {
            let document = if edited { Looked::Edited(tree) } else { Looked::Mapped(mapped) };
            let mut view = View { record: mapped.raw(), document, scratch };
            if !rule.when.as_ref().is_none_or(|condition| condition.holds(&mut view)) {
                continue;
            }
            match &rule.action {
                Action::Drop => return Fate::Dropped(rule),
                Action::Change(change) => {
                    if !edited {
                        tree.load(mapped);
                        edited = true;
                    }
                    if let Err(reason) = change.apply(tree) {
                        rule.fail(&reason);
                    }
                }
            }
        }
        Fate::Shipped(Document { mapped, edited: edited.then_some(&*tree) })
    }
}

impl<'a> Document<'a> {
    /// The document's `_id`, which no rule changes.
    pub fn id(&self) -> &'a str {
        self.mapped.id()
    }

    /// Appends the document as one line of JSON, without a line end.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self.edited {
            Some(tree) => tree.write(out),
            None => self.mapped.write(out),
        }
    }
}
