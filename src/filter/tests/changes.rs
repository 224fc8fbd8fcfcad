//! What each processor does to a document.

use super::{after, record, rules, shipped};
use serde_json::{Value, json};

fn plain() -> Value {
    shipped(&rules(""), &record()).unwrap()
}

#[test]
fn drop_fields_takes_fields_and_what_is_below_them() {
    let mut expected = plain();
    let root = expected.as_object_mut().unwrap();
    root.remove("user");
    root.remove("related");
    root["aws"]["cloudtrail"]["flattened"]["request_parameters"]["nested"]
        .as_object_mut()
        .unwrap()
        .insert("kept".into(), json!(1));
    let mut record = record();
    record["requestParameters"]["nested"]["kept"] = json!(1);
    root["aws"]["cloudtrail"].as_object_mut().unwrap().remove("request_parameters");
    root["aws"]["cloudtrail"]["flattened"]["request_parameters"]["nested"].as_object_mut().unwrap().remove("x");
    let rules = rules(
        "- drop_fields:\n    fields: [user, related, aws.cloudtrail.request_parameters,\n      aws.cloudtrail.flattened.request_parameters.nested.x, '@timestamp', not.there]",
    );
    assert_eq!(shipped(&rules, &record).unwrap(), expected);
}

#[test]
fn drop_fields_takes_patterns() {
    let after = after("- drop_fields: {fields: ['/^aws\\.cloudtrail\\.flattened\\..*\\.(keyId|y)$/', '/^user/']}");
    let parameters = &after["aws"]["cloudtrail"]["flattened"]["request_parameters"];
    assert_eq!(parameters, &json!({"limit": 500, "rate": 1e300, "tags": ["a", "bc"]}));
    assert!(after["user"].is_null() && after["user_agent"].is_null() && after["event"]["action"] == "Decrypt");
}

#[test]
fn an_object_that_is_empty_then_is_gone() {
    let after = after("- drop_fields: {fields: [source.ip, source.address]}");
    assert_eq!(after.get("source"), None);
}

#[test]
fn include_fields_keeps_the_time_and_what_is_named() {
    assert_eq!(
        after("- include_fields: {fields: [event.action, source, not.there, '/cloudtrail\\.resources/']}"),
        json!({
            "@timestamp": "2026-11-20T09:59:58.000Z",
            "event": {"action": "Decrypt"},
            "source": plain()["source"],
            "aws": {"cloudtrail": {"resources": plain()["aws"]["cloudtrail"]["resources"]}},
        })
    );
    let all = after("- include_fields: {fields: []}");
    assert_eq!(all, json!({"@timestamp": "2026-11-20T09:59:58.000Z"}));
}

#[test]
fn add_fields_puts_them_below_its_target() {
    for (settings, path, value) in [
        ("{fields: {team: a}}", "/fields", json!({"team": "a"})),
        ("{target: project, fields: {name: x, id: 57}}", "/project", json!({"name": "x", "id": 57})),
        ("{target: '', fields: {team: a}}", "/team", json!("a")),
        (
            "{target: labels, fields: {a: true, b: 'true', c: 0123, d: [1, x]}}",
            "/labels",
            json!({"a": true, "b": "true", "c": "0123", "d": [1, "x"]}),
        ),
        ("{target: '', fields: {event.severity: 3}}", "/event/severity", json!(3)),
        ("{target: event, fields: {action: other}}", "/event/action", json!("other")),
        (
            "{target: '', fields: {aws.cloudtrail.flattened.request_parameters.keyId: hidden}}",
            "/aws/cloudtrail/flattened/request_parameters",
            json!({"keyId": "hidden", "limit": 500, "rate": 1e300, "tags": ["a", "bc"], "nested": {"x": {"y": "z"}}}),
        ),
    ] {
        assert_eq!(after(&format!("- add_fields: {settings}")).pointer(path), Some(&value), "{settings}");
    }
    // What was there stays.
    assert_eq!(after("- add_fields: {target: event, fields: {a: 1}}")["event"]["action"], "Decrypt");
    let joined = after("- add_fields: {fields: {a: 1, b: {c: 2}}}\n- add_fields: {fields: {a: 3, b: {d: 4}}}");
    assert_eq!(joined["fields"], json!({"a": 3, "b": {"c": 2, "d": 4}}));
}

