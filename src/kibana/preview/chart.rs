//! What the chart library is given: series over labels, all finished but the drawing.

use super::number::{date, number, tick};
use crate::kibana::dashboards::answer::{Cell, Key, Table};
use crate::kibana::dashboards::colours::SERIES;
use crate::kibana::dashboards::grouping::Axes;
use crate::kibana::dashboards::model::{COLUMNS, Color, Draw, Format, Measure, Panel, Style};
use serde::Serialize;
use std::collections::HashMap;

/// One chart, as `charts.js` reads it.
#[derive(Debug, PartialEq, Serialize)]
pub struct Chart {
    /// `bar` or `line`.
    kind: &'static str,
    horizontal: bool,
    stacked: bool,
    /// Areas below the lines.
    filled: bool,
    /// Side of the legend; none for a single series.
    legend: Option<&'static str>,
    /// Numbers stand beside the bars.
    written: bool,
    /// How the axis of numbers is written.
    unit: &'static str,
    /// The axis of numbers ends here.
    most: Option<f64>,
    labels: Vec<String>,
    /// The labels in full.
    titles: Vec<String>,
    series: Vec<Series>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Series {
    label: String,
    color: &'static str,
    values: Vec<Option<f64>>,
    /// The values as people read them.
    shown: Vec<String>,
}

/// The chart of a panel's answer; bars over time are `interval` ms wide. Nothing where there is nothing to draw.
pub fn chart(panel: &Panel, table: &Table, interval: i64) -> Option<Chart> {
    let Draw::Chart { style, values, .. } = &panel.draw else { return None };
    let axes = Axes::of(&panel.draw)?;
    let overs = distinct(table, axes.over);
    let splits = match axes.split {
        Some(at) => distinct(table, at),
        None => vec![Key::Text(String::new())],
    };
    if table.total == 0 || overs.is_empty() || splits.is_empty() {
        return None;
    }
    let found: HashMap<(&Key, Option<&Key>), &[Cell]> = table
        .lines
        .iter()
        .filter_map(|line| {
            let split = axes.split.and_then(|at| line.keys.get(at));
            Some(((line.keys.get(axes.over)?, split), line.values.as_slice()))
        })
        .collect();
    let several = axes.split.is_some() || values.len() > 1;
    let mut series = Vec::new();
    for split in &splits {
        for (at, value) in values.iter().enumerate() {
            let key = axes.split.map(|_| split);
            let cells = overs.iter().map(|over| found.get(&(over, key)).and_then(|cells| cells.get(at)?.number()));
            let cells: Vec<Option<f64>> = cells.collect();
            let shown = cells.iter().map(|cell| cell.map_or_else(String::new, |cell| number(value.format, cell)));
            series.push(Series {
                label: label(key, value, values.len()),
                color: color(series.len(), key, value),
                shown: shown.collect(),
                values: cells,
            });
        }
    }
    let percent = *style == Style::BarsPercent;
    if percent {
        shares(&mut series);
    }
    let format = values.first().map_or(Format::Number, |value| value.format);
    Some(Chart {
        kind: if matches!(style, Style::Line | Style::AreaStacked) { "line" } else { "bar" },
        horizontal: matches!(style, Style::BarsHorizontal | Style::BarsHorizontalStacked),
        stacked: !matches!(style, Style::Bars | Style::BarsHorizontal | Style::Line),
        filled: *style == Style::AreaStacked,
        legend: several.then_some(if panel.width * 2 >= COLUMNS { "right" } else { "bottom" }),
        written: *style == Style::BarsHorizontal && !several,
        unit: if percent { "percent" } else { unit(format) },
        most: percent.then_some(100.0),
        labels: overs.iter().map(|over| axis_label(over, interval)).collect(),
        titles: overs.iter().map(title).collect(),
        series,
    })
}

/// Keys at one level, in the order in which they were found; times in their own order.
pub fn distinct(table: &Table, at: usize) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for line in &table.lines {
        if let Some(key) = line.keys.get(at)
            && seen.insert(key)
        {
            keys.push(key.clone());
        }
    }
    // A value beyond those shown stands behind them, whichever group it was found in.
    keys.sort_by_key(|key| match key {
        Key::Time(ms) => (0, *ms),
        Key::Text(_) | Key::Missing => (1, 0),
        Key::Other => (2, 0),
    });
    keys
}

/// A key below an axis.
pub fn axis_label(key: &Key, interval: i64) -> String {
    match key {
        Key::Time(ms) => tick(*ms, interval),
        other => other.text(),
    }
}

fn title(key: &Key) -> String {
    match key {
        Key::Time(ms) => format!("{} UTC", date(*ms)),
        other => other.text(),
    }
}

fn label(key: Option<&Key>, value: &Measure, values: usize) -> String {
    match key {
        None => value.label.clone(),
        Some(key) if values == 1 => key.text(),
        Some(key) => format!("{} - {}", key.text(), value.label),
    }
}

fn color(index: usize, key: Option<&Key>, value: &Measure) -> &'static str {
    match (key, value.color) {
        (None, Some(color)) => color.hex(),
        (Some(Key::Other | Key::Missing), _) => Color::Neutral.hex(),
        _ => SERIES[index % SERIES.len()],
    }
}

