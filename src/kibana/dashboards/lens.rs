//! A panel as Kibana keeps it: Lens by value, or markdown.
//!
//! Written for Kibana 8.9 to 9.x; `tests/dashboards/` says which shapes all of them read. Every reference stands in the
//! panel and, with the panel's name before it, in the dashboard. Nothing here needs a migration to be read.

use serde_json::{Value, json};

use super::columns::{By, Layer, Order, kuery};
use super::grouping::{Axes, Grouping};
use super::model::{Bucket, COLUMNS, DataView, Draw, Panel, Place, Rank};
use super::state::{self, SPLIT, TIME, X, Y, row_column, trend_column, value_column};

/// Names of a panel's layers.
pub(super) const MAIN: &str = "main";
pub(super) const TREND: &str = "trend";

/// A panel, and what it refers to as the dashboard must list it.
pub(super) struct Written {
    pub panel: Value,
    pub references: Vec<Value>,
}

/// Writes the panel `panel`, which searches `data` and lies at `place`.
pub(super) fn panel(panel: &Panel, data: DataView, place: Place) -> Written {
    let (kind, config, references) = match drawn(panel, data) {
        None => ("visualization", markdown(panel), Vec::new()),
        Some(drawn) => {
            let references = references(data, &drawn.layers);
            ("lens", lens(panel, data, drawn, &references), references)
        }
    };
    let id = &panel.id;
    let written = json!({
        "type": kind,
        "panelIndex": id,
        "title": panel.title,
        "gridData": {"x": place.x, "y": place.y, "w": place.width, "h": place.height, "i": id},
        "embeddableConfig": config,
    });
    let references = references.into_iter().map(
        |Reference { name, id: target }| json!({"type": "index-pattern", "id": target, "name": format!("{id}:{name}")}),
    );
    Written { panel: written, references: references.collect() }
}

/// A filter on the data stream's dataset, as Kibana keeps filters; `index` is the name or place of its data view.
pub(super) fn dataset_filter(datasets: &[&str], index: (&str, &str)) -> Value {
    let phrase = |dataset: &str| json!({"match_phrase": {DATASET: dataset}});
    let (kind, params, query) = match datasets {
        [one] => ("phrase", json!({"query": one}), phrase(one)),
        several => {
            let any: Vec<Value> = several.iter().map(|one| phrase(one)).collect();
            ("phrases", json!(several), json!({"bool": {"should": any, "minimum_should_match": 1}}))
        }
    };
    let mut meta = json!({
        "alias": null, "disabled": false, "negate": false,
        "key": DATASET, "field": DATASET, "type": kind, "params": params,
    });
    if let Value::Object(meta) = &mut meta {
        meta.insert(index.0.to_owned(), json!(index.1));
    }
    json!({"meta": meta, "query": query, "$state": {"store": "appState"}})
}

const DATASET: &str = "data_stream.dataset";

