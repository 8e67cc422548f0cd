//! Google's signatures on their way to a caller of another dialect and back: they arrive where they came from, and go to
//! nobody else.

use dialect::{
    Dialect, Notes, ReplyOptions, RequestOptions, StreamTranslator, translate_reply,
    translate_request,
};
use serde_json::{Value, json};

const CALL: &str = "+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/Y2FsbCEhIQ==";
const TEXT: &str = "YSB0ZXh0IHRoYXQgaXMgc2lnbmVkIGJ5IEdvb2dsZQ==";

/// The signature of a call comes back in the other alphabet, which stands for the same bytes.
fn respelt(signature: &str) -> String {
    signature.replace('+', "-").replace('/', "_")
}

fn reply_to(caller: Dialect, parts: &Value) -> Value {
    let reply = json!({
        "candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": "STOP"}],
        "modelVersion": "gemini-3-pro-preview",
        "responseId": "r1",
    });
    let notes = Notes::default();
    let options = ReplyOptions { notes: &notes, model: None, trailer: b"", id: "id", created: 1 };
    let mut out = Vec::new();
    translate_reply(Dialect::Gemini, caller, reply.to_string().as_bytes(), &options, &mut out)
        .expect("a reply");
    serde_json::from_slice(&out).expect("JSON")
}

fn request(from: Dialect, to: Dialect, model: &str, body: &Value) -> Value {
    let mut out = Vec::new();
    let options = RequestOptions::new(model);
    translate_request(from, to, body.to_string().as_bytes(), &options, &mut out)
        .expect("a request");
    serde_json::from_slice(&out).expect("JSON")
}

fn parts() -> Value {
    json!([
        {"text": "Let me see.", "thoughtSignature": TEXT},
        {"functionCall": {"name": "weather", "args": {"city": "Lima"}}, "thoughtSignature": CALL},
        {"functionCall": {"name": "time", "args": {}}},
    ])
}

fn chat_conversation(message: &Value) -> Value {
    let results = message["tool_calls"]
        .as_array()
        .expect("calls")
        .iter()
        .map(|call| json!({"role": "tool", "tool_call_id": call["id"], "content": "fine"}));
    let mut messages = vec![json!({"role": "user", "content": "?"}), message.clone()];
    messages.extend(results);
    json!({"model": "m", "messages": messages})
}

fn assert_signed(request: &Value) {
    let model = &request["contents"][1]["parts"];
    assert_eq!(model[0]["text"], "Let me see.");
    assert_eq!(model[0]["thoughtSignature"], TEXT);
    assert_eq!(model[1]["functionCall"]["id"], "call_r1_0");
    assert_eq!(model[1]["thoughtSignature"], respelt(CALL));
    assert!(model[2].get("thoughtSignature").is_none(), "{model}");
    let results = &request["contents"][2]["parts"];
    assert_eq!(results[0]["functionResponse"]["id"], "call_r1_0");
    assert_eq!(results[0]["functionResponse"]["name"], "weather");
    assert_eq!(results[1]["functionResponse"]["name"], "time");
}

#[test]
fn signatures_survive_chat_completions() {
    let reply = reply_to(Dialect::OpenAiChat, &parts());
    let conversation = chat_conversation(&reply["choices"][0]["message"]);
    let back = request(Dialect::OpenAiChat, Dialect::Gemini, "gemini-3-pro-preview", &conversation);
    assert_signed(&back);
}

#[test]
fn signatures_of_calls_survive_clients_that_drop_reasoning() {
    let reply = reply_to(Dialect::OpenAiChat, &parts());
    let mut message = reply["choices"][0]["message"].clone();
    message.as_object_mut().expect("a message").remove("reasoning_details");
    let conversation = chat_conversation(&message);
    let back = request(Dialect::OpenAiChat, Dialect::Gemini, "gemini-3-pro-preview", &conversation);
    assert_eq!(back["contents"][1]["parts"][1]["thoughtSignature"], respelt(CALL));
}

