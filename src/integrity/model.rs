//! What is kept of log files, hours, digests and chains.
//!
//! Rows are small and say facts only: what was announced, read, listed, found. What follows from them is decided in `judge`
//! and `ledger`. Times are whole seconds, UTC.

use crate::record::trail_key::{Kind, TrailKey};
use crate::verify::moment;
use crate::verify::scope::{Chain, Name, Scope};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Seconds in an hour of the ledger.
pub const HOUR: i64 = moment::HOUR;

/// One hour of one account and region, by the time in the names of its log files.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HourKey {
    pub account: String,
    pub region: String,
    /// Its beginning.
    pub hour: Timestamp,
}

/// What is known of one hour. Counts are log files, but for `records`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hour {
    pub key: HourKey,
    /// Named by digests, less those that no input selects.
    pub expected: u64,
    pub notified: u64,
    /// Read to their end.
    pub read: u64,
    /// All of whose records have an outcome.
    pub indexed: u64,
    /// Whose last try failed, or that lie in the dead letter as a whole.
    pub failed: u64,
    /// Records of files that were read to their end.
    pub records: u64,
    /// Files that digests name and nothing is decided about yet.
    pub open: u64,
    /// Files with a finding: altered, missing, unlisted.
    pub wrong: u64,
    /// When anything of this hour was first and last told.
    pub first: Timestamp,
    pub changed: Timestamp,
    /// When the ledger closed it and wrote its document.
    pub closed: Option<Timestamp>,
}

/// What became of the comparison of a file with its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    /// The bytes that were shipped are those of the digest.
    Intact,
    Altered,
    /// A digest lists it, and the bucket does not have it.
    Missing,
    /// No digest lists it, though digests cover its time.
    Unlisted,
    /// It lies in the bucket as it should, but this process was not told of it in time.
    Late,
    /// As `Late`, and another process on the same queue has it, or may have it.
    Elsewhere,
    /// No pattern of the input selects it.
    Skipped,
}

impl Compared {
    /// The label of metrics.
    pub fn label(self) -> &'static str {
        match self {
            Compared::Intact => "intact",
            Compared::Altered => "altered",
            Compared::Missing => "missing",
            Compared::Unlisted => "unlisted",
            Compared::Late => "late",
            Compared::Elsewhere => "elsewhere",
            Compared::Skipped => "skipped",
        }
    }
}

/// What an authentic digest says of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    pub digest: Name,
    /// Lower-case hex SHA-256 of the file's text; `None` when the digest states none.
    pub sha256: Option<String>,
    /// When the digest was judged.
    pub at: Timestamp,
}

/// What is known of one log file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileState {
    pub name: Name,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub listed: Option<Listed>,
    /// The same with another hash: whichever came first, it cannot be as both say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub contradicted: Option<Listed>,
    /// Another process was told of the digest that lists it, and expects it.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub uncounted: bool,
    pub notified: bool,
    /// No pattern of the input selects it.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub skipped: bool,
    /// To its end.
    pub read: bool,
    /// All its records have an outcome.
    pub indexed: bool,
    /// Why the last try failed, as a code of a bounded set.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failed: Option<String>,
    pub records: u64,
    /// Lower-case hex SHA-256 of the text as it was read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub compared: Option<Compared>,
    /// When something of it was last told.
    pub changed: Timestamp,
}

impl FileState {
    /// Nothing but a name.
    pub fn new(name: Name, now: Timestamp) -> FileState {
        FileState {
            name,
            listed: None,
            contradicted: None,
            uncounted: false,
            notified: false,
            skipped: false,
            read: false,
            indexed: false,
            failed: None,
            records: 0,
            sha256: None,
            compared: None,
            changed: now,
        }
    }

    /// Everything that it is compared with.
    pub fn listings(&self) -> impl Iterator<Item = &Listed> {
        self.listed.iter().chain(&self.contradicted)
    }

    /// Listed, and neither compared nor given up.
    pub fn is_open(&self) -> bool {
        self.listed.is_some() && self.compared.is_none()
    }

