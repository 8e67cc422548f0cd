//! `POST /api/embed` of Ollama.

use memchr::memmem::Finder;

use super::{Embedding, Input, Reply, Request, Truncate, Vector};
use crate::Dialect;
use crate::canonical::Usage;
use crate::error::{Error, What};
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace, Whole};
use crate::json::{Object, Raw, Text};
use crate::openai_chat;
use crate::options::{Notes, ReplyOptions, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "ollama_embed",
    framing: Framing::Lines,
    code: Code::Embedding(Whole::<Embedding> {
        read_request,
        write_request,
        read_reply,
        write_reply,
    }),
    // `{"error": "text"}`, which is one of the shapes there.
    errors: openai_chat::ERRORS,
    usage: UsagePlace::outermost(
        TOKENS,
        || Finder::new("\"prompt_eval_count\""),
        |count, into| {
            report(count.count()?, into);
            Some(())
        },
    ),
    event_class: |_, _| EventClass::Output,
};

/// The member of a reply that says what it used.
const TOKENS: &str = "prompt_eval_count";

/// Members with a meaning in the vendor's API only.
const OWN_MEMBERS: &[&str] = &["options", "keep_alive"];

fn read_request<'a>(root: Raw<'a>) -> Result<Request<'a>, Error> {
    fields::object("", root)?;
    let mut request = Request::new(Dialect::OllamaEmbed, "input");
    for (name, value) in root.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            "model" | "fallbacks" => {}
            // The second name is that of the older `/api/embeddings`.
            "input" | "prompt" => request.inputs = read_inputs(&name, value)?,
            "dimensions" => request.dimensions = Some(fields::number(&name, value)?),
            "truncate" => {
                let is_cut = fields::boolean(&name, value)?;
                request.truncate = Some(if is_cut { Truncate::End } else { Truncate::Never });
            }
            "extra_params" => request.extra.extend(fields::object(&name, value)?.members()),
            _ => request.keep(OWN_MEMBERS, &name, value),
        }
    }
    match request.inputs.is_empty() {
        true => Err(Error::at("input", What::Missing)),
        false => Ok(request),
    }
}

fn read_inputs<'a>(name: &str, value: Raw<'a>) -> Result<Vec<Input<'a>>, Error> {
    match value.as_text() {
        Some(text) => Ok(vec![Input::Text(text)]),
        None => fields::each(name, value, |_, text| {
            let text = text.as_text().ok_or_else(|| Error::new(What::WrongType("a string")))?;
            Ok(Input::Text(text))
        }),
    }
}

fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let target = Dialect::OllamaEmbed;
    request.check_formats(target)?;
    notes.number_formats.clone_from(&request.formats);
    let mut body = Object::new(out);
    body.str("model", options.model);
    let mut inputs = body.array("input");
    for text in request.texts(target) {
        inputs.text(&*text?);
    }
    drop(inputs);
    body.raw_if("dimensions", request.dimensions);
    if let Some(truncate) = request.truncate {
        body.bool("truncate", truncate != Truncate::Never);
    }
    if request.truncate == Some(Truncate::Start) {
        notes.drop("truncate");
    }
    request.note_dropped(notes, &["input_type", "title", "user"]);
    request.write_rest(target, notes, &mut body)
}

/// Reads a reply, or one of the older `/api/embeddings`, which has a single vector.
fn read_reply<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let vectors = match (root.member("embeddings"), root.member("embedding")) {
        (Some(list), _) => fields::each("embeddings", list, |_, vector| Vector::read(vector))?,
        (None, Some(vector)) => {
            vec![Vector::read(vector).map_err(|error| error.in_member("embedding"))?]
        }
        (None, None) => return Err(Error::at("embeddings", What::Missing)),
    };
    let mut usage = Usage::default();
    if let Some(count) = root.member(TOKENS) {
        report(count.as_u64(), &mut usage);
    }
    let model = fields::lenient_text(root, "model");
    Ok(Reply { model, lists: Reply::float_list(vectors), usage, ..Reply::default() })
}

fn report(tokens: Option<u64>, into: &mut Usage) {
    into.reported |= tokens.is_some();
    Usage::set(&mut into.input, tokens);
    into.total = into.input;
}

fn write_reply(
    reply: &Reply<'_>,
    options: &ReplyOptions<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let vectors = reply.floats(Dialect::OllamaEmbed)?;
    let mut object = Object::new(out);
    match options.model {
        Some(model) => object.str("model", model),
        None => object.text("model", reply.model.as_ref().unwrap_or(&Text::default())),
    }
    let mut list = object.array("embeddings");
    for (position, vector) in vectors.iter().enumerate() {
        vector
            .write_numbers(list.element())
            .map_err(|error| error.in_element(position).in_member("embeddings"))?;
    }
    drop(list);
    if reply.usage.reported {
        object.u64(TOKENS, reply.usage.input);
    }
    Ok(())
}
