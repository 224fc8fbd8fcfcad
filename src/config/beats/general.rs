//! Settings of Filebeat outside of inputs and outputs, and those of TLS wherever it is set up.

use super::{Row, ignored, refused, renamed};

const INPUTS: &str = "write the inputs themselves under `trailship.inputs`";
const PER_INPUT: &str = "set it in each input under `trailship.inputs`";
const DASHBOARDS: &str = "dashboards are installed by `trailship setup --dashboards`";
const BUILT_IN: &str = "the dashboards are part of the program; import your own in Kibana";
const SETUP: &str = "assets are installed by `trailship setup`";
const LOGS: &str = "logs go to standard error with `logging.to_stderr`, else to files below `path.logs`";

/// Everything at the top but `output`.
pub(super) const ROWS: &[Row] = &[
    refused("filebeat.inputs", "use `trailship.inputs`; the inputs' settings have the same names"),
    refused("filebeat.modules", INPUTS),
    refused("filebeat.config", INPUTS),
    refused("filebeat.autodiscover", INPUTS),
    refused("filebeat.prospectors", INPUTS),
    ignored("filebeat.registry", "what was done is remembered under `path.data`"),
    renamed("filebeat.shutdown_timeout", "use `trailship.shutdown_timeout`"),
    ignored("filebeat.overwrite_pipelines", SETUP),
    ignored("filebeat.config_dir", INPUTS),
    refused("filebeat", "settings of this program stand under `trailship`"),
    renamed("inputs", "use `trailship.inputs`"),
    refused("tags", PER_INPUT),
    refused("fields", PER_INPUT),
    refused("fields_under_root", PER_INPUT),
    refused("pipeline", "use `output.elasticsearch.pipeline`"),
    refused("cloud", "use `output.elasticsearch.hosts` and `output.elasticsearch.api_key`"),
    refused("keystore", "there is no keystore; give secrets by the environment, as in `${ES_API_KEY}`"),
    ignored("queue", "there is no queue of events; messages stay in SQS until they are delivered"),
    ignored("timestamp", "times are written as Elastic's ingest pipeline does"),
    ignored("http", "the HTTP endpoint is not in this version yet"),
    ignored("monitoring", "counters are not sent to a cluster"),
    ignored("xpack", "counters are not sent to a cluster"),
    ignored("instrumentation", "traces are not recorded"),
    ignored("features", "there are no feature flags"),
    ignored("seccomp", "system calls are restricted by who starts the program"),
    ignored("management", "there is no central management"),
    ignored("fleet", "there is no central management"),
    ignored("path.home", "nothing is read from beside the program"),
    ignored("logging.level", LOGS),
    ignored("logging.selectors", LOGS),
    ignored("logging.to_stderr", LOGS),
    ignored("logging.to_files", LOGS),
    ignored("logging.to_syslog", LOGS),
    ignored("logging.to_eventlog", LOGS),
    ignored("logging.files", LOGS),
    ignored("logging.json", LOGS),
    ignored("logging.ecs", LOGS),
    ignored("logging.metrics", "counters are written when a run ends"),
    ignored("logging.event_data", "records are never written to logs; refused ones are parked"),
    ignored("setup.template", SETUP),
    ignored("setup.ilm", SETUP),
    ignored("setup.dsl", "use `setup.lifecycle.type: dsl` and `setup.lifecycle.delete_after`"),
    refused("setup.kibana.service_token", "use `setup.kibana.api_key`"),
    refused("setup.kibana.service_token_path", "use `setup.kibana.api_key`"),
    refused("setup.kibana.proxy_headers", "let the proxy itself add them"),
    ignored("setup.kibana.ignore_version", "the version of Kibana is looked at, and need not be that of trailship"),
    ignored("setup.kibana.idle_connection_timeout", "connections are closed when `setup` ends"),
    ignored("setup.dashboards", DASHBOARDS),
    refused("setup.dashboards.directory", BUILT_IN),
    refused("setup.dashboards.file", BUILT_IN),
    refused("setup.dashboards.url", BUILT_IN),
    refused("setup.dashboards.index", "dashboards read the data streams of every namespace; leave it out"),
    refused("setup.dashboards.string_replacements", BUILT_IN),
    renamed("setup.dashboards.retry", "its name here is `setup.kibana.wait`"),
];

/// What may stand below any `ssl`.
pub(super) const SSL: &[Row] = &[
    refused("ca_sha256", "pin the authority with `certificate_authorities` instead"),
    refused("ca_trusted_fingerprint", "give the authority's certificate in `certificate_authorities` instead"),
    refused(
        "key_passphrase",
        "keys with a passphrase are not read; decrypt the file and protect it by its permissions",
    ),
    refused(
        "key_passphrase_path",
        "keys with a passphrase are not read; decrypt the file and protect it by its permissions",
    ),
    refused("supported_protocols", "TLS 1.2 and 1.3 are always offered; leave it out"),
    refused("cipher_suites", "only suites that are held to be safe are offered; leave it out"),
    refused("curve_types", "only curves that are held to be safe are offered; leave it out"),
    refused("client_authentication", "it is a setting for servers; leave it out"),
    ignored("renegotiation", "TLS renegotiation never happens"),
    ignored("restart_on_cert_change", "certificates are read when the program starts"),
    ignored("reload", "certificates are read when the program starts"),
];
