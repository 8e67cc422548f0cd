"""The Anthropic SDK, unmodified, with strict response validation."""

import json

import anthropic
import pytest
from pydantic import BaseModel

HELLO = [{"role": "user", "content": "say something nice"}]
LIMIT = 300
WEATHER = {
    "name": "weather",
    "description": "The weather of a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class City(BaseModel):
    name: str
    inhabitants: int
    rivers: list[str]


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


def calls_of(message):
    return [block for block in message.content if block.type == "tool_use"]


def test_plain(anthropic_client, anthropic_target):
    message = anthropic_client().messages.create(
        model=anthropic_target.model, max_tokens=LIMIT, messages=HELLO
    )
    assert "say something nice" in text_of(message)
    assert message.stop_reason == "end_turn" and message.role == "assistant" and message.id
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0


EVENT_ORDER = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
]


def test_streamed(anthropic_client, anthropic_target):
    events = list(
        anthropic_client().messages.create(
            model=anthropic_target.model,
            max_tokens=LIMIT,
            messages=HELLO,
            stream=True,
        )
    )
    kinds = [event.type for event in events if event.type != "ping"]
    order = [kind for kind, before in zip(kinds, [None, *kinds]) if kind != before]
    assert order == EVENT_ORDER
    text = "".join(
        event.delta.text
        for event in events
        if event.type == "content_block_delta" and event.delta.type == "text_delta"
    )
    assert "say something nice" in text
    assert events[-2].delta.stop_reason == "end_turn" and events[-2].usage.output_tokens > 0


def test_stream_helper(anthropic_client, anthropic_target):
    with anthropic_client().messages.stream(
        model=anthropic_target.model, max_tokens=LIMIT, messages=HELLO
    ) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert "say something nice" in text
    assert text_of(final) == text
    assert final.usage.output_tokens > 0


def check_input(call):
    assert call.name == "weather"
    assert isinstance(call.input["city"], str) and isinstance(call.input["days"], int)


@pytest.mark.parametrize(
    "choice",
    [{"type": "auto"}, {"type": "any"}, {"type": "tool", "name": "weather"}],
    ids=lambda choice: choice["type"],
)
def test_tool_use(anthropic_client, anthropic_target, choice):
    message = anthropic_client().messages.create(
        model=anthropic_target.model,
        max_tokens=LIMIT,
        messages=HELLO,
        tools=[WEATHER],
        tool_choice=choice,
    )
    assert message.stop_reason == "tool_use"
    (call,) = calls_of(message)
    check_input(call)


def test_parallel_tool_use(anthropic_client, anthropic_target):
    messages = [{"role": "user", "content": "two in parallel please"}]
    message = anthropic_client().messages.create(
        model=anthropic_target.model, max_tokens=LIMIT, messages=messages, tools=[WEATHER]
    )
    calls = calls_of(message)
    assert len(calls) == 2 and calls[0].id != calls[1].id


def test_streamed_tool_use(anthropic_client, anthropic_target):
    messages = [{"role": "user", "content": "two in parallel please"}]
    with anthropic_client().messages.stream(
        model=anthropic_target.model,
        max_tokens=LIMIT,
        messages=messages,
        tools=[WEATHER],
    ) as stream:
        indices = [event.index for event in stream if event.type == "content_block_start"]
        final = stream.get_final_message()
    assert indices == list(range(len(indices)))
    assert final.stop_reason == "tool_use"
    assert len(calls_of(final)) == 2
    for call in calls_of(final):
        check_input(call)


@pytest.mark.parametrize("prompt", ["one", "two in parallel"])
def test_tool_results(anthropic_client, anthropic_target, prompt):
    client = anthropic_client()
    messages = [{"role": "user", "content": prompt}]
    options = {"model": anthropic_target.model, "max_tokens": LIMIT, "tools": [WEATHER], "system": "be brief"}
    first = client.messages.create(messages=messages, **options)
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": f"sunny-{number}"}
        for number, call in enumerate(calls_of(first))
    ]
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    second = client.messages.create(messages=messages, **options)
    assert second.stop_reason == "end_turn"
    assert "sunny-" in text_of(second)


def test_structured_output(anthropic_client, anthropic_target):
    message = anthropic_client().messages.parse(
        model=anthropic_target.model,
        max_tokens=LIMIT,
        messages=HELLO,
        output_format=City,
    )
    assert isinstance(message.parsed_output, City)


THINKING = {"type": "enabled", "budget_tokens": 2000}


