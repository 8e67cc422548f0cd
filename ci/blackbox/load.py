"""A steady load on a gateway, run as a process of its own: so many requests a second on connections
that live for a while, and so many live streams. Ends at SIGTERM and prints what became of them as JSON.

    python load.py PORT REQUESTS_PER_SECOND STREAMS

A request counts as `refused` when its connection could not be made, as `broken` when the connection
ended before the whole reply, as `failed` when the reply was not 200; a stream as `truncated` when it
ended without its end."""

import asyncio
import collections
import json
import signal
import sys
import time

from harness import chat_body
from raw_http import render_request

TICK_SECONDS = 0.005
# A connection is replaced after so many requests, so that connections are made all the time.
REQUESTS_PER_CONNECTION = 20
REQUEST = render_request("POST", "/v1/chat/completions", {}, chat_body("openai/unary"))
STREAM = render_request("POST", "/openai/v1/chat/completions", {}, chat_body("openai/streamed", stream=True))
STREAM_END = b"data: [DONE]\n\n\r\n0\r\n\r\n"


class Load:
    """The counters, and the connections that are free for the next request."""

    def __init__(self, port):
        self.port = port
        self.counts = collections.Counter()
        self.errors = collections.Counter()
        self.idle = collections.deque()
        self.under_way = 0
        self.ending = asyncio.Event()

    def fault(self, name, why):
        self.counts[name] += 1
        self.errors[f"{name}: {why}"] += 1


class Caller(asyncio.Protocol):
    """One connection that sends a request at a time."""

    def __init__(self, load):
        self.load = load
        self.buffer = b""
        self.left = REQUESTS_PER_CONNECTION
        self.waiting = False
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport

    def send(self):
        self.waiting = True
        self.left -= 1
        self.buffer = b""
        self.transport.write(REQUEST)

    def data_received(self, data):
        self.buffer += data
        head, delimiter, body = self.buffer.partition(b"\r\n\r\n")
        if not delimiter:
            return
        headers = head.lower()
        length = int(headers.partition(b"content-length: ")[2].split(b"\r\n")[0])
        if len(body) >= length:
            self.finish(head, b"connection: close" in headers)

    def finish(self, head, closes):
        self.waiting = False
        self.load.under_way -= 1
        status = head[9:12].decode()
        if status == "200":
            self.load.counts["answered"] += 1
        else:
            self.load.fault("failed", status)
        if closes or self.left == 0:
            self.transport.close()
        else:
            self.load.idle.append(self)

    def connection_lost(self, error):
        if self in self.load.idle:
            self.load.idle.remove(self)
        if self.waiting:
            self.load.under_way -= 1
            self.load.fault("broken", f"{error} after {len(self.buffer)} bytes")


class Listener(asyncio.Protocol):
    """One live stream."""

    def __init__(self, load):
        self.load = load
        self.received = b""
        self.over = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        transport.write(STREAM)

    def data_received(self, data):
        self.received += data
        if self.received.endswith(STREAM_END):
            self.load.counts["streamed"] += 1
            self.transport.close()

    def connection_lost(self, error):
        if not self.received.endswith(STREAM_END):
            self.load.fault("truncated", f"{error} after {self.received[-60:]!r}")
        self.over.set_result(None)


async def send_requests(load, rate):
    """Requests leave on a schedule that does not depend on the replies."""
    loop = asyncio.get_running_loop()
    started, sent = time.monotonic(), 0
    connecting = set()
    while not load.ending.is_set():
        due = int((time.monotonic() - started) * rate) - sent
        for _ in range(due):
            sent += 1
            load.under_way += 1
            if load.idle:
                load.idle.popleft().send()
            else:
                task = loop.create_task(connect_and_send(load))
                connecting.add(task)
                task.add_done_callback(connecting.discard)
        await asyncio.sleep(TICK_SECONDS)
    load.counts["seconds_ms"] = int((time.monotonic() - started) * 1000)
    load.counts["sent"] = sent
    while load.under_way:
        await asyncio.sleep(TICK_SECONDS)


async def connect_and_send(load):
    try:
        _, caller = await asyncio.get_running_loop().create_connection(
            lambda: Caller(load), "127.0.0.1", load.port
        )
    except OSError as error:
        load.under_way -= 1
        load.fault("refused", error)
        return
    caller.send()


async def keep_streaming(load):
    """One stream after another until the end is asked for; the last one is let finish."""
    loop = asyncio.get_running_loop()
    while not load.ending.is_set():
        try:
            _, listener = await loop.create_connection(lambda: Listener(load), "127.0.0.1", load.port)
        except OSError as error:
            load.fault("refused", error)
            continue
        await listener.over


async def main(port, rate, streams):
    load = Load(port)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, load.ending.set)
    print("running", flush=True)
    await asyncio.gather(send_requests(load, rate), *(keep_streaming(load) for _ in range(streams)))
    print("result " + json.dumps({**load.counts, "errors": load.errors}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*(int(argument) for argument in sys.argv[1:])))
