"""A restart and a change of configuration under load lose nothing: no connection is refused, no reply
breaks off, no stream is cut."""

import json
import re
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from harness import Process, both_dialects, chat_body, poll
from raw_http import render_request

pytestmark = pytest.mark.alone

RATE, STREAMS = 2000, 200
# Of the asked rate, what the machine must at least have reached for the run to mean something.
RATE_SHARE_MIN = 0.5
STREAM = "chunks=25,gap=100ms"
RESULT = re.compile(r"result (\{.*\})")


class Load:
    """The load process, its end and what it counted."""

    def __init__(self, port):
        self.process = Process([sys.executable, Path(__file__).with_name("load.py"), port, RATE, STREAMS])
        self.process.wait_for(re.compile("running"))

    def finish(self):
        self.process.signal(signal.SIGTERM)
        counts = json.loads(self.process.wait_for(RESULT, 60).group(1))
        self.process.kill()
        seconds = counts["seconds_ms"] / 1000
        rate = counts["sent"] / seconds
        print(f"{rate:.0f} requests/s for {seconds:.1f} s and {STREAMS} live streams: {counts}")
        return counts


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def prepared(mock):
    mock.script(STREAM, then="repeat_last", model="streamed")
    return both_dialects(mock)


def assert_nothing_lost(counts):
    assert not counts["errors"], counts
    assert counts["answered"] == counts["sent"]
    assert counts["streamed"] >= STREAMS
    assert counts["sent"] / (counts["seconds_ms"] / 1000) >= RATE * RATE_SHARE_MIN


@pytest.mark.parametrize("successor_first", [False, True], ids=["TERM, then start", "start, then TERM"])
def test_a_restart_refuses_and_cuts_nobody(start, prepared, free_port, driver, successor_first, tmp_path):
    config_folder = tmp_path / "app"
    config_folder.mkdir()
    old = start(prepared, folder=config_folder, port=free_port, driver=driver)
    load = Load(free_port)
    time.sleep(2)
    if successor_first:
        new = start(prepared, folder=config_folder, port=free_port, driver=driver)
        old.process.signal(signal.SIGTERM)
    else:
        old.process.signal(signal.SIGTERM)
        new = start(prepared, folder=config_folder, port=free_port, driver=driver)
    assert poll(lambda: old.process.child.poll() is not None, 40), "the old gateway never ended"
    time.sleep(2)
    counts = load.finish()
    assert old.process.child.returncode == 0
    assert new.process.child.poll() is None
    assert_nothing_lost(counts)


def test_a_change_of_configuration_loses_nothing(start, mock, prepared):
    gateway = start(prepared)
    load = Load(gateway.port)
    for number in range(6):
        time.sleep(0.7)
        changed = both_dialects(mock, {"max_retries": number})
        gateway.write_config(changed)
        gateway.process.signal(signal.SIGHUP)
    assert_nothing_lost(load.finish())


def test_without_a_successor_open_exchanges_still_finish(start, mock, free_port, driver):
    gateway = start(both_dialects(mock), port=free_port, driver=driver)
    mock.script(STREAM, model="last")
    with gateway.connect() as connection:
        connection.send(
            render_request("POST", "/v1/chat/completions", {}, chat_body("openai/last", stream=True))
        )
        head = connection.read_head()
        gateway.process.signal(signal.SIGTERM)
        body = b"".join(connection.read_body(head))
    assert body.endswith(b"data: [DONE]\n\n")
    assert gateway.process.wait() == 0
    with pytest.raises(ConnectionRefusedError):
        gateway.connect()


def test_the_grace_period_has_an_end(start, mock):
    gateway = start({**both_dialects(mock), "server": {"read_buffer_size": 65536, "drain_seconds": 1}})
    mock.script("chunks=1000,gap=100ms", model="endless")
    with gateway.connect() as connection:
        connection.send(
            render_request("POST", "/v1/chat/completions", {}, chat_body("openai/endless", stream=True))
        )
        connection.read_head()
        started = time.monotonic()
        assert gateway.terminate() == 0
        assert time.monotonic() - started < 8
