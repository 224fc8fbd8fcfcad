"""Bucket and queue of a run, past the proxy. Signatures are not checked by the servers here, so none is made."""

import json

import wire
from state import Failed

REGION, ACCOUNT = "us-east-1", "123456789012"


class Trail:
    """A bucket that announces its objects to a queue."""

    def __init__(self, place, name):
        self.place, self.bucket = place, name
        self.queue_path = f"{ACCOUNT}/{name}"

    async def create(self):
        await self.store("PUT", f"/{self.bucket}")
        await self.queue("CreateQueue", {"QueueName": self.bucket})
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self.bucket}"
        rule = f"<QueueConfiguration><Queue>{arn}</Queue><Event>s3:ObjectCreated:*</Event></QueueConfiguration>"
        wrapped = f'<NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{rule}</NotificationConfiguration>'
        await self.store("PUT", f"/{self.bucket}?notification", wrapped.encode())

    async def put(self, key, body):
        await self.store("PUT", f"/{self.bucket}/{key}", body)

    async def send(self, body):
        await self.queue("SendMessage", {**self.named(), "MessageBody": body})

    async def depth(self):
        """Messages that wait, and messages that somebody holds."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = await self.queue("GetQueueAttributes", {**self.named(), "AttributeNames": names})
        return tuple(int(answer["Attributes"][name]) for name in names)

    def named(self):
        return {"QueueUrl": f"http://{self.place[0]}:{self.place[1]}/{self.queue_path}"}

    async def store(self, method, path, body=b""):
        await self.ask(method, path, body, [signature("s3")])

    async def queue(self, operation, value):
        headers = [signature("sqs"), ("x-amz-target", f"AmazonSQS.{operation}"), ("content-type", "application/x-amz-json-1.0")]
        return json.loads(await self.ask("POST", "/", json.dumps(value).encode(), headers))

    async def ask(self, method, path, body, headers):
        status, text = await wire.ask(self.place, method, path, body, headers)
        if status >= 300:
            raise Failed(f"{method} {path} was answered with {status}: {text[:300].decode(errors='replace')}")
        return text


def signature(service):
    """What looks like one: moto tells services apart by it."""
    scope = f"AKIAIOSFODNN7EXAMPLE/20260101/{REGION}/{service}/aws4_request"
    return "authorization", f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
