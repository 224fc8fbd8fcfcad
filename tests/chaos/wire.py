"""HTTP/1.1 as the proxy and the probes need it: whole messages, and a client that asks one thing per connection."""

import asyncio
import gzip
import json
from dataclasses import dataclass, field

MAX_HEAD = 1 << 20
PATIENCE_SECONDS = 60


class Broken(Exception):
    """The other side ended the connection, or does not speak HTTP."""


@dataclass
class Message:
    """A request or an answer: first line, headers as they came, the whole body without its framing."""

    start: str
    headers: list = field(default_factory=list)
    body: bytes = b""

    @property
    def status(self):
        return int(self.start.split(" ", 2)[1])

    @property
    def target(self):
        return self.start.split(" ", 2)[1]

    @property
    def method(self):
        return self.start.split(" ", 1)[0]

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name), "")

    def without(self, *names):
        return [(key, value) for key, value in self.headers if key.lower() not in names]

    def head(self, length=None):
        """The first line and the headers, with a length in place of any other framing."""
        lines = [self.start, *(f"{key}: {value}" for key, value in self.without("content-length", "transfer-encoding"))]
        if self.body or length is not None or self.method not in ("GET", "HEAD"):
            lines.append(f"content-length: {len(self.body) if length is None else length}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def json(self):
        """The body as JSON, inflated if it is gzip."""
        return json.loads(gzip.decompress(self.body) if self.header("content-encoding") == "gzip" else self.body)

    def with_json(self, value):
        """The same message with another body, as JSON."""
        return Message(self.start, self.without("content-encoding"), json.dumps(value).encode())


def answer(status, kind, body, *headers):
    return Message(f"HTTP/1.1 {status} Injected", [("content-type", kind), *headers], body.encode())


async def read_message(reader, is_answer_to=None):
    """The next message, or none when the connection ends before it; `is_answer_to` is the method of its request."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError as end:
        if end.partial:
            raise Broken("it ended inside a head") from end
        return None
    except asyncio.LimitOverrunError as excess:
        raise Broken("its head does not end") from excess
    start, *lines = head[:-4].split("\r\n")
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    message = Message(start, headers)
    if is_answer_to and 100 <= message.status < 200:
        return await read_message(reader, is_answer_to)
    if is_answer_to != "HEAD":
        try:
            message.body = await read_body(reader, message, is_answer_to)
        except asyncio.IncompleteReadError as end:
            raise Broken("it ended inside a body") from end
    return message


async def read_body(reader, message, is_answer):
    if message.header("transfer-encoding").lower() == "chunked":
        return await read_chunks(reader)
    length = message.header("content-length")
    if length:
        return await reader.readexactly(int(length))
    if is_answer and message.status not in (204, 304):
        return await reader.read()
    return b""


async def read_chunks(reader):
    parts = []
    while True:
        size = int((await reader.readline()).split(b";")[0] or b"0", 16)
        if size == 0:
            while (await reader.readline()).strip():
                pass
            return b"".join(parts)
        parts.append(await reader.readexactly(size))
        await reader.readline()


async def exchange(place, request):
    """Passes one request to `place` (host, port), on a connection of its own; its answer. Raises OSError or Broken."""
    reader, writer = await asyncio.open_connection(*place, limit=MAX_HEAD)
    try:
        request = Message(request.start, [*request.without("connection"), ("connection", "close")], request.body)
        writer.write(request.head() + request.body)
        await writer.drain()
        reply = await read_message(reader, request.method)
    finally:
        writer.transport.abort()
    if reply is None:
        raise Broken("it gave no answer")
    return reply


async def ask(place, method, path, body=b"", headers=()):
    """A probe: status and body of an answer. Raises OSError or Broken, also when there is no answer in time."""
    request = Message(f"{method} {path} HTTP/1.1", [("host", f"{place[0]}:{place[1]}"), *headers], body)
    try:
        reply = await asyncio.wait_for(exchange(place, request), PATIENCE_SECONDS)
    except asyncio.TimeoutError as late:
        raise Broken(f"{method} {path} was not answered within {PATIENCE_SECONDS} s") from late
    return reply.status, reply.body


async def ask_json(place, method, path, value=None):
    """The same for JSON both ways."""
    body = b"" if value is None else json.dumps(value).encode()
    status, text = await ask(place, method, path, body, [("content-type", "application/json")] if body else [])
    return status, json.loads(text)
