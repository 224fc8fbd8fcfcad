"""`trailship validate` beside the real `aws cloudtrail validate-logs`, over every scenario: same lines, same exit codes, and what
the AWS CLI overlooks is found.

    side_by_side.py PROGRAM URL KEYS [--table FILE [--write]] [--only NAME]

PROGRAM is trailship, URL the local AWS (`tests/servers/run aws --keys KEYS`), KEYS the file that its ListPublicKeys reads. FILE
holds the table between two marks; it is compared, or with --write replaced. Prints one JSON line with the number of scenarios
and of those in which the AWS CLI saw nothing wrong; exit status 1 when anything differs.

The AWS CLI runs in this process, forked for each batch, because starting it takes longer than its work.
"""

import argparse
import difflib
import io
import json
import multiprocessing
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import boto3

import scenarios
from chain import BEGIN, HOUR, World, display, upload

WORKERS = 3
MARKS = ("<!-- made by tests/chain/side_by_side.py -->\n", "<!-- end -->\n")
MOTO_ACCOUNT = "123456789012"


class Case:
    """One run of both: arguments, and what is expected of ours beyond `--compat`."""

    def __init__(self, title, arguments, finds=None, code=None, agrees=True):
        self.title, self.arguments, self.finds, self.code = title, arguments, finds, code
        # Without --compat the first lines are the same too.
        self.agrees = agrees


def main():
    options = arguments()
    environment(options.url)
    keys = []
    made = scenarios.worlds(keys)
    s3 = boto3.client("s3", endpoint_url=options.url, config=boto3.session.Config(max_pool_connections=10))
    worlds = [world for _, world in made]
    cases = [Case(item.title, of(world, item), item.finds, item.code, item.agrees) for item, world in made]
    cases += described(options.url, keys[0], worlds) + usage()
    Path(options.keys).write_text(json.dumps([key.listed() for key in keys]))
    upload(s3, worlds)
    if options.only:
        cases = [case for case in cases if options.only in case.title]
    with multiprocessing.get_context("fork").Pool(WORKERS) as pool:
        results = pool.starmap(compare, [(options.program, number, case) for number, case in enumerate(cases)], chunksize=1)
    faults = [fault for result in results for fault in result["faults"]]
    table = made_table(results)
    if options.table and not options.only:
        faults += checked_table(Path(options.table), table, options.write)
    overlooked = sum(result["overlooked"] for result in results)
    print(json.dumps({"scenarios": len(results), "overlooked": overlooked, "faults": len(faults)}))
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def of(world, item):
    """Arguments of both for a scenario."""
    given = ["--trail-arn", world.arn, "--s3-bucket", item.bucket]
    return given + ["--start-time", display(item.start), "--end-time", display(item.end), *item.extra]


def described(url, key, worlds):
    """Cases in which the bucket is the trail's own, as DescribeTrails tells."""
    organization = boto3.client("organizations", endpoint_url=url).create_organization(FeatureSet="ALL")["Organization"]["Id"]
    cloudtrail = boto3.client("cloudtrail", endpoint_url=url)
    s3 = boto3.client("s3", endpoint_url=url)
    cases = []
    for title, options, extra in [
        ("the bucket is the trail's own", {}, []),
        ("bucket and prefix are the trail's own", {"prefix": "of/trail"}, []),
        ("the trail of an organization", {"org": organization}, ["--account-id", MOTO_ACCOUNT]),
        ("the trail of an organization with a prefix", {"org": organization, "prefix": organization}, ["--account-id", MOTO_ACCOUNT]),
        ("a member account of an organization", {"org": organization, "account": "444455556666"}, ["--account-id", "444455556666"]),
    ]:
        number = len(cases)
        bucket = f"described-{number}"
        world = World(bucket, key, trail=f"described-{number}", **{"account": MOTO_ACCOUNT, **options}).hours(8)
        s3.create_bucket(Bucket=bucket)
        prefix = {"S3KeyPrefix": options["prefix"]} if "prefix" in options else {}
        trail = cloudtrail.create_trail(
            Name=world.trail, S3BucketName=bucket, IsOrganizationTrail="org" in options, IsMultiRegionTrail=True, **prefix
        )
        worlds.append(world)
        given = ["--trail-arn", trail["TrailARN"], "--start-time", display(BEGIN), "--end-time", display(BEGIN + 8 * HOUR)]
        cases.append(Case(title, given + extra, [], 0))
        if title == "the trail of an organization":
            cases.append(Case("the trail of an organization, without an account", given))
            cases.append(Case("an offset in a time is dropped", given[:3] + [display(BEGIN)[:-1] + "+05:00", *given[4:], *extra]))
    return cases


