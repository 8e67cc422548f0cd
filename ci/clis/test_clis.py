"""Claude Code, Codex and Gemini CLI, unmodified, through the gateway: each is asked about a file, has to call
its own tool for reading it, and to tell what the model says of the result. On the provider it was made for,
and on two of other dialects."""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "blackbox"))

import harness  # noqa: E402
from model import ANSWER, Model  # noqa: E402

CACHE = HERE.parent / ".cache"
MODULES = CACHE / "clis" / "node_modules"
NODE = Path(sys.prefix) / "bin" / "node"
# Starting takes them a few seconds on a machine that does nothing else.
SECONDS_MAX = 90

# What stands between the model's address and the paths of each provider.
PROVIDERS = {"anthropic": "", "openai": "", "gemini": "/v1beta"}
MODELS = {"anthropic": "claude-sonnet-4-5", "openai": "gpt-4o", "gemini": "gemini-2.5-flash"}


@pytest.fixture(scope="module")
def model():
    server = Model()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def gateway(model):
    sections = {name: harness.provider(model.url + base, ["one"]) for name, base in PROVIDERS.items()}
    process = harness.Gateway(harness.config_of(sections))
    yield process
    log = process.process.log()
    process.stop()
    assert "panicked" not in log


class Run:
    """One client in a home of its own, with nothing of the machine's configuration or environment."""

    def __init__(self, folder, gateway, model):
        self.gateway, self.model = gateway, model
        self.home, self.work = folder / "home", folder / "work"
        self.home.mkdir()
        self.work.mkdir()
        self.word = f"word-{secrets.token_hex(8)}"
        self.note = self.work / "note.txt"
        self.note.write_text(f"{self.word}\n")
        self.prompt = f"Read the file {self.note} and tell me what it says."

    def write(self, path, text):
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def __call__(self, command, **environment):
        """Runs the command to its end and gives what it printed."""
        own = {"HOME": str(self.home), "PATH": f"{NODE.parent}:{os.defpath}", "NO_COLOR": "1", "CI": "1"}
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.work,
            env={**own, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )
        print(done.stdout[-4000:], done.stderr[-4000:], sep="\n--- stderr ---\n")
        assert done.returncode == 0
        return done.stdout


@pytest.fixture
def run(tmp_path, gateway, model):
    model.requests.clear()
    return Run(tmp_path, gateway, model)


def claude_code(run, model):
    environment = {
        "ANTHROPIC_BASE_URL": f"{run.gateway.url}/anthropic",
        "ANTHROPIC_API_KEY": "sk-dummy",
        "ANTHROPIC_MODEL": model,
        "ANTHROPIC_SMALL_FAST_MODEL": model,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
    }
    program = MODULES / "@anthropic-ai" / "claude-code" / "cli-wrapper.cjs"
    command = [NODE, program, "-p", run.prompt, "--allowedTools", "Read", "--output-format", "json"]
    return json.loads(run(command, **environment))["result"]


CODEX_CONFIG = """
model = "{model}"
model_provider = "gateway"
[model_providers.gateway]
name = "gateway"
base_url = "{url}/openai/v1"
env_key = "GATEWAY_KEY"
wire_api = "responses"
[analytics]
enabled = false
"""


def codex(run, model):
    run.write(".codex/config.toml", CODEX_CONFIG.format(model=model, url=run.gateway.url))
    program = MODULES / "@openai" / "codex" / "bin" / "codex.js"
    # What it may do is its own business here; its sandbox needs rights that a container may not have.
    flags = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
    return run([NODE, program, "exec", *flags, run.prompt], GATEWAY_KEY="sk-dummy")


def gemini_cli(run, model):
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"disableAutoUpdate": True},
    }
    run.write(".gemini/settings.json", json.dumps(settings))
    program = MODULES / "@google" / "gemini-cli" / "bundle" / "gemini.js"
    command = [NODE, program, "--skip-trust", "-m", model, "-p", run.prompt]
    environment = {
        "GOOGLE_GEMINI_BASE_URL": f"{run.gateway.url}/genai",
        "GEMINI_API_KEY": "dummy",
        "GEMINI_CLI_NO_RELAUNCH": "true",
    }
    return run(command, **environment)


@pytest.mark.parametrize(
    "upstream, dialect", [("anthropic", "Messages"), ("openai", "Chat"), ("gemini", "Generate")]
)
def test_claude_code(run, upstream, dialect):
    assert run.word in claude_code(run, f"{upstream}/{MODELS[upstream]}")
    check_turns(run, dialect)


@pytest.mark.parametrize(
    "upstream, dialect", [("openai", "Responses"), ("anthropic", "Messages"), ("gemini", "Generate")]
)
def test_codex(run, upstream, dialect):
    assert ANSWER.format(run.word) in codex(run, f"{upstream}/{MODELS[upstream]}")
    check_turns(run, dialect)


@pytest.mark.parametrize(
    "upstream, dialect", [("gemini", "Generate"), ("openai", "Chat"), ("anthropic", "Messages")]
)
def test_gemini_cli(run, upstream, dialect):
    assert ANSWER.format(run.word) in gemini_cli(run, f"{upstream}/{MODELS[upstream]}")
    check_turns(run, dialect)


def check_turns(run, dialect):
    """The provider was asked in its dialect: once about the file, and once with what the tool had found."""
    assert {asked for asked, _ in run.model.requests} == {dialect}
    about = [json.dumps(request) for _, request in run.model.requests if str(run.note) in json.dumps(request)]
    with_result = [request for request in about if run.word in request]
    assert with_result and len(with_result) < len(about)
