//! The whole configuration as one struct: each section is read by the part of the program it is about.

use super::documents::SharedStateConfig;
use super::identity::Identity;
use super::mapping::MappingConfig;
use crate::config::{ByteSize, Config, Malformed, Period};
use crate::ecs;
use crate::filter::{self, Rule};
use crate::geoip::{Databases, GeoipConfig};
use crate::inputs::kinds::Configured;
use crate::integrity::{IntegrityConfig, IntegritySettings};
use crate::kibana::{self, ApprovedRegions, KibanaSettings};
use crate::output::BulkShape;
use crate::output::kinds::{self, Plan};
use crate::pipeline::{MillSettings, RecordLimits};
use crate::record::inflate::InflateLimits;
use crate::setup::SetupConfig;
use crate::state::documents::Documents;
use crate::status::HttpConfig;
use crate::telemetry::log::LogSettings;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Everything that a command needs.
pub struct Settings {
    pub inputs: Vec<Configured>,
    /// `processors` at the top: those of all inputs.
    pub processors: Vec<Arc<Rule>>,
    pub output: Box<dyn Plan>,
    pub setup: SetupConfig,
    pub kibana: KibanaSettings,
    /// Whether the configuration says where Kibana is.
    pub kibana_named: bool,
    /// What this installation decides about dashboards and rules.
    pub assets: kibana::Options,
    pub data: PathBuf,
    pub logs: LogSettings,
    pub shutdown_timeout: Duration,
    pub flush_timeout: Duration,
    /// Threads of the mill.
    pub threads: usize,
    /// `memory.budget`, bytes.
    pub budget: usize,
    pub limits: RecordLimits,
    pub namespace: String,
    pub http: HttpConfig,
    /// `state.elasticsearch`: where processes share state, when they do.
    pub shared: Option<Arc<dyn Documents>>,
    /// `dead_letter.data_stream`: letters become documents too.
    pub letters_stream: bool,
    /// `integrity.enabled`: digests are verified while their log files are shipped.
    pub integrity: Option<IntegritySettings>,
    mapping: MappingConfig,
    geoip: Option<Arc<Databases>>,
    name: String,
}

impl Settings {
    /// What the mapper needs, with this installation's identity.
    pub fn mapping(&self, identity: &Identity) -> ecs::Settings {
        let name = if self.name.is_empty() { host_name() } else { self.name.clone() };
        let agent = ecs::Agent {
            id: identity.id.clone(),
            name,
            kind: "trailship".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ephemeral_id: identity.ephemeral_id.clone(),
        };
        let places = self.geoip.clone().map(|databases| databases as Arc<dyn ecs::Places>);
        ecs::Settings { places, ..self.mapping.settings(&self.namespace, agent) }
    }

    /// What the mill works by, for an output that wants bulks of `shape`.
    pub fn mill(&self, mapping: &Arc<ecs::Settings>, shape: BulkShape) -> MillSettings {
        MillSettings {
            threads: self.threads,
            mapping: Arc::clone(mapping),
            shape,
            limits: self.limits,
            budget: self.budget,
            flush_timeout: self.flush_timeout,
        }
    }

    /// The files by which addresses are described.
    pub fn geoip(&self) -> Option<&Arc<Databases>> {
        self.geoip.as_ref()
    }
}

/// Overrides of the command line that are no settings.
#[derive(Debug, Clone, Default)]
pub struct CommandLine {
    pub data: Option<PathBuf>,
    pub logs: Option<PathBuf>,
    pub stderr: bool,
    pub verbose: bool,
    pub selectors: Vec<String>,
}

