"""The AWS side of the demo, with boto3.

bucket.py ENDPOINT fill FOLDER      bucket, queue and notification; uploads FOLDER/AWSLogs; prints the queue's URL
bucket.py ENDPOINT left QUEUE_URL   prints how many messages the queue still holds
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
from botocore.config import Config

BUCKET, QUEUE = "acme-cloudtrail-logs", "cloudtrail"


def main(endpoint, command, argument):
    names = {"endpoint_url": endpoint, "region_name": "us-east-1", "aws_access_key_id": "demo", "aws_secret_access_key": "demo"}
    config = Config(s3={"addressing_style": "path"}, proxies={}, retries={"max_attempts": 3})
    s3, sqs = (boto3.client(service, config=config, **names) for service in ("s3", "sqs"))
    print(fill(s3, sqs, Path(argument)) if command == "fill" else left(sqs, argument))


def fill(s3, sqs, folder):
    queue = sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})})
    s3.create_bucket(Bucket=BUCKET)
    announce = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration=announce)
    objects = sorted(path for path in (folder / "AWSLogs").rglob("*.json.gz"))
    headers = {"ContentType": "application/json", "ContentEncoding": "gzip"}

    def upload(path):
        s3.put_object(Bucket=BUCKET, Key=path.relative_to(folder).as_posix(), Body=path.read_bytes(), **headers)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(upload, objects))
    return queue


def left(sqs, queue):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)


if __name__ == "__main__":
    main(*sys.argv[1:])
