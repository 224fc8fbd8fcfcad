//! Settings of Filebeat's outputs.

use super::{Row, ignored, refused, renamed};

const OTHER_OUTPUT: &str = "use `output.elasticsearch`, `output.file` or `output.console`";

/// Everything under `output`.
pub(super) const ROWS: &[Row] = &[
    refused("output.logstash", OTHER_OUTPUT),
    refused("output.kafka", OTHER_OUTPUT),
    refused("output.redis", OTHER_OUTPUT),
    refused("output.discard", OTHER_OUTPUT),
    refused("output.elasticsearch.kerberos", "use `api_key`, or `username` and `password`"),
    refused(
        "output.elasticsearch.proxy_headers",
        "headers for a proxy are not in this version yet; put credentials into `proxy_url`",
    ),
    refused("output.elasticsearch.proxy_disable", "leave `proxy_url` out, and unset `HTTPS_PROXY` for this program"),
    refused("output.elasticsearch.indices", "all documents go to one place: use `index`"),
    refused("output.elasticsearch.pipelines", "all documents go through one ingest pipeline: use `pipeline`"),
    refused(
        "output.elasticsearch.non_indexable_policy.dead_letter_index",
        "what the index refuses is parked with its reason; see `trailship dead-letter`",
    ),
    ignored(
        "output.elasticsearch.non_indexable_policy",
        "what the index refuses is parked with its reason, never dropped",
    ),
    ignored("output.elasticsearch.max_retries", "delivery is tried until it succeeds, as Filebeat does"),
    ignored("output.elasticsearch.escape_html", "documents mean the same with and without it"),
    ignored("output.elasticsearch.idle_connection_timeout", "connections are kept and dropped by themselves"),
    ignored("output.elasticsearch.allow_older_versions", "every version from 8.8 on is accepted"),
    ignored("output.elasticsearch.queue", "there is no queue of events; bulks are bounded by `bulk_max_bytes`"),
    renamed("output.elasticsearch.chunk_size", "use `bulk_max_size`"),
    renamed("output.elasticsearch.batch_max_actions", "use `bulk_max_size`"),
    renamed("output.elasticsearch.batch_max_bytes", "use `bulk_max_bytes`"),
    renamed("output.elasticsearch.host", "use `hosts`"),
];
