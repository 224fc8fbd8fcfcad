//! Results for people: tables on a terminal, JSON for programs.

use crate::check::{Check, Verdict};
use crate::status::{Summary, grouped};
use crate::visible;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use serde::Serialize;
use std::io::{self, Write};

/// One JSON document on a line.
pub fn json(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    writeln!(out, "{}", serde_json::to_string(value)?)
}

/// A table with a heading; columns are as wide as the terminal allows.
pub fn table(out: &mut dyn Write, heading: &[&str], rows: Vec<Vec<String>>, numbers: &[usize]) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic).set_header(heading);
    for row in rows {
        table.add_row(row);
    }
    for &column in numbers {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    writeln!(out, "{table}")
}

/// Steps with their verdicts; false when one failed.
pub fn checks(out: &mut dyn Write, checks: &[Check]) -> io::Result<bool> {
    for check in checks {
        let verdict = match check.verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Failed => "FAILED",
        };
        writeln!(out, "{verdict:>8}  {}: {}", visible::line(&check.step), visible::line(&check.detail))?;
    }
    Ok(all_well(checks))
}

pub fn all_well(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.verdict != Verdict::Failed)
}

/// The end of a run.
pub fn summary(out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
    let row = |name: &str, objects: u64, counts: [u64; 6]| {
        let mut row = vec![name.to_owned(), grouped(objects)];
        row.extend(counts.map(grouped));
        row
    };
    let mut rows: Vec<Vec<String>> = summary
        .inputs
        .iter()
        .map(|input| {
            let r = &input.records;
            row(&input.id, input.objects, [r.received, r.indexed, r.duplicate, r.filtered, r.parked, r.returned])
        })
        .collect();
    if rows.len() > 1 {
        let returned = summary.inputs.iter().map(|input| input.records.returned).sum();
        rows.push(row(
            "all",
            summary.objects,
            [summary.records, summary.indexed, summary.duplicate, summary.filtered, summary.parked, returned],
        ));
    }
    table(
        out,
        &["input", "objects", "records", "indexed", "duplicate", "filtered", "parked", "given back"],
        rows,
        &[1, 2, 3, 4, 5, 6, 7],
    )?;
    for (code, n) in &summary.parked_by_code {
        writeln!(out, "parked as {code}: {}", grouped(*n))?;
    }
    for input in &summary.inputs {
        for (cause, by) in &input.faults {
            for (policy, n) in by {
                writeln!(out, "{}: {cause}, {policy}: {}", input.id, grouped(*n))?;
            }
        }
    }
    for (rule, n) in &summary.filtered_by_rule {
        writeln!(out, "filtered by {rule}: {}", grouped(*n))?;
    }
    for (rule, n) in &summary.failed_by_rule {
        writeln!(out, "failed on by {rule}: {}", grouped(*n))?;
    }
    if summary.repaired > 0 {
        writeln!(out, "repaired (tag `shape_repaired`): {}", grouped(summary.repaired))?;
    }
    for input in &summary.inputs {
        if let Some(imbalance) = input.imbalance() {
            writeln!(out, "{}: {imbalance}", input.id)?;
        }
    }
    let rate = summary.records as f64 / summary.seconds.max(0.001);
    writeln!(out, "{:.1} s, {} records/s", summary.seconds, grouped(rate as u64))
}
