//! Settings of `output.elasticsearch`, checked and complete: addresses parsed, files read, headers formed.
//!
//! Nothing is connected to. All that is wrong is found at once, each by its key. Secrets never show.

use super::config::{ElasticsearchConfig, Preset, Protocol};
use super::host;
use super::tls::{self, Tls};
use crate::config::types::{Malformed, Secret};
use crate::output::backoff::Backoff;
use elasticsearch::http::Url;
use elasticsearch::http::headers::{HeaderMap, HeaderName, HeaderValue};
use std::collections::BTreeMap;
use std::time::Duration;

/// Where search servers listen.
const PORT: u16 = 9200;

/// What is wrong with a setting; the path is relative to the section.
pub type Fault = (String, Malformed);

/// Who we say we are.
#[derive(Debug, Clone)]
pub enum Login {
    None,
    Basic { username: String, password: Secret },
    ApiKey { id: String, key: Secret },
    EncodedApiKey(Secret),
}

/// Which way requests go.
#[derive(Debug, Clone)]
pub enum Proxy {
    Environment,
    None,
    Given(Url),
}

/// Complete and checked settings.
#[derive(Clone)]
pub struct Settings {
    /// Addresses without credentials.
    pub nodes: Vec<Url>,
    pub login: Login,
    pub tls: Tls,
    pub proxy: Proxy,
    pub headers: HeaderMap,
    /// Data stream.
    pub stream: String,
    pub parameters: Vec<(String, String)>,
    pub pipeline: Option<String>,
    pub compression_level: u8,
    pub max_bytes: usize,
    pub max_records: usize,
    /// Requests at a time, for all nodes together.
    pub concurrency: usize,
    pub spread: bool,
    pub timeout: Duration,
    pub backoff: Backoff,
    /// What is accepted but not as somebody might expect.
    pub warnings: Vec<String>,
}

impl ElasticsearchConfig {
    /// Checks and completes. `namespace` is the data stream's where `index` is not given.
    ///
    /// # Errors
    /// All that is wrong, by key.
    pub fn settle(&self, namespace: &str) -> Result<Settings, Vec<Fault>> {
        self.settle_at(PORT, namespace)
    }

    /// The same for hosts that are meant at `port` where they name none, such as Kibana's.
    ///
    /// # Errors
    /// All that is wrong, by key.
    pub fn settle_at(&self, port: u16, namespace: &str) -> Result<Settings, Vec<Fault>> {
        let mut found = Findings::default();
        let mut login = found.login(self);
        let protocol = if self.protocol == Protocol::Https { "https" } else { "http" };
        let mut nodes = Vec::new();
        for (number, host) in self.hosts.iter().enumerate() {
            let address = host::parse(host, protocol, &self.path, port);
            let Some(address) = found.of(&format!("hosts[{number}]"), address) else {
                continue;
            };
            if let Some((username, password)) = address.login {
                match login {
                    Login::None => login = Login::Basic { username, password },
                    Login::Basic { username: ref known, .. } if *known == username => {}
                    _ => found.fault(
                        "hosts",
                        "a host names other credentials than the settings",
                        "give them once, as `username` and `password`",
                    ),
                }
            }
            nodes.push(address.url);
        }
        if self.hosts.is_empty() {
            found.fault("hosts", "there is no host", "name at least one, such as `https://es.example.com:9200`");
        }
        let stream =
            if self.index.is_empty() { format!("logs-aws.cloudtrail-{namespace}") } else { self.index.clone() };
        found.index(&stream);
        found.ranges(self);
        let settings = Settings {
            nodes,
            login,
            tls: tls::settle(&self.ssl, &mut found),
            proxy: found.proxy(self),
            headers: found.headers(&self.headers),
            stream,
            parameters: self.parameters.clone().into_iter().collect(),
            pipeline: (!self.pipeline.is_empty()).then(|| self.pipeline.to_lowercase()),
            compression_level: self.compression_level,
            max_bytes: self.bulk_max_bytes.as_usize(),
            max_records: usize::try_from(self.bulk_max_size).ok().filter(|n| *n > 0).unwrap_or(usize::MAX),
            concurrency: self.workers.saturating_mul(self.hosts.len()),
            spread: self.loadbalance,
            timeout: self.timeout.get(),
            backoff: Backoff::new(self.backoff.init.get(), self.backoff.max.get()),
            warnings: Vec::new(),
        };
        if found.0.is_empty() { Ok(self.with_preset(settings)) } else { Err(found.0) }
    }

