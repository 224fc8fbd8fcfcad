"""What the servers keep between runs, below `.state/` (or `$TRAILSHIP_STATE`): installations, data folders, locks.

An installation is a folder whose name holds a fingerprint of what it was made from, so a changed version or source
makes a new one and a running server never loses its files. It is complete when it holds `.ready`; a lock keeps two
first starts apart. A data folder is locked by the server itself, so one whose server is gone can be told and removed.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STATE = Path(os.environ.get("TRAILSHIP_STATE") or ROOT / ".state").resolve()


class Skipped(Exception):
    """The server cannot be had here: a tool is missing or a registry is out of reach."""


class Failed(Exception):
    """The server could be had, but something about it is wrong."""


def installation(name, sources, build):
    """The folder of installation `name`, filled by `build(folder)` unless an earlier run did so from the same `sources`."""
    name = f"{name}-{fingerprint(sources)}"
    folder = STATE / name
    if (folder / ".ready").exists():
        return folder
    with lock(name):
        if not (folder / ".ready").exists():
            say(f"installing {name}")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            build(folder)
            (folder / ".ready").touch()
    return folder


@contextlib.contextmanager
def data_folder(name, keep=None):
    """A locked folder for one server: `keep`, or a fresh one that is removed at the end. Yields folder and lock.

    The caller hands the lock's descriptor to the server, which then holds it as long as it lives."""
    if keep:
        folder = Path(keep).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        held = try_lock(folder)
        if held is None:
            raise Failed(f"a server already runs on {folder}")
    else:
        with lock("data"):
            remove_orphans()
            (STATE / "data").mkdir(exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=STATE / "data"))
            held = try_lock(folder)
    try:
        yield folder, held
    finally:
        os.close(held)
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def download(command, log, what):
    """Runs a registry's client; tries three times, because registries fail in passing."""
    log.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(3):
        time.sleep(3 * attempt)
        with open(log, "wb") as out:
            try:
                if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=1200).returncode == 0:
                    return
            except subprocess.TimeoutExpired:
                break
        say(f"{what}: attempt {attempt + 1} failed")
    raise Skipped(f"{what} could not be downloaded: {first_error(log)} (see {log})")


def run(command, **options):
    """Runs a local tool; its output is shown only when it fails."""
    command = [str(part) for part in command]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if done.returncode != 0:
        raise Failed(f"`{Path(command[0]).name}` failed:\n{done.stdout.decode(errors='replace')[-2000:]}")
    return done.stdout.decode(errors="replace")


def tool(name, why):
    """The path of a program, or Skipped."""
    home = os.environ.get("JAVA_HOME")
    path = os.pathsep.join(filter(None, [home and os.path.join(home, "bin"), os.environ.get("PATH")]))
    found = shutil.which(name, path=path)
    if not found:
        raise Skipped(f"`{name}` is not installed: {why}")
    return found


def say(text):
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def lock(name):
    """Holds the named lock; the system releases it should this process die."""
    STATE.mkdir(parents=True, exist_ok=True)
    with open(STATE / f"{name}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def try_lock(folder):
    """A descriptor that holds the folder's lock, or None if another process does."""
    held = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return held
    except BlockingIOError:
        os.close(held)
        return None


def remove_orphans():
    """Removes the data folders whose server and runner are both gone, as after a kill -9."""
    for folder in (STATE / "data").glob("*"):
        try:
            held = try_lock(folder)
        except FileNotFoundError:
            continue  # its runner removes it at this moment
        if held is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(held)


def fingerprint(sources):
    """Eight hexadecimal digits over files and texts."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.read_bytes() if isinstance(source, Path) else str(source).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:8]


def first_error(log):
    lines = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(errors="replace")).splitlines()
    errors = [line for line in lines if "ERROR" in line or "error" in line]
    return (errors or lines or ["no answer"])[0].strip()[:300]
