//! What all dialects have in common, asked of each: the same answers, checks that name the field, faults in its shape.

use serde_json::{Value, json};
use wire::EventStreamReader;

use crate::client::{Mock, PATIENCE, Response, post, request};

/// One dialect, as a caller sees it.
struct Dialect {
    path: &'static str,
    stream_path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    /// A request for an answer to this text.
    body: fn(&str) -> Value,
    /// Where a whole reply has its text.
    text: &'static str,
    /// Where a piece of a stream has its text.
    delta: &'static str,
    /// The fields that make a request stream.
    stream: fn() -> Value,
    /// Where an error reply has its message.
    message: &'static str,
    /// A field no request may be without, and how a refusal names it.
    required: (&'static str, &'static str),
    invalid_status: u16,
}

const BEDROCK_DATE: (&str, &str) = ("x-amz-date", "20260101T000000Z");

const DIALECTS: &[Dialect] = &[
    Dialect {
        path: "/openai/v1/chat/completions",
        stream_path: "/openai/v1/chat/completions",
        headers: &[],
        body: chat,
        text: "/choices/0/message/content",
        delta: "/choices/0/delta/content",
        stream: || json!({"stream": true}),
        message: "/error/message",
        required: ("messages", "messages"),
        invalid_status: 400,
    },
    Dialect {
        path: "/openai/v1/responses",
        stream_path: "/openai/v1/responses",
        headers: &[],
        body: |text| json!({"model": "mock", "input": text}),
        text: "/output/0/content/0/text",
        delta: "/delta",
        stream: || json!({"stream": true}),
        message: "/error/message",
        required: ("model", "model"),
        invalid_status: 400,
    },
    Dialect {
        path: "/openai/v1/completions",
        stream_path: "/openai/v1/completions",
        headers: &[],
        body: |text| json!({"model": "mock", "prompt": text, "max_tokens": 100}),
        text: "/choices/0/text",
        delta: "/choices/0/text",
        stream: || json!({"stream": true}),
        message: "/error/message",
        required: ("prompt", "prompt"),
        invalid_status: 400,
    },
    Dialect {
        path: "/gemini/v1beta/models/mock:generateContent",
        stream_path: "/gemini/v1beta/models/mock:streamGenerateContent?alt=sse",
        headers: &[("x-goog-api-key", "key")],
        body: |text| json!({"contents": [{"role": "user", "parts": [{"text": text}]}]}),
        text: "/candidates/0/content/parts/0/text",
        delta: "/candidates/0/content/parts/0/text",
        stream: || json!({}),
        message: "/error/message",
        required: ("contents", "contents"),
        invalid_status: 400,
    },
    Dialect {
        path: "/bedrock/model/us.mock-v1%3A0/converse",
        stream_path: "/bedrock/model/us.mock-v1%3A0/converse-stream",
        headers: &[BEDROCK_DATE],
        body: |text| json!({"messages": [{"role": "user", "content": [{"text": text}]}]}),
        text: "/output/message/content/0/text",
        delta: "/delta/text",
        stream: || json!({}),
        message: "/message",
        required: ("messages", "messages"),
        invalid_status: 400,
    },
    Dialect {
        path: "/cohere/v2/chat",
        stream_path: "/cohere/v2/chat",
        headers: &[],
        body: chat,
        text: "/message/content/0/text",
        delta: "/delta/message/content/text",
        stream: || json!({"stream": true}),
        message: "/message",
        required: ("messages", "messages"),
        invalid_status: 400,
    },
    Dialect {
        path: "/mistral/v1/chat/completions",
        stream_path: "/mistral/v1/chat/completions",
        headers: &[],
        body: chat,
        text: "/choices/0/message/content",
        delta: "/choices/0/delta/content",
        stream: || json!({"stream": true}),
        message: "/message",
        required: ("messages", "messages"),
        invalid_status: 422,
    },
    Dialect {
        path: "/ollama/api/chat",
        stream_path: "/ollama/api/chat",
        headers: &[],
        body: |text| with_field(chat(text), "stream", json!(false)),
        text: "/message/content",
        delta: "/message/content",
        stream: || json!({"stream": true}),
        message: "/error",
        required: ("model", "model"),
        invalid_status: 400,
    },
];

