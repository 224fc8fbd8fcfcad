//! One panel as HTML: a number, a chart, a table, a heatmap or a text.

use super::chart::{axis_label, chart, distinct};
use super::number::{number, text};
use super::table::table;
use super::text::{escape, json_in_script, markdown};
use crate::ecs::Kind;
use crate::kibana::dashboards::answer::{Cell, Key, Table};
use crate::kibana::dashboards::ask::Answer;
use crate::kibana::dashboards::colours::SHADES;
use crate::kibana::dashboards::fields;
use crate::kibana::dashboards::grouping::{Axes, Grouping};
use crate::kibana::dashboards::model::{COLUMNS, Color, DataView, Draw, Format, Measure, Of, Panel, Place};
use std::collections::HashMap;
use std::fmt::Write;

/// What is known of a panel.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    Answer(Answer),
    /// Why there is no answer, for people.
    Unable(String),
}

/// A panel at its place; bars over time are `interval` ms wide.
pub fn panel(place: Place, panel: &Panel, data: DataView, shown: Option<&Shown>, interval: i64) -> String {
    let mut color = None;
    let (kind, body) = match (&panel.draw, shown) {
        (Draw::Text(text), _) => ("text", markdown(text)),
        (_, None) => ("empty", nothing("Not asked")),
        (_, Some(Shown::Unable(reason))) => ("unable", nothing(reason)),
        (Draw::Metric { value, beside, .. }, Some(Shown::Answer(answer))) => {
            color = tile(&panel.draw, &answer.main);
            ("metric", metric(value, beside.as_ref(), data, answer))
        }
        (Draw::Chart { .. }, Some(Shown::Answer(answer))) => ("chart", drawn(panel, &answer.main, interval)),
        (Draw::Table { .. }, Some(Shown::Answer(answer))) => ("table", listed(panel, data, &answer.main)),
        (Draw::Heatmap { value, .. }, Some(Shown::Answer(answer))) => {
            ("heatmap", heatmap(&panel.draw, value, &answer.main, interval))
        }
    };
    let color = color.map_or_else(String::new, |color: Color| format!(";background:{}", color.hex()));
    let colored = if color.is_empty() { "" } else { " colored" };
    // Help at the right border opens to the left.
    let edge = if place.x * 3 >= COLUMNS * 2 { " edge" } else { "" };
    let Place { x, y, width, height } = place;
    let (left, top) = (x + 1, y + 1);
    format!(
        "<section class=\"panel {kind}{colored}{edge}\" id=\"{}\" style=\"grid-area:{top}/{left}/span {height}/span {width}{color}\">{}{body}</section>\n",
        escape(&panel.id),
        heading(panel)
    )
}

fn heading(panel: &Panel) -> String {
    if panel.title.is_empty() {
        return String::new();
    }
    let help = match panel.help.trim() {
        "" => String::new(),
        help => format!(
            "<span class=\"help\" tabindex=\"0\">i<span class=\"tip\" role=\"tooltip\">{}</span></span>",
            escape(help)
        ),
    };
    format!("<h2>{}{help}</h2>", escape(&panel.title))
}

pub(super) fn nothing(reason: &str) -> String {
    format!("<p class=\"nothing\">{}</p>", escape(reason))
}

pub(super) const NOTHING: &str = "No results found";

/// The colour that a number's tile has.
fn tile(draw: &Draw, table: &Table) -> Option<Color> {
    let Draw::Metric { color, zero, .. } = draw else { return None };
    let value = table.lines.first().and_then(|line| line.values.first()).and_then(Cell::number).unwrap_or(0.0);
    match (color, zero) {
        (_, Some(zero)) if value < 1.0 => Some(*zero),
        (color, zero) => (*color).or(*zero),
    }
}

fn listed(panel: &Panel, data: DataView, found: &Table) -> String {
    match Grouping::main(&panel.draw) {
        Some(grouping) => table(&grouping, data, panel.width, found),
        None => nothing(NOTHING),
    }
}

fn metric(value: &Measure, beside: Option<&Measure>, data: DataView, answer: &Answer) -> String {
    let line = answer.main.lines.first();
    let cell = |at: usize| line.and_then(|line| line.values.get(at)).unwrap_or(&Cell::Empty);
    let second = beside.map_or_else(String::new, |beside| {
        format!("<p class=\"beside\">{} <b>{}</b></p>", escape(&beside.label), written(format(beside, data), cell(1)))
    });
    let line = answer.trend.as_ref().map_or_else(String::new, course);
    let number = written(format(value, data), cell(0));
    let long = if number.chars().count() > 11 { " long" } else { "" };
    format!(
        "{line}<p class=\"label\">{}</p><div class=\"value\">{second}<p class=\"number{long}\">{number}</p></div>",
        escape(&value.label)
    )
}

