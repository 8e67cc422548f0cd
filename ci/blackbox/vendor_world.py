"""A provider with handlers of a test's own: each path answers by a function, and every request is kept."""

import json
import re
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Arrival:
    """One request as it came."""

    method: str
    path: str
    headers: dict
    body: bytes

    def json(self):
        return json.loads(self.body)


class VendorWorld:
    """Serves on a free port until it is closed. A handler takes the request and the groups of its path's
    pattern, and gives (status, body) with a body of JSON, or of bytes with their media type in front:
    (status, (type, bytes)). Instead of bytes there may be pieces of them, which leave as they come."""

    def __init__(self):
        self.handlers, self.arrivals = [], []
        world = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def serve(self):
                length = int(self.headers.get("content-length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                arrival = Arrival(self.command, self.path, headers, self.rfile.read(length))
                world.arrivals.append(arrival)
                status, body = world.answer(arrival)
                kind, body = (
                    body if isinstance(body, tuple) else ("application/json", json.dumps(body).encode())
                )
                self.send_response(status)
                self.send_header("content-type", kind)
                if isinstance(body, bytes):
                    self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                else:
                    self.send_header("connection", "close")
                    self.end_headers()
                    for piece in body:
                        self.wfile.write(piece)

            do_GET = do_POST = do_DELETE = serve

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.authority = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.authority}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def on(self, method, pattern, handler):
        """Answers requests whose path matches by `handler`."""
        self.handlers.append((method, re.compile(pattern), handler))

    def answer(self, arrival):
        for method, pattern, handler in self.handlers:
            match = pattern.fullmatch(arrival.path)
            if method == arrival.method and match:
                return handler(arrival, *match.groups())
        return 404, {"detail": f"{arrival.method} {arrival.path} is not served"}

    def sent(self, method, pattern):
        """The requests of a method whose path matches, oldest first."""
        path = re.compile(pattern)
        return [it for it in self.arrivals if it.method == method and path.fullmatch(it.path)]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
