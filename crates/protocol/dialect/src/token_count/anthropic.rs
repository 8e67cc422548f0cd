//! `POST …/v1/messages/count_tokens` of Anthropic.

use super::{Count, TokenCounting, write_members};
use crate::Dialect;
use crate::anthropic_messages;
use crate::canonical::Request;
use crate::error::Error;
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace, Whole};
use crate::json::{Object, Raw};
use crate::options::{Notes, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "anthropic_count_tokens",
    framing: Framing::Sse,
    code: Code::TokenCount(Whole::<TokenCounting> {
        read_request: |root| (Dialect::AnthropicMessages.generation()?.read_request)(root),
        write_request,
        read_reply: |root| read_count(root, "input_tokens"),
        write_reply: |count, _, out| {
            Object::new(out).u64("input_tokens", count.input);
            Ok(())
        },
    }),
    errors: anthropic_messages::ERRORS,
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

/// What counts, of a messages request; the endpoint refuses the rest.
const MEMBERS: &[&str] = &[
    "cache_control",
    "context_management",
    "mcp_servers",
    "messages",
    "model",
    "output_config",
    "output_format",
    "speed",
    "system",
    "thinking",
    "tool_choice",
    "tools",
];

fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut plain = Vec::new();
    let messages = Dialect::AnthropicMessages.generation()?;
    (messages.write_request)(request, options, notes, &mut plain)?;
    write_members(&plain, MEMBERS, out)
}

/// Reads a reply that is one number.
pub(super) fn read_count<'a>(root: Raw<'a>, name: &str) -> Result<Count<'a>, Error> {
    Ok(Count::of(fields::count(name, fields::required(root, name)?)?))
}
