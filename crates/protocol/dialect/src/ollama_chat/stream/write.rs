//! Writing the lines of a stream.
//!
//! Arguments are objects here, so a tool call is held, within a limit, until the answer is complete.

use crate::canonical::{Arguments, Delta, Event, Start, Stop, ToolCall, Usage};
use crate::error::{Error, What};
use crate::format::{Trailer, WriteStream};
use crate::json::{Object, Text};
use crate::ollama_chat::call::write_call;
use crate::ollama_chat::error::write_stream_error;
use crate::ollama_chat::reply::reason_of_stop;
use crate::ollama_chat::timestamp::timestamp;
use crate::ollama_chat::usage::write_usage;
use crate::options::ReplyOptions;

/// Most bytes of arguments that are held: the most any vendor lets a model write, many times over.
const HELD_BYTES_MAX: usize = 16 << 20;

/// Most tool calls that are held.
const HELD_CALLS_MAX: usize = 1024;

/// Writes lines.
#[derive(Debug)]
pub(crate) struct StreamWriter {
    /// All of a line up to its message; empty before the first.
    head: Vec<u8>,
    fallback_created: u64,
    model: Option<String>,
    is_ended: bool,
    calls: Vec<HeldCall>,
    held_bytes: usize,
    stop: Option<Stop<'static>>,
    usage: Usage,
}

#[derive(Debug)]
struct HeldCall {
    slot: u32,
    id: String,
    name: String,
    arguments: String,
}

impl WriteStream for StreamWriter {
    fn write(
        &mut self,
        event: Event<'_>,
        _trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        match event {
            Event::Start(start) => self.start(&start),
            Event::Delta(0, delta) => return self.delta(&delta, out),
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
            head: Vec::new(),
            fallback_created: options.created,
            model: options.model.map(str::to_owned),
            is_ended: false,
            calls: Vec::new(),
            held_bytes: 0,
            stop: None,
            usage: Usage::default(),
        }
    }

    fn start(&mut self, start: &Start<'_>) {
        if !self.head.is_empty() {
            return;
        }
        let mut head = Object::new(&mut self.head);
        match &self.model {
            Some(model) => head.str("model", model),
            None => head.text("model", start.model.as_ref().unwrap_or(&Text::default())),
        }
        head.str("created_at", &timestamp(start.created.unwrap_or(self.fallback_created)));
        drop(head);
        self.head.pop();
    }

    fn delta(&mut self, delta: &Delta<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        self.start(&Start::default());
        match delta {
            Delta::Text(text) | Delta::Refusal(text) => {
                self.line(out, |message| message.text("content", text));
            }
            Delta::Reasoning { reasoning, .. } => {
                if let Some(text) = reasoning.text.as_ref().or(reasoning.summary.as_ref()) {
                    self.line(out, |message| {
                        message.str("content", "");
                        message.text("thinking", text);
                    });
                }
            }
            Delta::ToolCall { slot, id, name } | Delta::CustomCall { slot, id, name } => {
                return self.begin_call(*slot, id, name);
            }
            Delta::Arguments { slot, fragment } => return self.arguments(*slot, fragment),
            // Citations have no place here.
            Delta::Image { .. }
            | Delta::Audio { .. }
            | Delta::Citation(_)
            | Delta::ServerCall(_)
            | Delta::ServerResult(_)
            | Delta::PartEnd => {}
        }
        Ok(())
    }

    fn begin_call(&mut self, slot: u32, id: &Text<'_>, name: &Text<'_>) -> Result<(), Error> {
        if self.calls.len() >= HELD_CALLS_MAX {
            return Err(Error::at("tool_calls", What::Invalid("are too many")));
        }
        let (id, name) = (id.plain().into_owned(), name.plain().into_owned());
        self.calls.push(HeldCall { slot, id, name, arguments: String::new() });
        Ok(())
    }

    fn arguments(&mut self, slot: u32, fragment: &Text<'_>) -> Result<(), Error> {
        let Some(call) = self.calls.iter_mut().rfind(|call| call.slot == slot) else {
            return Ok(());
        };
        let fragment = fragment.plain();
        self.held_bytes += fragment.len();
        if self.held_bytes > HELD_BYTES_MAX {
            return Err(Error::at("tool_calls[].arguments", What::Invalid("are too long")));
        }
        call.arguments.push_str(&fragment);
        Ok(())
    }

    /// Closes the stream; once.
    fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.is_ended, true) {
            return;
        }
        self.start(&Start::default());
        for (index, call) in std::mem::take(&mut self.calls).into_iter().enumerate() {
            let call = ToolCall {
                id: call.id.into(),
                name: call.name.into(),
                arguments: Arguments::Text(call.arguments.into()),
                is_custom: false,
            };
            let start = out.len();
            self.line(out, |message| {
                message.str("content", "");
                write_call(&call, index as u64, &mut message.array("tool_calls").object());
            });
            join_lines(out.get_mut(start..).unwrap_or_default());
        }
        self.last_line(out);
    }

    fn last_line(&self, out: &mut Vec<u8>) {
        let mut object = self.open_line(out);
        let mut message = object.object("message");
        message.str("role", "assistant");
        message.str("content", "");
        drop(message);
        object.bool("done", true);
        object.str("done_reason", &reason_of_stop(self.stop.as_ref().unwrap_or(&Stop::EndTurn)));
        write_usage(&self.usage, &mut object);
        drop(object);
        out.push(b'\n');
    }

    fn line(&self, out: &mut Vec<u8>, members: impl FnOnce(&mut Object<'_>)) {
        let mut object = self.open_line(out);
        let mut message = object.object("message");
        message.str("role", "assistant");
        members(&mut message);
        drop(message);
        object.bool("done", false);
        drop(object);
        out.push(b'\n');
    }

    /// A line with what all lines begin with.
    fn open_line<'o>(&self, out: &'o mut Vec<u8>) -> Object<'o> {
        let mut object = Object::new(out);
        object.members(self.head.get(1..).unwrap_or_default());
        object
    }
}

/// Makes one line of a document that a model has written with several, but for its end. Inside of strings the ends of
/// lines are escaped.
fn join_lines(document: &mut [u8]) {
    let Some((_, inner)) = document.split_last_mut() else { return };
    for byte in inner {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Notes;

    #[test]
    fn arguments_without_end_are_refused() {
        let notes = Notes::default();
        let options =
            ReplyOptions { notes: &notes, model: None, trailer: b"", id: "id", created: 0 };
        let mut writer = StreamWriter::new(&options);
        let mut write =
            |delta| writer.write(Event::Delta(0, delta), &mut |_| {}, &mut Vec::new()).map(drop);
        write(Delta::ToolCall { slot: 0, id: "i".into(), name: "n".into() }).expect("one call");
        let fragment = "x".repeat(1 << 20);
        let results = (0..=16).map(|_| {
            write(Delta::Arguments { slot: 0, fragment: fragment.as_str().into() }).is_ok()
        });
        assert_eq!(results.filter(|is_ok| *is_ok).count(), 16);
    }

    #[test]
    fn lines_of_a_document_are_joined() {
        let mut line = b"{\"a\":\n[\r\n1]}\n".to_vec();
        join_lines(&mut line);
        assert_eq!(line, b"{\"a\": [  1]}\n");
    }
}
