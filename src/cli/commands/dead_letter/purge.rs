//! `trailship dead-letter purge`.

use crate::app;
use crate::cli::args::{DeadLetterPurgeArgs, Format, Global};
use crate::cli::{Failure, load, render};
use crate::output::parking::{self, Entry, FOLDER, LetterId, Marks};
use crate::status::grouped;
use anyhow::Context as _;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::io::Write;

pub fn purge(global: &Global, args: &DeadLetterPurgeArgs, out: &mut dyn Write) -> Result<(), Failure> {
    if args.ids.is_empty() && !args.replayed && args.older_than.is_none() {
        return Err(Failure::usage("nothing is chosen: name letters, `--replayed`, or `--older-than AGE`"));
    }
    let data = load::settings(global)?.data;
    let _held = app::hold(&data)?;
    let folder = data.join(FOLDER);
    let mut marks = Marks::load(&folder).map_err(anyhow::Error::from)?;
    let ids: BTreeSet<LetterId> = args.ids.iter().copied().collect();
    let limit = args.older_than.map(|age| Timestamp::now().saturating_sub(age.0).unwrap_or(Timestamp::MIN));
    // Every condition that is given must hold.
    let goes = |entry: &Entry, marks: &Marks| {
        let is_old = |limit: Timestamp| entry.letter.as_ref().is_ok_and(|letter| letter.parked < limit);
        (ids.is_empty() || ids.contains(&entry.id))
            && (!args.replayed || marks.contains(entry.id))
            && limit.is_none_or(is_old)
    };
    let purged = parking::purge(&folder, &mut marks, goes).map_err(anyhow::Error::from)?;
    match args.format {
        Format::Json => render::json(out, &purged),
        Format::Text => writeln!(
            out,
            "{} letters deleted, {} stay; {} bytes freed",
            grouped(purged.letters),
            grouped(purged.kept),
            grouped(purged.bytes)
        ),
    }
    .context("cannot print what was deleted")?;
    Ok(())
}
