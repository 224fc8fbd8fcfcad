//! A file in which one thing is wrong must be refused, with a word about that thing.

use super::faults;
use crate::kibana::dashboards::Options;
use crate::kibana::rules::{all, ndjson};
use serde_json::{Value, json};
use std::sync::LazyLock;

/// A rule of each kind, to be broken.
fn lines() -> Vec<Value> {
    static WHOLE: LazyLock<String> = LazyLock::new(|| ndjson(&all(&Options::default())));
    let lines = WHOLE.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let picked = ["Root User Activity", "Mass Deletion", "CloudTrail Digest Invalid"];
    lines.filter(|line| picked.iter().any(|name| line["name"] == *name)).collect()
}

fn text(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn named<'a>(lines: &'a mut [Value], name: &str) -> &'a mut Value {
    lines.iter_mut().find(|line| line["name"] == name).unwrap()
}

#[test]
fn the_rules_to_be_broken_are_valid() {
    assert_eq!(lines().len(), 3);
    assert_eq!(faults(&text(&lines())), Vec::<String>::new());
}

#[test]
fn every_value_that_is_wrong_is_found() {
    let (root, mass, digest) = ("Root User Activity", "Mass Deletion", "CloudTrail Digest Invalid");
    let records = "data_stream.dataset: \"aws.cloudtrail\" and";
    let findings = "data_stream.dataset: \"aws.cloudtrail_integrity\" and";
    let broken = [
        (root, "/rule_id", json!("F31C2D5A-0000-5000-8000-000000000000"), "rule_id: no lower-case UUID"),
        (root, "/rule_id", json!("f31c2d5a-0000-4000-8000-000000000000"), "rule_id: no lower-case UUID"),
        (root, "/name", json!("Root user activity"), "name: not in title case"),
        (root, "/name", json!("Mass Deletion"), "name: another rule has the same"),
        (root, "/description", json!(""), "description: too short"),
        (root, "/description", json!("Somebody acted as the root user of an account of yours"), "full stop"),
        (root, "/type", json!("esql"), "type: neither"),
        (root, "/type", json!("threshold"), "threshold: only with that type"),
        (mass, "/type", json!("query"), "threshold: only with that type"),
        (root, "/enabled", json!(true), "enabled: must be false"),
        (root, "/version", json!(0), "version: below 1"),
        (root, "/author", json!([]), "author: no list of texts"),
        (root, "/license", json!("Elastic"), "license: not the project's"),
        (root, "/severity", json!("severe"), "severity: none of the four"),
        (root, "/severity", json!("critical"), "risk_score: not in the band"),
        (root, "/risk_score", json!(74), "risk_score: not in the band"),
        (root, "/risk_score", json!("73"), "risk_score: not in the band"),
        (root, "/severity_mapping", json!(null), "severity_mapping: no list"),
        (root, "/index", json!(["logs-*"]), "index: not one of our streams"),
        (root, "/index", json!([]), "index: no list of texts"),
        (root, "/index", json!(["logs-aws.cloudtrail_integrity-*"]), "query: does not ask for the dataset"),
        (root, "/language", json!("lucene"), "language: not kuery"),
        (root, "/query", json!("data_stream.dataset: \"aws.cloudtrail\" and (event.action: *"), "query: KQL breaks"),
        (root, "/query", json!("data_stream.dataset: \"aws.cloudtrail\""), "query: does not ask for the dataset"),
        (root, "/query", json!("event.action: \"StopLogging\""), "query: does not ask for the dataset"),
        (root, "/query", json!(format!("{records} event.nothing: *")), "there is no field `event.nothing`"),
        (root, "/query", json!(format!("{records} cloud.region: \"{{approved_regions}}\"")), "a placeholder is left"),
        (root, "/query", json!(format!("{records} event.outcome: \"failed\"")), "`event.outcome` never has"),
        (root, "/query", json!(format!("{records} event.provider: \"iam\"")), "`event.provider` never has"),
        (root, "/query", json!(format!("{records} event.action: \"stop logging\"")), "`event.action` never has"),
        (root, "/query", json!(format!("{records} event.action: StopLogging")), "without quotes"),
        (root, "/query", json!(format!("{records} StopLogging")), "a value without a field"),
        (root, "/query", json!(format!("{records} event.action: true")), "is not true or false"),
        (root, "/query", json!(format!("{records} aws.cloudtrail.read_only: \"true\"")), "is true or false"),
        (root, "/query", json!(format!("{records} source.ip: 10.*")), "`source.ip` takes no wildcards"),
        (root, "/query", json!(format!("{records} event.action > \"a\"")), "`event.action` has no range"),
        (digest, "/query", json!(format!("{findings} event.action: \"digest_gone\"")), "`event.action` never has"),
        (digest, "/query", json!(format!("{findings} user.name: *")), "there is no field `user.name`"),
        (root, "/required_fields", json!([]), "required_fields: not the fields"),
        (root, "/required_fields/0/type", json!("text"), "required_fields: not the fields"),
        (root, "/required_fields/0/ecs", json!("yes"), "required_fields: not the fields"),
        (mass, "/threshold/field", json!([]), "threshold: not 1 to 5"),
        (mass, "/threshold/field/0", json!("aws.cloudtrail.flattened.request_parameters.x"), "cannot be counted"),
        (mass, "/threshold/field/0", json!("user.nobody"), "cannot be counted"),
        (mass, "/threshold/value", json!(1), "threshold: value below 2"),
        (mass, "/threshold/cardinality", json!(null), "cardinality is no list"),
        (root, "/timestamp_override", json!("@timestamp"), "timestamp_override"),
        (root, "/interval", json!("5"), "interval: not in minutes"),
        (root, "/from", json!("now-5m"), "from: looks back less"),
        (root, "/from", json!("2026-01-01"), "from: not minutes"),
        (root, "/to", json!("now-1m"), "to: not now"),
        (root, "/max_signals", json!(0), "max_signals"),
        (root, "/tags", json!(["AWS"]), "tags: the first"),
        (root, "/tags", json!(["trailship", "CIS AWS four"]), "tags: no control"),
        (root, "/tags", json!(["trailship", "AWS", "AWS"]), "tags: one is there twice"),
        (root, "/threat", json!([]), "threat: empty"),
        (root, "/threat/0/framework", json!("ATT&CK"), "threat: not of ATT&CK"),
        (root, "/threat/0/tactic/id", json!("T0001"), "is no number of tactics"),
        (root, "/threat/0/tactic/name", json!(null), "has no name"),
        (root, "/threat/1/tactic/id", json!("TA0001"), "a tactic is there twice"),
        (root, "/threat/0/technique", json!([]), "a tactic without a technique"),
        (root, "/threat/0/technique/0/id", json!("T1078.004"), "is no number of techniques"),
        (root, "/threat/0/technique/0/reference", json!("https://attack.mitre.org/"), "leads elsewhere"),
        (root, "/threat/0/technique/0/subtechnique/0/id", json!("T1110.001"), "is no number of techniques"),
        (root, "/false_positives", json!([]), "false_positives: no list of texts"),
        (root, "/false_positives/0", json!(" "), "false_positives: a text is empty"),
        (root, "/references/0", json!("http://docs.aws.amazon.com/a.html"), "references: not a page"),
        (root, "/references/0", json!("https://example.org/a.html"), "references: not a page"),
        (root, "/setup", json!(""), "setup: empty"),
        (root, "/note", json!("## Triage\n\n- Look.\n"), "note: not the three parts"),
        (root, "/note", json!("## Triage\n\n## False positives\n\n- a\n\n## Response\n\n- b\n"), "has no points"),
        (root, "/note", json!("## Triage\n\n- TODO\n\n## False positives\n\n- a\n\n## Response\n\n- b\n"), "note: unf"),
    ];
    for (name, place, wrong, word) in broken {
        let mut lines = lines();
        *named(&mut lines, name).pointer_mut(place).unwrap_or_else(|| panic!("{name} has no {place}")) = wrong.clone();
        let found = faults(&text(&lines));
        assert!(found.iter().any(|fault| fault.contains(word)), "{name} {place} = {wrong}: {found:?}");
    }
}

