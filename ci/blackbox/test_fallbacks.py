"""When another provider takes over, which error is reported, and what the reply says about it."""

import threading

import pytest

from harness import chat_body, config_of, custom, messages_body, poll, provider
from raw_http import render_request

MODEL, SPARE, LAST = "gpt-4o", "spare-model", "last-model"


@pytest.fixture
def gateway(start, mock):
    """`openai`, then `second` and `third` over the same dialect, and `anthropic`."""
    return start(
        config_of(
            {
                "openai": provider(mock.url, ["k-openai"], {"default_request_timeout_in_seconds": 1}),
                "second": custom(
                    mock.url, "openai", ["k-second"], {"max_retries": 1, "retry_backoff_initial": 100}
                ),
                "third": custom(mock.url, "openai", ["k-third"]),
                "anthropic": provider(mock.url, ["k-anthropic"]),
            }
        )
    )


FALLBACKS = [f"second/{SPARE}", f"third/{LAST}"]
FAILURES = [
    "status=400",
    "status=401",
    "status=403",
    "status=404",
    "status=422",
    "status=429",
    "status=500",
    "disconnect=before-head",
    "stall=before-head",
    "garbage",
    "body=html",
    "body=empty",
]


@pytest.mark.parametrize("fault", FAILURES)
def test_any_failure_of_the_primary_goes_on_to_the_fallback(gateway, mock, fault):
    mock.script(fault, then="repeat_last", model=MODEL)
    reply = gateway.chat(f"openai/{MODEL}", "take over", fallbacks=FALLBACKS)
    assert reply.status == 200, reply.body
    assert "take over" in reply.text()
    assert [record.model for record in mock.requests()] == [MODEL, SPARE]


@pytest.mark.parametrize("fault", ["status=500", "status=400", "error-in-stream:0"])
def test_a_stream_goes_on_to_the_fallback_too(gateway, mock, fault):
    mock.script(fault, then="repeat_last", model=MODEL)
    reply = gateway.chat(f"openai/{MODEL}", "take over", fallbacks=FALLBACKS, stream=True)
    assert reply.status == 200
    assert "take over" in reply.text()


def test_fallbacks_are_tried_in_their_order(gateway, mock):
    mock.script("status=500", then="repeat_last", model=MODEL)
    mock.script("status=500", then="repeat_last", model=SPARE)
    reply = gateway.chat(f"openai/{MODEL}", fallbacks=FALLBACKS)
    assert reply.status == 200
    assert [record.model for record in mock.requests()] == [MODEL, SPARE, SPARE, LAST]


def test_each_fallback_has_its_own_retries(gateway, mock):
    mock.script("status=500", then="repeat_last", model=MODEL)
    mock.script("status=500", model=SPARE)
    reply = gateway.chat(f"openai/{MODEL}", fallbacks=FALLBACKS)
    assert reply.status == 200
    assert [record.model for record in mock.requests()] == [MODEL, SPARE, SPARE]


def test_when_all_fail_the_error_of_the_primary_is_returned(gateway, mock):
    mock.script(
        'status=422,body={"error":{"message":"the first complaint"}}', then="repeat_last", model=MODEL
    )
    mock.script("status=500", then="repeat_last", model=SPARE)
    mock.script("status=503", then="repeat_last", model=LAST)
    reply = gateway.chat(f"openai/{MODEL}", fallbacks=FALLBACKS)
    assert reply.status == 422
    assert reply.json()["error"]["message"] == "the first complaint"


def test_a_fallback_may_speak_another_dialect(gateway, mock):
    mock.script("status=500", then="repeat_last", model=MODEL)
    for stream in (False, True):
        reply = gateway.chat(f"openai/{MODEL}", "across", fallbacks=["anthropic/claude-x"], stream=stream)
        assert reply.status == 200
        assert "across" in reply.text()


def test_a_model_no_key_allows_falls_back(start, mock):
    keys = [{"name": "only", "value": "sk-only", "models": ["other"], "weight": 1}]
    gateway = start(
        config_of(
            {
                "openai": provider(mock.url, keys),
                "second": custom(mock.url, "openai", ["k-second"]),
            }
        )
    )
    reply = gateway.chat(f"openai/{MODEL}", fallbacks=[f"second/{SPARE}"])
    assert reply.status == 200
    assert [record.model for record in mock.requests()] == [SPARE]


def test_a_refused_connection_falls_back(start, mock, refused_url):
    gateway = start(
        config_of(
            {
                "openai": provider(refused_url),
                "second": custom(mock.url, "openai", ["k-second"]),
            }
        )
    )
    assert gateway.chat(f"openai/{MODEL}", fallbacks=[f"second/{SPARE}"]).status == 200


def test_an_operation_that_is_not_allowed_falls_back(start, mock):
    closed = custom(mock.url, "openai", ["k"], custom_members={"allowed_requests": {"list_models": True}})
    gateway = start(config_of({"closed": closed, "second": custom(mock.url, "openai", ["k-second"])}))
    assert gateway.chat(f"closed/{MODEL}", fallbacks=[f"second/{SPARE}"]).status == 200


def test_a_provider_without_configuration_is_skipped(gateway, mock):
    mock.script("status=500", then="repeat_last", model=MODEL)
    reply = gateway.chat(f"openai/{MODEL}", fallbacks=["groq/llama", f"third/{LAST}"])
    assert reply.status == 200
    assert [record.model for record in mock.requests()] == [MODEL, LAST]


