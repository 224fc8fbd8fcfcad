#!/usr/bin/env python3
"""Chaos: ships through proxies that spoil calls, kills and outages, then compares the bucket with the index.

    run.py [--seconds N] [--seed N] [--engine ENGINE] [--aws fast|aws] [--rate OBJECTS_PER_SECOND] [--json FILE]
    run.py --prove      has a bulk swallowed and one stored twice, and fails unless both are noticed

Environment: TRAILSHIP (the binary; built without it). Exit status: 0 nothing lost, nothing doubled, nothing parked but
what had to be, counters balanced; 1 otherwise; 2 wrong usage; 3 something is missing here; 130 interrupted.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True  # leaves no folders in the tree
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "servers"))

import state
import wire

import report
from ends import Server
from faults import AWS, KILLED_WITHOUT_CREDENTIALS, REIGNS, SEARCH, Injector, Plan
from load import SHAPES, Load
from proxy import Proxy
from reconcile import reconcile
from shipper import Shipper
from trail import Trail

ENGINES = ("opensearch", "elasticsearch", "opensearch3", "elasticsearch9")
STREAM = "logs-aws.cloudtrail-default"
# From the end of the faults until the queue is empty: pauses and visibility run out, then everything is read again.
DRAIN_SECONDS = 240
READY_SECONDS = 30
# Credentials that are refused for this long must make it not ready: a long poll (2 s) and a little.
EXPIRED, UNREADY_SECONDS = "aws: credentials expired", 5


def main():
    options = arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # stops what was started
    try:
        program = build()
        with state.data_folder("chaos") as (folder, _lock):
            return asyncio.run(chaos(program, folder, options))
    except state.Skipped as reason:
        state.say(f"skipped: {reason}")
        return 3
    except (state.Failed, wire.Broken, OSError) as error:
        state.say(f"chaos: {error}")
        return 1
    except KeyboardInterrupt:
        return 130


async def chaos(program, folder, options):
    plan = Plan(options.seed, options.seconds, options.prove)
    state.say(f"chaos: {program}")
    print(plan.text(), flush=True)
    run = Run(program, folder, plan, options)
    try:
        await run.prepare()
        await run.spoil()
        result = await run.settle()
    finally:
        await run.end()
    print(report.text(result), flush=True)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    if options.prove:
        noticed = result["found"]["missing"] > 0 and result["found"]["doubled"] > 0
        print(f"chaos: loss and double were {'noticed, as they should' if noticed else 'NOT NOTICED'}")
        return 0 if noticed else 1
    if options.keep or result["differences"]:
        kept = state.STATE / f"chaos-{options.engine}-{options.seed}"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(folder, kept, ignore=shutil.ignore_patterns("node"))
        print(f"chaos: trailship's log and data: {kept}")
    if not result["differences"]:
        print(f"chaos: nothing lost, nothing doubled (seed {options.seed}, {options.engine})")
        return 0
    print(f"chaos: FAILED; again: make chaos SECONDS={options.seconds:g} SEED={options.seed} ENGINE={options.engine} "
          f"AWS={options.aws} RATE={options.rate:g}")
    return 1


class Run:
    """One run, from the servers' start to their end."""

    def __init__(self, program, folder, plan, options):
        self.program, self.folder, self.plan, self.options = program, folder, plan, options
        self.servers = {
            AWS: Server(options.aws, log=folder / "aws.log"),
            SEARCH: Server("search", options.engine, log=folder / "search.log", keep=folder / "node"),
        }
        self.injectors = {side: Injector(plan, side) for side in (AWS, SEARCH)}
        self.proxies, self.shipper, self.watcher = {}, None, None
        self.frozen = False
        self.happened = []
        self.unready = []

    async def prepare(self):
        state.say(f"chaos: starting S3 and SQS ({self.options.aws}) and {self.options.engine}; the first time this downloads them")
        await asyncio.gather(*(server.start() for server in self.servers.values()))
        for side, server in self.servers.items():
            self.proxies[side] = Proxy(self.injectors[side], server.place)
            await self.proxies[side].start()
        places = {side: "http://{}:{}".format(*proxy.place) for side, proxy in self.proxies.items()}
        trail = Trail(self.servers[AWS].place, "chaos")
        await trail.create()
        shapes = {"plain": 1} if self.options.prove else SHAPES
        self.load = Load(trail, self.plan.seed, self.options.rate, shapes)
        self.shipper = Shipper(self.program, self.folder, {**places, "queue": trail.queue_path, "namespace": "default"})
        await self.shipper.setup()
        await self.shipper.start()
        self.watcher = asyncio.ensure_future(self.shipper.watch(lambda: self.frozen))

    async def spoil(self):
        """The faulty time: load, faults and events."""
        self.began = time.monotonic()
        for injector in self.injectors.values():
            injector.on = True
        stop = asyncio.Event()
        load = asyncio.ensure_future(self.load.run(stop))
        try:
            for event in self.plan.events:
                await self.wait_until(event.at)
                if self.now() > self.options.seconds:
                    break
                await self.happen(event)
            await self.wait_until(self.options.seconds)
        finally:
            stop.set()
            for injector in self.injectors.values():
                injector.on = False
            await load

    async def happen(self, event):
        began = self.now()
        if event.name in REIGNS:
            await self.reign(event)
        elif event.name == KILLED_WITHOUT_CREDENTIALS:
            await self.start_without_credentials(event)
        elif event.name == "kill -9":
            await self.shipper.kill()
            await asyncio.sleep(event.seconds)
            await self.shipper.start()
        elif event.name == "stopped and started":
            await self.shipper.stop()
            await asyncio.sleep(event.seconds)
            await self.shipper.start()
        elif event.name == "frozen":
            self.frozen = True
            await self.shipper.freeze(event.seconds)
            self.frozen = False
        else:
            server = self.servers[SEARCH]
            await (server.kill() if "killed" in event.name else server.stop())
            await asyncio.sleep(event.seconds)
            await server.start()
        self.happened.append((event.name, self.now() - began))
        state.say(f"chaos: {began:.1f} s: {event.name}, {self.now() - began:.1f} s")

    async def reign(self, event):
        """One fault for every call to one side, and whether trailship says that it is not ready."""
        side, kind = REIGNS[event.name]
        self.injectors[side].reign = kind
        began, unready = self.now(), None
        while self.now() < began + event.seconds:
            await asyncio.sleep(0.25)
            if unready is None and await self.shipper.is_ready() is False:
                unready = self.now() - began
        self.injectors[side].reign = None
        self.unready.append((event.name, event.seconds, unready))
        if unready is None and event.name == EXPIRED and event.seconds >= UNREADY_SECONDS:
            self.shipper.fault(f"its credentials were refused for {event.seconds:.1f} s, and it stayed ready")

    async def start_without_credentials(self, event):
        """Killed, and started while its credentials are refused: it has to wait for them, and to say so."""
        self.injectors[AWS].reign = REIGNS[EXPIRED][1]
        await self.shipper.kill()
        await self.shipper.start()
        began, unready = self.now(), None
        while self.now() < began + event.seconds:
            await asyncio.sleep(0.25)
            if unready is None and await self.shipper.is_ready() is False:
                unready = self.now() - began
        self.injectors[AWS].reign = None
        self.unready.append((event.name, event.seconds, unready))
        if unready is None and event.seconds >= UNREADY_SECONDS:
            self.shipper.fault(f"it started without credentials, and was not unready for {event.seconds:.1f} s")

    async def settle(self):
        """The faults are over: trailship has to empty the queue by itself; then bucket and index are compared."""
        shipper, trail = self.shipper, self.load.trail
        ended = time.monotonic()
        at_end = await trail.depth()
        hung = not await self.within(DRAIN_SECONDS, self.is_empty)
        drained_in = time.monotonic() - ended
        if hung:
            shipper.fault(f"the queue was not empty {DRAIN_SECONDS} s after the last fault: {await trail.depth()} messages "
                          f"wait and are held; figures: {json.dumps(await shipper.figures())}")
        if not await self.within(READY_SECONDS, shipper.is_ready):
            shipper.fault(f"it is not ready, {READY_SECONDS} s after all was done: {json.dumps(await shipper.get('/readyz'))}")
        self.watcher.cancel()
        summary = await shipper.stop()
        differences, found = await reconcile(self.servers[SEARCH].place, STREAM, shipper.data, self.load.expected)
        faults = [f"trailship: {text}" for text in [*shipper.faults, *shipper.panics()]]
        faults += [f"the proxy itself: {text}" for proxy in self.proxies.values() for text in proxy.faults]
        return {
            "differences": faults + differences, "found": found, "put": self.load.expected.totals(), "summary": summary,
            "queue_at_end": at_end, "drained_in": drained_in, "lives": shipper.lives, "memory": shipper.memory,
            "peaks": shipper.peaks, "ends": shipper.ends, "unbalanced": shipper.unbalanced, "readings": shipper.readings,
            "happened": self.happened, "unready": self.unready,
            "calls": {side: dict(proxy.calls) for side, proxy in self.proxies.items()},
            "injected": {side: dict(injector.injected) for side, injector in self.injectors.items()},
            "unreachable": {side: proxy.unreachable for side, proxy in self.proxies.items()},
            "stalls": {side: dict(proxy.longest_stall) for side, proxy in self.proxies.items()},
        }

    async def is_empty(self):
        return await self.load.trail.depth() == (0, 0)

    async def within(self, seconds, probe):
        """Whether the probe says yes in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if await probe():
                return True
            await asyncio.sleep(0.5)
        return False

    async def end(self):
        """Stops whatever runs."""
        if self.watcher:
            self.watcher.cancel()
        if self.shipper and self.shipper.process:
            await self.shipper.kill()
        for proxy in self.proxies.values():
            proxy.stop()
        await asyncio.gather(*(server.stop() for server in self.servers.values()))

    async def wait_until(self, at):
        await asyncio.sleep(max(0, at - self.now()))

    def now(self):
        return time.monotonic() - self.began


def build():
    """The binary: the one that TRAILSHIP names, or built as it is released."""
    if os.environ.get("TRAILSHIP"):
        return Path(os.environ["TRAILSHIP"]).resolve()
    cargo = state.tool("cargo", "Rust is needed to build trailship")
    state.say("building trailship")
    command = [cargo, "build", "--release", "--locked", "--bin", "trailship", "--message-format=json-render-diagnostics"]
    done = subprocess.run(command, cwd=state.ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    if done.returncode != 0:
        raise state.Failed("trailship cannot be built")
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    return Path(next(message["executable"] for message in messages if message.get("executable")))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120, help="how long calls are spoilt (default: 120)")
    parser.add_argument("--seed", type=int, help="what all that is drawn follows from (default: a new one)")
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0], help="the search server (default: opensearch)")
    parser.add_argument("--aws", choices=("fast", "aws"), default="fast", help="S3 and SQS: from memory, or moto (default: fast)")
    parser.add_argument("--rate", type=float, default=3, help="objects put in a second (default: 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the result as JSON too")
    parser.add_argument("--keep", action="store_true", help="log and data are kept in .state/ also when all went well")
    parser.add_argument("--prove", action="store_true", help="loss and double are made, and have to be noticed")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1_000_000)
    return options


if __name__ == "__main__":
    sys.exit(main())
