//! Writing the events of a message stream.
//!
//! Blocks and calls begin and end one after the other: clients of this dialect go by the order of events and not by
//! their numbers.

use crate::canonical::{Citation, Delta, Event, Reasoning, Start, Stop, Usage};
use crate::cohere_chat::citation::{Place, is_written, write_citation};
use crate::cohere_chat::error::write_stream_error;
use crate::cohere_chat::reply::{is_plan, reason_of_stop, thought};
use crate::cohere_chat::usage::write_usage;
use crate::error::Error;
use crate::format::{Trailer, WriteStream};
use crate::in_order::InOrder;
use crate::json::{Object, Text};
use crate::options::ReplyOptions;
use crate::sse;

/// Writes events.
#[derive(Debug)]
pub(crate) struct StreamWriter {
    fallback_id: String,
    order: InOrder,
    frames: Frames,
    is_ended: bool,
    stop: Option<Stop<'static>>,
    usage: Usage,
}

/// What has been written.
#[derive(Debug, Default)]
struct Frames {
    has_started: bool,
    open: Option<Open>,
    /// Numbers of the next block, call and citation.
    next_block: u64,
    next_call: u64,
    next_citation: u64,
    /// Characters of text written, and the first of the last block of them.
    characters: u64,
    text_start: u64,
}

/// What is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Text,
    Thinking { slot: u32 },
    ToolCall,
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
            Event::Delta(0, delta) => {
                self.start(&Start::default(), out);
                let frames = &mut self.frames;
                return self.order.take(delta, &mut |delta| frames.place(delta, out));
            }
            // The dialect knows one answer.
            Event::Delta(_, _) => {}
            Event::Stop(0, stop, _) => self.stop = Some(stop.into_owned()),
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
            order: InOrder::default(),
            frames: Frames::default(),
            is_ended: false,
            stop: None,
            usage: Usage::default(),
        }
    }

    fn start(&mut self, start: &Start<'_>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.frames.has_started, true) {
            return;
        }
        let fallback = Text::from(self.fallback_id.as_str());
        event("message-start", out, |object| {
            object.text("id", start.id.as_ref().unwrap_or(&fallback));
            let mut delta = object.object("delta");
            let mut message = delta.object("message");
            message.str("role", "assistant");
            message.array("content");
            message.str("tool_plan", "");
            message.array("tool_calls");
            message.array("citations");
        });
    }

    /// Closes the stream; once.
    fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.is_ended, true) {
            return;
        }
        self.start(&Start::default(), out);
        let frames = &mut self.frames;
        self.order.finish(&mut |delta| frames.place(delta, out));
        self.frames.close(out);
        event("message-end", out, |object| {
            let mut delta = object.object("delta");
            let stop = self.stop.as_ref().unwrap_or(&Stop::EndTurn);
            delta.str("finish_reason", &reason_of_stop(stop));
            if self.usage.reported {
                write_usage(&self.usage, &mut delta.object("usage"));
            }
        });
        sse::frame(None, out, |out| out.extend_from_slice(b"[DONE]"));
    }
}

impl Frames {
    fn place(&mut self, delta: &Delta<'_>, out: &mut Vec<u8>) {
        match delta {
            Delta::Text(text) | Delta::Refusal(text) => self.text(text, out),
            Delta::Reasoning { slot, reasoning } => self.reasoning(*slot, reasoning, out),
            Delta::ToolCall { id, name, .. } | Delta::CustomCall { id, name, .. } => {
                self.tool_call(id, name, out);
            }
            Delta::Arguments { fragment, .. } => self.arguments(fragment, out),
            Delta::Citation(citation) => self.citation(citation, out),
            // What another vendor's own tools did has no place here.
            Delta::ServerCall(_) | Delta::ServerResult(_) => {}
            // The dialect has no answers but text.
            Delta::Image { .. } | Delta::Audio { .. } => {}
            Delta::PartEnd => self.close(out),
        }
    }

