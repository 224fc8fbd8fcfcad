//! The templates on real servers: accepted, complete, and left alone when there is nothing to do.

mod privileges;
mod profiles;
mod streams;

use crate::have;
use crate::support::search::Stream;
use crate::support::servers::{Server, engines};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use trailship::output::elasticsearch::{Cluster, ElasticsearchConfig};
use trailship::setup::{Options, Report, SetupConfig, Verdict, install};

/// Templates and a data stream of one test.
struct Own {
    name: String,
    pattern: String,
    stream: Stream,
}

impl Own {
    fn new(url: &str, test: &str) -> Own {
        let stream = Stream::new(url, test);
        Own { name: format!("setup-{}", stream.namespace), pattern: format!("{}*", stream.name()), stream }
    }

    async fn setup(&self, more: Value, rollover: bool) -> Report {
        self.install(json!({"template": more}), Options { rollover, ..Options::default() }).await
    }

    /// With a whole section `setup`.
    async fn install(&self, mut config: Value, options: Options) -> Report {
        // Above the priority of the templates that other tests install for their streams.
        let mut template = json!({"name": self.name, "pattern": self.pattern, "priority": 400});
        for (key, value) in config["template"].as_object().into_iter().flatten() {
            template[key] = value.clone();
        }
        config["template"] = template;
        let setup: SetupConfig = serde_json::from_value(config).unwrap();
        let output: ElasticsearchConfig =
            serde_json::from_value(json!({"hosts": [self.stream.url], "index": self.stream.name()})).unwrap();
        let Ok(settings) = output.settle("default") else { panic!("the settings are right") };
        let cluster = Cluster::new(Arc::new(settings)).unwrap();
        install(&cluster, &setup, options).await
    }

    /// The data stream of another data set, by its suffix.
    fn beside(&self, suffix: &str) -> String {
        self.stream.beside(suffix)
    }

    /// Everything that the server has stored under our names, as it gives it.
    async fn stored(&self) -> Value {
        let (_, components) = self.stream.call(Method::GET, &format!("_component_template/{}*", self.name), None).await;
        let (_, index) = self.stream.call(Method::GET, &format!("_index_template/{}*", self.name), None).await;
        json!([components, index])
    }

    async fn put(&self, path: &str, body: Value) {
        let (status, answer) = self.stream.call(Method::PUT, path, Some(body)).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// Ships one document, which makes the data stream.
    async fn ship(&self, document: Value) {
        self.ship_into(&self.stream.name(), document).await;
    }

    async fn ship_into(&self, stream: &str, mut document: Value) {
        document["@timestamp"] = json!("2026-01-02T03:04:05.000Z");
        let (status, answer) =
            self.stream.call(Method::POST, &format!("{stream}/_doc?refresh=true"), Some(document)).await;
        assert_eq!(status, 201, "{answer}");
    }

    /// Type of every field and sub-field of the newest index.
    async fn types(&self) -> BTreeMap<String, Value> {
        self.types_of(&self.stream.name()).await
    }

    async fn types_of(&self, stream: &str) -> BTreeMap<String, Value> {
        let (status, answer) = self.stream.call(Method::GET, &format!("{stream}/_mapping"), None).await;
        assert_eq!(status, 200, "{answer}");
        let newest = answer.as_object().unwrap().iter().max_by_key(|(name, _)| name.to_owned()).unwrap().1;
        let mut types = BTreeMap::new();
        flatten(&newest["mappings"], "", &mut types);
        types
    }
}

fn flatten(parent: &Value, path: &str, types: &mut BTreeMap<String, Value>) {
    for children in ["properties", "fields"] {
        for (name, mapping) in parent[children].as_object().into_iter().flatten() {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            if mapping.get("type").is_some() {
                types.insert(path.clone(), mapping.clone());
            }
            flatten(mapping, &path, types);
        }
    }
}

fn verdicts(report: &Report, what: &str) -> Vec<Verdict> {
    report.steps.iter().filter(|step| step.what.contains(what)).map(|step| step.verdict).collect()
}

/// The verdict on the data stream of records.
fn of_records(report: &Report) -> Verdict {
    let verdicts = verdicts(report, "data stream `logs-aws.cloudtrail-");
    assert_eq!(verdicts.len(), 1, "{report:?}");
    verdicts[0]
}

fn detail<'a>(report: &'a Report, what: &str) -> &'a str {
    let step = report.steps.iter().find(|step| step.what.contains(what));
    &step.unwrap_or_else(|| panic!("no step about {what}: {report:?}")).detail
}

