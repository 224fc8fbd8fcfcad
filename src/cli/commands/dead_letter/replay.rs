//! `trailship dead-letter replay`.

use crate::app::{self, Planned, Replayed, Stop, Wanted};
use crate::cli::args::{DeadLetterReplayArgs, Format, Global};
use crate::cli::commands::run::listen;
use crate::cli::live::Live;
use crate::cli::{Failure, load, render, visible};
use crate::status::grouped;
use crate::telemetry::log::LogSettings;
use anyhow::Context as _;
use std::io::{self, IsTerminal, Write};

/// Letters that stayed and are shown one by one.
const SHOWN: usize = 20;

pub fn replay<'a>(
    global: &Global,
    args: &DeadLetterReplayArgs,
    out: &'a mut dyn Write,
    notes: &'a mut dyn Write,
) -> Result<(), Failure> {
    if args.ids.is_empty() && args.codes.is_empty() && !args.all {
        return Err(Failure::usage("nothing is chosen: name letters, `--code CODE`, or `--all`"));
    }
    let wanted = Wanted { ids: args.ids.iter().copied().collect(), codes: args.codes.iter().cloned().collect() };
    let settings = load::settings(global)?;
    if args.dry_run {
        let plan = app::plan(&settings.data, &wanted)?;
        match args.format {
            Format::Json => render::json(out, &plan),
            Format::Text => print_plan(&plan, out),
        }
        .context("cannot print the plan")?;
        return Ok(());
    }
    // Who waits for a server that is away must see it, beside the live line.
    let is_live = std::io::stderr().is_terminal();
    load::start_logs(&LogSettings { to_stderr: true, beside_line: is_live, ..settings.logs.clone() })?;
    let mut live = Live::new(is_live);
    // Documents on standard output must stay documents.
    let out = if settings.output.prints() { notes } else { out };
    let runtime = load::runtime()?;
    let ended = runtime.block_on(async {
        let stop = Stop::default();
        let signals = listen(stop.clone())?;
        let ended = app::replay(settings, wanted, &stop, &mut |progress| live.show_replay(progress)).await;
        signals.abort();
        Ok::<_, Failure>(ended)
    });
    live.clear();
    runtime.shutdown_background();
    let replayed = ended??;
    match args.format {
        Format::Json => render::json(out, &replayed),
        Format::Text => print(&replayed, out),
    }
    .context("cannot print the summary")?;
    failure(&replayed).map_or(Ok(()), Err)
}

/// Why the replay was no full success.
fn failure(replayed: &Replayed) -> Option<Failure> {
    if replayed.is_complete() {
        return None;
    }
    let mut parts = Vec::new();
    for (n, what) in [
        (replayed.stayed, "failed again and stay in the dead letter"),
        (replayed.open, "have no outcome, as the replay was interrupted"),
        (replayed.new_letters, "are new: records of objects that were read again"),
    ] {
        if n > 0 {
            parts.push(format!("{} letters {what}", grouped(n)));
        }
    }
    Some(Failure::work(parts.join("; ")))
}

fn print_plan(plan: &Planned, out: &mut dyn Write) -> io::Result<()> {
    let rows = plan.by_code.iter().map(|(code, n)| {
        vec![visible::line(code), grouped(n.documents), grouped(n.records), grouped(n.objects), grouped(n.messages)]
    });
    let heading = ["code", "sent as they are", "mapped anew", "object read again", "message read again"];
    render::table(out, &heading, rows.collect(), &[1, 2, 3, 4])?;
    if plan.replayed_before > 0 {
        writeln!(out, "replayed before, not sent again: {}", grouped(plan.replayed_before))?;
    }
    writeln!(out, "{} letters would be sent; nothing was", grouped(plan.letters))
}

fn print(replayed: &Replayed, out: &mut dyn Write) -> io::Result<()> {
    let mut rows: Vec<Vec<String>> = replayed
        .by_code
        .iter()
        .map(|(code, n)| {
            vec![visible::line(code), grouped(n.replayed + n.stayed), grouped(n.replayed), grouped(n.stayed)]
        })
        .collect();
    if rows.len() > 1 {
        let tried = replayed.replayed + replayed.stayed;
        rows.push(vec!["all".to_owned(), grouped(tried), grouped(replayed.replayed), grouped(replayed.stayed)]);
    }
    render::table(out, &["code", "letters", "replayed", "stayed"], rows, &[1, 2, 3])?;
    for stayed in replayed.staying.iter().take(SHOWN) {
        writeln!(out, "{} stays: {}: {}", stayed.id, visible::line(&stayed.code), visible::line(&stayed.reason))?;
    }
    let more = replayed.stayed.saturating_sub(SHOWN as u64);
    if more > 0 {
        writeln!(out, "{} more stay", grouped(more))?;
    }
    writeln!(
        out,
        "records: {} indexed, {} duplicate, {} filtered; {:.1} s",
        grouped(replayed.indexed),
        grouped(replayed.duplicate),
        grouped(replayed.filtered),
        replayed.seconds
    )
}
