#!/usr/bin/env python3
"""What `integrity.enabled` costs: CPU per record of the whole way with it, by CPU per record without, in pairs in one run.

    integrity.py [--quick] [--rounds N] [--pin] [--program PATH] [--json FILE]

Each round ships the same load without, with, and without again; the first and the last are the control, which shows what
differences mean nothing here. With it, every log file is hashed, and its row is on disk before its message is deleted.
Digests are left out: one an hour costs nothing beside the log files that it lists.
Exit status: 0 measured, also when the goal was missed; 1 failed, or a record did not arrive; 3 something is missing here; 130 interrupted.
"""

import argparse
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # leaves no folders in the tree
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "servers"))

import state

import corpora
import report
import run
import start
import whole_way

GOAL = 1.03
ENABLED = "integrity:\n  enabled: true\n"


def main():
    return start.main(arguments(), measure, text)


def measure(options):
    load_before = run.load()
    program = options.program or run.build()["trailship"]
    corpus = corpora.generated(2, 1) if options.quick else corpora.generated(8, 5)
    without, enabled, control = [], [], []
    with whole_way.Ends(whole_way.build_ends(), corpus, options.pin) as ends:
        for number in range(options.rounds):
            state.say(f"round {number + 1} of {options.rounds}")
            first, middle, last = (
                whole_way.measure(program, ends, corpus, False, options.pin, more)["cpu_seconds"] * 1e9 / corpus.records
                for more in ("", ENABLED, "")
            )
            without.append((first + last) / 2)
            enabled.append(middle)
            control.append(last / first)
    ratio = report.spread([one / other for one, other in zip(enabled, without)])
    return {
        "machine": {**run.machine(), "load_before": load_before, "load_after": run.load()},
        "corpus": corpus.name,
        "records": corpus.records,
        "rounds": options.rounds,
        "without_ns": without,
        "with_ns": enabled,
        "ratio": ratio,
        "control": report.spread(control),
        "goal": GOAL,
        "met": ratio["median"] < GOAL,
    }


def text(result, _options):
    rows = [("CPU per record, ns", "without", "with")]
    rows += [(f"round {n + 1}", *map(report.number, pair)) for n, pair in enumerate(zip(result["without_ns"], result["with_ns"]))]
    return "\n\n".join([
        report.machine_text({**result["machine"], "command": "tests/bench/integrity.py"}),
        report.table(rows),
        f"{result['corpus']}, {result['records']:,} records: with by without {report.quartiles(result['ratio'])}; "
        f"control, without by without {report.quartiles(result['control'])}; "
        f"goal below {result['goal']}: {'met' if result['met'] else 'MISSED'}",
    ])


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small corpus and few rounds: whether it works, not how much it costs")
    parser.add_argument("--rounds", type=int, help="rounds of three runs (default: 9, quick: 3)")
    parser.add_argument("--pin", action="store_true", help="trailship on core 1 alone, both ends on core 0")
    parser.add_argument("--program", type=Path, metavar="PATH", help="a trailship that is built already")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the figures as JSON too")
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 9)
    return options


if __name__ == "__main__":
    sys.exit(main())
