"""Recorded traffic of real providers through the gateway: on its own dialect's route a reply arrives
byte for byte and the request reaches the provider but for documented edits; through the other dialect
nothing breaks and the text is kept.

Reads the recordings in place, from the folder that BIFROST_WIRE_FIXTURES names. At the end it prints how
many exchanges of each provider and operation went through, and the name of each that did not."""

import collections
import itertools
import json
from pathlib import Path

import pytest

from harness import Gateway, config_of, custom, key
from raw_http import read_events

CHAT, MESSAGES = "/openai/v1/chat/completions", "/anthropic/v1/messages"
BASE = "/v1/chat/completions"
DIALECTS = {
    "chat": "openai",
    "chat_stream": "openai",
    "messages": "anthropic",
    "messages_stream": "anthropic",
}
ROUTES = {"openai": CHAT, "anthropic": MESSAGES}
UPSTREAM_PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
MODEL = "recorded-model"
# Members the gateway changes on the way to a compatible provider, as documented: the model's name, usage on
# streams, the least number of output tokens, a long `user`, and `reasoning`, which is said flat.
EDITED = {
    "model",
    "stream_options",
    "user",
    "max_completion_tokens",
    "max_tokens",
    "reasoning",
    "reasoning_effort",
}


class Exchange:
    """One recorded request and its reply."""

    def __init__(self, path, entry):
        recorded = json.loads(path.read_text())
        self.name, self.provider, self.operation = entry["path"], entry["provider"], entry["operation"]
        self.dialect = DIALECTS[self.operation]
        self.request = recorded["request"]["body"]
        self.status = recorded["response"]["status"]
        self.content_type, self.reply = rendered(recorded["response"]["body"])
        self.is_stream = self.content_type == "text/event-stream"

    def body(self, model):
        """The recorded request, asking for `model`. Where it was not recorded, the plainest one."""
        request = self.request or {
            "messages": [{"role": "user", "content": "not recorded"}],
            "max_tokens": 64,
        }
        request = {**request, "model": model}
        if self.request is None and self.is_stream:
            request["stream"] = True
        return request


def rendered(body):
    """Content type and bytes of a recorded body."""
    if isinstance(body, dict) and set(body) == {"sse"}:
        return "text/event-stream", body["sse"].encode()
    if isinstance(body, dict) and set(body) == {"plain"}:
        return "text/plain", body["plain"].encode()
    return "application/json", json.dumps(body, ensure_ascii=False).encode()


def exchanges(folder):
    """Chat exchanges in the OpenAI shape and Anthropic messages, whoever served them."""
    for entry in json.loads((Path(folder) / "index.json").read_text())["exchanges"]:
        is_served = entry["operation"] in DIALECTS and entry["provider"] != "cohere"
        # OpenAI's `messages` are those of its assistants, `/v1/chat` of writer and the like are chats.
        if is_served and not (entry["provider"] == "openai" and entry["operation"].startswith("messages")):
            yield Exchange(Path(folder) / entry["path"], entry)


class Tally:
    """What went through and what did not."""

    def __init__(self, title):
        self.title = title
        self.counts = collections.defaultdict(lambda: [0, 0])
        self.losses = []

    def add(self, exchange, problem):
        self.counts[exchange.provider, exchange.operation][problem is not None] += 1
        if problem is not None:
            self.losses.append(f"{exchange.name}: {problem}")

    def check(self, capsys):
        with capsys.disabled():
            print(f"\n{self.title}: provider × operation, passed/all")
            for (provider, operation), (passed, lost) in sorted(self.counts.items()):
                print(f"  {provider:16} {operation:16} {passed}/{passed + lost}")
            passed = sum(passed for passed, _ in self.counts.values())
            print(f"  {passed} of {passed + len(self.losses)} exchanges")
            for loss in self.losses:
                print(f"  LOST {loss}")
        assert self.counts
        assert not self.losses


@pytest.fixture(scope="module")
def recorded(wire_fixtures):
    return list(exchanges(wire_fixtures))


@pytest.fixture(scope="module")
def relaying(mock_process):
    """Custom providers `openai-like` and `anthropic-like`, so that no rule for one host applies."""
    keys = [key("one"), key("two")]
    gateway = Gateway(
        config_of(
            {
                "openai-like": custom(mock_process.url, "openai", keys),
                "anthropic-like": custom(mock_process.url, "anthropic", keys),
            }
        )
    )
    yield gateway
    gateway.stop()


