//! The real binary, as a user runs it.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than anything takes; a wait that ends here has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder of its own, with a configuration and `path.data`.
pub struct Program {
    pub folder: TempDir,
}

impl Program {
    /// `inputs` and `output` are lines of YAML; `more` are further sections.
    pub fn new(inputs: &str, output: &str, more: &str) -> Program {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("trailship.inputs:\n{inputs}\n{output}\n{more}\n");
        std::fs::write(folder.path().join("trailship.yml"), text).unwrap();
        Program { folder }
    }

    /// The output for a search server's stream.
    pub fn elasticsearch(url: &str, namespace: &str, more: &str) -> String {
        format!(
            "data_stream.namespace: {namespace}\noutput.elasticsearch:\n  hosts: ['{url}']\n  backoff: {{init: 100ms, max: 1s}}\n{}",
            more.lines().map(|line| format!("  {line}\n")).collect::<String>()
        )
    }

    /// Puts the path of a folder `out` in place of `${OUT}` in the configuration.
    pub fn to_files(&self) -> PathBuf {
        self.fill("OUT", "out")
    }

    /// Puts the path of the folder `name` in place of `${key}` in the configuration.
    pub fn fill(&self, key: &str, name: &str) -> PathBuf {
        let (path, folder) = (self.folder.path().join("trailship.yml"), self.folder.path().join(name));
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, text.replace(&format!("${{{key}}}"), folder.to_str().unwrap())).unwrap();
        folder
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trailship"));
        command
            .args(arguments)
            .arg("-e")
            .arg("-v")
            .args(["-c".as_ref(), self.folder.path().join("trailship.yml").as_os_str()])
            .args(["--path.data".as_ref(), self.data().as_os_str()])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::null())
            .env_remove("AWS_PROFILE");
        command
    }

    pub fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Ships what is there; gives the summary. Fails the test when the program fails.
    pub fn once(&self) -> Value {
        let output = self.output(&["run", "--once", "--format", "json"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{:?}\n{said}", output.status);
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no summary:\n{said}"));
        for input in summary["inputs"].as_array().unwrap() {
            assert_eq!(input["unbalanced"], 0, "{summary}");
            assert_eq!(input["in_flight"], 0, "{summary}");
        }
        summary
    }

    /// Installs the templates.
    pub fn setup(&self) {
        let output = self.output(&["setup", "--index-management"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Starts shipping without end.
    pub fn spawn(&self, arguments: &[&str]) -> Running {
        self.spawn_as(self.command(arguments))
    }

    /// The same by a command that becomes the program in the end.
    pub fn spawn_as(&self, mut command: Command) -> Running {
        let log = self.folder.path().join("stderr.log");
        let file = std::fs::File::options().create(true).append(true).open(&log).unwrap();
        let spawned =
            command.stdin(Stdio::null()).env_remove("AWS_PROFILE").stdout(Stdio::piped()).stderr(file).spawn();
        let mut child = spawned.unwrap();
        let printed = BufReader::new(child.stdout.take().unwrap());
        Running { child, printed: Some(printed), log }
    }

    /// Lines of the dead letter.
    pub fn dead_letters(&self) -> Vec<Value> {
        let mut lines = Vec::new();
        let Ok(entries) = std::fs::read_dir(self.data().join("dead-letter")) else { return lines };
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|e| e == "ndjson"))
            .collect();
        paths.sort();
        for path in paths {
            let text = std::fs::read_to_string(path).unwrap();
            lines.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        }
        lines
    }
}

/// A program under way; killed when the test ends early.
pub struct Running {
    child: Child,
    printed: Option<BufReader<ChildStdout>>,
    log: PathBuf,
}

impl Running {
    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The next line that is printed; waits for it.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.printed.as_mut().unwrap().read_line(&mut line).unwrap();
        line
    }

    /// SIGTERM, then the end; gives the exit status and what was printed since the last [`Running::line`].
    pub fn terminate(mut self) -> (ExitStatus, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let mut printed = self.printed.take().unwrap();
        // A program that prints more than a pipe holds waits for its reader.
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            printed.read_to_string(&mut text).unwrap();
            text
        });
        let status = until("the program has ended", || self.child.try_wait().unwrap());
        (status, reader.join().unwrap())
    }

    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything logged so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Bytes of memory that it holds now.
    pub fn resident(&self) -> Option<u64> {
        self.memory("VmRSS:")
    }

    /// The most that it ever held.
    pub fn peak(&self) -> Option<u64> {
        self.memory("VmHWM:")
    }

    fn memory(&self, what: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(what))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib << 10)
    }

    pub fn log(&self) -> &Path {
        &self.log
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "{}", self.said());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every document in the folder of a file output.
pub fn documents(folder: &Path) -> Vec<Value> {
    let mut documents = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        documents.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
    }
    documents
}

/// Waits until `probe` gives something.
pub fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The same for a probe that asks a server.
pub async fn until_async<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
