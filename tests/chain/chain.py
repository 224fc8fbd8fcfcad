"""Writes what CloudTrail writes: log files, hourly digests, backfill digests, signed by keys that are made here.

A `World` is one trail's part of a bucket, held in memory: build it, spoil it, put it into a real bucket with `upload`.
The formats are those of the page "CloudTrail digest file structure" of the AWS user guide.
"""

import base64
import datetime
import gzip
import hashlib
import json

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

UTC = datetime.timezone.utc
HOUR = datetime.timedelta(hours=1)
# The first hour of a chain starts here unless told otherwise; digests start at a trail's own minute and second.
BEGIN = datetime.datetime(2025, 3, 1, 0, 0, 31, tzinfo=UTC)


def display(time):
    """As a digest writes it; a text, as a scenario may give it, stays."""
    return time if isinstance(time, str) else time.strftime("%Y-%m-%dT%H:%M:%SZ")


def stamp(time):
    return time.strftime("%Y%m%dT%H%M%SZ")


class Key:
    """A signing key as ListPublicKeys shows it."""

    def __init__(self, start=BEGIN - 48 * HOUR, end=BEGIN + 28 * 24 * HOUR, form="pkcs1", fingerprint=None):
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        encoding = serialization.Encoding.DER
        shape = serialization.PublicFormat.PKCS1 if form == "pkcs1" else serialization.PublicFormat.SubjectPublicKeyInfo
        self.der = self.private.public_key().public_bytes(encoding, shape)
        self.fingerprint = fingerprint or hashlib.md5(self.der).hexdigest()
        self.start, self.end = start, end

    def listed(self):
        return {
            "Value": base64.b64encode(self.der).decode(),
            "Fingerprint": self.fingerprint,
            "ValidityStartTime": int(self.start.timestamp()),
            "ValidityEndTime": int(self.end.timestamp()),
        }

    def sign(self, text, algorithm=None):
        return self.private.sign(text.encode(), padding.PKCS1v15(), algorithm or hashes.SHA256()).hex()


class Object:
    def __init__(self, body, metadata=None):
        self.body, self.metadata = body, metadata or {}


