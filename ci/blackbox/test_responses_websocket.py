"""Responses over a WebSocket: each message is a request to any provider, its events come back as messages."""

import json
import threading
import time

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from harness import both_dialects, poll

ROUTES = ["/v1/responses", *(f"/openai{middle}/responses" for middle in ("/v1", "", "/openai/v1", "/openai"))]
# The first is asked over its own WebSocket, the second by requests.
MODELS = ["openai/gpt-5", "anthropic/claude-sonnet-4-5"]
PATHS = ["/v1/responses", "/v1/messages"]


def dial(gateway, route="/v1/responses", **options):
    return connect(f"ws://127.0.0.1:{gateway.port}{route}", max_size=64 << 20, **options)


def create(model="openai/gpt-5", text="hello", **members):
    return json.dumps({"type": "response.create", "model": model, "input": text, **members})


def events_of(socket, seconds=30):
    """The events of one response, the last one included."""
    events = []
    while not events or events[-1]["type"] not in (
        "response.completed",
        "response.failed",
        "response.incomplete",
        "error",
    ):
        events.append(json.loads(socket.recv(timeout=seconds)))
    return events


def text_of(events):
    return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("model", MODELS)
def test_any_provider_answers_on_every_route(gateway, route, model):
    with dial(gateway, route) as socket:
        socket.send(create(model, "say pineapple."))
        events = events_of(socket)
    assert events[0]["type"] == "response.created"
    assert events[-1]["type"] == "response.completed"
    assert "pineapple" in text_of(events)
    assert events[-1]["response"]["usage"]["total_tokens"] > 0


def test_where_the_provider_has_a_websocket_it_is_one_connection_for_all(gateway, mock):
    with dial(gateway, additional_headers={"OpenAI-Beta": "responses_websockets=2026-02-06"}) as socket:
        for number in range(3):
            socket.send(create(text=f"number{number}."))
            assert f"number{number}" in text_of(events_of(socket))
    (request,) = mock.requests()
    assert (request.method, request.target, request.key) == ("GET", "/v1/responses", "sk-openai-key")
    assert request.header("openai-beta") == "responses_websockets=2026-02-06"


def test_a_provider_without_one_is_asked_by_requests(gateway, mock):
    mock.script("status=404", path="/v1/responses")
    with dial(gateway) as socket:
        for number in range(3):
            socket.send(create(text=f"number{number}."))
            assert f"number{number}" in text_of(events_of(socket))
    refused, *requests = mock.requests()
    assert refused.method == "GET"
    assert [request.method for request in requests] == ["POST"] * 3
    for request in requests:
        body = request.json()
        assert (body["stream"], body["model"], request.key) == (True, "gpt-5", "sk-openai-key")
        assert "type" not in body


def test_both_ways_may_take_turns_in_one_session(gateway, mock):
    with dial(gateway) as socket:
        for model in MODELS * 2:
            socket.send(create(model, "taking turns."))
            assert "taking turns" in text_of(events_of(socket))
    assert [request.method for request in mock.requests()] == ["GET", "POST", "POST"]


def test_what_only_the_provider_knows_reaches_it_and_its_errors_come_back(gateway):
    with dial(gateway) as socket:
        socket.send(create(text="first."))
        events_of(socket)
        socket.send(json.dumps({"type": "response.unheard_of"}))
        (event,) = events_of(socket)
        assert "response.unheard_of" in event["error"]["message"]
        socket.send(create(text="second."))
        assert "second" in text_of(events_of(socket))


def test_turns_follow_each_other_in_order(gateway, mock, driver, start):
    gateway = start(both_dialects(mock), driver=driver)
    with dial(gateway) as socket:
        for number in range(8):
            socket.send(create(MODELS[number % 2], f"word{number}."))
        answers = [text_of(events_of(socket)) for _ in range(8)]
    assert all(f"word{number}" in answer for number, answer in enumerate(answers)), answers


def test_the_events_are_those_of_a_stream(gateway, mock):
    body = {"model": "openai/gpt-5", "input": "same.", "stream": True}
    with dial(gateway) as socket:
        socket.send(create(text="same."))
        over_socket = [event["type"] for event in events_of(socket)]
    reply = gateway.post("/v1/responses", body)
    over_http = [line[7:] for line in reply.body.decode().splitlines() if line.startswith("event: ")]
    assert over_socket == over_http


