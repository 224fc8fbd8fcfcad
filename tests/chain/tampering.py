"""What can be done to one log file or one digest, each with the kinds of findings that tell of it.

`scenarios.py` does these to objects that were chosen by hand, `at_random.py` to any. `finds` are the kinds of findings about the
object itself, when nothing else was done: empty where nothing is wrong. Some of those about a digest come from the next one.
"""

import gzip
import io

from chain import Key, stamp
from cryptography.hazmat.primitives import hashes

LOGS, DIGESTS = [], []
# What the digest after it finds when a digest was signed anew.
RESIGNED = ["chain_hash_mismatch", "chain_signature_mismatch"]


class Tampering:
    def __init__(self, do, finds):
        self.do, self.finds, self.name = do, sorted(finds), do.__name__

    def __call__(self, world, name):
        self.do(world, name)


def on(group, *finds):
    def add(do):
        group.append(Tampering(do, finds))
        return group[-1]

    return add


# --- log files -------------------------------------------------------------------------------------------------------------


@on(LOGS)
def log_recompressed(w, name):
    w.at(name).body = gzip.compress(w.text(name).encode(), 1, mtime=77)


@on(LOGS, "log_altered")
def log_altered(w, name):
    w.rewrite(name, lambda text: text.replace("Records", "Record5", 1))


@on(LOGS, "log_altered")
def log_longer(w, name):
    w.rewrite(name, lambda text: text + " ")


@on(LOGS, "log_missing")
def log_removed(w, name):
    w.remove(name)


@on(LOGS, "log_malformed")
def log_plain(w, name):
    w.at(name).body = w.text(name).encode()


@on(LOGS, "log_altered")
def log_empty(w, name):
    w.at(name).body = b""


@on(LOGS, "log_altered")
def log_half(w, name):
    w.at(name).body = w.at(name).body[:30]


@on(LOGS, "log_cut")
def log_trailer(w, name):
    w.at(name).body = w.at(name).body[:-8]


@on(LOGS, "log_malformed")
def log_checksum(w, name):
    body = bytearray(w.at(name).body)
    body[-6] ^= 1
    w.at(name).body = bytes(body)


@on(LOGS, "log_trailing_data")
def log_member(w, name):
    w.at(name).body += gzip.compress(b'{"Records":[]}')


@on(LOGS, "log_trailing_data")
def log_bytes(w, name):
    w.at(name).body += b"x"


@on(LOGS, "log_missing")
def log_renamed(w, name):
    """The new name is listed by nobody."""
    bucket, key = name
    w.put(bucket, key.replace(".json.gz", "x.json.gz"), w.at(name).body)
    w.remove(name)


@on(LOGS, "log_altered")
def log_of_another(w, name):
    """The content of another log file."""
    others = [other for other in w.logs if other != name and w.has(other)]
    w.at(name).body = w.at(others[0]).body


# --- digests ---------------------------------------------------------------------------------------------------------------


@on(DIGESTS)
def upper_signature(w, name):
    metadata = w.at(name).metadata
    metadata["signature"] = metadata["signature"].upper()


@on(DIGESTS)
def gzip_head(w, name):
    body, text = io.BytesIO(), w.text(name).encode()
    with gzip.GzipFile("a name", "wb", 9, body, mtime=5) as file:
        file.write(text)
    w.at(name).body = body.getvalue()


@on(DIGESTS, "digest_signature_wrong", "chain_hash_mismatch")
def digest_altered(w, name):
    w.rewrite(name, lambda text: text.replace('"awsAccountId"', '"awsaccountId"'))


@on(DIGESTS, "digest_missing")
def digest_removed(w, name):
    w.remove(name)


@on(DIGESTS, "digest_malformed")
def digest_plain(w, name):
    w.at(name).body = w.text(name).encode()


@on(DIGESTS, "digest_malformed")
def digest_empty(w, name):
    w.at(name).body = b""


@on(DIGESTS, "digest_malformed")
def digest_trailer(w, name):
    w.at(name).body = w.at(name).body[:-8]


@on(DIGESTS, "digest_trailing_data")
def digest_member(w, name):
    w.at(name).body += gzip.compress(b"more")


@on(DIGESTS, "digest_malformed")
def digest_not_json(w, name):
    w.rewrite(name, lambda text: text[:-1])


@on(DIGESTS, "digest_malformed")
def digest_list(w, name):
    w.rewrite(name, lambda text: f"[{text}]")


@on(DIGESTS, "digest_malformed")
def digest_number(w, name):
    w.rewrite(name, lambda _: "7")


@on(DIGESTS, "digest_malformed")
def digest_fraction(w, name):
    w.rewrite(name, lambda _: "1.5")


@on(DIGESTS, "digest_malformed")
def digest_not_utf8(w, name):
    """In a member that nobody needs."""
    text = gzip.decompress(w.at(name).body)
    w.at(name).body = gzip.compress(text.replace(b"{", b'{"more":"\xc3\x28",', 1), mtime=0)


