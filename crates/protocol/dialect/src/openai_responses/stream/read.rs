//! Reading the events of a response stream.
//!
//! Most of what an item says comes twice: in pieces, and whole when it is done. Hosts leave out the one or the other, so
//! the pieces count, and what is whole fills in only where there were none.

use crate::canonical::{
    Arguments, Citation, Delta, Event, Part, PartKind, Reasoning, Start, Usage,
};
use crate::error::{Error, What};
use crate::error_shape::read_stream_error_at;
use crate::fields;
use crate::format::{Emit, ReadStream};
use crate::json::{Cursor, Raw, Text};
use crate::openai_responses::content::read_citation;
use crate::openai_responses::error::read_object;
use crate::openai_responses::item::{Item, call_id, read_item, reasoning_piece};
use crate::openai_responses::response::read_stop;
use crate::openai_responses::usage::read_usage;

/// Most items an answer may have.
const ITEMS_MAX: usize = 4096;

/// Most pieces one item's thinking may be in.
const PIECES_MAX: usize = 1024;

/// Reads events; it remembers what each item has said.
#[derive(Debug, Default)]
pub(in crate::openai_responses) struct StreamReader {
    has_started: bool,
    is_done: bool,
    items: Vec<ItemReader>,
    /// The number of the item whose part was last gone on with.
    current: Option<u64>,
    calls: u32,
    thoughts: u32,
    has_call: bool,
    has_refusal: bool,
    /// Characters of the answer's text so far.
    characters: u64,
    usage: Usage,
}

#[derive(Debug)]
struct ItemReader {
    number: u64,
    kind: Kind,
    is_done: bool,
}

#[derive(Debug)]
enum Kind {
    Message {
        part: Option<PartReader>,
        has_content: bool,
        has_citation: bool,
    },
    Reasoning {
        /// The pieces by kind and number, each with its slot.
        pieces: Vec<(bool, u64, u32)>,
    },
    Call {
        slot: u32,
        has_arguments: bool,
    },
    /// Read when it is done.
    Whole,
}

/// The part of a message that is being said.
#[derive(Clone, Copy, Debug)]
struct PartReader {
    number: u64,
    /// Where it begins in the text of the answer, in characters.
    start: u64,
    is_cited: bool,
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
        let kind = fields::lenient_text(data, "type").unwrap_or_default();
        match &*kind.plain() {
            "response.output_text.delta" => self.text_delta(data, emit),
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                self.arguments_delta(data, emit)
            }
            "response.reasoning_summary_text.delta" => self.reasoning_delta(data, true, emit),
            "response.reasoning_text.delta" => self.reasoning_delta(data, false, emit),
            "response.refusal.delta" => self.refusal_delta(data, emit),
            "response.output_text.annotation.added" => self.annotation(data, emit),
            "response.content_part.done" => self.part_done(data, emit),
            "response.output_item.added" => self.item_added(data, emit),
            "response.output_item.done" => {
                self.item_done(number(data, "output_index"), fields::required(data, "item")?, emit)
            }
            "response.created" | "response.queued" | "response.in_progress" => {
                self.start(fields::required(data, "response")?, emit)
            }
            "response.completed" | "response.incomplete" => {
                self.finish(fields::required(data, "response")?, emit)
            }
            "error" | "response.failed" => self.fail(data, emit),
            _ if event == Some("error") || data.member("error").is_some() => self.fail(data, emit),
            // What comes whole at another time, what only shows that the vendor's tools are busy, and what may yet be
            // invented.
            _ => Ok(()),
        }
    }

    fn done(&mut self) {
        self.is_done = true;
    }

    fn is_finished(&self) -> bool {
        self.is_done
    }
}

