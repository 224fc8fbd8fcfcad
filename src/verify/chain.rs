//! Every check of one chain, over every digest that the bucket holds of it and every one that a link names (CloudTrail
//! formats 5.4). Pure: what it lacks it asks for.
//!
//! Unlike the AWS CLI's walk it does not depend on the newest digest, or on any one being there: each digest in the window
//! is judged by itself, then the links between neighbours, then the time that no valid digest covers.

pub mod between;
mod links;

use super::digest::Digest;
use super::evidence::{Evidence, Fetched, KeyAnswer, Listing, Need};
use super::finding::{Finding, Kind};
use super::moment::{self, HOUR, display};
use super::scope::{Chain, Name};
use super::verdict::{self, Verdict};
use crate::record::trail_key::TrailKey;
use jiff::Timestamp;
pub use links::link;
use links::{Node, hours};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The time asked about, and the time of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub from: Timestamp,
    pub to: Timestamp,
    pub now: Timestamp,
}

/// CloudTrail may take this long to deliver the digest of an hour.
const DELIVERY: i64 = 2 * HOUR;

/// What the checks of one chain found. Digests are in order of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audit {
    pub findings: Vec<Finding>,
    /// Digests whose signature proves their content.
    pub authentic: Vec<Name>,
    /// Digests in the bucket, backfill digests included.
    pub digests: u64,
    /// Of these, without any finding.
    pub valid: u64,
    /// The time that authentic digests cover, clipped to the window.
    pub covered: Vec<(Timestamp, Timestamp)>,
    /// The newest authentic digest, the end of its time, its hash.
    pub newest: Option<(Name, Timestamp, String)>,
}

/// Judges one chain; verdicts of single digests are kept between calls.
pub struct Auditor<'c> {
    chain: &'c Chain,
    window: Window,
    verdicts: HashMap<Name, Verdict>,
}

/// The digests of one chain by name, with the end of their time.
type Known = BTreeMap<Name, Timestamp>;

