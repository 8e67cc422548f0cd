"""Requests that name no model: files, batches, containers, stored answers, cached contents."""

import json

import pytest

from harness import config_of, key, provider

OBJECT = {"id": "x_1", "object": "thing", "unknown": {"kept": [1, 2.50]}}
BYTES = bytes(range(256)) * 5
BOUNDARY = "0123456789abcdef"
FORM_TYPE = f"multipart/form-data; boundary={BOUNDARY}"

# Method, path below the prefix, path at the provider below the version.
OPENAI = [
    ("GET", "/responses/resp_1", "/responses/resp_1"),
    ("DELETE", "/responses/resp_1", "/responses/resp_1"),
    ("POST", "/responses/resp_1/cancel", "/responses/resp_1/cancel"),
    ("GET", "/responses/resp_1/input_items", "/responses/resp_1/input_items"),
    ("GET", "/files", "/files"),
    ("GET", "/files/file-1", "/files/file-1"),
    ("DELETE", "/files/file-1", "/files/file-1"),
    ("POST", "/batches", "/batches"),
    ("GET", "/batches", "/batches"),
    ("GET", "/batches/batch_1", "/batches/batch_1"),
    ("POST", "/batches/batch_1/cancel", "/batches/batch_1/cancel"),
    ("POST", "/containers", "/containers"),
    ("GET", "/containers", "/containers"),
    ("GET", "/containers/cntr_1", "/containers/cntr_1"),
    ("DELETE", "/containers/cntr_1", "/containers/cntr_1"),
    ("POST", "/containers/cntr_1/files", "/containers/cntr_1/files"),
    ("GET", "/containers/cntr_1/files", "/containers/cntr_1/files"),
    ("GET", "/containers/cntr_1/files/cfile_1", "/containers/cntr_1/files/cfile_1"),
    ("DELETE", "/containers/cntr_1/files/cfile_1", "/containers/cntr_1/files/cfile_1"),
]
OPENAI_BYTES = [
    ("/files/file-1/content", "/files/file-1/content"),
    ("/containers/cntr_1/files/cfile_1/content", "/containers/cntr_1/files/cfile_1/content"),
]
PREFIXES = ["/v1", "/openai/v1", "/openai", "/openai/openai/v1", "/openai/openai"]

ANTHROPIC = [
    ("POST", "/v1/messages/batches"),
    ("GET", "/v1/messages/batches"),
    ("GET", "/v1/messages/batches/msgbatch_1"),
    ("DELETE", "/v1/messages/batches/msgbatch_1"),
    ("POST", "/v1/messages/batches/msgbatch_1/cancel"),
    ("GET", "/v1/files"),
    ("GET", "/v1/files/file_1"),
    ("DELETE", "/v1/files/file_1"),
]

GEMINI = [
    ("GET", "/files"),
    ("GET", "/files/f-1"),
    ("DELETE", "/files/f-1"),
    ("POST", "/models/gemini-2.5-flash:batchGenerateContent"),
    ("GET", "/batches"),
    ("GET", "/batches/b-1"),
    ("POST", "/batches/b-1:cancel"),
    ("DELETE", "/batches/b-1"),
    ("POST", "/cachedContents"),
    ("GET", "/cachedContents"),
    ("GET", "/cachedContents/c-1"),
    ("PATCH", "/cachedContents/c-1"),
    ("DELETE", "/cachedContents/c-1"),
]

VERTEX = [
    ("POST", "/batchPredictionJobs"),
    ("GET", "/batchPredictionJobs"),
    ("GET", "/batchPredictionJobs/7"),
    ("POST", "/batchPredictionJobs/7:cancel"),
    ("DELETE", "/batchPredictionJobs/7"),
    ("POST", "/cachedContents"),
    ("GET", "/cachedContents"),
    ("GET", "/cachedContents/c-1"),
    ("PATCH", "/cachedContents/c-1"),
    ("DELETE", "/cachedContents/c-1"),
]

ARN = "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Amodel-invocation-job%2Fj1"
BEDROCK = [
    ("POST", "/model-invocation-job", "/model-invocation-job"),
    ("GET", "/model-invocation-jobs", "/model-invocation-jobs"),
    ("GET", f"/model-invocation-job/{ARN}", f"/model-invocation-job/{ARN}"),
    ("POST", f"/model-invocation-job/{ARN}/stop", f"/model-invocation-job/{ARN}/stop"),
]


