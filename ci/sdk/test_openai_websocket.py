"""The OpenAI SDK over WebSockets: realtime sessions and responses."""

import asyncio
import json

import openai
import pytest

HELLO = "say something nice"


@pytest.fixture
def client(openai_own):
    return openai.OpenAI(base_url=openai_own.base_url, api_key="sk-dummy", max_retries=0, timeout=20)


def events_to(connection, kind):
    events = []
    for event in connection:
        events.append(event)
        if event.type == kind:
            return events
    raise AssertionError(f"no {kind} after {[event.type for event in events]}")


def test_realtime_session(client, openai_own):
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": HELLO}]}
    with client.realtime.connect(model=openai_own.model) as connection:
        connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        events_to(connection, "session.updated")
        connection.conversation.item.create(item=item)
        connection.response.create()
        events = events_to(connection, "response.done")
    said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert HELLO in said
    assert events[-1].response.usage.total_tokens > 0


def test_realtime_session_without_threads(openai_own):
    async def last_event():
        client = openai.AsyncOpenAI(
            base_url=openai_own.base_url, api_key="sk-dummy", max_retries=0, timeout=20
        )
        async with client.realtime.connect(model=openai_own.model) as connection:
            await connection.response.create()
            events = connection.__aiter__()
            while (event := await anext(events)).type != "response.done":
                pass
            return event

    assert asyncio.run(last_event()).response.status == "completed"


def test_responses_one_after_the_other(client, openai_own):
    with client.responses.connect() as connection:
        for number in range(3):
            connection.response.create(model=openai_own.model, input=f"say word{number}.")
            events = events_to(connection, "response.completed")
            said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
            assert f"word{number}" in said


def test_a_refusal_over_the_socket_is_an_event(client):
    with client.responses.connect() as connection:
        connection.send_raw(json.dumps({"type": "response.unheard_of"}))
        event = next(iter(connection))
        assert event.type == "error"
