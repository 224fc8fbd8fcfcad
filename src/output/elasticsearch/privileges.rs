//! What the login may do: what shipping needs, and what `trailship setup` needs. Asked, never tried.
//!
//! Elasticsearch answers for each privilege. OpenSearch with its security plugin checks one request without carrying it
//! out. A server without security has no such question.

use super::answer::Item;
use super::ask::Cluster;
use super::judge;
use super::send::{Reply, SendFault};
use crate::check::{Check, Verdict};
use elasticsearch::http::Method;
use serde_json::{Value, json};

const SHIPPING: &str = "privileges";
const SETUP: &str = "privileges for setup";

/// Needed on the cluster by `trailship setup`.
const OF_SETUP_ON_CLUSTER: &[&str] = &["monitor", "manage_index_templates", "manage_ilm"];

/// Needed on data streams by `trailship setup`, the last for `--rollover` alone.
const OF_SETUP_ON_STREAMS: &[&str] = &["view_index_metadata", "manage"];

/// One verdict for shipping; one for setup where the server tells.
pub async fn test(cluster: &Cluster) -> Vec<Check> {
    let told = match told(cluster).await {
        Ok(told) => told,
        Err(fault) => return vec![check(SHIPPING, Verdict::Failed, fault.to_string())],
    };
    let stream = cluster.settings().stream.as_str();
    match told.pointer("/index").and_then(|index| index.get(stream)) {
        Some(_) => vec![shipping(&told, stream), setup(&told, stream)],
        None => vec![checked_by_opensearch(cluster).await],
    }
}

/// The answer of Elasticsearch; null where there is none.
async fn told(cluster: &Cluster) -> Result<Value, SendFault> {
    let stream = &cluster.settings().stream;
    let on_streams: Vec<&str> = ["create_doc", "auto_configure"].iter().chain(OF_SETUP_ON_STREAMS).copied().collect();
    let mut told = Value::Null;
    // Serverless has no ILM and refuses a question about it.
    for on_cluster in [OF_SETUP_ON_CLUSTER, &OF_SETUP_ON_CLUSTER[..2]] {
        let wanted = json!({"cluster": on_cluster, "index": [{"names": [stream], "privileges": on_streams}]});
        let reply = cluster.ask(Method::Post, "_security/user/_has_privileges", Some(&wanted)).await?;
        if reply.is_success() {
            told = reply.json();
            break;
        }
    }
    Ok(told)
}

fn shipping(told: &Value, stream: &str) -> Check {
    let granted = |name: &str| on_stream(told, stream, name);
    match (granted("create_doc"), granted("auto_configure")) {
        (Some(true), Some(true)) => {
            check(SHIPPING, Verdict::Ok, format!("`create_doc` and `auto_configure` on `{stream}`"))
        }
        (Some(true), _) => {
            let detail = format!("no `auto_configure` on `{stream}`: it must exist before records arrive");
            check(SHIPPING, Verdict::Warning, detail)
        }
        _ => {
            let detail = format!("no `create_doc` on `{stream}`: {}", judge::advice(403, &Item::default()));
            check(SHIPPING, Verdict::Failed, detail)
        }
    }
}

/// Never a fault: who ships need not be the one who sets up.
fn setup(told: &Value, stream: &str) -> Check {
    let denied = |(_, granted): &(&&str, Option<bool>)| *granted == Some(false);
    let named = |(name, _): (&&str, Option<bool>)| format!("`{name}`");
    let cluster = OF_SETUP_ON_CLUSTER.iter().map(|name| (name, on_cluster(told, name)));
    let streams = OF_SETUP_ON_STREAMS.iter().map(|name| (name, on_stream(told, stream, name)));
    let cluster: Vec<String> = cluster.filter(denied).map(named).collect();
    let streams: Vec<String> = streams.filter(denied).map(named).collect();
    let mut lacking = Vec::new();
    if !cluster.is_empty() {
        lacking.push(format!("{} on the cluster", cluster.join(", ")));
    }
    if !streams.is_empty() {
        lacking.push(format!("{} on `{stream}`", streams.join(", ")));
    }
    let detail = match lacking.is_empty() {
        true => "this login may also run `trailship setup`, which shipping does not need".to_owned(),
        false => format!("`trailship setup` needs another login: this one lacks {}", lacking.join(" and ")),
    };
    check(SETUP, Verdict::Ok, detail)
}

fn on_cluster(told: &Value, name: &str) -> Option<bool> {
    told.get("cluster")?.get(name)?.as_bool()
}

fn on_stream(told: &Value, stream: &str, name: &str) -> Option<bool> {
    told.get("index")?.get(stream)?.get(name)?.as_bool()
}

