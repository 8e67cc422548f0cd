"""Broken requests of every kind are the caller's fault, never an error of the gateway: bodies that were
right once, with bytes flipped, cut, repeated and inserted. The seed is fixed, so a failure comes again."""

import json
import random

import pytest

from raw_http import FramingError

ROUTES = ["/v1/chat/completions", "/openai/v1/chat/completions", "/anthropic/v1/messages"]
MODELS = ["openai/m", "anthropic/m"]
MUTANTS = 300
# What breaks readers of JSON, UTF-8 and numbers.
PIECES = [
    b"{}",
    b"[]",
    b'"',
    b"\\",
    b"\\u",
    b"\\ud800",
    b"\x00",
    b"\xff\xfe",
    b"\xf0\x9f\x98",
    b"1e999",
    b"-0",
    b"9" * 40,
    b"null",
    b"true",
    b",",
    b":",
    b"[" * 300,
    b'{"a":' * 300,
    b'"model":7,',
    b'"messages":{},',
    b'"content":[{"type":"tool_result"}],',
]

TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CHAT = {
    "model": "MODEL",
    "stream": False,
    "temperature": 0.5,
    "max_tokens": 100,
    "stop": ["END"],
    "tools": [{"type": "function", "function": {"name": "weather", "parameters": TOOL}}],
    "tool_choice": "auto",
    "response_format": {"type": "json_object"},
    "messages": [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "é 中 😀"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"x"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    ],
}
MESSAGES = {
    "model": "MODEL",
    "max_tokens": 3000,
    "stream": False,
    "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}],
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "tools": [{"name": "weather", "input_schema": TOOL}],
    "messages": [
        {"role": "user", "content": "é 中 😀"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "x"}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "sunny"}]},
    ],
}


def mutant_of(body, dice):
    """`body` after one to three changes."""
    for _ in range(dice.randint(1, 3)):
        body = changed(body, dice)
    return body


def changed(body, dice):
    at, end = sorted(dice.randrange(len(body) + 1) for _ in range(2))
    piece = dice.choice(PIECES)
    return dice.choice(
        [
            body[:at] + piece + body[at:],
            body[:at] + piece + body[end:],
            body[:at] + body[at:end] * 2 + body[end:],
            body[:at] + body[min(end, at + 20) :],
            body[:at] + bytes([dice.randrange(256)]) + body[at + 1 :],
            body[:at],
        ]
    )


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("route", ROUTES)
def test_no_body_is_the_gateways_fault(gateway, route, model):
    dice = random.Random(f"{route} {model}")
    whole = json.dumps(MESSAGES if "messages" in route else CHAT, ensure_ascii=False)
    whole = whole.replace("MODEL", model).encode()
    connection = gateway.connect()
    for _ in range(MUTANTS):
        body = mutant_of(whole, dice)
        try:
            reply = connection.request("POST", route, {"Content-Type": "application/json"}, body)
        except (FramingError, OSError) as error:
            pytest.fail(f"{error} on {body!r}")
        assert reply.status < 500, (body, reply.body)
        if reply.header("connection") == "close":
            connection = gateway.connect()