/// What a Lens panel consists of.
struct Drawn {
    kind: &'static str,
    layers: Vec<(&'static str, Layer)>,
    state: Value,
}

struct Reference {
    name: String,
    id: &'static str,
}

fn lens(panel: &Panel, data: DataView, drawn: Drawn, references: &[Reference]) -> Value {
    let layers: serde_json::Map<String, Value> =
        drawn.layers.into_iter().map(|(id, layer)| (id.to_owned(), layer.into_json())).collect();
    let references: Vec<Value> =
        references.iter().map(|one| json!({"type": "index-pattern", "id": one.id, "name": one.name})).collect();
    json!({
        "description": panel.help,
        "enhancements": {},
        "hidePanelTitles": panel.title.is_empty(),
        "attributes": {
            "title": "",
            "description": panel.help,
            "type": "lens",
            "visualizationType": drawn.kind,
            "references": references,
            "state": {
                "adHocDataViews": {},
                "internalReferences": [],
                "filters": [dataset_filter(&[data.dataset()], ("index", FILTER))],
                "query": kuery(panel.only.as_deref().unwrap_or_default()),
                "datasourceStates": {"formBased": {"layers": layers}, "textBased": {"layers": {}}},
                "visualization": drawn.state,
            },
        },
    })
}

/// Name of the reference of a panel's own filter.
const FILTER: &str = "filter-dataset";

fn references(data: DataView, layers: &[(&'static str, Layer)]) -> Vec<Reference> {
    let of_layers = layers.iter().map(|(layer, _)| format!("indexpattern-datasource-layer-{layer}"));
    of_layers.chain([FILTER.to_owned()]).map(|name| Reference { name, id: data.id() }).collect()
}

fn markdown(panel: &Panel) -> Value {
    let text = match &panel.draw {
        Draw::Text(text) => text.as_str(),
        _ => "",
    };
    json!({
        "enhancements": {},
        "hidePanelTitles": panel.title.is_empty(),
        "savedVis": {
            "type": "markdown", "id": "", "title": "", "description": "",
            "params": {"fontSize": 12, "openLinksInNewTab": false, "markdown": text},
            "uiState": {},
            "data": {"aggs": [], "searchSource": {"query": kuery(""), "filter": []}},
        },
    })
}

/// Layers and state of a panel that searches; nothing for one that only says something.
fn drawn(panel: &Panel, data: DataView) -> Option<Drawn> {
    let draw = &panel.draw;
    let main = Grouping::main(draw)?;
    let by = match main.by {
        Rank::Value(index) => By::Column(value_column(index)),
        Rank::Documents => By::Documents,
        Rank::Name => By::Name,
    };
    let order = Order { by, direction: main.direction() };
    let (kind, state) = match draw {
        Draw::Text(_) => return None,
        Draw::Metric { beside, color, zero, trend, .. } => {
            ("lnsMetric", state::metric(beside.is_some(), *color, *zero, *trend))
        }
        Draw::Chart { style, split, values, .. } => {
            ("lnsXY", state::chart(*style, split.is_some(), values, panel.width * 2 >= COLUMNS))
        }
        Draw::Table { rows, values, .. } => ("lnsDatatable", state::table(rows.len(), values, &order)),
        Draw::Heatmap { .. } => ("lnsHeatmap", state::heatmap()),
    };
    let mut layer = Layer::new(data);
    for (index, bucket) in main.buckets.iter().enumerate() {
        layer.bucket(&bucket_column(draw, index), bucket, &order);
    }
    for (index, value) in main.values.iter().enumerate() {
        layer.measure(&value_column(index), value);
    }
    let mut layers = vec![(MAIN, layer)];
    if let Draw::Metric { value, beside, trend: true, .. } = draw {
        let mut course = Layer::linked_to(data, MAIN);
        course.bucket(TIME, &Bucket::Time, &order);
        for (index, value) in std::iter::once(value).chain(beside).enumerate() {
            course.measure(&trend_column(index), value);
        }
        layers.push((TREND, course));
    }
    Some(Drawn { kind, layers, state })
}

/// Name of the column of the `index`th kind of group, counted from the outermost.
fn bucket_column(draw: &Draw, index: usize) -> String {
    match (Axes::of(draw), draw) {
        (Some(axes), _) if axes.over == index => X.to_owned(),
        (Some(_), Draw::Heatmap { .. }) => Y.to_owned(),
        (Some(_), _) => SPLIT.to_owned(),
        (None, _) => row_column(index),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::document;

    fn written(draw: &str) -> Written {
        let source = format!("{{id: p, title: T, help: H., width: 20, only: 'event.outcome: failure', draw: {draw}}}");
        let read: Panel = document("panel.yml", &source).unwrap();
        panel(&read, DataView::DeadLetter, Place { x: 4, y: 7, width: 20, height: 9 })
    }

    fn state(written: &Written) -> &Value {
        &written.panel["embeddableConfig"]["attributes"]["state"]
    }

    fn main_layer(written: &Written) -> &Value {
        &state(written)["datasourceStates"]["formBased"]["layers"]["main"]
    }

    #[test]
    fn a_panel_refers_to_its_data_view_in_itself_and_in_the_dashboard() {
        let number = written("{metric: {value: {label: n, of: count}, trend: true}}");
        assert_eq!(number.panel["gridData"], json!({"x": 4, "y": 7, "w": 20, "h": 9, "i": "p"}));
        assert_eq!(state(&number)["query"]["query"], "event.outcome: failure");
        let names = |references: &Value| -> Vec<String> {
            let references = references.as_array().unwrap();
            assert!(references.iter().all(|one| one["id"] == "trailship-cloudtrail-dead-letter"));
            references.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
        };
        let inner = names(&number.panel["embeddableConfig"]["attributes"]["references"]);
        let layer = "indexpattern-datasource-layer";
        assert_eq!(inner, [format!("{layer}-main"), format!("{layer}-trend"), "filter-dataset".to_owned()]);
        let outer: Vec<String> = inner.iter().map(|name| format!("p:{name}")).collect();
        assert_eq!(names(&Value::Array(number.references)), outer);
    }

    /// Lens asks for the names first, so that a series is the same at all times.
    #[test]
    fn names_come_before_time_and_the_axis_before_its_parts() {
        let values = "values: [{label: n, of: count}]";
        let split = "split: {terms: {field: error.code, label: c}}";
        let course = written(&format!("{{chart: {{style: line, over: time, {split}, {values}}}}}"));
        assert_eq!(main_layer(&course)["columnOrder"], json!(["split", "x", "value0"]));
        let over = "over: {terms: {field: cloud.region, label: r}}";
        let bars = written(&format!("{{chart: {{style: bars-stacked, {over}, {split}, {values}}}}}"));
        assert_eq!(main_layer(&bars)["columnOrder"], json!(["x", "split", "value0"]));
        assert_eq!(main_layer(&bars)["columns"]["x"]["sourceField"], "cloud.region");
        let layer = &state(&bars)["visualization"]["layers"][0];
        assert_eq!((&layer["xAccessor"], &layer["splitAccessor"]), (&json!("x"), &json!("split")));
    }

    #[test]
    fn a_table_is_shown_in_the_order_in_which_it_was_found() {
        let rows = "rows: [{terms: {field: cloud.region, label: r}}]";
        let values = "values: [{label: l, of: {last: error.code}}, {label: m, of: {max: '@timestamp'}}]";
        let order = |more: &str| {
            let table = written(&format!("{{table: {{{rows}, {values}{more}}}}}"));
            let found = main_layer(&table)["columns"]["row0"]["params"].clone();
            let shown = state(&table)["visualization"]["sorting"].clone();
            assert_eq!(found["orderBy"], json!({"type": "column", "columnId": "value1"}));
            assert_eq!(shown["columnId"], "value1");
            (found["orderDirection"].clone(), shown["direction"].clone())
        };
        assert_eq!(order(""), (json!("desc"), json!("desc")));
        assert_eq!(order(", smallest_first: true"), (json!("asc"), json!("asc")));
    }

    #[test]
    fn names_without_a_number_to_order_by_are_in_alphabetical_order() {
        let table =
            "{table: {rows: [{terms: {field: cloud.region, label: r}}], values: [{label: l, of: {last: error.code}}]}}";
        let table = written(table);
        let params = &main_layer(&table)["columns"]["row0"]["params"];
        assert_eq!((&params["orderBy"]["type"], &params["orderDirection"]), (&json!("alphabetical"), &json!("asc")));
        assert_eq!(state(&table)["visualization"]["sorting"], json!({"columnId": "row0", "direction": "asc"}));
    }

    /// Otherwise the names with most of the first part would come first.
    #[test]
    fn names_with_parts_are_ordered_by_the_whole() {
        let part = |label: &str| format!("{{label: {label}, of: count, only: 'cloud.region: {label}'}}");
        let over = "over: {terms: {field: error.code, label: c}}";
        let bars = format!("{{chart: {{style: bars-stacked, {over}, values: [{}, {}]}}}}", part("a"), part("b"));
        let params = &main_layer(&written(&bars))["columns"]["x"]["params"].clone();
        assert_eq!((&params["orderBy"], &params["orderDirection"]), (&json!({"type": "custom"}), &json!("desc")));
        assert_eq!(params["orderAgg"]["sourceField"], "___records___");
    }

    #[test]
    fn a_number_has_one_colour_or_two() {
        let one = written("{metric: {value: {label: n, of: count}, color: bad}}");
        let two = written("{metric: {value: {label: n, of: count}, color: bad, zero: good}}");
        let (one, two) = (&state(&one)["visualization"], &state(&two)["visualization"]);
        assert_eq!((&one["color"], &one["palette"]), (&json!("#E5525B"), &Value::Null));
        assert_eq!(two["color"], Value::Null);
        let starts = json!([{"color": "#16C5C0", "stop": 0}, {"color": "#E5525B", "stop": 1}]);
        assert_eq!(two["palette"]["params"]["colorStops"], starts);
    }
}