fn chat(text: &str) -> Value {
    json!({"model": "mock", "messages": [{"role": "user", "content": text}]})
}

fn with_field(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

impl Dialect {
    fn send(&self, mock: &Mock, body: &Value, fault: &str) -> Response {
        mock.post(self.path, &self.headers_with(fault), body)
    }

    fn stream(&self, mock: &Mock, text: &str, fault: &str) -> Response {
        let mut body = (self.body)(text);
        for (name, value) in (self.stream)().as_object().expect("fields") {
            body[name] = value.clone();
        }
        mock.post(self.stream_path, &self.headers_with(fault), &body)
    }

    fn headers_with<'a>(&self, fault: &'a str) -> Vec<(&'static str, &'a str)> {
        self.headers.iter().copied().chain([("x-mock-fault", fault)]).collect()
    }
}

/// The JSON of each piece of a stream, whatever its framing; `[DONE]` is left out.
fn pieces(response: &Response) -> Vec<Value> {
    match response.header("content-type").expect("a content type") {
        "application/vnd.amazon.eventstream" => messages(&response.body()),
        "application/x-ndjson" => lines(&response.text(), ""),
        _ => lines(&response.text(), "data: "),
    }
}

fn lines(text: &str, start: &str) -> Vec<Value> {
    let data =
        text.lines().filter_map(|line| line.strip_prefix(start)).filter(|line| !line.is_empty());
    data.filter(|line| *line != "[DONE]")
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn messages(body: &[u8]) -> Vec<Value> {
    let mut reader = EventStreamReader::new();
    let mut rest = body;
    let mut found = Vec::new();
    while let Some(message) = reader.next(&mut rest).expect("a stream of whole messages") {
        found.push(serde_json::from_slice(message.payload).expect("JSON"));
    }
    assert!(!reader.is_inside_message());
    found
}

#[test]
fn every_dialect_gives_the_same_answer() {
    let mock = Mock::start(&[]);
    for dialect in DIALECTS {
        let whole = dialect.send(&mock, &(dialect.body)("hi"), "").json();
        assert_eq!(whole.pointer(dialect.text), Some(&json!("mock reply to: hi")), "{whole}");
        let stream = dialect.stream(&mock, "hi", "chunks=3");
        let deltas = pieces(&stream);
        let texts = deltas.iter().filter_map(|piece| piece.pointer(dialect.delta)?.as_str());
        assert_eq!(texts.collect::<String>(), "mock reply to: hi", "{}", dialect.path);
        assert!(stream.pieces.len() >= 4, "{}: each event is a write", dialect.path);
    }
}

#[test]
fn a_request_without_what_it_needs_is_refused_by_name() {
    let mock = Mock::start(&[]);
    for dialect in DIALECTS {
        let (missing, named) = dialect.required;
        let mut body = (dialect.body)("hi");
        body.as_object_mut().expect("fields").remove(missing);
        let refused = dialect.send(&mock, &body, "");
        assert_eq!(refused.status, dialect.invalid_status, "{}: {}", dialect.path, refused.text());
        assert!(refused.text().contains(named), "{}: {}", dialect.path, refused.text());
    }
}

#[test]
fn failures_have_the_shape_of_the_dialect() {
    let mock = Mock::start(&[]);
    for dialect in DIALECTS {
        for status in [400, 403, 404, 413, 429, 500, 529] {
            let fault = format!("status={status},retry-after=7");
            let failed = dialect.send(&mock, &(dialect.body)("hi"), &fault);
            assert_eq!((failed.status, failed.header("retry-after")), (status, Some("7")));
            let message = failed.json();
            let message = message.pointer(dialect.message).and_then(Value::as_str);
            assert!(
                message.is_some_and(|message| !message.is_empty()),
                "{}: {}",
                dialect.path,
                failed.text()
            );
        }
    }
}

#[test]
fn a_stream_can_fail_after_some_events() {
    let mock = Mock::start(&[]);
    for dialect in DIALECTS {
        for after in [0, 2] {
            let failed = dialect.stream(&mock, "hi", &format!("error-in-stream:{after}"));
            assert_eq!((failed.status, failed.pieces.len()), (200, after + 1), "{}", dialect.path);
            let last = pieces(&failed).pop().expect("an error");
            assert!(last.to_string().contains("mock failure"), "{}: {last}", dialect.path);
        }
    }
}

#[test]
fn a_model_in_the_path_can_bring_its_fault() {
    let mock = Mock::start(&[]);
    let body = json!({"contents": [{"parts": [{"text": "hi"}]}]});
    let key = [("x-goog-api-key", "key")];
    let failed = mock.post("/v1/models/gemini-2.5-flash%40status=503:generateContent", &key, &body);
    assert_eq!((failed.status, &failed.json()["error"]["status"]), (503, &json!("UNAVAILABLE")));
    mock.script(json!({"match": {"model": "us.mock-v1:0"}, "steps": [{"fault": "status=429"}]}));
    let failed = mock.post(DIALECTS[4].path, DIALECTS[4].headers, &(DIALECTS[4].body)("hi"));
    assert_eq!(
        (failed.status, failed.header("x-amzn-errortype")),
        (429, Some("ThrottlingException"))
    );
}

#[test]
fn gemini_streams_an_array_where_no_events_are_asked_for() {
    let mock = Mock::start(&[]);
    let body = (DIALECTS[3].body)("hi");
    let path = "/v1beta/models/mock:streamGenerateContent";
    let key = [("x-goog-api-key", "key")];
    let array = mock.post(path, &key, &body);
    assert!(array.json().as_array().is_some_and(|chunks| chunks.len() > 2));
    for after in ["0", "2"] {
        let fault = format!("error-in-stream:{after}");
        let failed = mock.post(path, &[key[0], ("x-mock-fault", &fault)], &body).json();
        let last = failed.as_array().and_then(|chunks| chunks.last().cloned()).expect("an error");
        assert_eq!(last["error"]["status"], "UNAVAILABLE");
    }
}

#[test]
fn gemini_takes_its_names_in_two_spellings_and_no_others() {
    let mock = Mock::start(&[]);
    let key = [("x-goog-api-key", "key")];
    let mut body = json!({
        "contents": [{"parts": [{"inline_data": {"mime_type": "image/png", "data": "aGk="}}, {"text": "hi"}]}],
        "generation_config": {"max_output_tokens": 100},
    });
    let reply = mock.post("/v1beta/models/mock:generateContent", &key, &body).json();
    assert_eq!(
        reply["candidates"][0]["content"]["parts"][0]["text"],
        "mock reply to: hi (1 image seen)"
    );
    body["contents"][0]["parts"][1]["cache_control"] = json!({});
    let refused = mock.post("/v1beta/models/mock:generateContent", &key, &body).json();
    let message = "Invalid JSON payload received. Unknown name \"cacheControl\" at 'contents[0].parts[1]': Cannot find field.";
    assert_eq!(refused["error"]["message"], message);
}

#[test]
fn later_gemini_models_want_their_signature_back() {
    let mock = Mock::start(&[]);
    let key = [("x-goog-api-key", "key")];
    let path = "/v1beta/models/gemini-3-pro-preview:generateContent";
    let tool = json!([{"functionDeclarations": [{"name": "weather"}]}]);
    let mut contents = vec![json!({"role": "user", "parts": [{"text": "hi"}]})];
    let first = mock.post(path, &key, &json!({"contents": contents, "tools": tool})).json();
    let said = first["candidates"][0]["content"].clone();
    assert!(said["parts"][0]["thoughtSignature"].is_string(), "{said}");
    let result = json!({"functionResponse": {"name": "weather", "response": {"output": "sunny"}}});
    contents.extend([said, json!({"role": "user", "parts": [result]})]);
    let second = mock.post(path, &key, &json!({"contents": contents})).json();
    assert_eq!(
        second["candidates"][0]["content"]["parts"][0]["text"],
        "mock tool result said: sunny"
    );
    contents[1]["parts"][0].as_object_mut().expect("a part").remove("thoughtSignature");
    let refused = mock.post(path, &key, &json!({"contents": contents}));
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("missing a thought_signature"), "{}", refused.text());
}

