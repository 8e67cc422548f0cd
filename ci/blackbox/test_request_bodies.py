"""Request bodies however they are sent: compressed, chunked, in pieces, too big, or a bomb."""

import gzip
import json
import zlib

import brotli
import pytest
import zstandard

from harness import both_dialects, chat_body
from raw_http import render_request

CHAT = "/v1/chat/completions"
BODY = json.dumps(chat_body("openai/gpt-4o", "compressed words")).encode()
ENCODERS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def send(gateway, body, encoding, **headers):
    return gateway.request(
        "POST", CHAT, {"Content-Encoding": encoding, "Content-Type": "application/json", **headers}, body
    )


@pytest.mark.parametrize("encoding", ENCODERS)
def test_a_compressed_body_is_read(gateway, mock, encoding):
    reply = send(gateway, ENCODERS[encoding](BODY), encoding)
    assert reply.status == 200
    assert "compressed words" in reply.text()
    (record,) = mock.requests()
    assert record.header("content-encoding") is None
    assert record.json()["messages"][0]["content"] == "compressed words"


def test_raw_deflate_is_read_too(gateway):
    compressor = zlib.compressobj(wbits=-15)
    assert send(gateway, compressor.compress(BODY) + compressor.flush(), "deflate").status == 200


def test_names_of_encodings_have_no_case(gateway):
    assert send(gateway, gzip.compress(BODY), "GZip").status == 200
    assert send(gateway, BODY, "identity").status == 200


@pytest.mark.parametrize("encoding", ["compress", "snappy", "gzip2", "rot13"])
def test_an_unknown_encoding_is_refused(gateway, mock, encoding):
    reply = send(gateway, BODY, encoding)
    assert reply.status == 400
    assert reply.json()["error"]["message"].startswith("invalid compressed request body")
    assert mock.requests() == []


@pytest.mark.parametrize("encoding", ENCODERS)
def test_a_broken_compressed_body_is_refused(gateway, mock, encoding):
    whole = ENCODERS[encoding](BODY * 20)
    for broken in (whole[: len(whole) // 2], b"garbage" + whole, b""):
        reply = send(gateway, broken, encoding)
        assert reply.status == 400
    assert mock.requests() == []


@pytest.mark.alone
@pytest.mark.parametrize("encoding", ENCODERS)
def test_a_bomb_is_too_large_and_costs_little_memory(start, mock, encoding):
    gateway = start(both_dialects(mock, client={"max_request_body_size_mb": 2}))
    before = gateway.resident_bytes()
    bomb = ENCODERS[encoding](b'{"model":"openai/m","pad":"' + b"a" * (200 << 20))
    assert len(bomb) < 2 << 20
    reply = send(gateway, bomb, encoding)
    assert reply.status == 413
    assert gateway.resident_bytes() - before < 32 << 20
    assert gateway.chat("openai/m").status == 200


def test_a_body_sent_byte_by_byte_is_read(gateway):
    request = render_request("POST", CHAT, {}, chat_body("openai/m", "in pieces"))
    with gateway.connect() as connection:
        for at in range(len(request)):
            connection.send(request[at : at + 1])
        assert "in pieces" in connection.read_reply().text()


@pytest.mark.parametrize("size", [1, 7, 100, 1 << 20])
def test_a_chunked_body_is_read(gateway, mock, size):
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(BODY[at : at + size]), BODY[at : at + size])
        for at in range(0, len(BODY), size)
    )
    with gateway.connect() as connection:
        connection.send(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        connection.send(chunks + b"0\r\n\r\n")
        assert connection.read_reply().status == 200
        assert connection.request("GET", "/health").status == 200
    (record,) = mock.requests()
    assert record.json()["model"] == "gpt-4o"


def test_trailers_and_chunk_extensions_are_read_and_dropped(gateway, mock):
    body = b"%x;name=value\r\n%s\r\n0;last\r\nX-Checksum: abc\r\nX-Api-Key: smuggled\r\n\r\n" % (
        len(BODY),
        BODY,
    )
    with gateway.connect() as connection:
        connection.send(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
            b"Transfer-Encoding: chunked\r\nTrailer: X-Checksum\r\n\r\n" + body
        )
        assert connection.read_reply().status == 200
        assert connection.request("GET", "/health").status == 200
    (record,) = mock.requests()
    assert "smuggled" not in str(record.headers)


def test_a_large_body_arrives_whole(start, mock):
    gateway = start(both_dialects(mock, client={"max_request_body_size_mb": 30}))
    text = "abcdefghij" * (2 << 20)
    for route in (CHAT, "/openai/v1/chat/completions"):
        reply = gateway.post(route, chat_body("openai/m", text))
        assert reply.status == 200
        assert reply.text().startswith("mock reply to: abcdefghij")


@pytest.mark.parametrize("depth", [100, 10_000, 1_000_000])
def test_deep_nesting_is_answered_not_died_of(gateway, depth):
    nested = b'{"model":"openai/m","messages":' + b"[" * depth + b"]" * depth + b"}"
    reply = gateway.request("POST", CHAT, {"Content-Type": "application/json"}, nested)
    assert 400 <= reply.status < 500
    nested = nested.replace(b"openai/m", b"anthropic/m")
    assert 400 <= gateway.request("POST", CHAT, {"Content-Type": "application/json"}, nested).status < 500
    assert gateway.chat("openai/m").status == 200


def test_duplicate_models_are_refused(gateway, mock):
    body = b'{"model":"openai/m","model":"anthropic/claude-x","messages":[{"role":"user","content":"x"}]}'
    assert gateway.request("POST", CHAT, {"Content-Type": "application/json"}, body).status == 400
    assert mock.requests() == []