def test_a_success_of_the_primary_leaves_the_fallbacks_alone(gateway, mock):
    assert gateway.chat(f"openai/{MODEL}", fallbacks=FALLBACKS).status == 200
    assert [record.model for record in mock.requests()] == [MODEL]


def test_the_list_of_fallbacks_is_not_sent_to_the_provider(gateway, mock):
    assert gateway.chat(f"openai/{MODEL}", fallbacks=FALLBACKS).status == 200
    assert (
        gateway.chat(f"openai/{MODEL}", route="/openai/v1/chat/completions", fallbacks=FALLBACKS).status
        == 200
    )
    assert all("fallbacks" not in record.json() for record in mock.requests())


def test_the_reply_says_who_answered_and_for_whom(gateway, mock):
    mock.script("status=500", then="repeat_last", model=MODEL)
    fields = gateway.chat(f"openai/{MODEL}", fallbacks=FALLBACKS).json()["extra_fields"]
    routing = fields["routing_info"]
    assert routing["is_fallback"] is True
    assert (routing["provider"], routing["model"], routing["key"]) == ("second", SPARE, "k-second")
    assert (routing["primary_provider"], routing["primary_model"]) == ("openai", MODEL)
    assert (fields["provider"], fields["original_model_requested"]) == ("second", SPARE)


def test_a_reply_of_the_primary_names_no_other(gateway):
    routing = gateway.chat(f"openai/{MODEL}", fallbacks=FALLBACKS).json()["extra_fields"]["routing_info"]
    assert not routing.get("is_fallback")
    assert "primary_provider" not in routing and "primary_model" not in routing


def test_drop_in_routes_tell_the_index_of_the_fallback(gateway, mock):
    mock.script("status=500", then="repeat_last", model=MODEL)
    mock.script("status=500", then="repeat_last", model=SPARE)
    route = "/openai/v1/chat/completions"
    second = gateway.chat(f"openai/{MODEL}", route=route, fallbacks=FALLBACKS)
    assert second.header("x-bifrost-fallback-index") == "2"
    assert second.header("x-bifrost-provider") == "third"
    none = gateway.chat("openai/healthy", route=route, fallbacks=FALLBACKS)
    assert none.header("x-bifrost-fallback-index") is None


def test_base_routes_do_not_tell_the_index(gateway, mock):
    mock.script("status=500", then="repeat_last", model=MODEL)
    assert gateway.chat(f"openai/{MODEL}", fallbacks=FALLBACKS).header("x-bifrost-fallback-index") is None


def test_base_routes_drop_fallbacks_without_a_provider(gateway, mock):
    mock.script("status=500", then="repeat_last", model=MODEL)
    reply = gateway.chat(f"openai/{MODEL}", fallbacks=["gpt-4o-mini", "", "nobody/else"])
    assert reply.status == 500
    assert [record.model for record in mock.requests()] == [MODEL]


def test_drop_in_routes_give_such_fallbacks_the_primarys_provider(gateway, mock):
    mock.script("status=500", then="repeat_last", model=MODEL)
    body = chat_body(f"openai/{MODEL}", fallbacks=["gpt-4o-mini"])
    assert gateway.post("/openai/v1/chat/completions", body).status == 200
    mock.script("status=500", then="repeat_last", model="claude-first")
    body = messages_body("anthropic/claude-first", fallbacks=["claude-second"])
    assert gateway.post("/anthropic/v1/messages", body).status == 200
    records = mock.requests()
    assert [record.model for record in records] == [MODEL, "gpt-4o-mini", "claude-first", "claude-second"]
    assert records[1].key == "sk-k-openai"


def test_a_pinned_key_does_not_follow_to_the_fallback(gateway, mock):
    mock.script("status=500", then="repeat_last", model=MODEL)
    reply = gateway.chat(f"openai/{MODEL}", fallbacks=FALLBACKS, headers={"x-bf-api-key": "k-openai"})
    assert reply.status == 200
    assert [record.key for record in mock.requests()] == ["sk-k-openai", "sk-k-second"]


def test_a_caller_who_left_gets_no_fallback(gateway, mock):
    mock.script("stall=before-head", then="repeat_last", model=MODEL)
    with gateway.connect() as connection:
        connection.send(
            render_request(
                "POST", "/v1/chat/completions", {}, chat_body(f"openai/{MODEL}", fallbacks=FALLBACKS)
            )
        )
        assert poll(lambda: mock.requests(model=MODEL), 5)
    left = poll(lambda: [r for r in mock.requests(model=MODEL) if r.aborted_at is not None], 1.5)
    assert left
    # Another request through the same gateway shows that it has moved on.
    assert gateway.chat("openai/healthy").status == 200
    assert mock.requests(model=SPARE) == []


def test_fallbacks_of_parallel_requests_do_not_mix(gateway, mock):
    mock.script("status=500", then="repeat_last", model=MODEL)
    replies = {}

    def ask(number):
        replies[number] = gateway.chat(f"openai/{MODEL}", f"number {number} here", fallbacks=FALLBACKS)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(f"number {number} here" in reply.text() for number, reply in replies.items())
