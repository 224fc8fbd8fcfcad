//! The fields references, as Markdown: every field of a document, grouped by the beginning of its name.

use super::datasets::{self, DataSet};
use super::export::File;
use crate::ecs::{Field, Kind};
use std::fmt::Write;

/// The text of `docs/reference/fields.md`: the fields of records.
pub fn markdown() -> String {
    let [records, ..] = datasets::ALL;
    reference(&records)
}

/// The references of all data sets, as files of `docs/reference`.
pub fn files() -> Vec<File> {
    datasets::ALL.iter().map(|data_set| File { path: data_set.reference.into(), text: reference(data_set) }).collect()
}

fn reference(data_set: &DataSet) -> String {
    let mut text = if data_set.suffix.is_empty() {
        String::from(
            "# Fields\n\n\
             Every field of a document, as `trailship export fields` prints them. *Since* is the version of Elastic's \
             `aws` integration that first had the field; blank where it always did. Types are Elasticsearch's; \
             `trailship setup` says which a server lacks and what it used instead.\n",
        )
    } else {
        format!(
            "# Fields of {}\n\n\
             Every field of a document in the data set `aws.cloudtrail{}`. Types are Elasticsearch's; `trailship setup` \
             says which a server lacks and what it used instead.\n",
            data_set.about, data_set.suffix
        )
    };
    let mut fields: Vec<&Field> = data_set.fields.iter().filter(|field| field.kind != Kind::Object).collect();
    fields.sort_by_key(|field| (group(field.name), field.name));
    let mut current = None;
    for field in fields {
        let group = group(field.name);
        if current != Some(group) {
            current = Some(group);
            let heading = if group.is_empty() { "No prefix" } else { group };
            let _ = write!(
                text,
                "\n## {heading}\n\n| field | type | description | source | rule | since |\n|---|---|---|---|---|---|\n"
            );
        }
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} | {} |",
            field.name,
            kind(field),
            cell(field.description),
            cell(field.source()),
            cell(&field.rule_text()),
            field.since
        );
    }
    text
}

/// The first part of a name, and the second below `aws`; blank for a name of one part.
fn group(name: &str) -> &str {
    let dots: Vec<usize> = name.match_indices('.').map(|(at, _)| at).collect();
    match (name.starts_with("aws."), dots.as_slice()) {
        (true, [_, second, ..]) => &name[..*second],
        (_, [first, ..]) => &name[..*first],
        (_, []) => "",
    }
}

fn kind(field: &Field) -> String {
    let mut text = field.kind.name().to_owned();
    if !field.indexed {
        text.push_str(", not indexed");
    }
    if let Some(kind) = field.text_subfield {
        let _ = write!(text, ", `.text`: {}", kind.name());
    }
    text
}

/// Text that does not end a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_references_kept_with_the_sources_are_the_export() {
        let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference"));
        for file in files() {
            let kept = std::fs::read_to_string(folder.join(&file.path)).unwrap_or_default();
            let path = file.path.display();
            assert!(kept == file.text, "{path} is out of date: run `trailship export fields --dir docs/reference`");
        }
    }

    #[test]
    fn groups() {
        assert_eq!(group("tags"), "");
        assert_eq!(group("event.action"), "event");
        assert_eq!(group("aws.cloudtrail.user_identity.arn"), "aws.cloudtrail");
        assert_eq!(group("aws.s3.bucket.name"), "aws.s3");
    }

    #[test]
    fn every_row_has_its_cells() {
        for (file, data_set) in files().iter().zip(datasets::ALL) {
            let rows: Vec<&str> = file.text.lines().filter(|line| line.starts_with("| `")).collect();
            assert_eq!(rows.len(), data_set.fields.iter().filter(|field| field.kind != Kind::Object).count());
            for row in rows {
                assert_eq!(row.replace("\\|", "").matches('|').count(), 7, "{row}");
            }
        }
    }
}
