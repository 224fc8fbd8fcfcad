//! Visualization states: each accessor leads to a column of the right layer and kind, and every column is shown.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::layers::bucketed;
use super::{Findings, items, text_of};

const SERIES: [&str; 10] = [
    "bar",
    "bar_stacked",
    "bar_percentage_stacked",
    "bar_horizontal",
    "bar_horizontal_stacked",
    "bar_horizontal_percentage_stacked",
    "line",
    "area",
    "area_stacked",
    "area_percentage_stacked",
];

/// The state of the panel `id`, drawn as `kind`.
pub fn check(kind: &str, state: &Value, layers: &Map<String, Value>, id: &str, findings: &mut Findings) {
    let mut shown = Shown { layers, id, used: BTreeSet::new(), findings };
    match kind {
        "lnsXY" => xy(state, &mut shown),
        "lnsMetric" => metric(state, &mut shown),
        "lnsDatatable" => table(state, &mut shown),
        "lnsHeatmap" => heatmap(state, &mut shown),
        other => shown.add(format!("drawn as `{other}`, which is not shipped")),
    }
    shown.finish();
}

/// Columns that a state leads to.
struct Shown<'a> {
    layers: &'a Map<String, Value>,
    id: &'a str,
    used: BTreeSet<(String, String)>,
    findings: &'a mut Findings,
}

impl Shown<'_> {
    fn add(&mut self, fact: String) {
        self.findings.add(self.id, fact);
    }

    fn expect(&mut self, right: bool, fact: String) {
        self.findings.expect(right, self.id, fact);
    }

    /// The layer of a state or of a part of it.
    fn layer(&mut self, state: &Value, member: &str) -> Option<String> {
        let name = text_of(&state[member]);
        let there = self.layers.contains_key(name);
        self.expect(there, format!("`{member}` is {}, which is no layer", state[member]));
        there.then(|| name.to_owned())
    }

    /// An accessor that leads to a group or to a number.
    fn column(&mut self, layer: &str, accessor: &str, value: &Value, group: bool) {
        let name = text_of(value);
        match self.layers.get(layer).map(|layer| &layer["columns"][name]) {
            Some(column) if column.is_object() => {
                let kind = if group { "a group" } else { "a number" };
                self.expect(bucketed(column) == group, format!("`{accessor}` leads to `{name}`, which is not {kind}"));
                self.used.insert((layer.to_owned(), name.to_owned()));
            }
            _ => self.add(format!("`{accessor}` leads to {value}, which is no column of layer `{layer}`")),
        }
    }

    fn optional(&mut self, layer: &str, accessor: &str, value: &Value, group: bool) {
        if !value.is_null() {
            self.column(layer, accessor, value, group);
        }
    }

    /// Whether every column is drawn: what is computed and not shown is a mistake.
    fn finish(&mut self) {
        for (layer, content) in self.layers {
            for column in content["columns"].as_object().into_iter().flatten().map(|(column, _)| column) {
                let used = self.used.contains(&(layer.clone(), column.clone()));
                self.expect(used, format!("column `{column}` of layer `{layer}` is not shown"));
            }
        }
    }

    fn colour(&mut self, value: &Value) {
        let text = text_of(value);
        let hex = text.len() == 7 && text.starts_with('#') && text.bytes().skip(1).all(|byte| byte.is_ascii_hexdigit());
        self.expect(hex, format!("{value} is no colour"));
    }

    fn palette(&mut self, palette: &Value) {
        if palette.is_null() || palette["name"] == "default" {
            return;
        }
        self.expect(
            palette["type"] == "palette" && palette["name"] == "custom",
            "a palette is neither its own nor `default`".to_owned(),
        );
        let params = &palette["params"];
        for list in ["stops", "colorStops"] {
            let stops: Vec<Option<f64>> = items(&params[list]).iter().map(|stop| stop["stop"].as_f64()).collect();
            let rising =
                stops.len() >= 2 && stops.iter().all(Option::is_some) && stops.windows(2).all(|two| two[0] < two[1]);
            self.expect(rising, format!("`palette.params.{list}` does not rise"));
            items(&params[list]).iter().for_each(|stop| self.colour(&stop["color"]));
        }
        let same = items(&params["stops"]).len() == items(&params["colorStops"]).len();
        self.expect(same, "`stops` and `colorStops` of a palette differ in number".to_owned());
        let range = text_of(&params["rangeType"]);
        self.expect(["number", "percent"].contains(&range), format!("the palette's range `{range}` is not known"));
    }
}

fn xy(state: &Value, shown: &mut Shown<'_>) {
    shown.expect(
        state["legend"]["isVisible"].is_boolean() && state["legend"]["position"].is_string(),
        "the legend is not whole".to_owned(),
    );
    shown.expect(["hide", "show"].contains(&text_of(&state["valueLabels"])), "`valueLabels` is missing".to_owned());
    let preferred = text_of(&state["preferredSeriesType"]);
    shown.expect(SERIES.contains(&preferred), format!("`preferredSeriesType` `{preferred}` is not known"));
    let layers = items(&state["layers"]);
    shown.expect(!layers.is_empty(), "the chart has no layers".to_owned());
    let lying: BTreeSet<bool> =
        layers.iter().map(|layer| text_of(&layer["seriesType"]).starts_with("bar_horizontal")).collect();
    shown.expect(lying.len() <= 1, "some layers stand and some lie".to_owned());
    for part in layers {
        let Some(layer) = shown.layer(part, "layerId") else { continue };
        shown.expect(part["layerType"] == "data", format!("`layerType` {} is not `data`", part["layerType"]));
        let series = text_of(&part["seriesType"]);
        shown.expect(SERIES.contains(&series), format!("`seriesType` `{series}` is not known"));
        shown.column(&layer, "xAccessor", &part["xAccessor"], true);
        shown.optional(&layer, "splitAccessor", &part["splitAccessor"], true);
        let accessors = items(&part["accessors"]);
        shown.expect(!accessors.is_empty(), "the chart shows no number".to_owned());
        for accessor in accessors {
            shown.column(&layer, "accessors", accessor, false);
            let kind = shown.layers.get(&layer).map(|layer| layer["columns"][text_of(accessor)]["dataType"].clone());
            shown.expect(
                kind.is_none_or(|kind| kind == "number"),
                format!("{accessor} cannot be drawn on an axis of numbers"),
            );
        }
        for config in items(&part["yConfig"]) {
            let known = accessors.contains(&config["forAccessor"]);
            shown.expect(known, format!("`yConfig` is for {}, which is not shown", config["forAccessor"]));
            shown.colour(&config["color"]);
        }
        shown.palette(&part["palette"]);
    }
}

