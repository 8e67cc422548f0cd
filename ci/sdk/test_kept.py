"""Files and batches, by the SDKs of those who keep them: straight and through the gateway."""

import json

import anthropic
import openai
import pytest
from google import genai
from google.genai import types

import clients
import harness
import upstreams

TEXT = b"a file with \x00 bytes\n"
SECTIONS = ["openai", "anthropic", "gemini"]


@pytest.fixture(scope="module")
def keeper(mock_process):
    """A gateway whose keys may be used for batches."""
    providers = {}
    for name in SECTIONS:
        section = upstreams.section(name, mock_process.url)
        section["keys"] = [{**one, "use_for_batch_api": True} for one in section["keys"]]
        providers[name] = section
    process = harness.Gateway(harness.config_of(providers))
    yield process
    log = process.process.log()
    process.stop()
    assert "panicked" not in log


def base(request, mock, straight, route):
    if request.param == "straight":
        return mock.url + straight
    return request.getfixturevalue("keeper").url + route


@pytest.fixture(params=["straight", "/openai/v1 to openai", "/v1 to openai"])
def openai_client(request, mock):
    route = "/v1" if request.param.startswith("/v1") else "/openai/v1"
    query = {"provider": "openai"} if route == "/v1" and request.param != "straight" else None
    return openai.OpenAI(
        base_url=base(request, mock, "/openai/v1", route),
        api_key=clients.KEY,
        max_retries=0,
        timeout=clients.SECONDS,
        default_query=query,
        _strict_response_validation=True,
    )


@pytest.fixture(params=["straight", "/anthropic to anthropic"])
def anthropic_client(request, mock):
    url = base(request, mock, "/anthropic", "/anthropic")
    return anthropic.Anthropic(base_url=url, api_key=clients.KEY, max_retries=0, timeout=clients.SECONDS)


@pytest.fixture(params=["straight", "/genai to gemini"])
def genai_client(request, mock):
    url = base(request, mock, "/gemini", "/genai")
    return genai.Client(api_key=clients.KEY, http_options=types.HttpOptions(base_url=url))


