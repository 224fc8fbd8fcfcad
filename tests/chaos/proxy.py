"""Stands between trailship and one side, AWS or the search server, and spoils calls as the plan says.

A call is read whole, passed on whole, and its answer read whole; what is spoilt is what trailship sees. It never alters
what is stored: the one thing that it does change in passing is the pause for which trailship hides a message that it
gives back, which it shortens, so that a run ends in time.
"""

import asyncio
import gzip
import json
import socket
import struct
import time
from collections import Counter, defaultdict

import wire
from faults import AWS

# Longest pause of a message that was given back (s).
PAUSE_SECONDS = 10
# After this the proxy ends what it left unanswered (s): by then trailship should have.
STALL_SECONDS = 90
SLOW_PARTS = 20


class Proxy:
    """One side's proxy; `place` is where trailship finds it, `target` where the real server is (host, port)."""

    def __init__(self, injector, target):
        self.injector, self.target = injector, target
        self.calls = Counter()
        self.unreachable = 0
        self.longest_stall = defaultdict(float)
        self.handed_out = []
        self.halved = set()
        # A host that is away for this proxy's clients alone.
        self.away = False
        self.faults = []  # of the proxy's own
        # Held here, because the loop itself does not hold a task whose client has gone.
        self.connections = set()

    async def start(self, tls=None):
        """Listens; with `tls`, a context, for HTTPS."""
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, limit=wire.MAX_HEAD, ssl=tls)
        self.place = self.server.sockets[0].getsockname()

    def stop(self):
        self.server.close()

    async def serve(self, reader, writer):
        """One connection of trailship's, to its end."""
        self.connections.add(asyncio.current_task())
        try:
            while True:
                request = await wire.read_message(reader)
                if request is None or self.away:
                    break
                await Call(self, reader, writer, request).pass_on()
        except (wire.Broken, OSError, asyncio.CancelledError):
            pass  # cancelled only at the end of the run
        except Exception as error:  # what trailship then sees is a reset that nobody planned
            self.faults.append(repr(error))
        finally:
            writer.transport.abort()
            self.connections.discard(asyncio.current_task())


class Ended(wire.Broken):
    """The connection was ended on purpose."""


