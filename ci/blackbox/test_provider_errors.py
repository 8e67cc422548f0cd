"""Each provider's errors, as refusals and inside of a stream that has begun, arrive in each caller's dialect:
with the status, the words, the type and the code the provider gave them, and its `retry-after`."""

import json

import pytest

import provider_errors
from harness import Gateway, chat_body, messages_body
from provider_errors import BEGUN, CASE_HEADER_OF_CALLER, PROVIDERS, STATUSES, STREAM, read_aws_frames


def providers_that(fits):
    return [name for name, one in PROVIDERS.items() if fits(one)]


CHATS = providers_that(lambda one: one.asked_for == "chat")
STREAMS = providers_that(lambda one: STREAM in one.errors)
OTHERS = providers_that(lambda one: one.asked_for != "chat")

ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}
GOOGLE_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    529: "UNAVAILABLE",
}
AWS_TYPES = {
    400: "ValidationException",
    401: "AccessDeniedException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    413: "ValidationException",
    429: "ThrottlingException",
    500: "InternalServerException",
    529: "ServiceUnavailableException",
}
# The status an error in a stream stands for: the exceptions AWS has for streams.
AWS_STREAM_TYPES = {
    400: "validationException",
    429: "throttlingException",
    503: "serviceUnavailableException",
    529: "serviceUnavailableException",
}


@pytest.fixture(scope="module")
def gateway():
    server = provider_errors.FailingProviders()
    process = Gateway(provider_errors.config_of(server))
    yield process
    log = process.process.log()
    process.stop()
    server.stop()
    assert "panicked" not in log


# --- callers ---


class Caller:
    """A dialect a caller may speak. Its `check` functions give back what is wrong with what it is told."""

    def __init__(self, name, route, body, check_refusal, check_stream, stream_route=None):
        self.name, self.route, self.body = name, route, body
        self.stream_route = stream_route or route
        self.check_refusal, self.check_stream = check_refusal, check_stream

    def ask(self, gateway, provider, case):
        route = self.stream_route if case == STREAM else self.route
        model = f"{provider.name}/{provider.model}"
        body = self.body(model)
        if case == STREAM and route == self.route:
            body["stream"] = True
        target = route.replace("{model}", model.replace("/", "%2F").replace(":", "%3A"))
        return gateway.post(target, body, {CASE_HEADER_OF_CALLER: case})

    def __repr__(self):
        return self.name


def contents_body(_):
    return {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}


def converse_body(_):
    return {"messages": [{"role": "user", "content": [{"text": "hello"}]}]}


def responses_body(model):
    return {"model": model, "input": "hello"}


def differences(found, expected):
    """What is not as it should be; members nobody expects anything of are left out."""
    return [
        f"{name} is {found.get(name)!r}, not {value!r}"
        for name, value in expected.items()
        if found.get(name) != value
    ]


def product_refusal(provider, status, says, reply):
    body = reply.json()
    whole = {"status_code": status, "is_bifrost_error": False}
    return (
        differences(body, whole)
        + differences(body["error"], says)
        + differences(body["extra_fields"]["routing_info"], {"provider": provider.name})
    )


def anthropic_refusal(provider, status, says, reply):
    body = reply.json()
    expected = {"type": ANTHROPIC_TYPES[status], "message": says["message"]}
    return differences(body, {"type": "error"}) + differences(body["error"], expected)


def google_refusal(provider, status, says, reply):
    expected = {"code": status, "message": says["message"], "status": GOOGLE_NAMES[status]}
    return differences(reply.json()["error"], expected)


def aws_refusal(provider, status, says, reply):
    own = provider.errors[str(status)].get("headers", {}).get("x-amzn-errortype")
    found = {"message": reply.json()["message"], "type": reply.header("x-amzn-errortype")}
    return differences(found, {"message": says["message"], "type": own or AWS_TYPES[status]})


def events_of(reply):
    return [(name, json.loads(data)) for name, data in reply.events() if data != "[DONE]"]


def chat_stream(provider, error, reply):
    ends_in_done = reply.events()[-1][1] == "[DONE]"
    return own_stream(provider, error, reply) + ["[DONE] behind an error"] * ends_in_done


def own_stream(provider, error, reply):
    *_, (_, last) = events_of(reply)
    last.pop("extra_fields", None)
    # A provider of the caller's own dialect is passed on as it is.
    return [] if last == error["data"] else differences(last["error"], error["says"])


def responses_stream(provider, error, reply):
    """An event `error`, and a response that failed behind it where it could be written."""
    said = {name: value for name, value in error["says"].items() if name != "type"}
    found = dict(events_of(reply))
    failed = found.get("response.failed")
    problems = differences(found["error"], {"type": "error", **said})
    if failed is not None:
        problems += differences(failed["response"]["error"], {"message": said["message"]})
    return problems