/// Reads every section; what is wrong is collected in `config`, whose [`finish`](Config::finish) reports it. `None` only
/// when something is wrong.
pub fn read(config: &mut Config, command_line: &CommandLine) -> Option<Settings> {
    let inputs = crate::inputs::kinds::read(config);
    let all = filter::processors(config, "processors");
    let trailship: TrailshipConfig = config.section("trailship");
    let stream: DataStreamConfig = config.section("data_stream");
    let output = kinds::read(config, &stream.namespace.0);
    let mapping: MappingConfig = config.section("mapping");
    let geoip: GeoipConfig = config.section("geoip");
    let kibana_named = config.has("setup.kibana.host");
    let cluster = output.as_ref().and_then(|output| output.cluster());
    let kibana = KibanaSettings::read(config, cluster.as_deref());
    let regions: ApprovedRegions = config.section("setup.approved_regions");
    let setup: SetupConfig = config.section("setup");
    let memory: MemoryConfig = config.section("memory");
    let limits: LimitsConfig = config.section("limits");
    let flush: FlushConfig = config.section("flush");
    let path: PathConfig = config.section("path");
    let logging: LoggingConfig = config.section("logging");
    let max_procs: usize = config.section("max_procs");
    let name: String = config.section("name");
    let http: HttpConfig = config.section("http");
    let state: StateConfig = config.section("state");
    let shared = shared(config, &state.elasticsearch, output.as_deref());
    let dead_letter: DeadLetterConfig = config.section("dead_letter");
    let integrity: IntegrityConfig = config.section("integrity");
    let integrity = integrity.settle(config);
    if integrity.is_some() && !inputs.is_empty() && inputs.iter().all(|input| input.kind != "aws-s3") {
        config.warn(
            "integrity.enabled",
            "only inputs of type `aws-s3` see digests, and none is configured",
            Some("run `trailship validate` instead"),
        );
    }
    if dead_letter.data_stream && output.as_ref().is_some_and(|output| output.cluster().is_none()) {
        config.reject(
            "dead_letter.data_stream",
            "letters become documents in Elasticsearch or OpenSearch, but another output is enabled",
            Some("enable `output.elasticsearch`, or remove the key; letters are always on disk"),
        );
    }
    if memory.budget.bytes() < ByteSize::from_mib(16).bytes() {
        config.reject(
            "memory.budget",
            format!("`{}` is too little to work with", memory.budget),
            Some("write at least 16MiB"),
        );
    }
    if limits.record_bytes.bytes() > memory.budget.bytes() / 2 {
        config.reject(
            "limits.record_bytes",
            format!("`{}` is more than half of `memory.budget`", limits.record_bytes),
            Some("write less, or raise `memory.budget`"),
        );
    }
    let geoip = Databases::open(&geoip).unwrap_or_else(|(key, error)| {
        config.reject(key, error.to_string(), Some("write the path of a MaxMind file of this kind, or remove the key"));
        None
    });
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Some(Settings {
        inputs,
        processors: all,
        output: output?,
        setup,
        kibana: kibana?,
        kibana_named,
        assets: regions.into(),
        data: command_line.data.clone().unwrap_or(path.data),
        logs: LogSettings {
            level: if command_line.verbose { tracing::Level::INFO } else { logging.level.into() },
            selectors: command_line.selectors.clone(),
            to_stderr: command_line.stderr || logging.to_stderr,
            beside_line: false,
            folder: command_line.logs.clone().unwrap_or(path.logs),
            json: logging.json,
        },
        shutdown_timeout: trailship.shutdown_timeout.get(),
        flush_timeout: flush.timeout.get(),
        threads: if max_procs == 0 { processors } else { max_procs.min(256) },
        budget: memory.budget.as_usize(),
        limits: RecordLimits {
            inflate: InflateLimits { bytes: limits.object_bytes.bytes(), ratio: limits.inflate_ratio },
            record: limits.record_bytes.as_usize(),
        },
        namespace: stream.namespace.0,
        http,
        shared,
        letters_stream: dead_letter.data_stream,
        integrity,
        mapping,
        geoip: geoip.map(Arc::new),
        name,
    })
}