class Call:
    """One request and what becomes of it."""

    def __init__(self, proxy, reader, writer, request):
        self.proxy, self.reader, self.writer, self.request = proxy, reader, writer, request
        self.is_aws = proxy.injector.side == AWS
        self.operation = operation(request, self.is_aws)

    async def pass_on(self):
        self.proxy.calls[self.operation] += 1
        fault = self.proxy.injector.next(self.operation)
        if self.operation.startswith("ChangeMessageVisibility"):
            self.request = shortened(self.request)
        if fault is None or not self.fits(fault):
            return await self.send(await self.ask())
        self.proxy.injector.count(fault.kind)
        await HOW[fault.kind](self, fault)

    def fits(self, fault):
        """Half an object with a length that fits looks like a damaged object, so each object is halved once at most."""
        if fault.kind != "half an answer" or self.operation != "GetObject":
            return True
        first = self.request.target not in self.proxy.halved
        self.proxy.halved.add(self.request.target)
        return first

    async def ask(self):
        """The real server's answer; where there is none, trailship's connection breaks too."""
        try:
            reply = await wire.exchange(self.proxy.target, self.request)
        except (OSError, wire.Broken):
            self.proxy.unreachable += 1
            self.reset()
        if self.operation == "ReceiveMessage" and reply.status == 200:
            self.proxy.handed_out += reply.json().get("Messages", [])
            del self.proxy.handed_out[:-100]
        return reply

    async def send(self, reply):
        if self.request.method == "HEAD":
            self.writer.write(reply.head(reply.header("content-length") or 0))
        else:
            self.writer.write(reply.head() + reply.body)
        await self.writer.drain()

    def reset(self):
        """A TCP reset: what the system has not sent yet is lost."""
        linger = struct.pack("ii", 1, 0)
        place = self.writer.get_extra_info("socket")
        # With HTTPS there is none any more when the client has gone first.
        if place is not None:
            place.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()
        raise Ended

    async def send_part(self, fault):
        """Asks, and sends the head and a share of the body."""
        reply = await self.ask()
        self.writer.write(reply.head() + reply.body[: int(len(reply.body) * fault.share)])
        await self.writer.drain()

    async def stall(self, _fault):
        """Nothing more, until trailship has had enough."""
        began = time.monotonic()
        try:
            await asyncio.wait_for(self.reader.read(1), STALL_SECONDS)
        except asyncio.TimeoutError:
            pass
        longest = self.proxy.longest_stall
        longest[self.operation] = max(longest[self.operation], time.monotonic() - began)
        raise Ended

    async def reset_before(self, _fault):
        self.reset()

    async def late(self, fault):
        await asyncio.sleep(fault.seconds)
        await self.send(await self.ask())

    async def refuse(self, fault):
        await self.send(self.refusal(pick((500, 502, 503, 504), fault)))

    async def overload(self, fault):
        await self.send(self.refusal(pick((429, 503), fault)))

    async def deny(self, fault):
        await self.send(self.refusal(403 if self.is_aws else pick((401, 403), fault)))

    async def lose(self, _fault):
        await self.ask()
        self.reset()

    async def refuse_after(self, fault):
        await self.ask()
        await self.refuse(fault)

    async def reset_within(self, fault):
        await self.send_part(fault)
        # The sent part leaves before the reset drops what is still queued.
        await asyncio.sleep(0.02)
        self.reset()

    async def cut(self, fault):
        await self.send_part(fault)
        self.writer.close()
        await self.writer.wait_closed()
        raise Ended

    async def stall_within(self, fault):
        await self.send_part(fault)
        await self.stall(fault)

    async def slow(self, fault):
        reply = await self.ask()
        self.writer.write(reply.head())
        step = len(reply.body) // SLOW_PARTS + 1
        for start in range(0, len(reply.body), step):
            self.writer.write(reply.body[start:start + step])
            await self.writer.drain()
            await asyncio.sleep(fault.seconds / SLOW_PARTS)

    async def halve(self, fault):
        reply = await self.ask()
        reply.body = reply.body[: int(len(reply.body) * fault.share)]
        await self.send(reply)

    async def hand_out_again(self, fault):
        """Messages that were handed out before stand in this answer too, with the handles they had."""
        reply = await self.ask()
        if reply.status == 200:
            value = reply.json()
            new = value.get("Messages", [])
            known = {message["MessageId"] for message in new}
            again = [received_again(message) for message in self.proxy.handed_out if message["MessageId"] not in known]
            first = int(len(again) * fault.share)
            reply = reply.with_json({**value, "Messages": (new + again[first:])[:10]})
        await self.send(reply)

    async def hide_shortly(self, _fault):
        """Delivered again a second later, with a newer handle."""
        self.request = self.request.with_json({**self.request.json(), "VisibilityTimeout": 1})
        await self.send(await self.ask())

    async def refuse_entries(self, fault):
        """Some entries of a batch are not passed on, and are answered as failed."""
        entries = self.request.json()["Entries"]
        refused = [entry for number, entry in enumerate(entries) if (number + int(fault.share * 2)) % 2 == 0]
        passed = [entry for entry in entries if entry not in refused]
        told = {"Successful": [], "Failed": []}
        if passed:
            self.request = self.request.with_json({**self.request.json(), "Entries": passed})
            reply = await self.ask()
            if reply.status != 200:
                return await self.send(reply)
            told.update(reply.json())
        failed = {"SenderFault": False, "Code": "InternalError", "Message": "injected"}
        told["Failed"] = [*told.get("Failed", []), *({"Id": entry["Id"], **failed} for entry in refused)]
        await self.send(wire.answer(200, "application/x-amz-json-1.0", json.dumps(told)))

    async def call_busy(self, fault):
        """Some documents were indexed, but trailship is told that the server was too busy for them."""
        reply = await self.ask()
        if reply.status == 200:
            value = reply.json()
            for number, item in enumerate(value.get("items", [])):
                if (number + int(fault.share * 4)) % 4 == 0:
                    status = pick((429, 503), fault)
                    told = {"type": "es_rejected_execution_exception", "reason": "injected"}
                    item[next(iter(item))] = {"status": status, "error": told}
                    value["errors"] = True
            reply = reply.with_json(value)
        await self.send(reply)

    async def swallow(self, _fault):
        """A lie: nothing is passed on, and every document is called indexed. Only to prove that a loss is noticed."""
        items = [{"create": {"status": 201}}] * (len(self.lines()) // 2)
        await self.send(wire.answer(200, "application/json", json.dumps({"errors": False, "items": items})))

    async def store_twice(self, _fault):
        """The documents are stored under other ids as well. Only to prove that a double is noticed."""
        reply = await self.ask()
        lines = [line.replace(b'"_id":"', b'"_id":"twice-') if number % 2 == 0 else line for number, line in enumerate(self.lines())]
        again = wire.Message(self.request.start, self.request.without("content-encoding"), b"\n".join(lines) + b"\n")
        await wire.exchange(self.proxy.target, again)
        await self.send(reply)

    def lines(self):
        """The lines of a bulk body."""
        body = self.request.body
        return (gzip.decompress(body) if self.request.header("content-encoding") == "gzip" else body).splitlines()

    def refusal(self, status):
        """An error as this side words it."""
        if not self.is_aws:
            if status in (502, 504):
                return wire.answer(status, "text/html", "<html><body>Bad Gateway</body></html>")
            kind = SEARCH_ERRORS.get(status, "internal_server_error")
            return wire.answer(status, "application/json", json.dumps({"error": {"type": kind, "reason": "injected"}, "status": status}))
        if self.request.header("x-amz-target"):
            code = QUEUE_ERRORS.get(status, "InternalFailure")
            # SQS says with 400 that it throttles.
            status = 400 if status == 429 else status
            return wire.answer(status, "application/x-amz-json-1.0", json.dumps({"__type": code, "message": "injected"}))
        code = STORE_ERRORS.get(status, "InternalError")
        return wire.answer(status, "application/xml", f"<Error><Code>{code}</Code><Message>injected</Message></Error>")


HOW = {
    "late": Call.late,
    "reset": Call.reset_before,
    "refusal": Call.refuse,
    "overload": Call.overload,
    "denial": Call.deny,
    "stall": Call.stall,
    "lost answer": Call.lose,
    "done, but refused": Call.refuse_after,
    "reset in mid-answer": Call.reset_within,
    "cut answer": Call.cut,
    "stall in mid-answer": Call.stall_within,
    "slow body": Call.slow,
    "half an answer": Call.halve,
    "messages again": Call.hand_out_again,
    "short visibility": Call.hide_shortly,
    "some entries refused": Call.refuse_entries,
    "busy items": Call.call_busy,
    "swallowed": Call.swallow,
    "stored twice": Call.store_twice,
}
SEARCH_ERRORS = {
    401: "security_exception",
    403: "security_exception",
    429: "circuit_breaking_exception",
    503: "cluster_block_exception",
}
QUEUE_ERRORS = {403: "ExpiredToken", 429: "ThrottlingException", 503: "ServiceUnavailable"}
STORE_ERRORS = {403: "ExpiredToken", 429: "TooManyRequests", 503: "SlowDown"}


def operation(request, is_aws):
    """What is called, in the side's own words."""
    action = request.header("x-amz-target").rpartition(".")[2]
    if action:
        return action
    path, _, _ = request.target.partition("?")
    if is_aws:
        return "GetObject" if request.method == "GET" and path.count("/") > 1 else f"{request.method} bucket"
    return "_bulk" if path.endswith("/_bulk") else f"{request.method} other"


def received_again(message):
    """The message with its count of receives as the queue has it after another one."""
    attributes = message.get("Attributes", {})
    if "ApproximateReceiveCount" not in attributes:
        return message
    count = int(attributes["ApproximateReceiveCount"]) + 1
    return {**message, "Attributes": {**attributes, "ApproximateReceiveCount": str(count)}}


def shortened(request):
    """The request with pauses of at most PAUSE_SECONDS."""
    value = request.json()
    for entry in value.get("Entries", [value]):
        entry["VisibilityTimeout"] = min(entry.get("VisibilityTimeout", 0), PAUSE_SECONDS)
    return request.with_json(value)


def pick(choices, fault):
    return choices[int(fault.choice * len(choices))]