def batch_key(name, **members):
    return key(name, use_for_batch_api=True, **members)


@pytest.fixture
def world(mock, start):
    """Every provider that keeps things, each served by the mock."""
    place = {"project_id": "proj", "region": "us-central1"}
    providers = {
        "openai": provider(mock.url, [batch_key("openai")]),
        "azure": provider(mock.url, [batch_key("azure", azure_key_config={"endpoint": mock.url})]),
        "anthropic": provider(mock.url, [batch_key("anthropic")]),
        "gemini": provider(mock.url + "/v1beta", [batch_key("gemini")]),
        "vertex": provider(mock.url, [batch_key("vertex", vertex_key_config=place)]),
        "bedrock": provider(mock.url, [batch_key("bedrock", bedrock_key_config={"region": "us-east-1"})]),
        "groq": provider(mock.url, [batch_key("groq")]),
    }
    return start(config_of(providers))


def serve(mock, path="*", body=OBJECT, status=200, headers=None, **match):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    mock.fixture(path, status, {"content-type": "application/json", **(headers or {})}, raw, **match)


def form(*fields):
    """Fields are (name, value) or (name, file name, bytes)."""
    pieces = []
    for name, *rest in fields:
        file_name = f'; filename="{rest[0]}"\r\nContent-Type: application/jsonl' if len(rest) == 2 else ""
        value = rest[-1] if isinstance(rest[-1], bytes) else rest[-1].encode()
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file_name}\r\n\r\n'
        pieces.append(head.encode() + value + b"\r\n")
    return b"".join(pieces) + f"--{BOUNDARY}--\r\n".encode()


def last(mock):
    """The number of the last thing that arrived."""
    return max((record.seq for record in mock.arrivals()), default=0)


def arrived(mock):
    return [(record.method, record.target) for record in mock.requests()]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_what_openai_keeps_is_asked_for_as_it_is(world, mock, prefix):
    serve(mock)
    for method, path, there in OPENAI:
        since = last(mock)
        body = {"a": 1, "provider": "openai"} if method == "POST" else None
        reply = world.request(method, f"{prefix}{path}?limit=2&provider=openai", body=body)
        assert reply.status == 200, (method, path, reply.body)
        answer = reply.json()
        told = answer.pop("extra_fields", None)
        assert answer == OBJECT
        assert (told is not None) == (prefix == "/v1"), path
        if told:
            assert told["provider"] == "openai" and told["routing_info"]["key"] == "openai"
            assert told.get("raw_response") == (OBJECT if "/containers" in path else None)
        (record,) = mock.requests(since)
        assert (record.method, record.target) == (method, f"/v1{there}?limit=2")
        assert record.key == "sk-openai"
        assert record.body == (b'{"a": 1}' if body else b""), record.body


@pytest.mark.parametrize("prefix", PREFIXES)
def test_content_comes_byte_for_byte_with_its_own_type(world, mock, prefix):
    serve(mock, body=b'{"looks":"like json"}\n' + BYTES, headers={"content-type": "application/jsonl"})
    for path, there in OPENAI_BYTES:
        reply = world.request("GET", f"{prefix}{path}?provider=openai")
        assert (reply.status, reply.header("content-type")) == (200, "application/jsonl")
        assert reply.body == b'{"looks":"like json"}\n' + BYTES
        assert mock.requests()[-1].target == f"/v1{there}"


def test_azure_has_paths_of_its_own(world, mock):
    serve(mock)
    for method, path, there in OPENAI:
        since = last(mock)
        reply = world.request(method, f"/openai{path}?provider=azure", body={} if method == "POST" else None)
        assert reply.status == 200, (method, path, reply.body)
        (record,) = mock.requests(since)
        version = "?api-version=preview" if "/responses" in path else ""
        assert (record.method, record.target) == (method, f"/openai/v1{there}{version}")
        assert record.header("api-key") == "sk-azure"
    reply = world.request("GET", "/openai/files", {"user-agent": "AzureOpenAI/Python 1.0"})
    assert reply.status == 200 and mock.requests()[-1].target == "/openai/v1/files"


