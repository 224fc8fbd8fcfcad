"""What can happen to a trail's digests and log files, each with what must be found.

`finds` are the kinds of findings of `trailship validate`, in any order and without repeats; `code` is its exit code. What the
AWS CLI says is not written down here: it is asked.
"""

import copy
import datetime
import gzip
import io
import json

import tampering
from chain import BEGIN, HOUR, UTC, Key, Object, World

SCENARIOS = []


class Scenario:
    def __init__(self, build, title, finds, code, options):
        self.build, self.title, self.finds, self.code = build, title, sorted(finds), code
        self.name = build.__name__.replace("_", "-")
        self.options = options
        self.bucket = f"v{len(SCENARIOS):02}-{self.name}"[:60].rstrip("-")
        self.start, self.end = BEGIN, BEGIN + 8 * HOUR
        self.extra = []
        self.agrees = True


def scenario(title, finds=(), code=0, **options):
    def add(build):
        SCENARIOS.append(Scenario(build, title, finds, code, options))
        return build

    return add


def worlds(keys):
    """Builds every scenario; gives pairs of scenario and world. Keys that scenarios need are added to `keys`."""
    main = Key()
    keys.append(main)
    made = []
    for item in SCENARIOS:
        world = World(item.bucket, main, **item.options)
        world.keys = keys
        item.build(world, item)
        made.append((item, world))
    return made


# --- nothing wrong ---------------------------------------------------------------------------------------------------------


@scenario("nothing is wrong")
def whole(w, s):
    w.hours(8)


@scenario("nothing is wrong, hours without log files")
def empty_hours(w, s):
    w.hours(8, logs=0)


@scenario("several log files an hour")
def many_logs(w, s):
    w.hours(8, logs=4)


@scenario("the window lies inside a longer chain")
def inside(w, s):
    w.hours(14, first=-3)


@scenario("a prefix in the bucket", prefix="audit/all")
def prefixed(w, s):
    w.hours(8)
    s.extra = ["--s3-prefix", "audit/all"]


@scenario("another region than the home region", region="eu-west-1")
def other_region(w, s):
    w.hours(8)
    s.extra = ["--region", "eu-west-1"]


@scenario("a trail whose name has underscores", trail="a_us-east-1_b")
def underscores(w, s):
    w.hours(8)


@scenario("window over midnight and the end of a month", begin=BEGIN + 30 * 24 * HOUR + 20 * HOUR)
def midnight(w, s):
    w.key = Key(start=w.begin - 24 * HOUR, end=w.begin + 24 * HOUR)
    w.keys.append(w.key)
    w.hours(8)
    s.start, s.end = w.begin, w.begin + 8 * HOUR


@scenario("`logFiles` is null")
def null_list(w, s):
    w.hours(7)
    w.digest(7, logs=0, change=lambda d: d.update(logFiles=None))


@scenario("the same log file is listed twice")
def listed_twice(w, s):
    w.hours(7)
    w.digest(7, change=lambda d: d["logFiles"].append(d["logFiles"][0]))


@scenario("a log file was compressed anew, its content is the same")
def recompressed(w, s):
    w.hours(8)
    tampering.log_recompressed(w, w.logs[3])


@scenario("the signature is in upper case")
def upper_signature(w, s):
    w.hours(8)
    tampering.upper_signature(w, w.digests[-1])


@scenario("a chain that changed its bucket")
def bucket_change(w, s):
    w.hours(4, bucket=w.bucket + "-old")
    w.hours(4, first=4)


@scenario("backfill digests beside the chain")
def backfill(w, s):
    w.hours(8)
    w.backfill_chain([3, 6])


@scenario("a chain that started anew without a pause", ["chain_restarted"])
def restart(w, s):
    w.hours(4)
    w.restart()
    w.hours(4, first=4)


