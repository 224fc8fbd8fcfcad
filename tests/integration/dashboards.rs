//! Every panel of every dashboard, searched on real servers as Kibana would: answered, and with what must be there.

use crate::have;
use crate::support::program::Program;
use crate::support::search::Stream;
use crate::support::servers::{Server, engines};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use trailship::kibana::dashboards::answer::Cell;
use trailship::kibana::dashboards::ask::{Answer, AskFault, Searcher, ask};
use trailship::kibana::dashboards::model::{Dashboard, Draw, Panel};
use trailship::kibana::dashboards::search::{Scope, Search, SearchFault};
use trailship::kibana::dashboards::{Options, all};
use trailship::kibana::preview::{self, abilities};
use trailship::output::elasticsearch::{Cluster, ElasticsearchConfig};

/// Panels over the field that the server computes: OpenSearch does, the Elasticsearch of the tests has no scripts.
const COMPUTED: [&str; 3] = ["health/lag", "health/lag-course", "health/last-heard"];

/// The four hours of the sample trail and of the scenes.
const FROM: &str = "2026-03-02T22:00:00Z";
const TO: &str = "2026-03-03T02:59:59.999Z";

#[tokio::test(flavor = "multi_thread")]
async fn every_panel_shows_the_scenes_that_it_is_about() {
    let scenes: Value = serde_json::from_str(include_str!("../dashboards/scenes.json")).unwrap();
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let own = Own::new(&search.url, "scenes").await;
        own.ship_records(&scenes["records"]);
        own.index("aws.cloudtrail_integrity", &scenes["integrity"]).await;
        own.index("aws.cloudtrail_dead_letter", &scenes["dead_letter"]).await;
        let panels = own.ask_all().await;
        assert!(panels.len() > 80, "{engine}: {}", panels.len());
        for (name, (dataset, answer)) in &panels {
            let Some(answer) = answer else {
                assert!(engine.starts_with("elasticsearch"), "{engine} computes {name}");
                continue;
            };
            let expected = about(&scenes, name, dataset);
            assert!(expected > 0, "{name}: no scene is about it");
            assert_eq!(answer.main.total, expected, "{engine}: {name}");
            assert!(!answer.main.lines.is_empty(), "{engine}: {name} is empty");
            let filled = answer.main.lines.iter().flat_map(|line| &line.values).any(|cell| *cell != Cell::Empty);
            assert!(filled, "{engine}: {name} has no number");
            if let Some(trend) = &answer.trend {
                assert!(trend.lines.iter().any(|line| line.values[0].number() > Some(0.0)), "{engine}: {name} is flat");
            }
        }
        for (name, number) in scenes["numbers"].as_object().unwrap() {
            assert_eq!(first(&panels, name), number.as_f64(), "{engine}: {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_trail_has_its_known_numbers() {
    let expected: Value = serde_json::from_str(include_str!("../../samples/expected.json")).unwrap();
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let own = Own::new(&search.url, "sample").await;
        own.ship(&format!("{}/samples/AWSLogs", env!("CARGO_MANIFEST_DIR")));
        let panels = own.ask_all().await;
        let succeeded = expected["sign_ins"].as_u64().unwrap() - expected["failed_sign_ins"].as_u64().unwrap();
        let numbers = [
            ("overview/events", expected["documents"].as_u64()),
            ("overview/errors", expected["events_with_error_code"].as_u64()),
            ("identity/sign-ins", Some(succeeded)),
            ("identity/sign-in-failures", expected["failed_sign_ins"].as_u64()),
            ("data-events/data", expected["events_by_category"]["Data"].as_u64()),
            ("data-events/endpoints", expected["events_by_category"]["NetworkActivity"].as_u64()),
            // Each insight has a start and an end.
            ("data-events/insights", expected["events_by_category"]["Insight"].as_u64().map(|records| records / 2)),
        ];
        for (name, number) in numbers {
            let answer = panels[name].1.as_ref().unwrap();
            assert_eq!(Some(answer.main.total), number, "{engine}: {name}");
        }
        let actions = &panels["overview/actions"].1.as_ref().unwrap().main.lines;
        let top = expected["top_actions"].as_array().unwrap();
        for (line, action) in actions.iter().zip(top) {
            assert_eq!(line.keys[0].text(), action["action"].as_str().unwrap(), "{engine}");
            let counted: f64 = line.values.iter().filter_map(|cell| cell.number()).sum();
            assert_eq!(Some(counted), action["count"].as_f64(), "{engine}: {action}");
        }
        let outcomes = &panels["overview/outcomes"].1.as_ref().unwrap().main;
        let failed: f64 = outcomes.lines.iter().filter_map(|line| line.values[1].number()).sum();
        assert_eq!(Some(failed), first(&panels, "overview/failed"), "{engine}: bars against the number");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_is_a_page_for_every_dashboard() {
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let own = Own::new(&search.url, "preview").await;
        own.ship(&format!("{}/samples/AWSLogs", env!("CARGO_MANIFEST_DIR")));
        assert!(own.stream.count().await > 0);
        let (folder, dashboards) = (tempfile::tempdir().unwrap(), all(&Options::default()));
        let when = preview::When { from: Some(FROM.parse().unwrap()), to: TO.parse().unwrap() };
        let report = preview::run(&cluster(&search.url), &dashboards, when, folder.path()).await.unwrap();
        assert_eq!(report.files.len(), dashboards.len() + 1);
        let most = if engine.starts_with("elasticsearch") { COMPUTED.len() } else { 0 };
        assert!(report.faults.len() <= most, "{engine}: {:?}", report.faults);
        for file in &report.files {
            let page = std::fs::read_to_string(file).unwrap();
            assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"), "{engine}: {}", file.display());
        }
        let overview = std::fs::read_to_string(folder.path().join("trailship-overview.html")).unwrap();
        assert!(overview.contains("payments-api") && !overview.contains("class=\"nothing\""), "{engine}");
    }
}

#[tokio::test]
async fn a_preview_of_a_server_that_does_not_answer_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let when = preview::When { from: None, to: TO.parse().unwrap() };
    let path = folder.path().join("pages");
    let fault = preview::run(&cluster("http://127.0.0.1:1"), &all(&Options::default()), when, &path).await.unwrap_err();
    assert!(fault.to_string().starts_with("the server does not answer: "), "{fault}");
    assert!(!path.exists());
}

fn cluster(url: &str) -> Cluster {
    let config: ElasticsearchConfig = serde_json::from_value(json!({"hosts": [url]})).unwrap();
    let Ok(settings) = config.settle("default") else { panic!("the settings are right") };
    Cluster::new(Arc::new(settings)).unwrap()
}

/// By `dashboard/panel`: the dataset of a panel and its answer; none where the server cannot compute.
type Panels = BTreeMap<String, (&'static str, Option<Answer>)>;

/// Data streams of one test, filled by the program itself.
struct Own {
    stream: Stream,
}

impl Own {
    async fn new(url: &str, test: &str) -> Own {
        let own = Own { stream: Stream::new(url, test) };
        own.program("/nowhere").setup();
        own
    }

    fn program(&self, path: &str) -> Program {
        let input = format!(
            "  - type: file\n    paths: ['{path}']\n    cloudtrail_regex: '/CloudTrail(-NetworkActivity)?/|scenes'\n    cloudtrail_digest_regex: '/CloudTrail-Digest/'"
        );
        Program::new(&input, &Program::elasticsearch(&self.stream.url, &self.stream.namespace, ""), "")
    }

    fn ship(&self, path: &str) {
        self.program(path).once();
    }

    fn ship_records(&self, scenes: &Value) {
        let records: Vec<&Value> = scenes.as_array().unwrap().iter().map(|scene| &scene["record"]).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scenes.json");
        std::fs::write(&path, json!({"Records": records}).to_string()).unwrap();
        self.ship(path.to_str().unwrap());
    }

    async fn index(&self, dataset: &str, scenes: &Value) {
        let name = format!("logs-{dataset}-{}", self.stream.namespace);
        for scene in scenes.as_array().unwrap() {
            let mut document = scene["document"].clone();
            document["data_stream"] = json!({"type": "logs", "dataset": dataset, "namespace": self.stream.namespace});
            let (status, answer) =
                self.stream.call(Method::POST, &format!("{name}/_doc?refresh=true"), Some(document)).await;
            assert_eq!(status, 201, "{answer}");
        }
    }

    async fn ask_all(&self) -> Panels {
        assert!(self.stream.count().await > 0);
        let searcher = Mine { own: self, cluster: cluster(&self.stream.url) };
        let abilities = abilities(&searcher).await.unwrap();
        let scope = Scope { from: FROM.parse().unwrap(), to: TO.parse().unwrap(), abilities };
        let mut panels = BTreeMap::new();
        for dashboard in all(&Options::default()) {
            for (_, panel) in dashboard.placed().filter(|(_, panel)| !matches!(panel.draw, Draw::Text(_))) {
                let name = format!("{}/{}", dashboard.id.strip_prefix("trailship-").unwrap(), panel.id);
                let answer = asked(&searcher, &dashboard, panel, &scope, &name).await;
                panels.insert(name, (panel.data(&dashboard).dataset(), answer));
            }
        }
        panels
    }
}

async fn asked(searcher: &Mine<'_>, dashboard: &Dashboard, panel: &Panel, scope: &Scope, name: &str) -> Option<Answer> {
    match ask(searcher, dashboard, panel, scope).await {
        Ok(answer) => Some(answer.unwrap_or_else(|| panic!("{name} asks nothing"))),
        Err(AskFault::Search(SearchFault::Computed { .. })) if COMPUTED.contains(&name) => None,
        Err(fault) => panic!("{name}: {fault}"),
    }
}

/// Searches the streams of this test alone, whatever others have indexed.
struct Mine<'a> {
    own: &'a Own,
    cluster: Cluster,
}

impl Searcher for Mine<'_> {
    async fn send(&self, search: &Search) -> Result<Value, String> {
        let index = search.index.replace('*', &self.own.stream.namespace);
        preview::Cluster(&self.cluster).send(&Search { index, body: search.body.clone() }).await
    }
}

/// How many scenes a panel shows: those of its topics, or all of its data.
fn about(scenes: &Value, name: &str, dataset: &str) -> u64 {
    let all = match dataset {
        "aws.cloudtrail" => &scenes["records"],
        "aws.cloudtrail_integrity" => &scenes["integrity"],
        _ => &scenes["dead_letter"],
    };
    let all = all.as_array().unwrap();
    let panels = scenes["panels"].as_object().unwrap();
    let topic = panels.iter().find(|(_, panels)| panels.as_array().unwrap().iter().any(|panel| panel == name));
    let found = match topic {
        None => all.len(),
        Some((topic, _)) => {
            all.iter().filter(|scene| scene["topics"].as_array().unwrap().contains(&json!(topic))).count()
        }
    };
    u64::try_from(found).unwrap()
}

/// The first number of a panel.
fn first(panels: &Panels, name: &str) -> Option<f64> {
    panels[name].1.as_ref().unwrap().main.lines[0].values[0].number()
}