def test_the_provider_may_stand_in_query_header_body_or_model(world, mock):
    serve(mock)
    body = {"input_file_id": "f", "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    for headers, query, members in [
        ({}, "?provider=openai", {}),
        ({"x-model-provider": "openai"}, "", {}),
        ({}, "", {"provider": "openai"}),
        ({}, "", {"model": "openai/gpt-4o"}),
    ]:
        reply = world.post(f"/v1/batches{query}", {**body, **members}, headers)
        assert reply.status == 200, reply.body
        assert mock.requests()[-1].json() == body
    reply = world.post("/v1/batches", body)
    assert reply.status == 400
    assert "x-model-provider" in reply.json()["error"]["message"]
    reply = world.post("/v1/batches?provider=nobody", body)
    assert reply.status == 400 and "nobody" in reply.json()["error"]["message"]


def test_an_upload_goes_on_without_the_field_for_the_gateway(world, mock):
    serve(mock)
    fields = [("purpose", "batch"), ("file", "a.jsonl", BYTES)]
    for prefix in PREFIXES:
        extra = [("provider", "openai")] if prefix == "/v1" else []
        sent = form(fields[0], *extra, fields[1])
        reply = world.request("POST", f"{prefix}/files", {"content-type": FORM_TYPE}, sent)
        assert reply.status == 200, reply.body
        record = mock.requests()[-1]
        assert (record.target, record.header("content-type")) == ("/v1/files", FORM_TYPE)
        assert record.body == form(*fields)
    broken = form(*fields)[:-8]
    reply = world.request("POST", "/openai/v1/files", {"content-type": FORM_TYPE}, broken)
    assert reply.status == 400 and "form" in reply.json()["error"]["message"]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_answers_of_a_batch_are_the_content_of_its_file(world, mock, prefix):
    batch = {"id": "batch_1", "object": "batch", "status": "completed", "output_file_id": "file-out"}
    lines = b'{"custom_id":"a","response":{"status_code":200,"body":{}}}\n'
    mock.fixture("/v1/batches/batch_1", 200, {"content-type": "application/json"}, json.dumps(batch).encode())
    mock.fixture("/v1/files/file-out/content", 200, {"content-type": "application/jsonl"}, lines)
    reply = world.request("GET", f"{prefix}/batches/batch_1/results?provider=openai")
    assert reply.status == 200, reply.body
    assert b'"custom_id":"a"' in reply.body
    assert [record.target for record in mock.requests()] == [
        "/v1/batches/batch_1",
        "/v1/files/file-out/content",
    ]


def test_a_large_upload_streams_through(start, mock):
    serve(mock)
    section = {"openai": provider(mock.url, [batch_key("openai")])}
    gateway = start(config_of(section, server={"body_buffer_bytes_max": 1 << 20}))
    sent = form(("purpose", "batch"), ("file", "a.jsonl", BYTES * 4096))
    target = "/openai/v1/files?provider=openai"
    reply = gateway.request("POST", target, {"content-type": FORM_TYPE}, sent)
    assert reply.status == 200, reply.body
    raw = mock.requests()[-1]
    assert int(raw.header("content-length")) == len(sent)


def test_batches_and_uploads_use_only_keys_that_are_meant_for_them(start, mock):
    serve(mock)
    section = provider(mock.url, [key("plain", weight=99), batch_key("batch", weight=0.01, models=[])])
    gateway = start(config_of({"openai": section}))
    for method, path in [("POST", "/batches"), ("GET", "/batches"), ("GET", "/batches/b")]:
        body = {} if method == "POST" else None
        assert gateway.request(method, f"/openai/v1{path}", body=body).status == 200
        assert mock.requests()[-1].key == "sk-batch"
    gateway = start(config_of({"openai": provider(mock.url, ["plain"])}))
    since = last(mock)
    for method, path in [("POST", "/batches"), ("GET", "/batches")]:
        body = {} if method == "POST" else None
        reply = gateway.request(method, f"/openai/v1{path}", body=body)
        assert reply.status == 400 and "use_for_batch_api" in reply.json()["error"]["message"]
    assert not mock.requests(since)
    assert gateway.request("GET", "/openai/v1/files").status == 200


