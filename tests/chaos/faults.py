"""The plan: what goes wrong, all of it drawn from one seed.

What becomes of the n-th call of an operation depends on the seed, the operation and n alone, so that a run with the same
seed injects the same faults, however the calls of different operations interleave. The events (kills, outages) are a
list drawn beforehand. Both are printed.
"""

import random
from collections import Counter
from dataclasses import dataclass

AWS, SEARCH = "aws", "search"

# What becomes of one call: its weight among the others, and `{side: operations}` if not every call can meet with it;
# docs/chaos.md explains each.
ANY = None
KINDS = {
    "late": (3, ANY),
    "reset": (2, ANY),
    "refusal": (3, ANY),
    "overload": (3, ANY),
    "stall": (1, ANY),
    "lost answer": (3, ANY),
    "done, but refused": (3, ANY),
    "reset in mid-answer": (2, ANY),
    "cut answer": (2, ANY),
    "stall in mid-answer": (1, ANY),
    "slow body": (2, ANY),
    "half an answer": (2, ANY),
    "messages again": (8, {AWS: ["ReceiveMessage"]}),
    "short visibility": (4, {AWS: ["ReceiveMessage"]}),
    "some entries refused": (6, {AWS: ["DeleteMessageBatch", "ChangeMessageVisibilityBatch"]}),
    "busy items": (6, {SEARCH: ["_bulk"]}),
}
# What becomes of every call to one side while an event lasts.
REIGNS = {
    "aws: connections reset": (AWS, "reset"),
    "aws: throttled": (AWS, "overload"),
    "aws: credentials expired": (AWS, "denial"),
    "aws: no answers": (AWS, "stall"),
    "search: connections reset": (SEARCH, "reset"),
    "search: overloaded": (SEARCH, "overload"),
    "search: credentials refused": (SEARCH, "denial"),
    "search: no answers": (SEARCH, "stall"),
}
# By number of the bulk, in a run that proves that loss and double are noticed: nothing else is injected there.
LIES = {2: "swallowed", 4: "stored twice"}
KILLED_WITHOUT_CREDENTIALS = "kill -9, and no credentials at the start"
SHIPPER_EVENTS = ("kill -9", "kill -9", "kill -9", KILLED_WITHOUT_CREDENTIALS, "stopped and started", "frozen")
# With several hosts, and where the stream may roll over.
HOST_EVENTS = ("search: one host away", "search: one host away")
ROLLOVER_EVENTS = ("search: rollover", "search: rollover")
SEARCH_EVENTS = ("search: killed and started", "search: stopped and started")
# In shorter runs, events and the gaps between them are shorter, too.
WHOLE_LENGTH_FROM_SECONDS = 120
# Runs shorter than this leave the search server's own restarts out: one takes 5 to 20 s.
RESTART_FROM_SECONDS = 60
GAP_SECONDS = (2, 8)
# Longer than the visibility time-out (shipper.py), so that handles run out.
FREEZE_SECONDS = (4, 15)
REIGN_SECONDS = (3, 9)
# Beside the time that the server takes to start.
OUTAGE_SECONDS = (0, 20)
PAUSE_SECONDS = (0, 3)


@dataclass
class Fault:
    """One fault: its kind, and how late (s), how far into the body (share of it), which of the statuses (share)."""

    kind: str
    seconds: float = 0.0
    share: float = 0.0
    choice: float = 0.0


@dataclass
class Event:
    """Something that happens at a time (s from the start), for a time (s)."""

    at: float
    name: str
    seconds: float


@dataclass
class Setting:
    """What a run is made of: processes on the queue, hosts of the search server, HTTPS to them, rollovers."""

    processes: int = 1
    hosts: int = 1
    tls: bool = False
    rollovers: bool = False

    @classmethod
    def drawn(cls, seed):
        draw = random.Random(f"{seed}/setting")
        return cls(draw.choice([1, 1, 2, 3]), draw.choice([1, 1, 2, 3]), draw.random() < 0.3)


