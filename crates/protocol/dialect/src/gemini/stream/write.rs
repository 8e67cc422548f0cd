//! Writing the pieces of a reply.
//!
//! Callers of this dialect expect a call whole, so its arguments are held, within a limit, until they are complete.

use std::borrow::Cow;

use crate::canonical::{
    Arguments, Citation, Delta, Event, Part, PartKind, Reasoning, Start, Stop, ToolCall, Usage,
};
use crate::error::{Error, What};
use crate::format::{Trailer, WriteStream};
use crate::gemini::characters::Characters;
use crate::gemini::error::write_stream_error;
use crate::gemini::finish::reason_of_stop;
use crate::gemini::grounding::write_citations;
use crate::gemini::media::{write_audio, write_inline};
use crate::gemini::part_write::{Reader, is_written, sign, write_signed};
use crate::gemini::usage::write_usage;
use crate::json::{Array, Index, Object, Text};
use crate::options::{Notes, ReplyOptions};
use crate::sse;

/// Most answers a stream may carry side by side.
const CANDIDATES_MAX: u32 = 128;

/// Most bytes of names and arguments that wait for a call to be complete.
const HELD_BYTES_MAX: usize = 16 << 20;

/// Most sources an answer names; they come at its end.
const CITATIONS_MAX: usize = 4096;

/// Writes pieces.
#[derive(Debug)]
pub(crate) struct StreamWriter {
    /// The end of every piece, which says whose it is.
    tail: Vec<u8>,
    fallback_id: String,
    model: Option<String>,
    is_ended: bool,
    candidates: Vec<Candidate>,
    held_bytes: usize,
    usage: Usage,
}

/// What waits of one answer.
#[derive(Debug, Default)]
struct Candidate {
    calls: Vec<Held>,
    /// The call that was last added to.
    last: Option<u32>,
    stop: Option<Stop<'static>>,
    citations: Vec<Citation<'static>>,
    text: Characters,
}

/// A call that is not complete, or waits for one that is not.
#[derive(Debug)]
struct Held {
    slot: u32,
    id: Text<'static>,
    name: Text<'static>,
    arguments: String,
    is_over: bool,
}