def test_what_one_key_made_is_looked_for_at_all_in_order_of_their_ids(start, mock):
    keys = [key("c", id="3"), key("a", id="1"), key("b", id="2")]
    gateway = start(config_of({"openai": provider(mock.url, keys)}))
    serve(mock, status=404, body={"error": {"message": "no such file"}}, key="sk-a")
    serve(mock, status=401, body={"error": {"message": "bad key"}}, key="sk-b")
    serve(mock, key="sk-c")
    assert gateway.request("GET", "/openai/v1/files/file-1").status == 200
    assert [record.key for record in mock.requests()] == ["sk-a", "sk-b", "sk-c"]
    serve(mock, status=404, body={"error": {"message": "no such file"}}, key="sk-c")
    reply = gateway.request("GET", "/openai/v1/files/file-1")
    assert reply.status == 404 and reply.json()["error"]["message"] == "no such file"
    since = last(mock)
    pinned = gateway.request("GET", "/openai/v1/files/file-1", {"x-bf-api-key": "b"})
    assert pinned.status == 401
    assert [record.key for record in mock.requests(since)] == ["sk-b"]


def test_a_transient_failure_is_retried_with_the_same_key(start, mock):
    network = {"max_retries": 2, "retry_backoff_initial": 100, "retry_backoff_max": 100}
    gateway = start(config_of({"openai": provider(mock.url, ["a"], network)}))
    serve(mock, status=503, body={"error": {"message": "busy"}})
    assert gateway.request("GET", "/openai/v1/files").status == 503
    assert len(mock.requests()) == 3


def test_anthropic_keeps_batches_and_files(world, mock):
    serve(mock)
    for method, path in ANTHROPIC:
        since = last(mock)
        headers = {"anthropic-version": "2024-01-01", "anthropic-beta": "some-beta"}
        body = {"requests": []} if method == "POST" else None
        reply = world.request(method, f"/anthropic{path}?limit=3", headers, body)
        assert reply.status == 200 and reply.json() == OBJECT, (method, path, reply.body)
        (record,) = mock.requests(since)
        assert (record.method, record.target) == (method, f"{path}?limit=3")
        assert record.header("x-api-key") == "sk-anthropic"
        assert record.header("anthropic-version") == "2024-01-01"
        assert record.header("anthropic-beta") == "some-beta"
    lines = b'{"custom_id":"a"}\n{"custom_id":"b"}\n'
    serve(mock, body=lines, headers={"content-type": "application/x-jsonl"})
    reply = world.request("GET", "/anthropic/v1/messages/batches/msgbatch_1/results")
    assert (reply.body, reply.header("content-type")) == (lines, "application/x-jsonl")
    sent = form(("file", "a.txt", BYTES))
    reply = world.request("POST", "/anthropic/v1/files", {"content-type": FORM_TYPE}, sent)
    assert reply.status == 200
    record = mock.requests()[-1]
    assert (record.target, record.body) == ("/v1/files", sent)
    assert record.header("anthropic-beta") == "files-api-2025-04-14"
    serve(mock, status=404, body={"type": "error", "error": {"type": "not_found_error", "message": "gone"}})
    reply = world.request("GET", "/anthropic/v1/files/file_1")
    assert reply.status == 404 and reply.json()["error"]["type"] == "not_found_error"


@pytest.mark.parametrize("version", ["v1beta", "v1"])
def test_gemini_keeps_files_batches_and_cached_contents(world, mock, version):
    serve(mock)
    for method, path in GEMINI:
        since = last(mock)
        body = {"model": "models/gemini-2.5-flash", "a": 1} if method in ("POST", "PATCH") else None
        target = f"/genai/{version}{path}?pageSize=3&key=dummy"
        reply = world.request(method, target, {"x-goog-api-key": "dummy"}, body)
        assert reply.status == 200 and reply.json() == OBJECT, (method, path, reply.body)
        (record,) = mock.requests(since)
        assert (record.method, record.target.replace("%3A", ":")) == (method, f"/v1beta{path}?pageSize=3")
        assert record.header("x-goog-api-key") == "sk-gemini"
        if body:
            assert record.json() == body
    serve(mock, body=BYTES, headers={"content-type": "application/octet-stream"})
    reply = world.request("GET", f"/genai/{version}/files/f-1:download?alt=media")
    assert reply.body == BYTES
    assert mock.requests()[-1].target == "/v1beta/files/f-1:download?alt=media"


