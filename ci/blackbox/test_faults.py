"""What a provider may do wrong, and what the caller sees of it. While one exchange fails, others on
the same worker go on, and nothing of one caller's reply ever reaches another."""

import threading
import time

import pytest

from harness import both_dialects, chat_body, messages_body, poll
from raw_http import FramingError, render_request

BASE, OPENAI, ANTHROPIC = "/v1/chat/completions", "/openai/v1/chat/completions", "/anthropic/v1/messages"
NETWORK = {"default_request_timeout_in_seconds": 2, "stream_idle_timeout_in_seconds": 5}


@pytest.fixture
def gateway(start, mock, driver):
    """One worker, so that every request shares it."""
    return start(both_dialects(mock, NETWORK), driver=driver, workers=1)


# Fault of a unary reply → statuses the caller may see.
UNARY = [
    ("disconnect=before-head/fin", {502}),
    ("disconnect=before-head/rst", {502}),
    ("disconnect=after-head/fin", {502}),
    ("disconnect=after-head/rst", {502}),
    ("stall=before-head", {504}),
    ("garbage", {502}),
    ("two-lengths", {502}),
    ("cl+te", {502}),
    ("body=html", {502}),
    ("body=empty", {502}),
    ("1xx=1000", {502}),
    ("header-bytes=1000000", {502}),
    ("status=500,body=empty", {500}),
]


@pytest.mark.parametrize("fault, statuses", UNARY)
def test_a_broken_reply_is_a_clean_error(gateway, mock, fault, statuses):
    mock.script(fault, then="repeat_last", model="broken")
    for route, body in [
        (BASE, chat_body("openai/broken")),
        (BASE, chat_body("anthropic/broken")),
        (ANTHROPIC, messages_body("anthropic/broken")),
        (ANTHROPIC, messages_body("openai/broken")),
    ]:
        reply = gateway.post(route, body)
        assert reply.status in statuses, (route, body["model"], reply.body)
        assert reply.json()["error"]["message"]
    assert gateway.chat("openai/m").status == 200


@pytest.mark.parametrize("size", ["", ",bytes=300000"], ids=["small", "large"])
@pytest.mark.parametrize("fault", ["early-eof", "disconnect=mid-body/rst", "stall=mid-body", "bad-chunk"])
def test_a_reply_that_breaks_off_is_never_taken_for_whole(gateway, mock, fault, size):
    """What is relayed may have been passed on in part: then the caller's connection breaks, too. What is
    translated is read whole first, and so is a clean error."""
    mock.script(fault + size, then="repeat_last", model="broken")
    for route in (BASE, OPENAI):
        try:
            assert gateway.chat("openai/broken", route=route).status in (502, 504)
        except (FramingError, ConnectionResetError):
            pass
    assert gateway.chat("anthropic/broken").status in (502, 504)
    assert gateway.chat("openai/m").status == 200


# Faults a caller should not even notice.
HARMLESS = [
    "no-length",
    "chunked",
    "trailers",
    "1xx=3",
    "split=1",
    "split=7",
    "coalesce",
    "close",
    "close-silently",
    "http10",
    "gzip",
    "deflate",
    "delay=200ms",
    "slow-first-byte=300",
    "header-bytes=20000",
    "gzip,chunked,split=5",
]


@pytest.mark.parametrize("fault", HARMLESS)
@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
def test_an_odd_but_valid_reply_is_relayed(gateway, mock, fault, stream):
    mock.script(fault, then="repeat_last", model="odd")
    text = "words é 中 that must arrive"
    for route, body in [
        (BASE, chat_body("openai/odd", text, stream=stream)),
        (OPENAI, chat_body("openai/odd", text, stream=stream)),
        (BASE, chat_body("anthropic/odd", text, stream=stream)),
        (ANTHROPIC, messages_body("anthropic/odd", text, stream=stream)),
        (ANTHROPIC, messages_body("openai/odd", text, stream=stream)),
    ]:
        reply = gateway.post(route, body)
        assert reply.status == 200, (route, body["model"], reply.body[:300])
        assert text in reply.text()


# Where a stream breaks after output has begun.
BREAKS = [
    "disconnect=mid-stream:3/fin",
    "disconnect=mid-stream:3/rst",
    "error-in-stream:3",
    "stall=mid-stream:3",
]


@pytest.mark.parametrize("fault", BREAKS)
@pytest.mark.parametrize(
    "route, model",
    [
        (BASE, "openai/broken"),
        (OPENAI, "openai/broken"),
        (BASE, "anthropic/broken"),
        (ANTHROPIC, "anthropic/broken"),
        (ANTHROPIC, "openai/broken"),
    ],
)
def test_a_stream_that_breaks_off_ends_with_an_error(gateway, mock, fault, route, model):
    mock.script(fault, then="repeat_last", model="broken")
    body = messages_body(model, stream=True) if route == ANTHROPIC else chat_body(model, stream=True)
    reply = gateway.post(route, body)
    assert reply.status == 200
    events = reply.events()
    last_name, last = [event for event in events if event[1] != "[DONE]"][-1]
    assert '"error"' in last
    if route == ANTHROPIC:
        assert last_name == "error"
        assert all(name != "message_stop" for name, _ in events)
    elif route == OPENAI:
        assert events[-1][1] != "[DONE]"
    assert gateway.chat("openai/m").status == 200


