#!/usr/bin/env python3
"""Writes the sample trail: AWSLogs/, expected.json and README.md. Everything depends on this file and those it imports alone.

    generate.py            write
    generate.py --check    compare with what is there; exit status 1 if it differs

Objects are compared by their contents: their gzip bytes may differ with the zlib that Python was linked with.
"""

import argparse
import gzip
import hashlib
import json
import shutil
import sys
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path

sys.dont_write_bytecode = True  # leaves no folders in the tree

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "corpus"))

import generate as corpus
import place as organization
from draw import ALNUM, Draw
from readme import readme
from scenes import story

ORGANIZATION, BUCKET, TRAIL = "o-exampleorg", "acme-cloudtrail-logs", "organization-trail"
START = datetime(2026, 3, 2, 22, tzinfo=timezone.utc)
SLOT = timedelta(minutes=30)
SLOTS = 8
# Events of the background in one slot, by account, and the share of it by region.
ACCOUNTS = {organization.MANAGEMENT: 14, organization.PRODUCTION: 46, organization.DEVELOPMENT: 26, organization.SECURITY: 16}
REGIONS = {"us-east-1": 1.5, "eu-west-1": 1.0, "ap-southeast-2": 0.6}
# Sign-ins, insights and network activity come from the scenes.
MIX = [entry for entry in corpus.MIX if entry[0] not in ("signin:ConsoleLogin", "insight", "vpce:NetworkActivity")]
FOLDERS = {
    "Management": "CloudTrail",
    "Data": "CloudTrail",
    "Insight": "CloudTrail-Insight",
    "NetworkActivity": "CloudTrail-NetworkActivity",
}
# The kind of an object by its folder, in the order of the README.
KINDS = {
    "CloudTrail": "log",
    "CloudTrail-Insight": "insight",
    "CloudTrail-NetworkActivity": "network_activity",
    "CloudTrail-Digest": "digest",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    objects = trail()
    expected = count(objects)
    texts = {"expected.json": json.dumps(expected, indent=2, ensure_ascii=False) + "\n", "README.md": readme(expected)}
    if options.check:
        return check(objects, texts)
    shutil.rmtree(HERE / "AWSLogs", ignore_errors=True)
    for key, data in objects.items():
        (HERE / key).parent.mkdir(parents=True, exist_ok=True)
        (HERE / key).write_bytes(corpus.gzipped(data, 9))
    for name, text in texts.items():
        (HERE / name).write_text(text)
    return 0


def trail():
    """Every object of the trail: key and uncompressed bytes."""
    places = {}
    for account in ACCOUNTS:
        ids = None
        for region in REGIONS:
            place = places[account, region] = organization.Place(Draw(f"samples/{account}/{region}"), account, region, START, ids)
            ids = place.role_ids, place.user_ids
    events = {place: background(place, ACCOUNTS[place.account] * REGIONS[place.region]) for place in places.values()}
    for place, record in story(places):
        events[place].append(record)
    objects = {}
    for n, (place, records) in enumerate(events.items()):
        delivered = deliver(place, records, timedelta(minutes=3 + n % 5))
        objects |= {key: data for key, (_, data) in delivered.items()}
        objects |= digests(place, {key: value for key, value in delivered.items() if "/CloudTrail/" in key})
    return objects


def background(place, per_slot):
    """What runs all day, without anybody's doing."""
    records = []
    for slot in range(SLOTS):
        place.t0 = START + slot * SLOT
        events = corpus.stream(place, MIX, int(SLOT.total_seconds()) - 1)
        records += [next(events)[1] for _ in range(int(per_slot * place.r.rng(80, 120) / 100))]
    place.t0 = START
    return records


def deliver(place, records, delay):
    """The objects that hold a place's records: key, time of delivery and uncompressed bytes. One object comes twice."""
    batches = {}
    for record in sorted(records, key=lambda record: record["eventTime"]):
        slot = (time(record["eventTime"]) - START) // SLOT
        batches.setdefault((slot, FOLDERS[record["eventCategory"]]), []).append(record)
    delivered = {}
    for (slot, folder), batch in sorted(batches.items()):
        data = corpus.compact({"Records": batch}).encode()
        at = START + (slot + 1) * SLOT + delay
        times = [at]
        if (place.account, place.region, slot, folder) == (organization.PRODUCTION, "eu-west-1", 3, "CloudTrail"):
            times.append(at + timedelta(minutes=4))
        for at in times:
            name = f"{place.account}_{folder}_{place.region}_{at:%Y%m%dT%H%MZ}_{place.r.chars(ALNUM, 16)}.json.gz"
            delivered[f"{folder_of(place, folder, at)}/{name}"] = at, data
    return delivered


def digests(place, logs):
    """The chain of hourly digests over the log objects of a place. The signatures are placeholders, all hashes are real."""
    chain, previous = {}, None
    end = START + timedelta(minutes=17, seconds=42)
    while previous is None or end <= START + SLOTS * SLOT + timedelta(hours=1):
        start = end - timedelta(hours=1)
        files = [log_file(key, data) for key, (at, data) in sorted(logs.items()) if start < at <= end]
        newest, oldest = [file["newestEventTime"] for file in files], [file["oldestEventTime"] for file in files]
        name = f"{place.account}_CloudTrail-Digest_{place.region}_{TRAIL}_{organization.HOME}_{end:%Y%m%dT%H%M%SZ}.json.gz"
        key = f"{folder_of(place, 'CloudTrail-Digest', end)}/{name}"
        digest = {
            "awsAccountId": place.account,
            "digestStartTime": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "digestEndTime": f"{end:%Y-%m-%dT%H:%M:%SZ}",
            "digestS3Bucket": BUCKET,
            "digestS3Object": key,
            "digestPublicKeyFingerprint": hashlib.md5(f"sample key of {place.region}".encode()).hexdigest(),
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": max(newest, default=None),
            "oldestEventTime": min(oldest, default=None),
            "previousDigestS3Bucket": previous and BUCKET,
            "previousDigestS3Object": previous,
            "previousDigestHashValue": previous and sha256(chain[previous]),
            "previousDigestHashAlgorithm": previous and "SHA-256",
            "previousDigestSignature": previous and placeholder_signature(chain[previous]),
            "logFiles": files,
        }
        chain[key] = corpus.compact(digest).encode()
        previous, end = key, end + timedelta(hours=1)
    return chain


def log_file(key, data):
    times = [record["eventTime"] for record in json.loads(data)["Records"]]
    return {
        "s3Bucket": BUCKET,
        "s3Object": key,
        "hashValue": sha256(data),
        "hashAlgorithm": "SHA-256",
        "newestEventTime": max(times),
        "oldestEventTime": min(times),
    }


def placeholder_signature(data):
    """512 hexadecimal digits, as long as a real signature; no key ever signed anything."""
    return "".join(sha256(b"%d placeholder " % n + data) for n in range(8))


def folder_of(place, folder, at):
    return f"AWSLogs/{ORGANIZATION}/{place.account}/{folder}/{place.region}/{at:%Y/%m/%d}"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def time(text):
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)


