//! Panels: where they lie, what they are, and the frame of a Lens panel.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::mappings::View;
use super::{Findings, inner_json, items, layers, states, text_of};

const COLUMNS: u64 = 48;

/// Members that only newer Kibana writes, and that older Kibana does not read or reads wrongly.
const TOO_NEW: [&str; 5] = ["splitAccessors", "legendStats", "valuesTextAlign", "secondaryPrefix", "colorMapping"];

/// The panels of a dashboard.
pub fn read(dashboard: &Value, findings: &mut Findings) -> Vec<Value> {
    let place = text_of(&dashboard["id"]);
    let panels = inner_json(&dashboard["attributes"]["panelsJSON"], place, "panelsJSON", findings);
    let panels = items(&panels).to_vec();
    findings.expect((1..=100).contains(&panels.len()), place, format!("has {} panels", panels.len()));
    let (mut ids, mut titles) = (BTreeSet::new(), BTreeSet::new());
    for panel in &panels {
        let (id, title) = (text_of(&panel["panelIndex"]), text_of(&panel["title"]));
        findings.expect(!id.is_empty(), place, "a panel has no `panelIndex`");
        findings.expect(ids.insert(id.to_owned()), id, "two panels have this `panelIndex`");
        findings.expect(
            title.is_empty() || titles.insert(title.to_owned()),
            id,
            format!("two panels are called `{title}`"),
        );
    }
    panels
}

/// Whether panels lie in the grid, do not cover each other, and stay where they are: Kibana moves up what floats.
pub fn grid(panels: &[Value], findings: &mut Findings) {
    let mut laid: Vec<(&str, [u64; 4])> = Vec::new();
    for panel in panels {
        let id = text_of(&panel["panelIndex"]);
        let place = &panel["gridData"];
        findings.expect(
            text_of(&place["i"]) == id,
            id,
            format!("`gridData.i` is {} and not its `panelIndex`", place["i"]),
        );
        let side = |name: &str| place[name].as_u64();
        let (Some(x), Some(y), Some(w), Some(h)) = (side("x"), side("y"), side("w"), side("h")) else {
            findings.add(id, "`gridData` lacks a side");
            continue;
        };
        findings.expect(w >= 1 && h >= 1 && x + w <= COLUMNS, id, format!("lies outside of {COLUMNS} columns"));
        for (other, [left, top, right, bottom]) in &laid {
            let covers = x < *right && *left < x + w && y < *bottom && *top < y + h;
            findings.expect(!covers, id, format!("covers `{other}`"));
        }
        laid.push((id, [x, y, x + w, y + h]));
    }
    for (id, [left, top, right, _]) in &laid {
        let held = |(_, [l, _, r, bottom]): &(&str, [u64; 4])| bottom == top && l < right && left < r;
        findings.expect(*top == 0 || laid.iter().any(held), id, "floats: nothing lies right above it");
    }
}

/// One panel with all that is inside.
pub fn panel(panel: &Value, views: &BTreeMap<String, View>, findings: &mut Findings) {
    let id = text_of(&panel["panelIndex"]);
    let config = &panel["embeddableConfig"];
    let forms = ["attributes", "savedVis"].iter().filter(|form| !config[**form].is_null()).count();
    let forms = forms + usize::from(!panel["panelRefName"].is_null());
    findings.expect(
        forms == 1,
        id,
        format!("has {forms} of `attributes`, `savedVis` and `panelRefName` instead of one"),
    );
    too_new(panel, id, findings);
    match text_of(&panel["type"]) {
        "visualization" => markdown(&config["savedVis"], id, findings),
        "lens" => {
            let (title, help) = (text_of(&panel["title"]), text_of(&config["attributes"]["description"]));
            findings.expect(!title.is_empty() && !title.ends_with('.'), id, "has no title, or one with a full stop");
            findings.expect(help.ends_with('.'), id, "has no help, or no whole sentence");
            lens(&config["attributes"], id, views, findings);
        }
        other => findings.add(id, format!("panels of type `{other}` are not known")),
    }
}

/// Links of markdown panels against the dashboards that are there.
pub fn links(dashboard: &Value, ids: &BTreeSet<&str>, findings: &mut Findings) {
    let place = text_of(&dashboard["id"]);
    let panels: Value = serde_json::from_str(text_of(&dashboard["attributes"]["panelsJSON"])).unwrap_or_default();
    let texts =
        items(&panels).iter().map(|panel| text_of(&panel["embeddableConfig"]["savedVis"]["params"]["markdown"]));
    let texts: String = texts.collect();
    let targets: BTreeSet<&str> =
        texts.split("(#/dashboard/").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    for target in targets.difference(ids) {
        findings.add(place, format!("links to `{target}`, which is not there"));
    }
    for missing in ids.difference(&targets).filter(|id| **id != place) {
        findings.add(place, format!("has no link to `{missing}`"));
    }
}

fn markdown(vis: &Value, id: &str, findings: &mut Findings) {
    findings.expect(vis["type"] == "markdown", id, format!("a visualization of type {} is not shipped", vis["type"]));
    findings.expect(!text_of(&vis["params"]["markdown"]).trim().is_empty(), id, "has no text");
    let whole = vis["data"]["searchSource"]["query"]["language"] == "kuery" && vis["data"]["aggs"].is_array();
    findings.expect(whole, id, "`savedVis.data` is not whole");
    let open =
        ["{links}", "{approved_regions}"].into_iter().find(|open| text_of(&vis["params"]["markdown"]).contains(open));
    findings.expect(open.is_none(), id, format!("`{}` was not filled in", open.unwrap_or_default()));
}