    /// Filebeat's presets, as far as their keys exist here.
    fn with_preset(&self, mut settings: Settings) -> Settings {
        if !settings.tls.verify {
            settings.warnings.push(
                "`ssl.verification_mode: none` lets anybody between here and the cluster read and change what is sent"
                    .to_owned(),
            );
        }
        let (records, workers) = match self.preset {
            Preset::Custom => return settings,
            Preset::Balanced | Preset::Scale => (1_600, 1),
            Preset::Throughput => (1_600, 4),
            Preset::Latency => (50, 1),
        };
        settings.max_records = records;
        settings.concurrency = self.hosts.len() * workers;
        settings.compression_level = 1;
        if self.preset == Preset::Scale {
            settings.backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(300));
        }
        settings.warnings.push(format!(
            "`preset` sets `bulk_max_size` to {records}, `workers` to {workers} and `compression_level` to 1{}; use \
             `preset: custom` for values of your own",
            if self.preset == Preset::Scale { ", and `backoff` to 5s and 300s" } else { "" }
        ));
        settings
    }
}

/// Collects what is wrong, so that all of it is said at once.
#[derive(Default)]
pub(super) struct Findings(Vec<Fault>);

impl Findings {
    pub(super) fn fault(&mut self, key: &str, message: impl Into<String>, hint: &str) {
        self.0.push((key.to_owned(), Malformed::new(message, hint)));
    }

    fn of<T>(&mut self, key: &str, result: Result<T, Malformed>) -> Option<T> {
        result.map_err(|fault| self.0.push((key.to_owned(), fault))).ok()
    }

    fn login(&mut self, config: &ElasticsearchConfig) -> Login {
        let key = config.api_key.reveal().trim();
        match (key.is_empty(), config.username.is_empty()) {
            (true, true) if config.password.is_blank() => return Login::None,
            (true, true) => {
                self.fault("password", "there is a `password` but no `username`", "give both, or an `api_key`")
            }
            (false, false) => self.fault("api_key", "`api_key` and `username` exclude each other", "keep one of them"),
            (true, false) if config.username.contains(':') => {
                self.fault(
                    "username",
                    "`username` holds a colon",
                    "a user name cannot have one; an API key goes into `api_key`",
                );
            }
            (true, false) => {
                return Login::Basic { username: config.username.clone(), password: config.password.clone() };
            }
            (false, true) if !key.bytes().all(|byte| byte.is_ascii_graphic()) => {
                self.fault(
                    "api_key",
                    "`api_key` holds spaces or other signs that a key cannot have",
                    "write it as `id:key`, or in base64 as Kibana shows it",
                );
            }
            (false, true) => {
                return match key.split_once(':') {
                    Some((id, key)) => Login::ApiKey { id: id.to_owned(), key: Secret::new(key) },
                    None => Login::EncodedApiKey(Secret::new(key)),
                };
            }
        }
        Login::None
    }

    fn index(&mut self, name: &str) {
        let is_allowed =
            |c: char| !c.is_uppercase() && !c.is_whitespace() && !c.is_control() && !"\\/*?\"<>|,#:".contains(c);
        let is_name = !name.starts_with(['-', '_', '+', '.']) && name.len() <= 255 && name.chars().all(is_allowed);
        if !is_name {
            let hint = "data stream names are lower-case, without spaces and `\\ / * ? \" < > | , # :`; format strings such as `%{[agent.version]}` are not supported";
            self.fault("index", format!("`{name}` is not the name of a data stream"), hint);
        }
    }

