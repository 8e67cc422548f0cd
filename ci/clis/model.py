"""A model that can do one thing, in four dialects: asked about a file, it calls whatever tool the client has
for reading files, and repeats the word it finds in the tool's result. Nobody could answer so without the tool
having run and its result having come back.

Everything is read from the requests, so one server serves any number of clients at once."""

import json
import re
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FILE = re.compile(r"/[\w./-]+/note\.txt")
WORD = re.compile(r"word-[0-9a-f]{16}")
ANSWER = "The file says {}, and nothing else."

# Tools that read files, as the clients call them, and what each wants to be called with.
READERS = {
    "Read": lambda path: {"file_path": path},
    "read_file": lambda path: {"file_path": path},
    "exec_command": lambda path: {"cmd": f"cat {path}"},
    "shell_command": lambda path: {"command": f"cat {path}"},
    "shell": lambda path: {"command": ["cat", path]},
}


@dataclass
class Reply:
    """A text, or the call of a tool."""

    text: str = ""
    tool: str | None = None
    arguments: dict | None = None


def decide(request, tools, results):
    """What to answer to a request that offers these tools and brings these results of tools."""
    path = FILE.search(json.dumps(request).replace("\\/", "/"))
    if results:
        word = WORD.search(json.dumps(results))
        return Reply(ANSWER.format(word[0] if word else f"no word in {results}"))
    reader = next((name for name in READERS if name in tools), None)
    if reader is None or path is None:
        return Reply("Nothing to be done.")
    return Reply(tool=reader, arguments=READERS[reader](path[0]))


