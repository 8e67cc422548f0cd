"""Every inference route reaches a provider that speaks its dialect, byte for byte, and keeps the manners
of its family: whose bare models it takes, what it adds to replies, and how it tells errors."""

import json

import pytest

from harness import chat_body, messages_body

CHAT, MESSAGES, INVOKE = "chat", "messages", "invoke"
GENERATE, CONVERSE, COHERE = "generate", "converse", "cohere"

PREFIXES = ["/litellm", "/langchain", "/pydanticai", "/cursor"]
VERSIONS = ["v1beta", "v1"]

# Route as the metrics name it, and what it speaks.
ROUTES = [
    ("/v1/chat/completions", CHAT),
    ("/openai/v1/chat/completions", CHAT),
    ("/openai/chat/completions", CHAT),
    ("/openai/openai/v1/chat/completions", CHAT),
    ("/openai/openai/chat/completions", CHAT),
    ("/openai/deployments/{model}/chat/completions", CHAT),
    ("/openai/openai/deployments/{model}/chat/completions", CHAT),
    ("/anthropic/v1/messages", MESSAGES),
    ("/bedrock/model/{model}/invoke", INVOKE),
    *[(f"{prefix}/v1/chat/completions", CHAT) for prefix in PREFIXES],
    *[(f"{prefix}/chat/completions", CHAT) for prefix in PREFIXES],
    *[(f"{prefix}/v1/messages", MESSAGES) for prefix in PREFIXES],
    *[(f"{prefix}/model/{{model}}/invoke", INVOKE) for prefix in PREFIXES],
]

# Routes of dialects that reach a provider by translation here: the mock world speaks two.
TRANSLATED = [
    *[(f"/genai/{version}/models/{{model}}:generateContent", GENERATE) for version in VERSIONS],
    ("/bedrock/model/{model}/converse", CONVERSE),
    ("/cohere/v2/chat", COHERE),
    *[
        (f"{prefix}/{version}/models/{{model}}:generateContent", GENERATE)
        for prefix in PREFIXES
        for version in VERSIONS
    ],
    *[(f"{prefix}/model/{{model}}/converse", CONVERSE) for prefix in PREFIXES],
    *[(f"{prefix}/v2/chat", COHERE) for prefix in PREFIXES],
]

MODELS = {
    CHAT: "openai/gpt-4o",
    MESSAGES: "anthropic/claude-sonnet-4-5",
    INVOKE: "anthropic/claude-sonnet-4-5",
}
MODELS |= {kind: MODELS[CHAT] for kind in (GENERATE, CONVERSE, COHERE)}
EVERY = ROUTES + TRANSLATED
STREAMED = [(route, kind) for route, kind in ROUTES if kind != INVOKE]


