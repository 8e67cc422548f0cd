//! Writing the events of a response stream.
//!
//! Every event names its item, so items may grow side by side: each call stays open until it is complete or the answer
//! ends. What an item said is said again when it is done, and everything at the end; so all of it is held, within a
//! limit.

use crate::canonical::{
    Citation, Delta, ErrorReply, Event, Reasoning, ServerCall, ServerResult, Start, Stop, Usage,
};
use crate::error::{Error, What};
use crate::format::{Trailer, WriteStream};
use crate::json::{Array, Object, Text};
use crate::openai_responses::error::write_error_event;
use crate::openai_responses::output::{
    Call, is_signed_alone, write_annotation, write_call, write_message, write_reasoning,
    write_refusal_part, write_text_part,
};
use crate::openai_responses::reply::item_id;
use crate::openai_responses::reply::write_picture;
use crate::openai_responses::response::{Head, Outcome, status_of_stop, write_response};
use crate::openai_responses::server_tool::{item_type, phase, write_server_item};
use crate::options::{GroupedTool, ReplyOptions};
use crate::sse;

/// Most items an answer may have.
const ITEMS_MAX: usize = 4096;

/// Most that is held of an answer, in bytes. The longest answers of today's models have about a megabyte of text.
const HELD_BYTES_MAX: usize = 32 << 20;

/// Writes events.
#[derive(Debug)]
pub(in crate::openai_responses) struct StreamWriter {
    id: Text<'static>,
    model: Text<'static>,
    is_model_given: bool,
    created: u64,
    /// The caller's tools that stand in a namespace.
    grouped_tools: Vec<GroupedTool>,
    has_started: bool,
    is_ended: bool,
    /// The number of the next event.
    sequence: u64,
    items: Vec<Item>,
    /// The message, the thinking, or the tool of the vendor's that is gone on with.
    open: Option<usize>,
    /// The call that was last gone on with.
    last_call: Option<usize>,
    held_bytes: usize,
    /// Characters of the answer's text so far.
    characters: u64,
    stop: Option<Stop<'static>>,
    usage: Usage,
}

#[derive(Debug)]
struct Item {
    id: String,
    state: State,
}

#[derive(Debug)]
enum State {
    Message(Message),
    Reasoning(Thinking),
    Call(OpenCall),
    ServerCall(ServerCall<'static>, Option<ServerResult<'static>>),
    /// A picture in base64, which comes whole: its format and its bytes.
    Picture(Text<'static>, Text<'static>),
    /// Complete, as it is repeated at the end.
    Done(Vec<u8>),
}

#[derive(Debug, Default)]
struct Message {
    /// The parts that are complete.
    content: Vec<u8>,
    parts: u64,
    part: Option<OpenPart>,
}

#[derive(Debug)]
struct OpenPart {
    is_refusal: bool,
    /// Escaped, without quotes.
    text: Vec<u8>,
    annotations: Vec<u8>,
    annotation_count: u64,
    /// Where it begins in the text of the answer, in characters.
    start: u64,
}

#[derive(Debug)]
struct Thinking {
    slot: u32,
    /// The upstream's id of it.
    id: Option<Text<'static>>,
    /// The pieces that are complete.
    summary: Vec<u8>,
    pieces: u64,
    /// The piece that is gone on with, escaped and without quotes.
    piece: Option<Vec<u8>>,
    proof: Reasoning<'static>,
}

#[derive(Debug)]
struct OpenCall {
    slot: u32,
    call_id: Text<'static>,
    name: Text<'static>,
    namespace: Option<String>,
    is_custom: bool,
    /// Escaped, without quotes.
    arguments: Vec<u8>,
}

impl OpenCall {
    fn named(&self) -> Call<'_> {
        Call {
            call_id: &self.call_id,
            name: &self.name,
            namespace: self.namespace.as_deref(),
            is_custom: self.is_custom,
        }
    }
}