#[test]
fn signatures_survive_anthropic_messages() {
    let reply = reply_to(Dialect::AnthropicMessages, &parts());
    let results: Value = reply["content"]
        .as_array()
        .expect("content")
        .iter()
        .filter(|block| block["type"] == "tool_use")
        .map(|block| json!({"type": "tool_result", "tool_use_id": block["id"], "content": "fine"}))
        .collect();
    let conversation = json!({"model": "m", "max_tokens": 100, "messages": [
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": reply["content"]},
        {"role": "user", "content": results},
    ]});
    let from = Dialect::AnthropicMessages;
    assert_signed(&request(from, Dialect::Gemini, "gemini-3-pro-preview", &conversation));
    // Anthropic gets neither the proofs nor the long ids.
    let own = request(from, from, "claude", &conversation).to_string();
    assert!(!own.contains("_ts_"), "{own}");
    assert!(own.contains("\"call_r1_0\""), "{own}");
}

#[test]
fn signatures_survive_converse() {
    let reply = reply_to(Dialect::BedrockConverse, &parts());
    let answer = &reply["output"]["message"];
    let results: Value = answer["content"]
        .as_array()
        .expect("content")
        .iter()
        .map(|block| &block["toolUse"]["toolUseId"])
        .filter(|id| id.is_string())
        .map(|id| json!({"toolResult": {"toolUseId": id, "content": [{"text": "fine"}]}}))
        .collect();
    let conversation = json!({"messages": [
        {"role": "user", "content": [{"text": "?"}]},
        answer,
        {"role": "user", "content": results},
    ]});
    let from = Dialect::BedrockConverse;
    assert_signed(&request(from, Dialect::Gemini, "gemini-3-pro-preview", &conversation));
}

#[test]
fn other_vendors_get_bare_ids() {
    let reply = reply_to(Dialect::OpenAiChat, &parts());
    let conversation = chat_conversation(&reply["choices"][0]["message"]);
    // A conversation with calls is no prompt for completions.
    let is_other = |to: &Dialect| ![Dialect::Gemini, Dialect::OpenAiCompletions].contains(to);
    for to in Dialect::OpenAiChat.peers().filter(is_other) {
        let other = request(Dialect::OpenAiChat, to, "m", &conversation).to_string();
        assert!(!other.contains("_ts_"), "{other}");
        assert!(other.contains("\"call_r1_0\""), "{other}");
    }
}

#[test]
fn calls_of_another_vendor_get_the_word_for_that() {
    let calls = json!([
        {"id": "call_1", "type": "function", "function": {"name": "a", "arguments": "{}"}},
        {"id": "call_2", "type": "function", "function": {"name": "b", "arguments": "{}"}},
    ]);
    let message = json!({"role": "assistant", "content": null, "tool_calls": calls});
    let conversation = chat_conversation(&message);
    let signed = request(Dialect::OpenAiChat, Dialect::Gemini, "gemini-3-flash", &conversation);
    let parts = &signed["contents"][1]["parts"];
    assert_eq!(parts[0]["thoughtSignature"], "skip_thought_signature_validator");
    assert!(parts[1].get("thoughtSignature").is_none());
    let older = request(Dialect::OpenAiChat, Dialect::Gemini, "gemini-2.5-flash", &conversation);
    assert!(older["contents"][1]["parts"][0].get("thoughtSignature").is_none());
}

#[test]
fn encrypted_reasoning_that_names_a_call_goes_to_it() {
    let message = json!({
        "role": "assistant",
        "content": null,
        "reasoning_details": [{
            "type": "reasoning.encrypted",
            "id": "call_2",
            "format": "google-gemini-v1",
            "data": CALL,
        }],
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "a", "arguments": "{}"}},
            {"id": "call_2", "type": "function", "function": {"name": "b", "arguments": "{}"}},
        ],
    });
    let conversation = chat_conversation(&message);
    let back = request(Dialect::OpenAiChat, Dialect::Gemini, "gemini-2.5-pro", &conversation);
    let parts = &back["contents"][1]["parts"];
    assert_eq!(parts.as_array().map(Vec::len), Some(2), "{parts}");
    assert!(parts[0].get("thoughtSignature").is_none());
    assert_eq!(parts[1]["thoughtSignature"], CALL);
}

