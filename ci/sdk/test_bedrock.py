"""boto3, unmodified: signed requests, binary event streams with their checksums."""

import base64
import json

import botocore.exceptions
import pytest

import clients

HELLO = "say something nice"
SAID = [{"role": "user", "content": [{"text": HELLO}]}]
SPEC = {"name": "weather", "inputSchema": {"json": clients.PARAMETERS}}
TOOLS = {"tools": [{"toolSpec": SPEC}]}
THINKING = {"thinking": {"type": "enabled", "budget_tokens": 2000}}
CLAUDE = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 300,
    "messages": [{"role": "user", "content": HELLO}],
}
TITAN = "amazon.titan-embed-text-v2:0"


@pytest.fixture
def client(bedrock_target):
    return clients.Bedrock(bedrock_target.base_url, bedrock_target.model).client


def test_plain(client, bedrock_target):
    reply = client.converse(modelId=bedrock_target.model, messages=SAID, system=[{"text": "be brief"}])
    assert HELLO in reply["output"]["message"]["content"][0]["text"] and reply["stopReason"] == "end_turn"
    assert reply["usage"]["totalTokens"] == reply["usage"]["inputTokens"] + reply["usage"]["outputTokens"] > 0


def test_streamed(client, bedrock_target):
    events = list(client.converse_stream(modelId=bedrock_target.model, messages=SAID)["stream"])
    kinds = [next(iter(event)) for event in events]
    order = [kind for kind, before in zip(kinds, [None, *kinds]) if kind != before]
    assert order == ["messageStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"]
    deltas = [event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event]
    assert HELLO in "".join(delta["text"] for delta in deltas)
    assert events[-1]["metadata"]["usage"]["totalTokens"] > 0


def test_streamed_tools(client, bedrock_target):
    messages = [{"role": "user", "content": [{"text": "two in parallel please"}]}]
    stream = client.converse_stream(modelId=bedrock_target.model, messages=messages, toolConfig=TOOLS)
    inputs, names = {}, []
    for event in stream["stream"]:
        if "contentBlockStart" in event:
            names.append(event["contentBlockStart"]["start"]["toolUse"]["name"])
        elif "contentBlockDelta" in event:
            index, delta = (
                event["contentBlockDelta"]["contentBlockIndex"],
                event["contentBlockDelta"]["delta"],
            )
            inputs[index] = inputs.get(index, "") + delta["toolUse"]["input"]
    assert names == ["weather", "weather"]
    assert all(set(json.loads(text)) == {"city", "days"} for text in inputs.values())


def test_reasoning_can_be_sent_back(client, bedrock_target):
    first = client.converse(
        modelId=bedrock_target.model, messages=SAID, additionalModelRequestFields=THINKING
    )["output"]["message"]
    reasoning = first["content"][0]["reasoningContent"]["reasoningText"]
    assert reasoning["text"] and reasoning["signature"]
    again = [*SAID, first, {"role": "user", "content": [{"text": "go on"}]}]
    reply = client.converse(modelId=bedrock_target.model, messages=again)
    assert "go on" in reply["output"]["message"]["content"][0]["text"]


def test_invoked(client, bedrock_target):
    reply = client.invoke_model(modelId=bedrock_target.model, body=json.dumps(CLAUDE))
    assert HELLO in json.load(reply["body"])["content"][0]["text"]


def test_invoked_stream(client, bedrock_target):
    reply = client.invoke_model_with_response_stream(modelId=bedrock_target.model, body=json.dumps(CLAUDE))
    events = [json.loads(event["chunk"]["bytes"]) for event in reply["body"]]
    assert [events[0]["type"], events[-1]["type"]] == ["message_start", "message_stop"]


def test_embeddings(client, bedrock_target):
    model = bedrock_target.model.replace(bedrock_target.upstream_model, TITAN)
    body = json.dumps({"inputText": "one", "dimensions": 8})
    assert len(json.load(client.invoke_model(modelId=model, body=body)["body"])["embedding"]) == 8


def test_tokens_are_counted(client, bedrock_target):
    count = client.count_tokens(modelId=bedrock_target.model, input={"converse": {"messages": SAID}})
    assert count["inputTokens"] > 0


ERRORS = [
    (400, "ValidationException"),
    (403, "AccessDeniedException"),
    (404, "ResourceNotFoundException"),
    (429, "ThrottlingException"),
    (500, "InternalServerException"),
    (503, "ServiceUnavailableException"),
]


@pytest.mark.parametrize("status, kind", ERRORS)
@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
def test_errors_are_typed(client, bedrock_target, mock, status, kind, stream):
    mock.script(f"status={status}", then="repeat_last", model=bedrock_target.upstream_model)
    converse = client.converse_stream if stream else client.converse
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        converse(modelId=bedrock_target.model, messages=SAID)
    assert raised.value.response["Error"]["Code"] == kind and raised.value.response["Error"]["Message"]
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    # It was the provider that refused.
    assert mock.requests()


def test_an_error_inside_a_stream_is_raised(client, bedrock_target, mock):
    mock.script("error-in-stream:3", model=bedrock_target.upstream_model)
    with pytest.raises(botocore.exceptions.EventStreamError) as raised:
        list(client.converse_stream(modelId=bedrock_target.model, messages=SAID)["stream"])
    assert raised.value.response["Error"]["Code"] == "serviceUnavailableException"


def test_image_reaches_the_provider(client, bedrock_target, mock):
    image = {"image": {"format": "png", "source": {"bytes": clients.PIXEL}}}
    messages = [{"role": "user", "content": [{"text": "what is this"}, image]}]
    client.converse(modelId=bedrock_target.model, messages=messages)
    sent = mock.requests()[-1].json()["messages"][0]["content"][1]["image"]
    assert base64.b64decode(sent["source"]["bytes"]) == clients.PIXEL
