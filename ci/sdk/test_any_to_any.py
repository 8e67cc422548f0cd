"""Any SDK to any upstream: text, a stream, a tool loop, a look at an image, and JSON by a schema."""

import json

import pytest

import clients
import upstreams


def where(upstream):
    return "straight" if upstream is None else f"to {upstream}"


CASES = [
    pytest.param(client, feature, upstream, id=f"{client.sdk} {feature} {where(upstream)}")
    for client in clients.CLIENTS
    for feature in clients.FEATURES
    for upstream in [None, *upstreams.UPSTREAMS]
]


def is_of_schema(text):
    city = json.loads(text)
    assert set(city) == {"name", "inhabitants", "rivers"}
    assert isinstance(city["name"], str) and isinstance(city["inhabitants"], int)
    assert all(isinstance(river, str) for river in city["rivers"])


def ask(client, feature):
    if feature == "text":
        assert "say something nice" in client.text("say something nice")
    elif feature == "stream":
        pieces = [piece for piece in client.stream("say something nice") if piece]
        assert len(pieces) > 1 and "say something nice" in "".join(pieces)
    elif feature == "tools":
        name, arguments, text = client.tools("what is the weather", "sunny-21")
        assert name == clients.TOOL and set(arguments) == {"city", "days"}
        assert isinstance(arguments["city"], str) and arguments["days"] == int(arguments["days"])
        assert "tool result said: sunny-21" in text
    elif feature == "image":
        assert "1 image seen" in client.image("what is this")
    elif feature == "structured":
        is_of_schema(client.structured("tell me of a city"))


@pytest.mark.parametrize("client, feature, upstream", CASES)
def test_any_to_any(request, mock, client, feature, upstream):
    if upstream is None:
        base_url, model = mock.url + client.straight, upstreams.model_of(client.dialect)
    else:
        gateway = request.getfixturevalue("gateway_to")(upstream)
        base_url, model = gateway.url + client.route, f"{upstream}/{upstreams.model_of(upstream)}"
    ask(client(base_url, model), feature)
    # What was answered came from the upstream that was asked for.
    assert mock.requests()
