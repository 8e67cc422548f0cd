"""Realtime sessions: a WebSocket to a provider with the gateway's key, relayed as it is."""

import json
import re
import signal
import threading
import time

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from harness import config_of, key, poll, provider
from websocket_world import WebSocketProvider

ROUTES = [
    "/v1/realtime",
    "/openai/v1/realtime",
    "/openai/realtime",
    "/openai/openai/v1/realtime",
    "/openai/openai/realtime",
]


@pytest.fixture
def world():
    provider = WebSocketProvider()
    yield provider
    provider.stop()


def realtime_config(world, keys=("k1",), network=None, client=None, **sections):
    azure = key("a1", azure_key_config={"endpoint": world.url})
    providers = {
        "openai": provider(world.url, keys, {"max_retries": 0, **(network or {})}),
        "azure": {"keys": [azure]},
        "elevenlabs": provider(world.url, ["e1"]),
    }
    return config_of(providers, client, **sections)


def dial(gateway, target="/v1/realtime?model=openai/gpt-realtime", **options):
    options.setdefault("compression", "deflate")
    return connect(f"ws://127.0.0.1:{gateway.port}{target}", max_size=64 << 20, **options)


def next_event(socket, kind=None, seconds=15):
    """The next event, of that type if one is named."""
    while True:
        event = json.loads(socket.recv(timeout=seconds))
        if kind in (None, event["type"]):
            return event


@pytest.mark.parametrize("route", ROUTES)
def test_a_session_is_opened_on_every_route_with_the_gateways_key(start, world, driver, route):
    gateway = start(realtime_config(world), driver=driver)
    headers = {"Authorization": "Bearer dummy", "OpenAI-Beta": "realtime=v1", "x-bf-eh-x-note": "n"}
    with dial(
        gateway, f"{route}?model=openai/gpt-realtime&intent=x%20y", additional_headers=headers
    ) as socket:
        assert next_event(socket)["type"] == "session.created"
        socket.send(json.dumps({"type": "echo", "text": "\u00e9\u4e16\U0001f600"}))
        assert next_event(socket)["text"] == "\u00e9\u4e16\U0001f600"
        socket.send(bytes(range(256)))
        assert socket.recv(timeout=15) == bytes(reversed(range(256)))
    (session,) = world.wait_for()
    assert (session.path, session.query) == ("/v1/realtime", {"model": "gpt-realtime", "intent": "x y"})
    assert session.key == "sk-k1"
    assert (session.headers["openai-beta"], session.headers["x-note"]) == ("realtime=v1", "n")
    assert "sec-websocket-extensions" not in session.headers


@pytest.mark.parametrize("route", ROUTES)
def test_a_session_of_translations_is_one_too(start, world, route):
    gateway = start(realtime_config(world))
    with dial(gateway, f"{route}/translations?model=openai/gpt-realtime-translate") as socket:
        assert next_event(socket)["type"] == "session.created"
    (session,) = world.wait_for()
    assert session.path == "/v1/realtime/translations"
    assert session.ended.wait(15)


def test_routing_headers_tell_where_the_session_is(start, world):
    gateway = start(realtime_config(world))
    with dial(gateway, "/openai/v1/realtime?model=gpt-realtime") as socket:
        headers = socket.response.headers
        assert headers["x-bifrost-provider"] == "openai"
        assert headers["x-bifrost-resolved-model"] == "gpt-realtime"
        assert headers["x-bifrost-request-type"] == "realtime"


@pytest.mark.parametrize(
    "target, path, query",
    [
        (
            "/openai/realtime?api-version=2025-04-01-preview&deployment=mine",
            "/openai/v1/realtime",
            {"model": "mine"},
        ),
        ("/v1/realtime?model=azure/mine", "/openai/v1/realtime", {"model": "mine"}),
        ("/v1/realtime?model=elevenlabs/agent_1", "/v1/convai/conversation", {"agent_id": "agent_1"}),
        ("/v1/realtime?call_id=rtc_1", "/v1/realtime", {"call_id": "rtc_1"}),
    ],
)
def test_every_provider_is_asked_in_its_own_way(start, world, target, path, query):
    gateway = start(realtime_config(world))
    with dial(gateway, target) as socket:
        next_event(socket)
    (session,) = world.wait_for()
    assert (session.path, session.query) == (path, query)
    keys = {"azure": ("api-key", "sk-a1"), "elevenlabs": ("xi-api-key", "sk-e1")}
    for name, (header, value) in keys.items():
        if name in target or (name == "azure" and "deployment" in target):
            assert session.headers[header] == value


