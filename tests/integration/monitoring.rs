//! What a running process says of itself over HTTP.

use crate::have;
use crate::support::aws::Trail;
use crate::support::program::{Program, Running, until, until_async};
use crate::support::servers::Server;
use crate::support::trail;
use serde_json::{Value, json};

/// Where the program serves its figures, as its log says.
pub fn address(running: &Running) -> String {
    until("the address is logged", || newest_address(&running.said()))
}

/// The same, of the newest start that a log tells of.
pub fn newest_address(said: &str) -> Option<String> {
    let (_, rest) = said.rsplit_once("served at http://")?;
    rest.split_once('/').map(|(address, _)| format!("http://{address}"))
}

pub async fn get(url: &str) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(url).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_names_what_is_in_the_way_and_ends_with_it() {
    let aws = have!(Server::fast());
    let bucket = Trail::new(&aws, true).await;
    let program = Program::new(
        &bucket.input(""),
        "output.file:\n  path: ${OUT}",
        "http: {enabled: true, host: 127.0.0.1, port: 0}",
    );
    program.to_files();
    let running = program.spawn(&["run"]);
    let url = address(&running);
    until_async("it is ready", async || (get(&format!("{url}/readyz")).await.0 == 200).then_some(())).await;

    // The credentials are lost, and return.
    let denied = json!([{"op": "ReceiveMessage", "status": 403, "code": "ExpiredToken"}]);
    aws.set_faults(&denied).await;
    let told = until_async("it is not ready", async || {
        let (status, text) = get(&format!("{url}/readyz")).await;
        (status == 503).then_some(text)
    })
    .await;
    let told: Value = serde_json::from_str(&told).unwrap();
    let trouble = &told["troubles"][0];
    assert_eq!((&trouble["api"], &trouble["code"]), (&json!("sqs:ReceiveMessage"), &json!("ExpiredToken")), "{told}");
    assert!(get(&format!("{url}/status")).await.1.contains("sqs:ReceiveMessage answers ExpiredToken"));
    aws.set_faults(&json!([])).await;
    bucket.put(&trail::key("CloudTrail", "after"), trail::object(&trail::records("after", 30))).await;
    until_async("it is ready again", async || (get(&format!("{url}/readyz")).await.0 == 200).then_some(())).await;

    // The figures are those of the summary.
    until_async("all is shipped", async || {
        let stats: Value = serde_json::from_str(&get(&format!("{url}/stats")).await.1).unwrap();
        (stats["indexed"] == 30).then_some(())
    })
    .await;
    let metrics = get(&format!("{url}/metrics")).await.1;
    for line in ["trailship_ready 1", r#"outcome="indexed"} 30"#, "trailship_records_unbalanced{", "# EOF"] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
    let (status, _) = running.terminate();
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_waits_for_credentials_and_says_so() {
    let aws = have!(Server::fast());
    let bucket = Trail::new(&aws, true).await;
    bucket.put(&trail::key("CloudTrail", "before"), trail::object(&trail::records("before", 30))).await;
    let refused = |code: &str, status: u16| json!([{"op": "GetQueueAttributes", "status": status, "code": code}, {"op": "ReceiveMessage", "status": status, "code": code}]);
    for (code, status) in [("ExpiredToken", 403), ("ServiceUnavailable", 503)] {
        aws.set_faults(&refused(code, status)).await;
        let program = Program::new(
            &bucket.input(""),
            "output.file:\n  path: ${OUT}",
            "http: {enabled: true, host: 127.0.0.1, port: 0}",
        );
        program.to_files();
        let mut running = program.spawn(&["run"]);
        let url = address(&running);
        let told = until_async("it is not ready", async || {
            let (status, text) = get(&format!("{url}/readyz")).await;
            (status == 503 && text.contains(code)).then_some(text)
        })
        .await;
        let told: Value = serde_json::from_str(&told).unwrap();
        let trouble = &told["troubles"][0];
        assert_eq!((&trouble["api"], &trouble["code"]), (&json!("sqs:GetQueueAttributes"), &json!(code)), "{told}");
        assert!(running.ended().is_none(), "{}", running.said());
        aws.set_faults(&json!([])).await;
        until_async("it is ready", async || (get(&format!("{url}/readyz")).await.0 == 200).then_some(())).await;
        until_async("the queue is empty", async || (bucket.depth().await == (0, 0)).then_some(())).await;
        assert!(running.terminate().0.success());
    }
    // `--once` ends instead; so does a start without the queue.
    aws.set_faults(&refused("ExpiredToken", 403)).await;
    let program = Program::new(&bucket.input(""), "output.file:\n  path: ${OUT}", "");
    program.to_files();
    let output = program.output(&["run", "--once"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    aws.set_faults(&refused("AWS.SimpleQueueService.NonExistentQueue", 400)).await;
    let output = program.output(&["run"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("check `queue_url`"), "{said}");
}

#[test]
fn a_taken_port_stops_the_start_with_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let input = "  - {type: file, id: f, paths: [samples/AWSLogs]}";
    let http = format!("http: {{enabled: true, host: 127.0.0.1, port: {port}}}");
    let program = Program::new(input, "output.file:\n  path: ${OUT}", &http);
    program.to_files();
    let output = program.output(&["run", "--once"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("cannot listen on `127.0.0.1:{port}`")) && said.contains("http.port"), "{said}");
}
