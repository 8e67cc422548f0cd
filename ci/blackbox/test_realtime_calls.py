"""What belongs to realtime sessions and is asked for by HTTP: ephemeral keys, and calls by WebRTC."""

import json

import pytest

from harness import both_dialects, config_of, key, provider

PREFIXES = ["/v1", "/openai/v1", "/openai", "/openai/openai/v1", "/openai/openai"]
SECRET = {"value": "ek_123", "expires_at": 1, "session": {"type": "realtime", "model": "gpt-realtime"}}
OFFER, ANSWER = b"v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n", b"v=0\r\no=- 3 4 IN IP4 127.0.0.1\r\n"
JSON, SDP = {"content-type": "application/json"}, {"content-type": "application/sdp"}


def form(session, boundary="frontier"):
    part = f'--{boundary}\r\ncontent-disposition: form-data; name="{{}}"\r\ncontent-type: {{}}\r\n\r\n'
    return b"".join(
        [
            part.format("sdp", "application/sdp").encode(),
            OFFER,
            b"\r\n",
            part.format("session", "application/json").encode(),
            json.dumps(session).encode(),
            f"\r\n--{boundary}--\r\n".encode(),
        ]
    )


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    "name", ["client_secrets", "sessions", "transcription_sessions", "translations/client_secrets"]
)
def test_ephemeral_keys_are_asked_for_with_the_gateways_own(gateway, mock, prefix, name):
    mock.fixture(f"/v1/realtime/{name}", 200, JSON, json.dumps(SECRET).encode())
    body = {"session": {"type": "realtime", "model": "openai/gpt-realtime", "audio": {"x": [1, 2]}}}
    reply = gateway.post(f"{prefix}/realtime/{name}", body, {"authorization": "Bearer dummy"})
    assert (reply.status, reply.json()) == (200, SECRET)
    (request,) = mock.requests()
    assert request.key == "sk-openai-key"
    assert request.json() == {"session": {**body["session"], "model": "gpt-realtime"}}


def test_a_session_names_the_model_at_its_top(gateway, mock):
    mock.fixture("/v1/realtime/sessions", 200, JSON, json.dumps(SECRET).encode())
    assert gateway.post("/v1/realtime/sessions", {"model": "openai/m", "voice": "alloy"}).status == 200
    (request,) = mock.requests()
    assert request.json() == {"model": "m", "voice": "alloy"}


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("path", ["/realtime/calls", "/realtime"])
def test_an_offer_with_the_model_in_the_query_gets_its_answer(gateway, mock, prefix, path):
    headers = {**SDP, "location": "/v1/realtime/calls/rtc_1"}
    mock.fixture(f"/v1{path}", 201, headers, ANSWER)
    reply = gateway.request("POST", f"{prefix}{path}?model=openai%2Fgpt-realtime&x=1", SDP, OFFER)
    assert (reply.status, reply.body) == (201, ANSWER)
    assert reply.header("content-type") == "application/sdp"
    assert reply.header("location") == "/v1/realtime/calls/rtc_1"
    (request,) = mock.requests()
    assert request.target == f"/v1{path}?model=gpt-realtime&x=1"
    assert (request.body, request.header("content-type")) == (OFFER, "application/sdp")


def test_an_offer_in_a_form_keeps_its_bytes_but_for_the_model(gateway, mock):
    mock.fixture("/v1/realtime/calls", 201, SDP, ANSWER)
    session = {"type": "realtime", "model": "openai/gpt-realtime", "instructions": "r\u00e9pondez"}
    headers = {"content-type": "multipart/form-data; boundary=frontier"}
    reply = gateway.request("POST", "/openai/v1/realtime/calls", headers, form(session))
    assert (reply.status, reply.body) == (201, ANSWER)
    (request,) = mock.requests()
    assert request.target == "/v1/realtime/calls"
    assert request.body == form(session).replace(b"openai/gpt-realtime", b"gpt-realtime")


def test_azure_is_asked_below_its_own_path(start, mock):
    mock.fixture("/openai/v1/realtime/client_secrets", 200, JSON, json.dumps(SECRET).encode())
    azure = key("a1", azure_key_config={"endpoint": mock.url})
    gateway = start(config_of({"azure": {"keys": [azure]}, "openai": provider(mock.url)}))
    body = {"session": {"model": "azure/mine"}}
    assert gateway.post("/v1/realtime/client_secrets", body).status == 200
    (request,) = mock.requests()
    assert request.header("api-key") == "sk-a1"
    assert request.json() == {"session": {"model": "mine"}}


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("act", ["accept", "hangup", "reject", "refer"])
def test_a_call_that_is_under_way_needs_no_model(gateway, mock, prefix, act):
    mock.fixture(f"/v1/realtime/calls/rtc_1/{act}", 200, JSON, b"{}")
    reply = gateway.request("POST", f"{prefix}/realtime/calls/rtc_1/{act}", JSON, b"{}")
    assert reply.status == 200
    (request,) = mock.requests()
    assert request.target == f"/v1/realtime/calls/rtc_1/{act}"


def test_a_providers_refusal_is_an_error_like_any_other(gateway, mock):
    mock.script("status=400", path="/v1/realtime/client_secrets")
    reply = gateway.post("/v1/realtime/client_secrets", {"session": {"model": "openai/m"}})
    assert reply.status == 400
    assert reply.json()["extra_fields"]["provider"] == "openai"


@pytest.mark.parametrize(
    "headers, body",
    [
        (JSON, b'{"session": {"model": "openai/m"'),
        (JSON, b'{"session": {"model": "nobody-knows-it"}}'),
        (JSON, b'{"session": {"model": "anthropic/claude"}}'),
    ],
)
def test_what_cannot_be_asked_is_refused_and_the_connection_goes_on(gateway, mock, headers, body):
    with gateway.connect() as connection:
        reply = connection.request("POST", "/v1/realtime/client_secrets", headers, body)
        assert reply.status == 400
        assert connection.request("GET", "/health").status == 200
    assert mock.requests() == []


def test_who_may_not_ask_is_told_so(start, mock):
    gateway = start(both_dialects(mock, client={"enforce_auth_on_inference": True}))
    assert gateway.post("/v1/realtime/client_secrets", {"session": {"model": "openai/m"}}).status == 401
    assert mock.requests() == []