impl<'c> Auditor<'c> {
    pub fn new(chain: &'c Chain, window: Window) -> Auditor<'c> {
        Auditor { chain, window, verdicts: HashMap::new() }
    }

    /// Judges the chain by what is known.
    ///
    /// # Errors
    /// Everything that can be told to be needed first; then it is called again.
    pub fn audit(&mut self, evidence: &Evidence) -> Result<Audit, Vec<Need>> {
        let mut audit = Audit::default();
        if let Some(finding) = self.lacks_keys(evidence)? {
            audit.findings.push(finding);
            return Ok(audit);
        }
        let (standard, backfill) = self.known(evidence, &mut audit)?;
        let nodes = self.nodes(&standard, false, evidence)?;
        self.links(&nodes, &standard, false, evidence, &mut audit)?;
        self.coverage(&nodes, &mut audit);
        let late = self.nodes(&backfill, true, evidence)?;
        self.links(&late, &backfill, true, evidence, &mut audit)?;
        for node in nodes.iter().chain(&late) {
            self.note(node, &mut audit);
        }
        Ok(audit)
    }

    /// Without keys nothing can be said about any digest.
    fn lacks_keys(&self, evidence: &Evidence) -> Result<Option<Finding>, Vec<Need>> {
        let Window { from, to, .. } = self.window;
        let region = &self.chain.scope.region;
        let text = match evidence.keys(from, moment::plus(to, DELIVERY)).map_err(|need| vec![need])? {
            KeyAnswer::Keys(keys) if keys.is_empty() => {
                format!("there are no public keys of CloudTrail in `{region}` from {} on", display(from))
            }
            KeyAnswer::Keys(_) => return Ok(None),
            KeyAnswer::Failed(failure) => failure.text.clone(),
        };
        Ok(Some(Finding::new(Kind::Unreadable, text)))
    }

    /// Names of the digests in the window: listed, and reached by links, in every bucket that a link leads to.
    fn known(&self, evidence: &Evidence, audit: &mut Audit) -> Result<(Known, Known), Vec<Need>> {
        let mut known = (Known::new(), Known::new());
        let mut strangers = BTreeSet::new();
        let mut buckets = vec![self.chain.scope.bucket.clone()];
        let mut at = 0;
        while let Some(bucket) = buckets.get(at).cloned() {
            at += 1;
            match evidence.listing(&bucket).map_err(|need| vec![need])? {
                Listing::Keys(keys) => self.sort_listed(&bucket, keys, &mut known, &mut strangers),
                Listing::Failed(failure) => audit.findings.push(Finding::new(Kind::Unreadable, failure.text.clone())),
            }
            let needs: Vec<Need> =
                known.0.keys().chain(known.1.keys()).filter_map(|name| evidence.digest(name).err()).collect();
            if !needs.is_empty() {
                return Err(needs);
            }
            self.add_linked(evidence, &mut known, &mut buckets)?;
        }
        audit.findings.extend(strangers.into_iter().map(|(name, trail)| match trail {
            Some(trail) => Finding::of(
                Kind::ForeignTrail,
                &name,
                format!("a digest of the trail `{trail}` has a name that hides this trail's from `aws cloudtrail validate-logs`"),
            ),
            None => Finding::of(Kind::ForeignObject, &name, "this object among the digests is none that CloudTrail writes"),
        }));
        Ok(known)
    }

    fn sort_listed(
        &self,
        bucket: &str,
        keys: &BTreeSet<String>,
        known: &mut (Known, Known),
        strangers: &mut BTreeSet<(Name, Option<String>)>,
    ) {
        let last = moment::plus(self.window.to, HOUR);
        for key in keys {
            let name = Name::new(bucket, key.clone());
            match self.chain.is_ours(key) {
                Some(ours) if ours.end < self.window.from || ours.end > last => {}
                Some(ours) if ours.backfill => {
                    known.1.insert(name, ours.end);
                }
                Some(ours) => {
                    known.0.insert(name, ours.end);
                }
                None if self.chain.matches_loosely(key) => {
                    let read = TrailKey::parse(key);
                    let trail = read.and_then(|read| read.digest).map(|digest| digest.trail.to_owned());
                    strangers.insert((name, trail));
                }
                None => {}
            }
        }
    }

    /// Follows links out of the listed digests, while they lead into the window. Links of digests that are not authentic are
    /// hints only: what they lead to must prove itself.
    fn add_linked(
        &self,
        evidence: &Evidence,
        known: &mut (Known, Known),
        buckets: &mut Vec<String>,
    ) -> Result<(), Vec<Need>> {
        for chain in [&mut known.0, &mut known.1] {
            let mut open: Vec<Name> = chain.keys().cloned().collect();
            while let Some(name) = open.pop() {
                let Ok(Fetched::Read(reading)) = evidence.digest(&name) else { continue };
                let Some(digest) = reading.digest() else { continue };
                let Some(previous) = link(&name, digest) else { continue };
                if digest.start().is_none_or(|start| start < self.window.from) {
                    continue;
                }
                if !buckets.contains(&previous.bucket) {
                    buckets.push(previous.bucket.clone());
                }
                if chain.contains_key(&previous) {
                    continue;
                }
                let fetched = evidence.digest(&previous).map_err(|need| vec![need])?;
                if let Fetched::Read(found) = fetched {
                    let named = TrailKey::parse(&previous.key).and_then(|key| moment::utc(key.time?));
                    let end = found.digest().and_then(Digest::end).or(named);
                    chain.insert(previous.clone(), end.unwrap_or(self.window.from));
                    open.push(previous);
                }
            }
        }
        Ok(())
    }

    fn nodes<'e>(&mut self, known: &Known, backfill: bool, evidence: &'e Evidence) -> Result<Vec<Node<'e>>, Vec<Need>> {
        let mut nodes = Vec::with_capacity(known.len());
        let mut needs = Vec::new();
        let mut order: Vec<(&Name, Timestamp)> = known.iter().map(|(name, end)| (name, *end)).collect();
        order.sort_by_key(|(name, end)| (std::cmp::Reverse(*end), (*name).clone()));
        // The newest first, so that each can vouch for the signature of the one before.
        let mut vouched: HashMap<Name, String> = HashMap::new();
        for (name, end) in order {
            let fetched = match evidence.digest(name) {
                Ok(fetched) => fetched,
                Err(need) => {
                    needs.push(need);
                    continue;
                }
            };
            let verdict = match (self.verdicts.get(name), fetched) {
                (Some(verdict), _) => verdict.clone(),
                (None, Fetched::Read(reading)) => {
                    let by = vouched.get(name).map(String::as_str);
                    match verdict::judge(self.chain, name, backfill, reading, by, evidence) {
                        Ok(verdict) => verdict,
                        Err(need) => {
                            needs.push(need);
                            continue;
                        }
                    }
                }
                (None, Fetched::Missing | Fetched::Failed(_)) => Verdict::default(),
            };
            // Without a signature of its own it depends on what vouches for it, which may be read later.
            if matches!(fetched, Fetched::Read(reading) if reading.signature.is_some()) {
                self.verdicts.insert(name.clone(), verdict.clone());
            }
            let node = Node { name: name.clone(), end, fetched, verdict };
            if let Some(digest) = node.authentic()
                && let (Some(previous), Some(signature)) = (link(name, digest), digest.previous_signature.text())
            {
                vouched.insert(previous, signature.to_owned());
            }
            nodes.push(node);
        }
        if needs.is_empty() { Ok(nodes) } else { Err(needs) }
    }

    /// What of the window authentic digests cover, and whether its end is covered. `nodes` start with the newest.
    fn coverage(&self, nodes: &[Node<'_>], audit: &mut Audit) {
        let Window { from, to, now } = self.window;
        let mut spans: Vec<(Timestamp, Timestamp)> = nodes.iter().filter_map(Node::covers).collect();
        spans.sort_unstable();
        for (start, end) in spans {
            let (start, end) = (start.max(from), end.min(to));
            match audit.covered.last_mut() {
                _ if start >= end => {}
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => audit.covered.push((start, end)),
            }
        }
        audit.newest =
            nodes.iter().find_map(|node| Some((node.name.clone(), node.covers()?.1, node.digest()?.hash.clone())));
        // What was not listed is not known to be missing.
        if audit.findings.iter().any(|finding| finding.kind == Kind::Unreadable) {
            return;
        }
        let wanted = to.min(moment::plus(now, -DELIVERY));
        let Some(last) = nodes.first() else {
            let text = format!(
                "there is no digest of the trail `{}` for account `{}` in `{}`",
                self.chain.trail, self.chain.scope.account, self.chain.scope.region
            );
            audit.findings.push(Finding::new(Kind::NoDigests, text).during(from, to));
            return;
        };
        if last.end < wanted {
            let count = hours(last.end, wanted);
            audit.findings.push(Finding {
                count,
                ..Finding::of(
                    Kind::TailUncovered,
                    &last.name,
                    format!("this is the newest digest; up to {count} that should follow are not there"),
                )
                .during(last.end, wanted)
            });
        }
    }

    fn note(&self, node: &Node<'_>, audit: &mut Audit) {
        match node.fetched {
            // It was listed, and gone when it was read.
            Fetched::Missing => {
                audit.findings.push(Finding::of(Kind::DigestMissing, &node.name, "it was listed, but is not there"));
            }
            Fetched::Failed(failure) => {
                audit.findings.push(Finding::of(Kind::Unreadable, &node.name, failure.text.clone()));
            }
            Fetched::Read(_) => {
                audit.digests += 1;
                audit.valid += u64::from(node.verdict.is_valid());
                audit.findings.extend(node.verdict.findings.iter().cloned());
                if node.verdict.authentic {
                    audit.authentic.insert(0, node.name.clone());
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
