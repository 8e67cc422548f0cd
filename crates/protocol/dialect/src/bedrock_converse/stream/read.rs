//! Reading the events of a Converse stream.

use crate::bedrock_converse::block::read_reasoning;
use crate::bedrock_converse::citation::read_citation;
use crate::bedrock_converse::error::read_object;
use crate::bedrock_converse::reply::{read_stop_sequence, stop_of_reason};
use crate::bedrock_converse::usage::read_usage;
use crate::canonical::{Citation, Delta, Event, Start, Usage};
use crate::error::{Error, What};
use crate::error_shape::{named_by_event, read_stream_error_at};
use crate::fields;
use crate::format::{Emit, ReadStream};
use crate::json::{Cursor, Raw, Text};

/// Most blocks that may be open at a time. The vendor opens one.
const OPEN_BLOCKS_MAX: usize = 64;

/// Most citations of one block.
const CITATIONS_MAX: usize = 1024;

/// Reads events; it remembers what kind of block is open under which number.
#[derive(Debug, Default)]
pub(crate) struct StreamReader {
    open: Vec<(u64, Block)>,
    tool_calls: u32,
    thoughts: u32,
    /// Characters of the answer's text so far.
    characters: u64,
    /// Where the last text begins.
    text_start: u64,
    usage: Usage,
    has_stopped: bool,
    is_done: bool,
}

#[derive(Debug)]
enum Block {
    Text {
        /// Where it begins in the answer's text.
        start: u64,
        /// They cover the whole block, so they are handed on when it ends.
        citations: Vec<Citation<'static>>,
    },
    Thinking {
        slot: u32,
    },
    ToolUse {
        slot: u32,
    },
    /// Of a tool that the vendor runs itself, or an image.
    Vendor,
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
        match event.unwrap_or_else(|| name_of(data)) {
            "messageStart" => emit(Event::Start(Start::default())),
            "contentBlockStart" => {
                self.block_start(number(data), fields::required(data, "start")?, emit)
            }
            "contentBlockDelta" => {
                self.block_delta(number(data), fields::required(data, "delta")?, emit)
            }
            "contentBlockStop" => self.block_stop(number(data), emit),
            "messageStop" => self.stop(data, emit),
            "metadata" => self.metadata(data, emit),
            name if is_failure(name) => {
                self.is_done = true;
                let error = read_stream_error_at(data, read_object);
                emit(Event::Error(named_by_event(error, Some(name))))
            }
            // What may yet be invented.
            _ => Ok(()),
        }
    }

    fn is_finished(&self) -> bool {
        self.is_done || self.has_stopped
    }
}

fn is_failure(name: &str) -> bool {
    name == "error" || name.ends_with("Exception")
}

