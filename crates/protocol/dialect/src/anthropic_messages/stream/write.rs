//! Writing the events of a message stream.

use std::borrow::Cow;

use crate::anthropic_messages::block_write::{sanitize_id, write_citation, write_reasoning};
use crate::anthropic_messages::error::write_stream_error;
use crate::anthropic_messages::reply::reason_of_stop;
use crate::anthropic_messages::server_tool::{self, write_call_head, write_result};
use crate::anthropic_messages::usage::write_usage;
use crate::canonical::{Citation, Delta, Event, Reasoning, ServerCall, Start, Stop, Usage};
use crate::error::Error;
use crate::format::{Trailer, WriteStream};
use crate::in_order::InOrder;
use crate::json::{Object, Text};
use crate::options::ReplyOptions;
use crate::signature::mark;
use crate::sse;

/// Writes events.
#[derive(Debug)]
pub(crate) struct StreamWriter {
    fallback_id: String,
    model: Option<String>,
    has_started: bool,
    is_ended: bool,
    /// The number of the next block.
    next: u64,
    open: Option<Open>,
    order: InOrder,
    stop: Option<(Stop<'static>, Option<Text<'static>>)>,
    usage: Usage,
}

/// The block being written.
#[derive(Debug)]
enum Open {
    Text,
    Thinking { slot: u32 },
    ToolUse,
}

impl WriteStream for StreamWriter {
    fn write(
        &mut self,
        event: Event<'_>,
        _trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        match event {
            Event::Start(start) => self.start(&start, out),
            Event::Delta(0, delta) => return self.delta(delta, out),
            // The dialect knows one answer.
            Event::Delta(_, _) => {}
            Event::Stop(0, stop, sequence) => {
                self.stop = Some((stop.into_owned(), sequence.map(Text::into_owned)));
            }
            Event::Stop(..) => {}
            Event::Usage(usage) => self.usage = usage,
            Event::Error(error) => {
                self.is_ended = true;
                write_stream_error(&error, out);
            }
            Event::Done => self.finish(out),
        }
        Ok(())
    }

    fn end(&mut self, _trailer: Trailer<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        self.finish(out);
        Ok(())
    }
}

impl StreamWriter {
    pub(crate) fn new(options: &ReplyOptions<'_>) -> Self {
        Self {
            fallback_id: options.id.to_owned(),
            model: options.model.map(str::to_owned),
            has_started: false,
            is_ended: false,
            next: 0,
            open: None,
            order: InOrder::default(),
            stop: None,
            usage: Usage::default(),
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.is_ended, true) {
            return;
        }
        self.start(&Start::default(), out);
        let mut order = std::mem::take(&mut self.order);
        order.finish(&mut |delta| self.place(delta, out));
        self.close(out);
        self.message_delta(out);
        sse::frame(Some("message_stop"), out, |out| Object::new(out).str("type", "message_stop"));
    }

    fn message_delta(&self, out: &mut Vec<u8>) {
        sse::frame(Some("message_delta"), out, |out| {
            let mut object = Object::new(out);
            object.str("type", "message_delta");
            let mut delta = object.object("delta");
            let (stop, sequence) = match &self.stop {
                Some((stop, sequence)) => (reason_of_stop(stop), sequence.as_ref()),
                None => (Cow::Borrowed("end_turn"), None),
            };
            delta.str("stop_reason", &stop);
            match sequence {
                Some(sequence) => delta.text("stop_sequence", sequence),
                None => delta.null("stop_sequence"),
            }
            drop(delta);
            write_usage(&self.usage, &mut object.object("usage"));
        });
    }

