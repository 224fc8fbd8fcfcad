//! The configuration as its author meets it: files in, settings and exact texts out.

#![allow(clippy::unwrap_used)]

mod faults;
mod sections;

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Elasticsearch {
    hosts: Vec<String>,
    protocol: Option<Protocol>,
    #[serde(alias = "workers")]
    worker: u16,
    compression_level: u8,
    bulk_max_bytes: ByteSize,
    timeout: Period,
    username: Option<String>,
    password: Option<Secret>,
    headers: BTreeMap<String, String>,
    ratio: f64,
    loadbalance: bool,
    batch: Option<NonZeroU32>,
    backoff: Backoff,
    ssl: Ssl,
}

impl Default for Elasticsearch {
    fn default() -> Self {
        Self {
            hosts: vec!["http://localhost:9200".to_owned()],
            protocol: None,
            worker: 1,
            compression_level: 1,
            bulk_max_bytes: ByteSize::from_mib(8),
            timeout: Period::from_secs(90),
            username: None,
            password: None,
            headers: BTreeMap::new(),
            ratio: 0.5,
            loadbalance: true,
            batch: None,
            backoff: Backoff::default(),
            ssl: Ssl::default(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Protocol {
    Http,
    Https,
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Backoff {
    init: Period,
    max: Period,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { init: Period::from_secs(1), max: Period::from_secs(60) }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Ssl {
    verification_mode: Option<String>,
    certificate_authorities: Vec<String>,
    key: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct AwsS3 {
    id: String,
    queue_url: Option<HttpUrl>,
    role_arn: Option<Arn>,
    visibility_timeout: Period,
    cloudtrail_regex: Pattern,
    secret_access_key: Secret,
    file_selectors: Vec<Selector>,
    sqs: Sqs,
    tags: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Selector {
    regex: Pattern,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Sqs {
    wait_time: Period,
    poll_interval: Period,
}

const INPUT_KINDS: [&str; 1] = ["aws-s3"];
const OUTPUT_KINDS: [&str; 3] = ["elasticsearch", "file", "console"];

fn environment(name: &str) -> Option<String> {
    let value = match name {
        "HOSTS" => "https://a:9200, https://b:9200",
        "PASSWORD" => "hunter2",
        "WORKERS" => "4",
        "BLANK" => "",
        "HEADERS" => "{X-Team: blue}",
        _ => return None,
    };
    Some(value.to_owned())
}

/// Loads a text as the file `t.yml`.
fn try_config(text: &str, overrides: &[&str]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.yml");
    std::fs::write(&file, text).unwrap();
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    let loaded = load(std::slice::from_ref(&file), &overrides, &environment);
    let shorten = |text: String| text.replace(&file.display().to_string(), "t.yml");
    loaded
        .map(|mut config| {
            config.rename_sources(&shorten);
            config
        })
        .map_err(|errors| shorten(errors.to_string()))
}

fn config(text: &str) -> Config {
    try_config(text, &[]).unwrap()
}

/// What is said about the section `output.elasticsearch` and all that is left.
fn complaints(text: &str, overrides: &[&str]) -> String {
    match try_config(text, overrides) {
        Err(errors) => errors,
        Ok(mut config) => {
            let _: Elasticsearch = config.section("output.elasticsearch");
            for input in config.list("trailship.inputs", &INPUT_KINDS) {
                let _: AwsS3 = config.read(&input);
            }
            config.finish().map_or_else(|errors| errors.to_string(), |()| String::new())
        }
    }
}

fn elasticsearch(text: &str, overrides: &[&str]) -> Elasticsearch {
    let mut config = try_config(text, overrides).unwrap();
    let settings = config.section("output.elasticsearch");
    assert_eq!(config.take_errors().to_string(), "");
    settings
}

#[test]
fn reads_a_section_of_every_kind_of_value() {
    let settings = elasticsearch(
        r#"
output.elasticsearch:
  hosts: ["https://a:9200", "https://b:9200"]
  protocol: HTTPS
  workers: 4
  compression_level: "3"
  bulk_max_bytes: 10mb
  timeout: 1m30s
  username: elastic
  password: 0123
  headers: {X-Team: blue, X-Number: 7}
  ratio: 1
  loadbalance: no
  batch: 5
  backoff.init: 2
  ssl:
    verification_mode: none
    certificate_authorities: /etc/ca.pem
"#,
        &[],
    );
    assert_eq!(
        settings,
        Elasticsearch {
            hosts: vec!["https://a:9200".to_owned(), "https://b:9200".to_owned()],
            protocol: Some(Protocol::Https),
            worker: 4,
            compression_level: 3,
            bulk_max_bytes: ByteSize::from_bytes(10_000_000),
            timeout: Period::from_secs(90),
            username: Some("elastic".to_owned()),
            password: Some(Secret::new("0123")),
            headers: BTreeMap::from([
                ("X-Team".to_owned(), "blue".to_owned()),
                ("X-Number".to_owned(), "7".to_owned()),
            ]),
            ratio: 1.0,
            loadbalance: false,
            batch: NonZeroU32::new(5),
            backoff: Backoff { init: Period::from_secs(2), max: Period::from_secs(60) },
            ssl: Ssl {
                verification_mode: Some("none".to_owned()),
                certificate_authorities: vec!["/etc/ca.pem".to_owned()],
                key: None,
            },
        }
    );
}

#[test]
fn what_is_absent_or_empty_keeps_its_default() {
    for text in [
        "",
        "output.elasticsearch:",
        "output.elasticsearch: {}",
        "output: {elasticsearch: {hosts: , timeout: ~, password: null, backoff: }}",
    ] {
        assert_eq!(elasticsearch(text, &[]), Elasticsearch::default(), "{text}");
    }
}

#[test]
fn variables_and_overrides_are_typed_where_they_are_wanted() {
    let settings = elasticsearch(
        "output.elasticsearch:\n  hosts: ${HOSTS}\n  worker: ${WORKERS}\n  password: ${PASSWORD}\n  headers: ${HEADERS}\n",
        &[
            "output.elasticsearch.timeout=5s",
            "output.elasticsearch.ssl.certificate_authorities=/a.pem,/b.pem",
            "output.elasticsearch.username=a,b",
            "output.elasticsearch.backoff={init: 3s}",
            "output.elasticsearch.worker=8",
        ],
    );
    assert_eq!(settings.hosts, ["https://a:9200", "https://b:9200"]);
    assert_eq!(settings.worker, 8);
    assert_eq!(settings.password, Some(Secret::new("hunter2")));
    assert_eq!(settings.headers["X-Team"], "blue");
    assert_eq!(settings.timeout, Period::from_secs(5));
    assert_eq!(settings.ssl.certificate_authorities, ["/a.pem", "/b.pem"]);
    assert_eq!(settings.username.as_deref(), Some("a,b"));
    assert_eq!(settings.backoff.init, Period::from_secs(3));
    assert_eq!(settings.backoff.max, Period::from_secs(60));
}

#[test]
fn later_files_lie_over_earlier_ones() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one.yml"), folder.path().join("two.yml"));
    std::fs::write(&one, "output.elasticsearch: {worker: 2, timeout: 5s}").unwrap();
    std::fs::write(&two, "output.elasticsearch.worker: two\n").unwrap();
    let mut config = load(&[one, two.clone()], &[], &environment).unwrap();
    let settings: Elasticsearch = config.section("output.elasticsearch");
    assert_eq!((settings.worker, *settings.timeout), (1, std::time::Duration::from_secs(5)));
    let errors = config.finish().unwrap_err();
    assert_eq!(errors.0.len(), 1);
    assert_eq!(errors.0[0].file, two.display().to_string());
}