@scenario("across the new year", begin=datetime.datetime(2024, 12, 31, 20, 17, 3, tzinfo=UTC))
def new_year(w, s):
    w.key = Key(start=w.begin - 24 * HOUR, end=w.begin + 24 * HOUR)
    w.keys.append(w.key)
    w.hours(8)
    s.start, s.end = w.begin, w.hour(8)


@scenario("across a leap day", begin=datetime.datetime(2024, 2, 28, 22, 59, 59, tzinfo=UTC))
def leap_day(w, s):
    w.key = Key(start=w.begin - 24 * HOUR, end=w.begin + 72 * HOUR)
    w.keys.append(w.key)
    w.hours(27)
    s.start, s.end = w.begin, w.hour(27)


@scenario("a trail in GovCloud", region="us-gov-west-1", home="us-gov-west-1", partition="aws-us-gov")
def gov_cloud(w, s):
    w.hours(8)


@scenario("a trail in China", region="cn-north-1", home="cn-north-1", partition="aws-cn")
def china(w, s):
    w.hours(8)


@scenario("a trail name of 128 characters", trail="n" * 128)
def long_name(w, s):
    w.hours(8)


@scenario("a trail named like a backfill digest", trail="x_backfill")
def backfill_name(w, s):
    w.hours(8)


@scenario("a trail with a dot in its name, beside one with another character there", trail="a.b")
def dotted(w, s):
    w.hours(8)
    beside(w, "aXb", 12)


@scenario("trails whose names begin alike")
def alike(w, s):
    w.hours(8)
    for name in ["mai", "main2", "main-x", "main.y", "main_"]:
        beside(w, name, 8)


def beside(w, name, hours):
    """Another trail with the same log files."""
    other = World(w.bucket, w.key, trail=name)
    other.logs = list(w.logs)
    w.objects[w.bucket].update(other.hours(hours, logs=0).objects[w.bucket])


@scenario("a prefix of any characters", prefix="prüf ung/日本+x/a%2Bb(c)[d]*.$^")
def odd_prefix(w, s):
    w.hours(8)
    s.extra = ["--s3-prefix", w.prefix]


@scenario("a prefix like a folder of digests", prefix="AWSLogs/111122223333/CloudTrail-Digest/us-east-1")
def misleading_prefix(w, s):
    w.hours(8)
    s.extra = ["--s3-prefix", w.prefix]


@scenario("a prefix that changed in the middle")
def prefix_change(w, s):
    w.prefix = "old"
    w.hours(4)
    w.prefix = ""
    w.hours(4, first=4)


@scenario("a bucket that changed, and changed back")
def bucket_back(w, s):
    w.hours(3, bucket=w.bucket + "-old")
    w.hours(3, first=3)
    w.hours(1, first=6, bucket=w.bucket + "-old")
    w.hours(1, first=7)


@scenario("an empty account")
def empty_account(w, s):
    w.hours(8)
    s.extra = ["--account-id", ""]


@scenario("an organization's trail in a bucket with a trail of the account's own", org="o-exampleorg1")
def own_trail_too(w, s):
    w.hours(8)
    s.agrees = False  # without DescribeTrails the AWS CLI looks into the account's own folder only
    other = World(w.bucket, w.key, trail="local").hours(8)
    w.objects[w.bucket].update(other.objects[w.bucket])


@scenario("digests of three hours")
def long_digests(w, s):
    for n in range(0, 9, 3):
        w.digest(n, end=w.hour(n + 3), logs=3)


@scenario("keys that change in the middle")
def rotation(w, s):
    new = Key(start=BEGIN + 3 * HOUR, end=BEGIN + 600 * HOUR)
    w.keys.append(new)
    w.hours(4)
    w.hours(4, first=4, signed_by=new)


@scenario("a key that is listed with two periods")
def two_periods(w, s):
    first = Key(start=BEGIN - 24 * HOUR, end=BEGIN + 4 * HOUR)
    second = copy.copy(first)
    second.start, second.end = BEGIN + 4 * HOUR, BEGIN + 90 * HOUR
    w.keys += [first, second]
    w.hours(8, signed_by=first)


