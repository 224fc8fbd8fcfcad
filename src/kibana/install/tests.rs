//! Installing into a Kibana on a real socket: what is imported, what stays, and what is reported.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use super::{Assets, install};
use crate::kibana::client::KibanaConfig;
use crate::kibana::client::fake::{Fake, Fault};
use crate::setup::{Report, Verdict};
use serde_json::{Value, json};

/// Two dashboards that share a data view, and two rules.
fn assets(title: &str) -> Assets {
    let view = json!({"type": "index-pattern", "id": "view", "attributes": {"title": "logs-*"}, "references": []});
    let dashboard = |id: &str, title: &str| {
        let attributes = json!({"title": title, "description": "What happens."});
        let references = json!([{"type": "index-pattern", "id": "view", "name": "x"}]);
        let object = json!({"type": "dashboard", "id": id, "attributes": attributes, "references": references});
        format!("{view}\n{object}\n")
    };
    let rule =
        |id: &str, query: &str| json!({"rule_id": id, "name": format!("Rule {id}"), "query": query, "enabled": false});
    Assets {
        dashboards: vec![dashboard("a", "A"), dashboard("b", title)],
        rules: Some(format!("{}\n{}\n", rule("r1", "x: y"), rule("r2", title))),
    }
}

async fn run(fake: &Fake, assets: &Assets, dry_run: bool) -> Report {
    let config: KibanaConfig = serde_json::from_value(json!({"host": fake.url()})).unwrap();
    let settings = config.settle(None).map_err(|faults| format!("{faults:?}")).unwrap();
    install(&settings.hurried(), assets, dry_run).await
}

fn verdicts(report: &Report) -> Vec<(&str, Verdict)> {
    report.steps.iter().skip(1).map(|step| (step.what.as_str(), step.verdict)).collect()
}

fn detail<'a>(report: &'a Report, what: &str) -> &'a str {
    let step = report.steps.iter().find(|step| step.what.contains(what));
    &step.unwrap_or_else(|| panic!("no step about {what}: {report:?}")).detail
}

const ALL: [&str; 5] = ["data view `view`", "dashboard `a`", "dashboard `b`", "rule `Rule r1`", "rule `Rule r2`"];

fn all(verdict: Verdict) -> Vec<(&'static str, Verdict)> {
    ALL.map(|what| (what, verdict)).to_vec()
}

#[tokio::test]
async fn everything_is_created_once_and_then_left_alone() {
    let fake = Fake::start(&[]).await;
    let report = run(&fake, &assets("B"), false).await;
    assert_eq!(verdicts(&report), all(Verdict::Created));
    assert!(detail(&report, "Kibana at").contains("9.2.0"));
    let imports = fake.state().imports();
    assert_eq!(imports, 3);
    let again = run(&fake, &assets("B"), false).await;
    assert_eq!(verdicts(&again), all(Verdict::Unchanged));
    assert_eq!(fake.state().imports(), imports);
}

#[tokio::test]
async fn a_dry_run_imports_nothing() {
    let fake = Fake::start(&[]).await;
    let report = run(&fake, &assets("B"), true).await;
    assert!(report.dry_run);
    assert_eq!(verdicts(&report), all(Verdict::Created));
    assert_eq!(detail(&report, "dashboard `a`"), "new");
    assert!(fake.state().kept.is_empty());
    run(&fake, &assets("B"), false).await;
    let imports = fake.state().imports();
    let report = run(&fake, &assets("C"), true).await;
    use Verdict::{Unchanged, Updated};
    let expected: Vec<_> = ALL.into_iter().zip([Unchanged, Unchanged, Updated, Unchanged, Updated]).collect();
    assert_eq!(verdicts(&report), expected);
    assert!(detail(&report, "dashboard `b`").starts_with("changed: before: that of trailship "));
    assert!(detail(&report, "Rule r2").contains("`query`"));
    assert_eq!(fake.state().imports(), imports);
}

#[tokio::test]
async fn what_differs_is_replaced_and_rules_keep_what_people_set() {
    let fake = Fake::start(&[]).await;
    run(&fake, &assets("B"), false).await;
    fake.state().change("rule", "r2", |rule| {
        rule["enabled"] = json!(true);
        rule["exceptions_list"] = json!([{"list_id": "own"}]);
    });
    let report = run(&fake, &assets("C"), false).await;
    use Verdict::{Unchanged, Updated};
    let expected: Vec<_> = ALL.into_iter().zip([Unchanged, Unchanged, Updated, Unchanged, Updated]).collect();
    assert_eq!(verdicts(&report), expected);
    let state = fake.state();
    let rule = state.object("rule", "r2").unwrap();
    assert_eq!((&rule["query"], &rule["enabled"]), (&json!("C"), &json!(true)));
    assert_eq!(rule["exceptions_list"], json!([{"list_id": "own"}]));
    assert_eq!(state.object("dashboard", "b").unwrap()["attributes"]["title"], "C");
}

