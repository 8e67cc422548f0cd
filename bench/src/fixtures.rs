//! What the cases are fed with: bytes as the usual clients and providers send them, made here so that a
//! size is a number.

/// The head of a request as the OpenAI SDK for Python sends it: 18 headers.
pub fn sdk_request_head(path: &str, body_bytes: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\n\
         Host: 127.0.0.1:8080\r\n\
         Accept-Encoding: gzip, deflate\r\n\
         Connection: keep-alive\r\n\
         Accept: application/json\r\n\
         Content-Type: application/json\r\n\
         User-Agent: OpenAI/Python 1.109.1\r\n\
         X-Stainless-Lang: python\r\n\
         X-Stainless-Package-Version: 1.109.1\r\n\
         X-Stainless-OS: Linux\r\n\
         X-Stainless-Arch: x64\r\n\
         X-Stainless-Runtime: CPython\r\n\
         X-Stainless-Runtime-Version: 3.12.3\r\n\
         Authorization: Bearer dummy\r\n\
         X-Stainless-Async: false\r\n\
         x-stainless-retry-count: 0\r\n\
         x-stainless-read-timeout: 600\r\n\
         traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\
         Content-Length: {body_bytes}\r\n\r\n"
    )
}

/// The head of a request with nothing in it that is not needed.
pub fn short_request_head(path: &str, body_bytes: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1:8080\r\ncontent-type: application/json\r\n\
         authorization: Bearer dummy\r\ncontent-length: {body_bytes}\r\n\r\n"
    )
}

/// The head of a reply as OpenAI sends it: 24 headers. `framing` is one of them.
pub fn openai_reply_head(content_type: &str, framing: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\n\
         Date: Mon, 02 Jun 2025 10:15:30 GMT\r\n\
         Content-Type: {content_type}\r\n\
         {framing}\r\n\
         Connection: keep-alive\r\n\
         access-control-expose-headers: X-Request-ID\r\n\
         openai-organization: example-organization\r\n\
         openai-processing-ms: 412\r\n\
         openai-project: proj_4ZkqPp0mBvG1nYx6aT2sWc9L\r\n\
         openai-version: 2020-10-01\r\n\
         x-envoy-upstream-service-time: 430\r\n\
         x-ratelimit-limit-requests: 10000\r\n\
         x-ratelimit-limit-tokens: 2000000\r\n\
         x-ratelimit-remaining-requests: 9999\r\n\
         x-ratelimit-remaining-tokens: 1999871\r\n\
         x-ratelimit-reset-requests: 6ms\r\n\
         x-ratelimit-reset-tokens: 3ms\r\n\
         x-request-id: req_7f3c2b1a9e8d4c5fa6b7c8d9e0f1a2b3\r\n\
         cf-cache-status: DYNAMIC\r\n\
         Strict-Transport-Security: max-age=31536000; includeSubDomains; preload\r\n\
         X-Content-Type-Options: nosniff\r\n\
         Server: cloudflare\r\n\
         CF-RAY: 948f1c2d3e4f5a6b-FRA\r\n\
         alt-svc: h3=\":443\"; ma=86400\r\n\
         Vary: Accept-Encoding\r\n\r\n"
    )
}

/// The head of a reply with nothing in it that is not needed.
pub fn short_reply_head(content_type: &str, framing: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\n{framing}\r\n\r\n")
}

/// Text of exactly so many bytes that stands between quotes in JSON: one escape in 50 bytes.
pub fn prose(bytes: usize) -> String {
    const SENTENCE: &str = "Everyone who measures a thing changes it a little, and whoever reports \
        on it changes it once more.\\nTwo runs of \\\"the same\\\" program are no exception, so count. ";
    let mut text = SENTENCE.repeat(bytes / SENTENCE.len());
    text.push_str(&SENTENCE[..bytes - text.len()]);
    if text.ends_with('\\') {
        // An escape that was cut off would be none.
        text.replace_range(bytes - 1.., "x");
    }
    text
}

