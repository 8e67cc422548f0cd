"""Starts the gateway and the mock provider world as real processes on free ports, and speaks to both.

Every process is ended by its own id. What it printed stays in a file until its test has passed and is
shown when it fails. Needs the standard library only, so that the SDK suites share it."""

import base64
import json
import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import raw_http

ROOT = Path(__file__).resolve().parent.parent.parent
BINARIES = Path(os.environ.get("BIFROST_TEST_BINARIES", ROOT / "target" / "debug"))
START_SECONDS_MAX = 15
STOP_SECONDS_MAX = 40
LISTENING = re.compile(r"(?i)listening on\s+\S*?:(\d+)")


class StartError(Exception):
    """A process ended or said nothing before it listened; the text is what it printed."""


class Process:
    """A child process whose output goes to a file."""

    def __init__(self, command, environment=None):
        # It outlives this function on purpose: it is closed when the process ends.
        self.output = tempfile.NamedTemporaryFile(prefix="process-", suffix=".log", delete=False)  # noqa: SIM115
        self.child = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            env={**clean_environment(), **(environment or {})},
        )

    @property
    def pid(self):
        return self.child.pid

    def log(self):
        return Path(self.output.name).read_text(errors="replace")

    def wait_for(self, pattern, seconds=START_SECONDS_MAX):
        """The first match of `pattern` in the output."""

        def look():
            match = pattern.search(self.log())
            if match is None and self.child.poll() is not None:
                raise StartError(f"ended with {self.child.returncode}:\n{self.log()}")
            return match

        match = poll(look, seconds)
        if match is None:
            raise StartError(f"no {pattern.pattern!r} within {seconds} s:\n{self.log()}")
        return match

    def signal(self, number):
        self.child.send_signal(number)

    def wait(self, seconds=STOP_SECONDS_MAX):
        """The exit code."""
        return self.child.wait(seconds)

    def kill(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        self.output.close()
        Path(self.output.name).unlink(missing_ok=True)


class Mock:
    """The mock provider world and its control API."""

    def __init__(self, *flags):
        self.process = Process([BINARIES / "loadgen", "mock", "--listen", "127.0.0.1:0", *flags])
        self.port = int(self.process.wait_for(LISTENING).group(1))
        self.url = f"http://127.0.0.1:{self.port}"

    def control(self, method, target, body=None):
        reply = raw_http.request(self.port, method, target, body=body)
        if reply.status >= 300:
            raise AssertionError(f"{method} {target}: {reply.status} {reply.body[:500]!r}")
        return reply.json() if reply.body.strip() else None

    def script(self, *faults, then="ok", **match):
        """Each matching request (`path`, `model`, `key`) meets the next fault; "" is a good answer."""
        steps = [{"fault": fault} if fault else {} for fault in faults]
        self.control("POST", "/_mock/script", {"match": match, "steps": steps, "then": then})

    def fixture(self, path, status, headers, body, chunk_bytes=None, **match):
        """Serves these bytes for a path."""
        fixture = {
            "path": path,
            "status": status,
            "headers": headers,
            **match,
            "body_base64": base64.b64encode(body).decode(),
        }
        if chunk_bytes is not None:
            fixture["chunk_bytes"] = chunk_bytes
        self.control("POST", "/_mock/fixture", fixture)

    def reset(self):
        self.control("POST", "/_mock/reset")

    def stats(self):
        return self.control("GET", "/_mock/stats")

    def arrivals(self, since=0):
        """Everything recorded, oldest first: requests, and bytes that were none."""
        answer = self.control("GET", f"/_mock/requests?since={since}")
        return [Record(raw) for raw in (answer["requests"] if isinstance(answer, dict) else answer)]

    def requests(self, since=0, **match):
        """Recorded provider requests, oldest first; `match` compares members of the JSON body."""
        return [
            record for record in self.arrivals(since) if record.kind == "request" and record.matches(match)
        ]

    def stop(self):
        self.process.kill()


class Record:
    """One request as the provider received it."""

    def __init__(self, raw):
        self.kind, self.seq, self.connection = raw["kind"], raw["seq"], raw["connection"]
        self.raw = base64.b64decode(raw["raw_base64"])
        self.method, self.target = raw.get("method"), raw.get("target")
        self.at, self.aborted_at = raw["at_us"] / 1e6, raw.get("aborted_at_us")
        self.headers = [(name.lower(), value) for name, value in raw.get("headers", [])]
        if raw.get("body_base64") is not None:
            self.body = base64.b64decode(raw["body_base64"])
        else:
            self.body = (raw.get("body") or "").encode()

    def header(self, name):
        values = [value for key, value in self.headers if key == name.lower()]
        return ", ".join(values) if values else None

    def json(self):
        return json.loads(self.body)

    @property
    def key(self):
        """The credential it came with."""
        bearer = self.header("authorization")
        return bearer.removeprefix("Bearer ") if bearer else self.header("x-api-key")

    @property
    def model(self):
        return self.json().get("model")

    @property
    def aborted_seconds(self):
        """Seconds from its arrival until the caller went away, or None."""
        return None if self.aborted_at is None else self.aborted_at / 1e6 - self.at

    def matches(self, members):
        if not members:
            return True
        try:
            body = self.json()
        except ValueError:
            return False
        return all(body.get(name) == value for name, value in members.items())


# Gateways that run now.
LIVE = set()


class Gateway:
    """A running gateway in an application folder of its own."""

    def __init__(self, config, driver="auto", workers=2, flags=(), environment=None, folder=None, port=0):
        self.own_folder = tempfile.TemporaryDirectory(prefix="gateway-") if folder is None else None
        self.folder = Path(self.own_folder.name if folder is None else folder)
        self.config_path = self.folder / "config.json"
        if config is not None:
            self.write_config(config)
        command = [
            BINARIES / "bifrost",
            "-app-dir",
            self.folder,
            "-host",
            "127.0.0.1",
            "-port",
            port,
            "--driver",
            driver,
            "--workers",
            workers,
            *flags,
        ]
        self.process = Process(command, environment)
        try:
            self.port = int(self.process.wait_for(LISTENING).group(1))
        except StartError:
            self.stop()
            raise
        self.url = f"http://127.0.0.1:{self.port}"
        LIVE.add(self)

    def write_config(self, config):
        """Replaces the file as an editor does, by a rename. Takes a value, or text as it stands."""
        text = config if isinstance(config, str) else json.dumps(config, indent=1)
        fresh = self.config_path.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(self.config_path)

    def connect(self, **options):
        return raw_http.Connection(self.port, **options)

    def request(self, method, target, headers=(), body=None, **options):
        return raw_http.request(self.port, method, target, headers, body, **options)

    def post(self, target, body, headers=(), **options):
        return self.request("POST", target, headers, body, **options)

    def chat(self, model="openai/gpt-4o", text="hello", route="/v1/chat/completions", headers=(), **members):
        """An OpenAI chat completion."""
        return self.post(route, chat_body(model, text, **members), headers)

    def messages(self, model="anthropic/claude-sonnet-4-5", text="hello", headers=(), **members):
        """An Anthropic message."""
        return self.post("/anthropic/v1/messages", messages_body(model, text, **members), headers)

    def resident_bytes(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) << 10

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def terminate(self):
        """SIGTERM; the exit code."""
        self.process.signal(signal.SIGTERM)
        return self.process.wait()

    def stop(self):
        LIVE.discard(self)
        self.process.kill()
        if self.own_folder is not None:
            self.own_folder.cleanup()


def chat_body(model, text="hello", **members):
    return {"model": model, "messages": [{"role": "user", "content": text}], **members}


def messages_body(model, text="hello", **members):
    return {"model": model, "max_tokens": 256, "messages": [{"role": "user", "content": text}], **members}


def key(name, **members):
    """A provider key whose value is `sk-NAME`."""
    return {"name": name, "value": f"sk-{name}", "models": ["*"], "weight": 1, **members}


def provider(base_url, keys=("k1",), network=None, **members):
    """A provider section that talks to `base_url`; a key may be a name or a whole key object."""
    return {
        "keys": [key(one) if isinstance(one, str) else one for one in keys],
        "network_config": {"base_url": base_url, **(network or {})},
        **members,
    }


def custom(base_url, base_type, keys=("k1",), network=None, custom_members=None, **members):
    """A custom provider section over a base type."""
    section = provider(base_url, keys, network, **members)
    section["custom_provider_config"] = {"base_provider_type": base_type, **(custom_members or {})}
    return section


def config_of(providers, client=None, **sections):
    """A whole config file without stores."""
    return {"client": client or {}, "providers": providers, **sections}


def both_dialects(mock, network=None, client=None, **members):
    """`openai` and `anthropic`, both served by the mock."""
    return config_of(
        {
            "openai": provider(mock.url, ["openai-key"], network, **members),
            "anthropic": provider(mock.url, ["anthropic-key"], network, **members),
        },
        client,
    )


def poll(look, seconds, pause=0.02):
    """Calls `look` until it returns something true or the time is over; returns the last answer."""
    end = time.monotonic() + seconds
    while True:
        answer = look()
        if answer or time.monotonic() >= end:
            return answer
        time.sleep(pause)


def clean_environment():
    """The environment without anything that would configure a gateway or a proxy."""
    ours = re.compile(
        r"(?i)^(BIFROST_|APP_|LOG_|OPENAI_|ANTHROPIC_|MISTRAL_|HTTPS?_PROXY|NO_PROXY|ALL_PROXY)"
    )
    return {name: value for name, value in os.environ.items() if not ours.match(name)}