#[test]
fn add_tags_appends() {
    for (settings, path, value) in [
        ("{tags: [web, production]}", "/tags", json!(["forwarded", "aws-cloudtrail", "web", "production"])),
        ("{tags: web}", "/tags", json!(["forwarded", "aws-cloudtrail", "web"])),
        ("{tags: [web, forwarded, web]}", "/tags", json!(["forwarded", "aws-cloudtrail", "web"])),
        ("{tags: [web], target: environment}", "/environment", json!(["web"])),
        ("{tags: [web], target: event.action}", "/event/action", json!(["Decrypt", "web"])),
    ] {
        assert_eq!(after(&format!("- add_tags: {settings}")).pointer(path), Some(&value), "{settings}");
    }
}

#[test]
fn rename_moves_fields() {
    let renamed =
        after("- rename: {fields: [{from: event.action, to: event.name}, {from: source, to: origin.source}]}");
    assert_eq!((&renamed["event"]["name"], &renamed["origin"]["source"]), (&json!("Decrypt"), &plain()["source"]));
    assert!(renamed["event"]["action"].is_null() && renamed["source"].is_null());
}

#[test]
fn what_cannot_be_renamed_undoes_the_rule_or_is_passed_over() {
    let pair = "{from: event.action, to: a}";
    for (others, settings, renamed) in [
        ("{from: not.there, to: b}", "", false),
        ("{from: not.there, to: b}", ", ignore_missing: true", true),
        ("{from: not.there, to: b}", ", fail_on_error: false", true),
        ("{from: event.kind, to: event.outcome}", "", false),
        ("{from: event.kind, to: event.outcome}", ", fail_on_error: false", true),
        ("{from: event.kind, to: a.b}", ", fail_on_error: false", true),
    ] {
        let rules = rules(&format!("- rename: {{fields: [{pair}, {others}]{settings}}}"));
        let after = shipped(&rules, &record()).unwrap();
        let mut expected = plain();
        if renamed {
            expected["a"] = expected["event"].as_object_mut().unwrap().remove("action").unwrap();
        }
        assert_eq!(after, expected, "{others}{settings}");
        let failed: u64 = rules.late_rules().iter().map(|rule| rule.failed()).sum();
        assert_eq!(failed, u64::from(settings != ", ignore_missing: true"), "{others}{settings}");
    }
}

#[test]
fn truncate_fields_cuts_texts() {
    let text = "r\u{e4}uber";
    for (settings, cut) in [
        ("max_characters: 3", "r\u{e4}u"),
        ("max_characters: 6", text),
        ("max_characters: 0", ""),
        ("max_bytes: 3", "r\u{e4}"),
        // A character is not divided.
        ("max_bytes: 2", "r"),
        ("max_bytes: 7", text),
    ] {
        let rules = rules(&format!("- truncate_fields: {{fields: [aws.cloudtrail.error_message], {settings}}}"));
        let mut record = record();
        record["errorMessage"] = json!(text);
        let after = shipped(&rules, &record).unwrap();
        assert_eq!(after["aws"]["cloudtrail"]["error_message"], cut, "{settings}");
        let flags = if cut == text { json!(null) } else { json!(["truncated"]) };
        assert_eq!(after["log"]["flags"], flags, "{settings}");
    }
}

#[test]
fn what_cannot_be_truncated_undoes_the_rule_or_is_passed_over() {
    for (fields, settings, cut) in [
        ("not.there", "", false),
        ("not.there", ", ignore_missing: true", true),
        ("not.there", ", fail_on_error: false", true),
        ("tags", "", false),
        ("event", ", ignore_missing: true", false),
        ("tags", ", fail_on_error: false", true),
    ] {
        let after = after(&format!("- truncate_fields: {{fields: [event.action, {fields}], max_bytes: 2{settings}}}"));
        assert_eq!(after["event"]["action"], if cut { "De" } else { "Decrypt" }, "{fields}{settings}");
    }
}

#[test]
fn what_is_not_touched_is_written_as_before() {
    let mut record = record();
    record["requestParameters"] = serde_json::from_str(
        r#"{"z": 1.0, "a": 123456789012345678901234567890, "A": 1E5, "text": "\u00e4\n\"\\/", "l": [[], {}, null, [1, {"b": 2}]]}"#,
    )
    .unwrap();
    let text = |yaml: &str| {
        let mut text = shipped(&rules(yaml), &record).unwrap();
        text.as_object_mut().unwrap().remove("fields");
        text
    };
    // Opens every object that there is on its way.
    assert_eq!(text("- drop_fields: {fields: ['/^no such field$/']}\n- add_fields: {fields: {a: 1}}"), text(""));
}
