//! `POST …/responses/input_tokens` of OpenAI.

use super::anthropic::read_count;
use super::{Count, TokenCounting, write_members};
use crate::Dialect;
use crate::canonical::Request;
use crate::error::Error;
use crate::event_class::EventClass;
use crate::format::{Code, Format, Framing, UsagePlace, Whole};
use crate::json::Object;
use crate::openai_chat;
use crate::options::{Notes, ReplyOptions, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "openai_input_tokens",
    framing: Framing::Sse,
    code: Code::TokenCount(Whole::<TokenCounting> {
        read_request: |root| (Dialect::OpenAiResponses.generation()?.read_request)(root),
        write_request,
        read_reply: |root| read_count(root, "input_tokens"),
        write_reply,
    }),
    errors: openai_chat::ERRORS,
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

/// What counts, of a responses request; the endpoint knows no other members.
const MEMBERS: &[&str] = &[
    "conversation",
    "input",
    "instructions",
    "model",
    "parallel_tool_calls",
    "previous_response_id",
    "reasoning",
    "text",
    "tool_choice",
    "tools",
    "truncation",
];

fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut plain = Vec::new();
    let responses = Dialect::OpenAiResponses.generation()?;
    (responses.write_request)(request, options, notes, &mut plain)?;
    write_members(&plain, MEMBERS, out)
}

fn write_reply(
    count: &Count<'_>,
    options: &ReplyOptions<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut object = Object::new(out);
    object.str("object", "response.input_tokens");
    object.u64("input_tokens", count.input);
    object.members(options.trailer);
    Ok(())
}
