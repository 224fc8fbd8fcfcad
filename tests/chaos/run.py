#!/usr/bin/env python3
"""Chaos: ships through proxies that spoil calls, kills and outages, then compares the bucket with the index.

    run.py [--seconds N] [--seed N] [--engine ENGINE] [--aws fast|aws] [--rate OBJECTS_PER_SECOND] [--json FILE]
           [--processes N] [--hosts N] [--[no-]tls] [--[no-]rollovers]
    run.py --prove      has a bulk swallowed and one stored twice, and fails unless both are noticed

Environment: TRAILSHIP (the binary; built without it). Exit status: 0 nothing lost, nothing doubled, nothing parked but
what had to be, counters balanced; 1 otherwise; 2 wrong usage; 3 something is missing here; 130 interrupted.
"""

import argparse
import asyncio
import json
import random
import shutil
import ssl
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

sys.dont_write_bytecode = True  # leaves no folders in the tree
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "servers"))

import state
import wire
from search import certificate

import report
import start
from ends import Server, url
from faults import AWS, KILLED_WITHOUT_CREDENTIALS, REIGNS, SEARCH, Injector, Plan, Setting
from load import REPEATS, SHAPES, Load
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
    return start.main(lambda program, folder: chaos(program, folder, options))


async def chaos(program, folder, options):
    plan = Plan(options.seed, options.seconds, options.prove, given(options))
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
        self.proxies, self.shippers, self.watchers = {}, [], []
        self.frozen = None
        self.happened = []
        self.unready = []
        self.rolled_over = 0

    async def prepare(self):
        state.say(f"chaos: starting S3 and SQS ({self.options.aws}) and {self.options.engine}; the first time this downloads them")
        await asyncio.gather(*(server.start() for server in self.servers.values()))
        setting, tls = self.plan.setting, self.tls()
        self.proxies[AWS] = [Proxy(self.injectors[AWS], self.servers[AWS].place)]
        self.proxies[SEARCH] = [Proxy(self.injectors[SEARCH], self.servers[SEARCH].place) for _ in range(setting.hosts)]
        await self.proxies[AWS][0].start()
        for proxy in self.proxies[SEARCH]:
            await proxy.start(tls)
        trail = Trail(self.servers[AWS].place, "chaos")
        await trail.create()
        self.load = Load(trail, self.plan.seed, self.options.rate, self.shapes())
        scheme = "https" if tls else "http"
        places = {
            AWS: url(self.proxies[AWS][0].place), SEARCH: [url(proxy.place, scheme) for proxy in self.proxies[SEARCH]],
            "queue": trail.queue_path, "namespace": "default", "authority": self.folder / "ca.pem" if tls else None,
        }
        for number in range(setting.processes):
            own = self.folder / f"process{number}"
            own.mkdir()
            self.shippers.append(Shipper(self.program, own, places))
        await self.shippers[0].setup()
        for shipper in self.shippers:
            await shipper.start()
            self.watchers.append(asyncio.ensure_future(shipper.watch(lambda shipper=shipper: self.frozen is shipper)))

    def shapes(self):
        if self.options.prove:
            return {"plain": 1}
        wanted = self.plan.setting.rollovers
        return {shape: weight for shape, weight in SHAPES.items() if not (wanted and shape in REPEATS)}

    def tls(self):
        """The proxies' side of HTTPS, with a certificate of the test servers."""
        if not self.plan.setting.tls:
            return None
        made = certificate.install()
        shutil.copy(made / "ca.pem", self.folder)
        key = self.folder / "http.pem"
        password = f"pass:{certificate.PASSWORD}"
        state.run([state.tool("openssl", "openssl is needed for HTTPS"), "pkcs12", "-in", made / "http.p12", "-nodes", "-passin", password, "-out", key])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(key)
        return context

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
        shipper = self.plan.one_of(self.shippers, event)
        if event.name in REIGNS:
            await self.reign(event)
        elif event.name == KILLED_WITHOUT_CREDENTIALS:
            await self.start_without_credentials(event, shipper)
        elif event.name == "kill -9":
            await shipper.kill()
            await asyncio.sleep(event.seconds)
            await shipper.start()
        elif event.name == "stopped and started":
            await shipper.stop()
            await asyncio.sleep(event.seconds)
            await shipper.start()
        elif event.name == "frozen":
            self.frozen = shipper
            await shipper.freeze(event.seconds)
            self.frozen = None
        elif event.name == "search: one host away":
            proxy = self.plan.one_of(self.proxies[SEARCH], event)
            proxy.away = True
            await asyncio.sleep(event.seconds)
            proxy.away = False
        elif event.name == "search: rollover":
            await self.roll_over()
        else:
            server = self.servers[SEARCH]
            await (server.kill() if "killed" in event.name else server.stop())
            await asyncio.sleep(event.seconds)
            await server.start()
        self.happened.append((event.name, self.now() - began))
        state.say(f"chaos: {began:.1f} s: {event.name}, {self.now() - began:.1f} s")

    async def roll_over(self):
        """Past the proxy; not while there is no stream yet, or its shards are not there after a start."""
        status, answer = await wire.ask_json(self.servers[SEARCH].place, "POST", f"/{STREAM}/_rollover")
        if status == 200:
            self.rolled_over += 1
        elif status != 503 and "does not exist" not in json.dumps(answer) and "no such index" not in json.dumps(answer):
            raise state.Failed(f"the rollover was answered with {status}: {json.dumps(answer)[:300]}")

    async def reign(self, event):
        """One fault for every call to one side, and whether trailship says that it is not ready."""
        side, kind = REIGNS[event.name]
        shipper = self.shippers[0]
        self.injectors[side].reign = kind
        began, unready = self.now(), None
        while self.now() < began + event.seconds:
            await asyncio.sleep(0.25)
            if unready is None and await shipper.is_ready() is False:
                unready = self.now() - began
        self.injectors[side].reign = None
        self.unready.append((event.name, event.seconds, unready))
        if unready is None and event.name == EXPIRED and event.seconds >= UNREADY_SECONDS:
            shipper.fault(f"its credentials were refused for {event.seconds:.1f} s, and it stayed ready")

    async def start_without_credentials(self, event, shipper):
        """Killed, and started while its credentials are refused: it has to wait for them, and to say so."""
        self.injectors[AWS].reign = REIGNS[EXPIRED][1]
        await shipper.kill()
        await shipper.start()
        began, unready = self.now(), None
        while self.now() < began + event.seconds:
            await asyncio.sleep(0.25)
            if unready is None and await shipper.is_ready() is False:
                unready = self.now() - began
        self.injectors[AWS].reign = None
        self.unready.append((event.name, event.seconds, unready))
        if unready is None and event.seconds >= UNREADY_SECONDS:
            shipper.fault(f"it started without credentials, and was not unready for {event.seconds:.1f} s")

    async def settle(self):
        """The faults are over: trailship has to empty the queue by itself; then bucket and index are compared."""
        shippers, trail = self.shippers, self.load.trail
        ended = time.monotonic()
        at_end = await trail.depth()
        hung = not await self.within(DRAIN_SECONDS, self.is_empty)
        drained_in = time.monotonic() - ended
        if hung:
            figures = [await shipper.figures() for shipper in shippers]
            shippers[0].fault(f"the queue was not empty {DRAIN_SECONDS} s after the last fault: {await trail.depth()} messages "
                              f"wait and are held; figures: {json.dumps(figures)}")
        for shipper in shippers:
            if not await self.within(READY_SECONDS, shipper.is_ready):
                shipper.fault(f"it is not ready, {READY_SECONDS} s after all was done: {json.dumps(await shipper.get('/readyz'))}")
        for watcher in self.watchers:
            watcher.cancel()
        summaries = [await shipper.stop() for shipper in shippers]
        folders = [shipper.data for shipper in shippers]
        differences, found = await reconcile(self.servers[SEARCH].place, STREAM, folders, self.load.expected)
        faults = [f"trailship: {text}" for shipper in shippers for text in [*shipper.faults, *shipper.panics()]]
        proxies = [proxy for side in self.proxies.values() for proxy in side]
        faults += [f"the proxy itself: {text}" for proxy in proxies for text in proxy.faults]
        return {
            "differences": faults + differences, "found": found, "put": self.load.expected.totals(), "summaries": summaries,
            "queue_at_end": at_end, "drained_in": drained_in, "rolled_over": self.rolled_over,
            "processes": [
                {"lives": it.lives, "memory": it.memory, "peaks": it.peaks, "ends": it.ends, "unbalanced": it.unbalanced, "readings": it.readings}
                for it in shippers
            ],
            "happened": self.happened, "unready": self.unready,
            "calls": {side: dict(sum((proxy.calls for proxy in proxies), Counter())) for side, proxies in self.proxies.items()},
            "injected": {side: dict(injector.injected) for side, injector in self.injectors.items()},
            "unreachable": {side: sum(proxy.unreachable for proxy in proxies) for side, proxies in self.proxies.items()},
            "stalls": {side: longest(proxies) for side, proxies in self.proxies.items()},
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
        for watcher in self.watchers:
            watcher.cancel()
        for shipper in self.shippers:
            if shipper.process:
                await shipper.kill()
        for proxy in (proxy for side in self.proxies.values() for proxy in side):
            proxy.stop()
        await asyncio.gather(*(server.stop() for server in self.servers.values()))

    async def wait_until(self, at):
        await asyncio.sleep(max(0, at - self.now()))

    def now(self):
        return time.monotonic() - self.began


def longest(proxies):
    """By operation, the longest of all proxies' stalls (s)."""
    stalls = {}
    for proxy in proxies:
        for operation, seconds in proxy.longest_stall.items():
            stalls[operation] = max(stalls.get(operation, 0), seconds)
    return stalls


def given(options):
    """The setting as the command line has it; none when it has nothing of it."""
    named = {name: getattr(options, name) for name in ("processes", "hosts", "tls", "rollovers")}
    named = {name: value for name, value in named.items() if value is not None}
    return replace(Setting.drawn(options.seed), **named) if named else None


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120, help="how long calls are spoilt (default: 120)")
    parser.add_argument("--seed", type=int, help="what all that is drawn follows from (default: a new one)")
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0], help="the search server (default: opensearch)")
    parser.add_argument("--aws", choices=("fast", "aws"), default="fast", help="S3 and SQS: from memory, or moto (default: fast)")
    parser.add_argument("--rate", type=float, default=3, help="objects put in a second (default: 3)")
    parser.add_argument("--processes", type=int, help="processes on the queue (default: drawn, 1 to 3)")
    parser.add_argument("--hosts", type=int, help="hosts of the search server (default: drawn, 1 to 3)")
    parser.add_argument("--tls", action=argparse.BooleanOptionalAction, help="HTTPS to the search server (default: drawn)")
    parser.add_argument("--rollovers", action=argparse.BooleanOptionalAction, help="the stream rolls over, and no object repeats another (default: no)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the result as JSON too")
    parser.add_argument("--keep", action="store_true", help="log and data are kept in .state/ also when all went well")
    parser.add_argument("--prove", action="store_true", help="loss and double are made, and have to be noticed")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1_000_000)
    return options


if __name__ == "__main__":
    sys.exit(main())
