"""Every route that is served, under every prefix, answers a request of its operation. Which routes there are
is what `bifrost routes` says; what is asked of them goes by how their paths end."""

import json
import subprocess

import pytest

from harness import BINARIES, Gateway, Mock, chat_body, config_of, key, messages_body, provider

HELLO = {"role": "user", "content": [{"text": "hello"}]}
CONTENT = {"role": "user", "parts": [{"text": "hello"}]}
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
BOUNDARY = "a-boundary"
PICTURE = b"\x89PNG\r\n\x1a\n and so on"
ARN = "arn:aws:bedrock:us-east-1::foundation-model/cohere.rerank-v3-5:0"
TEXT = {"type": "TEXT", "textDocument": {"text": "a"}}
RANKED = {
    "queries": [{"type": "TEXT", "textQuery": {"text": "a"}}],
    "sources": [{"type": "INLINE", "inlineDocumentSource": TEXT}],
    "rerankingConfiguration": {
        "type": "BEDROCK_RERANKING_MODEL",
        "bedrockRerankingConfiguration": {"modelConfiguration": {"modelArn": ARN}},
    },
}


class Form(bytes):
    """A body in parts: (name, value), or (name, file name, value)."""

    def __new__(cls, *parts):
        body = b""
        for name, *rest in parts:
            file = f'; filename="{rest[0]}"\r\ncontent-type: application/octet-stream' if rest[1:] else ""
            value = rest[-1] if isinstance(rest[-1], bytes) else rest[-1].encode()
            head = f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="{name}"{file}\r\n\r\n'
            body += head.encode() + value + b"\r\n"
        return super().__new__(cls, body + f"--{BOUNDARY}--\r\n".encode())


AWS_KEY = {"region": "us-east-1", "access_key": "AKIADUMMY", "secret_key": "dummy"}

# Provider, model, and the body for a model. The model stands in the path where there is a place for it.
CHAT = ("openai", "gpt-4o", chat_body)
MESSAGES = ("anthropic", "claude-sonnet-4-5", messages_body)
ASKED = {
    "/chat/completions": CHAT,
    "/completions": ("openai", "gpt-3.5-turbo-instruct", lambda model: {"model": model, "prompt": "hello"}),
    "/responses": ("openai", "gpt-4o", lambda model: {"model": model, "input": "hello"}),
    "/responses/input_tokens": ("openai", "gpt-4o", lambda model: {"model": model, "input": "hello"}),
    "/responses/compact": ("openai", "gpt-4o", lambda model: {"model": model, "input": "hello"}),
    "/embeddings": ("openai", "text-embedding-3-small", lambda model: {"model": model, "input": "hello"}),
    "/images/generations": ("openai", "gpt-image-1", lambda model: {"model": model, "prompt": "a tree"}),
    "/audio/speech": (
        "openai",
        "gpt-4o-mini-tts",
        lambda model: {"model": model, "input": "hello", "voice": "alloy"},
    ),
    "/v1/rerank": (
        "cohere",
        "rerank-v3.5",
        lambda model: {"model": model, "query": "a", "documents": ["a", "b"]},
    ),
    "/v1/ocr": (
        "mistral",
        "mistral-ocr-latest",
        lambda model: {
            "model": model,
            "document": {"type": "document_url", "document_url": "https://a.example/a.pdf"},
        },
    ),
    "/v1/messages": MESSAGES,
    "/v1/messages/count_tokens": (
        "anthropic",
        "claude-sonnet-4-5",
        lambda model: {"model": model, "messages": [{"role": "user", "content": "hello"}]},
    ),
    ":generateContent": ("gemini", "gemini-2.5-flash", lambda _: {"contents": [CONTENT]}),
    ":streamGenerateContent": ("gemini", "gemini-2.5-flash", lambda _: {"contents": [CONTENT]}),
    ":embedContent": ("gemini", "gemini-embedding-001", lambda _: {"content": CONTENT}),
    ":batchEmbedContents": (
        "gemini",
        "gemini-embedding-001",
        lambda _: {"requests": [{"model": "models/gemini-embedding-001", "content": CONTENT}]},
    ),
    "/converse": ("bedrock", CLAUDE, lambda _: {"messages": [HELLO]}),
    "/converse-stream": ("bedrock", CLAUDE, lambda _: {"messages": [HELLO]}),
    "/invoke": (
        "anthropic",
        "claude-sonnet-4-5",
        lambda model: {
            name: value
            for name, value in messages_body(model, anthropic_version="bedrock-2023-05-31").items()
            if name != "model"
        },
    ),
    "/v2/chat": ("cohere", "command-a-03-2025", chat_body),
    "/v2/embed": (
        "cohere",
        "embed-v4.0",
        lambda model: {
            "model": model,
            "texts": ["hello"],
            "input_type": "search_query",
            "embedding_types": ["float"],
        },
    ),
    "/v2/rerank": (
        "cohere",
        "rerank-v3.5",
        lambda model: {"model": model, "query": "a", "documents": ["a", "b"]},
    ),
    "/v1/tokenize": ("cohere", "command-a-03-2025", lambda model: {"model": model, "text": "hello"}),
    "/models": ("openai", "", lambda _: None),
    "/models/{model}": ("openai", "gpt-4o", lambda _: None),
    ":countTokens": ("gemini", "gemini-2.5-flash", lambda _: {"contents": [CONTENT]}),
    ":predict": (
        "gemini",
        "imagen-4.0-generate-001",
        lambda _: {"instances": [{"prompt": "a tree"}], "parameters": {"sampleCount": 1}},
    ),
    ":predictLongRunning": (
        "gemini",
        "veo-3.0-generate-001",
        lambda _: {"instances": [{"prompt": "a tree"}]},
    ),
    "/v1/complete": (
        "anthropic",
        "claude-2.1",
        lambda model: {
            "model": model,
            "prompt": "\n\nHuman: hello\n\nAssistant:",
            "max_tokens_to_sample": 9,
        },
    ),
    "/v1/messages/{form}": MESSAGES,
    "/invoke-with-response-stream": (
        "anthropic",
        "claude-sonnet-4-5",
        lambda model: {name: value for name, value in messages_body(model).items() if name != "model"},
    ),
    "/count-tokens": ("bedrock", CLAUDE, lambda _: {"input": {"converse": {"messages": [HELLO]}}}),
    "/rerank": ("bedrock", "", lambda _: RANKED),
    "/videos": ("openai", "sora-2", lambda model: {"model": model, "prompt": "a tree"}),
    "/audio/transcriptions": (
        "openai",
        "whisper-1",
        lambda model: Form(("model", model), ("file", "a.wav", b"RIFF and so on")),
    ),
    "/images/edits": (
        "openai",
        "gpt-image-1",
        lambda model: Form(("model", model), ("prompt", "a tree"), ("image", "a.png", PICTURE)),
    ),
    "/images/variations": (
        "openai",
        "dall-e-2",
        lambda model: Form(("model", model), ("image", "a.png", PICTURE)),
    ),
}

