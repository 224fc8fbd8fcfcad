//! The HTTP endpoint: `/` and `/stats` and `/inputs/` as Beats have them, `/metrics` for Prometheus, `/healthz` and
//! `/readyz` for whoever starts and stops processes, `/status` for people. It only tells; nothing can be changed by it.

use super::{Health, Summary, metrics, page};
use crate::visible;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Section `http`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    pub enabled: bool,
    /// Name or address to listen on. Nobody has to show who they are, so that other than loopback is a decision.
    pub host: String,
    /// 0 for any that is free; the log says which.
    pub port: u16,
}

impl Default for HttpConfig {
    fn default() -> HttpConfig {
        HttpConfig { enabled: false, host: "localhost".to_owned(), port: 5066 }
    }
}

/// What the endpoint tells about.
pub struct Subject {
    /// Identifier of the installation.
    pub id: String,
    pub name: String,
    pub health: Health,
    /// The figures of this moment.
    pub figures: Box<dyn Fn() -> Summary + Send + Sync>,
}

/// The endpoint, listening.
pub struct Endpoint {
    listener: TcpListener,
}

impl Endpoint {
    /// Listens where the configuration says; nowhere when it is not enabled.
    ///
    /// # Errors
    /// The address is taken, or none of this host's.
    pub async fn open(config: &HttpConfig) -> std::io::Result<Option<Endpoint>> {
        if !config.enabled {
            return Ok(None);
        }
        let listener = TcpListener::bind((config.host.as_str(), config.port)).await?;
        Ok(Some(Endpoint { listener }))
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Answers until `end`.
pub async fn serve(endpoint: Endpoint, subject: Arc<Subject>, end: CancellationToken) {
    let served = axum::serve(endpoint.listener, routes(subject)).with_graceful_shutdown(end.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!("the HTTP endpoint has ended: {error}");
    }
}

type About = State<Arc<Subject>>;

fn routes(subject: Arc<Subject>) -> Router {
    Router::new()
        .route("/", get(version))
        .route("/stats", get(async |about: About| json_of(&(about.figures)())))
        .route("/inputs/", get(async |about: About| json_of(&(about.figures)().inputs)))
        .route("/metrics", get(prometheus))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/status", get(status))
        .with_state(subject)
}

async fn version(about: About) -> Response {
    json_of(&json!({
        "beat": "trailship",
        "name": about.name,
        "uuid": about.id,
        "version": env!("CARGO_PKG_VERSION"),
    }))
}

async fn prometheus(about: About) -> Response {
    let text = metrics::render(&(about.figures)(), &about.health);
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response()
}

async fn ready(about: About) -> Response {
    let ready = about.health.is_ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, json_of(&json!({"ready": ready, "troubles": about.health.troubles()}))).into_response()
}

async fn status(about: About) -> Response {
    // The page is one file without scripts; whatever a key or a message may hold, nothing else is loaded or run.
    let policy = (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'");
    let text = page::render(&about.name, &(about.figures)(), &about.health);
    ([policy, (CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response()
}

fn json_of(value: &impl Serialize) -> Response {
    match serde_json::to_string_pretty(value) {
        Ok(text) => ([(CONTENT_TYPE, "application/json")], visible::json(&text) + "\n").into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ack::Counts;
    use crate::status::{InputStatus, LogGroupStatus};
    use serde_json::Value;

    fn figures() -> Summary {
        let records = Counts { received: 10, indexed: 6, duplicate: 1, parked: 1, in_flight: 2, ..Counts::default() };
        let trail = InputStatus {
            id: "trail \"a\"\n<i>".to_owned(),
            records,
            objects: 3,
            waiting: Some(7),
            messages_received: 4,
            log_groups: Some(LogGroupStatus { groups: 3, failing: 1, calls_granted: 9, ..LogGroupStatus::default() }),
            ..InputStatus::default()
        };
        let parked_by_code = [("broken-record".to_owned(), 1)].into();
        Summary { inputs: vec![trail], records: 10, indexed: 6, parked_by_code, seconds: 1.5, ..Summary::default() }
    }

    async fn served(health: &Health) -> (String, CancellationToken) {
        let config = HttpConfig { enabled: true, host: "127.0.0.1".to_owned(), port: 0 };
        let endpoint = Endpoint::open(&config).await.unwrap().unwrap();
        let url = format!("http://{}", endpoint.address().unwrap());
        let subject = Subject { id: "i".into(), name: "n".into(), health: health.clone(), figures: Box::new(figures) };
        let end = CancellationToken::new();
        tokio::spawn(serve(endpoint, Arc::new(subject), end.clone()));
        (url, end)
    }

    async fn get(url: &str, path: &str) -> (u16, String) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.get(format!("{url}{path}")).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    #[tokio::test]
    async fn it_tells_what_beats_tell() {
        let (url, end) = served(&Health::default()).await;
        let json = async |path: &str| serde_json::from_str::<Value>(&get(&url, path).await.1).unwrap();
        assert_eq!(json("/").await["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(json("/stats").await["indexed"], 6);
        assert_eq!(json("/inputs/").await[0]["received"], 10);
        assert_eq!(get(&url, "/healthz").await, (200, "ok\n".to_owned()));
        assert_eq!(get(&url, "/else").await.0, 404);
        end.cancel();
    }

    #[tokio::test]
    async fn readiness_names_the_call_and_the_code() {
        let health = Health::default();
        let (url, end) = served(&health).await;
        assert_eq!(get(&url, "/readyz").await.0, 503, "not yet begun");
        health.begin();
        assert_eq!(get(&url, "/readyz").await.0, 200);
        let part = health.part("trail");
        part.trouble("ReceiveMessage", "ExpiredToken", "the credentials have expired");
        let (code, text) = get(&url, "/readyz").await;
        let told: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((code, &told["ready"]), (503, &json!(false)));
        assert_eq!(
            (&told["troubles"][0]["api"], &told["troubles"][0]["code"]),
            (&json!("ReceiveMessage"), &json!("ExpiredToken"))
        );
        part.well("ReceiveMessage");
        assert_eq!(get(&url, "/readyz").await.0, 200);
        end.cancel();
    }

    #[tokio::test]
    async fn metrics_are_openmetrics_text() {
        let health = Health::default();
        health.part("trail").trouble("ReceiveMessage", "AccessDenied", "denied");
        let (url, end) = served(&health).await;
        let text = get(&url, "/metrics").await.1;
        for line in [
            r#"trailship_records_total{input="trail \"a\"\n<i>",outcome="indexed"} 6"#,
            r#"trailship_records_received_total{input="trail \"a\"\n<i>"} 10"#,
            r#"trailship_records_unbalanced{input="trail \"a\"\n<i>"} 0"#,
            r#"trailship_waiting{input="trail \"a\"\n<i>"} 7"#,
            r#"trailship_log_groups{input="trail \"a\"\n<i>",state="failing"} 1"#,
            r#"trailship_quota_calls_total{input="trail \"a\"\n<i>",fate="granted"} 9"#,
            r#"trailship_parked_total{code="broken-record"} 1"#,
            r#"trailship_trouble{part="trail",api="ReceiveMessage",code="AccessDenied"} 1"#,
            "trailship_ready 0",
            "trailship_uptime_seconds 1.5",
        ] {
            assert!(text.lines().any(|own| own == line), "{line} is missing in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
        end.cancel();
    }

    #[tokio::test]
    async fn the_page_shows_names_as_text() {
        let (url, end) = served(&Health::default()).await;
        let text = get(&url, "/status").await.1;
        assert!(text.contains("&lt;i&gt;") && !text.contains("<i>"), "{text}");
        end.cancel();
    }

    #[tokio::test]
    async fn a_taken_address_is_an_error() {
        let config = HttpConfig { enabled: true, host: "127.0.0.1".to_owned(), port: 0 };
        let first = Endpoint::open(&config).await.unwrap().unwrap();
        let port = first.address().unwrap().port();
        assert!(Endpoint::open(&HttpConfig { port, ..config.clone() }).await.is_err());
        assert!(Endpoint::open(&HttpConfig { enabled: false, ..config }).await.unwrap().is_none());
    }
}
