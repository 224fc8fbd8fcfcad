//! What an input's section says of its documents, and its order with the processors at the top.

use super::{loaded, record, shipped};
use crate::ecs::Settings;
use crate::filter::{Own, Rules, processors};
use serde_json::{Value, json};

fn rules(yaml: &str) -> Rules {
    let mut config = loaded(yaml);
    let sections = config.list("trailship.inputs", &["file"]);
    let own = Own::read(&mut config, sections[0].path());
    let all = processors(&mut config, "processors");
    config.finish().unwrap_or_else(|errors| panic!("{yaml}: {errors}"));
    Rules::new(&Settings::default(), own, &all)
}

fn document(input: &str, all: &str) -> Value {
    let yaml = format!("trailship.inputs:\n- type: file\n{input}\nprocessors: {all}\n");
    shipped(&rules(&yaml), &record()).unwrap()
}

#[test]
fn tags_and_fields_are_added_as_beats_does() {
    let doc = document("  tags: [team-a]\n  fields: {team: a, level: 2, nested.x: [1]}", "[]");
    assert_eq!(doc["tags"], json!(["forwarded", "aws-cloudtrail", "team-a"]));
    assert_eq!(doc["fields"], json!({"team": "a", "level": 2, "nested": {"x": [1]}}));
    let doc = document("  fields: {team: a, event.kind: alert}\n  fields_under_root: true", "[]");
    // A field of the same name is replaced.
    assert_eq!((&doc["team"], &doc["event"]["kind"], &doc["fields"]), (&json!("a"), &json!("alert"), &json!(null)));
    assert_eq!(doc["event"]["action"], "Decrypt");
}

#[test]
fn nothing_said_changes_nothing() {
    assert_eq!(document("  fields: {}\n  tags: []\n  processors: []", "[]"), super::after(""));
}

#[test]
fn the_order_is_fields_then_the_inputs_processors_then_those_of_all() {
    let input = "  fields: {order: fields}\n  processors:\n  - rename: {fields: [{from: fields.order, to: fields.first}]}\n  - add_fields: {fields: {order: input}}";
    let all = "[{rename: {fields: [{from: fields.order, to: fields.second}]}}, {add_fields: {fields: {order: all}}}]";
    assert_eq!(document(input, all)["fields"], json!({"first": "fields", "second": "input", "order": "all"}));
}

#[test]
fn rules_are_named_by_id_or_place() {
    let yaml = "trailship.inputs:\n- type: file\n  processors:\n  - drop_event: {id: noise, when: {equals: {eventName: a}}}\n  - drop_event: {when: {equals: {eventName: b}}}\nprocessors:\n- drop_event: {when: {equals: {event.action: c}}}\n";
    let mut config = loaded(yaml);
    let path = config.list("trailship.inputs", &["file"])[0].path().to_owned();
    let own = Own::read(&mut config, &path);
    let labels: Vec<&str> = own.rules().iter().map(|rule| rule.label()).collect();
    assert_eq!(labels, ["noise", "trailship.inputs[0].processors[1]"]);
    assert_eq!(processors(&mut config, "processors")[0].label(), "processors[0]");
}

#[test]
fn faults_of_an_input_are_told_at_it() {
    let mut config = loaded(
        "trailship.inputs:\n- type: file\n  tags: {a: b}\n  fields: x\n  fields_under_root: maybe\n  processors:\n  - drop_evnt: {}\n",
    );
    let path = config.list("trailship.inputs", &["file"])[0].path().to_owned();
    Own::read(&mut config, &path);
    let errors = config.finish().unwrap_err();
    let paths: Vec<&str> = errors.0.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "trailship.inputs[0].tags",
            "trailship.inputs[0].fields",
            "trailship.inputs[0].fields_under_root",
            "trailship.inputs[0].processors[0].drop_evnt",
        ]
    );
}
