//! What Filebeat's settings mean here that no section knows.
//!
//! Operators bring their Filebeat configuration along. A setting of it that we know but do not have
//! is never merely "unknown": it is *ignored* with a warning that says why, where ignoring it changes
//! nothing of what is shipped, and *refused* with advice where it would. A few settings of other
//! connectors are *renamed*: refused with the name that the same thing has here.
//! A row says nothing once a section knows the setting: sections are asked first.

mod general;
mod input;
mod output;

/// One setting and all that lies below it.
#[derive(Debug)]
pub(super) struct Row {
    pub key: &'static str,
    pub verdict: Verdict,
    /// Why it has no effect, or what to use.
    pub advice: &'static str,
}

/// What becomes of a setting that no section knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Accepted with a warning.
    Ignored,
    /// Stops the start, unless it is switched off (`false`, empty).
    Refused,
    /// Accepted without a word with one of these values, refused with any other.
    Only(&'static [&'static str]),
    /// Not Filebeat's: stops the start, and the advice has our name for it.
    Renamed,
}

const fn ignored(key: &'static str, advice: &'static str) -> Row {
    row(key, Verdict::Ignored, advice)
}

const fn refused(key: &'static str, advice: &'static str) -> Row {
    row(key, Verdict::Refused, advice)
}

const fn renamed(key: &'static str, advice: &'static str) -> Row {
    row(key, Verdict::Renamed, advice)
}

const fn only(key: &'static str, values: &'static [&'static str], advice: &'static str) -> Row {
    row(key, Verdict::Only(values), advice)
}

const fn row(key: &'static str, verdict: Verdict, advice: &'static str) -> Row {
    Row { key, verdict, advice }
}

/// The row about a setting: its own, or that of the nearest setting above it.
///
/// With the kind of an input, `path` counts from the input; without, from the top.
pub(super) fn about(input: Option<&str>, path: &str) -> Option<&'static Row> {
    let own = tables(input).filter(|row| row.key == path || is_below(path, row.key)).max_by_key(|row| row.key.len());
    // Filebeat takes the options of reading in a selector too.
    let of_selector = || about(input, path.strip_prefix("file_selectors.")?);
    own.or_else(of_selector).or_else(|| {
        let (before, setting) = path.rsplit_once("ssl.")?;
        let at_name = before.is_empty() || before.ends_with('.');
        let mut rows = general::SSL.iter();
        rows.find(|row| at_name && (row.key == setting || is_below(setting, row.key)))
    })
}

/// Whether there are rows about settings below this one.
pub(super) fn leads_to(input: Option<&str>, path: &str) -> bool {
    tables(input).any(|row| is_below(row.key, path))
}

/// What to use instead of a kind of input that Filebeat has.
pub(super) fn input_kind(kind: &str) -> Option<&'static str> {
    let mut rows = input::KINDS.iter();
    rows.find_map(|(name, advice)| (*name == kind).then_some(*advice))
}

fn tables(input: Option<&str>) -> impl Iterator<Item = &'static Row> {
    let tables: [&'static [Row]; 2] = match input {
        Some("aws-s3") => [input::AWS_S3, input::COMMON],
        Some("aws-cloudwatch") => [input::AWS_CLOUDWATCH, input::COMMON],
        Some(_) => [&[], input::COMMON],
        None => [output::ROWS, general::ROWS],
    };
    tables.into_iter().flatten()
}

fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Options of Filebeat's inputs that the sections themselves know.
    const SUPPORTED_BY_AWS_S3: [&str; 29] = [
        "queue_url",
        "region",
        "endpoint",
        "path_style",
        "default_region",
        "fips_enabled",
        "access_key_id",
        "secret_access_key",
        "session_token",
        "credential_profile_name",
        "shared_credential_file",
        "role_arn",
        "external_id",
        "assume_role.duration",
        "visibility_timeout",
        "sqs.wait_time",
        "sqs.shutdown_grace_time",
        "api_timeout",
        "number_of_workers",
        "file_selectors",
        "proxy_url",
        "ssl.verification_mode",
        "ssl.certificate_authorities",
        "tags",
        "fields",
        "fields_under_root",
        "processors",
        "enabled",
        "type",
    ];

    const AWS_S3_OPTIONS: &str = "queue_url bucket_arn access_point_arn non_aws_bucket_name region endpoint path_style \
        provider fips_enabled default_region visibility_timeout sqs.wait_time api_timeout sqs.max_receive_count \
        sqs.shutdown_grace_time number_of_workers max_number_of_messages \
        sqs.notification_parsing_script.source sqs.notification_parsing_script.file \
        sqs.notification_parsing_script.files sqs.notification_parsing_script.params \
        sqs.notification_parsing_script.timeout sqs.notification_parsing_script.max_cached_sessions \
        bucket_list_interval bucket_list_prefix ignore_older start_timestamp lexicographical_ordering \
        lexicographical_lookback_keys backup_to_bucket_arn non_aws_backup_to_bucket_name \
        backup_to_bucket_prefix delete_after_backup file_selectors expand_event_list_from_field content_type \
        max_bytes buffer_size encoding line_terminator parsers decoding.codec.csv.enabled \
        decoding.codec.parquet.batch_size include_s3_metadata access_key_id secret_access_key session_token \
        credential_profile_name shared_credential_file role_arn external_id assume_role.duration \
        assume_role.expiry_window proxy_url ssl.verification_mode ssl.cipher_suites enabled tags fields \
        fields_under_root processors pipeline keep_null index publisher_pipeline.disable_host";

    const CLOUDWATCH_OPTIONS: &str = "log_group_arn log_group_name log_group_name_prefix \
        include_linked_accounts_for_prefix_mode region_name log_streams log_stream_prefix start_position \
        scan_frequency api_sleep latency";

    const SUPPORTED_BY_ELASTICSEARCH: &str = "hosts protocol path parameters headers username password api_key ssl.enabled \
        ssl.verification_mode ssl.certificate_authorities ssl.certificate ssl.key proxy_url pipeline \
        compression_level bulk_max_size worker workers timeout backoff.init backoff.max preset index loadbalance";

    const ELASTICSEARCH_OPTIONS: &str = "hosts protocol path parameters headers username password api_key \
        ssl.verification_mode ssl.certificate_authorities ssl.ca_sha256 ssl.ca_trusted_fingerprint ssl.certificate \
        ssl.key ssl.key_passphrase ssl.supported_protocols ssl.cipher_suites ssl.curve_types ssl.renegotiation \
        ssl.restart_on_cert_change.enabled kerberos.enabled proxy_url proxy_headers proxy_disable loadbalance worker \
        workers bulk_max_size compression_level escape_html index indices pipeline pipelines max_retries \
        backoff.init backoff.max timeout idle_connection_timeout allow_older_versions non_indexable_policy.drop \
        non_indexable_policy.dead_letter_index.index preset queue.mem.events";

    const GENERAL_OPTIONS: &str = "setup.template.enabled setup.template.settings.index.number_of_shards \
        setup.template.json.enabled setup.ilm.enabled setup.ilm.policy_name setup.dsl.enabled \
        setup.dashboards.enabled setup.dashboards.retry.interval setup.dashboards.directory setup.kibana.service_token \
        queue.mem.events queue.mem.flush.timeout queue.disk.max_size processors tags fields fields_under_root \
        timestamp.precision logging.level logging.selectors logging.to_stderr logging.to_syslog \
        logging.to_eventlog logging.to_files logging.files.path logging.files.rotateeverybytes logging.metrics.period \
        logging.json logging.event_data.files.name monitoring.enabled monitoring.elasticsearch.hosts http.enabled \
        http.port instrumentation.enabled features.aws_s3_v2.enabled seccomp.enabled keystore.path cloud.id \
        cloud.auth path.home filebeat.inputs filebeat.modules filebeat.config.inputs.enabled \
        filebeat.registry.path filebeat.shutdown_timeout filebeat.autodiscover.providers output.kafka.hosts \
        output.logstash.hosts output.redis.hosts output.discard.enabled management.enabled";

    #[test]
    fn every_option_of_filebeat_is_known() {
        for key in AWS_S3_OPTIONS.split_whitespace() {
            let known = SUPPORTED_BY_AWS_S3.contains(&key) || about(Some("aws-s3"), key).is_some();
            assert!(known, "aws-s3: {key}");
        }
        for key in CLOUDWATCH_OPTIONS.split_whitespace() {
            assert!(about(Some("aws-s3"), key).is_some(), "aws-cloudwatch: {key}");
        }
        for key in ELASTICSEARCH_OPTIONS.split_whitespace() {
            let path = format!("output.elasticsearch.{key}");
            let known = SUPPORTED_BY_ELASTICSEARCH.split_whitespace().any(|k| k == key) || about(None, &path).is_some();
            assert!(known, "{path}");
        }
        for key in GENERAL_OPTIONS.split_whitespace() {
            assert!(key == "processors" || about(None, key).is_some(), "{key}");
        }
    }

    #[test]
    fn settings_of_other_connectors_have_our_name() {
        for (input, key, name) in [
            (Some("aws-s3"), "frequency", "sqs.poll_interval"),
            (Some("aws-s3"), "chunk_size", "bulk_max_size"),
            (Some("aws-s3"), "max_number_of_messages", "number_of_workers"),
            (None, "output.elasticsearch.chunk_size", "bulk_max_size"),
            (None, "filebeat.inputs", "trailship.inputs"),
        ] {
            assert!(about(input, key).unwrap().advice.contains(name), "{key}");
        }
    }

    #[test]
    fn the_nearest_row_above_counts() {
        assert_eq!(about(None, "filebeat.registry.path").unwrap().key, "filebeat.registry");
        assert_eq!(about(None, "filebeat.fields.a").unwrap().key, "filebeat");
        assert_eq!(about(None, "queues").map(|row| row.key), None);
        assert_eq!(about(None, "output.elasticsearch.hosts").map(|row| row.key), None);
        assert!(leads_to(None, "setup"));
        assert!(!leads_to(None, "queue"));
    }

    #[test]
    fn rows_are_unique_and_read_well() {
        let tables: [&[Row]; 6] =
            [input::AWS_S3, input::AWS_CLOUDWATCH, input::COMMON, output::ROWS, general::ROWS, general::SSL];
        for table in tables {
            let mut keys: Vec<&str> = table.iter().map(|row| row.key).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), table.len());
            for row in table {
                let names = ["TLS", "CloudTrail", "CloudWatch", "Filebeat"];
                let is_name = names.iter().any(|name| row.advice.starts_with(name));
                let is_lower = !row.advice.starts_with(char::is_uppercase);
                assert!(is_lower || is_name, "{}", row.advice);
                assert!(!row.advice.ends_with('.'), "{}", row.advice);
            }
        }
    }
}