@scenario("a key that ends in the second in which its last digest ends")
def last_second(w, s):
    old = Key(start=BEGIN - 24 * HOUR, end=BEGIN + 8 * HOUR)
    w.keys.append(old)
    w.hours(7)
    w.digest(7, signed_by=old)


@scenario("a digest on many lines, with another end of lines, a member twice, and escapes")
def other_json(w, s):
    w.hours(8)
    text = json.dumps(json.loads(w.text(w.digests[-1])), indent=2).replace("\n", "\r\n") + "\r\n"
    text = text.replace("{", '{"digestS3Bucket": "elsewhere",', 1).replace("AWSLogs", "\\u0041WSLogs")
    w.resign_text(w.digests[-1], text)


@scenario("log files of other accounts, regions and buckets, with names of any characters")
def foreign_logs(w, s):
    w.hours(7)
    time = w.hour(7) + HOUR / 4
    other = World(w.bucket, w.key, account="999988887777", region="eu-west-1")
    entries = [other.log(time), w.log(time, bucket=w.bucket + "-two"), w.log(time, text="")]
    entries += [w.log(time, name=name) for name in ["a+b c%2Bd ü.json.gz", "x&y=z;.json.gz", "q'\"<>.json.gz"]]
    w.objects[w.bucket].update(other.objects[w.bucket])
    w.digest(7, logs=0, change=lambda d: d.update(logFiles=entries))


@scenario("gzip data with a name in its head")
def gzip_head(w, s):
    w.hours(8)
    for name in [w.logs[2], w.digests[4]]:
        tampering.gzip_head(w, name)


# --- log files -------------------------------------------------------------------------------------------------------------


@scenario("a log file was altered", ["log_altered"], 1)
def log_altered(w, s):
    w.hours(8)
    tampering.log_altered(w, w.logs[2])


@scenario("a log file was removed", ["log_missing"], 1)
def log_missing(w, s):
    w.hours(8)
    tampering.log_removed(w, w.logs[2])


@scenario("all log files of an hour were removed", ["log_missing"], 1)
def logs_of_an_hour(w, s):
    w.hours(8, logs=3)
    w.remove(*w.logs[6:9])


@scenario("a log file is no gzip data", ["log_malformed"], 1)
def log_plain(w, s):
    w.hours(8)
    tampering.log_plain(w, w.logs[2])


@scenario("a log file is empty", ["log_altered"], 1)
def log_empty(w, s):
    w.hours(8)
    tampering.log_empty(w, w.logs[2])


@scenario("a log file was cut in its middle", ["log_altered"], 1)
def log_cut(w, s):
    w.hours(8)
    tampering.log_half(w, w.logs[2])


@scenario("a log file lost the end of its gzip data, its content is whole", ["log_cut"], 1)
def log_trailer(w, s):
    w.hours(8)
    tampering.log_trailer(w, w.logs[2])


@scenario("a log file has a wrong gzip checksum", ["log_malformed"], 1)
def log_checksum(w, s):
    w.hours(8)
    tampering.log_checksum(w, w.logs[2])


@scenario("a second gzip member was added to a log file", ["log_trailing_data"], 1)
def log_member(w, s):
    w.hours(8)
    tampering.log_member(w, w.logs[2])


@scenario("bytes were added to a log file", ["log_trailing_data"], 1)
def log_bytes(w, s):
    w.hours(8)
    tampering.log_bytes(w, w.logs[2])


@scenario("a hash is stated in upper case", ["log_altered"], 1)
def upper_hash(w, s):
    w.hours(7)
    w.digest(7, change=lambda d: d["logFiles"][0].update(hashValue=d["logFiles"][0]["hashValue"].upper()))


