"""Fixtures of the black-box suites: one mock provider world per session, gateways per test."""

import os
import socket

import pytest

import harness

DRIVERS = ("io_uring", "epoll")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call":
        item.failed_in_call = report.failed
    return report


@pytest.fixture(scope="session")
def mock_process():
    process = harness.Mock()
    yield process
    process.stop()


@pytest.fixture
def mock(mock_process):
    """The mock provider world with nothing scripted and nothing recorded."""
    mock_process.reset()
    return mock_process


@pytest.fixture
def start(request):
    """Starts gateways that end with the test. None of them may have ended or panicked by itself."""
    started = []

    def begin(config, **options):
        gateway = harness.Gateway(config, **options)
        started.append(gateway)
        return gateway

    yield begin
    logs = [gateway.process.log() for gateway in started]
    codes = [gateway.process.child.poll() for gateway in started]
    for gateway in started:
        gateway.stop()
    if getattr(request.node, "failed_in_call", False):
        for log in logs:
            print(f"--- gateway output ---\n{log[-8000:]}")
    assert all(code in (None, 0) for code in codes), f"a gateway ended with {codes}"
    assert not any("panicked" in log for log in logs), "a gateway panicked"


@pytest.fixture(params=DRIVERS)
def driver(request):
    """Runs a test once with each way of waiting for sockets."""
    return request.param


@pytest.fixture
def gateway(mock, start):
    """A gateway with `openai` and `anthropic`, both served by the mock, and the defaults."""
    return start(harness.both_dialects(mock))


@pytest.fixture(scope="session")
def wire_fixtures():
    """The folder of recorded provider traffic."""
    folder = os.environ.get("BIFROST_WIRE_FIXTURES")
    if not folder or not os.path.isdir(folder):
        pytest.skip("SKIPPED LOUDLY: BIFROST_WIRE_FIXTURES names no folder, so no recorded traffic ran")
    return folder


@pytest.fixture
def refused_url():
    """An address nobody listens on: bound but not listening, so no other process can take it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture(scope="session")
def open_mock_process():
    process = harness.Mock("--no-auth")
    yield process
    process.stop()


@pytest.fixture
def mock_without_auth(open_mock_process):
    """A mock provider world that asks for no credential."""
    open_mock_process.reset()
    return open_mock_process