/// The list of fields that documents can have, from the mapping reference.
fn expected() -> Vec<(&'static str, &'static str)> {
    let lines = include_str!("../golden/ecs-fields.tsv").lines().skip(1);
    let rows = lines.map(|line| line.split('\t').collect::<Vec<_>>()).filter(|row| !row[2].starts_with("REMOVED"));
    rows.map(|row| (row[0], row[1])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_has_its_type_or_the_replacement_that_was_named() {
    const NEAREST: &[(&str, &str)] =
        &[("constant_keyword", "keyword"), ("flattened", "flat_object"), ("match_only_text", "text")];
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let own = Own::new(&search.url, "types");
        let report = own.setup(json!({}), false).await;
        assert!(!report.failed(), "{engine}: {report:?}");
        own.ship(json!({"event": {"id": "1"}})).await;
        let types = own.types().await;
        let expected = expected();
        assert!(expected.len() > 140);
        for (field, wanted) in expected {
            let found = types.get(field).unwrap_or_else(|| panic!("{engine}: {field} is missing"));
            if found["type"] == wanted {
                continue;
            }
            assert!(
                NEAREST.iter().any(|(from, to)| *from == wanted && found["type"] == *to),
                "{engine}: {field} is {found}"
            );
            // The Elasticsearch that tests have calls its `match_only_text` `text`.
            let is_stand_in = engine.starts_with("elasticsearch") && wanted == "match_only_text";
            let named = report.steps.iter().any(|step| {
                step.verdict == Verdict::Replaced
                    && step.what.contains(&format!("`{wanted}`"))
                    && step.fields.iter().any(|name| name == field)
            });
            assert!(named || is_stand_in, "{engine}: nobody was told that {field} is {found}");
        }
        assert_eq!(types["event.original"], json!({"type": "keyword", "index": false, "doc_values": false}));
        assert_eq!(types["aws.cloudtrail.request_parameters"]["ignore_above"], 8191);
        if engine.starts_with("elasticsearch") {
            assert_eq!(
                types["aws.cloudtrail.flattened.request_parameters"],
                json!({"type": "flattened", "ignore_above": 8191})
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_changes_nothing() {
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let own = Own::new(&search.url, "second");
        let first = own.setup(json!({}), false).await;
        assert_eq!(verdicts(&first, "template `"), [Verdict::Created; 9], "{engine}: {first:?}");
        assert_eq!(of_records(&first), Verdict::Ok, "{engine}: {first:?}");
        own.ship(json!({})).await;
        let stored = own.stored().await;
        let second = own.setup(json!({}), true).await;
        assert_eq!(verdicts(&second, "template `"), [Verdict::Unchanged; 9], "{engine}: {second:?}");
        assert_eq!(of_records(&second), Verdict::Unchanged, "{engine}: {second:?}");
        assert_eq!(own.stored().await, stored, "{engine}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_version_is_not_overwritten() {
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let own = Own::new(&search.url, "newer");
        let newer = json!({"index_patterns": [own.pattern], "priority": 400, "data_stream": {}, "version": 999_000_000,
            "_meta": {"managed_by": "trailship", "version": "999.0.0", "fingerprint": "other"}});
        own.put(&format!("_index_template/{}", own.name), newer).await;
        let stored = own.stored().await;
        for overwrite in [false, true] {
            let report = own.setup(json!({"overwrite": overwrite}), true).await;
            assert!(!report.failed(), "{engine}: {report:?}");
            assert_eq!(verdicts(&report, "template `"), [Verdict::Kept], "{engine}: {report:?}");
            assert!(detail(&report, "index template").contains("999.0.0"));
            assert_eq!(own.stored().await, stored, "{engine}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_version_and_other_settings_are_replaced() {
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let own = Own::new(&search.url, "older");
        let older = json!({"template": {"mappings": {"properties": {"event": {"properties": {"id": {"type": "text"}}}}}}, "version": 1,
            "_meta": {"managed_by": "trailship", "version": "0.0.1", "fingerprint": "other"}});
        own.put(&format!("_component_template/{}-mappings", own.name), older).await;
        let report = own.setup(json!({}), false).await;
        assert_eq!(verdicts(&report, &format!("{}-mappings", own.name)), [Verdict::Updated], "{engine}: {report:?}");
        own.ship(json!({})).await;
        assert_eq!(own.types().await["event.id"]["type"], "keyword");

        let settings =
            json!({"settings": {"index": {"number_of_replicas": "0", "mapping": {"total_fields": {"limit": 1500}}}}});
        let report = own.setup(settings.clone(), false).await;
        assert_eq!(verdicts(&report, &format!("{}-settings", own.name)), [Verdict::Updated], "{engine}: {report:?}");
        assert_eq!(of_records(&report), Verdict::Warning, "{engine}: {report:?}");
        assert!(detail(&report, "data stream `").contains("--rollover"), "{engine}: {report:?}");

        let report = own.setup(settings.clone(), true).await;
        assert_eq!(of_records(&report), Verdict::Updated, "{engine}: {report:?}");
        let (_, answer) =
            own.stream.call(Method::GET, &format!("{}/_settings?flat_settings=true", own.stream.name()), None).await;
        let indices = answer.as_object().unwrap();
        assert_eq!(indices.len(), 2, "{engine}: {answer}");
        let newest = indices.iter().max_by_key(|(name, _)| name.to_owned()).unwrap().1;
        assert_eq!(newest["settings"]["index.number_of_replicas"], "0");
        assert_eq!(newest["settings"]["index.mapping.total_fields.limit"], "1500");

        let report = own.setup(settings, true).await;
        assert_eq!(of_records(&report), Verdict::Unchanged, "{engine}: {report:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_of_somebody_else_stays_unless_told_otherwise() {
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let own = Own::new(&search.url, "foreign");
        let foreign = json!({"index_patterns": [own.pattern], "priority": 400, "data_stream": {}});
        own.put(&format!("_index_template/{}", own.name), foreign).await;
        let stored = own.stored().await;
        let report = own.setup(json!({}), false).await;
        assert!(report.failed(), "{engine}: {report:?}");
        assert!(detail(&report, "index template").contains("setup.template.overwrite"), "{engine}: {report:?}");
        assert_eq!(own.stored().await, stored, "{engine}");

        let report = own.setup(json!({"overwrite": true}), false).await;
        assert!(!report.failed(), "{engine}: {report:?}");
        assert_eq!(
            verdicts(&report, &format!("index template `{}`", own.name)),
            [Verdict::Updated],
            "{engine}: {report:?}"
        );
        assert_eq!(of_records(&report), Verdict::Ok, "{engine}: {report:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_says_which_template_wins() {
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let own = Own::new(&search.url, "winner");
        let other = format!("other-{}", own.name);
        let template =
            |priority: u32| json!({"index_patterns": [own.pattern], "priority": priority, "data_stream": {}});
        own.put(&format!("_index_template/{other}"), template(399)).await;
        let report = own.setup(json!({}), false).await;
        assert_eq!(of_records(&report), Verdict::Ok, "{engine}: {report:?}");
        assert!(
            detail(&report, "data stream `").starts_with(&format!("`{}` applies, before `", own.name)),
            "{engine}: {report:?}"
        );
        assert!(detail(&report, "data stream `").contains(&format!("`{other}`")), "{engine}: {report:?}");

        own.put(&format!("_index_template/{other}"), template(401)).await;
        let report = own.setup(json!({}), true).await;
        assert_eq!(of_records(&report), Verdict::Warning, "{engine}: {report:?}");
        assert!(
            detail(&report, "data stream `").starts_with(&format!("`{other}` applies, with priority 401")),
            "{engine}: {report:?}"
        );

        let (status, _) = own.stream.call(Method::DELETE, &format!("_index_template/{other}"), None).await;
        assert_eq!(status, 200);
        let report = own.setup(json!({"pattern": format!("{}elsewhere", own.stream.name())}), false).await;
        assert_eq!(of_records(&report), Verdict::Warning, "{engine}: {report:?}");
        assert!(detail(&report, "data stream `").contains("setup.template.pattern"), "{engine}: {report:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_users_component_template_has_the_last_word() {
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let own = Own::new(&search.url, "custom");
        let custom =
            json!({"template": {"mappings": {"properties": {"event": {"properties": {"id": {"type": "text"}}}}}}});
        own.put(&format!("_component_template/{}@custom", own.name), custom).await;
        let report = own.setup(json!({}), false).await;
        assert!(!report.failed(), "{engine}: {report:?}");
        assert_eq!(verdicts(&report, "@custom"), [Verdict::Ok], "{engine}: {report:?}");
        own.ship(json!({})).await;
        let types = own.types().await;
        assert_eq!(types["event.id"]["type"], "text", "{engine}");
        assert_eq!(types["event.action"]["type"], "keyword", "{engine}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_template_that_hides_ours_is_told() {
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let own = Own::new(&search.url, "hiding");
        let hiding = json!({"template": {"mappings": {"_meta": {"managed_by": "trailship", "fingerprint": "mine"}}}});
        own.put(&format!("_component_template/{}@custom", own.name), hiding).await;
        let report = own.setup(json!({}), false).await;
        assert_eq!(of_records(&report), Verdict::Warning, "{engine}: {report:?}");
        assert!(detail(&report, "data stream `").contains("would have other mappings"), "{engine}: {report:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_refuses_for_other_reasons_is_shown_and_nothing_is_installed() {
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let own = Own::new(&search.url, "refused");
        let report = own.setup(json!({"settings": {"index": {"number_of_shard": 1}}}), false).await;
        assert!(report.failed(), "{engine}: {report:?}");
        assert!(detail(&report, "setup").contains("unknown setting [index.number_of_shard]"), "{engine}: {report:?}");
        for path in [format!("_component_template/{}*", own.name), format!("_index_template/{}*", own.name)] {
            let (status, _) = own.stream.call(Method::GET, &path, None).await;
            assert_eq!(status, 404, "{engine}: {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unexpected_values_cost_no_document() {
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let own = Own::new(&search.url, "unexpected");
        let report = own.setup(json!({}), false).await;
        assert!(!report.failed(), "{engine}: {report:?}");
        // What AWS adds next, in two shapes under one name.
        own.ship(json!({"aws": {"cloudtrail": {"new_member": {"a": [1, {"b": "c"}]}}}})).await;
        own.ship(json!({"aws": {"cloudtrail": {"new_member": "text", "user_identity": {"new_member": [{"x": 1}]}}}}))
            .await;
        own.ship(json!({"source": {"ip": "ec2.amazonaws.com"}, "event": {"created": "some day"}})).await;
        own.ship(json!({"aws": {"cloudtrail": {"request_parameters": "x".repeat(40_000)}}, "event": {"original": "x".repeat(40_000)}})).await;
        own.ship(json!({"labels": {"team": "x".repeat(40_000)}, "server": {"ip": "192.0.2.1", "geo": {"location": {"lat": 1.5, "lon": 2}}}, "message": "free text"})).await;
        // Fewer leaves than the limit, but longer than a term where the type has a limit for them.
        if engine.starts_with("elasticsearch") {
            own.ship(
                json!({"aws": {"cloudtrail": {"flattened": {"request_parameters": {"policy": "x".repeat(40_000)}}}}}),
            )
            .await;
        }
        let types = own.types().await;
        assert!(!types.keys().any(|name| name.contains("new_member")), "{engine}");
        assert_eq!(types["server.ip"]["type"], "ip");
        assert_eq!(types["server.geo.location"]["type"], "geo_point");
        assert_eq!(types["labels.team"], json!({"type": "keyword", "ignore_above": 1024}));
        let query = json!({"query": {"term": {"server.ip": "192.0.2.0/24"}}});
        let (_, answer) = own.stream.call(Method::POST, &format!("{}/_count", own.stream.name()), Some(query)).await;
        assert_eq!(answer["count"], 1, "{engine}: {answer}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_said() {
    let own = Own::new("http://127.0.0.1:1", "silent");
    let report = own.setup(json!({}), false).await;
    assert_eq!(verdicts(&report, "server"), [Verdict::Failed], "{report:?}");
    let report = own.setup(json!({"enabled": false}), false).await;
    assert!(!report.failed() && report.steps.len() == 1, "{report:?}");
}
