//! Findings that their data stream refuses: kept, told, and there in the end.

use super::{Scenes, Watched};
use crate::have;
use crate::monitoring::newest_address;
use crate::support::program::{Program, Running, until_async};
use crate::support::search::Stream;
use crate::support::servers::{Server, engines};
use reqwest::Method;
use serde_json::{Value, json};

/// What somebody put above the template of trailship: a type that no hash has.
fn template(stream: &str, is_refusing: bool) -> Value {
    let expected = if is_refusing { "long" } else { "keyword" };
    let integrity = json!({"properties": {"expected_sha256": {"type": expected}}});
    let mappings = json!({"properties": {"trailship": {"properties": {"integrity": integrity}}}});
    json!({"index_patterns": [stream], "data_stream": {}, "priority": 900, "template": {"mappings": mappings}})
}

async fn count(stream: &Stream, kind: &str) -> usize {
    stream.found_beside("_integrity").await.iter().filter(|hit| hit["_source"]["event"]["kind"] == kind).count()
}

async fn stats(running: &Running) -> Option<Value> {
    let url = newest_address(&running.said())?;
    let answer =
        reqwest::Client::builder().no_proxy().build().unwrap().get(format!("{url}/stats")).send().await.ok()?;
    answer.json().await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_data_stream_refuses_arrives_once_when_it_is_mended() {
    for engine in engines() {
        let (aws, scenes) = (have!(Server::fast()), have!(Scenes::get()));
        let search = have!(Server::search(&engine));
        let stream = Stream::new(&search.url, "refused");
        let integrity = stream.beside("_integrity");
        let path = format!("_index_template/refusing-{}", stream.namespace);
        let (status, answer) = stream.call(Method::PUT, &path, Some(template(&integrity, true))).await;
        assert_eq!(status, 200, "{engine}: {answer}");

        let mut scene = scenes.scene("log-altered");
        (scene.start, scene.end) = ("2025-03-01".to_owned(), "2025-03-01T08:00:00Z".to_owned());
        let mut watched = Watched::new(&aws, scenes, &scene, "", "").await;
        let section = format!(
            "http: {{enabled: true, host: 127.0.0.1, port: 0}}\nintegrity: {{enabled: true, public_keys: {}, late_after: 2s}}",
            scenes.keys().display()
        );
        let output = Program::elasticsearch(&search.url, &stream.namespace, "");
        watched.program = Program::new(&watched.trail.input(""), &output, &section);
        watched.put_all(&scene.objects).await;
        let mut running = watched.run();
        let hours = scene.hours().len();
        until_async("the hours behind it arrive", async || (count(&stream, "metric").await >= hours).then_some(()))
            .await;
        let refusals = |stats: &Value| stats["integrity"]["refusals"]["mapping-refused"].as_u64().unwrap_or(0);
        let told =
            until_async("it is tried again", async || stats(&running).await.filter(|it| refusals(it) >= 2)).await;
        assert_eq!(told["integrity"]["refused"], json!({"mapping-refused": 1}), "{engine}: {told}");
        assert_eq!(count(&stream, "alert").await, 0, "{engine}");
        let said = running.said();
        let times = said.matches("the data stream of integrity refuses documents").count();
        assert_eq!(times, 1, "{engine}: each kind once\n{said}");

        let gaps = || {
            let ended =
                watched.program.output(&["gaps", "--start", &scene.start, "--end", &scene.end, "--format", "json"]);
            let told: Value = serde_json::from_slice(&ended.stdout).unwrap();
            (ended.status.code().unwrap(), told["undelivered"].clone())
        };
        let (code, told) = gaps();
        assert_eq!((code, &told["findings"], &told["ledger"]), (3, &json!(1), &json!(0)), "{engine}: {told}");
        assert_eq!(told["refused"]["mapping-refused"]["documents"], 1, "{engine}: {told}");
        let text = watched.program.output(&["gaps", "--start", &scene.start, "--end", &scene.end]);
        let text = String::from_utf8_lossy(&text.stdout).into_owned();
        assert!(text.contains("1 findings, 0 hours; 1 of both refused"), "{engine}: {text}");
        assert!(text.contains("mapping-refused"), "{engine}: {text}");

        // A kill forgets nothing of it.
        running.kill();
        let status = watched.program.output(&["status"]);
        let text = String::from_utf8_lossy(&status.stdout).into_owned();
        let line = "findings made: 1; findings and hours waiting to be delivered: 1, of these refused: 1";
        assert!(text.contains(line), "{engine}: {text}");
        let running = watched.run();
        let (status, answer) = stream.call(Method::PUT, &path, Some(template(&integrity, false))).await;
        assert_eq!(status, 200, "{engine}: {answer}");
        let (status, answer) = stream.call(Method::POST, &format!("{integrity}/_rollover"), None).await;
        assert_eq!(status, 200, "{engine}: {answer}");
        until_async("the finding arrives", async || (count(&stream, "alert").await > 0).then_some(())).await;
        until_async("nothing waits", async || stats(&running).await.filter(|it| it["integrity"]["outbox"] == 0)).await;
        assert!(running.terminate().0.success());
        let hits = stream.found_beside("_integrity").await;
        let documents: Vec<Value> = hits.iter().map(|hit| hit["_source"].clone()).collect();
        let findings: Vec<&Value> = documents.iter().filter(|it| it["event"]["kind"] == "alert").collect();
        assert_eq!(findings.len(), 1, "{engine}: {findings:?}");
        assert_eq!(findings[0]["event"]["action"], "log_file_altered", "{engine}");
        assert_eq!(documents.len(), hours + 1, "{engine}: {documents:?}");
        let (code, told) = gaps();
        assert_eq!((code, &told["refused"]), (0, &json!({})), "{engine}: {told}");
        assert_eq!(told["findings_made"], 1, "{engine}: {told}");
    }
}
