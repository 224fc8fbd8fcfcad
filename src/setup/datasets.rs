//! What trailship writes into data streams: records, what was parked, and what is known of completeness. One row each;
//! templates, patterns and references follow from it.

use crate::ecs::Field;
use crate::ecs::table::{self, dead_letter, integrity};

/// A data set with its fields.
#[derive(Debug, Clone, Copy)]
pub struct DataSet {
    /// What follows the records' name in names of templates and data streams.
    pub suffix: &'static str,
    /// What its documents are, for people.
    pub about: &'static str,
    pub fields: &'static [Field],
    /// Object whose undeclared members are kept but not indexed, if any. AWS adds members at any time, and the same
    /// name with two shapes would have the later documents refused.
    pub closed: Option<&'static str>,
    /// File of its reference in `docs/reference`.
    pub reference: &'static str,
}

/// All data sets, the records first.
pub const ALL: [DataSet; 3] = [
    DataSet {
        suffix: "",
        about: "records",
        fields: table::FIELDS,
        closed: Some("aws.cloudtrail"),
        reference: "fields.md",
    },
    DataSet {
        suffix: "_dead_letter",
        about: "parked records",
        fields: dead_letter::FIELDS,
        closed: None,
        reference: "dead-letter.md",
    },
    DataSet {
        suffix: "_integrity",
        about: "findings and the hourly ledger",
        fields: integrity::FIELDS,
        closed: None,
        reference: "integrity.md",
    },
];

impl DataSet {
    /// Name or pattern of its data streams, by that of the records: in the same namespace, where that tells one. But for the
    /// records' they have names of their own, as their documents name the data set that they are of.
    pub fn beside(&self, records: &str) -> String {
        if self.suffix.is_empty() {
            return records.to_owned();
        }
        let parts: Vec<&str> = records.split('-').collect();
        let namespace = if let [_, _, namespace] = parts.as_slice() { namespace } else { "*" };
        format!("logs-aws.cloudtrail{}-{namespace}", self.suffix)
    }

    /// Priority of its template. One more beside the records', so that a wide pattern of theirs does not catch it.
    pub fn priority(&self, records: u32) -> u32 {
        if self.suffix.is_empty() { records } else { records.saturating_add(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn only_the_records_can_be_given_another_data_set() {
        let [records, dead_letter, integrity] = ALL;
        for (of, namespace) in
            [("logs-aws.cloudtrail-*", "*"), ("logs-trail-prod_*", "prod_*"), ("audit*", "*"), ("a-b-c-d", "*")]
        {
            assert_eq!(records.beside(of), of);
            assert_eq!(dead_letter.beside(of), format!("logs-aws.cloudtrail_dead_letter-{namespace}"));
            assert_eq!(integrity.beside(of), format!("logs-aws.cloudtrail_integrity-{namespace}"));
        }
        assert_eq!((records.priority(250), integrity.priority(250)), (250, 251));
    }

    #[test]
    fn every_data_set_says_which_it_is_and_names_each_field_once() {
        for data_set in ALL {
            let name = format!("aws.cloudtrail{}", data_set.suffix);
            for field in ["data_stream.dataset", "event.dataset"] {
                let declared = data_set.fields.iter().find(|declared| declared.name == field);
                assert_eq!(declared.and_then(|declared| declared.value), Some(name.as_str()), "{field}");
            }
            let names: HashSet<&str> = data_set.fields.iter().map(|field| field.name).collect();
            assert_eq!(names.len(), data_set.fields.len(), "{name}");
            // What every index is sorted by in mode `logsdb`.
            assert!(names.contains("@timestamp") && names.contains("cloud.account.id"), "{name}");
        }
    }
}
