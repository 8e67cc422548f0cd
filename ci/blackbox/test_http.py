"""HTTP/1.1 as callers may speak it: methods, versions, keep-alive, pipelining, `Expect`, odd timing."""

import pytest

from harness import both_dialects, chat_body
from raw_http import render_request

CHAT = "/v1/chat/completions"
BODY = chat_body("openai/m", "over plain http")


def test_health_answers(gateway):
    reply = gateway.request("GET", "/health")
    assert reply.status == 200
    assert reply.json() == {"status": "ok", "components": {"db_pings": "ok"}}


def test_head_is_answered_without_a_body(gateway):
    with gateway.connect() as connection:
        assert connection.request("HEAD", "/health").status == 200
        assert connection.request("HEAD", "/nowhere").status == 404
        # Were a body sent, it would be read as the next reply's head.
        assert connection.request("GET", "/health").status == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "PROPFIND", "BREW"])
def test_other_methods_on_an_inference_route_are_refused(gateway, mock, method):
    assert gateway.request(method, CHAT).status in (404, 405)
    assert mock.requests() == []


def test_connect_and_trace_are_refused(gateway, mock):
    for line in (b"CONNECT example.com:443 HTTP/1.1", b"TRACE / HTTP/1.1"):
        with gateway.connect() as connection:
            connection.send(line + b"\r\nHost: example.com\r\n\r\n")
            assert connection.read_reply().status in (400, 404, 405, 501)
    assert mock.requests() == []


def test_a_connection_serves_many_requests(gateway, driver_gateway):
    for each in (gateway, driver_gateway):
        with each.connect() as connection:
            for number in range(50):
                reply = connection.request("POST", CHAT, {}, chat_body("openai/m", f"number {number}."))
                assert f"number {number}." in reply.text()


@pytest.fixture
def driver_gateway(start, mock, driver):
    return start(both_dialects(mock), driver=driver)


def test_pipelined_requests_are_answered_in_order(driver_gateway):
    requests = [
        render_request("POST", CHAT, {}, chat_body("openai/m@delay=100ms", "first.")),
        render_request("GET", "/health"),
        render_request("POST", CHAT, {}, chat_body("openai/m", "second.", stream=True)),
        render_request("GET", "/nowhere"),
        render_request("POST", CHAT, {}, chat_body("anthropic/m", "third.")),
    ]
    with driver_gateway.connect() as connection:
        connection.send(b"".join(requests))
        replies = [connection.read_reply() for _ in requests]
    assert [reply.status for reply in replies] == [200, 200, 200, 404, 200]
    assert [
        replies[at].text().count(word) for at, word in ((0, "first."), (2, "second."), (4, "third."))
    ] == [1, 1, 1]


def test_connection_close_is_honoured(gateway):
    for stream in (False, True):
        with gateway.connect() as connection:
            reply = connection.request("POST", CHAT, {"Connection": "close"}, {**BODY, "stream": stream})
            assert reply.status == 200
            assert connection.is_closed(2)


def test_http_1_0_is_answered_and_closed(gateway):
    body = render_request("POST", CHAT, {}, BODY).replace(b"HTTP/1.1", b"HTTP/1.0")
    for stream in (b"false", b"true"):
        request = body.replace(b'"messages"', b'"stream":' + stream + b',"messages"')
        head, _, json_body = request.partition(b"\r\n\r\n")
        head = b"\r\n".join(line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length"))
        with gateway.connect() as connection:
            connection.send(head + b"\r\nContent-Length: %d\r\n\r\n" % len(json_body) + json_body)
            reply = connection.read_reply()
            assert reply.status == 200
            assert reply.header("transfer-encoding") is None
            assert "over plain http" in reply.text()
            assert connection.is_closed(2)


def test_http_1_0_without_a_host_is_answered(gateway):
    with gateway.connect() as connection:
        connection.send(b"GET /health HTTP/1.0\r\n\r\n")
        assert connection.read_reply().status == 200


@pytest.mark.parametrize(
    "version, status", [("HTTP/2.0", 505), ("HTTP/1.2", 505), ("HTTP/3", 505), ("HTTX/1.1", 400), ("", 400)]
)
def test_other_versions_are_refused(gateway, version, status):
    with gateway.connect() as connection:
        connection.send(f"GET /health {version}\r\nHost: a\r\n\r\n".encode())
        reply = connection.read_reply()
        assert reply.status in (status, 400)
        assert connection.is_closed(2)


def test_a_client_that_expects_continue_gets_it(driver_gateway):
    head, _, body = render_request("POST", CHAT, {"Expect": "100-continue"}, BODY).partition(b"\r\n\r\n")
    with driver_gateway.connect() as connection:
        connection.send(head + b"\r\n\r\n")
        assert connection.read_head().status == 100
        connection.send(body)
        assert connection.read_reply().status == 200
        assert connection.request("GET", "/health").status == 200


def test_a_client_that_does_not_wait_for_continue_is_served(gateway):
    with gateway.connect() as connection:
        reply = connection.request("POST", CHAT, {"Expect": "100-continue"}, BODY)
        assert reply.status == 200
        assert connection.request("GET", "/health").status == 200


def test_a_body_that_will_be_refused_is_not_asked_for(start, mock):
    gateway = start(both_dialects(mock, client={"max_request_body_size_mb": 1}))
    with gateway.connect() as connection:
        connection.send(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
            b"Expect: 100-continue\r\nContent-Length: 9000000\r\n\r\n"
        )
        reply = connection.read_reply()
        assert reply.status == 413
        assert reply.informational == []


@pytest.mark.parametrize(
    "target", ["http://localhost/health", "/health?a=b", "//health", "/%68ealth", "/health/", "*"]
)
def test_odd_targets_are_answered(gateway, target):
    reply = gateway.request("GET", target)
    assert reply.status in (200, 400, 404)


def test_an_absolute_target_wins_only_with_a_matching_host(gateway):
    assert gateway.request("GET", "http://one.example/health", {"Host": "one.example"}).status == 200
    assert gateway.request("GET", "http://one.example/health", {"Host": "two.example"}).status == 400


def test_an_idle_connection_does_not_keep_another_waiting(gateway):
    with gateway.connect() as idle, gateway.connect() as half:
        half.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Le")
        for _ in range(10):
            assert gateway.chat("openai/m").status == 200
        assert idle.request("GET", "/health").status == 200


@pytest.mark.alone
def test_small_replies_are_not_held_back(driver_gateway):
    """Head and body in two small packets would meet delayed acknowledgements: 40 ms each."""
    with driver_gateway.connect() as connection:
        connection.request("POST", CHAT, {}, BODY)
        seconds = sorted(connection.request("POST", CHAT, {}, BODY).seconds for _ in range(20))
    assert seconds[10] < 0.03
