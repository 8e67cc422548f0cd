"""Claude Code: a subscription goes to Anthropic as the client sent it and to nobody else, and what the client
adds for Anthropic's billing reaches no other model."""

import pytest

from harness import both_dialects, messages_body

MESSAGES = "/anthropic/v1/messages"
AGENT = "claude-cli/2.1.0 (external, cli)"
TOKEN = "sk-ant-oat01-secret"
SUBSCRIPTION = {"User-Agent": AGENT, "Authorization": f"Bearer {TOKEN}"}
BILLING = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.0; cch=1;"}
PROMPT = {"type": "text", "text": "You are Claude Code."}


def test_a_subscription_reaches_anthropic_as_it_was_sent(mock_without_auth, start):
    gateway = start(both_dialects(mock_without_auth))
    headers = {
        **SUBSCRIPTION,
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "oauth-2025-04-20,claude-code-20250219",
        "x-app": "cli",
        "x-stainless-lang": "js",
        "x-bf-dim-team": "a",
        "Cookie": "a=b",
        "Accept-Encoding": "gzip, br",
    }
    body = messages_body("claude-sonnet-4-5", system=[BILLING, PROMPT])
    assert gateway.post(f"{MESSAGES}?beta=true", body, headers).status == 200
    [record] = mock_without_auth.requests()
    assert record.target == "/v1/messages?beta=true"
    assert record.header("authorization") == f"Bearer {TOKEN}"
    assert record.header("x-api-key") is None
    for name in ["anthropic-version", "anthropic-beta", "x-app", "x-stainless-lang", "User-Agent"]:
        assert record.header(name) == headers[name], name
    for name in ["x-bf-dim-team", "cookie", "accept-encoding"]:
        assert record.header(name) is None, name
    assert record.json() == body


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {TOKEN}", "User-Agent": "curl/8"},
        {**SUBSCRIPTION, "x-api-key": "dummy"},
        {"Authorization": "Bearer sk-ant-api03-x", "User-Agent": AGENT},
    ],
    ids=["another client", "with a key", "no subscription"],
)
def test_anything_else_goes_with_the_gateways_key(gateway, mock, headers):
    assert gateway.messages("claude-sonnet-4-5", headers=headers).status == 200
    [record] = mock.requests()
    assert record.header("x-api-key") == "sk-anthropic-key"
    assert record.header("authorization") is None


def test_no_other_provider_sees_a_subscription(gateway, mock):
    assert gateway.messages("openai/gpt-4o", headers=SUBSCRIPTION).status == 200
    [record] = mock.requests()
    assert record.key == "sk-openai-key"
    assert TOKEN.encode() not in record.raw


def test_a_fallback_of_a_refused_subscription_goes_with_its_own_key(gateway, mock):
    body = messages_body("claude-sonnet-4-5@status=429", fallbacks=["openai/gpt-4o"])
    assert gateway.post(MESSAGES, body, SUBSCRIPTION).status == 200
    assert TOKEN.encode() not in mock.requests()[-1].raw
    assert mock.requests()[-1].key == "sk-openai-key"


@pytest.mark.parametrize("agent, stays", [(AGENT, False), ("curl/8", True)])
def test_billing_text_is_no_part_of_another_models_prompt(gateway, mock, agent, stays):
    body = messages_body("openai/gpt-4o", system=[BILLING, PROMPT])
    assert gateway.post(MESSAGES, body, {"User-Agent": agent}).status == 200
    [record] = mock.requests()
    assert (b"billing-header" in record.body) == stays
    assert b"You are Claude Code." in record.body


def test_with_a_key_the_betas_travel_and_nothing_else(gateway, mock):
    headers = {"User-Agent": AGENT, "anthropic-beta": "one-2025-01-01,two-2025-01-01", "x-app": "cli"}
    body = messages_body("claude-sonnet-4-5", system=[BILLING, PROMPT])
    assert gateway.post(MESSAGES, body, headers).status == 200
    [record] = mock.requests()
    assert record.header("anthropic-beta") == headers["anthropic-beta"]
    assert record.header("x-app") is None
    assert record.json() == body
