//! `trailship status`: how things stand, on one page.

use crate::app::{Events, LettersOfCode, Overview, Place, Process, Section, Series};
use crate::cli::args::{Format, Global, StatusArgs};
use crate::cli::{Failure, load, render, visible};
use crate::inputs::backlog::{Backlog, LogGroup};
use crate::status::{Lasted, grouped};
use anyhow::Context as _;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};

/// Rows of one table that are shown; JSON has them all.
const ROWS: usize = 50;
/// Log groups that are shown, those furthest behind.
const GROUPS: usize = 10;

pub fn status(global: &Global, args: &StatusArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let settings = load::settings(global)?;
    let runtime = load::runtime()?;
    let overview = runtime.block_on(Overview::take(&settings, args.since.0));
    // A look that hangs must not hold up the end.
    runtime.shutdown_background();
    match args.format {
        Format::Json => serde_json::to_string(&overview)
            .map_err(io::Error::from)
            .and_then(|text| writeln!(out, "{}", visible::json(&text))),
        Format::Text => Page { out, is_bold: io::stdout().is_terminal() }.print(&overview),
    }
    .context("cannot print the status")?;
    if overview.is_fine() { Ok(()) } else { Err(Failure::Result(1)) }
}

/// The page, written section by section.
struct Page<'a> {
    out: &'a mut dyn Write,
    is_bold: bool,
}

impl Page<'_> {
    fn print(&mut self, overview: &Overview) -> io::Result<()> {
        self.process(&overview.process)?;
        self.inputs(overview)?;
        self.events(overview)?;
        self.dead_letter(overview)?;
        self.integrity(overview)
    }

    fn process(&mut self, process: &Section<Process>) -> io::Result<()> {
        self.heading("Running process")?;
        let Some(process) = self.told(process)? else { return Ok(()) };
        let figures = &process.figures;
        let state = match (process.ready, process.troubles.is_empty()) {
            (true, _) => "ready",
            (false, true) => "starting",
            (false, false) => "NOT READY",
        };
        writeln!(self.out, "{state}, at {} for {}", process.url, Lasted(figures.seconds))?;
        for trouble in &process.troubles {
            writeln!(
                self.out,
                "{}: {} answers {} since {}: {}",
                visible::line(&trouble.part),
                visible::line(&trouble.api),
                visible::line(&trouble.code),
                when(trouble.since),
                visible::line(&trouble.reason)
            )?;
        }
        let rows = figures.inputs.iter().map(|input| {
            let n = &input.records;
            let counts = [n.received, n.indexed, n.duplicate, n.filtered, n.parked, n.returned, n.in_flight];
            let mut row = vec![visible::line(&input.id)];
            row.extend(counts.map(grouped));
            row.push(input.unbalanced.to_string());
            row
        });
        let heading = [
            "input",
            "received",
            "indexed",
            "duplicate",
            "filtered",
            "parked",
            "given back",
            "in flight",
            "unbalanced",
        ];
        self.table(&heading, rows.collect(), &[1, 2, 3, 4, 5, 6, 7, 8])?;
        for input in &figures.inputs {
            if let Some(imbalance) = input.imbalance() {
                writeln!(self.out, "{}: {imbalance}", visible::line(&input.id))?;
            }
        }
        Ok(())
    }

    fn inputs(&mut self, overview: &Overview) -> io::Result<()> {
        self.heading("What waits at the inputs")?;
        let mut rows = Vec::new();
        let mut notes = Vec::new();
        for input in &overview.inputs {
            let (source, waits, held) = match &input.backlog {
                Section::Told(backlog) => {
                    notes.extend(notes_on(backlog, overview.time));
                    cells(backlog)
                }
                Section::NotAsked(why) | Section::Failed(why) => {
                    notes.push(format!("{}: {}", input.id, why));
                    ("cannot be read".to_owned(), String::new(), String::new())
                }
            };
            rows.push(vec![visible::line(&input.id), input.r#type.to_owned(), visible::line(&source), waits, held]);
        }
        self.table(&["input", "type", "source", "waits", "being read"], rows, &[3, 4])?;
        notes.iter().try_for_each(|note| writeln!(self.out, "{}", visible::line(note)))
    }

    fn events(&mut self, overview: &Overview) -> io::Result<()> {
        self.heading("Last events")?;
        let Some(events) = self.told(&overview.events)? else { return Ok(()) };
        let Events { data_stream, since_seconds, places, sources, is_cut } = events;
        let since = Lasted(*since_seconds as f64);
        if places.is_empty() {
            writeln!(self.out, "none in `{}` within {since}", visible::line(data_stream))?;
        } else {
            writeln!(self.out, "in `{}` within {since}, the longest silence first", visible::line(data_stream))?;
        }
        let rows = places.iter().map(|series| {
            let Place { account, region } = &series.of;
            times(vec![visible::line(account), visible::line(region)], series)
        });
        self.rows(&["account", "region", "events", "last event", "behind", "last made"], rows.collect())?;
        let rows = sources.iter().map(|series| {
            let (input, source) = &series.of;
            let source = source.as_deref().map(visible::line).unwrap_or_default();
            times(vec![visible::line(input), source], series)
        });
        self.rows(
            &["input type", "bucket or log group", "events", "last event", "behind", "last made"],
            rows.collect(),
        )?;
        if *is_cut {
            writeln!(self.out, "there are more accounts, regions or sources than were asked for")?;
        }
        Ok(())
    }

    fn dead_letter(&mut self, overview: &Overview) -> io::Result<()> {
        self.heading("Dead letter")?;
        let Some(letters) = self.told(&overview.dead_letter)? else { return Ok(()) };
        if letters.is_empty() {
            return writeln!(self.out, "no letters");
        }
        self.table(&["code", "letters", "oldest", "newest", "age"], of_letters(letters, overview.time), &[1])
    }

    fn integrity(&mut self, overview: &Overview) -> io::Result<()> {
        self.heading("Integrity")?;
        let Some(told) = self.told(&overview.integrity)? else { return Ok(()) };
        writeln!(
            self.out,
            "findings made: {}; findings and hours waiting to be delivered: {}, of these refused: {}",
            grouped(told.findings_made),
            grouped(told.documents()),
            grouped(told.refused_documents())
        )?;
        for (code, refusals) in &told.refused {
            let (documents, since) = (grouped(refusals.documents), when(refusals.since));
            let (code, reason) = (visible::line(code), visible::line(&refusals.reason));
            writeln!(self.out, "{code}: {documents} since {since}: {reason}")?;
        }
        Ok(())
    }

    /// What a section tells; else prints why not.
    fn told<'t, T>(&mut self, section: &'t Section<T>) -> io::Result<Option<&'t T>> {
        match section {
            Section::Told(told) => return Ok(Some(told)),
            Section::NotAsked(why) => writeln!(self.out, "not asked: {}", visible::line(why))?,
            Section::Failed(why) => writeln!(self.out, "cannot be read: {}", visible::line(why))?,
        }
        Ok(None)
    }

    fn heading(&mut self, text: &str) -> io::Result<()> {
        if self.is_bold { writeln!(self.out, "\n\u{1b}[1m{text}\u{1b}[0m") } else { writeln!(self.out, "\n{text}") }
    }

    /// A table of series; nothing when it is empty.
    fn rows(&mut self, heading: &[&str], mut rows: Vec<Vec<String>>) -> io::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let more = rows.len().saturating_sub(ROWS);
        rows.truncate(ROWS);
        self.table(heading, rows, &[2])?;
        if more > 0 {
            writeln!(self.out, "{more} more, not as far behind: `--format json` shows them")?;
        }
        Ok(())
    }

    fn table(&mut self, heading: &[&str], rows: Vec<Vec<String>>, numbers: &[usize]) -> io::Result<()> {
        render::table(self.out, heading, rows, numbers)
    }
}

