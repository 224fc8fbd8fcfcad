"""One server process: started, waited for, ended by its pid.

Every server here keeps two promises: it writes its HTTP port into `ready` in its data folder once it answers, and it
ends by itself when its standard input ends. So no server outlives the process that started it, however that one dies.
"""

import os
import subprocess
import time

from state import Failed

READY_SECONDS = 180
STOP_SECONDS = 30


class Kind:
    """What there is to know about one kind of server. `install` comes first, then `command`."""

    def install(self):
        """Downloads and builds what the server needs, unless an earlier run did. Raises Skipped or Failed."""
        raise NotImplementedError

    def command(self, data, port):
        """Command line and additional environment of a server on `data`; port 0 is any free one."""
        raise NotImplementedError

    def url(self, port):
        return f"http://127.0.0.1:{port}"

    def settle(self, url):
        """Waits for what comes after the first answer."""

    def details(self):
        """What a user of the server needs beside its URL."""
        return {}


class Server:
    """A started server; `stop` it, or let it end with this process."""

    def __init__(self, command, data, lock, env=None):
        self.data = data
        self.log = data / "server.log"
        self.ready = data / "ready"
        self.ready.unlink(missing_ok=True)
        # A session of its own: Ctrl-C on the terminal is for the runner, which then stops the server.
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                cwd=data,
                env={**os.environ, **(env or {})},
                start_new_session=True,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[lock],
            )

    def port(self):
        """Waits until the server answers and returns its port."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            text = self.ready.read_text() if self.ready.exists() else ""
            if text.endswith("\n"):
                return int(text)
            self.check()
            time.sleep(0.05)
        raise Failed(f"the server was not ready after {READY_SECONDS} s:\n{self.last_lines()}")

    def check(self):
        """Fails if the server has ended by itself."""
        code = self.process.poll()
        if code is not None:
            raise Failed(f"the server ended with status {code}:\n{self.last_lines()}")

    def stop(self, orderly):
        """Ends the server: orderly if its data are still wanted, otherwise at once."""
        if self.process.poll() is None:
            (self.process.terminate if orderly else self.process.kill)()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def last_lines(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
