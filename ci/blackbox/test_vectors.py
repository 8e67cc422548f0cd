"""Published vectors of HTTP/1.1 request smuggling against the real gateway, with a provider behind it
that records every byte: what is dangerous is refused and closed, and one request in is never two out.

`ci/vectors FOLDER` fetches the vectors and says how to name them to this suite."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from conftest import DRIVERS
from harness import Gateway, both_dialects, chat_body, poll
from raw_http import FramingError, render_request

CHAT = "/v1/chat/completions"
# How many cases of each tier the pinned version of the vectors has.
TIERS = {"Severe": 58, "Ambiguous": 58, "Acceptable": 15, "Compliant": 28}
GUNICORN = {"invalid": 81, "valid": 62}
# What a refusal may be: the request, its length, its head, a coding or a version we don't speak.
REFUSALS = {400, 408, 411, 413, 414, 431, 501, 505}
SERVER = {
    "read_buffer_size": 65536,
    "head_timeout_seconds": 1,
    "body_idle_timeout_seconds": 1,
    "keep_alive_timeout_seconds": 2,
}
# A request hidden behind the vector. Only a gateway that lost track of a message would serve it.
HIDDEN = render_request("POST", CHAT, {}, chat_body("openai/hidden"))

SEEN = json.dumps(chat_body("openai/seen")).encode()

# Compliant by the vectors' own measure, refused here on purpose: transfer codings other than `chunked`,
# parameters of it that servers disagree about, and targets that RFC 9112 §3.2 does not allow.
REFUSED_COMPLIANT = {
    "Correct TE OK",
    "Transfer-Encoding: identity and chunked OK",
    "Multiple transfer encoding headers in a single request OK",
    "Different Transfer-Encoding headers",
    "Different Transfer-Encoding headers combined",
    "TE with custom parameters OK",
    "Transfer-Encoding with a param: chunked;custom_param",
    "Compliant URL",
    "International in URI",
    "Empty URI",
}
# Invalid at gunicorn by its own limits or rules that say nothing about framing, or cut short by intent.
OTHER_RULES = {
    "001",
    "003c",
    "006",
    "007",
    "008",
    "010",
    "011",
    "012",
    "017",
    "019",
    "041",
    "limit_header_default_01",
    "rfc9110_trailer_forbidden_cl_01",
    "rfc9110_trailer_forbidden_host_01",
    "rfc9110_trailer_forbidden_te_01",
    "rfc9112_chunked_missing_final_crlf_01",
}


def folder_named_by(variable):
    folder = os.environ.get(variable)
    return Path(folder) if folder and os.path.isdir(folder) else None


DESYNC, CORPUS = folder_named_by("BIFROST_DESYNC_VECTORS"), folder_named_by("BIFROST_GUNICORN_VECTORS")


def desync_cases():
    """All cases with their names made unique."""
    if DESYNC is None:
        return []
    cases = [
        case for file in sorted(DESYNC.glob("*.yaml")) for case in yaml.safe_load(file.read_text()) or []
    ]
    for number, case in enumerate(cases):
        case["id"] = f"{case['expected']['tier']}-{number}-{case['name']}"
    return cases


def octets(text):
    """A character of the files above U+00FF stands for itself, one below for a byte."""
    return b"".join(bytes([ord(c)]) if ord(c) < 256 else c.encode() for c in str(text))


def render(case):
    """The case as bytes: its head with a `Host`, sent to a route that has a provider behind it; a body
    that fits each framing header, which a POST without one is given; then the hidden request, for what must
    not be kept alive."""
    target = CHAT if case["uri"] == "/foo/bar" else case["uri"]
    headers = [(octets(header["name"]), octets(header["value"])) for header in case.get("headers") or []]
    if not any(name.lower() == b"host" for name, _ in headers):
        headers.insert(0, (b"Host", b"localhost"))
    names = {name.strip().lower() for name, _ in headers}
    if case["method"] == "POST" and not names & {b"content-length", b"transfer-encoding"}:
        headers.append((b"Content-Length", b"%d" % len(SEEN)))
    line = b" ".join(octets(part) for part in (case["method"], target, case["version"]) if part != "")
    head = b"\r\n".join([line, *(name + b": " + value for name, value in headers)]) + b"\r\n\r\n"
    body = body_for(headers)
    return head + body + (b"" if case["expected"]["tier"] == "Compliant" else HIDDEN)


def body_for(headers):
    body = SEEN
    names = b" ".join(name.lower() for name, _ in headers)
    if b"ransfer" in names:
        return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    lengths = [value.strip() for name, value in headers if name.strip().lower() == b"content-length"]
    if len(lengths) == 1 and lengths[0].isdigit() and int(lengths[0]) < 10_000_000:
        return body.ljust(int(lengths[0]))[: int(lengths[0])]
    return b""


@pytest.fixture(scope="module", params=DRIVERS)
def guarded(request, mock_process):
    gateway = Gateway({**both_dialects(mock_process), "server": SERVER}, driver=request.param)
    yield gateway
    log = gateway.process.log()
    gateway.stop()
    assert "panicked" not in log


def exchange(gateway, mock, request):
    """The first status (None: closed without a reply), whether the connection was closed afterwards, and
    the models of the requests the provider received."""
    with gateway.connect(timeout=5) as connection:
        try:
            connection.send(request)
            status = connection.read_reply().status
        except (FramingError, ConnectionError):
            status = None
        try:
            rest = connection.read_rest()
            closed = True
        except TimeoutError:
            rest, closed = b"", False
    assert b"\x00\x00" not in rest
    strays = [record for record in mock.arrivals() if record.kind != "request"]
    assert not strays, "the provider received bytes that are no request"
    return status, closed, [record.model for record in mock.requests()]


@pytest.mark.parametrize("case", desync_cases(), ids=lambda case: case["id"])
def test_desync(guarded, mock, case):
    status, closed, models = exchange(guarded, mock, render(case))
    tier, name = case["expected"]["tier"], case["name"]
    assert "hidden" not in models and len(models) <= 1
    if tier == "Severe":
        assert (status, closed, models) == (400, True, [])
    elif tier == "Ambiguous":
        assert closed and (status is None or 400 <= status < 600 or len(models) == 1)
    elif tier == "Compliant" and name not in REFUSED_COMPLIANT:
        assert status not in REFUSALS or (status == 400 and models), f"{status}"
    elif tier == "Compliant":
        assert status in REFUSALS
    else:
        assert status is None or status < 600
    assert guarded.request("GET", "/health").status == 200


def test_all_desync_vectors_were_there():
    require(DESYNC, "BIFROST_DESYNC_VECTORS")
    tiers = [case["expected"]["tier"] for case in desync_cases()]
    assert {tier: tiers.count(tier) for tier in TIERS} == TIERS


def corpus_files(kind):
    return sorted((CORPUS / kind).glob("*.http")) if CORPUS else []


def decode(text):
    """The files spell line ends and control bytes out; their own line breaks mean nothing."""
    named = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0"}

    def octet(match):
        return named.get(match[1]) or bytes([int(match[1][1:], 16)])

    return re.sub(rb"\\(r|n|t|0|x[0-9A-Fa-f]{2})", octet, text.replace(b"\r", b"").replace(b"\n", b""))


@pytest.mark.parametrize("file", corpus_files("invalid"), ids=lambda file: file.stem)
def test_invalid_requests_are_refused(guarded, mock, file):
    status, closed, models = exchange(guarded, mock, decode(file.read_bytes()) + HIDDEN)
    assert models == [] or file.stem in OTHER_RULES
    if file.stem not in OTHER_RULES:
        assert closed and (status is None or status in REFUSALS)
    assert guarded.request("GET", "/health").status == 200


@pytest.mark.parametrize("file", corpus_files("valid"), ids=lambda file: file.stem)
def test_valid_requests_do_no_harm(guarded, mock, file):
    status, _, models = exchange(guarded, mock, decode(file.read_bytes()))
    assert status is None or status < 600
    assert models == []
    assert guarded.request("GET", "/health").status == 200


def test_the_whole_corpus_was_there():
    require(CORPUS, "BIFROST_GUNICORN_VECTORS")
    assert {kind: len(corpus_files(kind)) for kind in GUNICORN} == GUNICORN


def require(folder, variable):
    if folder is None:
        pytest.fail(f'{variable} names no folder; eval "$(ci/vectors ci/.cache/vectors)" sets it')


# Mode of the tool, what else it needs, and where it aims.
SLOW_MODES = {
    "headers": ["-H", "-i", "1", "-t", "GET", "-p", "3"],
    "bodies": ["-B", "-i", "1", "-s", "8192", "-f", "application/json", "-p", "3"],
    "reading": ["-X", "-w", "10", "-y", "20", "-n", "1", "-z", "5", "-k", "3", "-p", "3"],
}


@pytest.mark.alone
@pytest.mark.parametrize("mode", SLOW_MODES)
def test_slow_clients_leave_the_service_available(start, mock, driver, mode, tmp_path):
    if shutil.which("slowhttptest") is None:
        pytest.fail("slowhttptest is not installed")
    gateway = start({**both_dialects(mock), "server": SERVER}, driver=driver)
    url = f"{gateway.url}/metrics" if mode == "reading" else f"{gateway.url}{CHAT}"
    command = [
        "slowhttptest",
        *SLOW_MODES[mode],
        "-c",
        "200",
        "-r",
        "200",
        "-l",
        "6",
        "-u",
        url,
        "-g",
        "-o",
        str(tmp_path / "slow"),
    ]
    attack = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        seconds = []
        while attack.poll() is None:
            reply = gateway.chat("openai/m")
            assert reply.status == 200
            seconds.append(reply.seconds)
    finally:
        if attack.poll() is None:
            attack.kill()
        output, _ = attack.communicate()
    rows = (tmp_path / "slow.csv").read_text().splitlines()
    assert len(rows) > 2, output
    assert all("NO" not in row.split(",")[-1] for row in rows[1:]), rows
    assert len(seconds) > 20 and sorted(seconds)[len(seconds) // 2] < 0.5
    assert poll(lambda: gateway.open_files() < 150, 10)
