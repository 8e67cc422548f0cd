"""Routes of the SDKs whose body, model or path decides what is asked for, and what such routes do beyond
the dialects they speak."""

import base64
import json
import struct

import pytest

from harness import both_dialects, config_of, key, messages_body, poll, provider

SEARCHED = b'{"results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.1}]}'
AWS = {"bedrock_key_config": {"region": "us-east-1", "access_key": "AKIADUMMY", "secret_key": "dummy"}}
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
QUESTION = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}


def bedrock(mock, **members):
    return provider(f"{mock.url}/bedrock", [key("one", value="", **AWS)], **members)


def gemini(mock, **members):
    return provider(f"{mock.url}/gemini/v1beta", ["g"], **members)


def cohere(mock):
    return provider(f"{mock.url}/cohere", ["c"])


@pytest.fixture
def every(mock, start):
    """A gateway with a provider for each of the formats that come up here."""
    sections = {"bedrock": bedrock(mock), "gemini": gemini(mock), "cohere": cohere(mock)}
    return start(config_of({**both_dialects(mock)["providers"], **sections}))


def messages_of(stream):
    """Headers and payload of each binary message of AWS's framing."""
    found = []
    while stream:
        total, header_bytes = struct.unpack(">II", stream[:8])
        rest, headers = stream[12 : 12 + header_bytes], {}
        while rest:
            name, rest = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
            size = struct.unpack(">H", rest[1:3])[0]
            headers[name.decode()], rest = rest[3 : 3 + size].decode(), rest[3 + size :]
        found.append((headers, stream[12 + header_bytes : total - 4]))
        stream = stream[total:]
    return found


def chunks_of(reply):
    """The events inside of the chunks of `invoke-with-response-stream`."""
    assert reply.status == 200, reply.body
    assert reply.header("content-type") == "application/vnd.amazon.eventstream"
    messages = messages_of(reply.body)
    assert {headers[":event-type"] for headers, _ in messages} == {"chunk"}
    return [json.loads(base64.b64decode(json.loads(payload)["bytes"])) for _, payload in messages]


def invoke(gateway, model, body, how="invoke"):
    return gateway.post(f"/bedrock/model/{model.replace('/', '%2F').replace(':', '%3A')}/{how}", body)


def claude_body(**members):
    body = messages_body("", anthropic_version="bedrock-2023-05-31", **members)
    del body["model"]
    return body


STREAM = "invoke-with-response-stream"


