#!/usr/bin/env python3
"""The demo on real servers: the bucket fills the queue, trailship ships, the index is asked what it holds.

Environment: ENGINE (opensearch, elasticsearch, opensearch3 or elasticsearch9), TRAILSHIP (the binary). Called by `run.sh`.
Exit status: 0 the index holds what `samples/expected.json` says, 1 it does not or something failed, 2 wrong usage.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVERS = ROOT / "tests" / "servers" / "run"
BUCKET = Path(__file__).resolve().parent / "bucket.py"
ENGINES = ("opensearch", "elasticsearch", "opensearch3", "elasticsearch9")
STREAM = "logs-aws.cloudtrail-default"
SKIPPED = 3

CONFIG = """trailship.inputs:
  - type: aws-s3
    id: demo
    queue_url: {queue}
    endpoint: {aws}
    path_style: true
    region: us-east-1
    access_key_id: demo
    secret_access_key: demo
    sqs.wait_time: 1s
    cloudtrail_regex: '/CloudTrail(-NetworkActivity)?/'
    cloudtrail_insight_regex: '/CloudTrail-Insight/'
    cloudtrail_digest_regex: '/CloudTrail-Digest/'
output.elasticsearch:
  hosts: ['{search}']
path.data: {data}
"""


class Stop(Exception):
    """Interrupted: everything that was started is stopped on the way out."""


class Failed(Exception):
    """Something did not work; the text says what."""


class Unavailable(Exception):
    """The servers cannot be had here; the text says why."""


def main():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    engine = os.environ.get("ENGINE") or ENGINES[0]
    if engine not in ENGINES:
        say(f"ENGINE is `{engine}`; it can be {', '.join(ENGINES)}")
        return 2
    try:
        return demo(engine)
    except Stop:
        say("interrupted; all that was started is stopped")
        return 1
    except (Failed, OSError) as error:
        say(str(error))
        return 1
    except Unavailable as reason:
        script = str(Path(__file__).with_name("run.sh"))
        os.execvp("sh", ["sh", script, str(reason)])


def demo(engine):
    servers = [RealServer("aws"), RealServer("search", engine)]
    try:
        say(f"starting S3 and SQS (moto) and {engine}; the first time this downloads them")
        for server in servers:
            server.start()
        aws, search = (server.place() for server in servers)
        say(f"S3 and SQS at {aws['url']}, {engine} {search['version']} at {search['url']}")
        with tempfile.TemporaryDirectory(prefix="trailship-demo-") as folder:
            return ship(aws, search, Path(folder))
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for server in servers:
            server.stop()


def ship(aws, search, folder):
    say("creating bucket and queue, uploading the sample trail: the bucket notifies the queue")
    queue = bucket(aws, "fill", str(ROOT / "samples")).strip()
    config = folder / "trailship.yml"
    config.write_text(CONFIG.format(queue=queue, aws=aws["url"], search=search["url"], data=folder / "data"))
    config.chmod(0o600)
    say("trailship setup")
    trailship(config, "setup")
    say("trailship run --once")
    summary = json.loads(trailship(config, "run", "--once", "--format", "json"))
    left = int(bucket(aws, "left", queue))
    return report(summary, look(search["url"]), left)


def report(summary, index, left):
    """Prints what was shipped beside what the samples hold; the exit status says whether they agree."""
    expected = json.loads((ROOT / "samples" / "expected.json").read_text())
    rows = [
        ("objects read", summary["objects"], expected["objects"]),
        ("records read", summary["records"], expected["records"]),
        ("duplicates recognised", summary["duplicate"], expected["duplicates"]),
        ("records parked", summary["parked"], 0),
        ("messages left in the queue", left, 0),
        ("documents in the index", index["documents"], expected["documents"]),
        ("failed sign-ins in the index", index["failed_sign_ins"], expected["failed_sign_ins"]),
    ]
    for place, entry in enumerate(expected["top_actions"]):
        found = index["top_actions"][place] if place < len(index["top_actions"]) else {"action": "-", "count": 0}
        rows.append((f"top action {place + 1}", f"{found['action']} {found['count']}", f"{entry['action']} {entry['count']}"))
    print(f"\n{'':30}{'found':>24}{'expected':>24}")
    for name, found, wanted in rows:
        print(f"{name:30}{found:>24}{wanted:>24}{'' if found == wanted else '  <- differs'}")
    rate = summary["records"] / max(summary["seconds"], 1e-6)
    print(f"{'records per second':30}{rate:>24,.0f}    ({summary['seconds']:.2f} s from start to end)\n", flush=True)
    wrong = [name for name, found, wanted in rows if found != wanted]
    if wrong:
        say(f"the index does not hold what samples/expected.json says: {', '.join(wrong)}")
        return 1
    say("the index holds the sample trail: every event once")
    return 0


def look(url):
    """Counts documents, actions and failed sign-ins in the index."""
    ask(f"{url}/{STREAM}/_refresh")
    failed = [{"term": {"event.action": "ConsoleLogin"}}, {"term": {"event.outcome": "failure"}}]
    answer = ask(
        f"{url}/{STREAM}/_search",
        {
            "size": 0,
            "track_total_hits": True,
            "aggs": {"actions": {"terms": {"field": "event.action", "size": 5}}, "failed": {"filter": {"bool": {"filter": failed}}}},
        },
    )
    aggregations = answer["aggregations"]
    return {
        "documents": answer["hits"]["total"]["value"],
        "failed_sign_ins": aggregations["failed"]["doc_count"],
        "top_actions": [{"action": bucket["key"], "count": bucket["doc_count"]} for bucket in aggregations["actions"]["buckets"]],
    }


def ask(url, body=None):
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"} if body else {}, method="POST")
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise Failed(f"{url} answered {error.code}: {error.read(500).decode(errors='replace')}") from error


def bucket(aws, *arguments):
    """Runs `bucket.py` in moto's Python environment, which has boto3."""
    return output([aws["python"], BUCKET, aws["url"], *arguments], "talking to S3 and SQS")


def trailship(config, *arguments):
    return output([os.environ["TRAILSHIP"], *arguments, "-c", config, "-e"], f"`trailship {' '.join(arguments)}`")


def output(command, what):
    done = subprocess.run([str(part) for part in command], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Failed(f"{what} ended with status {done.returncode}")
    return done.stdout


class RealServer:
    """A server run by `tests/servers/run`: it lives until its standard input ends or it is told to stop."""

    def __init__(self, *arguments):
        self.arguments = arguments
        self.process = None

    def start(self):
        command = [sys.executable, str(SERVERS), *self.arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def place(self):
        """Waits until it answers."""
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        if self.process.wait() == SKIPPED:
            raise Unavailable("the servers cannot be had here, for the reason given above")
        raise Failed(f"`{' '.join(self.arguments)}` did not start, for the reason given above")

    def stop(self):
        if self.process:
            self.process.stdin.close()
            self.process.terminate()
            self.process.wait()


def say(text):
    print(f"demo: {text}", flush=True)


def on_signal(_number, _frame):
    raise Stop


if __name__ == "__main__":
    sys.exit(main())
