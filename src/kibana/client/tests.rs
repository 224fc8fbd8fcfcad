//! The client against a Kibana on a real socket that gives every documented answer.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use super::answer::{Key, RULE};
use super::fake::{Fake, Fault};
use super::http::Call;
use super::import::form;
use super::refusal::About;
use super::{Greeting, Imported, Kibana, KibanaConfig, KibanaError};
use crate::output::elasticsearch::Content;
use bytes::Bytes;
use serde_json::{Value, json};

/// Settings for a fake; `more` are members of `setup.kibana`.
fn kibana(url: &str, more: Value) -> Kibana {
    let mut config = json!({"host": url, "wait": "60s"});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let config: KibanaConfig = serde_json::from_value(config).unwrap();
    Kibana::new(&config.settle(None).map_err(|faults| format!("{faults:?}")).unwrap().hurried()).unwrap()
}

fn plain(fake: &Fake) -> Kibana {
    kibana(&fake.url(), json!({}))
}

fn view() -> Value {
    json!({"type": "index-pattern", "id": "view", "attributes": {"title": "logs-*"}, "references": [],
        "coreMigrationVersion": "8.8.0", "typeMigrationVersion": "8.0.0"})
}

fn dashboard(id: &str) -> Value {
    json!({"type": "dashboard", "id": id, "attributes": {"title": id}, "coreMigrationVersion": "8.8.0",
        "typeMigrationVersion": "8.9.0", "references": [{"type": "index-pattern", "id": "view", "name": "x"}]})
}

