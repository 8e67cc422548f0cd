//! Writing the chunks of a text completion.

use crate::canonical::{Delta, Event, Start, Usage};
use crate::error::Error;
use crate::format::{Trailer, WriteStream};
use crate::json::{Object, Text};
use crate::openai_chat::error::write_stream_error;
use crate::openai_chat::{finish_chunk, write_usage};
use crate::openai_completions::reply::reason_of_stop;
use crate::options::ReplyOptions;
use crate::sse;

/// Writes chunks.
#[derive(Debug)]
pub(crate) struct StreamWriter {
    /// All of a chunk up to its choices; empty before the first.
    head: Vec<u8>,
    fallback_id: String,
    fallback_created: u64,
    model: Option<String>,
    include_usage: bool,
    is_ended: bool,
    stops: Vec<(u32, &'static str)>,
    choices: u32,
    usage: Usage,
}

/// What one chunk says.
struct Chunk<'c> {
    choice: u32,
    text: &'c Text<'c>,
    reason: Option<&'c str>,
    usage: Option<&'c Usage>,
}

impl WriteStream for StreamWriter {
    fn write(
        &mut self,
        event: Event<'_>,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        match event {
            Event::Start(start) => self.start(&start),
            Event::Delta(choice, delta) => self.delta(choice, &delta, trailer, out),
            Event::Stop(choice, stop, _) => {
                self.stops.retain(|(stopped, _)| *stopped != choice);
                self.stops.push((choice, reason_of_stop(&stop)));
            }
            Event::Usage(usage) => self.usage = usage,
            Event::Error(error) => {
                self.is_ended = true;
                write_stream_error(&error, out);
            }
            Event::Done => self.finish(trailer, out),
        }
        Ok(())
    }

    fn end(&mut self, trailer: Trailer<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        self.finish(trailer, out);
        Ok(())
    }
}

impl StreamWriter {
    pub(crate) fn new(options: &ReplyOptions<'_>) -> Self {
        Self {
            head: Vec::new(),
            fallback_id: options.id.to_owned(),
            fallback_created: options.created,
            model: options.model.map(str::to_owned),
            include_usage: options.notes.include_usage,
            is_ended: false,
            stops: Vec::new(),
            choices: 0,
            usage: Usage::default(),
        }
    }

    fn start(&mut self, start: &Start<'_>) {
        if !self.head.is_empty() {
            return;
        }
        let fallback = Text::from(self.fallback_id.as_str());
        let mut head = Object::new(&mut self.head);
        head.text("id", start.id.as_ref().unwrap_or(&fallback));
        head.str("object", "text_completion");
        head.u64("created", start.created.unwrap_or(self.fallback_created));
        match &self.model {
            Some(model) => head.str("model", model),
            None => head.text("model", start.model.as_ref().unwrap_or(&Text::default())),
        }
        drop(head);
        self.head.pop();
    }

    /// Only text has a place here.
    fn delta(&mut self, choice: u32, delta: &Delta<'_>, trailer: Trailer<'_>, out: &mut Vec<u8>) {
        self.start(&Start::default());
        self.choices = self.choices.max(choice + 1);
        match delta {
            Delta::Text(text) | Delta::Refusal(text) => {
                let chunk = Chunk { choice, text, reason: None, usage: None };
                self.chunk(&chunk, trailer, out);
            }
            Delta::Reasoning { .. }
            | Delta::ToolCall { .. }
            | Delta::CustomCall { .. }
            | Delta::ServerCall(_)
            | Delta::ServerResult(_)
            | Delta::Arguments { .. }
            | Delta::Citation(_)
            | Delta::Image { .. }
            | Delta::Audio { .. }
            | Delta::PartEnd => {}
        }
    }

    /// Closes the stream; once. Callers that did not ask for a chunk of its own find usage in the last one.
    fn finish(&mut self, trailer: Trailer<'_>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.is_ended, true) {
            return;
        }
        self.start(&Start::default());
        let choices = self.choices.max(1);
        for choice in 0..choices {
            let stop = self.stops.iter().find(|(stopped, _)| *stopped == choice);
            let reason = stop.map_or("stop", |(_, reason)| reason);
            let is_place = choice + 1 == choices && !self.include_usage && self.usage.reported;
            let usage = Some(&self.usage).filter(|_| is_place);
            let chunk = Chunk { choice, text: &Text::default(), reason: Some(reason), usage };
            self.chunk(&chunk, trailer, out);
        }
        if self.include_usage {
            sse::frame(None, out, |out| {
                out.extend_from_slice(&self.head);
                out.extend_from_slice(b",\"choices\":[],\"usage\":");
                write_usage(&self.usage, &mut Object::new(out));
                finish_chunk(trailer, out);
            });
        }
        sse::frame(None, out, |out| out.extend_from_slice(b"[DONE]"));
    }

    fn chunk(&self, chunk: &Chunk<'_>, trailer: Trailer<'_>, out: &mut Vec<u8>) {
        sse::frame(None, out, |out| {
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b",\"choices\":[");
            let mut object = Object::new(out);
            object.text("text", chunk.text);
            object.u64("index", u64::from(chunk.choice));
            object.null("logprobs");
            match chunk.reason {
                Some(reason) => object.str("finish_reason", reason),
                None => object.null("finish_reason"),
            }
            drop(object);
            out.push(b']');
            if let Some(usage) = chunk.usage {
                out.extend_from_slice(b",\"usage\":");
                write_usage(usage, &mut Object::new(out));
            }
            finish_chunk(trailer, out);
        });
    }
}
