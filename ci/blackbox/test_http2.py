"""HTTP/2 to callers: the same answers as by HTTP/1.1, on the same stages, and bounded whatever a caller
does to the protocol."""

import json
import shutil
import ssl
import subprocess
import time

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    HeadersFrame,
    PingFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from harness import both_dialects, chat_body, messages_body, poll
from raw_http import render_request, trusting
from raw_http2 import DEFAULT_WINDOW_BYTES, Http2
from test_tls_and_proxies import certificate  # noqa: F401

CHAT, ANTHROPIC = "/v1/chat/completions", "/anthropic/v1/messages"
PROTOCOL_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL = 1, 2, 7, 8
ENHANCE_YOUR_CALM = 11
STREAMS_MAX = 128
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# What a test may take of memory beyond what a few connections need anyway.
GROWTH_BYTES_MAX = 48 << 20


@pytest.fixture
def gateway(start, mock, driver):
    return start(both_dialects(mock), driver=driver)


@pytest.fixture
def secured(certificate):  # noqa: F811
    """Members of a configuration that speaks TLS, and a context that offers HTTP/2 to it."""
    tls = {"certificate": str(certificate[0]), "private_key": str(certificate[1])}
    context = trusting(certificate[0])
    context.set_alpn_protocols(["h2", "http/1.1"])
    return {"server": {"read_buffer_size": 65536, "tls": tls}}, context


def without_moment(headers):
    """Headers but for what differs between any two replies, or belongs to one protocol."""
    own = {"date", ":status", "transfer-encoding", "connection", "keep-alive", "x-request-id"}
    return sorted((name, value) for name, value in headers if name not in own)


ASKED = {
    "chat": (CHAT, chat_body("openai/m")),
    "streamed chat": (CHAT, chat_body("openai/m", stream=True)),
    "messages": (ANTHROPIC, messages_body("anthropic/m")),
    "streamed messages": (ANTHROPIC, messages_body("openai/m", stream=True)),
    "no such route": ("/nowhere", {}),
    "no such provider": (CHAT, chat_body("nobody/m")),
    "no JSON": (CHAT, b"{"),
}


@pytest.mark.parametrize("name", ASKED)
def test_the_answer_is_that_of_http_1(gateway, name):
    path, body = ASKED[name]
    expected = gateway.post(path, body)
    with Http2(gateway.port) as connection:
        reply = connection.request("POST", path, body=body)
    assert reply.status == expected.status
    assert [name for name, _ in without_moment(reply.headers)] == [
        name for name, _ in without_moment(expected.headers)
    ]
    if "event-stream" in (expected.header("content-type") or ""):
        assert len(reply.events()) == len(expected.events())
    else:
        assert list(reply.json()) == list(expected.json())


@pytest.mark.parametrize("path", [CHAT, ANTHROPIC])
def test_pieces_leave_as_they_come(gateway, mock, path):
    mock.script(*["chunks=10,gap=30ms"] * 2, model="paced")
    body = (
        messages_body("openai/paced", stream=True)
        if path == ANTHROPIC
        else chat_body("openai/paced", stream=True)
    )
    with gateway.connect() as connection:
        connection.send(render_request("POST", path, {}, body))
        chunks = len(list(connection.read_body(connection.read_head())))
    with Http2(gateway.port) as connection:
        assert connection.request("POST", path, body=body).pieces == chunks


def test_it_is_spoken_over_tls(start, mock, driver, secured):
    members, context = secured
    gateway = start({**both_dialects(mock), **members}, driver=driver)
    with Http2(gateway.port, tls=context) as connection:
        assert connection.socket.selected_alpn_protocol() == "h2"
        for _ in range(3):
            reply = connection.request("POST", CHAT, body=chat_body("openai/m", "over TLS."))
            assert "over TLS." in reply.json()["choices"][0]["message"]["content"]
            assert reply.header("strict-transport-security") == "max-age=31536000; includeSubDomains"