def usage():
    """Cases in which the command gives up."""
    good = "arn:aws:cloudtrail:us-east-1:123456789012:trail/main"
    times = ["--start-time", "2025-03-01T00:00:00Z", "--end-time", "2025-03-01T08:00:00Z"]
    return [
        Case("no ARN", ["--trail-arn", "main", *times]),
        Case("an ARN of something else", ["--trail-arn", "arn:aws:s3:::main", *times]),
        Case("a trail that does not exist", ["--trail-arn", good, *times]),
        Case("a time that is none", ["--trail-arn", good, "--start-time", "soonish", "--end-time", "2025-03-01"]),
        Case("the start after the end", ["--trail-arn", good, "--start-time", "2025-03-02", "--end-time", "2025-03-01"]),
    ]


def compare(program, number, case):
    """Runs both; gives what differs."""
    faults = []

    def expect(what, theirs, ours):
        faults.extend(f"{case.title}: {fault}\n({' '.join(case.arguments)})" for fault in differs(what, theirs, ours))

    theirs = {}
    # Without --verbose the lines are a part of those with it: looked at now and then.
    for verbose in [["--verbose"]] if number % 5 else [[], ["--verbose"]]:
        theirs = aws(case.arguments + verbose)
        ours = trailship(program, case.arguments + verbose + ["--compat"])
        for part in ("out", "err", "code"):
            expect(f"{part} with --compat {' '.join(verbose)}", theirs[part], ours[part])
    found = []
    if case.finds is not None:
        report = trailship(program, case.arguments + ["--format", "json"])
        try:
            parsed = json.loads(report["out"])
        except ValueError:
            return {"title": case.title, "faults": [f"{case.title}: no report: {report}"], "overlooked": False}
        for chain in parsed["chains"]:
            found += chain["findings"]
        found += parsed["findings"]
        expect("findings", sorted(set(case.finds)), sorted({finding["kind"] for finding in found}))
        expect("exit code", case.code, report["code"])
        if theirs["code"] == 1 and case.agrees:
            expect("exit code where the AWS CLI finds something", True, report["code"] == 1)
        expect("exit code in the report", case.code, parsed["exit_code"])
        if theirs["code"] in (0, 1) and case.agrees:
            text = trailship(program, case.arguments + ["--verbose"])
            expect("the first lines of the text", theirs["out"], text["out"][: len(theirs["out"])])
            expect("standard error of the text", theirs["err"], text["err"])
    wrong = case.code not in (None, 0, 5)
    overlooked = wrong and theirs["code"] == 0
    return {
        "title": case.title,
        "faults": faults,
        "overlooked": overlooked,
        "aws": theirs["code"],
        "gap": "No log files were delivered" in theirs["err"],
        "ours": case.code,
        "finds": case.finds,
        "nothing": "No digests found" in theirs["out"],
    }


def differs(what, theirs, ours):
    """One fault, or none; of long texts only the lines in which they differ."""
    if theirs == ours:
        return []
    if isinstance(theirs, str) and isinstance(ours, str):
        lines = difflib.unified_diff(theirs.splitlines(), ours.splitlines(), "expected", "got", n=1, lineterm="")
        return ["\n".join([what, *lines])]
    return [f"{what}: expected {theirs}, got {ours}"]


def aws(arguments):
    """The AWS CLI, inside this process."""
    from awscli.clidriver import create_clidriver

    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = create_clidriver().main(["cloudtrail", "validate-logs", *arguments])
        except SystemExit as end:
            code = end.code
    return {"out": out.getvalue(), "err": err.getvalue(), "code": code}


def trailship(program, arguments):
    ended = subprocess.run([program, "validate", *arguments], capture_output=True, text=True, timeout=120)
    return {"out": ended.stdout, "err": ended.stderr, "code": ended.returncode}


def environment(url):
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("AWS_"):
            del os.environ[name]
    os.environ.update(
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_ENDPOINT_URL=url,
        AWS_MAX_ATTEMPTS="1",
        AWS_EC2_METADATA_DISABLED="true",
        AWS_CONFIG_FILE="/dev/null",
        AWS_SHARED_CREDENTIALS_FILE="/dev/null",
    )


def made_table(results):
    """What the AWS CLI overlooks, as Markdown."""
    rows = ["| what was done | `aws cloudtrail validate-logs` | `trailship validate` |", "|---|---|---|"]
    for result in results:
        if result["overlooked"]:
            said = "`No digests found`, 0" if result["nothing"] else "a line about a gap, 0" if result["gap"] else "all valid, 0"
            finds = ", ".join(f"`{kind}`" for kind in result["finds"])
            rows.append(f"| {result['title']} | {said} | {finds}, {result['ours']} |")
    return "\n".join(rows) + "\n"


def checked_table(path, table, write):
    text = path.read_text()
    before, rest = text.split(MARKS[0])
    kept, after = rest.split(MARKS[1])
    if write:
        path.write_text(before + MARKS[0] + table + MARKS[1] + after)
        return []
    return [] if kept == table else [f"{path.name} does not hold the table:\n{table}"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("url")
    parser.add_argument("keys")
    parser.add_argument("--table")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--only", help="scenarios whose title holds this text")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