def count(objects):
    """What a shipper must find. An event is known by eventID and recipientAccountId; each digest is one document."""
    kinds = Counter(KINDS[key.split("/")[3]] for key in objects)
    records = [record for key, data in objects.items() if "/CloudTrail-Digest/" not in key for record in json.loads(data)["Records"]]
    distinct = {(record["eventID"], record["recipientAccountId"]): record for record in records}
    events = list(distinct.values())
    actions = Counter(event["eventName"] for event in events if "eventName" in event)
    sign_ins = [event for event in events if event.get("eventName") == "ConsoleLogin"]
    failed = [event for event in sign_ins if event["responseElements"]["ConsoleLogin"] == "Failure"]
    shared = Counter(
        event["sharedEventID"] for event in events if event["eventCategory"] in ("Management", "Data") and "sharedEventID" in event
    )
    return {
        "objects": len(objects),
        "objects_by_kind": {kind: kinds[kind] for kind in KINDS.values()},
        "records": len(records) + kinds["digest"],
        "documents": len(distinct) + kinds["digest"],
        "duplicates": len(records) - len(distinct),
        "distinct_events": len(distinct),
        "events_by_category": dict(sorted(Counter(event["eventCategory"] for event in events).items())),
        "events_by_type": dict(sorted(Counter(event["eventType"] for event in events).items())),
        "events_by_account": dict(sorted(Counter(event["recipientAccountId"] for event in events).items())),
        "events_with_error_code": sum("errorCode" in event for event in events),
        "cross_account_pairs": sum(n == 2 for n in shared.values()),
        "sign_ins": len(sign_ins),
        "sign_ins_without_mfa": sum(event["additionalEventData"]["MFAUsed"] == "No" for event in sign_ins if event not in failed),
        "failed_sign_ins": len(failed),
        "top_actions": [
            {"action": action, "count": n} for action, n in sorted(actions.items(), key=lambda entry: (-entry[1], entry[0]))[:5]
        ],
        "first_event": min(event["eventTime"] for event in events),
        "last_event": max(event["eventTime"] for event in events),
    }


def check(objects, texts):
    wrong = [name for name, text in texts.items() if not (HERE / name).exists() or (HERE / name).read_text() != text]
    found = {str(path.relative_to(HERE)): path for path in (HERE / "AWSLogs").rglob("*") if path.is_file()}
    wrong += sorted(objects.keys() ^ found.keys())
    wrong += [key for key, data in objects.items() if key in found and gzip.decompress(found[key].read_bytes()) != data]
    for name in wrong[:20]:
        print(f"samples/{name} is not what samples/generate.py writes", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