class Plan:
    """All that is drawn from a seed, for a run of so many seconds; `setting` is drawn too, unless it is given."""

    def __init__(self, seed, seconds, lies=False, setting=None):
        self.seed, self.lies = seed, lies
        self.setting = setting or (Setting() if lies else Setting.drawn(seed))
        draw = random.Random(f"{seed}/plan")
        self.rates = {side: draw.choice([0.05, 0.15, 0.3]) for side in (AWS, SEARCH)}
        self.events = [] if lies else list(events(random.Random(f"{seed}/events"), seconds, self.setting))

    def one_of(self, what, event):
        """Which of several processes or hosts an event is about."""
        return random.Random(f"{self.seed}/who/{event.at}").choice(what)

    def fault(self, side, operation, number):
        """What becomes of the `number`-th call of an operation; none for most."""
        if self.lies:
            return Fault(LIES[number]) if operation == "_bulk" and number in LIES else None
        draw = random.Random(f"{self.seed}/{side}/{operation}/{number}")
        if draw.random() >= self.rates[side]:
            return None
        fitting = {kind: weight for kind, (weight, where) in KINDS.items() if where is ANY or operation in where.get(side, ())}
        kind = draw.choices(list(fitting), list(fitting.values()))[0]
        return Fault(kind, draw.uniform(0.05, 3), draw.random(), draw.random())

    def text(self):
        if self.lies:
            return f"seed {self.seed}: no faults, but lies: {LIES}"
        rates = ", ".join(f"{rate:.0%} of calls to {side}" for side, rate in self.rates.items())
        rows = [f"  {event.at:7.1f} s  {event.name}, for {event.seconds:.1f} s" for event in self.events]
        it = self.setting
        parts = [f"{it.processes} processes", f"{it.hosts} hosts", "HTTPS" if it.tls else "HTTP", "rollovers" if it.rollovers else "repeats"]
        return "\n".join([f"seed {self.seed}: {', '.join(parts)}; faults in {rates}; events:", *rows])


def events(draw, seconds, setting):
    """Events one after the other, from a pack that is shuffled anew when it is used up."""
    scale = min(1, seconds / WHOLE_LENGTH_FROM_SECONDS)
    pack, at = [], scale * draw.uniform(1, GAP_SECONDS[1])
    while True:
        if not pack:
            pack = [*REIGNS, *SHIPPER_EVENTS]
            pack += SEARCH_EVENTS if seconds >= RESTART_FROM_SECONDS else ()
            pack += HOST_EVENTS if setting.hosts > 1 else ()
            pack += ROLLOVER_EVENTS if setting.rollovers else ()
            draw.shuffle(pack)
        name = pack.pop()
        length = scale * draw.uniform(*lengths(name))
        if at + length > seconds:
            return
        yield Event(at, name, length)
        at += length + scale * draw.uniform(*GAP_SECONDS)


def lengths(name):
    """Shortest and longest time of an event (s)."""
    if name in REIGNS or name in HOST_EVENTS or name == KILLED_WITHOUT_CREDENTIALS:
        return REIGN_SECONDS
    if name in ROLLOVER_EVENTS:
        return 0, 0
    if name in SEARCH_EVENTS:
        return OUTAGE_SECONDS
    return FREEZE_SECONDS if name == "frozen" else PAUSE_SECONDS


class Injector:
    """Hands out faults to the proxy of one side while it is on, and counts them by kind."""

    def __init__(self, plan, side):
        self.plan, self.side = plan, side
        self.on = False
        self.reign = None
        self.calls = Counter()
        self.injected = Counter()

    def next(self, operation):
        """The fault of the next call of `operation`, if any."""
        if not self.on:
            return None
        self.calls[operation] += 1
        number = self.calls[operation]
        if self.reign:
            return Fault(self.reign, choice=random.Random(f"{self.plan.seed}/reign/{operation}/{number}").random())
        return self.plan.fault(self.side, operation, number)

    def count(self, kind):
        self.injected[kind] += 1
