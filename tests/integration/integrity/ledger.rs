//! The ledger's documents, `trailship gaps`, and what dashboards need of both.

use super::{Scene, Scenes, Watched, hour_of};
use crate::have;
use crate::support::program::until;
use crate::support::servers::Server;
use crate::support::trail;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// Runs `gaps` over the scene's whole time; exit code and what was printed.
fn gaps(watched: &Watched, scene: &Scene, more: &[&str]) -> (i32, String, String) {
    let output = watched.program.output(&[&["gaps", "--start", &scene.start, "--end", &scene.end], more].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn gaps_json(watched: &Watched, scene: &Scene, more: &[&str]) -> (i32, Value) {
    let (code, out, said) = gaps(watched, scene, &[more, &["--format", "json"]].concat());
    (code, serde_json::from_str(&out).unwrap_or_else(|_| panic!("no JSON: {out}\n{said}")))
}

type Place = (String, String, String);

/// The place of an hour's document, and its counts: expected, notified, read, indexed, failed, records.
fn entry(document: &Value) -> (Place, [Option<u64>; 6]) {
    let ledger = &document["trailship"]["ledger"];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let hour = text(&ledger["hour"])[..13].to_owned();
    let place = (text(&document["cloud"]["account"]["id"]), text(&document["cloud"]["region"]), hour);
    (place, ["expected", "notified", "read", "indexed", "failed", "records"].map(|name| ledger[name].as_u64()))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_is_one_document_with_the_right_numbers() {
    let (aws, scenes) = (have!(Server::fast()), have!(Scenes::get()));
    let scene = scenes.scene("organization");
    let watched = Watched::new(&aws, scenes, &scene, "", "late_after: 4s").await;
    // One more of an hour that is known, unreadable; and one of a region without digests.
    let broken = scene.logs()[0].key.replace(".json.gz", "broken.json.gz");
    watched.trail.put_into(&scene.bucket, &broken, b"\x1f\x8bnothing".to_vec(), &HashMap::new()).await;
    let elsewhere = scene.logs()[0].key.replace("us-east-1", "sa-east-1");
    let records = trail::object(&trail::records("sa", 3));
    watched.trail.put_into(&scene.bucket, &elsewhere, records, &HashMap::new()).await;
    watched.put_all(&scene.objects).await;

    let mut expected: BTreeMap<Place, [Option<u64>; 6]> = BTreeMap::new();
    for log in scene.logs() {
        let counts = expected.entry(hour_of(&log.key)).or_insert([Some(0); 6]);
        // Each file of the scene has one record.
        for n in [0, 1, 2, 3, 5] {
            counts[n] = counts[n].map(|count| count + 1);
        }
    }
    let counts = expected.get_mut(&hour_of(&broken)).unwrap();
    counts[1] = counts[1].map(|count| count + 1);
    counts[4] = Some(1);
    expected.insert(hour_of(&elsewhere), [None, Some(1), Some(1), Some(1), Some(0), Some(3)]);

    let running = watched.run();
    watched.until_closed(expected.len());
    let hours = watched.hours();
    let found: BTreeMap<_, _> = hours.iter().map(entry).collect();
    assert_eq!(found, expected);
    assert_eq!(hours.len(), expected.len(), "each once");
    for hour in &hours {
        let (place, counts) = entry(hour);
        let outcome = if counts[4] == Some(0) { "success" } else { "failure" };
        assert_eq!(hour["event"]["outcome"], outcome, "{place:?}: {hour}");
        assert_eq!(hour["event"]["action"], "ledger_hour");
        assert_eq!(hour["@timestamp"], hour["trailship"]["ledger"]["hour"], "{place:?}");
    }
    assert!(running.terminate().0.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn gaps_are_told_before_while_and_after() {
    let (aws, scenes) = (have!(Server::fast()), have!(Scenes::get()));
    let mut scene = scenes.scene("whole");
    // The scene's own times have seconds; hours are whole.
    (scene.start, scene.end) = ("2025-03-01".to_owned(), "2025-03-01T08:00:00Z".to_owned());
    let watched = Watched::new(&aws, scenes, &scene, "", "").await;
    let (code, out, said) = gaps(&watched, &scene, &[]);
    assert!(code == 4 && out.is_empty() && said.contains("nothing is known of that time"), "{code}: {out}{said}");

    let (logs, digests) = (scene.logs(), scene.digests());
    watched.put_all(&logs[..2]).await;
    watched.put_all(&logs[3..]).await;
    watched.put_all(&digests[..4]).await;
    watched.put_all(&digests[5..]).await;
    let running = watched.run();
    watched.until_action("log_file_missing");
    watched.until_action("digest_missing");
    let expected_files = json!([{
        "account": "111122223333", "region": "us-east-1", "hour": "2025-03-01T02:00:00Z", "bucket": scene.bucket,
        "key": logs[2].key, "why": "not_in_bucket", "digest": digests[2].key,
    }]);
    let expected_time = json!([{
        "account": "111122223333", "region": "us-east-1", "from": "2025-03-01T04:00:31Z", "to": "2025-03-01T05:00:31Z",
    }]);
    let beside = gaps_json(&watched, &scene, &[]);
    assert_eq!(beside.0, 3, "{}", beside.1);
    assert_eq!((&beside.1["files"], &beside.1["without_digest"]), (&expected_files, &expected_time));
    watched.until_closed(8);
    assert!(running.terminate().0.success());

    // The same when nobody runs.
    let (code, report) = gaps_json(&watched, &scene, &[]);
    assert_eq!((code, &report["files"], &report["without_digest"]), (3, &expected_files, &expected_time), "{report}");
    let counts = ["hours", "open_hours", "expected", "notified", "indexed", "failed", "records", "missing", "awaited"];
    assert_eq!(counts.map(|name| report[name].as_u64().unwrap()), [8, 0, 7, 7, 7, 0, 7, 1, 0], "{report}");
    let (code, text, _) = gaps(&watched, &scene, &[]);
    assert!(code == 3 && text.contains(&logs[2].key) && text.contains("restore it"), "{text}");
    // Nothing else is asked about.
    let (code, _, said) = gaps(&watched, &scene, &["--region", "eu-west-1"]);
    assert_eq!(code, 4, "{said}");
    let sound = ["gaps", "--start", "2025-03-01T06:00:00Z", "--end", "2025-03-01T07:00:00Z"];
    assert_eq!(watched.program.output(&sound).status.code(), Some(0));
    let wrong = ["gaps", "--start", "2025-03-02", "--end", "2025-03-01"];
    assert_eq!(watched.program.output(&wrong).status.code(), Some(2));

    // After a mend.
    let running = watched.run();
    watched.put(&logs[2]).await;
    watched.put(&digests[4]).await;
    until("nothing is missing", || (gaps(&watched, &scene, &[]).0 == 0).then_some(()));
    assert!(running.terminate().0.success());
}

/// Every field of the data set that dashboards and rules use is in some document that is really made.
#[tokio::test(flavor = "multi_thread")]
async fn documents_have_the_fields_that_dashboards_and_rules_use() {
    let (aws, scenes) = (have!(Server::fast()), have!(Scenes::get()));
    let scene = scenes.scene("log-altered");
    let watched = Watched::new(&aws, scenes, &scene, "", "").await;
    watched.put_all(&scene.objects).await;
    let running = watched.run();
    watched.until_closed(scene.hours().len());
    watched.until_action("log_file_altered");
    let documents = [watched.findings(), watched.hours()].concat();
    assert!(running.terminate().0.success());

    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made: BTreeSet<String> = documents.iter().flat_map(|document| leaves(document, "")).collect();
    let table = std::fs::read_to_string(root.join("docs/reference/integrity.md")).unwrap();
    let known: Vec<&str> = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert!(known.len() > 20, "the reference names the fields");
    for field in &made {
        assert!(known.contains(&field.as_str()), "`{field}` is in no template");
    }
    let mut used = BTreeSet::new();
    for folder in ["dashboards/src", "rules/src"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            if text.contains("data: integrity") {
                used.extend(known.iter().filter(|field| text.contains(**field)).map(|field| (*field).to_owned()));
            }
        }
    }
    // Of an organization's trail alone, and of log files that were not shipped by this process.
    let elsewhere = ["organization.id"];
    let lacking: Vec<_> =
        used.iter().filter(|field| !made.contains(*field) && !elsewhere.contains(&&***field)).collect();
    assert!(lacking.is_empty(), "{lacking:?} in no document; there are {made:?}");
}

/// The names of all fields with a value.
fn leaves(value: &Value, name: &str) -> Vec<String> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, value)| {
                leaves(value, &if name.is_empty() { key.clone() } else { format!("{name}.{key}") })
            })
            .collect(),
        _ => vec![name.to_owned()],
    }
}
