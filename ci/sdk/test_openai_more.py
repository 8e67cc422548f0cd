"""The OpenAI SDK beyond chat: responses, text completions, embeddings, with strict response validation."""

import json

import openai
import pytest
from pydantic import BaseModel

import clients

HELLO = "say something nice"
TOOL = clients.OpenAiResponses.tool


class City(BaseModel):
    name: str
    inhabitants: int
    rivers: list[str]


def client_of(target, is_strict=True):
    return openai.OpenAI(
        base_url=target.base_url,
        api_key="sk-dummy",
        max_retries=0,
        timeout=20,
        _strict_response_validation=is_strict,
    )


@pytest.fixture
def client(openai_own):
    return client_of(openai_own)


def test_response(client, openai_own):
    response = client.responses.create(model=openai_own.model, input=HELLO, instructions="be brief")
    assert response.status == "completed" and HELLO in response.output_text
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens > 0


STARTED = ["response.created", "response.in_progress"]
TEXT_EVENTS = [
    *STARTED,
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
]


def test_response_events_have_their_order(client, openai_own):
    events = list(client.responses.create(model=openai_own.model, input=HELLO, stream=True))
    kinds = [event.type for event in events]
    assert [kind for kind, before in zip(kinds, [None, *kinds]) if kind != before] == TEXT_EVENTS
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_response_stream_helper_calls_tools(client, openai_own):
    with client.responses.stream(
        model=openai_own.model, input="two in parallel please", tools=[TOOL]
    ) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_response()
    assert {"response.function_call_arguments.delta", "response.function_call_arguments.done"} <= kinds
    calls = [item for item in final.output if item.type == "function_call"]
    assert len({call.call_id for call in calls}) == 2
    assert all(isinstance(json.loads(call.arguments)["days"], int) for call in calls)


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
def test_response_reasoning(client, openai_own, stream):
    request = {
        "model": openai_own.model,
        "input": HELLO,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "store": False,
    }
    if stream:
        with client.responses.stream(**request) as events:
            final = events.get_final_response()
    else:
        final = client.responses.create(**request)
    reasoning, message = final.output
    assert reasoning.summary[0].text and reasoning.encrypted_content and message.content[0].text
    assert final.usage.output_tokens_details.reasoning_tokens > 0
    again = [*final.output, {"role": "user", "content": "go on"}]
    assert "go on" in client.responses.create(model=openai_own.model, input=again).output_text


def test_response_structured_output(client, openai_own):
    response = client.responses.parse(model=openai_own.model, input=HELLO, text_format=City)
    assert isinstance(response.output_parsed, City)


def test_response_that_is_cut_is_incomplete(client, openai_own):
    response = client.responses.create(model=openai_own.model, input=HELLO * 20, max_output_tokens=16)
    assert response.status == "incomplete" and response.incomplete_details.reason == "max_output_tokens"


def test_response_input_tokens(client, openai_own):
    assert client.responses.input_tokens.count(model=openai_own.model, input=HELLO).input_tokens > 0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 529])
@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
def test_response_errors_have_their_status(client, openai_own, mock, status, stream):
    mock.script(f"status={status}", then="repeat_last", model=openai_own.upstream_model)
    with pytest.raises(openai.APIStatusError) as raised:
        client.responses.create(model=openai_own.model, input=HELLO, stream=stream)
    assert raised.value.status_code == status and raised.value.message
    # It was the provider that refused.
    assert mock.requests()


def test_response_error_inside_a_stream(client, openai_own, mock):
    mock.script("error-in-stream:3", model=openai_own.upstream_model)
    events = list(client.responses.create(model=openai_own.model, input=HELLO, stream=True))
    assert events[-1].type == "error" and events[-1].message


def test_completion(client, openai_own):
    reply = client.completions.create(model=openai_own.model, prompt=HELLO, max_tokens=100)
    assert HELLO in reply.choices[0].text and reply.usage.total_tokens > 0


def test_streamed_completion(openai_own):
    # The schema of a whole completion has no place for the null that chunks have.
    client = client_of(openai_own, is_strict=False)
    chunks = list(
        client.completions.create(model=openai_own.model, prompt=HELLO, max_tokens=100, stream=True)
    )
    assert HELLO in "".join(choice.text for chunk in chunks for choice in chunk.choices)
    assert chunks[-1].choices[0].finish_reason == "stop"


# Without a format the SDK asks for base64 and decodes it itself.
@pytest.mark.parametrize("format", [{}, {"encoding_format": "float"}], ids=["base64", "float"])
def test_embeddings(openai_own, format):
    client = client_of(openai_own, is_strict=bool(format))
    reply = client.embeddings.create(model=openai_own.model, input=["one", "two"], dimensions=8, **format)
    assert [len(entry.embedding) for entry in reply.data] == [8, 8]
    assert abs(sum(number**2 for number in reply.data[0].embedding) - 1) < 1e-3
    assert reply.data[0].embedding != reply.data[1].embedding


def test_a_model_is_shown(client, openai_own):
    assert client.models.retrieve(openai_own.upstream_model).id == openai_own.upstream_model
