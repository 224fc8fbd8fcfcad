"""`trailship validate` beside the real `aws cloudtrail validate-logs` over scenarios that nobody wrote: composed from seeds.

    at_random.py PROGRAM URL KEYS [--seeds FIRST-LAST] [--reduce]

PROGRAM, URL and KEYS as for side_by_side.py. With `--compat` lines and exit code must be those of the AWS CLI; without it
everything that was done must be found and nothing else (oracle.py), and text and JSON must tell the same. Each fault is printed
with its seed, and with --reduce for the smallest plan that still shows it. Prints one JSON line; exit status 1 when anything
differs.
"""

import argparse
import datetime
import json
import multiprocessing
import os
import sys
import tempfile
from pathlib import Path

import boto3

import tampering
from chain import BEGIN, HOUR, Key, World, display, upload
from oracle import Truth
from plans import FORMS, composed, reduced
from side_by_side import MOTO_ACCOUNT, aws, differs, environment, trailship

SECOND = datetime.timedelta(seconds=1)
ROTATION = BEGIN + 30 * HOUR
OFFSETS = {"east": datetime.timedelta(hours=5, minutes=30), "west": datetime.timedelta(hours=-8)}


class Keys:
    """CloudTrail's keys: one for all the time, and two that follow each other."""

    def __init__(self):
        self.main = Key(start=BEGIN - 900 * HOUR, end=BEGIN + 900 * HOUR)
        self.old = Key(start=BEGIN - 900 * HOUR, end=ROTATION)
        self.new = Key(start=ROTATION - HOUR, end=BEGIN + 900 * HOUR)

    def listed(self):
        return [key.listed() for key in (self.main, self.old, self.new)]


# --- from a plan to objects ------------------------------------------------------------------------------------------------


