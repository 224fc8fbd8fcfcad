"""From runs to figures, and the figures as a table.

Beside each figure stands what prototypes of the same steps reached on one core (a ceiling), and the ratio to a fixed
piece of work that was measured just before and after: on a busy machine the ratio says more than the rate.
"""

import statistics
from itertools import pairwise

MIB = 1 << 20
# ns per record of the fixed piece of work on the machine of the ceilings: `serde_json::Value`, record by record.
REFERENCE_NS = 4035
# ns per record, up to and including the step, one core: with the means that trailship uses; the best that was measured.
CEILINGS = {
    "gunzip": ("flate2 with zlib-rs, as a stream", 1483, "libdeflater, whole", 780),
    "split": ("stream, scan with memchr", 2035, "libdeflater, sonic-rs unchecked", 969),
    "parse": ("window, borrowed tree", 4000, "whole object, flat table", 1800),
    "map": ("window, borrowed tree, direct writer", 6800, "whole object, flat table", 4800),
    "compress": ("the same, gzip level 1", 13400, None, None),
    "whole way": ("the same, bulk requests; no S3, no SQS", 13700, "whole object, flat table", 11800),
}
# Records per CPU-second: with what the mapping does now; the product's goal.
GOALS = {"map": (75_000, 120_000), "whole way": (35_000, 60_000)}
MEMORY_GOAL = 64 * MIB
EMPTY_RECEIVE = "ReceiveMessage, empty"


def stages(lines):
    """Figures by stage from the lines of the stages program: per stage median, and ratios to the reference around it."""
    runs, pending, reference, allocations = {}, None, None, {}
    for line in lines:
        allocations[line["stage"]] = line["allocations"] / line["records"]
        per_record = line["cpu_ns"] / line["records"]
        if line["stage"] != "reference":
            pending = (line["stage"], per_record, reference)
            continue
        reference = per_record
        runs.setdefault("reference", []).append((per_record, None))
        if pending:
            stage, ns, before = pending
            runs.setdefault(stage, []).append((ns, ns / ((before + reference) / 2)))
            pending = None
    return {stage: {**figure(values), "allocations": allocations[stage]} for stage, values in runs.items()}


def whole_way(name, corpus, runs):
    """Figures of one corpus from its runs, each with the reference around it."""
    values = [(run["cpu_seconds"] * 1e9 / run["records"], run["cpu_seconds"] * 1e9 / run["records"] / run["reference_ns"])
              for run in runs]
    last = runs[-1]
    million = 1e6 / last["records"]
    return {
        "name": name,
        "objects": corpus.objects,
        "text_bytes": corpus.text_bytes,
        "stored_bytes": corpus.stored_bytes,
        **{key: last[key] for key in ("records", "documents", "redelivered", "bulk_requests")},
        **figure(values),
        "records_per_second": statistics.median(run["records"] / run["seconds"] for run in runs),
        "idle_memory": max(run["idle_memory"] for run in runs),
        "peak_memory": max(run["peak_memory"] for run in runs),
        "requests_per_million": {name: count * million for name, count in last["requests"].items()},
        "wire_bytes_per_record": last["wire_bytes"] / last["records"],
        "plain_bytes_per_record": last["plain_bytes"] / last["records"],
        "ends_ns": statistics.median(run["ends_cpu_seconds"] * 1e9 / run["records"] for run in runs),
    }


def figure(values):
    nanoseconds = [ns for ns, _ in values]
    ratios = [ratio for _, ratio in values if ratio is not None]
    return {"ns": statistics.median(nanoseconds), "least_ns": min(nanoseconds), "rounds": len(values),
            "ratio": spread(ratios) if ratios else None}


def spread(values):
    """Median and quartiles."""
    quartiles = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return {"low": quartiles[0], "median": quartiles[1], "high": quartiles[2]}


def again(runs):
    """How runs of the same program on the same corpus differ: each against the one before."""
    cpu = [run["cpu_seconds"] for run in runs]
    return spread([after / before for before, after in pairwise(cpu)]) if len(cpu) > 1 else None


def goals(figures, ways):
    """Every goal with its figure: name, wanted, reached, whether it was met."""
    rates = [(stage, figures[stage]["ns"]) for stage in GOALS if stage in figures]
    rates += [("whole way", way["ns"]) for way in ways[:1]]
    judged = []
    for name, ns in rates:
        for wanted, whose in zip(GOALS[name], ("now", "product")):
            judged.append({"goal": f"{name}, records per CPU-second ({whose})", "wanted": wanted, "reached": round(1e9 / ns),
                           "met": 1e9 / ns >= wanted})
    for way in ways:
        judged.append({"goal": f"resident memory, MiB: {way['name']}", "wanted": MEMORY_GOAL // MIB,
                       "reached": round(way["peak_memory"] / MIB, 1), "met": way["peak_memory"] < MEMORY_GOAL})
    return judged