@pytest.mark.parametrize("offered", [["http/1.1"], []], ids=["http/1.1", "nothing"])
def test_others_keep_http_1_over_tls(start, mock, driver, secured, certificate, offered):  # noqa: F811
    gateway = start({**both_dialects(mock), **secured[0]}, driver=driver)
    context = trusting(certificate[0])
    if offered:
        context.set_alpn_protocols(offered)
    with gateway.connect(tls=context) as connection:
        assert connection.socket.selected_alpn_protocol() == (offered[0] if offered else None)
        assert connection.request("POST", CHAT, body=chat_body("openai/m")).status == 200


def test_a_hello_in_small_pieces_is_understood(start, mock, driver, secured):
    members, context = secured
    gateway = start({**both_dialects(mock), **members}, driver=driver)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with gateway.connect() as connection:
        with pytest.raises(ssl.SSLWantReadError):
            session.do_handshake()
        hello = outgoing.read()
        for at in range(0, len(hello), 100):
            connection.send(hello[at : at + 100])
            time.sleep(0.005)
        for _ in range(10):
            incoming.write(connection.socket.recv(65536))
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                connection.send(outgoing.read())
        assert session.selected_alpn_protocol() == "h2"


def test_it_cannot_begin_inside_of_a_connection(gateway):
    """What stands behind a request may be the body that somebody else passed on."""
    with gateway.connect() as connection:
        assert connection.request("GET", "/health").status == 200
        connection.send(PREFACE)
        assert connection.read_reply().status == 505


def test_streams_do_not_wait_for_each_other(gateway, mock):
    mock.script("delay=400ms", model="slow")
    with Http2(gateway.port) as connection:
        slow = connection.post(CHAT, chat_body("openai/slow"))
        quick = [connection.post(CHAT, chat_body("openai/m", f"number {n}.")) for n in range(100)]
        connection.wait(*quick)
        assert not connection.streams[slow].is_over
        for n, number in enumerate(quick):
            content = connection.streams[number].json()["choices"][0]["message"]["content"]
            assert f"number {n}." in content
        assert connection.wait(slow).status == 200


@pytest.mark.parametrize("length", [True, False], ids=["declared", "undeclared"])
def test_large_bodies_pass(gateway, mock, length):
    text = "large " * 500_000
    body = chat_body("openai/m", text)
    with Http2(gateway.port) as connection:
        if length:
            number = connection.post(CHAT, body)
        else:
            number = connection.begin("POST", CHAT, {"content-type": "application/json"}, end=False)
            connection.send_body(number, json.dumps(body).encode())
        assert connection.wait(number).status == 200
    gateway.post(CHAT, body)
    # The mock keeps the beginning of a body only.
    ours, expected = mock.requests()
    assert ours.header("content-length") == expected.header("content-length")
    assert ours.body == expected.body


def test_a_client_that_waits_is_told_to_go_on(gateway):
    with Http2(gateway.port) as connection:
        number = connection.begin("POST", CHAT, {"expect": "100-continue"}, end=False)
        connection.wait_until(lambda: connection.streams[number].informational)
        assert connection.streams[number].informational == [100]
        connection.send_body(number, json.dumps(chat_body("openai/m")).encode())
        assert connection.wait(number).status == 200


def test_a_refusal_comes_before_the_body_ends(start, mock, driver):
    gateway = start(both_dialects(mock, client={"max_request_body_size_mb": 1}), driver=driver)
    with Http2(gateway.port) as connection:
        number = connection.begin("POST", CHAT, {"content-length": str(50 << 20)}, end=False)
        assert connection.wait(number).status == 413
        assert connection.request("POST", CHAT, body=chat_body("openai/m")).status == 200


# --- who gives up ---


