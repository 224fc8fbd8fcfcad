//! Fields of a parked record's document, in the data set `aws.cloudtrail_dead_letter`.
//!
//! Only what says why, where from and under which `_id`; the record itself is text that no index has taken, so it is
//! stored and not indexed.

use crate::ecs::field::Kind::{ConstantKeyword, Date, Keyword, Long, MatchOnlyText};
use crate::ecs::field::{Field, own};

/// Every field of a parked record's document.
pub const FIELDS: &[Field] = &[
    own(Date, "@timestamp", "the clock", "When the record was parked."),
    own(Keyword, "aws.cloudwatch.log_group", "input", "Log group in which the record was found."),
    own(Keyword, "aws.cloudwatch.log_stream", "input", "Log stream in which the record was found."),
    own(Keyword, "aws.s3.bucket.name", "input", "Bucket in which the record was found."),
    own(Keyword, "aws.s3.object.key", "input", "Object in which the record was found."),
    own(Keyword, "cloud.account.id", "object key or record", "Account that the record is about, where it is known."),
    own(Keyword, "cloud.region", "object key or record", "Region that the record is about, where it is known."),
    own(ConstantKeyword, "data_stream.dataset", "always the same", "Data set of the data stream.")
        .always("aws.cloudtrail_dead_letter"),
    own(ConstantKeyword, "data_stream.namespace", "namespace", "Namespace of the data stream."),
    own(ConstantKeyword, "data_stream.type", "always `logs`", "Type of the data stream.").always("logs"),
    own(Keyword, "ecs.version", "always `8.11.0`", "Version of ECS that the document follows."),
    own(
        Keyword,
        "error.code",
        "whoever parked it",
        "Why, as one of few words: `mapping-refused`, `broken-json`, `too-large`, `truncated-object` and so on.",
    ),
    own(MatchOnlyText, "error.message", "whoever parked it", "Why, in full; may quote the record."),
    own(Date, "event.created", "the clock", "When the document was made."),
    own(ConstantKeyword, "event.dataset", "always the same", "Data set of the event.")
        .always("aws.cloudtrail_dead_letter"),
    own(Date, "event.ingested", "the clock", "When the document was sent."),
    own(Keyword, "event.kind", "always `pipeline_error`", "That this is no event of a trail."),
    own(ConstantKeyword, "event.module", "always `aws`", "Module of the event.").always("aws"),
    own(Keyword, "event.original", "the record", "Text of the record, or of the document that was refused.")
        .stored_only(),
    own(Long, "http.response.status_code", "the server's answer", "Status with which a server refused the document."),
    own(Keyword, "input.type", "input", "Kind of the input that read the record."),
    own(Keyword, "log.file.path", "input", "Address of the object or file in which the record was found."),
    own(Long, "log.offset", "input", "First byte of the record in the object's inflated text."),
    own(Keyword, "trailship.document_id", "the mapping", "`_id` that the document would have had."),
    own(Keyword, "trailship.input.id", "input", "`id` of the input that read the record."),
];
