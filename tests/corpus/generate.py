#!/usr/bin/env python3
"""Deterministic generator of realistic CloudTrail objects (.json.gz), for tests and benchmarks.

    generate.py --out DIR [--files 40] [--mb 5] [--seed 42] [--level 6] [--plain] [--start 2025-06-02T08:00:00Z] [--stats]

Every object is {"Records":[...]} on one line, compact, as CloudTrail writes it, for one account and one region, and named
as CloudTrail names it, below DIR/AWSLogs/ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/. The *uncompressed* bytes depend on seed,
files, mb and start only (the gzip bytes also on the zlib that Python was linked with). The contents of file i depend on
the seed and on i, not on how many files are made.

--stats prints, at the end, records, bytes a record (mean and quantiles), compression ratio and the mix of events.
--plain writes the uncompressed .json beside every .json.gz.
"""

import argparse
import gzip
import io
import json
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

sys.dont_write_bytecode = True  # leaves no folders in the tree

import compute
import identity
import other
import storage
from draw import ALNUM, Draw
from world import ACCOUNTS, REGIONS, World

# Kind, weight, maker.
MIX = [
    ("s3:GetObject", 110, lambda w, o: storage.object_call(w, o, "GetObject", True)),
    ("s3:PutObject", 45, lambda w, o: storage.object_call(w, o, "PutObject", False)),
    ("s3:HeadObject", 30, lambda w, o: storage.object_call(w, o, "HeadObject", True)),
    ("s3:ListObjects", 30, lambda w, o: storage.object_call(w, o, "ListObjects", True)),
    ("kms:Decrypt", 140, storage.decrypt),
    ("kms:GenerateDataKey", 50, lambda w, o: storage.decrypt(w, o, "GenerateDataKey")),
    ("sts:AssumeRole", 110, identity.assume_role),
    ("sts:AssumeRoleWithWebIdentity", 25, identity.web_identity),
    ("ec2:DescribeInstances", 75, compute.describe_instances),
    ("*:Describe", 170, compute.describe),
    ("signin:ConsoleLogin", 4, identity.console_login),
    ("ec2:RunInstances", 5, compute.run_instances),
    ("ecs:RegisterTaskDefinition", 3, compute.task_definition),
    ("ec2:CreateNetworkInterface", 10, compute.network_interface),
    ("*:AccessDenied", 35, identity.denied),
    ("insight", 1, other.insight),
    ("kms:RotateKey", 2, other.service_event),
    ("lambda:Invoke", 45, storage.lambda_invoke),
    ("dynamodb:*", 40, storage.dynamodb),
    ("iam:policy", 6, identity.policy),
    ("ec2:AuthorizeSecurityGroupIngress", 4, compute.security_group),
    ("secretsmanager:GetSecretValue", 20, storage.secret),
    ("logs:CreateLogStream", 30, storage.log_stream),
    ("ssm:UpdateInstanceInformation", 16, compute.ssm),
    ("vpce:NetworkActivity", 4, other.network_activity),
]


def stream(world, mix, seconds=299):
    """Endless pairs of kind and record. Callers come in bursts: one session makes the same call many times over, and
    CloudTrail delivers those side by side; that is what makes real objects compress well."""
    r = world.r
    table = [entry for entry in mix for _ in range(entry[1])]
    kind, offset = None, 0
    while True:
        world.burst = kind is not None and r.p(0.72)
        if not world.burst:
            kind, offset = r.pick(table), r.n(seconds - 9)
            world.tls_on = r.p(0.5)
        name, _, make = kind
        offset = min(seconds, offset + (1 if r.p(0.2) else 0))
        yield name, make(world, offset)


def compact(value):
    """JSON as CloudTrail writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def gzipped(data, level):
    """One member without name and time, so that equal contents give equal bytes."""
    out = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=out, compresslevel=level, mtime=0) as member:
        member.write(data)
    return out.getvalue()


def one_file(seed, i, size, start):
    """Name, text, lengths of the records in bytes, and their kinds, for file `i` of about `size` bytes."""
    r = Draw(f"{seed}/{i}")
    account, region = ACCOUNTS[i % len(ACCOUNTS)], REGIONS[(i // len(ACCOUNTS)) % len(REGIONS)]
    t0 = start + timedelta(minutes=5 * (i // (len(ACCOUNTS) * len(REGIONS))))
    records, lengths, kinds = [], [], {}
    events = stream(World(r, account, region, t0), MIX)
    total = 14
    while total < size:
        kind, record = next(events)
        records.append(compact(record))
        lengths.append(len(records[-1].encode()))
        total += lengths[-1] + 1
        kinds[kind] = kinds.get(kind, 0) + 1
    folder = f"AWSLogs/{account}/CloudTrail/{region}/{t0:%Y/%m/%d}"
    name = f"{account}_CloudTrail_{region}_{t0 + timedelta(minutes=5):%Y%m%dT%H%MZ}_{r.chars(ALNUM, 16)}.json.gz"
    return f"{folder}/{name}", '{"Records":[' + ",".join(records) + "]}", lengths, kinds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--mb", type=float, default=5.0, help="uncompressed megabytes (10^6 bytes) a file")
    parser.add_argument("--seed", default="42")
    parser.add_argument("--level", type=int, default=6, help="gzip level")
    parser.add_argument("--start", default="2025-06-02T08:00:00Z")
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--stats", action="store_true")
    options = parser.parse_args()
    start = datetime.strptime(options.start, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    sizes, packed, kinds = [], 0, {}
    for i in range(options.files):
        name, text, lengths, mix = one_file(options.seed, i, int(options.mb * 1e6), start)
        data = gzipped(text.encode(), options.level)
        path = options.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        if options.plain:
            path.with_suffix("").write_bytes(text.encode())
        sizes += lengths
        packed += len(data)
        for kind, count in mix.items():
            kinds[kind] = kinds.get(kind, 0) + count
    if options.stats:
        print(json.dumps(statistics(options.files, sizes, packed, kinds), indent=1))


def statistics(files, sizes, packed, kinds):
    sizes.sort()
    count = len(sizes)
    raw = sum(sizes) + count - files + 14 * files
    quantiles = {"p10": 0.1, "p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}
    return {
        "files": files,
        "records": count,
        "uncompressed_bytes": raw,
        "gzip_bytes": packed,
        "ratio": round(raw / packed, 2),
        "bytes_per_record_mean": round(raw / count, 1),
        "gzip_bytes_per_record": round(packed / count, 1),
        **{name: sizes[min(count - 1, int(q * count))] for name, q in quantiles.items()},
        "max": sizes[-1],
        "mix": {kind: round(n / count, 4) for kind, n in sorted(kinds.items(), key=lambda entry: -entry[1])},
    }


if __name__ == "__main__":
    main()