    fn ranges(&mut self, config: &ElasticsearchConfig) {
        if config.compression_level > 9 {
            self.fault(
                "compression_level",
                format!("`{}` is not a gzip level", config.compression_level),
                "write 0 (off) to 9",
            );
        }
        if !(16 << 10..=100_000_000).contains(&config.bulk_max_bytes.bytes()) {
            let message = format!("`{}` is not a size for a bulk", config.bulk_max_bytes);
            self.fault(
                "bulk_max_bytes",
                message,
                "write 16KiB to 100MB, which is what servers take at most; 2MiB serves well",
            );
        }
        if !(1..=256).contains(&config.workers) {
            self.fault("workers", format!("`{}` is not a number of workers", config.workers), "write 1 to 256");
        }
        if config.timeout.is_zero() {
            self.fault("timeout", "`timeout` is zero", "write a duration, such as `90s`");
        }
        if config.backoff.init.is_zero() || config.backoff.max < config.backoff.init {
            self.fault(
                "backoff",
                "`backoff.init` is zero or above `backoff.max`",
                "write durations, such as `1s` and `60s`",
            );
        }
    }

    fn proxy(&mut self, config: &ElasticsearchConfig) -> Proxy {
        let Some(url) = &config.proxy_url else {
            return if config.proxy_disable { Proxy::None } else { Proxy::Environment };
        };
        if config.proxy_disable {
            self.fault("proxy_disable", "`proxy_disable` and `proxy_url` exclude each other", "keep one of them");
        }
        if !config.ssl.ca_trusted_fingerprint.is_empty() {
            let hint = "give the authority itself as `ssl.certificate_authorities`";
            self.fault("ssl.ca_trusted_fingerprint", "a trusted fingerprint cannot be looked up through a proxy", hint);
        }
        match Url::parse(url.as_str()) {
            Ok(url) => Proxy::Given(url),
            Err(fault) => {
                self.fault("proxy_url", format!("`proxy_url` is not a URL: {fault}"), "write it with scheme and host");
                Proxy::None
            }
        }
    }

