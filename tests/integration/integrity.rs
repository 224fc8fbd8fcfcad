//! Integrity in line: digests verified and log files compared while they are shipped.
//!
//! The trails are those of `tests/chain/`, with keys made in the test. Objects go into an S3 with notifications, documents into
//! files.

mod at_random;
mod forged;
mod ledger;
mod life;
mod refused;
mod several;
mod tampering;

use crate::support::aws::Trail;
use crate::support::program::{Program, Running, until};
use crate::support::servers::Server;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use tempfile::TempDir;

/// Every scenario of `tests/chain/`, written once for all tests.
pub struct Scenes {
    folder: TempDir,
    all: Vec<Scene>,
}

/// One trail's objects, as CloudTrail wrote them or as somebody left them.
#[derive(Debug, Clone, Deserialize)]
pub struct Scene {
    pub name: String,
    pub arn: String,
    pub bucket: String,
    pub start: String,
    pub end: String,
    /// Further arguments of `trailship validate`.
    pub extra: Vec<String>,
    pub objects: Vec<Object>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Object {
    pub bucket: String,
    pub key: String,
    file: PathBuf,
    metadata: HashMap<String, String>,
}

impl Object {
    pub fn is_digest(&self) -> bool {
        // The prefix may look like either folder.
        self.key.rfind("/CloudTrail-Digest/") > self.key.rfind("/CloudTrail/")
    }

    pub fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.file).unwrap()
    }
}

impl Scenes {
    /// Written at the first call, with the interpreter that the local AWS runs on. `Err` is why they cannot be had.
    pub fn get() -> Result<&'static Scenes, String> {
        static SCENES: OnceLock<Result<Scenes, String>> = OnceLock::new();
        SCENES.get_or_init(Scenes::write).as_ref().map_err(Clone::clone)
    }

    fn write() -> Result<Scenes, String> {
        let aws = Server::aws()?;
        let folder = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chain/unpack.py");
        let ended = Command::new(aws.details["python"].as_str().unwrap())
            .args([script.as_os_str(), folder.path().as_os_str()])
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        let all = serde_json::from_slice(&std::fs::read(folder.path().join("scenes.json")).unwrap()).unwrap();
        Ok(Scenes { folder, all })
    }

    pub fn keys(&self) -> PathBuf {
        self.folder.path().join("keys.json")
    }

    pub fn scene(&self, name: &str) -> Scene {
        self.all.iter().find(|scene| scene.name == name).unwrap_or_else(|| panic!("no scenario `{name}`")).clone()
    }

    pub fn all(&self) -> &[Scene] {
        &self.all
    }
}

impl Scene {
    pub fn logs(&self) -> Vec<Object> {
        self.objects.iter().filter(|object| !object.is_digest()).cloned().collect()
    }

    pub fn digests(&self) -> Vec<Object> {
        self.objects.iter().filter(|object| object.is_digest()).cloned().collect()
    }

    fn buckets(&self) -> BTreeSet<&str> {
        let of_objects = self.objects.iter().map(|object| object.bucket.as_str());
        of_objects.chain([self.bucket.as_str()]).collect()
    }

    /// Account, region and hour of every log file that is there, without repeats.
    pub fn hours(&self) -> BTreeSet<(String, String, String)> {
        self.logs().iter().filter(|log| log.key.contains("_CloudTrail_")).map(|log| hour_of(&log.key)).collect()
    }

    /// What `trailship validate` finds in the same bucket: kinds, sorted, without repeats, and its report.
    pub fn validate(&self, url: &str, keys: &Path, folder: &Path) -> (BTreeSet<String>, Value) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trailship"));
        command
            .args(["validate", "--trail-arn", &self.arn, "--s3-bucket", &self.bucket, "--format", "json"])
            .args(["--start-time", &self.start, "--end-time", &self.end])
            .arg("--public-keys")
            .arg(keys)
            .args(["--path.data".as_ref(), folder.join("validate").as_os_str()])
            .args(&self.extra)
            .env_remove("AWS_PROFILE")
            .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "us-east-1")])
            .env("AWS_ENDPOINT_URL", url)
            .stdin(Stdio::null());
        let ended = command.output().unwrap();
        let report: Value = serde_json::from_slice(&ended.stdout)
            .unwrap_or_else(|_| panic!("no report: {}", String::from_utf8_lossy(&ended.stderr)));
        let chains = report["chains"].as_array().into_iter().flatten().map(|chain| &chain["findings"]);
        let all = chains.chain([&report["findings"]]).filter_map(Value::as_array).flatten();
        (all.map(|finding| finding["kind"].as_str().unwrap().to_owned()).collect(), report)
    }
}

