//! What is done about what cannot be shipped, by cause and policy: index, queue, dead letter and figures; and that a replay
//! after the mend delivers exactly once.

use crate::have;
use crate::monitoring::{address, get};
use crate::support::aws::Trail;
use crate::support::program::{Program, documents, until_async};
use crate::support::search::Stream;
use crate::support::servers::{Server, engines};
use crate::support::trail;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The causes, each with the name of the object that has it.
const OBJECTS: [(&str, &str); 7] = [
    ("object_missing", "missing"),
    ("access_denied", "denied"),
    ("kms_denied", "kmskey"),
    ("archived", "frozen"),
    ("corrupt_object", "corrupt"),
    ("broken_json", "broken"),
    ("too_large", "large"),
];

/// A trail in which everything goes wrong, beside a bucket that is nobody's business.
struct Wrong {
    aws: Arc<Server>,
    bucket: Trail,
    foreign: Trail,
    /// What is shipped in any case.
    fine: Vec<String>,
}

impl Wrong {
    async fn new(aws: &Arc<Server>) -> Wrong {
        let (bucket, foreign) = (Trail::new(aws, true).await, Trail::new(aws, false).await);
        let fine = trail::records("fine", 20);
        bucket.put(&name("fine"), trail::object(&fine)).await;
        for object in ["denied", "kmskey", "frozen"] {
            bucket.put(&name(object), trail::object(&trail::records(object, 5))).await;
        }
        let whole = trail::object(&trail::records("corrupt", 5));
        bucket.put(&name("corrupt"), whole[..whole.len() / 4].to_vec()).await;
        bucket.put(&name("broken"), b"this is no trail".to_vec()).await;
        let spaces = format!("{}{}", " ".repeat(300_000), json!({"Records": trail::records("large", 5)}));
        bucket.put(&name("large"), trail::gzip(spaces.as_bytes())).await;
        bucket.send(&announced(&bucket.bucket, "missing")).await;
        foreign.put(&name("foreign"), trail::object(&trail::records("foreign", 5))).await;
        bucket.send(&announced(&foreign.bucket, "foreign")).await;
        bucket.send("hello").await;
        let kms = "User: u is not authorized to perform: kms:Decrypt on resource: k";
        aws.set_faults(&json!([
            {"op": "GetObject", "contains": "_denied.json.gz", "status": 403, "code": "AccessDenied"},
            {"op": "GetObject", "contains": "_kmskey.json.gz", "status": 403, "code": "AccessDenied", "message": kms},
            {"op": "GetObject", "contains": "_frozen.json.gz", "status": 403, "code": "InvalidObjectState"},
        ]))
        .await;
        Wrong { aws: Arc::clone(aws), bucket, foreign, fine: trail::ids(&fine) }
    }

    fn program(&self, policy: &str, output: &str) -> Program {
        let causes = OBJECTS.map(|(cause, _)| cause).into_iter().chain(["unknown_notification", "foreign_bucket"]);
        let lines: String = causes
            // Another try would meet the same limit.
            .filter(|cause| (*cause, policy) != ("too_large", "retry"))
            .map(|cause| format!("on_fault.{cause}: {policy}\n"))
            .collect();
        let allowed = format!("allowed_buckets: ['{}']\n", self.bucket.bucket);
        Program::new(&self.bucket.input(&(allowed + &lines)), output, "limits.object_bytes: 200KiB")
    }

    /// Makes everything whole but the message that is none.
    async fn mend(&self, program: &Program) {
        self.aws.set_faults(&json!([])).await;
        for object in ["missing", "corrupt", "broken"] {
            self.bucket.put_silently(&name(object), trail::object(&trail::records(object, 5))).await;
        }
        let path = program.folder.path().join("trailship.yml");
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.replace("200KiB", "1MiB").replace(&format!("['{}']", self.bucket.bucket), "['trail-*']");
        std::fs::write(path, text).unwrap();
    }

    /// The ids of all records that there are.
    fn all(&self) -> Vec<String> {
        let mut all = self.fine.clone();
        for object in OBJECTS.map(|(_, object)| object).into_iter().chain(["foreign"]) {
            all.extend(trail::ids(&trail::records(object, 5)));
        }
        all.sort();
        all
    }
}