def text(result):
    parts = [machine_text(result["machine"])]
    if result["stages"]:
        parts.append(stages_text(result["stages"]))
    if result["whole_way"]:
        parts.append(ways_text(result["whole_way"], result["again"]))
    parts.append(goals_text(result["goals"]))
    return "\n\n".join(parts)


def machine_text(machine):
    return (f"{machine['command']}, commit {machine['commit']}: {machine['cpu']}, {machine['cores']} cores, {machine['system']}; "
            f"{machine['compiler']}; load {machine['load_before']} before, {machine['load_after']} after")


def stages_text(figures):
    rows = [("stage, up to and including", "ns/record", "records/CPU-s", "to reference", "quartiles", "allocations/record", "ceiling ns", "to its ref.", "best ns")]
    for stage, it in figures.items():
        ceiling = CEILINGS.get(stage.split(",")[0], (None, None, None, None))
        if stage == "reference":
            ceiling = (None, REFERENCE_NS, None, None)
        ratio = f"{ceiling[1] / REFERENCE_NS:.2f}" if ceiling[1] else ""
        rows.append((stage, *speed(it), f"{it['allocations']:.3f}", number(ceiling[1]), ratio, number(ceiling[3])))
    slower = figures["reference"]["ns"] / REFERENCE_NS
    notes = ["Ceilings:"]
    notes += [f"  {stage}: {means}{f'; best: {best}' if best else ''}" for stage, (means, _, best, _) in CEILINGS.items()]
    notes.append("  (about 70 fields with the original text of the record: compare with the rows `with original`)")
    notes.append(f"The reference, serde_json::Value record by record, took {slower:.2f} times what it took where the ceilings were measured;")
    notes.append("on another machine compare `to reference` with the ceiling's own ratio (`to its ref.`).")
    if "control" in figures:
        ratio = figures["control"]["ratio"]
        notes.append(f"A/A control: the reference against itself came out at {quartiles(ratio)}; smaller differences are noise.")
    return "\n".join([table(rows), *notes])


def ways_text(ways, again):
    rows = [("whole way", "ns/record", "records/CPU-s", "to reference", "quartiles", "records/s", "peak MiB", "idle MiB")]
    for way in ways:
        memory = (f"{way['peak_memory'] / MIB:.1f}", f"{way['idle_memory'] / MIB:.1f}")
        rows.append((way["name"], *speed(way), number(way["records_per_second"]), *memory))
    traffic = [("whole way", "records", "documents", "S3 calls/M", "SQS calls/M", "bulks", "bytes/record sent", "plain", "ends ns/record")]
    for way in ways:
        objects, queue = calls(way["requests_per_million"])
        traffic.append((way["name"], number(way["records"]), number(way["documents"]), number(objects), number(queue), number(way["bulk_requests"]),
                        number(way["wire_bytes_per_record"]), number(way["plain_bytes_per_record"]), number(way["ends_ns"])))
    means, ceiling, best_means, best = CEILINGS["whole way"]
    notes = [f"Ceiling: {ceiling:,} ns, {ceiling / REFERENCE_NS:.2f} of its reference ({means}); best: {best:,} ns ({best_means})."]
    if again:
        notes.append(f"A/A control: a run against the run before it on the same corpus came out at {quartiles(again)}.")
    return "\n".join([table(rows), "", table(traffic), *notes])


def calls(requests):
    """Requests to S3 and to SQS; receives that brought nothing depend on how long a run waits, and are left out."""
    queue = sum(count for name, count in requests.items() if name not in ("objects", EMPTY_RECEIVE))
    return requests["objects"], queue


def goals_text(judged):
    rows = [("goal", "wanted", "reached", "")]
    rows += [(it["goal"], f"{it['wanted']:,}", f"{it['reached']:,}", "met" if it["met"] else "MISSED") for it in judged]
    return table(rows)


def speed(it):
    ratio = it["ratio"]
    columns = (f"{ratio['median']:.2f}", f"{ratio['low']:.2f} to {ratio['high']:.2f}") if ratio else ("", "")
    return (number(it["ns"]), number(1e9 / it["ns"]), *columns)


def quartiles(ratio):
    return f"{ratio['median']:.3f}, quartiles {ratio['low']:.3f} to {ratio['high']:.3f}"


def number(value):
    return "" if value is None else f"{value:,.0f}"


def table(rows):
    """Columns of equal width, the first to the left."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row, widths)]
        lines.append("  ".join([row[0].ljust(widths[0]), *cells[1:]]).rstrip())
    lines.insert(1, "-" * len(max(lines, key=len)))
    return "\n".join(lines)
