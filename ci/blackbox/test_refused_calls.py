"""A kernel that refuses what a worker waits with: the gateway says so and ends, or does without. It never
asks again without end."""

import json
import re
import sys
from pathlib import Path

import pytest

import raw_http
from harness import BINARIES, LISTENING, Process, StartError, both_dialects, chat_body

# More completions than the wait for the next event; so many are waited for when replies are on their way.
WITH_REPLIES = 2
END_SECONDS_MAX = 10


@pytest.fixture
def run(mock, tmp_path):
    """Starts a gateway of which waits for `completions` or more are refused."""
    started = []

    def begin(completions, driver):
        (tmp_path / "config.json").write_text(json.dumps(both_dialects(mock)))
        options = ["-app-dir", tmp_path, "-host", "127.0.0.1", "-port", 0, "--driver", driver, "--workers", 2]
        refuse = [sys.executable, Path(__file__).with_name("refuse.py"), completions]
        started.append(Process([*refuse, BINARIES / "bifrost", *options]))
        return started[-1]

    yield begin
    for process in started:
        process.kill()


def test_a_driver_that_may_not_wait_is_an_error_at_the_start(run):
    process = run(0, "io_uring")
    with pytest.raises(StartError, match="(?i)cannot start the workers.*operation not permitted"):
        process.wait_for(LISTENING)
    assert process.wait() == 1


def test_without_a_choice_the_other_driver_serves(run):
    process = run(0, "auto")
    port = int(process.wait_for(LISTENING).group(1))
    reply = raw_http.request(port, "POST", "/v1/chat/completions", [], chat_body("openai/gpt-4o"))
    assert reply.status == 200
    assert re.search("(?i)epoll.*io_uring failed", process.log())


def test_a_worker_that_is_refused_later_ends_the_gateway_with_a_message(run):
    process = run(WITH_REPLIES, "io_uring")
    port = int(process.wait_for(LISTENING).group(1))
    with pytest.raises((OSError, raw_http.FramingError)):
        raw_http.request(port, "POST", "/v1/chat/completions", [], chat_body("openai/gpt-4o"))
    assert process.wait(END_SECONDS_MAX) == 1
    assert re.search("(?i)a worker cannot go on: operation not permitted", process.log())
