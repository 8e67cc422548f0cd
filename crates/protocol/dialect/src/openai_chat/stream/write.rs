//! Writing the chunks of a chat completion.

use crate::canonical::{Delta, Event, Start, Stop, Usage};
use crate::error::Error;
use crate::format::{Trailer, WriteStream};
use crate::json::{Object, Text};
use crate::openai_chat::error::write_stream_error;
use crate::openai_chat::reasoning::write_detail;
use crate::openai_chat::reply::{finish_reason_of_stop, write_citation, write_image};
use crate::openai_chat::usage::write_usage;
use crate::options::ReplyOptions;
use crate::sse;

/// Writes chunks.
#[derive(Debug)]
pub(crate) struct StreamWriter {
    /// All of a chunk up to its choices.
    head: Vec<u8>,
    fallback_id: String,
    fallback_created: u64,
    model: Option<String>,
    include_usage: bool,
    has_started: bool,
    is_ended: bool,
    stops: Vec<(u32, Stop<'static>)>,
    /// The calls, by choice and slot, whose input is free text.
    custom_calls: Vec<(u32, u32)>,
    choices: u32,
    usage: Usage,
}

impl WriteStream for StreamWriter {
    fn write(
        &mut self,
        event: Event<'_>,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        match event {
            Event::Start(start) => self.start(&start, trailer, out),
            Event::Delta(choice, delta) => self.delta(choice, &delta, trailer, out),
            Event::Stop(choice, stop, _) => {
                self.stops.retain(|(stopped, _)| *stopped != choice);
                self.stops.push((choice, stop.into_owned()));
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
            has_started: false,
            is_ended: false,
            stops: Vec::new(),
            custom_calls: Vec::new(),
            choices: 0,
            usage: Usage::default(),
        }
    }

    /// Closes the stream; once.
    fn finish(&mut self, trailer: Trailer<'_>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.is_ended, true) {
            return;
        }
        if !self.has_started {
            self.start(&Start::default(), trailer, out);
        }
        for choice in 0..self.choices.max(1) {
            let stop = self.stops.iter().find(|(stopped, _)| *stopped == choice);
            let stop = stop.map_or(Stop::EndTurn, |(_, stop)| stop.clone());
            self.stop(choice, &stop, trailer, out);
        }
        if self.include_usage {
            self.usage_chunk(trailer, out);
        }
        sse::frame(None, out, |out| out.extend_from_slice(b"[DONE]"));
    }

    fn start(&mut self, start: &Start<'_>, trailer: Trailer<'_>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.has_started, true) {
            return;
        }
        let fallback = Text::from(self.fallback_id.as_str());
        let mut head = Object::new(&mut self.head);
        head.text("id", start.id.as_ref().unwrap_or(&fallback));
        head.str("object", "chat.completion.chunk");
        head.u64("created", start.created.unwrap_or(self.fallback_created));
        match &self.model {
            Some(model) => head.str("model", model),
            None => head.text("model", start.model.as_ref().unwrap_or(&Text::default())),
        }
        drop(head);
        self.head.pop();
        self.choice_chunk(0, None, trailer, out, |delta| {
            delta.str("role", "assistant");
            delta.str("content", "");
        });
    }

    fn delta(&mut self, choice: u32, delta: &Delta<'_>, trailer: Trailer<'_>, out: &mut Vec<u8>) {
        if !self.has_started {
            self.start(&Start::default(), trailer, out);
        }
        self.choices = self.choices.max(choice + 1);
        if !is_written(delta) {
            return;
        }
        if let Delta::CustomCall { slot, .. } = delta {
            self.custom_calls.push((choice, *slot));
        }
        let is_custom = matches!(delta, Delta::Arguments { slot, .. }
            if self.custom_calls.contains(&(choice, *slot)));
        self.choice_chunk(choice, None, trailer, out, |object| {
            write_delta(delta, is_custom, object);
        });
    }

    /// The last chunk of an answer. Callers that did not ask for a chunk of its own find usage here.
    fn stop(&mut self, choice: u32, stop: &Stop<'_>, trailer: Trailer<'_>, out: &mut Vec<u8>) {
        let with_usage = self.usage.reported && !self.include_usage && choice + 1 >= self.choices;
        let usage = self.usage;
        let mut with_usage_trailer = |out: &mut Vec<u8>| {
            if with_usage {
                out.extend_from_slice(b"\"usage\":");
                write_usage(&usage, &mut Object::new(out));
                let end = out.len();
                out.push(b',');
                trailer(out);
                if out.len() == end + 1 {
                    out.pop();
                }
            } else {
                trailer(out);
            }
        };
        let reason = finish_reason_of_stop(stop);
        self.choice_chunk(choice, Some(&reason), &mut with_usage_trailer, out, |_| {});
    }

    fn usage_chunk(&self, trailer: Trailer<'_>, out: &mut Vec<u8>) {
        sse::frame(None, out, |out| {
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b",\"choices\":[],\"usage\":");
            write_usage(&self.usage, &mut Object::new(out));
            finish_chunk(trailer, out);
        });
    }

    fn choice_chunk(
        &self,
        choice: u32,
        reason: Option<&str>,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
        delta: impl FnOnce(&mut Object<'_>),
    ) {
        sse::frame(None, out, |out| {
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b",\"choices\":[");
            let mut object = Object::new(out);
            object.u64("index", u64::from(choice));
            delta(&mut object.object("delta"));
            match reason {
                Some(reason) => object.str("finish_reason", reason),
                None => object.null("finish_reason"),
            }
            drop(object);
            out.push(b']');
            finish_chunk(trailer, out);
        });
    }
}

