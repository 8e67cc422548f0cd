"""`concurrency` and `buffer_size`: an exact limit, a waiting line, and what happens when it is full."""

import re
import threading
import time

import pytest

from harness import chat_body, config_of, custom, poll, provider
from raw_http import FramingError, render_request

MODEL = "slow"


def start_limited(start, mock, concurrency, buffer_size, drop=False, **options):
    limits = {"concurrency": concurrency, "buffer_size": buffer_size}
    providers = {
        "openai": provider(mock.url, ["k"], concurrency_and_buffer_size=limits),
        "spare": custom(mock.url, "openai", ["s"]),
    }
    return start(config_of(providers, {"drop_excess_requests": drop}), **options)


def ask_in_parallel(gateway, count, **members):
    """Replies of `count` requests sent at once."""
    replies = [None] * count

    def ask(number):
        replies[number] = gateway.chat(f"openai/{MODEL}", **members)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return replies


def under_way(gateway):
    metrics = gateway.request("GET", "/metrics").body.decode()
    return float(re.search(r"^bifrost_active_requests\S* (\S+)$", metrics, re.MULTILINE)[1])


def most_at_once(records, seconds):
    """The most requests under way at any time, when each took `seconds`."""
    starts = [record.at for record in records]
    return max(sum(1 for other in starts if at - seconds * 0.9 < other <= at) for at in starts)


def test_never_more_than_the_limit_are_under_way(start, mock, driver):
    gateway = start_limited(start, mock, concurrency=3, buffer_size=50, driver=driver)
    mock.script("delay=200ms", then="repeat_last", model=MODEL)
    replies = ask_in_parallel(gateway, 12)
    assert [reply.status for reply in replies] == [200] * 12
    records = mock.requests(model=MODEL)
    assert len(records) == 12
    assert most_at_once(records, 0.2) == 3


def test_the_limit_is_one_for_all_workers(start, mock):
    gateway = start_limited(start, mock, concurrency=1, buffer_size=50, workers=2)
    mock.script("delay=100ms", then="repeat_last", model=MODEL)
    replies = ask_in_parallel(gateway, 8)
    assert [reply.status for reply in replies] == [200] * 8
    assert most_at_once(mock.requests(model=MODEL), 0.1) == 1


def test_a_full_line_drops_when_dropping_is_on(start, mock):
    gateway = start_limited(start, mock, concurrency=1, buffer_size=2, drop=True)
    mock.script("delay=700ms", then="repeat_last", model=MODEL)
    replies = ask_in_parallel(gateway, 8)
    served = [reply for reply in replies if reply.status == 200]
    dropped = [reply for reply in replies if reply.status == 503]
    assert (len(served), len(dropped)) == (3, 5)
    for reply in dropped:
        error = reply.json()
        assert error["is_bifrost_error"] is True
        assert "request_dropped" in reply.body.decode()
        assert reply.seconds < 0.6


def test_a_full_line_makes_others_wait_when_dropping_is_off(start, mock):
    gateway = start_limited(start, mock, concurrency=1, buffer_size=1)
    mock.script("delay=100ms", then="repeat_last", model=MODEL)
    assert [reply.status for reply in ask_in_parallel(gateway, 6)] == [200] * 6


def test_a_dropped_request_goes_on_to_its_fallback(start, mock):
    gateway = start_limited(start, mock, concurrency=1, buffer_size=1, drop=True)
    mock.script("delay=500ms", then="repeat_last", model=MODEL)
    replies = ask_in_parallel(gateway, 6, fallbacks=["spare/other"])
    assert [reply.status for reply in replies] == [200] * 6
    assert len(mock.requests(model="other")) == 4


@pytest.mark.parametrize("stream", [False, True])
def test_a_caller_who_leaves_the_line_frees_its_place(start, mock, stream):
    gateway = start_limited(start, mock, concurrency=1, buffer_size=1, drop=True)
    mock.script("delay=1500ms", "", model=MODEL)
    body = chat_body(f"openai/{MODEL}", stream=stream)
    with gateway.connect() as served, gateway.connect() as waiting:
        served.send(render_request("POST", "/v1/chat/completions", {}, body))
        assert poll(lambda: mock.requests(model=MODEL), 3)
        waiting.send(render_request("POST", "/v1/chat/completions", {}, body))
        # Both, and the request that asks.
        assert poll(lambda: under_way(gateway) >= 3, 2)
        assert gateway.chat(f"openai/{MODEL}").status == 503
        waiting.reset()
        # The place is free again: the next caller waits for it and is served.
        assert poll(lambda: gateway.chat(f"openai/{MODEL}").status == 200, 4)
        assert served.read_reply().status == 200


def test_a_stream_gives_its_slot_back_once_it_runs(start, mock):
    gateway = start_limited(start, mock, concurrency=1, buffer_size=10)
    mock.script("chunks=20,gap=100ms", "", model=MODEL)
    with gateway.connect() as streaming:
        streaming.send(
            render_request("POST", "/v1/chat/completions", {}, chat_body(f"openai/{MODEL}", stream=True))
        )
        head = streaming.read_head()
        assert head.status == 200
        started = time.monotonic()
        assert gateway.chat(f"openai/{MODEL}").status == 200
        assert time.monotonic() - started < 1.5
        assert b"[DONE]" in b"".join(streaming.read_body(head))


def test_failures_give_their_slots_back(start, mock):
    gateway = start_limited(start, mock, concurrency=2, buffer_size=2, drop=True)
    faults = ["status=500", "disconnect=before-head", "disconnect=mid-body", "garbage", "two-lengths"]
    mock.script(*faults * 4, model=MODEL)
    for _ in range(len(faults) * 4):
        try:
            assert gateway.chat(f"openai/{MODEL}").status != 503
        except (FramingError, ConnectionResetError):
            # What had been passed on when the provider broke off cannot be taken back.
            pass
    mock.script("delay=200ms", then="repeat_last", model="after")
    replies = [gateway.chat("openai/after") for _ in range(2)]
    assert [reply.status for reply in replies] == [200, 200]
    assert sorted(reply.status for reply in ask_in_parallel(gateway, 4)) == [200] * 4
