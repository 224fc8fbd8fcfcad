//! Fields of findings and of the hourly ledger, in the data set `aws.cloudtrail_integrity`.
//!
//! `event.kind` tells them apart: `alert` is a finding about digests and log files, `metric` one hour of one account and
//! region in the ledger.

use crate::ecs::field::Kind::{ConstantKeyword, Date, Keyword, Long, MatchOnlyText};
use crate::ecs::field::{Field, own};

/// Every field of a finding or an hour of the ledger.
pub const FIELDS: &[Field] = &[
    own(Date, "@timestamp", "the clock, or the hour", "When it was found; for the ledger, the hour."),
    own(Keyword, "aws.s3.bucket.name", "digest", "Bucket of the log file or digest."),
    own(Keyword, "aws.s3.object.key", "digest", "The log file or digest."),
    own(Keyword, "cloud.account.id", "digest", "Account of the log file or digest."),
    own(Keyword, "cloud.region", "digest", "Region of the log file or digest."),
    own(ConstantKeyword, "data_stream.dataset", "always the same", "Data set of the data stream.")
        .always("aws.cloudtrail_integrity"),
    own(ConstantKeyword, "data_stream.namespace", "namespace", "Namespace of the data stream."),
    own(ConstantKeyword, "data_stream.type", "always `logs`", "Type of the data stream.").always("logs"),
    own(Keyword, "ecs.version", "always `8.11.0`", "Version of ECS that the document follows."),
    own(
        Keyword,
        "event.action",
        "the check",
        "What was found, such as `log_file_missing` or `digest_altered`; `ledger_hour`, `ledger_files` or `ledger_digest` for the ledger.",
    ),
    own(Keyword, "event.category", "the check", "`file` or `configuration`."),
    own(Date, "event.created", "the clock", "When the document was made."),
    own(ConstantKeyword, "event.dataset", "always the same", "Data set of the event.")
        .always("aws.cloudtrail_integrity"),
    own(Date, "event.ingested", "the clock", "When the document was sent."),
    own(
        Keyword,
        "event.kind",
        "the check",
        "`alert` for a finding, `metric` for an hour of the ledger, `state` for what several processes tell each other.",
    ),
    own(ConstantKeyword, "event.module", "always `aws`", "Module of the event.").always("aws"),
    own(Keyword, "event.outcome", "the check", "`failure` for a finding, `success` or `failure` for the ledger."),
    own(Keyword, "event.reason", "the check", "What is wrong and what to do, for people."),
    own(Long, "event.severity", "the check", "How bad it is; higher is worse."),
    own(Keyword, "event.type", "the check", "`info`, `deletion` or `change`."),
    own(Keyword, "file.hash.sha256", "the object", "SHA-256 of the log file as it was read."),
    own(MatchOnlyText, "message", "the check", "The finding in a sentence."),
    own(Keyword, "organization.id", "object key", "Organization of an organization trail."),
    own(Date, "trailship.integrity.digest_end", "digest", "End of the hour that the digest covers."),
    own(Keyword, "trailship.integrity.digest_key", "digest", "The digest that the finding comes from."),
    own(Date, "trailship.integrity.digest_start", "digest", "Beginning of the hour that the digest covers."),
    own(Keyword, "trailship.integrity.expected_sha256", "digest", "SHA-256 that the digest gives for the log file."),
    own(Keyword, "trailship.integrity.trail_arn", "digest", "The trail that the digest belongs to."),
    own(Long, "trailship.ledger.expected", "digests", "Log files that the digests of the hour name."),
    own(Long, "trailship.ledger.failed", "inputs", "Log files that could not be shipped."),
    own(
        Keyword,
        "trailship.ledger.files.absent",
        "the check",
        "Of several processes: log files that a digest lists and S3 does not have, as `bucket/key`.",
    ),
    own(Keyword, "trailship.ledger.files.failed", "inputs", "Of several processes: log files whose last try failed."),
    own(Keyword, "trailship.ledger.files.listed", "digests", "Of several processes: log files that a digest lists."),
    own(
        Keyword,
        "trailship.ledger.files.shipped",
        "inputs",
        "Of several processes: log files all of whose records have an outcome.",
    ),
    own(
        Keyword,
        "trailship.ledger.files.skipped",
        "inputs",
        "Of several processes: log files that no pattern of the input selects.",
    ),
    own(
        Keyword,
        "trailship.ledger.files.unread",
        "inputs",
        "Of several processes: log files that were announced and not shipped.",
    ),
    own(Date, "trailship.ledger.hour", "ledger", "Beginning of the hour."),
    own(Long, "trailship.ledger.indexed", "inputs", "Log files all of whose records have an outcome."),
    own(Long, "trailship.ledger.notified", "inputs", "Log files that notifications named."),
    own(
        Keyword,
        "trailship.ledger.process",
        "`path.data`",
        "Which of several processes counted, where they share their state.",
    ),
    own(Long, "trailship.ledger.read", "inputs", "Log files that were read to their end."),
    own(Long, "trailship.ledger.records", "inputs", "Records in those log files."),
];
