"""moto's server with what a CloudTrail shipper's tests need and moto 5.2.5 lacks: `moto_serve.py PORT DATA`.

Port 0 is any free one; DATA/ready holds the port once it answers. Ends when its standard input ends.

Added: CloudTrail ListPublicKeys, read on every call from the JSON array in the file named by CLOUDTRAIL_KEYS.
Corrected: FilterLogEvents is ordered by time over all streams and its pages hold at most 1 MB; S3 notifications carry the fields of
real ones, a completed upload announces itself once, EventBridge events have `etag` and `reason` as S3 writes them; an old receipt
handle neither deletes nor hides a message that was received again; receiving is no longer slower the longer the queue.
"""

import copy
import json
import os
import sys
import threading
import time
from pathlib import Path
from urllib.parse import quote_plus

from moto.cloudtrail.responses import CloudTrailResponse
from moto.core.utils import unix_time
from moto.events.models import events_backends
from moto.events.utils import _BASE_EVENT_MESSAGE
from moto.logs.models import LogGroup
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3 import models as s3_models, notifications
from moto.sqs import models as sqs_models
from moto.sqs.exceptions import ReceiptHandleIsInvalid
from werkzeug.serving import make_server


def list_public_keys(self):
    path = os.environ.get("CLOUDTRAIL_KEYS")
    keys = json.load(open(path)) if path and os.path.exists(path) else []
    start = self._get_param("StartTime") or 0
    end = self._get_param("EndTime") or float("inf")
    keys = [k for k in keys if k["ValidityStartTime"] <= end and k["ValidityEndTime"] >= start]
    return json.dumps({"PublicKeyList": keys})


CloudTrailResponse.list_public_keys = list_public_keys

moto_filter = LogGroup.filter_log_events


def filter_log_events(self, log_group_name, log_stream_names, start_time, end_time, limit, next_token, filter_pattern, interleaved):
    events, token, searched = moto_filter(
        self, log_group_name, log_stream_names, start_time, end_time, limit, next_token, filter_pattern, True
    )
    size = 0
    for n, event in enumerate(events):
        size += len(event["message"].encode())
        if size > 1 << 20 and n:
            last = events[n - 1]
            return events[:n], f"{log_group_name}@{last['logStreamName']}@{last['eventId']}", []
    return events, token, []


LogGroup.filter_log_events = filter_log_events

moto_s3_event = notifications._get_s3_event


def s3_event(event_name, bucket, key, notification_id):
    event = moto_s3_event(event_name, bucket, key, notification_id)
    record = event["Records"][0]
    record["userIdentity"] = {"principalId": "AWS:AROAEXAMPLE:cloudtrail"}
    record["requestParameters"] = {"sourceIPAddress": "127.0.0.1"}
    record["responseElements"] = {"x-amz-request-id": "0000000000000000", "x-amz-id-2": "0"}
    record["s3"]["bucket"]["ownerIdentity"] = {"principalId": "A3NL1KOZZKExample"}
    record["s3"]["object"]["key"] = quote_plus(key.name, safe="/")
    record["s3"]["object"]["sequencer"] = f"{time.time_ns():018X}"
    if bucket.versioning_status == "Enabled":
        record["s3"]["object"]["versionId"] = key.version_id
    return event


notifications._get_s3_event = s3_event

REASONS = {"Put": "PutObject", "Copy": "CopyObject", "Post": "POST Object", "CompleteMultipartUpload": "CompleteMultipartUpload"}


def send_event_bridge_message(account_id, bucket, event_name, key):
    kind, _, cause = event_name.value.removeprefix("s3:").partition(":")
    if kind != "ObjectCreated":
        return
    obj = {"key": key.name, "size": key.size, "etag": key.etag.replace('"', ""), "sequencer": f"{time.time_ns():018X}"}
    if bucket.versioning_status == "Enabled":
        obj["version-id"] = key.version_id
    event = copy.deepcopy(_BASE_EVENT_MESSAGE) | {
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": account_id,
        "time": unix_time(),
        "region": bucket.region_name,
        "resources": [bucket.arn],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket.name},
            "object": obj,
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": account_id,
            "source-ip-address": "127.0.0.1",
            "reason": REASONS.get(cause, cause),
        },
    }
    for bus in events_backends[account_id][bucket.region_name].event_buses.values():
        for rule in bus.rules.values():
            rule.send_to_targets(event, transform_input=False)


notifications._send_event_bridge_message = send_event_bridge_message

# The thread in which a multipart upload is being completed: moto stores the result by a put, which must stay silent.
completing = threading.local()
moto_send_event = notifications.send_event
moto_complete = s3_models.S3Backend.complete_multipart_upload


def send_event(account_id, event_name, bucket, key):
    if not (getattr(completing, "now", False) and event_name.value.endswith(":Put")):
        moto_send_event(account_id, event_name, bucket, key)


def complete_multipart_upload(self, *args, **kwargs):
    completing.now = True
    try:
        return moto_complete(self, *args, **kwargs)
    finally:
        completing.now = False


notifications.send_event = send_event
s3_models.S3Backend.complete_multipart_upload = complete_multipart_upload


def is_current(queue, handle):
    return any(m.receipt_handle == handle for m in queue._messages)


def is_stale(queue, handle):
    return any(m.had_receipt_handle(handle) for m in queue._messages) and not is_current(queue, handle)


moto_delete = sqs_models.Queue.delete_message
moto_change = sqs_models.SQSBackend.change_message_visibility


def delete_message(self, receipt_handle):
    if not is_stale(self, receipt_handle):
        moto_delete(self, receipt_handle)


def change_message_visibility(self, queue_name, receipt_handle, visibility_timeout):
    if is_stale(self.get_queue(queue_name), receipt_handle):
        raise ReceiptHandleIsInvalid()
    return moto_change(self, queue_name, receipt_handle, visibility_timeout)


sqs_models.Queue.delete_message = delete_message
sqs_models.SQSBackend.change_message_visibility = change_message_visibility


def within_retention(self, queue_name, message):
    """moto's own counts the whole queue three times for each message it hands out."""
    return time.time() * 1000 < message.sent_timestamp + int(self.get_queue(queue_name).message_retention_period) * 1000


sqs_models.SQSBackend.is_message_valid_based_on_retention_period = within_retention


def end_with_input():
    while sys.stdin.buffer.read1(4096):
        pass
    os._exit(0)


def main(port, data):
    threading.Thread(target=end_with_input, daemon=True).start()
    server = make_server(
        "127.0.0.1", int(port), DomainDispatcherApplication(create_backend_app), threaded=True, request_handler=MotoRequestHandler
    )
    os.environ["MOTO_PORT"] = str(server.server_port)
    Path(data, "ready").write_text(f"{server.server_port}\n")
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
