//! What a check found, in words and for programs.

use super::moment;
use super::scope::Name;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// How bad a finding is, which decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing, nothing is wrong.
    Note,
    /// Something cannot be proved: a gap, a missing tail, files that no digest lists.
    Incomplete,
    /// Something could not be checked; says nothing about integrity.
    Operational,
    /// Something was altered, removed or forged.
    Invalid,
}

/// What was found. Names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    DigestMissing,
    DigestMalformed,
    DigestTrailingData,
    DigestMoved,
    DigestUnsigned,
    DigestAlgorithm,
    DigestKeyUnknown,
    DigestKeyFingerprint,
    DigestKeyExpired,
    DigestSignatureWrong,
    DigestInconsistent,
    ChainHashMismatch,
    ChainSignatureMismatch,
    ChainDiscontinuity,
    ChainOrphan,
    ChainLoop,
    ChainRestarted,
    ChainRewritten,
    Gap,
    HeadUncovered,
    TailUncovered,
    ForeignTrail,
    ForeignObject,
    NoDigests,
    LogMissing,
    LogAltered,
    LogTrailingData,
    LogCut,
    LogMalformed,
    LogUnlisted,
    Unreadable,
}

impl Kind {
    pub fn severity(self) -> Severity {
        match self {
            Kind::ChainRestarted => Severity::Note,
            Kind::ChainDiscontinuity
            | Kind::Gap
            | Kind::HeadUncovered
            | Kind::TailUncovered
            | Kind::ForeignTrail
            | Kind::ForeignObject
            | Kind::NoDigests
            | Kind::LogUnlisted => Severity::Incomplete,
            Kind::Unreadable => Severity::Operational,
            Kind::DigestMissing
            | Kind::DigestMalformed
            | Kind::DigestTrailingData
            | Kind::DigestMoved
            | Kind::DigestUnsigned
            | Kind::DigestAlgorithm
            | Kind::DigestKeyUnknown
            | Kind::DigestKeyFingerprint
            | Kind::DigestKeyExpired
            | Kind::DigestSignatureWrong
            | Kind::DigestInconsistent
            | Kind::ChainHashMismatch
            | Kind::ChainSignatureMismatch
            | Kind::ChainOrphan
            | Kind::ChainLoop
            | Kind::ChainRewritten
            | Kind::LogMissing
            | Kind::LogAltered
            | Kind::LogTrailingData
            | Kind::LogCut
            | Kind::LogMalformed => Severity::Invalid,
        }
    }

    /// `event.action` of the document that tells of it.
    pub fn action(self) -> &'static str {
        match self {
            Kind::DigestMissing | Kind::Gap | Kind::HeadUncovered | Kind::TailUncovered => "digest_missing",
            Kind::DigestMalformed | Kind::DigestTrailingData | Kind::DigestMoved | Kind::DigestInconsistent => {
                "digest_altered"
            }
            Kind::DigestUnsigned
            | Kind::DigestAlgorithm
            | Kind::DigestKeyUnknown
            | Kind::DigestKeyFingerprint
            | Kind::DigestKeyExpired
            | Kind::DigestSignatureWrong => "digest_signature_invalid",
            Kind::ChainHashMismatch
            | Kind::ChainSignatureMismatch
            | Kind::ChainDiscontinuity
            | Kind::ChainOrphan
            | Kind::ChainLoop
            | Kind::ChainRewritten
            | Kind::ForeignTrail
            | Kind::ForeignObject => "chain_broken",
            Kind::ChainRestarted => "chain_restarted",
            Kind::NoDigests | Kind::Unreadable => "account_silent",
            Kind::LogMissing => "log_file_missing",
            Kind::LogAltered | Kind::LogTrailingData | Kind::LogCut | Kind::LogMalformed => "log_file_altered",
            Kind::LogUnlisted => "log_file_unlisted",
        }
    }
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub kind: Kind,
    pub severity: Severity,
    /// The object it is about.
    #[serde(serialize_with = "shown", skip_serializing_if = "Option::is_none")]
    pub object: Option<Name>,
    /// The time that it is about.
    #[serde(serialize_with = "period", skip_serializing_if = "Option::is_none")]
    pub period: Option<(Timestamp, Timestamp)>,
    /// Digests or files that this finding stands for.
    pub count: u64,
    pub backfill: bool,
    /// For people.
    pub reason: String,
}

impl Finding {
    pub fn new(kind: Kind, reason: impl Into<String>) -> Finding {
        Finding {
            kind,
            severity: kind.severity(),
            object: None,
            period: None,
            count: 1,
            backfill: false,
            reason: reason.into(),
        }
    }

    pub fn of(kind: Kind, object: &Name, reason: impl Into<String>) -> Finding {
        Finding { object: Some(object.clone()), ..Finding::new(kind, reason) }
    }

    pub fn during(self, from: Timestamp, to: Timestamp) -> Finding {
        Finding { period: Some((from, to)), ..self }
    }
}

fn shown<S: Serializer>(name: &Option<Name>, serializer: S) -> Result<S::Ok, S::Error> {
    match name {
        Some(name) => serializer.collect_str(name),
        None => serializer.serialize_none(),
    }
}

fn period<S: Serializer>(period: &Option<(Timestamp, Timestamp)>, serializer: S) -> Result<S::Ok, S::Error> {
    period.map(|(from, to)| [moment::display(from), moment::display(to)]).serialize(serializer)
}