fn times<T>(mut cells: Vec<String>, series: &Series<T>) -> Vec<String> {
    cells.extend([
        grouped(series.events),
        when(series.last),
        ago(series.behind_seconds),
        series.made.map(when).unwrap_or_default(),
    ]);
    cells
}

fn of_letters(letters: &BTreeMap<String, LettersOfCode>, now: Timestamp) -> Vec<Vec<String>> {
    let rows = letters.iter().map(|(code, of)| {
        let time = |time: Option<Timestamp>| time.map(when).unwrap_or_default();
        let age = of.oldest.map(|oldest| ago(now.as_second() - oldest.as_second())).unwrap_or_default();
        vec![visible::line(code), grouped(of.letters), time(of.oldest), time(of.newest), age]
    });
    rows.collect()
}

/// Source, what waits there, and what is being read.
fn cells(backlog: &Backlog) -> (String, String, String) {
    match backlog {
        Backlog::Queue { url, visible, delayed, hidden } => (url.clone(), grouped(visible + delayed), grouped(*hidden)),
        Backlog::LogGroups { groups, .. } => {
            (format!("{} log groups", grouped(groups.len() as u64)), String::new(), String::new())
        }
        Backlog::Files { unread, read, .. } => (
            format!("{} files, {} of them read", grouped(unread + read), grouped(*read)),
            grouped(*unread),
            String::new(),
        ),
    }
}

fn notes_on(backlog: &Backlog, now: Timestamp) -> Vec<String> {
    match backlog {
        Backlog::Queue { .. } => Vec::new(),
        Backlog::Files { faults, .. } => faults.clone(),
        Backlog::LogGroups { groups, unreadable } => {
            let mut notes: Vec<String> =
                unreadable.iter().map(|(name, why)| format!("`{name}` is not read: {why}")).collect();
            if groups.is_empty() {
                notes.push("no log group that can be read is named so".to_owned());
            }
            let mut known: Vec<(Timestamp, &LogGroup)> =
                groups.iter().filter_map(|group| Some((group.read_up_to?, group))).collect();
            known.sort_by_key(|(read_up_to, _)| *read_up_to);
            notes.extend(known.iter().take(GROUPS).map(|(read_up_to, group)| {
                let behind = ago(now.as_second() - read_up_to.as_second());
                format!("`{}` is read up to {}, {behind} behind", group.name, when(*read_up_to))
            }));
            notes
        }
    }
}

/// When, in UTC to the second.
fn when(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// Seconds as a time that has passed; what lies ahead, by a clock that is off, is no time.
fn ago(seconds: i64) -> String {
    Lasted(seconds as f64).to_string()
}
