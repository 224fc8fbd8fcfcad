//! The kinds of outputs there are, and the one that the configuration enables.

use super::Output;
use super::console::{Console, ConsoleConfig};
use super::elasticsearch::{self, Elasticsearch, ElasticsearchConfig};
use super::file::{FileConfig, FileOutput};
use super::parking::Parking;
use crate::check::{Check, Verdict};
use crate::config::{Config, Malformed, Section};
use crate::status;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// An output as configured: checked, not open yet.
pub trait Plan: Send + Sync {
    /// Makes the output ready for bulks.
    ///
    /// # Errors
    /// A folder or certificate that cannot be used.
    fn open(&self, context: Context) -> Result<Arc<dyn Output>, OutputError>;

    /// Checks the way to the output, step by step, and writes no document: `trailship test output`.
    fn test(&self) -> Pin<Box<dyn Future<Output = Vec<Check>> + Send + '_>>;

    /// Whether documents go to standard output, where nothing else must go then.
    fn prints(&self) -> bool {
        false
    }

    /// The cluster behind it, where it is one: for `trailship setup`.
    fn cluster(&self) -> Option<Arc<elasticsearch::Settings>> {
        None
    }
}

/// What an output works with.
#[derive(Clone)]
pub struct Context {
    pub parking: Arc<Parking>,
    /// Where what keeps the output from its work is reported.
    pub health: status::Part,
    /// Set by an output that nobody reads any more (a closed pipe): the run ends in order.
    pub stop: CancellationToken,
}

/// Why an output cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`output.{kind}`: {reason}")]
pub struct OutputError {
    pub kind: &'static str,
    pub reason: String,
}

/// Reads a section into a plan. What is wrong is rejected in the configuration, and then there is no plan.
type Read = fn(&mut Config, &Section, namespace: &str) -> Option<Box<dyn Plan>>;

/// Kinds by their key below `output`.
pub const KINDS: &[(&str, Read)] =
    &[("elasticsearch", read_elasticsearch), ("file", read_file), ("console", read_console)];

/// Reads the one enabled section below `output`; `namespace` is the data stream's. None, and several, are errors of
/// the configuration, as is all that is wrong in the section; there is no plan then.
pub fn read(config: &mut Config, namespace: &str) -> Option<Box<dyn Plan>> {
    let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
    let section = config.one_enabled("output", &names)?;
    let (_, read) = KINDS.iter().find(|(name, _)| *name == section.kind())?;
    read(config, &section, namespace)
}

fn read_elasticsearch(config: &mut Config, section: &Section, namespace: &str) -> Option<Box<dyn Plan>> {
    let written: ElasticsearchConfig = config.read(section);
    match written.settle(namespace) {
        Ok(settings) => {
            for warning in &settings.warnings {
                config.warn(section.path(), warning, None);
            }
            Some(Box::new(Arc::new(settings)))
        }
        Err(faults) => {
            reject(config, section, faults.iter().map(|(key, fault)| (key.as_str(), fault)));
            None
        }
    }
}

fn read_file(config: &mut Config, section: &Section, _: &str) -> Option<Box<dyn Plan>> {
    let written: FileConfig = config.read(section);
    let faults = written.faults();
    if faults.is_empty() {
        return Some(Box::new(written));
    }
    reject(config, section, faults.iter().map(|(key, fault)| (*key, fault)));
    None
}

fn read_console(config: &mut Config, section: &Section, _: &str) -> Option<Box<dyn Plan>> {
    Some(Box::new(config.read::<ConsoleConfig>(section)))
}

fn reject<'a>(config: &mut Config, section: &Section, faults: impl Iterator<Item = (&'a str, &'a Malformed)>) {
    for (key, fault) in faults {
        config.reject(&format!("{}.{key}", section.path()), fault.message(), Some(fault.hint()));
    }
}

impl Plan for Arc<elasticsearch::Settings> {
    fn open(&self, context: Context) -> Result<Arc<dyn Output>, OutputError> {
        match Elasticsearch::new(Arc::clone(self), context.parking, context.health) {
            Ok(output) => Ok(Arc::new(output)),
            Err(reason) => Err(OutputError { kind: "elasticsearch", reason }),
        }
    }

    fn test(&self) -> Pin<Box<dyn Future<Output = Vec<Check>> + Send + '_>> {
        Box::pin(async {
            match elasticsearch::Cluster::new(Arc::clone(self)) {
                Ok(cluster) => elasticsearch::test(&cluster).await,
                Err(reason) => vec![check("settings", Verdict::Failed, reason)],
            }
        })
    }

    fn cluster(&self) -> Option<Arc<elasticsearch::Settings>> {
        Some(Arc::clone(self))
    }
}

impl Plan for FileConfig {
    fn open(&self, _: Context) -> Result<Arc<dyn Output>, OutputError> {
        match FileOutput::open(self) {
            Ok(output) => Ok(Arc::new(output)),
            Err(fault) => Err(OutputError { kind: "file", reason: fault.to_string() }),
        }
    }

