"""A caller who goes away: its provider request is given up within a second, whatever stage it is in."""

import socket

import pytest

from harness import both_dialects, chat_body, messages_body, poll
from raw_http import render_request

CHAT, ANTHROPIC = "/v1/chat/completions", "/anthropic/v1/messages"
# The promise, and what the recording of it may be late by.
ABORT_SECONDS_MAX = 1.0
LATE_SECONDS = 0.3


@pytest.fixture
def gateway(start, mock, driver):
    return start(both_dialects(mock), driver=driver)


def abort_delay(gateway, mock, request, ready, leave):
    """Seconds between the caller's leaving and the provider noticing it; None when it never did."""
    connection = gateway.connect()
    connection.send(request)
    ready(connection)
    assert poll(lambda: mock.requests(), 3)
    left_at = clock_of(mock)
    leave(connection)
    aborted = poll(lambda: [r for r in mock.requests() if r.aborted_at is not None], 3)
    return aborted[0].aborted_at / 1e6 - left_at if aborted else None


def clock_of(mock):
    """The mock's own clock now, in seconds."""
    return mock.stats()["now_us"] / 1e6


LEAVE = [lambda connection: connection.socket.close(), lambda connection: connection.reset()]
STAGES = {
    "before the head": ("stall=before-head", False),
    "in the body": ("stall=mid-body,bytes=100000", False),
    "before a stream": ("stall=before-head", True),
    "in a stalled stream": ("stall=mid-stream:3", True),
    "in a running stream": ("chunks=1000,gap=50ms", True),
}


@pytest.mark.parametrize("leave", LEAVE, ids=["fin", "rst"])
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("route", ["same dialect", "translated"])
def test_the_provider_request_is_given_up(gateway, mock, stage, leave, route):
    fault, stream = STAGES[stage]
    mock.script(fault, model="left")
    if route == "translated":
        request = render_request("POST", ANTHROPIC, {}, messages_body("openai/left", stream=stream))
    else:
        request = render_request("POST", CHAT, {}, chat_body("openai/left", stream=stream))

    def ready(connection):
        if "running" in stage:
            connection.read_head()

    delay = abort_delay(gateway, mock, request, ready, leave)
    assert delay is not None, "the provider request was left running"
    assert delay < ABORT_SECONDS_MAX + LATE_SECONDS


def test_a_caller_who_half_closes_still_gets_its_reply(gateway, mock):
    """An end of stream after a whole request is how some simple clients say they are done sending."""
    mock.script("delay=300ms", model="half")
    with gateway.connect() as connection:
        connection.send(render_request("POST", CHAT, {}, chat_body("openai/half")))
        connection.socket.shutdown(socket.SHUT_WR)
        rest = connection.read_rest()
    # Taking it for a caller who left is allowed; a broken reply is not.
    assert rest == b"" or rest.startswith(b"HTTP/1.1 200")


def test_many_who_leave_leave_nothing_behind(gateway, mock):
    assert gateway.chat("openai/m").status == 200
    files = gateway.open_files()
    mock.script("stall=before-head", then="repeat_last", model="left")
    connections = [gateway.connect() for _ in range(200)]
    for number, connection in enumerate(connections):
        connection.send(render_request("POST", CHAT, {}, chat_body("openai/left", stream=bool(number % 2))))
    assert poll(lambda: len(mock.requests(model="left")) == 200, 10)
    for connection in connections:
        connection.reset()
    assert poll(lambda: all(r.aborted_at is not None for r in mock.requests(model="left")), 4)
    assert poll(lambda: gateway.open_files() <= files + 10, 4), gateway.open_files()
    assert gateway.chat("openai/m").status == 200


def test_a_caller_who_leaves_after_half_a_request_is_forgotten(gateway, mock):
    files = gateway.open_files()
    request = render_request("POST", CHAT, {}, chat_body("openai/m", "x" * 5000))
    for cut in range(1, len(request) - 1, 97):
        connection = gateway.connect()
        connection.send(request[:cut])
        connection.socket.close()
    assert poll(lambda: gateway.open_files() <= files + 10, 4)
    assert mock.requests() == []
