//! The dead letter from its first letter to its last: listed, shown, sent again after a mend, deleted.

use crate::have;
use crate::support::aws::Trail;
use crate::support::program::{Program, documents, until};
use crate::support::search::Stream;
use crate::support::servers::{Server, engines};
use crate::support::trail;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Runs `dead-letter` with these arguments; exit code, standard output, standard error.
fn dead_letter(program: &Program, arguments: &[&str]) -> (i32, String, String) {
    let output = program.output(&[&["dead-letter"], arguments].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// The same with `--format json`; exit code and what was printed.
fn as_json(program: &Program, arguments: &[&str]) -> (i32, Value) {
    let (code, out, said) = dead_letter(program, &[arguments, &["--format", "json"]].concat());
    (code, serde_json::from_str(&out).unwrap_or_else(|_| panic!("no JSON: {out}\n{said}")))
}

/// The ids of the letters that `list` shows.
fn listed(program: &Program, more: &[&str]) -> Vec<String> {
    let (code, listing) = as_json(program, &[&["list"], more].concat());
    assert_eq!(code, 0, "{listing}");
    let ids = listing["letters"].as_array().unwrap().iter();
    ids.map(|letter| letter["id"].as_str().unwrap().to_owned()).collect()
}

/// Files in the layout of a trail, shipped into files: `whole` without fault, `broken` with one record that is no JSON,
/// `torn` with gzip that ends early. The paths of the latter two.
fn files() -> (Program, PathBuf, PathBuf) {
    let program =
        Program::new("  - type: file\n    id: disk\n    paths: ['${IN}/**']\n", "output.file:\n  path: ${OUT}", "");
    program.to_files();
    let folder = program.fill("IN", "in").join(format!("AWSLogs/{}/CloudTrail/eu-west-1/2026/01/02", trail::ACCOUNT));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("whole.json.gz"), trail::object(&trail::records("whole", 3))).unwrap();
    let broken = folder.join("broken.json");
    let text = json!({"Records": trail::records("broken", 2)}).to_string();
    let text = text.replacen("[{", "[{\"eventID\":\"bro\\u001b[31mken\",\"a\":tru},{", 1);
    std::fs::write(&broken, text).unwrap();
    let torn = folder.join("torn.json.gz");
    let object = trail::object(&trail::records("torn", 500));
    std::fs::write(&torn, &object[..object.len() - 20]).unwrap();
    (program, broken, torn)
}

/// `event.id` of all documents in the folder of the output, without repeats.
fn shipped(program: &Program) -> BTreeSet<String> {
    let documents = documents(&program.folder.path().join("out"));
    documents.iter().map(|document| document["event"]["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn letters_are_listed_shown_replayed_and_purged() {
    let (program, broken, torn) = files();
    assert_eq!(dead_letter(&program, &["list"]).1, "no letters\n");
    let summary = program.once();
    assert_eq!(summary["parked"], 2, "{summary}");
    let (code, listing) = as_json(&program, &["list"]);
    assert_eq!((code, listing["by_code"].as_object().unwrap().len()), (0, 2), "{listing}");
    let letter = |path: &PathBuf| {
        let letters = listing["letters"].as_array().unwrap();
        letters.iter().find(|letter| letter["object"] == path.to_str().unwrap()).unwrap().clone()
    };
    let of_record = letter(&broken);
    assert_eq!(letter(&torn)["code"], "corrupt-object");
    assert_eq!((of_record["code"].as_str(), of_record["offset"].as_u64()), (Some("broken-record"), Some(12)));
    assert_eq!((&of_record["input"], &of_record["replayed"]), (&json!("disk"), &json!(false)));

    let id = of_record["id"].as_str().unwrap();
    assert_eq!(listed(&program, &["--code", "broken-record"]), [id]);
    assert_eq!(listed(&program, &["--input", "disk", "--since", "1h"]).len(), 2);
    assert_eq!(listed(&program, &["--since", "2100-01-01"]).len(), 0);
    let (code, table, _) = dead_letter(&program, &["list"]);
    assert!(code == 0 && table.contains(id) && table.ends_with("broken-record: 1\ncorrupt-object: 1\n"), "{table}");

    let (code, shown, _) = dead_letter(&program, &["show", id]);
    assert!(code == 0 && shown.contains("mapped anew") && shown.contains("\n  \"a\": tru\n}"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown}");
    assert_eq!(as_json(&program, &["show", id]).1["record"], "{\"eventID\":\"bro\\u001b[31mken\",\"a\":tru}");
    assert_eq!(dead_letter(&program, &["show", "9-9"]).0, 1);

    // What is not chosen is not touched.
    for arguments in [&["replay"][..], &["purge"], &["replay", "--all", "1-1"], &["replay", "x"], &["show", "0-1"]] {
        assert_eq!(dead_letter(&program, arguments).0, 2, "{arguments:?}");
    }
    let (code, plan) = as_json(&program, &["replay", "--all", "--dry-run"]);
    assert_eq!(
        (code, &plan["by_code"]),
        (
            0,
            &json!({
                "broken-record": {"documents": 0, "records": 1, "objects": 0, "messages": 0},
                "corrupt-object": {"documents": 0, "records": 0, "objects": 1, "messages": 0},
            })
        )
    );
    assert_eq!(dead_letter(&program, &["replay", "1-9"]).0, 1, "there is no such letter");

    // Nothing is mended: all fails again, and no letter is added.
    let before = program.dead_letters();
    let (code, replayed) = as_json(&program, &["replay", "--all"]);
    assert_eq!(
        (code, &replayed["replayed"], &replayed["stayed"], &replayed["new_letters"]),
        (1, &json!(0), &json!(2), &json!(0))
    );
    assert_eq!(program.dead_letters(), before);
    let codes: BTreeSet<&str> =
        replayed["staying"].as_array().unwrap().iter().map(|stayed| stayed["code"].as_str().unwrap()).collect();
    assert_eq!(codes, BTreeSet::from(["broken-record", "corrupt-object"]), "{replayed}");

    // One is mended.
    std::fs::write(&torn, trail::object(&trail::records("torn", 500))).unwrap();
    let (code, table, said) = dead_letter(&program, &["replay", "--code", "corrupt-object"]);
    assert_eq!(code, 0, "{table}{said}");
    let mut expected =
        trail::ids(&[trail::records("torn", 500), trail::records("whole", 3), trail::records("broken", 2)].concat());
    expected.sort();
    assert_eq!(shipped(&program).into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(listed(&program, &[]), [id]);
    assert_eq!(listed(&program, &["--all"]).len(), 2);
    let (code, again) = as_json(&program, &["replay", "--code", "corrupt-object"]);
    assert_eq!((code, &again["letters"]), (0, &json!(0)), "what went well is not sent again");

    // Deleted is what was chosen; the others keep their ids.
    assert_eq!(as_json(&program, &["purge", "--older-than", "1h"]).1["letters"], 0);
    let (code, purged) = as_json(&program, &["purge", "--replayed"]);
    assert_eq!((code, &purged["letters"], &purged["kept"]), (0, &json!(1), &json!(1)));
    assert_eq!(listed(&program, &["--all"]), [id]);
    assert_eq!(as_json(&program, &["purge", id]).1["kept"], 0);
    assert_eq!(listed(&program, &["--all"]).len(), 0);
}

/// An object that ends early, with a broken record before that end and one behind it.
#[test]
fn a_record_has_one_letter_whichever_way_it_is_read() {
    let (program, broken, torn) = files();
    for path in [torn.with_file_name("whole.json.gz"), torn] {
        std::fs::remove_file(path).unwrap();
    }
    let mut members: Vec<String> = trail::records("good", 4).iter().map(Value::to_string).collect();
    members.insert(2, r#"{"eventID":"early","a":tru}"#.to_owned());
    members.push(r#"{"eventID":"late","a":tru}"#.to_owned());
    let whole = format!(r#"{{"Records":[{}]}}"#, members.join(","));
    std::fs::write(&broken, &whole[..whole.find("late").unwrap() - 30]).unwrap();
    assert_eq!(program.once()["parked"], 2);
    assert_eq!(listed(&program, &["--code", "truncated-object"]), ["1-2"]);

    // The input has another name by now.
    let file = program.folder.path().join("trailship.yml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("id: disk", "id: other")).unwrap();
    let (code, replayed) = as_json(&program, &["replay", "--all"]);
    assert_eq!((code, &replayed["stayed"]), (1, &json!(2)));
    let reason = replayed["staying"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("there is no input `disk`"), "{reason}");
    std::fs::write(&file, text).unwrap();

    std::fs::write(&broken, &whole).unwrap();
    let (code, replayed) = as_json(&program, &["replay", "1-2"]);
    assert_eq!((code, &replayed["replayed"], &replayed["new_letters"]), (1, &json!(1), &json!(1)), "{replayed}");
    assert_eq!(shipped(&program).into_iter().collect::<Vec<_>>(), trail::ids(&trail::records("good", 4)));
    let letters = program.dead_letters();
    assert_eq!(letters.len(), 3, "{letters:?}");
    assert_eq!((&letters[2]["code"], &letters[2]["record"]), (&json!("broken-record"), &json!(members[5])));
    assert_eq!(listed(&program, &[]), ["1-1", "1-3"]);
    assert_eq!(as_json(&program, &["replay", "--all"]).1["stayed"], 2);
    assert_eq!(program.dead_letters().len(), 3);
}

#[test]
fn a_running_shipper_keeps_the_dead_letter_to_itself() {
    let (program, _, _) = files();
    let running = program.spawn(&["run"]);
    until("both letters are written", || (program.dead_letters().len() == 2).then_some(()));
    assert_eq!(listed(&program, &[]).len(), 2);
    assert_eq!(dead_letter(&program, &["show", "1-1"]).0, 0);
    for arguments in [&["replay", "--all"][..], &["purge", "1-1"]] {
        let (code, _, said) = dead_letter(&program, arguments);
        assert!(code == 1 && said.contains("in use by a running trailship"), "{code} {said}");
    }
    assert!(running.terminate().0.success());
    assert_eq!(as_json(&program, &["purge", "1-1"]).0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_index_refused_goes_once_after_the_mend() {
    let aws = have!(Server::aws());
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let bucket = Trail::new(&aws, true).await;
        let stream = Stream::new(&search.url, "letters");
        let mut records = trail::records("fine", 20);
        records[3]["readOnly"] = json!("maybe");
        records[3]["eventID"] = json!("refused-by-the-index");
        bucket.put(&trail::key("CloudTrail", "strict"), trail::object(&records)).await;
        let strict = "setup.failure_store: false\nsetup.template:\n  name: letters-aws.cloudtrail\n  pattern: logs-aws.cloudtrail-letters_*\n  priority: 300\n  \
             settings.index.mapping.ignore_malformed: false";
        let output = Program::elasticsearch(&search.url, &stream.namespace, "");
        let program = Program::new(&bucket.input(""), &output, strict);
        program.setup();
        let summary = program.once();
        let parked = summary["parked"].as_u64().unwrap();
        if parked == 0 {
            panic!("nothing was refused: {summary}");
        }
        assert_eq!(program.dead_letters().len() as u64, parked);

        let (code, replayed) = as_json(&program, &["replay", "--all"]);
        assert_eq!((code, replayed["stayed"].as_u64()), (1, Some(parked)), "{engine}: {replayed}");
        assert_eq!(replayed["staying"][0]["code"], "mapping-refused");
        assert_eq!(program.dead_letters().len() as u64, parked, "no second letter");

        let file = program.folder.path().join("trailship.yml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("ignore_malformed: false", "ignore_malformed: true")).unwrap();
        let mended = program.output(&["setup", "--index-management", "--rollover"]);
        assert!(mended.status.success(), "{}", String::from_utf8_lossy(&mended.stderr));
        let (code, replayed) = as_json(&program, &["replay", "--all"]);
        assert_eq!(
            (code, replayed["replayed"].as_u64(), replayed["indexed"].as_u64()),
            (0, Some(parked), Some(parked)),
            "{engine}: {replayed}"
        );
        assert_eq!(stream.event_ids().await, trail::ids(&records), "{engine}");

        // As after `kill -9` between sending and marking.
        for name in ["replayed.json", "replayed.previous"] {
            let _ = std::fs::remove_file(program.data().join("dead-letter").join(name));
        }
        let (code, replayed) = as_json(&program, &["replay", "--all"]);
        assert_eq!((code, replayed["duplicate"].as_u64()), (0, Some(parked)), "{engine}: {replayed}");
        assert_eq!(stream.event_ids().await, trail::ids(&records), "{engine}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_replay_loses_and_doubles_nothing() {
    let search = have!(Server::search(&engines()[0]));
    let stream = Stream::new(&search.url, "killed_replay");
    let (program, broken, _) = files();
    let mut records = trail::records("refused", 4_000);
    records.iter_mut().for_each(|record| record["readOnly"] = json!("maybe"));
    for entry in std::fs::read_dir(broken.parent().unwrap()).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    std::fs::write(&broken, json!({"Records": records}).to_string()).unwrap();
    let file = program.folder.path().join("trailship.yml");
    let inputs = std::fs::read_to_string(&file).unwrap().split("output.file").next().unwrap().to_owned();
    let output = Program::elasticsearch(&search.url, &stream.namespace, "");
    let template = "setup.failure_store: false\nsetup.template:\n  name: killed_replay-aws.cloudtrail\n  pattern: logs-aws.cloudtrail-killed_replay_*\n  priority: 300\n  \
         settings.index.mapping.ignore_malformed: ";
    std::fs::write(&file, format!("{inputs}{output}\n{template}false\n")).unwrap();
    program.setup();
    let summary = program.once();
    assert_eq!(summary["parked"], 4_000, "{summary}");
    std::fs::write(&file, format!("{inputs}{output}\n{template}true\n")).unwrap();
    let mended = program.output(&["setup", "--index-management", "--rollover"]);
    assert!(mended.status.success(), "{}", String::from_utf8_lossy(&mended.stderr));

    let marks = program.data().join("dead-letter/replayed.json");
    for _ in 0..3 {
        let before = std::fs::read(&marks).unwrap_or_default();
        let mut running = program.spawn(&["dead-letter", "replay", "--all"]);
        until("a lot is marked, or all is done", || {
            let now = std::fs::read(&marks).unwrap_or_default();
            (now != before || running.ended().is_some()).then_some(())
        });
        running.kill();
    }
    let (code, replayed) = as_json(&program, &["replay", "--all"]);
    assert_eq!((code, &replayed["stayed"]), (0, &json!(0)), "{replayed}");
    assert_eq!(stream.event_ids().await, trail::ids(&records));
    assert_eq!((listed(&program, &[]).len(), program.dead_letters().len()), (0, 4_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_read_again_from_its_bucket() {
    let aws = have!(Server::aws());
    let search = have!(Server::search(&engines()[0]));
    let bucket = Trail::new(&aws, true).await;
    let stream = Stream::new(&search.url, "again");
    let (torn, gone) = (trail::records("torn", 400), trail::records("gone", 3));
    let object = trail::object(&torn);
    bucket.put(&trail::key("CloudTrail", "torn"), object[..object.len() - 30].to_vec()).await;
    bucket.put(&trail::key("CloudTrail", "gone"), b"not json".to_vec()).await;
    let output = Program::elasticsearch(&search.url, &stream.namespace, "");
    let program = Program::new(&bucket.input(""), &output, "");
    program.setup();
    let summary = program.once();
    assert_eq!(summary["parked"], 2, "{summary}");
    let before = summary["indexed"].as_u64().unwrap();
    assert_eq!(bucket.depth().await, (0, 0));

    bucket.put(&trail::key("CloudTrail", "torn"), object).await;
    let (code, replayed) = as_json(&program, &["replay", "--all"]);
    assert_eq!((code, &replayed["replayed"], &replayed["stayed"]), (1, &json!(1), &json!(1)), "{replayed}");
    assert_eq!(replayed["staying"][0]["code"], "broken-json");
    assert_eq!(
        (replayed["indexed"].as_u64(), replayed["duplicate"].as_u64()),
        (Some(400 - before), Some(before)),
        "{replayed}"
    );
    assert_eq!(stream.event_ids().await, trail::ids(&torn));
    assert_eq!(program.dead_letters().len(), 2, "no second letter");

    bucket.put(&trail::key("CloudTrail", "gone"), trail::object(&gone)).await;
    let (code, replayed) = as_json(&program, &["replay", "--all"]);
    assert_eq!((code, &replayed["replayed"], &replayed["indexed"]), (0, &json!(1), &json!(3)), "{replayed}");
    assert_eq!(stream.event_ids().await, trail::ids(&[torn, gone].concat()));
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_become_documents_once() {
    for engine in engines() {
        let search = have!(Server::search(&engine));
        let stream = Stream::new(&search.url, "stream");
        let (program, broken, _) = files();
        let file = program.folder.path().join("trailship.yml");
        let text = std::fs::read_to_string(&file).unwrap();
        let output = Program::elasticsearch(&search.url, &stream.namespace, "");
        let text = format!("{}{output}\ndead_letter.data_stream: true\n", text.split("output.file").next().unwrap());
        std::fs::write(&file, text).unwrap();
        let found = async || {
            let name = stream.beside("_dead_letter");
            stream.call(reqwest::Method::POST, &format!("{name}/_refresh"), None).await;
            let (status, answer) = stream.call(reqwest::Method::GET, &format!("{name}/_search?size=100"), None).await;
            assert_eq!(status, 200, "{answer}");
            answer["hits"]["hits"].as_array().unwrap().clone()
        };
        program.once();
        let documents = found().await;
        assert_eq!(documents.len(), 2, "{engine}: {documents:?}");
        let of_record = documents.iter().find(|hit| hit["_source"]["error"]["code"] == "broken-record").unwrap();
        let source = &of_record["_source"];
        assert_eq!(source["log"]["file"]["path"], broken.to_str().unwrap());
        assert_eq!((&source["log"]["offset"], &source["event"]["kind"]), (&json!(12), &json!("pipeline_error")));
        assert_eq!((&source["input"]["type"], &source["cloud"]["region"]), (&json!("file"), &json!("eu-west-1")));

        // A later start adds what is new, and one that forgot how far it was repeats nothing.
        std::fs::write(broken.with_file_name("later.json"), r#"{"Records":[{"a":nul}]}"#).unwrap();
        program.once();
        assert_eq!(found().await.len(), 3, "{engine}");
        std::fs::remove_file(program.data().join("dead-letter/sent.json")).unwrap();
        program.once();
        assert_eq!(found().await.len(), 3, "{engine}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_puts_into_its_failure_store_is_shown_as_parked() {
    let Some(engine) = engines().into_iter().find(|engine| engine.starts_with("elasticsearch")) else {
        return crate::support::servers::skipped("no engine of this run has a failure store");
    };
    let search = have!(Server::search(&engine));
    let stream = Stream::new(&search.url, "failurestore");
    let template = json!({
        "index_patterns": [stream.name()],
        "priority": 900,
        "data_stream": {},
        "template": {
            "data_stream_options": {"failure_store": {"enabled": true}},
            "mappings": {"properties": {
                "@timestamp": {"type": "date"},
                "event": {"properties": {"action": {"type": "long"}, "id": {"type": "keyword"}}},
            }},
        },
    });
    let (status, answer) =
        stream.call(reqwest::Method::PUT, &format!("_index_template/{}", stream.namespace), Some(template)).await;
    assert_eq!(status, 200, "{answer}");
    let (program, _, _) = files();
    let file = program.folder.path().join("trailship.yml");
    let text = std::fs::read_to_string(&file).unwrap();
    let output = Program::elasticsearch(&search.url, &stream.namespace, "");
    std::fs::write(&file, format!("{}{output}\n", text.split("output.file").next().unwrap())).unwrap();
    let output = program.output(&["run", "--once"]);
    let (shown, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert!(shown.contains("parked as failure-store: "), "{shown}\n{said}");
    assert_eq!(program.dead_letters().len(), 2, "the server has those");
}