class Built:
    """The worlds of a plan in one bucket, spoilt; the first one is asked about."""

    def __init__(self, plan, bucket, keys, organization):
        self.plan, self.bucket = plan, bucket
        self.begin = BEGIN + plan["begin"] * SECOND
        self.organization = organization if plan["organization"] else ""
        trail = f"main-{bucket}" if self.organization else "main"
        self.worlds = []
        for account in plan["accounts"]:
            for region in plan["regions"]:
                self.worlds.append(self.world(keys.main, account, region, trail))
                write(self.worlds[-1], plan, keys)
        self.truths = [Truth(world) for world in self.worlds]
        if plan["beside"]:
            self.put_beside(plan["beside"])
        for n, item in enumerate(plan["done"]):
            # Mostly to the one that is asked about.
            spoil(self.truths[0 if n % 3 else n % len(self.truths)], item, keys)
        # A stamp has no place for parts of a second.
        whole = [int(seconds) if name == "stamp" else seconds for seconds, name in zip(plan["window"], plan["forms"])]
        self.start, self.end = (self.begin + seconds * SECOND for seconds in whole)

    def world(self, key, account, region, trail):
        options = {"prefix": self.plan["prefix"], "org": self.organization, "begin": self.begin}
        return World(self.bucket, key, account, region, trail=trail, **options)

    def put_beside(self, name):
        world = self.worlds[0]
        other = self.world(world.key, world.account, world.region, name)
        other.logs = list(world.logs)
        other.hours(6, logs=0)
        world.objects[self.bucket].update(other.objects[self.bucket])
        self.truths[0].foreign += other.digests

    def arguments(self):
        world = self.worlds[0]
        given = ["--trail-arn", self.arn()]
        if not self.organization:
            given += ["--s3-bucket", self.bucket]
            given += ["--s3-prefix", world.prefix] if world.prefix else []
        if self.organization or self.plan["account_option"]:
            given += ["--account-id", world.account]
        named = world.region != "us-east-1" or self.plan["region_option"]
        return given + self.times() + (["--region", world.region] if named else [])

    def elsewhere(self):
        """The same about something that is not there."""
        given = self.arguments()
        if self.plan["elsewhere"] == "trail":
            return [argument.replace("trail/main", "trail/mai") for argument in given]
        option, value = {
            "account": ("--account-id", "999988887777"),
            "region": ("--region", "ap-southeast-2"),
            "prefix": ("--s3-prefix", "a/"),
        }[self.plan["elsewhere"]]
        at = given.index(option) if option in given else len(given)
        return [*given[:at], option, value, *given[at + 2 :]]

    def copied(self, folder):
        """The same about a copy in a folder, with metadata beside each object."""
        given, world = ["--public-keys", f"{folder}/keys.json"], self.worlds[0]
        for bucket in {bucket for world in self.worlds for bucket in world.objects}:
            Path(folder, bucket).mkdir()
            given += ["--path-map", f"s3://{bucket}={folder}/{bucket}"]
        for bucket, key, item in self.objects():
            file = Path(folder, bucket, key)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(item.body)
            Path(f"{file}.metadata.json").write_text(json.dumps({"Metadata": item.metadata}))
        if self.organization:
            given += ["--s3-bucket", self.bucket, *(["--s3-prefix", world.prefix] if world.prefix else [])]
        return self.arguments() + given

    def objects(self):
        parts = [part for world in self.worlds for part in world.objects.items()]
        return [(bucket, *item) for bucket, items in parts for item in items.items()]

    def everything(self):
        if self.organization:
            return ["--trail-arn", self.arn(), "--account-id", "all", "--region", "all", *self.times()]
        prefix = ["--s3-prefix", self.worlds[0].prefix] if self.worlds[0].prefix else []
        return ["--s3-bucket", self.bucket, *prefix, *self.times()]

    def arn(self):
        account = MOTO_ACCOUNT if self.organization else self.worlds[0].account
        return f"arn:aws:cloudtrail:us-east-1:{account}:trail/{self.worlds[0].trail}"

    def times(self):
        first, last = (form(time, name) for time, name in zip([self.start, self.end], self.plan["forms"]))
        return ["--start-time", first, "--end-time", last]

    def upload(self, s3, cloudtrail):
        upload(s3, self.worlds)
        if self.organization:
            prefix = {"S3KeyPrefix": self.worlds[0].prefix} if self.worlds[0].prefix else {}
            options = {"IsOrganizationTrail": True, "IsMultiRegionTrail": True}
            cloudtrail.create_trail(Name=self.worlds[0].trail, S3BucketName=self.bucket, **options, **prefix)


def form(time, name):
    """Parts of a second count, where there are any."""
    text = FORMS[name].replace(":%S", ":%S.%f") if time.microsecond else FORMS[name]
    return (time + OFFSETS.get(name, 0 * SECOND)).strftime(text)


def write(world, plan, keys):
    """The last part of the chain lies where the chain is asked about."""
    moves = {what: sum(step["what"] == what for step in plan["steps"]) for what in ("bucket", "prefix")}
    time, bucket = world.begin, world.bucket
    for step in plan["steps"]:
        world.prefix = plan["prefix"] if moves["prefix"] % 2 == 0 else "old"
        bucket = world.bucket if moves["bucket"] % 2 == 0 else f"{world.bucket}-old"
        if step["what"] == "digest":
            end = time + step["seconds"] * SECOND
            signer = (keys.old if end <= ROTATION else keys.new) if plan["rotate"] else keys.main
            world.digest(0, start=time, end=end, logs=step["logs"], bucket=bucket, signed_by=signer)
            time = end
        elif step["what"] in moves:
            moves[step["what"]] -= 1
        elif step["what"] == "hole":
            time += step["seconds"] * SECOND
        elif step["what"] == "fork":
            before = world.previous
            world.digest(0, start=time, end=time + step["seconds"] * SECOND, bucket=bucket)
            world.previous = before
        else:
            world.restart()
            time += step.get("seconds", 0) * SECOND
    world.prefix = plan["prefix"]
    if plan["backfill"]:
        world.backfill_chain([n + 1 for n in plan["backfill"]], made=time + 3 * HOUR)


