//! The section `integrity`.

use crate::config::types::HttpUrl;
use crate::config::{Config, Period};
use crate::verify::keys::KeyRing;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// `integrity.*`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct IntegrityConfig {
    enabled: bool,
    public_keys: Option<PathBuf>,
    cloudtrail_endpoint: Option<HttpUrl>,
    late_after: Period,
    silent_after: Period,
    keep: Period,
}

impl Default for IntegrityConfig {
    fn default() -> IntegrityConfig {
        IntegrityConfig {
            enabled: false,
            public_keys: None,
            cloudtrail_endpoint: None,
            late_after: Period::from_secs(2 * 3600),
            silent_after: Period::from_secs(26 * 3600),
            keep: Period::from_secs(14 * 24 * 3600),
        }
    }
}

/// What verification while shipping works by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegritySettings {
    /// Keys from a file; else CloudTrail is asked.
    pub keys: Option<KeyRing>,
    pub cloudtrail_endpoint: Option<HttpUrl>,
    /// How long a file or digest that is not there may be awaited.
    pub late_after: Duration,
    /// After so long without a digest a chain is silent.
    pub silent_after: Duration,
    /// How long things are remembered.
    pub keep: Duration,
}

impl IntegrityConfig {
    /// What the section says; `None` unless it is enabled. What is wrong is rejected in `config`.
    pub fn settle(self, config: &mut Config) -> Option<IntegritySettings> {
        if self.late_after.get() < Duration::from_secs(1) {
            config.reject(
                "integrity.late_after",
                format!("`{}` leaves no time for anything to arrive", self.late_after),
                Some("write a time such as `2h`"),
            );
        }
        if self.keep.get() < 2 * self.late_after.get() || self.keep.get() < Duration::from_secs(3600) {
            config.reject(
                "integrity.keep",
                format!("`{}` is less than an hour, or than twice `late_after`", self.keep),
                Some("write a time such as `14d`"),
            );
        }
        if !self.enabled {
            return None;
        }
        let keys = self.public_keys.as_ref().and_then(|path| match read_keys(path) {
            Ok(keys) => Some(keys),
            Err(reason) => {
                let hint = "write the path of a file as `aws cloudtrail list-public-keys` prints it, or remove the key";
                config.reject("integrity.public_keys", reason, Some(hint));
                None
            }
        });
        Some(IntegritySettings {
            keys,
            cloudtrail_endpoint: self.cloudtrail_endpoint,
            late_after: self.late_after.get(),
            silent_after: self.silent_after.get(),
            keep: self.keep.get(),
        })
    }
}

fn read_keys(path: &PathBuf) -> Result<KeyRing, String> {
    let text = std::fs::read(path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
    KeyRing::parse(&text).map_err(|error| format!("`{}`: {error}", path.display()))
}
