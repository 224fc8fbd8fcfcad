//! Holds exported dashboards against what Kibana 8.9 to 9.x reads, and is stricter than its import: a file that Kibana
//! takes may still show an empty panel, or lose one without a word.
//!
//! Works on the text of the files and on the mappings that are installed, not on the code that wrote the files. Every
//! finding names the panel, control or object and the fact that is wrong. [`mutations`] proves that each check can fail.

mod controls;
mod layers;
mod mappings;
mod mutations;
mod objects;
mod panels;
mod references;
mod states;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub use mappings::Mappings;

/// Everything that is wrong with one file: empty if nothing is.
pub fn check(text: &str, mappings: &Mappings) -> Vec<String> {
    let mut findings = Findings::default();
    let objects = objects::read(text, &mut findings);
    let mut views = BTreeMap::new();
    for object in objects.iter().filter(|object| object["type"] == "index-pattern") {
        objects::index_pattern(object, &mut findings);
        views.insert(text_of(&object["id"]).to_owned(), mappings.of_view(object, &mut findings));
    }
    let dashboards: Vec<&Value> = objects.iter().filter(|object| object["type"] == "dashboard").collect();
    let [dashboard] = dashboards.as_slice() else {
        findings.add("the file", format!("holds {} dashboards instead of one", dashboards.len()));
        return findings.0;
    };
    objects::dashboard(dashboard, &mut findings);
    let panels = panels::read(dashboard, &mut findings);
    panels::grid(&panels, &mut findings);
    for panel in &panels {
        panels::panel(panel, &views, &mut findings);
    }
    controls::filter(dashboard, &views, &mut findings);
    controls::controls(dashboard, &views, &mut findings);
    references::check(dashboard, &panels, &objects, &mut findings);
    findings.0
}

/// What is wrong between the files: ids twice, data views that differ, links that lead nowhere.
pub fn check_together(texts: &[String]) -> Vec<String> {
    let mut findings = Findings::default();
    let objects: Vec<Value> = texts.iter().flat_map(|text| objects::read(text, &mut Findings::default())).collect();
    let mut seen: BTreeMap<(String, String), &Value> = BTreeMap::new();
    for object in &objects {
        let (kind, id) = (text_of(&object["type"]).to_owned(), text_of(&object["id"]).to_owned());
        match seen.insert((kind.clone(), id.clone()), object) {
            Some(_) if kind == "dashboard" => findings.add(&id, "is the id of two dashboards"),
            Some(other) if other != object => findings.add(&id, "is not the same in all files"),
            _ => {}
        }
    }
    let ids: BTreeSet<&str> = seen.keys().filter(|(kind, _)| kind == "dashboard").map(|(_, id)| id.as_str()).collect();
    for object in objects.iter().filter(|object| object["type"] == "dashboard") {
        panels::links(object, &ids, &mut findings);
    }
    findings.0
}

/// What was found, in the order of finding.
#[derive(Debug, Default)]
pub struct Findings(Vec<String>);

impl Findings {
    fn add(&mut self, place: &str, fact: impl std::fmt::Display) {
        self.0.push(format!("`{place}`: {fact}"));
    }

    /// Adds `fact` unless `right`.
    fn expect(&mut self, right: bool, place: &str, fact: impl std::fmt::Display) {
        if !right {
            self.add(place, fact);
        }
    }
}

/// The text of a value, or nothing.
fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The items of a list, or none.
fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The value in a text of JSON; [`Value::Null`] with a finding if it is none.
fn inner_json(value: &Value, place: &str, name: &str, findings: &mut Findings) -> Value {
    match value.as_str().map(serde_json::from_str) {
        Some(Ok(inner)) => inner,
        Some(Err(fault)) => {
            findings.add(place, format!("`{name}` is a text that is no JSON: {fault}"));
            Value::Null
        }
        None => {
            findings.add(place, format!("`{name}` must be a text that holds JSON"));
            Value::Null
        }
    }
}

#[test]
fn shipped_dashboards_have_no_fault() {
    let mappings = Mappings::shipped();
    let texts = mutations::exported();
    let findings: Vec<String> = texts.iter().flat_map(|text| check(text, &mappings)).collect();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    let findings = check_together(&texts);
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}
