"""What is retried, with which key, and after how long a wait."""

import pytest

from harness import chat_body, config_of, key, poll, provider

MODEL = "gpt-4o"
INITIAL_MS, MAX_MS = 100, 1000
# What a busy machine may add to a wait.
LATE_SECONDS = 0.4
RETRYING = {"max_retries": 3, "retry_backoff_initial": INITIAL_MS, "retry_backoff_max": MAX_MS}


def start_with(start, mock, keys=("k1",), **network):
    return start(config_of({"openai": provider(mock.url, keys, {**RETRYING, **network})}))


def gaps(records):
    """Seconds between the arrivals of consecutive attempts."""
    return [later.at - earlier.at for earlier, later in zip(records, records[1:])]


def test_nothing_is_retried_by_default(start, mock):
    gateway = start(config_of({"openai": provider(mock.url, ["a", "b"])}))
    mock.script("status=500", model=MODEL)
    assert gateway.chat(f"openai/{MODEL}").status == 500
    assert len(mock.requests(model=MODEL)) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504, 529])
def test_a_transient_status_is_retried_with_the_same_key(start, mock, status):
    gateway = start_with(start, mock, ["a", "b"])
    mock.script(f"status={status}", model=MODEL)
    assert gateway.chat(f"openai/{MODEL}").status == 200
    first, second = mock.requests(model=MODEL)
    assert first.key == second.key
    assert gaps([first, second])[0] >= 0.8 * INITIAL_MS / 1000 - 0.005


@pytest.mark.parametrize("status", [400, 404, 405, 409, 413, 422])
def test_a_fault_of_the_caller_is_not_retried(start, mock, status):
    gateway = start_with(start, mock, ["a", "b"])
    mock.script(f"status={status}", model=MODEL)
    reply = gateway.chat(f"openai/{MODEL}")
    assert reply.status == status
    assert reply.json()["is_bifrost_error"] is False
    assert len(mock.requests(model=MODEL)) == 1


def test_a_rate_limit_moves_to_another_key_after_a_wait(start, mock):
    gateway = start_with(start, mock, ["a", "b"])
    mock.script("status=429", model=MODEL)
    assert gateway.chat(f"openai/{MODEL}").status == 200
    first, second = mock.requests(model=MODEL)
    assert first.key != second.key
    assert gaps([first, second])[0] >= 0.8 * INITIAL_MS / 1000 - 0.005


def test_a_rate_limit_phrase_counts_as_a_rate_limit_whatever_the_status(start, mock):
    gateway = start_with(start, mock, ["a", "b"])
    body = '{"error":{"message":"Too Many Requests, slow down","type":"x","code":null}}'
    mock.script(f"status=400,body={body}", model=MODEL)
    assert gateway.chat(f"openai/{MODEL}").status == 200
    first, second = mock.requests(model=MODEL)
    assert first.key != second.key


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_rejected_key_is_replaced_without_a_wait(start, mock, status):
    gateway = start_with(start, mock, ["a", "b"], retry_backoff_initial=2000, retry_backoff_max=4000)
    mock.script(f"status={status}", model=MODEL)
    assert gateway.chat(f"openai/{MODEL}").status == 200
    first, second = mock.requests(model=MODEL)
    assert first.key != second.key
    assert gaps([first, second])[0] < 1.0


def test_each_key_is_tried_before_any_is_tried_again(start, mock):
    gateway = start_with(start, mock, ["a", "b", "c"], max_retries=5)
    mock.script(*["status=429"] * 3, model=MODEL)
    assert gateway.chat(f"openai/{MODEL}").status == 200
    records = mock.requests(model=MODEL)
    assert len(records) == 4
    assert {record.key for record in records[:3]} == {"sk-a", "sk-b", "sk-c"}


def test_parked_keys_come_back_in_a_fresh_round(start, mock):
    gateway = start_with(start, mock, ["a", "b"], max_retries=4)
    mock.script(*["status=429"] * 4, model=MODEL)
    assert gateway.chat(f"openai/{MODEL}").status == 200
    keys = [record.key for record in mock.requests(model=MODEL)]
    assert len(keys) == 5
    assert set(keys[:2]) == set(keys[2:4]) == {"sk-a", "sk-b"}


