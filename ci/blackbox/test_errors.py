"""The shape of every error the gateway itself gives, on each route family."""

import json

import pytest

from harness import both_dialects, chat_body, config_of, custom, messages_body, provider

BASE, OPENAI, ANTHROPIC = "/v1/chat/completions", "/openai/v1/chat/completions", "/anthropic/v1/messages"
ROUTES = [BASE, OPENAI, ANTHROPIC]


def body_for(route, model, **members):
    return messages_body(model, **members) if route == ANTHROPIC else chat_body(model, **members)


def message_of(route, reply):
    """The message of an error in the shape that belongs to the route."""
    assert reply.header("content-type").startswith("application/json")
    error = reply.json()
    assert isinstance(error["error"]["message"], str) and error["error"]["message"]
    if route == ANTHROPIC:
        assert error["type"] == "error"
        assert isinstance(error["error"]["type"], str)
    else:
        assert isinstance(error["is_bifrost_error"], bool)
        assert error.get("status_code", reply.status) == reply.status
        assert isinstance(error["extra_fields"], dict)
        if error["error"].get("code") is not None:
            assert isinstance(error["error"]["code"], str)
    return error["error"]["message"]


@pytest.mark.parametrize("path", ["/nowhere", "/v1/nowhere", "/openai/v2/chat", "/anthropic/v1/other", "/v1"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_route_is_not_found(gateway, method, path):
    reply = gateway.request(method, path, body={} if method == "POST" else None)
    assert reply.status == 404
    error = reply.json()
    assert error["error"]["message"] == f"Route not found: {path}"
    assert error["is_bifrost_error"] is False


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"not json",
        b"[1,2]",
        b"null",
        b'"text"',
        b'{"model":"openai/x",}',
        b'{"a":1}{"b":2}',
        b"\xff\xfe{}",
        b'{"model":"openai/x","messages":[{"role":"user","content":"\xff"}]}',
    ],
)
def test_a_body_that_is_not_one_json_object_is_refused(gateway, mock, route, body):
    reply = gateway.post(route, body, {"Content-Type": "application/json"})
    assert reply.status == 400
    message_of(route, reply)
    assert mock.requests() == []


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "members",
    [
        {"model": 7},
        {"model": ["openai/x"]},
        {"model": {"name": "x"}},
        {"stream": "yes"},
        {"stream": 1},
        {"fallbacks": "openai/x"},
        {"fallbacks": [1, 2]},
        {"messages": "text"},
        {"messages": 5},
        {"messages": []},
        {"messages": [1]},
        {"messages": [{"role": "user", "content": 5}]},
        {"messages": None},
        {"temperature": "warm"},
        {"tools": "hammer"},
    ],
    ids=json.dumps,
)
def test_wrong_types_are_the_callers_fault(gateway, route, members):
    model = "anthropic/claude-x" if route == ANTHROPIC else "openai/gpt-x"
    reply = gateway.post(route, {**body_for(route, model), **members})
    assert 400 <= reply.status < 500
    message_of(route, reply)


@pytest.mark.parametrize(
    "members",
    [
        {"messages": "text"},
        {"messages": 5},
        {"messages": []},
        {"messages": [1]},
        {"messages": None},
        {"messages": [{"role": "user", "content": 5}]},
        {"messages": [{"content": "x"}]},
        {"tools": "hammer"},
        {"tools": [1]},
        {"temperature": "warm"},
        {"max_tokens": -1},
        {"max_tokens": "many"},
    ],
    ids=json.dumps,
)
@pytest.mark.parametrize("route, model", [(BASE, "anthropic/claude-x"), (ANTHROPIC, "openai/gpt-x")])
def test_wrong_types_are_the_callers_fault_when_translated(gateway, route, model, members):
    reply = gateway.post(route, {**body_for(route, model), **members})
    assert 400 <= reply.status < 500
    message_of(route, reply)


@pytest.mark.parametrize("route", ROUTES)
def test_a_missing_model_is_named(gateway, route):
    body = body_for(route, "x")
    del body["model"]
    for shape in (body, {**body, "model": ""}):
        reply = gateway.post(route, shape)
        assert reply.status == 400
        assert "could not auto resolve a model for the request" in message_of(route, reply)


@pytest.mark.parametrize("route", ROUTES)
def test_a_model_nobody_serves_is_named(gateway, route):
    reply = gateway.post(route, body_for(route, "meta-llama/Llama-3"))
    if route == BASE:
        assert reply.status == 400
        assert "could not auto resolve a provider for the request" in message_of(route, reply)
    else:
        # A drop-in route may hand an unknown bare name to the provider it stands for.
        assert reply.status in (200, 400)


@pytest.mark.parametrize("route", ROUTES)
def test_a_provider_that_is_not_configured_is_the_callers_fault(gateway, route):
    reply = gateway.post(route, body_for(route, "groq/llama-3"))
    assert reply.status == 400
    assert "groq" in message_of(route, reply)


@pytest.mark.parametrize("route", ROUTES)
def test_a_body_over_the_limit_is_too_large(start, mock, route):
    gateway = start(both_dialects(mock, client={"max_request_body_size_mb": 1}))
    model = "anthropic/claude-x" if route == ANTHROPIC else "openai/gpt-x"
    reply = gateway.post(route, body_for(route, model, text="x" * (1 << 20)))
    assert reply.status == 413
    message_of(route, reply)
    assert gateway.post(route, body_for(route, model, text="x" * 1000_000)).status == 200
    assert len(mock.requests()) == 1


