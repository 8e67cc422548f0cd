//! Reading the events of a message stream.

use crate::anthropic_messages::block::{read_citation, read_thinking};
use crate::anthropic_messages::error::read_object;
use crate::anthropic_messages::reply::stop_of_reason;
use crate::anthropic_messages::server_tool::{read_call, read_result};
use crate::anthropic_messages::usage::read_usage;
use crate::canonical::{Citation, Delta, Event, Reasoning, Start, Usage};
use crate::error::{Error, What};
use crate::error_shape::read_stream_error_at;
use crate::fields;
use crate::format::{Emit, ReadStream};
use crate::json::{Cursor, Index, Raw, Text};

/// Most blocks that may be open at a time. The vendor opens one.
const OPEN_BLOCKS_MAX: usize = 64;

/// Longest input of a tool that the vendor runs itself, in bytes; it is held until it is complete.
const SERVER_INPUT_BYTES_MAX: usize = 1 << 20;

/// Reads events; it remembers what kind of block is open under which number.
#[derive(Debug, Default)]
pub(crate) struct StreamReader {
    open: Vec<(u64, Block)>,
    tool_calls: u32,
    thoughts: u32,
    /// Characters of the answer's text so far.
    characters: u64,
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
    /// The vendor runs a tool of its own: the block as it began, and its input as far as it has come.
    ServerCall {
        begun: String,
        json: String,
    },
    /// Of a tool that only this vendor has.
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
        if event == Some("error") || data.member("error").is_some() {
            self.is_done = true;
            return emit(Event::Error(read_stream_error_at(data, read_object)));
        }
        let kind = fields::lenient_text(data, "type").unwrap_or_default();
        match &*kind.plain() {
            "message_start" => self.message_start(data, emit),
            "content_block_start" => {
                self.block_start(number(data), fields::required(data, "content_block")?, emit)
            }
            "content_block_delta" => {
                self.block_delta(number(data), fields::required(data, "delta")?, emit)
            }
            "content_block_stop" => self.block_stop(number(data), emit),
            "message_delta" => self.message_delta(data, emit),
            "message_stop" => {
                self.is_done = true;
                emit(Event::Done)
            }
            // Pings, and what may yet be invented.
            _ => Ok(()),
        }
    }

    fn is_finished(&self) -> bool {
        self.is_done || self.has_stopped
    }
}

