#!/usr/bin/env python3
"""One fault at a time: each kind spoils the first call of each operation, and `run --once` must end well all the same.

    each.py [--engine ENGINE] [--aws fast|aws]

Environment: TRAILSHIP (the binary; built without it). Exit status: 0 every run ended with status 0, an empty queue and
every record indexed once; 1 otherwise; 3 something is missing here; 130 interrupted.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True  # leaves no folders in the tree
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "servers"))

import start
from ends import Server, url
from faults import ANY, AWS, KINDS, SEARCH, Fault, Injector
from load import Load
from proxy import Proxy
from reconcile import reconcile
from run import ENGINES
from shipper import Shipper
from trail import Trail

# Operations that every short run calls.
OPERATIONS = {
    AWS: ("GetQueueAttributes", "ReceiveMessage", "GetObject", "DeleteMessageBatch"),
    SEARCH: ("_bulk",),
}
OBJECTS = 12
AT_A_TIME = 8
# Visibility runs out once, and every call may take its time-out.
RUN_SECONDS = 120


def main():
    options = arguments()
    return start.main(lambda program, folder: each(program, folder, options))


async def each(program, folder, options):
    servers = {
        AWS: Server(options.aws, log=folder / "aws.log"),
        SEARCH: Server("search", options.engine, log=folder / "search.log"),
    }
    cases = [Case(number, *case) for number, case in enumerate(all_cases())]
    room = asyncio.Semaphore(AT_A_TIME)
    try:
        await asyncio.gather(*(server.start() for server in servers.values()))
        await Case(len(cases), SEARCH, "", "").prepare(program, folder, servers)
        failed = sum(await asyncio.gather(*(case.run(program, folder, servers, room) for case in cases)))
    finally:
        await asyncio.gather(*(server.stop() for server in servers.values()))
    print(f"chaos: {len(cases)} faults, one at a time: {failed} failed")
    return 1 if failed else 0


def all_cases():
    for side, operations in OPERATIONS.items():
        for operation in operations:
            for kind, (_, where) in KINDS.items():
                if where is ANY or operation in where.get(side, ()):
                    yield side, operation, kind


class Case:
    """One kind of fault, at the first call of one operation; also the plan of its proxies."""

    seed = 0

    def __init__(self, number, side, operation, kind):
        self.number, self.side, self.operation, self.kind = number, side, operation, kind

    def fault(self, side, operation, number):
        if (side, operation, number) == (self.side, self.operation, 1):
            return Fault(self.kind, seconds=1, share=0.5, choice=0.5)
        return None

    async def prepare(self, program, folder, servers):
        """The shipper of this case, with a queue and a stream of its own; installs the templates, which all share."""
        shipper, _ = await self.open(program, folder, servers, {side: server.place for side, server in servers.items()})
        await shipper.setup()

    async def open(self, program, folder, servers, places):
        trail = Trail(servers[AWS].place, f"case{self.number}")
        await trail.create()
        own = folder / trail.bucket
        own.mkdir()
        ends = {AWS: url(places[AWS]), SEARCH: [url(places[SEARCH])]}
        return Shipper(program, own, {**ends, "queue": trail.queue_path, "namespace": trail.bucket}), trail

    async def run(self, program, folder, servers, room):
        """Whether it failed."""
        async with room:
            began = time.monotonic()
            injectors = {side: Injector(self, side) for side in servers}
            proxies = {side: Proxy(injectors[side], server.place) for side, server in servers.items()}
            for side, proxy in proxies.items():
                injectors[side].on = True
                await proxy.start()
            shipper, trail = await self.open(program, folder, servers, {side: proxy.place for side, proxy in proxies.items()})
            load = Load(trail, self.number, rate=1, shapes={"plain": 1})
            for _ in range(OBJECTS):
                await load.put_next()
            await shipper.once(RUN_SECONDS)
            problems = [*shipper.faults, *shipper.panics(), *(text for proxy in proxies.values() for text in proxy.faults)]
            if injectors[self.side].injected[self.kind] != 1:
                problems.append("the fault was not injected, so this showed nothing")
            if await trail.depth() != (0, 0):
                problems.append(f"{await trail.depth()} messages wait and are held")
            if not problems:
                stream = f"logs-aws.cloudtrail-{trail.bucket}"
                problems, _ = await reconcile(servers[SEARCH].place, stream, [shipper.data], load.expected)
            for proxy in proxies.values():
                proxy.stop()
        verdict = "FAILED" if problems else "well"
        print(f"{self.side}: {self.operation}: {self.kind}: {verdict}, {time.monotonic() - began:.1f} s", flush=True)
        for problem in problems:
            print(f"    {problem}", flush=True)
        return bool(problems)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0], help="the search server (default: opensearch)")
    parser.add_argument("--aws", choices=("fast", "aws"), default="fast", help="S3 and SQS: from memory, or moto (default: fast)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