fn metric(state: &Value, shown: &mut Shown<'_>) {
    let Some(layer) = shown.layer(state, "layerId") else { return };
    shown.expect(state["layerType"] == "data", format!("`layerType` {} is not `data`", state["layerType"]));
    shown.column(&layer, "metricAccessor", &state["metricAccessor"], false);
    shown.optional(&layer, "secondaryMetricAccessor", &state["secondaryMetricAccessor"], false);
    shown.optional(&layer, "maxAccessor", &state["maxAccessor"], false);
    shown.optional(&layer, "breakdownByAccessor", &state["breakdownByAccessor"], true);
    if !state["color"].is_null() {
        shown.colour(&state["color"]);
        shown.expect(state["palette"].is_null(), "has a colour and a palette".to_owned());
    }
    shown.palette(&state["palette"]);
    if state["trendlineLayerId"].is_null() {
        return;
    }
    let Some(trend) = shown.layer(state, "trendlineLayerId") else { return };
    shown.expect(
        state["trendlineLayerType"] == "metricTrendline",
        "`trendlineLayerType` is not `metricTrendline`".to_owned(),
    );
    shown.column(&trend, "trendlineTimeAccessor", &state["trendlineTimeAccessor"], true);
    shown.column(&trend, "trendlineMetricAccessor", &state["trendlineMetricAccessor"], false);
    shown.optional(&trend, "trendlineSecondaryMetricAccessor", &state["trendlineSecondaryMetricAccessor"], false);
    let linked = shown.layers.get(&trend).is_some_and(|trend| trend["linkToLayers"] == serde_json::json!([layer]));
    shown.expect(linked, "the line's layer is not linked to the number's".to_owned());
    let time = shown
        .layers
        .get(&trend)
        .map(|trend| trend["columns"][text_of(&state["trendlineTimeAccessor"])]["operationType"].clone());
    shown.expect(time.is_none_or(|time| time == "date_histogram"), "the line does not go over time".to_owned());
}

fn table(state: &Value, shown: &mut Shown<'_>) {
    let Some(layer) = shown.layer(state, "layerId") else { return };
    shown.expect(state["layerType"] == "data", format!("`layerType` {} is not `data`", state["layerType"]));
    let mut names = BTreeSet::new();
    for column in items(&state["columns"]) {
        let name = text_of(&column["columnId"]);
        let group = shown.layers.get(&layer).is_some_and(|layer| bucketed(&layer["columns"][name]));
        shown.column(&layer, "columns", &column["columnId"], group);
        shown.expect(names.insert(name), format!("the table shows `{name}` twice"));
        let width = &column["width"];
        let fits = width.is_null() || width.as_f64().is_some_and(|width| (50.0..=600.0).contains(&width));
        shown.expect(fits, format!("`{name}` is {width} pixels wide"));
        let mode = text_of(&column["colorMode"]);
        shown.expect(["", "none", "cell", "text"].contains(&mode), format!("`colorMode` `{mode}` is not known"));
        shown.expect(
            mode.is_empty() || mode == "none" || column["palette"].is_object(),
            format!("`{name}` is coloured without a palette"),
        );
        shown.palette(&column["palette"]);
    }
    let sorting = &state["sorting"];
    if !sorting.is_null() {
        let fits =
            names.contains(text_of(&sorting["columnId"])) && ["asc", "desc"].contains(&text_of(&sorting["direction"]));
        shown.expect(fits, format!("is sorted by {}, which it does not show", sorting["columnId"]));
    }
    for height in ["rowHeight", "headerRowHeight"] {
        let known = ["auto", "single", "custom"].contains(&text_of(&state[height]));
        shown.expect(known, format!("`{height}` {} is not known", state[height]));
    }
}

fn heatmap(state: &Value, shown: &mut Shown<'_>) {
    let Some(layer) = shown.layer(state, "layerId") else { return };
    shown.expect(state["layerType"] == "data", format!("`layerType` {} is not `data`", state["layerType"]));
    shown.expect(state["shape"] == "heatmap", format!("`shape` {} is not `heatmap`", state["shape"]));
    shown.column(&layer, "xAccessor", &state["xAccessor"], true);
    shown.optional(&layer, "yAccessor", &state["yAccessor"], true);
    shown.column(&layer, "valueAccessor", &state["valueAccessor"], false);
    shown.expect(state["legend"]["type"] == "heatmap_legend", "the legend is none of a heatmap".to_owned());
    shown.expect(state["gridConfig"]["type"] == "heatmap_grid", "`gridConfig` is none of a heatmap".to_owned());
    shown.palette(&state["palette"]);
    let accessor = &state["palette"]["accessor"];
    shown.expect(
        accessor.is_null() || *accessor == state["valueAccessor"],
        "its palette colours another column".to_owned(),
    );
}
