//! Settings of Filebeat's inputs, and of other connectors for the same sources.

use super::{Row, ignored, only, refused, renamed};

const LISTING: &str = "listing a bucket is not in this version yet; let the bucket announce its objects to an SQS queue and set `queue_url`";
const LISTING_ONLY: &str = "it belongs to listing a bucket and has no effect with `queue_url`";
const BACKUP: &str = "objects are read and nothing else; copy or expire them with S3 replication or a lifecycle rule";
const CLOUDWATCH: &str = "it belongs to an input of type `aws-cloudwatch`";

/// The `aws-s3` input.
pub(super) const AWS_S3: &[Row] = &[
    refused("bucket_arn", LISTING),
    refused("access_point_arn", LISTING),
    refused("non_aws_bucket_name", LISTING),
    ignored("bucket_list_interval", LISTING_ONLY),
    ignored("lexicographical_ordering", LISTING_ONLY),
    ignored("lexicographical_lookback_keys", LISTING_ONLY),
    refused("bucket_list_prefix", "choose objects by `cloudtrail_regex` or `file_selectors`"),
    refused("ignore_older", "every object that the queue announces is read; set the retention of the queue instead"),
    refused("start_timestamp", "every object that the queue announces is read; purge the queue to begin now"),
    refused("backup_to_bucket_arn", BACKUP),
    refused("non_aws_backup_to_bucket_name", BACKUP),
    refused("backup_to_bucket_prefix", BACKUP),
    refused("delete_after_backup", BACKUP),
    refused(
        "sqs.notification_parsing_script",
        "there are no scripts; notifications of S3, SNS, EventBridge and CloudTrail are recognised by themselves",
    ),
    ignored(
        "sqs.max_receive_count",
        "a message is never deleted for how often it was received; set the queue's redrive policy instead",
    ),
    ignored("max_number_of_messages", "Filebeat ignores it since 8.15; use `number_of_workers`"),
    only("expand_event_list_from_field", &["Records"], "records are always taken out of `Records`; leave it out"),
    ignored("content_type", "what an object holds is found by looking into it"),
    refused("decoding", "CloudTrail writes JSON; objects in other formats are not read"),
    refused("parsers", "CloudTrail writes JSON; there are no lines to join"),
    ignored("max_bytes", "a record is never cut"),
    ignored("buffer_size", "objects are read as a stream"),
    ignored("line_terminator", "records are found by their JSON"),
    only("encoding", &["plain", "utf-8"], "CloudTrail writes UTF-8; leave it out"),
    refused(
        "include_s3_metadata",
        "metadata of objects is not in this version yet; bucket and key are on every document",
    ),
    only("provider", &["aws"], "`cloud.provider` is always `aws` for CloudTrail; leave it out"),
    ignored("assume_role.expiry_window", "credentials are renewed before they expire by themselves"),
    refused("log_group_arn", CLOUDWATCH),
    refused("log_group_name", CLOUDWATCH),
    refused("log_group_name_prefix", CLOUDWATCH),
    refused("include_linked_accounts_for_prefix_mode", CLOUDWATCH),
    refused("log_streams", CLOUDWATCH),
    refused("log_stream_prefix", CLOUDWATCH),
    refused("start_position", CLOUDWATCH),
    refused("scan_frequency", CLOUDWATCH),
    refused("api_sleep", CLOUDWATCH),
    refused("latency", CLOUDWATCH),
    renamed("region_name", "use `region`"),
    renamed("frequency", "use `sqs.poll_interval`"),
    renamed("sqs_frequency", "use `sqs.wait_time`"),
    renamed("queue_name", "use `queue_url` with the queue's whole URL"),
    renamed("chunk_size", "use `output.elasticsearch.bulk_max_size`"),
    renamed("interval", "use `sqs.poll_interval`"),
    renamed("collect_s3_logs", "the input's `type` says it: `aws-s3` or `aws-cloudwatch`"),
    renamed("delete_message", "use `delete_consumed_messages`"),
];

/// The `aws-cloudwatch` input.
pub(super) const AWS_CLOUDWATCH: &[Row] = &[
    refused("queue_url", "it belongs to an input of type `aws-s3`"),
    refused("bucket_arn", "it belongs to an input of type `aws-s3`"),
    ignored("assume_role.expiry_window", "credentials are renewed before they expire by themselves"),
    renamed("region", "use `region_name`"),
    renamed("frequency", "use `scan_frequency`"),
    renamed("limit", "pages are as large as CloudWatch Logs gives them; `requests_per_second` sets the pace"),
];

/// Any input.
pub(super) const COMMON: &[Row] = &[
    refused("pipeline", "set the ingest pipeline of all inputs as `output.elasticsearch.pipeline`"),
    refused("index", "set the index of all inputs as `output.elasticsearch.index`"),
    refused("data_stream", "documents of all inputs go to one data stream; set `data_stream.namespace` at the top"),
    ignored("keep_null", "empty values are left out, as Elastic's ingest pipeline does"),
    ignored("publisher_pipeline", "nothing about this host is added to documents"),
    ignored("harvester_limit", "records are not read from log files"),
    renamed("preserve_original_event", "add `preserve_original_event` to `tags`"),
    renamed("actor_target_mapping", "add `actor_target_mapping` to `tags`"),
    renamed("json_content_type", "leave it out; objects are known by their content"),
];

const NO_CLOUDTRAIL: &str = "this input does not carry CloudTrail; use `aws-s3`";

const LOG_FILES: &str = "use `file` for CloudTrail's files in a folder, or `aws-s3` for those in a bucket";

/// Kinds of inputs that Filebeat and its relatives have.
pub(super) const KINDS: &[(&str, &str)] = &[
    ("awscloudwatch", "use `aws-cloudwatch`"),
    ("aws_cloudwatch", "use `aws-cloudwatch`"),
    ("s3", "use `aws-s3`"),
    ("s3-sqs", "use `aws-s3`"),
    ("aws_s3", "use `aws-s3`"),
    ("sqs", "use `aws-s3` with `queue_url`"),
    ("log", LOG_FILES),
    ("filestream", LOG_FILES),
    ("stdin", "use `trailship map -`"),
    ("httpjson", NO_CLOUDTRAIL),
    ("cel", NO_CLOUDTRAIL),
    ("http_endpoint", NO_CLOUDTRAIL),
    ("kafka", NO_CLOUDTRAIL),
    ("tcp", NO_CLOUDTRAIL),
    ("udp", NO_CLOUDTRAIL),
    ("syslog", NO_CLOUDTRAIL),
    ("gcs", NO_CLOUDTRAIL),
    ("journald", NO_CLOUDTRAIL),
];