    /// Whether the ledger has nothing more to wait for.
    pub fn is_wrong(&self) -> bool {
        matches!(self.compared, Some(Compared::Altered | Compared::Missing | Compared::Unlisted))
    }

    /// Whether a digest lists it and it did not arrive in the index through this process.
    pub fn is_lacking(&self) -> bool {
        self.listed.is_some()
            && !self.indexed
            && !self.skipped
            && !matches!(self.compared, Some(Compared::Elsewhere | Compared::Skipped))
    }
}

/// What a log file's key tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub key: HourKey,
    pub organization: Option<String>,
    /// By the minute.
    pub time: Timestamp,
    /// What digests list; Insights and their kin are in no digest.
    pub is_log: bool,
}

impl Place {
    /// `None` for a key that is not of a log file, or does not tell its time.
    pub fn of(key: &str) -> Option<Place> {
        let read = TrailKey::parse(key).filter(|read| read.kind != Kind::Digest)?;
        let time = moment::utc(read.time?)?;
        Some(Place {
            key: HourKey {
                account: read.account.to_owned(),
                region: read.region.to_owned(),
                hour: moment::plus(time, -time.as_second().rem_euclid(HOUR)),
            },
            organization: read.organization.map(str::to_owned),
            time,
            is_log: read.kind == Kind::Log,
        })
    }
}

/// One chain of digests: all of one trail in one account and region, backfill digests apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainState {
    /// What tells it apart from all others.
    pub id: String,
    pub bucket: String,
    pub prefix: String,
    pub organization: Option<String>,
    pub account: String,
    pub region: String,
    pub trail: String,
    pub home_region: String,
    pub backfill: bool,
    /// When a digest of it last arrived.
    pub arrived: Timestamp,
    /// The end of the newest digest's time.
    pub newest: Timestamp,
    /// `account_silent` was said since the last digest arrived.
    pub silent: bool,
}

impl ChainState {
    /// The chain of the digest at `name`; `None` for another key.
    pub fn of(name: &Name, now: Timestamp) -> Option<ChainState> {
        let read = TrailKey::parse(&name.key)?;
        let (digest, end) = (read.digest?, moment::utc(read.time?)?);
        let organization = read.organization.map(str::to_owned);
        let backfill = if digest.backfill { "backfill" } else { "" };
        let id = [
            &name.bucket,
            read.prefix,
            read.organization.unwrap_or_default(),
            read.account,
            read.region,
            digest.trail,
            digest.home_region,
            backfill,
        ]
        .join("|");
        Some(ChainState {
            id,
            bucket: name.bucket.clone(),
            prefix: read.prefix.to_owned(),
            organization,
            account: read.account.to_owned(),
            region: read.region.to_owned(),
            trail: digest.trail.to_owned(),
            home_region: digest.home_region.to_owned(),
            backfill: digest.backfill,
            arrived: now,
            newest: end,
            silent: false,
        })
    }

    /// As the checks of single digests want it. The trail of an organization lies in its management account, which digests
    /// of members do not name; the ARN is that of the account then, as far as is known.
    pub fn chain(&self) -> Chain {
        let partition = match self.home_region.split_once('-') {
            Some(("cn", _)) => "aws-cn",
            Some(("us", rest)) if rest.starts_with("gov-") => "aws-us-gov",
            _ => "aws",
        };
        Chain {
            scope: Scope {
                bucket: self.bucket.clone(),
                prefix: self.prefix.clone(),
                organization: self.organization.clone(),
                account: self.account.clone(),
                region: self.region.clone(),
            },
            trail: self.trail.clone(),
            home_region: self.home_region.clone(),
            arn: format!("arn:{partition}:cloudtrail:{}:{}:trail/{}", self.home_region, self.account, self.trail),
        }
    }
}

