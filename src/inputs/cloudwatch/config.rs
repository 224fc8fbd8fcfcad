//! Keys of an input of type `aws-cloudwatch`. Names are Filebeat's wherever it has the key, and so are defaults but where
//! a comment says otherwise.

use super::groups::Wanted;
use crate::aws::Settings;
use crate::aws::region::is_region;
use crate::config::types::{Arn, HttpUrl, Malformed, Period, Secret};
use crate::inputs::access::{Access, AssumeRoleConfig, Problem, SslConfig, endpoint, filled};
use crate::inputs::on_fault::EventFaults;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// `type: aws-cloudwatch`: log groups of CloudWatch Logs.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CloudWatchConfig {
    pub r#type: String,
    /// Names the input in state, metrics and messages; unique. Default: `aws-cloudwatch`.
    pub id: String,
    pub enabled: bool,
    /// One group, also of a linked account. One of the three that name groups is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_group_arn: Option<Arn>,
    /// One group, in `region_name`.
    pub log_group_name: String,
    /// All groups in `region_name` whose names begin so; looked up again while running.
    pub log_group_name_prefix: String,
    /// Groups of linked accounts too, under `log_group_name_prefix`.
    pub include_linked_accounts_for_prefix_mode: bool,
    /// Region of the groups; that of `log_group_arn` is in the ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region_name: Option<String>,
    /// Region for when `region_name` is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_region: Option<String>,
    /// Only these streams, at most 100.
    pub log_streams: Vec<String>,
    /// Only streams whose names begin so.
    pub log_stream_prefix: String,
    /// Where a group begins that has no cursor yet.
    pub start_position: StartPosition,
    /// Pause between two windows of a group, 1s or more.
    pub scan_frequency: Period,
    /// Longest time of one call.
    pub api_timeout: Period,
    /// Pause between two pages of a group, beside the quota. Filebeat's is 200ms; here the quota alone sets the pace.
    pub api_sleep: Period,
    /// How far before now a window ends.
    pub latency: Period,
    /// How far behind its cursor a group is read again, for events that arrive late. At most 24h. Not Filebeat's.
    pub overlap: Period,
    /// Log groups read at a time, 1 to 256.
    pub number_of_workers: usize,
    /// Calls of FilterLogEvents a second, 1 to 100, for all inputs of one identity and region. Without it: four fifths of
    /// the region's quota. Not Filebeat's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<u32>,
    /// URL of another CloudWatch Logs. STS stays AWS's.
    #[serde(deserialize_with = "endpoint", skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<HttpUrl>,
    /// FIPS endpoints of AWS.
    pub fips_enabled: bool,
    pub access_key_id: Secret,
    pub secret_access_key: Secret,
    pub session_token: Secret,
    /// Profile of the shared credentials file; wins over the environment.
    pub credential_profile_name: String,
    /// Read instead of `~/.aws/credentials`.
    pub shared_credential_file: String,
    /// Role taken on with the identity found by the other keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<Arn>,
    pub external_id: String,
    pub assume_role: AssumeRoleConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_url: Option<HttpUrl>,
    pub ssl: SslConfig,
    /// What is done about what cannot be shipped, by cause. Not Filebeat's.
    pub on_fault: EventFaults,
}

/// Where a group begins that has no cursor yet. A saved cursor goes first, so that nothing is skipped and nothing read
/// twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum StartPosition {
    /// With its first event.
    #[default]
    Beginning,
    /// One `scan_frequency` before the start; groups that appear later, with their first event.
    End,
    /// As `beginning`, since a saved cursor goes first in any case.
    LastSync,
}

/// Streams that one call can name (FilterLogEvents).
const MAX_STREAMS: usize = 100;
const MAX_WORKERS: usize = 256;
const MAX_OVERLAP: Duration = Duration::from_secs(24 * 3600);
const SECOND: Duration = Duration::from_secs(1);

impl Default for CloudWatchConfig {
    fn default() -> CloudWatchConfig {
        CloudWatchConfig {
            r#type: "aws-cloudwatch".to_owned(),
            id: "aws-cloudwatch".to_owned(),
            enabled: true,
            log_group_arn: None,
            log_group_name: String::new(),
            log_group_name_prefix: String::new(),
            include_linked_accounts_for_prefix_mode: false,
            region_name: None,
            default_region: None,
            log_streams: Vec::new(),
            log_stream_prefix: String::new(),
            start_position: StartPosition::default(),
            scan_frequency: Period::from_secs(60),
            api_timeout: Period::from_secs(120),
            api_sleep: Period::ZERO,
            latency: Period::ZERO,
            overlap: Period::from_secs(900),
            number_of_workers: 1,
            requests_per_second: None,
            endpoint: None,
            fips_enabled: false,
            access_key_id: Secret::default(),
            secret_access_key: Secret::default(),
            session_token: Secret::default(),
            credential_profile_name: String::new(),
            shared_credential_file: String::new(),
            role_arn: None,
            external_id: String::new(),
            assume_role: AssumeRoleConfig::default(),
            proxy_url: None,
            ssl: SslConfig::default(),
            on_fault: EventFaults::default(),
        }
    }
}

