"""A small HTTP/2 client on the `h2` state machine: it sends what a test says, frames that no client
would send included, and keeps what came back for each stream."""

import json
import socket
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.settings

from raw_http import READ_BYTES, TIMEOUT_SECONDS, read_events

# As much as the protocol allows, for tests that are not about flow control.
WINDOW_BYTES_MAX = 2**31 - 1
DEFAULT_WINDOW_BYTES = 65_535
FRAME_HEAD_BYTES = 9
GOAWAY = 7


@dataclass
class Stream:
    """What came back on one stream so far."""

    status: int | None = None
    headers: list = field(default_factory=list)
    body: bytes = b""
    pieces: int = 0
    is_ended: bool = False
    reset_code: int | None = None
    informational: list = field(default_factory=list)

    @property
    def is_over(self):
        return self.is_ended or self.reset_code is not None

    def header(self, name):
        values = [value for key, value in self.headers if key == name.lower()]
        return ", ".join(values) if values else None

    def json(self):
        return json.loads(self.body)

    def events(self):
        return read_events(self.body)


class Http2:
    """One client connection; a context manager. `window` is what each stream may be sent unasked;
    with `acknowledges` false the client never makes room for more."""

    def __init__(self, port, tls=None, window=WINDOW_BYTES_MAX, acknowledges=True, timeout=TIMEOUT_SECONDS):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.scheme = "http" if tls is None else "https"
        config = h2.config.H2Configuration(
            client_side=True,
            header_encoding="utf-8",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.state = h2.connection.H2Connection(config)
        self.state.local_settings = h2.settings.Settings(
            client=True,
            initial_values={
                h2.settings.SettingCodes.ENABLE_PUSH: 0,
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window,
            },
        )
        self.state.initiate_connection()
        if window > DEFAULT_WINDOW_BYTES:
            self.state.increment_flow_control_window(window - DEFAULT_WINDOW_BYTES)
        self.acknowledges = acknowledges
        self.streams = {}
        self.buffer = b""
        self.goaway = None
        self.is_closed = False
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        """Sends what the state machine has to say."""
        self.socket.sendall(self.state.data_to_send())

    def send(self, data):
        """Sends bytes that the state machine knows nothing of."""
        self.socket.sendall(data)

    def begin(self, method, path, headers=(), authority="localhost", end=True, pseudo=None):
        """Opens a stream; its number."""
        number = self.state.get_next_available_stream_id()
        usual = [
            (":method", method),
            (":scheme", self.scheme),
            (":authority", authority),
            (":path", path),
        ]
        pairs = headers.items() if isinstance(headers, dict) else headers
        self.state.send_headers(number, [*(usual if pseudo is None else pseudo), *pairs], end_stream=end)
        self.streams[number] = Stream()
        self.flush()
        return number

    def post(self, path, body, headers=()):
        """Opens a stream with a body, which may be a value to send as JSON; its number."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        length = [("content-type", "application/json"), ("content-length", str(len(body)))]
        pairs = headers.items() if isinstance(headers, dict) else headers
        number = self.begin("POST", path, [*length, *pairs], end=False)
        self.send_body(number, body)
        return number

    def send_body(self, number, body, end=True):
        """Sends a body as there is room for it."""
        while True:
            room = min(
                self.state.local_flow_control_window(number), self.state.max_outbound_frame_size, len(body)
            )
            if room == 0 and body:
                self.receive()
                continue
            piece, body = body[:room], body[room:]
            self.state.send_data(number, piece, end_stream=end and not body)
            self.flush()
            if not body:
                return

    def reset(self, number, code=8):
        self.state.reset_stream(number, code)
        self.flush()

    def receive(self):
        """Takes what one read brings; the end of the connection is no error."""
        try:
            data = self.socket.recv(READ_BYTES)
        except ConnectionResetError:
            data = b""
        if not data:
            self.is_closed = True
            return
        for event in self.state.receive_data(self.without_goaway(data)):
            self.take(event)
        if pending := self.state.data_to_send():
            try:
                self.socket.sendall(pending)
            except (BrokenPipeError, ConnectionResetError):
                self.is_closed = True

    def without_goaway(self, data):
        """All whole frames but GOAWAY, after which the state machine would take no more, though streams
        under way go on."""
        self.buffer += data
        taken = b""
        while len(self.buffer) >= FRAME_HEAD_BYTES:
            length, kind = int.from_bytes(self.buffer[:3]), self.buffer[3]
            frame = self.buffer[: FRAME_HEAD_BYTES + length]
            if len(frame) < FRAME_HEAD_BYTES + length:
                break
            self.buffer = self.buffer[len(frame) :]
            if kind == GOAWAY:
                self.goaway = int.from_bytes(frame[FRAME_HEAD_BYTES + 4 : FRAME_HEAD_BYTES + 8])
            else:
                taken += frame
        return taken

    def take(self, event):
        stream = self.streams.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.InformationalResponseReceived):
            stream.informational.append(int(dict(event.headers)[":status"]))
        elif isinstance(event, h2.events.ResponseReceived):
            stream.headers = list(event.headers)
            stream.status = int(stream.header(":status"))
        elif isinstance(event, h2.events.DataReceived):
            stream.body += event.data
            stream.pieces += bool(event.data)
            if self.acknowledges:
                self.state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            stream.is_ended = True
        elif isinstance(event, h2.events.StreamReset):
            stream.reset_code = int(event.error_code)

    def wait(self, *numbers):
        """Reads until these streams are over, or the connection is; the first of them."""
        self.wait_until(lambda: all(self.streams[number].is_over for number in numbers))
        return self.streams[numbers[0]]

    def wait_until(self, is_done):
        while not is_done() and not self.is_closed:
            self.receive()

    def request(self, method, path, headers=(), body=None):
        """One request and its reply."""
        if body is not None:
            return self.wait(self.post(path, body, headers))
        return self.wait(self.begin(method, path, headers))

    def is_ended(self, within_seconds):
        """Whether the peer ends the connection within this time."""
        self.socket.settimeout(within_seconds)
        try:
            self.wait_until(lambda: False)
        except TimeoutError:
            return False
        return True
