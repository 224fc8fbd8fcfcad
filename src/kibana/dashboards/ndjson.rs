//! A dashboard as the file that Kibana imports: its data views, then itself, one saved object a line.
//!
//! Each file can be imported alone. Version numbers are the lowest that need no migration which harms us, so that every
//! Kibana from 8.9 on takes them.

use serde_json::{Map, Value, json};

use super::fields::LAG;
use super::lens::{self, Written};
use super::model::{Control, Dashboard, DataView};

/// Newest migration of Kibana's objects that ours have been through.
const CORE: &str = "8.8.0";
const DASHBOARD: &str = "8.9.0";
const INDEX_PATTERN: &str = "8.0.0";

/// Writes the file; lines end with a line feed. The same dashboard gives the same text.
pub fn ndjson(dashboard: &Dashboard) -> String {
    let data = data_views(dashboard);
    let lines = data.iter().map(|data| data_view(*data)).chain([saved(dashboard, &data)]);
    lines.map(|line| format!("{line}\n")).collect()
}

/// What its panels search, its own first.
fn data_views(dashboard: &Dashboard) -> Vec<DataView> {
    let used = |data: &DataView| dashboard.placed().any(|(_, panel)| panel.data(dashboard) == *data);
    let others = DataView::ALL.into_iter().filter(|data| *data != dashboard.data && used(data));
    std::iter::once(dashboard.data).chain(others).collect()
}

fn data_view(data: DataView) -> Value {
    let (runtime, formats) = if data == DataView::Cloudtrail {
        let runtime = json!({LAG.name: {"type": LAG.kind, "script": {"source": LAG.script}}});
        let shown = json!({
            "inputFormat": "milliseconds", "outputFormat": "humanizePrecise", "outputPrecision": 1, "useShortSuffix": true,
        });
        (runtime, json!({LAG.name: {"id": "duration", "params": shown}}))
    } else {
        (json!({}), json!({}))
    };
    object(
        "index-pattern",
        data.id(),
        INDEX_PATTERN,
        json!({
            "title": data.pattern(),
            "name": data.name(),
            "timeFieldName": "@timestamp",
            // So that a dashboard opens before the first document.
            "allowNoIndex": true,
            "runtimeFieldMap": runtime.to_string(),
            "fieldFormatMap": formats.to_string(),
            "fieldAttrs": "{}",
            "sourceFilters": "[]",
        }),
        Vec::new(),
    )
}

fn saved(dashboard: &Dashboard, data: &[DataView]) -> Value {
    let panels: Vec<Written> =
        dashboard.placed().map(|(place, panel)| lens::panel(panel, panel.data(dashboard), place)).collect();
    let (panels, of_panels): (Vec<Value>, Vec<Vec<Value>>) =
        panels.into_iter().map(|Written { panel, references }| (panel, references)).unzip();
    let datasets: Vec<&str> = data.iter().map(|data| data.dataset()).collect();
    let search = json!({
        "query": {"language": "kuery", "query": ""},
        "filter": [lens::dataset_filter(&datasets, ("indexRefName", FILTER))],
    });
    let options = json!({
        "useMargins": true, "syncColors": false, "syncCursor": true, "syncTooltips": false, "hidePanelTitles": false,
    });
    let mut references = vec![reference(FILTER.to_owned(), dashboard.data)];
    references.extend(of_panels.into_iter().flatten());
    let named = |control: &Control| format!("controlGroup_{}:optionsListDataView", control_id(control));
    references.extend(dashboard.controls.iter().map(|control| reference(named(control), dashboard.data)));
    object(
        "dashboard",
        &dashboard.id,
        DASHBOARD,
        json!({
            "title": dashboard.title,
            "description": dashboard.description,
            "version": 1,
            "timeRestore": true,
            "timeFrom": format!("now-{}", dashboard.time),
            "timeTo": "now",
            "refreshInterval": {"pause": true, "value": 60_000},
            "kibanaSavedObjectMeta": {"searchSourceJSON": search.to_string()},
            "optionsJSON": options.to_string(),
            "panelsJSON": Value::Array(panels).to_string(),
            "controlGroupInput": controls(dashboard),
        }),
        references,
    )
}

/// Where the dashboard's own filter says which data view it belongs to; the reference has the same name.
const FILTER: &str = "kibanaSavedObjectMeta.searchSourceJSON.filter[0].meta.index";

