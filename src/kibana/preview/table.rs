//! A table: names and numbers in the order of the dashboards, its columns as wide as their texts.

use super::number::date;
use super::panel::{NOTHING, format, nothing, written};
use super::text::escape;
use crate::kibana::dashboards::answer::{Cell, Key, Line, Table};
use crate::kibana::dashboards::grouping::Grouping;
use crate::kibana::dashboards::model::{Bucket, DataView, Format, Measure, Of, Rank};
use std::fmt::Write;

/// Rows that are seen at once, as on the dashboards.
const ROWS: usize = 10;

/// Lines of an answer as a table in a panel of `width` columns of the grid.
pub fn table(grouping: &Grouping, data: DataView, width: u32, table: &Table) -> String {
    if table.lines.is_empty() {
        return nothing(NOTHING);
    }
    let mut lines: Vec<&Line> = table.lines.iter().collect();
    // As the dashboards sort, whatever the groups.
    if let Rank::Value(by) = grouping.by {
        let number = |line: &Line| line.values.get(by).and_then(Cell::number).unwrap_or(f64::NEG_INFINITY);
        lines.sort_by(|one, other| number(other).total_cmp(&number(one)));
        if grouping.smallest_first {
            lines.reverse();
        }
    }
    let (rows, values) = (&grouping.buckets, &grouping.values);
    let names = rows.iter().map(|row| match row {
        Bucket::Time => "Time",
        Bucket::Terms { label, .. } => label.as_str(),
        Bucket::Filters(_) => "Kind",
    });
    let heads: Vec<String> = names.chain(values.iter().map(|value| value.label.as_str())).map(escape).collect();
    let cells: Vec<Vec<String>> = lines.iter().take(ROWS).map(|line| row(line, values, data)).collect();
    let side = |column: usize| match values.get(column.wrapping_sub(rows.len())) {
        Some(value) if !is_text(value, data) => " class=\"number\"",
        _ => "",
    };
    let mut html = String::from("<div class=\"rows\"><table><colgroup>");
    let times = rows.iter().map(|row| matches!(row, Bucket::Time));
    let times: Vec<bool> = times.chain(values.iter().map(|value| format(value, data) == Format::Date)).collect();
    for width in widths(&heads, &cells, &times, fitting(width)) {
        let _ = write!(html, "<col style=\"width:{}.{}%\">", width / 10, width % 10);
    }
    html.push_str("</colgroup><thead><tr>");
    for (column, head) in heads.iter().enumerate() {
        let _ = write!(html, "<th{}>{head}</th>", side(column));
    }
    html.push_str("</tr></thead><tbody>");
    for (line, cells) in lines.iter().zip(&cells) {
        html.push_str("<tr>");
        for (column, cell) in cells.iter().enumerate() {
            let value = column.checked_sub(rows.len()).and_then(|at| Some((values.get(at)?, line.values.get(at)?)));
            let color = value.map_or_else(String::new, |(value, cell)| ink(value, cell));
            let _ = write!(html, "<td{}{color} title=\"{cell}\">{cell}</td>", side(column));
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></div>");
    if lines.len() > ROWS {
        let _ = write!(html, "<p class=\"pages\">Rows 1 to {ROWS} of {}</p>", lines.len());
    }
    html
}

/// The cells of a line, escaped.
fn row(line: &Line, values: &[&Measure], data: DataView) -> Vec<String> {
    let keys = line.keys.iter().map(|key| match key {
        Key::Time(ms) => date(*ms),
        other => escape(&other.text()),
    });
    let values = values.iter().zip(&line.values).map(|(value, cell)| written(format(value, data), cell));
    keys.chain(values).collect()
}

/// Thousandths of a table's width, by the longest text of each column. What goes beyond the table's width in characters
/// is taken from the longest; times are never cut.
fn widths(heads: &[String], cells: &[Vec<String>], times: &[bool], characters: usize) -> Vec<usize> {
    // Digits are wider than letters, and around the text there is space.
    let room = |text: &String| text.chars().count() + text.bytes().filter(u8::is_ascii_digit).count() / 5 + 3;
    let longest = |column: usize| {
        let texts = cells.iter().filter_map(|cells| cells.get(column)).chain(heads.get(column));
        texts.map(room).max().unwrap_or(0).max(8)
    };
    let lengths: Vec<usize> = (0..heads.len()).map(longest).collect();
    let shorter = |most: usize| {
        let cut = lengths.iter().zip(times);
        cut.map(move |(length, whole)| if *whole { *length } else { (*length).min(most) })
    };
    let most = (SHORTEST..=characters).rev().find(|most| shorter(*most).sum::<usize>() <= characters);
    let lengths: Vec<usize> = shorter(most.unwrap_or(SHORTEST)).collect();
    let sum: usize = lengths.iter().sum();
    lengths.iter().map(|length| length * 1000 / sum.max(1)).collect()
}

/// No column is cut to less than this, which holds the number of an account.
const SHORTEST: usize = 17;

/// Characters that fit into a panel of this many columns on a page of 1,600 pixels.
fn fitting(width: u32) -> usize {
    usize::try_from(width).unwrap_or_default() * 9 / 2
}

/// A number with a meaning has its colour from 1 on.
fn ink(value: &Measure, cell: &Cell) -> String {
    match (value.color, cell.number()) {
        (Some(color), Some(number)) if number >= 1.0 => format!(" style=\"color:{}\"", color.hex()),
        _ => String::new(),
    }
}

fn is_text(value: &Measure, data: DataView) -> bool {
    format(value, data) == Format::Date || matches!(value.of, Of::Last(_))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::kibana::dashboards::model::Draw;
    use serde_json::json;

    fn drawn(smallest_first: bool, lines: &[(&str, f64, f64)]) -> String {
        let draw = json!({"table": {
            "rows": [{"terms": {"field": "cloud.account.id", "label": "Account"}}],
            "values": [{"label": "Last", "of": {"max": "@timestamp"}}, {"label": "Bad", "of": "count", "color": "bad"}],
            "smallest_first": smallest_first,
        }});
        let draw: Draw = serde_json::from_value(draw).unwrap();
        let lines = lines.iter().map(|(key, time, count)| Line {
            keys: vec![Key::Text((*key).to_owned())],
            values: vec![Cell::Number(*time), Cell::Number(*count)],
        });
        let found = Table { total: 1, lines: lines.collect() };
        table(&Grouping::main(&draw).unwrap(), DataView::Cloudtrail, 24, &found)
    }

    #[test]
    fn lines_stand_in_the_order_of_the_dashboard() {
        let lines = [("b", 1_772_488_828_000.0, 0.0), ("a", 1_772_496_000_000.0, 2.0)];
        let order = |html: &str| html.find(">a</td>").unwrap() < html.find(">b</td>").unwrap();
        assert!(order(&drawn(false, &lines)), "the latest first");
        assert!(!order(&drawn(true, &lines)), "the earliest first");
        let html = drawn(false, &lines);
        assert!(html.contains("<td title=\"2026-03-02 22:00:28\">2026-03-02 22:00:28</td>"), "{html}");
        assert!(html.contains("class=\"number\" style=\"color:#E5525B\" title=\"2\""), "{html}");
        assert!(html.contains("<td class=\"number\" title=\"0\">0</td>"), "0 has no colour: {html}");
    }

    #[test]
    fn ten_lines_are_seen_and_the_others_counted() {
        let names: Vec<String> = (0..12).map(|n| format!("n{n}")).collect();
        let lines: Vec<(&str, f64, f64)> = names.iter().map(|name| (name.as_str(), 1.0, 1.0)).collect();
        let html = drawn(false, &lines);
        assert_eq!(html.matches("<tr>").count(), 11);
        assert!(html.contains("Rows 1 to 10 of 12"));
        assert!(!drawn(false, &lines[..10]).contains("Rows"));
    }

    #[test]
    fn what_is_too_wide_is_taken_from_the_longest_and_never_from_times() {
        let heads = ["User", "Time", "n"].map(str::to_owned);
        let cells = vec![["x".repeat(200), "2026-03-02 22:00:28".to_owned(), "1".to_owned()].to_vec()];
        let widths = widths(&heads, &cells, &[false, true, false], 80);
        // A time takes 19 characters, 2 more for its 14 digits, 3 around it; the number the least, 8; the user the rest.
        assert_eq!(widths, [48 * 1000 / 80, 24 * 1000 / 80, 8 * 1000 / 80]);
    }
}