@on(DIGESTS, "digest_malformed", *RESIGNED)
def digest_member_missing(w, name):
    w.resign(name, lambda d: d.pop("digestStartTime") and None)


@on(DIGESTS, "digest_malformed", *RESIGNED)
def digest_times(w, name):
    w.resign(name, lambda d: d.update(digestStartTime="soon"))


@on(DIGESTS, "digest_malformed", *RESIGNED)
def digest_without_list(w, name):
    w.resign(name, lambda d: d.pop("logFiles") and None)


@on(DIGESTS, "digest_moved", "digest_signature_wrong", "chain_hash_mismatch")
def digest_elsewhere(w, name):
    w.rewrite(name, lambda text: text.replace(f'"digestS3Bucket":"{name[0]}"', '"digestS3Bucket":"elsewhere"'))


@on(DIGESTS, *RESIGNED)
def chain_begun_anew(w, name):
    """As if nothing had been before, with the right key."""
    w.resign(name, lambda d: d.update({member: None for member in d if member.startswith("previous")}))


@on(DIGESTS, "digest_malformed")
def backfill_untimed(w, name):
    del w.at(name).metadata["backfill-generation-timestamp"]


@on(DIGESTS, "digest_moved", "chain_hash_mismatch", "chain_signature_mismatch")
def digest_of_another_hour(w, name):
    """A whole digest, content and metadata, in another one's place."""
    other = neighbour(w, name)
    w.at(name).body, w.at(name).metadata = other.body, dict(other.metadata)


@on(DIGESTS, "digest_unsigned")
def no_metadata(w, name):
    w.at(name).metadata = {}


@on(DIGESTS, "digest_unsigned")
def no_algorithm(w, name):
    del w.at(name).metadata["signature-algorithm"]


@on(DIGESTS, "digest_signature_wrong", "chain_signature_mismatch")
def odd_signature(w, name):
    metadata = w.at(name).metadata
    metadata["signature"] = metadata["signature"][:-1]


@on(DIGESTS, "digest_signature_wrong", "chain_signature_mismatch")
def empty_signature(w, name):
    w.at(name).metadata["signature"] = ""


@on(DIGESTS, "digest_signature_wrong", "chain_signature_mismatch")
def no_hex(w, name):
    w.at(name).metadata["signature"] = "zz" * 256


@on(DIGESTS, "digest_signature_wrong", "chain_signature_mismatch")
def swapped_signature(w, name):
    w.at(name).metadata["signature"] = neighbour(w, name).metadata["signature"]


@on(DIGESTS, "digest_algorithm")
def metadata_algorithm(w, name):
    w.at(name).metadata["signature-algorithm"] = "SHA1withRSA"


@on(DIGESTS, "digest_algorithm", *RESIGNED)
def says_other_algorithm(w, name):
    w.resign(name, lambda d: d.update(digestSignatureAlgorithm="SHA1withRSA"))


@on(DIGESTS, "digest_algorithm", "chain_signature_mismatch")
def signed_over_sha512(w, name):
    text, signer = w.text(name), w.signers[name]
    kept, w.signing = w.signing, hashes.SHA512()
    w.resign_text(name, text, signer)
    w.signing = kept


@on(DIGESTS, "digest_inconsistent", *RESIGNED)
def digest_of_another_account(w, name):
    w.resign(name, lambda d: d.update(awsAccountId="999988887777"))


@on(DIGESTS, "digest_key_unknown", *RESIGNED)
def signed_by_a_stranger(w, name):
    signed_by(w, name, STRANGER)


@on(DIGESTS, *RESIGNED)
def digest_replaced(w, name):
    """With the right key: only the next digest knows."""
    w.resign(name, lambda d: d.update(more="x") if not d["logFiles"] else d["logFiles"].pop() and None)


STRANGER = Key()


def signed_by(w, name, key):
    w.resign(name, lambda d: d.update(digestPublicKeyFingerprint=key.fingerprint), key)
    w.signers[name] = key


def neighbour(w, name):
    """The digest before it that is there, or else one after it."""
    names = w.backfills if name in w.backfills else w.digests
    at = names.index(name)
    return next(w.at(other) for other in names[:at][::-1] + names[at + 1 :] if w.has(other))


# --- beside what is there --------------------------------------------------------------------------------------------------


def unlisted(w, time):
    """A log file that no digest lists; its name."""
    w.log(time)
    return w.logs.pop()


def copied(w, name, later):
    """A digest a second time, under the name of another time; its name."""
    bucket, key = name
    made = (bucket, key.replace(stamp(w.ends[name]), stamp(w.ends[name] + later)))
    w.put(*made, w.at(name).body, dict(w.at(name).metadata))
    return made


def planted(w, name):
    """An object whose name ends the AWS CLI's listing early; its name."""
    bucket, key = name
    made = (bucket, f"{key.removesuffix('.json.gz')[:-8]}Aaaaaaaaaaaaaaaa.json.gz")
    w.put(*made, b"x")
    return made