/// A trail whose objects are announced to a trailship with `integrity.enabled`.
pub struct Watched {
    pub trail: Trail,
    pub program: Program,
    out: PathBuf,
}

impl Watched {
    /// Buckets for the scene that announce their objects, and a configuration with `late_after` of two seconds; `input` and
    /// `integrity` are further lines.
    pub async fn new(aws: &Arc<Server>, scenes: &Scenes, scene: &Scene, input: &str, integrity: &str) -> Watched {
        let watched = Watched::quiet(aws, scenes, scene, input, integrity).await;
        for bucket in scene.buckets() {
            watched.trail.announce(bucket).await;
        }
        watched
    }

    /// The same with buckets that announce nothing.
    pub async fn quiet(aws: &Arc<Server>, scenes: &Scenes, scene: &Scene, input: &str, integrity: &str) -> Watched {
        let trail = Trail::new(aws, false).await;
        for bucket in scene.buckets() {
            trail.create(bucket).await;
        }
        let mut section = format!(
            "http: {{enabled: true, host: 127.0.0.1, port: 0}}\nintegrity:\n  enabled: true\n{}",
            integrity.lines().map(|line| format!("  {line}\n")).collect::<String>(),
        );
        if !integrity.contains("cloudtrail_endpoint") {
            section += &format!("  public_keys: {}\n", scenes.keys().display());
        }
        if !integrity.contains("late_after") {
            section += "  late_after: 2s\n";
        }
        let program = Program::new(&trail.input(input), "output.file:\n  path: ${OUT}", &section);
        let out = program.to_files();
        std::fs::create_dir_all(&out).unwrap();
        Watched { trail, program, out }
    }

    pub async fn put(&self, object: &Object) {
        self.trail.put_into(&object.bucket, &object.key, object.bytes(), &object.metadata).await;
    }

    pub async fn put_all(&self, objects: &[Object]) {
        for object in objects {
            self.put(object).await;
        }
    }

    /// Announces an object by hand, whether or not it is there.
    pub async fn announce(&self, object: &Object) {
        let body = serde_json::json!({"Records": [{
            "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventName": "ObjectCreated:Put",
            "eventTime": "2025-03-01T00:00:00.000Z",
            "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": object.bucket}, "object": {"key": object.key, "size": 1}},
        }]});
        self.trail.send(&body.to_string()).await;
    }

    pub fn run(&self) -> Running {
        self.program.spawn(&["run"])
    }

    /// Every whole line of the output; the last one may be half written.
    fn all(&self) -> Vec<Value> {
        let mut documents = Vec::new();
        for entry in std::fs::read_dir(&self.out).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            documents.extend(whole.map(|line| serde_json::from_str::<Value>(line).unwrap()));
        }
        documents
    }

    /// Documents of records.
    pub fn records(&self) -> Vec<Value> {
        self.all().into_iter().filter(|document| document["data_stream"]["dataset"] == "aws.cloudtrail").collect()
    }

    fn integrity(&self, kind: &str) -> Vec<Value> {
        let ours = |document: &Value| {
            document["data_stream"]["dataset"] == "aws.cloudtrail_integrity" && document["event"]["kind"] == kind
        };
        self.all().into_iter().filter(ours).collect()
    }

    /// Documents of findings.
    pub fn findings(&self) -> Vec<Value> {
        self.integrity("alert")
    }

    /// Documents of closed hours.
    pub fn hours(&self) -> Vec<Value> {
        self.integrity("metric")
    }

    /// Actions of the findings, sorted, without repeats.
    pub fn actions(&self) -> BTreeSet<String> {
        actions(&self.findings())
    }

    /// Waits for the ledger documents of so many hours: what can be found was found then.
    pub fn until_closed(&self, hours: usize) {
        until(&format!("{hours} hours are closed"), || (self.hours().len() >= hours).then_some(()));
    }

    pub fn until_action(&self, action: &str) {
        until(&format!("`{action}` is found"), || self.actions().contains(action).then_some(()));
    }
}

pub fn actions(findings: &[Value]) -> BTreeSet<String> {
    findings.iter().map(|finding| finding["event"]["action"].as_str().unwrap().to_owned()).collect()
}

/// Account, region and hour (`2025-03-01T03`) of a log file's key.
pub fn hour_of(key: &str) -> (String, String, String) {
    let name = key.rsplit('/').next().unwrap();
    let parts: Vec<&str> = name.split('_').collect();
    let stamp = parts[3];
    let hour = format!("{}-{}-{}T{}", &stamp[..4], &stamp[4..6], &stamp[6..8], &stamp[9..11]);
    (parts[0].to_owned(), parts[2].to_owned(), hour)
}

pub fn set(items: &[&str]) -> BTreeSet<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}
