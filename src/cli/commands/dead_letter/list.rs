//! `trailship dead-letter list`.

use super::{place, when};
use crate::cli::args::{DeadLetterListArgs, Format, Global};
use crate::cli::{Failure, load, render, visible};
use crate::output::parking::{Entry, FOLDER, Letter, LetterId, Letters, Marks};
use crate::status::grouped;
use anyhow::Context as _;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Code under which lines that are no letters are shown.
const UNREADABLE: &str = "unreadable";
/// Characters of a reason in the table.
const FIRST_WORDS: usize = 100;

/// What is printed: the letters, and how many there are of each code.
#[derive(Default, Serialize)]
struct Listing {
    letters: Vec<Row>,
    by_code: BTreeMap<String, u64>,
    /// Replayed letters that are not shown.
    replayed_hidden: u64,
}

#[derive(Serialize)]
struct Row {
    id: LetterId,
    #[serde(skip_serializing_if = "Option::is_none")]
    parked: Option<Timestamp>,
    code: String,
    input: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket: Option<String>,
    object: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(rename = "_id", skip_serializing_if = "Option::is_none")]
    document_id: Option<String>,
    replayed: bool,
    reason: String,
    #[serde(skip)]
    place: String,
}

pub fn list(global: &Global, args: &DeadLetterListArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let folder = load::settings(global)?.data.join(FOLDER);
    let marks = Marks::load(&folder).map_err(anyhow::Error::from)?;
    let mut listing = Listing::default();
    for entry in Letters::all(&folder).context("cannot read the dead letter")? {
        let entry = entry.context("cannot read the dead letter")?;
        if !is_wanted(&entry, args) {
            continue;
        }
        let replayed = marks.contains(entry.id);
        if replayed && !args.all {
            listing.replayed_hidden += 1;
            continue;
        }
        let row = Row::of(entry, replayed);
        *listing.by_code.entry(row.code.clone()).or_default() += 1;
        listing.letters.push(row);
    }
    match args.format {
        Format::Json => {
            writeln!(out, "{}", visible::json(&serde_json::to_string(&listing).map_err(anyhow::Error::from)?))
        }
        Format::Text => print(&listing, args.all, out),
    }
    .context("cannot print the letters")?;
    Ok(())
}

fn is_wanted(entry: &Entry, args: &DeadLetterListArgs) -> bool {
    let fits_code = |code: &str| args.codes.is_empty() || args.codes.iter().any(|wanted| wanted == code);
    match &entry.letter {
        Ok(letter) => {
            fits_code(&letter.code)
                && args.input.as_ref().is_none_or(|input| *input == letter.source.input)
                && args.since.is_none_or(|since| letter.parked >= since.0)
        }
        Err(_) => fits_code(UNREADABLE) && args.input.is_none() && args.since.is_none(),
    }
}

impl Row {
    fn of(Entry { id, letter }: Entry, replayed: bool) -> Row {
        match letter {
            Ok(Letter { parked, code, reason, source, offset, document_id, .. }) => Row {
                id,
                parked: Some(parked),
                code,
                place: place(&source),
                input: source.input,
                bucket: source.bucket,
                object: source.object,
                offset,
                document_id,
                replayed,
                reason,
            },
            Err(reason) => Row {
                id,
                parked: None,
                code: UNREADABLE.to_owned(),
                place: String::new(),
                input: String::new(),
                bucket: None,
                object: String::new(),
                offset: None,
                document_id: None,
                replayed,
                reason,
            },
        }
    }
}

fn print(listing: &Listing, all: bool, out: &mut dyn Write) -> io::Result<()> {
    let hidden = |out: &mut dyn Write| match listing.replayed_hidden {
        0 => Ok(()),
        n => writeln!(out, "replayed, not shown without --all: {}", grouped(n)),
    };
    if listing.letters.is_empty() {
        writeln!(out, "no letters")?;
        return hidden(out);
    }
    let rows = listing.letters.iter().map(|row| {
        let offset = row.offset.map(|offset| format!(" at {offset}")).unwrap_or_default();
        let mut cells = vec![
            row.id.to_string(),
            row.parked.map(when).unwrap_or_default(),
            visible::line(&row.code),
            visible::line(&row.input),
            format!("{}{offset}", visible::line(&row.place)),
            first_words(&visible::line(&row.reason)),
        ];
        if all {
            cells.insert(2, if row.replayed { "yes" } else { "" }.to_owned());
        }
        cells
    });
    let mut heading = vec!["id", "parked", "code", "input", "where", "reason"];
    if all {
        heading.insert(2, "replayed");
    }
    render::table(out, &heading, rows.collect(), &[])?;
    for (code, n) in &listing.by_code {
        writeln!(out, "{}: {}", visible::line(code), grouped(*n))?;
    }
    hidden(out)
}

fn first_words(reason: &str) -> String {
    let mut words: String = reason.chars().take(FIRST_WORDS).collect();
    if words.len() < reason.len() {
        words.push('…');
    }
    words
}