/// Appends the trailer and closes the chunk.
pub(crate) fn finish_chunk(trailer: Trailer<'_>, out: &mut Vec<u8>) {
    let end = out.len();
    out.push(b',');
    trailer(out);
    if out.len() == end + 1 {
        out.pop();
    }
    out.push(b'}');
}

/// Whether the dialect has a place for it.
fn is_written(delta: &Delta<'_>) -> bool {
    match delta {
        Delta::Citation(citation) => citation.url.is_some(),
        Delta::PartEnd | Delta::ServerCall(_) | Delta::ServerResult(_) => false,
        Delta::Text(_)
        | Delta::Refusal(_)
        | Delta::Reasoning { .. }
        | Delta::ToolCall { .. }
        | Delta::CustomCall { .. }
        | Delta::Image { .. }
        | Delta::Audio { .. }
        | Delta::Arguments { .. } => true,
    }
}

fn write_delta(delta: &Delta<'_>, is_custom: bool, object: &mut Object<'_>) {
    match delta {
        Delta::Text(text) => object.text("content", text),
        Delta::Refusal(refusal) => object.text("refusal", refusal),
        Delta::Reasoning { slot, reasoning } => {
            object.text_if("reasoning", reasoning.text.as_ref().or(reasoning.summary.as_ref()));
            write_detail(reasoning, u64::from(*slot), &mut object.array("reasoning_details"));
        }
        Delta::ToolCall { slot, id, name } => {
            let mut calls = object.array("tool_calls");
            let mut call = calls.object();
            call.u64("index", u64::from(*slot));
            call.text("id", id);
            call.str("type", "function");
            let mut function = call.object("function");
            function.text("name", name);
            function.str("arguments", "");
        }
        Delta::CustomCall { slot, id, name } => {
            let mut calls = object.array("tool_calls");
            let mut call = calls.object();
            call.u64("index", u64::from(*slot));
            call.text("id", id);
            call.str("type", "custom");
            let mut custom = call.object("custom");
            custom.text("name", name);
            custom.str("input", "");
        }
        Delta::Arguments { slot, fragment } => {
            let (kind, name) =
                if is_custom { ("custom", "input") } else { ("function", "arguments") };
            let mut calls = object.array("tool_calls");
            let mut call = calls.object();
            call.u64("index", u64::from(*slot));
            call.object(kind).text(name, fragment);
        }
        Delta::Image { media_type, data } => {
            write_image(media_type, data, object.array("images").object());
        }
        Delta::Audio { data, .. } => object.object("audio").text("data", data),
        Delta::Citation(citation) => {
            let mut annotations = object.array("annotations");
            if let Some(url) = &citation.url {
                let range = citation.range.unwrap_or_default();
                write_citation(url, citation.title.as_ref(), range, annotations.object());
            }
        }
        Delta::PartEnd | Delta::ServerCall(_) | Delta::ServerResult(_) => {}
    }
}
