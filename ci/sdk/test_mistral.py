"""Mistral's SDK and Groq's, unmodified."""

import json

import groq
import pytest
from mistralai.client import Mistral
from mistralai.client.errors import SDKError

import clients

HELLO = [{"role": "user", "content": "say something nice"}]
FUNCTION = {"name": "weather", "description": "The weather.", "parameters": clients.PARAMETERS}
TOOLS = [{"type": "function", "function": FUNCTION}]


@pytest.fixture
def client(mistral_target):
    return Mistral(api_key="sk-dummy", server_url=mistral_target.base_url, timeout_ms=20_000)


def test_plain(client, mistral_target):
    reply = client.chat.complete(model=mistral_target.model, messages=HELLO)
    assert "say something nice" in reply.choices[0].message.content
    assert reply.choices[0].finish_reason == "stop" and reply.usage.total_tokens > 0


def test_streamed(client, mistral_target):
    chunks = [event.data for event in client.chat.stream(model=mistral_target.model, messages=HELLO)]
    assert "say something nice" in "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "stop" and chunks[-1].usage.total_tokens > 0


def test_tool_loop(client, mistral_target):
    first = client.chat.complete(model=mistral_target.model, messages=HELLO, tools=TOOLS, tool_choice="any")
    (call,) = first.choices[0].message.tool_calls
    assert set(json.loads(call.function.arguments)) == {"city", "days"}
    result = {"role": "tool", "tool_call_id": call.id, "name": "weather", "content": "sunny-21"}
    messages = [*HELLO, first.choices[0].message, result]
    second = client.chat.complete(model=mistral_target.model, messages=messages, tools=TOOLS)
    assert "sunny-21" in second.choices[0].message.content


def test_thinking(client, mistral_target):
    model = mistral_target.model.replace(mistral_target.upstream_model, "magistral-medium-latest")
    content = client.chat.complete(model=model, messages=HELLO).choices[0].message.content
    assert [chunk.type for chunk in content] == ["thinking", "text"]


def test_embeddings(client, mistral_target):
    reply = client.embeddings.create(model=mistral_target.model, inputs=["one", "two"], output_dimension=8)
    assert [len(entry.embedding) for entry in reply.data] == [8, 8]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
def test_errors_have_their_status(client, mistral_target, mock, status, stream):
    mock.script(f"status={status}", then="repeat_last", model=mistral_target.upstream_model)
    complete = client.chat.stream if stream else client.chat.complete
    with pytest.raises(SDKError) as raised:
        complete(model=mistral_target.model, messages=HELLO)
    assert raised.value.status_code == status
    # It was the provider that refused.
    assert mock.requests()


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
def test_groq(openai_own, stream):
    # This client puts /openai/v1 behind its base URL by itself.
    client = groq.Groq(api_key="sk-dummy", base_url=openai_own.base_url.removesuffix("/openai/v1"))
    reply = client.chat.completions.create(model=openai_own.model, messages=HELLO, stream=stream)
    if stream:
        text = "".join(choice.delta.content or "" for chunk in reply for choice in chunk.choices)
    else:
        text = reply.choices[0].message.content
    assert "say something nice" in text