def test_a_chunked_body_over_the_limit_is_too_large(start, mock):
    gateway = start(both_dialects(mock, client={"max_request_body_size_mb": 1}))
    with gateway.connect() as connection:
        connection.send(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        piece = b'{"model":"openai/x","pad":"' + b"x" * 65536
        try:
            for _ in range(20):
                connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        except OSError:
            pass
        assert connection.read_reply().status == 413
    assert mock.requests() == []


@pytest.mark.parametrize("route", ROUTES)
def test_a_missing_required_header_is_named(start, mock, route):
    gateway = start(both_dialects(mock, client={"required_headers": ["X-Team", "x-user"]}))
    model = "anthropic/claude-x" if route == ANTHROPIC else "openai/gpt-x"
    reply = gateway.post(route, body_for(route, model), {"x-user": "me"})
    assert reply.status == 400
    assert "x-team" in message_of(route, reply).lower()
    assert mock.requests() == []
    assert gateway.post(route, body_for(route, model), {"x-user": "me", "x-team": "us"}).status == 200


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 500, 503])
def test_an_error_of_the_provider_keeps_its_status_and_words(start, mock, route, status):
    # One key, and no retries: what the provider says of it is passed on, 401 included.
    keys = ["a"]
    gateway = start(config_of({"openai": provider(mock.url, keys), "anthropic": provider(mock.url, keys)}))
    for provider_name in ("openai", "anthropic"):
        mock.reset()
        mock.script(
            f'status={status},body={{"error":{{"type":"odd_type","message":"words of the provider"}}}}',
            then="repeat_last",
            model="m",
        )
        reply = gateway.post(route, body_for(route, f"{provider_name}/m"))
        assert reply.status == status
        assert message_of(route, reply) == "words of the provider"
        if route != ANTHROPIC:
            error = reply.json()
            assert error["is_bifrost_error"] is False
            assert error["error"]["type"] == "odd_type"
            assert error["extra_fields"]["routing_info"]["provider"] == provider_name
            assert error["extra_fields"]["request_type"] == "chat_completion"


@pytest.mark.parametrize(
    "fault, text",
    [
        ("status=500,body=html", None),
        ("status=500,body=empty", None),
        ("status=502,body=plain words", "plain words"),
        ('status=400,body={"detail":"said differently"}', "said differently"),
        ('status=400,body={"message":"flat"}', "flat"),
        ('status=400,body={"error":"only a string"}', "only a string"),
        ('status=400,body=[{"error":{"message":"in a list"}}]', "in a list"),
    ],
)
@pytest.mark.parametrize("route", ROUTES)
def test_an_error_in_any_form_becomes_a_proper_one(gateway, mock, route, fault, text):
    model = "anthropic/m" if route == ANTHROPIC else "openai/m"
    mock.script(fault, then="repeat_last", model="m")
    reply = gateway.post(route, body_for(route, model))
    assert reply.status == int(fault[7:10])
    message = message_of(route, reply)
    if text is not None:
        assert text in message


def test_an_html_reply_is_not_passed_off_as_an_answer(gateway, mock):
    mock.script("body=html", then="repeat_last", model="m")
    reply = gateway.chat("openai/m")
    assert reply.status == 502
    assert "HTML" in message_of(BASE, reply)


def test_an_empty_reply_is_not_passed_off_as_an_answer(gateway, mock):
    mock.script("body=empty", then="repeat_last", model="m")
    reply = gateway.chat("openai/m")
    assert reply.status == 502
    assert "empty response" in message_of(BASE, reply)


def test_an_operation_a_custom_provider_does_not_allow_is_unsupported(start, mock):
    sections = {
        "closed": custom(mock.url, "openai", custom_members={"allowed_requests": {"chat_completion": True}})
    }
    gateway = start(config_of(sections))
    assert gateway.chat("closed/m").status == 200
    reply = gateway.chat("closed/m", stream=True)
    assert reply.status == 400
    assert reply.json()["error"]["code"] == "unsupported_operation"
    assert "closed" in message_of(BASE, reply)


def test_an_error_never_shows_a_key(start, mock, refused_url):
    secret = "sk-very-secret-0123456789"
    key = {"name": "k", "value": secret, "models": ["*"], "weight": 1}
    gateway = start(
        config_of({"openai": provider(refused_url, [key]), "spare": custom(mock.url, "openai", [key])})
    )
    for model, fault in [
        ("openai/m", ""),
        ("spare/m", "status=401"),
        ("spare/m", "garbage"),
        ("spare/m", "two-lengths"),
    ]:
        mock.reset()
        mock.script(fault, then="repeat_last", model="m")
        reply = gateway.chat(model)
        assert secret.encode() not in reply.body
    assert secret not in gateway.process.log()


def test_demanded_credentials_are_asked_for(start, mock):
    virtual_key = {"id": "vk-1", "name": "team", "value": "sk-bf-team", "is_active": True}
    config = both_dialects(mock, client={"enforce_auth_on_inference": True})
    gateway = start({**config, "governance": {"virtual_keys": [virtual_key]}})
    for route, model in [(BASE, "openai/m"), (OPENAI, "openai/m"), (ANTHROPIC, "anthropic/m")]:
        refused = gateway.post(route, body_for(route, model))
        assert refused.status == 401
        message_of(route, refused)
        assert gateway.post(route, body_for(route, model), {"Authorization": "Bearer sk-dummy"}).status == 401
        for header in (
            {"x-bf-vk": "sk-bf-team"},
            {"Authorization": "Bearer sk-bf-team"},
            {"x-api-key": "sk-bf-team"},
        ):
            assert gateway.post(route, body_for(route, model), header).status == 200
    assert all("sk-bf-" not in str(record.headers) for record in mock.requests())
