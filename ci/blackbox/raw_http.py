"""A small strict HTTP/1.1 client over a plain socket: it sends exactly what a test says and refuses
any reply whose framing is not right, so a framing fault of the server cannot hide behind a lenient
client."""

import json
import socket
import ssl
import struct
import time
from dataclasses import dataclass, field

HEAD_BYTES_MAX = 2 << 20
READ_BYTES = 64 << 10
# Longer than every limit a test waits for; a test that meets it has hung.
TIMEOUT_SECONDS = 30


class FramingError(Exception):
    """The peer broke HTTP/1.1 framing, or closed in the middle of a message."""


@dataclass
class Reply:
    """One response: status, header pairs with lower-case names, body bytes."""

    status: int
    headers: list
    body: bytes = b""
    trailers: list = field(default_factory=list)
    informational: list = field(default_factory=list)
    seconds: float = 0.0

    def header(self, name):
        """The values of a header joined by `, `, or None."""
        values = [value for key, value in self.headers if key == name.lower()]
        return ", ".join(values) if values else None

    def json(self):
        return json.loads(self.body)

    def events(self):
        """The server-sent events of the body as (event name or None, data) pairs."""
        return read_events(self.body)

    def text(self):
        """The model's text, whatever the dialect, streamed or not."""
        if self.header("content-type") and "event-stream" in self.header("content-type"):
            return "".join(delta_text(json.loads(data)) for _, data in self.events() if data != "[DONE]")
        return reply_text(self.json())


def read_events(body):
    """Reads `\\n\\n`-ended server-sent events, the only form the gateway and the mock write."""
    events = []
    for frame in body.decode().replace("\r\n", "\n").split("\n\n"):
        lines = [line.partition(":") for line in frame.split("\n") if line and not line.startswith(":")]
        fields = [(name, value.removeprefix(" ")) for name, _, value in lines]
        data = [value for name, value in fields if name == "data"]
        names = [value for name, value in fields if name == "event"]
        if data:
            events.append((names[-1] if names else None, "\n".join(data)))
    return events


def reply_text(reply):
    if "choices" in reply:
        return reply["choices"][0]["message"]["content"] or ""
    return "".join(block.get("text", "") for block in reply["content"])


def delta_text(chunk):
    if chunk.get("choices"):
        return chunk["choices"][0].get("delta", {}).get("content") or ""
    if chunk.get("type") == "content_block_delta":
        return chunk["delta"].get("text", "")
    return ""


class Connection:
    """One client connection; a context manager."""

    def __init__(self, port, host="127.0.0.1", timeout=TIMEOUT_SECONDS, tls=None):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect((host, port))
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def request(self, method, target, headers=(), body=None):
        """Sends one request with the framing headers it needs and reads the reply."""
        started = time.monotonic()
        self.send(render_request(method, target, headers, body))
        reply = self.read_reply(method)
        reply.seconds = time.monotonic() - started
        return reply

    def read_reply(self, method="GET"):
        """Reads one whole response, informational ones before it included."""
        reply = self.read_head()
        informational = []
        while 100 <= reply.status < 200:
            informational.append(reply)
            reply = self.read_head()
        reply.informational = informational
        pieces = []
        for piece in self.read_body(reply, method):
            pieces.append(piece)
        reply.body = b"".join(pieces)
        return reply

    def read_head(self):
        end = self.fill_until(b"\r\n\r\n")
        head, self.buffer = self.buffer[:end], self.buffer[end + 4 :]
        lines = head.decode("latin-1").split("\r\n")
        version, _, rest = lines[0].partition(" ")
        if version not in ("HTTP/1.1", "HTTP/1.0") or not rest[:3].isdigit():
            raise FramingError(f"not a status line: {lines[0]!r}")
        headers = [parse_header(line) for line in lines[1:]]
        return Reply(int(rest[:3]), headers)

    def read_body(self, reply, method="GET"):
        """Yields the pieces of the body; one piece is one chunk where the body is chunked."""
        coding, length = reply.header("transfer-encoding"), reply.header("content-length")
        if method == "HEAD" or reply.status in (204, 304) or reply.status < 200:
            return
        if coding is not None and length is not None:
            raise FramingError("both Content-Length and Transfer-Encoding")
        if coding is not None:
            if coding.lower() != "chunked":
                raise FramingError(f"Transfer-Encoding: {coding}")
            yield from self.read_chunks(reply)
        elif length is not None:
            if not length.isdigit():
                raise FramingError(f"Content-Length: {length}")
            yield self.take(int(length))
        else:
            yield from self.read_until_close()

    def read_chunks(self, reply):
        while True:
            end = self.fill_until(b"\r\n")
            line, self.buffer = self.buffer[:end], self.buffer[end + 2 :]
            size = line.split(b";")[0]
            if not size or size.strip(b"0123456789abcdefABCDEF"):
                raise FramingError(f"chunk size {line!r}")
            if int(size, 16) == 0:
                break
            yield self.take(int(size, 16))
            if self.take(2) != b"\r\n":
                raise FramingError("no CRLF after a chunk")
        while True:
            end = self.fill_until(b"\r\n")
            line, self.buffer = self.buffer[:end], self.buffer[end + 2 :]
            if not line:
                return
            reply.trailers.append(parse_header(line.decode("latin-1")))

    def read_until_close(self):
        while True:
            if self.buffer:
                piece, self.buffer = self.buffer, b""
                yield piece
            if not self.fill():
                return

    def read_rest(self):
        """Everything up to the end of the connection."""
        try:
            while self.fill():
                pass
        except ConnectionResetError:
            pass
        rest, self.buffer = self.buffer, b""
        return rest

    def is_closed(self, within_seconds):
        """Whether the peer ends the connection within this time, sending nothing more."""
        self.socket.settimeout(within_seconds)
        try:
            return not self.buffer and not self.socket.recv(READ_BYTES)
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def reset(self):
        """Closes with a reset instead of an orderly end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def fill(self):
        data = self.socket.recv(READ_BYTES)
        self.buffer += data
        return len(data)

    def fill_until(self, delimiter):
        while delimiter not in self.buffer:
            if len(self.buffer) > HEAD_BYTES_MAX:
                raise FramingError("head too large")
            if not self.fill():
                raise FramingError(f"closed in a head after {self.buffer[:200]!r}")
        return self.buffer.index(delimiter)

    def take(self, count):
        while len(self.buffer) < count:
            if not self.fill():
                raise FramingError(f"closed with {len(self.buffer)} of {count} bytes")
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken


def parse_header(line):
    name, colon, value = line.partition(":")
    if not colon or not name or name != name.strip():
        raise FramingError(f"not a header: {line!r}")
    return name.lower(), value.strip()


def render_request(method, target, headers=(), body=None):
    """The bytes of a request. `body` may be bytes, or a value to send as JSON; `headers` is a dict or
    a list of pairs and wins over what would be added here."""
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
    names = {name.lower() for name, _ in pairs}
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        add_missing(pairs, names, "Content-Type", "application/json")
    add_missing(pairs, names, "Host", "localhost")
    if body is not None and "transfer-encoding" not in names:
        add_missing(pairs, names, "Content-Length", str(len(body)))
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in pairs)]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def add_missing(pairs, names, name, value):
    if name.lower() not in names:
        pairs.append((name, value))


def request(port, method, target, headers=(), body=None, **options):
    """One request on its own connection."""
    with Connection(port, **options) as connection:
        return connection.request(method, target, headers, body)


def trusting(certificate):
    """A TLS context that trusts this certificate file."""
    return ssl.create_default_context(cafile=certificate)
