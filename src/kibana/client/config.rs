//! Settings of `setup.kibana`, with Beats' names and meanings, checked and complete.
//!
//! How to reach a server is settled by the same code as for `output.elasticsearch`: one meaning of hosts, logins, TLS and
//! proxies. Leaves out what is installed. Secrets never show.

use crate::config::Config;
use crate::config::types::{HttpUrl, Malformed, Period, Secret};
use crate::output::elasticsearch::{
    BackoffConfig, ElasticsearchConfig, Fault, HeaderValue, Host, Login, Protocol, Settings, SslConfig,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const SECTION: &str = "setup.kibana";

/// Where Kibana listens.
const PORT: u16 = 5601;

/// `setup.kibana` as written.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct KibanaConfig {
    /// Address, with scheme, port (5601) and path inside or by default.
    pub host: Host,
    /// Scheme of a host that is written without one.
    pub protocol: Protocol,
    /// Path of a host that is written without one: Kibana's `server.basePath`.
    pub path: String,
    pub space: SpaceConfig,
    /// Without any login here, that of `output.elasticsearch` is used.
    pub username: String,
    pub password: Secret,
    /// `id:key`, or the same in base64 as Kibana shows it.
    pub api_key: Secret,
    /// Added to every request.
    pub headers: BTreeMap<String, Secret>,
    pub ssl: SslConfig,
    /// Proxy; the environment's (`HTTPS_PROXY` and so on) by default.
    pub proxy_url: Option<HttpUrl>,
    /// Uses no proxy, not even the environment's.
    pub proxy_disable: bool,
    /// Longest wait for one answer.
    pub timeout: Period,
    /// Longest wait for a Kibana that starts or is overloaded. Not in Beats.
    pub wait: Period,
}

/// `setup.kibana.space`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpaceConfig {
    /// Empty means the default space.
    pub id: String,
}

/// Complete and checked settings.
#[derive(Clone)]
pub struct KibanaSettings {
    /// How to reach it.
    pub(super) server: Arc<Settings>,
    /// `None` is the default space.
    pub(super) space: Option<String>,
    pub(super) wait: Duration,
}

impl Default for KibanaConfig {
    fn default() -> Self {
        Self {
            host: Host::from("localhost:5601"),
            protocol: Protocol::default(),
            path: String::new(),
            space: SpaceConfig::default(),
            username: String::new(),
            password: Secret::default(),
            api_key: Secret::default(),
            headers: BTreeMap::new(),
            ssl: SslConfig::default(),
            proxy_url: None,
            proxy_disable: false,
            timeout: Period::from_secs(90),
            wait: Period::from_secs(60),
        }
    }
}

impl KibanaConfig {
    /// Checks and completes. `output` lends its login where none is written here, as in Beats.
    ///
    /// # Errors
    /// All that is wrong, by key.
    pub fn settle(&self, output: Option<&Settings>) -> Result<KibanaSettings, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut settled = None;
        match self.as_output().settle_at(PORT, "default") {
            Ok(settings) => settled = Some(settings),
            Err(found) => faults.extend(found.into_iter().map(|(key, fault)| (own_key(key), fault))),
        }
        if !self.space.id.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-')) {
            let hint = "space ids have lower-case letters, digits, `_` and `-`: see the address bar of Kibana, \
                        `/s/<id>/`";
            let message = format!("`{}` is not the id of a space", self.space.id);
            faults.push(("space.id".to_owned(), Malformed::new(message, hint)));
        }
        match settled {
            Some(mut server) if faults.is_empty() => {
                if let (Login::None, Some(output)) = (&server.login, output) {
                    server.login = output.login.clone();
                }
                // Kibana refuses changes without it: its guard against requests forged by a browser.
                server.headers.insert("kbn-xsrf", HeaderValue::from_static("trailship"));
                let space = (!matches!(self.space.id.as_str(), "" | "default")).then(|| self.space.id.clone());
                Ok(KibanaSettings { server: Arc::new(server), space, wait: self.wait.get() })
            }
            _ => Err(faults),
        }
    }

    fn as_output(&self) -> ElasticsearchConfig {
        ElasticsearchConfig {
            hosts: vec![self.host.clone()],
            protocol: self.protocol,
            path: self.path.clone(),
            username: self.username.clone(),
            password: self.password.clone(),
            api_key: self.api_key.clone(),
            headers: self.headers.clone(),
            ssl: self.ssl.clone(),
            proxy_url: self.proxy_url.clone(),
            proxy_disable: self.proxy_disable,
            timeout: self.timeout,
            backoff: BackoffConfig { init: Period::from_secs(1), max: Period::from_secs(10) },
            ..ElasticsearchConfig::default()
        }
    }
}

impl KibanaSettings {
    /// Reads and settles section `setup.kibana`; what is wrong is rejected in the configuration, and then there is
    /// nothing. `output` is as for [`KibanaConfig::settle`].
    pub fn read(config: &mut Config, output: Option<&Settings>) -> Option<KibanaSettings> {
        let written: KibanaConfig = config.section(SECTION);
        match written.settle(output) {
            Ok(settings) => Some(settings),
            Err(faults) => {
                for (key, fault) in &faults {
                    config.reject(&format!("{SECTION}.{key}"), fault.message(), Some(fault.hint()));
                }
                None
            }
        }
    }