/// A digest that was read and judged by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestRow {
    pub name: Name,
    /// The end of its time by its name, which orders the chain.
    pub end: Timestamp,
    /// What it says it covers; `None` when it cannot be read.
    pub covers: Option<(Timestamp, Timestamp)>,
    /// Its signature proves its content.
    pub authentic: bool,
    /// Nothing was found about it alone.
    pub valid: bool,
    /// Lower-case hex SHA-256 of its text; empty when there is none.
    pub hash: String,
    pub signature: Option<String>,
    /// The digest before it, as it says.
    pub previous: Option<Name>,
    pub previous_hash: Option<String>,
    pub previous_signature: Option<String>,
    /// Log files that it lists.
    pub files: u64,
    /// Known because another names it; it was not announced to this process.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub linked: bool,
    /// When it was judged last, and when with this content for the first time.
    pub arrived: Timestamp,
    pub first: Timestamp,
}

impl DigestRow {
    /// A digest that proves nothing; `None` for the name of something else.
    pub fn new(name: Name, now: Timestamp) -> Option<DigestRow> {
        let end = moment::utc(TrailKey::parse(&name.key).filter(|key| key.digest.is_some())?.time?)?;
        Some(DigestRow {
            name,
            end,
            covers: None,
            authentic: false,
            valid: false,
            hash: String::new(),
            signature: None,
            previous: None,
            previous_hash: None,
            previous_signature: None,
            files: 0,
            linked: false,
            arrived: now,
            first: now,
        })
    }

    /// The start of its time: what it says, or an hour before its end when it cannot be believed.
    pub fn start(&self) -> Timestamp {
        let stated = self.covers.filter(|_| self.authentic).map(|(start, _)| start);
        stated.unwrap_or_else(|| moment::plus(self.end, -HOUR))
    }
}

/// Something to be done at a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Task {
    /// Read and judge a digest.
    Digest { name: Name, tries: u32 },
    /// The same for one that another names, and that was not announced to this process.
    Linked { name: Name, tries: u32 },
    /// Judge a digest's place in its chain, when its neighbours had time to come.
    Link { chain: String, end: Timestamp, name: Name, tries: u32 },
    /// Ask S3 for a listed file that was not read.
    File { name: Name, tries: u32 },
    /// Look whether digests cover the time of a file that none lists.
    Unlisted {
        name: Name,
        #[serde(skip_serializing_if = "is_zero", default)]
        tries: u32,
    },
    /// Look whether an hour of the ledger is over (`closing`).
    Hour { key: HourKey },
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(tries: &u32) -> bool {
    *tries == 0
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_belongs_to_the_hour_of_its_name() {
        let key = "p/AWSLogs/o-exampleorg1/111122223333/CloudTrail/us-east-1/2026/03/01/111122223333_CloudTrail_us-east-1_20260301T0959Z_AbCdEfGhIjKlMnOp.json.gz";
        let place = Place::of(key).unwrap();
        assert_eq!(moment::display(place.key.hour), "2026-03-01T09:00:00Z");
        assert_eq!(moment::display(place.time), "2026-03-01T09:59:00Z");
        assert_eq!((place.key.account.as_str(), place.key.region.as_str()), ("111122223333", "us-east-1"));
        assert_eq!((place.organization.as_deref(), place.is_log), (Some("o-exampleorg1"), true));
        assert_eq!(Place::of("AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/01/x.json.gz"), None);
    }

    #[test]
    fn a_chain_is_told_by_the_name_of_its_digests() {
        let folder = "p/AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/03/01/111122223333_CloudTrail-Digest_";
        let of = |rest: &str| {
            ChainState::of(&Name::new("b", format!("{folder}{rest}.json.gz")), Timestamp::UNIX_EPOCH).unwrap()
        };
        let one = of("us-east-1_trail_eu-west-1_20260301T100000Z");
        assert_eq!(one.id, "b|p||111122223333|us-east-1|trail|eu-west-1|");
        assert_eq!(one.chain().arn, "arn:aws:cloudtrail:eu-west-1:111122223333:trail/trail");
        assert_eq!(moment::display(one.newest), "2026-03-01T10:00:00Z");
        assert_eq!(one.id, of("us-east-1_trail_eu-west-1_20260301T110000Z").id);
        assert_ne!(one.id, of("us-east-1_other_eu-west-1_20260301T110000Z").id);
        assert_ne!(one.id, of("us-east-1_trail_eu-west-1_20260301T100000Z_backfill").id);
    }
}
