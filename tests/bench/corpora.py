"""What is measured with: folders of objects, made once and kept in `.state/`.

Each holds one object below `warm/` and the load below `load/`, both with the keys of a trail. The load is made by the
corpus generator; larger objects repeat its records with fresh event ids, so that every record is an event of its own.
"""

import json
import re
import sys
import zlib
from dataclasses import dataclass
from gzip import decompress
from itertools import count, cycle
from pathlib import Path

import state

GENERATOR = state.ROOT / "tests" / "corpus" / "generate.py"
SEED = 42
WARM_SEED = 7
HEAD, TAIL = b'{"Records":[', b"]}"
EVENT_ID = re.compile(rb'"eventID":"[0-9a-f]{8}')


@dataclass
class Corpus:
    """A folder and what its load comes to."""

    name: str
    folder: Path
    objects: int
    records: int
    text_bytes: int
    stored_bytes: int


def generated(files, megabytes):
    """`files` objects of so many megabytes (10^6 bytes) of text, from the generator alone."""

    def build(folder):
        generate(folder / "warm", 1, 1, WARM_SEED)
        generate(folder / "load", files, megabytes, SEED)
        write_totals(folder, [describe(path) for path in objects_in(folder / "load")])

    return kept(f"{files} objects of {megabytes} MB", "bench-corpus", [files, megabytes], build)


def enlarged(name, base, objects, text_bytes=0, stored_bytes=0, records=0):
    """`objects` objects of at least so many bytes of text, bytes in the bucket and records, from the records of `base`."""

    def build(folder):
        generate(folder / "warm", 1, 1, WARM_SEED)
        sources = cycle([records_of(path) for path in objects_in(base.folder / "load")])
        laps = count(1)
        totals = []
        for number in range(objects):
            path = folder / "load" / key(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            totals.append(write_repeated(path, sources, laps, (text_bytes, stored_bytes, records)))
        write_totals(folder, totals)

    return kept(name, "bench-large", [base.folder.name, objects, text_bytes, stored_bytes, records], build)


def objects_in(folder):
    return sorted(folder.rglob("*.json.gz"))


def kept(name, kind, parameters, build):
    sources = [Path(__file__), *sorted(GENERATOR.parent.glob("*.py")), *parameters]
    folder = state.installation(kind, sources, build)
    totals = json.loads((folder / "totals.json").read_text())
    return Corpus(name, folder, **totals)


def generate(folder, files, megabytes, seed):
    command = [sys.executable, "-B", GENERATOR, "--out", folder, "--files", files, "--mb", megabytes, "--seed", seed]
    state.run(command)


def records_of(path):
    """The records of one object as bytes, without the envelope, and how many they are."""
    text = decompress(path.read_bytes())
    return text[len(HEAD):-len(TAIL)], len(json.loads(text)["Records"])


def describe(path):
    body, records = records_of(path)
    return {"records": records, "text_bytes": len(HEAD) + len(body) + len(TAIL), "stored_bytes": path.stat().st_size}


def write_repeated(path, sources, laps, least):
    """One object, written as a stream: each lap over some records gives their event ids another beginning.

    `least`: bytes of text, bytes in the bucket, records."""
    with open(path, "wb") as out:
        stream = GzipStream(out)
        stream.write(HEAD)
        records = 0
        while records == 0 or any(it < wanted for it, wanted in zip((stream.text_bytes, out.tell(), records), least)):
            body, more = next(sources)
            stream.write(b"," if records else b"")
            stream.write(EVENT_ID.sub(b'"eventID":"%08x' % next(laps), body))
            records += more
        stream.write(TAIL)
        stream.close()
        return {"records": records, "text_bytes": stream.text_bytes, "stored_bytes": out.tell()}


class GzipStream:
    """One gzip member, without name and time."""

    def __init__(self, out):
        self.out = out
        self.text_bytes = 0
        self.compressor = zlib.compressobj(6, zlib.DEFLATED, 31)

    def write(self, text):
        self.text_bytes += len(text)
        self.out.write(self.compressor.compress(text))

    def close(self):
        self.out.write(self.compressor.flush())


def key(number):
    place = "AWSLogs/111122223333/CloudTrail/us-east-1/2025/06/02"
    return f"{place}/111122223333_CloudTrail_us-east-1_20250602T0805Z_{number:016X}.json.gz"


def write_totals(folder, parts):
    totals = {"objects": len(parts)}
    totals.update({name: sum(part[name] for part in parts) for name in ("records", "text_bytes", "stored_bytes")})
    (folder / "totals.json").write_text(json.dumps(totals))
