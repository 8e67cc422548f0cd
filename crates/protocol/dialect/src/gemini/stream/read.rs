//! Reading the pieces of a reply.

use super::partial_arguments::PartialArguments;
use crate::canonical::{
    Arguments, Delta, Event, Part, PartKind, Reasoning, Source, Start, Stop, ToolCall, Usage,
};
use crate::error::{Error, What};
use crate::error_shape::read_stream_error_at;
use crate::fields;
use crate::format::{Emit, ReadStream};
use crate::gemini::characters::Characters;
use crate::gemini::error::read_object;
use crate::gemini::finish::stop_of_reason;
use crate::gemini::grounding::read_citations;
use crate::gemini::part::{NameCalls, read_part, signature_of_part};
use crate::gemini::reply::{CallNames, is_blocked, model_version};
use crate::gemini::spelling::{elements, member};
use crate::gemini::usage::read_usage;
use crate::json::{Cursor, Raw, Text};

/// Most answers a stream may carry side by side.
const CANDIDATES_MAX: usize = 128;

/// Most calls all answers may make.
const CALLS_MAX: u32 = 4096;

/// Reads pieces. A stream has no end marker: it is complete when an answer says why it stopped.
#[derive(Debug)]
pub(crate) struct StreamReader {
    id: String,
    has_started: bool,
    is_done: bool,
    /// Calls of all answers, for their ids.
    calls: u32,
    candidates: Vec<Candidate>,
    usage: Usage,
}

/// What is remembered of one answer.
#[derive(Debug, Default)]
struct Candidate {
    calls: u32,
    /// How many blocks of thinking have begun, and whether the last one may go on.
    thoughts: u32,
    is_thinking: bool,
    text: Characters,
    partial: Option<PartialCall>,
    stop: Option<Stop<'static>>,
}

/// A call whose arguments come in pieces.
#[derive(Debug)]
struct PartialCall {
    slot: u32,
    arguments: PartialArguments,
}

impl ReadStream for StreamReader {
    fn read<'a>(
        &mut self,
        event: Option<&str>,
        piece: Raw<'a>,
        emit: Emit<'_, 'a>,
    ) -> Result<(), Error> {
        if self.is_done {
            return Ok(());
        }
        if event == Some("error") || piece.member("error").is_some() {
            self.is_done = true;
            return emit(Event::Error(read_stream_error_at(piece, read_object)));
        }
        self.start(piece, emit)?;
        let candidates = piece.member("candidates");
        for candidate in candidates.iter().flat_map(|candidates| candidates.elements()) {
            self.candidate(candidate, emit)?;
        }
        if is_blocked(piece) {
            self.stop(0, Stop::ContentFilter, emit)?;
        }
        if let Some(usage) = piece.member("usageMetadata") {
            read_usage(&mut Cursor::new(usage.text().as_bytes()), &mut self.usage);
            if self.usage.reported {
                emit(Event::Usage(self.usage))?;
            }
        }
        Ok(())
    }

    fn done(&mut self) {
        self.is_done = true;
    }

    fn is_finished(&self) -> bool {
        self.is_done || self.candidates.iter().any(|candidate| candidate.stop.is_some())
    }
}

impl StreamReader {
    /// A reader that makes ids of calls from `fallback_id` where the stream has no id itself.
    pub(crate) fn new(fallback_id: &str) -> Self {
        Self {
            id: fallback_id.to_owned(),
            has_started: false,
            is_done: false,
            calls: 0,
            candidates: Vec::new(),
            usage: Usage::default(),
        }
    }