@scenario("entries state a number and nothing as their hash", ["log_altered"], 1)
def odd_hash(w, s):
    w.hours(7)
    w.digest(7, logs=2, change=lambda d: [d["logFiles"][n].update(hashValue=value) for n, value in enumerate([7, None])] and None)


@scenario("a log file is listed with two hashes", ["log_altered"], 1)
def two_hashes(w, s):
    w.hours(7)
    w.digest(7, change=lambda d: d["logFiles"].append({**d["logFiles"][0], "hashValue": "0" * 64}))


@scenario("an entry has no hash", ["log_malformed"], 1)
def no_hash(w, s):
    w.hours(7)
    w.digest(7, change=lambda d: d["logFiles"][0].pop("hashValue") and None)


@scenario("a log file was added that no digest lists", ["log_unlisted"], 3)
def unlisted(w, s):
    w.hours(8)
    tampering.unlisted(w, w.hour(3) + HOUR / 4)


@scenario("a log file was moved to another name", ["log_missing", "log_unlisted"], 1)
def log_renamed(w, s):
    w.hours(8)
    tampering.log_renamed(w, w.logs[3])


# --- single digests --------------------------------------------------------------------------------------------------------


@scenario("a digest was altered", ["digest_signature_wrong", "chain_hash_mismatch"], 1)
def digest_altered(w, s):
    w.hours(8)
    tampering.digest_altered(w, w.digests[4])


@scenario("the newest digest was altered", ["digest_signature_wrong"], 1)
def newest_altered(w, s):
    w.hours(8)
    tampering.digest_altered(w, w.digests[-1])


@scenario("a digest was removed", ["digest_missing"], 1)
def digest_missing(w, s):
    w.hours(8)
    tampering.digest_removed(w, w.digests[4])


@scenario("the first digest of the window was removed", ["digest_missing"], 1)
def first_missing(w, s):
    w.hours(8)
    tampering.digest_removed(w, w.digests[0])


@scenario("a digest is no gzip data", ["digest_malformed"], 1)
def digest_plain(w, s):
    w.hours(8)
    tampering.digest_plain(w, w.digests[4])


@scenario("a digest is empty", ["digest_malformed"], 1)
def digest_empty(w, s):
    w.hours(8)
    tampering.digest_empty(w, w.digests[4])


@scenario("a digest lost the end of its gzip data", ["digest_malformed"], 1)
def digest_cut(w, s):
    w.hours(8)
    tampering.digest_trailer(w, w.digests[4])


@scenario("a second gzip member was added to a digest", ["digest_trailing_data"], 1)
def digest_member(w, s):
    w.hours(8)
    tampering.digest_member(w, w.digests[4])


@scenario("a digest is not JSON", ["digest_malformed"], 1)
def digest_not_json(w, s):
    w.hours(8)
    tampering.digest_not_json(w, w.digests[4])


@scenario("a digest is a JSON list", ["digest_malformed"], 1)
def digest_list(w, s):
    w.hours(8)
    tampering.digest_list(w, w.digests[4])


@scenario("a digest is a JSON number", ["digest_malformed"], 1)
def digest_number(w, s):
    w.hours(8)
    tampering.digest_fraction(w, w.digests[2])
    tampering.digest_number(w, w.digests[5])


@scenario("a digest is not UTF-8, in a member that nobody needs", ["digest_malformed"], 1)
def digest_bytes(w, s):
    w.hours(8)
    tampering.digest_not_utf8(w, w.digests[4])


@scenario("a few bytes inflate to a digest of 200 MB", ["digest_malformed"], 1)
def digest_bomb(w, s):
    w.hours(8)
    body = io.BytesIO()
    with gzip.GzipFile(None, "wb", 9, body, mtime=0) as file:
        for _ in range(200):
            file.write(b" " * (1 << 20))
    w.at(w.digests[4]).body = body.getvalue()


