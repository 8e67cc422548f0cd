"""Providers that fail: each answers with the errors of its fixture folder, in its own words and shape.

A folder of crates/protocol/provider/fixtures is one provider: `setup.json` says how it is configured and
what it is asked for, `errors.json` has its error replies by status, and under `stream` the one inside of a
stream that has begun. `says` is what has to reach the caller. One small server plays all of them: the first
segment of the path names the provider, and the header `x-case` which of its errors is wanted."""

import json
import struct
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import harness

FIXTURES = harness.ROOT / "crates" / "protocol" / "provider" / "fixtures"
STATUSES = ("400", "401", "403", "404", "413", "429", "500", "529")
STREAM = "stream"
CASE_HEADER = "x-case"
# How a caller makes the gateway send it on.
CASE_HEADER_OF_CALLER = f"x-bf-eh-{CASE_HEADER}"


class Failing:
    """A provider and its errors."""

    def __init__(self, folder):
        self.name = folder.name
        setup = json.loads((folder / "setup.json").read_text())
        self.errors = json.loads((folder / "errors.json").read_text())
        self.asked_for, self.model = setup["asked_for"], setup["model"]
        self.key = setup.get("key", {})

    def section(self, url):
        """Its section of the configuration."""
        text = json.dumps(harness.key("one", **self.key)).replace("{url}", url)
        return harness.provider(url, [json.loads(text)])


def read_all():
    """Every provider that has a fixture folder, by name."""
    return {folder.name: Failing(folder) for folder in sorted(FIXTURES.iterdir()) if folder.is_dir()}


PROVIDERS = read_all()


def config_of(server):
    """All of them in one configuration."""
    return harness.config_of({name: one.section(f"{server.url}/{name}") for name, one in PROVIDERS.items()})


class FailingProviders:
    """The server; `url` is where it listens."""

    def __init__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are two writes.
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        provider = PROVIDERS[Path(self.path).parts[1]]
        case = self.headers[CASE_HEADER]
        error = provider.errors[case]
        if case != STREAM:
            self.reply(int(case), error.get("headers", {}), error["body"])
            return
        assert is_streamed(self.path, body), "a stream was asked for"
        dialect = dialect_of(self.path)
        self.send(200, {"content-type": CONTENT_TYPES.get(dialect, SSE)}, begun_and_broken(dialect, error))

    def reply(self, status, headers, body):
        is_text = isinstance(body, str)
        headers = {"content-type": "text/plain" if is_text else "application/json", **headers}
        self.send(status, headers, (body if is_text else json.dumps(body)).encode())

    def send(self, status, headers, body):
        self.send_response(status)
        for name, value in {**headers, "content-length": len(body)}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing."""


# --- streams ---

SSE, AWS_EVENTS = "text/event-stream", "application/vnd.amazon.eventstream"
CONTENT_TYPES = {"converse": AWS_EVENTS}
DIALECTS = {
    "/chat/completions": "chat",
    "/responses": "responses",
    "/messages": "messages",
    ":streamGenerateContent": "generate",
    ":streamRawPredict": "messages",
    "/converse-stream": "converse",
    "/v2/chat": "cohere",
}

BEGUN = "so far so "
CHUNK = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "in_progress",
    "model": "m",
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
ITEM = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
PART = {"item_id": "msg_1", "output_index": 0, "content_index": 0}

# How a stream of each dialect begins: names of events and their data.
BEGINNINGS = {
    "chat": [
        (None, {**CHUNK, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}),
        (None, {**CHUNK, "choices": [{"index": 0, "delta": {"content": BEGUN}}]}),
    ],
    "responses": [
        ("response.created", {"response": RESPONSE}),
        ("response.output_item.added", {"output_index": 0, "item": ITEM}),
        (
            "response.content_part.added",
            {**PART, "part": {"type": "output_text", "text": "", "annotations": []}},
        ),
        ("response.output_text.delta", {**PART, "delta": BEGUN, "logprobs": []}),
    ],
    "messages": [
        ("message_start", {"message": {**MESSAGE, "usage": {"input_tokens": 3, "output_tokens": 1}}}),
        ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
        ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": BEGUN}}),
    ],
    "generate": [
        (None, {"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": BEGUN}]}}]}),
    ],
    "converse": [
        ("messageStart", {"role": "assistant"}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": BEGUN}}),
    ],
    "cohere": [
        ("message-start", {"id": "m1", "delta": {"message": {"role": "assistant", "content": []}}}),
        (
            "content-start",
            {"index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
        ),
        ("content-delta", {"index": 0, "delta": {"message": {"content": {"text": BEGUN}}}}),
    ],
}
# These say in their data, too, what they are; responses also where they stand.
TYPED = ("responses", "messages", "cohere")


def dialect_of(target):
    path = target.partition("?")[0]
    return next(dialect for end, dialect in DIALECTS.items() if path.endswith(end))


def is_streamed(target, body):
    return dialect_of(target) in ("generate", "converse") or json.loads(body).get("stream") is True


def begun_and_broken(dialect, error):
    """A stream that begins well and ends with the error."""
    events = BEGINNINGS[dialect]
    if dialect == "converse":
        frames = [aws_frame({":message-type": "event", ":event-type": name}, data) for name, data in events]
        headers = {":message-type": "exception", ":exception-type": error["exception"]}
        return b"".join([*frames, aws_frame(headers, error["data"])])
    frames = [sse_frame(name, completed(dialect, name, data, at)) for at, (name, data) in enumerate(events)]
    return b"".join([*frames, sse_frame(*last_event(dialect, error, len(events)))])


def completed(dialect, name, data, at):
    if dialect not in TYPED:
        return data
    return {"type": name, **data, **({"sequence_number": at} if dialect == "responses" else {})}


def last_event(dialect, error, at):
    if dialect != "responses":
        return error.get("event"), error["data"]
    # What the provider's chats say in their way, all responses say in this one.
    said = {"code": error["says"].get("code"), "message": error["says"]["message"], "param": None}
    inner = {"type": error["says"].get("type"), **said}
    return "error", {"type": "error", "sequence_number": at, **said, "error": inner}


def sse_frame(name, data):
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()


# An AWS message: two lengths and their checksum, headers, payload, and the checksum of all.
TEXT_HEADER = 7


def aws_frame(headers, data):
    headers = {**headers, ":content-type": "application/json"}
    head = b"".join(
        struct.pack("!B", len(name))
        + name.encode()
        + struct.pack("!BH", TEXT_HEADER, len(value))
        + value.encode()
        for name, value in headers.items()
    )
    payload = json.dumps(data).encode()
    prelude = struct.pack("!II", 16 + len(head) + len(payload), len(head))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + head + payload
    return message + struct.pack("!I", zlib.crc32(message))


def read_aws_frames(body):
    """(headers, data) of each message; a wrong checksum is an error."""
    frames = []
    while body:
        length, head_length = struct.unpack("!II", body[:8])
        message, body = body[:length], body[length:]
        assert struct.unpack("!I", message[8:12])[0] == zlib.crc32(message[:8])
        assert struct.unpack("!I", message[-4:])[0] == zlib.crc32(message[:-4])
        frames.append(
            (read_aws_headers(message[12 : 12 + head_length]), json.loads(message[12 + head_length : -4]))
        )
    return frames


def read_aws_headers(head):
    headers = {}
    while head:
        name_end = 1 + head[0]
        kind, length = struct.unpack("!BH", head[name_end : name_end + 3])
        assert kind == TEXT_HEADER
        headers[head[1:name_end].decode()] = head[name_end + 3 : name_end + 3 + length].decode()
        head = head[name_end + 3 + length :]
    return headers
