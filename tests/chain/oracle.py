"""What `trailship validate` must find in a world that was spoilt, and what it must not, told from what lies in the bucket before
and after, not from how the program goes about it.
"""

import copy
import datetime
import json
import zlib

from chain import HOUR, UTC
from tampering import STRANGER

MINUTE = datetime.timedelta(minutes=1)
INVALID = {
    *("digest_missing", "digest_malformed", "digest_trailing_data", "digest_moved", "digest_inconsistent", "digest_unsigned"),
    *("digest_signature_wrong", "digest_algorithm", "digest_key_unknown", "digest_key_expired", "digest_key_fingerprint"),
    *("chain_hash_mismatch", "chain_signature_mismatch", "chain_orphan", "chain_loop", "chain_rewritten"),
    *("log_missing", "log_altered", "log_malformed", "log_trailing_data", "log_cut"),
}
UNCOVERED = {"gap", "head_uncovered", "tail_uncovered", "no_digests"}


class Digest:
    """A digest as it was written."""

    def __init__(self, world, name, backfill):
        value = json.loads(world.text(name))
        self.name, self.backfill = name, backfill
        self.start, self.end = moment(value["digestStartTime"]), moment(value["digestEndTime"])
        self.previous = value["previousDigestS3Object"] and (value["previousDigestS3Bucket"], value["previousDigestS3Object"])
        self.logs = [(entry["s3Bucket"], entry["s3Object"]) for entry in value["logFiles"]]
        self.next = self.state = None


    def jumps(self, truth):
        """Whether it does not start where the digest before it ends."""
        return not self.backfill and self.previous is not None and truth.digests[self.previous].end != self.start


class Truth:
    """A world before anything is done to it; `copies` and `foreign` are names put beside what CloudTrail writes."""

    def __init__(self, world):
        self.world, self.copies, self.foreign = world, [], []
        self.before = copy.deepcopy(world.objects)
        self.digests = {name: Digest(world, name, False) for name in world.digests}
        self.digests |= {name: Digest(world, name, True) for name in world.backfills}
        for digest in self.digests.values():
            if digest.previous:
                self.digests[digest.previous].next = digest

    def is_there(self, start, end):
        """Whether a digest of the window can be known."""
        return bool(Judge(self, start, end, {"findings": []}, None).known)

    def judge(self, start, end, chain, code):
        """Faults of a report about the window, in which `chain` is the only one."""
        return Judge(self, start, end, chain, code).faults()


