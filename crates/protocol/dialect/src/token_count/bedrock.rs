//! `POST /model/{id}/count-tokens` of Bedrock.

use super::TokenCounting;
use super::anthropic::read_count;
use super::write_members;
use crate::Dialect;
use crate::bedrock_converse;
use crate::canonical::Request;
use crate::error::{Error, What};
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace, Whole};
use crate::json::{Object, Raw};
use crate::options::{Notes, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "bedrock_count_tokens",
    framing: Framing::EventStream,
    code: Code::TokenCount(Whole::<TokenCounting> {
        read_request,
        write_request,
        read_reply: |root| read_count(root, "inputTokens"),
        write_reply: |count, _, out| {
            Object::new(out).u64("inputTokens", count.input);
            Ok(())
        },
    }),
    errors: bedrock_converse::ERRORS,
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

/// What counts, of a converse request; the endpoint knows no other members.
const MEMBERS: &[&str] = &["additionalModelRequestFields", "messages", "system", "toolConfig"];

/// Reads a question for `converse`. One for `invokeModel` is a body of some vendor in base64, which stays what it is.
fn read_request<'a>(root: Raw<'a>) -> Result<Request<'a>, Error> {
    const CONVERSE: What = What::Invalid("must be given to be counted elsewhere than on Bedrock");
    let input = fields::object("input", fields::required(root, "input")?)?;
    let converse = input.member("converse").ok_or_else(|| Error::at("input.converse", CONVERSE))?;
    (Dialect::BedrockConverse.generation()?.read_request)(converse)
        .map_err(|error| error.in_member("converse").in_member("input"))
}

fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut plain = Vec::new();
    let converse = Dialect::BedrockConverse.generation()?;
    (converse.write_request)(request, options, notes, &mut plain)?;
    let mut body = Object::new(out);
    let mut input = body.object("input");
    write_members(&plain, MEMBERS, input.key("converse"))
}
