"""Replicate: jobs that are started, waited for or streamed, and called off when nobody waits any more."""

import json
import threading

import pytest

from harness import config_of, key, poll, provider
from vendor_world import VendorWorld

MODEL = "replicate/meta/llama-3"
CHAT, COMPLETIONS, IMAGES = "/v1/chat/completions", "/v1/completions", "/v1/images/generations"
BY_NAME = "/v1/models/meta/llama-3/predictions"


class Replicate(VendorWorld):
    """Jobs that need some looks until they are done, and their streams."""

    def __init__(self):
        super().__init__()
        self.jobs, self.looks, self.output, self.status = {}, 0, ["Hel", "lo"], "succeeded"
        self.stream = (
            b"event: output\nid: 1\ndata: Hel\n\nevent: output\ndata: lo\n\nevent: done\ndata: {}\n\n"
        )
        self.stream_url = f"{self.url}/v1/streams/j1"
        self.on("POST", r"/v1/(?:models|deployments)/[^/]+/[^/]+/predictions", self.create)
        self.on("POST", r"/v1/predictions", self.create)
        self.on("GET", r"/v1/predictions/(j\d+)", self.describe)
        self.on("POST", r"/v1/predictions/(j\d+)/cancel", self.cancel)
        self.on("GET", r"/v1/streams/j1", lambda _: (200, ("text/event-stream", self.stream)))

    def create(self, arrival):
        body = arrival.json()
        if arrival.headers.get("authorization") != "Bearer sk-r":
            return 401, {
                "title": "Unauthenticated",
                "detail": "You did not pass a valid token",
                "status": 401,
            }
        if not isinstance(body.get("input"), dict) or set(body) - {"input", "version", "stream", "webhook"}:
            return 422, {"title": "Input validation failed", "detail": "- input is required", "status": 422}
        if (arrival.path == "/v1/predictions") != ("version" in body):
            return 422, {"detail": "- version is required"}
        self.jobs["j1"] = {"looks": self.looks, "stream": body.get("stream") is True}
        return 201, self.description("j1")

    def describe(self, _, job):
        self.jobs[job]["looks"] -= 1
        return 200, self.description(job)

    def cancel(self, _, job):
        self.jobs[job]["looks"], self.status = 0, "canceled"
        return 200, self.description(job)

    def description(self, job):
        is_over = self.jobs[job]["looks"] <= 0 and not self.jobs[job]["stream"]
        urls = {"get": f"{self.url}/v1/predictions/{job}", "cancel": "x"}
        if self.jobs[job]["stream"]:
            urls["stream"] = self.stream_url
        body = {
            "id": job,
            "model": "meta/llama-3",
            "status": self.status if is_over else "processing",
            "created_at": "2026-01-01T00:00:00.5Z",
            "error": "out of memory" if self.status == "failed" and is_over else None,
            "urls": urls,
        }
        if is_over and self.status == "succeeded":
            body["output"] = self.output
            body["metrics"] = {"input_token_count": 3, "output_token_count": 2}
        return body


@pytest.fixture
def replicate():
    world = Replicate()
    yield world
    world.close()


@pytest.fixture
def gateway(start, replicate):
    return start(config_of({"replicate": provider(replicate.url, ["r"])}), workers=1)


def ask(gateway, route=CHAT, **members):
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], **members}
    if route != CHAT:
        del body["messages"]
    return gateway.post(route, body)


def test_a_job_that_is_done_at_once_is_the_answer(gateway, replicate):
    reply = ask(
        gateway, messages=[{"role": "system", "content": "Be brief"}, {"role": "user", "content": "hi"}]
    )
    assert reply.status == 200, reply.body
    body = reply.json()
    assert body["choices"][0]["message"]["content"] == "Hello"
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"]["prompt_tokens"] == 3 and body["usage"]["completion_tokens"] == 2
    assert body["extra_fields"]["provider"] == "replicate" and body["id"] == "j1"
    [sent] = replicate.sent("POST", BY_NAME)
    assert sent.json() == {"input": {"prompt": "hi", "system_prompt": "Be brief"}}
    assert sent.headers["prefer"] == "wait"


