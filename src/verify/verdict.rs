//! Whether one digest is what CloudTrail wrote: every check that needs no other digest (CloudTrail formats 5.4, rows 1 to 9
//! and 18).

use super::digest::{Digest, Logs};
use super::evidence::{Content, Evidence, Failure, KeyAnswer, Need, Reading};
use super::finding::{Finding, Kind};
use super::key::{Form, Key, Signed, unhex};
use super::moment::{self, HOUR, Offsets};
use super::scope::{Chain, Name};
use super::unpack::Ending;
use jiff::Timestamp;

/// The one algorithm that CloudTrail signs with.
pub const SIGNATURE_ALGORITHM: &str = "SHA256withRSA";
/// The one algorithm of its hashes.
pub const HASH_ALGORITHM: &str = "SHA-256";
/// How long after the end of its hour a digest may be signed.
const SIGNING: i64 = 2 * HOUR;

/// What became of one digest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Empty for a digest that is valid.
    pub findings: Vec<Finding>,
    /// The signature proves the content, whatever else was found.
    pub authentic: bool,
}

impl Verdict {
    pub fn is_valid(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Judges the digest that was read at `name`. `vouched`: the signature that a later, authentic digest states for this one,
/// which serves where the object's own was lost; that it was lost is no finding in a copy without metadata.
///
/// # Errors
/// The keys that are needed first.
pub fn judge(
    chain: &Chain,
    name: &Name,
    backfill: bool,
    reading: &Reading,
    vouched: Option<&str>,
    evidence: &Evidence,
) -> Result<Verdict, Need> {
    let mut verdict = Verdict::default();
    let mut found = |kind: Kind, reason: String| {
        verdict.findings.push(Finding { backfill, ..Finding::of(kind, name, reason) });
    };
    let digest = match &reading.content {
        Content::Digest(digest, ending) => {
            if *ending == Ending::Trailing {
                found(Kind::DigestTrailingData, "bytes follow the end of its gzip data".to_owned());
            }
            digest
        }
        Content::NoDigest(why, _) => {
            found(Kind::DigestMalformed, why.to_string());
            return Ok(verdict);
        }
        Content::Cut => {
            found(Kind::DigestMalformed, "its gzip data has no end".to_owned());
            return Ok(verdict);
        }
        Content::Broken(why) => {
            found(Kind::DigestMalformed, why.to_string());
            return Ok(verdict);
        }
    };
    if let Some(member) = digest.missing() {
        found(Kind::DigestMalformed, format!("it has no `{member}`"));
        return Ok(verdict);
    }
    if digest.start().is_none() || digest.end().is_none() {
        found(Kind::DigestMalformed, "its times cannot be read".to_owned());
    }
    match digest.logs {
        Logs::Absent => found(Kind::DigestMalformed, "it has no `logFiles`".to_owned()),
        Logs::Other => found(Kind::DigestMalformed, "its `logFiles` is no list".to_owned()),
        Logs::None | Logs::List(_) => {}
    }
    if digest.bucket.text() != Some(&name.bucket) || digest.key.text() != Some(&name.key) {
        let place = format!("s3://{}/{}", digest.bucket.text().unwrap_or("?"), digest.key.text().unwrap_or("?"));
        found(Kind::DigestMoved, format!("it was written to `{place}`"));
    }
    if digest.account.text().is_some_and(|account| account != chain.scope.account) {
        let account = digest.account.text().unwrap_or_default();
        found(Kind::DigestInconsistent, format!("it is of account `{account}`"));
    }
    for (finding, why) in algorithms(reading, digest) {
        found(finding, why);
    }
    if reading.signature.is_none() && !(reading.bare && vouched.is_some()) {
        found(Kind::DigestUnsigned, "the object has no metadata `signature`".to_owned());
    }
    let Some(signature) = reading.signature.as_deref().or(vouched) else { return Ok(verdict) };
    if reading.signature.is_some() && reading.algorithm.is_none() {
        found(Kind::DigestUnsigned, "the object has no metadata `signature-algorithm`".to_owned());
    }
    let signing = match signing(digest, reading, backfill) {
        Ok(signing) => signing,
        Err(why) => {
            found(Kind::DigestMalformed, why);
            return Ok(verdict);
        }
    };
    let fingerprint = digest.fingerprint.text().unwrap_or_default();
    let known = match known_key(evidence, fingerprint, signing, backfill)? {
        Ok(known) => known,
        Err(failure) => {
            found(Kind::Unreadable, failure.text.clone());
            return Ok(verdict);
        }
    };
    let Some(key) = known else {
        let region = &chain.scope.region;
        found(
            Kind::DigestKeyUnknown,
            format!("CloudTrail has no key with the fingerprint `{fingerprint}` in `{region}` for its time"),
        );
        return Ok(verdict);
    };
    let (mut trusted, mut authentic) = (true, false);
    if !key.is_its_fingerprint() {
        let computed = key.computed_fingerprint();
        found(
            Kind::DigestKeyFingerprint,
            format!("the key that was given for `{fingerprint}` has the fingerprint `{computed}`"),
        );
        trusted = false;
    }
    if !signing.is_none_or(|(from, to)| key.is_valid_within(from, to)) {
        found(Kind::DigestKeyExpired, format!("the key `{fingerprint}` was not valid when it was signed"));
        trusted = false;
    }
    let signed = unhex(signature).map_or(Signed::Badly, |bytes| key.judge(digest.string_to_sign().as_bytes(), &bytes));
    match signed {
        Signed::Well => authentic = trusted,
        Signed::OtherHash => {
            found(Kind::DigestAlgorithm, "its signature is over another hash than SHA-256".to_owned());
        }
        Signed::Badly => found(Kind::DigestSignatureWrong, "its signature does not fit its content".to_owned()),
        Signed::NoKey if key.form() == Form::Unknown => {
            found(Kind::DigestKeyUnknown, format!("the key `{fingerprint}` cannot be read"));
        }
        Signed::NoKey => found(Kind::DigestKeyUnknown, format!("the key `{fingerprint}` cannot be used")),
    }
    verdict.authentic = authentic;
    Ok(verdict)
}

fn algorithms(reading: &Reading, digest: &Digest) -> Vec<(Kind, String)> {
    let mut found = Vec::new();
    let mut check = |name: &str, stated: Option<&str>, expected: &str| {
        if let Some(stated) = stated.filter(|stated| *stated != expected) {
            found.push((Kind::DigestAlgorithm, format!("its `{name}` is `{stated}`, not `{expected}`")));
        }
    };
    check("signature-algorithm", reading.algorithm.as_deref(), SIGNATURE_ALGORITHM);
    check("digestSignatureAlgorithm", digest.algorithm.text(), SIGNATURE_ALGORITHM);
    check("previousDigestHashAlgorithm", digest.previous_hash_algorithm.text(), HASH_ALGORITHM);
    if let Some(entry) =
        digest.entries().iter().find(|entry| entry.algorithm.as_deref().is_some_and(|name| name != HASH_ALGORITHM))
    {
        check("hashAlgorithm", entry.algorithm.as_deref(), HASH_ALGORITHM);
    }
    found
}

/// The time in which the digest was signed; a backfill digest says so itself.
fn signing(digest: &Digest, reading: &Reading, backfill: bool) -> Result<Option<(Timestamp, Timestamp)>, String> {
    if !backfill {
        return Ok(digest.end().map(|end| (end, moment::plus(end, SIGNING))));
    }
    let Some(text) = reading.generated.as_deref() else {
        return Err("the object has no metadata `backfill-generation-timestamp`".to_owned());
    };
    match moment::parse(text, Offsets::Convert) {
        Ok(time) => Ok(Some((time, time))),
        Err(error) => Err(format!("its metadata `backfill-generation-timestamp`: {error}")),
    }
}

fn known_key<'e>(
    evidence: &'e Evidence,
    fingerprint: &str,
    signing: Option<(Timestamp, Timestamp)>,
    backfill: bool,
) -> Result<Result<Option<&'e Key>, &'e Failure>, Need> {
    if let Some(key) = evidence.key(fingerprint, signing) {
        return Ok(Ok(Some(key)));
    }
    let Some((from, to)) = signing.filter(|_| backfill) else { return Ok(Ok(None)) };
    match evidence.keys(moment::plus(from, -HOUR), moment::plus(to, HOUR))? {
        KeyAnswer::Keys(_) => Ok(Ok(evidence.key(fingerprint, signing))),
        KeyAnswer::Failed(failure) => Ok(Err(failure)),
    }
}