def test_a_browsers_key_comes_as_a_subprotocol_and_goes_no_further(start, world):
    virtual_key = {"id": "vk1", "name": "one", "value": "sk-bf-browser", "is_active": True}
    config = realtime_config(
        world, client={"enforce_auth_on_inference": True}, governance={"virtual_keys": [virtual_key]}
    )
    gateway = start(config)
    protocols = ["realtime", "openai-insecure-api-key.sk-bf-browser", "openai-organization.o"]
    with dial(gateway, subprotocols=protocols) as socket:
        assert socket.subprotocol == "realtime"
        next_event(socket)
    (session,) = world.wait_for()
    assert session.headers["sec-websocket-protocol"] == "realtime"
    assert session.key == "sk-k1"
    with pytest.raises(InvalidStatus) as refused:
        dial(gateway, subprotocols=["realtime", "openai-insecure-api-key.sk-bf-other"])
    assert refused.value.response.status_code == 401
    with pytest.raises(InvalidStatus) as refused:
        dial(gateway)
    assert refused.value.response.status_code == 401
    assert len(world.sessions) == 1


def test_a_provider_that_chooses_no_protocol_does_not_lose_a_browser(start):
    world = WebSocketProvider(subprotocols=())
    try:
        gateway = start(realtime_config(world))
        with dial(gateway, subprotocols=["realtime"]) as socket:
            assert socket.subprotocol == "realtime"
    finally:
        world.stop()


def refusal(gateway, target="/v1/realtime?model=openai/gpt-realtime", **options):
    with pytest.raises(InvalidStatus) as refused:
        dial(gateway, target, **options)
    response = refused.value.response
    return response.status_code, json.loads(response.body)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_a_providers_refusal_is_an_error_like_any_other(start, world, status):
    gateway = start(realtime_config(world))
    world.refusals.append((status, {"error": {"message": "no, because", "type": "t", "code": "c"}}))
    found, body = refusal(gateway)
    assert (found, body["error"]["message"]) == (status, "no, because")
    assert body["extra_fields"]["provider"] == "openai"


def test_a_key_that_is_refused_is_followed_by_another(start, world):
    gateway = start(realtime_config(world, keys=["k1", "k2"], network={"max_retries": 2}))
    world.refusals.append((401, {"error": {"message": "bad key"}}))
    with dial(gateway) as socket:
        next_event(socket)
    (session,) = world.wait_for()
    first = world.refused[0].headers["authorization"].removeprefix("Bearer ")
    assert {first, session.key} == {"sk-k1", "sk-k2"}


def test_what_cannot_be_asked_is_refused_before_anyone_is(start, world):
    gateway = start(realtime_config(world))
    assert refusal(gateway, "/v1/realtime?model=nobody-knows-it")[0] == 400
    assert refusal(gateway, "/v1/realtime?model=anthropic/claude")[0] == 400
    assert refusal(gateway, "/v1/realtime?model=%ff")[0] == 400
    reply = gateway.request("GET", "/v1/realtime?model=openai/m")
    assert reply.status == 400
    assert "WebSocket" in reply.json()["error"]["message"]
    assert world.sessions == []


def test_usage_of_all_responses_is_counted(start, world):
    gateway = start(realtime_config(world))
    with dial(gateway) as socket:
        for _ in range(3):
            socket.send(json.dumps({"type": "response.create"}))
            next_event(socket, "response.done")
        # Much that is no usage, in between.
        socket.send(json.dumps({"type": "flood", "count": 100, "bytes": 10_000}))
        for _ in range(100):
            next_event(socket, "filler")

    def counted():
        metrics = gateway.request("GET", "/metrics").body.decode()
        found = dict(re.findall(r"^bifrost_(input|output)_tokens_total\{[^}]*\} (\S+)$", metrics, re.M))
        return found if len(found) == 2 else None

    assert {name: float(value) for name, value in poll(counted, 10).items()} == {"input": 60, "output": 30}
    metrics = gateway.request("GET", "/metrics").body.decode()
    requests = [
        line for line in metrics.splitlines() if "upstream_requests_total" in line and "realtime" in line
    ]
    assert requests and requests[0].endswith(" 1"), requests


def test_a_close_of_either_side_reaches_the_other_with_its_code(start, world, driver):
    gateway = start(realtime_config(world), driver=driver)
    with dial(gateway) as socket:
        next_event(socket)
        socket.close(4001, "client is done")
    (session,) = world.wait_for()
    assert session.ended.wait(5)
    assert session.close_code == 4001
    with dial(gateway) as socket:
        socket.send(json.dumps({"type": "close", "code": 4002, "reason": "provider is done"}))
        with pytest.raises(ConnectionClosed) as closed:
            next_event(socket, "never")
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4002, "provider is done")