    fn text(&mut self, text: &Text<'_>, out: &mut Vec<u8>) {
        if self.open != Some(Open::Text) {
            self.text_start = self.characters;
        }
        self.open_content(Open::Text, "text", out);
        self.content_delta("text", text, out);
        self.characters += text.character_count();
    }

    fn reasoning(&mut self, slot: u32, reasoning: &Reasoning<'_>, out: &mut Vec<u8>) {
        if is_plan(reasoning) {
            self.close(out);
            if let Some(plan) = &reasoning.text {
                event("tool-plan-delta", out, |object| {
                    object.object("delta").object("message").text("tool_plan", plan);
                });
            }
        } else if let Some(text) = thought(reasoning) {
            self.open_content(Open::Thinking { slot }, "thinking", out);
            self.content_delta("thinking", text, out);
        }
    }

    /// Begins a block of a kind, unless it is open already.
    fn open_content(&mut self, open: Open, kind: &str, out: &mut Vec<u8>) {
        if self.open == Some(open) {
            return;
        }
        self.close(out);
        event("content-start", out, |object| {
            object.u64("index", self.next_block);
            let mut delta = object.object("delta");
            let mut message = delta.object("message");
            let mut content = message.object("content");
            content.str("type", kind);
            content.str(kind, "");
        });
        self.next_block += 1;
        self.open = Some(open);
    }

    fn content_delta(&self, kind: &str, text: &Text<'_>, out: &mut Vec<u8>) {
        event("content-delta", out, |object| {
            object.u64("index", self.next_block - 1);
            object.object("delta").object("message").object("content").text(kind, text);
        });
    }

    fn tool_call(&mut self, id: &Text<'_>, name: &Text<'_>, out: &mut Vec<u8>) {
        self.close(out);
        event("tool-call-start", out, |object| {
            object.u64("index", self.next_call);
            let mut delta = object.object("delta");
            let mut message = delta.object("message");
            let mut call = message.object("tool_calls");
            call.text("id", id);
            call.str("type", "function");
            let mut function = call.object("function");
            function.text("name", name);
            function.str("arguments", "");
        });
        self.next_call += 1;
        self.open = Some(Open::ToolCall);
    }

    fn arguments(&self, fragment: &Text<'_>, out: &mut Vec<u8>) {
        event("tool-call-delta", out, |object| {
            object.u64("index", self.next_call.saturating_sub(1));
            let mut delta = object.object("delta");
            let mut message = delta.object("message");
            message.object("tool_calls").object("function").text("arguments", fragment);
        });
    }

    /// Citations may come while their block is open, or behind it.
    fn citation(&mut self, citation: &Citation<'_>, out: &mut Vec<u8>) {
        if !is_written(citation) {
            return;
        }
        let within = |at: u64| at.saturating_sub(self.text_start);
        let range = citation.range.map(|(from, to)| (within(from), within(to)));
        let place = Place { range, ..Place::default() };
        event("citation-start", out, |object| {
            object.u64("index", self.next_citation);
            let mut delta = object.object("delta");
            let mut message = delta.object("message");
            write_citation(citation, &place, message.object("citations"));
        });
        event("citation-end", out, |object| object.u64("index", self.next_citation));
        self.next_citation += 1;
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        match self.open.take() {
            None => {}
            Some(Open::ToolCall) => {
                event("tool-call-end", out, |object| object.u64("index", self.next_call - 1));
            }
            Some(Open::Text | Open::Thinking { .. }) => {
                event("content-end", out, |object| object.u64("index", self.next_block - 1));
            }
        }
    }
}

/// Writes one event, whose name is also its type.
fn event(name: &str, out: &mut Vec<u8>, members: impl FnOnce(&mut Object<'_>)) {
    sse::frame(Some(name), out, |out| {
        let mut object = Object::new(out);
        object.str("type", name);
        members(&mut object);
    });
}