@pytest.mark.parametrize(
    "fault, stream",
    [("stall=before-head", False), ("stall=mid-stream:3", True), ("chunks=1000,gap=50ms", True)],
    ids=["before the head", "stalled", "running"],
)
@pytest.mark.parametrize("leave", ["reset", "close"])
def test_the_provider_request_is_given_up(gateway, mock, fault, stream, leave):
    mock.script(fault, model="left")
    with Http2(gateway.port) as connection:
        number = connection.post(CHAT, chat_body("openai/left", stream=stream))
        assert poll(lambda: mock.requests(), 3)
        if "stall=before" not in fault:
            connection.wait_until(lambda: connection.streams[number].body)
        left_at = mock.stats()["now_us"] / 1e6
        if leave == "reset":
            connection.reset(number)
        else:
            connection.socket.close()
        aborted = poll(lambda: [r for r in mock.requests() if r.aborted_at is not None], 3)
        assert aborted, "the provider request was left running"
        assert aborted[0].aborted_at / 1e6 - left_at < 1.3
        if leave == "reset":
            assert connection.request("POST", CHAT, body=chat_body("openai/m")).status == 200


def test_a_broken_reply_is_a_stream_that_ends_with_an_error(gateway, mock):
    mock.script("disconnect=mid-stream:3", model="broken")
    with Http2(gateway.port) as connection:
        broken = connection.post(CHAT, chat_body("openai/broken", stream=True))
        expected = gateway.chat("openai/m")
        stream = connection.wait(broken)
        # Either the reply says that it is broken, or the stream does.
        assert stream.reset_code == INTERNAL_ERROR or b"error" in stream.body
        assert connection.request("POST", CHAT, body=chat_body("openai/m")).status == expected.status


def test_a_reply_cut_short_is_not_taken_for_a_whole_one(gateway, mock):
    mock.script("early-eof", model="short")
    with Http2(gateway.port) as connection:
        stream = connection.wait(connection.post(CHAT, chat_body("openai/short")))
        assert stream.status == 502 or stream.reset_code == INTERNAL_ERROR


# --- what is refused ---

