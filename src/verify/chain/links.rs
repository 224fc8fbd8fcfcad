//! Neighbours in a chain: what a digest states of the one before, and what is not there (CloudTrail formats 5.4, rows 10 to
//! 13).

use super::{Audit, Auditor, Known, between};
use crate::verify::digest::Digest;
use crate::verify::evidence::{Evidence, Fetched, Need, Reading};
use crate::verify::finding::{Finding, Kind};
use crate::verify::moment::{self, HOUR};
use crate::verify::scope::Name;
use crate::verify::verdict::Verdict;
use jiff::Timestamp;
use std::collections::HashMap;

/// A digest in its place in the chain.
pub(super) struct Node<'e> {
    pub(super) name: Name,
    /// The end of its time, by its key.
    pub(super) end: Timestamp,
    pub(super) fetched: &'e Fetched,
    pub(super) verdict: Verdict,
}

impl<'e> Node<'e> {
    pub(super) fn reading(&self) -> Option<&'e Reading> {
        match self.fetched {
            Fetched::Read(reading) => Some(reading),
            Fetched::Missing | Fetched::Failed(_) => None,
        }
    }

    pub(super) fn digest(&self) -> Option<&'e Digest> {
        self.reading().and_then(Reading::digest)
    }

    pub(super) fn authentic(&self) -> Option<&'e Digest> {
        self.digest().filter(|_| self.verdict.authentic)
    }

    /// The start of its time: what it says, or an hour before its end when it cannot be believed.
    pub(super) fn start(&self) -> Timestamp {
        self.authentic().and_then(Digest::start).unwrap_or_else(|| moment::plus(self.end, -HOUR))
    }

    pub(super) fn covers(&self) -> Option<(Timestamp, Timestamp)> {
        let digest = self.authentic()?;
        digest.start().zip(digest.end())
    }
}

impl Auditor<'_> {
    /// Checks each digest against the one before it. `nodes` start with the newest.
    pub(super) fn links(
        &self,
        nodes: &[Node<'_>],
        known: &Known,
        backfill: bool,
        evidence: &Evidence,
        audit: &mut Audit,
    ) -> Result<(), Vec<Need>> {
        let at: HashMap<&Name, usize> = nodes.iter().enumerate().map(|(n, node)| (&node.name, n)).collect();
        let from = audit.findings.len();
        for (n, node) in nodes.iter().enumerate() {
            let older = nodes.get(n + 1);
            let Some(digest) = node.digest() else {
                self.hole(node, older, backfill, audit);
                continue;
            };
            let Some(previous) = link(&node.name, digest) else {
                if node.verdict.authentic {
                    self.restart(node, older, backfill, audit);
                } else {
                    self.hole(node, older, backfill, audit);
                }
                continue;
            };
            match at.get(&previous) {
                Some(found) if *found <= n => audit.findings.push(Finding::of(
                    Kind::ChainLoop,
                    &node.name,
                    format!("its link leads to `{previous}`, which is not older"),
                )),
                Some(found) => {
                    let between = nodes.get(n + 1..*found).unwrap_or_default();
                    orphans(node, between, audit);
                    if let (Some(previous), true) = (nodes.get(*found), node.verdict.authentic) {
                        compare(node, digest, previous, backfill, audit);
                    }
                }
                None if digest.start().is_none_or(|start| start < self.window.from) => {}
                None if known.contains_key(&previous) => {}
                None => match evidence.digest(&previous).map_err(|need| vec![need])? {
                    Fetched::Missing => self.missing(node, &previous, older, backfill, audit),
                    Fetched::Failed(failure) => {
                        audit.findings.push(Finding::of(Kind::Unreadable, &previous, failure.text.clone()));
                    }
                    Fetched::Read(_) => {}
                },
            }
        }
        for finding in audit.findings.iter_mut().skip(from) {
            finding.backfill = backfill;
        }
        Ok(())
    }

    /// A chain starts at `node`; what lies between it and an older digest is covered by none.
    fn restart(&self, node: &Node<'_>, older: Option<&Node<'_>>, backfill: bool, audit: &mut Audit) {
        if backfill {
            return;
        }
        let start = node.start();
        match older {
            Some(older) => audit.findings.push(between::beginning(&node.name, older.end, start)),
            // The first digest comes about an hour after validation was switched on.
            None if start > moment::plus(self.window.from, HOUR) => audit.findings.push(
                Finding::of(Kind::HeadUncovered, &node.name, "the chain starts here; no digest covers the time before")
                    .during(self.window.from, start),
            ),
            None => {}
        }
    }

    /// Time that is not covered before a digest whose link cannot be believed.
    fn hole(&self, node: &Node<'_>, older: Option<&Node<'_>>, backfill: bool, audit: &mut Audit) {
        let (start, end) = (node.start(), older.map_or(self.window.from, |older| older.end));
        if backfill || end >= start || (older.is_none() && start <= moment::plus(self.window.from, HOUR)) {
            return;
        }
        audit.findings.push(between::hole(&node.name, end, start));
    }

    /// The digest that `node` names is gone, and with it all down to the next older one.
    fn missing(&self, node: &Node<'_>, gone: &Name, older: Option<&Node<'_>>, backfill: bool, audit: &mut Audit) {
        let (start, end) = (node.start(), older.map_or(self.window.from, |older| older.end));
        if backfill {
            audit.findings.push(Finding::of(
                Kind::DigestMissing,
                gone,
                "a later backfill digest names it, but it is not there",
            ));
            return;
        }
        audit.findings.push(between::missing(gone, end, start));
    }
}

/// The digest before. In a copy of a bucket it is the copy.
pub fn link(name: &Name, digest: &Digest) -> Option<Name> {
    let (bucket, key) = digest.previous()?;
    let bucket = if digest.bucket.text() == Some(bucket) { &name.bucket } else { bucket };
    Some(Name::new(bucket, key))
}

/// Digests of one chain that its successor does not name.
fn orphans(node: &Node<'_>, others: &[Node<'_>], audit: &mut Audit) {
    if node.verdict.authentic {
        audit.findings.extend(others.iter().map(|other| between::orphan(&node.name, &other.name)));
    }
}

/// What an authentic digest states of the one before, against what is there.
fn compare(node: &Node<'_>, digest: &Digest, previous: &Node<'_>, backfill: bool, audit: &mut Audit) {
    let Some(before) = previous.digest() else { return };
    if digest.previous_hash.text() != Some(&before.hash) {
        let stated = digest.previous_hash.text();
        audit.findings.push(between::other_hash(&node.name, &previous.name, stated, &before.hash));
    }
    let signature = previous.reading().and_then(|reading| reading.signature.as_deref());
    let stated = digest.previous_signature.text();
    if signature.is_some_and(|signature| !stated.is_some_and(|stated| stated.eq_ignore_ascii_case(signature))) {
        audit.findings.push(between::other_signature(&node.name, &previous.name));
    }
    let (Some(start), Some(end), false) = (digest.start(), before.end(), backfill) else { return };
    if previous.verdict.authentic && start != end {
        audit.findings.push(between::discontinuity(&node.name, start, end));
    }
}

/// Digests that cover a time, at one an hour.
pub(super) fn hours(from: Timestamp, to: Timestamp) -> u64 {
    let seconds = to.as_second().saturating_sub(from.as_second());
    u64::try_from((seconds + HOUR / 2) / HOUR).unwrap_or(0).max(1)
}