@pytest.mark.parametrize("model", ["anthropic/claude-sonnet-4-5", "openai/gpt-4o", f"bedrock/{CLAUDE}"])
def test_an_invoked_stream_has_the_models_events_in_chunks(every, mock, model):
    events = chunks_of(invoke(every, model, claude_body(text="speak up"), STREAM))
    assert [events[0]["type"], events[-1]["type"]] == ["message_start", "message_stop"]
    texts = [event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta"]
    assert "speak up" in "".join(texts)
    assert mock.requests()[-1].model in (None, model.partition("/")[2])


def test_an_invoked_stream_that_breaks_ends_with_an_exception(every):
    reply = invoke(every, "anthropic/claude-sonnet-4-5@error-in-stream:3", claude_body(), STREAM)
    last, payload = messages_of(reply.body)[-1]
    assert last[":message-type"] == "exception" and json.loads(payload)["message"]


def test_an_invoked_stream_that_is_refused_has_an_error_status(every):
    reply = invoke(every, "anthropic/claude-sonnet-4-5@status=429", claude_body(), STREAM)
    assert reply.status == 429 and reply.header("x-amzn-errortype") == "ThrottlingException"


NOVA = {"schemaVersion": "messages-v1", "messages": [{"role": "user", "content": [{"text": "hi nova"}]}]}


def test_what_nova_takes_is_taken(every):
    reply = invoke(every, "anthropic/claude-sonnet-4-5", NOVA)
    assert "hi nova" in reply.json()["output"]["message"]["content"][0]["text"]
    events = chunks_of(invoke(every, "anthropic/claude-sonnet-4-5", NOVA, STREAM))
    assert "messageStart" in events[0]
    texts = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    assert "hi nova" in "".join(texts)


@pytest.mark.parametrize("model", ["bedrock/amazon.titan-embed-text-v2:0", "openai/text-embedding-3-small"])
def test_titans_embeddings_are_made_by_any_provider(every, model):
    reply = invoke(every, model, {"inputText": "one", "dimensions": 8})
    assert reply.status == 200, reply.body
    assert len(reply.json()["embedding"]) == 8


@pytest.mark.parametrize("model", ["bedrock/cohere.embed-english-v3", "openai/text-embedding-3-small"])
def test_coheres_embeddings_are_made_by_any_provider(every, model):
    reply = invoke(every, model, {"texts": ["one", "two"], "input_type": "search_document"})
    assert reply.status == 200, reply.body
    assert len(reply.json()["embeddings"]) == 2


def test_bedrock_counts_tokens(every, mock):
    ask = {"input": {"converse": {"messages": [{"role": "user", "content": [{"text": "how many"}]}]}}}
    for model in (f"bedrock/{CLAUDE}", "anthropic/claude-sonnet-4-5"):
        reply = invoke(every, model, ask, "count-tokens")
        assert reply.json()["inputTokens"] > 0
    straight, translated = mock.requests()
    assert straight.json() == ask
    assert translated.model == "claude-sonnet-4-5"


ARN = "arn:aws:bedrock:us-east-1::foundation-model/cohere.rerank-v3-5:0"


def rank_on_bedrock(model):
    source = {"type": "INLINE", "inlineDocumentSource": {"type": "TEXT"}}
    texts = [{**source["inlineDocumentSource"], "textDocument": {"text": text}} for text in ("a", "b")]
    configuration = {"numberOfResults": 2, "modelConfiguration": {"modelArn": model}}
    return {
        "queries": [{"type": "TEXT", "textQuery": {"text": "which"}}],
        "sources": [{**source, "inlineDocumentSource": text} for text in texts],
        "rerankingConfiguration": {
            "type": "BEDROCK_RERANKING_MODEL",
            "bedrockRerankingConfiguration": configuration,
        },
    }


def test_bedrock_reranks_by_the_models_arn(every, mock):
    mock.fixture("/bedrock/rerank", 200, {}, b'{"results":[{"index":1,"relevanceScore":0.9}]}')
    reply = every.post("/bedrock/rerank", rank_on_bedrock(ARN))
    assert reply.json()["results"][0]["index"] == 1
    [record] = mock.requests()
    assert record.json() == rank_on_bedrock(ARN)
    assert record.header("authorization").startswith("AWS4-HMAC-SHA256")


def test_bedrocks_reranking_reaches_other_providers(every, mock):
    mock.fixture("/cohere/v2/rerank", 200, {}, SEARCHED)
    reply = every.post("/bedrock/rerank", rank_on_bedrock("cohere/rerank-v3.5"))
    assert [result["index"] for result in reply.json()["results"]] == [1, 0]
    [record] = mock.requests()
    assert record.model == "rerank-v3.5" and record.json()["documents"] == ["a", "b"]


def test_reranking_without_a_model_is_refused(every, mock):
    body = rank_on_bedrock(ARN)
    del body["rerankingConfiguration"]
    reply = every.post("/bedrock/rerank", body)
    assert reply.status == 400 and "model" in reply.json()["message"]
    assert mock.requests() == []


RANK = {"query": "which", "records": [{"id": "x", "content": "a"}, {"id": "y", "content": "b"}]}


def test_googles_ranking_reaches_any_provider(every, mock):
    mock.fixture("/cohere/v2/rerank", 200, {}, SEARCHED)
    reply = every.post("/genai/v1/rank", {**RANK, "model": "cohere/rerank-v3.5"})
    assert [record["id"] for record in reply.json()["records"]] == ["y", "x"]
    reply = every.post("/genai/v1/rank", {**RANK, "model": "semantic-ranker-512"})
    assert reply.status == 400 and "vertex" in reply.json()["error"]["message"]


@pytest.mark.parametrize("version", ["v1beta", "v1"])
@pytest.mark.parametrize("model", ["gemini/gemini-2.5-flash", "anthropic/claude-sonnet-4-5"])
def test_google_counts_tokens(every, model, version):
    reply = every.post(f"/genai/{version}/models/{model}:countTokens", QUESTION)
    assert reply.json()["totalTokens"] > 0


def test_a_question_to_be_counted_names_the_model_as_its_provider_does(every, mock):
    inner = {"model": "models/gemini/gemini-2.5-flash", **QUESTION}
    path = "/genai/v1beta/models/gemini/gemini-2.5-flash:countTokens"
    assert every.post(path, {"generateContentRequest": inner}).status == 200
    [record] = mock.requests()
    assert record.json()["generateContentRequest"] == {"model": "models/gemini-2.5-flash", **QUESTION}


def test_every_request_of_a_batch_names_the_model_as_its_provider_does(every, mock):
    content = {"parts": [{"text": "one"}]}
    request = {"model": "models/gemini/gemini-embedding-001", "content": content}
    path = "/genai/v1beta/models/gemini/gemini-embedding-001:batchEmbedContents"
    reply = every.post(path, {"requests": [request, request]})
    assert len(reply.json()["embeddings"]) == 2
    [record] = mock.requests()
    assert [one["model"] for one in record.json()["requests"]] == ["models/gemini-embedding-001"] * 2


def test_what_predict_makes_is_for_the_model_to_say(every, mock):
    vectors = every.post(
        "/genai/v1/models/openai/text-embedding-3-small:predict",
        {
            "instances": [{"content": "one"}],
            "parameters": {"outputDimensionality": 8},
        },
    )
    assert len(vectors.json()["predictions"][0]["embeddings"]["values"]) == 8
    picture = {"predictions": [{"bytesBase64Encoded": "aGk=", "mimeType": "image/png"}]}
    path = "/gemini/v1beta/models/imagen-4.0-generate-001:predict"
    mock.fixture(path, 200, {}, json.dumps(picture).encode())
    ask = {"instances": [{"prompt": "a tree"}], "parameters": {"sampleCount": 1}}
    reply = every.post("/genai/v1beta/models/imagen-4.0-generate-001:predict", ask)
    assert reply.json() == picture
    assert mock.requests()[-1].json() == ask


def test_openai_counts_tokens(every, mock):
    for path in ("/v1/responses/input_tokens", "/openai/v1/responses/input_tokens"):
        for model in ("openai/gpt-4o", "anthropic/claude-sonnet-4-5"):
            reply = every.post(path, {"model": model, "input": "how many"})
            assert reply.json()["input_tokens"] > 0, reply.body
    assert [record.model for record in mock.requests()[:2]] == ["gpt-4o", "claude-sonnet-4-5"]


def test_responses_are_made_shorter_by_openai(every, mock):
    mock.fixture("/v1/responses/compact", 200, {}, b'{"object":"response.compaction","output":[]}')
    reply = every.post("/openai/v1/responses/compact", {"model": "openai/gpt-4o", "input": "long"})
    assert reply.json()["object"] == "response.compaction"


@pytest.mark.parametrize("form", ["batch", "anything"])
def test_messages_take_any_form_behind_them(gateway, mock, form):
    reply = gateway.post(f"/anthropic/v1/messages/{form}", messages_body("anthropic/claude-sonnet-4-5"))
    assert reply.status == 200
    assert mock.requests()[0].target == "/v1/messages"


# --- lists of models ---

LISTS = [
    ("/openai/v1/models", "data", "id", ""),
    ("/cursor/v1/models", "data", "id", ""),
    ("/anthropic/v1/models", "data", "id", ""),
    ("/genai/v1beta/models", "models", "name", "models/"),
    ("/genai/v1/models", "models", "name", "models/"),
    ("/cohere/v1/models", "models", "name", ""),
]


@pytest.fixture
def listed(mock, start):
    """A gateway whose keys name all models there are."""
    names = {"openai": ["gpt-4o", "gpt-5"], "gemini": ["gemini-2.5-pro"]}
    return start(
        config_of({name: provider(mock.url, [key(name, models=models)]) for name, models in names.items()})
    )


@pytest.mark.parametrize("path, member, name, head", LISTS, ids=[row[0] for row in LISTS])
def test_models_are_listed_and_shown_in_each_sdks_shape(listed, path, member, name, head):
    whole = listed.request("GET", path).json()
    ids = [f"{head}{id}" for id in ("gemini/gemini-2.5-pro", "openai/gpt-4o", "openai/gpt-5")]
    assert [model[name] for model in whole[member]] == ids
    of_openai = listed.request("GET", path, {"x-bf-model-provider": "openai"}).json()
    assert [model[name] for model in of_openai[member]] == ids[1:]
    for asked in ("openai/gpt-4o", "openai%2Fgpt-4o", "gpt-4o"):
        reply = listed.request("GET", f"{path}/{asked}")
        assert reply.json()[name] == head + asked.replace("%2F", "/")
    missing = listed.request("GET", f"{path}/gpt-3")
    assert missing.status == 404 and "gpt-3" in missing.body.decode()
    page = listed.request("GET", "/metrics").body.decode()
    assert f'path="{path}/{{model}}"' in page and "gpt-3" not in page


@pytest.mark.parametrize(
    "path, query, next_query, token, member",
    [
        ("/genai/v1beta/models", "pageSize=2", "pageToken", "nextPageToken", "models"),
        ("/cohere/v1/models", "page_size=2", "page_token", "next_page_token", "models"),
        ("/v1/models", "page_size=2", "page_token", "next_page_token", "data"),
        ("/anthropic/v1/models", "limit=2", "after_id", "last_id", "data"),
    ],
)
def test_models_come_in_pages(listed, path, query, next_query, token, member):
    first = listed.request("GET", f"{path}?{query}").json()
    second = listed.request("GET", f"{path}?{query}&{next_query}={first[token].replace('/', '%2F')}").json()
    assert (len(first[member]), len(second[member])) == (2, 1)
    assert not second.get("has_more") and (token == "last_id" or token not in second)


def test_a_wrong_page_is_refused_in_the_sdks_shape(listed):
    google = listed.request("GET", "/genai/v1beta/models?pageSize=x")
    assert google.status == 400 and google.json()["error"]["status"] == "INVALID_ARGUMENT"
    anthropic = listed.request("GET", "/anthropic/v1/models?limit=x")
    assert anthropic.status == 400 and anthropic.json()["error"]["type"] == "invalid_request_error"


# --- Cursor ---

CURSOR = "/cursor/v1/chat/completions"
FLAT_TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}
ANTHROPIC_TOOL = {"name": "weather", "input_schema": {"type": "object", "properties": {}}}