impl CloudWatchConfig {
    /// What the types of the keys do not say; empty when the input can be made.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = self.problems_of_groups();
        let mut wrong =
            |key, message: String, hint: &str| problems.push(Problem { key, complaint: Malformed::new(message, hint) });
        if self.log_streams.len() > MAX_STREAMS {
            let message = format!("{} streams are more than one call can name", self.log_streams.len());
            wrong("log_streams", message, "name at most 100, or use `log_stream_prefix`");
        }
        if !self.log_streams.is_empty() && !self.log_stream_prefix.is_empty() {
            wrong(
                "log_stream_prefix",
                "`log_stream_prefix` and `log_streams` exclude each other".to_owned(),
                "use one of them",
            );
        }
        if self.scan_frequency.get() < SECOND {
            wrong("scan_frequency", format!("`{}` is too short", self.scan_frequency), "write at least 1s");
        }
        if self.api_timeout.get() < SECOND {
            wrong("api_timeout", format!("`{}` is too short for a call", self.api_timeout), "the default is 120s");
        }
        if self.overlap.get() > MAX_OVERLAP {
            wrong("overlap", format!("`{}` would be read again every time", self.overlap), "write at most 24h");
        }
        if !(1..=MAX_WORKERS).contains(&self.number_of_workers) {
            wrong(
                "number_of_workers",
                format!("`{}` is not a number of workers", self.number_of_workers),
                "write 1 to 256; the default is 1",
            );
        }
        if let Some(rate) = self.requests_per_second.filter(|rate| !(1..=100).contains(rate)) {
            let message = format!("`{rate}` is not a rate of calls");
            wrong("requests_per_second", message, "write 1 to 100; the quota of most regions is 10");
        }
        problems.extend(self.access().problems());
        problems
    }

    fn problems_of_groups(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut wrong =
            |key, message: String, hint: &str| problems.push(Problem { key, complaint: Malformed::new(message, hint) });
        let named = [
            ("log_group_arn", self.log_group_arn.is_some()),
            ("log_group_name", !self.log_group_name.is_empty()),
            ("log_group_name_prefix", !self.log_group_name_prefix.is_empty()),
        ];
        let given: Vec<&str> = named.iter().filter(|(_, given)| *given).map(|(key, _)| *key).collect();
        match *given {
            [] => wrong(
                "log_group_name",
                "no log group is named".to_owned(),
                "set `log_group_arn`, `log_group_name` or `log_group_name_prefix`",
            ),
            [first, .., last] => wrong(last, format!("`{last}` and `{first}` exclude each other"), "use one of them"),
            [_] => {}
        }
        let region = filled(self.region_name.as_deref());
        match &self.log_group_arn {
            Some(arn) if group_of(arn).is_none() => wrong(
                "log_group_arn",
                format!("`{arn}` is not the ARN of a log group"),
                "it looks like `arn:aws:logs:eu-west-1:111122223333:log-group:my-trail`",
            ),
            Some(_) if region.is_some() => wrong(
                "region_name",
                "`region_name` and `log_group_arn` exclude each other".to_owned(),
                "the ARN names the region; leave `region_name` out",
            ),
            Some(_) => {}
            None if region.is_none() && filled(self.default_region.as_deref()).is_none() && !given.is_empty() => wrong(
                given.first().copied().unwrap_or("region_name"),
                "`region_name` is missing".to_owned(),
                "name the region of the log groups, such as `eu-west-1`",
            ),
            None => {}
        }
        if let Some(region) = region.filter(|region| !is_region(region)) {
            wrong("region_name", format!("`{region}` is not a region"), "write it as `eu-west-1`");
        }
        if self.include_linked_accounts_for_prefix_mode && self.log_group_name_prefix.is_empty() {
            wrong(
                "include_linked_accounts_for_prefix_mode",
                "`include_linked_accounts_for_prefix_mode` needs `log_group_name_prefix`".to_owned(),
                "name a group of a linked account by `log_group_arn`",
            );
        }
        problems
    }

    /// The settings of the way to AWS.
    pub(super) fn aws(&self) -> Settings {
        let of_arn = self.log_group_arn.as_ref().map(|arn| arn.region().to_owned());
        Settings {
            credentials: self.access().credentials(),
            region: of_arn.or_else(|| filled(self.region_name.as_deref())),
            queue_url: None,
            default_region: filled(self.default_region.as_deref()),
            endpoint: self.endpoint.clone(),
            path_style: false,
            fips: self.fips_enabled,
            proxy: self.proxy_url.clone(),
            certificate_authorities: self.ssl.certificate_authorities.clone(),
            api_timeout: self.api_timeout.get(),
        }
    }

    /// Which groups are read.
    pub(super) fn wanted(&self) -> Wanted {
        match self.log_group_arn.as_ref().and_then(|arn| Some((arn, group_of(arn)?))) {
            Some((arn, name)) => Wanted::Arn {
                identifier: arn.as_str().trim_end_matches(":*").to_owned(),
                account: arn.account().to_owned(),
                name: name.to_owned(),
            },
            None if self.log_group_name_prefix.is_empty() => Wanted::Name(self.log_group_name.clone()),
            None => Wanted::Prefix {
                prefix: self.log_group_name_prefix.clone(),
                linked: self.include_linked_accounts_for_prefix_mode,
            },
        }
    }

    fn access(&self) -> Access<'_> {
        Access {
            access_key_id: &self.access_key_id,
            secret_access_key: &self.secret_access_key,
            session_token: &self.session_token,
            credential_profile_name: &self.credential_profile_name,
            shared_credential_file: &self.shared_credential_file,
            role_arn: self.role_arn.as_ref(),
            external_id: &self.external_id,
            assume_role: &self.assume_role,
            fips_enabled: self.fips_enabled,
            endpoint: self.endpoint.as_ref(),
            ssl: &self.ssl,
        }
    }
}

/// The name of the log group that an ARN names, with or without `:*` at its end.
fn group_of(arn: &Arn) -> Option<&str> {
    let name = arn.resource().strip_prefix("log-group:")?.trim_end_matches(":*");
    let fine = arn.service() == "logs" && is_region(arn.region()) && !arn.account().is_empty();
    (fine && !name.is_empty() && !name.contains(':')).then_some(name)
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
