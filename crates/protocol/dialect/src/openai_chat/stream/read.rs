//! Reading the chunks of a chat completion.

use crate::canonical::{Delta, Event, PartKind, Reasoning, Source, Start, Usage};
use crate::error::{Error, What};
use crate::error_shape::read_stream_error_at;
use crate::fields;
use crate::format::{Emit, ReadStream};
use crate::json::{Cursor, Raw, Text};
use crate::openai_chat::error::read_object;
use crate::openai_chat::message::read_part;
use crate::openai_chat::reasoning::{plain_reasoning, read_detail};
use crate::openai_chat::reply::{read_citation, settle_stop, stop_of_finish_reason};
use crate::openai_chat::usage::read_usage;

/// Most answers a stream may carry side by side.
pub(crate) const CHOICES_MAX: usize = 128;

/// Most tool calls an answer may make.
const TOOL_CALLS_MAX: usize = 1024;

/// Reads chunks. It remembers which tool calls have begun, because hosts number them in different ways.
#[derive(Debug, Default)]
pub(crate) struct StreamReader {
    has_started: bool,
    is_done: bool,
    id: String,
    choices: Vec<ChoiceReader>,
    usage: Usage,
}

#[derive(Debug, Default)]
struct ChoiceReader {
    calls: Vec<CallReader>,
    has_refusal: bool,
    has_stopped: bool,
}

#[derive(Debug)]
struct CallReader {
    index: Option<u64>,
    id: String,
}

impl ReadStream for StreamReader {
    fn read<'a>(
        &mut self,
        event: Option<&str>,
        chunk: Raw<'a>,
        emit: Emit<'_, 'a>,
    ) -> Result<(), Error> {
        if self.is_done {
            return Ok(());
        }
        if event == Some("error") || chunk.member("error").is_some() || is_bare_error(chunk) {
            self.is_done = true;
            return emit(Event::Error(read_stream_error_at(chunk, read_object)));
        }
        let choices = chunk.member("choices");
        if !self.has_started && choices.is_some_and(|choices| choices.elements().next().is_some()) {
            self.start(chunk, emit)?;
        }
        for choice in choices.iter().flat_map(|choices| choices.elements()) {
            if let Some(error) = choice.member("error").filter(|error| error.is_object()) {
                self.is_done = true;
                return emit(Event::Error(read_stream_error_at(error, read_object)));
            }
            self.choice(choice, emit)?;
        }
        if let Some(usage) = chunk_usage(chunk) {
            read_usage(&mut Cursor::new(usage.text().as_bytes()), &mut self.usage);
            emit(Event::Usage(self.usage))?;
        }
        Ok(())
    }

    fn done(&mut self) {
        self.is_done = true;
    }

    fn is_finished(&self) -> bool {
        self.is_done || self.choices.iter().any(|choice| choice.has_stopped)
    }
}

impl StreamReader {
    /// A reader that makes ids from `fallback_id` for calls that come without one, in a stream that has none either.
    pub(crate) fn new(fallback_id: &str) -> Self {
        Self { id: fallback_id.to_owned(), ..Self::default() }
    }

    fn start<'a>(&mut self, chunk: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        self.has_started = true;
        let id = fields::lenient_text(chunk, "id").filter(|id| !id.is_empty());
        if let Some(id) = &id {
            self.id = id.plain().into_owned();
        }
        emit(Event::Start(Start {
            id,
            model: fields::lenient_text(chunk, "model").filter(|model| !model.is_empty()),
            created: chunk.member("created").and_then(|created| created.as_u64()),
        }))
    }

    fn choice<'a>(&mut self, choice: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        let number = choice.member("index").and_then(|index| index.as_u64()).unwrap_or(0) as usize;
        if number >= CHOICES_MAX {
            return Err(Error::at("choices[].index", What::Invalid("is too large")));
        }
        while self.choices.len() <= number {
            self.choices.push(ChoiceReader::default());
        }
        let reader = &mut self.choices[number];
        let mut emit_delta = |delta| emit(Event::Delta(number as u32, delta));
        if let Some(delta) = choice.member("delta") {
            reader.delta(delta, &self.id, &mut emit_delta)?;
        }
        let reason =
            fields::lenient_text(choice, "finish_reason").filter(|reason| !reason.is_empty());
        match reason {
            Some(reason) if !reader.has_stopped => {
                reader.has_stopped = true;
                let stop = stop_of_finish_reason(reason);
                let stop = settle_stop(stop, !reader.calls.is_empty(), reader.has_refusal);
                emit(Event::Stop(number as u32, stop, None))
            }
            _ => Ok(()),
        }
    }
}

