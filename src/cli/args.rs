//! The command line, as Beats' users know it.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Ships AWS CloudTrail logs into Elasticsearch or OpenSearch as ECS documents.
#[derive(Debug, Parser)]
#[command(
    name = "trailship",
    version,
    disable_help_subcommand = true,
    after_help = "Examples:\n  trailship run -c config.example.yml --once     ship the sample trail into a file\n  trailship test config -c trailship.yml         check the configuration\n  trailship map samples/AWSLogs | head -1        see what a record becomes\n  trailship setup -c trailship.yml               install the index templates\n\nExit codes: 0 done, 1 failed while working, 2 wrong usage or configuration."
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Configuration file; several are merged in order
    #[arg(short = 'c', long = "config", global = true, value_name = "FILE", default_value = "trailship.yml")]
    pub config: Vec<PathBuf>,
    /// Overrides one setting, such as -E output.console.enabled=true
    #[arg(short = 'E', global = true, value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Logs to standard error instead of files
    #[arg(short = 'e', global = true)]
    pub stderr: bool,
    /// Logs at info level
    #[arg(short = 'v', global = true)]
    pub verbose: bool,
    /// Logs these modules at debug level, separated by commas; "*" for all
    #[arg(short = 'd', global = true, value_name = "SELECTORS", value_delimiter = ',')]
    pub debug: Vec<String>,
    /// Folder in which relative configuration files are looked up
    #[arg(long = "path.config", global = true, value_name = "DIR")]
    pub path_config: Option<PathBuf>,
    /// Folder for state, locks and the dead letter
    #[arg(long = "path.data", global = true, value_name = "DIR")]
    pub path_data: Option<PathBuf>,
    /// Folder for log files
    #[arg(long = "path.logs", global = true, value_name = "DIR")]
    pub path_logs: Option<PathBuf>,
    /// Refuses a configuration file that others may write
    #[arg(long = "strict.perms", global = true, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub strict_perms: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ship
    #[command(
        after_help = "Examples:\n  trailship run -c trailship.yml\n  trailship run -c trailship.yml --once --format json"
    )]
    Run(RunArgs),
    /// Decode and map log files to standard output, a document a line
    #[command(
        after_help = "Examples:\n  trailship map samples/AWSLogs > documents.ndjson\n  trailship map --bulk trail.json.gz | curl -H 'content-type: application/x-ndjson' --data-binary @- http://localhost:9200/logs-aws.cloudtrail-default/_bulk\n  zcat trail.json.gz | jq -c '.Records[]' | trailship map --lines\n  trailship map --explain 6c1bcd7a-5f60-4f7b-8f2d-0f1c5d3a9b11 trail.json.gz"
    )]
    Map(MapArgs),
    /// Install index templates and lifecycle, dashboards and detection rules
    #[command(
        after_help = "Examples:\n  trailship setup -c trailship.yml                 everything that the configuration says where to put\n  trailship setup --dry-run                        show what would change\n  trailship setup --index-management --rollover    templates and lifecycle alone, and new indices\n  trailship setup --dashboards --rules             into Kibana alone"
    )]
    Setup(SetupArgs),
    /// Check the configuration, the output or the inputs, step by step
    #[command(
        after_help = "Examples:\n  trailship test config\n  trailship test output -c trailship.yml\n  trailship test input --format json"
    )]
    Test(TestArgs),
    /// Print what would be used
    #[command(
        after_help = "Examples:\n  trailship export config -c trailship.yml\n  trailship export template --engine opensearch\n  trailship export ilm-policy -E setup.lifecycle.delete_after=400d\n  trailship export dashboard --dir dashboards          the files that Kibana imports\n  trailship export dashboard --preview pictures        pages drawn from what is indexed\n  trailship export rules > rules.ndjson"
    )]
    Export(ExportArgs),
    /// Print the version
    Version,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs: one JSON document
    Json,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// Ships what the sources hold, then exits
    #[arg(long)]
    pub once: bool,
    /// Form of the summary at the end
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct MapArgs {
    /// Log files or folders; `-` is standard input
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Reads one record a line and writes exactly one document a line, in the same order
    #[arg(long)]
    pub lines: bool,
    /// Writes `_bulk` actions before the documents, and repairs what an index would refuse
    #[arg(long, conflicts_with = "lines")]
    pub bulk: bool,
    /// Shows the document of the record with this `eventID` as a table: fields, values, and the rules that made them
    #[arg(long, value_name = "EVENT_ID", conflicts_with = "bulk")]
    pub explain: Option<String>,
    /// Time of reading, such as 2026-01-02T03:04:05Z; the present when left out
    #[arg(long, value_name = "TIME")]
    pub now: Option<String>,
    /// Tags of the documents; without any: forwarded, aws-cloudtrail
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// Forms of the request and response payloads that are kept: all, flattened, keyword, minimal, none
    #[arg(long, value_name = "MODE")]
    pub retain: Option<String>,
    /// MaxMind file of cities, for source.geo.*
    #[arg(long, value_name = "FILE")]
    pub city_database: Option<PathBuf>,
    /// MaxMind file of networks, for source.as.*
    #[arg(long, value_name = "FILE")]
    pub asn_database: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct SetupArgs {
    /// Installs the lifecycle policy and the index templates; without any of these three: all
    #[arg(long)]
    pub index_management: bool,
    /// Installs the dashboards into Kibana
    #[arg(long)]
    pub dashboards: bool,
    /// Installs the detection rules into Kibana
    #[arg(long)]
    pub rules: bool,
    /// Rolls data streams over that were made with older templates
    #[arg(long)]
    pub rollover: bool,
    /// Shows what would change, and changes nothing
    #[arg(long)]
    pub dry_run: bool,
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct TestArgs {
    #[arg(value_enum)]
    pub what: TestWhat,
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TestWhat {
    Config,
    Output,
    Input,
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    #[arg(value_enum)]
    pub what: ExportWhat,
    /// Engine whose form is printed
    #[arg(long, value_enum, default_value = "elasticsearch")]
    pub engine: ExportEngine,
    /// Writes files into this folder instead of standard output
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Of dashboards: writes pages into this folder, drawn from what is indexed
    #[arg(long, value_name = "DIR", conflicts_with = "dir")]
    pub preview: Option<PathBuf>,
    /// First time of a preview, such as 2026-01-02T03:04:05Z; else as far back as each dashboard says
    #[arg(long, value_name = "TIME", requires = "preview")]
    pub from: Option<String>,
    /// Last time of a preview; the present when left out
    #[arg(long, value_name = "TIME", requires = "preview")]
    pub to: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportWhat {
    /// The effective configuration, secrets redacted
    Config,
    /// The index and component templates
    Template,
    /// The lifecycle policy: of ILM, or with `--engine opensearch` of ISM
    IlmPolicy,
    /// The dashboards, as the files that Kibana imports
    Dashboard,
    /// The detection rules, as the file that Kibana imports
    Rules,
    /// The fields reference, as Markdown
    Fields,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportEngine {
    Elasticsearch,
    Opensearch,
}