    /// What is accepted but not as somebody might expect.
    pub fn warnings(&self) -> &[String] {
        &self.server.warnings
    }

    /// With pauses of milliseconds between tries.
    #[cfg(test)]
    pub(in crate::kibana) fn hurried(mut self) -> Self {
        let backoff = BackoffConfig { init: Period::from_millis(1), max: Period::from_millis(4) };
        if let Ok(paced) = (ElasticsearchConfig { backoff, ..ElasticsearchConfig::default() }).settle("default") {
            Arc::make_mut(&mut self.server).backoff = paced.backoff;
        }
        self
    }
}

fn own_key(key: String) -> String {
    if key.starts_with("hosts") { "host".to_owned() } else { key }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config;

    fn read(overrides: &[&str]) -> Result<KibanaConfig, String> {
        let overrides: Vec<String> = overrides.iter().map(|text| format!("setup.kibana.{text}")).collect();
        let mut config = config::load(&[], &overrides, &|_| None).map_err(|fault| fault.to_string())?;
        let read = config.section("setup.kibana");
        config.finish().map_err(|fault| fault.to_string())?;
        Ok(read)
    }

    fn settled(overrides: &[&str]) -> KibanaSettings {
        read(overrides).unwrap().settle(None).map_err(|faults| format!("{faults:?}")).unwrap()
    }

    fn faults(overrides: &[&str]) -> Vec<String> {
        let faults = read(overrides).unwrap().settle(None).err().unwrap();
        faults.into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn beats_keys_mean_what_they_mean_there() {
        for (written, url) in [
            (vec![], "http://localhost:5601/"),
            (vec!["host=kibana.example.com"], "http://kibana.example.com:5601/"),
            (vec!["host=kibana.example.com", "protocol=https", "path=/kb"], "https://kibana.example.com:5601/kb/"),
            (vec!["host='https://kibana.example.com:443/kb'"], "https://kibana.example.com/kb/"),
        ] {
            assert_eq!(settled(&written).server.nodes[0].as_str(), url);
        }
        let plain = settled(&[]);
        assert!(plain.server.tls.verify && plain.space.is_none() && plain.warnings().is_empty());
        assert_eq!((plain.server.timeout.as_secs(), plain.wait.as_secs()), (90, 60));
        assert_eq!(plain.server.headers["kbn-xsrf"], "trailship");
        assert_eq!(settled(&["space.id=audit_1-b"]).space.as_deref(), Some("audit_1-b"));
        assert_eq!(settled(&["space.id=default"]).space, None);
        assert_eq!(settled(&["ssl.verification_mode=none"]).warnings().len(), 1);
    }

    #[test]
    fn a_login_of_its_own_wins_over_that_of_the_output() {
        let output = ElasticsearchConfig { username: "elastic".into(), ..ElasticsearchConfig::default() };
        let output = output.settle("default").map_err(|faults| format!("{faults:?}")).unwrap();
        let login = |overrides: &[&str]| {
            let settings = read(overrides).unwrap().settle(Some(&output)).map_err(|faults| format!("{faults:?}"));
            settings.unwrap().server.login.clone()
        };
        assert!(matches!(login(&[]), Login::Basic { username, .. } if username == "elastic"));
        assert!(matches!(login(&["username=kib", "password=p"]), Login::Basic { username, .. } if username == "kib"));
        assert!(matches!(login(&["api_key='id:key'"]), Login::ApiKey { .. }));
        assert!(matches!(login(&["host='http://own:p@k'"]), Login::Basic { username, .. } if username == "own"));
    }

    #[test]
    fn all_that_is_wrong_is_said_by_its_own_key() {
        let wrong =
            ["host='ftp://k'", "password=p", "space.id='My Space'", "timeout=0s", "ssl.certificate='-----BEGIN '"];
        assert_eq!(faults(&wrong), ["password", "host", "timeout", "ssl.certificate", "space.id"]);
        let overrides = wrong.map(|text| format!("setup.kibana.{text}"));
        let mut config = config::load(&[], &overrides, &|_| None).map_err(|fault| fault.to_string()).unwrap();
        assert!(KibanaSettings::read(&mut config, None).is_none());
        let said = config.finish().unwrap_err().to_string();
        assert!(said.contains("setup.kibana.host: `ftp://k` is not an address"), "{said}");
        assert!(said.contains("setup.kibana.space.id: `My Space` is not the id of a space"), "{said}");
    }

    #[test]
    fn secrets_do_not_show() {
        let config = read(&["host='http://u:hidden-a@k'", "password=hidden-b", "headers.X-Own=hidden-c"]).unwrap();
        for shown in [format!("{config:?}"), serde_json::to_string(&config).unwrap()] {
            assert!(!shown.contains("hidden"), "{shown}");
        }
    }
}