/// What an event is that came without its name.
fn name_of(data: Raw<'_>) -> &'static str {
    let kinds = [
        ("delta", "contentBlockDelta"),
        ("start", "contentBlockStart"),
        ("contentBlockIndex", "contentBlockStop"),
        ("stopReason", "messageStop"),
        ("usage", "metadata"),
        ("role", "messageStart"),
        ("message", "error"),
    ];
    kinds.iter().find(|(member, _)| data.member(member).is_some()).map_or("", |(_, name)| name)
}

fn number(data: Raw<'_>) -> u64 {
    data.member("contentBlockIndex").and_then(|index| index.as_u64()).unwrap_or(0)
}

impl StreamReader {
    fn stop<'a>(&mut self, data: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        if std::mem::replace(&mut self.has_stopped, true) {
            return Ok(());
        }
        let reason = fields::lenient_text(data, "stopReason").unwrap_or("end_turn".into());
        emit(Event::Stop(0, stop_of_reason(reason), read_stop_sequence(data)))
    }

    /// Usage, which is the last thing said.
    fn metadata<'a>(&mut self, data: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        if let Some(usage) = data.member("usage") {
            read_usage(&mut Cursor::new(usage.text().as_bytes()), &mut self.usage);
            emit(Event::Usage(self.usage))?;
        }
        if !self.has_stopped {
            return Ok(());
        }
        self.is_done = true;
        emit(Event::Done)
    }

    fn block_start<'a>(
        &mut self,
        number: u64,
        start: Raw<'a>,
        emit: Emit<'_, 'a>,
    ) -> Result<(), Error> {
        let block = match start.member("toolUse") {
            Some(call) if !is_run_by_vendor(call) => self.tool_start(call, emit),
            _ => Ok(Block::Vendor),
        };
        self.open(number, block.map_err(|error| error.in_member("start"))?)
    }

    fn tool_start<'a>(&mut self, call: Raw<'a>, emit: Emit<'_, 'a>) -> Result<Block, Error> {
        let fail = |error: Error| error.in_member("toolUse");
        let id = fields::required_text(call, "toolUseId").map_err(fail)?;
        let name = fields::required_text(call, "name").map_err(fail)?;
        let slot = self.tool_calls;
        self.tool_calls += 1;
        emit(Event::Delta(0, Delta::ToolCall { slot, id, name }))?;
        Ok(Block::ToolUse { slot })
    }

    fn open(&mut self, number: u64, block: Block) -> Result<(), Error> {
        if self.open.len() >= OPEN_BLOCKS_MAX {
            return Err(Error::at(
                "contentBlockIndex",
                What::Invalid("opens too many blocks at a time"),
            ));
        }
        self.open.push((number, block));
        Ok(())
    }

    /// More of a block. Text and thinking begin with their first piece.
    fn block_delta<'a>(
        &mut self,
        number: u64,
        delta: Raw<'a>,
        emit: Emit<'_, 'a>,
    ) -> Result<(), Error> {
        if !self.open.iter().any(|(open, _)| *open == number) {
            let block = self.begin(delta);
            self.open(number, block)?;
        }
        let Self { open, characters, .. } = self;
        let Some((_, block)) = open.iter_mut().find(|(open, _)| *open == number) else {
            return Ok(());
        };
        match block {
            Block::Vendor => Ok(()),
            Block::Text { citations, .. } => {
                if let Some(citation) = delta.member("citation") {
                    if citations.len() >= CITATIONS_MAX {
                        return Err(Error::at("delta.citation", What::Invalid("comes too often")));
                    }
                    citations.push(read_citation(citation).into_owned());
                }
                match filled(delta, "text") {
                    None => Ok(()),
                    Some(text) => {
                        *characters += text.character_count();
                        emit(Event::Delta(0, Delta::Text(text)))
                    }
                }
            }
            Block::Thinking { slot } => {
                let thought = delta.member("reasoningContent").map(read_reasoning);
                match thought.filter(|reasoning| !reasoning.is_empty()) {
                    None => Ok(()),
                    Some(reasoning) => {
                        emit(Event::Delta(0, Delta::Reasoning { slot: *slot, reasoning }))
                    }
                }
            }
            Block::ToolUse { slot } => {
                match delta.member("toolUse").and_then(|call| filled(call, "input")) {
                    None => Ok(()),
                    Some(fragment) => {
                        emit(Event::Delta(0, Delta::Arguments { slot: *slot, fragment }))
                    }
                }
            }
        }
    }

    /// The block that begins with this piece.
    fn begin(&mut self, delta: Raw<'_>) -> Block {
        let is = |name| delta.member(name).is_some();
        if is("text") || is("citation") {
            Block::Text { start: self.characters, citations: Vec::new() }
        } else if is("reasoningContent") {
            self.thoughts += 1;
            Block::Thinking { slot: self.thoughts - 1 }
        } else {
            Block::Vendor
        }
    }

    fn block_stop<'a>(&mut self, number: u64, emit: Emit<'_, 'a>) -> Result<(), Error> {
        let Some(position) = self.open.iter().position(|(open, _)| *open == number) else {
            return Ok(());
        };
        match self.open.swap_remove(position).1 {
            Block::Vendor => return Ok(()),
            Block::Text { start, citations } => {
                // Citations in a block of their own are about the text before.
                if start < self.characters {
                    self.text_start = start;
                }
                for citation in citations {
                    let range = Some((self.text_start, self.characters));
                    emit(Event::Delta(0, Delta::Citation(Citation { range, ..citation })))?;
                }
            }
            Block::Thinking { .. } | Block::ToolUse { .. } => {}
        }
        // While others grow beside it, it is not known to be the one that was last spoken of.
        if self.open.is_empty() { emit(Event::Delta(0, Delta::PartEnd)) } else { Ok(()) }
    }
}

fn is_run_by_vendor(call: Raw<'_>) -> bool {
    fields::lenient_text(call, "type").is_some_and(|kind| kind == *"server_tool_use")
}

fn filled<'a>(object: Raw<'a>, name: &str) -> Option<Text<'a>> {
    fields::lenient_text(object, name).filter(|text| !text.is_empty())
}
