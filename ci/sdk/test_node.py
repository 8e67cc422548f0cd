"""The Node clients, Vercel's AI SDK and the AWS SDK among them."""

import shutil
from pathlib import Path

import pytest

import elsewhere

CACHE = Path(__file__).resolve().parents[1] / ".cache"
# Node looks for modules beside the program it runs, so that is run where they are installed.
PROGRAM = CACHE / "node" / "clients.js"
NODE = CACHE / "venv-node" / "bin" / "node"

CLIENTS = elsewhere.Program(
    (NODE, PROGRAM),
    {
        "openai": ("openai", "/openai/v1", "/openai/v1"),
        "anthropic": ("anthropic", "/anthropic", "/anthropic"),
        "genai": ("gemini", "/genai", "/gemini"),
        "cohere": ("cohere", "/cohere", "/cohere"),
        "mistral": ("mistral", "", "/mistral"),
        "aws http1": ("bedrock", "/bedrock", "/bedrock"),
        # The mock speaks HTTP/1.1 only.
        "aws http2": ("bedrock", "/bedrock", None),
        "ai openai chat": ("openai", "/openai/v1", "/openai/v1"),
        "ai openai responses": ("openai", "/openai/v1", "/openai/v1"),
        "ai anthropic": ("anthropic", "/anthropic", "/anthropic"),
        "ai google": ("gemini", "/genai", "/gemini"),
        "ai bedrock": ("bedrock", "/bedrock", "/bedrock"),
    },
)
shutil.copy(Path(__file__).parent / "node" / "clients.js", PROGRAM)


@pytest.fixture(scope="module")
def outcomes(mock_process, gateway_to):
    mock_process.reset()
    return CLIENTS.outcomes(mock_process.url, gateway_to)


@pytest.mark.parametrize("target, case", CLIENTS.parameters())
def test_node(outcomes, target, case):
    error = outcomes(target, case)
    assert error is None, error