impl WriteStream for StreamWriter {
    fn write(
        &mut self,
        event: Event<'_>,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        match event {
            Event::Start(start) => self.start(start, trailer, out),
            Event::Delta(0, delta) => return self.delta(delta, trailer, out),
            // The dialect knows one answer.
            Event::Delta(_, _) => {}
            Event::Stop(0, stop, _) => self.stop = Some(stop.into_owned()),
            Event::Stop(..) => {}
            Event::Usage(usage) => self.usage = usage,
            Event::Error(error) => self.fail(&error, trailer, out),
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
    pub(in crate::openai_responses) fn new(options: &ReplyOptions<'_>) -> Self {
        Self {
            id: options.id.to_owned().into(),
            model: options.model.unwrap_or_default().to_owned().into(),
            is_model_given: options.model.is_some(),
            created: options.created,
            grouped_tools: options.notes.grouped_tools.clone(),
            has_started: false,
            is_ended: false,
            sequence: 0,
            items: Vec::new(),
            open: None,
            last_call: None,
            held_bytes: 0,
            characters: 0,
            stop: None,
            usage: Usage::default(),
        }
    }

    fn start(&mut self, start: Start<'_>, trailer: Trailer<'_>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.has_started, true) {
            return;
        }
        if let Some(id) = start.id {
            self.id = id.into_owned();
        }
        if let Some(model) = start.model.filter(|_| !self.is_model_given) {
            self.model = model.into_owned();
        }
        self.created = start.created.unwrap_or(self.created);
        for kind in ["response.created", "response.in_progress"] {
            self.response(kind, &Outcome::InProgress, trailer, out);
        }
    }

