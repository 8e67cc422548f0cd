"""Bodies that are forms or bytes: speech, transcription, changed pictures, against providers that answer as
the real ones do."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness import config_of, provider
from raw_http import read_events

MP3 = b"\xff\xfb\x90\x00" + bytes(range(256))
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
TEXT = {"text": "Guten Tag", "usage": {"type": "duration", "seconds": 2}}
BOUNDARY = "----formdata-0123456789"


class Studio:
    """A provider that keeps what it gets and answers every path with what it was told to."""

    def __init__(self):
        self.seen = []
        self.answers = {}
        studio = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                studio.seen.append((self.path, self.headers, body))
                path = self.path.split("?")[0]
                status, content_type, reply = studio.answers.get(path, (404, "application/json", b"{}"))
                self.send_response(status)
                self.send_header("content-type", content_type)
                if isinstance(reply, bytes):
                    self.send_header("content-length", str(len(reply)))
                    self.end_headers()
                    self.wfile.write(reply)
                    return
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                for piece in reply:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    self.wfile.flush()
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path, reply, content_type="application/json", status=200):
        body = json.dumps(reply).encode() if isinstance(reply, dict) else reply
        self.answers[path] = (status, content_type, body)

    def json(self):
        return json.loads(self.seen[-1][2])

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def studio():
    one = Studio()
    yield one
    one.close()


def form(*parts, end="--\r\n"):
    """A form of (name, value) and (name, file name, value)."""
    body = b""
    for name, *rest in parts:
        value = rest[-1]
        file_name = f'; filename="{rest[0]}"\r\nContent-Type: application/octet-stream' if rest[1:] else ""
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file_name}\r\n\r\n'
        body += head.encode() + (value if isinstance(value, bytes) else value.encode()) + b"\r\n"
    return body + f"--{BOUNDARY}{end}".encode()


FORM = [("content-type", f"multipart/form-data; boundary={BOUNDARY}")]


def send(gateway, route, *parts, headers=()):
    return gateway.post(route, form(*parts), [*FORM, *headers])


def gateway_of(start, studio, names=("openai",), client=None, **members):
    sections = {name: provider(studio.url, ["k"], {"max_retries": 0}, **members) for name in names}
    return start(config_of(sections, client), workers=1)


RECORDING = ("file", "talk.mp3", MP3)


@pytest.mark.parametrize("order", ["first", "last"])
@pytest.mark.parametrize(
    "route", ["/v1/audio/transcriptions", "/openai/v1/audio/transcriptions", "/litellm/audio/transcriptions"]
)
def test_only_the_model_of_a_form_changes(start, studio, route, order):
    studio.answer("/v1/audio/transcriptions", TEXT)
    gateway = gateway_of(start, studio)
    more = [("language", "de"), ("odd[]", "\r\n--x"), RECORDING]
    parts = lambda model: [("model", model), *more] if order == "first" else [*more, ("model", model)]  # noqa: E731
    reply = send(gateway, route, *parts("openai/whisper-1"))
    assert reply.status == 200 and reply.json()["text"] == "Guten Tag"
    path, headers, body = studio.seen[-1]
    assert path == "/v1/audio/transcriptions" and headers["authorization"] == "Bearer sk-k"
    assert headers["content-type"] == FORM[0][1]
    assert body == form(*parts("whisper-1"))
    if route.startswith("/v1"):
        assert reply.json()["extra_fields"]["request_type"] == "transcription"


def test_a_large_form_streams_through(start, studio):
    studio.answer("/v1/audio/transcriptions", TEXT)
    gateway = gateway_of(start, studio)
    sound = MP3 * 40_000
    for parts in (
        [("model", "openai/m"), ("file", "a.mp3", sound)],
        [("file", "a.mp3", sound), ("model", "openai/m")],
    ):
        assert send(gateway, "/v1/audio/transcriptions", *parts).status == 200
        expected = [(name, *rest[:-1], "m" if name == "model" else rest[-1]) for name, *rest in parts]
        assert studio.seen[-1][2] == form(*expected)


def test_fallbacks_of_a_form_are_tried_and_not_sent(start, studio):
    studio.answer("/v1/audio/transcriptions", {"error": {"message": "no"}}, status=500)
    studio.answer("/v1/speech-to-text", {"text": "Hallo", "language_code": "de", "words": []})
    gateway = gateway_of(start, studio, ["openai", "elevenlabs"])
    fallback = ("fallbacks", "elevenlabs/scribe_v1")
    reply = send(gateway, "/v1/audio/transcriptions", ("model", "openai/m"), fallback, RECORDING)
    assert reply.status == 200 and reply.json()["text"] == "Hallo"
    assert reply.json()["extra_fields"]["routing_info"]["is_fallback"] is True
    assert studio.seen[0][2] == form(("model", "m"), RECORDING)
    path, headers, body = studio.seen[1]
    assert path == "/v1/speech-to-text" and headers["xi-api-key"] == "sk-k"
    assert b'name="model_id"\r\n\r\nscribe_v1' in body and MP3 in body and b"fallbacks" not in body


@pytest.mark.parametrize(
    ("route", "parts", "message"),
    [
        ("/v1/audio/transcriptions", [("model", "openai/m")], "file is required"),
        ("/v1/images/edits", [("model", "openai/m"), ("prompt", "p")], "image is required"),
        ("/v1/images/edits", [("model", "openai/m"), ("image", "a.png", PNG)], "prompt is required"),
        ("/v1/images/variations", [("model", "openai/m")], "image is required"),
        ("/v1/audio/transcriptions", [("model", "a"), ("model", "b"), RECORDING], "model is given twice"),
        ("/v1/audio/transcriptions", [("stream", "maybe"), RECORDING], "stream must be true or false"),
    ],
)
def test_what_is_wrong_with_a_form_is_named(start, studio, route, parts, message):
    reply = send(gateway_of(start, studio), route, *parts)
    assert reply.status == 400 and message in reply.json()["error"]["message"]
    assert not studio.seen


def test_what_is_no_form_is_refused(start, studio):
    gateway = gateway_of(start, studio)
    whole = form(("model", "openai/m"), RECORDING)
    for body, headers in [
        (whole[:-20], FORM),
        (whole, [("content-type", "multipart/form-data")]),
        (b"preamble\r\n" + whole, FORM),
        (whole + b"more", FORM),
        (b"", FORM),
        (whole, [("content-type", "text/plain")]),
    ]:
        reply = gateway.post("/v1/audio/transcriptions", body, headers)
        assert reply.status == 400, body[:40]
        assert gateway.chat("openai/m").status == 404
    assert all(path.endswith("/chat/completions") for path, _, _ in studio.seen)


def test_a_deployment_in_the_path_wins(start, studio):
    path = "/openai/deployments/whisper%20eu/audio/transcriptions"
    studio.answer(path, TEXT)
    key = {
        "name": "k",
        "value": "sk-k",
        "models": ["*"],
        "weight": 1,
        "azure_key_config": {"endpoint": studio.url},
    }
    gateway = start(config_of({"azure": {"keys": [key]}, "openai": provider(studio.url, ["k"])}), workers=1)
    reply = send(gateway, path, ("model", "other"), RECORDING)
    assert reply.status == 200
    target, headers, _ = studio.seen[-1]
    assert target == f"{path}?api-version=2025-04-01-preview" and headers["api-key"] == "sk-k"
    studio.answer("/v1/audio/transcriptions", TEXT)
    route = "/openai/deployments/openai%2Fwhisper-1/audio/transcriptions"
    assert send(gateway, route, RECORDING).status == 200
    assert studio.seen[-1][2] == form(("model", "whisper-1"), RECORDING)


def test_text_formats_come_raw(start, studio):
    studio.answer("/v1/audio/transcriptions", b"Guten Tag\n", "text/plain; charset=utf-8")
    reply = send(
        gateway_of(start, studio),
        "/openai/v1/audio/transcriptions",
        ("model", "openai/m"),
        ("response_format", "text"),
        RECORDING,
    )
    assert reply.body == b"Guten Tag\n" and reply.header("content-type").startswith("text/plain")


@pytest.mark.parametrize("content_type", ["audio/mpeg", "audio/wav"])
def test_speech_is_bytes(start, studio, content_type):
    studio.answer("/v1/audio/speech", MP3, content_type)
    reply = gateway_of(start, studio).post(
        "/v1/audio/speech", {"model": "openai/tts-1", "input": "hi", "voice": "alloy"}
    )
    assert (reply.status, reply.body, reply.header("content-type")) == (200, MP3, content_type)
    assert reply.header("content-disposition").startswith("attachment; filename=speech.")
    assert studio.json() == {"model": "tts-1", "input": "hi", "voice": "alloy"}


def test_speech_streams_when_its_format_says_so(start, studio):
    events = [
        b'data: {"type":"speech.audio.delta","audio":"AA=="}\n\n',
        b'data: {"type":"speech.audio.done"}\n\n',
    ]
    studio.answer("/v1/audio/speech", events, "text/event-stream")
    body = {"model": "openai/tts-1", "input": "hi", "voice": "alloy", "stream_format": "sse"}
    reply = gateway_of(start, studio).post("/openai/v1/audio/speech", body)
    assert reply.body == b"".join(events) and reply.header("content-disposition") is None
    assert reply.header("x-bifrost-request-type") == "speech_stream"


SPEECH = {"input": "hi", "voice": "v"}


def test_elevenlabs_speaks(start, studio):
    gateway = gateway_of(start, studio, ["elevenlabs"])
    studio.answer("/v1/text-to-speech/v", MP3, "audio/mpeg")
    reply = gateway.post("/openai/v1/audio/speech", {"model": "elevenlabs/eleven_v3", **SPEECH})
    assert (reply.body, reply.header("content-type")) == (MP3, "audio/mpeg")
    assert studio.seen[-1][0] == "/v1/text-to-speech/v?output_format=mp3_44100_128"
    assert studio.json() == {"text": "hi", "model_id": "eleven_v3"}
    assert studio.seen[-1][1]["xi-api-key"] == "sk-k"

    studio.answer("/v1/text-to-speech/v/stream", [MP3[:7], MP3[7:]], "audio/mpeg")
    body = {"model": "elevenlabs/eleven_v3", **SPEECH, "stream_format": "sse"}
    reply = gateway.post("/v1/audio/speech", body)
    *sounds, done, end = [data for _, data in read_events(reply.body)]
    assert b"".join(base64.b64decode(json.loads(sound)["audio"]) for sound in sounds) == MP3
    assert json.loads(done)["type"] == "speech.audio.done" and end == "[DONE]"
    assert json.loads(sounds[0])["extra_fields"]["request_type"] == "speech_stream"

    error = {"detail": {"status": "voice_not_found", "message": "A voice was not found."}}
    studio.answer("/v1/text-to-speech/v", error, status=404)
    reply = gateway.post("/v1/audio/speech", {"model": "elevenlabs/eleven_v3", **SPEECH})
    assert reply.status == 404 and "A voice was not found." in reply.json()["error"]["message"]


def test_sounds_are_generated(start, studio):
    studio.answer("/v1/sound-generation", MP3, "audio/mpeg")
    body = {"model": "elevenlabs/eleven_text_to_sound_v2", "text": "rain", "duration_seconds": 2}
    reply = gateway_of(start, studio, ["elevenlabs"]).post("/v1/sound-generation", body)
    assert (reply.status, reply.body) == (200, MP3)
    assert studio.json() == {"model_id": "eleven_text_to_sound_v2", "text": "rain", "duration_seconds": 2}


def test_gemini_speaks_and_listens(start, studio):
    gateway = gateway_of(start, studio, ["gemini"])
    path = "/models/gemini-2.5-flash-preview-tts:generateContent"
    sound = {"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": "AQA="}}
    usage = {"promptTokenCount": 2, "candidatesTokenCount": 5, "totalTokenCount": 7}
    answer = {"candidates": [{"content": {"parts": [sound]}, "finishReason": "STOP"}], "usageMetadata": usage}
    studio.answer(path, answer)
    body = {"model": "gemini/gemini-2.5-flash-preview-tts", **SPEECH}
    reply = gateway.post("/v1/audio/speech", body)
    assert (
        reply.header("content-type") == "audio/wav"
        and reply.body.startswith(b"RIFF")
        and len(reply.body) == 46
    )
    refusal = gateway.post("/v1/audio/speech", {**body, "response_format": "opus"})
    assert refusal.status == 400 and "response_format" in refusal.json()["error"]["message"]
    assert "gemini" in refusal.json()["error"]["message"]

    studio.answer(
        path.replace("generate", "streamGenerate"),
        [b"data: %s\n\n" % json.dumps(answer).encode()],
        "text/event-stream",
    )
    reply = gateway.post(
        "/openai/v1/audio/speech", {**body, "response_format": "pcm", "stream_format": "sse"}
    )
    kinds = [json.loads(data)["type"] for _, data in read_events(reply.body)[:-1]]
    assert kinds == ["speech.audio.delta", "speech.audio.done"]

    text = {
        "candidates": [{"content": {"parts": [{"text": "Guten Tag"}]}, "finishReason": "STOP"}],
        "usageMetadata": usage,
    }
    studio.answer("/models/gemini-2.5-flash:generateContent", text)
    reply = send(gateway, "/v1/audio/transcriptions", ("model", "gemini/gemini-2.5-flash"), RECORDING)
    assert reply.json()["text"] == "Guten Tag" and reply.json()["usage"]["total_tokens"] == 7
    prompt, recording = studio.json()["contents"][0]["parts"]
    assert prompt == {"text": "Generate a transcript of the speech."}
    assert base64.b64decode(recording["inlineData"]["data"]) == MP3
    raw = send(
        gateway,
        "/openai/v1/audio/transcriptions",
        ("model", "gemini/gemini-2.5-flash"),
        ("response_format", "text"),
        RECORDING,
    )
    assert raw.body == b"Guten Tag\n" and raw.header("content-type") == "text/plain; charset=utf-8"


def test_sarvam_is_told_the_key_twice(start, studio):
    studio.answer("/text-to-speech", {"request_id": "r", "audios": [base64.b64encode(MP3).decode()]})
    reply = gateway_of(start, studio, ["sarvam"]).post(
        "/v1/audio/speech", {"model": "sarvam/bulbul:v2", **SPEECH}
    )
    assert (reply.body, reply.header("content-type")) == (MP3, "audio/mpeg")
    headers = studio.seen[-1][1]
    assert headers["api-subscription-key"] == "sk-k" and headers["authorization"] == "Bearer sk-k"


@pytest.mark.parametrize("stream", [False, True])
def test_hosts_of_openais_forms_answer_as_openai(start, studio, stream):
    gateway = gateway_of(start, studio, ["mistral"])
    delta = b'data: {"type":"transcription.text.delta","text":"Hi"}\n\n'
    done = {
        "type": "transcription.done",
        "text": "Hi",
        "model": "m",
        "usage": {"prompt_tokens": 3, "total_tokens": 9},
    }
    whole = {
        "model": "m",
        "text": "Hi",
        "language": None,
        "segments": [],
        "usage": {"prompt_tokens": 3, "total_tokens": 9},
    }
    if stream:
        pieces = [delta, b"event: transcription.done\ndata: %s\n\n" % json.dumps(done).encode()]
        studio.answer("/v1/audio/transcriptions", pieces, "text/event-stream")
    else:
        studio.answer("/v1/audio/transcriptions", whole)
    parts = [("model", "mistral/voxtral-mini"), ("stream", "true" if stream else "false"), RECORDING]
    reply = send(gateway, "/openai/v1/audio/transcriptions", *parts)
    assert reply.status == 200
    if stream:
        kinds = [json.loads(data)["type"] for _, data in read_events(reply.body)[:-1]]
        assert kinds == ["transcript.text.delta", "transcript.text.done"]
    else:
        assert reply.json()["text"] == "Hi" and reply.json()["usage"]["total_tokens"] == 9


PICTURE = ("image", "a.png", PNG)


def test_pictures_are_changed(start, studio):
    gateway = gateway_of(start, studio, ["openai", "gemini"])
    studio.answer("/v1/images/edits", {"created": 1, "data": [{"b64_json": "AA=="}]})
    parts = [("prompt", "green"), ("image[]", "a.png", PNG), ("image[]", "b.png", PNG)]
    reply = send(gateway, "/v1/images/edits", ("model", "openai/gpt-image-1"), *parts)
    assert reply.json()["data"] == [{"b64_json": "AA=="}]
    assert reply.json()["extra_fields"]["request_type"] == "image_edit"
    assert studio.seen[-1][2] == form(("model", "gpt-image-1"), *parts)

    body = {"model": "openai/gpt-image-1", "prompt": "green", "images": [{"image_url": "https://a.b/c.png"}]}
    assert gateway.post("/openai/v1/images/edits", body).status == 200
    assert studio.json() == {**body, "model": "gpt-image-1"}

    picture = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(PNG).decode()}}
    path = "/models/gemini-2.5-flash-image:generateContent"
    studio.answer(path, {"candidates": [{"content": {"parts": [picture]}, "finishReason": "STOP"}]})
    reply = send(gateway, "/v1/images/edits", ("model", "gemini/gemini-2.5-flash-image"), *parts)
    assert base64.b64decode(reply.json()["data"][0]["b64_json"]) == PNG
    assert len(studio.json()["contents"][0]["parts"]) == 3
    reply = gateway.post(
        "/v1/images/generations", {"model": "gemini/gemini-2.5-flash-image", "prompt": "a cat"}
    )
    assert base64.b64decode(reply.json()["data"][0]["b64_json"]) == PNG
    refusal = send(gateway, "/v1/images/edits", ("model", "gemini/x"), *parts, ("mask", "m.png", PNG))
    assert refusal.status == 400 and "mask" in refusal.json()["error"]["message"]


def test_edits_stream(start, studio):
    event = b'event: image_edit.completed\ndata: {"type":"image_edit.completed","b64_json":"AA=="}\n\n'
    studio.answer("/v1/images/edits", [event], "text/event-stream")
    parts = [("model", "openai/gpt-image-1"), ("prompt", "green"), ("stream", "true"), PICTURE]
    reply = send(gateway_of(start, studio), "/openai/v1/images/edits", *parts)
    assert reply.body == event and reply.header("x-bifrost-request-type") == "image_edit_stream"


def test_variations(start, studio):
    studio.answer("/v1/images/variations", {"created": 1, "data": [{"url": "https://a.b/c"}]})
    path = "/model/amazon.titan-image-generator-v2%3A0/invoke"
    studio.answer(path, {"images": ["AA=="], "error": None})
    bedrock = {
        "name": "k",
        "value": "sk-k",
        "models": ["*"],
        "weight": 1,
        "bedrock_key_config": {"region": "eu"},
    }
    sections = {"openai": provider(studio.url, ["k"]), "bedrock": provider(studio.url, [bedrock])}
    gateway = start(config_of(sections), workers=1)
    assert send(gateway, "/v1/images/variations", ("model", "openai/dall-e-2"), PICTURE).status == 200
    model = ("model", "bedrock/amazon.titan-image-generator-v2:0")
    reply = send(gateway, "/v1/images/variations", model, ("n", "2"), PICTURE)
    assert reply.status == 200 and reply.json()["data"] == [{"b64_json": "AA=="}]
    expected = {
        "taskType": "IMAGE_VARIATION",
        "imageVariationParams": {"images": [base64.b64encode(PNG).decode()]},
        "imageGenerationConfig": {"numberOfImages": 2},
    }
    assert studio.seen[-1][0] == path and studio.json() == expected
    refusal = send(gateway, "/v1/images/variations", model, ("n", "two"), PICTURE)
    assert refusal.status == 400 and "n: must be a number" in refusal.json()["error"]["message"]


def test_what_a_provider_has_not_is_said(start, studio):
    gateway = gateway_of(start, studio, ["anthropic"])
    reply = send(gateway, "/v1/audio/transcriptions", ("model", "anthropic/claude-x"), RECORDING)
    assert reply.status == 400
    assert reply.json()["error"]["code"] == "unsupported_operation"


def test_the_built_in_provider_has_sound_and_pictures(start):
    gateway = start({"providers": {"mock": {}}}, workers=1)
    reply = gateway.post("/openai/v1/audio/speech", {"model": "mock/gpt-4o-mini-tts", **SPEECH})
    assert (
        reply.status == 200 and reply.body.startswith(b"RIFF") and reply.header("content-type") == "audio/wav"
    )
    reply = send(gateway, "/v1/audio/transcriptions", ("model", "mock/whisper-1"), RECORDING)
    assert f"{len(MP3)} bytes" in reply.json()["text"]
    for operation in ("edits", "variations"):
        parts = [("model", "mock/gpt-image-1"), ("prompt", "green"), PICTURE]
        assert send(gateway, f"/v1/images/{operation}", *parts).json()["data"][0]["b64_json"]