@scenario("a digest lacks a member", ["chain_hash_mismatch", "chain_signature_mismatch", "digest_malformed"], 1)
def digest_member_missing(w, s):
    w.hours(8)
    tampering.digest_member_missing(w, w.digests[4])


@scenario("a digest has times that are none", ["digest_malformed", "chain_hash_mismatch", "chain_signature_mismatch"], 1)
def digest_times(w, s):
    w.hours(8)
    tampering.digest_times(w, w.digests[4])


@scenario("the newest digest has no `logFiles`", ["digest_malformed", "log_unlisted"], 1)
def no_list(w, s):
    w.hours(8)
    tampering.digest_without_list(w, w.digests[-1])


@scenario("a digest lies in another bucket than it says", ["digest_moved", "digest_signature_wrong", "chain_hash_mismatch"], 1)
def moved(w, s):
    w.hours(8)
    tampering.digest_elsewhere(w, w.digests[4])


@scenario("all digests and log files were copied to another bucket", ["digest_moved", "log_unlisted"], 1)
def copied(w, s):
    w.hours(8)
    w.objects[w.bucket + "-copy"] = {key: Object(item.body, dict(item.metadata)) for key, item in w.objects[w.bucket].items()}
    s.bucket = w.bucket + "-copy"


@scenario("the metadata of the newest digest was lost", ["digest_unsigned"], 1)
def no_metadata(w, s):
    w.hours(8)
    tampering.no_metadata(w, w.digests[-1])


@scenario("the metadata of a digest between others were lost", ["digest_unsigned"], 1)
def no_metadata_between(w, s):
    w.hours(8)
    tampering.no_metadata(w, w.digests[4])


@scenario("the signature algorithm of a digest was lost", ["digest_unsigned"], 1)
def no_algorithm(w, s):
    w.hours(8)
    tampering.no_algorithm(w, w.digests[4])


@scenario("a signature has an odd number of digits", ["digest_signature_wrong", "chain_signature_mismatch"], 1)
def odd_signature(w, s):
    w.hours(8)
    tampering.odd_signature(w, w.digests[4])


@scenario("a signature is empty", ["digest_signature_wrong", "chain_signature_mismatch"], 1)
def empty_signature(w, s):
    w.hours(8)
    tampering.empty_signature(w, w.digests[4])


@scenario("a signature is no hex", ["digest_signature_wrong", "chain_signature_mismatch"], 1)
def no_hex(w, s):
    w.hours(8)
    tampering.no_hex(w, w.digests[4])


@scenario("a signature of another digest", ["digest_signature_wrong", "chain_signature_mismatch"], 1)
def swapped_signature(w, s):
    w.hours(8)
    tampering.swapped_signature(w, w.digests[4])


@scenario("a digest signed by a key that CloudTrail does not have", ["digest_key_unknown"], 1)
def unknown_key(w, s):
    w.hours(8)
    tampering.signed_by_a_stranger(w, w.digests[-1])


@scenario("there are no keys for the window at all", ["unreadable"], 5, begin=BEGIN - 400 * 24 * HOUR)
def no_keys(w, s):
    w.hours(8)
    s.start, s.end = w.begin, w.begin + 8 * HOUR


@scenario("a key in the form of SubjectPublicKeyInfo")
def spki_key(w, s):
    w.key = Key(form="spki")
    s.agrees = False  # the AWS CLI cannot load it
    w.keys.append(w.key)
    w.hours(8)


@scenario("a digest signed over SHA-512", ["digest_algorithm"], 1)
def other_hash(w, s):
    w.hours(8)
    tampering.signed_over_sha512(w, w.digests[-1])


@scenario("a digest says that it was signed by another algorithm", ["digest_algorithm"], 1)
def says_other_algorithm(w, s):
    w.hours(8)
    tampering.says_other_algorithm(w, w.digests[-1])


@scenario("the metadata name another algorithm", ["digest_algorithm"], 1)
def metadata_algorithm(w, s):
    w.hours(8)
    tampering.metadata_algorithm(w, w.digests[4])


