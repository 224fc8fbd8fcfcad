//! `trailship test output`: the way to the cluster, step by step, each with a verdict and what to do.
//!
//! Nothing is written: privileges are asked for, the template is simulated.

use super::answer::error_of;
use super::ask::Cluster;
use super::judge;
use super::privileges;
use super::send::{Node, Reply, SendFault};
use super::settings::Proxy;
use crate::check::{Check, Verdict};
use elasticsearch::http::Method;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;

/// Longest wait for a name or a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// Checks every node, then what the cluster says of itself, the template, the pipeline and the privileges.
pub async fn test(cluster: &Cluster) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut is_up = false;
    for node in cluster.nodes() {
        is_up |= test_node(cluster, node, &mut checks).await;
    }
    if is_up {
        checks.push(template(cluster).await);
        checks.extend(pipeline(cluster).await);
        checks.extend(privileges::test(cluster).await);
    }
    checks
}

/// True when the node answers as a search server that knows us.
async fn test_node(cluster: &Cluster, node: &Node, checks: &mut Vec<Check>) -> bool {
    let url = node.url();
    checks.push(check("address", Verdict::Ok, format!("`{url}`")));
    if matches!(cluster.settings().proxy, Proxy::Given(_)) {
        checks.push(check("proxy", Verdict::Ok, "name and connection are left to the proxy"));
    } else if let Err(failed) =
        reach(url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(9200), checks).await
    {
        checks.push(failed);
        return false;
    }
    let step = if url.scheme() == "https" { "TLS and login" } else { "login" };
    match cluster.ask_node(node, Method::Get, "", None).await {
        Err(fault) => {
            checks.push(check(step, Verdict::Failed, unanswered(&fault)));
            false
        }
        Ok(reply) => {
            let (greeting, is_known) = greeting(step, &reply);
            checks.extend(greeting);
            is_known
        }
    }
}

async fn reach(host: &str, port: u16, checks: &mut Vec<Check>) -> Result<(), Check> {
    let host = host.trim_matches(['[', ']']);
    let found = tokio::time::timeout(PATIENCE, tokio::net::lookup_host((host, port))).await;
    let addresses: Vec<SocketAddr> = match found {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(fault)) => {
            return Err(check(
                "name",
                Verdict::Failed,
                format!("`{host}`: {fault}: check `hosts` and the name server"),
            ));
        }
        Err(_) => {
            return Err(check("name", Verdict::Failed, format!("no answer from the name server for `{host}`")));
        }
    };
    let shown: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    checks.push(check("name", Verdict::Ok, format!("`{host}` is {}", shown.join(", "))));
    match tokio::time::timeout(PATIENCE, tokio::net::TcpStream::connect(addresses.as_slice())).await {
        Ok(Ok(_)) => {
            checks.push(check("connection", Verdict::Ok, format!("port {port} is open")));
            Ok(())
        }
        Ok(Err(fault)) => Err(check(
            "connection",
            Verdict::Failed,
            format!("port {port}: {fault}: is the server running, is the port right?"),
        )),
        Err(_) => Err(check("connection", Verdict::Failed, format!("port {port}: no answer: is there a firewall?"))),
    }
}

fn unanswered(fault: &SendFault) -> String {
    match fault {
        SendFault::Tls(text) if text.contains("UnknownIssuer") => {
            format!("{fault}: name the authority in `ssl.certificate_authorities` or `ssl.ca_trusted_fingerprint`")
        }
        SendFault::Tls(text) if text.contains("CorruptMessage") || text.contains("InvalidContentType") => {
            format!("{fault}: does the server speak plain `http`?")
        }
        SendFault::Tls(_) => format!("{fault}: check the certificate and its host name"),
        SendFault::Broken(_) => format!("{fault}: does the server expect `https`?"),
        SendFault::Timeout(_) | SendFault::Unreachable(_) => fault.to_string(),
    }
}

/// What the server says of itself; false when it is none that we can ship to.
fn greeting(step: &str, reply: &Reply) -> (Vec<Check>, bool) {
    match reply.status {
        200..=299 => {}
        403 => {
            let note = "the credentials are known but lack the cluster privilege `monitor`, so the version is unknown";
            return (vec![check(step, Verdict::Warning, note)], true);
        }
        status => {
            let told = error_of(&reply.body);
            let text = format!("status {status}: {}: {}", told.reason, judge::advice(status, &told));
            return (vec![check(step, Verdict::Failed, text)], false);
        }
    }
    let told = reply.json();
    let text = |pointer: &str| told.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (version, distribution) = (text("/version/number"), text("/version/distribution"));
    let is_opensearch = distribution == "opensearch";
    let is_elasticsearch = reply.product.as_deref() == Some("Elasticsearch");
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let number = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let (verdict, text) = match (is_opensearch, is_elasticsearch) {
        (true, _) if (2..=3).contains(&number.0) => (Verdict::Ok, format!("OpenSearch {version}")),
        (true, _) => (Verdict::Warning, format!("OpenSearch {version}: tried with 2.x and 3.x only")),
        (_, true) if number < (8, 8) => (Verdict::Failed, format!("Elasticsearch {version}: 8.8 or newer is needed")),
        (_, true) if number.0 > 9 => (Verdict::Warning, format!("Elasticsearch {version}: tried with 8.8 to 9.x only")),
        (_, true) => (Verdict::Ok, format!("Elasticsearch {version}")),
        (false, false) => (
            Verdict::Warning,
            "what answers is neither Elasticsearch nor OpenSearch: check `hosts` and `path`".to_owned(),
        ),
    };
    (vec![check(step, Verdict::Ok, "accepted"), check("version", verdict, text)], verdict != Verdict::Failed)
}

