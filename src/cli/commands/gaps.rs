//! `trailship gaps`: what is missing, by the ledger.
//!
//! Only reads, and works beside a running shipper. Keys are foreign text and never printed raw
//! ([`visible`](crate::cli::visible)).

use crate::app;
use crate::cli::args::{Format, GapsArgs, Global};
use crate::cli::{Failure, load, render, visible};
use crate::integrity::gaps::{Asked, Gaps, Others, Scope, Why};
use crate::integrity::store::{Question, View};
use crate::integrity::view;
use crate::status::grouped;
use crate::verify::moment::{HOUR, display, plus};
use anyhow::Context as _;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

/// Something is missing.
const MISSING: u8 = 3;
/// Nothing is known of that time.
const UNKNOWN: u8 = 4;
/// How long a file may be awaited where the configuration no longer says.
const LATE_AFTER: Duration = Duration::from_secs(2 * 3600);
/// Rows of files in the table; JSON names more.
const ROWS: usize = 200;

/// What is printed as JSON.
#[derive(Serialize)]
struct Report<'g> {
    start: String,
    end: String,
    #[serde(flatten)]
    gaps: &'g Gaps,
}

pub fn gaps(global: &Global, args: &GapsArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let settings = load::settings(global)?;
    let now = Timestamp::now();
    let (start, end) = (args.start.0, args.end.map_or(now, |end| end.0));
    if start >= end {
        return Err(Failure::usage("`--start` must be before `--end`"));
    }
    // Hours are whole; the one in which the start lies is one of them.
    let from = plus(start, -start.as_second().rem_euclid(HOUR));
    let late_after = settings.integrity.as_ref().map_or(LATE_AFTER, |integrity| integrity.late_after);
    let asked = Asked {
        from,
        to: end,
        accounts: args.account_id.clone(),
        regions: args.region.clone(),
        late_after: i64::try_from(late_after.as_secs()).unwrap_or(i64::MAX),
    };
    let runtime = load::runtime()?;
    let others = runtime.block_on(app::others(&settings, from, end));
    let question = Question { from, to: end, whole: matches!(others, Others::Told { .. }) };
    // Where this process never ran, others may know.
    let view = view::take(&settings.data, now, question).map_err(anyhow::Error::from)?;
    let gaps = Gaps::of(&view.unwrap_or_else(|| View::empty(now)), &asked, &others);
    if gaps.is_unknown() {
        let hint = match settings.integrity.is_some() {
            true => "files are entered by the time in their names, once they are announced or a digest lists them",
            false => "set `integrity.enabled: true` and ship",
        };
        let own = match &gaps.scope {
            Scope::OwnPart(reason) => format!("; only this process was asked: {}", visible::line(reason)),
            Scope::Alone | Scope::Whole(_) => String::new(),
        };
        return Err(Failure::Said(UNKNOWN, format!("nothing is known of that time: {hint}{own}\n")));
    }
    match args.format {
        Format::Json => json(&Report { start: display(from), end: display(end), gaps: &gaps }, out),
        Format::Text => print(&gaps, out),
    }
    .context("cannot print the gaps")?;
    if gaps.is_any() { Err(Failure::Result(MISSING)) } else { Ok(()) }
}

fn json(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", visible::json(&serde_json::to_string(report)?))
}

fn print(gaps: &Gaps, out: &mut dyn Write) -> io::Result<()> {
    if !gaps.files.is_empty() {
        files_table(gaps, out)?;
    }
    if !gaps.without_digest.is_empty() {
        let rows = gaps.without_digest.iter().map(|it| {
            let hours = (it.to.as_second() - it.from.as_second() + HOUR - 1) / HOUR;
            vec![
                visible::line(&it.account),
                visible::line(&it.region),
                display(it.from),
                display(it.to),
                hours.to_string(),
            ]
        });
        render::table(out, &["account", "region", "no valid digest from", "to", "hours"], rows.collect(), &[4])?;
    }
    if !gaps.silent.is_empty() {
        let rows = gaps.silent.iter().map(|it| {
            let names = [&it.account, &it.region, &it.trail].map(|name| visible::line(name));
            [names.to_vec(), vec![display(it.since), display(it.covered_until)]].concat()
        });
        render::table(
            out,
            &["account", "region", "silent trail", "last digest came", "it covered until"],
            rows.collect(),
            &[],
        )?;
    }
    if !gaps.undelivered.refused.is_empty() {
        let rows = gaps.undelivered.refused.iter().map(|(code, refusals)| {
            let texts = [code, &refusals.reason].map(|text| visible::line(text));
            let [code, reason] = texts;
            vec![code, grouped(refusals.documents), display(refusals.since), reason]
        });
        render::table(out, &["findings and hours refused", "documents", "since", "reason"], rows.collect(), &[1])?;
    }
    totals(gaps, out)?;
    advice(gaps, out)
}