/// Asks OpenSearch to check a document's way without going it. The document would be refused in any case, as it has no
/// time; a server without the security plugin refuses the parameter.
async fn checked_by_opensearch(cluster: &Cluster) -> Check {
    let stream = &cluster.settings().stream;
    let path = format!("{stream}/_create/trailship-privileges?perform_permission_check=true");
    let greeting = match cluster.ask(Method::Get, "", None).await {
        Ok(reply) => reply,
        Err(fault) => return check(SHIPPING, Verdict::Failed, fault.to_string()),
    };
    if !is_opensearch(&greeting) {
        return check(SHIPPING, Verdict::Ok, "security is off: everything is allowed");
    }
    let told = match cluster.ask(Method::Put, &path, Some(&json!({}))).await {
        Ok(reply) => reply.json(),
        Err(fault) => return check(SHIPPING, Verdict::Failed, fault.to_string()),
    };
    let missing: Vec<&str> =
        told["missingPrivileges"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    match told["accessAllowed"].as_bool() {
        Some(true) => check(SHIPPING, Verdict::Ok, format!("documents may be created in `{stream}`")),
        Some(false) => {
            let missing = missing.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let detail = format!(
                "no document may be created in `{stream}`: give the role {missing} on it; `trailship setup --dry-run` \
                 shows what setup may do"
            );
            check(SHIPPING, Verdict::Failed, detail)
        }
        None => check(SHIPPING, Verdict::Ok, "this OpenSearch has no such question (security is off, or old)"),
    }
}

fn is_opensearch(greeting: &Reply) -> bool {
    greeting.json().pointer("/version/distribution").and_then(Value::as_str) == Some("opensearch")
}

fn check(step: &str, verdict: Verdict, detail: impl Into<String>) -> Check {
    Check { step: step.to_owned(), verdict, detail: detail.into() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::ElasticsearchConfig;
    use super::super::fake::Fake;
    use super::super::host::Host;
    use super::*;
    use std::sync::Arc;

    const STREAM: &str = "logs-aws.cloudtrail-default";

    async fn asked(pages: &[(&str, u16, Value)]) -> Vec<(String, Verdict, String)> {
        let fake = Fake::start(vec![]).await;
        for (page, status, answer) in pages {
            fake.state().pages.insert((*page).to_owned(), (*status, answer.clone()));
        }
        let hosts = vec![Host::from(fake.address.to_string().as_str())];
        let config = ElasticsearchConfig { hosts, ..ElasticsearchConfig::default() };
        let cluster = Cluster::new(Arc::new(config.settle("default").unwrap())).unwrap();
        let checks = test(&cluster).await;
        assert!(fake.state().requests.is_empty(), "nothing is written");
        checks.into_iter().map(|check| (check.step, check.verdict, check.detail)).collect()
    }

    fn granted(names: &[&str]) -> Value {
        let of = |asked: &[&str]| -> Value { asked.iter().map(|name| (*name, names.contains(name))).collect() };
        let on_streams = ["create_doc", "auto_configure", "view_index_metadata", "manage"];
        json!({"username": "x", "has_all_requested": false, "cluster": of(OF_SETUP_ON_CLUSTER), "index": {STREAM: of(&on_streams)}})
    }

    #[tokio::test]
    async fn elasticsearch_answers_for_each_privilege() {
        let page = "POST /_security/user/_has_privileges";
        for (names, shipping, named, setup) in [
            (
                vec!["monitor", "create_doc", "auto_configure"],
                Verdict::Ok,
                "`create_doc` and",
                "lacks `manage_index_templates`, `manage_ilm` on the cluster and `view_index_metadata`, `manage` on",
            ),
            (vec!["create_doc"], Verdict::Warning, "no `auto_configure`", "lacks `monitor`, "),
            (vec!["monitor", "manage"], Verdict::Failed, "no `create_doc`", "and `view_index_metadata` on"),
            (
                vec![
                    "monitor",
                    "manage_index_templates",
                    "manage_ilm",
                    "create_doc",
                    "auto_configure",
                    "view_index_metadata",
                    "manage",
                ],
                Verdict::Ok,
                "`create_doc` and",
                "may also run",
            ),
        ] {
            let checks = asked(&[(page, 200, granted(&names))]).await;
            let [(step, verdict, detail), (setup_step, setup_verdict, told)] = checks.as_slice() else {
                unreachable!("two verdicts: {checks:?}")
            };
            assert_eq!((step.as_str(), setup_step.as_str()), (SHIPPING, SETUP));
            assert_eq!((*verdict, *setup_verdict), (shipping, Verdict::Ok), "{names:?}");
            assert!(detail.contains(named) && told.contains(setup), "{detail}; {told}");
        }
    }

    #[tokio::test]
    async fn opensearch_checks_a_request_without_carrying_it_out() {
        let greeting = ("GET /", 200, json!({"version": {"number": "2.19.0", "distribution": "opensearch"}}));
        let page = "PUT /logs-aws.cloudtrail-default/_create/trailship-privileges?perform_permission_check=true";
        let unknown = json!({"error": {"type": "illegal_argument_exception", "reason": "unrecognized parameter"}});
        for (status, answer, verdict, named) in [
            (200, json!({"accessAllowed": true, "missingPrivileges": []}), Verdict::Ok, "may be created"),
            (
                200,
                json!({"accessAllowed": false, "missingPrivileges": ["indices:data/write/index"]}),
                Verdict::Failed,
                "`indices:data/write/index`",
            ),
            (400, unknown, Verdict::Ok, "no such question"),
        ] {
            let checks = asked(&[greeting.clone(), (page, status, answer)]).await;
            assert_eq!((checks.len(), checks[0].1), (1, verdict), "{checks:?}");
            assert!(checks[0].2.contains(named), "{checks:?}");
        }
    }

    #[tokio::test]
    async fn without_security_there_is_nothing_to_ask() {
        let greeting = ("GET /", 200, json!({"version": {"number": "8.19.0"}}));
        let checks = asked(&[greeting]).await;
        assert_eq!((checks.len(), checks[0].1), (1, Verdict::Ok));
        assert!(checks[0].2.contains("security is off"), "{checks:?}");
    }
}
