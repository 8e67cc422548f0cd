"""Fixtures of the SDK suites: each case runs straight against the mock provider world and through the
gateway on every route and to every upstream, so that a failure of the mock is told from one of ours."""

import collections
import fnmatch
import sys
from pathlib import Path

import anthropic
import openai
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "blackbox"))

import clients
import harness
import upstreams

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


@pytest.fixture(scope="session")
def gateway_to(mock_process):
    """Gateways by upstream, one each, so that one that does not start leaves the others.
    A start that failed is not tried again."""
    started = {}

    def gateway(upstream):
        if upstream not in started:
            config = harness.config_of({upstream: upstreams.section(upstream, mock_process.url)})
            try:
                started[upstream] = harness.Gateway(config)
            except harness.StartError as error:
                started[upstream] = error
        if isinstance(started[upstream], harness.StartError):
            pytest.fail(f"the gateway does not start for {upstream}: {started[upstream]}", pytrace=False)
        return started[upstream]

    yield gateway
    running = [one for one in started.values() if isinstance(one, harness.Gateway)]
    logs = [one.process.log() for one in running]
    for one in running:
        one.stop()
    assert not any("panicked" in log for log in logs)


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


def own_target(request, mock, upstream, route, straight):
    """Straight to the mock, or through the gateway's route for that SDK to the upstream of its dialect."""
    model = upstreams.model_of(upstream)
    if request.param == "straight":
        return Target(request.param, mock.url + straight, model, model, upstream)
    gateway = request.getfixturevalue("gateway_to")(upstream)
    return Target(request.param, gateway.url + route, f"{upstream}/{model}", model, upstream)


@pytest.fixture(params=["straight", "/openai/v1 to openai"])
def openai_own(request, mock):
    return own_target(request, mock, "openai", "/openai/v1", "/openai/v1")


@pytest.fixture(params=["straight", "/anthropic to anthropic"])
def anthropic_own(request, mock):
    return own_target(request, mock, "anthropic", "/anthropic", "/anthropic")


@pytest.fixture(params=["straight", "/genai to gemini"])
def genai_target(request, mock):
    return own_target(request, mock, "gemini", "/genai", "/gemini")


@pytest.fixture(params=["straight", "/bedrock to bedrock"])
def bedrock_target(request, mock):
    return own_target(request, mock, "bedrock", "/bedrock", "/bedrock")


@pytest.fixture(params=["straight", "/cohere to cohere"])
def cohere_target(request, mock):
    return own_target(request, mock, "cohere", "/cohere", "/cohere")


@pytest.fixture(params=["straight", "base route to mistral"])
def mistral_target(request, mock):
    return own_target(request, mock, "mistral", "", "/mistral")


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


EXPECTED_FAILURES = Path(__file__).with_name("expected_failures.txt")


def expected_failures():
    """Patterns of the calls the gateway does not serve yet, each with its reason."""
    lines = [line.strip() for line in EXPECTED_FAILURES.read_text().splitlines()]
    parts = [line.partition(" # ") for line in lines if line and not line.startswith("#")]
    return {pattern.strip(): reason.strip() for pattern, _, reason in parts}


def name_of(item):
    """`test_genai.py::test_plain[/genai to gemini]`"""
    return f"{item.path.name}::{item.name}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Marks what is expected to fail. It has to fail: a pass, or a pattern without a call, fails the run,
    so that the list shrinks with each route that lands."""
    patterns = expected_failures()
    unused = set(patterns)
    for item in items:
        for pattern in [
            one for one in patterns if fnmatch.fnmatchcase(name_of(item), one.replace("[", "[[]"))
        ]:
            unused.discard(pattern)
            item.add_marker(pytest.mark.xfail(reason=patterns[pattern], strict=True))
    config.stale_patterns = sorted(unused)


def pytest_sessionfinish(session, exitstatus):
    is_whole = not session.config.option.keyword and session.config.args == [str(Path(__file__).parent)]
    if is_whole and getattr(session.config, "stale_patterns", []) and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


WORDS = {"passed": "ok", "xfailed": "-", "failed": "FAILED", "error": "ERROR", "skipped": "SKIPPED"}


def outcomes_of(terminalreporter):
    """(test, parameters): how it went."""
    outcomes = {}
    for word, shown in WORDS.items():
        for report in terminalreporter.getreports(word):
            name, _, parameters = report.nodeid.partition("::")[2].rstrip("]").partition("[")
            if parameters:
                outcomes[name.removeprefix("test_"), parameters] = shown
    return outcomes


def pytest_terminal_summary(terminalreporter):
    """Prints case × target, and the table of any SDK to any upstream."""
    outcomes = outcomes_of(terminalreporter)
    targets = collections.defaultdict(dict)
    for (name, parameters), outcome in outcomes.items():
        if name != "any_to_any":
            targets[name][parameters] = outcome
    terminalreporter.section("case × target; - is an expected failure")
    for name, by_target in sorted(targets.items()):
        for target, outcome in by_target.items():
            terminalreporter.write_line(f"{name:56} {target:34} {outcome}")
    table = {parameters: outcome for (name, parameters), outcome in outcomes.items() if name == "any_to_any"}
    if table:
        any_to_any_table(terminalreporter, table)
    for pattern in getattr(terminalreporter.config, "stale_patterns", []):
        terminalreporter.write_line(f"expected_failures.txt: no call is named {pattern}", red=True)


def any_to_any_table(terminalreporter, table):
    terminalreporter.section(f"SDK × upstream: {', '.join(clients.FEATURES)}")
    columns = ["straight", *(f"to {upstream}" for upstream in upstreams.UPSTREAMS)]
    terminalreporter.write_line(" " * 18 + "".join(f"{column:14}" for column in columns))
    passed = 0
    for client in clients.CLIENTS:
        cells = []
        for column in columns:
            names = [f"{client.sdk} {feature} {column}" for feature in clients.FEATURES]
            outcomes = [table.get(name, "?") for name in names]
            passed += outcomes.count("ok") if column != "straight" else 0
            cells.append("".join("+" if one == "ok" else one[0] for one in outcomes))
        terminalreporter.write_line(f"{client.sdk:18}" + "".join(f"{cell:14}" for cell in cells))
    total = len(clients.CLIENTS) * len(upstreams.UPSTREAMS) * len(clients.FEATURES)
    terminalreporter.write_line(f"any to any: {passed}/{total}")
