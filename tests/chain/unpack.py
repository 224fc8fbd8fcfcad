"""Writes every scenario into a folder, for tests that put the objects into a bucket themselves, in an order of their own.

    unpack.py FOLDER

FOLDER/scenes.json is a list of scenarios: `name`, `title`, `arn`, `bucket`, `start`, `end`, `extra` (further arguments of
`trailship validate`), `finds` (kinds that it must find), `objects` in the order in which they were made: `bucket`, `key`,
`file`, `metadata`. FOLDER/keys.json are the public keys in the form of ListPublicKeys; those under a fingerprint that is not
their own are left out, since such a file is refused. Beside the scenarios stands `organization`: two accounts, two regions.
"""

import hashlib
import json
import sys
from pathlib import Path

import scenarios
from chain import World, display

ORGANIZATION = "o-exampleorg1"
ACCOUNTS = ["111122223333", "444455556666"]
REGIONS = ["us-east-1", "eu-west-1"]


def main():
    folder = Path(sys.argv[1])
    keys = []
    made = scenarios.worlds(keys)
    made.append(organization(keys[0]))
    scenes = [scene(folder, number, item, world) for number, (item, world) in enumerate(made)]
    own = [key.listed() for key in keys if key.fingerprint == hashlib.md5(key.der).hexdigest()]
    (folder / "keys.json").write_text(json.dumps({"PublicKeyList": own}))
    (folder / "scenes.json").write_text(json.dumps(scenes))


def organization(key):
    """Eight hours of every account and region, with as many log files an hour as its place in the list says."""
    item = scenarios.Scenario(organization, "the trail of an organization", [], 0, {})
    item.bucket, item.extra = "organization", ["--account-id", "all", "--region", "all"]
    whole = World(item.bucket, key, org=ORGANIZATION)
    for account in ACCOUNTS:
        for region in REGIONS:
            logs = 1 + ACCOUNTS.index(account) + 2 * REGIONS.index(region)
            one = World(item.bucket, key, account=account, region=region, org=ORGANIZATION).hours(8, logs=logs)
            whole.objects[item.bucket].update(one.objects[item.bucket])
    return item, whole


def scene(folder, number, item, world):
    objects = []
    for bucket, held in world.objects.items():
        for key, content in held.items():
            file = folder / f"{number}-{len(objects)}"
            file.write_bytes(content.body)
            objects.append({"bucket": bucket, "key": key, "file": str(file), "metadata": content.metadata})
    return {
        "name": item.name,
        "title": item.title,
        "arn": world.arn,
        "bucket": item.bucket,
        "start": display(item.start),
        "end": display(item.end),
        "extra": item.extra,
        "finds": item.finds,
        "objects": objects,
    }


if __name__ == "__main__":
    main()
