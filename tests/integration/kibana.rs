//! `trailship setup --dashboards --rules` as a user runs it, against a Kibana on a real socket.
//!
//! The server is the one of the client's own tests; no search server is needed, as these flags ask none.

#[path = "../../src/kibana/client/fake/mod.rs"]
mod fake;

use crate::support::program::Program;
use fake::{Fake, Fault};
use serde_json::Value;
use std::process::Output;

/// A program whose `setup.kibana` is this Kibana; `more` are lines of that section.
fn program(fake: &Fake, more: &str) -> Program {
    let lines: String = more.lines().map(|line| format!("  {line}\n")).collect();
    Program::new(
        "  - type: file\n    paths: ['none/*.json']",
        "output.elasticsearch: {hosts: ['http://127.0.0.1:9'], api_key: 'id:hidden-key'}",
        &format!("setup.kibana:\n  host: '{}'\n{lines}", fake.url()),
    )
}

fn setup(program: &Program, more: &[&str]) -> (Output, Vec<(String, String, String)>) {
    let arguments = [&["setup", "--dashboards", "--rules", "--format", "json"], more].concat();
    let output = program.output(&arguments);
    for stream in [&output.stdout, &output.stderr] {
        assert!(!String::from_utf8_lossy(stream).contains("hidden"), "a secret is shown");
    }
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let text = |step: &Value, name: &str| step[name].as_str().unwrap().to_owned();
    let steps = report["steps"].as_array().into_iter().flatten();
    let steps = steps.map(|step| (text(step, "what"), text(step, "verdict"), text(step, "detail"))).collect();
    (output, steps)
}

/// Verdicts of the steps about objects of a kind.
fn verdicts<'a>(steps: &'a [(String, String, String)], kind: &str) -> Vec<&'a str> {
    let of_kind = steps.iter().filter(|(what, ..)| what.starts_with(&format!("{kind} `")));
    of_kind.map(|(_, verdict, _)| verdict.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dashboards_and_rules_are_installed_once() {
    let fake = Fake::start(&[Fault::Starting]).await;
    // printf 'id:hidden-key' | base64: the output's login serves where there is none for Kibana.
    fake.state().authorization = Some("ApiKey aWQ6aGlkZGVuLWtleQ==".to_owned());
    let program = program(&fake, "");

    let (output, steps) = setup(&program, &["--dry-run"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(verdicts(&steps, "dashboard"), ["created"; 6]);
    assert!(fake.state().kept.is_empty());

    let (output, steps) = setup(&program, &[]);
    assert!(output.status.success(), "{steps:?}");
    assert_eq!(verdicts(&steps, "dashboard"), ["created"; 6]);
    assert_eq!(verdicts(&steps, "data view"), ["created"; 3]);
    let rules = verdicts(&steps, "rule");
    assert!(rules.len() >= 20 && rules.iter().all(|verdict| *verdict == "created"), "{rules:?}");
    assert_eq!(fake.state().kept.len(), 9 + rules.len());

    let imports = fake.state().imports();
    let (output, steps) = setup(&program, &[]);
    assert!(output.status.success(), "{steps:?}");
    assert!(steps.iter().skip(1).all(|(_, verdict, _)| verdict == "unchanged"), "{steps:?}");
    assert_eq!(fake.state().imports(), imports);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_space_and_a_login_of_its_own_are_used() {
    let fake = Fake::start(&[]).await;
    // printf 'kib:hidden-pass' | base64
    fake.state().authorization = Some("Basic a2liOmhpZGRlbi1wYXNz".to_owned());
    let program = program(&fake, "space.id: audit\nusername: kib\npassword: hidden-pass");
    let (output, steps) = setup(&program, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(steps.last().unwrap().2.contains("there is no space `audit`"), "{steps:?}");
    fake.state().spaces.insert("audit".to_owned());
    let (output, steps) = setup(&program, &[]);
    assert!(output.status.success(), "{steps:?}");
    assert!(fake.state().kept.keys().all(|(space, ..)| space == "audit"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_kibana_refuses_ends_with_a_reason_and_exit_code_1() {
    let fake = Fake::start(&[]).await;
    let program = program(&fake, "wait: 1s");
    for (fault, told) in [
        (Fault::Status(401), "setup.kibana.api_key"),
        (Fault::Page(404), "setup.kibana.path"),
        (Fault::Starting, "not ready yet"),
    ] {
        fake.state().always = fault;
        let (output, steps) = setup(&program, &[]);
        assert_eq!(output.status.code(), Some(1), "{fault:?}");
        let (_, verdict, detail) = steps.last().unwrap();
        assert!(verdict == "failed" && detail.contains(told), "{fault:?}: {steps:?}");
    }
    fake.state().always = Fault::None;
    fake.state().version = Some("3.8.0".to_owned());
    let (output, steps) = setup(&program, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(steps[0].2.contains("OpenSearch Dashboards 3.8.0"), "{steps:?}");
}

#[test]
fn wrong_settings_of_kibana_are_usage_errors() {
    let program = Program::new(
        "  - type: file\n    paths: ['none/*.json']",
        "output.elasticsearch.hosts: ['http://127.0.0.1:9']",
        "setup.kibana: {host: 'ftp://kibana', space.id: 'My Space'}",
    );
    let output = program.output(&["setup", "--dashboards"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("setup.kibana.host") && said.contains("setup.kibana.space.id"), "{said}");
}
