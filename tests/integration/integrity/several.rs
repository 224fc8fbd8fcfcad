//! Several processes on one queue: what one shipped, no other lacks, and `gaps` tells the whole.

use super::{Object, Scene, Scenes, Watched};
use crate::have;
use crate::support::program::{Program, until_async};
use crate::support::search::Stream;
use crate::support::servers::{Server, engines};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;

/// Exit code and JSON, or what was said.
fn gaps(program: &Program, scene: &Scene) -> (i32, Value) {
    let ended = program.output(&["gaps", "--start", &scene.start, "--end", &scene.end, "--format", "json"]);
    let told = serde_json::from_slice(&ended.stdout);
    (ended.status.code().unwrap(), told.unwrap_or_else(|_| json!(String::from_utf8_lossy(&ended.stderr))))
}

/// Announces these and waits until somebody read them.
async fn ship(watched: &Watched, objects: &[&Object]) {
    for object in objects {
        watched.announce(object).await;
    }
    until_async("all are read", async || (watched.trail.depth().await == (0, 0)).then_some(())).await;
}

/// Answers every request with a refusal.
fn refusing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 65_536]);
            let body = r#"{"error":{"reason":"action [indices:data/read/search] is unauthorized"},"status":403}"#;
            let _ = write!(
                connection,
                "HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_is_what_no_process_shipped() {
    for engine in engines() {
        let (aws, scenes) = (have!(Server::fast()), have!(Scenes::get()));
        let search = have!(Server::search(&engine));
        let stream = Stream::new(&search.url, "several");
        let mut scene = scenes.scene("whole");
        (scene.start, scene.end) = ("2025-03-01".to_owned(), "2025-03-01T08:00:00Z".to_owned());
        let mut watched = Watched::quiet(&aws, scenes, &scene, "", "").await;
        let section = format!(
            "state.elasticsearch.enabled: true\nintegrity: {{enabled: true, public_keys: {}, late_after: 2s}}",
            scenes.keys().display()
        );
        let output = Program::elasticsearch(&search.url, &stream.namespace, "");
        let program = || Program::new(&watched.trail.input(""), &output, &section);
        let (one, other) = (program(), program());
        one.setup();
        let (logs, digests) = (scene.logs(), scene.digests());
        let (gone, unannounced) = (&logs[2], &logs[5]);
        for object in scene.objects.iter().filter(|object| object.key != gone.key) {
            watched.put(object).await;
        }
        let announced: Vec<&Object> =
            logs.iter().filter(|log| log.key != gone.key && log.key != unannounced.key).collect();
        let half = announced.len() / 2;
        // Each has files whose digests the other reads.
        let running = one.spawn(&["run"]);
        ship(&watched, &announced[..half]).await;
        ship(&watched, &digests[digests.len() / 2..].iter().collect::<Vec<_>>()).await;
        assert!(running.terminate().0.success());
        let running = other.spawn(&["run"]);
        ship(&watched, &announced[half..]).await;
        ship(&watched, &digests[..digests.len() / 2].iter().collect::<Vec<_>>()).await;
        let again = one.spawn(&["run"]);

        let expected: BTreeSet<(String, String)> = [(gone, "not_in_bucket"), (unannounced, "not_announced")]
            .map(|(log, why)| (log.key.clone(), why.to_owned()))
            .into();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        for program in [&one, &other] {
            let mut last = Value::Null;
            let told = until_async("the whole is known", async || {
                let (code, told) = gaps(program, &scene);
                last = told;
                let is_over = code == 3 && last["awaited"] == 0 && last["open_hours"] == 0 && last["missing"] == 2;
                is_over.then(|| last.clone())
            })
            .await;
            let missing = told["files"].as_array().unwrap();
            let missing: BTreeSet<_> = missing.iter().map(|it| (text(&it["key"]), text(&it["why"]))).collect();
            assert_eq!(missing, expected, "{engine}: {told}");
            assert_eq!(told["scope"], json!({"whole": 2}), "{engine}: {told}");
            let counts = ["expected", "indexed", "read", "records"].map(|name| told[name].as_u64().unwrap());
            let shipped = announced.len() as u64;
            assert_eq!(counts, [logs.len() as u64, shipped, shipped, shipped], "{engine}: {told}");
            assert_eq!(told["without_digest"], json!([]), "{engine}: {told}");
        }
        // Of a host where nobody ever ran.
        watched.program = Program::new(&watched.trail.input(""), &output, &section);
        let (code, told) = gaps(&watched.program, &scene);
        assert_eq!((code, &told["missing"], &told["scope"]), (3, &json!(2), &json!({"whole": 2})), "{engine}: {told}");
        assert!(running.terminate().0.success());
        assert!(again.terminate().0.success());

        // Without the right to read, the own part, marked as such.
        let path = other.folder.path().join("trailship.yml");
        let config = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, config.replace(&search.url, &refusing())).unwrap();
        let (code, told) = gaps(&other, &scene);
        let why = told["scope"]["own_part"].as_str().unwrap_or_else(|| panic!("{engine}: {told}"));
        assert!(why.contains("403") && why.contains("privilege `read`"), "{engine}: {why}");
        assert_eq!((code, &told["missing"]), (3, &json!(1)), "{engine}: only what S3 does not have: {told}");
    }
}
