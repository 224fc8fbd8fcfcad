//! An Elasticsearch with HTTPS and API keys.

use crate::have;
use crate::support::aws::Trail;
use crate::support::program::{Program, until};
use crate::support::servers::{Server, engines, skipped};
use crate::support::trail;
use serde_json::{Value, json};

pub struct Secured {
    pub server: Server,
    pub authority: String,
    http: reqwest::Client,
}

impl Secured {
    pub fn start() -> Result<Secured, String> {
        let server = Server::start(&["search", "elasticsearch", "--password", "secret-of-elastic", "--tls"])?;
        let authority = server.details["ca"].as_str().unwrap().to_owned();
        let pem = std::fs::read(&authority).unwrap();
        let http = reqwest::Client::builder()
            .no_proxy()
            .add_root_certificate(reqwest::Certificate::from_pem(&pem).unwrap())
            .build()
            .unwrap();
        Ok(Secured { server, authority, http })
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        let request =
            self.http.post(format!("{}/{path}", self.server.url)).basic_auth("elastic", Some("secret-of-elastic"));
        let request = match body {
            Value::Null => request,
            body => request.header("content-type", "application/json").body(body.to_string()),
        };
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    /// An API key in the form `id:key`.
    async fn api_key(&self, name: &str, privileges: &[&str]) -> String {
        let role = json!({"cluster": ["monitor"], "indices": [{"names": ["logs-aws.cloudtrail-*"], "privileges": privileges}]});
        let key = self.post("_security/api_key", json!({"name": name, "role_descriptors": {"ship": role}})).await;
        format!("{}:{}", key["id"].as_str().unwrap(), key["api_key"].as_str().unwrap())
    }

    pub async fn count(&self, stream: &str) -> u64 {
        self.post(&format!("{stream}/_refresh"), Value::Null).await;
        self.post(&format!("{stream}/_count"), json!({})).await["count"].as_u64().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn https_with_an_api_key_and_keys_that_do_not_suffice() {
    if !engines().iter().any(|engine| engine == "elasticsearch") {
        return skipped("`elasticsearch` is not in ENGINES");
    }
    let aws = have!(Server::aws());
    let secured = have!(Secured::start());
    let bucket = Trail::new(&aws, true).await;
    bucket.put(&trail::key("CloudTrail", "one"), trail::object(&trail::records("secured", 25))).await;
    let output = |login: &str| {
        let more = format!("{login}\nssl.certificate_authorities: ['{}']", secured.authority);
        Program::elasticsearch(&secured.server.url, "secured", &more)
    };
    Program::new(&bucket.input(""), &output("username: elastic\npassword: secret-of-elastic"), "").setup();

    // A wrong key and a key without `create_doc`: held, named, nothing lost.
    let wrong = "VuaCfGcBCdbkQm-e5aOx:ui2lp2axTNmsyakw9tvNnw".to_owned();
    let blind = secured.api_key("blind", &["auto_configure"]).await;
    for (key, status) in [(&wrong, "401"), (&blind, "403")] {
        let program =
            Program::new(&bucket.input(""), &output(&format!("api_key: '{key}'")), "trailship.shutdown_timeout: 1s");
        let mut running = program.spawn(&["run"]);
        until("the refusal is named", || {
            assert!(running.ended().is_none(), "{}", running.said());
            running.said().contains(status).then_some(())
        });
        let said = running.said();
        assert!(!said.contains(key.split_once(':').unwrap().1), "the key is not in the log");
        assert!(running.terminate().0.success());
        let (visible, hidden) = bucket.depth().await;
        assert_eq!(visible + hidden, 1, "the message is still there");
    }

    // No trust in the certificate: said, and nothing sent.
    let untrusted = Program::new(
        &bucket.input(""),
        &Program::elasticsearch(&secured.server.url, "secured", "username: elastic\npassword: secret-of-elastic"),
        "",
    );
    let tested = untrusted.output(&["test", "output"]);
    assert_eq!(tested.status.code(), Some(1));
    assert!(!String::from_utf8_lossy(&tested.stdout).contains("secret-of-elastic"));

    let key = secured.api_key("ship", &["auto_configure", "create_doc"]).await;
    let program = Program::new(&bucket.input(""), &output(&format!("api_key: '{key}'")), "");
    let tested = program.output(&["test", "output"]);
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stdout));
    let summary = program.once();
    assert_eq!(summary["indexed"], 25, "{summary}");
    assert_eq!(secured.count("logs-aws.cloudtrail-secured").await, 25);
    assert_eq!(bucket.depth().await, (0, 0));
}
