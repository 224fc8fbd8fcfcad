"""Plans of scenarios that nobody wrote: composed from seeds, and made smaller where they show a fault.

A plan is plain values, so that it can be printed and taken apart; `at_random.py` makes objects and options of it.
"""

import copy
import random

import tampering
from side_by_side import MOTO_ACCOUNT

FORMS = {
    "iso": "%Y-%m-%dT%H:%M:%SZ",
    "bare": "%Y-%m-%dT%H:%M:%S",
    "space": "%Y-%m-%d %H:%M:%S",
    "slash": "%Y/%m/%d %H:%M:%S",
    "stamp": "%Y%m%dT%H%M%SZ",
    "mail": "%a, %d %b %Y %H:%M:%S GMT",
    "date": "%a %b %e %H:%M:%S UTC %Y",
    "east": "%Y-%m-%dT%H:%M:%S+05:30",
    "west": "%Y-%m-%d %H:%M:%S -08:00",
}


def composed(seed):
    """The plan of a seed."""
    r = random.Random(seed)
    organization = r.random() < 0.2
    accounts = [MOTO_ACCOUNT, "444455556666", "777788889999"] if organization else ["111122223333", "444455556666"]
    regions = ["us-east-1", "eu-west-1"]
    steps, count = [], r.randint(2, 12)
    for n in range(count):
        chance = r.random()
        if n and chance < 0.05:
            steps.append({"what": "restart"})
        elif n and chance < 0.1:
            steps.append({"what": "pause", "seconds": r.choice([1, 600, 3600, 7200])})
        elif n and chance < 0.14:
            steps.append({"what": "bucket"})
        elif n and chance < 0.17:
            steps.append({"what": "prefix"})
        elif n and chance < 0.2:
            steps.append({"what": "hole", "seconds": r.choice([1, 900, 3600, 10800])})
        elif n and chance < 0.22 and steps[-1]["seconds"] == 3600:
            steps.append({"what": "hole", "seconds": -1800})
        elif n and chance < 0.24:
            steps.append({"what": "fork", "seconds": r.choice([900, 1800])})
        # None may end before the one before it.
        overlaps = steps and steps[-1]["what"] in ("hole", "fork")
        seconds = 3600 if overlaps or r.random() < 0.9 else r.choice([60, 1199, 1800, 3599])
        steps.append({"what": "digest", "logs": r.choice([0, 0, 1, 1, 2, 3]), "seconds": seconds})
    plan = {
        "organization": organization,
        "accounts": r.sample(accounts, r.choice([1, 1, 1, 2])),
        "regions": r.sample(regions, r.choice([1, 1, 1, 2])),
        "prefix": r.choice(["", "", "", "audit", "a/b c/ü"]),
        "begin": r.choice([0, r.randrange(60 * 3600), r.randrange(20, 30) * 3600]),
        "rotate": r.random() < 0.3,
        "steps": steps,
        "backfill": sorted(r.sample(range(count), min(count, r.choice([0, 0, 0, 0, 1, 2, 3])))),
        "beside": r.choice([None] * 6 + ["mai", "main2", "main-x", "second", "main_us-east-1_x"]),
        "verbose": r.random() < 0.8,
        "account_option": r.random() < 0.3,
        "folder": r.random() < 0.3,
        "region_option": r.random() < 0.7,
        "elsewhere": r.choice([None] * 12 + ["account", "region", "trail", "prefix"]),
        "forms": [r.choice(list(FORMS)) if r.random() < 0.5 else "iso" for _ in range(2)],
        "window": window(r, count),
        "done": [],
    }
    at = 0
    for _ in range(r.choice([0, 1, 1, 1, 2, 2, 3, 4])):
        at = r.choice([at, at, at + 1, r.randrange(40), r.randrange(40), r.randrange(40)])
        rarely = ["backfill", "unlisted", "planted", "copy", "run", "tail", "logs", "signer"]
        what = r.choice(["log"] * 4 + ["digest"] * 7 + rarely)
        group = tampering.LOGS if what == "log" else tampering.DIGESTS
        plan["done"].append({"what": what, "how": r.choice(group).name, "at": at, "count": r.randint(1, 4)})
    return plan


def window(r, count):
    """Start and end, each in seconds after the edge of a digest, counted from the beginning."""
    around = [0, 0, 0, 1, -1, 0.25, 900, -1800, 3599, 3601]
    first = r.choice([0, 0, 0, r.randint(-3, count)])
    last = r.choice([count, count, count, r.randint(first, count + 3)])
    start, end = first * 3600 + r.choice(around), last * 3600 + r.choice(around)
    years = r.choice([0] * 20 + [150_000_000])
    return [min(start, end) - years, max(start, end) + years // 4]


def smaller(plan):
    """Plans with one thing less."""
    for name, plain in [
        *(("done", n) for n in range(len(plan["done"]))),
        *(("steps", n) for n in range(len(plan["steps"]))),
        *(("backfill", n) for n in range(len(plan["backfill"]))),
        *((name, 1) for name in ("accounts", "regions") if len(plan[name]) > 1),
    ]:
        made = copy.deepcopy(plan)
        del made[name][plain]
        yield made
    plain = {"organization": False, "folder": False, "prefix": "", "begin": 0, "rotate": False, "verbose": True}
    plain |= {"beside": None, "elsewhere": None, "account_option": False, "forms": ["iso", "iso"]}
    for name, value in plain.items():
        if plan[name] != value:
            made = {**copy.deepcopy(plan), name: value}
            if name == "organization":
                made["accounts"] = ["111122223333", "444455556666"][: len(plan["accounts"])]
            yield made
    for n, step in enumerate(plan["steps"]):
        for name, value in [("logs", 0), ("seconds", 3600)]:
            if step.get(name, value) != value:
                made = copy.deepcopy(plan)
                made["steps"][n][name] = value
                yield made


def reduced(plan, faults, check):
    """The smallest plan that has a fault of the same kind."""
    wanted = sorts(faults)
    while True:
        for made in smaller(plan):
            found = check(made)
            if wanted & sorts(found):
                plan, faults = made, found
                break
        else:
            return plan, faults


def sorts(faults):
    return {fault.splitlines()[0].split(":")[0] for fault in faults}