MALFORMED = {
    "connection": [("connection", "close")],
    "keep-alive": [("keep-alive", "1")],
    "transfer-encoding": [("transfer-encoding", "chunked")],
    "upgrade": [("upgrade", "h2c")],
    "te": [("te", "gzip")],
    "late pseudo-header": [("x-a", "1"), (":path", "/health")],
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_requests_end_their_stream_alone(gateway, mock, name):
    with Http2(gateway.port) as connection:
        stream = connection.wait(connection.begin("GET", "/health", MALFORMED[name]))
        assert stream.reset_code == PROTOCOL_ERROR
        assert connection.request("GET", "/health").status == 200


def test_names_in_upper_case_are_refused(gateway):
    with Http2(gateway.port) as connection:
        stream = connection.wait(connection.begin("GET", "/health", [("X-Upper", "1")]))
        assert PROTOCOL_ERROR in (stream.reset_code, connection.goaway)


def test_a_body_of_another_length_than_declared_goes_nowhere(gateway, mock):
    with Http2(gateway.port) as connection:
        for length, body in (("5", b"{}"), ("1", b"{}")):
            number = connection.begin("POST", CHAT, {"content-length": length}, end=False)
            connection.send_body(number, body)
            assert connection.wait(number).reset_code == PROTOCOL_ERROR
        assert connection.request("GET", "/health").status == 200
    assert mock.requests() == []


HOSTS = {
    "two hosts": ("a.example", [("host", "b.example")], 400),
    "a password": ("user:password@a.example", [], 400),
    "one host twice": ("a.example", [("host", "a.example")], 200),
}


@pytest.mark.parametrize("name", HOSTS)
def test_the_host_is_named_once(gateway, name):
    authority, headers, status = HOSTS[name]
    with Http2(gateway.port) as connection:
        stream = connection.wait(connection.begin("GET", "/health", headers, authority=authority))
        assert stream.status == status or (status == 400 and stream.reset_code == PROTOCOL_ERROR)


def test_a_request_for_nobody_is_refused(gateway):
    pseudo = [(":method", "GET"), (":scheme", "http"), (":path", "/health")]
    with Http2(gateway.port) as connection:
        assert connection.wait(connection.begin("GET", "", pseudo=pseudo)).status == 400
        tunnel = [(":method", "CONNECT"), (":authority", "a.example:443")]
        assert connection.wait(connection.begin("", "", pseudo=tunnel)).status == 405


def test_headers_are_limited(gateway):
    with Http2(gateway.port) as connection:
        many = [(f"x-{number}", "v" * 1000) for number in range(200)]
        stream = connection.wait(connection.begin("GET", "/health", many))
        assert stream.status == 431 or connection.goaway is not None


# --- what stays bounded ---


def health(gateway):
    return gateway.request("GET", "/health").status


def test_rapid_resets_end_the_connection(gateway, mock):
    """A client that opens and resets in one go (CVE-2023-44487)."""
    before = gateway.resident_bytes()
    for _ in range(5):
        with Http2(gateway.port) as connection:
            connection.wait_until(
                lambda: connection.state.remote_settings.max_concurrent_streams == STREAMS_MAX
            )
            body = b'{"model":"openai/m","messages":[{"role":"user","content":"x"}]}'
            try:
                for _ in range(100):
                    for _ in range(50):
                        number = connection.state.get_next_available_stream_id()
                        usual = [
                            (":method", "POST"),
                            (":scheme", "http"),
                            (":authority", "x"),
                            (":path", CHAT),
                        ]
                        connection.state.send_headers(number, usual)
                        connection.state.send_data(number, body, end_stream=True)
                        connection.state.reset_stream(number)
                    connection.flush()
            except (ConnectionResetError, BrokenPipeError):
                connection.is_closed = True
            assert connection.is_closed or connection.is_ended(5)
            assert connection.goaway in (None, ENHANCE_YOUR_CALM)
    assert health(gateway) == 200
    assert len(mock.requests()) <= 5 * STREAMS_MAX
    assert gateway.resident_bytes() - before < GROWTH_BYTES_MAX


def test_slow_resets_are_as_limited_as_open_streams(gateway, mock):
    """Resets that leave time for the request to be sent on: only so many are with the provider at once."""
    mock.script(*["stall=before-head"] * 2000, model="stalled")
    body = chat_body("openai/stalled")
    with Http2(gateway.port) as connection:
        began = time.monotonic()
        try:
            while time.monotonic() - began < 2:
                numbers = [connection.post(CHAT, body) for _ in range(60)]
                time.sleep(0.02)
                for number in numbers:
                    connection.reset(number)
        except (BrokenPipeError, ConnectionResetError):
            # Those that found no room were reset unseen, which is allowed only so often.
            pass
    requests = mock.requests()
    ends = [(r.aborted_at / 1e6 if r.aborted_at else None) for r in requests]
    assert requests
    for at in [r.at for r in requests]:
        under_way = sum(
            r.at <= at and (end is None or end > at) for r, end in zip(requests, ends, strict=True)
        )
        assert under_way <= STREAMS_MAX
    assert poll(lambda: all(r.aborted_at for r in mock.requests()), 3)
    assert health(gateway) == 200


def test_more_streams_than_allowed_are_refused(gateway, mock):
    mock.script(*["stall=before-head"] * 200, model="stalled")
    with Http2(gateway.port) as connection:
        connection.wait_until(lambda: connection.state.remote_settings.max_concurrent_streams == STREAMS_MAX)
        # The state machine would not send them.
        connection.state.remote_settings[3] = 1000
        connection.state.remote_settings.acknowledge()
        body = chat_body("openai/stalled")
        numbers = [connection.post(CHAT, body) for _ in range(STREAMS_MAX + 10)]
        connection.wait(*numbers[STREAMS_MAX:])
        codes = [connection.streams[number].reset_code for number in numbers]
        assert codes[STREAMS_MAX:] == [REFUSED_STREAM] * 10
        assert codes[:STREAMS_MAX] == [None] * STREAMS_MAX
        assert poll(lambda: len(mock.requests()) == STREAMS_MAX, 3)
    assert poll(lambda: all(r.aborted_at for r in mock.requests()), 3)


def test_replies_nobody_reads_are_given_up(start, mock, driver):
    """Windows that stay shut: the replies wait at the provider's end, and not for ever."""
    config = both_dialects(mock)
    gateway = start({**config, "server": {"send_idle_timeout_seconds": 1}}, driver=driver)
    mock.script("bytes=16000000,chunks=4000", then="repeat_last", model="big")
    before = gateway.resident_bytes()
    with Http2(gateway.port, window=1000, acknowledges=False) as connection:
        numbers = [connection.post(CHAT, chat_body("openai/big", stream=True)) for _ in range(20)]
        connection.wait_until(lambda: all(connection.streams[n].pieces for n in numbers))
        assert gateway.resident_bytes() - before < GROWTH_BYTES_MAX
        connection.wait(*numbers)
        assert {connection.streams[number].reset_code for number in numbers} <= {CANCEL, INTERNAL_ERROR}
        assert all(len(connection.streams[number].body) <= 1000 for number in numbers)
    assert poll(lambda: all(r.aborted_at for r in mock.requests()), 3)


def test_a_slow_reader_gets_all_of_it(gateway, mock):
    mock.script("bytes=300000", model="big")
    with Http2(gateway.port, window=DEFAULT_WINDOW_BYTES) as connection:
        stream = connection.wait(connection.post(CHAT, chat_body("openai/big")))
        assert stream.is_ended
        assert len(stream.body) > 300_000


FLOODS = {
    "pings": lambda: PingFrame(opaque_data=b"12345678").serialize(),
    "settings": lambda: SettingsFrame(settings={4: 65535}).serialize(),
    "window updates": lambda: WindowUpdateFrame(0, window_increment=1).serialize(),
}


@pytest.mark.parametrize("name", FLOODS)
def test_floods_take_no_memory(gateway, name):
    """Frames that ask for an answer, from a client that reads none."""
    before = gateway.resident_bytes()
    with Http2(gateway.port, timeout=2) as connection:
        flood = FLOODS[name]() * 1000
        try:
            for _ in range(200):
                connection.send(flood)
        except (TimeoutError, ConnectionResetError, BrokenPipeError):
            pass
        assert gateway.resident_bytes() - before < GROWTH_BYTES_MAX
        assert health(gateway) == 200


def test_endless_headers_end_the_connection(gateway):
    before = gateway.resident_bytes()
    with Http2(gateway.port) as connection:
        begin = HeadersFrame(1, data=b"\x82\x86\x84")
        more = ContinuationFrame(1, data=b"\x40\x01a\x7f\x80\x07" + b"a" * 255).serialize() * 50
        with pytest.raises((ConnectionResetError, BrokenPipeError, TimeoutError)):
            connection.send(begin.serialize())
            for _ in range(20_000):
                connection.send(more)
    assert health(gateway) == 200
    assert gateway.resident_bytes() - before < GROWTH_BYTES_MAX


def test_empty_data_frames_are_bounded(gateway):
    before = gateway.resident_bytes()
    with Http2(gateway.port) as connection:
        number = connection.begin("POST", CHAT, end=False)
        empty = DataFrame(number).serialize() * 1000
        try:
            for _ in range(500):
                connection.send(empty)
        except (ConnectionResetError, BrokenPipeError, TimeoutError):
            pass
    assert health(gateway) == 200
    assert gateway.resident_bytes() - before < GROWTH_BYTES_MAX


def test_nothing_stays_behind(gateway, mock):
    """Descriptors, once all connections are closed, though replies were of every kind."""
    with Http2(gateway.port) as connection:
        connection.request("POST", CHAT, body=chat_body("openai/m"))
    mock.script(*["", "status=500", "early-eof", "delay=50ms"] * 50, model="mixed")
    before = gateway.open_files()
    for _ in range(10):
        with Http2(gateway.port) as connection:
            numbers = [connection.post(CHAT, chat_body("openai/mixed")) for _ in range(20)]
            connection.wait(*numbers[:10])
    # What is pooled for upstreams and the control plane stays open, and is bounded by what was in use.
    assert poll(lambda: gateway.open_files() <= before + 45, 5)
    assert health(gateway) == 200


def test_a_preface_that_never_ends_is_given_up(start, mock, driver):
    config = both_dialects(mock)
    gateway = start({**config, "server": {"head_timeout_seconds": 1}}, driver=driver)
    with gateway.connect() as connection:
        connection.send(PREFACE[:20])
        connection.socket.settimeout(5)
        # The server's settings may come first; then the end.
        while connection.socket.recv(1000):
            pass


def test_an_idle_connection_is_told_to_go(start, mock, driver):
    config = both_dialects(mock)
    gateway = start({**config, "server": {"keep_alive_timeout_seconds": 1}}, driver=driver)
    with Http2(gateway.port) as connection:
        assert connection.request("GET", "/health").status == 200
        assert connection.is_ended(6)
        assert connection.goaway == 0


# --- the end of the process ---


def test_streams_under_way_end_in_peace(gateway, mock):
    mock.script("chunks=20,gap=50ms", model="long")
    with Http2(gateway.port) as connection, Http2(gateway.port) as idle:
        assert idle.request("GET", "/health").status == 200
        number = connection.post(CHAT, chat_body("openai/long", stream=True))
        connection.wait_until(lambda: connection.streams[number].body)
        gateway.process.signal(15)
        stream = connection.wait(number)
        assert stream.is_ended and stream.reset_code is None
        assert stream.events()[-1][1] == "[DONE]"
        assert connection.is_ended(5) and idle.is_ended(5)
        assert (connection.goaway, idle.goaway) == (0, 0)
    assert gateway.process.wait(10) == 0


def test_a_client_that_does_not_go_holds_up_nobody(gateway):
    """It hears that it should go, says nothing and keeps the connection."""
    with Http2(gateway.port) as connection:
        assert connection.request("GET", "/health").status == 200
        began = time.monotonic()
        assert gateway.terminate() == 0
        assert time.monotonic() - began < 8


# --- other people's clients ---


def load(*arguments):
    """The summary of a run of h2load."""
    program = shutil.which("h2load")
    assert program, "h2load is missing: install nghttp2-client"
    run = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120, check=True)
    return run.stdout


