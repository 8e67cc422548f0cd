"""Requests that go to a provider as they are: any method, any path, byte for byte."""

import json

import pytest

from harness import config_of, key, provider

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]
BODY = b'{ "model" : "gpt-4o",  "provider":"kept", "fallbacks":["kept"], "n":1.0e0 }\n'
REPLY = b'{"id":"x",  "usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}\n'


@pytest.fixture
def world(mock, start):
    place = {"project_id": "proj", "region": "us-central1"}
    providers = {
        "openai": provider(mock.url, ["openai"]),
        "azure": provider(mock.url, [key("azure", azure_key_config={"endpoint": mock.url})]),
        "anthropic": provider(mock.url, ["anthropic"]),
        "gemini": provider(mock.url + "/v1beta", ["gemini"]),
        "vertex": provider(mock.url, [key("vertex", vertex_key_config=place)]),
    }
    return start(config_of(providers))


def serve(mock, body=REPLY, status=200, headers=None, path="*", **match):
    mock.fixture(path, status, {"content-type": "application/json", **(headers or {})}, body, **match)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "target, there, credential",
    [
        ("/openai_passthrough/v1/any/thing?a=1&b=%2F", "/v1/any/thing?a=1&b=%2F", "authorization"),
        ("/anthropic_passthrough/v1/any%2Fthing", "/v1/any%2Fthing", "x-api-key"),
        ("/azure_passthrough/openai/x?api-version=1", "/openai/x?api-version=1", "api-key"),
        ("/genai_passthrough/v1beta/models/m:x?key=dummy", "/v1beta/models/m:x", "x-goog-api-key"),
        ("/genai_passthrough/models/m", "/v1beta/models/m", "x-goog-api-key"),
    ],
)
def test_any_method_and_path_goes_through(world, mock, method, target, there, credential):
    serve(mock)
    body = None if method in ("GET", "HEAD", "DELETE") else BODY
    headers = {
        "authorization": "Bearer dummy",
        "api-key": "dummy",
        "x-api-key": "dummy",
        "x-goog-api-key": "dummy",
        "cookie": "a=b",
        "x-bf-anything": "1",
        "x-custom": "Kept",
        "content-type": "application/json",
    }
    reply = world.request(method, target, headers, body)
    assert reply.status == 200
    assert reply.body == (b"" if method == "HEAD" else REPLY)
    assert reply.header("content-length") == str(len(REPLY))
    (record,) = mock.requests()
    assert (record.method, record.target) == (method, there)
    assert record.body == (body or b"")
    assert record.header("x-custom") == "Kept"
    sent = {"authorization", "api-key", "x-api-key", "x-goog-api-key", "cookie", "x-bf-anything"}
    kept = {name: record.header(name) for name in sent if record.header(name)}
    assert list(kept) == [credential] and "dummy" not in kept[credential]


def test_refusals_come_as_the_provider_worded_them(world, mock):
    body = b"<html>not found</html>\n"
    headers = {"content-type": "text/html", "x-reason": "none", "set-cookie": "a=b"}
    serve(mock, body=body, status=404, headers=headers)
    reply = world.request("GET", "/openai_passthrough/v1/nothing")
    assert (reply.status, reply.body) == (404, body)
    assert reply.header("content-type") == "text/html"
    assert reply.header("x-reason") == "none" and reply.header("set-cookie") is None


def test_refusals_are_retried_like_all_others(mock, start):
    network = {"max_retries": 2, "retry_backoff_initial": 100, "retry_backoff_max": 100}
    gateway = start(config_of({"openai": provider(mock.url, ["a", "b"], network)}))
    serve(mock, body=b"no", status=429, key="sk-a")
    serve(mock, key="sk-b")
    for _ in range(5):
        reply = gateway.post("/openai_passthrough/v1/chat/completions", BODY)
        assert (reply.status, reply.body) == (200, REPLY)


def test_the_model_decides_about_keys(mock, start):
    keys = [key("one", models=["gpt-4o"]), key("two", models=["other"])]
    gateway = start(config_of({"openai": provider(mock.url, keys)}))
    serve(mock)
    for _ in range(3):
        assert gateway.post("/openai_passthrough/v1/chat/completions", BODY).status == 200
        assert mock.requests()[-1].key == "sk-one"
        assert gateway.request("GET", "/openai_passthrough/v1/models/other").status == 200
        assert mock.requests()[-1].key == "sk-two"
    reply = gateway.request("GET", "/openai_passthrough/v1/models/unknown")
    assert reply.status == 400 and "unknown" in reply.json()["error"]["message"]
    assert gateway.request("GET", "/openai_passthrough/v1/files").status == 200


def test_streams_go_through_as_they_come_and_are_counted(world, mock):
    chunks = [
        {"id": "c", "choices": [{"index": 0, "delta": {"content": "hi"}}]},
        {
            "id": "c",
            "choices": [],
            "usage": {"prompt_tokens": 31, "completion_tokens": 4, "total_tokens": 35},
        },
    ]
    events = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)
    events += b": a comment\n\nevent: x\ndata: unknown\n\ndata: [DONE]\n\n"
    serve(mock, body=events, headers={"content-type": "text/event-stream"})
    body = b'{"model":"gpt-4o","stream":true,"messages":[]}'
    reply = world.post("/openai_passthrough/v1/chat/completions", body)
    assert (reply.status, reply.body) == (200, events)
    assert mock.requests()[-1].body == body
    page = world.request("GET", "/metrics").body.decode()
    tokens = [line for line in page.splitlines() if "input_tokens_total" in line and "passthrough" in line]
    assert any(line.endswith(" 31") for line in tokens), tokens or page[:3000]


@pytest.mark.parametrize(
    "target, headers, body",
    [
        ("/v1/projects/p/locations/l/publishers/google/models/m:x", {}, None),
        ("/v1beta1/projects/p/locations/l/x", {}, None),
        ("/v1/x", {"authorization": "Bearer ya29.token"}, None),
        ("/v1/x", {}, {"model": "projects/p/locations/l/models/m"}),
        ("/v1/x", {"x-model-provider": "vertex"}, None),
    ],
)
def test_google_has_two_doors(world, mock, target, headers, body):
    serve(mock)
    method = "POST" if body else "GET"
    reply = world.request(method, f"/genai_passthrough{target}", headers, body)
    assert reply.status == 200, reply.body
    record = mock.requests()[-1]
    assert (record.target, record.header("x-goog-api-key")) == (target, "sk-vertex")


def test_a_header_names_another_provider(world, mock):
    serve(mock)
    headers = {"x-model-provider": "anthropic"}
    assert world.request("GET", "/openai_passthrough/v1/models", headers).status == 200
    assert mock.requests()[-1].header("x-api-key") == "sk-anthropic"
    reply = world.request("GET", "/openai_passthrough/v1/models", {"x-model-provider": "nobody"})
    assert reply.status == 400 and "nobody" in reply.json()["error"]["message"]


def test_what_no_key_could_reach_is_not_found(world, mock):
    assert world.request("GET", "/openai_passthrough").status == 404
    assert world.request("GET", "/cohere_passthrough/v1/x").status == 404
    reply = world.request("OPTIONS", "/openai_passthrough/v1/x")
    assert reply.status == 403
    assert not mock.requests()