    fn headers(&mut self, headers: &BTreeMap<String, Secret>) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            match (HeaderName::try_from(name.as_str()), HeaderValue::from_str(value.reveal())) {
                (Ok(header), Ok(mut value)) => {
                    value.set_sensitive(true);
                    map.insert(header, value);
                }
                _ => self.fault(
                    &format!("headers.{name}"),
                    format!("`{name}` or its value is not fit for a header"),
                    "write names of letters and dashes, values in one line",
                ),
            }
        }
        map
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::types::{ByteSize, Period};
    use crate::output::elasticsearch::config::VerificationMode;
    use crate::output::elasticsearch::host::Host;

    fn settled(change: impl FnOnce(&mut ElasticsearchConfig)) -> Result<Settings, Vec<String>> {
        let mut config = ElasticsearchConfig::default();
        change(&mut config);
        let keys = |faults: Vec<Fault>| faults.into_iter().map(|(key, _)| key).collect();
        config.settle("default").map_err(keys)
    }

    fn faults(change: impl FnOnce(&mut ElasticsearchConfig)) -> Vec<String> {
        settled(change).err().unwrap()
    }

    #[test]
    fn defaults_are_those_of_the_reference() {
        let settings = settled(|_| {}).unwrap();
        let nodes: Vec<&str> = settings.nodes.iter().map(Url::as_str).collect();
        assert_eq!(nodes, ["http://localhost:9200/"]);
        assert_eq!(settings.stream, "logs-aws.cloudtrail-default");
        assert_eq!((settings.compression_level, settings.max_records, settings.max_bytes), (1, 5_000, 2 << 20));
        assert_eq!((settings.concurrency, settings.spread, settings.timeout.as_secs()), (4, true, 90));
        assert!(matches!(settings.login, Login::None) && settings.tls.verify && settings.warnings.is_empty());
    }

    #[test]
    fn logins_exclude_each_other() {
        let basic = settled(|c| (c.username, c.password) = ("u".into(), "p".into())).unwrap();
        assert!(
            matches!(basic.login, Login::Basic { username, password } if username == "u" && password.reveal() == "p")
        );
        let pair = settled(|c| c.api_key = "id:ke:y".into()).unwrap();
        assert!(matches!(pair.login, Login::ApiKey { id, key } if id == "id" && key.reveal() == "ke:y"));
        let encoded = settled(|c| c.api_key = " aWQ6a2V5\n".into()).unwrap();
        assert!(matches!(encoded.login, Login::EncodedApiKey(key) if key.reveal() == "aWQ6a2V5"));
        let in_host = settled(|c| c.hosts = vec![Host::from("https://u:p@es")]).unwrap();
        assert!(matches!(in_host.login, Login::Basic { .. }));

        assert_eq!(faults(|c| (c.username, c.api_key) = ("u".into(), "i:k".into())), ["api_key"]);
        assert_eq!(faults(|c| c.password = "p".into()), ["password"]);
        assert_eq!(faults(|c| c.username = "a:b".into()), ["username"]);
        assert_eq!(faults(|c| c.api_key = "a b".into()), ["api_key"]);
        assert_eq!(faults(|c| (c.hosts, c.api_key) = (vec![Host::from("http://u:p@es")], "i:k".into())), ["hosts"]);
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let found = faults(|c| {
            c.hosts = vec![Host::from("es"), Host::from("ftp://es")];
            c.index = "Logs-%{[agent.version]}".into();
            c.compression_level = 10;
            c.bulk_max_bytes = ByteSize::from_bytes(1);
            c.workers = 0;
            c.timeout = Period::from_secs(0);
            c.backoff.max = Period::from_millis(1);
            c.headers.insert("a b".into(), Secret::new("x"));
            c.ssl.verification_mode = VerificationMode::Certificate;
            c.ssl.certificate_authorities = vec!["-----BEGIN nothing".into(), "no/such/file.pem".into()];
            c.ssl.ca_trusted_fingerprint = "abc".into();
            c.ssl.certificate = "-----BEGIN ".into();
        });
        let expected = [
            "hosts[1]",
            "index",
            "compression_level",
            "bulk_max_bytes",
            "workers",
            "timeout",
            "backoff",
            "ssl.verification_mode",
            "ssl.certificate_authorities[0]",
            "ssl.certificate_authorities[1]",
            "ssl.ca_trusted_fingerprint",
            "ssl.certificate",
            "headers.a b",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn tls_settings_can_be_switched_off_together() {
        let off = settled(|c| {
            c.ssl.enabled = Some(false);
            c.ssl.ca_trusted_fingerprint = "abc".into();
        });
        assert!(off.unwrap().tls.fingerprint.is_none());
        let unverified = settled(|c| c.ssl.verification_mode = VerificationMode::None).unwrap();
        assert!(!unverified.tls.verify);
        assert_eq!(unverified.warnings.len(), 1);
    }

    #[test]
    fn presets_override_as_in_filebeat_and_say_so() {
        for (preset, records, workers) in [
            (Preset::Balanced, 1_600, 1),
            (Preset::Throughput, 1_600, 4),
            (Preset::Scale, 1_600, 1),
            (Preset::Latency, 50, 1),
        ] {
            let settings = settled(|c| {
                c.preset = preset;
                (c.bulk_max_size, c.workers, c.compression_level) = (7, 7, 7);
                c.hosts = vec![Host::from("a"), Host::from("b")];
            });
            let settings = settings.unwrap();
            assert_eq!(
                (settings.max_records, settings.concurrency, settings.compression_level),
                (records, 2 * workers, 1)
            );
            assert_eq!(settings.warnings.len(), 1);
            let slow = Backoff::new(Duration::from_secs(5), Duration::from_secs(300));
            assert_eq!(settings.backoff == slow, preset == Preset::Scale);
        }
    }

    #[test]
    fn a_size_of_zero_or_less_leaves_bulks_to_their_bytes() {
        for size in [0, -1] {
            assert_eq!(settled(|c| c.bulk_max_size = size).unwrap().max_records, usize::MAX);
        }
    }
}