class World:
    """One account's digests and log files in one region, by one trail."""

    def __init__(
        self,
        bucket,
        key,
        account="111122223333",
        region="us-east-1",
        home="us-east-1",
        trail="main",
        prefix="",
        org="",
        begin=BEGIN,
        partition="aws",
    ):
        self.bucket, self.key, self.account, self.region = bucket, key, account, region
        self.home, self.trail, self.prefix, self.org, self.begin = home, trail, prefix, org, begin
        self.partition = partition
        self.objects = {bucket: {}}
        self.digests = []  # names, oldest first
        self.backfills = []
        self.logs = []
        self.previous = None
        self.signing = hashes.SHA256()
        self.signers, self.ends = {}, {}  # of each digest

    @property
    def arn(self):
        return f"arn:{self.partition}:cloudtrail:{self.home}:{self.account}:trail/{self.trail}"

    def hour(self, n):
        return self.begin + n * HOUR

    def folder(self, kind, time):
        parts = [self.prefix, "AWSLogs", self.org, self.account, kind, self.region, time.strftime("%Y/%m/%d")]
        return "/".join(part for part in parts if part)

    def log(self, time, text=None, bucket=None, name=None):
        """A log file delivered at `time`; its entry in a digest."""
        unique = hashlib.sha256(f"{self.bucket} {self.region} {len(self.logs)}".encode()).hexdigest()[:16]
        name = name or f"{self.account}_CloudTrail_{self.region}_{time.strftime('%Y%m%dT%H%MZ')}_{unique}.json.gz"
        key = f"{self.folder('CloudTrail', time)}/{name}"
        text = text if text is not None else json.dumps({"Records": [self.record(unique, time)]})
        bucket = bucket or self.bucket
        self.put(bucket, key, gzip.compress(text.encode(), mtime=0))
        self.logs.append((bucket, key))
        return {
            "s3Bucket": bucket,
            "s3Object": key,
            "hashValue": hashlib.sha256(text.encode()).hexdigest(),
            "hashAlgorithm": "SHA-256",
            "newestEventTime": display(time),
            "oldestEventTime": display(time),
        }

    def record(self, unique, time):
        """An event that can be shipped."""
        return {
            "eventVersion": "1.11",
            "eventID": unique,
            "eventTime": display(time),
            "eventSource": "sts.amazonaws.com",
            "eventName": "GetCallerIdentity",
            "eventType": "AwsApiCall",
            "awsRegion": self.region,
            "recipientAccountId": self.account,
        }

    def digest(self, n, logs=1, change=None, bucket=None, start=None, end=None, key=None, backfill=None, signed_by=None):
        """The digest of the `n`th hour; `change` alters its members before it is signed. `backfill`: when it was made."""
        start, end = start or self.hour(n), end or self.hour(n + 1)
        bucket, signer = bucket or self.bucket, signed_by or self.key
        tail = "_backfill" if backfill else ""
        name = f"{self.account}_CloudTrail-Digest_{self.region}_{self.trail}_{self.home}_{stamp(end)}{tail}.json.gz"
        name = key or f"{self.folder('CloudTrail-Digest', end)}/{name}"
        entries = [self.log(start + (end - start) * (i + 1) / (logs + 1), bucket=bucket) for i in range(logs)]
        before = self.previous or {}
        value = {
            "awsAccountId": self.account,
            "digestStartTime": display(start),
            "digestEndTime": display(end),
            "digestS3Bucket": bucket,
            "digestS3Object": name,
            "digestPublicKeyFingerprint": signer.fingerprint,
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": entries[-1]["newestEventTime"] if entries else None,
            "oldestEventTime": entries[0]["oldestEventTime"] if entries else None,
            "previousDigestS3Bucket": before.get("bucket"),
            "previousDigestS3Object": before.get("key"),
            "previousDigestHashValue": before.get("hash"),
            "previousDigestHashAlgorithm": before and "SHA-256" or None,
            "previousDigestSignature": before.get("signature"),
            "logFiles": entries,
        }
        if change:
            value = change(value) or value
        text = json.dumps(value, separators=(",", ":"))
        signature = self.signature(value, text, signer)
        metadata = {"signature": signature, "signature-algorithm": "SHA256withRSA"}
        if backfill:
            metadata["backfill-generation-timestamp"] = display(backfill)
        self.put(bucket, name, gzip.compress(text.encode(), mtime=0), metadata)
        self.previous = {
            "bucket": bucket,
            "key": name,
            "hash": hashlib.sha256(text.encode()).hexdigest(),
            "signature": signature,
        }
        (self.backfills if backfill else self.digests).append((bucket, name))
        self.signers[bucket, name], self.ends[bucket, name] = signer, end
        return value

    def signature(self, value, text, signer):
        if not isinstance(value, dict):
            return "00"
        hashed = hashlib.sha256(text.encode()).hexdigest()
        previous = value.get("previousDigestSignature")
        end, bucket, key = (value.get(name) for name in ("digestEndTime", "digestS3Bucket", "digestS3Object"))
        return signer.sign(f"{end}\n{bucket}/{key}\n{hashed}\n{previous if previous is not None else 'null'}", self.signing)

    def hours(self, count, first=0, **options):
        for n in range(first, first + count):
            self.digest(n, **options)
        return self

    def restart(self):
        """The next digest starts a chain."""
        self.previous = None

    def backfill_chain(self, ends, made=BEGIN + 12 * HOUR, **options):
        """Backfill digests of the hours that end with hour `n`, a chain of their own."""
        kept, self.previous = self.previous, None
        for n in ends:
            self.digest(n - 1, backfill=made, **options)
        self.previous = kept

    def put(self, bucket, key, body, metadata=None):
        self.objects.setdefault(bucket, {})[key] = Object(body, metadata)

    # How things are spoilt. `name` is (bucket, key).

    def remove(self, *names):
        for bucket, key in names:
            del self.objects[bucket][key]

    def has(self, name):
        return name[1] in self.objects.get(name[0], {})

    def at(self, name):
        return self.objects[name[0]][name[1]]

    def text(self, name):
        return gzip.decompress(self.at(name).body).decode()

    def rewrite(self, name, change):
        """Changes the text of an object and leaves its metadata."""
        self.at(name).body = gzip.compress(change(self.text(name)).encode(), mtime=0)

    def resign(self, name, change, signer=None):
        """Changes a digest and signs it anew, as only the holder of the key could."""
        value = json.loads(self.text(name))
        value = change(value) or value
        self.resign_text(name, json.dumps(value, separators=(",", ":")), signer)

    def resign_text(self, name, text, signer=None):
        """Puts another text in a digest's place and signs it."""
        value = json.loads(text)
        self.at(name).body = gzip.compress(text.encode(), mtime=0)
        self.at(name).metadata["signature"] = self.signature(value, text, signer or self.signers[name])


def upload(s3, worlds):
    """Puts the objects of all worlds into real buckets."""
    for world in worlds:
        for bucket, objects in world.objects.items():
            s3.create_bucket(Bucket=bucket)
            for key, item in objects.items():
                s3.put_object(Bucket=bucket, Key=key, Body=item.body, Metadata=item.metadata)
