"""trailship's lives in a run: started, killed, stopped, frozen, and watched all the while."""

import asyncio
import json
import os
import re
import signal
import time
from pathlib import Path

import wire
from load import DROPPED_EVENT
from state import Failed

MIB = 1 << 20
BUDGET_MIB = 64
# The program itself and its allocator, beside the budget (docs/operating.md says about 50 MiB).
MEMORY_LIMIT_MIB = BUDGET_MIB + 96
VISIBILITY_SECONDS = 10
SHUTDOWN_SECONDS = 5
# `sqs.wait_time`, `trailship.shutdown_timeout`, and leisure on a busy machine.
STOP_SECONDS = 40
SAMPLE_SECONDS = 0.5
# Readings of a figure that is summed up from parts may be off for a moment; three in a row may not.
UNBALANCED_READINGS = 3
CONFIGURATION = """\
trailship.inputs:
  - type: aws-s3
    id: chaos
    queue_url: "{aws}/{queue}"
    endpoint: "{aws}"
    region: us-east-1
    path_style: true
    access_key_id: AKIAIOSFODNN7EXAMPLE
    secret_access_key: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
    visibility_timeout: {visibility}s
    sqs.wait_time: 2s
    api_timeout: 4s
trailship.shutdown_timeout: {shutdown}s
data_stream.namespace: {namespace}
output.elasticsearch:
  hosts: {search}
{trust}  timeout: 5s
  bulk_max_size: 300
  backoff: {{init: 100ms, max: 2s}}
processors:
  - drop_event:
      id: dropped
      when.equals.eventName: {dropped_event}
memory.budget: {budget}MiB
http: {{enabled: true, host: 127.0.0.1, port: 0}}
path.data: "{data}"
"""