fn lens(attributes: &Value, id: &str, views: &BTreeMap<String, View>, findings: &mut Findings) {
    findings.expect(attributes["type"] == "lens", id, "`attributes.type` is not `lens`");
    findings.expect(attributes["title"].is_string(), id, "`attributes.title` is missing");
    findings.expect(attributes["version"].is_null(), id, "`attributes.version` breaks Kibana before 9.2");
    if !attributes["references"].is_array() {
        findings.add(id, "`attributes.references` is missing: Kibana 9 drops the panel");
        return;
    }
    let state = &attributes["state"];
    let sources = &state["datasourceStates"];
    let old = &sources["indexpattern"]["layers"];
    findings.expect(
        old.as_object().is_none_or(serde_json::Map::is_empty),
        id,
        "has layers under `indexpattern`, the name before 8.6",
    );
    for (name, kind) in [
        ("adHocDataViews", state["adHocDataViews"].is_object()),
        ("internalReferences", state["internalReferences"].is_array()),
    ] {
        findings.expect(kind, id, format!("`state.{name}` is missing"));
    }
    let Some(layers) = sources["formBased"]["layers"].as_object().filter(|layers| !layers.is_empty()) else {
        findings.add(id, "has no layers under `formBased`");
        return;
    };
    let view = view_of(attributes, id, layers.keys(), views, findings);
    filters(state, attributes, id, view, findings);
    query(&state["query"], id, "the panel's query", view, findings);
    for (name, layer) in layers {
        layers::check(layer, id, name, layers, view, findings);
    }
    states::check(text_of(&attributes["visualizationType"]), &state["visualization"], layers, id, findings);
}

/// The data view of all layers, if they agree on one that is known.
fn view_of<'v, 'n>(
    attributes: &Value,
    id: &str,
    layers: impl Iterator<Item = &'n String>,
    views: &'v BTreeMap<String, View>,
    findings: &mut Findings,
) -> Option<&'v View> {
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    for reference in items(&attributes["references"]) {
        let name = text_of(&reference["name"]);
        let once = names.insert(name, text_of(&reference["id"])).is_none();
        findings.expect(once, id, format!("reference `{name}` stands twice in the panel"));
    }
    let mut found = BTreeSet::new();
    let mut wanted = BTreeSet::new();
    for layer in layers {
        let name = format!("indexpattern-datasource-layer-{layer}");
        match names.get(name.as_str()) {
            Some(view) => drop(found.insert(*view)),
            None => findings.add(id, format!("layer `{layer}` has no reference `{name}`")),
        }
        wanted.insert(name);
    }
    for filter in items(&attributes["state"]["filters"]) {
        wanted.insert(text_of(&filter["meta"]["index"]).to_owned());
    }
    for name in names.keys().filter(|name| !wanted.contains(**name)) {
        findings.add(id, format!("nothing in the panel uses the reference `{name}`"));
    }
    findings.expect(found.len() <= 1, id, "its layers search different data views");
    found.first().and_then(|view| views.get(*view))
}

/// The panel's own filters: one of them on the dataset of its data view.
fn filters(state: &Value, attributes: &Value, id: &str, view: Option<&View>, findings: &mut Findings) {
    let names: Vec<&str> = items(&attributes["references"]).iter().map(|one| text_of(&one["name"])).collect();
    let mut on_dataset = false;
    for filter in items(&state["filters"]) {
        let index = text_of(&filter["meta"]["index"]);
        findings.expect(
            names.contains(&index),
            id,
            format!("its filter names `{index}`, which is no reference of the panel"),
        );
        let dataset = text_of(&filter["query"]["match_phrase"]["data_stream.dataset"]);
        let same = filter["meta"]["params"]["query"] == dataset && filter["meta"]["key"] == "data_stream.dataset";
        on_dataset |= same
            && view.is_none_or(|view| view.dataset == dataset)
            && filter["meta"]["disabled"] == false
            && filter["meta"]["negate"] == false;
    }
    findings.expect(on_dataset, id, "has no filter on the dataset of its data view");
}

/// A query of the panel: KQL over fields of its data view.
pub fn query(query: &Value, id: &str, what: &str, view: Option<&View>, findings: &mut Findings) {
    findings.expect(query["language"] == "kuery", id, format!("{what} is not in KQL"));
    let Some(text) = query["query"].as_str() else {
        findings.add(id, format!("{what} is no text"));
        return;
    };
    if let Some(view) = view {
        view.query(text, id, what, findings);
    }
}

fn too_new(value: &Value, id: &str, findings: &mut Findings) {
    match value {
        Value::Object(members) => {
            for (name, inner) in members {
                findings.expect(
                    !TOO_NEW.contains(&name.as_str()),
                    id,
                    format!("`{name}` is not read by all of Kibana 8.9 to 9.x"),
                );
                too_new(inner, id, findings);
            }
        }
        Value::Array(values) => values.iter().for_each(|inner| too_new(inner, id, findings)),
        _ => {}
    }
}
