"""The whole way: the release binary between a queue and bucket from memory and a bulk sink that only counts.

CPU is the shipper's own, from "started, one object done, idle again" to "queue empty again", read from its CPU clock;
memory is its high-water mark (VmHWM). A run counts only if every record has arrived as one document of its own.
"""

import contextlib
import json
import os
import subprocess
import time
import urllib.request
from pathlib import Path

import state
from process import Server

HERE = Path(__file__).resolve().parent
WARM_SECONDS = 60
LOAD_SECONDS = 1800
IDLE_SECONDS = 30
STOP_SECONDS = 30
QUEUE = "111122223333/trail"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
CONFIGURATION = """\
trailship.inputs:
  - type: aws-s3
    queue_url: "{aws}/{queue}"
    endpoint: "{aws}"
    region: us-east-1
    path_style: true
{more}output.elasticsearch:
  hosts: ["{sink}"]
path.data: "{data}"
"""
KEEP_ORIGINAL = "mapping.preserve_original_event: true\n"


def build_ends():
    """The program that is both ends, built unless an earlier run did."""
    cargo = state.tool("cargo", "Rust is needed to build the ends")
    source = HERE / "ends"

    def build(folder):
        manifest = ["--manifest-path", source / "Cargo.toml", "--locked"]
        state.download([cargo, "fetch", *manifest], state.STATE / "bench-ends.log", "the ends' crates")
        state.run([cargo, "build", "-q", "--release", "--offline", *manifest, "--target-dir", folder])

    sources = [source / "Cargo.toml", source / "Cargo.lock", *sorted((source / "src").glob("*.rs"))]
    return state.installation("bench-ends", sources, build) / "release" / "bench-ends"


class Ends(contextlib.ExitStack):
    """Both ends, running on free ports; they keep nothing."""

    def __init__(self, program, corpus, pin):
        super().__init__()
        prefix = ["taskset", "-c", "0"] if pin else []
        aws = self.start([*prefix, program, "aws"], [corpus.folder])
        self.sink_command = [*prefix, program, "sink"]
        self.sink_server = self.start(self.sink_command, [])
        self.aws, self.aws_pid = url(aws), aws.process.pid
        self.sink, self.sink_pid = url(self.sink_server), self.sink_server.process.pid

    def start(self, command, rest, port=0):
        data, lock = self.enter_context(state.data_folder("bench"))
        server = Server([*command, port, data, *rest], data, lock)
        self.callback(server.stop, orderly=False)
        return server

    def end_sink(self):
        """From now on nothing listens where the sink was."""
        self.sink_port = self.sink_server.port()
        self.sink_server.stop(orderly=False)

    def start_sink(self):
        """An empty sink in the place of the one that was ended."""
        self.sink_server = self.start(self.sink_command, [], self.sink_port)
        self.sink_server.port()

    def fill(self, prefix):
        return post(f"{self.aws}/_bench/fill?prefix={prefix}/")["announced"]

    def left(self):
        return get(f"{self.aws}/_bench/stats")["queue"]["left"]

    def reset(self):
        post(f"{self.aws}/_bench/reset")
        post(f"{self.sink}/_bench/reset")

    def stats(self):
        return {**get(f"{self.aws}/_bench/stats"), "sink": get(f"{self.sink}/_bench/stats")}

    def cpu(self):
        return cpu_seconds(self.aws_pid) + cpu_seconds(self.sink_pid)