@scenario("a digest signed after its key had expired", ["digest_key_expired"], 1)
def key_expired(w, s):
    old = Key(start=BEGIN - 24 * HOUR, end=BEGIN + 2 * HOUR)
    w.keys.append(old)
    w.hours(7)
    w.digest(7, signed_by=old)


@scenario("a digest signed before its key was valid", ["digest_key_expired"], 1)
def key_early(w, s):
    late = Key(start=BEGIN + 6 * HOUR, end=BEGIN + 24 * HOUR)
    w.keys.append(late)
    w.hours(1, signed_by=late)
    w.hours(7, first=1)


@scenario("the API gives a key under a fingerprint that is not its own", ["digest_key_fingerprint"], 1)
def key_substituted(w, s):
    other = Key(fingerprint="0123456789abcdef0123456789abcdef")
    w.keys.append(other)
    w.hours(7)
    w.digest(7, signed_by=other)


@scenario("a digest of another account", ["digest_inconsistent"], 1)
def other_account(w, s):
    w.hours(8)
    tampering.digest_of_another_account(w, w.digests[-1])


# --- the chain -------------------------------------------------------------------------------------------------------------


@scenario("a run of three digests was removed", ["digest_missing"], 1)
def run_removed(w, s):
    w.hours(8)
    w.remove(*w.digests[3:6])


@scenario("the newest digests and their log files were removed", ["tail_uncovered"], 3)
def tail_removed(w, s):
    w.hours(8)
    w.remove(*w.digests[6:], *w.logs[6:])


@scenario("the newest digests were removed, their log files are there", ["tail_uncovered"], 3)
def tail_digests_removed(w, s):
    w.hours(8)
    w.remove(*w.digests[6:])


@scenario("everything was removed", ["no_digests"], 4)
def all_removed(w, s):
    w.hours(8)
    w.remove(*w.digests, *w.logs)
    w.put(w.bucket, "readme.txt", b"nothing to see")


@scenario("all digests were removed", ["no_digests"], 4)
def digests_removed(w, s):
    w.hours(8)
    w.remove(*w.digests)


@scenario("an altered digest, and those before it removed", ["digest_missing", "digest_signature_wrong"], 1)
def altered_and_removed(w, s):
    w.hours(8)
    tampering.digest_altered(w, w.digests[5])
    w.remove(*w.digests[3:5])
    s.finds = sorted(s.finds + ["chain_hash_mismatch"])


@scenario("a digest states another hash for the one before", ["chain_hash_mismatch"], 1)
def wrong_previous_hash(w, s):
    w.hours(7)
    w.digest(7, change=lambda d: d.update(previousDigestHashValue="00" * 32))


@scenario("a digest states another signature for the one before", ["chain_signature_mismatch"], 1)
def wrong_previous_signature(w, s):
    w.hours(7)
    w.digest(7, change=lambda d: d.update(previousDigestSignature="00" * 256))


@scenario("a digest was replaced by another one with a good signature", ["chain_hash_mismatch", "chain_signature_mismatch"], 1)
def replaced(w, s):
    w.hours(8, logs=2)
    w.resign(w.digests[4], lambda d: d["logFiles"].pop() and None)
    w.remove(w.logs[9])


@scenario("logging was off for some hours", ["gap"], 3)
def gap(w, s):
    w.hours(3)
    w.restart()
    w.hours(3, first=5)


@scenario("logging was off, and log files lie in that time", ["gap"], 3)
def gap_with_logs(w, s):
    w.hours(3)
    w.restart()
    w.log(w.hour(4))
    w.hours(3, first=5)


@scenario("the chain begins inside the window", ["head_uncovered"], 3)
def late_begin(w, s):
    w.hours(5, first=3)


