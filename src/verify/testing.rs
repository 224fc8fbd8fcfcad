//! Chains for tests: digests as CloudTrail writes them, signed by a key made for these tests alone.

#![allow(clippy::unwrap_used)]

use super::chain::Window;
use super::digest::Digest;
use super::evidence::{Content, Evidence, Fetched, KeyAnswer, Listing, Need, Reading};
use super::key::{Key, hex};
use super::moment::{self, HOUR, Offsets};
use super::scope::{Chain, Name};
use super::unpack::Ending;
use aws_smithy_types::base64;
use jiff::Timestamp;
use ring::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The first digest of a test's chain starts here.
pub fn begin() -> Timestamp {
    moment::parse("2026-03-01T00:00:00Z", Offsets::Drop).unwrap()
}

pub fn hour(n: i64) -> Timestamp {
    moment::plus(begin(), n * HOUR)
}

/// A bucket with the digests of one chain.
pub struct Bucket {
    pub chain: Chain,
    pair: RsaKeyPair,
    pub objects: BTreeMap<Name, Reading>,
    pub keys: Vec<Key>,
    newest: Option<(Name, String, String)>,
}

impl Bucket {
    pub fn new() -> Bucket {
        let text = include_str!("testing_key.txt").replace('\n', "");
        let pair = RsaKeyPair::from_pkcs8(&base64::decode(text).unwrap()).unwrap();
        let der = pair.public_key().as_ref().to_vec();
        let key = Key { der, fingerprint: String::new(), valid_from: Some(hour(-100)), valid_to: Some(hour(500)) };
        let key = Key { fingerprint: key.computed_fingerprint(), ..key };
        let chain = super::scope::tests::chain();
        Bucket { chain, pair, objects: BTreeMap::new(), keys: vec![key], newest: None }
    }

    /// A chain of digests for the hours `from..to`.
    pub fn with_hours(from: i64, to: i64) -> Bucket {
        let mut bucket = Bucket::new();
        for n in from..to {
            bucket.write(hour(n), hour(n + 1), |_| ());
        }
        bucket
    }

    /// Breaks the link: the next digest starts a chain.
    pub fn restart(&mut self) {
        self.newest = None;
    }

    /// Puts down the next digest of the chain; `change` is made before it is signed.
    pub fn write(&mut self, start: Timestamp, end: Timestamp, change: impl FnOnce(&mut Value)) -> Name {
        let name = Name::new(self.chain.scope.bucket.clone(), self.chain.key_at(end));
        self.write_at(name, start, end, change)
    }

    pub fn write_at(&mut self, name: Name, start: Timestamp, end: Timestamp, change: impl FnOnce(&mut Value)) -> Name {
        let (previous, hash, signature) = match &self.newest {
            Some((name, hash, signature)) => (Some(name.clone()), Some(hash.clone()), Some(signature.clone())),
            None => (None, None, None),
        };
        let mut value = json!({
            "awsAccountId": self.chain.scope.account,
            "digestStartTime": moment::display(start),
            "digestEndTime": moment::display(end),
            "digestS3Bucket": name.bucket,
            "digestS3Object": name.key,
            "digestPublicKeyFingerprint": self.keys[0].fingerprint,
            "digestSignatureAlgorithm": "SHA256withRSA",
            "previousDigestS3Bucket": previous.as_ref().map(|name| &name.bucket),
            "previousDigestS3Object": previous.as_ref().map(|name| &name.key),
            "previousDigestHashValue": hash,
            "previousDigestHashAlgorithm": previous.as_ref().map(|_| "SHA-256"),
            "previousDigestSignature": signature,
            "logFiles": [],
        });
        change(&mut value);
        let reading = self.sign(&value);
        let hash = reading.digest().unwrap().hash.clone();
        self.newest = Some((name.clone(), hash, reading.signature.clone().unwrap()));
        self.objects.insert(name.clone(), reading);
        name
    }

    /// The object of a digest, signed well whatever it says.
    pub fn sign(&self, value: &Value) -> Reading {
        let text = value.to_string();
        let hash = hex(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()).as_ref());
        let digest = Digest::parse(text.as_bytes(), hash).unwrap();
        let mut signature = vec![0; self.pair.public().modulus_len()];
        let random = ring::rand::SystemRandom::new();
        self.pair.sign(&RSA_PKCS1_SHA256, &random, digest.string_to_sign().as_bytes(), &mut signature).unwrap();
        Reading {
            content: Content::Digest(Box::new(digest), Ending::Whole),
            signature: Some(hex(&signature)),
            algorithm: Some("SHA256withRSA".to_owned()),
            generated: None,
            bare: false,
        }
    }

    /// The `n`th digest by name.
    pub fn name(&self, n: usize) -> Name {
        self.objects.keys().nth(n).unwrap().clone()
    }

    /// The digest at `name`, to be spoilt after it was signed.
    pub fn digest(&mut self, name: &Name) -> &mut Digest {
        match &mut self.objects.get_mut(name).unwrap().content {
            Content::Digest(digest, _) => digest,
            other => unreachable_content(other),
        }
    }

    pub fn satisfy(&self, evidence: &mut Evidence, need: Need) {
        match need {
            Need::Digest(name) => {
                let read = |reading: &Reading| Fetched::Read(Box::new(reading.clone()));
                let fetched = self.objects.get(&name).map_or(Fetched::Missing, read);
                assert!(evidence.digests.insert(name, fetched).is_none(), "asked for twice");
            }
            Need::Listing(bucket) => {
                let keys: BTreeSet<String> =
                    self.objects.keys().filter(|name| name.bucket == bucket).map(|name| name.key.clone()).collect();
                evidence.listings.insert(bucket, Listing::Keys(keys));
            }
            Need::Keys(from, to) => {
                let keys = self.keys.iter().filter(|key| key.is_valid_within(from, to)).cloned().collect();
                evidence.keys.insert((from, to), KeyAnswer::Keys(keys));
            }
        }
    }
}

/// The hours `from..to`, asked about long after.
pub fn window(from: i64, to: i64) -> Window {
    Window { from: hour(from), to: hour(to), now: hour(1000) }
}

#[allow(clippy::panic)]
fn unreachable_content(content: &Content) -> ! {
    panic!("no digest: {content:?}")
}