def test_a_resumable_upload_comes_back_to_the_gateway(world, mock):
    there = (
        "https://generativelanguage.googleapis.com/upload/v1beta/files?upload_id=u1&upload_protocol=resumable"
    )
    serve(mock, body=b"", headers={"x-goog-upload-url": there, "x-goog-upload-status": "active"})
    headers = {
        "x-goog-upload-protocol": "resumable",
        "x-goog-upload-command": "start",
        "x-goog-upload-header-content-length": str(len(BYTES)),
        "host": "gateway.example:1234",
    }
    meta = {"file": {"display_name": "a"}}
    reply = world.post("/genai/upload/v1beta/files", meta, headers)
    assert reply.status == 200, reply.body
    assert mock.requests()[-1].header("x-goog-upload-command") == "start"
    url = reply.header("x-goog-upload-url")
    here = "http://gateway.example:1234"
    assert url.startswith(f"{here}/genai/upload/v1beta/files?upload_id=u1")
    serve(mock, body={"file": {"name": "files/f-1"}}, headers={"x-goog-upload-status": "final"})
    headers = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
    reply = world.request("POST", url.removeprefix(here), headers, BYTES)
    assert reply.status == 200 and reply.json() == {"file": {"name": "files/f-1"}}
    record = mock.requests()[-1]
    assert record.body == BYTES and record.header("x-goog-upload-command") == "upload, finalize"
    assert "upload_id=u1" in record.target


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1beta1"])
def test_vertex_keeps_jobs_and_cached_contents_of_the_keys_project(world, mock, version):
    serve(mock)
    for method, path in VERTEX:
        since = last(mock)
        body = {"displayName": "a"} if method in ("POST", "PATCH") else None
        target = f"/genai/{version}/projects/any/locations/where{path}"
        reply = world.request(method, target, body=body)
        assert reply.status == 200 and reply.json() == OBJECT, (method, path, reply.body)
        (record,) = mock.requests(since)
        expected = f"/v1/projects/proj/locations/us-central1{path}"
        assert (record.method, record.target.replace("%3A", ":")) == (method, expected)


def test_bedrock_keeps_jobs(world, mock):
    serve(mock)
    for method, path, there in BEDROCK:
        since = last(mock)
        reply = world.request(method, f"/bedrock{path}", body={"jobName": "j"} if method == "POST" else None)
        assert reply.status == 200 and reply.json() == OBJECT, (method, path, reply.body)
        (record,) = mock.requests(since)
        assert (record.method, record.target) == (method, there)
        assert record.key == "sk-bedrock"


def test_buckets_are_reached_as_s3(world, mock):
    headers = {"etag": '"abc"', "content-type": "text/plain"}
    serve(mock, body=b"", headers=headers)
    reply = world.request("PUT", "/bedrock/files/bucket/dir/a%20b.jsonl", {"x-amz-meta-one": "1"}, BYTES)
    assert reply.status == 200 and reply.header("etag") == '"abc"'
    record = mock.requests()[-1]
    assert (record.method, record.target) == ("PUT", "/bucket/dir/a%20b.jsonl")
    assert record.body == BYTES and record.header("x-amz-meta-one") == "1"
    serve(mock, body=BYTES, headers=headers)
    reply = world.request("GET", "/bedrock/files/bucket/dir/a.jsonl", {"range": "bytes=0-9"})
    assert reply.body == BYTES and mock.requests()[-1].header("range") == "bytes=0-9"
    reply = world.request("HEAD", "/bedrock/files/bucket/dir/a.jsonl")
    assert (reply.status, reply.header("content-length")) == (200, str(len(BYTES)))
    assert (mock.requests()[-1].method, reply.body) == ("HEAD", b"")
    serve(mock, body=b"<ListBucketResult/>", headers={"content-type": "application/xml"})
    reply = world.request("GET", "/bedrock/files/bucket?prefix=dir%2F")
    assert reply.body == b"<ListBucketResult/>"
    assert mock.requests()[-1].target == "/bucket?list-type=2&prefix=dir%2F"
    serve(mock, body=b"", status=204)
    assert world.request("DELETE", "/bedrock/files/bucket/dir/a.jsonl").status == 204
    gone = b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code><Message>gone</Message></Error>"
    serve(mock, body=gone, status=404, headers={"content-type": "application/xml"})
    reply = world.request("GET", "/bedrock/files/bucket/dir/a.jsonl")
    assert (reply.status, reply.body) == (404, gone)
    assert reply.header("content-type") == "application/xml"