fn name(object: &str) -> String {
    trail::key("CloudTrail", object)
}

fn announced(bucket: &str, object: &str) -> String {
    json!({"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": bucket}, "object": {"key": name(object)}}}]})
    .to_string()
}

/// Ships what is there; the summary, and whether it went well.
fn ship(program: &Program) -> (Value, bool) {
    let output = program.output(&["run", "--once", "--format", "json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no summary:\n{said}"));
    let input = &summary["inputs"][0];
    assert_eq!((&input["unbalanced"], &input["in_flight"]), (&json!(0), &json!(0)), "{summary}");
    (summary, output.status.success())
}

/// Codes of the letters, with how many each has.
fn codes(program: &Program) -> BTreeMap<String, usize> {
    let mut codes = BTreeMap::new();
    for letter in program.dead_letters() {
        *codes.entry(letter["code"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    codes
}

fn replay(program: &Program) -> (bool, Value) {
    let output = program.output(&["dead-letter", "replay", "--all", "--format", "json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    (output.status.success(), serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}")))
}

/// The records of objects that are damaged, of which some may be shipped before the damage.
fn without_damaged(mut ids: Vec<String>) -> Vec<String> {
    ids.retain(|id| !id.starts_with("corrupt"));
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_leaves_everything_to_the_queue_and_holds_up_nothing() {
    let (aws, search) = (have!(Server::fast()), have!(Server::search(&engines()[0])));
    let wrong = Wrong::new(&aws).await;
    let stream = Stream::new(&search.url, "retry");
    let program = wrong.program("retry", &Program::elasticsearch(&search.url, &stream.namespace, ""));
    program.setup();
    let (summary, well) = ship(&program);
    assert!(!well, "what is left makes a failure of --once: {summary}");
    assert_eq!(without_damaged(stream.event_ids().await), wrong.fine);
    let (visible, hidden) = wrong.bucket.depth().await;
    assert_eq!(visible + hidden, 8, "all but the whole object and the one that is too large: {summary}");
    assert_eq!(codes(&program), BTreeMap::from([("object-limit".to_owned(), 1)]));
    let once = json!({"retry": 1});
    let mut expected = json!({"too_large": {"park": 1}});
    for cause in ["object_missing", "access_denied", "kms_denied", "archived", "corrupt_object", "broken_json"] {
        expected[cause] = once.clone();
    }
    expected["foreign_bucket"] = once.clone();
    expected["unknown_notification"] = once;
    assert_eq!(summary["inputs"][0]["faults"], expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn park_writes_letters_whose_replay_after_the_mend_delivers_exactly_once() {
    let (aws, search) = (have!(Server::fast()), have!(Server::search(&engines()[0])));
    let wrong = Wrong::new(&aws).await;
    let stream = Stream::new(&search.url, "park");
    let program = wrong.program("park", &Program::elasticsearch(&search.url, &stream.namespace, ""));
    program.setup();
    let (summary, well) = ship(&program);
    assert!(well, "{summary}");
    assert_eq!((wrong.bucket.depth().await, &summary["parked"]), ((0, 0), &json!(9)), "{summary}");
    assert_eq!(without_damaged(stream.event_ids().await), wrong.fine);
    let expected = [
        "broken-json",
        "corrupt-object",
        "foreign-bucket",
        "notification-not-json",
        "object-limit",
        "s3-access-denied",
        "s3-archived",
        "s3-kms-denied",
        "s3-missing",
    ];
    assert_eq!(codes(&program), expected.map(|code| (code.to_owned(), 1)).into());
    assert!(
        summary["inputs"][0]["faults"].as_object().unwrap().values().all(|by| *by == json!({"park": 1})),
        "{summary}"
    );
    let of_message =
        program.dead_letters().into_iter().find(|letter| letter["code"] == "notification-not-json").unwrap();
    assert_eq!((&of_message["record"], &of_message["object"]), (&json!("hello"), &json!(wrong.bucket.queue_url)));
    let listed = program.output(&["dead-letter", "list", "--code", "notification-not-json", "--format", "json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let shown = program.output(&["dead-letter", "show", listed["letters"][0]["id"].as_str().unwrap()]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("this version does not understand the message either"));

    let (well, first) = replay(&program);
    assert_eq!((well, &first["replayed"], &first["new_letters"]), (false, &json!(0), &json!(0)), "{first}");
    wrong.mend(&program).await;
    let (well, second) = replay(&program);
    assert_eq!((well, &second["replayed"], &second["stayed"]), (false, &json!(8), &json!(1)), "{second}");
    assert_eq!(second["staying"][0]["code"], "not-read", "the message that is none: {second}");
    assert_eq!(stream.event_ids().await, wrong.all(), "each once");
    assert_eq!(codes(&program).values().sum::<usize>(), 9, "no letter was added");
    drop(wrong.foreign);
}

#[tokio::test(flavor = "multi_thread")]
async fn ignore_counts_and_goes_on() {
    let aws = have!(Server::fast());
    let wrong = Wrong::new(&aws).await;
    let program = wrong.program("ignore", "output.file:\n  path: ${OUT}");
    let out = program.to_files();
    let (summary, well) = ship(&program);
    assert!(well, "{summary}");
    assert_eq!((wrong.bucket.depth().await, program.dead_letters().len()), ((0, 0), 0), "{summary}");
    let mut ids: Vec<String> =
        documents(&out).iter().map(|document| document["event"]["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    assert_eq!(without_damaged(ids), wrong.fine);
    let faults = summary["inputs"][0]["faults"].as_object().unwrap();
    assert_eq!(faults.len(), 9, "{summary}");
    assert!(faults.values().all(|by| *by == json!({"ignore": 1})), "{summary}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_to_the_dead_letter_queue_leaves_a_letter_that_can_be_replayed() {
    let (aws, search) = (have!(Server::fast()), have!(Server::search(&engines()[0])));
    let bucket = Trail::new(&aws, true).await;
    let moved = bucket.redrive_after(1).await;
    bucket.put(&name("fine"), trail::object(&trail::records("fine", 5))).await;
    bucket.send(&announced(&bucket.bucket, "late")).await;
    bucket.send("hello").await;
    let stream = Stream::new(&search.url, "redrive");
    let output = Program::elasticsearch(&search.url, &stream.namespace, "");
    let http = "http: {enabled: true, host: 127.0.0.1, port: 0}";
    let program = Program::new(&bucket.input("visibility_timeout: 2s"), &output, http);
    program.setup();
    let mut running = program.spawn(&["run"]);
    until_async("the message that is none has gone to the dead letter queue", async || {
        assert!(running.ended().is_none(), "{}", running.said());
        (bucket.depth_of(&moved).await.0 == 1).then_some(())
    })
    .await;
    let metrics = get(&format!("{}/metrics", address(&running))).await.1;
    for line in [
        r#"trailship_input_faults_total{input="trail",cause="object_missing",policy="retry"} 1"#,
        r#"trailship_input_faults_total{input="trail",cause="unknown_notification",policy="retry"} 1"#,
        r#"trailship_records_unbalanced{input="trail"} 0"#,
        r#"trailship_records_total{input="trail",outcome="parked"} 0"#,
    ] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
    assert!(!metrics.contains("trailship_parked_total"), "a note is nothing parked\n{metrics}");
    let (status, _) = running.terminate();
    assert!(status.success());
    let letters = codes(&program);
    assert_eq!(
        letters,
        [("left-to-redrive", 1), ("message-left-to-redrive", 1)].map(|(code, n)| (code.to_owned(), n)).into()
    );

    bucket.put_silently(&name("late"), trail::object(&trail::records("late", 5))).await;
    let (_, replayed) = replay(&program);
    assert_eq!((&replayed["replayed"], &replayed["stayed"]), (&json!(1), &json!(1)), "{replayed}");
    let (_, again) = replay(&program);
    assert_eq!((&again["replayed"], &again["indexed"]), (&json!(0), &json!(0)), "{again}");
    let expected: Vec<String> =
        ["fine", "late"].iter().flat_map(|object| trail::ids(&trail::records(object, 5))).collect();
    assert_eq!(stream.event_ids().await, expected);
}

/// A message that an older version did not understand is read by one that does.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_holds_a_message_is_read_as_a_notification() {
    let aws = have!(Server::fast());
    let bucket = Trail::new(&aws, false).await;
    for object in ["one", "two"] {
        bucket.put(&name(object), trail::object(&trail::records(object, 5))).await;
    }
    let program = Program::new(&bucket.input(""), "output.file:\n  path: ${OUT}", "");
    let out = program.to_files();
    let body =
        json!({"s3Bucket": bucket.bucket, "s3ObjectKey": [name("one"), name("two"), "other/file.txt"]}).to_string();
    let letter = json!({"@timestamp": "2026-01-02T03:04:05.678Z", "version": 1, "code": "notification-version",
        "reason": "r", "input": "trail", "object": bucket.queue_url, "record": body});
    let folder = program.data().join("dead-letter");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("parked-v1-000001.ndjson"), format!("{letter}\n")).unwrap();
    let shown = program.output(&["dead-letter", "show", "1-1"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("its message is read again"));
    let (well, replayed) = replay(&program);
    assert_eq!((well, &replayed["replayed"], &replayed["indexed"]), (true, &json!(1), &json!(10)), "{replayed}");
    assert_eq!(documents(&out).len(), 10);
}

#[test]
fn a_policy_that_makes_no_sense_is_refused_with_its_place_and_the_words() {
    let input = |lines: &str| {
        format!("  - type: aws-s3\n    queue_url: https://sqs.eu-west-1.amazonaws.com/111122223333/q\n{lines}")
    };
    for (lines, expected) in [
        ("    on_fault.too_large: retry", ["`retry` is not one of `park`", "`ignore`", "on_fault.too_large"]),
        ("    on_fault.archived: drop", ["`drop` is not one of `retry`", "`park`", "on_fault.archived"]),
        ("    on_fault:\n      object_mising: park", ["object_mising", "object_missing", "on_fault"]),
        (
            "    allowed_buckets: ['s3://trail']",
            ["`s3://trail` is not the name or ARN of a bucket", "arn:aws:s3:::", "allowed_buckets"],
        ),
    ] {
        let program = Program::new(&input(lines), "output.file:\n  path: ${OUT}", "");
        program.to_files();
        let output = program.output(&["test", "config"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("trailship.yml:"), "with line and column: {said}");
        for text in expected {
            assert!(said.contains(text), "{text} is missing in {said}");
        }
    }
}

/// What a key may hold reaches neither terminal nor page as it is.
#[tokio::test(flavor = "multi_thread")]
async fn control_characters_in_keys_are_shown_as_escapes() {
    let aws = have!(Server::fast());
    let bucket = Trail::new(&aws, false).await;
    let key = format!("{}\u{1b}[2J\u{9b}31m\u{202e}\n.json.gz", name("x"));
    let encoded: String = key.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let message = json!({"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
        "eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket.bucket}, "object": {"key": encoded}}}]});
    bucket.send(&message.to_string()).await;
    let hidden =
        |text: &str| text.chars().any(|c| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}'));
    for policy in ["park", "retry"] {
        let program = Program::new(
            &bucket.input(&format!("on_fault.object_missing: {policy}")),
            "output.file:\n  path: ${OUT}",
            "",
        );
        program.to_files();
        if policy == "retry" {
            bucket.send(&message.to_string()).await;
        }
        for arguments in [
            &["run", "--once"][..],
            &["dead-letter", "list"],
            &["dead-letter", "list", "--format", "json"],
            &["dead-letter", "show", "1-1"],
            &["dead-letter", "replay", "--all"],
        ] {
            let output = program.output(arguments);
            for text in [output.stdout, output.stderr] {
                let text = String::from_utf8(text).unwrap();
                assert!(!hidden(&text), "{arguments:?}: {text:?}");
                assert!(!text.lines().any(|line| line.starts_with(".json.gz")), "a line is not broken: {text:?}");
            }
        }
        if policy == "park" {
            assert_eq!(program.dead_letters()[0]["object"], key, "the letter has the key itself");
        }
    }
}
