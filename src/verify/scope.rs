//! Where a chain lies: the names of its digests and log files (CloudTrail formats 1.1, 1.3).
//!
//! Two ways to know a digest of ours: [`Chain::is_ours`] reads the name from the right, as the grammar is; and
//! [`Chain::matches_loosely`] is the AWS CLI's pattern, which another trail's name can fit (quirks Q7, Q18).

use super::moment;
use crate::record::trail_key::{Kind, TrailKey};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One account's digests in one region.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope {
    pub bucket: String,
    /// Before `AWSLogs`, without the slash between; empty when there is nothing.
    pub prefix: String,
    pub organization: Option<String>,
    pub account: String,
    /// The region whose log files are covered.
    pub region: String,
}

/// One trail's chain there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Chain {
    pub scope: Scope,
    pub trail: String,
    /// The region in which the trail was made.
    pub home_region: String,
    pub arn: String,
}

/// An object by its bucket and key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Name {
    pub bucket: String,
    pub key: String,
}

impl Name {
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Name {
        Name { bucket: bucket.into(), key: key.into() }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "s3://{}/{}", self.bucket, self.key)
    }
}

impl Scope {
    /// The folder `[PREFIX/]AWSLogs/[ORG/]ACCOUNT/KIND/REGION/`.
    pub fn folder(&self, kind: Kind) -> String {
        let mut folder = String::new();
        if !self.prefix.is_empty() {
            folder.push_str(&self.prefix);
            folder.push('/');
        }
        folder.push_str("AWSLogs/");
        if let Some(organization) = &self.organization {
            folder.push_str(organization);
            folder.push('/');
        }
        folder.push_str(&self.account);
        folder.push('/');
        folder.push_str(kind.folder());
        folder.push('/');
        folder.push_str(&self.region);
        folder.push('/');
        folder
    }

    /// The folder of one day.
    pub fn day(&self, kind: Kind, day: Timestamp) -> String {
        format!("{}{}/", self.folder(kind), moment::folders(day))
    }
}

impl Chain {
    /// The key of a digest that ends at `end`, whether or not there is one.
    pub fn key_at(&self, end: Timestamp) -> String {
        format!("{}{}{}.json.gz", self.scope.day(Kind::Digest, end), self.file_start(), moment::stamp(end))
    }

    /// The key after which the AWS CLI starts to list.
    pub fn marker(&self, start: Timestamp) -> String {
        self.key_at(moment::plus(start, -60))
    }

    /// Whether the AWS CLI takes the key for one of this chain: anything may stand where the time should.
    pub fn matches_loosely(&self, key: &str) -> bool {
        let Some(rest) = key.strip_prefix(&self.scope.folder(Kind::Digest)) else { return false };
        let mut parts = rest.splitn(4, '/');
        let digits =
            |part: Option<&str>| part.is_some_and(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()));
        if !(digits(parts.next()) && digits(parts.next()) && digits(parts.next())) {
            return false;
        }
        let tail = parts.next().and_then(|file| file.strip_prefix(&self.file_start()));
        let tail = tail.and_then(|tail| tail.strip_suffix(".json.gz"));
        tail.is_some_and(|tail| !tail.is_empty() && !tail.contains('\n'))
    }

    /// The digest's own name, when it is one of this chain by the grammar.
    pub fn is_ours(&self, key: &str) -> Option<Ours> {
        let read = TrailKey::parse(key)?;
        let digest = read.digest?;
        let ours = digest.trail == self.trail
            && digest.home_region == self.home_region
            && read.region == self.scope.region
            && self.matches_loosely(key);
        let end = moment::utc(read.time?)?;
        ours.then_some(Ours { end, backfill: digest.backfill })
    }

    fn file_start(&self) -> String {
        format!(
            "{}_{}_{}_{}_{}_",
            self.scope.account,
            Kind::Digest.folder(),
            self.scope.region,
            self.trail,
            self.home_region
        )
    }
}

/// What the name of one of our digests tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ours {
    pub end: Timestamp,
    pub backfill: bool,
}

/// Whether the AWS CLI takes the key for a backfill digest's.
pub fn is_backfill(key: &str) -> bool {
    key.ends_with("_backfill.json.gz")
}

/// The backfill digest of the same hour, whether or not there is one; `None` for another name.
pub fn backfill_of(digest: &Name) -> Option<Name> {
    let name = digest.key.strip_suffix(".json.gz")?;
    Some(Name::new(digest.bucket.clone(), format!("{name}_backfill.json.gz")))
}

/// The sixteen characters that the AWS CLI takes for the time of a digest's end, whatever they are.
pub fn loose_stamp(key: &str) -> String {
    let from_end = if is_backfill(key) { 33 } else { 24 };
    let characters: Vec<char> = key.chars().collect();
    let start = characters.len().saturating_sub(from_end);
    let end = characters.len().saturating_sub(from_end - 16).max(start);
    characters.get(start..end).unwrap_or_default().iter().collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub mod tests {
    use super::*;
    use crate::verify::moment::Offsets;

    pub fn chain() -> Chain {
        Chain {
            scope: Scope {
                bucket: "ct-bucket".to_owned(),
                prefix: String::new(),
                organization: None,
                account: "111122223333".to_owned(),
                region: "us-east-1".to_owned(),
            },
            trail: "mytrail".to_owned(),
            home_region: "us-east-1".to_owned(),
            arn: "arn:aws:cloudtrail:us-east-1:111122223333:trail/mytrail".to_owned(),
        }
    }

    #[test]
    fn names_of_digests() {
        let end = moment::parse("2026-03-01T10:00:31Z", Offsets::Drop).unwrap();
        let key = chain().key_at(end);
        assert_eq!(
            key,
            "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/03/01/111122223333_CloudTrail-Digest_us-east-1_mytrail_us-east-1_20260301T100031Z.json.gz"
        );
        assert_eq!(chain().is_ours(&key), Some(Ours { end, backfill: false }));
        assert_eq!(loose_stamp(&key), "20260301T100031Z");
        let backfill = key.replace("Z.json", "Z_backfill.json");
        assert_eq!(chain().is_ours(&backfill), Some(Ours { end, backfill: true }));
        assert_eq!(loose_stamp(&backfill), "20260301T100031Z");
        let scope = Scope { prefix: "a/b".to_owned(), organization: Some("o-exampleorg1".to_owned()), ..chain().scope };
        assert!(
            Chain { scope, ..chain() }
                .key_at(end)
                .starts_with("a/b/AWSLogs/o-exampleorg1/111122223333/CloudTrail-Digest/")
        );
    }

    #[test]
    fn what_only_looks_like_ours() {
        let folder =
            "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/03/01/111122223333_CloudTrail-Digest_us-east-1_";
        for (tail, loose) in [
            ("mytrail_us-east-1_x_us-east-1_20260301T100031Z.json.gz", true),
            ("mytrail_us-east-1_zzzz.json.gz", true),
            ("mytrail2_us-east-1_20260301T100031Z.json.gz", false),
            ("mytrail_eu-west-1_20260301T100031Z.json.gz", false),
            ("mytrail_us-east-1_.json.gz", false),
        ] {
            let key = format!("{folder}{tail}");
            assert_eq!(chain().matches_loosely(&key), loose, "{tail}");
            assert_eq!(chain().is_ours(&key), None, "{tail}");
        }
        assert_eq!(loose_stamp("é.json.gz"), "é");
    }
}