fn files_table(gaps: &Gaps, out: &mut dyn Write) -> io::Result<()> {
    let rows = gaps.files.iter().take(ROWS).map(|file| {
        let why = match &file.code {
            Some(code) => format!("{}: {}", file.why.label(), visible::line(code)),
            None => file.why.label().to_owned(),
        };
        vec![
            visible::line(&file.account),
            visible::line(&file.region),
            display(file.hour),
            format!("s3://{}/{}", visible::line(&file.bucket), visible::line(&file.key)),
            why,
        ]
    });
    render::table(out, &["account", "region", "hour", "missing log file", "why"], rows.collect(), &[])?;
    match gaps.missing.saturating_sub(gaps.files.len().min(ROWS) as u64) {
        0 => Ok(()),
        rest => writeln!(out, "and {} more; `--format json` names up to ten thousand", grouped(rest)),
    }
}

fn totals(gaps: &Gaps, out: &mut dyn Write) -> io::Result<()> {
    match &gaps.scope {
        Scope::Alone => {}
        Scope::Whole(processes) => writeln!(out, "of {} processes that share their state", grouped(*processes))?,
        Scope::OwnPart(reason) => {
            writeln!(out, "ONLY THE PART OF THIS PROCESS, what others shipped is not known: {}", visible::line(reason))?
        }
    }
    let open = match gaps.open_hours {
        0 => String::new(),
        n => format!(", {} of them not closed yet", grouped(n)),
    };
    writeln!(out, "hours by account and region: {}{open}", grouped(gaps.hours))?;
    let expected = gaps.expected.map_or_else(|| "unknown, no digests".to_owned(), grouped);
    writeln!(
        out,
        "log files: expected {expected}; announced {}, read {}, indexed {}, failed {}; {} records",
        grouped(gaps.notified),
        grouped(gaps.read),
        grouped(gaps.indexed),
        grouped(gaps.failed),
        grouped(gaps.records),
    )?;
    if gaps.awaited > 0 {
        writeln!(out, "awaited, and not missing yet: {}", grouped(gaps.awaited))?;
    }
    let undelivered = &gaps.undelivered;
    if undelivered.documents() > 0 {
        writeln!(
            out,
            "not in the data stream of integrity yet, of any time: {} findings, {} hours; {} of both refused",
            grouped(undelivered.findings),
            grouped(undelivered.ledger),
            grouped(undelivered.refused_documents()),
        )?;
    }
    if gaps.is_any() {
        writeln!(out, "missing: {}", grouped(gaps.missing))
    } else {
        writeln!(out, "nothing is missing")
    }
}

/// What to do next, once for each cause.
fn advice(gaps: &Gaps, out: &mut dyn Write) -> io::Result<()> {
    let mut causes: BTreeMap<Why, u64> = BTreeMap::new();
    gaps.files.iter().for_each(|file| *causes.entry(file.why).or_default() += 1);
    for (why, n) in causes {
        writeln!(out, "{} ({}): {}", why.label(), grouped(n), why.advice())?;
    }
    if !gaps.without_digest.is_empty() {
        writeln!(
            out,
            "no valid digest: `trailship validate` tells whether digests are gone or were never written, and whether they are announced to the queue"
        )?;
    }
    if gaps.undelivered.refused_documents() > 0 {
        writeln!(
            out,
            "refused: run `trailship setup` for the template of the data stream and see what it composes; all are kept, and tried again within an hour at the latest"
        )?;
    }
    if !gaps.silent.is_empty() {
        writeln!(
            out,
            "silent: see whether the trail still records and whether its digests are announced to the queue"
        )?;
    }
    Ok(())
}