impl StreamReader {
    fn fail<'a>(&mut self, data: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        self.is_done = true;
        emit(Event::Error(read_stream_error_at(data, read_object)))
    }

    fn start<'a>(&mut self, response: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        if std::mem::replace(&mut self.has_started, true) {
            return Ok(());
        }
        emit(Event::Start(Start {
            id: fields::lenient_text(response, "id").filter(|id| !id.is_empty()),
            model: fields::lenient_text(response, "model").filter(|model| !model.is_empty()),
            created: response.member("created_at").and_then(|created| created.as_u64()),
        }))
    }

    fn finish<'a>(&mut self, response: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        self.start(response, emit)?;
        let output = response.member("output");
        let items = output.iter().flat_map(|output| output.elements());
        // Hosts that stream nothing but the end.
        if self.items.is_empty() {
            for (number, item) in items.enumerate() {
                self.item_done(number as u64, item, emit)?;
            }
        }
        if let Some(usage) = response.member("usage") {
            read_usage(&mut Cursor::new(usage.text().as_bytes()), &mut self.usage);
            emit(Event::Usage(self.usage))?;
        }
        self.is_done = true;
        emit(Event::Stop(0, read_stop(response, self.has_call, self.has_refusal), None))?;
        emit(Event::Done)
    }

    /// The place of the item of that number, which is created where it was not announced.
    fn place(&mut self, number: u64, kind: impl FnOnce() -> Kind) -> Result<usize, Error> {
        if let Some(place) = self.items.iter().rposition(|item| item.number == number) {
            return Ok(place);
        }
        if self.items.len() >= ITEMS_MAX {
            return Err(Error::at("output_index", What::Invalid("numbers too many items")));
        }
        self.items.push(ItemReader { number, kind: kind(), is_done: false });
        Ok(self.items.len() - 1)
    }

    /// An item begins. Calls are handed on at once; their arguments may stand here, or come, or both.
    fn item_added<'a>(&mut self, data: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        let item = fields::required(data, "item")?;
        let number = number(data, "output_index");
        let kind = fields::lenient_text(item, "type").unwrap_or_default();
        match &*kind.plain() {
            "message" => self.place(number, Kind::message).map(drop),
            "reasoning" => self.place(number, Kind::reasoning).map(drop),
            "function_call" => self.call(number, item, false, emit).map(drop),
            "custom_tool_call" => self.call(number, item, true, emit).map(drop),
            _ => self.place(number, || Kind::Whole).map(drop),
        }
    }

    /// The slot of the call of that number; hands it on where it is new.
    fn call<'a>(
        &mut self,
        number: u64,
        item: Raw<'a>,
        is_custom: bool,
        emit: Emit<'_, 'a>,
    ) -> Result<u32, Error> {
        let slot = self.calls;
        let place = self.place(number, || Kind::Call { slot, has_arguments: false })?;
        if let Kind::Call { slot: known, .. } = self.items[place].kind
            && known != slot
        {
            return Ok(known);
        }
        self.calls += 1;
        self.has_call = true;
        self.current = Some(number);
        let id = call_id(item).ok_or_else(|| Error::at("item.call_id", What::Missing))?;
        let name = fields::lenient_text(item, "name").unwrap_or_default();
        emit(Event::Delta(
            0,
            match is_custom {
                true => Delta::CustomCall { slot, id, name },
                false => Delta::ToolCall { slot, id, name },
            },
        ))?;
        Ok(slot)
    }

    fn arguments_delta<'a>(&mut self, data: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        let number = number(data, "output_index");
        let fragment = filled(data, "delta");
        let found = self.items.iter_mut().rfind(|item| item.number == number);
        let (Some(ItemReader { kind: Kind::Call { slot, has_arguments }, .. }), Some(fragment)) =
            (found, fragment)
        else {
            return Ok(());
        };
        *has_arguments = true;
        self.current = Some(number);
        emit(Event::Delta(0, Delta::Arguments { slot: *slot, fragment }))
    }

    fn text_delta<'a>(&mut self, data: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        let Some(text) = filled(data, "delta") else { return Ok(()) };
        let number = number(data, "output_index");
        self.say(number, self::number(data, "content_index"))?;
        self.characters += text.character_count();
        emit(Event::Delta(0, Delta::Text(text)))
    }

    fn refusal_delta<'a>(&mut self, data: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        let Some(refusal) = filled(data, "delta") else { return Ok(()) };
        let number = number(data, "output_index");
        self.say(number, self::number(data, "content_index"))?;
        self.has_refusal = true;
        emit(Event::Delta(0, Delta::Refusal(refusal)))
    }

    /// Notes that a part of a message is gone on with.
    fn say(&mut self, number: u64, index: u64) -> Result<(), Error> {
        let characters = self.characters;
        let place = self.place(number, Kind::message)?;
        if let Kind::Message { part, has_content, .. } = &mut self.items[place].kind {
            *has_content = true;
            if part.is_none_or(|known| known.number != index) {
                *part = Some(PartReader { number: index, start: characters, is_cited: false });
            }
        }
        self.current = Some(number);
        Ok(())
    }

    fn annotation<'a>(&mut self, data: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        let Some(annotation) = data.member("annotation") else { return Ok(()) };
        let number = number(data, "output_index");
        let place = self.place(number, Kind::message)?;
        let mut start = self.characters;
        if let Kind::Message { part, has_citation, .. } = &mut self.items[place].kind {
            *has_citation = true;
            if let Some(part) = part {
                part.is_cited = true;
                start = part.start;
            }
        }
        emit(Event::Delta(0, Delta::Citation(shifted(read_citation(annotation), start))))
    }

    fn reasoning_delta<'a>(
        &mut self,
        data: Raw<'a>,
        is_summary: bool,
        emit: Emit<'_, 'a>,
    ) -> Result<(), Error> {
        let Some(text) = filled(data, "delta") else { return Ok(()) };
        let number = number(data, "output_index");
        let index = self::number(data, if is_summary { "summary_index" } else { "content_index" });
        let (slot, is_new) = self.piece(number, is_summary, index)?;
        let id = filled(data, "item_id").filter(|_| is_new);
        let reasoning = Reasoning { id, ..reasoning_piece(text, is_summary) };
        emit(Event::Delta(0, Delta::Reasoning { slot, reasoning }))
    }

    /// The slot of a piece of thinking, and whether it begins.
    fn piece(&mut self, number: u64, is_summary: bool, index: u64) -> Result<(u32, bool), Error> {
        let place = self.place(number, Kind::reasoning)?;
        self.current = Some(number);
        let Kind::Reasoning { pieces } = &mut self.items[place].kind else {
            return Err(Error::at("output_index", What::Invalid("names an item of another type")));
        };
        let known = |(kind, known, _): &&(bool, u64, u32)| (*kind, *known) == (is_summary, index);
        if let Some((_, _, slot)) = pieces.iter().rfind(known) {
            return Ok((*slot, false));
        }
        if pieces.len() >= PIECES_MAX {
            return Err(Error::at("summary_index", What::Invalid("numbers too many pieces")));
        }
        let slot = self.thoughts;
        self.thoughts += 1;
        pieces.push((is_summary, index, slot));
        Ok((slot, true))
    }

    /// A part of a message is complete. Hosts that do not send its citations one by one have them here.
    fn part_done<'a>(&mut self, data: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        let number = number(data, "output_index");
        let found = self.items.iter_mut().rfind(|item| item.number == number);
        let Some(ItemReader { kind: Kind::Message { part, has_citation, .. }, .. }) = found else {
            return Ok(());
        };
        let Some(said) = part.take().filter(|_| self.current == Some(number)) else {
            return Ok(());
        };
        let annotations = data.member("part").and_then(|part| part.member("annotations"));
        let annotations = annotations.iter().flat_map(|list| list.elements());
        for annotation in annotations.filter(|_| !said.is_cited) {
            *has_citation = true;
            let citation = shifted(read_citation(annotation), said.start);
            emit(Event::Delta(0, Delta::Citation(citation)))?;
        }
        emit(Event::Delta(0, Delta::PartEnd))
    }

    /// An item is complete: hands on what did not come in pieces.
    fn item_done<'a>(
        &mut self,
        number: u64,
        item: Raw<'a>,
        emit: Emit<'_, 'a>,
    ) -> Result<(), Error> {
        match read_item(item).map_err(|error| error.in_member("item"))? {
            Item::Message(_, parts) => self.message_done(number, parts, emit)?,
            Item::Assistant(parts) => {
                for part in parts {
                    self.part_whole(number, item, part.kind, emit)?;
                }
            }
            Item::Picture { media_type, data } => {
                let place = self.place(number, || Kind::Whole)?;
                if !self.items[place].is_done {
                    emit(Event::Delta(0, Delta::Image { media_type, data }))?;
                }
            }
            Item::Results(_) | Item::Tools(_) | Item::Own { .. } => {
                self.place(number, || Kind::Whole)?;
            }
        }
        let place = self.items.iter().rposition(|item| item.number == number);
        let is_first = place
            .and_then(|place| self.items.get_mut(place))
            .is_some_and(|item| !std::mem::replace(&mut item.is_done, true));
        let is_open = self.current == Some(number);
        if is_first && is_open {
            self.current = None;
            return emit(Event::Delta(0, Delta::PartEnd));
        }
        Ok(())
    }

    fn message_done<'a>(
        &mut self,
        number: u64,
        parts: Vec<Part<'a>>,
        emit: Emit<'_, 'a>,
    ) -> Result<(), Error> {
        let place = self.place(number, Kind::message)?;
        let Kind::Message { has_content, has_citation, .. } = self.items[place].kind else {
            return Ok(());
        };
        for part in parts {
            match part.kind {
                PartKind::Text { text, citations } => {
                    let start = self.characters;
                    if !has_content && !text.is_empty() {
                        self.current = Some(number);
                        self.characters += text.character_count();
                        emit(Event::Delta(0, Delta::Text(text)))?;
                    }
                    let start = if has_content { 0 } else { start };
                    for citation in citations.into_iter().filter(|_| !has_citation) {
                        let citation = shifted(citation, start);
                        emit(Event::Delta(0, Delta::Citation(citation)))?;
                    }
                }
                PartKind::Refusal(refusal) if !has_content && !refusal.is_empty() => {
                    self.current = Some(number);
                    self.has_refusal = true;
                    emit(Event::Delta(0, Delta::Refusal(refusal)))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A part that came whole.
    fn part_whole<'a>(
        &mut self,
        number: u64,
        item: Raw<'a>,
        part: PartKind<'a>,
        emit: Emit<'_, 'a>,
    ) -> Result<(), Error> {
        match part {
            PartKind::ToolCall(call) => {
                let slot = self.call(number, item, call.is_custom, emit)?;
                let place = self.place(number, || Kind::Whole)?;
                let has_come =
                    matches!(self.items[place].kind, Kind::Call { has_arguments: true, .. });
                let fragment = match call.arguments {
                    Arguments::Text(text) => text,
                    Arguments::Value(value) => value.text().into(),
                };
                if has_come || fragment.is_empty() {
                    return Ok(());
                }
                self.current = Some(number);
                emit(Event::Delta(0, Delta::Arguments { slot, fragment }))
            }
            PartKind::Reasoning(reasoning) => self.reasoning_whole(number, reasoning, emit),
            PartKind::ServerCall(call) => {
                self.place(number, || Kind::Whole)?;
                emit(Event::Delta(0, Delta::ServerCall(call)))
            }
            PartKind::ServerResult(result) => emit(Event::Delta(0, Delta::ServerResult(result))),
            _ => Ok(()),
        }
    }

    /// A piece of thinking: what has come in pieces leaves only the proof of origin.
    fn reasoning_whole<'a>(
        &mut self,
        number: u64,
        reasoning: Reasoning<'a>,
        emit: Emit<'_, 'a>,
    ) -> Result<(), Error> {
        let place = self.place(number, Kind::reasoning)?;
        let Kind::Reasoning { pieces } = &self.items[place].kind else { return Ok(()) };
        let last = pieces.last().map(|(_, _, slot)| *slot);
        let reasoning = match last {
            Some(_) => Reasoning { text: None, summary: None, ..reasoning },
            None => reasoning,
        };
        if reasoning.is_empty() {
            return Ok(());
        }
        let slot = last.filter(|_| reasoning.data.is_none()).unwrap_or(self.thoughts);
        self.thoughts = self.thoughts.max(slot + 1);
        self.current = Some(number);
        emit(Event::Delta(0, Delta::Reasoning { slot, reasoning }))
    }
}

impl Kind {
    fn message() -> Self {
        Self::Message { part: None, has_content: false, has_citation: false }
    }

    fn reasoning() -> Self {
        Self::Reasoning { pieces: Vec::new() }
    }
}

/// A citation whose range counts from the beginning of the answer.
fn shifted(citation: Citation<'_>, start: u64) -> Citation<'_> {
    let shift = |(from, to): (u64, u64)| (from.saturating_add(start), to.saturating_add(start));
    Citation { range: citation.range.map(shift), ..citation }
}

fn filled<'a>(data: Raw<'a>, name: &str) -> Option<Text<'a>> {
    fields::lenient_text(data, name).filter(|text| !text.is_empty())
}

fn number(data: Raw<'_>, name: &str) -> u64 {
    data.member(name).and_then(|number| number.as_u64()).unwrap_or(0)
}
