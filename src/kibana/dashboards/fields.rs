//! What fields a data view has, and of which type, as far as a dashboard uses them.
//!
//! Records have the fields of the ECS table. The other two streams have a few fields of their own, and one field exists
//! in searches only: [`LAG`].

use crate::ecs::Kind;
use crate::ecs::table::{self, dead_letter, integrity};

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

/// Type of a field` down to the tests, once
// ecs::table::{dead_letter, integrity} are in the same tree; imports become
// use crate::ecs::table::{self, dead_letter, integrity}; use crate::ecs::Kind;
/// Type of a field, or nothing if the data view has no such field.
pub fn kind(data: DataView, name: &str) -> Option<Kind> {
    let fields = match data {
        DataView::Cloudtrail if name == LAG.name => return Some(Kind::Long),
        DataView::Cloudtrail => table::FIELDS,
        DataView::Integrity => integrity::FIELDS,
        DataView::DeadLetter => dead_letter::FIELDS,
    };
    fields.iter().find(|field| field.name == name).map(|field| field.kind)
}

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
