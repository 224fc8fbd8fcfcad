//! `trailship validate`: beside the real AWS CLI, against an S3 that fails, on copies of a bucket.
//!
//! Chains are written and signed by `tests/chain/`, with keys made in the test.

use super::support::servers::Server;
use crate::have;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const START: &str = "2025-03-01T00:00:31Z";
const END: &str = "2025-03-01T08:00:31Z";
const ARN: &str = "arn:aws:cloudtrail:us-east-1:111122223333:trail/main";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a script of `tests/chain/` with the interpreter that the local AWS runs on.
fn script(server: &Server, name: &str, arguments: &[&str]) -> Output {
    Command::new(server.details["python"].as_str().unwrap())
        .arg(root().join("tests/chain").join(name))
        .args(arguments)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_DEFAULT_REGION", "us-east-1")])
        .envs(["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"].map(|name| (name, "")))
        .output()
        .unwrap()
}

/// Chains of a test, in a folder as `aws s3 sync` leaves it, or in an S3.
struct Chains {
    folder: TempDir,
    url: Option<String>,
}

impl Chains {
    fn put(server: &Server, url: Option<&str>, options: &[&str]) -> Chains {
        let folder = tempfile::tempdir().unwrap();
        let (keys, tree) = (folder.path().join("keys.json"), folder.path().join("tree"));
        let to = url.unwrap_or(tree.to_str().unwrap());
        let ended = script(server, "put.py", &[&[keys.to_str().unwrap(), to], options].concat());
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        Chains { folder, url: url.map(str::to_owned) }
    }

    fn tree(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    /// Files of the tree whose path holds `part`, in order, without saved metadata.
    fn files(&self, part: &str) -> Vec<PathBuf> {
        let (mut open, mut files) = (vec![self.tree()], Vec::new());
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else if path.to_str().unwrap().contains(part) && path.extension().is_some_and(|e| e == "gz") {
                    files.push(path);
                }
            }
        }
        files.sort();
        files
    }

    /// Verifies with the key ring; gives the exit code and the report.
    fn validate(&self, arguments: &[&str]) -> (i32, Value) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trailship"));
        command
            .args(["validate", "--s3-bucket", "trails", "--end-time", END, "--format", "json", "--public-keys"])
            .arg(self.folder.path().join("keys.json"))
            .args(["--path.data".as_ref(), self.folder.path().join("data").as_os_str()])
            .args(arguments)
            .env_remove("AWS_PROFILE")
            .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "us-east-1")])
            .stdin(Stdio::null());
        match &self.url {
            Some(url) => command.env("AWS_ENDPOINT_URL", url),
            None => command.arg("--path-map").arg(format!("s3://trails={}", self.tree().display())),
        };
        let ended = command.output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        let report = serde_json::from_slice(&ended.stdout).unwrap_or(Value::String(said));
        (ended.status.code().unwrap(), report)
    }
}

#[expect(clippy::disallowed_methods, reason = "files of a test, which nobody else reads")]
fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    std::fs::rename(from, to).unwrap();
}

