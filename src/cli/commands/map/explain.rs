//! `trailship map --explain`: the fields of one record's document, each with the rule that made it.

use super::read::{Lines, Records, Step, files};
use crate::cli::{Failure, render};
use crate::ecs::{Mapped, Mapper, Origin, Position, Timestamp};
use crate::visible;
use anyhow::Context as _;
use std::io::Write;
use std::path::PathBuf;

/// Characters of a value that are shown.
const SHOWN: usize = 60;

/// A table of the first record in `paths` whose `eventID` is `id`.
///
/// # Errors
/// No such record, or a file that cannot be read.
pub fn explain(
    id: &str,
    paths: &[PathBuf],
    lines: bool,
    mapper: &mut Mapper,
    now: Timestamp,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut unreadable = Vec::new();
    for path in paths {
        let found = if lines {
            in_lines(Lines::open(path)?, id, mapper, now)?
        } else {
            let mut found = None;
            for file in files(path)? {
                found = in_records(Records::open(&file)?, id, mapper, now, &mut unreadable)?;
                if found.is_some() {
                    break;
                }
            }
            found
        };
        if let Some(rows) = found {
            render::table(out, &["field", "value", "rule", "source"], rows, &[]).context("cannot write the table")?;
            return Ok(());
        }
    }
    let rest: String = unreadable.iter().map(|why| format!("\n{why}")).collect();
    Err(Failure::work(format!("no record has the `eventID` `{id}`{rest}")))
}

fn in_lines(mut lines: Lines, id: &str, mapper: &mut Mapper, now: Timestamp) -> Result<Option<Rows>, Failure> {
    let origin = Origin::default();
    while let Some((offset, text)) = lines.next()? {
        if let Some(rows) = rows_of(id, text, Position::new(&origin, offset), mapper, now) {
            return Ok(Some(rows));
        }
    }
    Ok(None)
}

fn in_records(
    mut records: Records,
    id: &str,
    mapper: &mut Mapper,
    now: Timestamp,
    unreadable: &mut Vec<String>,
) -> Result<Option<Rows>, Failure> {
    let mut found = None;
    loop {
        let step = records.step(&mut |at, text| {
            if let (Ok(text), None) = (text, &found) {
                found = rows_of(id, text, at, mapper, now);
            }
            Ok(())
        })?;
        if found.is_some() {
            return Ok(found);
        }
        match step {
            Step::More => {}
            Step::End => return Ok(None),
            Step::Unreadable(why) => {
                unreadable.push(format!("{}: {why}", records.name()));
                return Ok(None);
            }
        }
    }
}

type Rows = Vec<Vec<String>>;

fn rows_of(id: &str, text: &[u8], at: Position<'_>, mapper: &mut Mapper, now: Timestamp) -> Option<Rows> {
    let mapped = mapper.map(text, at, now).ok()?;
    (mapped.event_id() == Some(id)).then(|| rows(&mapped))
}

fn rows(mapped: &Mapped<'_>) -> Rows {
    let row = |(field, value): (&crate::ecs::Field, String)| {
        vec![field.name.to_owned(), visible::line(&shortened(&value)), field.rule_text(), field.source().to_owned()]
    };
    mapped.fields().into_iter().map(row).collect()
}

/// The beginning of a value. A text is shown without its quotes, its escapes stay, so that it is one line.
fn shortened(json: &str) -> String {
    let bare = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(json);
    match bare.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", bare.get(..at).unwrap_or_default()),
        None => bare.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::ecs::Settings;
    use std::sync::Arc;

    fn explained(id: &str, text: &str, lines: bool) -> Result<String, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trail.json");
        std::fs::write(&path, text).unwrap();
        let mut mapper = Mapper::new(Arc::new(Settings::default()));
        let mut out = Vec::new();
        explain(id, &[path], lines, &mut mapper, Timestamp::from_unix_nanos(0), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    const RECORDS: [&str; 2] = [
        r#"{"eventID":"e-1","eventName":"GetUser"}"#,
        r#"{"eventID":"e-2","eventName":"PutObject","sourceIPAddress":"192.0.2.1","errorCode":"AccessDenied"}"#,
    ];

    #[test]
    fn each_field_has_its_value_rule_and_source() {
        for (text, lines) in [(format!(r#"{{"Records":[{}]}}"#, RECORDS.join(",")), false), (RECORDS.join("\n"), true)]
        {
            let table = explained("e-2", &text, lines).unwrap();
            let row = |field: &str| {
                let row = table.lines().find(|line| line.split_whitespace().next() == Some(field));
                row.map(|row| row.split_whitespace().collect::<Vec<_>>().join(" "))
            };
            assert_eq!(
                row("aws.cloudtrail.error_code").unwrap(),
                "aws.cloudtrail.error_code AccessDenied moved as it is (ECS mapping 7) errorCode"
            );
            assert_eq!(row("source.ip").unwrap(), "source.ip 192.0.2.1 made by rule (ECS mapping 7.3) sourceIPAddress");
            assert!(row("event.action").unwrap().contains("PutObject"));
            assert_eq!((row("user.name"), row("source.geo.city_name")), (None, None));
        }
    }

    #[test]
    fn a_record_that_is_not_there_is_an_error() {
        let Err(Failure::Work(error)) = explained("e-3", RECORDS[0], true) else { panic!("there is none") };
        assert_eq!(error.to_string(), "no record has the `eventID` `e-3`");
        assert!(explained("e-3", r#"{"Records":[{"eventID":"e-1"}"#, false).is_err());
    }

    #[test]
    fn long_values_are_cut_and_stay_on_one_line() {
        assert_eq!(shortened(r#""a\nb""#), r"a\nb");
        assert_eq!(shortened(&"ä".repeat(61)), format!("{}…", "ä".repeat(60)));
        assert_eq!(shortened("[1,2]"), "[1,2]");
    }
}