/// The store of `state.elasticsearch`, when it is enabled.
fn shared(config: &mut Config, state: &SharedStateConfig, output: Option<&dyn Plan>) -> Option<Arc<dyn Documents>> {
    let output = output.filter(|_| state.enabled)?;
    let Some(cluster) = output.cluster() else {
        let message = "`state.elasticsearch` needs `output.elasticsearch`, whose cluster it uses";
        config.reject("state.elasticsearch.enabled", message, Some("remove it, or ship to Elasticsearch"));
        return None;
    };
    state
        .open(cluster)
        .map_err(|reason| config.reject("state.elasticsearch.enabled", reason, Some("mend `output.elasticsearch`")))
        .ok()
}

/// `trailship.*`, beside the inputs.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct TrailshipConfig {
    shutdown_timeout: Period,
}

impl Default for TrailshipConfig {
    fn default() -> TrailshipConfig {
        TrailshipConfig { shutdown_timeout: Period::from_secs(30) }
    }
}

/// `state.*`
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct StateConfig {
    elasticsearch: SharedStateConfig,
}

/// `data_stream.*`
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct DataStreamConfig {
    namespace: Namespace,
}

/// Last part of the data stream's name.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(try_from = "String")]
struct Namespace(String);

impl Default for Namespace {
    fn default() -> Namespace {
        Namespace("default".to_owned())
    }
}

impl TryFrom<String> for Namespace {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Namespace, Malformed> {
        // What Elasticsearch allows in the name of a data stream; `-` would separate a further part.
        let fine = |c: char| {
            (c.is_alphanumeric() && !c.is_uppercase())
                || matches!(c, '_' | '.' | '@' | '+' | '!' | '(' | ')' | '=' | '~')
        };
        if text.is_empty() || text.len() > 100 || !text.chars().all(fine) {
            return Err(Malformed::new(
                format!("`{text}` is not a namespace"),
                "write lower-case letters, digits and `_`, at most 100 bytes",
            ));
        }
        Ok(Namespace(text))
    }
}

/// `memory.*`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct MemoryConfig {
    budget: ByteSize,
}

impl Default for MemoryConfig {
    fn default() -> MemoryConfig {
        MemoryConfig { budget: ByteSize::from_mib(256) }
    }
}

/// `limits.*`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct LimitsConfig {
    record_bytes: ByteSize,
    object_bytes: ByteSize,
    inflate_ratio: u64,
}

impl Default for LimitsConfig {
    fn default() -> LimitsConfig {
        LimitsConfig {
            record_bytes: ByteSize::from_mib(10),
            object_bytes: ByteSize::from_mib(16 * 1024),
            inflate_ratio: 500,
        }
    }
}

/// `flush.*`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct FlushConfig {
    timeout: Period,
}

impl Default for FlushConfig {
    fn default() -> FlushConfig {
        FlushConfig { timeout: Period::from_secs(1) }
    }
}

/// `dead_letter.*`
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct DeadLetterConfig {
    data_stream: bool,
}

/// `path.*`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct PathConfig {
    data: PathBuf,
    logs: PathBuf,
}

impl Default for PathConfig {
    fn default() -> PathConfig {
        PathConfig { data: PathBuf::from("data"), logs: PathBuf::from("logs") }
    }
}

/// `logging.*`
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct LoggingConfig {
    level: LogLevel,
    to_stderr: bool,
    json: bool,
}

/// `logging.level`, in Beats' words.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum LogLevel {
    Error,
    Warning,
    #[default]
    Info,
    Debug,
}

impl From<LogLevel> for tracing::Level {
    fn from(level: LogLevel) -> tracing::Level {
        match level {
            LogLevel::Error => tracing::Level::ERROR,
            LogLevel::Warning => tracing::Level::WARN,
            LogLevel::Info => tracing::Level::INFO,
            LogLevel::Debug => tracing::Level::DEBUG,
        }
    }
}

fn host_name() -> String {
    let name =
        std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::fs::read_to_string("/etc/hostname"));
    name.map(|name| name.trim().to_owned()).unwrap_or_default()
}
