"""The OpenAI SDK's sound and pictures: speech, transcriptions, drawn, changed and varied pictures."""

import base64
import io

import openai
import pytest

import clients

SOUND = b"ID3\x04" + bytes(range(256)) * 8


@pytest.fixture
def client(openai_own):
    return openai.OpenAI(
        base_url=openai_own.base_url,
        api_key="sk-dummy",
        max_retries=0,
        timeout=20,
        _strict_response_validation=True,
    )


def recording():
    file = io.BytesIO(SOUND)
    file.name = "talk.mp3"
    return file


def picture():
    file = io.BytesIO(clients.PIXEL)
    file.name = "pixel.png"
    return file


TRANSCRIPT = f"mock transcript of talk.mp3 with {len(SOUND)} bytes"


def test_speech(client, openai_own):
    speech = client.audio.speech.create(model=openai_own.model, voice="alloy", input="hello")
    assert speech.content.startswith(b"ID3") and speech.response.headers["content-type"] == "audio/mpeg"
    wav = client.audio.speech.create(
        model=openai_own.model, voice="alloy", input="hello", response_format="wav", speed=1.5
    )
    assert wav.content.startswith(b"RIFF")


def test_speech_streams_bytes(client, openai_own, tmp_path):
    request = client.audio.speech.with_streaming_response
    with request.create(model=openai_own.model, voice="alloy", input="hello") as speech:
        speech.stream_to_file(tmp_path / "speech.mp3")
    assert (tmp_path / "speech.mp3").read_bytes().startswith(b"ID3")


def test_speech_events(client, openai_own):
    request = client.audio.speech.with_streaming_response
    with request.create(model=openai_own.model, voice="alloy", input="hello", stream_format="sse") as speech:
        assert speech.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in speech.iter_lines() if line.startswith("data:")]
    assert "speech.audio.delta" in lines[0] and "speech.audio.done" in lines[-1]


def test_transcription(client, openai_own):
    transcription = client.audio.transcriptions.create(model=openai_own.model, file=recording())
    assert transcription.text == TRANSCRIPT and transcription.usage.type == "tokens"


@pytest.mark.parametrize(
    ("name", "expected"), [("text", TRANSCRIPT), ("srt", "00:00:01,000"), ("vtt", "WEBVTT")]
)
def test_transcription_as_text(client, openai_own, name, expected):
    text = client.audio.transcriptions.create(model=openai_own.model, file=recording(), response_format=name)
    assert expected in text


def test_transcription_with_times(client, openai_own):
    verbose = client.audio.transcriptions.create(
        model=openai_own.model,
        file=recording(),
        response_format="verbose_json",
        timestamp_granularities=["segment"],
        language="en",
        prompt="names",
        temperature=0.2,
    )
    assert verbose.segments[0].text == TRANSCRIPT and verbose.duration == 1.0


def test_transcription_stream(client, openai_own):
    events = list(client.audio.transcriptions.create(model=openai_own.model, file=recording(), stream=True))
    deltas = [event.delta for event in events if event.type == "transcript.text.delta"]
    assert "".join(deltas) == TRANSCRIPT == events[-1].text
    assert events[-1].usage.total_tokens > 10


def test_picture_is_drawn(client, openai_own):
    drawn = client.images.generate(model=openai_own.model, prompt="a cat", n=2)
    assert [base64.b64decode(image.b64_json) for image in drawn.data] == [clients.PIXEL] * 2


@pytest.mark.parametrize("several", [False, True], ids=["one", "several"])
def test_picture_is_changed(client, openai_own, several):
    images = [picture(), picture()] if several else picture()
    changed = client.images.edit(
        model=openai_own.model, image=images, mask=picture(), prompt="green", n=1, size="1024x1024"
    )
    assert base64.b64decode(changed.data[0].b64_json) == clients.PIXEL


def test_picture_is_changed_in_a_stream(client, openai_own):
    events = client.images.edit(
        model=openai_own.model, image=picture(), prompt="green", stream=True, partial_images=1
    )
    kinds = [event.type for event in events]
    assert kinds == ["image_edit.partial_image", "image_edit.completed"]


def test_picture_is_varied(client, openai_own):
    varied = client.images.create_variation(
        model=openai_own.model, image=picture(), n=2, response_format="url"
    )
    assert len(varied.data) == 2 and varied.data[0].url.startswith("https://")


def test_a_refused_form_says_why(client, openai_own):
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.edit(model=openai_own.model, image=picture(), prompt="green", n=99)
    assert "n" in str(refused.value)