#[test]
fn bedrock_takes_turns_and_wants_every_tool_use_answered() {
    let mock = Mock::start(&[]);
    let dialect = &DIALECTS[4];
    let user = json!({"role": "user", "content": [{"text": "hi"}]});
    let uses = json!({"toolUse": {"toolUseId": "t1", "name": "weather", "input": {}}});
    let assistant = json!({"role": "assistant", "content": [uses]});
    let spec = json!({"name": "weather", "inputSchema": {"json": {"type": "object"}}});
    let config = json!({"tools": [{"toolSpec": spec}]});
    let refusal = |messages: Value| {
        let refused = dialect.send(&mock, &json!({"messages": messages, "toolConfig": config}), "");
        assert_eq!(
            (refused.status, refused.header("x-amzn-errortype")),
            (400, Some("ValidationException"))
        );
        refused.json()["message"].as_str().expect("a message").to_owned()
    };
    assert!(refusal(json!([user, user])).contains("alternate"));
    assert!(refusal(json!([user, assistant])).contains("Expected toolResult blocks"));
    assert!(refusal(json!([user, assistant, user])).contains("for the following Ids: t1"));
    assert!(refusal(json!([{"role": "user", "content": [{"text": ""}]}])).contains("is blank"));
    assert!(
        refusal(json!([{"role": "user", "content": [{"text": "a", "image": {}}]}]))
            .contains("messages.0.content.0")
    );
}