impl StreamReader {
    fn message_start<'a>(&mut self, data: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        let message = fields::required(data, "message")?;
        self.usage(message, emit)?;
        emit(Event::Start(Start {
            id: fields::lenient_text(message, "id"),
            model: fields::lenient_text(message, "model"),
            created: None,
        }))?;
        // A turn that goes on after a tool was called from code starts with that call.
        for (position, block) in
            message.member("content").iter().flat_map(|list| list.elements()).enumerate()
        {
            self.block_start(position as u64, block, emit)?;
            self.block_stop(position as u64, emit)?;
        }
        self.stop(message, emit)
    }

    fn message_delta<'a>(&mut self, data: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        self.usage(data, emit)?;
        match data.member("delta") {
            Some(delta) => self.stop(delta, emit),
            None => Ok(()),
        }
    }

    fn usage<'a>(&mut self, parent: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        let Some(usage) = parent.member("usage") else { return Ok(()) };
        read_usage(&mut Cursor::new(usage.text().as_bytes()), &mut self.usage);
        emit(Event::Usage(self.usage))
    }

    fn stop<'a>(&mut self, parent: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        let Some(reason) = fields::lenient_text(parent, "stop_reason") else { return Ok(()) };
        if std::mem::replace(&mut self.has_stopped, true) {
            return Ok(());
        }
        let sequence = fields::lenient_text(parent, "stop_sequence");
        emit(Event::Stop(0, stop_of_reason(reason), sequence))
    }

    fn block_start<'a>(
        &mut self,
        number: u64,
        block: Raw<'a>,
        emit: Emit<'_, 'a>,
    ) -> Result<(), Error> {
        if self.open.len() >= OPEN_BLOCKS_MAX {
            return Err(Error::at("index", What::Invalid("opens too many blocks at a time")));
        }
        let kind = fields::lenient_text(block, "type").unwrap_or_default();
        let opened = match &*kind.plain() {
            "text" => self.text_start(block, emit)?,
            "thinking" | "redacted_thinking" => self.thinking_start(block, emit)?,
            "tool_use" => self.tool_start(block, emit)?,
            "server_tool_use" | "mcp_tool_use" => {
                Block::ServerCall { begun: block.text().to_owned(), json: String::new() }
            }
            _ => {
                if let Some(result) = read_result(block) {
                    emit(Event::Delta(0, Delta::ServerResult(result)))?;
                }
                Block::Vendor
            }
        };
        self.open.push((number, opened));
        Ok(())
    }

    fn text_start<'a>(&mut self, block: Raw<'a>, emit: Emit<'_, 'a>) -> Result<Block, Error> {
        let start = self.characters;
        let citations = block.member("citations");
        let citations = citations.iter().flat_map(|list| list.elements());
        let citations = citations.map(|citation| read_citation(citation).into_owned()).collect();
        self.text(fields::lenient_text(block, "text"), emit)?;
        Ok(Block::Text { start, citations })
    }

    fn thinking_start<'a>(&mut self, block: Raw<'a>, emit: Emit<'_, 'a>) -> Result<Block, Error> {
        let slot = self.thoughts;
        self.thoughts += 1;
        let reasoning = read_thinking(block);
        if !reasoning.is_empty() {
            emit(Event::Delta(0, Delta::Reasoning { slot, reasoning }))?;
        }
        Ok(Block::Thinking { slot })
    }

    fn tool_start<'a>(&mut self, block: Raw<'a>, emit: Emit<'_, 'a>) -> Result<Block, Error> {
        let slot = self.tool_calls;
        self.tool_calls += 1;
        let id = fields::required_text(block, "id")?;
        let name = fields::required_text(block, "name")?;
        emit(Event::Delta(0, Delta::ToolCall { slot, id, name }))?;
        let input = block.member("input").filter(|input| input.members().next().is_some());
        if let Some(input) = input {
            let fragment = input.text().into();
            emit(Event::Delta(0, Delta::Arguments { slot, fragment }))?;
        }
        Ok(Block::ToolUse { slot })
    }

    fn block_delta<'a>(
        &mut self,
        number: u64,
        delta: Raw<'a>,
        emit: Emit<'_, 'a>,
    ) -> Result<(), Error> {
        let Some(position) = self.open.iter().position(|(open, _)| *open == number) else {
            return Ok(());
        };
        let filled = |name| fields::lenient_text(delta, name).filter(|text| !text.is_empty());
        match &mut self.open[position].1 {
            Block::Vendor => Ok(()),
            Block::ServerCall { json, .. } => {
                if let Some(fragment) = filled("partial_json") {
                    json.push_str(&fragment.plain());
                }
                if json.len() > SERVER_INPUT_BYTES_MAX {
                    return Err(Error::at("delta.partial_json", What::Invalid("is too long")));
                }
                Ok(())
            }
            Block::Text { citations, .. } => {
                if let Some(citation) = delta.member("citation") {
                    citations.push(read_citation(citation).into_owned());
                }
                self.text(filled("text"), emit)
            }
            Block::Thinking { slot } => {
                let reasoning = Reasoning { data: None, ..read_thinking(delta) };
                if reasoning.is_empty() {
                    return Ok(());
                }
                emit(Event::Delta(0, Delta::Reasoning { slot: *slot, reasoning }))
            }
            Block::ToolUse { slot } => match filled("partial_json") {
                Some(fragment) => emit(Event::Delta(0, Delta::Arguments { slot: *slot, fragment })),
                None => Ok(()),
            },
        }
    }

    fn text<'a>(&mut self, text: Option<Text<'a>>, emit: Emit<'_, 'a>) -> Result<(), Error> {
        match text.filter(|text| !text.is_empty()) {
            None => Ok(()),
            Some(text) => {
                self.characters += text.character_count();
                emit(Event::Delta(0, Delta::Text(text)))
            }
        }
    }

    fn block_stop<'a>(&mut self, number: u64, emit: Emit<'_, 'a>) -> Result<(), Error> {
        let Some(position) = self.open.iter().position(|(open, _)| *open == number) else {
            return Ok(());
        };
        match self.open.swap_remove(position).1 {
            Block::Vendor => Ok(()),
            Block::ServerCall { begun, json } => server_call(&begun, &json, emit),
            Block::Text { start, citations } => {
                for citation in citations {
                    let citation = Citation { range: Some((start, self.characters)), ..citation };
                    emit(Event::Delta(0, Delta::Citation(citation)))?;
                }
                emit(Event::Delta(0, Delta::PartEnd))
            }
            Block::Thinking { .. } | Block::ToolUse { .. } => emit(Event::Delta(0, Delta::PartEnd)),
        }
    }
}

/// Hands on a call whose input is complete.
fn server_call(begun: &str, json: &str, emit: Emit<'_, '_>) -> Result<(), Error> {
    let (mut begun_index, mut input_index) = (Index::new(), Index::new());
    let begun = begun_index.read(begun.as_bytes())?;
    let input = match json {
        "" => begun.member("input"),
        json => input_index.read(json.as_bytes()).ok(),
    };
    match read_call(begun, input) {
        Some(call) => emit(Event::Delta(0, Delta::ServerCall(call.into_owned()))),
        None => Ok(()),
    }
}

fn number(data: Raw<'_>) -> u64 {
    data.member("index").and_then(|index| index.as_u64()).unwrap_or(0)
}