/// Kinds of all findings, sorted, without repeats.
fn kinds(report: &Value) -> Vec<String> {
    let chains = report["chains"].as_array().into_iter().flatten().map(|chain| &chain["findings"]);
    let all = chains.chain([&report["findings"]]).filter_map(Value::as_array).flatten();
    let mut kinds: Vec<String> = all.map(|finding| finding["kind"].as_str().unwrap().to_owned()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

#[test]
fn the_same_lines_as_the_aws_cli_and_more_findings() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys.json");
    std::fs::write(&keys, "[]").unwrap();
    let keys = keys.to_str().unwrap();
    let server = have!(Server::start(&["aws", "--keys", keys]));
    let table = root().join("docs/validate.md");
    let program = env!("CARGO_BIN_EXE_trailship");
    let ended = script(&server, "side_by_side.py", &[program, &server.url, keys, "--table", table.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
    let result: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert!(result["scenarios"].as_u64().unwrap() >= 60 && result["faults"] == 0, "{result}");
}

#[test]
fn the_same_over_chains_that_are_composed_at_random() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys.json");
    std::fs::write(&keys, "[]").unwrap();
    let keys = keys.to_str().unwrap();
    let server = have!(Server::start(&["aws", "--keys", keys]));
    let program = env!("CARGO_BIN_EXE_trailship");
    let ended = script(&server, "at_random.py", &[program, &server.url, keys, "--seeds", "1-25"]);
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let result: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(result, json!({"seeds": 25, "faults": 0}));
}

#[tokio::test]
async fn what_fails_is_tried_again_and_never_called_tampering() {
    let server = have!(Server::aws());
    let fast = have!(Server::fast());
    let chains = Chains::put(&server, Some(&fast.url), &[]);
    let arguments = ["--trail-arn", ARN, "--start-time", START];
    for (what, rules, code, expected) in [
        ("nothing", json!([]), 0, vec![]),
        ("slow down", json!([{"op": "GetObject", "status": 503, "code": "SlowDown", "times": 3}]), 0, vec![]),
        ("listing", json!([{"op": "ListObjects", "status": 500, "code": "InternalError", "times": 2}]), 0, vec![]),
        ("bodies that end early", json!([{"op": "GetObject", "cut_after": 40, "times": 4}]), 0, vec![]),
        ("bodies that are reset", json!([{"op": "GetObject", "cut_after": 40, "reset": true, "times": 4}]), 0, vec![]),
        (
            "a log file is denied",
            json!([{"op": "GetObject", "contains": "_CloudTrail_us-east-1_20250301T0320Z", "status": 403, "code": "AccessDenied"}]),
            5,
            vec!["unreadable"],
        ),
        (
            "a digest is archived",
            json!([{"op": "GetObject", "contains": "20250301T040031Z", "status": 403, "code": "InvalidObjectState"}]),
            5,
            vec!["unreadable"],
        ),
        (
            "a method that is not allowed",
            json!([{"op": "GetObject", "contains": "_CloudTrail_us-east-1_20250301T0320Z", "status": 405, "code": "MethodNotAllowed"}]),
            5,
            vec!["unreadable"],
        ),
        ("no listing", json!([{"op": "ListObjects", "status": 403, "code": "AccessDenied"}]), 5, vec!["unreadable"]),
    ] {
        fast.set_faults(&rules).await;
        let (ended, report) = chains.validate(&arguments);
        assert_eq!(
            (ended, kinds(&report)),
            (code, expected.into_iter().map(str::to_owned).collect()),
            "{what}: {report}"
        );
    }
}

#[test]
fn a_copy_in_a_folder_without_any_network() {
    let server = have!(Server::aws());
    let chains = Chains::put(&server, None, &[]);
    let arguments = ["--trail-arn", ARN, "--start-time", START];
    let (code, report) = chains.validate(&arguments);
    assert_eq!(
        (code, &report["digests"], &report["log_files"]),
        (0, &json!({"found": 8, "valid": 8}), &json!({"found": 16, "valid": 16}))
    );
    // Of the signatures only the newest is needed: each digest states that of the one before.
    let digests = chains.files("CloudTrail-Digest");
    for digest in &digests[..7] {
        std::fs::remove_file(format!("{}.metadata.json", digest.display())).unwrap();
    }
    let (code, report) = chains.validate(&arguments);
    assert_eq!((code, &report["chains"][0]["aws_cli"]["valid_digests"]), (0, &json!(8)), "the lines say the same");
    let newest = format!("{}.metadata.json", digests[7].display());
    rename(&newest, chains.folder.path().join("kept"));
    let (code, report) = chains.validate(&arguments);
    assert_eq!((code, kinds(&report)), (1, vec!["digest_unsigned".to_owned()]));
    rename(chains.folder.path().join("kept"), newest);
    let maps = |folder: &str| format!("s3://other={folder}");
    let (code, said) = chains.validate(&[&arguments[..], &["--path-map", &maps("/no/such/folder")]].concat());
    assert!(code == 2 && said.to_string().contains("is no folder"), "{code} {said}");
    let log = &chains.files("_CloudTrail_")[5];
    std::fs::write(log, b"\x1f\x8b").unwrap();
    let (code, report) = chains.validate(&arguments);
    assert_eq!((code, kinds(&report)), (1, vec!["log_altered".to_owned()]));
}

#[test]
fn a_whole_organization_is_found_by_its_folders() {
    let server = have!(Server::aws());
    let accounts = ["--org", "o-exampleorg1", "--accounts", "111122223333,444455556666,777788889999"];
    let chains = Chains::put(&server, None, &[&accounts[..], &["--regions", "us-east-1,eu-west-1"]].concat());
    let (code, report) = chains.validate(&["--start-time", START]);
    assert_eq!((code, report["chains"].as_array().unwrap().len()), (0, 6), "{report}");
    assert_eq!(report["log_files"], json!({"found": 96, "valid": 96}));
    for (arguments, expected) in [
        (&["--account-id", "444455556666"][..], 2),
        (&["--region", "eu-west-1"], 3),
        (&["--trail-arn", ARN], 1),
        (&["--trail-arn", ARN, "--account-id", "all", "--region", "all"], 6),
        (&["--trail-arn", ARN, "--account-id", "444455556666,777788889999", "--region", "all"], 4),
    ] {
        let (code, report) = chains.validate(&[&["--start-time", START], arguments].concat());
        assert_eq!((code, report["chains"].as_array().unwrap().len()), (0, expected), "{arguments:?}: {report}");
    }
    let silent = chains.tree().join("AWSLogs/o-exampleorg1/777788889999");
    std::fs::remove_dir_all(silent.join("CloudTrail-Digest")).unwrap();
    let (code, report) = chains.validate(&["--start-time", START]);
    assert_eq!(
        (code, kinds(&report), report["chains"].as_array().unwrap().len()),
        (3, vec!["no_digests".to_owned()], 4)
    );
}

#[test]
fn the_next_run_goes_on_where_the_last_one_ended() {
    let server = have!(Server::aws());
    let chains = Chains::put(&server, None, &[]);
    let next = ["--trail-arn", ARN, "--since-last"];
    let (code, report) = chains.validate(&next);
    assert_eq!(code, 2, "without a start there is no first run: {report}");
    let (code, report) = chains.validate(&["--trail-arn", ARN, "--start-time", START, "--since-last"]);
    assert_eq!((code, &report["digests"]["found"]), (0, &json!(8)));
    let (code, report) = chains.validate(&next);
    assert_eq!((code, &report["requested"]), (0, &json!([END, END])));
    // What was not seen before does not go on where something else ended.
    let other = ["--trail-arn", "arn:aws:cloudtrail:us-east-1:111122223333:trail/other", "--since-last"];
    assert_eq!(chains.validate(&other).0, 2, "without a start");
    let (_, report) = chains.validate(&[&other[..], &["--start-time", START]].concat());
    assert_eq!(report["requested"], json!([START, END]));
    // State that is damaged says nothing about the log files.
    let state = chains.folder.path().join("data/validate.json");
    let sound = std::fs::read(&state).unwrap();
    std::fs::write(&state, b"x").unwrap();
    let (code, said) = chains.validate(&next);
    assert!(code == 5 && said.to_string().contains("is damaged"), "{code} {said}");
    std::fs::write(&state, sound).unwrap();
    // Another chain of the same names, soundly signed by another key of the ring.
    let other = Chains::put(&server, None, &["--logs", "1"]);
    std::fs::remove_dir_all(chains.tree()).unwrap();
    rename(other.tree(), chains.tree());
    rename(other.folder.path().join("keys.json"), chains.folder.path().join("keys.json"));
    let (code, report) = chains.validate(&next);
    assert_eq!((code, kinds(&report)), (1, vec!["chain_rewritten".to_owned()]));
}

#[test]
fn a_key_ring_with_a_wrong_fingerprint_is_refused() {
    let server = have!(Server::aws());
    let chains = Chains::put(&server, None, &["--hours", "1"]);
    let path = chains.folder.path().join("keys.json");
    let mut keys: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    keys["PublicKeyList"][0]["Fingerprint"] = json!("00000000000000000000000000000000");
    std::fs::write(&path, keys.to_string()).unwrap();
    let (code, said) = chains.validate(&["--trail-arn", ARN, "--start-time", START]);
    assert!(code == 2 && said.to_string().contains("the fingerprint of its `Value` is"), "{said}");
}