#[tokio::test]
async fn newer_releases_and_changes_of_people_stay() {
    let fake = Fake::start(&[]).await;
    run(&fake, &assets("B"), false).await;
    let imports = fake.state().imports();
    let newer = json!({"trailship": {"release": "999.0.0", "content": "00000000"}});
    fake.state().change("dashboard", "b", |dashboard| {
        dashboard["attributes"]["description"] = json!("More. [trailship 999.0.0 00000000]");
    });
    fake.state().change("rule", "r1", |rule| rule["query"] = json!("x: y and not z: 1"));
    fake.state().change("rule", "r2", |rule| rule["meta"] = newer);
    let report = run(&fake, &assets("B"), false).await;
    use Verdict::{Kept, Unchanged, Warning};
    let expected: Vec<_> = ALL.into_iter().zip([Unchanged, Unchanged, Kept, Warning, Kept]).collect();
    assert_eq!(verdicts(&report), expected);
    assert!(detail(&report, "dashboard `b`").contains("999.0.0"));
    assert!(detail(&report, "Rule r1").contains("changed in Kibana (`query`)"));
    assert_eq!(fake.state().imports(), imports);
}

#[tokio::test]
async fn the_data_views_of_a_newer_dashboard_stay_with_it() {
    let fake = Fake::start(&[]).await;
    let only = Assets { dashboards: assets("B").dashboards.split_off(1), rules: None };
    run(&fake, &only, false).await;
    fake.state().change("index-pattern", "view", |view| view["attributes"]["title"] = json!("logs-newer-*"));
    fake.state().change("dashboard", "b", |dashboard| {
        dashboard["attributes"]["description"] = json!("More. [trailship 999.0.0 00000000]");
    });
    let report = run(&fake, &only, false).await;
    assert_eq!(verdicts(&report), [("dashboard `b`", Verdict::Kept)]);
    assert_eq!(fake.state().object("index-pattern", "view").unwrap()["attributes"]["title"], "logs-newer-*");
}

#[tokio::test]
async fn nothing_follows_a_failed_import() {
    let fake = Fake::start(&[]).await;
    fake.state().refused.insert("a".to_owned(), json!({"type": "unknown", "statusCode": 500, "message": "no shards"}));
    let report = run(&fake, &assets("B"), false).await;
    let expected = [("data view `view`", Verdict::Created), ("dashboard `a`", Verdict::Failed)];
    assert_eq!(verdicts(&report), expected);
    assert!(report.failed() && detail(&report, "dashboard `a`").contains("no shards (500)"));
    assert_eq!(fake.state().imports(), 1);
}

#[tokio::test]
async fn a_refused_rule_fails_alone() {
    let fake = Fake::start(&[]).await;
    fake.state().refused.insert("r1".to_owned(), json!({"status_code": 400, "message": "name: Required"}));
    let report = run(&fake, &assets("B"), false).await;
    use Verdict::{Created, Failed};
    let expected: Vec<_> = ALL.into_iter().zip([Created, Created, Created, Failed, Created]).collect();
    assert_eq!(verdicts(&report), expected);
}

#[tokio::test]
async fn dashboards_are_imported_even_where_they_cannot_be_compared() {
    let fake = Fake::start(&[Fault::None, Fault::Status(500)]).await;
    let report = run(&fake, &assets("B"), false).await;
    let mut expected = vec![("dashboards", Verdict::Warning)];
    expected.extend(all(Verdict::Created));
    assert_eq!(verdicts(&report), expected);

    fake.state().script.extend([Fault::None, Fault::Status(500)]);
    assert!(run(&fake, &assets("B"), true).await.failed());
}

#[tokio::test]
async fn missing_privileges_and_other_servers_fail_before_anything_is_imported() {
    let fake = Fake::start(&[]).await;
    fake.state().denied.push("saved_objects");
    let report = run(&fake, &assets("B"), false).await;
    assert!(report.failed() && detail(&report, "Kibana").contains("9.2.0"));
    assert!(report.steps.last().unwrap().detail.contains("Saved Objects Management: All"), "{report:?}");
    fake.state().version = Some("2.19.3".to_owned());
    let report = run(&fake, &assets("B"), false).await;
    assert!(report.failed() && report.steps[0].detail.contains("OpenSearch Dashboards"), "{report:?}");
    assert_eq!(fake.state().imports(), 0);
}

#[tokio::test]
async fn an_id_of_another_space_is_told() {
    let fake = Fake::start(&[]).await;
    fake.state().moved.extend(["view", "a"].map(|id| (id.to_owned(), format!("{id}-2"))));
    let report = run(&fake, &assets("B"), false).await;
    use Verdict::{Created, Warning};
    let expected: Vec<_> = ALL.into_iter().zip([Warning, Warning, Created, Created, Created]).collect();
    assert_eq!(verdicts(&report), expected);
    assert!(detail(&report, "dashboard `a`").contains("`a-2`"), "{report:?}");
    assert_eq!(fake.state().object("dashboard", "a-2").unwrap()["references"][0]["id"], "view-2");
    assert_eq!(fake.state().object("dashboard", "b").unwrap()["references"][0]["id"], "view-2");
}

#[tokio::test]
async fn the_shipped_files_are_installed_as_they_are() {
    let fake = Fake::start(&[]).await;
    let assets = Assets::new(&crate::kibana::Options::default(), true, true);
    let report = run(&fake, &assets, false).await;
    assert!(!report.failed(), "{report:?}");
    let lines: usize = assets.dashboards.iter().map(|file| file.lines().count()).sum();
    assert!(lines > assets.dashboards.len() && !assets.dashboards.is_empty());
    let again = run(&fake, &assets, false).await;
    let unchanged = |(_, verdict): &(&str, Verdict)| *verdict == Verdict::Unchanged;
    assert!(verdicts(&again).iter().all(unchanged), "{again:?}");
    let stored: Vec<Value> = fake.state().kept.values().cloned().collect();
    assert_eq!(verdicts(&again).len(), stored.len());
}
