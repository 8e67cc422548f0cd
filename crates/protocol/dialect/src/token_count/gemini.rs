//! `:countTokens` of Gemini, and of Vertex AI, where the question stands without a member around it.

use super::anthropic::read_count;
use super::{Count, TokenCounting, write_members};
use crate::Dialect;
use crate::canonical::Request;
use crate::error::Error;
use crate::event_class::EventClass;
use crate::format::{Code, Format, Framing, UsagePlace, Whole};
use crate::gemini;
use crate::json::{Index, Object, Raw};
use crate::options::{Notes, ReplyOptions, RequestOptions};

/// AI Studio: everything but bare contents goes into `generateContentRequest`.
pub(crate) static FORMAT: Format = Format {
    name: "gemini_count_tokens",
    framing: Framing::Sse,
    code: Code::TokenCount(Whole::<TokenCounting> {
        read_request,
        write_request: write_nested,
        read_reply: |root| read_count(root, "totalTokens"),
        write_reply,
    }),
    errors: gemini::ERRORS,
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

/// Vertex AI.
pub(crate) static VERTEX: Format = Format {
    name: "vertex_count_tokens",
    framing: Framing::Sse,
    code: Code::TokenCount(Whole::<TokenCounting> {
        read_request,
        write_request: write_flat,
        read_reply: |root| read_count(root, "totalTokens"),
        write_reply,
    }),
    errors: gemini::ERRORS,
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

const NESTED: &str = "generateContentRequest";

/// What counts, of a request to generate content, on Vertex AI, which knows no other members.
const MEMBERS: &[&str] = &["contents", "generationConfig", "systemInstruction", "tools"];

/// Whether a dialect is Google's, which reads its own signatures and schemas.
pub(crate) fn is_google(dialect: Dialect) -> bool {
    [Dialect::Gemini, Dialect::GeminiCountTokens, Dialect::VertexCountTokens].contains(&dialect)
}

fn read_request<'a>(root: Raw<'a>) -> Result<Request<'a>, Error> {
    let generate = Dialect::Gemini.generation()?.read_request;
    match root.member(NESTED) {
        Some(nested) => generate(nested).map_err(|error| error.in_member(NESTED)),
        None => generate(root),
    }
}

fn write_flat(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let plain = write_plain(request, options, notes)?;
    write_members(&plain, MEMBERS, out)
}

fn write_nested(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let plain = write_plain(request, options, notes)?;
    let mut index = Index::new();
    let root = index.read(&plain)?;
    let mut body = Object::new(out);
    if root.members().all(|(name, _)| name == "contents") {
        root.members().for_each(|(name, value)| body.raw(&name, value));
        return Ok(());
    }
    let mut nested = body.object(NESTED);
    let head = if options.model.starts_with("models/") { "" } else { "models/" };
    nested.str("model", &format!("{head}{}", options.model));
    root.members().for_each(|(name, value)| nested.raw(&name, value));
    Ok(())
}

fn write_plain(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
) -> Result<Vec<u8>, Error> {
    let mut plain = Vec::new();
    (Dialect::Gemini.generation()?.write_request)(request, options, notes, &mut plain)?;
    Ok(plain)
}

fn write_reply(count: &Count<'_>, _: &ReplyOptions<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
    Object::new(out).u64("totalTokens", count.input);
    Ok(())
}
