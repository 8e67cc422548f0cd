//! Conversations over WebSockets: OpenAI's realtime sessions, and responses one after the other.

use std::io::{self, Read, Write};
use std::mem;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde_json::{Value, json};
use tungstenite::Error;
use tungstenite::protocol::{Message, Role, WebSocketConfig, WebSocketContext};

use super::answer::{Answer, Ask, Last, Size};
use super::conversation::{items, text};
use super::limits::BODY_BYTES_MAX;
use super::openai;
use super::refusal::Refusal;
use super::reply::{Body, Reply};
use super::request::Request;
use super::routes::Call;
use super::shape::Shape;
use super::text::{pieces, tokens};
use super::world::World;

/// What is hashed with a client's key (RFC 6455 §1.3).
const KEY_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Pieces of a realtime answer.
const DELTAS: usize = 3;

/// `GET …/realtime` and `GET …/responses`: agrees to switch, with the head of the answer.
pub(crate) fn agree(call: &Call<'_>) -> Result<Reply, Refusal> {
    let header = |name: &'static str| call.request.header(name).unwrap_or_default();
    let wants = |name: &'static str, token: &str| {
        header(name).split(',').any(|found| found.trim().eq_ignore_ascii_case(token))
    };
    if !wants("connection", "upgrade") || !wants("upgrade", "websocket") {
        return Err(Refusal::new(426, "This endpoint is for WebSockets."));
    }
    let key = header("sec-websocket-key");
    let is_key = STANDARD.decode(key).is_ok_and(|key| key.len() == 16);
    if !is_key || header("sec-websocket-version") != "13" {
        return Err(Refusal::invalid("The WebSocket handshake is not one of RFC 6455."));
    }
    let is_realtime = is_realtime(call.request);
    let has_subject =
        ["model", "call_id", "intent"].iter().any(|name| call.request.query(name).is_some());
    if is_realtime && !has_subject {
        return Err(Refusal::invalid("you must provide a model parameter").code("missing_model"));
    }
    let hashed = digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{KEY_SUFFIX}").as_bytes());
    let mut reply =
        Reply { status: 101, headers: Vec::new(), body: Body::Whole(Vec::new()), break_off: None }
            .with_header("connection", "Upgrade")
            .with_header("upgrade", "websocket")
            .with_header("sec-websocket-accept", STANDARD.encode(hashed));
    if is_realtime && wants("sec-websocket-protocol", "realtime") {
        reply = reply.with_header("sec-websocket-protocol", "realtime");
    }
    Ok(reply)
}

fn is_realtime(request: &Request) -> bool {
    !request.path().ends_with("/responses")
}

/// The head of a reply that agrees.
pub(crate) fn head(reply: &Reply) -> Vec<u8> {
    let mut head = String::from("HTTP/1.1 101 Switching Protocols\r\n");
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// One conversation: bytes in, bytes out.
pub(crate) struct Dialogue<'a> {
    world: &'a World,
    request: &'a Request,
    protocol: WebSocketContext,
    pipe: Pipe,
    /// What the caller said last.
    said: String,
    /// How often it was answered.
    answers: u64,
}

/// Between the protocol and the connection.
#[derive(Default)]
struct Pipe {
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

impl<'a> Dialogue<'a> {
    /// The conversation that `request` has opened.
    pub(crate) fn new(world: &'a World, request: &'a Request) -> Self {
        let config = WebSocketConfig::default()
            .write_buffer_size(0)
            .max_message_size(Some(BODY_BYTES_MAX))
            .max_frame_size(Some(BODY_BYTES_MAX));
        let protocol = WebSocketContext::new(Role::Server, Some(config));
        let mut dialogue = Self {
            world,
            request,
            protocol,
            pipe: Pipe::default(),
            said: String::new(),
            answers: 0,
        };
        if is_realtime(request) {
            let session = dialogue.session();
            dialogue.say(&json!({"type": "session.created", "session": session}));
        }
        dialogue
    }

    /// What is to be written now.
    pub(crate) fn take_outgoing(&mut self) -> Vec<u8> {
        mem::take(&mut self.pipe.outgoing)
    }

