"""Headers: what every reply carries, CORS, and which of the caller's headers travel on."""

import pytest

from harness import both_dialects, chat_body, config_of, provider

CHAT = "/v1/chat/completions"
SECURITY = {
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin-when-cross-origin",
    "content-security-policy": "frame-ancestors 'none'",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


@pytest.mark.parametrize(
    "method, path, body",
    [
        ("GET", "/health", None),
        ("GET", "/metrics", None),
        ("GET", "/v1/models", None),
        ("GET", "/nowhere", None),
        ("POST", CHAT, chat_body("openai/m")),
        ("POST", CHAT, chat_body("openai/m", stream=True)),
        ("POST", CHAT, {}),
        ("POST", CHAT, chat_body("openai/m@status=500")),
        ("OPTIONS", CHAT, None),
    ],
    ids=str,
)
def test_every_reply_carries_the_security_headers(gateway, method, path, body):
    reply = gateway.request(method, path, body=body)
    for name, value in SECURITY.items():
        assert reply.header(name) == value
    assert reply.header("strict-transport-security") is None


def test_strict_transport_is_promised_only_behind_tls(gateway):
    reply = gateway.chat("openai/m", headers={"X-Forwarded-Proto": "https"})
    assert reply.header("strict-transport-security") == "max-age=31536000; includeSubDomains"
    assert (
        gateway.chat("openai/m", headers={"X-Forwarded-Proto": "http"}).header("strict-transport-security")
        is None
    )


# Configured origins, origin of the request, whether it is allowed, whether credentials are.
ORIGINS = [
    (["*"], "https://anywhere.example", True, False),
    ([], "http://localhost:3000", True, True),
    ([], "https://localhost:3000", True, True),
    ([], "http://127.0.0.1:5173", True, True),
    (["https://app.example"], "https://app.example", True, True),
    (["https://app.example"], "https://app.example.evil.example", False, False),
    (["https://app.example"], "http://app.example", False, False),
    (["https://*.example"], "https://one.example", True, True),
    (["https://*.example"], "https://one.two.example", False, False),
    (["https://*.example"], "https://evil/.example", False, False),
    (["https://app.example"], "http://localhost.evil.example", False, False),
    (["https://app.example"], "null", False, False),
]


@pytest.mark.parametrize("configured, origin, allowed, credentials", ORIGINS, ids=str)
def test_origins_are_allowed_as_configured(start, mock, configured, origin, allowed, credentials):
    gateway = start(both_dialects(mock, client={"allowed_origins": configured}))
    preflight = gateway.request(
        "OPTIONS",
        CHAT,
        {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        },
    )
    assert preflight.status == (200 if allowed else 403)
    reply = gateway.chat("openai/m", headers={"Origin": origin})
    assert reply.status == 200
    for answer in (preflight, reply):
        assert answer.header("access-control-allow-origin") == (origin if allowed else None)
        assert answer.header("access-control-allow-credentials") == ("true" if credentials else None)
    if allowed:
        assert (
            preflight.header("access-control-allow-methods") == "GET, POST, PUT, DELETE, PATCH, OPTIONS, HEAD"
        )
        assert preflight.header("access-control-max-age") == "86400"
        assert "Origin" in preflight.header("vary")
    assert len(mock.requests()) == 1


def test_allowed_headers_are_the_known_ones_and_the_configured(start, mock):
    gateway = start(
        both_dialects(mock, client={"allowed_origins": ["https://a.example"], "allowed_headers": ["X-Own"]})
    )
    listed = gateway.request(
        "OPTIONS", CHAT, {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    )
    names = {name.strip().lower() for name in listed.header("access-control-allow-headers").split(",")}
    assert names >= {
        "content-type",
        "authorization",
        "x-requested-with",
        "x-stainless-timeout",
        "x-api-key",
        "x-openai-agents-sdk",
        "x-operation-id",
        "x-own",
    }


def test_a_preflight_is_answered_on_any_path_before_routing(gateway, mock):
    reply = gateway.request(
        "OPTIONS",
        "/not/a/route",
        {
            "Origin": "http://localhost:1",
            "Access-Control-Request-Method": "POST",
        },
    )
    assert reply.status == 200
    assert mock.requests() == []


def sent(mock):
    (record,) = mock.requests()
    return record


def test_prefixed_headers_travel_on_without_their_prefix(gateway, mock):
    headers = [("X-Bf-Eh-X-Trace", "one"), ("x-bf-eh-x-trace", "two"), ("x-bf-eh-OpenAI-Beta", "v2")]
    assert gateway.chat("openai/m", headers=headers).status == 200
    record = sent(mock)
    assert record.header("x-trace") in ("one, two", "one,two")
    assert record.header("openai-beta") == "v2"
    assert not [name for name, _ in record.headers if name.startswith("x-bf-")]


@pytest.mark.parametrize(
    "name",
    [
        "proxy-authorization",
        "cookie",
        "host",
        "content-length",
        "connection",
        "transfer-encoding",
        "x-api-key",
        "x-goog-api-key",
        "x-bf-api-key",
        "x-bf-api-key-id",
        "x-bf-vk",
        "x-bf-direct-key",
    ],
)
def test_reserved_headers_never_travel_on(gateway, mock, name):
    assert gateway.chat("openai/m", headers={f"x-bf-eh-{name}": "7"}).status == 200
    record = sent(mock)
    assert record.header(name) != "7"
    assert record.header(f"x-bf-eh-{name}") is None


def test_a_forwarded_header_does_not_replace_the_credential(gateway, mock):
    assert gateway.chat("openai/m", headers={"x-bf-eh-authorization": "Bearer sk-other"}).status == 200
    assert sent(mock).header("authorization") == "Bearer sk-openai-key"


# Allow-list, deny-list, request headers, what the provider sees of them.
FILTERS = [
    (["x-team"], [], {"x-team": "a", "x-other": "b"}, {"x-team": "a"}),
    (["x-t*"], [], {"x-team": "a", "x-trace": "b", "x-other": "c"}, {"x-team": "a", "x-trace": "b"}),
    (["x-t*"], ["x-trace"], {"x-team": "a", "x-trace": "b"}, {"x-team": "a"}),
    (["*"], ["*"], {"x-team": "a", "x-bf-eh-x-own": "b"}, {}),
    ([], [], {"x-team": "a", "x-bf-eh-x-own": "b"}, {"x-own": "b"}),
    ([], ["x-own"], {"x-bf-eh-x-own": "b"}, {}),
    (["x-team"], [], {"x-bf-eh-x-own": "b", "x-bf-eh-x-team": "a"}, {"x-team": "a"}),
    (["*"], [], {"x-bf-dim-x": "a", "cookie": "c", "x-team": "a"}, {"x-team": "a"}),
]


@pytest.mark.parametrize("allowed, denied, headers, expected", FILTERS, ids=str)
def test_the_header_filter_decides(start, mock, allowed, denied, headers, expected):
    rules = {"header_filter_config": {"allowlist": allowed, "denylist": denied}}
    gateway = start(both_dialects(mock, client=rules))
    assert gateway.chat("openai/m", headers=headers).status == 200
    record = sent(mock)
    seen = {
        name: record.header(name)
        for name in ("x-team", "x-trace", "x-other", "x-own", "x-bf-dim-x", "cookie")
    }
    assert {name: value for name, value in seen.items() if value is not None} == expected


def test_headers_of_the_configuration_are_added_and_yield(start, mock):
    extra = {"x-fixed": "from-config", "x-both": "from-config", "authorization": "Bearer nobody"}
    gateway = start(config_of({"openai": provider(mock.url, ["k"], {"extra_headers": extra})}))
    assert gateway.chat("openai/m", headers={"x-bf-eh-x-both": "from-caller"}).status == 200
    record = sent(mock)
    assert record.header("x-fixed") == "from-config"
    assert record.header("x-both") == "from-caller"
    assert record.header("authorization") == "Bearer sk-k"


def test_a_provider_gets_a_proper_request_of_its_own(gateway, mock):
    headers = {
        "Host": "gateway.example",
        "User-Agent": "sdk",
        "Accept-Encoding": "zstd",
        "Connection": "x-drop",
        "x-drop": "1",
    }
    assert gateway.chat("openai/m", headers=headers).status == 200
    assert gateway.messages("anthropic/m").status == 200
    first, second = mock.requests()
    assert first.header("host") == mock.url.removeprefix("http://")
    assert first.header("content-type") == "application/json"
    assert first.header("content-length") == str(len(first.body))
    assert first.header("x-drop") is None
    assert second.header("anthropic-version") == "2023-06-01"


def test_anthropic_betas_of_the_caller_are_forwarded_when_asked(gateway, mock):
    assert (
        gateway.messages("anthropic/m", headers={"x-bf-eh-anthropic-beta": "context-1m-2025-08-07"}).status
        == 200
    )
    assert "context-1m-2025-08-07" in sent(mock).header("anthropic-beta")