def test_a_dead_key_does_not_come_back_in_a_fresh_round(start, mock):
    gateway = start_with(start, mock, ["a", "b"], max_retries=5)
    mock.script(*["status=401"] * 9, then="repeat_last", key="sk-a")
    mock.script(*["status=429"] * 3, then="ok", key="sk-b")
    assert gateway.chat(f"openai/{MODEL}").status == 200
    keys = [record.key for record in mock.requests()]
    assert keys.count("sk-a") <= 1
    assert keys.count("sk-b") == 4


def test_all_keys_rejected_is_one_bad_gateway(start, mock):
    gateway = start_with(start, mock, ["a", "b", "c"], max_retries=9)
    mock.script("status=401", then="repeat_last", model=MODEL)
    reply = gateway.chat(f"openai/{MODEL}")
    assert reply.status == 502
    assert "upstream_credentials_exhausted" in reply.body.decode()
    assert reply.json()["is_bifrost_error"] is False
    keys = [record.key for record in mock.requests(model=MODEL)]
    assert sorted(keys) == ["sk-a", "sk-b", "sk-c"]


@pytest.mark.parametrize(
    "keys, headers",
    [
        (["a"], {}),
        (["a", "b"], {"x-bf-api-key": "a"}),
    ],
    ids=["single", "pinned"],
)
def test_a_lone_key_that_is_rejected_is_not_tried_again(start, mock, keys, headers):
    gateway = start_with(start, mock, keys)
    mock.script("status=401", then="repeat_last", model=MODEL)
    reply = gateway.chat(f"openai/{MODEL}", headers=headers)
    assert reply.status == 502
    assert "upstream_credentials_exhausted" in reply.body.decode()
    assert [record.key for record in mock.requests(model=MODEL)] == ["sk-a"]


def test_a_pinned_key_is_kept_through_rate_limits(start, mock):
    gateway = start_with(start, mock, ["a", "b"])
    mock.script("status=429", "status=429", model=MODEL)
    assert gateway.chat(f"openai/{MODEL}", headers={"x-bf-api-key": "b"}).status == 200
    assert [record.key for record in mock.requests(model=MODEL)] == ["sk-b"] * 3


def test_retries_end_with_the_last_error(start, mock):
    gateway = start_with(start, mock, max_retries=2)
    mock.script("status=500", "status=502", "status=503", model=MODEL)
    assert gateway.chat(f"openai/{MODEL}").status == 503
    assert len(mock.requests(model=MODEL)) == 3


def test_waits_double_up_to_their_limit(start, mock):
    gateway = start_with(start, mock, max_retries=4, retry_backoff_max=300)
    mock.script(*["status=500"] * 4, model=MODEL)
    assert gateway.chat(f"openai/{MODEL}").status == 200
    waits = gaps(mock.requests(model=MODEL))
    for wait, expected in zip(waits, [0.1, 0.2, 0.3, 0.3], strict=True):
        assert 0.8 * expected - 0.005 <= wait <= min(1.2 * expected, 0.3) + LATE_SECONDS


def test_waits_differ_from_request_to_request(start, mock):
    gateway = start_with(start, mock, max_retries=1)
    mock.script(*["status=500", ""] * 8, model=MODEL)
    for _ in range(8):
        assert gateway.chat(f"openai/{MODEL}").status == 200
    waits = gaps(mock.requests(model=MODEL))[::2]
    assert max(waits) - min(waits) > 0.005


@pytest.mark.parametrize(
    "option, expected",
    [
        ("retry-after=1", 1.0),
        ("retry-after=600ms", 0.6),
        ("retry-after=date+2", 1.0),
    ],
)
def test_a_retry_after_lengthens_the_wait(start, mock, option, expected):
    gateway = start_with(start, mock, ["a"], retry_backoff_max=5000)
    mock.script(f"status=429,{option}", model=MODEL)
    assert gateway.chat(f"openai/{MODEL}").status == 200
    (wait,) = gaps(mock.requests(model=MODEL))
    assert wait >= expected - 0.01


def test_a_retry_after_may_be_longer_than_the_backoff_limit(start, mock):
    gateway = start_with(start, mock, ["a"], retry_backoff_max=300)
    mock.script("status=429,retry-after=1", model=MODEL)
    assert gateway.chat(f"openai/{MODEL}").status == 200
    (wait,) = gaps(mock.requests(model=MODEL))
    assert 0.99 <= wait <= 1 + LATE_SECONDS


