//! Keys of an input of type `aws-s3`. Names and defaults are Filebeat's wherever it has the key.

use super::allowed::AllowedBuckets;
use crate::aws::Settings;
use crate::config::types::{Arn, HttpUrl, Malformed, Pattern, Period, Secret};
use crate::inputs::access::{Access, AssumeRoleConfig, Problem, SslConfig, endpoint, filled};
use crate::inputs::on_fault::ObjectFaults;
use crate::inputs::order::Order;
use crate::inputs::selection::{FileSelector, Selection};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// `type: aws-s3`: S3 objects announced by an SQS queue.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct S3SqsConfig {
    pub r#type: String,
    /// Names the input in state, metrics and messages; unique. Default: `aws-s3`.
    pub id: String,
    pub enabled: bool,
    /// The queue that the bucket, a topic, CloudTrail or EventBridge notifies. Needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_url: Option<HttpUrl>,
    /// Region of the queue. Without it: the queue's URL, then `default_region`, then the AWS chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Region for when neither `region` nor the queue's URL tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_region: Option<String>,
    /// URL of another S3, and of its SQS unless the queue's URL is one of AWS's. STS stays AWS's.
    #[serde(deserialize_with = "endpoint", skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<HttpUrl>,
    /// Bucket in the path instead of the host name, as most servers other than AWS want it.
    pub path_style: bool,
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
    /// How long a message is hidden at a time; renewed at half of it until the message is acknowledged. 1s to 12h.
    pub visibility_timeout: Period,
    /// Longest time of one call to AWS, retries included; for an object until its first byte, then for each piece.
    pub api_timeout: Period,
    /// Which of the messages that wait are read first: `any`, or `newest`, chosen among 1,000.
    pub order: Order,
    /// Objects read at a time, 1 to 256. More than Filebeat's 5, since a worker here waits for S3 alone.
    pub number_of_workers: usize,
    /// `false` reads without consuming: messages are not deleted and return after `visibility_timeout`.
    pub delete_consumed_messages: bool,
    pub sqs: SqsConfig,
    /// Keys of log files; blank skips them.
    pub cloudtrail_regex: Pattern,
    /// Keys of digest files; blank skips them.
    pub cloudtrail_digest_regex: Pattern,
    /// Keys of Insights files; blank skips them.
    pub cloudtrail_insight_regex: Pattern,
    /// When set, only objects whose key one of these matches are read.
    pub file_selectors: Vec<FileSelector>,
    /// Buckets that may be read, whatever the messages name; all when empty. Not Filebeat's.
    pub allowed_buckets: AllowedBuckets,
    /// What is done about what cannot be shipped, by cause. Not Filebeat's.
    pub on_fault: ObjectFaults,
}

/// `sqs.*`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SqsConfig {
    /// Length of a long poll, 1s to 20s.
    pub wait_time: Period,
    /// Pause after a receive that came back empty. Filebeat's is a fixed 10s; here none.
    pub poll_interval: Period,
    /// After a stop: longest wait for what is under way, when shorter than `shutdown_timeout`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shutdown_grace_time: Option<Period>,
}

const TWELVE_HOURS: Duration = Duration::from_secs(12 * 3600);
const MAX_WORKERS: usize = 256;

impl Default for S3SqsConfig {
    fn default() -> S3SqsConfig {
        S3SqsConfig {
            r#type: "aws-s3".to_owned(),
            id: "aws-s3".to_owned(),
            enabled: true,
            queue_url: None,
            region: None,
            default_region: None,
            endpoint: None,
            path_style: false,
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
            visibility_timeout: Period::from_secs(300),
            api_timeout: Period::from_secs(120),
            order: Order::Any,
            number_of_workers: 16,
            delete_consumed_messages: true,
            sqs: SqsConfig::default(),
            cloudtrail_regex: Selection::default_log(),
            cloudtrail_digest_regex: Pattern::default(),
            cloudtrail_insight_regex: Selection::default_insight(),
            file_selectors: Vec::new(),
            allowed_buckets: AllowedBuckets::default(),
            on_fault: ObjectFaults::default(),
        }
    }
}

