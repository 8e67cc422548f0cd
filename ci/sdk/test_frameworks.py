"""LiteLLM, LangChain, Pydantic AI and OpenAI's agents, with the older SDKs they bring."""

from pathlib import Path

import pytest

import elsewhere

HERE = Path(__file__).resolve()
PYTHON = HERE.parents[1] / ".cache" / "venv-frameworks" / "bin" / "python"

CLIENTS = elsewhere.Program(
    (PYTHON, HERE.parent / "frameworks" / "clients.py"),
    {
        "litellm openai": ("openai", "/litellm/v1", "/openai/v1"),
        "litellm anthropic": ("anthropic", "/litellm", "/anthropic"),
        "langchain openai": ("openai", "/langchain/v1", "/openai/v1"),
        "langchain anthropic": ("anthropic", "/langchain", "/anthropic"),
        "langchain google": ("gemini", "/langchain", "/gemini"),
        "pydantic-ai openai": ("openai", "/pydanticai/v1", "/openai/v1"),
        "pydantic-ai google": ("gemini", "/pydanticai", "/gemini"),
        "openai-agents": ("openai", "/openai/v1", "/openai/v1"),
    },
)


@pytest.fixture(scope="module")
def outcomes(mock_process, gateway_to):
    mock_process.reset()
    return CLIENTS.outcomes(mock_process.url, gateway_to)


@pytest.mark.parametrize("target, case", CLIENTS.parameters())
def test_framework(outcomes, target, case):
    error = outcomes(target, case)
    assert error is None, error