fn controls(dashboard: &Dashboard) -> Value {
    let controls: Map<String, Value> = dashboard
        .controls
        .iter()
        .enumerate()
        .map(|(order, control)| {
            let id = control_id(control);
            let written = json!({
                "order": order, "width": "medium", "grow": true, "type": "optionsListControl",
                "explicitInput": {
                    "id": id, "dataViewId": dashboard.data.id(), "fieldName": control.field, "title": control.title,
                    "searchTechnique": "prefix", "selectedOptions": [], "sort": {"by": "_count", "direction": "desc"},
                    "exclude": false, "existsSelected": false, "enhancements": {},
                },
            });
            (id, written)
        })
        .collect();
    let heeded =
        json!({"ignoreFilters": false, "ignoreQuery": false, "ignoreTimerange": false, "ignoreValidations": false});
    json!({
        "controlStyle": "oneLine",
        "chainingSystem": "HIERARCHICAL",
        "ignoreParentSettingsJSON": heeded.to_string(),
        "panelsJSON": Value::Object(controls).to_string(),
    })
}

fn control_id(control: &Control) -> String {
    control.field.replace('.', "-")
}

fn reference(name: String, data: DataView) -> Value {
    json!({"type": "index-pattern", "id": data.id(), "name": name})
}

fn object(kind: &str, id: &str, version: &str, attributes: Value, references: Vec<Value>) -> Value {
    json!({
        "type": kind,
        "id": id,
        "attributes": attributes,
        "references": references,
        "coreMigrationVersion": CORE,
        "typeMigrationVersion": version,
        "managed": false,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::document;

    fn exported(panels: &str) -> Vec<Value> {
        let controls = "[{field: cloud.region, title: Region}]";
        let source = format!(
            "{{id: d, title: T, description: D, time: 24h, controls: {controls}, rows: [{{height: 5, panels: [{panels}]}}]}}"
        );
        let dashboard: Dashboard = document("dashboard.yml", &source).unwrap();
        ndjson(&dashboard).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn inner(value: &Value) -> Value {
        serde_json::from_str(value.as_str().unwrap()).unwrap()
    }

    const COUNT: &str = "{metric: {value: {label: n, of: count}}}";

    #[test]
    fn a_file_holds_the_data_views_that_it_needs() {
        let own = exported(&format!("{{id: a, width: 9, draw: {COUNT}}}"));
        let ids =
            |lines: &[Value]| lines.iter().map(|line| line["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(ids(&own), ["trailship-cloudtrail", "d"]);
        assert_eq!(own[0]["attributes"]["title"], "logs-aws.cloudtrail-*");
        let two = exported(&format!(
            "{{id: a, width: 9, draw: {COUNT}}}, {{id: b, width: 9, data: integrity, draw: {COUNT}}}"
        ));
        assert_eq!(ids(&two), ["trailship-cloudtrail", "trailship-cloudtrail-integrity", "d"]);
    }

    #[test]
    fn the_filter_finds_the_data_sets_of_all_panels() {
        let filter = |lines: &[Value]| {
            let search = inner(&lines.last().unwrap()["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"]);
            search["filter"][0]["query"].clone()
        };
        let phrase = |dataset: &str| json!({"match_phrase": {"data_stream.dataset": dataset}});
        let own = exported(&format!("{{id: a, width: 9, draw: {COUNT}}}"));
        assert_eq!(filter(&own), phrase("aws.cloudtrail"));
        let two = exported(&format!("{{id: a, width: 9, data: dead-letter, draw: {COUNT}}}"));
        let any = [phrase("aws.cloudtrail"), phrase("aws.cloudtrail_dead_letter")];
        assert_eq!(filter(&two), json!({"bool": {"should": any, "minimum_should_match": 1}}));
    }

    #[test]
    fn the_delay_is_computed_in_the_data_view_of_records() {
        let lines = exported(&format!("{{id: a, width: 9, data: integrity, draw: {COUNT}}}"));
        let lag = &inner(&lines[0]["attributes"]["runtimeFieldMap"])["trailship.lag"];
        assert_eq!(lag["type"], "long");
        assert!(lag["script"]["source"].as_str().unwrap().contains("doc['event.ingested']"));
        assert_eq!(inner(&lines[1]["attributes"]["runtimeFieldMap"]), json!({}));
    }

    #[test]
    fn a_control_names_its_data_view_twice() {
        let lines = exported(&format!("{{id: a, width: 9, draw: {COUNT}}}"));
        let dashboard = lines.last().unwrap();
        let control = &inner(&dashboard["attributes"]["controlGroupInput"]["panelsJSON"])["cloud-region"];
        assert_eq!(control["explicitInput"]["dataViewId"], "trailship-cloudtrail");
        let reference = json!({"type": "index-pattern", "id": "trailship-cloudtrail", "name": "controlGroup_cloud-region:optionsListDataView"});
        assert!(dashboard["references"].as_array().unwrap().contains(&reference));
    }
}
