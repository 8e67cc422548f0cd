//! Translating whole documents: requests, replies, errors.

use crate::canonical::{ErrorReply, Part, PartKind, Reply, Request, Stop, Usage};
use crate::error::Error;
use crate::json::{Index, Raw, Text, merge};
use crate::options::{Notes, ReplyOptions, RequestOptions};
use crate::{Dialect, anthropic_messages, openai_chat};

/// Writes a request of one dialect in another, or again in its own with names and limits of the target. Appends to
/// `out`; on an error what was appended is to be thrown away.
pub fn translate_request(
    from: Dialect,
    to: Dialect,
    body: &[u8],
    options: &RequestOptions<'_>,
    out: &mut Vec<u8>,
) -> Result<Notes, Error> {
    let mut index = Index::new();
    let request = read_request(from, index.read(body)?)?;
    let mut notes = Notes { include_usage: request.include_usage, ..Notes::default() };
    if options.pass_extra && from != to && !request.extra.is_empty() {
        write_with_extra(to, &request, options, &mut notes, out)?;
    } else {
        write_request(to, &request, options, &mut notes, out)?;
    }
    Ok(notes)
}

fn read_request<'a>(from: Dialect, root: Raw<'a>) -> Result<Request<'a>, Error> {
    match from {
        Dialect::OpenAiChat => openai_chat::read_request(root),
        Dialect::AnthropicMessages => anthropic_messages::read_request(root),
    }
}

fn write_request(
    to: Dialect,
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    match to {
        Dialect::OpenAiChat => openai_chat::write_request(request, options, notes, out),
        Dialect::AnthropicMessages => {
            anthropic_messages::write_request(request, options, notes, out)
        }
    }
}

/// Writes the request and lays the members over it that the source dialect does not know.
fn write_with_extra(
    to: Dialect,
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut plain = Vec::new();
    write_request(to, request, options, notes, &mut plain)?;
    let mut index = Index::new();
    merge(index.read(&plain)?, &request.extra, out);
    notes.dropped.retain(|dropped| !request.extra.iter().any(|(name, _)| name == dropped));
    Ok(())
}

/// Writes a reply of the upstream's dialect in the caller's and says what it used. Appends to `out`; on an error what was
/// appended is to be thrown away. Between equal dialects, too, only what both know gets through: relay those instead.
pub fn translate_reply(
    upstream: Dialect,
    caller: Dialect,
    body: &[u8],
    options: &ReplyOptions<'_>,
    out: &mut Vec<u8>,
) -> Result<Usage, Error> {
    let mut index = Index::new();
    let root = index.read(body)?;
    let mut reply = match upstream {
        Dialect::OpenAiChat => openai_chat::read_reply(root, options.id)?,
        Dialect::AnthropicMessages => anthropic_messages::read_reply(root)?,
    };
    let usage = reply.usage;
    if let Some(name) = &options.notes.structured_tool {
        unwrap_structured_tool(&mut reply, name);
    }
    match caller {
        Dialect::OpenAiChat => openai_chat::write_reply(&reply, options, out),
        Dialect::AnthropicMessages => {
            anthropic_messages::write_reply(&reply, upstream, options, out)?;
        }
    }
    Ok(usage)
}

/// Turns the call of the tool that stood in for structured output back into the text it stands for.
fn unwrap_structured_tool(reply: &mut Reply<'_>, name: &str) {
    for choice in &mut reply.choices {
        let mut other_calls = 0;
        for part in &mut choice.parts {
            let PartKind::ToolCall(call) = &part.kind else { continue };
            if call.name == *name {
                let text = call.arguments.plain().into_owned();
                *part = Part::text(Text::from(text));
            } else {
                other_calls += 1;
            }
        }
        if choice.stop == Some(Stop::ToolUse) && other_calls == 0 {
            choice.stop = Some(Stop::EndTurn);
        }
    }
}

/// Reads an error body of any shape a host of this dialect may answer with; never fails.
pub fn read_error(dialect: Dialect, status: u16, body: &[u8]) -> ErrorReply<'_> {
    match dialect {
        Dialect::OpenAiChat => openai_chat::read_error(status, body),
        Dialect::AnthropicMessages => anthropic_messages::read_error(status, body),
    }
}

/// Reads an error that came as the data of a stream's event, where no status stands beside it: the one it names, or
/// what its code or type implies, or 500. Never fails.
pub fn read_stream_error(dialect: Dialect, data: &[u8]) -> ErrorReply<'_> {
    match dialect {
        Dialect::OpenAiChat => openai_chat::read_stream_error(data),
        Dialect::AnthropicMessages => anthropic_messages::read_stream_error(data),
    }
}

/// Appends an error body of this dialect.
pub fn write_error(dialect: Dialect, error: &ErrorReply<'_>, out: &mut Vec<u8>) {
    match dialect {
        Dialect::OpenAiChat => openai_chat::write_error(error, out),
        Dialect::AnthropicMessages => anthropic_messages::write_error(error, out),
    }
}

/// Appends the event that tells a caller in this dialect that its stream broke.
pub fn write_stream_error(dialect: Dialect, error: &ErrorReply<'_>, out: &mut Vec<u8>) {
    match dialect {
        Dialect::OpenAiChat => openai_chat::write_stream_error(error, out),
        Dialect::AnthropicMessages => anthropic_messages::write_stream_error(error, out),
    }
}