def test_an_operation_that_a_provider_lacks_is_refused(world, mock):
    for target in ("/v1/files?provider=groq", "/v1/containers?provider=anthropic"):
        reply = world.request("GET", target)
        assert reply.status == 400, reply.body
        assert reply.json()["error"]["code"] == "unsupported_operation"
    assert not mock.requests()


def test_other_methods_are_told_which_there_are(world):
    reply = world.request("PUT", "/v1/files", body={})
    assert reply.status == 405
    assert sorted(reply.header("allow").split(", ")) == ["GET", "OPTIONS", "POST"]
    assert world.request("GET", "/v1/files/a/b/c").status == 404


def test_a_stored_answer_can_be_streamed_again(world, mock):
    events = b'event: response.created\ndata: {"type":"response.created","sequence_number":0}\n\n'
    events += b'event: x.unknown\ndata: {"type":"x.unknown"}\n\n'
    serve(mock, body=events, headers={"content-type": "text/event-stream"})
    reply = world.request("GET", "/openai/v1/responses/resp_1?stream=true&starting_after=0")
    assert (reply.status, reply.body) == (200, events)
    assert mock.requests()[-1].target == "/v1/responses/resp_1?stream=true&starting_after=0"


def test_requests_without_a_model_are_counted(world, mock):
    serve(mock)
    world.request("GET", "/openai/v1/files/file-1")
    page = world.request("GET", "/metrics").body.decode()
    lines = [line for line in page.splitlines() if "/openai/v1/files/{id}" in line]
    assert lines, page[:2000]
    assert any('method="file_retrieve"' in line or "file_retrieve" in line for line in page.splitlines())


ANTHROPIC_FILE = {
    "id": "file_1",
    "type": "file",
    "filename": "a.txt",
    "mime_type": "text/plain",
    "size_bytes": 5,
    "created_at": "2026-07-21T22:04:47.986000Z",
    "downloadable": True,
}
GEMINI_FILE = {
    "name": "files/f1",
    "displayName": "a.txt",
    "mimeType": "text/plain",
    "sizeBytes": "5",
    "createTime": "2026-07-21T22:04:47.986Z",
    "state": "ACTIVE",
}
OPENAI_BATCH = {
    "id": "batch_1",
    "object": "batch",
    "endpoint": "/v1/chat/completions",
    "input_file_id": "file-1",
    "completion_window": "24h",
    "status": "completed",
    "output_file_id": "file-2",
    "created_at": 1,
    "request_counts": {"total": 1, "completed": 1, "failed": 0},
}
COMPLETION = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "seven"}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


@pytest.mark.parametrize(
    "name, answer, upload, target, file_id",
    [
        ("anthropic", ANTHROPIC_FILE, "/v1/files", "/v1/files/file_1", "file_1"),
        ("gemini", {"file": GEMINI_FILE}, "/v1beta/upload/v1beta/files", "/v1beta/files/f1", "files-f1"),
    ],
)
def test_a_file_of_another_vendor_is_one_of_openai(world, mock, name, answer, upload, target, file_id):
    serve(mock, body=answer)
    fields = [("purpose", "user_data"), ("provider", name), ("file", "a.txt", b"hello")]
    reply = world.request("POST", "/openai/v1/files", {"content-type": FORM_TYPE}, form(*fields))
    assert reply.status == 200, reply.body
    made = reply.json()
    assert (made["id"], made["object"], made["filename"], made["bytes"]) == (file_id, "file", "a.txt", 5)
    assert made["created_at"] == 1784671487
    record = mock.requests()[-1]
    assert record.target == upload
    assert b"hello" in record.body and b"a.txt" in record.body and b"user_data" not in record.body
    serve(mock, body=answer.get("file", answer))
    reply = world.request("GET", f"/openai/v1/files/{file_id}?provider={name}")
    assert reply.status == 200 and reply.json()["id"] == file_id
    assert mock.requests()[-1].target == target
    serve(mock, body={})
    reply = world.request("DELETE", f"/openai/v1/files/{file_id}?provider={name}")
    assert reply.json() == {"id": file_id, "object": "file", "deleted": True}
    serve(mock, body=BYTES, headers={"content-type": "text/plain"})
    reply = world.request("GET", f"/openai/v1/files/{file_id}/content?provider={name}")
    assert (reply.body, reply.header("content-type")) == (BYTES, "text/plain")


