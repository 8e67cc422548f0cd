//! Writing the events of a Converse stream.

use std::borrow::Cow;

use crate::bedrock_converse::citation::write_citation;
use crate::bedrock_converse::error::write_stream_error;
use crate::bedrock_converse::redacted;
use crate::bedrock_converse::reply::{reason_of_stop, write_metrics};
use crate::bedrock_converse::usage::write_usage;
use crate::canonical::{Delta, Event, Reasoning, Stop, Usage};
use crate::error::Error;
use crate::format::{Trailer, WriteStream};
use crate::in_order::InOrder;
use crate::json::{Object, Text};
use crate::signature::mark;

/// Writes events.
#[derive(Debug, Default)]
pub(crate) struct StreamWriter {
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
            Event::Start(_) => self.start(out),
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
    fn start(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.has_started, true) {
            message("messageStart", out, |object| object.str("role", "assistant"));
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.is_ended, true) {
            return;
        }
        self.start(out);
        let mut order = std::mem::take(&mut self.order);
        order.finish(&mut |delta| self.place(delta, out));
        self.close(out);
        let (reason, sequence) = match &self.stop {
            Some((stop, sequence)) => (reason_of_stop(stop), sequence.as_ref()),
            None => (Cow::Borrowed("end_turn"), None),
        };
        message("messageStop", out, |object| {
            object.str("stopReason", &reason);
            if let Some(sequence) = sequence {
                object.object("additionalModelResponseFields").text("stop_sequence", sequence);
            }
        });
        message("metadata", out, |object| {
            write_usage(&self.usage, &mut object.object("usage"));
            write_metrics(object);
        });
    }

    fn delta(&mut self, delta: Delta<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        self.start(out);
        let mut order = std::mem::take(&mut self.order);
        let taken = order.take(delta, &mut |delta| self.place(delta, out));
        self.order = order;
        taken
    }

    fn place(&mut self, delta: &Delta<'_>, out: &mut Vec<u8>) {
        match delta {
            Delta::Text(text) | Delta::Refusal(text) => {
                self.go_on(Open::Text, out);
                self.block_delta(out, |delta| delta.text("text", text));
            }
            Delta::Reasoning { slot, reasoning } => self.reasoning(*slot, reasoning, out),
            Delta::ToolCall { id, name, .. } | Delta::CustomCall { id, name, .. } => {
                self.tool_start(id, name, out);
            }
            Delta::Arguments { fragment, .. } => {
                self.block_delta(out, |delta| delta.object("toolUse").text("input", fragment));
            }
            // What another vendor's own tools did has no block here.
            Delta::ServerCall(_) | Delta::ServerResult(_) => {}
            // Nor has it one for what is no text.
            Delta::Image { .. } | Delta::Audio { .. } => {}
            Delta::Citation(citation) if citation.has_source() => {
                self.go_on(Open::Text, out);
                self.block_delta(out, |delta| {
                    write_citation(citation, &mut delta.object("citation"))
                });
            }
            Delta::Citation(_) => {}
            Delta::PartEnd => self.close(out),
        }
    }

    /// Thinking in words and thinking that is encrypted are blocks apart.
    fn reasoning(&mut self, slot: u32, reasoning: &Reasoning<'_>, out: &mut Vec<u8>) {
        let text = reasoning.text.as_ref().or(reasoning.summary.as_ref());
        let signature = reasoning.signature.as_ref().map(|signature| mark(reasoning, signature));
        for (name, piece) in [("text", text), ("signature", signature.as_ref())] {
            if let Some(piece) = piece {
                self.go_on(Open::Thinking { slot }, out);
                self.block_delta(out, |delta| delta.object("reasoningContent").text(name, piece));
            }
        }
        if let Some(data) = &reasoning.data {
            let data = mark(reasoning, data);
            self.close(out);
            self.go_on(Open::Thinking { slot }, out);
            self.block_delta(out, |delta| {
                delta.object("reasoningContent").str("redactedContent", &redacted::write(&data));
            });
            self.close(out);
        }
    }

    fn tool_start(&mut self, id: &Text<'_>, name: &Text<'_>, out: &mut Vec<u8>) {
        self.close(out);
        message("contentBlockStart", out, |object| {
            let mut start = object.object("start");
            let mut call = start.object("toolUse");
            call.text("toolUseId", id);
            call.text("name", name);
            drop(call);
            drop(start);
            object.u64("contentBlockIndex", self.next);
        });
        self.next += 1;
        self.open = Some(Open::ToolUse);
    }

    /// Makes sure that such a block is open. Only calls have an event for their beginning.
    fn go_on(&mut self, block: Open, out: &mut Vec<u8>) {
        if self.open == Some(block) {
            return;
        }
        self.close(out);
        self.next += 1;
        self.open = Some(block);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_none() {
            return;
        }
        message("contentBlockStop", out, |object| {
            object.u64("contentBlockIndex", self.next - 1);
        });
    }

    fn block_delta(&self, out: &mut Vec<u8>, delta: impl FnOnce(&mut Object<'_>)) {
        message("contentBlockDelta", out, |object| {
            delta(&mut object.object("delta"));
            object.u64("contentBlockIndex", self.next - 1);
        });
    }
}

fn message(name: &str, out: &mut Vec<u8>, members: impl FnOnce(&mut Object<'_>)) {
    wire::write_event_message(name, out, |out| members(&mut Object::new(out)));
}
