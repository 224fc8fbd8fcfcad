//! Settings of `output.elasticsearch` as written.
//!
//! Keys equal Filebeat's (its `elasticsearch` output); what differs says so. Mirrors the text and judges nothing: that is
//! done when it is settled (`settings.rs`). Secrets never show.

use super::host::Host;
use crate::config::types::{ByteSize, HttpUrl, Period, Secret};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `output.elasticsearch` as written.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ElasticsearchConfig {
    /// `false` takes the section out of play.
    pub enabled: bool,
    /// Addresses, each with scheme, port and path inside or by default.
    pub hosts: Vec<Host>,
    /// Scheme of hosts that are written without one.
    pub protocol: Protocol,
    /// Path of hosts that are written without one, such as that of a reverse proxy.
    pub path: String,
    /// Added to the query of every bulk request.
    pub parameters: BTreeMap<String, String>,
    /// Added to every request.
    pub headers: BTreeMap<String, Secret>,
    pub username: String,
    pub password: Secret,
    /// `id:key`, or the same in base64 as Kibana shows it.
    pub api_key: Secret,
    pub ssl: SslConfig,
    /// Proxy; the environment's (`HTTPS_PROXY` and so on) by default.
    pub proxy_url: Option<HttpUrl>,
    /// Uses no proxy, not even the environment's.
    pub proxy_disable: bool,
    /// Data stream; `logs-aws.cloudtrail-<namespace>` by default.
    pub index: String,
    /// Ingest pipeline, in lower case.
    pub pipeline: String,
    /// gzip level 1 to 9 of bulk bodies; 0 sends them plain.
    pub compression_level: u8,
    /// Records at which a bulk is closed; 0 or less leaves it to the bytes. Filebeat has 1,600, as it knows no bytes.
    pub bulk_max_size: i64,
    /// Bytes at which a bulk is closed, before compression.
    pub bulk_max_bytes: ByteSize,
    /// Requests at a time for each host, at most: fewer while the cluster is overloaded. Filebeat has 1.
    #[serde(alias = "worker")]
    pub workers: usize,
    /// `false` uses the first host that works.
    pub loadbalance: bool,
    /// Longest wait for an answer.
    pub timeout: Period,
    pub backoff: BackoffConfig,
    /// A named set of values; as in Filebeat it overrides what is written.
    pub preset: Preset,
}

/// `output.elasticsearch.backoff`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackoffConfig {
    /// Pause after the first failure.
    pub init: Period,
    /// Longest pause.
    pub max: Period,
}

/// `output.elasticsearch.ssl`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SslConfig {
    /// `false` leaves all of these settings out; encryption itself follows from `https`.
    pub enabled: Option<bool>,
    pub verification_mode: VerificationMode,
    /// Authorities to trust beside the system's: files, or PEM text.
    pub certificate_authorities: Vec<String>,
    /// Client certificate: a file, or PEM text.
    pub certificate: String,
    /// Key of the client certificate, not encrypted: a file, or PEM text.
    pub key: Secret,
    /// SHA-256 in hexadecimal of an authority that the server presents.
    pub ca_trusted_fingerprint: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    #[default]
    Http,
    Https,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VerificationMode {
    /// Chain and host name.
    #[default]
    Full,
    /// Chain and host name, the name in the certificate's alternative names; the same as `full` here.
    Strict,
    /// Chain only: refused, as it cannot be done.
    Certificate,
    /// Nothing.
    None,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    #[default]
    Custom,
    Balanced,
    Throughput,
    Scale,
    Latency,
}

impl Default for ElasticsearchConfig {
    fn default() -> ElasticsearchConfig {
        ElasticsearchConfig {
            enabled: true,
            hosts: vec![Host::from("localhost:9200")],
            protocol: Protocol::default(),
            path: String::new(),
            parameters: BTreeMap::new(),
            headers: BTreeMap::new(),
            username: String::new(),
            password: Secret::new(""),
            api_key: Secret::new(""),
            ssl: SslConfig::default(),
            proxy_url: None,
            proxy_disable: false,
            index: String::new(),
            pipeline: String::new(),
            compression_level: 1,
            bulk_max_size: 5_000,
            bulk_max_bytes: ByteSize::from_mib(2),
            workers: 4,
            loadbalance: true,
            timeout: Period::from_secs(90),
            backoff: BackoffConfig::default(),
            preset: Preset::default(),
        }
    }
}

impl Default for BackoffConfig {
    fn default() -> BackoffConfig {
        BackoffConfig { init: Period::from_secs(1), max: Period::from_secs(60) }
    }
}
