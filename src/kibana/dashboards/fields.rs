//! What fields a data view has, and of which type, as far as a dashboard uses them.
//!
//! Records have the fields of the ECS table. The other two streams have a few fields of their own, and one field exists
//! in searches only: [`LAG`].

use crate::ecs::{FieldId, Kind};

use super::model::DataView;

/// A field that the server computes for each search.
#[derive(Debug, Clone, Copy)]
pub struct RuntimeField {
    pub name: &'static str,
    /// Type as `runtime_mappings` names it.
    pub kind: &'static str,
    /// Painless over doc values.
    pub script: &'static str,
}

/// How long a record took from its event into a document, in ms; less than 0 where clocks differ.
pub const LAG: RuntimeField = RuntimeField {
    name: "trailship.lag",
    kind: "long",
    script: "if (doc.containsKey('event.ingested') && doc['event.ingested'].size() > 0 && doc['@timestamp'].size() > 0) { \
             emit(doc['event.ingested'].value.toInstant().toEpochMilli() \
             - doc['@timestamp'].value.toInstant().toEpochMilli()); }",
};

/// Type of a field, or nothing if the data view has no such field.
pub fn kind(data: DataView, name: &str) -> Option<Kind> {
    let own = match data {
        DataView::Cloudtrail if name == LAG.name => return Some(Kind::Long),
        DataView::Cloudtrail => {
            return FieldId::all().map(FieldId::field).find(|field| field.name == name).map(|field| field.kind);
        }
        DataView::Integrity => INTEGRITY,
        DataView::DeadLetter => DEAD_LETTER,
    };
    own.iter().chain(EVERYWHERE).find(|(own, _)| *own == name).map(|(_, kind)| *kind)
}

/// Fields of both the integrity and the dead-letter stream.
const EVERYWHERE: &[(&str, Kind)] = &[
    ("@timestamp", Kind::Date),
    ("aws.s3.bucket.name", Kind::Keyword),
    ("aws.s3.object.key", Kind::Keyword),
    ("cloud.account.id", Kind::Keyword),
    ("cloud.region", Kind::Keyword),
    ("data_stream.dataset", Kind::ConstantKeyword),
    ("data_stream.namespace", Kind::ConstantKeyword),
    ("event.kind", Kind::Keyword),
];

/// Findings of the digest check and the hourly ledger.
const INTEGRITY: &[(&str, Kind)] = &[
    ("event.action", Kind::Keyword),
    ("event.outcome", Kind::Keyword),
    ("event.reason", Kind::Keyword),
    ("event.severity", Kind::Long),
    ("organization.id", Kind::Keyword),
    ("trailship.integrity.digest_end", Kind::Date),
    ("trailship.integrity.digest_key", Kind::Keyword),
    ("trailship.integrity.digest_start", Kind::Date),
    ("trailship.integrity.trail_arn", Kind::Keyword),
    ("trailship.ledger.expected", Kind::Long),
    ("trailship.ledger.failed", Kind::Long),
    ("trailship.ledger.hour", Kind::Date),
    ("trailship.ledger.indexed", Kind::Long),
    ("trailship.ledger.notified", Kind::Long),
    ("trailship.ledger.read", Kind::Long),
    ("trailship.ledger.records", Kind::Long),
];

/// Parked records.
const DEAD_LETTER: &[(&str, Kind)] = &[
    ("aws.cloudwatch.log_group", Kind::Keyword),
    ("error.code", Kind::Keyword),
    ("http.response.status_code", Kind::Long),
    ("input.type", Kind::Keyword),
    ("log.file.path", Kind::Keyword),
    ("trailship.input.id", Kind::Keyword),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_data_view_has_its_own_fields() {
        assert_eq!(kind(DataView::Cloudtrail, "source.ip"), Some(Kind::Ip));
        assert_eq!(kind(DataView::Cloudtrail, "trailship.lag"), Some(Kind::Long));
        assert_eq!(kind(DataView::Integrity, "trailship.lag"), None);
        assert_eq!(kind(DataView::Integrity, "trailship.ledger.hour"), Some(Kind::Date));
        assert_eq!(kind(DataView::DeadLetter, "@timestamp"), Some(Kind::Date));
        assert_eq!(kind(DataView::DeadLetter, "user.name"), None);
    }
}
