//! The walk of `aws cloudtrail validate-logs` through one chain, with its blind spots (CloudTrail formats 5.5, 5.6, 6).
//!
//! It makes the lines that users of that command know; what it overlooks is found by `chain`. Where that command crashes or
//! never ends, this one ends: with [`Event::Fatal`], or as if the chain had ended. Pure: what it lacks it asks for.

use super::digest::{Digest, JsonKind, LogEntry, Logs, NoDigest};
use super::evidence::{Content, Evidence, Failure, Fetched, KeyAnswer, Listing, Need, Reading};
use super::key::{Form, Key, NotHex, Signed, unhex};
use super::moment::{self, HOUR, Offsets};
use super::scope::{Chain, Name, is_backfill, loose_stamp};
use jiff::Timestamp;
use std::collections::{HashMap, HashSet, VecDeque};

/// One thing that the command would print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A valid digest, whose log files are looked at next.
    Valid {
        backfill: bool,
        name: Name,
        start: Timestamp,
        end: Timestamp,
        logs: Vec<LogEntry>,
    },
    Invalid {
        backfill: bool,
        name: Name,
        why: String,
    },
    /// `No log files were delivered by CloudTrail between`
    Gap {
        backfill: bool,
        from: Timestamp,
        to: Timestamp,
    },
    /// The command ends here with this text.
    Fatal(String),
}

/// The state between two events.
pub struct Walk<'c> {
    chain: &'c Chain,
    from: Timestamp,
    to: Timestamp,
    /// Keys in the form of SubjectPublicKeyInfo are refused, as the command does.
    strict: bool,
    phase: Phase,
    backfill: bool,
    bucket: String,
    /// Listed keys not yet looked at; the newest last.
    digests: Vec<String>,
    current: Option<String>,
    last_start: Timestamp,
    keys: HashMap<String, Key>,
    /// Digests with the number of listed keys that were left: the same again would go on for ever.
    seen: HashSet<(Name, usize)>,
    events: VecDeque<Event>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Begin,
    Walking,
    Done,
}

enum Judged<'e> {
    Valid(&'e Digest, Timestamp, Timestamp),
    Invalid(String),
    Fatal(String),
}