def test_a_job_that_takes_its_time_is_asked_for_until_it_is_done(gateway, replicate):
    replicate.looks = 3
    reply = ask(gateway)
    assert reply.status == 200 and reply.text() == "Hello"
    looks = replicate.sent("GET", r"/v1/predictions/j1")
    assert len(looks) == 3
    assert all(look.headers["authorization"] == "Bearer sk-r" for look in looks)


def test_a_stream_comes_from_where_the_job_says(gateway, replicate):
    reply = ask(gateway, stream=True)
    assert reply.status == 200 and reply.header("content-type").startswith("text/event-stream")
    events = [data for _, data in reply.events()]
    assert events[-1] == "[DONE]" and reply.text() == "Hello"
    [sent] = replicate.sent("POST", BY_NAME)
    assert sent.json()["stream"] is True and "prefer" not in sent.headers
    [stream] = replicate.sent("GET", "/v1/streams/j1")
    assert stream.headers["accept"] == "text/event-stream"


def test_line_breaks_and_spaces_of_a_stream_survive(gateway, replicate):
    replicate.stream = (
        b"event: output\ndata: a\ndata: \n\nevent: output\ndata:  b\n\nevent: done\ndata: {}\n\n"
    )
    assert ask(gateway, stream=True).text() == "a\n b"


def test_a_stream_at_an_unknown_server_is_not_asked_for(gateway, replicate):
    with_elsewhere = VendorWorld()
    try:
        replicate.stream_url = f"{with_elsewhere.url}/v1/streams/j1"
        # The job is looked at instead, and is over at the second look.
        replicate.looks = 2
        original = replicate.create

        def create(arrival):
            answer = original(arrival)
            replicate.jobs["j1"]["stream"] = False
            answer[1]["urls"]["stream"] = replicate.stream_url
            return answer

        replicate.handlers = [(m, p, create if h == original else h) for m, p, h in replicate.handlers]
        reply = ask(gateway, stream=True)
        assert reply.header("content-type").startswith("text/event-stream")
        assert reply.text() == "Hello" and with_elsewhere.arrivals == []
    finally:
        with_elsewhere.close()


def test_an_error_inside_the_stream_reaches_the_caller(gateway, replicate):
    replicate.stream = b'event: output\ndata: Hel\n\nevent: error\ndata: {"detail":"gone wrong"}\n\n'
    reply = ask(gateway, stream=True)
    assert any("gone wrong" in data for _, data in reply.events())


def test_a_job_that_fails_is_an_error_with_its_reason(gateway, replicate):
    replicate.status = "failed"
    reply = ask(gateway)
    assert reply.status == 500 and reply.json()["error"]["message"] == "out of memory"


def test_a_refused_token_is_told_as_it_is(start, replicate):
    gateway = start(config_of({"replicate": provider(replicate.url, ["other"])}), workers=1)
    reply = ask(gateway)
    assert reply.status in (401, 502)


def test_a_job_that_is_not_done_in_time_is_called_off(start, replicate):
    replicate.looks = 1000
    network = {"default_request_timeout_in_seconds": 1, "max_retries": 0}
    gateway = start(config_of({"replicate": provider(replicate.url, ["r"], network)}), workers=1)
    reply = ask(gateway)
    assert reply.status == 504
    assert poll(lambda: replicate.sent("POST", r"/v1/predictions/j1/cancel"), 5)


def test_a_job_nobody_waits_for_is_called_off(gateway, replicate):
    replicate.looks = 1000
    body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}).encode()
    connection = gateway.connect()
    head = f"POST {CHAT} HTTP/1.1\r\nhost: a\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    connection.send(head + body)
    assert poll(lambda: replicate.sent("GET", r"/v1/predictions/j1"), 5)
    connection.socket.close()
    assert poll(lambda: replicate.sent("POST", r"/v1/predictions/j1/cancel"), 5)