def spoil(truth, item, keys):
    """Does one thing; what cannot be done to what was left of an object is left out."""
    world, at = truth.world, item["at"]
    names = {"log": world.logs, "backfill": world.backfills}.get(item["what"], world.digests)
    if not names:
        return
    name = names[at % len(names)]
    done = next(done for done in tampering.LOGS + tampering.DIGESTS if done.name == item["how"])
    try:
        if item["what"] == "unlisted":
            tampering.unlisted(world, world.begin + at * HOUR / 3)
        elif item["what"] == "planted":
            truth.foreign.append(tampering.planted(world, name))
        elif item["what"] == "copy":
            truth.copies.append(tampering.copied(world, name, item["count"] * 600 * SECOND))
        elif item["what"] == "signer":
            tampering.signed_by(world, name, keys.old)
        elif item["what"] == "run":
            world.remove(*filter(world.has, names[at % len(names) :][: item["count"]]))
        elif item["what"] == "tail":
            gone = [*names[-item["count"] :], *(log for name in names[-item["count"] :] for log in truth.digests[name].logs)]
            world.remove(*filter(world.has, gone))
        elif item["what"] == "logs":
            world.remove(*filter(world.has, truth.digests[name].logs))
        else:
            done(world, name)
    except (KeyError, ValueError, IndexError, TypeError, EOFError, OSError, StopIteration, AttributeError):
        pass


# --- what comes out --------------------------------------------------------------------------------------------------------


def faults_of(plan, bucket, program, url, keys, organization):
    """Everything that is wrong with what both say of a plan."""
    built = Built(plan, bucket, keys, organization)
    s3, cloudtrail = (boto3.client(name, endpoint_url=url) for name in ("s3", "cloudtrail"))
    built.upload(s3, cloudtrail)
    faults, given = [], built.arguments()
    verbose = ["--verbose"] if plan["verbose"] else []
    theirs, ours = aws(given + verbose), trailship(program, given + verbose + ["--compat"])
    for part in ("out", "err", "code"):
        faults += differs(f"{part} with --compat", theirs[part], ours[part])
    report, text = trailship(program, given + ["--format", "json"]), trailship(program, given + ["--verbose"])
    if plan["elsewhere"] and not plan["beside"]:
        # A trail that CloudTrail does not know is wrong usage; with one that it knows a prefix is not looked at.
        codes = {"trail": 2, "prefix": report["code"]} if built.organization else {}
        code = codes.get(plan["elsewhere"], 4)
        faults += nothing_is_there(built.elsewhere(), program, code)
    try:
        parsed = json.loads(report["out"])
    except ValueError:
        return [*faults, f"no report: {report}"]
    faults += built.truths[0].judge(built.start, built.end, parsed["chains"][0], report["code"])
    faults += same_in_text(parsed, report["code"], text)
    if theirs["code"] in (0, 1) and plan["verbose"] and not set(plan["forms"]) & set(OFFSETS):
        faults += differs("the first lines of the text", theirs["out"], text["out"][: len(theirs["out"])])
        faults += differs("standard error of the text", theirs["err"], text["err"])
    if plan["folder"]:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "keys.json").write_text(json.dumps({"PublicKeyList": keys.listed()}))
            copy = trailship(program, [*built.copied(folder), "--format", "json"])
        faults += differs("a copy in a folder", report["out"], copy["out"] or copy["err"])
    if len(built.truths) > 1:
        faults += judged_together(built, trailship(program, built.everything() + ["--format", "json"]))
    return [f"{fault}\n({' '.join(given)})" for fault in faults]


def nothing_is_there(given, program, code):
    theirs, ours = aws(given), trailship(program, [*given, "--compat"])
    faults = [fault for part in theirs for fault in differs(f"elsewhere, {part} with --compat", theirs[part], ours[part])]
    report = trailship(program, [*given, "--format", "json"])
    return [f"elsewhere: {fault}" for fault in [*faults, *differs("code", code, report["code"])]]


