"""What a good reply carries besides the provider's own words: `extra_fields`, routing headers, raw
bodies, timing; and that drop-in routes leave the provider's bytes alone."""

import json

import pytest

from harness import both_dialects, chat_body, config_of, custom, key, messages_body, provider

BASE, OPENAI, ANTHROPIC = "/v1/chat/completions", "/openai/v1/chat/completions", "/anthropic/v1/messages"

PLAIN = (
    b'{ "id":"x1", "object":"chat.completion","odd":1e2 ,"choices":[{"index":0,"message":{"role":"assistant",'
    b'"content":"h\\u00e9"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}\n'
)
CHUNK = (
    b'{"id":"x1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"%s"}}] ,"n":1.0}'
)
STREAM = (
    b"".join(b"data: " + CHUNK % word + b"\n\n" for word in (b"one", b"two", b"three")) + b"data: [DONE]\n\n"
)
MESSAGE = (
    b'{"type":"message" , "id":"msg_1","role":"assistant","model":"m",'
    b'"content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}'
)


def serve(mock, body, stream=False, dialect="openai"):
    path = "/v1/messages" if dialect == "anthropic" else "/v1/chat/completions"
    kind = "text/event-stream" if stream else "application/json"
    mock.fixture(path, 200, {"content-type": kind}, body, model="m")


def test_a_base_route_puts_extra_fields_first_and_changes_nothing_else(gateway, mock):
    serve(mock, PLAIN)
    reply = gateway.chat("openai/m")
    assert reply.status == 200
    members = list(reply.json())
    assert members[0] == "extra_fields"
    rest = reply.body[reply.body.index(b'"id":"x1"') :]
    assert PLAIN.endswith(rest)


def test_extra_fields_say_what_was_asked_and_who_answered(gateway):
    fields = gateway.chat("openai/gpt-4o").json()["extra_fields"]
    assert fields["request_type"] == "chat_completion"
    assert fields["provider"] == "openai"
    assert fields["original_model_requested"] == "gpt-4o"
    assert fields["resolved_model_used"] == "gpt-4o"
    assert fields["chunk_index"] == 0
    assert isinstance(fields["latency"], int) and 0 <= fields["latency"] < 5000
    assert fields["routing_info"] == {
        "provider": "openai",
        "model": "gpt-4o",
        "key": "openai-key",
        **extras(fields["routing_info"]),
    }


def extras(routing):
    """Members of `routing_info` a plain request may or may not carry."""
    return {name: routing[name] for name in routing if name in ("is_fallback",) and routing[name] is False}


def test_every_chunk_of_a_base_stream_carries_extra_fields(gateway, mock):
    serve(mock, STREAM, stream=True)
    reply = gateway.chat("openai/m", stream=True)
    *chunks, done = [data for _, data in reply.events()]
    assert done == "[DONE]"
    for index, (chunk, word) in enumerate(zip(chunks, (b"one", b"two", b"three"), strict=True)):
        parsed = json.loads(chunk)
        assert next(iter(parsed)) == "extra_fields"
        assert parsed["extra_fields"]["chunk_index"] == index
        assert parsed["extra_fields"]["request_type"] == "chat_completion_stream"
        assert parsed["extra_fields"]["latency"] >= 0
        original = (CHUNK % word).decode()
        assert chunk.endswith(original[1:])


def test_a_translated_reply_carries_extra_fields_too(gateway):
    for route in (BASE, OPENAI):
        fields = gateway.chat("anthropic/claude-x", route=route).json()["extra_fields"]
        assert fields["provider"] == "anthropic"
    stream = gateway.chat("anthropic/claude-x", stream=True)
    chunks = [json.loads(data) for _, data in stream.events() if data != "[DONE]"]
    assert [chunk["extra_fields"]["chunk_index"] for chunk in chunks] == list(range(len(chunks)))


@pytest.mark.parametrize("stream, body", [(False, PLAIN), (True, STREAM)])
def test_a_drop_in_route_relays_the_providers_bytes(gateway, mock, stream, body):
    serve(mock, body, stream)
    reply = gateway.chat("openai/m", route=OPENAI, stream=stream)
    assert reply.body == body


def test_the_anthropic_route_relays_the_providers_bytes(gateway, mock):
    serve(mock, MESSAGE, dialect="anthropic")
    assert gateway.messages("anthropic/m").body == MESSAGE