impl Held {
    fn is_complete(&self) -> bool {
        self.is_over || Index::new().read(self.arguments.trim().as_bytes()).is_ok()
    }
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
            Event::Delta(choice, delta) => return self.delta(choice, delta, out),
            Event::Stop(choice, stop, _) => {
                self.candidate(choice)?.stop = Some(stop.into_owned());
            }
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
            tail: Vec::new(),
            fallback_id: options.id.to_owned(),
            model: options.model.map(str::to_owned),
            is_ended: false,
            candidates: Vec::new(),
            held_bytes: 0,
            usage: Usage::default(),
        }
    }

    fn start(&mut self, start: &Start<'_>) {
        if !self.tail.is_empty() {
            return;
        }
        let fallback = Text::from(self.fallback_id.as_str());
        let mut tail = Object::new(&mut self.tail);
        match &self.model {
            Some(model) => tail.str("modelVersion", model),
            None => tail.text("modelVersion", start.model.as_ref().unwrap_or(&Text::default())),
        }
        tail.text("responseId", start.id.as_ref().unwrap_or(&fallback));
    }

    fn candidate(&mut self, choice: u32) -> Result<&mut Candidate, Error> {
        if choice >= CANDIDATES_MAX {
            return Err(Error::at("choices[].index", What::Invalid("is too large")));
        }
        let number = choice as usize;
        while self.candidates.len() <= number {
            self.candidates.push(Candidate::default());
        }
        Ok(&mut self.candidates[number])
    }

    /// The last pieces: what was held, why each answer stopped, and what all was used.
    fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.is_ended, true) {
            return;
        }
        self.start(&Start::default());
        if self.candidates.is_empty() {
            self.candidates.push(Candidate::default());
        }
        let candidates = std::mem::take(&mut self.candidates);
        let last = candidates.len() - 1;
        for (number, candidate) in candidates.iter().enumerate() {
            self.last_piece(number as u32, candidate, number == last, out);
        }
    }

    fn last_piece(&self, choice: u32, candidate: &Candidate, is_last: bool, out: &mut Vec<u8>) {
        let usage = Some(&self.usage).filter(|usage| is_last && usage.reported);
        let reason = candidate.stop.as_ref().map_or("STOP".into(), reason_of_stop);
        self.piece(choice, usage, out, |object| {
            write_parts(object, |parts| {
                candidate.calls.iter().for_each(|call| write_held(call, parts));
                if candidate.calls.is_empty() {
                    parts.object().str("text", "");
                }
            });
            object.str("finishReason", &reason);
            let citations = candidate.citations.iter().map(|it| (it, it.range)).collect();
            write_citations(citations, &candidate.text, object);
        });
    }

    fn delta(&mut self, choice: u32, delta: Delta<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        self.start(&Start::default());
        match delta {
            Delta::ToolCall { slot, id, name } | Delta::CustomCall { slot, id, name } => {
                self.release(choice, out)?;
                self.hold(choice, slot, id, name)
            }
            Delta::Arguments { slot, fragment } => self.arguments(choice, slot, &fragment),
            // What another vendor's own tools did has no part here.
            Delta::ServerCall(_) | Delta::ServerResult(_) => Ok(()),
            Delta::PartEnd => {
                let candidate = self.candidate(choice)?;
                let last = candidate.last.take();
                let ended = candidate.calls.iter_mut().find(|call| Some(call.slot) == last);
                if let Some(call) = ended {
                    call.is_over = true;
                }
                self.release(choice, out)
            }
            Delta::Citation(citation) => {
                let candidate = self.candidate(choice)?;
                if citation.url.is_some() && candidate.citations.len() < CITATIONS_MAX {
                    candidate.citations.push(citation.into_owned());
                }
                Ok(())
            }
            Delta::Text(text) | Delta::Refusal(text) => {
                self.release(choice, out)?;
                self.candidate(choice)?.text.feed(&text.plain());
                self.part(choice, out, |parts| parts.object().text("text", &text));
                Ok(())
            }
            Delta::Reasoning { reasoning, .. } => {
                self.release(choice, out)?;
                self.reasoning(choice, reasoning, out)
            }
            Delta::Image { media_type, data } => {
                self.release(choice, out)?;
                self.part(choice, out, |parts| {
                    write_inline(&media_type, &data, &mut parts.object());
                });
                Ok(())
            }
            Delta::Audio { data, format } => {
                self.release(choice, out)?;
                self.part(choice, out, |parts| {
                    write_audio(&data, format.as_ref(), &mut parts.object());
                });
                Ok(())
            }
        }
    }

    fn reasoning(
        &mut self,
        choice: u32,
        reasoning: Reasoning<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        self.candidate(choice)?;
        let part = Part::from(PartKind::Reasoning(reasoning));
        if !is_written(&part, Reader::Caller) {
            return Ok(());
        }
        let mut written = Ok(());
        self.part(choice, out, |parts| {
            let mut notes = Notes::default();
            let signed = sign(&[&part], Reader::Caller);
            written = signed.iter().try_for_each(|signed| write_signed(signed, &mut notes, parts));
        });
        written
    }

    fn hold(&mut self, choice: u32, slot: u32, id: Text<'_>, name: Text<'_>) -> Result<(), Error> {
        let (id, name) = (id.into_owned(), name.into_owned());
        self.count(id.plain().len() + name.plain().len())?;
        let candidate = self.candidate(choice)?;
        candidate.last = Some(slot);
        let arguments = String::new();
        candidate.calls.push(Held { slot, id, name, arguments, is_over: false });
        Ok(())
    }

    fn arguments(&mut self, choice: u32, slot: u32, fragment: &Text<'_>) -> Result<(), Error> {
        let fragment = fragment.plain();
        self.count(fragment.len())?;
        let candidate = self.candidate(choice)?;
        candidate.last = Some(slot);
        // Behind complete arguments nothing but white space can come.
        if let Some(call) = candidate.calls.iter_mut().find(|call| call.slot == slot) {
            call.arguments.push_str(&fragment);
        }
        Ok(())
    }

    fn count(&mut self, bytes: usize) -> Result<(), Error> {
        self.held_bytes = self.held_bytes.saturating_add(bytes);
        if self.held_bytes > HELD_BYTES_MAX {
            return Err(Error::at("choices[].delta.tool_calls", What::Invalid("are too long")));
        }
        Ok(())
    }

    /// Writes the calls that are complete and need not wait for one before them.
    fn release(&mut self, choice: u32, out: &mut Vec<u8>) -> Result<(), Error> {
        let candidate = self.candidate(choice)?;
        let complete = candidate.calls.iter().take_while(|call| call.is_complete()).count();
        if complete == 0 {
            return Ok(());
        }
        let calls: Vec<Held> = candidate.calls.drain(..complete).collect();
        let freed: usize = calls.iter().map(Held::bytes).sum();
        self.held_bytes = self.held_bytes.saturating_sub(freed);
        self.part(choice, out, |parts| calls.iter().for_each(|call| write_held(call, parts)));
        Ok(())
    }

    /// A piece that holds nothing but parts.
    fn part(&self, choice: u32, out: &mut Vec<u8>, parts: impl FnOnce(&mut Array<'_>)) {
        self.piece(choice, None, out, |object| write_parts(object, parts));
    }

    fn piece(
        &self,
        choice: u32,
        usage: Option<&Usage>,
        out: &mut Vec<u8>,
        candidate: impl FnOnce(&mut Object<'_>),
    ) {
        sse::frame(None, out, |out| {
            let mut object = Object::new(out);
            let mut candidates = object.array("candidates");
            let mut inner = candidates.object();
            candidate(&mut inner);
            inner.u64("index", u64::from(choice));
            drop(inner);
            drop(candidates);
            if let Some(usage) = usage {
                write_usage(usage, &mut object.object("usageMetadata"));
            }
            // Without the brackets.
            object.members(self.tail.get(1..self.tail.len() - 1).unwrap_or_default());
        });
    }
}

impl Held {
    fn bytes(&self) -> usize {
        self.id.plain().len() + self.name.plain().len() + self.arguments.len()
    }
}

fn write_parts(candidate: &mut Object<'_>, parts: impl FnOnce(&mut Array<'_>)) {
    let mut content = candidate.object("content");
    parts(&mut content.array("parts"));
    content.str("role", "model");
}

/// The arguments without line breaks, which would end the line of the event. Between the values of a document they are
/// white space; what is no document is written as a string, where they are escaped.
fn on_one_line(arguments: &str) -> Cow<'_, str> {
    let breaks = ['\n', '\r'];
    if arguments.contains(breaks) && Index::new().read(arguments.as_bytes()).is_ok() {
        Cow::Owned(arguments.replace(breaks, " "))
    } else {
        Cow::Borrowed(arguments)
    }
}

fn write_held(call: &Held, parts: &mut Array<'_>) {
    let part = Part::from(PartKind::ToolCall(ToolCall {
        id: call.id.clone(),
        name: call.name.clone(),
        arguments: Arguments::Text(on_one_line(&call.arguments).into()),
        is_custom: false,
    }));
    let mut notes = Notes::default();
    for signed in sign(&[&part], Reader::Caller) {
        let written = write_signed(&signed, &mut notes, parts);
        debug_assert!(written.is_ok(), "calls can be written: {written:?}");
    }
}
