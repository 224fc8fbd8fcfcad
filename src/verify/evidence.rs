//! What was read from the bucket and from CloudTrail, each thing once: the input of the pure checks.
//!
//! The checks ask for what they lack by a [`Need`]; whoever reads adds it here and asks again.

use super::digest::{Digest, NoDigest};
use super::key::Key;
use super::scope::Name;
use super::unpack::{Ending, UnpackFault};
use jiff::Timestamp;
use std::collections::{BTreeSet, HashMap};

/// A call that failed for a reason that says nothing about integrity: a refusal, an outage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// AWS's own code, such as `AccessDenied`.
    pub code: String,
    /// The API, such as `GetObject`.
    pub action: &'static str,
    /// AWS's own text.
    pub message: String,
    /// For people: what failed, where, and what to do.
    pub text: String,
}

/// An object that should hold a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// The bucket is there, the object is not.
    Missing,
    Failed(Failure),
    Read(Box<Reading>),
}

/// A digest's object as it lies in the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub content: Content,
    /// `x-amz-meta-signature`, hex.
    pub signature: Option<String>,
    /// `x-amz-meta-signature-algorithm`.
    pub algorithm: Option<String>,
    /// `x-amz-meta-backfill-generation-timestamp`.
    pub generated: Option<String>,
    /// It is a copy in a folder, beside which no metadata were saved.
    pub bare: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// `Ending` is never `Cut`.
    Digest(Box<Digest>, Ending),
    NoDigest(NoDigest, Ending),
    /// The gzip member has no end.
    Cut,
    Broken(UnpackFault),
}

/// A log file after its bytes went by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogRead {
    /// Lower-case hex SHA-256 of the inflated text, as far as there is any.
    Hashed {
        hash: String,
        ending: Ending,
    },
    Broken(UnpackFault),
    Missing,
    Failed(Failure),
}

/// An answer of ListPublicKeys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyAnswer {
    Keys(Vec<Key>),
    Failed(Failure),
}

/// The keys of a bucket's digest folder, in S3's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    Keys(BTreeSet<String>),
    Failed(Failure),
}

/// What a check lacks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Need {
    Digest(Name),
    /// The digest folder in this bucket.
    Listing(String),
    /// Keys valid from the first to the second time, in the region that is asked.
    Keys(Timestamp, Timestamp),
}

/// Everything known about one chain.
#[derive(Debug, Default)]
pub struct Evidence {
    pub digests: HashMap<Name, Fetched>,
    pub listings: HashMap<String, Listing>,
    pub keys: HashMap<(Timestamp, Timestamp), KeyAnswer>,
    pub logs: HashMap<Name, LogRead>,
}

impl Evidence {
    /// The digest of this name.
    ///
    /// # Errors
    /// That it was not asked for yet.
    pub fn digest(&self, name: &Name) -> Result<&Fetched, Need> {
        self.digests.get(name).ok_or_else(|| Need::Digest(name.clone()))
    }

    /// # Errors
    /// That it was not asked for yet.
    pub fn listing(&self, bucket: &str) -> Result<&Listing, Need> {
        self.listings.get(bucket).ok_or_else(|| Need::Listing(bucket.to_owned()))
    }

    /// # Errors
    /// That it was not asked for yet.
    pub fn keys(&self, from: Timestamp, to: Timestamp) -> Result<&KeyAnswer, Need> {
        self.keys.get(&(from, to)).ok_or(Need::Keys(from, to))
    }

    /// A key by its stated fingerprint, from any answer. One whose fingerprint is its own goes first, then one that was
    /// valid within `signing`: the same key may be listed with several periods.
    pub fn key(&self, fingerprint: &str, signing: Option<(Timestamp, Timestamp)>) -> Option<&Key> {
        let known = self.keys.values().flat_map(|answer| match answer {
            KeyAnswer::Keys(keys) => keys.as_slice(),
            KeyAnswer::Failed(_) => &[],
        });
        let valid = |key: &Key| signing.is_none_or(|(from, to)| key.is_valid_within(from, to));
        known
            .filter(|key| key.fingerprint.eq_ignore_ascii_case(fingerprint))
            .max_by_key(|key| (key.is_its_fingerprint(), valid(key)))
    }
}

impl Reading {
    /// The digest, when there is one.
    pub fn digest(&self) -> Option<&Digest> {
        match &self.content {
            Content::Digest(digest, _) => Some(digest),
            _ => None,
        }
    }
}