def test_a_retry_after_of_the_last_attempt_reaches_the_caller(start, mock):
    gateway = start_with(start, mock, ["a"], max_retries=0)
    mock.script("status=429,retry-after=7", model=MODEL)
    reply = gateway.chat(f"openai/{MODEL}")
    assert (reply.status, reply.header("retry-after")) == (429, "7")


@pytest.mark.parametrize("fault", ["disconnect=before-head/fin", "disconnect=before-head/rst"])
def test_a_connection_that_breaks_before_a_reply_is_retried(start, mock, fault):
    gateway = start_with(start, mock, ["a", "b"])
    mock.script(fault, model=MODEL)
    assert gateway.chat(f"openai/{MODEL}").status == 200
    keys = {record.key for record in mock.requests(model=MODEL)}
    assert len(keys) == 1


def test_a_refused_connection_is_retried_and_then_a_bad_gateway(start, refused_url):
    network = {**RETRYING, "max_retries": 2}
    gateway = start(config_of({"openai": provider(refused_url, ["a"], network)}))
    reply = gateway.chat(f"openai/{MODEL}")
    assert reply.status == 502
    assert "provider_connection_failed" in reply.body.decode()
    assert reply.json()["is_bifrost_error"] is False
    assert reply.seconds >= 0.8 * (0.1 + 0.2) - 0.01


def test_the_gateways_own_timeout_is_not_retried(start, mock):
    gateway = start_with(start, mock, default_request_timeout_in_seconds=1)
    mock.script("stall=before-head", then="repeat_last", model=MODEL)
    reply = gateway.chat(f"openai/{MODEL}")
    assert reply.status == 504
    assert reply.json()["is_bifrost_error"] is True
    assert "request_timed_out" in reply.body.decode()
    assert 0.9 <= reply.seconds < 3
    assert len(mock.requests(model=MODEL)) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_stalled_attempt_is_given_up_at_the_provider(start, mock, stream):
    gateway = start_with(start, mock, default_request_timeout_in_seconds=1)
    mock.script("stall=before-head", model=MODEL)
    assert gateway.chat(f"openai/{MODEL}", stream=stream).status == 504
    aborted = poll(lambda: [r for r in mock.requests(model=MODEL) if r.aborted_at is not None], 2)
    assert len(aborted) == 1


@pytest.mark.parametrize(
    "route, model",
    [
        ("/v1/chat/completions", "openai/gpt-4o"),
        ("/openai/v1/chat/completions", "openai/gpt-4o"),
        ("/v1/chat/completions", "anthropic/claude-sonnet-4-5"),
    ],
)
def test_an_error_as_the_first_event_of_a_stream_is_a_failed_attempt(start, mock, route, model):
    section = provider(mock.url, ["a", "b"], RETRYING)
    gateway = start(config_of({"openai": section, "anthropic": provider(mock.url, ["c", "d"], RETRYING)}))
    mock.script("error-in-stream:0", model=model.split("/")[1])
    reply = gateway.post(route, chat_body(model, "first event", stream=True))
    assert reply.status == 200
    assert "first event" in reply.text()
    assert len(mock.requests(model=model.split("/")[1])) == 2


def test_an_error_as_the_first_event_has_a_real_status_when_nothing_is_left_to_try(start, mock):
    gateway = start_with(start, mock, max_retries=0)
    mock.script("error-in-stream:0", then="repeat_last", model=MODEL)
    reply = gateway.chat(f"openai/{MODEL}", stream=True)
    assert reply.status >= 400
    assert "application/json" in reply.header("content-type")
    assert reply.json()["error"]["message"]


def test_an_error_after_output_has_started_goes_to_the_caller(start, mock):
    gateway = start_with(start, mock)
    mock.script("error-in-stream:3", model=MODEL)
    reply = gateway.chat(f"openai/{MODEL}", stream=True)
    assert reply.status == 200
    assert any('"error"' in data for _, data in reply.events())
    assert len(mock.requests(model=MODEL)) == 1


def test_nothing_is_remembered_for_the_next_request(start, mock):
    gateway = start(config_of({"openai": provider(mock.url, [key("a"), key("b", weight=0)], RETRYING)}))
    mock.script("status=429", model=MODEL)
    assert gateway.chat(f"openai/{MODEL}").status == 200
    assert gateway.chat(f"openai/{MODEL}").status == 200
    assert [record.key for record in mock.requests(model=MODEL)] == ["sk-a", "sk-b", "sk-a"]