fn unit(format: Format) -> &'static str {
    match format {
        Format::Number | Format::Date => "number",
        Format::Percent => "share",
        Format::Bytes => "bytes",
        Format::Duration => "duration",
    }
}

/// Turns values into percents of the sum at each place.
fn shares(series: &mut [Series]) {
    let places = series.first().map_or(0, |one| one.values.len());
    for at in 0..places {
        let sum: f64 = series.iter().filter_map(|one| one.values.get(at).copied().flatten()).sum();
        for one in series.iter_mut() {
            if let Some(Some(value)) = one.values.get_mut(at) {
                *value = if sum > 0.0 { *value / sum * 100.0 } else { 0.0 };
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::kibana::dashboards::answer::Line;
    use serde_json::{Value, json};

    const MINUTES: i64 = 300_000;

    /// The chart of a panel written as JSON, as the library is given it.
    fn drawn(chart: &Value, lines: &[(&[Key], &[f64])]) -> Value {
        let panel = json!({"id": "p", "width": 24, "draw": {"chart": chart}});
        let panel: Panel = serde_json::from_value(panel).unwrap();
        let line = |(keys, values): &(&[Key], &[f64])| Line {
            keys: keys.to_vec(),
            values: values.iter().map(|value| Cell::Number(*value)).collect(),
        };
        let table = Table { total: 9, lines: lines.iter().map(line).collect() };
        super::chart(&panel, &table, MINUTES).map_or(Value::Null, |chart| serde_json::to_value(chart).unwrap())
    }

    fn text(text: &str) -> Key {
        Key::Text(text.to_owned())
    }

    #[test]
    fn series_are_split_in_their_order_with_the_rest_last_and_gaps_left() {
        let terms = json!({"terms": {"field": "event.outcome", "label": "O", "other": true}});
        let chart =
            json!({"style": "bars-stacked", "over": "time", "split": terms, "values": [{"label": "n", "of": "count"}]});
        let (early, late) = (Key::Time(1_772_488_800_000), Key::Time(1_772_496_000_000));
        let lines: &[(&[Key], &[f64])] = &[
            (&[text("b"), late.clone()], &[2.0]),
            (&[Key::Other, early.clone()], &[1.0]),
            (&[text("a"), early.clone()], &[3000.0]),
            (&[text("a"), late.clone()], &[0.0]),
        ];
        let drawn = drawn(&chart, lines);
        assert_eq!(drawn["labels"], json!(["22:00", "Mar 3"]));
        assert_eq!(drawn["titles"][0], "2026-03-02 22:00:00 UTC");
        let series: Vec<Value> = drawn["series"].as_array().unwrap().clone();
        let names: Vec<&Value> = series.iter().map(|one| &one["label"]).collect();
        assert_eq!(names, ["b", "a", "Other"]);
        assert_eq!(series[0]["values"], json!([null, 2.0]));
        assert_eq!(series[1]["shown"], json!(["3,000", "0"]));
        assert_eq!(series[2]["color"], Color::Neutral.hex());
        assert_ne!(series[0]["color"], series[1]["color"]);
        assert_eq!(
            (&drawn["stacked"], &drawn["legend"], &drawn["written"]),
            (&json!(true), &json!("right"), &json!(false))
        );
    }

    #[test]
    fn percents_are_of_the_sum_at_each_place() {
        let values = json!([
            {"label": "Reads", "of": "count", "only": "a: 1", "color": "neutral"},
            {"label": "Changes", "of": "count", "only": "a: 2", "color": "accent"},
        ]);
        let chart = json!({"style": "bars-percent", "over": "time", "values": values});
        let lines: &[(&[Key], &[f64])] = &[(&[Key::Time(0)], &[3.0, 1.0]), (&[Key::Time(MINUTES)], &[0.0, 0.0])];
        let drawn = drawn(&chart, lines);
        assert_eq!(drawn["series"][0]["values"], json!([75.0, 0.0]));
        assert_eq!(drawn["series"][1]["values"], json!([25.0, 0.0]));
        assert_eq!(drawn["series"][1]["shown"][0], "1", "the number itself is shown");
        assert_eq!(drawn["series"][1]["color"], Color::Accent.hex());
        assert_eq!((&drawn["unit"], &drawn["most"]), (&json!("percent"), &json!(100.0)));
    }

    #[test]
    fn a_single_row_of_bars_has_its_numbers_written() {
        let terms = json!({"terms": {"field": "event.action", "label": "A"}});
        let chart = json!({"style": "bars-horizontal", "over": terms, "values": [{"label": "n", "of": "count"}]});
        let lines: &[(&[Key], &[f64])] = &[(&[text("Decrypt")], &[9.0]), (&[Key::Missing], &[4.0])];
        let full = drawn(&chart, lines);
        assert_eq!(
            (&full["written"], &full["horizontal"], &full["legend"]),
            (&json!(true), &json!(true), &Value::Null)
        );
        assert_eq!(full["labels"], json!(["Decrypt", "(missing value)"]));
        assert_eq!(drawn(&chart, &[]), Value::Null, "nothing to draw");
    }
}