class Model:
    """The server; `url` is where it listens, `requests` what it was asked, as (dialect, body)."""

    def __init__(self):
        self.requests = []
        handler = type("Handler", (Handler,), {"model": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are two writes.
    disable_nagle_algorithm = True

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)))
        path = self.path.partition("?")[0]
        if path.endswith("/count_tokens"):
            self.send_json({"input_tokens": 1000})
            return
        dialect, is_streamed = dialect_of(path, request)
        self.model.requests.append((dialect.__name__, request))
        reply = decide(request, dialect.tools(request), dialect.results(request))
        if not is_streamed:
            self.send_json(dialect.whole(reply))
            return
        frames = [frame(name, data) for name, data in dialect.events(reply)]
        self.send("text/event-stream", "".join([*frames, dialect.END]).encode())

    def do_GET(self):
        self.send_json({"object": "list", "data": []})

    def send_json(self, body):
        self.send("application/json", json.dumps(body).encode())

    def send(self, content_type, body):
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("content-length", len(body))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing."""


def dialect_of(path, request):
    for dialect in (Messages, Chat, Responses):
        if path.endswith(dialect.PATH):
            return dialect, request.get("stream") is True
    return Generate, path.endswith(":streamGenerateContent")


def frame(name, data):
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data)}\n\n"


def halves(text):
    """So that everything streamed comes in more than one piece."""
    middle = len(text) // 2
    return [text[:middle], text[middle:]]


class Messages:
    """Anthropic's messages."""

    PATH, END = "/messages", ""
    CALL_ID = "toolu_fixture_1"
    USAGE = {"input_tokens": 1000, "output_tokens": 20}

    @staticmethod
    def tools(request):
        return [tool["name"] for tool in request.get("tools", [])]

    @staticmethod
    def results(request):
        contents = [message["content"] for message in request["messages"]]
        blocks = [block for content in contents if isinstance(content, list) for block in content]
        return [block.get("content") for block in blocks if block["type"] == "tool_result"]

    @classmethod
    def block(cls, reply):
        if reply.tool is None:
            return {"type": "text", "text": reply.text}
        return {"type": "tool_use", "id": cls.CALL_ID, "name": reply.tool, "input": reply.arguments}

    @classmethod
    def whole(cls, reply):
        reason = "end_turn" if reply.tool is None else "tool_use"
        head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5"}
        return {
            **head,
            "content": [cls.block(reply)],
            "stop_reason": reason,
            "stop_sequence": None,
            "usage": cls.USAGE,
        }

    @classmethod
    def events(cls, reply):
        whole = cls.whole(reply)
        start = {**whole, "content": [], "stop_reason": None}
        block = cls.block(reply)
        if reply.tool is None:
            empty = {**block, "text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in halves(reply.text)]
        else:
            empty = {**block, "input": {}}
            pieces = halves(json.dumps(reply.arguments))
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        stop = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
        events = [
            {"type": "message_start", "message": start},
            {"type": "content_block_start", "index": 0, "content_block": empty},
            *[{"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas],
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 20}},
            {"type": "message_stop"},
        ]
        return [(event["type"], event) for event in events]


class Chat:
    """OpenAI's chat completions."""

    PATH, END = "/chat/completions", "data: [DONE]\n\n"
    CALL_ID = "call_fixture_1"
    HEAD = {"id": "chatcmpl-1", "created": 1, "model": "gpt-4o"}
    USAGE = {"prompt_tokens": 1000, "completion_tokens": 20, "total_tokens": 1020}

    @staticmethod
    def tools(request):
        return [tool["function"]["name"] for tool in request.get("tools", []) if tool["type"] == "function"]

    @staticmethod
    def results(request):
        return [message["content"] for message in request["messages"] if message["role"] == "tool"]

    @classmethod
    def call(cls, reply):
        function = {"name": reply.tool, "arguments": json.dumps(reply.arguments)}
        return {"id": cls.CALL_ID, "type": "function", "function": function}

    @classmethod
    def whole(cls, reply):
        message, reason = {"role": "assistant", "content": reply.text, "refusal": None}, "stop"
        if reply.tool is not None:
            message, reason = {**message, "content": None, "tool_calls": [cls.call(reply)]}, "tool_calls"
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
        return {**cls.HEAD, "object": "chat.completion", "choices": [choice], "usage": cls.USAGE}

    @classmethod
    def events(cls, reply):
        if reply.tool is None:
            deltas, reason = [{"content": piece} for piece in halves(reply.text)], "stop"
        else:
            call = cls.call(reply)
            first = {**call, "index": 0, "function": {**call["function"], "arguments": ""}}
            pieces = halves(call["function"]["arguments"])
            deltas = [{"tool_calls": [first]}]
            deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in pieces]
            reason = "tool_calls"
        head = {**cls.HEAD, "object": "chat.completion.chunk"}
        choices = [{"index": 0, "delta": {"role": "assistant", "content": None}, "finish_reason": None}]
        choices += [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
        choices += [{"index": 0, "delta": {}, "finish_reason": reason}]
        chunks = [{**head, "choices": [choice]} for choice in choices]
        return [(None, chunk) for chunk in [*chunks, {**head, "choices": [], "usage": cls.USAGE}]]


class Responses:
    """OpenAI's responses."""

    PATH, END = "/responses", ""
    RESULTS = ("function_call_output", "custom_tool_call_output")
    HEAD = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "gpt-4o",
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    USAGE = {
        "input_tokens": 1000,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 1020,
    }

    @staticmethod
    def tools(request):
        return [tool["name"] for tool in request.get("tools", []) if tool["type"] == "function"]

    @classmethod
    def results(cls, request):
        items = request["input"] if isinstance(request["input"], list) else []
        return [item["output"] for item in items if item.get("type") in cls.RESULTS]

    @staticmethod
    def item(reply):
        if reply.tool is None:
            text = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
            head = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed"}
            return {**head, "content": [text]}
        call = {"id": "fc_1", "type": "function_call", "call_id": "call_fixture_1", "status": "completed"}
        return {**call, "name": reply.tool, "arguments": json.dumps(reply.arguments)}

    @classmethod
    def whole(cls, reply):
        return {**cls.HEAD, "status": "completed", "output": [cls.item(reply)], "usage": cls.USAGE}

    @classmethod
    def events(cls, reply):
        item = cls.item(reply)
        begun = {**cls.HEAD, "status": "in_progress", "output": []}
        middle = cls.text_events(item) if reply.tool is None else cls.call_events(item)
        events = [
            {"type": "response.created", "response": begun},
            *middle,
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": cls.whole(reply)},
        ]
        return [(event["type"], {**event, "sequence_number": at}) for at, event in enumerate(events)]

    @staticmethod
    def text_events(item):
        place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
        part = item["content"][0]
        return [
            {
                "type": "response.output_item.added",
                "output_index": 0,
                "item": {**item, "status": "in_progress", "content": []},
            },
            {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
            *[
                {"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []}
                for piece in halves(part["text"])
            ],
            {"type": "response.output_text.done", **place, "text": part["text"], "logprobs": []},
            {"type": "response.content_part.done", **place, "part": part},
        ]

    @staticmethod
    def call_events(item):
        place = {"item_id": item["id"], "output_index": 0}
        kind = "response.function_call_arguments"
        return [
            {
                "type": "response.output_item.added",
                "output_index": 0,
                "item": {**item, "status": "in_progress", "arguments": ""},
            },
            *[{"type": f"{kind}.delta", **place, "delta": piece} for piece in halves(item["arguments"])],
            {"type": f"{kind}.done", **place, "name": item["name"], "arguments": item["arguments"]},
        ]


class Generate:
    """Gemini's generateContent."""

    PATH, END = ":generateContent", ""

    @staticmethod
    def tools(request):
        tools = [tool.get("functionDeclarations", []) for tool in request.get("tools", [])]
        return [function["name"] for functions in tools for function in functions]

    @staticmethod
    def results(request):
        parts = [part for content in request["contents"] for part in content["parts"]]
        return [part["functionResponse"]["response"] for part in parts if "functionResponse" in part]

    @classmethod
    def reply(cls, parts, reason):
        candidate = {"index": 0, "content": {"role": "model", "parts": parts}}
        candidate |= {"finishReason": reason} if reason else {}
        usage = {"promptTokenCount": 1000, "candidatesTokenCount": 20, "totalTokenCount": 1020}
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-2.5-flash"}

    @staticmethod
    def parts(reply):
        if reply.tool is None:
            return [{"text": piece} for piece in halves(reply.text)]
        return [{"functionCall": {"name": reply.tool, "args": reply.arguments}}]

    @classmethod
    def whole(cls, reply):
        return cls.reply(cls.parts(reply), "STOP")

    @classmethod
    def events(cls, reply):
        *early, last = cls.parts(reply)
        replies = [cls.reply([part], None) for part in early]
        return [(None, one) for one in [*replies, cls.reply([last], "STOP")]]
