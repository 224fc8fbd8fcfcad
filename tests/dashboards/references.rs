//! References: each leads to an object of the file, each is used, and none is missing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Findings, items, text_of};

/// Everything that the dashboard lists against everything that its panels, controls and filters name.
pub fn check(dashboard: &Value, panels: &[Value], objects: &[Value], findings: &mut Findings) {
    let place = text_of(&dashboard["id"]);
    let there: BTreeSet<(&str, &str)> =
        objects.iter().map(|object| (text_of(&object["type"]), text_of(&object["id"]))).collect();
    let mut listed: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for reference in items(&dashboard["references"]) {
        let name = text_of(&reference["name"]);
        let target = (text_of(&reference["type"]), text_of(&reference["id"]));
        findings.expect(
            there.contains(&target),
            owner(name, place),
            format!("`{name}` leads to `{}`, which is not in the file", target.1),
        );
        findings.expect(
            listed.insert(name, target).is_none(),
            owner(name, place),
            format!("reference `{name}` stands twice"),
        );
    }
    let mut used: BTreeSet<String> = BTreeSet::new();
    for panel in panels {
        let id = text_of(&panel["panelIndex"]);
        for reference in items(&panel["embeddableConfig"]["attributes"]["references"]) {
            let inner = text_of(&reference["name"]);
            let name = format!("{id}:{inner}");
            let target = (text_of(&reference["type"]), text_of(&reference["id"]));
            match listed.get(name.as_str()) {
                Some(there) => findings.expect(
                    *there == target,
                    id,
                    format!("`{inner}` means `{}` in the panel and `{}` in the dashboard", target.1, there.1),
                ),
                None => findings.add(id, format!("the dashboard does not list `{name}`")),
            }
            used.insert(name);
        }
    }
    let attributes = &dashboard["attributes"];
    let parsed = |value: &Value| serde_json::from_str::<Value>(text_of(value)).unwrap_or_default();
    let search = parsed(&attributes["kibanaSavedObjectMeta"]["searchSourceJSON"]);
    for filter in items(&search["filter"]) {
        let name = text_of(&filter["meta"]["indexRefName"]);
        findings.expect(listed.contains_key(name), place, format!("the filter's reference `{name}` is not listed"));
        used.insert(name.to_owned());
    }
    let controls = parsed(&attributes["controlGroupInput"]["panelsJSON"]);
    for id in controls.as_object().into_iter().flatten().map(|(id, _)| id) {
        let name = format!("controlGroup_{id}:optionsListDataView");
        findings.expect(listed.contains_key(name.as_str()), id, format!("control without the reference `{name}`"));
        used.insert(name);
    }
    for name in listed.keys().filter(|name| !used.contains(**name)) {
        findings.add(owner(name, place), format!("nothing uses the reference `{name}`"));
    }
    let targets: BTreeSet<&(&str, &str)> = listed.values().collect();
    for target in there.iter().filter(|(kind, _)| *kind == "index-pattern") {
        findings.expect(targets.contains(target), target.1, "nothing uses this data view");
    }
}

/// The panel that a reference belongs to, or the dashboard.
fn owner<'a>(name: &'a str, dashboard: &'a str) -> &'a str {
    match name.split_once(':') {
        Some((panel, _)) => panel,
        None => dashboard,
    }
}