def judged_together(built, report):
    """All accounts and regions in one run."""
    faults, parsed = [], json.loads(report["out"])
    for truth in built.truths:
        world = truth.world
        wanted = (world.account, world.region, world.trail)
        chains = [chain for chain in parsed["chains"] if (chain["account"], chain["region"], chain["trail"]) == wanted]
        if len(chains) == 1:
            # What no trail of an account and region lists is told once.
            beside = [chain for chain in parsed["chains"] if wanted[:2] == (chain["account"], chain["region"])]
            unlisted = [f for chain in beside for f in chain["findings"] if f["kind"] == "log_unlisted"]
            chains[0]["findings"] += unlisted
            faults += truth.judge(built.start, built.end, chains[0], None)
        elif chains or truth.is_there(built.start, built.end):
            faults.append(f"{len(chains)} chains of {wanted}: {report}")
    return [f"all together: {fault}" for fault in faults]


def same_in_text(parsed, code, text):
    """Each finding of the report stands in the text: among the AWS CLI's lines or after them."""
    faults = [] if text["code"] == code else [f"exit code of the text {text['code']}, of the report {code}"]
    if parsed["exit_code"] != code:
        faults.append(f"exit code {code}, in the report {parsed['exit_code']}")
    if "INVALID" in text["err"] and code != 1:
        faults.append(f"exit code {code} after\n{text['err']}")
    lines = text["out"].partition("\nBeyond what")[2].splitlines()
    rows = [line.removeprefix("(backfill) ").split("\t") for line in lines]
    beyond = {(row[1], row[2] if row[2].startswith("s3://") else None) for row in rows if len(row) > 2}
    findings = [finding for chain in parsed["chains"] for finding in chain["findings"]] + parsed["findings"]
    told = {(finding["kind"], finding.get("object")) for finding in findings}
    if beyond - told:
        faults.append(f"only in the text: {beyond - told}")
    for kind, name in told - beyond:
        gap = kind in ("gap", "chain_restarted") and "No log files were delivered" in text["err"]
        if not gap and f"{name}\tINVALID" not in text["err"]:
            faults.append(f"only in the report: {kind} {name}")
    return faults


class Run:
    """What every plan is tried with; each worker has it from the process that it was forked from."""

    def __init__(self, options):
        self.options, self.keys, self.tries = options, Keys(), 0
        Path(options.keys).write_text(json.dumps(self.keys.listed()))
        self.organization = organization(options.url)

    def seed(self, seed):
        plan = composed(seed)
        faults = self.plan(seed, plan)
        if faults and self.options.reduce:
            plan, faults = reduced(plan, faults, lambda plan: self.plan(seed, plan))
        return seed, plan, faults

    def plan(self, seed, plan):
        self.tries += 1
        bucket = f"seed-{seed}-{os.getpid()}-{self.tries}"
        return faults_of(plan, bucket, self.options.program, self.options.url, self.keys, self.organization)


def main():
    global run
    options = arguments()
    environment(options.url)
    run = Run(options)
    first, _, last = options.seeds.partition("-")
    wrong, seeds = 0, range(int(first), int(last or first) + 1)
    with multiprocessing.get_context("fork").Pool(options.workers) as pool:
        for seed, plan, faults in pool.imap(looked_at, seeds):
            wrong += bool(faults)
            if faults:
                print(f"=== seed {seed}: {json.dumps(plan)}", *faults, sep="\n", file=sys.stderr, flush=True)
    print(json.dumps({"seeds": len(seeds), "faults": wrong}))
    return 1 if wrong else 0


def looked_at(seed):
    return run.seed(seed)


def organization(url):
    organizations = boto3.client("organizations", endpoint_url=url)
    try:
        return organizations.describe_organization()["Organization"]["Id"]
    except organizations.exceptions.AWSOrganizationsNotInUseException:
        return organizations.create_organization(FeatureSet="ALL")["Organization"]["Id"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("url")
    parser.add_argument("keys")
    parser.add_argument("--seeds", default="1-25")
    parser.add_argument("--reduce", action="store_true", help="make the plan of each fault as small as it gets")
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
