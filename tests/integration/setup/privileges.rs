//! The privileges that docs/setup.md names are enough, and `trailship test output` tells when they are not there.

use crate::have;
use crate::support::servers::{Server, engines, skipped};
use serde_json::{Value, json};
use std::sync::Arc;
use trailship::check::{Check, Verdict};
use trailship::output::elasticsearch::{self, Cluster, ElasticsearchConfig, Method};
use trailship::setup::{Options, SetupConfig, install};

/// The roles in the order of the page.
fn documented() -> Vec<Value> {
    let page = include_str!("../../../docs/setup.md");
    let blocks = page.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.map(|block| serde_json::from_str(block).unwrap()).collect()
}

fn cluster(url: &str, login: Value) -> Cluster {
    let mut config = json!({"hosts": [url]});
    config.as_object_mut().unwrap().extend(login.as_object().unwrap().clone());
    let config: ElasticsearchConfig = serde_json::from_value(config).unwrap();
    let Ok(settings) = config.settle("default") else { panic!("the settings are right") };
    Cluster::new(Arc::new(settings)).unwrap()
}

/// With an API key of these roles.
async fn with_key(url: &str, password: &str, request: &Value) -> Cluster {
    let elastic = cluster(url, json!({"username": "elastic", "password": password}));
    let reply = elastic.ask(Method::Post, "_security/api_key", Some(request)).await.unwrap();
    assert!(reply.is_success(), "{}", reply.json());
    let key = reply.json();
    cluster(url, json!({"api_key": format!("{}:{}", key["id"].as_str().unwrap(), key["api_key"].as_str().unwrap())}))
}

fn step<'a>(checks: &'a [Check], name: &str) -> (Verdict, &'a str) {
    let check = checks.iter().find(|check| check.step == name).unwrap_or_else(|| panic!("no {name}: {checks:?}"));
    (check.verdict, &check.detail)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_privileges_are_enough_and_told() {
    if !engines().iter().any(|engine| engine == "elasticsearch") {
        return skipped("`elasticsearch` is not in ENGINES");
    }
    let server = have!(Server::shared(&["search", "elasticsearch", "--password", "secret-of-elastic"]));
    let [ship, setup] = documented().try_into().unwrap();

    let setting_up = with_key(&server.url, "secret-of-elastic", &setup).await;
    for (config, rollover) in [(json!({}), false), (json!({"template": {"priority": 260}}), true)] {
        let config: SetupConfig = serde_json::from_value(config).unwrap();
        let report = install(&setting_up, &config, Options { rollover, ..Options::default() }).await;
        assert!(!report.failed(), "{report:?}");
    }
    let checks = elasticsearch::test(&setting_up).await;
    assert_eq!(step(&checks, "privileges").0, Verdict::Failed, "{checks:?}");
    assert!(step(&checks, "privileges for setup").1.contains("may also run"), "{checks:?}");

    let shipping = with_key(&server.url, "secret-of-elastic", &ship).await;
    let checks = elasticsearch::test(&shipping).await;
    assert_eq!(step(&checks, "privileges").0, Verdict::Ok, "{checks:?}");
    let (verdict, detail) = step(&checks, "privileges for setup");
    assert!(verdict == Verdict::Ok && detail.contains("lacks `manage_index_templates`, `manage_ilm`"), "{detail}");
    for suffix in ["", "_dead_letter", "_integrity"] {
        let path = format!("logs-aws.cloudtrail{suffix}-default/_create/x");
        let document = json!({"@timestamp": "2026-01-02T03:04:05Z"});
        let reply = shipping.ask(Method::Put, &path, Some(&document)).await.unwrap();
        assert_eq!(reply.status, 201, "{}", reply.json());
    }
    let report = install(&shipping, &SetupConfig::default(), Options::default()).await;
    assert!(report.failed(), "{report:?}");
    let refused = &report.steps.last().unwrap().detail;
    assert!(refused.contains("403") && refused.contains("`manage_index_templates`"), "{refused}");

    // The data streams are there now: one more rollover, by the key for setup.
    let config = json!({"template": {"settings": {"index": {"number_of_replicas": "0"}}}});
    let config: SetupConfig = serde_json::from_value(config).unwrap();
    let report = install(&setting_up, &config, Options { rollover: true, ..Options::default() }).await;
    assert!(!report.failed(), "{report:?}");
    let updated = |step: &&trailship::setup::Step| step.what.starts_with("data stream `");
    let verdicts: Vec<_> = report.steps.iter().filter(updated).map(|step| step.verdict).collect();
    assert_eq!(verdicts, [trailship::setup::Verdict::Updated; 3], "{report:?}");
}