    /// Closes the stream; once.
    fn finish(&mut self, trailer: Trailer<'_>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.is_ended, true) {
            return;
        }
        self.start(Start::default(), trailer, out);
        let stop = self.stop.take().unwrap_or(Stop::EndTurn);
        // What was said last is what was cut.
        if let Some(open) = self.open.take() {
            self.close(open, status_of_stop(&stop), trailer, out);
        }
        for place in 0..self.items.len() {
            self.close(place, "completed", trailer, out);
        }
        let kind = match status_of_stop(&stop) {
            "incomplete" => "response.incomplete",
            _ => "response.completed",
        };
        self.response(kind, &Outcome::Stopped(&stop), trailer, out);
    }

    fn fail(&mut self, error: &ErrorReply<'_>, trailer: Trailer<'_>, out: &mut Vec<u8>) {
        self.is_ended = true;
        write_error_event(error, self.sequence, out);
        self.sequence += 1;
        if self.has_started {
            self.response("response.failed", &Outcome::Failed(error), trailer, out);
        }
    }

    fn delta(
        &mut self,
        delta: Delta<'_>,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        self.start(Start::default(), trailer, out);
        match delta {
            Delta::Text(text) => self.say(&text, false, trailer, out),
            Delta::Refusal(refusal) => self.say(&refusal, true, trailer, out),
            Delta::Reasoning { slot, reasoning } => self.think(slot, reasoning, trailer, out),
            Delta::ToolCall { slot, id, name } => self.call((slot, false), id, name, trailer, out),
            Delta::CustomCall { slot, id, name } => self.call((slot, true), id, name, trailer, out),
            Delta::Arguments { slot, fragment } => self.arguments(slot, &fragment, trailer, out),
            Delta::Citation(citation) => self.cite(&citation, trailer, out),
            Delta::ServerCall(call) => self.server_call(call.into_owned(), trailer, out),
            Delta::ServerResult(result) => {
                self.server_result(result.into_owned(), trailer, out);
                Ok(())
            }
            Delta::Image { media_type, data } => {
                self.picture(media_type.into_owned(), data.into_owned(), trailer, out)
            }
            // The dialect's answers hold no sound.
            Delta::Audio { .. } => Ok(()),
            Delta::PartEnd => {
                self.part_end(trailer, out);
                Ok(())
            }
        }
    }

    /// Counts what is held.
    fn hold(&mut self, bytes: usize) -> Result<(), Error> {
        self.held_bytes = self.held_bytes.saturating_add(bytes);
        if self.held_bytes > HELD_BYTES_MAX {
            return Err(Error::at(
                "output",
                What::Invalid("is too long to be repeated at its end"),
            ));
        }
        Ok(())
    }

    /// A new item; the one that was gone on with is complete.
    fn begin(
        &mut self,
        prefix: &str,
        state: State,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) -> Result<usize, Error> {
        if let Some(open) = self.open.take() {
            self.close(open, "completed", trailer, out);
        }
        let place = self.items.len();
        if place >= ITEMS_MAX {
            return Err(Error::at("output", What::Invalid("has too many items")));
        }
        let id = item_id(prefix, &self.id.plain(), place);
        self.items.push(Item { id, state });
        self.item_event("response.output_item.added", place, "in_progress", trailer, out);
        Ok(place)
    }

    /// More of a message.
    fn say(
        &mut self,
        text: &Text<'_>,
        is_refusal: bool,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let place = self.message_part(is_refusal, trailer, out)?;
        if !is_refusal {
            self.characters += text.character_count();
        }
        let mut added = 0;
        if let State::Message(Message { part: Some(part), .. }) = &mut self.items[place].state {
            let before = part.text.len();
            text.write_inner(&mut part.text);
            added = part.text.len() - before;
        }
        self.hold(added)?;
        let kind = if is_refusal { "response.refusal.delta" } else { "response.output_text.delta" };
        self.part_event(kind, place, trailer, out, |object| {
            object.text("delta", text);
            if !is_refusal {
                object.array("logprobs");
            }
        });
        Ok(())
    }

    /// The message that is gone on with, with a part of that kind open.
    fn message_part(
        &mut self,
        is_refusal: bool,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) -> Result<usize, Error> {
        let is_message = |place: &usize| matches!(self.items[*place].state, State::Message(_));
        let place = match self.open.filter(is_message) {
            Some(place) => place,
            None => self.begin("msg", State::Message(Message::default()), trailer, out)?,
        };
        self.open = Some(place);
        let open = match &self.items[place].state {
            State::Message(Message { part, .. }) => part.as_ref().map(|part| part.is_refusal),
            _ => None,
        };
        if open == Some(is_refusal) {
            return Ok(place);
        }
        self.part_done(place, trailer, out);
        let start = self.characters;
        if let State::Message(message) = &mut self.items[place].state {
            message.part = Some(OpenPart {
                is_refusal,
                text: Vec::new(),
                annotations: Vec::new(),
                annotation_count: 0,
                start,
            });
        }
        self.part_event("response.content_part.added", place, trailer, out, |object| {
            let mut part = object.object("part");
            if is_refusal {
                write_refusal_part(&mut part, |_| {});
            } else {
                write_text_part(b"", &mut part, |_| {});
                part.array("logprobs");
            }
        });
        Ok(place)
    }

    fn cite(
        &mut self,
        citation: &Citation<'_>,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        if citation.url.is_none() {
            return Ok(());
        }
        let place = self.message_part(false, trailer, out)?;
        let characters = self.characters;
        let mut annotation = Vec::new();
        let mut number = 0;
        if let State::Message(Message { part: Some(part), .. }) = &mut self.items[place].state {
            let span = (part.start, characters - part.start);
            write_annotation(citation, span, &mut Array::new(&mut annotation));
            if part.annotation_count > 0 {
                part.annotations.push(b',');
            }
            part.annotations.extend_from_slice(inside(&annotation));
            number = part.annotation_count;
            part.annotation_count += 1;
        }
        self.hold(annotation.len())?;
        let kind = "response.output_text.annotation.added";
        self.part_event(kind, place, trailer, out, |object| {
            object.u64("annotation_index", number);
            object.key("annotation").extend_from_slice(inside(&annotation));
        });
        Ok(())
    }

    /// More of a piece of thinking.
    fn think(
        &mut self,
        slot: u32,
        reasoning: Reasoning<'_>,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let place = self.thinking(slot, reasoning.id.as_ref(), trailer, out)?;
        let text = reasoning.text.as_ref().or(reasoning.summary.as_ref());
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.summarize(place, text, trailer, out)?;
        }
        let proof = [&reasoning.signature, &reasoning.data].into_iter().flatten();
        self.hold(proof.map(|text| text.plain().len()).sum())?;
        if let State::Reasoning(thinking) = &mut self.items[place].state {
            let proof = &mut thinking.proof;
            let own = |text: Option<Text<'_>>| text.map(Text::into_owned);
            proof.signature = own(reasoning.signature).or(proof.signature.take());
            proof.data = own(reasoning.data).or(proof.data.take());
            proof.format = own(reasoning.format).or(proof.format.take());
        }
        Ok(())
    }

    /// The item of that slot: the open one, another piece of the open one if it has the same id, or a new one.
    fn thinking(
        &mut self,
        slot: u32,
        id: Option<&Text<'_>>,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) -> Result<usize, Error> {
        if let Some(place) = self.open
            && let State::Reasoning(thinking) = &mut self.items[place].state
        {
            if thinking.slot == slot {
                return Ok(place);
            }
            if id.is_some() && thinking.id.as_ref().map(Text::plain) == id.map(Text::plain) {
                thinking.slot = slot;
                self.piece_done(place, trailer, out);
                return Ok(place);
            }
        }
        let thinking = Thinking {
            slot,
            id: id.map(|id| id.clone().into_owned()),
            summary: Vec::new(),
            pieces: 0,
            piece: None,
            proof: Reasoning::default(),
        };
        let place = self.begin("rs", State::Reasoning(thinking), trailer, out)?;
        self.open = Some(place);
        Ok(place)
    }

    fn summarize(
        &mut self,
        place: usize,
        text: &Text<'_>,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        if matches!(&self.items[place].state, State::Reasoning(thinking) if thinking.piece.is_none())
        {
            self.begin_piece(place, trailer, out);
        }
        let State::Reasoning(Thinking { piece: Some(piece), .. }) = &mut self.items[place].state
        else {
            return Ok(());
        };
        let before = piece.len();
        text.write_inner(piece);
        let added = piece.len() - before;
        self.hold(added)?;
        let kind = "response.reasoning_summary_text.delta";
        self.piece_event(kind, place, trailer, out, |object| object.text("delta", text));
        Ok(())
    }

    fn begin_piece(&mut self, place: usize, trailer: Trailer<'_>, out: &mut Vec<u8>) {
        if let State::Reasoning(thinking) = &mut self.items[place].state {
            thinking.piece = Some(Vec::new());
        }
        let kind = "response.reasoning_summary_part.added";
        self.piece_event(kind, place, trailer, out, |object| {
            write_summary_text(b"", object.object("part"));
        });
    }

    fn call(
        &mut self,
        (slot, is_custom): (u32, bool),
        id: Text<'_>,
        name: Text<'_>,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let grouped = self.grouped_tools.iter().find(|tool| name == *tool.written);
        let call = OpenCall {
            slot,
            call_id: id.into_owned(),
            namespace: grouped.map(|tool| tool.namespace.clone()),
            name: grouped.map_or_else(|| name.into_owned(), |tool| tool.name.clone().into()),
            is_custom,
            arguments: Vec::new(),
        };
        let prefix = if is_custom { "ctc" } else { "fc" };
        self.last_call = Some(self.begin(prefix, State::Call(call), trailer, out)?);
        Ok(())
    }

    fn arguments(
        &mut self,
        slot: u32,
        fragment: &Text<'_>,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let is_open = |item: &Item| matches!(&item.state, State::Call(call) if call.slot == slot);
        let Some(place) = self.items.iter().rposition(is_open) else { return Ok(()) };
        self.last_call = Some(place);
        let State::Call(call) = &mut self.items[place].state else { return Ok(()) };
        let before = call.arguments.len();
        fragment.write_inner(&mut call.arguments);
        let added = call.arguments.len() - before;
        let kind = if call.is_custom {
            "response.custom_tool_call_input.delta"
        } else {
            "response.function_call_arguments.delta"
        };
        self.hold(added)?;
        self.numbered_event(kind, place, trailer, out, |object| object.text("delta", fragment));
        Ok(())
    }

    /// A tool of the vendor's is at work; it is done with its result, or when something else begins.
    fn server_call(
        &mut self,
        call: ServerCall<'static>,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let input = call.input.clone();
        self.hold(input.as_ref().map_or(0, |input| input.plain().len()))?;
        let (tool, kind) = (call.tool, item_type(call.tool));
        let place = self.begin("", State::ServerCall(call, None), trailer, out)?;
        self.open = Some(place);
        self.numbered_event(&format!("response.{kind}.in_progress"), place, trailer, out, |_| {});
        let pieces = match kind {
            "code_interpreter_call" => Some(("response.code_interpreter_call_code", "code")),
            "mcp_call" => Some(("response.mcp_call_arguments", "arguments")),
            _ => None,
        };
        if let (Some((event, name)), Some(input)) = (pieces, &input) {
            let delta = format!("{event}.delta");
            self.numbered_event(&delta, place, trailer, out, |object| object.text("delta", input));
            let done = format!("{event}.done");
            self.numbered_event(&done, place, trailer, out, |object| object.text(name, input));
        }
        if let Some(phase) = phase(tool) {
            self.numbered_event(&format!("response.{kind}.{phase}"), place, trailer, out, |_| {});
        }
        Ok(())
    }

    fn server_result(
        &mut self,
        found: ServerResult<'static>,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) {
        let Some(place) = self.open else { return };
        match &mut self.items[place].state {
            State::ServerCall(call, result) if call.id == found.call_id => *result = Some(found),
            _ => return,
        }
        self.open = None;
        self.close(place, "completed", trailer, out);
    }

    fn picture(
        &mut self,
        media_type: Text<'static>,
        data: Text<'static>,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        self.hold(data.plain().len())?;
        let place = self.begin("ig", State::Picture(media_type, data), trailer, out)?;
        self.close(place, "completed", trailer, out);
        Ok(())
    }

    /// The part, the thinking or the call that was last gone on with is complete.
    fn part_end(&mut self, trailer: Trailer<'_>, out: &mut Vec<u8>) {
        let Some(place) = self.open else {
            if let Some(place) = self.last_call.take() {
                self.close(place, "completed", trailer, out);
            }
            return;
        };
        match self.items[place].state {
            // Another part of the same message may follow.
            State::Message(_) => self.part_done(place, trailer, out),
            State::Reasoning(_) => {
                self.open = None;
                self.close(place, "completed", trailer, out);
            }
            State::Call(_) | State::ServerCall(..) | State::Picture(..) | State::Done(_) => {}
        }
    }

    /// Completes the open part of a message, if there is one.
    fn part_done(&mut self, place: usize, trailer: Trailer<'_>, out: &mut Vec<u8>) {
        let State::Message(Message { part, .. }) = &mut self.items[place].state else { return };
        let Some(part) = part.take() else { return };
        let text = |out: &mut Vec<u8>| out.extend_from_slice(&part.text);
        let (kind, name) = if part.is_refusal {
            ("response.refusal.done", "refusal")
        } else {
            ("response.output_text.done", "text")
        };
        self.part_event(kind, place, trailer, out, |object| {
            write_inner(&part.text, object.key(name));
            if !part.is_refusal {
                object.array("logprobs");
            }
        });
        let mut written = Vec::with_capacity(part.text.len() + 64);
        let mut object = Object::new(&mut written);
        if part.is_refusal {
            write_refusal_part(&mut object, text);
        } else {
            write_text_part(&part.annotations, &mut object, text);
            object.array("logprobs");
        }
        drop(object);
        self.part_event("response.content_part.done", place, trailer, out, |object| {
            object.key("part").extend_from_slice(&written);
        });
        if let State::Message(message) = &mut self.items[place].state {
            push(&mut message.content, &written);
            message.parts += 1;
        }
    }

    /// Completes the open piece of thinking, if there is one.
    fn piece_done(&mut self, place: usize, trailer: Trailer<'_>, out: &mut Vec<u8>) {
        let State::Reasoning(thinking) = &mut self.items[place].state else { return };
        let Some(piece) = thinking.piece.take() else { return };
        let kind = "response.reasoning_summary_text.done";
        self.piece_event(kind, place, trailer, out, |object| {
            write_inner(&piece, object.key("text"));
        });
        let kind = "response.reasoning_summary_part.done";
        self.piece_event(kind, place, trailer, out, |object| {
            write_summary_text(&piece, object.object("part"));
        });
        let mut written = Vec::with_capacity(piece.len() + 64);
        write_summary_text(&piece, Object::new(&mut written));
        if let State::Reasoning(thinking) = &mut self.items[place].state {
            push(&mut thinking.summary, &written);
            thinking.pieces += 1;
        }
    }

    /// Completes an item, if it is not.
    fn close(&mut self, place: usize, status: &str, trailer: Trailer<'_>, out: &mut Vec<u8>) {
        match &self.items[place].state {
            State::Done(_) => return,
            State::Message(_) => self.part_done(place, trailer, out),
            State::Reasoning(thinking) => {
                // An empty piece keeps what is signed apart from what is encrypted.
                if thinking.pieces == 0
                    && thinking.piece.is_none()
                    && is_signed_alone(&thinking.proof)
                {
                    self.begin_piece(place, trailer, out);
                }
                self.piece_done(place, trailer, out);
            }
            State::Call(_) => self.arguments_done(place, trailer, out),
            State::Picture(..) => {
                let event = "response.image_generation_call.completed";
                self.numbered_event(event, place, trailer, out, |_| {});
            }
            State::ServerCall(call, result) => {
                let kind = item_type(call.tool);
                let has_failed = result.as_ref().is_some_and(|result| result.is_error);
                // Only an MCP server's failures have an event.
                let end = if has_failed && kind == "mcp_call" { "failed" } else { "completed" };
                let event = format!("response.{kind}.{end}");
                self.numbered_event(&event, place, trailer, out, |_| {});
            }
        }
        let mut written = Vec::new();
        self.write_item(place, status, &mut Object::new(&mut written));
        let number = place as u64;
        self.event("response.output_item.done", trailer, out, |object| {
            object.u64("output_index", number);
            object.key("item").extend_from_slice(&written);
        });
        self.items[place].state = State::Done(written);
    }

    fn arguments_done(&mut self, place: usize, trailer: Trailer<'_>, out: &mut Vec<u8>) {
        let State::Call(call) = &mut self.items[place].state else { return };
        let arguments = std::mem::take(&mut call.arguments);
        let (is_custom, name) = (call.is_custom, call.name.clone());
        if is_custom {
            let kind = "response.custom_tool_call_input.done";
            self.numbered_event(kind, place, trailer, out, |object| {
                write_inner(&arguments, object.key("input"));
            });
        } else {
            let kind = "response.function_call_arguments.done";
            self.numbered_event(kind, place, trailer, out, |object| {
                object.text("name", &name);
                write_inner(&arguments, object.key("arguments"));
            });
        }
        if let State::Call(call) = &mut self.items[place].state {
            call.arguments = arguments;
        }
    }

    /// Writes the members of an item as far as it has come.
    fn write_item(&self, place: usize, status: &str, object: &mut Object<'_>) {
        let Item { id, state } = &self.items[place];
        match state {
            State::Message(message) => write_message(id, status, &message.content, object),
            State::Reasoning(thinking) => {
                let id = thinking.id.as_ref().map_or(id.into(), Text::plain);
                write_reasoning(&id, status, &thinking.summary, Some(&thinking.proof), object);
            }
            State::Call(call) => write_call(id, status, &call.named(), object, |out| {
                out.extend_from_slice(&call.arguments);
            }),
            State::ServerCall(call, result) => {
                write_server_item(call, result.as_ref(), status, object);
            }
            State::Picture(media_type, data) => {
                let is_made = status != "in_progress";
                write_picture(id, status, media_type, is_made.then_some(data), object);
            }
            State::Done(_) => {}
        }
    }

    /// The id by which events name an item.
    fn id_of(&self, place: usize) -> std::borrow::Cow<'_, str> {
        let Item { id, state } = &self.items[place];
        match state {
            State::Reasoning(Thinking { id: Some(known), .. })
            | State::ServerCall(ServerCall { id: known, .. }, _) => known.plain(),
            _ => id.into(),
        }
    }

    fn item_event(
        &mut self,
        kind: &str,
        place: usize,
        status: &str,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) {
        let number = self.next();
        frame(kind, number, trailer, out, |object| {
            object.u64("output_index", place as u64);
            self.write_item(place, status, &mut object.object("item"));
        });
    }

    /// An event of an item.
    fn numbered_event(
        &mut self,
        kind: &str,
        place: usize,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
        members: impl FnOnce(&mut Object<'_>),
    ) {
        let number = self.next();
        frame(kind, number, trailer, out, |object| {
            object.str("item_id", &self.id_of(place));
            object.u64("output_index", place as u64);
            members(object);
        });
    }

    /// An event of the open part of a message.
    fn part_event(
        &mut self,
        kind: &str,
        place: usize,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
        members: impl FnOnce(&mut Object<'_>),
    ) {
        let index = match &self.items[place].state {
            State::Message(message) => message.parts,
            _ => 0,
        };
        self.numbered_event(kind, place, trailer, out, |object| {
            object.u64("content_index", index);
            members(object);
        });
    }

    /// An event of the open piece of thinking.
    fn piece_event(
        &mut self,
        kind: &str,
        place: usize,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
        members: impl FnOnce(&mut Object<'_>),
    ) {
        let index = match &self.items[place].state {
            State::Reasoning(thinking) => thinking.pieces,
            _ => 0,
        };
        self.numbered_event(kind, place, trailer, out, |object| {
            object.u64("summary_index", index);
            members(object);
        });
    }

    fn event(
        &mut self,
        kind: &str,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
        members: impl FnOnce(&mut Object<'_>),
    ) {
        let number = self.next();
        frame(kind, number, trailer, out, members);
    }

    /// An event that holds the whole response, with the items that are complete.
    fn response(
        &mut self,
        kind: &str,
        outcome: &Outcome<'_>,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) {
        let number = self.next();
        let head =
            Head { id: &self.id, model: &self.model, created: self.created, service_tier: None };
        frame(kind, number, trailer, out, |object| {
            let mut response = object.object("response");
            write_response(&head, outcome, &self.usage, &mut response, |out| {
                let mut output = Array::new(out);
                for item in &self.items {
                    if let State::Done(written) = &item.state {
                        output.element().extend_from_slice(written);
                    }
                }
            });
        });
    }

    fn next(&mut self) -> u64 {
        let number = self.sequence;
        self.sequence += 1;
        number
    }
}

/// Writes one event, with its name twice, as the vendor does.
fn frame(
    kind: &str,
    number: u64,
    trailer: Trailer<'_>,
    out: &mut Vec<u8>,
    members: impl FnOnce(&mut Object<'_>),
) {
    sse::frame(Some(kind), out, |out| {
        let mut object = Object::new(out);
        object.str("type", kind);
        object.u64("sequence_number", number);
        members(&mut object);
        drop(object);
        out.pop();
        let end = out.len();
        out.push(b',');
        trailer(out);
        if out.len() == end + 1 {
            out.pop();
        }
        out.push(b'}');
    });
}

fn write_summary_text(inner: &[u8], mut object: Object<'_>) {
    object.str("type", "summary_text");
    write_inner(inner, object.key("text"));
}

/// Writes a string that is escaped already.
fn write_inner(inner: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(inner);
    out.push(b'"');
}

/// Appends an element to a list of them.
fn push(list: &mut Vec<u8>, element: &[u8]) {
    if !list.is_empty() {
        list.push(b',');
    }
    list.extend_from_slice(element);
}

/// What stands between the brackets of an array.
fn inside(array: &[u8]) -> &[u8] {
    array.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::HELD_BYTES_MAX;
    use crate::Dialect::OpenAiResponses;
    use crate::{Notes, ReplyOptions, StreamTranslator};

    fn translator(notes: &Notes) -> StreamTranslator {
        let options = ReplyOptions { notes, model: None, trailer: b"", id: "id", created: 1 };
        StreamTranslator::new(OpenAiResponses, OpenAiResponses, &options)
    }

    fn delta(index: u64, delta: &str) -> Value {
        json!({"type": "response.function_call_arguments.delta", "output_index": index, "delta": delta})
    }

    fn item(state: &str, index: u64, arguments: &str) -> Value {
        let id = format!("call_{index}");
        let item =
            json!({"type": "function_call", "call_id": id, "name": "f", "arguments": arguments});
        json!({"type": format!("response.output_item.{state}"), "output_index": index, "item": item})
    }

    #[test]
    fn a_call_that_ends_leaves_those_beside_it_open() {
        let events = [
            item("added", 0, ""),
            item("added", 1, ""),
            delta(1, "{\"b\":"),
            delta(0, "{}"),
            item("done", 0, "{}"),
            delta(1, "2}"),
            item("done", 1, "{\"b\":2}"),
            json!({"type": "response.completed", "response": {"status": "completed"}}),
        ];
        let notes = Notes::default();
        let mut translator = translator(&notes);
        let mut out = Vec::new();
        for event in &events {
            translator.event(None, event.to_string().as_bytes(), &mut out).expect("translated");
        }
        let text = String::from_utf8(out).expect("UTF-8");
        let last = text.lines().rfind(|line| line.starts_with("data: ")).expect("an event");
        let last: Value = serde_json::from_str(&last["data: ".len()..]).expect("JSON");
        let arguments = |index: usize| &last["response"]["output"][index]["arguments"];
        assert_eq!((arguments(0), arguments(1)), (&json!("{}"), &json!("{\"b\":2}")));
    }

    #[test]
    fn what_is_held_has_a_limit() {
        let piece = "x".repeat(1 << 20);
        let event = json!({"type": "response.output_text.delta", "delta": piece}).to_string();
        let notes = Notes::default();
        let mut translator = translator(&notes);
        for _ in 0..HELD_BYTES_MAX / piece.len() {
            translator.event(None, event.as_bytes(), &mut Vec::new()).expect("held");
        }
        let error = translator.event(None, event.as_bytes(), &mut Vec::new());
        assert!(error.expect_err("too long").to_string().starts_with("output: is too long"));
    }
}
