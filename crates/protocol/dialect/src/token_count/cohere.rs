//! `POST /v1/tokenize` of Cohere: the tokens of one text, which count a question that is nothing but text.

use super::{Count, TokenCounting};
use crate::Dialect;
use crate::canonical::{Message, Part, PartKind, Request, Role};
use crate::cohere_chat;
use crate::error::{Error, What};
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace, Whole};
use crate::json::{Object, Raw};
use crate::options::{Notes, ReplyOptions, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "cohere_tokenize",
    framing: Framing::Sse,
    code: Code::TokenCount(Whole::<TokenCounting> {
        read_request,
        write_request,
        read_reply,
        write_reply,
    }),
    errors: cohere_chat::ERRORS,
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

/// Reads a text as a question of one message.
fn read_request<'a>(root: Raw<'a>) -> Result<Request<'a>, Error> {
    let mut request = Request::new(Dialect::CohereTokenize);
    let text = fields::required_text(fields::object("", root)?, "text")?;
    request.messages.push(Message {
        role: Role::User,
        parts: vec![Part::text(text)],
        cache_control: None,
        rest: Vec::new(),
        position: None,
    });
    let known = ["model", "text", "fallbacks"];
    request.extra.extend(root.members().filter(|(name, _)| !known.contains(&&**name)));
    Ok(request)
}

fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut body = Object::new(out);
    body.str("model", options.model);
    let text = body.key("text");
    text.push(b'"');
    let mut is_first = true;
    for (position, message) in request.messages.iter().enumerate() {
        write_parts(&message.parts, &mut is_first, text).map_err(|error| {
            error.in_element(message.position.unwrap_or(position)).in_member("messages")
        })?;
    }
    text.push(b'"');
    if !request.tools.is_empty() {
        notes.drop("tools");
    }
    Ok(())
}

/// Writes what the parts say, each on a line of its own.
fn write_parts(parts: &[Part<'_>], is_first: &mut bool, out: &mut Vec<u8>) -> Result<(), Error> {
    for part in parts {
        if let PartKind::ToolResult(result) = &part.kind {
            write_parts(&result.content, is_first, out)
                .map_err(|error| error.in_element(part.position).in_member("content"))?;
            continue;
        }
        if !std::mem::replace(is_first, false) {
            out.extend_from_slice(b"\\n");
        }
        if let PartKind::Text { text, .. } | PartKind::Refusal(text) = &part.kind {
            text.write_inner(out);
        } else if let PartKind::ToolCall(call) = &part.kind {
            call.name.write_inner(out);
            crate::json::write_str(&call.arguments.plain(), out);
        } else if let PartKind::Reasoning(reasoning) = &part.kind {
            reasoning.text.iter().for_each(|text| text.write_inner(out));
        } else {
            let error = Error::new(What::Inexpressible(Dialect::CohereTokenize));
            return Err(error.in_element(part.position).in_member("content"));
        }
    }
    Ok(())
}

fn read_reply<'a>(root: Raw<'a>) -> Result<Count<'a>, Error> {
    let tokens = fields::array("tokens", fields::required(root, "tokens")?)?;
    Ok(Count {
        input: tokens.elements().count() as u64,
        tokens: Some(tokens),
        token_strings: root.member("token_strings"),
    })
}

/// Writes the tokens; other vendors only say how many there are.
fn write_reply(count: &Count<'_>, _: &ReplyOptions<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
    let Some(tokens) = count.tokens else {
        return Err(Error::at("tokens", What::Inexpressible(Dialect::CohereTokenize)));
    };
    let mut object = Object::new(out);
    object.raw("tokens", tokens);
    object.raw_if("token_strings", count.token_strings);
    object.object("meta").object("api_version").str("version", "1");
    Ok(())
}