@pytest.mark.alone
def test_others_on_the_worker_go_on_while_providers_misbehave(gateway, mock):
    faults = [fault for fault, _ in UNARY] + BREAKS + ["stall=before-head"] * 20
    for number, fault in enumerate(faults):
        mock.script(fault, then="repeat_last", model=f"broken-{number}")

    def misbehave(number):
        try:
            gateway.chat(f"openai/broken-{number}", stream=bool(number % 2))
        except (FramingError, ConnectionResetError):
            pass

    threads = [threading.Thread(target=misbehave, args=(number,)) for number in range(len(faults))]
    for thread in threads:
        thread.start()
    seconds = []
    for number in range(40):
        reply = gateway.chat("openai/m", f"steady {number}.")
        assert f"steady {number}." in reply.text()
        seconds.append(reply.seconds)
    for thread in threads:
        thread.join()
    assert sorted(seconds)[20] < 0.1


@pytest.mark.parametrize(
    "fault",
    [
        "extra-response-after",
        "two-lengths",
        "cl+te",
        "bad-chunk",
        "trailers",
        "1xx=5",
        "garbage",
        "early-eof",
        "close-silently=20ms",
        "no-length",
    ],
)
def test_a_hostile_reply_never_reaches_another_caller(gateway, mock, fault):
    mock.script(*[fault, "", ""] * 10, model="mixed")
    with gateway.connect() as connection:
        for number in range(30):
            text = f"caller {number} alone."
            try:
                reply = connection.request("POST", OPENAI, {}, chat_body("openai/mixed", text))
            except (FramingError, ConnectionResetError):
                connection = gateway.connect()
                continue
            assert reply.status in (200, 502)
            if reply.status == 200:
                assert text in reply.text()
            if reply.header("connection") == "close":
                connection = gateway.connect()


def test_bytes_nobody_asked_for_end_an_idle_connection(gateway, mock):
    """They arrive while the connection waits in the pool: it must not be used again."""
    mock.script(*["extra-response-after=20ms", ""] * 5, model="mixed")
    for number in range(5):
        assert gateway.chat("openai/mixed", "first of two.").status == 200
        seen = mock.stats()["connections_total"]
        time.sleep(0.1)
        reply = gateway.chat("openai/mixed", f"caller {number} alone.")
        assert f"caller {number} alone." in reply.text()
        assert mock.stats()["connections_total"] > seen


def test_a_stale_pooled_connection_costs_the_caller_nothing(start, mock, driver):
    gateway = start(both_dialects(mock), driver=driver, workers=1)
    mock.script(*["close-silently=5ms", ""] * 20, model="stale")
    for _ in range(40):
        assert gateway.chat("openai/stale").status == 200


def test_connections_to_a_provider_are_reused(start, mock, driver):
    gateway = start(both_dialects(mock), driver=driver, workers=1)
    for number in range(30):
        assert gateway.chat("openai/m", stream=bool(number % 2)).status == 200
    assert len({record.connection for record in mock.requests()}) == 1


def test_a_silent_stream_ends_at_its_idle_limit(start, mock):
    gateway = start(both_dialects(mock, {"stream_idle_timeout_in_seconds": 5}))
    mock.script("stall=mid-stream:2", model="silent")
    reply = gateway.chat("openai/silent", stream=True)
    assert 4.5 < reply.seconds < 8
    assert '"error"' in reply.events()[-1][1] or '"error"' in reply.events()[-2][1]


def test_a_long_stream_outlives_the_request_timeout(start, mock):
    gateway = start(both_dialects(mock, {"default_request_timeout_in_seconds": 1}))
    mock.script("chunks=25,gap=100ms", model="long")
    reply = gateway.chat("openai/long", "patience", stream=True)
    assert reply.events()[-1][1] == "[DONE]"
    assert reply.seconds > 2


def test_events_leave_as_they_come(gateway, mock):
    mock.script("chunks=6,gap=150ms", model="paced")
    for route, body in [
        (OPENAI, chat_body("openai/paced", stream=True)),
        (BASE, chat_body("openai/paced", stream=True)),
    ]:
        mock.script("chunks=6,gap=150ms", model="paced")
        with gateway.connect() as connection:
            connection.send(render_request("POST", route, {}, body))
            head = connection.read_head()
            pieces = [piece for piece in connection.read_body(head)]
        assert len(pieces) >= 6
        assert all(piece.count(b"data:") <= 2 for piece in pieces)


@pytest.mark.alone
def test_a_slow_reader_holds_little_memory(start, mock):
    gateway = start(both_dialects(mock), workers=1)
    gateway.chat("openai/m", stream=True)
    before = gateway.resident_bytes()
    mock.script("bytes=16000000,chunks=16000", then="repeat_last", model="big")
    readers = [gateway.connect() for _ in range(4)]
    for reader in readers:
        reader.send(render_request("POST", OPENAI, {}, chat_body("openai/big", stream=True)))
    assert poll(lambda: len(mock.requests(model="big")) == 4, 5)
    assert not poll(lambda: gateway.resident_bytes() - before > 24 << 20, 1.5)
    for reader in readers:
        assert reader.read_reply().events()[-1][1] == "[DONE]"
        reader.socket.close()