/// Looks at the data stream where it is there, and otherwise at what it would be made of: a server may refuse to
/// simulate what exists.
async fn template(cluster: &Cluster) -> Check {
    let step = "template";
    let stream = &cluster.settings().stream;
    let existing = match cluster.ask(Method::Get, &format!("{stream}/_mapping"), None).await {
        Ok(reply) => reply,
        Err(fault) => return check(step, Verdict::Failed, fault.to_string()),
    };
    if existing.is_success() {
        return existing_mapping(stream, &existing.json());
    }
    let simulated = match cluster.ask(Method::Post, &format!("_index_template/_simulate_index/{stream}"), None).await {
        Ok(reply) => reply,
        Err(fault) => return check(step, Verdict::Failed, fault.to_string()),
    };
    if matches!(simulated.status, 401 | 403) {
        return check(
            step,
            Verdict::Warning,
            "the credentials may not look at templates, which shipping does not need",
        );
    }
    if simulated.json().pointer("/template/mappings").is_some_and(has_trail_fields) {
        return check(step, Verdict::Ok, format!("`{stream}` will have the fields of a trail"));
    }
    check(
        step,
        Verdict::Failed,
        format!("no template with the fields of a trail fits `{stream}`: run `trailship setup --index-management`"),
    )
}

fn existing_mapping(stream: &str, told: &Value) -> Check {
    // Backing indices are numbered, so the last name is that of the one written to.
    let newest = told.as_object().and_then(|indices| indices.iter().max_by_key(|(name, _)| name.as_str()));
    match newest.and_then(|(_, index)| index.get("mappings")) {
        Some(mappings) if has_trail_fields(mappings) => {
            check("template", Verdict::Ok, format!("`{stream}` has the fields of a trail"))
        }
        _ => check(
            "template",
            Verdict::Failed,
            format!("`{stream}` was made without the fields of a trail: run `trailship setup --index-management`"),
        ),
    }
}

fn has_trail_fields(mappings: &Value) -> bool {
    mappings.pointer("/properties/aws/properties/cloudtrail").is_some()
}

async fn pipeline(cluster: &Cluster) -> Option<Check> {
    let step = "pipeline";
    let name = cluster.settings().pipeline.as_ref()?;
    Some(match cluster.ask(Method::Get, &format!("_ingest/pipeline/{name}"), None).await {
        Ok(reply) if reply.is_success() => check(step, Verdict::Ok, format!("`{name}` exists")),
        Ok(reply) if reply.status == 404 => check(
            step,
            Verdict::Failed,
            format!("`{name}` does not exist, and records would wait for it: check `pipeline`"),
        ),
        Ok(reply) => {
            check(step, Verdict::Warning, format!("status {}: the credentials may not look at pipelines", reply.status))
        }
        Err(fault) => check(step, Verdict::Failed, fault.to_string()),
    })
}

fn check(step: &str, verdict: Verdict, detail: impl Into<String>) -> Check {
    Check { step: step.to_owned(), verdict, detail: detail.into() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use serde_json::json;

    fn greeted(status: u16, product: Option<&str>, body: &Value) -> (Verdict, bool) {
        let reply = Reply { status, product: product.map(str::to_owned), body: Bytes::from(body.to_string()) };
        let (checks, is_known) = greeting("login", &reply);
        (checks.last().unwrap().verdict, is_known)
    }

    #[test]
    fn the_newest_index_of_a_data_stream_counts() {
        let with = json!({"mappings": {"properties": {"aws": {"properties": {"cloudtrail": {}}}}}});
        let without = json!({"mappings": {}});
        for (old, new, verdict) in [(&without, &with, Verdict::Ok), (&with, &without, Verdict::Failed)] {
            let told = json!({".ds-s-000001": old, ".ds-s-000002": new});
            assert_eq!(existing_mapping("s", &told).verdict, verdict);
        }
    }

    #[test]
    fn products_and_versions_are_judged() {
        let elasticsearch = Some("Elasticsearch");
        let version = |number: &str| json!({"version": {"number": number}});
        let opensearch = |number: &str| json!({"version": {"number": number, "distribution": "opensearch"}});
        for (product, body, verdict, is_known) in [
            (elasticsearch, version("8.8.0"), Verdict::Ok, true),
            (elasticsearch, version("9.5.3"), Verdict::Ok, true),
            (elasticsearch, version("8.7.1"), Verdict::Failed, false),
            (elasticsearch, version("7.17.0"), Verdict::Failed, false),
            (elasticsearch, version("10.0.0"), Verdict::Warning, true),
            (None, opensearch("2.19.6"), Verdict::Ok, true),
            (None, opensearch("3.8.0"), Verdict::Ok, true),
            (None, opensearch("1.3.0"), Verdict::Warning, true),
            (None, json!("<html>"), Verdict::Warning, true),
        ] {
            assert_eq!(greeted(200, product, &body), (verdict, is_known), "{body}");
        }
        let refused = json!({"error": {"type": "security_exception", "reason": "missing authentication credentials"}});
        assert_eq!(greeted(401, elasticsearch, &refused), (Verdict::Failed, false));
        assert_eq!(greeted(403, elasticsearch, &refused), (Verdict::Warning, true));
    }
}
