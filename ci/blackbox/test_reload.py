"""A changed configuration takes effect without a restart and without a lost request; a bad one does
not take effect at all."""

import signal
import threading

import pytest

from harness import chat_body, config_of, poll, provider

CHAT = "/v1/chat/completions"


def config_with(mock, name):
    return config_of({"openai": provider(mock.url, [name])})


def key_in_use(gateway):
    return gateway.chat("openai/m").json()["extra_fields"]["routing_info"]["key"]


def is_used(gateway, name, seconds=5):
    return poll(lambda: key_in_use(gateway) == name, seconds)


@pytest.mark.parametrize("hurry", [False, True], ids=["file change", "SIGHUP"])
def test_a_changed_file_is_used(start, mock, hurry):
    gateway = start(config_with(mock, "before"))
    assert key_in_use(gateway) == "before"
    gateway.write_config(config_with(mock, "after"))
    if hurry:
        gateway.process.signal(signal.SIGHUP)
    assert is_used(gateway, "after", 1 if hurry else 5)


@pytest.mark.parametrize(
    "text, words",
    [
        ("{", ["config.json"]),
        (
            '{"providers": {"openai": {"keys": [{"name": "k", "value": "v", "weight": -1, "modles": []}]}}}',
            ["weight", "modles"],
        ),
        ("", ["config.json"]),
        ('{"providers": []}', ["providers"]),
    ],
)
def test_a_bad_file_keeps_what_was_and_says_why(start, mock, text, words):
    gateway = start(config_with(mock, "before"))
    gateway.write_config(text)
    gateway.process.signal(signal.SIGHUP)
    assert poll(lambda: all(word in gateway.process.log() for word in words), 5), gateway.process.log()
    assert key_in_use(gateway) == "before"
    gateway.write_config(config_with(mock, "repaired"))
    gateway.process.signal(signal.SIGHUP)
    assert is_used(gateway, "repaired")


def test_a_file_that_goes_away_keeps_what_was(start, mock):
    gateway = start(config_with(mock, "before"))
    gateway.config_path.unlink()
    gateway.process.signal(signal.SIGHUP)
    for _ in range(5):
        assert key_in_use(gateway) == "before"


def test_a_provider_can_come_and_go(start, mock):
    gateway = start(config_with(mock, "k"))
    assert gateway.chat("groq/m").status == 400
    both = config_with(mock, "k")
    both["providers"]["groq"] = provider(mock.url, ["g"])
    gateway.write_config(both)
    gateway.process.signal(signal.SIGHUP)
    assert poll(lambda: gateway.chat("groq/m").status == 200, 5)
    gateway.write_config(config_with(mock, "k"))
    gateway.process.signal(signal.SIGHUP)
    assert poll(lambda: gateway.chat("groq/m").status == 400, 5)


def test_requests_under_way_finish_as_they_began(start, mock):
    gateway = start(config_with(mock, "before"))
    mock.script("chunks=10,gap=150ms", "", model="m")
    replies = []
    thread = threading.Thread(target=lambda: replies.append(gateway.chat("openai/m", stream=True)))
    thread.start()
    assert poll(mock.requests, 3)
    gateway.write_config(config_with(mock, "after"))
    gateway.process.signal(signal.SIGHUP)
    assert is_used(gateway, "after", 3)
    thread.join()
    assert replies[0].events()[-1][1] == "[DONE]"


def test_no_request_fails_while_the_configuration_changes(start, mock, driver):
    gateway = start(config_with(mock, "key-0"), driver=driver)
    stop, statuses = threading.Event(), []

    def ask():
        with gateway.connect() as connection:
            while not stop.is_set():
                statuses.append(connection.request("POST", CHAT, {}, chat_body("openai/m")).status)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, 11):
            gateway.write_config(config_with(mock, f"key-{number}"))
            gateway.process.signal(signal.SIGHUP)
            assert is_used(gateway, f"key-{number}")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert len(statuses) > 100
    assert set(statuses) == {200}
