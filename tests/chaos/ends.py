"""The real servers of a run, through `tests/servers/run`; the search server can be ended and started again on its data."""

import asyncio
import json
import os
import signal
import sys

from state import ROOT, Failed, Skipped

RUNNER = ROOT / "tests" / "servers" / "run"
SKIPPED = 3


class Server:
    """A server, running or not; `arguments` are those of `tests/servers/run`."""

    def __init__(self, *arguments, log, keep=None):
        self.arguments, self.log, self.keep = arguments, log, keep
        self.process = None
        self.details = None

    @property
    def place(self):
        return "127.0.0.1", self.details["port"]

    async def start(self):
        """Starts it, on its former port and data if it ran before, and waits until it answers."""
        command = [sys.executable, str(RUNNER), *self.arguments]
        if self.keep:
            command += ["--keep-data", str(self.keep)]
        if self.details:
            command += ["--port", str(self.details["port"])]
        # Its own words are kept aside: a server that is killed here says much.
        with open(self.log, "wb") as log:
            self.process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log, start_new_session=True)
        line = await self.process.stdout.readline()
        if not line:
            missing = await self.process.wait() == SKIPPED
            said = self.log.read_text(errors="replace").strip()
            raise Skipped(said.removeprefix("skipped: ")) if missing else Failed(f"`{' '.join(self.arguments)}` did not start: {said}")
        self.details = json.loads(line)

    async def stop(self):
        """An orderly end."""
        if self.process:
            self.process.stdin.close()
            await self.process.wait()
            self.process = None

    async def kill(self):
        """Ends the server itself with SIGKILL; its runner then ends too."""
        os.kill(self.details["pid"], signal.SIGKILL)
        await self.process.wait()
        self.process = None


def url(place, scheme="http"):
    return f"{scheme}://{place[0]}:{place[1]}"