class Shipper:
    """The binary under measurement, from its start to its orderly end."""

    def __init__(self, program, ends, folder, more="", pin=False):
        """`more`: further lines of the configuration."""
        configuration = folder / "trailship.yml"
        places = {"aws": ends.aws, "sink": ends.sink, "queue": QUEUE, "data": folder / "data"}
        configuration.write_text(CONFIGURATION.format(**places, more=more))
        configuration.chmod(0o600)
        self.log = folder / "trailship.log"
        prefix = ["taskset", "-c", "1"] if pin else []
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [*prefix, program, "run", "-c", configuration, "-e"], cwd=folder, env={**os.environ, **CREDENTIALS},
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)

    def cpu(self):
        return cpu_seconds(self.process.pid)

    def memory(self, name):
        """`VmRSS` or `VmHWM`, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith(f"{name}:"))
        return int(line.split()[1]) * 1024

    def check(self):
        if self.process.poll() is not None:
            self.fail(f"it ended with status {self.process.returncode}")

    def fail(self, reason):
        raise state.Failed(f"trailship: {reason}; its last lines:\n{self.last_lines()}")

    def last_lines(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])

    def wait_until(self, done, seconds, what):
        deadline = time.monotonic() + seconds
        while not done():
            self.check()
            if time.monotonic() > deadline:
                self.fail(f"{what} took more than {seconds} s")
            time.sleep(0.05)

    def is_idle(self):
        before = self.cpu()
        time.sleep(0.5)
        return self.cpu() - before < 0.01

    def stop(self):
        """Asks for an orderly end; returns the exit status, or none if it had to be killed."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None


def measure(program, ends, corpus, original, pin, more=""):
    """One run over the load of `corpus`, with `more` lines of configuration. Raises Failed unless every record became one
    document."""
    with state.data_folder("bench") as (folder, _lock):
        shipper = Shipper(program, ends, folder, (KEEP_ORIGINAL if original else "") + more, pin)
        try:
            warm(shipper, ends)
            run = loaded(shipper, ends, corpus)
        finally:
            status = shipper.stop()
        if status != 0:
            shipper.fail(f"its orderly end gave status {status}")
        return run


def warm(shipper, ends):
    """Ships one object, and waits until all is at rest."""
    ends.fill("warm")
    shipper.wait_until(lambda: ends.left() == 0, WARM_SECONDS, "the first object")
    shipper.wait_until(shipper.is_idle, IDLE_SECONDS, "coming to rest")
    ends.reset()


def loaded(shipper, ends, corpus):
    idle_memory = shipper.memory("VmRSS")
    cpu, ends_cpu, started = shipper.cpu(), ends.cpu(), time.monotonic()
    if ends.fill("load") != corpus.objects:
        raise state.Failed(f"the bucket has not the {corpus.objects} objects of {corpus.folder}")
    shipper.wait_until(lambda: ends.left() == 0, LOAD_SECONDS, corpus.name)
    cpu, ends_cpu, seconds = shipper.cpu() - cpu, ends.cpu() - ends_cpu, time.monotonic() - started
    stats = ends.stats()
    sink, queue = stats["sink"], stats["queue"]
    arrived = (sink["documents"], sink["distinct_ids"])
    if arrived != (corpus.records, corpus.records):
        shipper.fail(f"{arrived[0]} documents with {arrived[1]} ids arrived for {corpus.records} records")
    requests = {"objects": stats["objects"]["requests"], **queue["requests"]}
    return {
        "records": corpus.records,
        "documents": sink["documents"],
        "cpu_seconds": cpu,
        "ends_cpu_seconds": ends_cpu,
        "seconds": queue["seconds"] or seconds,
        "idle_memory": idle_memory,
        "peak_memory": shipper.memory("VmHWM"),
        "requests": requests,
        "redelivered": queue["redelivered"],
        "bulk_requests": sink["requests"],
        "wire_bytes": sink["wire_bytes"],
        "plain_bytes": sink["plain_bytes"],
    }


def url(server):
    return f"http://127.0.0.1:{server.port()}"


def cpu_seconds(pid):
    """User and system time of all threads of a process, of those that have ended too, to the nanosecond.

    The number of another process's CPU clock is made of its id (Linux, `clock_getcpuclockid`)."""
    return time.clock_gettime((~pid << 3) | 2)


def get(url, method="GET"):
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=30) as answer:
        return json.load(answer)


def post(url):
    return get(url, "POST")
