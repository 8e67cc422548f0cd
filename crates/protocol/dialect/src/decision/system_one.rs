//! `POST /v1/systemone` of TypeSafe.

use memchr::memmem::Finder;

use super::{Deciding, Kind, Reply, Request, check_complete, read_answers};
use crate::Dialect;
use crate::canonical::{ErrorReply, Usage};
use crate::error::Error;
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Errors, Format, Framing, UsagePlace, Whole};
use crate::json::{Cursor, Object, Raw};
use crate::openai_chat;
use crate::options::{Notes, ReplyOptions, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "system_one",
    framing: Framing::Sse,
    code: Code::Decision(WHOLE),
    errors: Errors { write: write_error, ..openai_chat::ERRORS },
    usage: UsagePlace::outermost("usage", || Finder::new("\"usage\""), read_usage),
    event_class: |_, _| EventClass::Output,
};

pub(crate) const WHOLE: Whole<Deciding> = Whole {
    read_request: |root| super::read_request(root, Dialect::SystemOne),
    write_request,
    read_reply,
    write_reply,
};

fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    notes.asked = request.noted();
    let mut body = Object::new(out);
    body.str("model", options.model);
    request.write(Dialect::SystemOne, &mut body);
    Ok(())
}

fn read_reply<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let mut reply = Reply {
        model: fields::lenient_text(root, "model"),
        answers: read_answers(root, "type", Kind::name)?,
        usage: Usage::default(),
    };
    if let Some(usage) = root.member("usage") {
        read_usage(&mut Cursor::new(usage.text().as_bytes()), &mut reply.usage);
    }
    Ok(reply)
}

fn read_usage(usage: &mut Cursor<'_>, into: &mut Usage) -> Option<()> {
    let mut is_reported = false;
    usage.object(|name, value| {
        match name {
            b"input_tokens" => Usage::set(&mut into.input, value.count()?),
            b"output_tokens" => Usage::set(&mut into.output, value.count()?),
            _ => return value.value().map(drop),
        }
        is_reported = true;
        Some(())
    })?;
    into.reported = is_reported;
    into.total = into.input.saturating_add(into.output);
    Some(())
}

fn write_reply(
    reply: &Reply<'_>,
    options: &ReplyOptions<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    check_complete(reply, options.notes)?;
    let mut object = Object::new(out);
    match (&reply.model, options.model) {
        (Some(model), _) => object.text("model", model),
        (None, Some(model)) => object.str("model", model),
        (None, None) => {}
    }
    let mut answers = object.object("answers");
    for answer in &reply.answers {
        let mut element = answers.object(&answer.name);
        element.str("type", answer.kind.name());
        element.raw(answer.kind.name(), answer.value);
        element.raw_if("confidence", answer.confidence);
        element.raw_if("probabilities", answer.probabilities);
        element.raw_if("legend", answer.legend);
    }
    drop(answers);
    let mut usage = object.object("usage");
    usage.u64("input_tokens", reply.usage.input);
    usage.u64("output_tokens", reply.usage.output);
    Ok(())
}

/// `{"detail": {error_type, message}}`.
fn write_error(error: &ErrorReply<'_>, out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    let mut detail = object.object("detail");
    detail.str("error_type", error.kind.as_deref().unwrap_or("api_error"));
    detail.str("message", &error.message);
}