impl<'c> Walk<'c> {
    /// `strict`: without the one thing in which we know better, a key that the command cannot load.
    pub fn new(chain: &'c Chain, from: Timestamp, to: Timestamp, strict: bool) -> Walk<'c> {
        Walk {
            chain,
            from,
            to,
            strict,
            phase: Phase::Begin,
            backfill: false,
            bucket: chain.scope.bucket.clone(),
            digests: Vec::new(),
            current: None,
            last_start: from,
            keys: HashMap::new(),
            seen: HashSet::new(),
            events: VecDeque::new(),
        }
    }

    /// The next event; `None` at the end.
    ///
    /// # Errors
    /// What must be read first; then it is called again.
    pub fn next(&mut self, evidence: &Evidence) -> Result<Option<Event>, Need> {
        loop {
            if let Some(event) = self.events.pop_front() {
                if matches!(event, Event::Fatal(_)) {
                    self.phase = Phase::Done;
                    self.events.clear();
                }
                return Ok(Some(event));
            }
            match self.phase {
                Phase::Begin => self.begin(evidence)?,
                Phase::Walking => self.step(evidence)?,
                Phase::Done => return Ok(None),
            }
        }
    }

    fn begin(&mut self, evidence: &Evidence) -> Result<(), Need> {
        let bucket = self.chain.scope.bucket.clone();
        let digests = match evidence.listing(&bucket)? {
            Listing::Keys(keys) => self.select(keys, self.to),
            Listing::Failed(failure) => {
                self.fatal(client_error(failure));
                return Ok(());
            }
        };
        self.keys.clear();
        if !self.backfill {
            let to = moment::plus(self.to, 2 * HOUR);
            match evidence.keys(self.from, to)? {
                KeyAnswer::Keys(keys) if keys.is_empty() => {
                    self.fatal(no_keys(self.from, to));
                    return Ok(());
                }
                KeyAnswer::Keys(keys) => self.learn(keys),
                KeyAnswer::Failed(failure) => {
                    self.fatal(client_error(failure));
                    return Ok(());
                }
            }
        }
        self.bucket = bucket;
        self.digests = digests;
        self.seen.clear();
        self.current = self.digests.pop();
        self.phase = Phase::Walking;
        if let Some(key) = &self.current {
            match key_time(key) {
                Ok(time) => self.last_start = time,
                Err(text) => self.fatal(text),
            }
        }
        Ok(())
    }

    fn step(&mut self, evidence: &Evidence) -> Result<(), Need> {
        let name = self.current.as_ref().map(|key| Name::new(self.bucket.clone(), key.clone()));
        let Some(name) = name.filter(|name| self.from <= self.last_start && !self.seen.contains(&self.place(name)))
        else {
            self.phase = if self.backfill { Phase::Done } else { Phase::Begin };
            self.backfill = true;
            return Ok(());
        };
        let backfill = self.backfill;
        let judged = match evidence.digest(&name)? {
            Fetched::Read(reading) => self.judge(&name, reading, evidence)?,
            Fetched::Missing => Judged::Invalid("not found".to_owned()),
            Fetched::Failed(failure) => Judged::Fatal(client_error(failure)),
        };
        match judged {
            Judged::Fatal(text) => self.fatal(text),
            Judged::Invalid(why) => {
                self.seen.insert(self.place(&name));
                self.events.push_back(Event::Invalid { backfill, name: name.clone(), why });
                self.current = self.find_next(&name.key).map(|(key, _)| key);
            }
            Judged::Valid(digest, start, end) => {
                let moved = digest.previous().map(|(bucket, _)| bucket).filter(|bucket| *bucket != self.bucket);
                let relisted = match moved.map(|bucket| evidence.listing(bucket)).transpose()? {
                    Some(Listing::Failed(failure)) => Some(Err(client_error(failure))),
                    Some(Listing::Keys(keys)) => Some(Ok(self.select(keys, end))),
                    None => None,
                };
                self.seen.insert(self.place(&name));
                self.last_start = start;
                let logs = digest.entries().to_vec();
                self.events.push_back(Event::Valid { backfill, name: name.clone(), start, end, logs });
                if digest.logs == Logs::Absent {
                    self.fatal("'logFiles'".to_owned());
                    return Ok(());
                }
                self.follow(digest, &name.key, relisted);
            }
        }
        Ok(())
    }

    fn place(&self, name: &Name) -> (Name, usize) {
        (name.clone(), self.digests.len())
    }

    /// From a valid digest to the one before.
    fn follow(&mut self, digest: &Digest, key: &str, relisted: Option<Result<Vec<String>, String>>) {
        let Some((bucket, previous)) = digest.previous() else {
            let next = self.find_next(key);
            if let Some((_, time)) = &next {
                self.events.push_back(Event::Gap { backfill: self.backfill, from: *time, to: self.last_start });
            }
            self.current = next.map(|(key, _)| key);
            return;
        };
        // An empty name ends the walk.
        self.current = Some(previous.to_owned()).filter(|previous| !previous.is_empty());
        bucket.clone_into(&mut self.bucket);
        match relisted {
            Some(Ok(digests)) => self.digests = digests,
            Some(Err(text)) => self.fatal(text),
            None => {}
        }
    }

    /// The newest listed digest whose name is older than `before`, and its time.
    fn find_next(&mut self, before: &str) -> Option<(String, Timestamp)> {
        if self.digests.is_empty() {
            return None;
        }
        let before = match key_time(before) {
            Ok(time) => time,
            Err(text) => {
                self.fatal(text);
                return None;
            }
        };
        while let Some(key) = self.digests.pop() {
            match key_time(&key) {
                Ok(time) if time < before => return Some((key, time)),
                Ok(_) => {}
                Err(text) => {
                    self.fatal(text);
                    return None;
                }
            }
        }
        None
    }

    fn judge<'e>(&mut self, name: &Name, reading: &'e Reading, evidence: &Evidence) -> Result<Judged<'e>, Need> {
        const FORMAT: &str = "invalid format";
        const SIGNATURE: &str = "signature verification failed";
        let invalid = |why: &str| Ok(Judged::Invalid(why.to_owned()));
        let digest = match &reading.content {
            Content::Digest(digest, _) => digest,
            Content::NoDigest(NoDigest::NoObject(kind), _) if is_signed(reading) => return invalid(complaint(*kind)),
            Content::NoDigest(NoDigest::NoObject(_), _) => return invalid(SIGNATURE),
            Content::NoDigest(..) | Content::Cut | Content::Broken(_) => return invalid(FORMAT),
        };
        let Some(signature) = reading.signature.as_deref().filter(|_| is_signed(reading)) else {
            return invalid(SIGNATURE);
        };
        // The name tells, whichever list the key came from.
        if is_backfill(&name.key) && reading.generated.is_none() || digest.missing().is_some() {
            return invalid(FORMAT);
        }
        if digest.bucket.text() != Some(&name.bucket) || digest.key.text() != Some(&name.key) {
            return invalid("has been moved from its original location");
        }
        let fingerprint = digest.fingerprint.text().unwrap_or("None");
        if self.backfill && !self.keys.contains_key(fingerprint) {
            let Some(generated) = &reading.generated else { return invalid("'_backfill_generation_timestamp'") };
            let Ok(time) = moment::parse(generated, Offsets::Drop) else {
                return Ok(Judged::Invalid(unreadable(generated)));
            };
            let (from, to) = (moment::plus(time, -HOUR), moment::plus(time, HOUR));
            match evidence.keys(from, to)? {
                KeyAnswer::Keys(keys) if keys.is_empty() => return Ok(Judged::Invalid(no_keys(from, to))),
                KeyAnswer::Keys(keys) => self.learn(keys),
                KeyAnswer::Failed(failure) => return Ok(Judged::Fatal(client_error(failure))),
            }
        }
        let Some(key) = self.keys.get(fingerprint) else {
            let region = &self.chain.home_region;
            return Ok(Judged::Invalid(format!(
                "public key not found in region {region} for fingerprint {fingerprint}"
            )));
        };
        if !(key.form() == Form::Pkcs1 || key.form() == Form::Spki && !self.strict) {
            return Ok(Judged::Invalid(format!("Unable to load PKCS #1 key with fingerprint {fingerprint}")));
        }
        let signature = match unhex(signature) {
            Ok(signature) => signature,
            Err(NotHex::OddLength) => return invalid("Odd-length string"),
            Err(NotHex::NoDigit) => return invalid("Non-hexadecimal digit found"),
        };
        if !matches!(key.judge(digest.string_to_sign().as_bytes(), &signature), Signed::Well | Signed::OtherHash) {
            return invalid(SIGNATURE);
        }
        match (digest.end(), digest.start()) {
            (Some(end), Some(start)) => Ok(Judged::Valid(digest, start, end)),
            (None, _) => Ok(Judged::Invalid(unreadable(digest.end.text().unwrap_or_default()))),
            (_, None) => Ok(Judged::Invalid(unreadable(digest.start.text().unwrap_or_default()))),
        }
    }

    /// The keys that the command keeps of a listing: it stops at the first one that seems too new.
    fn select(&self, keys: &std::collections::BTreeSet<String>, to: Timestamp) -> Vec<String> {
        let (first, last) = (moment::stamp(self.from), moment::stamp(moment::plus(to, HOUR)));
        let after = (std::ops::Bound::Excluded(self.chain.marker(self.from)), std::ops::Bound::Unbounded);
        keys.range(after)
            .filter(|key| self.chain.matches_loosely(key))
            .take_while(|key| loose_stamp(key) <= last)
            .filter(|key| loose_stamp(key) >= first && is_backfill(key) == self.backfill)
            .cloned()
            .collect()
    }

    fn learn(&mut self, keys: &[Key]) {
        self.keys.extend(keys.iter().map(|key| (key.fingerprint.clone(), key.clone())));
    }

    fn fatal(&mut self, text: String) {
        self.events.push_back(Event::Fatal(text));
    }
}