@pytest.mark.parametrize("stream", [False, True])
def test_drop_in_routes_say_who_answered_in_headers(gateway, stream):
    kind = "chat_completion_stream" if stream else "chat_completion"
    reply = gateway.chat("openai/gpt-4o", route=OPENAI, stream=stream)
    assert reply.header("x-bifrost-provider") == "openai"
    assert reply.header("x-bifrost-original-model") == "gpt-4o"
    assert reply.header("x-bifrost-resolved-model") == "gpt-4o"
    assert reply.header("x-bifrost-request-type") == kind
    message = gateway.messages("anthropic/claude-x", stream=stream)
    assert message.header("x-bifrost-provider") == "anthropic"
    base = gateway.chat("openai/gpt-4o", stream=stream)
    assert not [name for name, _ in base.headers if name.startswith("x-bifrost-")]


def test_stream_replies_have_the_headers_of_a_stream(gateway):
    for reply in (gateway.chat(stream=True), gateway.messages(stream=True)):
        assert reply.header("content-type").startswith("text/event-stream")
        assert reply.header("cache-control") == "no-cache"
        assert reply.header("content-length") is None
    assert gateway.messages(stream=True).header("access-control-allow-origin") is not None


def test_done_is_sent_where_clients_expect_it(gateway):
    assert gateway.chat("openai/m", stream=True).events()[-1][1] == "[DONE]"
    assert gateway.chat("anthropic/claude-x", stream=True).events()[-1][1] == "[DONE]"
    assert gateway.chat("openai/m", route=OPENAI, stream=True).events()[-1][1] == "[DONE]"
    for model in ("anthropic/claude-x", "openai/m"):
        events = gateway.messages(model, stream=True).events()
        assert events[-1][0] == "message_stop"
        assert all(data != "[DONE]" for _, data in events)


def test_usage_is_always_asked_for_on_openai_streams(gateway, mock):
    for members in (
        {},
        {"stream_options": {"include_usage": False}},
        {"stream_options": {"include_usage": True}},
    ):
        reply = gateway.chat("openai/m", stream=True, **members)
        assert any(json.loads(data).get("usage") for _, data in reply.events() if data != "[DONE]")
    assert all(record.json()["stream_options"]["include_usage"] is True for record in mock.requests())


def test_headers_of_the_provider_are_passed_on_but_for_its_secrets(gateway, mock):
    headers = {
        "content-type": "application/json",
        "openai-processing-ms": "12",
        "x-ratelimit-remaining-requests": "59",
        "x-request-id": "req_1",
        "set-cookie": "a=b",
        "www-authenticate": "Basic",
        "x-api-key": "leak",
        "authorization": "leak",
        "proxy-authenticate": "leak",
        "connection": "keep-alive",
        "keep-alive": "timeout=5",
    }
    mock.fixture("/v1/chat/completions", 200, headers, PLAIN, model="m")
    for route in (BASE, OPENAI):
        reply = gateway.chat("openai/m", route=route)
        assert reply.header("openai-processing-ms") == "12"
        assert reply.header("x-ratelimit-remaining-requests") == "59"
        assert "leak" not in str(reply.headers)
        for name in ("set-cookie", "www-authenticate", "keep-alive"):
            assert reply.header(name) is None
    mock.reset()
    mock.fixture(
        "/v1/chat/completions", 429, {**headers, "retry-after": "3"}, b'{"error":{"message":"m"}}', model="m"
    )
    assert gateway.chat("openai/m").header("openai-processing-ms") == "12"


def test_raw_bodies_are_returned_when_the_provider_section_says_so(start, mock):
    section = provider(mock.url, ["k"], send_back_raw_request=True, send_back_raw_response=True)
    gateway = start(config_of({"openai": section}))
    fields = gateway.chat("openai/m", "raw please").json()["extra_fields"]
    assert fields["raw_request"]["messages"][0]["content"] == "raw please"
    assert fields["raw_response"]["choices"]


@pytest.mark.parametrize("allowed", [False, True])
def test_raw_bodies_on_request_need_the_switch(start, mock, allowed):
    gateway = start(both_dialects(mock, client={"allow_per_request_raw_override": allowed}))
    headers = {"x-bf-send-back-raw-request": "true", "x-bf-send-back-raw-response": "true"}
    fields = gateway.chat("openai/m", headers=headers).json()["extra_fields"]
    assert ("raw_request" in fields) is allowed
    assert ("raw_response" in fields) is allowed


