"""The OpenAI SDK, unmodified, with strict response validation."""

import json

import openai
import pytest
from pydantic import BaseModel

HELLO = [{"role": "user", "content": "say something nice"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class City(BaseModel):
    name: str
    inhabitants: int
    rivers: list[str]


def test_plain(openai_client, openai_target):
    reply = openai_client().chat.completions.create(model=openai_target.model, messages=HELLO)
    assert "say something nice" in reply.choices[0].message.content
    assert reply.choices[0].finish_reason == "stop"
    assert reply.object == "chat.completion" and reply.id
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens > 0


def test_streamed(openai_client, openai_target):
    chunks = list(
        openai_client().chat.completions.create(
            model=openai_target.model,
            messages=HELLO,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert "say something nice" in text
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "stop"
    assert len({chunk.id for chunk in chunks}) == 1
    assert [chunk.usage for chunk in chunks if chunk.usage is not None][-1].total_tokens > 0


def test_stream_helper(openai_client, openai_target):
    with openai_client().chat.completions.stream(model=openai_target.model, messages=HELLO) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert "say something nice" in final.choices[0].message.content


def called(reply):
    """Tool calls as (name, arguments)."""
    return [
        (call.function.name, json.loads(call.function.arguments))
        for call in reply.choices[0].message.tool_calls
    ]


def check_arguments(arguments):
    assert isinstance(arguments["city"], str) and isinstance(arguments["days"], int)


def test_tool_call(openai_client, openai_target):
    reply = openai_client().chat.completions.create(
        model=openai_target.model, messages=HELLO, tools=[WEATHER]
    )
    assert reply.choices[0].finish_reason == "tool_calls"
    ((name, arguments),) = called(reply)
    assert name == "weather"
    check_arguments(arguments)


def test_forced_tool_call(openai_client, openai_target):
    choice = {"type": "function", "function": {"name": "weather"}}
    reply = openai_client().chat.completions.create(
        model=openai_target.model, messages=HELLO, tools=[WEATHER], tool_choice=choice
    )
    assert called(reply)[0][0] == "weather"


def test_parallel_tool_calls(openai_client, openai_target):
    messages = [{"role": "user", "content": "two in parallel please"}]
    reply = openai_client().chat.completions.create(
        model=openai_target.model, messages=messages, tools=[WEATHER]
    )
    assert len(called(reply)) == 2
    assert len({call.id for call in reply.choices[0].message.tool_calls}) == 2


def test_streamed_tool_calls(openai_client, openai_target):
    messages = [{"role": "user", "content": "two in parallel please"}]
    with openai_client().chat.completions.stream(
        model=openai_target.model, messages=messages, tools=[WEATHER]
    ) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].finish_reason == "tool_calls"
    calls = called(final)
    assert [name for name, _ in calls] == ["weather", "weather"]
    for _, arguments in calls:
        check_arguments(arguments)


@pytest.mark.parametrize("prompt", ["one", "two in parallel"])
def test_tool_results(openai_client, openai_target, prompt):
    client = openai_client()
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": prompt}]
    first = client.chat.completions.create(model=openai_target.model, messages=messages, tools=[WEATHER])
    messages.append(
        first.choices[0].message.model_dump(exclude_none=True, include={"role", "content", "tool_calls"})
    )
    for number, call in enumerate(first.choices[0].message.tool_calls):
        messages.append({"role": "tool", "tool_call_id": call.id, "content": f"sunny-{number}"})
    second = client.chat.completions.create(model=openai_target.model, messages=messages, tools=[WEATHER])
    assert second.choices[0].finish_reason == "stop"
    assert "sunny-" in second.choices[0].message.content


def test_structured_output(openai_client, openai_target):
    reply = openai_client().chat.completions.parse(
        model=openai_target.model, messages=HELLO, response_format=City
    )
    assert isinstance(reply.choices[0].message.parsed, City)


def test_streamed_structured_output(openai_client, openai_target):
    with openai_client().chat.completions.stream(
        model=openai_target.model, messages=HELLO, response_format=City
    ) as stream:
        final = stream.get_final_completion()
    assert isinstance(final.choices[0].message.parsed, City)


def reasoning_of(message):
    extra = message.model_extra or {}
    return extra.get("reasoning") or extra.get("reasoning_content")


def test_reasoning(openai_client, openai_target):
    reply = openai_client().chat.completions.create(
        model=openai_target.model,
        messages=HELLO,
        reasoning_effort="medium",
        max_completion_tokens=8000,
    )
    assert reasoning_of(reply.choices[0].message)
    assert reply.choices[0].message.content
    if openai_target.upstream == "openai":
        assert reply.usage.completion_tokens_details.reasoning_tokens > 0


def test_streamed_reasoning(openai_client, openai_target):
    chunks = list(
        openai_client().chat.completions.create(
            model=openai_target.model,
            messages=HELLO,
            reasoning_effort="medium",
            max_completion_tokens=8000,
            stream=True,
        )
    )
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    assert "".join(reasoning_of(delta) or "" for delta in deltas)
    assert "".join(delta.content or "" for delta in deltas)


@pytest.mark.parametrize(
    "url", [f"data:image/png;base64,{PIXEL}", "https://images.example/pixel.png"], ids=["data", "link"]
)
def test_image(openai_client, openai_target, mock, url):
    content = [{"type": "text", "text": "what is this"}, {"type": "image_url", "image_url": {"url": url}}]
    reply = openai_client().chat.completions.create(
        model=openai_target.model, messages=[{"role": "user", "content": content}]
    )
    assert reply.choices[0].message.content
    assert (PIXEL if "base64" in url else url) in json.dumps(mock.requests()[-1].json())


def test_stop_and_sampling_parameters(openai_client, openai_target, mock):
    openai_client().chat.completions.create(
        model=openai_target.model,
        messages=HELLO,
        temperature=0.5,
        top_p=0.9,
        stop=["END"],
        max_tokens=50,
        user="me",
    )
    sent = mock.requests()[-1].json()
    assert sent["temperature"] == 0.5 and sent["top_p"] == 0.9
    assert (sent.get("stop") or sent["stop_sequences"]) == ["END"]


ERRORS = [
    (400, openai.BadRequestError),
    (401, openai.AuthenticationError),
    (403, openai.PermissionDeniedError),
    (404, openai.NotFoundError),
    (409, openai.ConflictError),
    (422, openai.UnprocessableEntityError),
    (429, openai.RateLimitError),
    (500, openai.InternalServerError),
    (503, openai.InternalServerError),
    (529, openai.InternalServerError),
]


@pytest.mark.parametrize(
    "status, kind", ERRORS, ids=lambda value: str(value) if isinstance(value, int) else value.__name__
)
@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
def test_errors_are_typed(openai_client, openai_target, mock, status, kind, stream):
    mock.script(f"status={status}", then="repeat_last", model=openai_target.upstream_model)
    with pytest.raises(kind) as raised:
        openai_client().chat.completions.create(model=openai_target.model, messages=HELLO, stream=stream)
    assert raised.value.status_code == status
    assert raised.value.message and isinstance(raised.value.body, dict)


def test_a_bad_request_is_explained(openai_client, openai_target):
    with pytest.raises(openai.BadRequestError) as raised:
        openai_client().chat.completions.create(model=openai_target.model, messages=[])
    assert raised.value.message


def test_retries_after_a_rate_limit(openai_client, openai_target, mock):
    mock.script("status=429,retry-after=1", model=openai_target.upstream_model)
    reply = openai_client(max_retries=2).chat.completions.create(model=openai_target.model, messages=HELLO)
    assert reply.choices[0].message.content
    first, second = mock.requests()
    assert 0.95 <= second.at - first.at < 2


def test_an_error_inside_a_stream_is_raised(openai_client, openai_target, mock):
    mock.script("error-in-stream:3", model=openai_target.upstream_model)
    with pytest.raises(openai.APIError):
        list(openai_client().chat.completions.create(model=openai_target.model, messages=HELLO, stream=True))


def test_raw_responses_have_their_headers(openai_client, openai_target):
    raw = openai_client().chat.completions.with_raw_response.create(model=openai_target.model, messages=HELLO)
    assert raw.headers["content-type"].startswith("application/json")
    assert raw.parse().choices


def test_models_are_listed(openai_client, openai_target):
    # The base route lists models in a shape of its own, which leaves out what it does not know.
    client = openai_client(_strict_response_validation=not openai_target.name.startswith("/v1"))
    assert [model.id for model in client.models.list()]