def test_a_list_of_another_vendor_is_one_of_openai(world, mock):
    serve(mock, body={"data": [ANTHROPIC_FILE], "has_more": False, "first_id": "file_1", "last_id": "file_1"})
    reply = world.request("GET", "/v1/files?provider=anthropic&limit=3&after=file_0")
    answer = reply.json()
    assert answer.pop("extra_fields")["provider"] == "anthropic"
    assert answer["object"] == "list" and answer["data"][0]["filename"] == "a.txt"
    assert mock.requests()[-1].target == "/v1/files?limit=3&after_id=file_0"
    serve(mock, body={})
    reply = world.request("GET", "/v1/files?provider=gemini")
    assert reply.json()["data"] == [] and reply.json()["has_more"] is False


def test_a_batch_is_asked_of_anthropic_in_its_own_words(world, mock):
    body = {"type": "message_batch", "id": "msgbatch_1", "processing_status": "in_progress"}
    serve(mock, body={**body, "created_at": "2026-08-19T14:47:10Z", "request_counts": {"processing": 1}})
    question = {"model": "anthropic/claude", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    asked = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": question}
    created = {"endpoint": "/v1/chat/completions", "completion_window": "24h", "requests": [asked]}
    reply = world.post("/v1/batches?provider=anthropic", created)
    assert reply.status == 200, reply.body
    assert (reply.json()["id"], reply.json()["status"]) == ("msgbatch_1", "in_progress")
    record = mock.requests()[-1]
    assert record.target == "/v1/messages/batches"
    params = record.json()["requests"][0]["params"]
    assert (params["model"], params["max_tokens"]) == ("claude", 9)
    reply = world.post("/v1/batches?provider=anthropic", {"input_file_id": "file-1"})
    assert reply.status == 400 and "input_file_id" in reply.json()["error"]["message"]


def test_the_answers_of_a_batch_are_fetched_from_its_file(world, mock):
    line = {"custom_id": "a", "response": {"status_code": 200, "body": COMPLETION}, "error": None}
    content = json.dumps(line).encode() + b"\n"
    serve(mock, path="/v1/batches/batch_1", body=OPENAI_BATCH)
    serve(mock, path="/v1/files/file-2/content", body=content, headers={"content-type": "application/jsonl"})
    reply = world.request("GET", "/v1/batches/batch_1/results?provider=openai")
    assert reply.status == 200, reply.body
    answer = reply.json()
    assert answer["batch_id"] == "batch_1" and answer["extra_fields"]["provider"] == "openai"
    message = answer["results"][0]["response"]["body"]["choices"][0]["message"]
    assert (answer["results"][0]["custom_id"], message["content"]) == ("a", "seven")
    assert arrived(mock) == [("GET", "/v1/batches/batch_1"), ("GET", "/v1/files/file-2/content")]
    headers = {"x-model-provider": "openai"}
    reply = world.request("GET", "/anthropic/v1/messages/batches/batch_1/results", headers)
    assert reply.header("content-type") == "application/x-jsonl"
    told = json.loads(reply.body)
    assert told["result"]["message"]["content"][0]["text"] == "seven"


def test_a_job_of_bedrock_has_an_id_that_fits_into_a_path(world, mock):
    arn = "arn:aws:bedrock:us-east-1:1:model-invocation-job/j1"
    serve(mock, body={"jobArn": arn})
    body = {"provider": "bedrock", "model": "bedrock/amazon.nova", "input_file_id": "s3://b/in.jsonl"}
    body |= {"role_arn": "arn:r", "output_s3_uri": "s3://b/out/"}
    reply = world.post("/openai/v1/batches", body)
    assert reply.status == 200, reply.body
    made = reply.json()["id"]
    sent = mock.requests()[-1].json()
    assert (sent["modelId"], sent["roleArn"]) == ("amazon.nova", "arn:r")
    serve(mock, body={"jobArn": arn, "status": "InProgress", "submitTime": "2026-08-19T14:47:10Z"})
    reply = world.request("GET", f"/openai/v1/batches/{made}?provider=bedrock")
    assert reply.json()["status"] == "in_progress"
    assert mock.requests()[-1].target == f"/model-invocation-job/{ARN}"
