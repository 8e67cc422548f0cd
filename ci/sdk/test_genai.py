"""Google's SDK, unmodified."""

import pytest
from google import genai
from google.genai import errors, types

import clients

HELLO = "say something nice"
WEATHER = {"name": "weather", "parameters_json_schema": clients.PARAMETERS}
TOOLS = [types.Tool(function_declarations=[WEATHER])]
BY_HAND = types.AutomaticFunctionCallingConfig(disable=True)


@pytest.fixture(params=["v1beta", "v1"])
def version(request):
    return request.param


@pytest.fixture
def models_of(genai_target):
    """Makes the model calls of a client; a client that nobody holds is closed."""
    held = []

    def make(version="v1beta"):
        options = types.HttpOptions(base_url=genai_target.base_url, api_version=version, timeout=20_000)
        held.append(genai.Client(api_key="sk-dummy", vertexai=False, http_options=options))
        return held[-1].models

    return make


def test_plain(models_of, genai_target, version):
    reply = models_of(version).generate_content(model=genai_target.model, contents=HELLO)
    assert HELLO in reply.text and reply.candidates[0].finish_reason == types.FinishReason.STOP
    usage = reply.usage_metadata
    assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count > 0


def test_streamed(models_of, genai_target, version):
    models = models_of(version)
    chunks = list(models.generate_content_stream(model=genai_target.model, contents=HELLO))
    assert len(chunks) > 1 and HELLO in "".join(chunk.text or "" for chunk in chunks)
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
def test_parallel_calls(models_of, genai_target, stream):
    models = models_of()
    request = {
        "model": genai_target.model,
        "contents": "two in parallel please",
        "config": types.GenerateContentConfig(tools=TOOLS, automatic_function_calling=BY_HAND),
    }
    replies = models.generate_content_stream(**request) if stream else [models.generate_content(**request)]
    calls = [call for reply in replies for call in reply.function_calls or []]
    assert [call.name for call in calls] == ["weather", "weather"]
    assert all(isinstance(call.args["city"], str) for call in calls)


def test_a_function_is_called_by_the_sdk(models_of, genai_target):
    def weather(city: str, days: int) -> str:
        """The weather of a city."""
        return f"sunny in {city} for {days} days"

    config = types.GenerateContentConfig(tools=[weather])
    models = models_of()
    reply = models.generate_content(model=genai_target.model, contents="the weather?", config=config)
    assert "sunny in mock city" in reply.text


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
def test_thoughts(models_of, genai_target, stream):
    models = models_of()
    thinking = types.ThinkingConfig(include_thoughts=True, thinking_budget=1024)
    request = {
        "model": genai_target.model,
        "contents": HELLO,
        "config": types.GenerateContentConfig(thinking_config=thinking),
    }
    replies = (
        list(models.generate_content_stream(**request)) if stream else [models.generate_content(**request)]
    )
    parts = [part for reply in replies for part in reply.candidates[0].content.parts]
    assert "".join(part.text for part in parts if part.thought)
    assert any(part.thought_signature for part in parts)
    assert replies[-1].usage_metadata.thoughts_token_count > 0


def test_embeddings(models_of, genai_target):
    config = types.EmbedContentConfig(output_dimensionality=8)
    models = models_of()
    reply = models.embed_content(model=genai_target.model, contents=["one", "two"], config=config)
    assert [len(embedding.values) for embedding in reply.embeddings] == [8, 8]


def test_tokens_are_counted(models_of, genai_target):
    assert models_of().count_tokens(model=genai_target.model, contents=HELLO).total_tokens > 0


def test_models_are_listed(models_of, genai_target):
    assert [model.name for model in models_of().list()]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 503])
@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
def test_errors_have_their_status(models_of, genai_target, mock, status, stream):
    mock.script(f"status={status}", then="repeat_last", model=genai_target.upstream_model)
    models = models_of()
    with pytest.raises(errors.APIError) as raised:
        if stream:
            list(models.generate_content_stream(model=genai_target.model, contents=HELLO))
        else:
            models.generate_content(model=genai_target.model, contents=HELLO)
    assert raised.value.code == status and raised.value.message and raised.value.status
    # It was the provider that refused.
    assert mock.requests()


def test_a_bad_request_is_explained(models_of, genai_target):
    config = types.GenerateContentConfig(stop_sequences=list("abcdef"))
    with pytest.raises(errors.ClientError) as raised:
        models_of().generate_content(model=genai_target.model, contents=HELLO, config=config)
    assert raised.value.code == 400 and "stop sequences" in raised.value.message


def test_an_error_inside_a_stream_is_raised(models_of, genai_target, mock):
    mock.script("error-in-stream:3", model=genai_target.upstream_model)
    with pytest.raises(errors.APIError) as raised:
        list(models_of().generate_content_stream(model=genai_target.model, contents=HELLO))
    assert raised.value.code == 503 and mock.requests()
