//! The AWS CLI's lines, exactly (CloudTrail formats 5.6), and after them what only we find.

use super::{Said, Tally, tally, visit};
use crate::verify::finding::{Finding, Kind, Severity};
use crate::verify::moment::{HOUR, display};
use crate::verify::run::Outcome;
use crate::visible;
use jiff::Timestamp;
use std::collections::HashSet;
use std::io::{self, Write};

/// Writes what the AWS CLI writes about one chain: its standard output to `out`, its standard error to `notes`.
///
/// # Errors
/// A stream that cannot be written to.
pub fn compat(out: &mut dyn Write, notes: &mut dyn Write, outcome: &Outcome, verbose: bool) -> io::Result<()> {
    let window = outcome.window;
    let period = (display(window.from), display(window.to));
    writeln!(out, "Validating log files for trail {} between {} and {}\n", outcome.chain.arn, period.0, period.1)?;
    let mut lines = Lines { out, notes, verbose, spaced: true, ended: Ok(()) };
    let mut found: Option<(Timestamp, Timestamp)> = None;
    visit(outcome, &mut |said| {
        if let Said::Digest { start, end, .. } = said {
            let (start, end) = (start.max(window.from), end.min(window.to));
            found = Some(found.map_or((start, end), |(first, last)| (first.min(start), last.max(end))));
        }
        lines.line(&said);
    });
    let Lines { out, spaced, ended, .. } = lines;
    ended?;
    let tally = tally(outcome);
    if tally.fatal.is_some() {
        return Ok(());
    }
    if !spaced {
        writeln!(out)?;
    }
    writeln!(out, "Results requested for {} to {}", period.0, period.1)?;
    summary(out, &tally, found)
}

fn summary(out: &mut dyn Write, tally: &Tally, found: Option<(Timestamp, Timestamp)>) -> io::Result<()> {
    let Tally { digests, backfill, logs, .. } = tally;
    if digests.0 + digests.1 + backfill.0 + backfill.1 == 0 {
        return writeln!(out, "No digests found");
    }
    match found {
        Some((from, to)) => writeln!(out, "Results found for {} to {}:", display(from), display(to))?,
        None => writeln!(out, "No valid digests found in range")?,
    }
    for (what, (valid, invalid)) in [("digest", digests), ("backfill digest", backfill), ("log", logs)] {
        let all = valid + invalid;
        if all > 0 {
            write!(out, "\n{valid}/{all} {what} files valid")?;
        }
        if *invalid > 0 {
            write!(out, ", {invalid}/{all} {what} files INVALID")?;
        }
    }
    writeln!(out)
}

struct Lines<'w> {
    out: &'w mut dyn Write,
    notes: &'w mut dyn Write,
    verbose: bool,
    /// The last thing written ended with an empty line.
    spaced: bool,
    ended: io::Result<()>,
}

impl Lines<'_> {
    fn line(&mut self, said: &Said<'_>) {
        let label = |backfill: &bool| if *backfill { "(backfill) " } else { "" };
        match said {
            Said::Digest { backfill, name, .. } => self.fine(&format!("{}Digest file\t{name}\tvalid", label(backfill))),
            Said::Log { bucket, key, why: None } => self.fine(&format!("Log file\ts3://{bucket}/{key}\tvalid")),
            Said::Log { bucket, key, why: Some(why) } => {
                self.wrong(&format!("Log file\ts3://{bucket}/{key}\tINVALID: {why}"));
            }
            Said::InvalidDigest { backfill, name, why } => {
                self.wrong(&format!("{}Digest file\t{name}\tINVALID: {why}", label(backfill)));
            }
            Said::Gap { backfill, from, to } => self.wrong(&format!(
                "{}No log files were delivered by CloudTrail between {} and {}",
                label(backfill),
                display(*from),
                display(*to)
            )),
            Said::Fatal(text) => self.note(&format!("\n{text}\n")),
        }
    }

    fn fine(&mut self, text: &str) {
        if self.verbose && self.ended.is_ok() {
            self.spaced = false;
            self.ended = writeln!(self.out, "{}", visible::row(text));
        }
    }

    fn wrong(&mut self, text: &str) {
        let before = if self.spaced { "" } else { "\n" };
        self.spaced = true;
        self.note(&format!("{before}{text}\n\n"));
    }

    fn note(&mut self, text: &str) {
        if self.ended.is_ok() {
            self.ended = write!(self.notes, "{}", visible::rows(text));
        }
    }
}