#[test]
fn every_key_is_needed_and_no_other_is_taken() {
    let keys: Vec<String> = lines()[0].as_object().unwrap().keys().cloned().collect();
    for key in keys {
        let mut lines = lines();
        lines[0].as_object_mut().unwrap().remove(&key);
        let found = faults(&text(&lines));
        let word = if key == "threshold" { "threshold: only".to_owned() } else { format!("{key}: missing") };
        assert!(found.iter().any(|fault| fault.contains(&word)), "{key}: {found:?}");
    }
    for key in ["data_view_id", "id", "created_at", "immutable", "throttle"] {
        let mut lines = lines();
        lines[0][key] = json!("x");
        let found = faults(&text(&lines));
        assert!(found.iter().any(|fault| fault.contains(&format!("{key}: not"))), "{key}: {found:?}");
    }
}

#[test]
fn files_that_are_no_rules_are_found() {
    let whole = text(&lines());
    for (wrong, word) in [
        (whole.replacen('{', "", 1), "line 1: no JSON object"),
        (format!("{whole}\n"), "line 4: no JSON object"),
        (format!("{whole}[]\n"), "line 4: no JSON object"),
        (whole.trim_end().to_owned(), "the last line has no end"),
        (format!("{whole}{}\n", lines()[0]), "rule_id: another rule has the same"),
    ] {
        let found = faults(&wrong);
        assert!(found.iter().any(|fault| fault.contains(word)), "{word}: {found:?}");
    }
}
