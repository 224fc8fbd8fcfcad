"""What a run tells at its end."""

import statistics

# Parts of a run whose memory is printed.
PARTS = 6


def text(result):
    put, found, processes = result["put"], result["found"], result["processes"]
    lines = [
        f"put: {put['objects']:,} objects with {put['records']:,} records: {listed(put['shapes'])}",
        f"index: {found['indexed']:,} of {found['expected']:,} ids; missing {found['missing']}, doubled {found['doubled']}, "
        f"foreign {found['foreign']}",
        f"dead letter: {found['parked']} lines for {found['refused']} refused objects; wrongly parked {found['wrongly_parked']}, "
        f"torn {found['torn_letters']}",
        *(line for side in result["calls"] for line in side_lines(result, side)),
        f"events: {listed(counted(name for name, _ in result['happened']))}; rolled over {result['rolled_over']} times",
        *unready_lines(result["unready"]),
        f"queue when the faults ended: {result['queue_at_end'][0]} waiting, {result['queue_at_end'][1]} held; "
        f"empty after {result['drained_in']:.0f} s",
        *(line for process in processes for line in memory_lines(process)),
        f"figures read {sum(it['readings'] for it in processes)} times, off in passing {sum(it['unbalanced'] for it in processes)} times",
        *(f"last life: {', '.join(f'{key} {summary.get(key)}' for key in ('records', 'indexed', 'duplicate', 'filtered', 'parked'))}"
          for summary in result["summaries"] if summary),
        f"seconds from SIGTERM to the end: {', '.join(f'{seconds:.1f}' for it in processes for seconds in it['ends'])}",
        *(f"DIFFERENCE {it}" if not it.startswith(" ") else it for it in result["differences"]),
    ]
    return "\n".join(lines)


def side_lines(result, side):
    stalls = {operation: f"{seconds:.1f} s" for operation, seconds in result["stalls"][side].items()}
    return [
        f"{side}: calls {listed(result['calls'][side])}",
        f"{side}: injected {sum(result['injected'][side].values())}: {listed(result['injected'][side])}; "
        f"server away {result['unreachable'][side]}",
        f"{side}: longest wait for what was never answered: {listed(stalls)}",
    ]


def unready_lines(unready):
    return [f"not ready: {name} ({seconds:.1f} s): {'never' if after is None else f'after {after:.1f} s'}"
            for name, seconds, after in unready]


def memory_lines(process):
    samples = [mib for _, mib in process["memory"]]
    if not samples:
        return []
    step = max(1, len(samples) // PARTS)
    parts = [statistics.median(samples[start:start + step]) for start in range(0, len(samples), step)]
    return [f"memory: {process['lives']} lives, peaks {', '.join(f'{peak:.0f}' for peak in process['peaks'])} MiB; "
            f"medians over time {', '.join(f'{part:.0f}' for part in parts)} MiB"]


def counted(names):
    counts = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts


def listed(counts):
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"