@pytest.mark.parametrize("model", ["openai/gpt-4o", "anthropic/claude-sonnet-4-5"])
def test_cursor_asks_for_a_response_and_gets_a_chat(gateway, mock, model):
    body = {"model": model, "input": [{"role": "user", "content": "hi there"}], "instructions": "be kind"}
    reply = gateway.post(CURSOR, body)
    assert reply.status == 200, reply.body
    assert "hi there" in reply.json()["choices"][0]["message"]["content"]
    assert "extra_fields" not in reply.json()
    [record] = mock.requests()
    assert record.target == ("/v1/chat/completions" if "gpt" in model else "/v1/messages")


@pytest.mark.parametrize("model", ["openai/gpt-4o", "anthropic/claude-sonnet-4-5"])
@pytest.mark.parametrize("form", ["chat", "response"])
def test_cursors_chunks_are_numbered(gateway, model, form):
    body = {"model": model, "stream": True}
    said = [{"role": "user", "content": "count me"}]
    reply = gateway.post(CURSOR, {**body, ("input" if form == "response" else "messages"): said})
    chunks = [json.loads(data) for _, data in reply.events() if data != "[DONE]"]
    assert [chunk["id"] for chunk in chunks] == [f"chatcmpl-bifrost-{n}" for n in range(len(chunks))]
    assert reply.events()[-1][1] == "[DONE]"
    assert "count me" in reply.text() and b"extra_fields" not in reply.body


