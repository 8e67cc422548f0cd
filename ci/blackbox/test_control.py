"""What the control plane answers through the same port: health, models, metrics; and what a user sees
at first: help, the built-in provider, a clear word about a wrong file."""

import json
import re
import subprocess

import pytest

from harness import (
    BINARIES,
    both_dialects,
    chat_body,
    clean_environment,
    config_of,
    custom,
    key,
    poll,
    provider,
)


def test_without_a_file_the_built_in_provider_answers(start):
    gateway = start(None)
    for stream in (False, True):
        reply = gateway.chat("mock/gpt-4o-mini", "hi", stream=stream)
        assert reply.status == 200
        assert len(reply.text()) > 10
    output = gateway.process.log()
    assert f":{gateway.port}" in output and "mock" in output


@pytest.mark.alone
def test_it_starts_at_once_and_small(start):
    gateway = start(None)
    assert gateway.request("GET", "/health").status == 200
    assert int(re.search(r"ready in (\d+) ms", gateway.process.log())[1]) <= 100
    assert gateway.resident_bytes() <= 20 << 20


def test_the_port_can_come_from_the_environment(start):
    gateway = start(None, environment={"APP_HOST": "127.0.0.1"})
    assert gateway.request("GET", "/health").status == 200


def test_health_tells_when_pings_are_off(start, mock):
    gateway = start(both_dialects(mock, client={"disable_db_pings_in_health": True}))
    assert gateway.request("GET", "/health").json()["components"]["db_pings"] == "disabled"


def test_robots_are_let_in(gateway):
    reply = gateway.request("GET", "/robots.txt")
    assert reply.status == 200
    assert b"User-agent: *" in reply.body and b"Allow: /" in reply.body


def test_models_are_listed_with_their_provider(start, mock):
    sections = {
        "openai": provider(mock.url, [key("k", models=["gpt-4o"])]),
        "own": custom(mock.url, "openai", [key("o", models=["mine"])]),
    }
    gateway = start(config_of(sections))
    base = gateway.request("GET", "/v1/models").json()
    ids = {model["id"] for model in base["data"]}
    assert ids == {"openai/gpt-4o", "own/mine"}
    one = gateway.request("GET", "/v1/models?provider=own").json()
    assert {model["id"] for model in one["data"]} == {"own/mine"}
    openai = gateway.request("GET", "/openai/v1/models").json()
    assert openai["object"] == "list" and all(model["object"] == "model" for model in openai["data"])
    anthropic = gateway.request("GET", "/anthropic/v1/models").json()
    assert {"data", "has_more"} <= set(anthropic)


def samples(gateway):
    """Metric samples: (name, labels) → value."""
    reply = gateway.request("GET", "/metrics")
    assert reply.status == 200
    assert reply.header("content-type").startswith("text/plain")
    found = {}
    for line in reply.body.decode().splitlines():
        match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)(?: \d+)?", line)
        if match and not line.startswith("#"):
            labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or ""))
            found[match[1], frozenset(labels.items())] = float(match[3])
    return found


def total(found, name, **labels):
    return sum(
        value
        for (sample, pairs), value in found.items()
        if sample == name and labels.items() <= dict(pairs).items()
    )


def test_metrics_count_what_happened(gateway, mock):
    for _ in range(3):
        assert gateway.chat("openai/gpt-4o").status == 200
    assert gateway.chat("openai/gpt-4o", stream=True).status == 200
    mock.script("status=500", model="gpt-4o")
    assert gateway.chat("openai/gpt-4o").status == 500
    plain = {"provider": "openai", "model": "gpt-4o", "method": "chat_completion"}
    found = poll(
        lambda: total(samples(gateway), "bifrost_upstream_requests_total", **plain) >= 4 and samples(gateway),
        5,
    )
    assert found
    assert total(found, "bifrost_success_requests_total", **plain, selected_key_name="openai-key") == 3
    assert total(found, "bifrost_error_requests_total", **plain, status_code="500") == 1
    assert total(found, "bifrost_input_tokens_total", provider="openai") > 0
    assert total(found, "bifrost_output_tokens_total", provider="openai") > 0
    assert total(found, "bifrost_stream_first_token_latency_seconds_count", provider="openai") == 1
    assert total(found, "bifrost_upstream_latency_seconds_count", provider="openai") == 5
    assert total(found, "bifrost_overhead_latency_microseconds_count", provider="openai") >= 4
    assert total(found, "http_requests_total", path="/v1/chat/completions", method="POST", status="200") == 4
    assert total(found, "process_resident_memory_bytes") > 1 << 20


def test_model_names_of_callers_do_not_grow_the_metrics_without_end(gateway):
    for number in range(3000):
        if number % 500 == 0:
            connection = gateway.connect()
        connection.request("POST", "/v1/chat/completions", {}, chat_body(f"openai/model-{number}"))
    found = samples(gateway)
    models = {
        dict(pairs).get("model") for (name, pairs) in found if name == "bifrost_upstream_requests_total"
    }
    assert len(models) < 2500


def test_metrics_and_api_ask_for_the_administrator_when_there_is_one(start, mock):
    auth = {"admin_username": "admin", "admin_password": "right-password", "is_enabled": True}
    gateway = start({**both_dialects(mock), "auth_config": auth})
    assert gateway.request("GET", "/metrics").status == 401
    wrong = {"Authorization": "Basic YWRtaW46d3Jvbmc="}
    assert gateway.request("GET", "/metrics", wrong).status == 401
    right = {"Authorization": "Basic YWRtaW46cmlnaHQtcGFzc3dvcmQ="}
    assert gateway.request("GET", "/metrics", right).status == 200
    assert gateway.request("GET", "/health").status == 200
    assert gateway.chat("openai/m").status == 200


def run(*arguments):
    return subprocess.run(
        [BINARIES / "bifrost", *arguments],
        capture_output=True,
        text=True,
        timeout=20,
        env=clean_environment(),
        check=False,
    )


def test_check_names_every_mistake_with_its_place(tmp_path, mock):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(both_dialects(mock)))
    bad.write_text(
        json.dumps(
            {
                "client": {"max_request_body_size_mb": 0, "allow_direct_key": True},
                "providers": {
                    "openai": {"keys": [{"name": "k", "value": "v", "models": ["*", "x"], "weight": "heavy"}]}
                },
            }
        )
    )
    assert run("check", good).returncode == 0
    result = run("check", bad)
    assert result.returncode == 1
    text = result.stdout + result.stderr
    for place in ("client.max_request_body_size_mb", "allow_direct_key", "keys[0].models", "keys[0].weight"):
        assert place in text
    assert "allow_direct_keys" in text


def test_schema_is_json():
    schema = json.loads(run("schema").stdout)
    assert {"providers", "client"} <= set(schema["properties"])


@pytest.mark.parametrize(
    "arguments", [["--no-such-flag"], ["-port", "many"], ["check"], ["check", "/no/such/file"]]
)
def test_wrong_arguments_are_refused_with_a_word(arguments):
    result = run(*arguments)
    assert result.returncode != 0
    assert result.stderr.strip() or result.stdout.strip()
    assert "panicked" not in result.stderr