    /// Takes received bytes; whether the conversation goes on.
    pub(crate) fn take(&mut self, bytes: Vec<u8>) -> bool {
        self.pipe.incoming.extend(bytes);
        loop {
            match self.protocol.read(&mut self.pipe) {
                Ok(Message::Text(text)) => self.hear(&text),
                Ok(Message::Binary(_)) => {
                    self.refuse(&Refusal::invalid("Messages have to be text."))
                }
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
        }
    }

    fn hear(&mut self, message: &str) {
        let Ok(event) = serde_json::from_str::<Value>(message) else {
            return self.refuse(&Refusal::invalid("The message is not JSON."));
        };
        match (is_realtime(self.request), text(&event, "type")) {
            (true, "session.update") => {
                let session = self.session();
                self.say(&json!({"type": "session.updated", "session": session}));
            }
            (true, "conversation.item.create") => self.take_item(&event),
            (true, "response.create") => self.answer(),
            (true, "input_audio_buffer.append" | "input_audio_buffer.clear") => {}
            (false, "response.create") => self.respond(event),
            (_, kind) => {
                let message = format!("Invalid value: '{kind}' is no event of a client.");
                self.refuse(&Refusal::invalid(message).param("type").code("invalid_value"));
            }
        }
    }

    fn take_item(&mut self, event: &Value) {
        let item = event.get("item").cloned().unwrap_or_default();
        let texts = items(item.get("content")).iter().map(|part| text(part, "text"));
        self.said = texts.collect::<Vec<_>>().join(" ");
        for kind in ["conversation.item.added", "conversation.item.done"] {
            self.say(&json!({"type": kind, "previous_item_id": null, "item": item}));
        }
    }

    /// One answer of a realtime session.
    fn answer(&mut self) {
        self.answers += 1;
        let last = Last { text: mem::take(&mut self.said), is_tool_result: false };
        let asked = tokens(last.text.len());
        let answer = Answer::new(&Ask { last, ..Ask::default() }, &self.size());
        let (response_id, item_id) =
            (format!("resp_{}", self.answers), format!("item_{}", self.answers));
        let place = json!({"response_id": response_id, "item_id": item_id, "output_index": 0, "content_index": 0});
        let response = json!({"id": response_id, "object": "realtime.response", "status": "in_progress",
            "status_details": null, "output": [], "usage": null});
        self.say(&json!({"type": "response.created", "response": response}));
        for delta in pieces(&answer.text, DELTAS) {
            self.say(&merged(
                &place,
                json!({"type": "response.output_text.delta", "delta": delta}),
            ));
        }
        self.say(&merged(
            &place,
            json!({"type": "response.output_text.done", "text": answer.text}),
        ));
        let item = json!({"id": item_id, "object": "realtime.item", "type": "message", "status": "completed",
            "role": "assistant", "content": [{"type": "output_text", "text": answer.text}]});
        let said = tokens(answer.text.len());
        let usage = json!({"total_tokens": asked + said, "input_tokens": asked, "output_tokens": said,
            "input_token_details": {"text_tokens": asked, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 0},
            "output_token_details": {"text_tokens": said, "audio_tokens": 0}});
        let done = json!({"status": "completed", "output": [item], "usage": usage});
        self.say(&json!({"type": "response.done", "response": merged(&response, done)}));
    }

    /// One response, with the events of a stream.
    fn respond(&mut self, mut body: Value) {
        let refused = ["stream", "background"].into_iter().find(|name| body.get(name).is_some());
        if let Some(name) = refused {
            let message = format!("Unsupported parameter: '{name}' over a WebSocket.");
            return self.refuse(&Refusal::invalid(message).param(name));
        }
        if let Some(body) = body.as_object_mut() {
            body.remove("type");
            body.insert("stream".to_owned(), Value::Bool(true));
        }
        let model = text(&body, "model").to_owned();
        let call = Call {
            request: self.request,
            body: &body,
            model: &model,
            id: self.world.next_reply_id(),
            size: self.size(),
            is_strict: self.world.args.strict,
        };
        match openai::serve_responses(&call).map(|reply| reply.body) {
            Ok(Body::Pieces(events)) => {
                events.iter().filter_map(|event| data_of(event)).for_each(|data| {
                    self.send(data);
                })
            }
            Ok(Body::Whole(_)) => {}
            Err(refusal) => self.refuse(&refusal),
        }
    }

    fn size(&self) -> Size {
        let args = &self.world.args;
        Size { reply_bytes: args.reply_bytes, chunks: args.stream_chunks, usage: None }
    }

    fn session(&self) -> Value {
        let model = self.request.query("model").unwrap_or_default();
        json!({"type": "realtime", "object": "realtime.session", "id": "sess_mock", "model": model,
            "output_modalities": ["text"], "instructions": "", "tools": [], "tool_choice": "auto"})
    }

    /// An error as an event.
    fn refuse(&mut self, refusal: &Refusal) {
        let Body::Whole(body) = Shape::OpenAi.error(refusal, 0).body else { return };
        let error = serde_json::from_slice::<Value>(&body).unwrap_or_default();
        let error = error.get("error").cloned().unwrap_or_default();
        self.say(&json!({"type": "error", "event_id": "event_error", "status": refusal.status, "error": error}));
    }

    fn say(&mut self, event: &Value) {
        let mut event = event.clone();
        if let Some(event) = event.as_object_mut().filter(|event| !event.contains_key("event_id")) {
            event.insert("event_id".to_owned(), json!("event_mock"));
        }
        self.send(&event.to_string());
    }

    fn send(&mut self, text: &str) {
        // A caller that has closed hears no more.
        let _ = self.protocol.write(&mut self.pipe, Message::text(text));
    }
}

fn merged(one: &Value, other: Value) -> Value {
    let members = [one.clone(), other];
    let objects = members.into_iter().filter_map(|value| match value {
        Value::Object(object) => Some(object),
        _ => None,
    });
    Value::Object(objects.flatten().collect())
}

/// The data of a server-sent event that has one line of it.
fn data_of(event: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(event).ok()?;
    text.lines().find_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]")
}

impl Read for Pipe {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.incoming.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = self.incoming.as_slice().read(room)?;
        self.incoming.drain(..count);
        Ok(count)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