/// `usage` of a chunk; Groq also puts it into `x_groq`.
pub(crate) fn chunk_usage<'a>(chunk: Raw<'a>) -> Option<Raw<'a>> {
    chunk.member("usage").or_else(|| chunk.member("x_groq")?.member("usage"))
}

/// `{"object":"error","message":…}`, as Mistral and vLLM write it.
pub(crate) fn is_bare_error(chunk: Raw<'_>) -> bool {
    chunk.member("choices").is_none()
        && fields::lenient_text(chunk, "object").is_some_and(|object| object == *"error")
}

type EmitDelta<'e, 'a> = &'e mut dyn FnMut(Delta<'a>) -> Result<(), Error>;

impl ChoiceReader {
    fn delta<'a>(
        &mut self,
        delta: Raw<'a>,
        id: &str,
        emit: EmitDelta<'_, 'a>,
    ) -> Result<(), Error> {
        self.reasoning(delta, emit)?;
        if let Some(content) = delta.member("content") {
            self.content(content, emit)?;
        }
        if let Some(refusal) =
            fields::lenient_text(delta, "refusal").filter(|text| !text.is_empty())
        {
            self.has_refusal = true;
            emit(Delta::Refusal(refusal))?;
        }
        for annotation in delta.member("annotations").iter().flat_map(|list| list.elements()) {
            if let Some(citation) = read_citation(annotation) {
                emit(Delta::Citation(citation))?;
            }
        }
        media(delta, emit)?;
        let calls = delta.member("tool_calls");
        for call in calls.iter().flat_map(|calls| calls.elements()) {
            self.tool_call(call, id, emit)?;
        }
        match delta.member("function_call").filter(|_| calls.is_none()) {
            Some(function) => self.function_call(function, id, emit),
            None => Ok(()),
        }
    }

    fn reasoning<'a>(&mut self, delta: Raw<'a>, emit: EmitDelta<'_, 'a>) -> Result<(), Error> {
        let mut has_text = false;
        for detail in
            delta.member("reasoning_details").iter().flat_map(|details| details.elements())
        {
            let reasoning = read_detail(detail);
            if reasoning.is_empty() {
                continue;
            }
            has_text |= reasoning.text.is_some() || reasoning.summary.is_some();
            emit(Delta::Reasoning { slot: slot_of(detail), reasoning })?;
        }
        match plain_reasoning(delta).filter(|_| !has_text) {
            Some(text) => emit(thinking(text)),
            None => Ok(()),
        }
    }

    fn content<'a>(&mut self, content: Raw<'a>, emit: EmitDelta<'_, 'a>) -> Result<(), Error> {
        if let Some(text) = content.as_text() {
            return if text.is_empty() { Ok(()) } else { emit(Delta::Text(text)) };
        }
        if !content.is_array() {
            return emit(Delta::Text(content.text().into()));
        }
        for part in content.elements() {
            match read_part(part)?.kind {
                PartKind::Text { text, .. } if !text.is_empty() => emit(Delta::Text(text))?,
                PartKind::Reasoning(reasoning) if !reasoning.is_empty() => {
                    emit(Delta::Reasoning { slot: 0, reasoning })?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn tool_call<'a>(
        &mut self,
        call: Raw<'a>,
        id: &str,
        emit: EmitDelta<'_, 'a>,
    ) -> Result<(), Error> {
        let custom = call.member("custom");
        let named = call.member("function").or(custom).unwrap_or(call);
        let index = call.member("index").and_then(|index| index.as_u64());
        let call_id = fields::lenient_text(call, "id").filter(|id| !id.is_empty());
        let name = fields::lenient_text(named, "name").filter(|name| !name.is_empty());
        let slot = match self.find_call(index, call_id.as_ref(), name.is_some()) {
            Some(slot) => slot,
            None => self.begin_call(index, call_id, name, (id, custom.is_some()), emit)?,
        };
        self.arguments(slot, named, emit)
    }

    fn arguments<'a>(
        &mut self,
        slot: u32,
        named: Raw<'a>,
        emit: EmitDelta<'_, 'a>,
    ) -> Result<(), Error> {
        let Some(arguments) = named.member("arguments").or_else(|| named.member("input")) else {
            return Ok(());
        };
        let fragment = arguments.as_text().unwrap_or_else(|| arguments.text().into());
        if fragment.is_empty() { Ok(()) } else { emit(Delta::Arguments { slot, fragment }) }
    }

    /// The call a chunk goes on with. A number alone continues; another id under the same number, or a name without a
    /// number, begins a call: some hosts number every call 0, or none.
    fn find_call(&self, index: Option<u64>, id: Option<&Text<'_>>, has_name: bool) -> Option<u32> {
        let position = match (index, id) {
            (_, Some(id)) => {
                let id = id.plain();
                self.calls.iter().rposition(|call| call.id == *id && call.index == index)
            }
            (Some(_), None) => self.calls.iter().rposition(|call| call.index == index),
            (None, None) if has_name => None,
            (None, None) => self.calls.len().checked_sub(1),
        };
        position.map(|position| position as u32)
    }

    fn begin_call<'a>(
        &mut self,
        index: Option<u64>,
        call_id: Option<Text<'a>>,
        name: Option<Text<'a>>,
        (id, is_custom): (&str, bool),
        emit: EmitDelta<'_, 'a>,
    ) -> Result<u32, Error> {
        let slot = self.calls.len();
        if slot >= TOOL_CALLS_MAX {
            return Err(Error::at("choices[].delta.tool_calls", What::Invalid("are too many")));
        }
        let known = call_id.as_ref().map_or_else(String::new, |id| id.plain().into_owned());
        self.calls.push(CallReader { index, id: known });
        let call_id = call_id.unwrap_or_else(|| format!("call_{id}_{slot}").into());
        let slot = slot as u32;
        let (id, name) = (call_id, name.unwrap_or_default());
        emit(if is_custom {
            Delta::CustomCall { slot, id, name }
        } else {
            Delta::ToolCall { slot, id, name }
        })?;
        Ok(slot)
    }

    /// The interface before `tool_calls`: one call, without id.
    fn function_call<'a>(
        &mut self,
        function: Raw<'a>,
        id: &str,
        emit: EmitDelta<'_, 'a>,
    ) -> Result<(), Error> {
        let name = fields::lenient_text(function, "name").filter(|name| !name.is_empty());
        let slot = match (self.calls.len().checked_sub(1), name) {
            (None, None) => return Ok(()),
            (None, name) => self.begin_call(None, None, name, (id, false), emit)?,
            (Some(last), _) => last as u32,
        };
        self.arguments(slot, function, emit)
    }
}

