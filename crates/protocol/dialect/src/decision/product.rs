//! `POST /v1/decisions` of the product: questions have a `kind`, and answers a `value` whatever their kind is.

use memchr::memmem::Finder;

use super::{Deciding, Reply, Request, check_complete, read_answers};
use crate::Dialect;
use crate::canonical::Usage;
use crate::error::Error;
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace, Whole};
use crate::json::{Cursor, Object, Raw};
use crate::openai_chat::{self, read_usage};
use crate::options::{Notes, ReplyOptions, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "decisions",
    framing: Framing::Sse,
    code: Code::Decision(Whole::<Deciding> {
        read_request: |root| super::read_request(root, Dialect::Decisions),
        write_request,
        read_reply,
        write_reply,
    }),
    errors: openai_chat::ERRORS,
    usage: UsagePlace::outermost("usage", || Finder::new("\"usage\""), read_usage),
    event_class: |_, _| EventClass::Output,
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
    request.write(Dialect::Decisions, &mut body);
    Ok(())
}

fn read_reply<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let mut reply = Reply {
        model: fields::lenient_text(root, "model"),
        answers: read_answers(root, "kind", |_| "value")?,
        usage: Usage::default(),
    };
    if let Some(usage) = root.member("usage") {
        read_usage(&mut Cursor::new(usage.text().as_bytes()), &mut reply.usage);
    }
    Ok(reply)
}

fn write_reply(
    reply: &Reply<'_>,
    options: &ReplyOptions<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    check_complete(reply, options.notes)?;
    let mut object = Object::new(out);
    match (&reply.model, options.model) {
        // An alias is resolved by the provider: what answered is the model of that name.
        (Some(model), _) => object.text("model", model),
        (None, Some(model)) => object.str("model", model),
        (None, None) => {}
    }
    let mut answers = object.object("answers");
    for answer in &reply.answers {
        let mut element = answers.object(&answer.name);
        element.str("kind", answer.kind.name());
        element.raw("value", answer.value);
        element.raw_if("confidence", answer.confidence);
        element.raw_if("probabilities", answer.probabilities);
        element.raw_if("legend", answer.legend);
    }
    drop(answers);
    let mut usage = object.object("usage");
    usage.u64("prompt_tokens", reply.usage.input);
    usage.u64("completion_tokens", reply.usage.output);
    usage.u64("total_tokens", reply.usage.total);
    drop(usage);
    object.members(options.trailer);
    Ok(())
}