@pytest.mark.parametrize("abruptly", [False, True])
def test_a_client_that_is_gone_is_gone_for_the_provider_within_a_second(start, world, driver, abruptly):
    gateway = start(realtime_config(world), driver=driver)
    socket = dial(gateway)
    next_event(socket)
    (session,) = world.wait_for()
    left = time.monotonic()
    if abruptly:
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
        socket.socket.setsockopt(1, 13, linger)  # SOL_SOCKET, SO_LINGER: a reset.
    socket.socket.shutdown(2)
    socket.socket.close()
    assert session.ended.wait(5)
    assert time.monotonic() - left < 1
    assert poll(lambda: gateway.open_files() < 60, 5)


def test_a_provider_that_breaks_is_told_to_the_client_at_once(start, world):
    gateway = start(realtime_config(world))
    with dial(gateway) as socket:
        next_event(socket)
        began = time.monotonic()
        socket.send(json.dumps({"type": "break"}))
        with pytest.raises(ConnectionClosed):
            next_event(socket, "never")
        assert time.monotonic() - began < 1


def test_a_client_that_does_not_read_holds_the_provider_up(start, world, driver):
    gateway = start(realtime_config(world), driver=driver)
    socket = dial(gateway, max_queue=1)
    next_event(socket)
    socket.send(json.dumps({"type": "flood", "count": 3000, "bytes": 20_000}))
    (session,) = world.wait_for()
    before = gateway.resident_bytes()
    time.sleep(0.5)
    assert gateway.resident_bytes() - before < 8 << 20
    numbers = [next_event(socket, "filler")["number"] for _ in range(3000)]
    assert numbers == list(range(3000))
    socket.close()
    assert session.ended.wait(5)


def test_limits_per_caller_and_in_total(start, world):
    limits = {"max_connections_per_user": 2, "pool": {"max_total_connections": 3}}
    gateway = start(realtime_config(world, websocket=limits))
    first, second = ({"Authorization": f"Bearer {name}"} for name in "ab")
    held = [dial(gateway, additional_headers=first) for _ in range(2)]
    status, body = refusal(gateway, additional_headers=first)
    assert (status, "2" in body["error"]["message"]) == (429, True)
    held.append(dial(gateway, additional_headers=second))
    assert refusal(gateway, additional_headers=second)[0] == 503
    held.pop(0).close()

    def again():
        try:
            return dial(gateway, additional_headers=first)
        except InvalidStatus:
            return None

    held.append(poll(again, 5))
    for socket in held:
        socket.close()


def test_silence_and_age_end_a_session_with_a_word(start, world):
    limits = {"pool": {"idle_timeout_seconds": 1, "max_connection_lifetime_seconds": 3}}
    gateway = start(realtime_config(world, websocket=limits))
    with dial(gateway, ping_interval=None) as socket:
        next_event(socket)
        began = time.monotonic()
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)
        assert 0.8 < time.monotonic() - began < 2
        assert closed.value.rcvd.code == 1000
    with dial(gateway, ping_interval=None) as socket, pytest.raises(ConnectionClosed) as closed:
        began = time.monotonic()
        while True:
            socket.send(json.dumps({"type": "echo"}))
            socket.recv(timeout=10)
            threading.Event().wait(0.2)
    assert 2.5 < time.monotonic() - began < 5
    assert closed.value.rcvd.code == 1000
    assert all(session.ended.wait(5) and session.close_code == 1000 for session in world.sessions)


def test_a_session_holds_the_drain_and_ends_with_it(start, world):
    config = realtime_config(world, server={"drain_seconds": 2})
    gateway = start(config)
    socket = dial(gateway)
    next_event(socket)
    began = time.monotonic()
    gateway.process.signal(signal.SIGTERM)
    socket.send(json.dumps({"type": "echo", "text": "still here"}))
    assert next_event(socket, "echo")["text"] == "still here"
    with pytest.raises(ConnectionClosed):
        socket.recv(timeout=10)
    assert 1.5 < time.monotonic() - began < 6
    assert gateway.process.wait() == 0


@pytest.mark.parametrize("count", [100])
def test_many_sessions_at_once_leave_nothing_behind(start, world, count):
    gateway = start(realtime_config(world, websocket={"max_connections_per_user": 200}))
    files = gateway.open_files()
    sockets = [dial(gateway) for _ in range(count)]
    for number, socket in enumerate(sockets):
        socket.send(json.dumps({"type": "echo", "number": number}))
    for number, socket in enumerate(sockets):
        assert next_event(socket, "echo")["number"] == number
    for socket in sockets:
        socket.close()
    assert poll(lambda: gateway.open_files() <= files + 3, 10)