/// Whether a listing has gone far enough for the command: it saw a key that seems too new.
pub fn is_past(chain: &Chain, to: Timestamp, key: &str) -> bool {
    chain.matches_loosely(key) && loose_stamp(key) > moment::stamp(moment::plus(to, HOUR))
}

/// The text of a refused call, as the command prints it.
pub fn client_error(failure: &Failure) -> String {
    // It asks where a bucket lies before it asks anything of it, and lists in the older way.
    let action = match (failure.code.as_str(), failure.action) {
        ("NoSuchBucket", _) => "GetBucketLocation",
        (_, "ListObjectsV2") => "ListObjects",
        (_, action) => action,
    };
    format!("An error occurred ({}) when calling the {action} operation: {}", failure.code, failure.message)
}

fn is_signed(reading: &Reading) -> bool {
    reading.signature.is_some() && reading.algorithm.is_some()
}

/// What that command's language says of a member that is set in something that is no object.
fn complaint(kind: JsonKind) -> &'static str {
    match kind {
        JsonKind::Null => "'NoneType' object does not support item assignment",
        JsonKind::Bool => "'bool' object does not support item assignment",
        JsonKind::Number => "'int' object does not support item assignment",
        JsonKind::Fraction => "'float' object does not support item assignment",
        JsonKind::Text => "'str' object does not support item assignment",
        JsonKind::List => "list indices must be integers or slices, not str",
    }
}

fn no_keys(from: Timestamp, to: Timestamp) -> String {
    format!("No public keys found between {} and {}", moment::display(from), moment::display(to))
}

fn unreadable(text: &str) -> String {
    format!("Unable to parse date value: {text}")
}

fn key_time(key: &str) -> Result<Timestamp, String> {
    let stamp = loose_stamp(key);
    moment::parse(&stamp, Offsets::Drop).map_err(|_| unreadable(&stamp))
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