class Shipper:
    """The binary with its folder; `faults` gathers what it does wrong. `places`: `aws`, `queue`, `search` (a list), `namespace`,
    and `authority`, a certificate, for HTTPS."""

    def __init__(self, program, folder, places):
        self.program, self.folder = program, folder
        self.data = folder / "data"
        self.configuration = folder / "trailship.yml"
        trust = f'  ssl.certificate_authorities: ["{places["authority"]}"]\n' if places.get("authority") else ""
        named = {name: place for name, place in places.items() if name != "authority"}
        named["search"] = json.dumps(named["search"])
        self.configuration.write_text(CONFIGURATION.format(
            **named, trust=trust, data=self.data, dropped_event=DROPPED_EVENT, visibility=VISIBILITY_SECONDS, shutdown=SHUTDOWN_SECONDS,
            budget=BUDGET_MIB))
        self.configuration.chmod(0o600)
        self.log = folder / "trailship.log"
        self.process = None
        self.faults = []
        self.lives = 0
        self.memory = []  # (seconds since the first start, MiB)
        self.peaks = []  # MiB, of each life
        self.ends = []  # seconds from SIGTERM to the end
        self.unbalanced = 0  # readings
        self.readings = 0
        self.ready = None
        self.began = time.monotonic()

    async def setup(self):
        done = await self.spawn("setup", "--index-management")
        output, _ = await done.communicate()
        if done.returncode != 0:
            raise Failed(f"`trailship setup` ended with status {done.returncode}:\n{output.decode()}{self.last_lines()}")

    async def once(self, seconds):
        """`run --once`, which must end in time, with status 0 and balanced counters."""
        process = await self.spawn("run", "--once", "--format", "json")
        return await self.ended(process, seconds)

    async def start(self):
        self.lives += 1
        self.peaks.append(0)
        self.place = None
        self.from_byte = self.log.stat().st_size if self.log.exists() else 0
        self.process = await self.spawn("run", "--format", "json")

    async def spawn(self, *arguments):
        with open(self.log, "ab") as log:
            return await asyncio.create_subprocess_exec(
                str(self.program), *arguments, "-c", str(self.configuration), "-e", "-v", cwd=self.folder,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=log,
                env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")})

    async def kill(self):
        """`kill -9`."""
        process, self.process = self.process, None
        if not self.has_ended(process):
            process.kill()
            await process.wait()

    async def stop(self):
        """SIGTERM; the summary that it prints. It must end in time, with status 0 and balanced counters."""
        process, self.process = self.process, None
        if self.has_ended(process):
            return None
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        summary = await self.ended(process, STOP_SECONDS)
        self.ends.append(time.monotonic() - began)
        return summary

    async def ended(self, process, seconds):
        """The summary of a process that ends."""
        try:
            output, _ = await asyncio.wait_for(process.communicate(), seconds)
        except asyncio.TimeoutError:
            self.fault(f"it did not end within {seconds} s")
            process.kill()
            await process.wait()
            return None
        if process.returncode != 0:
            self.fault(f"its end gave status {process.returncode}: {self.last_lines(1)}")
        try:
            summary = json.loads(output)
        except ValueError:
            self.fault(f"its end printed no summary but {output[:200]!r}")
            return None
        for it in summary["inputs"]:
            if it["unbalanced"] or it["in_flight"]:
                self.fault(f"its counters are not balanced at its end: {json.dumps(it)}")
        return summary

    async def freeze(self, seconds):
        """Stands still, as on a machine that is suspended."""
        process = self.process
        if not self.has_ended(process):
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(seconds)
            process.send_signal(signal.SIGCONT)

    def has_ended(self, process):
        """Whether it ended by itself, which it never should."""
        if process.returncode is not None:
            self.fault(f"it ended by itself with status {process.returncode}: {self.last_lines(1)}")
        return process.returncode is not None

    async def watch(self, frozen):
        """Reads memory and figures until it is cancelled. One that ends by itself is a fault, and is started again."""
        wrong = 0
        while True:
            await asyncio.sleep(SAMPLE_SECONDS)
            process = self.process
            if process is None:
                wrong = 0
                continue
            if self.has_ended(process):
                await self.start()
                continue
            self.sample()
            if frozen():
                continue
            figures = await self.figures()
            if figures is None:
                continue
            self.readings += 1
            off = any(it["unbalanced"] for it in figures["inputs"])
            self.unbalanced += off
            wrong = wrong + 1 if off else 0
            if wrong == UNBALANCED_READINGS:
                self.fault(f"its counters stay unbalanced: {json.dumps(figures['inputs'])}")

    def sample(self):
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return
        resident = re.search(r"VmRSS:\s+(\d+) kB", status)
        if resident:
            mib = int(resident[1]) * 1024 / MIB
            self.memory.append((time.monotonic() - self.began, mib))
            self.peaks[-1] = max(self.peaks[-1], mib)
            if mib > MEMORY_LIMIT_MIB and self.peaks[-1] == mib:
                self.fault(f"its memory is {mib:.0f} MiB, the limit is {MEMORY_LIMIT_MIB} MiB", once="memory")

    async def figures(self):
        """What `/stats` tells; none while it does not listen."""
        return await self.get("/stats")

    async def is_ready(self):
        """What `/readyz` tells: none while it does not listen."""
        told = await self.get("/readyz")
        return told and told["ready"]

    async def get(self, path):
        self.place = self.place or self.find_place()
        if not self.place:
            return None
        try:
            _, told = await asyncio.wait_for(wire.ask_json(self.place, "GET", path), 5)
            return told
        except (OSError, wire.Broken, asyncio.TimeoutError, ValueError):
            return None

    def find_place(self):
        found = re.search(rb"served at http://([\d.]+):(\d+)/", self.log_since(self.from_byte))
        return (found[1].decode(), int(found[2])) if found else None

    def log_since(self, byte):
        with open(self.log, "rb") as log:
            log.seek(byte)
            return log.read()

    def panics(self):
        return [line for line in self.log.read_text(errors="replace").splitlines() if "panicked at" in line]

    def last_lines(self, count=20):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])

    def fault(self, text, once=None):
        if once is None or not any(it.startswith(f"its {once}") for it in self.faults):
            self.faults.append(text)