#[test]
fn bedrock_looks_at_the_form_of_a_signature() {
    let mock = Mock::start(&[]);
    let body = (DIALECTS[4].body)("hi").to_string();
    let status = |authorization: &str, headers: &[(&str, &str)]| {
        let mut all = vec![("authorization", authorization)];
        all.extend_from_slice(headers);
        let mut connection = mock.connect();
        connection.stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        connection.send(&request("POST", DIALECTS[4].path, &all, &body));
        connection.response().expect("a response").status
    };
    let signed = |service: &str| {
        format!(
            "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/{service}/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature={}",
            "0".repeat(64)
        )
    };
    assert_eq!(status(&signed("bedrock"), &[BEDROCK_DATE]), 200);
    assert_eq!(status(&signed("s3"), &[BEDROCK_DATE]), 403);
    assert_eq!(status(&signed("bedrock"), &[]), 403);
    assert_eq!(status("", &[]), 403);
}

#[test]
fn mistral_wants_ids_of_nine_characters() {
    let mock = Mock::start(&[]);
    let body = |id: &str| {
        let call =
            json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
        json!({"model": "mock", "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": id, "content": "done"},
        ]})
    };
    assert_eq!(mock.post("/mistral/v1/chat/completions", &[], &body("abcDEF123")).status, 200);
    let refused = mock.post("/mistral/v1/chat/completions", &[], &body("call_1"));
    assert_eq!(refused.status, 422);
    assert!(
        refused.json()["detail"][0]["msg"]
            .as_str()
            .is_some_and(|message| message.contains("length of 9"))
    );
    let unknown = with_field(chat("hi"), "stream_options", json!({}));
    let refused = mock.post("/mistral/v1/chat/completions", &[], &unknown).json();
    assert_eq!(refused["detail"][0]["loc"], json!(["body", "stream_options"]));
}