    fn test(&self) -> Pin<Box<dyn Future<Output = Vec<Check>> + Send + '_>> {
        let found = folder(&self.path);
        Box::pin(std::future::ready(vec![found]))
    }
}

impl Plan for ConsoleConfig {
    fn prints(&self) -> bool {
        true
    }

    fn open(&self, context: Context) -> Result<Arc<dyn Output>, OutputError> {
        Ok(Arc::new(Console::new(self, std::io::stdout(), context.stop)))
    }

    fn test(&self) -> Pin<Box<dyn Future<Output = Vec<Check>> + Send + '_>> {
        Box::pin(std::future::ready(vec![check("console", Verdict::Ok, "documents go to standard output")]))
    }
}

/// Looks at the folder of `output.file` without making it.
fn folder(path: &Path) -> Check {
    let step = "folder";
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(found) if !found.is_dir() => check(step, Verdict::Failed, format!("`{shown}` is not a folder")),
        Ok(found) if found.permissions().readonly() => {
            check(step, Verdict::Failed, format!("`{shown}` is not writable"))
        }
        Ok(_) => check(step, Verdict::Ok, format!("`{shown}` is there")),
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => {
            check(step, Verdict::Ok, format!("`{shown}` is not there and will be made"))
        }
        Err(fault) => check(step, Verdict::Failed, format!("`{shown}`: {fault}")),
    }
}

fn check(step: &str, verdict: Verdict, detail: impl Into<String>) -> Check {
    Check { step: step.to_owned(), verdict, detail: detail.into() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::Write;

    /// The plan for a configuration text, and the complaints.
    fn plan(text: &str) -> (Option<Box<dyn Plan>>, String) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let mut config = crate::config::load(&[file.path().to_owned()], &[], &|_| None).unwrap();
        let plan = read(&mut config, "default");
        let complaints = config.finish().err().map(|errors| errors.to_string()).unwrap_or_default();
        (plan, complaints)
    }

    #[test]
    fn exactly_one_output_is_enabled() {
        let (found, complaints) = plan("output.file: {path: out}\noutput.console: {enabled: false}\n");
        assert!(found.is_some(), "{complaints}");
        assert_eq!(complaints, "");
        for (text, complaint) in [
            ("output.file: {path: out}\noutput.console: {pretty: true}\n", "only one may be enabled"),
            ("output.console.enabled: false\n", "none is enabled"),
            ("logging.level: info\n", "none is enabled"),
        ] {
            let (_, complaints) = plan(text);
            assert!(complaints.contains(complaint), "{complaints}");
        }
    }

    #[test]
    fn filebeats_keys_are_read_and_the_cluster_is_known() {
        let (found, complaints) = plan(
            "output.elasticsearch:\n  hosts: es.example.com\n  protocol: https\n  api_key: id:key\n  worker: 2\n  bulk_max_size: 50\n  \
             bulk_max_bytes: 1MiB\n  ssl.verification_mode: full\n  backoff.max: 10s\n  timeout: 30\n  headers: {X-Own: yes}\n",
        );
        assert_eq!(complaints, "");
        let settings = found.unwrap().cluster().unwrap();
        assert_eq!(settings.nodes[0].as_str(), "https://es.example.com:9200/");
        assert_eq!((settings.concurrency, settings.max_records, settings.max_bytes), (2, 50, 1 << 20));
        assert_eq!((settings.timeout.as_secs(), settings.stream.as_str()), (30, "logs-aws.cloudtrail-default"));
    }

    #[test]
    fn faults_name_their_place() {
        let (found, complaints) = plan(
            "output.elasticsearch:\n  hosts: ['ftp://es']\n  username: u\n  api_key: id:secret-key\n  compression_level: 11\n  bulk_max_sise: 7\n",
        );
        assert!(found.is_none());
        for place in [":2:", "`api_key` and `username` exclude each other", "`11` is not a gzip level", "bulk_max_size"]
        {
            assert!(complaints.contains(place), "{place} is missing in {complaints}");
        }
        assert!(!complaints.contains("secret-key"));
    }

    #[tokio::test]
    async fn every_kind_opens_and_tests() {
        let dir = tempfile::tempdir().unwrap();
        let parking = Arc::new(Parking::open(&dir.path().join("dead-letter")).unwrap());
        let context = Context { parking, health: status::Part::default(), stop: CancellationToken::new() };
        let out = dir.path().join("out");
        for text in ["output.console: {pretty: true}\n".to_owned(), format!("output.file.path: {}\n", out.display())] {
            let (found, complaints) = plan(&text);
            assert_eq!(complaints, "");
            let found = found.unwrap();
            assert!(found.test().await.iter().all(|check| check.verdict == Verdict::Ok));
            assert!(found.open(context.clone()).is_ok());
        }
        let (found, _) = plan("output.elasticsearch.hosts: localhost\n");
        assert_eq!(found.unwrap().open(context).unwrap().concurrency(), 4);
    }
}