/// What the AWS CLI's lines do not say, in a section of its own; nothing when there is nothing.
///
/// # Errors
/// A stream that cannot be written to.
pub fn beyond(out: &mut dyn Write, outcome: &Outcome) -> io::Result<()> {
    let findings = only_ours(outcome);
    if !findings.is_empty() {
        writeln!(out, "\nBeyond what `aws cloudtrail validate-logs` checks:")?;
    }
    for finding in findings {
        line(out, finding)?;
    }
    coverage(out, outcome)
}

/// One finding on a line, its parts separated by tabs.
///
/// # Errors
/// A stream that cannot be written to.
pub fn line(out: &mut dyn Write, finding: &Finding) -> io::Result<()> {
    let label = if finding.backfill { "(backfill) " } else { "" };
    let kind = serde_json::to_value(finding.kind).ok();
    let kind = kind.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
    let severity = match finding.severity {
        Severity::Invalid => "INVALID",
        Severity::Incomplete => "INCOMPLETE",
        Severity::Operational => "UNREADABLE",
        Severity::Note => "NOTE",
    };
    write!(out, "{label}{severity}\t{kind}")?;
    if let Some(object) = &finding.object {
        write!(out, "\t{}", visible::line(&object.to_string()))?;
    }
    if let Some((from, to)) = finding.period {
        write!(out, "\t{} to {}", display(from), display(to))?;
    }
    writeln!(out, "\t{}", visible::line(&finding.reason))
}

fn coverage(out: &mut dyn Write, outcome: &Outcome) -> io::Result<()> {
    let covered = &outcome.audit.covered;
    let asked = outcome.window.to.as_second() - outcome.window.from.as_second();
    let seconds: i64 = covered.iter().map(|(from, to)| to.as_second() - from.as_second()).sum();
    if covered.is_empty() || asked <= 0 {
        return Ok(());
    }
    let hours = |seconds: i64| seconds as f64 / HOUR as f64;
    let periods: Vec<String> =
        covered.iter().map(|(from, to)| format!("{} to {}", display(*from), display(*to))).collect();
    writeln!(
        out,
        "\nCovered by valid digests: {:.1} of {:.1} hours requested ({})",
        hours(seconds),
        hours(asked),
        periods.join(", ")
    )
}

/// Findings that no line of the AWS CLI tells.
fn only_ours(outcome: &Outcome) -> Vec<&Finding> {
    let (mut invalid, mut gaps) = (HashSet::new(), HashSet::new());
    visit(outcome, &mut |said| match said {
        Said::InvalidDigest { name, .. } => {
            invalid.insert(name.to_string());
        }
        Said::Log { bucket, key, why: Some(_) } => {
            invalid.insert(format!("s3://{bucket}/{key}"));
        }
        Said::Gap { to, .. } => {
            gaps.insert(to);
        }
        _ => {}
    });
    let said = |finding: &&Finding| match (finding.kind, &finding.object) {
        (Kind::Gap | Kind::ChainRestarted, _) => finding.period.is_some_and(|(_, to)| gaps.contains(&to)),
        (Kind::ChainHashMismatch | Kind::ChainSignatureMismatch, _) => false,
        (_, Some(name)) => {
            finding.severity == Severity::Invalid && finding.count == 1 && invalid.contains(&name.to_string())
        }
        _ => false,
    };
    outcome.findings.iter().filter(|finding| !said(finding)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::verify::scope::Name;

    #[test]
    fn a_name_writes_no_lines_of_its_own() {
        let name = Name::new("b", "x\nINVALID\tlog_altered\u{1b}[31mü\u{9b}");
        let mut out = Vec::new();
        line(&mut out, &Finding::of(Kind::LogUnlisted, &name, "of `\r`")).unwrap();
        let expected = "INCOMPLETE\tlog_unlisted\ts3://b/x\\nINVALID\\tlog_altered\\u{1b}[31mü\\u{9b}\tof `\\r`\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
