//! `trailship status`, beside a running process and without one.

use crate::have;
use crate::support::aws::Trail;
use crate::support::program::{Program, until_async};
use crate::support::search::Stream;
use crate::support::servers::{Server, engines};
use crate::support::trail;
use serde_json::{Value, json};

/// Far enough back for the records of the tests.
const SINCE: [&str; 2] = ["--since", "36500d"];

fn status(program: &Program, more: &[&str]) -> (i32, String, String) {
    let output = program.output(&[&["status"], &SINCE[..], more].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn as_json(program: &Program) -> (i32, Value) {
    let (code, out, said) = status(program, &["--format", "json"]);
    (code, serde_json::from_str(&out).unwrap_or_else(|_| panic!("no JSON: {out}\n{said}")))
}

/// A port that nobody has.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_tells_what_is_indexed_waits_is_parked_and_runs() {
    for engine in engines() {
        let (aws, search) = (have!(Server::fast()), have!(Server::search(&engine)));
        let bucket = Trail::new(&aws, true).await;
        let stream = Stream::new(&search.url, "status");
        let output = Program::elasticsearch(&search.url, &stream.namespace, "");
        let http = format!("http: {{enabled: true, host: 127.0.0.1, port: {}}}", free_port());
        let program = Program::new(&bucket.input(""), &output, &http);

        // Nothing is there yet.
        let (code, told) = as_json(&program);
        assert_eq!((code, &told["events"]["told"]["places"]), (1, &json!([])), "{engine}: {told}");
        assert!(told["process"]["failed"].as_str().unwrap().contains("is it running?"), "{told}");
        assert_eq!(told["dead_letter"], json!({"told": {}}));

        program.setup();
        let running = program.spawn(&["run"]);
        bucket.put(&trail::key("CloudTrail", "good"), trail::object(&trail::records("good", 30))).await;
        bucket.put(&trail::key("CloudTrail", "bad"), b"not json".to_vec()).await;
        until_async("all is indexed, and the bad one parked", async || {
            (stream.count().await == 30 && program.dead_letters().len() == 1 && bucket.depth().await == (0, 0))
                .then_some(())
        })
        .await;
        let (code, told) = as_json(&program);
        assert_eq!(code, 0, "{engine}: {told:#}");
        let place = &told["events"]["told"]["places"][0];
        assert_eq!(place["of"], json!({"account": trail::ACCOUNT, "region": "us-east-1"}), "{told:#}");
        assert_eq!((&place["events"], &place["last"]), (&json!(30), &json!("2026-01-02T03:04:05Z")));
        assert!(place["behind_seconds"].as_i64().unwrap() > 0);
        assert_eq!(told["events"]["told"]["sources"][0]["of"], json!(["aws-s3", bucket.bucket]));
        let waits = &told["inputs"][0]["backlog"]["told"];
        assert_eq!((&waits["source"], &waits["visible"], &waits["hidden"]), (&json!("queue"), &json!(0), &json!(0)));
        let letters = told["dead_letter"]["told"].as_object().unwrap();
        assert_eq!(letters.values().map(|code| code["letters"].as_u64().unwrap()).sum::<u64>(), 1, "{told:#}");
        let process = &told["process"]["told"];
        assert_eq!((&process["ready"], &process["figures"]["indexed"]), (&json!(true), &json!(30)), "{told:#}");

        // One page for people.
        let (code, page, _) = status(&program, &[]);
        assert_eq!(code, 0, "{page}");
        let shown =
            ["Running process", "ready, at http://127.0.0.1:", trail::ACCOUNT, &bucket.bucket, "2026-01-02 03:04:05Z"];
        for text in shown {
            assert!(page.contains(text), "{text} is missing in\n{page}");
        }
        assert!(!page.contains('\u{1b}'), "no colours where it is no terminal");

        // A trouble is told, and so is an end.
        aws.set_faults(&json!([{"op": "ReceiveMessage", "status": 403, "code": "ExpiredToken"}])).await;
        let (code, page, _) = until_async("the process is not ready", async || {
            let (code, page, said) = status(&program, &[]);
            page.contains("NOT READY").then_some((code, page, said))
        })
        .await;
        assert!(code == 1 && page.contains("sqs:ReceiveMessage answers ExpiredToken"), "{page}");
        assert!(running.terminate().0.success());
        let (code, page, _) = status(&program, &[]);
        assert!(code == 1 && page.contains("is it running?"), "{page}");
    }
}

#[test]
fn what_the_configuration_does_not_name_is_not_asked() {
    let input = "  - {type: file, id: f, paths: [samples/AWSLogs]}";
    let program = Program::new(input, "output.file:\n  path: ${OUT}", "");
    program.to_files();
    let (code, told) = as_json(&program);
    assert_eq!(code, 0, "{told:#}");
    assert!(told["events"]["not_asked"].as_str().unwrap().contains("no search server"), "{told:#}");
    assert!(told["process"]["not_asked"].as_str().unwrap().contains("http.enabled"), "{told:#}");
    let unread = |told: &Value| told["inputs"][0]["backlog"]["told"]["unread"].as_u64().unwrap();
    let files = unread(&told);
    assert!(files > 0, "{told:#}");
    program.once();
    let (code, told) = as_json(&program);
    assert_eq!((code, unread(&told), told["inputs"][0]["backlog"]["told"]["read"].as_u64()), (0, 0, Some(files)));
}

#[test]
fn a_section_that_cannot_be_had_costs_none_of_the_others() {
    let inputs =
        "  - {type: file, id: f, paths: [samples/AWSLogs]}\n  - {type: file, id: gone, paths: [/nowhere/at/all]}";
    let output = format!("output.elasticsearch:\n  hosts: ['http://127.0.0.1:{}']", free_port());
    let program = Program::new(inputs, &output, "");
    let (code, told) = as_json(&program);
    assert_eq!(code, 1, "{told:#}");
    assert!(told["events"]["failed"].as_str().unwrap().contains("searching `logs-aws.cloudtrail-default`"), "{told:#}");
    assert!(told["inputs"][0]["backlog"]["told"]["unread"].as_u64().unwrap() > 0);
    let fault = told["inputs"][1]["backlog"]["told"]["faults"][0].as_str().unwrap();
    assert!(fault.contains("matches nothing"), "{told:#}");
    let (code, page, _) = status(&program, &[]);
    assert!(code == 1 && page.contains("cannot be read: searching `") && page.contains(fault), "{page}");
}
