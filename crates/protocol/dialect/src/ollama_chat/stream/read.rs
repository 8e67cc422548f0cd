//! Reading the lines of a stream.

use crate::canonical::{Delta, Event, PartKind, Start, Usage};
use crate::error::{Error, What};
use crate::error_shape::read_stream_error_at;
use crate::fields;
use crate::format::{Emit, ReadStream};
use crate::json::{Cursor, Raw, Text};
use crate::ollama_chat::message::read_assistant;
use crate::ollama_chat::reply::{created, stop_of_reason};
use crate::ollama_chat::usage::read_usage;
use crate::openai_chat::error::read_object;

/// Most tool calls an answer may make.
const TOOL_CALLS_MAX: u32 = 1024;

/// Reads lines. Tool calls come whole.
#[derive(Debug, Default)]
pub(crate) struct StreamReader {
    fallback_id: String,
    has_started: bool,
    is_done: bool,
    calls: u32,
    usage: Usage,
}

impl ReadStream for StreamReader {
    fn read<'a>(
        &mut self,
        _event: Option<&str>,
        line: Raw<'a>,
        emit: Emit<'_, 'a>,
    ) -> Result<(), Error> {
        if self.is_done {
            return Ok(());
        }
        if line.member("error").is_some() {
            self.is_done = true;
            return emit(Event::Error(read_stream_error_at(line, read_object)));
        }
        if !std::mem::replace(&mut self.has_started, true) {
            let model = fields::lenient_text(line, "model").filter(|model| !model.is_empty());
            emit(Event::Start(Start { id: None, model, created: created(line) }))?;
        }
        if let Some(message) = line.member("message") {
            self.message(message, emit)?;
        }
        if line.member("done").and_then(|done| done.as_bool()) == Some(true) {
            return self.end(line, emit);
        }
        Ok(())
    }

    fn done(&mut self) {
        self.is_done = true;
    }

    fn is_finished(&self) -> bool {
        self.is_done
    }
}

impl StreamReader {
    /// A reader that makes ids from `fallback_id` for calls that come without one.
    pub(crate) fn new(fallback_id: &str) -> Self {
        Self { fallback_id: fallback_id.to_owned(), ..Self::default() }
    }

    fn message<'a>(&mut self, message: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        let before = self.calls as usize;
        let name_call = |index| format!("call_{}_{}", self.fallback_id, before + index);
        let parts = read_assistant(message, name_call)?;
        for part in parts {
            match part.kind {
                PartKind::Reasoning(reasoning) => {
                    emit(Event::Delta(0, Delta::Reasoning { slot: 0, reasoning }))?;
                }
                PartKind::Text { text, .. } => emit(Event::Delta(0, Delta::Text(text)))?,
                PartKind::ToolCall(call) => {
                    let slot = self.calls;
                    if slot >= TOOL_CALLS_MAX {
                        return Err(Error::at("message.tool_calls", What::Invalid("are too many")));
                    }
                    self.calls += 1;
                    let fragment: Text<'_> = call.arguments.plain().into_owned().into();
                    let (id, name) = (call.id, call.name);
                    emit(Event::Delta(0, Delta::ToolCall { slot, id, name }))?;
                    emit(Event::Delta(0, Delta::Arguments { slot, fragment }))?;
                    emit(Event::Delta(0, Delta::PartEnd))?;
                }
                // Images and what other dialects know does not come from a model here.
                _ => {}
            }
        }
        Ok(())
    }

    fn end<'a>(&mut self, line: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        self.is_done = true;
        let reason = fields::lenient_text(line, "done_reason").unwrap_or_default();
        emit(Event::Stop(0, stop_of_reason(reason, self.calls > 0), None))?;
        read_usage(&mut Cursor::new(line.text().as_bytes()), &mut self.usage);
        if self.usage.reported {
            emit(Event::Usage(self.usage))?;
        }
        Ok(())
    }
}
