#!/usr/bin/env python3
"""Measures trailship's memory: three runs side by side, and one large object.

    memory.py [--minutes N] [--budget MIB] [--loads N] [--quick] [--json FILE]

The runs: one that idles; one under full load; one whose search server is away behind a full queue, comes back after so
many minutes, and must then get every record once. The object has at least 1 GiB of text and a million records. Prints
resident memory as a table, and compares each peak with the bound: `memory.budget` and what the program itself takes.

Environment: TRAILSHIP (the binary; built without it). Exit status: 0 every peak is within its bound and every record
arrived; 1 otherwise; 3 something is missing here; 130 interrupted.
"""

import argparse
import os
import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.dont_write_bytecode = True  # leaves no folders in the tree
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "servers"))

import state

import corpora
import run
import start
import whole_way

MIB = 1 << 20
# The program itself, half of it the rules for user agents, and the heap's reserve.
OWN_MIB = 64
SAMPLE_SECONDS = 0.5
PATIENCE_SECONDS = 1800


def main():
    return start.main(arguments(), measure, text)


def measure(options):
    named = os.environ.get("TRAILSHIP")
    program = Path(named).resolve() if named else run.build()["trailship"]
    ends = whole_way.build_ends()
    base = corpora.generated(2, 1) if options.quick else corpora.generated(8, 5)
    objects, stored = (2, 2) if options.quick else (8, 20)
    load = corpora.enlarged(f"{objects} objects of {stored} MB gzipped", base, objects, stored_bytes=stored * 1_000_000)
    size, records = (32 * MIB, 30_000) if options.quick else (1 << 30, 1_000_000)
    large = corpora.enlarged(f"1 object of {size // MIB:,} MiB and {records:,} records", base, 1, text_bytes=size, records=records)
    state.say(f"three runs, {options.minutes:g} minutes")
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(one, program, ends, load, options, drive) for drive in (idle, full_load, outage)]
        rows = [each.result() for each in runs]
    state.say(f"{large.name}: {large.records:,} records, {large.text_bytes / MIB:,.0f} MiB of text")
    rows.append(one(program, ends, large, options, one_object))
    passed = all(row["peak"] <= row["bound"] for row in rows)
    return {"machine": run.machine(), "budget_mib": options.budget, "rows": rows, "passed": passed}


def one(program, ends, corpus, options, drive):
    """A run of its own, with both ends of its own, while its memory is watched."""
    with whole_way.Ends(ends, corpus, pin=False) as running, state.data_folder("bench") as (folder, _lock):
        shipper = whole_way.Shipper(program, running, folder, f"memory.budget: {options.budget}MiB\n")
        try:
            whole_way.warm(shipper, running)
            with Watch(shipper) as watch:
                row = drive(shipper, running, corpus, options)
            # The system's high-water mark, which no pause between samples hides.
            row["peak"] = shipper.memory("VmHWM") / MIB
        finally:
            status = shipper.stop()
        if status != 0:
            shipper.fail(f"its orderly end gave status {status}")
    least, median = min(watch.samples), statistics.median(watch.samples)
    return {**row, "least": least, "median": median, "samples": len(watch.samples), "bound": options.budget + OWN_MIB}


def idle(shipper, _ends, _corpus, options):
    wait(shipper, options.minutes * 60)
    return {"name": "idle", "records": 0}


def full_load(shipper, ends, corpus, options):
    """The same objects, announced again whenever the queue is empty."""
    for number in range(options.loads):
        ends.fill("load")
        shipper.wait_until(lambda: ends.left() == 0, PATIENCE_SECONDS, corpus.name)
        arrived(shipper, ends, corpus, number + 1)
    return {"name": "full load", "records": options.loads * corpus.records}


def outage(shipper, ends, corpus, options):
    """Announces more than the budget holds; the search server is away from the beginning."""
    ends.end_sink()
    times = max(2, -(-2 * options.budget * MIB // corpus.stored_bytes)) if not options.quick else 2
    for _ in range(times):
        ends.fill("load")
    wait(shipper, options.minutes * 60)
    if ends.left() != times * corpus.objects:
        shipper.fail("messages were deleted although nothing was stored")
    ends.start_sink()
    shipper.wait_until(lambda: ends.left() == 0, PATIENCE_SECONDS, "the backlog")
    arrived(shipper, ends, corpus, times)
    return {"name": f"search server away, {options.minutes:g} minutes", "records": times * corpus.records}


def one_object(shipper, ends, corpus, _options):
    ends.fill("load")
    shipper.wait_until(lambda: ends.left() == 0, PATIENCE_SECONDS, corpus.name)
    arrived(shipper, ends, corpus, 1)
    return {"name": f"one object, {corpus.text_bytes / MIB:,.0f} MiB of text", "records": corpus.records}


def arrived(shipper, ends, corpus, times):
    """Fails unless every record has arrived as often as its object was announced."""
    sink = ends.stats()["sink"]
    found, wanted = (sink["documents"], sink["distinct_ids"]), (times * corpus.records, corpus.records)
    if found != wanted:
        shipper.fail(f"{found[0]} documents with {found[1]} ids arrived, and not {wanted[0]} with {wanted[1]}")


def wait(shipper, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        shipper.check()
        time.sleep(min(SAMPLE_SECONDS, seconds))


class Watch:
    """Reads the resident memory of a process for as long as it is entered, in MiB."""

    def __init__(self, shipper):
        self.shipper, self.samples, self.over = shipper, [], threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def watch(self):
        while self.shipper.process.poll() is None:
            self.samples.append(self.shipper.memory("VmRSS") / MIB)
            if self.over.wait(SAMPLE_SECONDS):
                return


def text(result, options):
    lines = [f"resident memory in MiB, memory.budget {options.budget} MiB",
             f"{'':44}{'records':>12}{'least':>8}{'median':>8}{'peak':>8}{'bound':>8}"]
    for row in result["rows"]:
        verdict = "" if row["peak"] <= row["bound"] else "  TOO MUCH"
        lines.append(f"{row['name']:44}{row['records']:12,}{row['least']:8.1f}{row['median']:8.1f}{row['peak']:8.1f}{row['bound']:8}{verdict}")
    return "\n".join(lines)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="how long the server is away, and one run idles (default: 10)")
    parser.add_argument("--budget", type=int, default=256, metavar="MIB", help="memory.budget (default: 256, as of the program)")
    parser.add_argument("--loads", type=int, default=3, help="how often the load is shipped under full load (default: 3)")
    parser.add_argument("--quick", action="store_true", help="small corpora: whether it works, not how much it takes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the figures as JSON too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
