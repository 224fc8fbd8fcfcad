"""The trail: objects of many shapes, put into the bucket all the while, and what must come of each.

Object n depends on the seed and n alone. Most hold plain records; some repeat records of an earlier object, as a second
trail does; some are announced twice; some are made to be refused, and must lie in the dead letter, and nothing else may.
"""

import asyncio
import gzip
import json
import random
from dataclasses import dataclass, field

ACCOUNTS = ("111122223333", "444455556666")
DROPPED_EVENT = "ListTags"
SHAPES = {
    "plain": 60,
    "large": 3,
    "repeated": 10,
    "announced twice": 10,
    "announced together": 5,
    "two gzip members": 5,
    "not compressed": 4,
    "empty": 2,
    "digest": 3,
    "no trail": 2,
    "one broken record": 3,
    "wrong checksum": 3,
}
# Objects whose records come again in a message of its own, which only the newest backing index recognises.
REPEATS = ("repeated", "announced twice", "announced together")
# By shape: the code under which it must lie in the dead letter.
REFUSED = {"no trail": "broken-json", "one broken record": "broken-record", "wrong checksum": "corrupt-object"}
SOME_RECORDS, MANY_RECORDS = (1, 150), (1500, 3000)


@dataclass
class Expected:
    """What bucket and queue were given, as ids (event id, account) and keys."""

    indexed: dict = field(default_factory=dict)  # id to key of its first object
    dropped: set = field(default_factory=set)
    refused: dict = field(default_factory=dict)  # key to code
    objects: int = 0
    records: int = 0
    shapes: dict = field(default_factory=dict)

    def totals(self):
        return {"objects": self.objects, "records": self.records, "shapes": self.shapes}


@dataclass
class Object:
    key: str
    body: bytes
    shape: str
    records: list


class Load:
    """Puts objects into the bucket at a rate (objects/s) until it is stopped."""

    def __init__(self, trail, seed, rate, shapes=SHAPES):
        self.trail, self.seed, self.rate, self.shapes = trail, seed, rate, shapes
        self.expected = Expected()
        self.keys = []
        self.number = 0

    async def run(self, until):
        while not until.is_set():
            await self.put_next()
            pause = random.Random(f"{self.seed}/pause/{self.number}").expovariate(self.rate)
            try:
                await asyncio.wait_for(until.wait(), pause)
            except asyncio.TimeoutError:
                pass

    async def put_next(self):
        it = build(self.seed, self.number, self.shapes)
        self.number += 1
        await self.trail.put(it.key, it.body)
        if it.shape == "announced twice":
            await self.trail.send(notification(self.trail.bucket, [it.key]))
        if it.shape == "announced together":
            await self.trail.send(notification(self.trail.bucket, [it.key, *self.keys[-3:]]))
        self.keys.append(it.key)
        self.note(it)

    def note(self, it):
        expected = self.expected
        expected.objects += 1
        expected.shapes[it.shape] = expected.shapes.get(it.shape, 0) + 1
        if it.shape in REFUSED:
            expected.refused[it.key] = REFUSED[it.shape]
        for record in it.records:
            identity = (record["eventID"], record["recipientAccountId"])
            expected.records += 1
            if record["eventName"] == DROPPED_EVENT:
                expected.dropped.add(identity)
            else:
                expected.indexed.setdefault(identity, it.key)


def build(seed, number, shapes):
    """Object `number` of the load; `shapes` are those that it may have, with their weights."""
    draw = random.Random(f"{seed}/object/{number}")
    shape = draw.choices(list(shapes), list(shapes.values()))[0]
    if shape == "repeated" and number == 0:
        shape = "plain"
    source = draw.randrange(number) if shape == "repeated" else number
    listed = records(seed, source, shape)
    kind = "CloudTrail-Digest" if shape == "digest" else "CloudTrail"
    key = f"AWSLogs/{ACCOUNTS[0]}/{kind}/us-east-1/2026/01/02/{ACCOUNTS[0]}_{kind}_us-east-1_20260102T0310Z_{number:08d}.json.gz"
    return Object(key, encode(shape, listed, draw), shape, listed)


def records(seed, number, shape):
    """The records of object `number`, the same whoever asks."""
    draw = random.Random(f"{seed}/records/{number}")
    if shape in ("empty", "digest", "no trail"):
        return []
    # An object that repeats another one takes the small number of records: the same ids, perhaps fewer of them.
    count = draw.randint(*(MANY_RECORDS if shape == "large" else SOME_RECORDS))
    draw = random.Random(f"{seed}/record/{number}")
    return [record(draw, f"{seed}-{number:05d}-{place:04d}", place) for place in range(count)]


def record(draw, event, place):
    """A record of one of two accounts; two records that stand together share an event id and are events of their own."""
    account = ACCOUNTS[place % 2]
    return {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "principalId": "AIDAEXAMPLE", "accountId": account, "userName": "alice"},
        "eventTime": f"2026-01-02T03:{draw.randrange(60):02d}:{draw.randrange(60):02d}Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": draw.choice(["DescribeInstances", "RunInstances", "ConsoleLogin", "GetObject", DROPPED_EVENT]),
        "awsRegion": "us-east-1",
        "sourceIPAddress": f"192.0.2.{draw.randrange(256)}",
        "userAgent": "aws-cli/2.18.17",
        "requestParameters": {"instanceId": f"i-{draw.randrange(1 << 64):016x}", "token": f"{draw.randrange(1 << 256):064x}"},
        "responseElements": None,
        "requestID": f"request-{event}",
        "eventID": event if place % 10 else event[:-1] + "1",
        "readOnly": True,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }


def encode(shape, listed, draw):
    """The bytes of an object."""
    if shape == "no trail":
        return b"this is no trail, although it is called one\n" * draw.randint(1, 50)
    if shape == "digest":
        return gzip.compress(b'{"awsAccountId": "111122223333", "logFiles": []}', mtime=0)
    texts = [json.dumps(it) for it in listed]
    if shape == "one broken record":
        texts.insert(len(texts) // 2, '{"eventID": "broken", "eventName": nul}')
    text = ('{"Records": [' + ",".join(texts) + "]}").encode()
    if shape == "not compressed":
        return text
    if shape == "two gzip members":
        middle = draw.randrange(len(text))
        return gzip.compress(text[:middle], 1, mtime=0) + gzip.compress(text[middle:], 1, mtime=0)
    packed = gzip.compress(text, 1, mtime=0)
    if shape == "wrong checksum":
        # The last eight bytes are checksum and length.
        return packed[:-8] + bytes([packed[-8] ^ 0xFF]) + packed[-7:]
    return packed


def notification(bucket, keys):
    """An announcement of several objects, as a bucket makes it."""
    common = {"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventName": "ObjectCreated:Put"}
    return json.dumps({"Records": [{**common, "s3": {"bucket": {"name": bucket}, "object": {"key": key}}} for key in keys]})
