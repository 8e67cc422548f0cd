"""Replies that a provider writes byte by byte, where the mock world is too well-mannered."""

import json
import socket
import struct
import threading

import pytest

from harness import chat_body, config_of, provider
from raw_http import render_request

BASE, OPENAI = "/v1/chat/completions", "/openai/v1/chat/completions"
REPLY = json.dumps({"id": "c", "object": "chat.completion", "choices": [], "usage": None}).encode()
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
    len(REPLY),
    REPLY,
)
MEGABYTE = 1 << 20


class ScriptedProvider:
    """Plays one script per connection: pieces to send, each once some bytes of the request have come."""

    def __init__(self, *scripts):
        self.scripts = list(scripts)
        self.received = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            script = self.scripts.pop(0) if self.scripts else [OK]
            threading.Thread(target=self.play, args=(connection, script), daemon=True).start()

    def play(self, connection, script):
        with connection:
            for step in script:
                if step == "reset":
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                if step == "close":
                    return
                self.received.append(connection.recv(65536))
                connection.sendall(step)
            # The connection stays open for as long as the gateway keeps it.
            while data := connection.recv(65536):
                self.received.append(data)

    def close(self):
        self.listener.close()


@pytest.fixture
def scripted():
    providers = []

    def make(*scripts):
        providers.append(ScriptedProvider(*scripts))
        return providers[-1]

    yield make
    for made in providers:
        made.close()


def start_in_front_of(start, scripted_provider, server=None, **network):
    config = config_of({"openai": provider(scripted_provider.url, ["k"], network)})
    return start({**config, "server": {"read_buffer_size": 65536, **(server or {})}}, workers=1)


@pytest.mark.parametrize("status", [101, 204, 301, 304, 307])
def test_only_results_and_errors_of_a_provider_reach_the_caller(start, scripted, status):
    head = f"HTTP/1.1 {status} X\r\nlocation: http://127.0.0.1:9/steal\r\ncontent-length: 0\r\n\r\n".encode()
    gateway = start_in_front_of(start, scripted([head], [OK]))
    with gateway.connect() as connection:
        reply = connection.request("POST", OPENAI, {}, chat_body("openai/m"))
        assert reply.status == 502
        assert reply.header("location") is None
        # What follows on the same connection is a reply of its own.
        assert connection.request("POST", OPENAI, {}, chat_body("openai/m")).status == 200


def test_half_a_head_does_not_hold_up_the_next_reply(start, scripted):
    begun = b"HTTP/1.1 200 OK\r\nx-filler: " + b"a" * 2000
    gateway = start_in_front_of(
        start, scripted([begun, "close"], [OK]), max_retries=1, retry_backoff_initial=100
    )
    reply = gateway.post(OPENAI, chat_body("openai/m"))
    assert reply.status == 200
    assert reply.seconds < 5


@pytest.mark.parametrize("route", [BASE, OPENAI])
def test_an_impossible_length_splits_no_reply(start, scripted, route):
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 18446744073709551615\r\n\r\n"
    )
    gateway = start_in_front_of(start, scripted([head + REPLY, "close"]))
    with gateway.connect() as connection:
        connection.send(render_request("POST", route, {}, chat_body("openai/m")))
        everything = connection.read_rest()
    assert everything.count(b"HTTP/1.1 ") <= 1


@pytest.mark.parametrize("end", ["reset", "close"])
def test_an_early_reply_to_a_streamed_body_ends_the_connection(start, scripted, end):
    """The unread rest of the body must not be taken for the next request."""
    smuggled = render_request("POST", OPENAI, {}, chat_body("openai/smuggled"))
    gateway = start_in_front_of(start, scripted([OK, end]), server={"body_buffer_bytes_max": MEGABYTE})
    body = json.dumps(chat_body("openai/m", "x" * (8 * MEGABYTE))).encode()
    with gateway.connect() as connection:
        try:
            connection.send(render_request("POST", OPENAI, {}, body + smuggled)[: -len(smuggled)])
            connection.send(smuggled)
        except OSError:
            # The gateway need not read what it does not want.
            pass
        try:
            everything = connection.read_rest()
        except OSError:
            everything = b""
    assert everything.count(b"HTTP/1.1 ") <= 1
    assert gateway.request("GET", "/health").status == 200


def test_a_model_name_has_a_limit(start, scripted):
    gateway = start_in_front_of(start, scripted())
    reply = gateway.post(BASE, chat_body("openai/" + "m" * 600))
    assert reply.status == 400
    assert "model" in reply.json()["error"]["message"]
    assert gateway.post(BASE, chat_body("openai/")).status == 400


def test_a_redirect_is_no_way_to_the_callers_credentials(start, scripted):
    thief = scripted()
    head = f"HTTP/1.1 307 Temporary Redirect\r\nlocation: {thief.url}/\r\ncontent-length: 0\r\n\r\n".encode()
    gateway = start_in_front_of(start, scripted([head]))
    assert gateway.post(OPENAI, chat_body("openai/m"), {"x-bf-eh-x-note": "secret"}).status == 502
    assert thief.received == []