@pytest.mark.parametrize("tool", [FLAT_TOOL, ANTHROPIC_TOOL], ids=["flat", "anthropic"])
@pytest.mark.parametrize("member", ["messages", "input"])
def test_cursors_tools_may_be_spelt_in_any_way(gateway, mock, tool, member):
    used = [
        {"role": "user", "content": "the weather?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "weather", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "sunny"}]},
    ]
    reply = gateway.post(CURSOR, {"model": "openai/gpt-4o", member: used, "tools": [tool]})
    assert reply.status == 200, reply.body
    [record] = mock.requests()
    sent = record.json()
    assert sent["tools"][0]["function"]["name"] == "weather"
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "tool"]
    assert sent["messages"][1]["tool_calls"][0]["id"] == sent["messages"][2]["tool_call_id"] == "c1"


# --- replies ---


def test_texts_of_an_answer_become_one_on_openais_routes(every, mock):
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 2},
    }
    mock.fixture("/v1/messages", 200, {}, json.dumps(message).encode())
    content = [
        every.chat("anthropic/claude", route=route).json()["choices"][0]["message"]["content"]
        for route in ("/openai/v1/chat/completions", "/v1/chat/completions")
    ]
    assert content == ["one\n\ntwo", "onetwo"]


def test_an_own_providers_reply_stays_as_it_is_when_raw_is_wanted(start, mock):
    flags = {"send_back_raw_request": True, "send_back_raw_response": True}
    gateway = start(both_dialects(mock, **flags))
    own = gateway.chat("openai/gpt-4o", route="/openai/v1/chat/completions").json()
    assert "extra_fields" not in own
    other = gateway.chat("anthropic/claude-sonnet-4-5", route="/openai/v1/chat/completions").json()
    assert other["extra_fields"]["raw_response"]["type"] == "message"


