"""Which key a request uses: lists, aliases, weights, pins, and keys the caller brings."""

from collections import Counter

import pytest

from harness import config_of, key, provider

# The 99.99 % point of chi-square with two degrees of freedom: a right draw fails once in 10,000 runs.
CHI_SQUARE_MAX = 18.4
DRAWS = 2000


def start_keys(start, mock, keys, **client):
    return start(config_of({"openai": provider(mock.url, keys)}, client))


def used(mock):
    return [record.key for record in mock.requests()]


def test_weights_share_the_traffic(start, mock, driver):
    weights = {"a": 0.5, "b": 0.3, "c": 0.2}
    gateway = start_keys(start, mock, [key(name, weight=weight) for name, weight in weights.items()])
    names = {record_name: 0 for record_name in weights}
    with gateway.connect() as one, gateway.connect() as two:
        for draw in range(DRAWS):
            reply = (one, two)[draw % 2].request(
                "POST",
                "/v1/chat/completions",
                {},
                {"model": "openai/m", "messages": [{"role": "user", "content": "x"}]},
            )
            names[reply.json()["extra_fields"]["routing_info"]["key"]] += 1
    expected = {name: DRAWS * weight for name, weight in weights.items()}
    chi_square = sum((names[name] - count) ** 2 / count for name, count in expected.items())
    assert chi_square < CHI_SQUARE_MAX, names


def test_a_key_of_weight_zero_is_never_drawn_while_others_have_weight(start, mock):
    gateway = start_keys(start, mock, [key("a", weight=0), key("b", weight=0.2)])
    for _ in range(50):
        assert gateway.chat("openai/m").status == 200
    assert set(used(mock)) == {"sk-b"}


def test_weights_that_are_all_zero_share_evenly(start, mock):
    gateway = start_keys(start, mock, [key("a", weight=0), key("b", weight=0)])
    for _ in range(60):
        assert gateway.chat("openai/m").status == 200
    counts = Counter(used(mock))
    assert min(counts["sk-a"], counts["sk-b"]) >= 8


def test_weights_count_in_hundredths(start, mock):
    gateway = start_keys(start, mock, [key("a", weight=0.004), key("b", weight=1)])
    for _ in range(50):
        assert gateway.chat("openai/m").status == 200
    assert set(used(mock)) == {"sk-b"}


@pytest.mark.parametrize(
    "members, model, allowed",
    [
        ({"models": ["*"]}, "any", True),
        ({"models": ["gpt-4o"]}, "gpt-4o", True),
        ({"models": ["gpt-4o"]}, "GPT-4O", True),
        ({"models": ["gpt-4o"]}, "gpt-4o-mini", False),
        ({"models": []}, "gpt-4o", False),
        ({"models": ["*"], "blacklisted_models": ["gpt-4o"]}, "gpt-4o", False),
        ({"models": ["*"], "blacklisted_models": ["gpt-4o"]}, "other", True),
        ({"models": ["gpt-4o"], "blacklisted_models": ["gpt-4o"]}, "gpt-4o", False),
        ({"models": ["*"], "blacklisted_models": ["*"]}, "any", False),
        ({"models": ["*"], "enabled": False}, "any", False),
    ],
    ids=str,
)
def test_lists_say_which_models_a_key_serves(start, mock, members, model, allowed):
    gateway = start_keys(start, mock, [key("a", **members)])
    reply = gateway.chat(f"openai/{model}")
    assert reply.status == (200 if allowed else 400)
    if not allowed:
        assert reply.json()["is_bifrost_error"] is False
        if members.get("enabled", True):
            assert reply.json()["error"]["message"] == f"no keys found that support model: {model}"
        assert mock.requests() == []


def test_version_one_files_read_an_empty_list_as_all(start, mock):
    gateway = start({**config_of({"openai": provider(mock.url, [key("a", models=[])])}), "version": 1})
    assert gateway.chat("openai/any").status == 200


def test_only_keys_that_serve_the_model_are_drawn(start, mock):
    gateway = start_keys(start, mock, [key("a", models=["m"]), key("b", models=["other"])])
    for _ in range(20):
        assert gateway.chat("openai/m").status == 200
    assert set(used(mock)) == {"sk-a"}


def test_an_alias_is_sent_under_the_name_the_provider_knows(start, mock):
    keys = [key("a", models=["fast"], aliases={"fast": "gpt-4o-mini-2024"})]
    gateway = start_keys(start, mock, keys)
    reply = gateway.chat("openai/fast", "through an alias")
    assert reply.status == 200
    (record,) = mock.requests()
    assert record.model == "gpt-4o-mini-2024"
    fields = reply.json()["extra_fields"]
    assert fields["original_model_requested"] == "fast"
    assert fields["resolved_model_used"] == "gpt-4o-mini-2024"
    assert fields["routing_info"]["resolved_key_alias"]["model_id"] == "gpt-4o-mini-2024"


def test_each_key_has_its_own_aliases(start, mock):
    keys = [key("a", aliases={"fast": "for-a"}), key("b", aliases={"fast": "for-b"})]
    gateway = start_keys(start, mock, keys)
    for pin in ("a", "b"):
        assert gateway.chat("openai/fast", headers={"x-bf-api-key": pin}).status == 200
    assert [(record.key, record.model) for record in mock.requests()] == [
        ("sk-a", "for-a"),
        ("sk-b", "for-b"),
    ]


