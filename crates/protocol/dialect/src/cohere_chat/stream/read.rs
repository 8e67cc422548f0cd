//! Reading the events of a message stream.

use crate::canonical::{Delta, Event, Reasoning, Start, Stop, Usage};
use crate::cohere_chat::citation::read_citation;
use crate::cohere_chat::error::read_event;
use crate::cohere_chat::message::plan_of;
use crate::cohere_chat::reply::stop_of_reason;
use crate::cohere_chat::usage::read_usage;
use crate::error::{Error, What};
use crate::error_shape::read_stream_error_at;
use crate::fields;
use crate::format::{Emit, ReadStream};
use crate::json::{Cursor, Raw, Text};

/// Most tool calls an answer may make.
const TOOL_CALLS_MAX: usize = 1024;

/// Most blocks of content an answer may have.
const BLOCKS_MAX: u64 = 1024;

/// Reads events.
#[derive(Debug, Default)]
pub(crate) struct StreamReader {
    fallback_id: String,
    has_started: bool,
    is_done: bool,
    has_ended: bool,
    /// The vendor's number of each tool call that has begun.
    calls: Vec<Option<u64>>,
    /// How many blocks of content have begun; the plan counts as one.
    blocks: u32,
    plan_slot: Option<u32>,
    /// The first character of the block of text that grows, in the whole answer.
    text_start: u64,
    /// Characters of text up to now.
    characters: u64,
    usage: Usage,
}

impl ReadStream for StreamReader {
    fn read<'a>(
        &mut self,
        event: Option<&str>,
        data: Raw<'a>,
        emit: Emit<'_, 'a>,
    ) -> Result<(), Error> {
        if self.is_done {
            return Ok(());
        }
        let kind = fields::lenient_text(data, "type");
        let kind = kind.as_ref().map(Text::plain);
        let kind = kind.as_deref().or(event).unwrap_or("");
        if kind == "error" || (kind.is_empty() && data.member("message").is_some()) {
            return self.fail(data, emit);
        }
        if !std::mem::replace(&mut self.has_started, true) {
            let id = fields::lenient_text(data, "id").filter(|id| !id.is_empty());
            if let Some(id) = &id {
                self.fallback_id = id.plain().into_owned();
            }
            emit(Event::Start(Start { id, ..Start::default() }))?;
        }
        let delta = data.member("delta");
        if kind == "message-end" {
            return self.message_end(data, emit);
        }
        let number = data.member("index").and_then(|index| index.as_u64());
        let message = delta.and_then(|delta| delta.member("message"));
        let mut emit = |delta| emit(Event::Delta(0, delta));
        match (kind, message) {
            ("content-end" | "tool-call-end", _) => emit(Delta::PartEnd),
            ("content-start", Some(message)) => self.content_start(number, message, &mut emit),
            ("content-delta", Some(message)) => self.content(number, message, &mut emit),
            ("tool-plan-delta", Some(message)) => self.plan(message, &mut emit),
            ("tool-call-start", Some(message)) => self.call_start(number, message, &mut emit),
            ("tool-call-delta", Some(message)) => self.call_delta(number, message, &mut emit),
            ("citation-start", Some(message)) => self.citation(message, &mut emit),
            _ => Ok(()),
        }
    }

    fn done(&mut self) {
        self.is_done = true;
    }

    fn is_finished(&self) -> bool {
        self.is_done || self.has_ended
    }
}

type EmitDelta<'e, 'a> = &'e mut dyn FnMut(Delta<'a>) -> Result<(), Error>;

impl StreamReader {
    /// A reader that makes ids from `fallback_id` for calls that come without one, in a stream that has none either.
    pub(crate) fn new(fallback_id: &str) -> Self {
        Self { fallback_id: fallback_id.to_owned(), ..Self::default() }
    }

