//! Exit codes, messages, and what `map` and `export` print.

use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn trailship(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_trailship"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn documents(bytes: &[u8]) -> Vec<Value> {
    text(bytes).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A configuration file that only its owner may write, as `--strict.perms` wants it.
fn file(folder: &Path, content: &str) -> String {
    let path = folder.join("trailship.yml");
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn version_and_help() {
    let version = trailship(&["version"], b"");
    assert!(version.status.success());
    assert!(text(&version.stdout).starts_with(&format!("trailship {}", env!("CARGO_PKG_VERSION"))));
    let help = trailship(&["run", "--help"], b"");
    assert!(help.status.success());
    assert!(text(&help.stdout).contains("Examples:"));
    assert_eq!(trailship(&["ruin"], b"").status.code(), Some(2));
}

#[test]
fn a_wrong_key_is_answered_with_its_place_and_the_nearest_right_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(
        folder.path(),
        "trailship.inputs:\n  - type: aws-s3\n    queue_url: https://sqs.eu-west-1.amazonaws.com/111122223333/trail\n    visibility_timout: 300s\noutput.elasticsearch:\n  hosts: ['http://localhost:9200']\n  bulk_max_size: two\n",
    );
    let output = trailship(&["test", "config", "-c", &path], b"");
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("trailship.yml:4:5"), "{said}");
    assert!(said.contains("visibility_timout") && said.contains("did you mean `visibility_timeout`?"), "{said}");
    assert!(said.contains("trailship.yml:7:18") && said.contains("`two`"), "all errors at once: {said}");
}

#[test]
fn rules_drop_and_change_what_is_shipped_and_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let records: Vec<String> = ["Decrypt", "Decrypt", "GetUser", "RunInstances"]
        .iter()
        .enumerate()
        .map(|(n, name)| format!(r#"{{"eventID":"e-{n}","recipientAccountId":"111122223333","eventName":"{name}"}}"#))
        .collect();
    std::fs::write(folder.path().join("a.json"), format!("{{\"Records\":[{}]}}", records.join(","))).unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let path = file(
        folder.path(),
        &format!(
            "trailship.inputs:\n- type: file\n  paths: ['{}']\n  tags: [mine]\n  fields: {{team: a}}\n  processors:\n  - drop_event: {{id: noise, when.equals.eventName: Decrypt}}\nprocessors:\n- drop_event: {{when.equals: {{event.action: GetUser, fields.team: a}}}}\n- drop_fields: {{fields: [agent]}}\noutput.file.path: '{}'\n",
            at("a.json"),
            at("out"),
        ),
    );
    let (data, logs) = (at("data"), at("logs"));
    let run = ["run", "--once", "--format", "json", "-e", "-c", &path, "--path.data", &data, "--path.logs", &logs];
    let output = trailship(&run, b"");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&summary["records"], &summary["indexed"], &summary["filtered"]), (&4.into(), &1.into(), &3.into()));
    assert_eq!(summary["filtered_by_rule"], serde_json::json!({"noise": 2, "processors[0]": 1}));
    assert_eq!(summary["inputs"][0]["unbalanced"], 0);
    let shipped = std::fs::read_dir(at("out")).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let shipped: Vec<Value> = shipped.flat_map(|file| documents(&file)).collect();
    assert_eq!(shipped.len(), 1);
    assert_eq!(shipped[0]["event"]["action"], "RunInstances");
    assert_eq!(shipped[0]["tags"], serde_json::json!(["forwarded", "aws-cloudtrail", "mine"]));
    assert_eq!((&shipped[0]["fields"]["team"], &shipped[0]["agent"]), (&"a".into(), &Value::Null));
}

#[test]
fn the_example_is_right_and_exports_itself() {
    let folder = tempfile::tempdir().unwrap();
    let example = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.yml")).unwrap();
    let path = file(folder.path(), &example);
    let output = trailship(&["test", "config", "-c", &path], b"");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "", "no warnings");
    let exported = trailship(&["export", "config", "-c", &path], b"");
    assert!(exported.status.success());
    let again = file(folder.path(), &text(&exported.stdout));
    let output = trailship(&["export", "config", "-c", &again], b"");
    assert!(output.status.success(), "{}\n{}", text(&exported.stdout), text(&output.stderr));
    assert_eq!(text(&output.stdout), text(&exported.stdout), "what is exported is a configuration, and the same one");
}