@scenario("two linked digests leave an hour between them", ["chain_discontinuity"], 3)
def hole(w, s):
    w.hours(4)
    w.hours(3, first=5)


@scenario("two linked digests overlap", ["chain_discontinuity"], 3)
def overlap(w, s):
    w.hours(4)
    w.digest(4, start=w.hour(4) - HOUR / 2)
    w.hours(3, first=5)


@scenario("two digests name the same one before them", ["chain_orphan"], 1)
def fork(w, s):
    w.hours(4)
    before = w.previous
    w.digest(4, end=w.hour(4) + HOUR / 2)
    w.previous = before
    w.hours(4, first=4)


@scenario("the trail was removed and made anew within an hour", ["gap"], 3)
def made_anew(w, s):
    w.hours(3)
    w.digest(3, end=w.hour(3) + HOUR / 3)
    w.restart()
    for n in range(5):
        start = w.hour(3 + n) + HOUR / 2
        w.digest(0, start=start, end=start + HOUR)


@scenario("the trail was made anew before its last digest ended", ["chain_restarted"])
def made_anew_early(w, s):
    w.hours(3)
    w.digest(3, end=w.hour(3) + HOUR / 3)
    w.restart()
    for n in range(5):
        start = w.hour(3 + n) + HOUR / 6
        w.digest(0, start=start, end=start + HOUR)


@scenario("a digest ends before the one that it names", ["chain_loop", "chain_restarted"], 1)
def named_early(w, s):
    w.hours(7)
    w.restart()
    w.digest(7)
    w.digest(0, start=w.hour(8) - HOUR / 2, end=w.hour(8) - HOUR / 3)


@scenario("the trail was renamed, its old name is asked about", ["tail_uncovered"], 3)
def renamed(w, s):
    w.hours(4)
    other = World(w.bucket, w.key, trail="main2")
    other.logs = list(w.logs)
    w.objects[w.bucket].update(other.hours(4, first=4).objects[w.bucket])


@scenario("every second digest was removed", ["digest_missing"], 1)
def every_second(w, s):
    w.hours(8)
    w.remove(*w.digests[0:7:2])


@scenario("all digests but the newest were removed", ["digest_missing"], 1)
def only_newest(w, s):
    w.hours(8)
    w.remove(*w.digests[:7])


@scenario("the digests of the old bucket were removed in part", ["digest_missing"], 1)
def old_bucket_removed(w, s):
    w.hours(4, bucket=w.bucket + "-old")
    w.hours(4, first=4)
    w.remove(w.digests[1])


@scenario(
    "the first digest after a change of bucket was altered, and the old bucket emptied",
    ["chain_hash_mismatch", "digest_missing", "digest_signature_wrong"],
    1,
)
def old_bucket_hidden(w, s):
    w.hours(4, bucket=w.bucket + "-old")
    w.hours(4, first=4)
    tampering.digest_altered(w, w.digests[4])
    w.remove(*w.digests[:4])


# --- names that mislead ----------------------------------------------------------------------------------------------------


@scenario(
    "another trail whose name extends ours hides our chain, in which a log file was altered", ["foreign_trail", "log_altered"], 1
)
def foreign_trail(w, s):
    w.hours(8)
    tampering.log_longer(w, w.logs[2])
    other = World(w.bucket, w.key, trail="main_us-east-1_x").hours(8, logs=0)
    w.objects[w.bucket].update(other.objects[w.bucket])


@scenario("an object with a misleading name ends the listing early; a digest was altered", ["digest_signature_wrong", "foreign_object"], 1)
def planted(w, s):
    w.hours(8)
    tampering.planted(w, w.digests[0])
    tampering.digest_altered(w, w.digests[4])
    s.finds = sorted(s.finds + ["chain_hash_mismatch"])


@scenario("a second trail delivers to the same folders", [])
def two_trails(w, s):
    w.hours(8)
    other = World(w.bucket, w.key, trail="second")
    other.logs = list(w.logs)
    other.hours(8)
    w.objects[w.bucket].update(other.objects[w.bucket])