#[test]
fn responses_give_encrypted_reasoning_that_can_come_back() {
    let mock = Mock::start(&[]);
    let path = "/openai/v1/responses";
    let request = json!({
        "model": "mock",
        "input": "hi",
        "reasoning": {"effort": "low"},
        "include": ["reasoning.encrypted_content"],
    });
    let reasoning = mock.post(path, &[], &request).json()["output"][0].clone();
    let next = json!({"role": "user", "content": "go on"});
    let input = json!({"model": "mock", "input": [reasoning, next]});
    assert_eq!(mock.post(path, &[], &input).status, 200);
    let forged = with_field(reasoning, "encrypted_content", json!("Zm9yZ2Vk"));
    let refused = mock.post(path, &[], &json!({"model": "mock", "input": [forged, next]})).json();
    assert_eq!(refused["error"]["code"], "invalid_encrypted_content");
    assert_eq!(refused["error"]["param"], "input[0].encrypted_content");
}

#[test]
fn embeddings_are_equal_for_equal_texts() {
    let mock = Mock::start(&[]);
    let openai = json!({"model": "mock", "input": ["one", "one", "two"], "dimensions": 4});
    let data = mock.post("/openai/v1/embeddings", &[], &openai).json()["data"].clone();
    assert_eq!(data[0]["embedding"], data[1]["embedding"]);
    assert_ne!(data[0]["embedding"], data[2]["embedding"]);
    let content = json!({"parts": [{"text": "one"}]});
    let entry = json!({"model": "models/mock", "content": content, "outputDimensionality": 4});
    let gemini = json!({"requests": [entry]});
    let key = [("x-goog-api-key", "key")];
    let values = mock.post("/v1beta/models/mock:batchEmbedContents", &key, &gemini).json();
    assert_eq!(values["embeddings"][0]["values"], data[0]["embedding"]);
    let ollama = json!({"model": "mock", "input": "one"});
    let ollama = mock.post("/ollama/api/embed", &[], &ollama).json();
    assert_eq!(ollama["embeddings"][0].as_array().map(Vec::len), Some(768));
}

#[test]
fn invoke_hosts_claude_and_titan() {
    let mock = Mock::start(&[]);
    let claude = json!({
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "hi"}],
    });
    let path = "/bedrock/model/us.anthropic.claude-v1%3A0/invoke";
    assert_eq!(mock.post(path, &[], &claude).json()["content"][0]["text"], "mock reply to: hi");
    let stream = mock.post(&format!("{path}-with-response-stream"), &[], &claude);
    assert!(messages(&stream.body()).iter().all(|message| message["bytes"].is_string()));
    let wrong = with_field(claude, "model", json!("claude"));
    assert!(
        mock.post(path, &[], &wrong).json()["message"]
            .as_str()
            .is_some_and(|text| text.starts_with("model:"))
    );
    let titan = mock.post(
        "/bedrock/model/amazon.titan-embed-text-v2:0/invoke",
        &[],
        &json!({"inputText": "one"}),
    );
    assert_eq!(titan.json()["embedding"].as_array().map(Vec::len), Some(1024));
}

#[test]
fn a_request_without_a_credential_is_turned_away() {
    let mock = Mock::start(&[]);
    for dialect in DIALECTS {
        let mut connection = mock.connect();
        connection.send(&request("POST", dialect.path, &[], &(dialect.body)("hi").to_string()));
        let status = connection.response().expect("a response").status;
        let expected: &[u16] =
            if dialect.path.starts_with("/ollama") { &[200] } else { &[401, 403] };
        assert!(expected.contains(&status), "{}: {status}", dialect.path);
    }
}

#[test]
fn a_path_nobody_serves_is_told_in_the_shape_of_its_prefix() {
    let mock = Mock::start(&[]);
    let mut connection = mock.connect();
    connection.send(&post("/gemini/v1beta/nothing", &[], &json!({})));
    let response = connection.response().expect("a response");
    assert_eq!((response.status, &response.json()["error"]["status"]), (404, &json!("NOT_FOUND")));
}