/// Images as hosts add them to the dialect, and pieces of a spoken answer with what they say.
fn media<'a>(delta: Raw<'a>, emit: EmitDelta<'_, 'a>) -> Result<(), Error> {
    for image in delta.member("images").iter().flat_map(|images| images.elements()) {
        let image = read_part(image).map(|part| part.kind);
        if let Ok(PartKind::Image { source: Source::Base64 { media_type, data }, .. }) = image {
            emit(Delta::Image { media_type, data })?;
        }
    }
    let Some(audio) = delta.member("audio") else { return Ok(()) };
    let filled = |name| fields::lenient_text(audio, name).filter(|text| !text.is_empty());
    if let Some(transcript) = filled("transcript") {
        emit(Delta::Text(transcript))?;
    }
    match filled("data") {
        Some(data) => emit(Delta::Audio { data, format: None }),
        None => Ok(()),
    }
}

fn slot_of(detail: Raw<'_>) -> u32 {
    let index = detail.member("index").and_then(|index| index.as_u64());
    index.and_then(|index| u32::try_from(index).ok()).unwrap_or(0)
}

fn thinking(text: Text<'_>) -> Delta<'_> {
    Delta::Reasoning { slot: 0, reasoning: Reasoning { text: Some(text), ..Reasoning::default() } }
}
