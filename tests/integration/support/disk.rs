//! The program with one of its folders on a small disk of its own, in a mount namespace; the disk ends with the program.

use super::program::{Program, Running, until};
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder that is a disk of its own for the program, once it runs.
pub struct Disk {
    folder: PathBuf,
}

/// Mounts the first argument as a small disk and becomes the program.
const MOUNT: &str = r#"mount -t tmpfs -o "size=$0,mode=755" tmpfs "$1" && shift && exec "$@""#;
const SPACE: [&str; 4] = ["--user", "--map-root-user", "--mount", "--"];

impl Disk {
    /// A disk in place of `folder`. `Err` is why there can be none here.
    pub fn in_place_of(folder: &Path) -> Result<Disk, String> {
        let tried = Command::new("unshare").args(SPACE).args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"]).output();
        match tried {
            Ok(tried) if tried.status.success() => {}
            Ok(tried) => return Err(format!("no disk can be mounted: {}", String::from_utf8_lossy(&tried.stderr))),
            Err(error) => return Err(format!("`unshare` cannot be run: {error}")),
        }
        std::fs::create_dir_all(folder).unwrap();
        Ok(Disk { folder: folder.to_owned() })
    }

    /// Starts the program on it. `size` as `mount` has it: `512k`, `512k,ro`.
    pub fn spawn(&self, program: &Program, arguments: &[&str], size: &str) -> Running {
        let inner = program.command(arguments);
        program.spawn_as(self.inside(size, &inner, |_| true))
    }

    /// The same with logs in `path.logs` and not on standard error.
    pub fn spawn_quietly(&self, program: &Program, arguments: &[&str], size: &str) -> Running {
        let inner = program.command(arguments);
        program.spawn_as(self.inside(size, &inner, |argument| argument != "-e"))
    }

    fn inside(&self, size: &str, inner: &Command, wanted: impl Fn(&OsStr) -> bool) -> Command {
        let mut outer = Command::new("unshare");
        outer.args(SPACE).args(["sh", "-c", MOUNT, size]).arg(&self.folder).arg(inner.get_program());
        outer.args(inner.get_args().filter(|argument| wanted(argument)));
        outer
    }

    /// The disk's folder as the running program sees it.
    pub fn seen_by(&self, running: &Running) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{}", running.id(), self.folder.display()))
    }

    /// Leaves no room at all.
    pub fn fill(&self, running: &Running) {
        let mut filler = std::fs::File::create(self.seen_by(running).join("filler")).unwrap();
        for size in [64 << 10, 512, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
    }

    /// Gives the room back.
    pub fn free(&self, running: &Running) {
        std::fs::remove_file(self.seen_by(running).join("filler")).unwrap();
    }

    /// Hides the folder `name` on it below an empty one that cannot be written.
    pub fn forbid(&self, running: &Running, name: &str) {
        self.run(running, &["mount", "-t", "tmpfs", "-o", "ro", "tmpfs"], name);
    }

    /// Undoes that.
    pub fn allow(&self, running: &Running, name: &str) {
        self.run(running, &["umount"], name);
    }

    fn run(&self, running: &Running, command: &[&str], name: &str) {
        let pid = running.id().to_string();
        let mut inside = Command::new("nsenter");
        inside.args(["--preserve-credentials", "--user", "--mount", "--target", &pid, "--"]).args(command);
        inside.arg(self.folder.join(name));
        until("it is mounted or unmounted", || inside.status().unwrap().success().then_some(()));
    }
}