    fn start(&mut self, start: &Start<'_>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.has_started, true) {
            return;
        }
        let fallback = Text::from(self.fallback_id.as_str());
        sse::frame(Some("message_start"), out, |out| {
            let mut object = Object::new(out);
            object.str("type", "message_start");
            let mut message = object.object("message");
            message.text("id", start.id.as_ref().unwrap_or(&fallback));
            message.str("type", "message");
            message.str("role", "assistant");
            match &self.model {
                Some(model) => message.str("model", model),
                None => message.text("model", start.model.as_ref().unwrap_or(&Text::default())),
            }
            message.array("content");
            message.null("stop_reason");
            message.null("stop_sequence");
            write_usage(&self.usage, &mut message.object("usage"));
        });
    }

    fn delta(&mut self, delta: Delta<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        self.start(&Start::default(), out);
        let mut order = std::mem::take(&mut self.order);
        let taken = order.take(delta, &mut |delta| self.place(delta, out));
        self.order = order;
        taken
    }

    fn place(&mut self, delta: &Delta<'_>, out: &mut Vec<u8>) {
        match delta {
            Delta::Text(text) | Delta::Refusal(text) => {
                self.open_text(out);
                self.block_delta(out, "text_delta", |delta| delta.text("text", text));
            }
            Delta::Reasoning { slot, reasoning } => self.reasoning(*slot, reasoning, out),
            Delta::ToolCall { id, name, .. } | Delta::CustomCall { id, name, .. } => {
                self.tool_use(id, name, out);
                self.open = Some(Open::ToolUse);
            }
            Delta::ServerCall(call) if server_tool::is_known(call.tool) => {
                self.server_call(call, out);
            }
            Delta::ServerResult(result) if server_tool::is_known(result.tool) => {
                self.close(out);
                self.block_start(out, |block| write_result(result, block));
                self.block_stop(out);
            }
            Delta::ServerCall(_) | Delta::ServerResult(_) => {}
            Delta::Arguments { fragment, .. } => {
                self.block_delta(out, "input_json_delta", |delta| {
                    delta.text("partial_json", fragment);
                });
            }
            // The dialect has no answers but text.
            Delta::Image { .. } | Delta::Audio { .. } => {}
            Delta::Citation(citation) => self.citation(citation, out),
            Delta::PartEnd => self.close(out),
        }
    }

    fn tool_use(&mut self, id: &Text<'_>, name: &Text<'_>, out: &mut Vec<u8>) {
        self.close(out);
        self.block_start(out, |block| {
            block.str("type", "tool_use");
            block.text("id", &sanitize_id(id));
            block.text("name", name);
            block.object("input");
        });
    }

    fn input_delta(&self, json: &str, out: &mut Vec<u8>) {
        self.block_delta(out, "input_json_delta", |delta| delta.str("partial_json", json));
    }

    fn server_call(&mut self, call: &ServerCall<'_>, out: &mut Vec<u8>) {
        self.close(out);
        self.block_start(out, |block| {
            write_call_head(call, block);
            block.object("input");
        });
        let mut input = Vec::new();
        server_tool::write_input(call, &mut input);
        self.input_delta(&String::from_utf8_lossy(&input), out);
        self.block_stop(out);
    }

    fn reasoning(&mut self, slot: u32, reasoning: &Reasoning<'_>, out: &mut Vec<u8>) {
        if reasoning.data.is_some() {
            self.close(out);
            self.block_start(out, |block| write_reasoning(reasoning, block));
            self.block_stop(out);
            return;
        }
        if !matches!(self.open, Some(Open::Thinking { slot: open }) if open == slot) {
            self.close(out);
            self.block_start(out, |block| {
                block.str("type", "thinking");
                block.str("thinking", "");
                block.str("signature", "");
            });
            self.open = Some(Open::Thinking { slot });
        }
        if let Some(text) = reasoning.text.as_ref().or(reasoning.summary.as_ref()) {
            self.block_delta(out, "thinking_delta", |delta| delta.text("thinking", text));
        }
        if let Some(signature) = &reasoning.signature {
            let signature = mark(reasoning, signature);
            self.block_delta(out, "signature_delta", |delta| delta.text("signature", &signature));
        }
    }

    fn citation(&mut self, citation: &Citation<'_>, out: &mut Vec<u8>) {
        if !citation.has_source() {
            return;
        }
        self.open_text(out);
        self.block_delta(out, "citations_delta", |delta| {
            write_citation(citation, "", delta.object("citation"));
        });
    }

    fn open_text(&mut self, out: &mut Vec<u8>) {
        if matches!(self.open, Some(Open::Text)) {
            return;
        }
        self.close(out);
        self.block_start(out, |block| {
            block.str("type", "text");
            block.str("text", "");
        });
        self.open = Some(Open::Text);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            self.block_stop(out);
        }
    }

    fn block_start(&mut self, out: &mut Vec<u8>, block: impl FnOnce(&mut Object<'_>)) {
        sse::frame(Some("content_block_start"), out, |out| {
            let mut object = Object::new(out);
            object.str("type", "content_block_start");
            object.u64("index", self.next);
            block(&mut object.object("content_block"));
        });
        self.next += 1;
    }

    fn block_delta(&self, out: &mut Vec<u8>, kind: &str, delta: impl FnOnce(&mut Object<'_>)) {
        sse::frame(Some("content_block_delta"), out, |out| {
            let mut object = Object::new(out);
            object.str("type", "content_block_delta");
            object.u64("index", self.next - 1);
            let mut inner = object.object("delta");
            inner.str("type", kind);
            delta(&mut inner);
        });
    }

    fn block_stop(&self, out: &mut Vec<u8>) {
        sse::frame(Some("content_block_stop"), out, |out| {
            let mut object = Object::new(out);
            object.str("type", "content_block_stop");
            object.u64("index", self.next - 1);
        });
    }
}
