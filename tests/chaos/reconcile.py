"""Compares bucket and index, and the dead letter with what was made to be refused."""

import asyncio
import json
from collections import Counter

import wire
from state import Failed

PAGE = 5000
SHOWN = 10
SHARDS_SECONDS = 60


async def reconcile(search, stream, folders, expected):
    """Every difference as a line of text, and the counts of what was found; `folders` hold the processes' data."""
    found = await documents(search, stream)
    letters, torn = dead_letters(folders)
    counts = Counter((it["event"]["id"], it["cloud"]["account"]["id"]) for it in found if "id" in it.get("event", {}))
    missing = sorted(set(expected.indexed) - set(counts))
    doubled = sorted(identity for identity, times in counts.items() if times > 1)
    foreign = sorted(set(counts) - set(expected.indexed))
    nameless = sum("id" not in it.get("event", {}) for it in found)
    parked = {letter["object"]: letter["code"] for letter in letters}
    wrong = [letter for letter in letters if expected.refused.get(letter["object"]) != letter["code"]]
    unparked = sorted(set(expected.refused) - set(parked))
    differences = [
        *some("missing", [f"{identity} of {expected.indexed[identity]}" for identity in missing]),
        *some("doubled", [f"{identity}, {counts[identity]} times" for identity in doubled]),
        *some("indexed, but should not be", [f"{'dropped by a rule: ' if it in expected.dropped else ''}{it}" for it in foreign]),
        *some("parked, but should not be", [json.dumps({k: it[k] for k in ("code", "reason", "object")}) for it in wrong]),
        *some("refused, but not in the dead letter", unparked),
    ]
    if nameless:
        differences.append(f"{nameless} documents have no event id")
    found = {
        "expected": len(expected.indexed), "indexed": len(counts), "missing": len(missing), "doubled": len(doubled),
        "foreign": len(foreign) + nameless, "refused": len(expected.refused), "parked": len(letters), "torn_letters": torn,
        "wrongly_parked": len(wrong),
    }
    return differences, found


def some(what, all_of_them):
    if not all_of_them:
        return []
    rest = len(all_of_them) - SHOWN
    return [f"{what}: {len(all_of_them)}", *(f"    {it}" for it in all_of_them[:SHOWN]), *([f"    and {rest} more"] if rest > 0 else [])]


async def documents(place, stream):
    """Event id and account of every document."""
    await settled(place, stream)
    query = {"size": PAGE, "sort": ["_doc"], "_source": ["event.id", "cloud.account.id"]}
    page = await ask(place, f"/{stream}/_search?scroll=2m", query)
    found = []
    while page["hits"]["hits"]:
        found += [hit["_source"] for hit in page["hits"]["hits"]]
        page = await ask(place, "/_search/scroll", {"scroll": "2m", "scroll_id": page["_scroll_id"]})
    return found


async def settled(place, stream):
    """Makes what was indexed visible. After a start a node answers before its shards do, with 503."""
    for _ in range(SHARDS_SECONDS * 2):
        status, answer = await wire.ask_json(place, "POST", f"/{stream}/_refresh")
        if status == 200 and not answer["_shards"]["failed"]:
            return
        await asyncio.sleep(0.5)
    raise Failed(f"`{stream}` cannot be read: {status}: {json.dumps(answer)[:300]}")


async def ask(place, path, value):
    status, answer = await wire.ask_json(place, "POST", path, value)
    if status != 200 or answer.get("_shards", {}).get("failed"):
        raise Failed(f"{path} was answered with {status}: {json.dumps(answer)[:300]}")
    return answer


def dead_letters(folders):
    """The lines of the dead letter, and how many of them a kill tore."""
    letters, torn = [], 0
    for path in sorted(path for folder in folders for path in (folder / "dead-letter").glob("*.ndjson")):
        for line in path.read_text(errors="replace").splitlines():
            try:
                letters.append(json.loads(line))
            except ValueError:
                torn += 1
    return letters, torn
