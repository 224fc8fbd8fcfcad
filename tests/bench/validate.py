"""How fast `trailship validate` is beside `aws cloudtrail validate-logs`, at 5 ms of latency a request.

    validate.py PROGRAM [--hours 24] [--logs 12] [--accounts 20] [--regions 5]

One account and region by both in turn, three times; then an organization by trailship alone. S3 is the local responder with a
delay on every request (`tests/servers/run fast`), the keys come from moto. Prints one JSON line; times are wall time with the
start of the program, best of three.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
RUNNER = HERE.parent / "servers" / "run"
CHAIN = HERE.parent / "chain"
DELAY_MS = 5
ROUNDS = 3
REGIONS = ["us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-northeast-1", "sa-east-1"]
ACCOUNT = 111122223333


class Server:
    """A server of `tests/servers/run`, stopped by closing its standard input."""

    def __init__(self, *arguments):
        command = [sys.executable, RUNNER, *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.details = json.loads(self.process.stdout.readline())
        self.url = self.details["url"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


def main():
    options = arguments()
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder, "keys.json")
        keys.write_text("[]")
        with Server("aws", "--keys", keys) as moto, Server("fast") as fast:
            print(json.dumps(measure(options, keys, moto, fast)))


def measure(options, keys, moto, fast):
    python = moto.details["python"]
    accounts = [str(ACCOUNT + n) for n in range(options.accounts)]
    regions = REGIONS[: options.regions]
    ring = Path(f"{keys}.ring")
    sizes = ["--hours", str(options.hours), "--logs", str(options.logs), "--accounts", ",".join(accounts), "--regions", ",".join(regions)]
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    subprocess.run([python, CHAIN / "put.py", ring, fast.url, *sizes], check=True, env=environment)
    keys.write_text(json.dumps(json.loads(ring.read_text())["PublicKeyList"]))
    delay(fast.url)
    environment |= {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": fast.url,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    given = ["--trail-arn", f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/main", "--s3-bucket", "trails"]
    given += ["--start-time", "2025-03-01T00:00:31Z", "--end-time", end(options.hours), "--endpoint-url", moto.url]
    aws = [python, Path(python).parent / "aws", "cloudtrail", "validate-logs", *given]
    ours = [options.program, "validate", *given]
    theirs, compat, whole = [], [], []
    for _ in range(ROUNDS):
        theirs.append(timed(aws, environment))
        compat.append(timed([*ours, "--compat"], environment))
        whole.append(timed(ours, environment))
    everything = [*ours, "--account-id", ",".join(accounts), "--region", ",".join(regions), "--format", "json"]
    organization = timed(everything, environment)
    region = options.hours * (1 + options.logs)
    return {
        "delay_ms": DELAY_MS,
        "objects": region,
        "aws_s": min(theirs),
        "compat_s": min(compat),
        "trailship_s": min(whole),
        "times_faster": round(min(theirs) / min(whole), 1),
        "organization": {"accounts": len(accounts), "regions": len(regions), "objects": region * len(accounts) * len(regions), "s": organization},
    }


def end(hours):
    day, hour = divmod(hours, 24)
    return f"2025-03-{1 + day:02}T{hour:02}:00:31Z"


def delay(url):
    rules = json.dumps([{"op": "*", "delay_ms": DELAY_MS}]).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open(urllib.request.Request(f"{url}/_faults", data=rules, method="PUT")).read()


def timed(command, environment):
    started = time.monotonic()
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    seconds = time.monotonic() - started
    if ended.returncode != 0:
        raise SystemExit(f"{command}: {ended.returncode}\n{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}")
    return round(seconds, 3)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--logs", type=int, default=12)
    parser.add_argument("--accounts", type=int, default=20)
    parser.add_argument("--regions", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    main()