@pytest.mark.alone
@pytest.mark.parametrize("secure", [False, True], ids=["cleartext", "tls"])
def test_ten_thousand_requests_are_clean(start, mock, driver, tmp_path, secured, secure):
    members, _ = secured
    gateway = start({**both_dialects(mock), **(members if secure else {})}, driver=driver)
    body = tmp_path / "body.json"
    body.write_bytes(render_request("POST", "/", {}, chat_body("openai/m")).partition(b"\r\n\r\n")[2])
    address = f"{'https' if secure else 'http'}://127.0.0.1:{gateway.port}{CHAT}"
    summary = load(
        "-n", "10000", "-c", "20", "-m", "20", "-d", body, "-H", "content-type: application/json", address
    )
    assert (
        "10000 total, 10000 started, 10000 done, 10000 succeeded, 0 failed, 0 errored, 0 timeout" in summary
    )
    assert "10000 2xx" in summary
    if secure:
        assert "Application protocol: h2" in summary
    assert poll(lambda: len(mock.requests()) >= 1, 1)
    assert health_over(gateway, secure, members) == 200


def health_over(gateway, secure, members):
    if not secure:
        return health(gateway)
    context = trusting(members["server"]["tls"]["certificate"])
    return gateway.request("GET", "/health", tls=context).status