def test_timing_is_shown_when_asked_for(gateway):
    assert gateway.chat("openai/m").header("server-timing") is None
    timing = gateway.chat("openai/m", headers={"x-bf-server-timing": "true"}).header("server-timing")
    assert timing and "dur=" in timing


def test_only_the_model_name_changes_on_the_way_to_a_provider_of_the_same_dialect(gateway, mock):
    body = (
        b'{"messages" : [{"role":"user","content":"\\u0041 \\ud83d\\ude00"}], '
        b'"unknown_member":[1.50, 1e300,{"a":null}],\n'
        b' "model":"openai/gpt-4o","seed":12345678901234567890}'
    )
    assert gateway.request("POST", OPENAI, {"content-type": "application/json"}, body).status == 200
    (record,) = mock.requests()
    assert record.body == body.replace(b"openai/gpt-4o", b"gpt-4o")


def test_the_mock_provider_sees_the_configured_path(start, mock):
    overrides = {"request_path_overrides": {"chat_completion": "/elsewhere/v1/chat/completions"}}
    gateway = start(config_of({"own": custom(mock.url, "openai", ["k"], custom_members=overrides)}))
    assert gateway.chat("own/m").status == 200
    assert gateway.chat("own/m", stream=True).status == 200
    assert [record.target for record in mock.requests()] == [
        "/elsewhere/v1/chat/completions",
        "/v1/chat/completions",
    ]


def test_a_provider_without_keys_needs_no_credential(start, mock_without_auth):
    gateway = start(
        config_of({"own": custom(mock_without_auth.url, "openai", [], custom_members={"is_key_less": True})})
    )
    assert gateway.chat("own/m").status == 200
    (record,) = mock_without_auth.requests()
    assert record.key is None


@pytest.mark.parametrize(
    "name, path",
    [
        ("groq", "/v1/chat/completions"),
        ("openrouter", "/v1/chat/completions"),
        ("cerebras", "/v1/chat/completions"),
        ("xai", "/v1/chat/completions"),
        ("nebius", "/v1/chat/completions"),
        ("parasail", "/v1/chat/completions"),
        ("fireworks", "/v1/chat/completions"),
        ("mistral", "/v1/chat/completions"),
        ("perplexity", "/chat/completions"),
    ],
)
def test_each_compatible_provider_is_spoken_to_in_its_own_way(start, mock, name, path):
    gateway = start(config_of({name: provider(mock.url, ["k"])}))
    for stream in (False, True):
        reply = gateway.chat(f"{name}/some/model", "to everyone", stream=stream, store=True, verbosity="low")
        assert reply.status == 200
        assert "to everyone" in reply.text()
    for record in mock.requests():
        assert (record.target, record.key, record.model) == (path, "sk-k", "some/model")
        assert "store" not in record.json() and "verbosity" not in record.json()


@pytest.mark.parametrize("name", ["ollama", "vllm", "sgl"])
def test_self_hosted_providers_have_their_address_in_the_key(start, mock_without_auth, name):
    section = {"keys": [key("k", value="", **{f"{name}_key_config": {"url": mock_without_auth.url}})]}
    gateway = start(config_of({name: section}))
    assert gateway.chat(f"{name}/m", "at home").text().count("at home") == 1


@pytest.mark.parametrize("route", [BASE, OPENAI])
def test_a_bare_model_goes_to_the_provider_that_lists_it(start, mock, route):
    sections = {
        "first": custom(mock.url, "openai", [key("f", models=["alpha"])]),
        "second": custom(mock.url, "openai", [key("s", models=["beta"])]),
    }
    gateway = start(config_of(sections))
    assert gateway.chat("beta", route=route).status == 200
    (record,) = mock.requests()
    assert record.key == "sk-s"


def test_a_bare_model_means_the_provider_a_drop_in_route_stands_for(gateway, mock):
    assert gateway.chat("gpt-4o", route=OPENAI).status == 200
    assert gateway.post(ANTHROPIC, messages_body("claude-sonnet-4-5")).status == 200
    assert [record.key for record in mock.requests()] == ["sk-openai-key", "sk-anthropic-key"]


def test_the_openai_routes_exist_without_v1(gateway):
    assert gateway.post("/openai/chat/completions", chat_body("openai/m")).status == 200