def line_of(number):
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": f"question {number}"}]}
    request = {"custom_id": f"q{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}
    return json.dumps(request).encode()


def test_openai_files(openai_client):
    made = openai_client.files.create(file=("a.txt", TEXT), purpose="user_data")
    assert (made.filename, made.bytes, made.status) == ("a.txt", len(TEXT), "processed")
    assert openai_client.files.retrieve(made.id).id == made.id
    assert made.id in [one.id for one in openai_client.files.list()]
    assert openai_client.files.content(made.id).read() == TEXT
    gone = openai_client.files.delete(made.id)
    assert gone.deleted and gone.id == made.id
    with pytest.raises(openai.NotFoundError):
        openai_client.files.retrieve(made.id)


def test_openai_batches(openai_client):
    lines = b"\n".join(line_of(number) for number in range(3))
    source = openai_client.files.create(file=("in.jsonl", lines), purpose="batch")
    batch = openai_client.batches.create(
        input_file_id=source.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"a": "b"}
    )
    assert (batch.status, batch.metadata) == ("validating", {"a": "b"})
    assert batch.id in [one.id for one in openai_client.batches.list()]
    batch = openai_client.batches.retrieve(batch.id)
    assert (batch.status, batch.request_counts.completed) == ("completed", 3)
    answers = openai_client.files.content(batch.output_file_id).text.splitlines()
    told = {one["custom_id"]: one["response"]["body"]["choices"] for one in map(json.loads, answers)}
    assert told["q2"][0]["message"]["content"] == "mock reply to: question 2"
    other = openai_client.batches.create(
        input_file_id=source.id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    assert openai_client.batches.cancel(other.id).status == "cancelling"
    with pytest.raises(openai.BadRequestError):
        openai_client.batches.create(
            input_file_id="file-none", endpoint="/v1/chat/completions", completion_window="24h"
        )


def test_anthropic_files(anthropic_client):
    files = anthropic_client.beta.files
    made = files.upload(file=("a.txt", TEXT, "text/plain"))
    assert (made.filename, made.size_bytes, made.mime_type) == ("a.txt", len(TEXT), "text/plain")
    assert files.retrieve_metadata(made.id).id == made.id
    assert made.id in [one.id for one in files.list()]
    assert files.download(made.id).read() == TEXT
    assert files.delete(made.id).id == made.id
    with pytest.raises(anthropic.NotFoundError):
        files.retrieve_metadata(made.id)


def test_anthropic_batches(anthropic_client):
    batches = anthropic_client.messages.batches

    def asked(number):
        messages = [{"role": "user", "content": f"question {number}"}]
        params = {"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": messages}
        return {"custom_id": f"q{number}", "params": params}

    batch = batches.create(requests=[asked(0), asked(1)])
    assert (batch.processing_status, batch.request_counts.processing) == ("in_progress", 2)
    assert batch.id in [one.id for one in batches.list()]
    batch = batches.retrieve(batch.id)
    assert batch.processing_status == "ended"
    reply = anthropic_client.get(
        f"/v1/messages/batches/{batch.id}/results", cast_to=str, options={"headers": {"accept": "*/*"}}
    )
    told = {one["custom_id"]: one["result"]["message"] for one in map(json.loads, reply.splitlines())}
    assert told["q1"]["content"][0]["text"] == "mock reply to: question 1"
    other = batches.create(requests=[asked(2)])
    assert batches.cancel(other.id).processing_status == "canceling"
    assert batches.delete(other.id).id == other.id
    with pytest.raises(anthropic.BadRequestError):
        batches.create(requests=[asked(1), asked(1)])


def test_genai_files(genai_client, tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(TEXT)
    made = genai_client.files.upload(
        file=path, config=types.UploadFileConfig(mime_type="text/plain", display_name="a.txt")
    )
    assert (made.display_name, made.size_bytes, made.mime_type) == ("a.txt", len(TEXT), "text/plain")
    assert genai_client.files.get(name=made.name).name == made.name
    assert made.name in [one.name for one in genai_client.files.list()]
    genai_client.files.delete(name=made.name)
    with pytest.raises(genai.errors.ClientError) as refused:
        genai_client.files.get(name=made.name)
    assert refused.value.code == 404


def test_genai_batches(genai_client):
    requests = [
        types.InlinedRequest(contents=f"question {number}", metadata={"key": f"q{number}"})
        for number in range(2)
    ]
    batch = genai_client.batches.create(
        model="gemini-2.5-flash", src=requests, config=types.CreateBatchJobConfig(display_name="mine")
    )
    assert (batch.display_name, batch.state.name) == ("mine", "JOB_STATE_PENDING")
    assert batch.name in [one.name for one in genai_client.batches.list()]
    batch = genai_client.batches.get(name=batch.name)
    assert batch.state.name == "JOB_STATE_SUCCEEDED"
    texts = [one.response.text for one in batch.dest.inlined_responses]
    assert texts == ["mock reply to: question 0", "mock reply to: question 1"]
    genai_client.batches.cancel(name=batch.name)
    genai_client.batches.delete(name=batch.name)


@pytest.mark.parametrize("provider", ["anthropic", "gemini"])
def test_openai_client_keeps_files_elsewhere(keeper, mock, provider):
    client = openai.OpenAI(
        base_url=f"{keeper.url}/openai/v1",
        api_key=clients.KEY,
        max_retries=0,
        timeout=clients.SECONDS,
        _strict_response_validation=True,
    )
    elsewhere = {"extra_query": {"provider": provider}}
    made = client.files.create(file=("a.txt", TEXT), purpose="user_data", extra_body={"provider": provider})
    assert (made.filename, made.bytes) == ("a.txt", len(TEXT))
    assert client.files.retrieve(made.id, **elsewhere).id == made.id
    assert made.id in [one.id for one in client.files.list(**elsewhere).data]
    assert client.files.content(made.id, **elsewhere).read() == TEXT
    assert client.files.delete(made.id, **elsewhere).deleted


@pytest.mark.parametrize(
    "provider, model", [("anthropic", "claude-sonnet-4-5"), ("gemini", "gemini-2.5-flash")]
)
def test_openai_client_asks_batches_elsewhere(keeper, mock, provider, model):
    url = f"{keeper.url}/openai/v1"
    client = openai.OpenAI(base_url=url, api_key=clients.KEY, max_retries=0, timeout=clients.SECONDS)
    question = json.loads(line_of(1))
    question["body"]["model"] = model
    batch = client.batches.create(
        input_file_id=None,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        extra_body={"provider": provider, "requests": [question]},
    )
    elsewhere = {"extra_query": {"provider": provider}}
    batch = client.batches.retrieve(batch.id, **elsewhere)
    assert (batch.status, batch.request_counts.completed) == ("completed", 1)
    told = client.get(f"/batches/{batch.id}/results?provider={provider}", cast_to=object)
    message = told["results"][0]["response"]["body"]["choices"][0]["message"]
    assert message["content"] == "mock reply to: question 1"
    client.batches.cancel(batch.id, **elsewhere)