# --- backfill --------------------------------------------------------------------------------------------------------------


@scenario("a backfill digest was altered", ["digest_signature_wrong", "chain_hash_mismatch", "log_unlisted"], 1)
def backfill_altered(w, s):
    w.hours(8)
    w.backfill_chain([3, 6])
    tampering.digest_altered(w, w.backfills[0])


@scenario("a backfill digest was removed", ["digest_missing"], 1)
def backfill_missing(w, s):
    w.hours(8)
    w.backfill_chain([3, 6])
    w.remove(w.backfills[0])
    s.finds = sorted(s.finds + ["log_unlisted"])


@scenario("a backfill digest lost the time of its making", ["digest_malformed"], 1)
def backfill_untimed(w, s):
    w.hours(8)
    w.backfill_chain([3, 6])
    tampering.backfill_untimed(w, w.backfills[1])
    s.finds = sorted(s.finds + ["log_unlisted"])


@scenario("a log file of a backfill digest was altered", ["log_altered"], 1)
def backfill_log(w, s):
    w.hours(8)
    w.backfill_chain([3, 6])
    tampering.log_longer(w, w.logs[-1])


@scenario("a backfill digest signed after its key had expired", ["digest_key_expired", "log_unlisted"], 1)
def backfill_key(w, s):
    old = Key(start=BEGIN - 24 * HOUR, end=BEGIN + 12 * HOUR - HOUR / 2)
    w.keys.append(old)
    w.hours(8)
    w.backfill_chain([6], signed_by=old)


@scenario("only backfill digests are there", ["no_digests"], 3)
def backfill_only(w, s):
    w.backfill_chain([3, 6])


# --- the window ------------------------------------------------------------------------------------------------------------


@scenario("a window without digests", ["no_digests"], 4)
def outside(w, s):
    w.hours(4)
    s.start, s.end = w.hour(40), w.hour(48)


@scenario("a window inside one hour")
def within_an_hour(w, s):
    w.hours(8)
    s.start, s.end = w.hour(3) + HOUR / 4, w.hour(3) + HOUR / 2


@scenario("the end of the window is not covered yet", ["tail_uncovered"], 3)
def late_end(w, s):
    w.hours(8)
    s.end = w.hour(12)


@scenario("the window starts where a digest ends")
def start_on_end(w, s):
    w.hours(8)
    s.start = w.hour(3)


@scenario("the window starts a second after the end of a digest, and ends a second before one")
def second_inside(w, s):
    w.hours(8)
    s.start, s.end = w.hour(3) + HOUR / 3600, w.hour(5) - HOUR / 3600


@scenario("the window is the second around the end of a digest")
def second_around(w, s):
    w.hours(8)
    s.start, s.end = w.hour(4) - HOUR / 3600, w.hour(4) + HOUR / 3600


@scenario("the window is a moment")
def moment(w, s):
    w.hours(8)
    s.start = s.end = w.hour(4)


@scenario("the window starts within the second in which a digest starts")
def fraction(w, s):
    w.hours(8)
    s.start = "2025-03-01T03:00:31.5Z"


@scenario("the window in words")
def words(w, s):
    w.hours(8)
    s.start, s.end = "Sat, 01 Mar 2025 00:00:31 GMT", "Sat Mar  1 08:00:31 UTC 2025"


@scenario("the window ends in the far future", ["tail_uncovered"], 3)
def far_future(w, s):
    w.hours(8)
    s.end = "9999-12-30T00:00:00Z"


@scenario("a window of decades, with a log file that no digest lists", ["head_uncovered", "log_unlisted", "tail_uncovered"], 3)
def decades(w, s):
    w.hours(8)
    tampering.unlisted(w, w.hour(3) + HOUR / 4)
    s.start, s.end = "1990-01-01", "2090-01-01"