def test_a_stream_nobody_reads_is_called_off(gateway, replicate):
    is_called_off = threading.Event()

    def pieces():
        yield b"event: output\ndata: Hel\n\n"
        is_called_off.wait(10)

    original = replicate.cancel

    def cancel(arrival, job):
        is_called_off.set()
        return original(arrival, job)

    replicate.stream = pieces()
    replicate.handlers = [(m, p, cancel if h == original else h) for m, p, h in replicate.handlers]
    body = json.dumps(
        {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    ).encode()
    connection = gateway.connect()
    head = f"POST {CHAT} HTTP/1.1\r\nhost: a\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    connection.send(head + body)
    connection.fill_until(b"Hel")
    connection.socket.close()
    assert is_called_off.wait(5)


@pytest.mark.parametrize("model", ["stability-ai/sdxl:39ed52", "39ed52"])
def test_versions_go_to_the_path_of_versions(gateway, replicate, model):
    assert ask(gateway, model=f"replicate/{model}").status == 200
    [sent] = replicate.sent("POST", "/v1/predictions")
    assert sent.json()["version"] == "39ed52"


@pytest.mark.parametrize("by_alias", [False, True])
def test_a_key_may_say_that_models_are_deployments(start, replicate, by_alias):
    block = {"use_deployments_endpoint": not by_alias}
    members = {"value": "sk-r", "replicate_key_config": block}
    if by_alias:
        members["aliases"] = {"mine": {"model_id": "acme/mine", "use_deployments_endpoint": True}}
    config = config_of({"replicate": provider(replicate.url, [key("r", **members)])})
    gateway = start(config, workers=1)
    assert ask(gateway, model="replicate/mine" if by_alias else "replicate/acme/mine").status == 200
    assert replicate.sent("POST", "/v1/deployments/acme/mine/predictions")


def test_tools_are_refused_by_name(gateway, replicate):
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    reply = ask(gateway, tools=[tool])
    assert reply.status == 400 and "tools" in reply.json()["error"]["message"]
    assert "replicate" in reply.json()["error"]["message"] and replicate.arrivals == []


def test_a_models_own_knobs_become_its_inputs(gateway, replicate):
    ask(gateway, max_tokens=9, temperature=0.5, min_new_tokens=10, stop=["a", "b"])
    [sent] = replicate.sent("POST", BY_NAME)
    expected = {
        "prompt": "hi",
        "max_tokens": 9,
        "temperature": 0.5,
        "min_new_tokens": 10,
        "stop_sequences": "a,b",
    }
    assert sent.json()["input"] == expected


def test_text_completions_are_predictions_too(gateway, replicate):
    reply = ask(gateway, COMPLETIONS, prompt="Once")
    assert reply.status == 200 and reply.json()["choices"][0]["text"] == "Hello"
    assert replicate.sent("POST", BY_NAME)[0].json()["input"]["prompt"] == "Once"


def test_responses_and_messages_are_served_by_predictions(gateway):
    reply = gateway.post("/v1/responses", {"model": MODEL, "input": "hi"})
    assert reply.status == 200 and reply.json()["output"][-1]["content"][0]["text"] == "Hello"
    reply = gateway.messages(MODEL)
    assert reply.status == 200 and reply.json()["content"][0]["text"] == "Hello"


def test_pictures_come_by_address_or_by_their_bytes(gateway, replicate):
    replicate.output = ["https://replicate.delivery/out-0.png", "data:image/webp;base64,AA=="]
    replicate.looks = 1
    reply = ask(gateway, IMAGES, prompt="a cat", n=2, size="512x768", seed=7, guidance=3.5)
    assert reply.status == 200, reply.body
    first, second = reply.json()["data"]
    assert first["url"] == replicate.output[0] and second["b64_json"] == "AA=="
    [sent] = replicate.sent("POST", BY_NAME)
    expected = {
        "prompt": "a cat",
        "number_of_images": 2,
        "width": 512,
        "height": 768,
        "seed": 7,
        "guidance": 3.5,
    }
    assert sent.json()["input"] == expected