/// The line behind a number.
fn course(trend: &Table) -> String {
    let values: Vec<f64> =
        trend.lines.iter().map(|line| line.values.first().and_then(Cell::number).unwrap_or(0.0)).collect();
    let most = values.iter().copied().fold(0.0, f64::max);
    if values.len() < 2 || most <= 0.0 {
        return String::new();
    }
    let mut path = String::new();
    for (at, value) in values.iter().enumerate() {
        // A place in a box of (number of bars - 1) by 100, its top 5 left free.
        let _ = write!(path, "L{at} {:.1}", 100.0 - value.max(0.0) / most * 95.0);
    }
    let right = values.len() - 1;
    format!(
        "<svg class=\"course\" viewBox=\"0 0 {right} 100\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><path class=\"area\" d=\"M0 100{path}L{right} 100Z\"/><path class=\"line\" d=\"M{}\"/></svg>",
        &path[1..]
    )
}

fn drawn(panel: &Panel, table: &Table, interval: i64) -> String {
    let json = chart(panel, table, interval).and_then(|chart| serde_json::to_string(&chart).ok());
    let Some(json) = json else { return nothing(NOTHING) };
    let label = escape(&panel.title);
    format!(
        "<div class=\"canvas\"><canvas role=\"img\" aria-label=\"{label}\"></canvas></div><script type=\"application/json\">{}</script>",
        json_in_script(&json)
    )
}

/// Times are shown as such without being told.
pub(super) fn format(value: &Measure, data: DataView) -> Format {
    match &value.of {
        Of::Min(field) | Of::Max(field) | Of::Last(field) if fields::kind(data, field) == Some(Kind::Date) => {
            Format::Date
        }
        _ => value.format,
    }
}

fn heatmap(draw: &Draw, value: &Measure, table: &Table, interval: i64) -> String {
    let Some(Axes { over, split: Some(split) }) = Axes::of(draw) else { return nothing(NOTHING) };
    let (columns, rows) = (distinct(table, over), distinct(table, split));
    let found: HashMap<(&Key, &Key), f64> = table
        .lines
        .iter()
        .filter_map(|line| Some(((line.keys.get(over)?, line.keys.get(split)?), line.values.first()?.number()?)))
        .collect();
    let (least, most) =
        found.values().fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(*value), most.max(*value)));
    if found.is_empty() || most <= 0.0 {
        return nothing(NOTHING);
    }
    let many = columns.len() > MOST_LABELS;
    let every = columns.len().div_ceil(MOST_LABELS);
    let mut html = format!(
        "<div class=\"cells\" style=\"grid-template:repeat({},minmax(0,1fr)) auto/max-content repeat({},minmax(0,1fr))\">",
        rows.len(),
        columns.len()
    );
    for row in &rows {
        let name = escape(&row.text());
        let _ = write!(html, "<span class=\"row\" title=\"{name}\">{name}</span>");
        for column in &columns {
            let Some(found) = found.get(&(column, row)).copied().filter(|found| *found > 0.0) else {
                html.push_str("<span class=\"cell\"></span>");
                continue;
            };
            let shade = shade(found, least, most);
            let shown = escape(&number(value.format, found));
            let title = format!("{name}, {}: {shown}", escape(&axis_label(column, interval)));
            let label = if many { "" } else { shown.as_str() };
            let light = if shade >= 3 { " light" } else { "" };
            let color = SHADES.get(shade).copied().unwrap_or_default();
            let _ = write!(
                html,
                "<span class=\"cell{light}\" style=\"background:{color}\" title=\"{title}\">{label}</span>"
            );
        }
    }
    html.push_str("<span></span>");
    for (at, column) in columns.iter().enumerate().filter(|(at, _)| at % every == 0) {
        let name = escape(&axis_label(column, interval));
        let wide = every.min(columns.len() - at);
        let _ = write!(html, "<span class=\"column\" style=\"grid-column:span {wide}\" title=\"{name}\">{name}</span>");
    }
    html.push_str("</div>");
    html
}

/// Names below a heatmap that can still be read.
const MOST_LABELS: usize = 16;

/// Which shade a number has between the least and the most.
fn shade(value: f64, least: f64, most: f64) -> usize {
    let share = if most > least { (value - least) / (most - least) } else { 1.0 };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "from 0 to 5"
    )]
    let step = (share * SHADES.len() as f64) as usize;
    step.min(SHADES.len() - 1)
}

pub(super) fn written(format: Format, cell: &Cell) -> String {
    escape(&match cell {
        Cell::Empty => "-".to_owned(),
        Cell::Number(value) => number(format, *value),
        Cell::Text(value) => text(format, value),
    })
}