# --- keys, aliases, betas ---


def test_the_next_key_serves_when_one_has_no_credentials(start, mock):
    nowhere = {"bedrock_key_config": {"region": "us-east-1", "role_arn": "arn:aws:iam::1:role/none"}}
    keys = [key("broken", value="", **nowhere), key("good", value="", **{**AWS, "weight": 0})]
    config = config_of({"bedrock": provider(f"{mock.url}/bedrock", keys)})
    gateway = start(config, environment={"AWS_EC2_METADATA_DISABLED": "true"})
    body = {"messages": [{"role": "user", "content": [{"text": "hello"}]}]}

    def is_served():
        return gateway.post("/bedrock/model/anthropic.claude-3/converse", body).status == 200

    # Keys that log in are usable a moment after the start.
    assert poll(is_served, 5)
    [record] = mock.requests()
    assert "AKIADUMMY" in record.header("authorization")


def test_an_alias_says_what_its_model_is_like(start, mock_without_auth):
    mock = mock_without_auth
    block = {"azure_key_config": {"endpoint": mock.url}}
    alias = {"best": {"model_id": "deployment-1", "model_family": "anthropic"}}
    section = provider(mock.url, [key("a", **block, aliases=alias)])
    gateway = start(config_of({"azure": section}))
    assert gateway.messages("azure/best").status == 200
    [record] = mock.requests()
    assert record.target == "/anthropic/v1/messages" and record.model == "deployment-1"