def test_thinking(anthropic_client, anthropic_target):
    message = anthropic_client().messages.create(
        model=anthropic_target.model,
        max_tokens=8000,
        messages=HELLO,
        thinking=THINKING,
    )
    (thought,) = [block for block in message.content if block.type == "thinking"]
    assert thought.thinking
    assert message.content[0].type == "thinking" and text_of(message)
    if anthropic_target.upstream == "anthropic":
        assert thought.signature


def test_streamed_thinking(anthropic_client, anthropic_target):
    with anthropic_client().messages.stream(
        model=anthropic_target.model,
        max_tokens=8000,
        messages=HELLO,
        thinking=THINKING,
    ) as stream:
        final = stream.get_final_message()
    assert [block.type for block in final.content] == ["thinking", "text"]
    assert final.content[0].thinking


def test_thinking_can_be_sent_back(anthropic_client, anthropic_target):
    client = anthropic_client()
    options = {"model": anthropic_target.model, "max_tokens": 8000, "thinking": THINKING, "tools": [WEATHER]}
    messages = list(HELLO)
    first = client.messages.create(messages=messages, **options)
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"} for call in calls_of(first)
    ]
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    assert "sunny" in text_of(client.messages.create(messages=messages, **options))


@pytest.mark.parametrize(
    "source",
    [
        {"type": "base64", "media_type": "image/png", "data": PIXEL},
        {"type": "url", "url": "https://images.example/pixel.png"},
    ],
    ids=["data", "link"],
)
def test_image(anthropic_client, anthropic_target, mock, source):
    content = [{"type": "text", "text": "what is this"}, {"type": "image", "source": source}]
    message = anthropic_client().messages.create(
        model=anthropic_target.model,
        max_tokens=LIMIT,
        messages=[{"role": "user", "content": content}],
    )
    assert text_of(message)
    assert source.get("data", source.get("url")) in json.dumps(mock.requests()[-1].json())


ERRORS = [
    (400, anthropic.BadRequestError),
    (401, anthropic.AuthenticationError),
    (403, anthropic.PermissionDeniedError),
    (404, anthropic.NotFoundError),
    (413, anthropic.APIStatusError),
    (429, anthropic.RateLimitError),
    (500, anthropic.InternalServerError),
    (529, anthropic.APIStatusError),
]


@pytest.mark.parametrize(
    "status, kind", ERRORS, ids=lambda value: str(value) if isinstance(value, int) else value.__name__
)
@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
def test_errors_are_typed(anthropic_client, anthropic_target, mock, status, kind, stream):
    mock.script(f"status={status}", then="repeat_last", model=anthropic_target.upstream_model)
    with pytest.raises(kind) as raised:
        anthropic_client().messages.create(
            model=anthropic_target.model, max_tokens=LIMIT, messages=HELLO, stream=stream
        )
    assert raised.value.status_code == status
    assert raised.value.body["type"] == "error"
    assert raised.value.body["error"]["message"]


def test_a_bad_request_is_explained(anthropic_client, anthropic_target):
    with pytest.raises(anthropic.BadRequestError) as raised:
        anthropic_client().messages.create(model=anthropic_target.model, max_tokens=LIMIT, messages=[])
    assert raised.value.body["error"]["message"]


def test_retries_after_a_rate_limit(anthropic_client, anthropic_target, mock):
    mock.script("status=429,retry-after=1", model=anthropic_target.upstream_model)
    message = anthropic_client(max_retries=2).messages.create(
        model=anthropic_target.model, max_tokens=LIMIT, messages=HELLO
    )
    assert text_of(message)
    first, second = mock.requests()
    assert 0.95 <= second.at - first.at < 2


def test_an_error_inside_a_stream_is_raised(anthropic_client, anthropic_target, mock):
    mock.script("error-in-stream:3", model=anthropic_target.upstream_model)
    with pytest.raises(anthropic.APIError):
        list(
            anthropic_client().messages.create(
                model=anthropic_target.model, max_tokens=LIMIT, messages=HELLO, stream=True
            )
        )


def test_models_are_listed(anthropic_client):
    assert [model.id for model in anthropic_client().models.list()]


def test_tokens_are_counted(anthropic_own):
    client = anthropic.Anthropic(
        base_url=anthropic_own.base_url, api_key="sk-dummy", max_retries=0, timeout=20
    )
    count = client.messages.count_tokens(model=anthropic_own.model, messages=HELLO, tools=[WEATHER])
    assert count.input_tokens > 0
