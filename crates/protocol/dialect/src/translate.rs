//! Translating whole documents: requests, replies, errors.

use crate::Dialect;
use crate::canonical::{ErrorReply, Part, PartKind, Reply, Request, Stop, Usage};
use crate::error::Error;
use crate::json::{Index, Text, merge};
use crate::options::{Notes, ReplyOptions, RequestOptions};

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
    let request = (from.format().generation.read_request)(index.read(body)?)?;
    let mut notes = Notes { include_usage: request.include_usage, ..Notes::default() };
    if options.pass_extra && from != to && !request.extra.is_empty() {
        write_with_extra(to, &request, options, &mut notes, out)?;
    } else {
        (to.format().generation.write_request)(&request, options, &mut notes, out)?;
    }
    Ok(notes)
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
    (to.format().generation.write_request)(request, options, notes, &mut plain)?;
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
    let mut reply = (upstream.format().generation.read_reply)(root, options)?;
    let usage = reply.usage;
    if let Some(name) = &options.notes.structured_tool {
        unwrap_structured_tool(&mut reply, name);
    }
    (caller.format().generation.write_reply)(&reply, upstream, options, out)?;
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
    (dialect.format().errors.read)(status, body)
}

/// Reads an error that came as the data of a stream's event, where no status stands beside it: the one it names, or
/// what its code or type implies, or 500. Never fails.
pub fn read_stream_error(dialect: Dialect, data: &[u8]) -> ErrorReply<'_> {
    (dialect.format().errors.read_event)(data)
}

/// Appends an error body of this dialect.
pub fn write_error(dialect: Dialect, error: &ErrorReply<'_>, out: &mut Vec<u8>) {
    (dialect.format().errors.write)(error, out);
}

/// Appends the event that tells a caller in this dialect that its stream broke.
pub fn write_stream_error(dialect: Dialect, error: &ErrorReply<'_>, out: &mut Vec<u8>) {
    (dialect.format().errors.write_event)(error, out);
}
