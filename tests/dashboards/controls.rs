//! The dashboard's own filter and its controls.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::mappings::View;
use super::{Findings, inner_json, items, text_of};

/// The filter on `data_stream.dataset`: the datasets of exactly the data views in the file.
pub fn filter(dashboard: &Value, views: &BTreeMap<String, View>, findings: &mut Findings) {
    let place = text_of(&dashboard["id"]);
    let meta = &dashboard["attributes"]["kibanaSavedObjectMeta"];
    let search = inner_json(&meta["searchSourceJSON"], place, "searchSourceJSON", findings);
    findings.expect(search["query"]["language"] == "kuery", place, "its query is not in KQL");
    let filters = items(&search["filter"]);
    let on_dataset: Vec<&Value> =
        filters.iter().filter(|filter| filter["meta"]["key"] == "data_stream.dataset").collect();
    let [filter] = on_dataset.as_slice() else {
        findings.add(place, format!("has {} filters on `data_stream.dataset` instead of one", on_dataset.len()));
        return;
    };
    let off = filter["meta"]["disabled"] == true || filter["meta"]["negate"] == true;
    findings.expect(!off, place, "its filter on `data_stream.dataset` is off or turned round");
    let phrase = |query: &Value| text_of(&query["match_phrase"]["data_stream.dataset"]).to_owned();
    let (asked, said): (BTreeSet<String>, BTreeSet<String>) = if filter["meta"]["type"] == "phrases" {
        let should = items(&filter["query"]["bool"]["should"]);
        findings.expect(filter["query"]["bool"]["minimum_should_match"] == 1, place, "its filter asks for no dataset");
        (
            should.iter().map(phrase).collect(),
            items(&filter["meta"]["params"]).iter().map(|one| text_of(one).to_owned()).collect(),
        )
    } else {
        ([phrase(&filter["query"])].into(), [text_of(&filter["meta"]["params"]["query"]).to_owned()].into())
    };
    let wanted: BTreeSet<String> = views.values().map(|view| view.dataset.clone()).collect();
    findings.expect(asked == wanted, place, format!("its filter finds {asked:?} instead of {wanted:?}"));
    findings.expect(asked == said, place, format!("its filter says {said:?} and finds {asked:?}"));
    for (index, filter) in filters.iter().enumerate() {
        let name = format!("kibanaSavedObjectMeta.searchSourceJSON.filter[{index}].meta.index");
        let named = filter["meta"]["indexRefName"] == name.as_str();
        findings.expect(named, place, format!("filter {index} is not called `{name}`"));
    }
}

/// The lists to pick from.
pub fn controls(dashboard: &Value, views: &BTreeMap<String, View>, findings: &mut Findings) {
    let place = text_of(&dashboard["id"]);
    let group = &dashboard["attributes"]["controlGroupInput"];
    inner_json(&group["ignoreParentSettingsJSON"], place, "ignoreParentSettingsJSON", findings);
    let controls = inner_json(&group["panelsJSON"], place, "controlGroupInput.panelsJSON", findings);
    findings.expect(
        ["oneLine", "twoLine"].contains(&text_of(&group["controlStyle"])),
        place,
        "`controlStyle` is not known",
    );
    findings.expect(
        ["HIERARCHICAL", "NONE"].contains(&text_of(&group["chainingSystem"])),
        place,
        "`chainingSystem` is not known",
    );
    let none = serde_json::Map::new();
    let controls = controls.as_object().unwrap_or(&none);
    findings.expect(controls.len() >= 2, place, "has fewer than two controls");
    let mut orders = BTreeSet::new();
    for (id, control) in controls {
        let input = &control["explicitInput"];
        findings.expect(
            control["type"] == "optionsListControl",
            id,
            format!("controls of type {} are not shipped", control["type"]),
        );
        findings.expect(input["id"] == id.as_str(), id, format!("the control calls itself {}", input["id"]));
        findings.expect(!text_of(&input["title"]).is_empty(), id, "the control has no title");
        let width = ["small", "medium", "large", "auto"].contains(&text_of(&control["width"]));
        findings.expect(width, id, format!("the control's width {} is not known", control["width"]));
        match control["order"].as_u64() {
            Some(order) => findings.expect(orders.insert(order), id, format!("two controls have the place {order}")),
            None => findings.add(id, "the control has no place"),
        }
        let view = views.get(text_of(&input["dataViewId"]));
        findings.expect(
            view.is_some(),
            id,
            format!("the control's `dataViewId` {} is not in the file", input["dataViewId"]),
        );
        let name = format!("controlGroup_{id}:optionsListDataView");
        let referred = items(&dashboard["references"]).iter().find(|one| one["name"] == name.as_str());
        let same = referred.is_none_or(|one| one["id"] == input["dataViewId"]);
        findings.expect(same, id, "the control's reference and its `dataViewId` differ");
        match input["fieldName"].as_str() {
            None => findings.add(id, "the control has no `fieldName`: Kibana 9.4 drops it"),
            Some(field) => {
                if let Some(Err(why)) = view.map(|view| view.aggregatable(field)) {
                    findings.add(id, why);
                }
            }
        }
    }
}