def play(gateway, mock, exchange, route):
    """Sends the recorded request to `route` while the provider answers with the recorded reply."""
    mock.reset()
    headers = {"content-type": exchange.content_type}
    chunk_bytes = 97 if exchange.is_stream else None
    mock.fixture(UPSTREAM_PATHS[exchange.dialect], exchange.status, headers, exchange.reply, chunk_bytes)
    return gateway.post(route, exchange.body(f"{exchange.dialect}-like/{MODEL}"))


def same_dialect_problem(exchange, reply, mock, is_base):
    requests = mock.requests()
    if len(requests) != 1:
        return f"{len(requests)} requests reached the provider, reply {reply.status} {reply.body[:200]!r}"
    problem = request_problem(exchange, requests[0].json())
    if problem is not None:
        return problem
    if exchange.status != 200:
        return error_problem(exchange, reply)
    failed_early = exchange.is_stream and reply.status != 200
    if failed_early:
        return None if first_event_is_error(exchange) else f"status {reply.status} {reply.body[:200]!r}"
    if reply.status != 200:
        return f"status {reply.status} {reply.body[:200]!r}"
    relayed = without_extra_fields(reply.body) if is_base else reply.body
    return None if relayed == exchange.reply else f"bytes differ {first_difference(relayed, exchange.reply)}"


def request_problem(exchange, sent):
    """Whether the request lost or gained anything that is not documented."""
    if exchange.request is None:
        return None
    asked = exchange.body(MODEL)
    if exchange.dialect == "openai":
        asked = without_cache_control(asked)
    for name in asked.keys() | sent.keys():
        if name not in EDITED and asked.get(name) != sent.get(name):
            return f"request member {name}: {str(asked.get(name))[:80]} became {str(sent.get(name))[:80]}"
    effort = (asked.get("reasoning") or {}).get("effort") or asked.get("reasoning_effort")
    if exchange.dialect == "openai" and sent.get("reasoning_effort") != effort:
        return f"effort {effort} became {sent.get('reasoning_effort')}"
    return None if sent["model"] == MODEL else f"model became {sent['model']}"


def without_cache_control(value):
    """Compatible providers don't know these marks of Anthropic's, so they are not sent."""
    if isinstance(value, list):
        return [without_cache_control(element) for element in value]
    if isinstance(value, dict):
        members = value.items()
        return {name: without_cache_control(member) for name, member in members if name != "cache_control"}
    return value


def error_problem(exchange, reply):
    if reply.status != exchange.status:
        return f"status {exchange.status} became {reply.status}"
    wanted = message_in(json.loads(exchange.reply))
    found = message_in(reply.json())
    return None if wanted is None or wanted in (found or "") else f"message {wanted!r} became {found!r}"


def message_in(error):
    """The provider's message in any of the forms of the recordings."""
    if isinstance(error, list):
        return message_in(error[0]) if error else None
    if not isinstance(error, dict):
        return error if isinstance(error, str) else None
    inner = error.get("error", error)
    if isinstance(inner, str):
        return inner
    found = inner.get("message") or inner.get("detail") or error.get("detail")
    return found if isinstance(found, str) else None


def first_event_is_error(exchange):
    events = read_events(exchange.reply)
    return bool(events) and ('"error"' in events[0][1] or events[0][0] == "error")


def without_extra_fields(body):
    """Removes the member `extra_fields`, which stands first in each object, as bytes."""
    marker = b'"extra_fields":'
    stripped = bytearray()
    at = 0
    while (start := body.find(marker, at)) != -1:
        end = end_of_object(body, start + len(marker))
        stripped += body[at:start]
        at = end + (body[end : end + 1] == b",")
    return bytes(stripped + body[at:])


def end_of_object(body, start):
    """The position behind the JSON value that starts at `start`."""
    text = body[start:].decode(errors="surrogateescape")
    _, length = json.JSONDecoder().raw_decode(text)
    return start + len(text[:length].encode(errors="surrogateescape"))


def first_difference(found, wanted):
    at = next(
        (at for at, (one, other) in enumerate(zip(found, wanted)) if one != other),
        min(len(found), len(wanted)),
    )
    return f"at {at}: {bytes(found[at : at + 60])!r} instead of {wanted[at : at + 60]!r}"


def test_drop_in_routes_relay_every_recorded_exchange(relaying, mock, recorded, capsys):
    tally = Tally("same dialect, drop-in route")
    for exchange in recorded:
        reply = play(relaying, mock, exchange, ROUTES[exchange.dialect])
        tally.add(exchange, same_dialect_problem(exchange, reply, mock, is_base=False))
    tally.check(capsys)


