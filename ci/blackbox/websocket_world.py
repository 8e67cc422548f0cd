"""A provider that speaks over WebSockets: realtime sessions and responses, scripted, on a free port."""

import json
import threading
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Response
from websockets.sync.server import serve

USAGE = {
    "total_tokens": 30,
    "input_tokens": 20,
    "output_tokens": 10,
    "input_token_details": {"cached_tokens": 4, "text_tokens": 12, "audio_tokens": 8},
    "output_token_details": {"text_tokens": 7, "audio_tokens": 3},
}


class Session:
    """One connection as the provider saw it."""

    def __init__(self, connection):
        self.headers = connection.request.headers
        self.target = connection.request.path
        self.path = urlsplit(self.target).path
        self.query = {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}
        self.received = []
        self.connection = connection
        self.close_code = None
        self.ended = threading.Event()

    @property
    def key(self):
        return self.headers.get("authorization", "").removeprefix("Bearer ") or self.headers.get("api-key")


class WebSocketProvider:
    """Accepts sessions, records them and answers `response.create` with a response and its usage."""

    def __init__(self, subprotocols=("realtime",)):
        self.sessions = []
        # What the next handshakes are answered with instead: status and body.
        self.refusals = []
        self.refused = []
        self.changed = threading.Condition()
        self.server = serve(
            self.session,
            "127.0.0.1",
            0,
            process_request=self.look,
            subprotocols=list(subprotocols) or None,
            select_subprotocol=lambda _, offered: next((p for p in subprotocols if p in offered), None),
            compression="deflate",
            max_size=64 << 20,
        )
        self.port = self.server.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def look(self, connection, request):
        if not self.refusals:
            return None
        status, body = self.refusals.pop(0)
        self.refused.append(request)
        body = json.dumps(body).encode()
        headers = Headers({"content-type": "application/json", "content-length": str(len(body))})
        return Response(status, HTTPStatus(status).phrase, headers, body)

    def session(self, connection):
        session = Session(connection)
        with self.changed:
            self.sessions.append(session)
            self.changed.notify_all()
        try:
            connection.send(json.dumps({"type": "session.created", "session": {"id": "sess_1"}}))
            for message in connection:
                session.received.append(message)
                self.answer(connection, message)
        except ConnectionClosed:
            pass
        finally:
            session.close_code = connection.close_code
            session.ended.set()

    def answer(self, connection, message):
        if isinstance(message, bytes):
            connection.send(message[::-1])
            return
        event = json.loads(message)
        if event["type"] == "response.create":
            connection.send(json.dumps({"type": "response.created"}))
            connection.send(json.dumps({"type": "response.output_text.delta", "delta": "Hello"}))
            connection.send(json.dumps({"type": "response.done", "response": {"usage": USAGE}}))
        elif event["type"] == "flood":
            for number in range(event["count"]):
                connection.send(
                    json.dumps({"type": "filler", "number": number, "text": "x" * event["bytes"]})
                )
        elif event["type"] == "close":
            connection.close(event["code"], event["reason"])
        elif event["type"] == "break":
            connection.socket.close()
        else:
            connection.send(message)

    def wait_for(self, count=1, seconds=15):
        """The sessions, once there are that many."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.sessions) >= count, seconds)
            return self.sessions

    def stop(self):
        self.server.shutdown()
        self.thread.join()