/// An OpenAI chat request of about so many bytes: a conversation in turns of at most 2 KB, and what follows
/// the messages in the order of the SDK for Python.
pub fn chat_request(bytes: usize, model: &str, is_streaming: bool) -> String {
    const TURN_BYTES: usize = 2000;

    let stream = if is_streaming { r#","stream":true"# } else { "" };
    let whole = |turns: &str| {
        format!(
            r#"{{"messages":[{{"role":"system","content":"You are a helpful assistant."}},{turns}],"model":"{model}","max_tokens":512,"temperature":0.7{stream}}}"#
        )
    };
    let turn =
        |role: &str, bytes: usize| format!(r#"{{"role":"{role}","content":"{}"}}"#, prose(bytes));
    let mut left = bytes.saturating_sub(whole(&turn("user", 0)).len());
    let mut turns = Vec::new();
    for role in ["user", "assistant"].iter().cycle() {
        if left <= TURN_BYTES && *role == "user" {
            break;
        }
        turns.push(turn(role, left.min(TURN_BYTES)));
        left = left.saturating_sub(TURN_BYTES + 40);
    }
    turns.push(turn("user", left));
    whole(&turns.join(","))
}

/// What an OpenAI chat request with 20 tools has beside its messages and its model; about 9 KB.
fn openai_tools() -> String {
    let tool = |index| {
        format!(
            r#"{{"type":"function","function":{{"name":"look_up_{index}","description":"{}","parameters":{}}}}}"#,
            prose(135),
            tool_schema()
        )
    };
    let tools: Vec<String> = (0..20).map(tool).collect();
    format!(r#""tools":[{}],"tool_choice":"auto""#, tools.join(","))
}

/// The same as Anthropic spells it.
fn anthropic_tools() -> String {
    let tool = |index| {
        format!(
            r#"{{"name":"look_up_{index}","description":"{}","input_schema":{}}}"#,
            prose(135),
            tool_schema()
        )
    };
    let tools: Vec<String> = (0..20).map(tool).collect();
    format!(r#""tools":[{}],"tool_choice":{{"type":"auto"}}"#, tools.join(","))
}

fn tool_schema() -> &'static str {
    r#"{"type":"object","properties":{"query":{"type":"string","description":"What to look for"},"limit":{"type":"integer","minimum":1,"maximum":50},"order":{"type":"string","enum":["newest","best"]}},"required":["query"],"additionalProperties":false}"#
}

/// An OpenAI chat request of 10 KB with 20 tools and a call of one of them in its history.
pub fn chat_request_with_tools(model: &str) -> String {
    format!(
        r#"{{"messages":[{{"role":"system","content":"You are a helpful assistant."}},{{"role":"user","content":"{}"}},{{"role":"assistant","content":null,"tool_calls":[{{"id":"call_9f8e7d6c5b4a","type":"function","function":{{"name":"look_up_3","arguments":"{{\"query\":\"floor\",\"limit\":5}}"}}}}]}},{{"role":"tool","tool_call_id":"call_9f8e7d6c5b4a","content":"{}"}}],"model":"{model}","max_tokens":512,"temperature":0.7,{}}}"#,
        prose(300),
        prose(400),
        openai_tools()
    )
}

/// The same request as Anthropic spells it.
pub fn messages_request_with_tools(model: &str) -> String {
    format!(
        r#"{{"max_tokens":512,"messages":[{{"role":"user","content":"{}"}},{{"role":"assistant","content":[{{"type":"tool_use","id":"toolu_9f8e7d6c5b4a","name":"look_up_3","input":{{"query":"floor","limit":5}}}}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"toolu_9f8e7d6c5b4a","content":"{}"}}]}}],"model":"{model}","system":"You are a helpful assistant.","temperature":0.7,{}}}"#,
        prose(300),
        prose(400),
        anthropic_tools()
    )
}

/// An Anthropic messages request of about so many bytes.
pub fn messages_request(bytes: usize, model: &str, is_streaming: bool) -> String {
    let stream = if is_streaming { r#","stream":true"# } else { "" };
    let whole = |text: &str| {
        format!(
            r#"{{"max_tokens":512,"messages":[{{"role":"user","content":"{text}"}}],"model":"{model}","system":"You are a helpful assistant.","temperature":0.7{stream}}}"#
        )
    };
    let text = prose(bytes.saturating_sub(whole("").len()));
    whole(&text)
}

/// An OpenAI chat reply of exactly so many bytes, from 700 on.
pub fn chat_reply(bytes: usize) -> String {
    let whole = |text: &str| {
        format!(
            r#"{{"id":"chatcmpl-BdF1kq9wJ3xVn5sTzYh2LmPo8Rc7E","object":"chat.completion","created":1748859330,"model":"gpt-4o-mini-2024-07-18","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}","refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":214,"completion_tokens":143,"total_tokens":357,"prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}},"service_tier":"default","system_fingerprint":"fp_34a54ae93c"}}"#
        )
    };
    let text = prose(bytes.saturating_sub(whole("").len()));
    whole(&text)
}

/// An Anthropic messages reply of exactly so many bytes, from 400 on.
pub fn messages_reply(bytes: usize) -> String {
    let whole = |text: &str| {
        format!(
            r#"{{"id":"msg_01XFDUDYJgAACzvnptvVoYEL","type":"message","role":"assistant","model":"claude-3-5-haiku-20241022","content":[{{"type":"text","text":"{text}"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":214,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":143,"service_tier":"standard"}}}}"#
        )
    };
    let text = prose(bytes.saturating_sub(whole("").len()));
    whole(&text)
}

/// The data of one content event of an OpenAI chat stream.
pub const CHAT_CHUNK: &str = r#"{"id":"chatcmpl-BdF1kq9wJ3xVn5sTzYh2LmPo8Rc7E","object":"chat.completion.chunk","created":1748859330,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_34a54ae93c","choices":[{"index":0,"delta":{"content":" quick"},"logprobs":null,"finish_reason":null}],"usage":null}"#;

/// The data of the event that begins an Anthropic stream.
pub const MESSAGE_START: &str = r#"{"type":"message_start","message":{"id":"msg_01XFDUDYJgAACzvnptvVoYEL","type":"message","role":"assistant","model":"claude-3-5-haiku-20241022","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":214,"output_tokens":1}}}"#;

/// The data of the event that begins a text block of an Anthropic stream.
pub const CONTENT_BLOCK_START: &str =
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;

/// The data of one content event of an Anthropic stream.
pub const CONTENT_BLOCK_DELTA: &str =
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" quick"}}"#;

/// A reply of Gemini's of exactly so many bytes, from 500 on.
pub fn gemini_reply(bytes: usize) -> String {
    let whole = |text: &str| {
        format!(
            r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{text}"}}],"role":"model"}},"finishReason":"STOP","index":0}}],"usageMetadata":{{"promptTokenCount":214,"candidatesTokenCount":143,"totalTokenCount":357,"promptTokensDetails":[{{"modality":"TEXT","tokenCount":214}}]}},"modelVersion":"gemini-2.5-flash","responseId":"hT0kaLGvMp2bvdIP0a3QwQ4"}}"#
        )
    };
    let text = prose(bytes.saturating_sub(whole("").len()));
    whole(&text)
}

/// A reply of Bedrock's Converse of exactly so many bytes, from 300 on.
pub fn converse_reply(bytes: usize) -> String {
    let whole = |text: &str| {
        format!(
            r#"{{"metrics":{{"latencyMs":812}},"output":{{"message":{{"content":[{{"text":"{text}"}}],"role":"assistant"}}}},"stopReason":"end_turn","usage":{{"inputTokens":214,"outputTokens":143,"totalTokens":357}}}}"#
        )
    };
    let text = prose(bytes.saturating_sub(whole("").len()));
    whole(&text)
}

/// The data of one content event of a stream of Gemini's.
pub const GEMINI_CHUNK: &str = r#"{"candidates":[{"content":{"parts":[{"text":" quick"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":214,"candidatesTokenCount":7,"totalTokenCount":221,"promptTokensDetails":[{"modality":"TEXT","tokenCount":214}]},"modelVersion":"gemini-2.5-flash","responseId":"hT0kaLGvMp2bvdIP0a3QwQ4"}"#;

/// The events by which a text begins in OpenAI's responses.
pub const RESPONSES_EVENTS: &[(Option<&str>, &str)] = &[
    (
        Some("response.created"),
        r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_68af4030592c81938ec0a5fbab4a3e9f","object":"response","created_at":1748859330,"status":"in_progress","model":"gpt-4o-mini-2024-07-18","output":[],"usage":null}}"#,
    ),
    (
        Some("response.output_item.added"),
        r#"{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"msg_68af4033c8c08193","type":"message","status":"in_progress","content":[],"role":"assistant"}}"#,
    ),
    (
        Some("response.content_part.added"),
        r#"{"type":"response.content_part.added","sequence_number":2,"item_id":"msg_68af4033c8c08193","output_index":0,"content_index":0,"part":{"type":"output_text","annotations":[],"logprobs":[],"text":""}}"#,
    ),
    (
        Some("response.output_text.delta"),
        r#"{"type":"response.output_text.delta","sequence_number":3,"item_id":"msg_68af4033c8c08193","output_index":0,"content_index":0,"delta":" quick","logprobs":[],"obfuscation":"7dPTLmNgRtq"}"#,
    ),
];

/// The events by which a text begins in Bedrock's Converse.
pub const CONVERSE_EVENTS: &[(Option<&str>, &str)] = &[
    (Some("messageStart"), r#"{"p":"abcdefghij","role":"assistant"}"#),
    (
        Some("contentBlockDelta"),
        r#"{"contentBlockIndex":0,"delta":{"text":" quick"},"p":"abcdefghijklmnopq"}"#,
    ),
];

/// The events by which a text begins in Cohere's chats.
pub const COHERE_EVENTS: &[(Option<&str>, &str)] = &[
    (
        Some("message-start"),
        r#"{"id":"b7c8d9e0-f1a2-4b3c-8d4e-5f6a7b8c9d0e","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}"#,
    ),
    (
        Some("content-start"),
        r#"{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}"#,
    ),
    (
        Some("content-delta"),
        r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":" quick"}}}}"#,
    ),
];

/// Data as an event without a name.
pub fn sse_event(data: &str) -> String {
    format!("data: {data}\n\n")
}

/// Bytes as one chunk of a body.
pub fn http_chunk(bytes: &str) -> String {
    format!("{:x}\r\n{bytes}\r\n", bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_json_of_about_the_size_it_should_have() {
        for (text, bytes) in [
            (chat_request(1024, "m", false), 1024),
            (chat_request(10 * 1024, "m", true), 10 * 1024),
            (chat_request(100 * 1024, "m", false), 100 * 1024),
            (chat_request_with_tools("m"), 10 * 1024),
            (messages_request(1024, "m", true), 1024),
            (messages_request_with_tools("m"), 10 * 1024),
            (chat_reply(1400), 1400),
            (messages_reply(1400), 1400),
            (gemini_reply(1400), 1400),
            (converse_reply(1400), 1400),
        ] {
            serde_json::from_str::<serde_json::Value>(&text).expect("a fixture is JSON");
            let difference = text.len().abs_diff(bytes);
            assert!(difference * 100 <= bytes * 8, "{} instead of {bytes}", text.len());
        }
        let chunks =
            [CHAT_CHUNK, MESSAGE_START, CONTENT_BLOCK_START, CONTENT_BLOCK_DELTA, GEMINI_CHUNK];
        let events = [RESPONSES_EVENTS, CONVERSE_EVENTS, COHERE_EVENTS];
        let data = events.into_iter().flatten().map(|(_, data)| *data);
        for text in chunks.into_iter().chain(data) {
            serde_json::from_str::<serde_json::Value>(text).expect("a fixture is JSON");
        }
    }

    #[test]
    fn heads_have_as_many_headers_as_they_say() {
        let headers = |head: &str| head.trim_end().lines().count() - 1;
        assert_eq!(headers(&sdk_request_head("/", 1)), 18);
        assert_eq!(headers(&openai_reply_head("application/json", "Content-Length: 1")), 24);
    }
}