impl Default for SqsConfig {
    fn default() -> SqsConfig {
        SqsConfig { wait_time: Period::from_secs(20), poll_interval: Period::ZERO, shutdown_grace_time: None }
    }
}

impl S3SqsConfig {
    /// What the types of the keys do not say; empty when the input can be made.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut wrong =
            |key, message: String, hint: &str| problems.push(Problem { key, complaint: Malformed::new(message, hint) });
        if self.queue_url.is_none() {
            wrong(
                "queue_url",
                "`queue_url` is missing".to_owned(),
                "name the queue that the bucket notifies, as `https://sqs.<region>.amazonaws.com/<account>/<queue>`",
            );
        }
        if self.queue_url.as_ref().is_some_and(|url| is_without_path(url.as_str())) {
            wrong("queue_url", "the URL names no queue".to_owned(), "it ends with `/<account>/<queue>`");
        }
        let visibility = self.visibility_timeout.get();
        if visibility < Duration::from_secs(1) || visibility > TWELVE_HOURS {
            wrong(
                "visibility_timeout",
                format!("`{}` is not a time that SQS can hide a message", self.visibility_timeout),
                "write 1s to 12h",
            );
        }
        let wait = self.sqs.wait_time.get();
        if wait < Duration::from_secs(1) || wait > Duration::from_secs(20) {
            wrong(
                "sqs.wait_time",
                format!("`{}` is not a time that SQS can wait", self.sqs.wait_time),
                "write 1s to 20s",
            );
        }
        if self.api_timeout.get() < wait.max(Duration::from_secs(1)) {
            let message =
                format!("`{}` is shorter than `sqs.wait_time`, so that no receive could end", self.api_timeout);
            wrong("api_timeout", message, "write more than `sqs.wait_time`; the default is 120s");
        }
        if !(1..=MAX_WORKERS).contains(&self.number_of_workers) {
            wrong(
                "number_of_workers",
                format!("`{}` is not a number of workers", self.number_of_workers),
                "write 1 to 256; the default is 16",
            );
        }
        let blank = [&self.cloudtrail_regex, &self.cloudtrail_digest_regex, &self.cloudtrail_insight_regex]
            .iter()
            .all(|regex| regex.is_blank());
        if blank && self.file_selectors.is_empty() {
            wrong(
                "cloudtrail_regex",
                "all patterns are blank, so that no object would be read".to_owned(),
                "the default is '/CloudTrail/'",
            );
        }
        problems.extend(self.access().problems());
        problems
    }

    /// The settings of the way to AWS.
    pub(super) fn aws(&self) -> Settings {
        Settings {
            credentials: self.access().credentials(),
            region: filled(self.region.as_deref()),
            queue_url: self.queue_url.clone(),
            default_region: filled(self.default_region.as_deref()),
            endpoint: self.endpoint.clone(),
            path_style: self.path_style,
            fips: self.fips_enabled,
            proxy: self.proxy_url.clone(),
            certificate_authorities: self.ssl.certificate_authorities.clone(),
            api_timeout: self.api_timeout.get(),
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

    pub(super) fn selection(&self) -> Selection {
        Selection::new(
            &self.cloudtrail_regex,
            &self.cloudtrail_digest_regex,
            &self.cloudtrail_insight_regex,
            &self.file_selectors,
        )
    }
}

fn is_without_path(url: &str) -> bool {
    let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
    path.trim_matches('/').is_empty()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(json: serde_json::Value) -> S3SqsConfig {
        serde_json::from_value(json).unwrap()
    }

    fn keys(json: serde_json::Value) -> Vec<&'static str> {
        read(json).problems().iter().map(|problem| problem.key).collect()
    }

    const URL: &str = "https://sqs.eu-west-1.amazonaws.com/111122223333/q";

    #[test]
    fn a_queue_is_all_that_is_needed() {
        let config = read(serde_json::json!({ "queue_url": URL }));
        assert_eq!(config.problems(), []);
        assert_eq!(
            (config.visibility_timeout, config.sqs.wait_time, config.sqs.poll_interval),
            (Period::from_secs(300), Period::from_secs(20), Period::ZERO)
        );
        assert_eq!((config.api_timeout, config.delete_consumed_messages), (Period::from_secs(120), true));
        assert_eq!(
            (
                config.cloudtrail_regex.as_str(),
                config.cloudtrail_digest_regex.as_str(),
                config.cloudtrail_insight_regex.as_str()
            ),
            ("/CloudTrail/", "", "/CloudTrail-Insight/")
        );
    }

    #[test]
    fn every_key_that_cannot_be_is_named() {
        for (config, expected) in [
            (serde_json::json!({}), vec!["queue_url"]),
            (serde_json::json!({"queue_url": "https://sqs.eu-west-1.amazonaws.com/"}), vec!["queue_url"]),
            (serde_json::json!({"queue_url": URL, "visibility_timeout": "13h"}), vec!["visibility_timeout"]),
            (
                serde_json::json!({"queue_url": URL, "visibility_timeout": "0s", "number_of_workers": 0}),
                vec!["visibility_timeout", "number_of_workers"],
            ),
            (serde_json::json!({"queue_url": URL, "sqs": {"wait_time": "21s"}}), vec!["sqs.wait_time"]),
            (serde_json::json!({"queue_url": URL, "api_timeout": "19s"}), vec!["api_timeout"]),
            (serde_json::json!({"queue_url": URL, "assume_role": {"duration": "1m"}}), vec!["assume_role.duration"]),
            (serde_json::json!({"queue_url": URL, "access_key_id": "AKIA"}), vec!["access_key_id"]),
            (serde_json::json!({"queue_url": URL, "secret_access_key": "s"}), vec!["secret_access_key"]),
            (serde_json::json!({"queue_url": URL, "session_token": "s"}), vec!["session_token"]),
            (serde_json::json!({"queue_url": URL, "external_id": "x"}), vec!["external_id"]),
            (
                serde_json::json!({"queue_url": URL, "fips_enabled": true, "endpoint": "http://127.0.0.1:5000"}),
                vec!["fips_enabled"],
            ),
            (
                serde_json::json!({"queue_url": URL, "ssl": {"verification_mode": "none"}}),
                vec!["ssl.verification_mode"],
            ),
            (
                serde_json::json!({"queue_url": URL, "cloudtrail_regex": "", "cloudtrail_insight_regex": ""}),
                vec!["cloudtrail_regex"],
            ),
            (
                serde_json::json!({"queue_url": URL, "cloudtrail_regex": "", "cloudtrail_insight_regex": "", "file_selectors": [{"regex": "x"}]}),
                vec![],
            ),
        ] {
            assert_eq!(keys(config.clone()), expected, "{config}");
        }
    }

    #[test]
    fn the_old_spelling_of_the_endpoint_means_aws() {
        for endpoint in ["amazonaws.com", ""] {
            assert_eq!(read(serde_json::json!({"queue_url": URL, "endpoint": endpoint})).endpoint, None);
        }
        let own = read(serde_json::json!({"queue_url": URL, "endpoint": "http://127.0.0.1:5000"}));
        assert_eq!(own.endpoint.unwrap().as_str(), "http://127.0.0.1:5000");
        assert!(serde_json::from_value::<S3SqsConfig>(serde_json::json!({"endpoint": "minio.local"})).is_err());
    }

    #[test]
    fn secrets_are_not_shown() {
        let config = read(
            serde_json::json!({"queue_url": URL, "access_key_id": "AKIAEXAMPLE", "secret_access_key": "hush-hush", "session_token": "hush"}),
        );
        let shown = format!("{config:?} {}", serde_json::to_string(&config).unwrap());
        assert!(!shown.contains("hush") && !shown.contains("AKIAEXAMPLE"));
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(serde_json::from_value::<S3SqsConfig>(serde_json::json!({"queue_ulr": URL})).is_err());
    }
}