/// Every commented key of the example, made live, is a key that the program knows, with the default that it says.
#[test]
fn the_example_says_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let bare = |kind: &str, input: &str, output: &str| {
        format!("trailship.inputs:\n  - type: {kind}\n{input}\noutput.{output}\n")
    };
    for (kind, needed, output) in [
        ("file", "    paths: ['x']", "file:\n  path: out"),
        (
            "aws-s3",
            "    queue_url: https://sqs.eu-west-1.amazonaws.com/111122223333/cloudtrail",
            "console:\n  enabled: true",
        ),
        ("file", "    paths: ['x']", "elasticsearch:\n  enabled: true"),
    ] {
        let short = file(folder.path(), &bare(kind, needed, output));
        let defaults = trailship(&["export", "config", "-c", &short], b"");
        assert!(defaults.status.success(), "{}", text(&defaults.stderr));
        let full = file(folder.path(), &uncommented(kind, needed, output.split(':').next().unwrap()));
        let spelled = Command::new(env!("CARGO_BIN_EXE_trailship"))
            .args(["export", "config", "-c", &full])
            .env("ES_API_KEY", "")
            .output()
            .unwrap();
        let content = std::fs::read_to_string(&full).unwrap();
        assert!(spelled.status.success(), "{}\n{content}", text(&spelled.stderr));
        assert_eq!(text(&spelled.stdout), text(&defaults.stdout), "{content}");
    }
}

/// The example with one input and one output, all of whose keys are live.
fn uncommented(input: &str, needed: &str, output: &str) -> String {
    let example = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.yml")).unwrap();
    let (mut lines, mut take, mut nested) = (vec!["trailship.inputs:".to_owned()], false, None);
    for line in example.lines().skip_while(|line| !line.starts_with("trailship.inputs")).skip(1) {
        let live = line.replacen('#', "", 1);
        let trimmed = live.trim_start();
        let is_key = |text: &str| {
            text.split_once(':').is_some_and(|(key, _)| {
                !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
            })
        };
        let commented = line.trim_start().starts_with('#');
        if line.trim_start().starts_with("# ") && !line.starts_with("# ---") {
            continue;
        }
        if trimmed.starts_with("- type: ") {
            take = trimmed == format!("- type: {input}");
            if take {
                lines.extend([format!("  - type: {input}"), needed.to_owned()]);
            }
            continue;
        }
        if let Some(kind) = trimmed.strip_prefix("output.").filter(|_| !line.starts_with("  ")) {
            take = kind.trim_end_matches(':') == output;
            nested = Some("  ");
            if take {
                lines.push(format!("output.{output}:"));
                if output == "file" {
                    lines.push("  path: out".to_owned());
                }
            }
            continue;
        }
        if line.starts_with("# ---") && line.contains(" documents") || line.starts_with("#trailship.") {
            (take, nested) = (true, None);
        }
        let key = trimmed.split(':').next().unwrap_or_default();
        // What the example sets differently on purpose, and what `needed` says already.
        let set = !commented || key == "queue_url" || (key == "path" && output == "file" && nested.is_some());
        if take && is_key(trimmed) && !set && !live.trim_start().starts_with("- ") {
            lines.push(live);
        }
    }
    lines.join("\n")
}

#[test]
fn one_document_a_line_whatever_the_line_holds() {
    let record = crate::support::trail::record("one").to_string();
    let input = format!("{record}\n\nnot json\n{{}}\n[1]\n{record} trailing\n{record}");
    let output = trailship(&["map", "--lines", "--now", "2026-01-02T03:04:06Z", "--tag", "mine"], input.as_bytes());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines = documents(&output.stdout);
    assert_eq!(lines.len(), 7);
    let kinds: Vec<&str> = lines.iter().map(|line| line["event"]["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["event", "event", "pipeline_error", "event", "pipeline_error", "pipeline_error", "event"]);
    assert_eq!(lines[0]["event"]["id"], "one");
    assert_eq!(lines[0]["@timestamp"], "2026-01-02T03:04:05.000Z");
    assert_eq!(lines[0]["tags"], serde_json::json!(["mine"]));
    assert_eq!(lines[1]["@timestamp"], "2026-01-02T03:04:06Z", "as it was given");
    assert_eq!(lines[2]["event"]["original"], "not json");
}

#[test]
fn map_reads_objects_and_says_what_is_broken() {
    let good = crate::support::trail::object(&crate::support::trail::records("map", 5));
    let output = trailship(&["map"], &good);
    assert!(output.status.success());
    let ids: Vec<String> =
        documents(&output.stdout).iter().map(|d| d["event"]["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, ["map-000000", "map-000001", "map-000002", "map-000003", "map-000004"]);
    let bulk = trailship(&["map", "--bulk", "-"], &good);
    let lines = documents(&bulk.stdout);
    assert_eq!(lines.len(), 10);
    assert!(lines[0]["create"]["_id"].as_str().is_some_and(|id| !id.is_empty()));
    let cut = trailship(&["map"], &good[..good.len() - 20]);
    assert_eq!(cut.status.code(), Some(1));
    assert!(text(&cut.stderr).contains("ends early"), "{}", text(&cut.stderr));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_trailship"))
        .args(["map", "samples/AWSLogs"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
}