fn file(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn keys(lines: &[Value]) -> Vec<Key> {
    lines.iter().map(|line| Key::new(line["type"].as_str().unwrap(), line["id"].as_str().unwrap())).collect()
}

async fn import(kibana: &Kibana, lines: &[Value]) -> Result<Imported, KibanaError> {
    kibana.import_objects(&file(lines), &keys(lines)).await
}

/// What is said when an import fails.
async fn fault(fake: &Fake, lines: &[Value]) -> String {
    import(&plain(fake), lines).await.unwrap_err().to_string()
}

#[tokio::test]
async fn waits_until_kibana_has_started() {
    use Fault::{Cut, Page, Starting, Status, Unavailable};
    let fake = Fake::start(&[Starting, Cut, Page(502), Unavailable, Status(429), Page(504)]).await;
    assert_eq!(plain(&fake).greet().await.unwrap(), Greeting::Kibana("9.2.0".to_owned()));
    // A broken connection may be tried again by the HTTP client too.
    assert!(fake.state().asked.len() >= 7, "{:?}", fake.state().asked);
    assert!(fake.state().asked.iter().all(|asked| asked == "GET /api/status"));
}

#[tokio::test]
async fn gives_up_with_the_last_answer() {
    for (always, told) in [
        (Fault::Starting, "answered 503 (tried "),
        (Fault::Unavailable, "elasticsearch is unavailable"),
        (Fault::Status(429), "answered 429 (tried "),
        (Fault::Cut, "connection broke"),
    ] {
        let fake = Fake::start(&[]).await;
        fake.state().always = always;
        let said = kibana(&fake.url(), json!({"wait": "20ms"})).greet().await.unwrap_err().to_string();
        assert!(said.contains(told) && said.contains("setup.kibana.wait"), "{said}");
    }
}

#[tokio::test]
async fn nobody_there_is_said_with_the_setting() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let said = kibana(&url, json!({"wait": "20ms"})).greet().await.unwrap_err().to_string();
    assert!(said.contains("GET /api/status") && said.contains("check `setup.kibana.host`"), "{said}");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_told_once() {
    let fake = Fake::start(&[]).await;
    let url = fake.url().replace("http:", "https:");
    let said = kibana(&url, json!({})).greet().await.unwrap_err();
    assert!(matches!(&said, KibanaError::Insecure { .. }), "{said}");
    assert!(said.to_string().contains("setup.kibana.protocol"), "{said}");
}

#[tokio::test]
async fn versions_decide_who_is_given_files() {
    let fake = Fake::start(&[]).await;
    for (version, accepted) in [
        ("8.9.0", true),
        ("8.19.4", true),
        ("9.6.0-SNAPSHOT", true),
        ("10.0.0", true),
        ("8.8.2", false),
        ("7.17.28", false),
    ] {
        fake.state().version = Some(version.to_owned());
        match plain(&fake).greet().await {
            Ok(greeting) => assert!(accepted && greeting == Greeting::Kibana(version.to_owned()), "{version}"),
            Err(fault) => assert!(!accepted && fault.to_string().contains("8.9 or newer"), "{version}: {fault}"),
        }
    }
    fake.state().version = None;
    assert_eq!(plain(&fake).greet().await.unwrap(), Greeting::Unknown);
}

#[tokio::test]
async fn opensearch_dashboards_is_refused_by_name() {
    let fake = Fake::start(&[]).await;
    for version in ["2.19.3", "3.8.0"] {
        fake.state().version = Some(version.to_owned());
        let said = plain(&fake).greet().await.unwrap_err().to_string();
        assert!(said.contains(&format!("OpenSearch Dashboards {version}")) && said.contains("Lens"), "{said}");
    }
}

#[tokio::test]
async fn what_is_not_kibana_is_said_with_what_it_sent() {
    for status in [200, 404, 500] {
        let fake = Fake::start(&[Fault::Page(status)]).await;
        let said = plain(&fake).greet().await.unwrap_err().to_string();
        assert!(said.contains("not as Kibana does: <html> <h1>") && said.contains("setup.kibana.path"), "{said}");
    }
    let fake = Fake::start(&[]).await;
    fake.state().version = Some("latest".to_owned());
    assert!(matches!(plain(&fake).greet().await, Err(KibanaError::Foreign { .. })));
}

#[tokio::test]
async fn logins_and_headers_arrive() {
    let fake = Fake::start(&[]).await;
    // printf 'kib:pass' | base64; printf 'id:key' | base64
    for (login, sent) in [
        (json!({"username": "kib", "password": "pass"}), "Basic a2liOnBhc3M="),
        (json!({"api_key": "id:key"}), "ApiKey aWQ6a2V5"),
        (json!({"api_key": "aWQ6a2V5"}), "ApiKey aWQ6a2V5"),
    ] {
        fake.state().authorization = Some(sent.to_owned());
        let mut more = login;
        more["headers"] = json!({"X-Own": "yes"});
        kibana(&fake.url(), more).greet().await.unwrap();
        let state = fake.state();
        assert_eq!((state.headers["kbn-xsrf"].as_str(), state.headers["x-own"].as_str()), ("trailship", "yes"));
    }
    let wrong = kibana(&fake.url(), json!({"api_key": "id:hidden"}));
    let said = wrong.greet().await.unwrap_err().to_string();
    assert!(said.contains("refused with 401") && said.contains("setup.kibana.api_key"), "{said}");
    assert!(!said.contains("hidden"), "{said}");
}

#[tokio::test]
async fn spaces_are_looked_for_and_used() {
    let fake = Fake::start(&[]).await;
    let missing = kibana(&fake.url(), json!({"space": {"id": "audit"}}));
    let said = missing.find_space().await.unwrap_err().to_string();
    assert!(said.contains("no space `audit`") && said.contains("setup.kibana.space.id"), "{said}");
    fake.state().spaces.insert("audit".to_owned());
    missing.find_space().await.unwrap();
    import(&missing, &[view()]).await.unwrap();
    assert_eq!(fake.state().asked.last().unwrap(), "POST /s/audit/api/saved_objects/_import?overwrite=true");
    assert!(missing.find_objects(&keys(&[view()])).await.unwrap().len() == 1);
    assert!(plain(&fake).find_objects(&keys(&[view()])).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_kibana_below_a_path_is_asked_there() {
    let fake = Fake::start(&[Fault::Page(200)]).await;
    let below = kibana(&fake.url(), json!({"path": "/kb", "space": {"id": "audit"}}));
    let _ = import(&below, &[view()]).await;
    assert_eq!(fake.state().asked, ["POST /kb/s/audit/api/saved_objects/_import?overwrite=true"]);
}

#[tokio::test]
async fn files_arrive_and_replace_what_is_there() {
    let fake = Fake::start(&[]).await;
    let lines = [view(), dashboard("a"), dashboard("b")];
    for _ in 0..2 {
        assert_eq!(import(&plain(&fake), &lines).await.unwrap(), Imported::default());
    }
    for line in &lines {
        let (kind, id) = (line["type"].as_str().unwrap(), line["id"].as_str().unwrap());
        assert_eq!(fake.state().object(kind, id), Some(line));
    }
}

#[tokio::test]
async fn references_that_nobody_has_are_named() {
    let fake = Fake::start(&[]).await;
    let imported = import(&plain(&fake), &[dashboard("a")]).await.unwrap();
    let [(key, why)] = imported.failed.as_slice() else { panic!("{imported:?}") };
    assert_eq!(key.to_string(), "dashboard `a`");
    assert!(why.contains("data view `view`"), "{why}");
    assert!(fake.state().kept.is_empty());
}

#[tokio::test]
async fn partial_failures_are_told_for_each_object() {
    let fake = Fake::start(&[]).await;
    let strange = json!({"type": "canvas", "id": "c", "attributes": {"title": "c"}, "references": []});
    let lines = [view(), dashboard("a"), strange];
    let imported = import(&plain(&fake), &lines).await.unwrap();
    let [(key, why)] = imported.failed.as_slice() else { panic!("{imported:?}") };
    assert_eq!(key.to_string(), "canvas `c`");
    assert!(why.contains("does not know objects of type `canvas`"), "{why}");
    assert_eq!(fake.state().kept.len(), 2);

    let unknown = json!({"type": "unknown", "statusCode": 403, "message": "Unable to bulk_create dashboard"});
    fake.state().refused.insert("a".to_owned(), unknown);
    let imported = import(&plain(&fake), &[view(), dashboard("a")]).await.unwrap();
    assert_eq!(imported.failed.len(), 1);
    assert!(imported.failed[0].1.contains("Unable to bulk_create dashboard (403)"), "{imported:?}");

    // A conflict stops the whole file, although the answer lists the view among its results.
    fake.state().refused.insert("a".to_owned(), json!({"type": "ambiguous_conflict", "destinations": [{"id": "x"}]}));
    let imported = import(&plain(&fake), &[view(), dashboard("a")]).await.unwrap();
    assert_eq!(imported.failed.len(), 2);
    assert!(imported.failed[0].1.contains("several objects could be meant: `x`"), "{imported:?}");
}

#[tokio::test]
async fn refusals_of_a_file_say_what_to_do() {
    let fake = Fake::start(&[]).await;
    let mut newer = dashboard("a");
    newer["typeMigrationVersion"] = json!("10.2.0");
    let said = fault(&fake, &[view(), newer]).await;
    assert!(said.contains("refused with 422: Document \"a\" belongs to a more recent version"), "{said}");
    assert!(said.contains("this Kibana is too old"), "{said}");

    let said = fault(&fake, &[view(), view()]).await;
    assert!(said.contains("refused with 400: Non-unique"), "{said}");

    fake.state().largest = 100;
    let said = fault(&fake, &[view()]).await;
    assert!(said.contains("413") && said.contains("client_max_body_size"), "{said}");
    fake.state().largest = usize::MAX;

    fake.state().denied.push("saved_objects");
    let said = fault(&fake, &[view()]).await;
    assert!(said.contains("403") && said.contains("Saved Objects Management: All"), "{said}");
    fake.state().denied.clear();

    for (status, told) in [(409, "somebody else changes"), (404, "setup.kibana.path"), (500, "Kibana's own log")] {
        fake.state().script.push_back(Fault::Status(status));
        let said = fault(&fake, &[view()]).await;
        assert!(said.contains(&format!("{status}: as asked")) && said.contains(told), "{said}");
    }
    fake.state().script.push_back(Fault::Page(413));
    let said = fault(&fake, &[view()]).await;
    assert!(said.contains("413 of a proxy") && said.contains("client_max_body_size"), "{said}");
    assert!(fake.state().kept.is_empty());
}

#[tokio::test]
async fn the_form_is_one_that_kibana_takes() {
    let fake = Fake::start(&[]).await;
    let kibana = plain(&fake);
    let Content::Form { bytes, kind } = form(&file(&[view()])) else { panic!("it is a form") };
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let path = "api/saved_objects/_import?overwrite=true";
    for (body, told) in [
        (text.clone(), None),
        (text.replace("trailship.ndjson", "trailship.json"), Some("Invalid file extension .json")),
        (text.replace("name=\"file\"", "name=\"data\""), Some("[request body.file]")),
        (text.replace("--\r\n", "\r\n"), Some("Invalid multipart payload format")),
        (text.replace("\"type\"", "type"), Some("Unexpected token")),
    ] {
        let content = Content::Form { bytes: Bytes::from(body), kind: kind.clone() };
        let answer = kibana.ask(Call::post(About::Dashboards, path, content)).await.unwrap();
        match told {
            None => assert_eq!(answer.accepted().unwrap()["success"], true),
            Some(told) => assert!(answer.refusal().to_string().contains(told), "{}", answer.refusal()),
        }
    }
}

#[tokio::test]
async fn an_import_that_breaks_off_is_done_again() {
    use Fault::{Cut, CutAfter, Starting, Status};
    let fake = Fake::start(&[Status(429), Cut, CutAfter, Starting]).await;
    assert_eq!(import(&plain(&fake), &[view(), dashboard("a")]).await.unwrap(), Imported::default());
    assert_eq!(fake.state().kept.len(), 2);
}

#[tokio::test]
async fn an_answer_to_an_import_that_is_none_is_no_success() {
    let fake = Fake::start(&[Fault::Page(200)]).await;
    let said = fault(&fake, &[view()]).await;
    assert!(said.contains("answered 200, but not as Kibana does"), "{said}");
}

#[tokio::test]
async fn what_is_there_is_found_whatever_is_missing() {
    let fake = Fake::start(&[]).await;
    let kibana = plain(&fake);
    let all = [view(), dashboard("a"), dashboard("b")];
    assert!(kibana.find_objects(&keys(&all)).await.unwrap().is_empty());
    import(&kibana, &all[..2]).await.unwrap();
    let found = kibana.find_objects(&keys(&all)).await.unwrap();
    assert_eq!(
        found.keys().cloned().collect::<Vec<_>>(),
        [Key::new("dashboard", "a"), Key::new("index-pattern", "view")]
    );
    assert_eq!(found[&Key::new("dashboard", "a")]["attributes"]["title"], "a");
    fake.state().script.push_back(Fault::Status(400));
    assert!(matches!(kibana.find_objects(&keys(&all)).await, Err(KibanaError::Refused { status: 400, .. })));
}

#[tokio::test]
async fn rules_are_imported_and_found() {
    let fake = Fake::start(&[]).await;
    let kibana = plain(&fake);
    let rule = |id: &str| json!({"rule_id": id, "name": id, "query": "a: b", "type": "query"});
    let (lines, keys) = ([rule("r1"), rule("r2")], [Key::new(RULE, "r1"), Key::new(RULE, "r2")]);
    assert!(kibana.find_rules(&keys).await.unwrap().is_empty());
    fake.state().refused.insert("r2".to_owned(), json!({"status_code": 400, "message": "risk_score: Required"}));
    let imported = kibana.import_rules(&file(&lines), &keys).await.unwrap();
    let [(key, why)] = imported.failed.as_slice() else { panic!("{imported:?}") };
    assert_eq!(key.to_string(), "rule `r2`");
    assert!(why.contains("risk_score: Required (400)"), "{why}");
    let found = kibana.find_rules(&keys).await.unwrap();
    assert_eq!(found.into_keys().collect::<Vec<_>>(), [Key::new(RULE, "r1")]);

    fake.state().denied.push("detection_engine");
    let said = kibana.import_rules(&file(&lines), &keys).await.unwrap_err().to_string();
    assert!(said.contains("403") && said.contains("Security: All"), "{said}");
    fake.state().denied.clear();
    fake.state().has_security = false;
    let said = kibana.find_rules(&keys).await.unwrap_err().to_string();
    assert!(said.contains("404") && said.contains("no Elastic Security"), "{said}");
}
