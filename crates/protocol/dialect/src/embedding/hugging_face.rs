//! The pipeline `feature-extraction` of Hugging Face: texts in, bare lists of numbers out.

use super::{Embedding, Reply, Request, Truncate, Vector};
use crate::Dialect;
use crate::error::{Error, What};
use crate::error_shape::{self, ErrorFields};
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Errors, Format, Framing, Half, Upstream, UsagePlace};
use crate::json::{Object, Raw};
use crate::openai_chat;
use crate::options::{Notes, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "hugging_face_embed",
    framing: Framing::Sse,
    code: Code::Upstream(Upstream::Embedding(Half::<Embedding> { write_request, read_reply })),
    errors: ERRORS,
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

/// `{"error": "text"}`, or a list of texts.
const ERRORS: Errors = Errors {
    read: |status, body| error_shape::read_error(status, body, read_error),
    read_event: |data| error_shape::read_stream_error(data, read_error),
    ..openai_chat::ERRORS
};

fn read_error<'a>(root: Raw<'a>) -> ErrorFields<'a> {
    let fields = openai_chat::read_error_object(root);
    let first = root.member("error").and_then(|errors| errors.elements().next()?.as_str());
    ErrorFields { message: first.or(fields.message), ..fields }
}

const TARGET: Dialect = Dialect::HuggingFaceEmbed;

fn write_request(
    request: &Request<'_>,
    _: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    request.check_formats(TARGET)?;
    notes.number_formats.clone_from(&request.formats);
    let mut body = Object::new(out);
    let mut inputs = body.array("inputs");
    for text in request.texts(TARGET) {
        inputs.text(&*text?);
    }
    drop(inputs);
    match request.truncate {
        None => {}
        Some(Truncate::Never) => body.bool("truncate", false),
        Some(Truncate::Start) => {
            body.bool("truncate", true);
            body.str("truncation_direction", "left");
        }
        Some(Truncate::End) => body.bool("truncate", true),
    }
    request.note_dropped(notes, &["input_type", "title", "user", "dimensions"]);
    request.rest.iter().for_each(|(name, _)| notes.drop(name));
    // The pipeline's own knobs: `normalize`, `prompt_name`.
    request.extra.iter().for_each(|(name, value)| body.raw(name, *value));
    Ok(())
}

/// A list of vectors, one of lists with one vector each, or the vector of the only text.
fn read_reply<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let is_vector = |value: Raw<'_>| value.elements().next().is_none_or(|it| !it.is_array());
    let vectors = if is_vector(fields::array("", root)?) {
        vec![Vector::read(root)?]
    } else {
        fields::each("", root, |_, value| {
            let only = value.elements().next().filter(|_| !is_vector(value));
            match value.elements().nth(1) {
                Some(_) if only.is_some() => Err(Error::new(NOT_POOLED)),
                _ => Vector::read(only.unwrap_or(value)),
            }
        })?
    };
    Ok(Reply { lists: Reply::float_list(vectors), ..Reply::default() })
}

/// A vector for each token of a text instead of one for the text.
const NOT_POOLED: What = What::Invalid("must hold one vector, but the model gives one per token");