def test_betas_are_sent_or_not_as_configured(start, mock):
    network = {"beta_header_overrides": {"context-1m-": False}}
    gateway = start(both_dialects(mock, network))
    betas = {"anthropic-beta": "context-1m-2025-08-07,files-api-2025-04-14"}
    assert gateway.messages(headers=betas).status == 200
    assert mock.requests()[0].header("anthropic-beta") == "files-api-2025-04-14"


def in_region(name, region, id):
    block = {"region": region, "access_key": id, "secret_key": "dummy"}
    return key(name, value="", bedrock_key_config=block)


def test_a_region_in_front_of_the_model_chooses_among_the_keys(start, mock):
    keys = [in_region("near", "us-east-1", "AKIANEAR"), in_region("far", "eu-west-1", "AKIAFAR")]
    gateway = start(config_of({"bedrock": provider(f"{mock.url}/bedrock", keys)}))
    body = {"messages": [{"role": "user", "content": [{"text": "hello"}]}]}
    for _ in range(4):
        assert gateway.post("/bedrock/model/eu-west-1%2Fanthropic.claude-3/converse", body).status == 200
    assert {record.target for record in mock.requests()} == {"/bedrock/model/anthropic.claude-3/converse"}
    assert all("AKIAFAR" in record.header("authorization") for record in mock.requests())
    nowhere = gateway.post("/bedrock/model/ap-south-1%2Fanthropic.claude-3/converse", body)
    assert nowhere.status == 400 and "ap-south-1" in nowhere.json()["message"]


# --- text completions ---

HUMAN = {"prompt": "\n\nHuman: go on\n\nAssistant:", "max_tokens_to_sample": 64}
COMPLETED = {
    "type": "completion",
    "id": "c",
    "completion": " on",
    "stop_reason": "stop_sequence",
    "model": "m",
}


def test_anthropics_completions_reach_anthropic_as_they_are(gateway, mock):
    mock.fixture("/v1/complete", 200, {}, json.dumps(COMPLETED).encode())
    reply = gateway.post("/anthropic/v1/complete", {"model": "anthropic/claude-2.1", **HUMAN})
    assert reply.json() == COMPLETED
    [record] = mock.requests()
    assert record.json() == {"model": "claude-2.1", **HUMAN}


def test_anthropics_completions_are_made_by_openai_too(gateway, mock):
    body = {"model": "openai/gpt-3.5-turbo-instruct", **HUMAN}
    reply = gateway.post("/anthropic/v1/complete", body).json()
    assert "go on" in reply["completion"] and reply["stop_reason"] == "stop_sequence"
    streamed = gateway.post("/anthropic/v1/complete", {**body, "stream": True})
    pieces = [json.loads(data) for name, data in streamed.events() if name == "completion"]
    assert "go on" in "".join(piece["completion"] for piece in pieces)
    assert pieces[-1]["stop_reason"] == "stop_sequence"
    assert {record.json()["prompt"] for record in mock.requests()} == {"go on"}


def test_openais_completions_are_made_by_anthropic_too(gateway, mock):
    mock.fixture("/v1/complete", 200, {}, json.dumps(COMPLETED).encode())
    body = {"model": "anthropic/claude-2.1", "prompt": "go on", "max_tokens": 64}
    reply = gateway.post("/v1/completions", body).json()
    assert reply["choices"][0]["text"] == " on"
    assert mock.requests()[0].json()["prompt"] == HUMAN["prompt"]


def test_a_prompt_that_is_invoked_is_gone_on_with(every, mock):
    mock.fixture("/bedrock/model/anthropic.claude-v2/invoke", 200, {}, json.dumps(COMPLETED).encode())
    assert invoke(every, "anthropic.claude-v2", HUMAN).json() == COMPLETED
    events = chunks_of(invoke(every, "openai/gpt-3.5-turbo-instruct", HUMAN, STREAM))
    assert "go on" in "".join(event["completion"] for event in events)