def anthropic_stream(provider, error, reply):
    name, last = events_of(reply)[-1]
    expected = {
        "type": ANTHROPIC_TYPES.get(error["status"], "api_error"),
        "message": error["says"]["message"],
    }
    return differences({"event": name}, {"event": "error"}) + differences(last["error"], expected)


def google_stream(provider, error, reply):
    *_, (_, last) = events_of(reply)
    expected = {
        "code": error["status"],
        "status": GOOGLE_NAMES.get(error["status"], "INTERNAL"),
        "message": error["says"]["message"],
    }
    return differences(last["error"], expected)


def aws_stream(provider, error, reply):
    headers, last = read_aws_frames(reply.body)[-1]
    expected = {
        ":message-type": "exception",
        ":exception-type": AWS_STREAM_TYPES.get(error["status"], "internalServerException"),
        "message": error["says"]["message"],
    }
    return differences({**headers, **last}, expected)


def cohere_stream(provider, error, reply):
    name, last = events_of(reply)[-1]
    delta = {"finish_reason": "ERROR", "error": error["says"]["message"]}
    return differences({"event": name}, {"event": "message-end"}) + differences(last["delta"], delta)


CALLERS = [
    Caller("own chat", "/v1/chat/completions", chat_body, product_refusal, own_stream),
    Caller("openai chat", "/openai/v1/chat/completions", chat_body, product_refusal, chat_stream),
    Caller("openai responses", "/openai/v1/responses", responses_body, product_refusal, responses_stream),
    Caller("anthropic", "/anthropic/v1/messages", messages_body, anthropic_refusal, anthropic_stream),
    Caller(
        "genai",
        "/genai/v1beta/models/{model}:generateContent",
        contents_body,
        google_refusal,
        google_stream,
        "/genai/v1beta/models/{model}:streamGenerateContent?alt=sse",
    ),
    Caller(
        "bedrock",
        "/bedrock/model/{model}/converse",
        converse_body,
        aws_refusal,
        aws_stream,
        "/bedrock/model/{model}/converse-stream",
    ),
    Caller("cohere", "/cohere/v2/chat", chat_body, product_refusal, cohere_stream),
]


# --- the matrix ---


def refusal_problems(caller, provider, reply, case):
    error = provider.errors[case]
    problems = differences({"HTTP status": reply.status}, {"HTTP status": int(case)})
    asked_to_wait = error.get("headers", {}).get("retry-after")
    problems += differences({"retry-after": reply.header("retry-after")}, {"retry-after": asked_to_wait})
    if not reply.header("content-type").startswith("application/json"):
        return [*problems, f"content type {reply.header('content-type')}"]
    return problems + caller.check_refusal(provider, int(case), error["says"], reply)


@pytest.mark.parametrize("caller", CALLERS, ids=repr)
@pytest.mark.parametrize("name", CHATS)
def test_refusals_arrive_in_the_callers_dialect(gateway, name, caller):
    provider, wrong = PROVIDERS[name], {}
    for case in STATUSES:
        reply = caller.ask(gateway, provider, case)
        if problems := refusal_problems(caller, provider, reply, case):
            wrong[case] = (problems, reply.body[:400])
    assert not wrong


@pytest.mark.parametrize("caller", CALLERS, ids=repr)
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_breaks_says_so_in_the_callers_dialect(gateway, name, caller):
    provider = PROVIDERS[name]
    reply = caller.ask(gateway, provider, STREAM)
    assert reply.status == 200, reply.body
    assert BEGUN.encode() in reply.body, reply.body
    assert not caller.check_stream(provider, provider.errors[STREAM], reply), reply.body


# Operations of the providers that hold no conversations.
OPERATIONS = {
    "speech": ("/openai/v1/audio/speech", {"input": "hello", "voice": "alloy"}),
    "image": ("/openai/v1/images/generations", {"prompt": "a tree"}),
    "video": ("/openai/v1/videos", {"prompt": "a tree in the wind"}),
    "decision": (
        "/v1/decisions",
        {"state": "it rains", "questions": {"wet": {"kind": "noul", "instructions": "is it wet?"}}},
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_refusals_of_other_operations_arrive(gateway, name):
    provider, wrong = PROVIDERS[name], {}
    route, members = OPERATIONS[provider.asked_for]
    for case in STATUSES:
        body = {"model": f"{name}/{provider.model}", **members}
        reply = gateway.post(route, body, {CASE_HEADER_OF_CALLER: case})
        if problems := refusal_problems(CALLERS[0], provider, reply, case):
            wrong[case] = (problems, reply.body[:400])
    assert not wrong