    fn fail<'a>(&mut self, data: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        self.is_done = true;
        emit(Event::Error(read_stream_error_at(data, read_event)))
    }

    fn message_end<'a>(&mut self, data: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        let delta = data.member("delta").unwrap_or(data);
        let reason = fields::lenient_text(delta, "finish_reason").unwrap_or_default();
        if reason == *"ERROR" {
            return self.fail(data, emit);
        }
        if std::mem::replace(&mut self.has_ended, true) {
            return Ok(());
        }
        let stop = match stop_of_reason(reason) {
            Stop::EndTurn if !self.calls.is_empty() => Stop::ToolUse,
            stop => stop,
        };
        emit(Event::Stop(0, stop, None))?;
        if let Some(usage) = delta.member("usage") {
            read_usage(&mut Cursor::new(usage.text().as_bytes()), &mut self.usage);
            emit(Event::Usage(self.usage))?;
        }
        Ok(())
    }

    fn content_start<'a>(
        &mut self,
        number: Option<u64>,
        message: Raw<'a>,
        emit: EmitDelta<'_, 'a>,
    ) -> Result<(), Error> {
        self.blocks = self.blocks.saturating_add(1);
        self.text_start = self.characters;
        self.content(number, message, emit)
    }

    fn content<'a>(
        &mut self,
        number: Option<u64>,
        message: Raw<'a>,
        emit: EmitDelta<'_, 'a>,
    ) -> Result<(), Error> {
        let Some(content) = message.member("content") else { return Ok(()) };
        let filled = |name| fields::lenient_text(content, name).filter(|text| !text.is_empty());
        if let Some(text) = filled("thinking") {
            let slot = number.filter(|number| *number < BLOCKS_MAX).unwrap_or(0) as u32;
            let reasoning = Reasoning { text: Some(text), ..Reasoning::default() };
            emit(Delta::Reasoning { slot, reasoning })?;
        }
        match filled("text") {
            None => Ok(()),
            Some(text) => {
                self.characters += text.character_count();
                emit(Delta::Text(text))
            }
        }
    }

    fn plan<'a>(&mut self, message: Raw<'a>, emit: EmitDelta<'_, 'a>) -> Result<(), Error> {
        let plan = fields::lenient_text(message, "tool_plan").filter(|plan| !plan.is_empty());
        let Some(plan) = plan else { return Ok(()) };
        let slot = *self.plan_slot.get_or_insert(self.blocks);
        emit(Delta::Reasoning { slot, reasoning: plan_of(plan) })
    }

    fn call_start<'a>(
        &mut self,
        number: Option<u64>,
        message: Raw<'a>,
        emit: EmitDelta<'_, 'a>,
    ) -> Result<(), Error> {
        let Some(call) = message.member("tool_calls") else { return Ok(()) };
        let slot = self.calls.len();
        if slot >= TOOL_CALLS_MAX {
            return Err(Error::at("delta.message.tool_calls", What::Invalid("are too many")));
        }
        self.calls.push(number);
        let id = fields::lenient_text(call, "id").filter(|id| !id.is_empty());
        let id = id.unwrap_or_else(|| format!("call_{}_{slot}", self.fallback_id).into());
        let function = call.member("function").unwrap_or(call);
        let name = fields::lenient_text(function, "name").unwrap_or_default();
        emit(Delta::ToolCall { slot: slot as u32, id, name })?;
        self.call_delta(number, message, emit)
    }

    fn call_delta<'a>(
        &mut self,
        number: Option<u64>,
        message: Raw<'a>,
        emit: EmitDelta<'_, 'a>,
    ) -> Result<(), Error> {
        let function = message.member("tool_calls").and_then(|call| call.member("function"));
        let fragment = function.and_then(|function| fields::lenient_text(function, "arguments"));
        let slot = self.calls.iter().rposition(|known| *known == number);
        match (slot, fragment.filter(|fragment| !fragment.is_empty())) {
            (Some(slot), Some(fragment)) => emit(Delta::Arguments { slot: slot as u32, fragment }),
            _ => Ok(()),
        }
    }

    fn citation<'a>(&mut self, message: Raw<'a>, emit: EmitDelta<'_, 'a>) -> Result<(), Error> {
        let Some(citations) = message.member("citations") else { return Ok(()) };
        let single = Some(citations).filter(|citations| citations.is_object());
        for citation in single.into_iter().chain(citations.elements()) {
            for citation in read_citation(citation, self.text_start) {
                emit(Delta::Citation(citation))?;
            }
        }
        Ok(())
    }
}
