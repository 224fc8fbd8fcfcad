//! What the running process says of itself, by its HTTP endpoint.

use crate::status::{HttpConfig, Summary, Trouble};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A process that answers.
#[derive(Debug, Serialize)]
pub struct Process {
    pub url: String,
    pub ready: bool,
    pub troubles: Vec<Trouble>,
    pub figures: Summary,
}

#[derive(Deserialize)]
struct Readiness {
    ready: bool,
    troubles: Vec<Trouble>,
}

const PATIENCE: Duration = Duration::from_secs(5);
/// Readings of figures that do not add up: they are read one after the other, so that a single one may be off in passing.
const READINGS: u32 = 3;
/// Between two readings.
const PAUSE: Duration = Duration::from_millis(200);

impl Process {
    /// Whether nothing is in the way, and the records add up.
    pub fn is_fine(&self) -> bool {
        self.ready && self.troubles.is_empty() && is_balanced(&self.figures)
    }
}

/// Where a process with this configuration answers.
///
/// # Errors
/// Why it does not, or not at a place that is known.
pub(super) fn address(http: &HttpConfig) -> Result<String, String> {
    if !http.enabled {
        return Err("`http.enabled` is false, so that a running process says nothing of itself".to_owned());
    }
    if http.port == 0 {
        return Err("`http.port` is 0, so that only the log of the process tells where it answers".to_owned());
    }
    // A process that listens on all addresses answers on this one.
    let host = match http.host.as_str() {
        "0.0.0.0" => "127.0.0.1",
        "::" => "::1",
        host => host,
    };
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    Ok(format!("http://{host}:{}", http.port))
}

/// Asks the process at `url`.
///
/// # Errors
/// None answers there, or not as trailship does.
pub(super) async fn read(url: &str) -> Result<Process, String> {
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
    let client = client.map_err(|error| format!("cannot make an HTTP client: {error}"))?;
    let mut figures: Summary = get(&client, url, "/stats").await?;
    for _ in 1..READINGS {
        if is_balanced(&figures) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        figures = get(&client, url, "/stats").await?;
    }
    let Readiness { ready, troubles } = get(&client, url, "/readyz").await?;
    Ok(Process { url: url.to_owned(), ready, troubles, figures })
}

fn is_balanced(figures: &Summary) -> bool {
    figures.inputs.iter().all(|input| input.imbalance().is_none())
}

/// What is told at `path`, whatever its status: not being ready is an answer.
async fn get<T: DeserializeOwned>(client: &reqwest::Client, url: &str, path: &str) -> Result<T, String> {
    let asked = client.get(format!("{url}{path}")).send().await;
    let answer = match asked {
        Ok(answer) => answer.text().await,
        Err(error) if error.is_connect() => return Err(format!("no process answers at `{url}`: is it running?")),
        Err(error) => Err(error),
    };
    let text = answer.map_err(|error| format!("`{url}{path}`: {error}"))?;
    serde_json::from_str(&text).map_err(|_| format!("`{url}{path}` does not answer as trailship does"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ack::Counts;
    use crate::status::{Endpoint, Health, InputStatus, Subject, serve};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    use tokio_util::sync::CancellationToken;

    fn http(enabled: bool, host: &str, port: u16) -> HttpConfig {
        HttpConfig { enabled, host: host.to_owned(), port }
    }

    #[test]
    fn where_a_process_answers() {
        assert_eq!(address(&http(true, "localhost", 5066)).unwrap(), "http://localhost:5066");
        assert_eq!(address(&http(true, "0.0.0.0", 80)).unwrap(), "http://127.0.0.1:80");
        assert_eq!(address(&http(true, "::", 80)).unwrap(), "http://[::1]:80");
        assert!(address(&http(false, "localhost", 5066)).unwrap_err().contains("http.enabled"));
        assert!(address(&http(true, "localhost", 0)).unwrap_err().contains("http.port"));
    }

    /// A process whose figures are off for so many readings.
    async fn served(health: &Health, off: u32) -> (String, CancellationToken) {
        let endpoint = Endpoint::open(&http(true, "127.0.0.1", 0)).await.unwrap().unwrap();
        let url = format!("http://{}", endpoint.address().unwrap());
        let readings = AtomicU32::new(0);
        let figures = move || {
            let unbalanced = i64::from(readings.fetch_add(1, Relaxed) < off);
            let records = Counts { received: 10, ..Counts::default() };
            let input = InputStatus { id: "trail".to_owned(), records, unbalanced, ..InputStatus::default() };
            Summary { inputs: vec![input], ..Summary::default() }
        };
        let subject = Subject { id: "i".into(), name: "n".into(), health: health.clone(), figures: Box::new(figures) };
        let end = CancellationToken::new();
        tokio::spawn(serve(endpoint, Arc::new(subject), end.clone()));
        (url, end)
    }

    #[tokio::test]
    async fn a_process_is_fine_unless_something_is_in_the_way_or_lasts_unbalanced() {
        for (off, fine) in [(0, true), (1, true), (u32::MAX, false)] {
            let health = Health::default();
            health.begin();
            let (url, end) = served(&health, off).await;
            let process = read(&url).await.unwrap();
            assert_eq!((process.is_fine(), process.figures.inputs[0].records.received), (fine, 10), "{off}");
            health.part("trail").trouble("ReceiveMessage", "ExpiredToken", "expired");
            let process = read(&url).await.unwrap();
            assert_eq!((process.ready, process.troubles.len()), (false, 1));
            assert!(!process.is_fine());
            end.cancel();
        }
    }

    #[tokio::test]
    async fn nobody_there_is_said() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let fault = read(&format!("http://{free}")).await.unwrap_err();
        assert!(fault.contains("is it running?"), "{fault}");
    }
}