# What stands between the mock's address and each provider's paths.
BASES = {"openai": "/openai", "anthropic": "/anthropic", "gemini": "/gemini/v1beta", "cohere": "/cohere"}
BASES |= {"bedrock": "/bedrock", "mistral": "/mistral"}

# What the mock world does not speak.
IMAGES = {"created": 1, "data": [{"b64_json": "AAAA"}], "usage": {"input_tokens": 1, "output_tokens": 1}}
PAGES = {
    "pages": [{"index": 0, "markdown": "hello", "images": [], "dimensions": None}],
    "model": "mistral-ocr-latest",
    "usage_info": {"pages_processed": 1},
}
COMPACTED = {
    "id": "resp_1",
    "object": "response.compaction",
    "created_at": 1,
    "output": [],
    "usage": {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4},
}
COMPLETED = {
    "type": "completion",
    "id": "compl_1",
    "completion": " hello",
    "stop_reason": "stop_sequence",
    "model": "claude-2.1",
}
FIXTURES = {
    "/anthropic/v1/complete": ("application/json", json.dumps(COMPLETED).encode()),
    "/bedrock/rerank": ("application/json", b'{"results":[{"index":0,"relevanceScore":0.9}]}'),
    "/openai/v1/images/generations": ("application/json", json.dumps(IMAGES).encode()),
    "/openai/v1/audio/speech": ("audio/mpeg", b"ID3 and so on"),
    "/openai/v1/responses/compact": ("application/json", json.dumps(COMPACTED).encode()),
    "/mistral/v1/ocr": ("application/json", json.dumps(PAGES).encode()),
}


def served():
    printed = subprocess.run([BINARIES / "bifrost", "routes"], capture_output=True, text=True, check=True)
    return [tuple(line.split()) for line in printed.stdout.splitlines()]


def asked_of(path):
    """What is asked of a route: the longest end that fits says it; None where no end does."""
    ends = [end for end in ASKED if path.endswith(end)]
    return ASKED[max(ends, key=len)] if ends else None


def known():
    routes = [(method, path) for method, path in served() if method in ("POST", "*") and asked_of(path)]
    return [pytest.param(method, path, id=path) for method, path in routes]


@pytest.fixture(scope="module")
def gateway():
    mock = Mock()
    for path, (content_type, body) in FIXTURES.items():
        mock.fixture(path, 200, {"content-type": content_type}, body)
    keys = {"bedrock": [key("one", value="", bedrock_key_config=AWS_KEY)]}
    sections = {name: provider(mock.url + base, keys.get(name, ["one"])) for name, base in BASES.items()}
    process = Gateway(config_of(sections))
    yield process
    log = process.process.log()
    process.stop()
    mock.stop()
    assert "panicked" not in log


@pytest.mark.parametrize("method, path", known())
def test_every_route_answers(gateway, method, path):
    name, model, body_for = asked_of(path)
    target = path.replace("{model}", f"{name}%2F{model.replace(':', '%3A')}")
    body = body_for(f"{name}/{model}")
    target = target.replace("{form}", "anything")
    headers = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"} if isinstance(body, Form) else {}
    reply = gateway.request("GET" if body is None else method, target, headers, body)
    assert reply.status == 200, reply.body
    assert reply.body
    assert body is None or b"is_bifrost_error" not in reply.body