@pytest.mark.parametrize(
    "headers, expected",
    [
        ({"x-bf-api-key": "b"}, "sk-b"),
        ({"x-bf-api-key-id": "id-b"}, "sk-b"),
        ({"x-bf-api-key-id": " id-b ", "x-bf-api-key": "a"}, "sk-b"),
        ({"x-bf-api-key-id": "  ", "x-bf-api-key": "a"}, "sk-a"),
        ({"X-BF-API-Key": "a"}, "sk-a"),
    ],
    ids=str,
)
def test_a_pinned_key_is_used_every_time(start, mock, headers, expected):
    gateway = start_keys(start, mock, [key("a", id="id-a"), key("b", id="id-b")])
    for _ in range(10):
        assert gateway.chat("openai/m", headers=headers).status == 200
    assert set(used(mock)) == {expected}


@pytest.mark.parametrize(
    "headers",
    [
        {"x-bf-api-key": "nobody"},
        {"x-bf-api-key-id": "nobody"},
        {"x-bf-api-key-id": "a"},
        {"x-bf-api-key": "closed"},
    ],
    ids=str,
)
def test_a_pin_outside_the_pool_is_refused(start, mock, headers):
    gateway = start_keys(start, mock, [key("a", id="id-a"), key("closed", models=["other"])])
    reply = gateway.chat("openai/m", headers=headers)
    assert reply.status == 400
    assert "no supported key found with" in reply.json()["error"]["message"]
    assert mock.requests() == []


DIRECT = {"x-bf-direct-key": "true"}


@pytest.mark.parametrize(
    "headers, expected",
    [
        ({**DIRECT, "Authorization": "Bearer sk-own"}, "sk-own"),
        ({**DIRECT, "x-api-key": "sk-own"}, "sk-own"),
        ({**DIRECT, "x-goog-api-key": "sk-own"}, "sk-own"),
        ({**DIRECT, "Authorization": "Bearer sk-bf-team", "x-api-key": "sk-own"}, "sk-own"),
        ({"Authorization": "Bearer sk-own"}, "sk-a"),
        ({"x-bf-direct-key": "false", "Authorization": "Bearer sk-own"}, "sk-a"),
        (DIRECT, "sk-a"),
    ],
    ids=str,
)
def test_the_callers_own_key_is_used_when_it_asks(start, mock, headers, expected):
    team = {"id": "team", "name": "team", "value": "sk-bf-team", "is_active": True}
    config = config_of({"openai": provider(mock.url, ["a"])}, {"allow_direct_keys": True})
    gateway = start({**config, "governance": {"virtual_keys": [team]}})
    assert gateway.chat("openai/m", headers=headers).status == 200
    assert used(mock) == [expected]


def test_a_virtual_key_nobody_issued_is_refused(start, mock):
    gateway = start_keys(start, mock, ["a"])
    reply = gateway.chat("openai/m", headers={"x-bf-vk": "sk-bf-unknown"})
    assert (reply.status, reply.json()["type"]) == (403, "access_not_found")
    assert used(mock) == []


def test_the_callers_own_key_needs_the_switch(start, mock):
    gateway = start_keys(start, mock, ["a"])
    assert gateway.chat("openai/m", headers={**DIRECT, "Authorization": "Bearer sk-own"}).status == 200
    assert used(mock) == ["sk-a"]


def test_the_callers_own_key_is_not_rotated_and_serves_any_model(start, mock):
    gateway = start(
        config_of(
            {
                "openai": provider(
                    mock.url,
                    [key("a", models=["only"]), "b"],
                    {"max_retries": 3, "retry_backoff_initial": 100},
                )
            },
            {"allow_direct_keys": True},
        )
    )
    mock.script("status=429", model="m")
    reply = gateway.chat("openai/m", headers={**DIRECT, "Authorization": "Bearer sk-own"})
    assert reply.status == 200
    assert used(mock) == ["sk-own", "sk-own"]
    assert reply.json()["extra_fields"]["routing_info"]["key"] == "header-provided"


def test_the_callers_own_key_is_not_given_to_a_fallback(start, mock):
    gateway = start(
        config_of(
            {
                "openai": provider(mock.url, ["a"]),
                "anthropic": provider(mock.url, ["stored"]),
            },
            {"allow_direct_keys": True},
        )
    )
    mock.script("status=500", then="repeat_last", model="m")
    headers = {**DIRECT, "Authorization": "Bearer sk-own"}
    assert gateway.chat("openai/m", headers=headers, fallbacks=["anthropic/claude-x"]).status == 200
    assert used(mock) == ["sk-own", "sk-stored"]


def test_a_key_from_the_environment_is_read_at_start(start, mock):
    keys = [{"name": "a", "value": "env.TEAM_PROVIDER_KEY", "models": ["*"], "weight": 1}]
    gateway = start(
        config_of({"openai": provider(mock.url, keys)}), environment={"TEAM_PROVIDER_KEY": "sk-from-env"}
    )
    assert gateway.chat("openai/m").status == 200
    assert used(mock) == ["sk-from-env"]
    assert "sk-from-env" not in gateway.process.log()


def test_a_key_whose_variable_is_unset_is_no_key(start, mock):
    keys = [{"name": "a", "value": "env.NOT_SET_ANYWHERE", "models": ["*"], "weight": 1}]
    gateway = start(config_of({"openai": provider(mock.url, keys)}))
    assert gateway.chat("openai/m").status == 400
    assert mock.requests() == []


def test_credentials_of_the_callers_sdk_never_reach_the_provider(gateway, mock):
    headers = {"Authorization": "Bearer sk-dummy-a", "x-api-key": "sk-dummy-b", "Cookie": "session=1"}
    assert gateway.chat("openai/m", headers=headers).status == 200
    assert gateway.messages("anthropic/m", headers=headers).status == 200
    first, second = mock.requests()
    assert first.header("authorization") == "Bearer sk-openai-key"
    assert first.header("x-api-key") is None
    assert second.header("x-api-key") == "sk-anthropic-key"
    assert second.header("authorization") is None
    assert all(record.header("cookie") is None for record in (first, second))
