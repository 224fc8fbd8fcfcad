#!/usr/bin/env python3
"""Measures trailship: the steps of decoding and mapping in one process, and the whole way between two cheap ends.

    run.py [--quick] [--rounds N] [--only stages|whole-way] [--pin] [--json FILE]

Prints nanoseconds of CPU and records per CPU-second beside ceilings and goals (docs/performance.md says how to read them).
Exit status: 0 measured, also when a goal was missed; 1 failed, or a record did not arrive; 3 something is missing here; 130 interrupted.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # leaves no folders in the tree
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "servers"))

import state

import corpora
import report
import start
import whole_way


def main():
    return start.main(arguments(), measure, lambda result, _options: report.text(result))


def measure(options):
    load_before = load()
    programs = build()
    base = corpora.generated(2, 1) if options.quick else corpora.generated(8, 5)
    figures, ways, again = {}, [], None
    if options.only != "whole-way":
        state.say(f"stages, {options.rounds} rounds")
        figures = report.stages(stages(programs["stages"], base, options.rounds))
    if options.only != "stages":
        ways, again = whole_ways(programs, base, options)
    return {
        "machine": {**machine(), "load_before": load_before, "load_after": load()},
        "quick": options.quick,
        "stages": figures,
        "whole_way": ways,
        "again": again,
        "ceilings": report.CEILINGS,
        "reference_ceiling_ns": report.REFERENCE_NS,
        "goals": report.goals(figures, ways),
    }


def whole_ways(programs, base, options):
    ends = whole_way.build_ends()
    ways, again = [], None
    for corpus, original, rounds in loads(base, options):
        name = f"{corpus.name}, with original" if original else corpus.name
        state.say(f"whole way, {name}: {corpus.records:,} records, {rounds} rounds")
        runs = []
        with whole_way.Ends(ends, corpus, options.pin) as running:
            before = reference(programs, base)
            for _ in range(rounds):
                run = whole_way.measure(programs["trailship"], running, corpus, original, options.pin)
                after = reference(programs, base)
                runs.append({**run, "reference_ns": (before + after) / 2})
                before = after
        ways.append(report.whole_way(name, corpus, runs))
        again = again or report.again(runs)
    return ways, again


def loads(base, options):
    """What the whole way is measured on: corpus, whether the original text is kept, rounds."""
    yield base, False, options.rounds
    yield base, True, options.rounds
    objects, stored = (2, 2) if options.quick else (8, 20)
    name = f"{objects} objects of {stored} MB gzipped"
    yield corpora.enlarged(name, base, objects, stored_bytes=stored * 1_000_000), False, 1
    large = 32 if options.quick else 1024
    name = f"1 object of {large:,} MiB of text"
    yield corpora.enlarged(name, base, 1, text_bytes=large << 20), False, 1


def stages(program, corpus, rounds, only=()):
    """The lines of the stages program: one per stage and round, in the order in which they ran."""
    command = [program, corpus.folder / "load", str(rounds), *only]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    if done.returncode != 0:
        raise state.Failed(f"the stages program ended with status {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def reference(programs, corpus):
    """ns per record of the fixed piece of work, now."""
    lines = stages(programs["stages"], corpus, 3, ["reference"])
    return statistics.median(line["cpu_ns"] / line["records"] for line in lines)


def build():
    """Builds what is measured, as it is released; the paths of `trailship` and `stages`."""
    cargo = state.tool("cargo", "Rust is needed to build trailship")
    command = [cargo, "build", "--release", "--locked", "--bin", "trailship", "--bench", "stages",
               "--message-format=json-render-diagnostics"]
    state.say("building trailship")
    done = subprocess.run(command, cwd=state.ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    if done.returncode != 0:
        raise state.Failed("trailship cannot be built")
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    built = {message["target"]["name"]: message["executable"] for message in messages if message.get("executable")}
    return {name: built[name] for name in ("trailship", "stages")}


def machine():
    model = [line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": model[0] if model else platform.machine(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "compiler": state.run(["rustc", "--version"]).strip(),
        "commit": commit(),
        "command": " ".join(["tests/bench/run.py", *sys.argv[1:]]),
    }


def commit():
    try:
        return state.run(["git", "describe", "--always", "--dirty"], cwd=state.ROOT).strip()
    except (state.Failed, OSError):
        return "unknown"


def load():
    return round(os.getloadavg()[0], 2)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small corpora and few rounds: whether it works, not how fast")
    parser.add_argument("--rounds", type=int, help="runs of every measurement but the large objects (default: 9, quick: 3)")
    parser.add_argument("--only", choices=["stages", "whole-way"], help="one half of the measurements")
    parser.add_argument("--pin", action="store_true", help="trailship on core 1 alone, both ends on core 0")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the figures as JSON too")
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 9)
    return options


if __name__ == "__main__":
    sys.exit(main())
