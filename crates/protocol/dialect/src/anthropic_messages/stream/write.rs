//! Writing the events of a message stream.
//!
//! Blocks may not overlap, but other dialects let parts grow side by side. So a block that is not complete keeps the
//! next ones waiting: what belongs to them is held, within a limit, and written when the block is done.

use std::borrow::Cow;

use crate::anthropic_messages::block_write::{sanitize_id, write_citation, write_reasoning};
use crate::anthropic_messages::error::write_stream_error;
use crate::anthropic_messages::reply::reason_of_stop;
use crate::anthropic_messages::usage::write_usage;
use crate::canonical::{Citation, Delta, Event, Reasoning, Start, Stop, Usage};
use crate::error::{Error, What};
use crate::format::{Trailer, WriteStream};
use crate::json::{Object, Text};
use crate::options::ReplyOptions;
use crate::sse;

/// Most deltas that wait for a block to be done.
const HELD_MAX: usize = 16_384;

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
    held: Vec<Delta<'static>>,
    stop: Option<(Stop<'static>, Option<Text<'static>>)>,
    usage: Usage,
}

/// The block being written.
#[derive(Debug)]
enum Open {
    Text,
    Thinking { slot: u32 },
    ToolUse { slot: u32, arguments: Balance },
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
            Event::Stop(0, stop, sequence) if self.stop.is_none() => {
                self.stop = Some((stop.into_owned(), sequence.map(Text::into_owned)));
            }
            Event::Stop(..) => {}
            Event::Usage(usage) => self.usage = usage,
            Event::Error(error) => {
                self.is_ended = true;
                write_stream_error(&error, out);
            }
            Event::Done => return self.finish(out),
        }
        Ok(())
    }

    fn end(&mut self, _trailer: Trailer<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        self.finish(out)
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
            held: Vec::new(),
            stop: None,
            usage: Usage::default(),
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        if std::mem::replace(&mut self.is_ended, true) {
            return Ok(());
        }
        self.start(&Start::default(), out);
        self.close(out);
        while !self.held.is_empty() {
            self.release(out)?;
            self.close(out);
        }
        self.message_delta(out);
        sse::frame(Some("message_stop"), out, |out| Object::new(out).str("type", "message_stop"));
        Ok(())
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

    /// Writes a delta, or holds it while another block is not complete.
    fn delta(&mut self, delta: Delta<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        self.start(&Start::default(), out);
        if self.must_wait(&delta) {
            if self.held.len() >= HELD_MAX {
                return Err(Error::at("choices[].delta", What::Invalid("interleaves too much")));
            }
            self.held.push(delta.into_owned());
            return Ok(());
        }
        self.place(&delta, out);
        if !self.held.is_empty() && self.is_complete() {
            return self.release(out);
        }
        Ok(())
    }

    /// Writes what was held, as far as it need not wait again.
    fn release(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        for delta in std::mem::take(&mut self.held) {
            if self.must_wait(&delta) {
                self.held.push(delta);
            } else {
                self.place(&delta, out);
            }
        }
        Ok(())
    }

    /// Only the arguments of a tool call can be incomplete, and only its own arguments go ahead then.
    fn must_wait(&self, delta: &Delta<'_>) -> bool {
        match (&self.open, delta) {
            (Some(Open::ToolUse { slot: open, .. }), Delta::Arguments { slot, .. })
                if open == slot =>
            {
                false
            }
            (Some(Open::ToolUse { .. }), Delta::PartEnd) => false,
            _ => !self.is_complete() || self.waits_for_own_start(delta),
        }
    }

    /// Whether the call a fragment belongs to is itself held.
    fn waits_for_own_start(&self, delta: &Delta<'_>) -> bool {
        let Delta::Arguments { slot, .. } = delta else { return false };
        self.held
            .iter()
            .any(|held| matches!(held, Delta::ToolCall { slot: begun, .. } if begun == slot))
    }

    fn is_complete(&self) -> bool {
        match &self.open {
            Some(Open::ToolUse { arguments, .. }) => arguments.is_complete(),
            Some(Open::Text | Open::Thinking { .. }) | None => true,
        }
    }

    fn place(&mut self, delta: &Delta<'_>, out: &mut Vec<u8>) {
        match delta {
            Delta::Text(text) | Delta::Refusal(text) => {
                self.open_text(out);
                self.block_delta(out, "text_delta", |delta| delta.text("text", text));
            }
            Delta::Reasoning { slot, reasoning } => self.reasoning(*slot, reasoning, out),
            Delta::ToolCall { slot, id, name } => {
                self.close(out);
                self.block_start(out, |block| {
                    block.str("type", "tool_use");
                    block.text("id", &sanitize_id(id));
                    block.text("name", name);
                    block.object("input");
                });
                self.open = Some(Open::ToolUse { slot: *slot, arguments: Balance::default() });
            }
            Delta::Arguments { slot, fragment } => self.arguments(*slot, fragment, out),
            Delta::Citation(citation) => self.citation(citation, out),
            Delta::PartEnd => self.close(out),
        }
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
            self.block_delta(out, "signature_delta", |delta| delta.text("signature", signature));
        }
    }

    fn arguments(&mut self, slot: u32, fragment: &Text<'_>, out: &mut Vec<u8>) {
        match &mut self.open {
            Some(Open::ToolUse { slot: open, arguments }) if *open == slot => {
                arguments.feed(&fragment.plain());
                self.block_delta(out, "input_json_delta", |delta| {
                    delta.text("partial_json", fragment)
                });
            }
            // Behind complete arguments nothing but white space can come.
            _ => {}
        }
    }

    fn citation(&mut self, citation: &Citation<'_>, out: &mut Vec<u8>) {
        if citation.url.is_none() {
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

/// Follows JSON text that comes in fragments, as far as it takes to know whether it is complete.
#[derive(Debug, Default)]
struct Balance {
    depth: u32,
    has_begun: bool,
    is_in_string: bool,
    is_escaped: bool,
}

impl Balance {
    fn feed(&mut self, fragment: &str) {
        for byte in fragment.bytes() {
            self.feed_byte(byte);
        }
    }

    fn feed_byte(&mut self, byte: u8) {
        self.has_begun |= !byte.is_ascii_whitespace();
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' if self.is_in_string => self.is_escaped = true,
            b'"' => self.is_in_string = !self.is_in_string,
            b'{' | b'[' if !self.is_in_string => self.depth = self.depth.saturating_add(1),
            b'}' | b']' if !self.is_in_string => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    fn is_complete(&self) -> bool {
        self.has_begun && self.depth == 0 && !self.is_in_string
    }
}