class Judge:
    def __init__(self, truth, start, end, chain, code):
        self.truth, self.world, self.start, self.end = truth, truth.world, start, end
        self.chain, self.code, self.findings, self.wrong = chain, code, chain["findings"], []
        for digest in truth.digests.values():
            digest.state = self.digest_state(digest.name)
        self.known = self.reached()
        self.touched = [digest for digest in truth.digests.values() if digest.state != "intact"]
        self.sound = [digest for digest in self.known if digest.state == "intact"]

    def faults(self):
        for digest in self.truth.digests.values():
            self.must_find(digest)
        self.must_find_unlisted()
        for name in self.truth.copies:
            if self.start <= stamped(name) <= self.end and self.is_listed(name) and name[0] == self.world.bucket:
                self.expect(INVALID, name)
        for finding in self.findings:
            if not self.is_true(finding):
                self.wrong.append(f"false: {json.dumps(finding)}")
        if not self.touched and not self.truth.copies and all(self.log_state(log) == "intact" for log in self.logs()):
            self.nothing_was_done()
        self.codes()
        return self.wrong

    # --- what is there -----------------------------------------------------------------------------------------------------

    def digest_state(self, name):
        """`authentic`: spoilt, but its content is proved; `resigned`: another one that proves itself."""
        if not self.world.has(name):
            return "gone"
        before, after = self.truth.before[name[0]][name[1]], self.world.at(name)
        (was, _, _), (text, whole, trailing) = inflated(before.body), inflated(after.body)
        told = [{**item.metadata, "signature": item.metadata.get("signature", "").lower()} for item in (before, after)]
        if text == was and whole and told[0] == told[1]:
            return "authentic" if trailing else "intact"
        if not whole or trailing:
            return "broken"
        if text == was:
            return "authentic" if told[0]["signature"] == told[1]["signature"] and not self.untimed(name) else "broken"
        return "resigned" if self.is_resigned(name, text, told[1]) else "broken"

    def untimed(self, name):
        return self.truth.digests[name].backfill and "backfill-generation-timestamp" not in self.world.at(name).metadata

    def is_resigned(self, name, text, told):
        try:
            value = json.loads(text)
            signer = self.world.signers[name]
            moment(value["digestStartTime"])
            end = moment(value["digestEndTime"])
            return (
                signer is not STRANGER
                and signer.start <= end <= signer.end
                and told["signature"] == self.world.signature(value, text.decode(), signer)
                and told.get("signature-algorithm") == value["digestSignatureAlgorithm"] == "SHA256withRSA"
                and value["digestPublicKeyFingerprint"] == signer.fingerprint
                and (value["digestS3Bucket"], value["digestS3Object"]) == name
                and value["awsAccountId"] == self.world.account
                and isinstance(value["logFiles"], list)
                and not self.untimed(name)
            )
        except (ValueError, KeyError, TypeError):
            return False

    def log_state(self, name):
        if not self.world.has(name):
            return "gone"
        was, _, _ = inflated(self.truth.before[name[0]][name[1]].body)
        text, whole, trailing = inflated(self.world.at(name).body)
        return "intact" if text == was and whole and not trailing else "broken"

    def logs(self):
        return [log for digest in self.truth.digests.values() for log in digest.logs]

    def reached(self):
        """Digests that have to be known: listed, and those to which proved ones lead."""
        known, open_, buckets = [], [], []

        def learn(digest):
            if digest not in known and digest.state != "gone":
                known.append(digest)
                open_.append(digest)

        def listed(bucket):
            if bucket in buckets:
                return
            buckets.append(bucket)
            for digest in self.truth.digests.values():
                if digest.name[0] == bucket and self.is_listed(digest.name) and self.start <= digest.end <= self.end + HOUR:
                    learn(digest)

        listed(self.world.bucket)
        while open_:
            digest = open_.pop()
            if digest.state in ("intact", "authentic") and digest.start >= self.start and digest.previous:
                learn(self.truth.digests[digest.previous])
                listed(digest.previous[0])
        return known

    def is_listed(self, name):
        return name[1].startswith(self.world.folder("CloudTrail-Digest", self.start)[:-10])

    # --- what must be found ------------------------------------------------------------------------------------------------

    def must_find(self, digest):
        if not (digest.start < self.end and digest.end > self.start):
            return
        after = digest.next
        told = after and after in self.known and after.state in ("intact", "authentic")
        if digest.state == "gone":
            if told and after.start >= self.start:
                self.expect({"digest_missing"}, digest.name, digest)
            elif not digest.backfill and not self.is_at_the_head(digest) and not self.is_twisted():
                self.expect(UNCOVERED | {"digest_missing"}, None, digest)
        elif digest in self.known:
            if digest.state in ("broken", "authentic"):
                self.expect(INVALID, digest.name)
            elif digest.state == "resigned" and told:
                self.expect({"chain_hash_mismatch"}, digest.name)
        if digest in self.known and digest.state in ("intact", "authentic"):
            for log in digest.logs:
                state = self.log_state(log)
                if state != "intact":
                    self.expect({"log_missing"} if state == "gone" else INVALID - {"log_missing"}, log)

    def is_twisted(self):
        """Digests overlap: time is covered by others too."""
        spans = sorted((digest.start, digest.end) for digest in self.truth.digests.values() if not digest.backfill)
        return bool(self.truth.copies) or any(later[0] < sooner[1] for sooner, later in zip(spans, spans[1:]))

    def is_at_the_head(self, digest):
        """A chain may begin up to an hour after the start of the window."""
        older = [other for other in self.known if not other.backfill and other.end <= digest.start]
        rest = [other for other in self.known if not other.backfill and other.start >= digest.end]
        begins = [other.start if other.state in ("intact", "authentic") else other.end - HOUR for other in rest]
        return not older and bool(rest) and min(begins) <= self.start + HOUR

    def must_find_unlisted(self):
        known = {log for digest in self.truth.digests.values() for log in digest.logs}
        folder = self.world.folder("CloudTrail", self.start)[:-10]
        for bucket, key in [(self.world.bucket, key) for key in self.world.objects[self.world.bucket]]:
            if not key.startswith(folder) or (bucket, key) in known:
                continue
            time = datetime.datetime.strptime(key.split("_")[-2], "%Y%m%dT%H%MZ").replace(tzinfo=UTC)
            spans = sorted((max(d.start, self.start), min(d.end, self.end)) for d in self.sound if not d.backfill)
            if covers(spans, time, time + MINUTE):
                self.expect({"log_unlisted"}, (bucket, key))

    def expect(self, kinds, name, digest=None):
        """A finding of one of the kinds about the object, or about the time of the digest."""
        found = [finding for finding in self.findings if finding["kind"] in kinds]
        named = [finding for finding in found if name and finding.get("object") == path(name)]
        if not named and not (digest and any(self.spans(finding, digest) for finding in found)):
            self.wrong.append(f"not found: {' or '.join(sorted(kinds))} of {(name or digest.name)[1]}")

    def spans(self, finding, digest):
        """The finding's period covers the digest's time inside the window; one about a whole scope has none."""
        if "period" not in finding:
            return finding["kind"] == "no_digests"
        first, last = map(moment, finding["period"])
        return first <= max(digest.start, self.start) + MINUTE and last + MINUTE >= min(digest.end, self.end)

    # --- what must not be found --------------------------------------------------------------------------------------------

    def is_true(self, finding):
        kind, name = finding["kind"], finding.get("object")
        digest = next((digest for digest in self.truth.digests.values() if path(digest.name) == name), None)
        if kind == "log_unlisted":
            intact = [digest for digest in self.truth.digests.values() if digest.state == "intact"]
            return not any(path(log) == name for digest in intact for log in digest.logs)
        if kind.startswith("log_"):
            states = [self.log_state(log) for log in self.logs() if path(log) == name]
            return bool(states) and states[0] == ("gone" if kind == "log_missing" else "broken")
        if kind == "digest_missing":
            # A digest in the place of one in another bucket is taken for part of a copy.
            copied = any(digest.name[1] == name.split("/", 3)[3] for digest in self.truth.digests.values())
            return digest.state == "gone" and not self.is_covered(finding) if digest else copied and bool(self.touched)
        if name in map(path, self.truth.copies):
            return True
        if kind.startswith("digest_") or kind in ("chain_hash_mismatch", "chain_signature_mismatch"):
            return digest is not None and digest.state != "intact"
        if kind in UNCOVERED:
            return not self.is_covered(finding)
        if kind == "chain_restarted":
            return digest is not None and (digest.previous is None or digest.state != "intact")
        if kind == "chain_discontinuity" and digest and digest.jumps(self.truth):
            return True
        if kind == "chain_orphan" and digest and digest.next is None:
            return True
        if kind in ("chain_orphan", "chain_loop", "chain_discontinuity"):
            return bool(self.touched or self.truth.copies)
        if kind in ("foreign_trail", "foreign_object"):
            return name in map(path, self.truth.foreign)
        return False

    def is_covered(self, finding):
        if "period" not in finding:
            return bool([digest for digest in self.sound if not digest.backfill])
        first, last = map(moment, finding["period"])
        return any(digest.start < last and digest.end > first for digest in self.sound if not digest.backfill)

    def nothing_was_done(self):
        """Then even the kinds are known."""
        kinds, nodes = set(), sorted((d for d in self.known if not d.backfill), key=lambda d: d.end)
        for older, digest in zip([None, *nodes], nodes):
            if digest.previous is None and older:
                kinds.add("gap" if older.end < digest.start else "chain_restarted")
            elif digest.previous is None and digest.start > self.start + HOUR:
                kinds.add("head_uncovered")
            if digest.jumps(self.truth) and self.truth.digests[digest.previous] in nodes:
                kinds.add("chain_discontinuity")
            twins = [other for other in nodes if other.previous == digest.previous and other.end < digest.end]
            if digest.previous and twins and self.truth.digests[digest.previous] in nodes:
                kinds.add("chain_orphan")
        if not nodes:
            kinds.add("no_digests")
        elif nodes[-1].end < self.end:
            kinds.add("tail_uncovered")
        found = {finding["kind"] for finding in self.findings} - {"log_unlisted", "foreign_trail", "foreign_object"}
        if found != kinds:
            self.wrong.append(f"nothing was done: expected {sorted(kinds)}, found {sorted(found)}")
        count = self.chain["digests"]
        if not count["found"] == count["valid"] == len(self.known):
            self.wrong.append(f"{len(self.known)} digests, but {count}")
        count, logs = self.chain["log_files"], sum(len(digest.logs) for digest in self.known)
        if not count["found"] == count["valid"] == logs:
            self.wrong.append(f"{logs} log files, but {count}")

    def codes(self):
        kinds = {finding["kind"] for finding in self.findings} - {"chain_restarted"}
        nothing = self.chain["digests"]["found"] == 0
        expected = 1 if kinds & INVALID else 5 if "unreadable" in kinds else 4 if nothing else 3 if kinds else 0
        if self.code is not None and self.code != expected:
            self.wrong.append(f"exit code {self.code}, expected {expected}")


def moment(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def stamped(name):
    text = name[1].removesuffix(".json.gz").removesuffix("_backfill")[-16:]
    return datetime.datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def path(name):
    return f"s3://{name[0]}/{name[1]}"


def covers(spans, first, last):
    """Whether spans in order leave nothing of the time between out."""
    for start, end in spans:
        if start <= first < end:
            first = end
    return first >= last


def inflated(body):
    """The text of the first gzip member, whether it has an end, and whether anything follows."""
    member = zlib.decompressobj(31)
    try:
        text = member.decompress(body)
    except zlib.error:
        return None, False, False
    return text, member.eof, bool(member.unused_data)