def ask(kind, model, **members):
    if kind == CHAT:
        return chat_body(model, **members)
    if kind == MESSAGES:
        return messages_body(model, **members)
    if kind == GENERATE:
        return {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
    if kind == CONVERSE:
        return {"messages": [{"role": "user", "content": [{"text": "hello"}]}]}
    if kind == COHERE:
        return chat_body(model, **members)
    body = messages_body(model, anthropic_version="bedrock-2023-05-31", **members)
    del body["model"]
    return body


def target(route, model):
    return route.replace("{model}", model.replace("/", "%2F"))


@pytest.mark.parametrize("route, kind", ROUTES, ids=[route for route, _ in ROUTES])
def test_each_route_reaches_a_provider_of_its_dialect(gateway, mock, route, kind):
    model = MODELS[kind]
    reply = gateway.post(target(route, model), ask(kind, model))
    assert reply.status == 200, reply.body
    assert reply.text()
    [record] = mock.requests()
    provider, _, bare = model.partition("/")
    assert record.model == bare
    assert record.key == f"sk-{provider}-key"
    assert "anthropic_version" not in record.json()
    tells = route.startswith("/v1/")
    assert ("extra_fields" in reply.json()) == tells
    assert reply.header("x-bifrost-provider") == (None if tells else provider)


@pytest.mark.parametrize("route, kind", STREAMED, ids=[route for route, _ in STREAMED])
def test_each_route_streams(gateway, mock, route, kind):
    model = MODELS[kind]
    reply = gateway.post(target(route, model), ask(kind, model, stream=True))
    assert reply.status == 200
    assert reply.header("content-type").startswith("text/event-stream")
    assert reply.text()
    assert (reply.events()[-1][1] == "[DONE]") == (kind == CHAT)
    tells = route.startswith("/v1/")
    assert (b"extra_fields" in reply.body) == tells
    assert reply.header("access-control-allow-origin") == (None if tells else "*")


@pytest.mark.parametrize("route, kind", ROUTES, ids=[route for route, _ in ROUTES])
def test_each_route_reaches_the_other_dialect(gateway, mock, route, kind):
    model = MODELS[MESSAGES if kind == CHAT else CHAT]
    reply = gateway.post(target(route, model), ask(kind, model))
    assert reply.status == 200, reply.body
    assert ("choices" in reply.json()) == (kind == CHAT)
    [record] = mock.requests()
    assert record.model == model.partition("/")[2]


PLACES = {
    GENERATE: lambda body: body["candidates"][0]["content"]["parts"][0]["text"],
    CONVERSE: lambda body: body["output"]["message"]["content"][0]["text"],
    COHERE: lambda body: body["message"]["content"][0]["text"],
}


@pytest.mark.parametrize("model", [MODELS[CHAT], MODELS[MESSAGES]])
@pytest.mark.parametrize("route, kind", TRANSLATED, ids=[route for route, _ in TRANSLATED])
def test_each_dialect_reaches_providers_of_others(gateway, mock, route, kind, model):
    reply = gateway.post(target(route, model), ask(kind, model))
    assert reply.status == 200, reply.body
    assert PLACES[kind](reply.json())
    [record] = mock.requests()
    assert record.model == model.partition("/")[2]
    assert "extra_fields" not in reply.json()
    assert reply.header("x-bifrost-provider") == model.partition("/")[0]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("query", ["", "?alt=sse"])
@pytest.mark.parametrize("model", [MODELS[CHAT], MODELS[MESSAGES]])
def test_google_streams_are_events_or_one_array(gateway, mock, version, query, model):
    path = f"/genai/{version}/models/{model}:streamGenerateContent{query}"
    reply = gateway.post(path, ask(GENERATE, model))
    assert reply.status == 200, reply.body
    if query:
        assert reply.header("content-type").startswith("text/event-stream")
        chunks = [json.loads(data) for _, data in reply.events()]
    else:
        assert reply.header("content-type") == "application/json"
        chunks = reply.json()
    parts = [part for chunk in chunks for part in chunk["candidates"][0]["content"].get("parts", [])]
    assert "".join(part.get("text", "") for part in parts)
    assert mock.requests()[0].json()["stream"] is True


@pytest.mark.parametrize("model", [MODELS[CHAT], MODELS[MESSAGES]])
def test_converse_streams_are_binary_messages(gateway, model):
    path = target("/bedrock/model/{model}/converse-stream", model)
    reply = gateway.post(path, ask(CONVERSE, model))
    assert reply.status == 200, reply.body
    assert reply.header("content-type") == "application/vnd.amazon.eventstream"
    assert reply.header("x-amzn-bedrock-content-type") == "application/json"
    for event in [b"messageStart", b"contentBlockDelta", b"messageStop", b"metadata"]:
        assert event in reply.body


def error_shape(reply):
    body = reply.json()
    if "is_bifrost_error" in body:
        return "product"
    if body.get("type") == "error":
        return "anthropic"
    if isinstance(body.get("error"), dict):
        assert body["error"]["code"] == reply.status
        assert body["error"]["status"].isupper()
        return "google"
    assert set(body) == {"message"}
    assert reply.header("x-amzn-errortype")
    return "aws"


SHAPES = {
    CHAT: "product",
    MESSAGES: "anthropic",
    INVOKE: "aws",
    CONVERSE: "aws",
    GENERATE: "google",
    COHERE: "product",
}


@pytest.mark.parametrize("fault", ["@status=429", "@status=500", "@status=401"])
@pytest.mark.parametrize("route, kind", EVERY, ids=[route for route, _ in EVERY])
def test_each_route_tells_errors_in_its_familys_shape(gateway, route, kind, fault):
    model = MODELS[kind] + fault
    reply = gateway.post(target(route, model), ask(kind, model))
    assert reply.status == int(fault[-3:])
    assert error_shape(reply) == SHAPES[kind]


@pytest.mark.parametrize("route, kind", EVERY, ids=[route for route, _ in EVERY])
def test_each_route_refuses_what_it_cannot_read(gateway, mock, route, kind):
    reply = gateway.post(target(route, MODELS[kind]), b"{")
    assert reply.status == 400
    assert error_shape(reply) == SHAPES[kind]
    assert mock.requests() == []


@pytest.mark.parametrize("route, kind", EVERY, ids=[route for route, _ in EVERY])
def test_each_route_says_which_methods_it_takes(gateway, route, kind):
    reply = gateway.request("PUT", target(route, "m"), body=b"{}")
    assert reply.status == 405
    assert reply.header("allow") == "POST, OPTIONS"
    assert error_shape(reply) == SHAPES[kind]


def test_metrics_name_the_pattern_and_never_the_model(gateway):
    path = "/bedrock/model/anthropic%2Fclaude-sonnet-4-5/invoke"
    assert gateway.post(path, ask(INVOKE, "")).status == 200
    page = gateway.request("GET", "/metrics").body.decode()
    assert 'path="/bedrock/model/{model}/invoke"' in page
    assert "model/anthropic" not in page


def test_a_model_in_the_path_wins_over_the_body(gateway, mock):
    route = "/openai/deployments/openai%2Fgpt-4o/chat/completions?api-version=2024-10-21"
    assert gateway.post(route, chat_body("anthropic/other")).status == 200
    [record] = mock.requests()
    assert record.model == "gpt-4o"
    assert record.target == "/v1/chat/completions"


def test_slashes_of_a_model_in_the_path_need_no_escape(gateway, mock):
    body = chat_body("x")
    del body["model"]
    assert gateway.post("/openai/deployments/openai/a/b/chat/completions", body).status == 200
    assert mock.requests()[0].model == "a/b"


@pytest.mark.parametrize(
    "path, provider",
    [
        ("/openai/deployments/my-gpt/chat/completions", "azure"),
        ("/bedrock/model/anthropic.claude-3/invoke", "bedrock"),
    ],
)
def test_clouds_own_the_bare_models_in_their_paths(gateway, mock, path, provider):
    reply = gateway.post(path, ask(INVOKE, ""))
    assert reply.status == 400
    assert f"provider {provider} is not configured" in json.dumps(reply.json())
    assert mock.requests() == []


def test_a_models_path_that_is_no_text_is_refused(gateway, mock):
    reply = gateway.post("/bedrock/model/%ff/invoke", ask(INVOKE, ""))
    assert reply.status == 400
    assert "UTF-8" in reply.json()["message"]
    assert gateway.post(f"/bedrock/model/{'m' * 600}/invoke", ask(INVOKE, "")).status == 400
    assert mock.requests() == []


def test_a_large_body_without_a_model_is_completed_where_it_must_be(gateway):
    body = ask(INVOKE, "", text="x" * (12 << 20))
    reply = gateway.post("/bedrock/model/anthropic%2Fclaude-sonnet-4-5/invoke", body)
    assert reply.status == 200
    assert reply.json()["model"] == "claude-sonnet-4-5"