    fn start<'a>(&mut self, piece: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        if self.has_started
            || !(piece.member("candidates").is_some() || piece.member("promptFeedback").is_some())
        {
            return Ok(());
        }
        self.has_started = true;
        let id = fields::lenient_text(piece, "responseId").filter(|id| !id.is_empty());
        if let Some(id) = &id {
            self.id = id.plain().into_owned();
        }
        emit(Event::Start(Start { id, model: model_version(piece), created: None }))
    }

    fn candidate<'a>(&mut self, value: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        let number = value.member("index").and_then(|index| index.as_u64()).unwrap_or(0) as usize;
        if number >= CANDIDATES_MAX {
            return Err(Error::at("candidates[].index", What::Invalid("is too large")));
        }
        while self.candidates.len() <= number {
            self.candidates.push(Candidate::default());
        }
        let choice = number as u32;
        let mut emit_delta = |delta: Delta<'a>| emit(Event::Delta(choice, delta));
        let mut names = CallNames::new(&self.id);
        names.calls = self.calls;
        let candidate = &mut self.candidates[number];
        let parts = value.member("content").and_then(|content| content.member("parts"));
        for part in parts.iter().flat_map(|parts| elements(*parts)) {
            candidate.part(part, &mut names, &mut emit_delta)?;
        }
        self.calls = names.calls;
        if self.calls > CALLS_MAX {
            return Err(Error::at("candidates[].content.parts", What::Invalid("call too much")));
        }
        for citation in read_citations(value, &candidate.text) {
            emit_delta(Delta::Citation(citation))?;
        }
        match fields::lenient_text(value, "finishReason") {
            Some(reason) => {
                candidate.finish_call(&mut emit_delta)?;
                let stop = stop_of_reason(reason, candidate.calls > 0);
                self.stop(number, stop, emit)
            }
            None => Ok(()),
        }
    }

    /// Reports why an answer stopped; some models say so with every piece, and the last one counts.
    fn stop<'a>(&mut self, number: usize, stop: Stop<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        if self.candidates.is_empty() {
            self.candidates.push(Candidate::default());
        }
        let known = &mut self.candidates[number].stop;
        if known.as_ref() == Some(&stop) {
            return Ok(());
        }
        *known = Some(stop.clone().into_owned());
        emit(Event::Stop(number as u32, stop, None))
    }
}

type EmitDelta<'e, 'a> = &'e mut dyn FnMut(Delta<'a>) -> Result<(), Error>;