def test_the_base_route_relays_every_recorded_chat(relaying, mock, recorded, capsys):
    tally = Tally("same dialect, base route")
    for exchange in recorded:
        if exchange.dialect == "openai":
            reply = play(relaying, mock, exchange, BASE)
            tally.add(exchange, same_dialect_problem(exchange, reply, mock, is_base=True))
    tally.check(capsys)


def test_the_other_dialects_route_keeps_text_and_errors(relaying, mock, recorded, capsys):
    """The recorded reply is asked for with a plain request of the other dialect: what the request side
    may express is the business of the dialect's own tests."""
    tally = Tally("other dialect")
    for exchange in recorded:
        route = CHAT if exchange.dialect == "anthropic" else MESSAGES
        mock.reset()
        headers = {"content-type": exchange.content_type}
        chunk_bytes = 97 if exchange.is_stream else None
        mock.fixture(UPSTREAM_PATHS[exchange.dialect], exchange.status, headers, exchange.reply, chunk_bytes)
        body = {
            "model": f"{exchange.dialect}-like/{MODEL}",
            "max_tokens": 64,
            "messages": [{"role": "user", "content": "x"}],
        }
        reply = relaying.post(route, {**body, "stream": True} if exchange.is_stream else body)
        tally.add(exchange, other_dialect_problem(exchange, reply))
    tally.check(capsys)


def other_dialect_problem(exchange, reply):
    if exchange.status != 200:
        return error_problem(exchange, reply)
    if exchange.is_stream and reply.status != 200:
        return None if first_event_is_error(exchange) else f"status {reply.status} {reply.body[:200]!r}"
    if reply.status != 200:
        return f"status {reply.status} {reply.body[:200]!r}"
    wanted, found = text_of(exchange.reply, exchange.is_stream), text_of(reply.body, exchange.is_stream)
    if exchange.dialect == "anthropic" and not exchange.is_stream:
        # OpenAI's SDKs get one text for several blocks, with a blank line between them.
        blocks = json.loads(exchange.reply).get("content") or []
        wanted = "\n\n".join(block["text"] for block in blocks if block.get("type") == "text")
    return None if found == wanted else f"text {wanted[:60]!r} became {found[:60]!r}"


def text_of(body, is_stream):
    """The text of a reply's first choice in either dialect. A refusal and the transcript of speech count as
    text: the other dialect has no other place for them."""
    if is_stream:
        chunks = [json.loads(data) for _, data in read_events(body) if data.startswith("{")]
        # Some recordings hold several streams one after the other; the first is the reply.
        reply = itertools.takewhile(lambda chunk: chunk.get("type") != "message_stop", chunks)
        return "".join(plain_text(delta_of(chunk)) for chunk in reply)
    reply = json.loads(body)
    # A filtered answer may come without a message.
    return plain_text(reply["choices"][0].get("message", {}) if reply.get("choices") else reply)


def delta_of(chunk):
    """What a chunk adds to the first choice, or to the message."""
    if chunk.get("type") == "content_block_delta":
        return {"content": chunk["delta"].get("text")}
    first = [choice for choice in chunk.get("choices") or [] if choice.get("index", 0) == 0]
    return first[0].get("delta", {}) if first else {}


def plain_text(message):
    """Content is a text, an object that was asked for as JSON, or blocks of which some are texts."""
    content = message.get("content") or message.get("refusal")
    if isinstance(content, list):
        return "".join(block.get("text", "") for block in content if block.get("type") == "text")
    if isinstance(content, dict):
        return json.dumps(content, ensure_ascii=False)
    return content or (message.get("audio") or {}).get("transcript") or ""


def test_every_recorded_request_is_taken_by_the_other_dialects_route(relaying, mock, recorded, capsys):
    """A recorded request to a provider of the other dialect: translated or refused as the caller's fault,
    never an error of the gateway."""
    tally = Tally("requests, other dialect")
    for exchange in recorded:
        if exchange.request is None:
            continue
        mock.reset()
        other = "anthropic" if exchange.dialect == "openai" else "openai"
        reply = relaying.post(ROUTES[exchange.dialect], exchange.body(f"{other}-like/{MODEL}"))
        tally.add(exchange, None if reply.status < 500 else f"status {reply.status} {reply.body[:200]!r}")
    tally.check(capsys)
