"""Puts sound chains somewhere: `put.py [options] KEYS [URL | FOLDER]`.

KEYS is the file to which the public keys are written, in the form of ListPublicKeys. With a URL the objects go into the bucket
`trails` of that S3; with a folder they lie there as `aws s3 sync` leaves them, each digest's metadata beside it as
`aws s3api head-object` prints them.
"""

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chain import Key, World

BUCKET = "trails"


def main():
    options = arguments()
    key = Key()
    Path(options.keys).write_text(json.dumps({"PublicKeyList": [key.listed()]}))
    worlds = []
    for account in options.accounts.split(","):
        for region in options.regions.split(","):
            world = World(BUCKET, key, account=account, region=region, org=options.org)
            world.hours(options.hours, logs=options.logs)
            worlds.append(world)
    put = to_folder if "://" not in options.to else to_s3
    put(options.to, worlds)


def to_folder(folder, worlds):
    for world in worlds:
        for key, item in world.objects[BUCKET].items():
            path = Path(folder, key)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(item.body)
            if item.metadata:
                Path(f"{path}.metadata.json").write_text(json.dumps({"Metadata": item.metadata}))


def to_s3(url, worlds):
    import boto3
    from botocore.config import Config

    config = Config(max_pool_connections=8, request_checksum_calculation="when_required")
    s3 = boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test", config=config
    )
    s3.create_bucket(Bucket=BUCKET)
    objects = [(key, item) for world in worlds for key, item in world.objects[BUCKET].items()]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda pair: s3.put_object(Bucket=BUCKET, Key=pair[0], Body=pair[1].body, Metadata=pair[1].metadata), objects))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("keys")
    parser.add_argument("to")
    parser.add_argument("--hours", type=int, default=8)
    parser.add_argument("--logs", type=int, default=2)
    parser.add_argument("--accounts", default="111122223333")
    parser.add_argument("--regions", default="us-east-1")
    parser.add_argument("--org", default="")
    return parser.parse_args()


if __name__ == "__main__":
    main()