impl Candidate {
    fn part<'a>(
        &mut self,
        part: Raw<'a>,
        names: &mut CallNames<'_>,
        emit: EmitDelta<'_, 'a>,
    ) -> Result<(), Error> {
        if let Some(call) = member(part, "functionCall").filter(|call| self.is_partial(*call)) {
            return self.partial_call(part, call, names, emit);
        }
        self.finish_call(emit)?;
        let mut parts = Vec::new();
        read_part(0, part, names, &mut parts)?;
        parts.into_iter().try_for_each(|part| self.delta(part, emit))
    }

    fn delta<'a>(&mut self, part: Part<'a>, emit: EmitDelta<'_, 'a>) -> Result<(), Error> {
        let was_thinking = std::mem::replace(&mut self.is_thinking, false);
        match part.kind {
            PartKind::Text { text, .. } => {
                self.text.feed(&text.plain());
                emit(Delta::Text(text))
            }
            PartKind::Reasoning(reasoning) => self.reasoning(reasoning, was_thinking, emit),
            PartKind::ToolCall(call) => self.call(call, emit),
            PartKind::Image { source: Source::Base64 { media_type, data }, .. } => {
                emit(Delta::Image { media_type, data })
            }
            PartKind::Audio { data, format } => emit(Delta::Audio { data, format }),
            // What the vendor's own tools did.
            PartKind::Other(_) => Ok(()),
            // The model does not answer with these.
            PartKind::Image { .. }
            | PartKind::Document { .. }
            | PartKind::Video { .. }
            | PartKind::SearchResult { .. }
            | PartKind::ToolResult(_)
            | PartKind::ServerCall(_)
            | PartKind::ServerResult(_)
            | PartKind::Refusal(_) => Ok(()),
        }
    }

    /// Thoughts that follow each other are one block, until it is signed.
    fn reasoning<'a>(
        &mut self,
        reasoning: Reasoning<'a>,
        was_thinking: bool,
        emit: EmitDelta<'_, 'a>,
    ) -> Result<(), Error> {
        let goes_on = was_thinking && reasoning.data.is_none();
        if !goes_on {
            self.thoughts += 1;
        }
        self.is_thinking = reasoning.signature.is_none() && reasoning.data.is_none();
        emit(Delta::Reasoning { slot: self.thoughts - 1, reasoning })
    }

    fn call<'a>(&mut self, call: ToolCall<'a>, emit: EmitDelta<'_, 'a>) -> Result<(), Error> {
        let slot = self.begin_call(call.id, call.name, emit)?;
        let fragment = match call.arguments {
            Arguments::Value(value) => value.text().into(),
            Arguments::Text(text) => text,
        };
        emit(Delta::Arguments { slot, fragment })?;
        emit(Delta::PartEnd)
    }

    fn begin_call<'a>(
        &mut self,
        id: Text<'a>,
        name: Text<'a>,
        emit: EmitDelta<'_, 'a>,
    ) -> Result<u32, Error> {
        let slot = self.calls;
        self.calls += 1;
        emit(Delta::ToolCall { slot, id, name })?;
        Ok(slot)
    }

    /// Whether a call is one of those whose arguments come in pieces.
    fn is_partial(&self, call: Raw<'_>) -> bool {
        let will_continue =
            || member(call, "willContinue").and_then(|it| it.as_bool()) == Some(true);
        let is_named = || member(call, "name").is_some();
        (self.partial.is_some() && !is_named())
            || member(call, "partialArgs").is_some()
            || will_continue()
    }

    fn partial_call<'a>(
        &mut self,
        part: Raw<'a>,
        call: Raw<'a>,
        names: &mut CallNames<'_>,
        emit: EmitDelta<'_, 'a>,
    ) -> Result<(), Error> {
        let signature = member(part, "thoughtSignature").and_then(|signature| signature.as_text());
        let signature = signature.filter(|signature| !signature.is_empty());
        let name = member(call, "name").and_then(|name| name.as_text());
        match name.filter(|name| !name.is_empty()) {
            Some(name) => {
                self.finish_call(emit)?;
                self.is_thinking = false;
                let id = member(call, "id").and_then(|id| id.as_text()).unwrap_or_default();
                let id = names.call(id, &name, signature);
                let slot = self.begin_call(id, name, emit)?;
                self.partial = Some(PartialCall { slot, arguments: PartialArguments::default() });
            }
            None => {
                if let Some(signature) = signature {
                    self.reasoning(signature_of_part(signature), false, emit)?;
                }
            }
        }
        self.partial_arguments(call, emit)?;
        let goes_on = member(call, "willContinue").and_then(|it| it.as_bool()) == Some(true);
        if goes_on { Ok(()) } else { self.finish_call(emit) }
    }

    fn partial_arguments<'a>(
        &mut self,
        call: Raw<'a>,
        emit: EmitDelta<'_, 'a>,
    ) -> Result<(), Error> {
        let Some(PartialCall { slot, arguments }) = &mut self.partial else {
            return Err(Error::at("functionCall.name", What::Missing));
        };
        let values = member(call, "partialArgs");
        let mut text = Vec::new();
        for value in values.iter().flat_map(|values| values.elements()) {
            arguments.feed(value, &mut text).map_err(|_| {
                Error::at("functionCall.partialArgs", What::Invalid("do not follow each other"))
            })?;
        }
        if text.is_empty() {
            return Ok(());
        }
        emit(Delta::Arguments { slot: *slot, fragment: fragment(text) })
    }

    fn finish_call<'a>(&mut self, emit: EmitDelta<'_, 'a>) -> Result<(), Error> {
        let Some(PartialCall { slot, arguments }) = self.partial.take() else { return Ok(()) };
        let mut text = Vec::new();
        arguments.finish(&mut text);
        emit(Delta::Arguments { slot, fragment: fragment(text) })?;
        emit(Delta::PartEnd)
    }
}

fn fragment(text: Vec<u8>) -> Text<'static> {
    String::from_utf8(text).unwrap_or_default().into()
}
