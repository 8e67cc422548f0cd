"""Cohere's SDK, unmodified."""

import json

import cohere
import pytest

import clients

HELLO = [{"role": "user", "content": "say something nice"}]
PARALLEL = [{"role": "user", "content": "two in parallel please"}]
FUNCTION = {"name": "weather", "description": "The weather.", "parameters": clients.PARAMETERS}
TOOLS = [{"type": "function", "function": FUNCTION}]
ONCE = {"max_retries": 0}


@pytest.fixture
def client(cohere_target):
    return cohere.ClientV2(api_key="sk-dummy", base_url=cohere_target.base_url, timeout=20)


def test_plain(client, cohere_target):
    reply = client.chat(model=cohere_target.model, messages=HELLO)
    assert "say something nice" in reply.message.content[0].text and reply.finish_reason == "COMPLETE"
    assert reply.usage.tokens.input_tokens > 0 and reply.usage.tokens.output_tokens > 0


def test_streamed(client, cohere_target):
    events = list(client.chat_stream(model=cohere_target.model, messages=HELLO))
    kinds = [event.type for event in events]
    order = [kind for kind, before in zip(kinds, [None, *kinds]) if kind != before]
    assert order == ["message-start", "content-start", "content-delta", "content-end", "message-end"]
    assert events[-1].delta.finish_reason == "COMPLETE" and events[-1].delta.usage.tokens.output_tokens > 0


def test_streamed_tools(client, cohere_target):
    arguments = {}
    for event in client.chat_stream(model=cohere_target.model, messages=PARALLEL, tools=TOOLS):
        if event.type == "tool-call-start":
            assert event.delta.message.tool_calls.function.name == "weather"
            arguments[event.index] = ""
        elif event.type == "tool-call-delta":
            arguments[event.index] += event.delta.message.tool_calls.function.arguments
    assert len(arguments) == 2
    assert all(set(json.loads(text)) == {"city", "days"} for text in arguments.values())


def test_thinking(client, cohere_target):
    reply = client.chat(
        model=cohere_target.model, messages=HELLO, thinking={"type": "enabled", "token_budget": 1000}
    )
    assert [block.type for block in reply.message.content] == ["thinking", "text"]


def test_embeddings(client, cohere_target):
    reply = client.embed(
        model=cohere_target.model,
        input_type="search_query",
        texts=["one", "two"],
        embedding_types=["float", "int8"],
        output_dimension=8,
    )
    assert (
        [len(one) for one in reply.embeddings.float_] == [8, 8] == [len(one) for one in reply.embeddings.int8]
    )


def test_rerank(client, cohere_target):
    documents = ["about ships", "the river of the city", "the city"]
    reply = client.rerank(
        model=cohere_target.model, query="the river of the city", documents=documents, top_n=2
    )
    assert [result.index for result in reply.results] == [1, 2]


def test_tokenize(cohere_target):
    client = cohere.Client(api_key="sk-dummy", base_url=cohere_target.base_url, timeout=20)
    reply = client.tokenize(text="one two", model=cohere_target.model, offline=False)
    assert len(reply.tokens) == 2 == len(reply.token_strings)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 500, 503])
@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
def test_errors_have_their_status(client, cohere_target, mock, status, stream):
    mock.script(f"status={status}", then="repeat_last", model=cohere_target.upstream_model)
    request = {"model": cohere_target.model, "messages": HELLO, "request_options": ONCE}
    with pytest.raises(cohere.core.api_error.ApiError) as raised:
        if stream:
            list(client.chat_stream(**request))
        else:
            client.chat(**request)
    assert raised.value.status_code == status and raised.value.body
    # It was the provider that refused.
    assert mock.requests()


def test_an_error_inside_a_stream_is_seen(client, cohere_target, mock):
    mock.script("error-in-stream:3", model=cohere_target.upstream_model)
    last = list(client.chat_stream(model=cohere_target.model, messages=HELLO))[-1]
    assert last.delta.finish_reason == "ERROR" and last.delta.error
