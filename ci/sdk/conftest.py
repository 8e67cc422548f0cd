"""Fixtures of the SDK suites: each case runs straight against the mock provider world and through the
gateway on every route and to every upstream, so that a failure of the mock is told from one of ours."""

import collections
import sys
from pathlib import Path

import anthropic
import openai
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "blackbox"))

import harness

OPENAI_MODEL, ANTHROPIC_MODEL = "gpt-4o", "claude-sonnet-4-5"
KEYS = ["one"]

Target = collections.namedtuple("Target", "name base_url model upstream_model upstream")


@pytest.fixture(scope="session")
def mock_process():
    process = harness.Mock()
    yield process
    process.stop()


@pytest.fixture(scope="session")
def gateway(mock_process):
    sections = {name: harness.provider(mock_process.url, KEYS) for name in ("openai", "anthropic")}
    process = harness.Gateway(harness.config_of(sections))
    yield process
    log = process.process.log()
    process.stop()
    assert "panicked" not in log


@pytest.fixture
def mock(mock_process):
    mock_process.reset()
    return mock_process


OPENAI_TARGETS = [
    "straight",
    "/v1 to openai",
    "/openai/v1 to openai",
    "/v1 to anthropic",
    "/openai/v1 to anthropic",
]
ANTHROPIC_TARGETS = ["straight", "/anthropic to anthropic", "/anthropic to openai"]


def target_of(request, dialect, own_model, mock):
    """Where a case named by its parameter goes. The gateway is started only for those that need it."""
    if request.param == "straight":
        base = f"{mock.url}/v1" if dialect == "openai" else mock.url
        return Target(request.param, base, own_model, own_model, dialect)
    route, upstream = request.param.split(" to ")
    model = OPENAI_MODEL if upstream == "openai" else ANTHROPIC_MODEL
    return Target(
        request.param, request.getfixturevalue("gateway").url + route, f"{upstream}/{model}", model, upstream
    )


@pytest.fixture(params=OPENAI_TARGETS)
def openai_target(request, mock):
    return target_of(request, "openai", OPENAI_MODEL, mock)


@pytest.fixture(params=ANTHROPIC_TARGETS)
def anthropic_target(request, mock):
    return target_of(request, "anthropic", ANTHROPIC_MODEL, mock)


@pytest.fixture
def openai_client(openai_target):
    """Makes clients of the OpenAI SDK that believe nothing the schema does not say."""

    def make(**options):
        settings = {"max_retries": 0, "timeout": 20, "_strict_response_validation": True, **options}
        return openai.OpenAI(base_url=openai_target.base_url, api_key="sk-dummy", **settings)

    return make


@pytest.fixture
def anthropic_client(anthropic_target):
    def make(**options):
        settings = {"max_retries": 0, "timeout": 20, "_strict_response_validation": True, **options}
        return anthropic.Anthropic(base_url=anthropic_target.base_url, api_key="sk-dummy", **settings)

    return make


def pytest_terminal_summary(terminalreporter):
    """Prints case × route × upstream."""
    outcomes = collections.defaultdict(dict)
    for word in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.getreports(word):
            name, _, target = report.nodeid.partition("::")[2].rstrip("]").partition("[")
            if target:
                outcomes[name.removeprefix("test_")][target] = "ok" if word == "passed" else word.upper()
    terminalreporter.section("case × route to upstream")
    for name, targets in sorted(outcomes.items()):
        for target, outcome in targets.items():
            terminalreporter.write_line(f"{name:56} {target:34} {outcome}")
