//! The command line, as Beats' users know it.

use crate::config::Period;
use crate::config::types::HttpUrl;
use crate::output::parking::LetterId;
use crate::verify::store::PathMap;
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

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
    /// See how things stand: what is indexed, what waits, what is parked, what the running process says
    #[command(
        after_help = "Examples:\n  trailship status -c trailship.yml\n  trailship status --since 7d --format json\n\nThe process is asked when `http.enabled` is true. Searching takes the privilege `read` on the data stream.\nExit codes: 0 all is well, 1 something is in the way or could not be read."
    )]
    Status(StatusArgs),
    /// Check the configuration, the output or the inputs, step by step
    #[command(
        after_help = "Examples:\n  trailship test config\n  trailship test output -c trailship.yml\n  trailship test input --format json"
    )]
    Test(TestArgs),
    /// See what was parked and why, send it again, delete it
    #[command(
        after_help = "Examples:\n  trailship dead-letter list\n  trailship dead-letter list --code mapping-refused --since 24h\n  trailship dead-letter show 1-17\n  trailship dead-letter replay --all --dry-run\n  trailship dead-letter replay --code mapping-refused\n  trailship dead-letter purge --replayed --older-than 30d"
    )]
    DeadLetter {
        #[command(subcommand)]
        command: DeadLetterCommand,
    },
    /// Verify CloudTrail's digest chain: drop-in for `aws cloudtrail validate-logs`, and more
    #[command(
        after_help = "Examples:\n  trailship validate --trail-arn arn:aws:cloudtrail:us-east-1:111122223333:trail/main --start-time 2026-03-01T00:00:00Z\n  trailship validate --s3-bucket trails --account-id all --region all --start-time 2026-03-01 --format json\n  trailship validate --s3-bucket trails --start-time 2026-03-01 --public-keys keys.json --path-map s3://trails=/backup/trails\n\nExit codes: 0 valid and complete, 1 something was altered or removed, 2 wrong usage, 3 incomplete (gap, missing tail, unlisted files), 4 nothing found, 5 something could not be read. With --compat: those of the AWS CLI."
    )]
    Validate(ValidateArgs),
    /// Print what is missing: log files, hours without a digest, accounts that fell silent
    #[command(
        after_help = "Needs `integrity.enabled: true` in the runs before. Works beside a running trailship. With `state.elasticsearch.enabled` it tells the whole of all processes, for which the credentials of the output need `read` on the data stream of integrity.\n\nExamples:\n  trailship gaps --start 24h\n  trailship gaps --start 2026-03-01 --end 2026-03-02 --account-id 111122223333 --format json\n\nExit codes: 0 nothing is missing, 1 failed while working, 2 wrong usage or configuration, 3 something is missing or refused by the data stream, 4 nothing is known of that time."
    )]
    Gaps(GapsArgs),
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
pub struct StatusArgs {
    /// How far back events are looked for, such as 24h
    #[arg(long, value_name = "AGE", default_value = "30d")]
    pub since: Age,
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

#[derive(Debug, Subcommand)]
pub enum DeadLetterCommand {
    /// A line a letter: when, why, from where; works beside a running trailship
    List(DeadLetterListArgs),
    /// One letter in full, with its record; works beside a running trailship
    Show(DeadLetterShowArgs),
    /// Send letters again after a mend; trailship must not be running
    Replay(DeadLetterReplayArgs),
    /// Delete letters for good; trailship must not be running
    Purge(DeadLetterPurgeArgs),
}

#[derive(Debug, Args)]
pub struct DeadLetterListArgs {
    /// Letters with this reason code; may be given several times
    #[arg(long = "code", value_name = "CODE")]
    pub codes: Vec<String>,
    /// Letters of the input with this `id`
    #[arg(long, value_name = "ID")]
    pub input: Option<String>,
    /// Letters from this time on, such as 2026-01-02T03:04:05Z or 2026-01-02, or of this age at most, such as 24h
    #[arg(long, value_name = "TIME|AGE")]
    pub since: Option<Moment>,
    /// Replayed letters too
    #[arg(long)]
    pub all: bool,
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct DeadLetterShowArgs {
    /// As `list` shows it
    #[arg(value_name = "ID")]
    pub id: LetterId,
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct DeadLetterReplayArgs {
    /// Letters as `list` shows them
    #[arg(value_name = "ID")]
    pub ids: Vec<LetterId>,
    /// Letters with this reason code; may be given several times
    #[arg(long = "code", value_name = "CODE")]
    pub codes: Vec<String>,
    /// All letters that were not replayed yet
    #[arg(long, conflicts_with_all = ["ids", "codes"])]
    pub all: bool,
    /// Says what would be sent, and how, and sends nothing
    #[arg(long)]
    pub dry_run: bool,
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct DeadLetterPurgeArgs {
    /// Letters as `list` shows them
    #[arg(value_name = "ID")]
    pub ids: Vec<LetterId>,
    /// Letters that were replayed and went well
    #[arg(long)]
    pub replayed: bool,
    /// Letters parked longer ago than this, such as 30d
    #[arg(long, value_name = "AGE")]
    pub older_than: Option<Age>,
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// A point in time, given as such or as an age.
#[derive(Debug, Clone, Copy)]
pub struct Moment(pub Timestamp);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Moment, String> {
        let day = || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
        let time = text.parse::<Timestamp>().ok().or_else(|| day().map(|day| day.timestamp()));
        match (time, text.parse::<Age>()) {
            (Some(time), _) => Ok(Moment(time)),
            (None, Ok(Age(age))) => Ok(Moment(Timestamp::now().saturating_sub(age).unwrap_or(Timestamp::MIN))),
            (None, Err(_)) => {
                Err("write a time, such as 2026-01-02T03:04:05Z, or an age, such as 24h or 7d".to_owned())
            }
        }
    }
}

/// How long ago.
#[derive(Debug, Clone, Copy)]
pub struct Age(pub Duration);

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Age, String> {
        match text.parse::<Period>() {
            Ok(age) => Ok(Age(age.get())),
            Err(fault) => Err(format!("{}: {}", fault.message(), fault.hint())),
        }
    }
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
pub struct ValidateArgs {
    /// The trail; without it every trail with digests in --s3-bucket
    #[arg(long, value_name = "ARN", required_unless_present = "s3_bucket")]
    pub trail_arn: Option<String>,
    /// Log files delivered from here on; UTC unless it has an offset
    #[arg(long, value_name = "TIME", required_unless_present = "since_last")]
    pub start_time: Option<String>,
    /// Log files delivered up to here; the present when left out
    #[arg(long, value_name = "TIME")]
    pub end_time: Option<String>,
    /// Bucket of the digests; the trail's own when left out
    #[arg(long, value_name = "BUCKET")]
    pub s3_bucket: Option<String>,
    /// What stands before `AWSLogs` in the bucket
    #[arg(long, value_name = "PREFIX")]
    pub s3_prefix: Option<String>,
    /// Accounts, separated by commas, or `all`; the trail's own when left out
    #[arg(long, value_name = "ACCOUNTS", value_delimiter = ',')]
    pub account_id: Vec<String>,
    /// Regions, separated by commas, or `all`; the trail's home region when left out
    #[arg(long, value_name = "REGIONS", value_delimiter = ',')]
    pub region: Vec<String>,
    /// Names valid files too
    #[arg(long = "verbose")]
    pub every_file: bool,
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Key ring in place of CloudTrail's API: the answer of `aws cloudtrail list-public-keys`, or such answers by region
    #[arg(long, value_name = "FILE")]
    pub public_keys: Option<PathBuf>,
    /// Reads a copy: `s3://bucket/prefix=s3://other/prefix` or `s3://bucket/prefix=/folder`
    #[arg(long = "path-map", value_name = "FROM=TO")]
    pub path_maps: Vec<PathMap>,
    /// Goes on where the last run with this flag ended
    #[arg(long)]
    pub since_last: bool,
    /// Lines, checks and exit codes of the AWS CLI, nothing else
    #[arg(long, requires = "trail_arn", conflicts_with_all = ["since_last", "path_maps", "public_keys"])]
    pub compat: bool,
    /// Objects read at a time
    #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub concurrency: u16,
    /// Profile of the shared AWS configuration
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Replaces the endpoint of CloudTrail alone; `AWS_ENDPOINT_URL` replaces all
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<HttpUrl>,
}

#[derive(Debug, Args)]
pub struct GapsArgs {
    /// Log files delivered from this time on, such as 2026-01-02T03:04:05Z or 2026-01-02, or of this age at most, such as 24h; by the hour
    #[arg(long, value_name = "TIME|AGE")]
    pub start: Moment,
    /// Log files delivered before this time; the present when left out
    #[arg(long, value_name = "TIME|AGE")]
    pub end: Option<Moment>,
    /// Accounts, separated by commas; all when left out
    #[arg(long, value_name = "ACCOUNTS", value_delimiter = ',')]
    pub account_id: Vec<String>,
    /// Regions, separated by commas; all when left out
    #[arg(long, value_name = "REGIONS", value_delimiter = ',')]
    pub region: Vec<String>,
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
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