#[test]
fn a_thought_of_claude_survives_a_stream_to_a_gemini_client() {
    let events = [
        json!({"type": "message_start", "message": {"id": "m1", "model": "claude", "usage": {}}}),
        json!({"type": "content_block_start", "index": 0,
            "content_block": {"type": "thinking", "thinking": "", "signature": ""}}),
        json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "thinking_delta", "thinking": "One. "}}),
        json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "thinking_delta", "thinking": "Two."}}),
        json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "signature_delta", "signature": "EqQB+/claude=="}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1,
            "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 1,
            "delta": {"type": "text_delta", "text": "Three."}}),
        json!({"type": "content_block_stop", "index": 1}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}}),
        json!({"type": "message_stop"}),
    ];
    let notes = Notes::default();
    let options = ReplyOptions { notes: &notes, model: None, trailer: b"", id: "id", created: 1 };
    let mut translator =
        StreamTranslator::new(Dialect::AnthropicMessages, Dialect::Gemini, &options);
    let mut out = Vec::new();
    for event in &events {
        let name = event["type"].as_str();
        translator.event(name, event.to_string().as_bytes(), &mut out).expect("an event");
    }
    let text = String::from_utf8(out).expect("UTF-8");
    let pieces = text.lines().filter_map(|line| line.strip_prefix("data: "));
    // As clients keep it: a content for each piece.
    let mut contents = vec![json!({"role": "user", "parts": [{"text": "?"}]})];
    contents.extend(pieces.map(|piece| {
        let piece: Value = serde_json::from_str(piece).expect("JSON");
        piece["candidates"][0]["content"].clone()
    }));
    contents.push(json!({"role": "user", "parts": [{"text": "More?"}]}));
    let body = json!({ "contents": contents });
    let back = request(Dialect::Gemini, Dialect::AnthropicMessages, "claude", &body);
    assert_eq!(
        back["messages"][1]["content"],
        json!([
            {"type": "thinking", "thinking": "One. Two.", "signature": "EqQB+/claude=="},
            {"type": "text", "text": "Three."},
        ])
    );
}

#[test]
fn files_of_a_result_go_where_the_model_takes_them() {
    let image = json!({"type": "image", "source":
        {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}});
    let body = json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "?"},
        {"role": "assistant", "content":
            [{"type": "tool_use", "id": "t1", "name": "map", "input": {}}]},
        {"role": "user", "content":
            [{"type": "tool_result", "tool_use_id": "t1", "content": [image]}]},
    ]});
    let from = Dialect::AnthropicMessages;
    let inside = request(from, Dialect::Gemini, "gemini-3-pro", &body);
    let response = &inside["contents"][2]["parts"][0]["functionResponse"];
    assert_eq!(response["parts"][0]["inlineData"]["mimeType"], "image/png");
    let behind = request(from, Dialect::Gemini, "gemini-2.5-pro", &body);
    let parts = &behind["contents"][2]["parts"];
    assert!(parts[0]["functionResponse"].get("parts").is_none());
    assert_eq!(parts[1]["inlineData"]["mimeType"], "image/png");
}

#[test]
fn a_result_answers_the_last_call_of_its_id() {
    let turn = |name: &str| {
        json!([
            {"role": "assistant", "content": null, "tool_calls":
                [{"id": "call_0", "type": "function", "function": {"name": name, "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "call_0", "content": "fine"},
        ])
    };
    let mut messages = vec![json!({"role": "user", "content": "?"})];
    for name in ["first", "second"] {
        messages.extend(turn(name).as_array().expect("a turn").iter().cloned());
    }
    let body = json!({"model": "m", "messages": messages});
    let written = request(Dialect::OpenAiChat, Dialect::Gemini, "gemini-2.5-pro", &body);
    let name =
        |content: usize| &written["contents"][content]["parts"][0]["functionResponse"]["name"];
    assert_eq!((name(2), name(4)), (&json!("first"), &json!("second")));
}
