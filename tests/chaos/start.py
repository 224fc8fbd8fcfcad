"""What the scripts have in common: the binary, a folder, signals, and the exit status."""

import asyncio
import json
import os
import signal
import subprocess
from pathlib import Path

import state
import wire

SKIPPED, INTERRUPTED = 3, 130


def main(work):
    """Runs `work(program, folder)`, which answers an exit status, in a folder that is removed at the end."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # stops what was started
    try:
        program = build()
        with state.data_folder("chaos") as (folder, _lock):
            return asyncio.run(work(program, folder))
    except state.Skipped as reason:
        state.say(f"skipped: {reason}")
        return SKIPPED
    except (state.Failed, wire.Broken, OSError) as error:
        state.say(f"chaos: {error}")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


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