def test_a_refusal_is_an_event_and_the_session_goes_on(gateway, mock):
    with dial(gateway) as socket:
        for message, status in [
            (create("nobody-knows-it"), 400),
            (create("unknown/"), 400),
            ("{", 400),
            ("[]", 400),
            (json.dumps({"type": "response.cancel"}), 400),
            (create(background=True), 400),
            (b"\x00\x01", 400),
        ]:
            socket.send(message)
            (event,) = events_of(socket)
            assert (event["type"], event["status"]) == ("error", status), message
            assert event["error"]["message"]
        mock.script("status=429", then="ok", path="/v1/messages")
        socket.send(create(MODELS[1]))
        (event,) = events_of(socket)
        assert (event["type"], event["status"]) == ("error", 429)
        socket.send(create(text="still here."))
        assert "still here" in text_of(events_of(socket))


def test_who_may_not_ask_is_told_before_the_session(start, mock):
    virtual_key = {"id": "vk1", "name": "one", "value": "sk-bf-codex", "is_active": True}
    config = both_dialects(mock, client={"enforce_auth_on_inference": True})
    gateway = start({**config, "governance": {"virtual_keys": [virtual_key]}})
    with pytest.raises(InvalidStatus) as refused:
        dial(gateway)
    assert refused.value.response.status_code == 401
    protocol = "openai-insecure-api-key.sk-bf-codex"
    for options in [
        {"additional_headers": {"Authorization": "Bearer sk-bf-codex"}},
        {"subprotocols": ["realtime", protocol]},
    ]:
        with dial(gateway, **options) as socket:
            socket.send(create(text="let in."))
            assert "let in" in text_of(events_of(socket))


def test_asking_by_get_without_a_websocket_is_the_wrong_method(gateway):
    assert gateway.request("GET", "/v1/responses").status == 405


@pytest.mark.parametrize(
    "model, kind, count", [(MODELS[1], "responses_stream", 3), (MODELS[0], "websocket_responses", 1)]
)
def test_responses_are_counted_with_what_they_used(gateway, model, kind, count):
    with dial(gateway) as socket:
        for _ in range(3):
            socket.send(create(model))
            events = events_of(socket)
    used = 3 * events[-1]["response"]["usage"]["output_tokens"]

    def counted():
        lines = gateway.request("GET", "/metrics").body.decode().splitlines()
        values = {line.split("{")[0]: float(line.split()[-1]) for line in lines if kind in line}
        found = values.get("bifrost_upstream_requests_total"), values.get("bifrost_output_tokens_total")
        return found == (count, used)

    assert poll(counted, 10)


@pytest.mark.parametrize("model, path", zip(MODELS, PATHS))
def test_a_caller_that_leaves_ends_the_work(gateway, mock, model, path):
    mock.script("stall=before-head", path=path)
    socket = dial(gateway)
    socket.send(create(model))
    assert poll(lambda: mock.requests(), 10)
    left = time.monotonic()
    socket.socket.shutdown(2)
    socket.socket.close()
    assert poll(lambda: mock.requests()[0].aborted_seconds is not None, 5)
    assert time.monotonic() - left < 1.5


@pytest.mark.parametrize("model, path", zip(MODELS, PATHS))
def test_pings_are_answered_while_a_response_is_awaited(gateway, mock, model, path):
    mock.script("stall=before-head", path=path)
    with dial(gateway, ping_interval=None) as socket:
        socket.send(create(model))
        assert poll(lambda: mock.requests(), 10)
        assert socket.ping().wait(5)


def test_a_message_beyond_the_limit_ends_the_session(start, mock):
    gateway = start(both_dialects(mock, client={"max_request_body_size_mb": 1}))
    with dial(gateway) as socket:
        socket.send(create(text="x" * (2 << 20)))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)
    assert closed.value.rcvd.code == 1009


def test_what_is_no_frame_ends_the_session(gateway):
    with dial(gateway) as socket:
        socket.socket.sendall(b"\x83\x80\x00\x00\x00\x00")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)
    assert closed.value.rcvd.code == 1002


def test_a_fragmented_message_is_one(gateway, mock):
    with dial(gateway) as socket:
        whole = create(text="in three pieces.")
        socket.send([whole[:10], whole[10:20], whole[20:]])
        assert "in three pieces" in text_of(events_of(socket))


def test_silence_ends_a_session_and_thinking_does_not(start, mock):
    limits = {"pool": {"idle_timeout_seconds": 1}}
    gateway = start({**both_dialects(mock), "websocket": limits})
    mock.script("delay=2000ms", path="/v1/responses")
    with dial(gateway, ping_interval=None) as socket:
        socket.send(create(text="thought over."))
        assert "thought over" in text_of(events_of(socket))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)
    assert closed.value.rcvd.code == 1000


def test_many_sessions_at_once(gateway, mock):
    failures = []

    def talk(number):
        try:
            with dial(gateway) as socket:
                for turn in range(5):
                    socket.send(create(MODELS[turn % 2], f"voice{number}x{turn}."))
                    assert f"voice{number}x{turn}" in text_of(events_of(socket))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
