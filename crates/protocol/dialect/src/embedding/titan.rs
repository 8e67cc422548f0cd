//! The body of Amazon's Titan embedding models on Bedrock: one text, or one image, or both for one vector.

use memchr::memmem::Finder;

use super::{Embedding, Input, Piece, Reply, Request, Vector};
use crate::Dialect;
use crate::bedrock_converse;
use crate::canonical::{Source, Usage};
use crate::error::{Error, What};
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace, Whole};
use crate::json::{Object, Raw, Text};
use crate::options::{Notes, NumberFormat, ReplyOptions, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "titan_embed",
    framing: Framing::EventStream,
    code: Code::Embedding(Whole::<Embedding> {
        read_request,
        write_request,
        read_reply,
        write_reply,
    }),
    errors: bedrock_converse::ERRORS,
    usage: UsagePlace::outermost(
        TOKENS,
        || Finder::new("\"inputTextTokenCount\""),
        |count, into| {
            report(count.count()?, into);
            Some(())
        },
    ),
    event_class: |_, _| EventClass::Output,
};

/// The member of a reply that says what it used.
const TOKENS: &str = "inputTextTokenCount";

/// Members with a meaning in the vendor's API only.
const OWN_MEMBERS: &[&str] = &["normalize", "embeddingConfig"];

/// The media type an image is taken for: requests do not say it.
const IMAGE_TYPE: &str = "image/png";

fn read_request<'a>(root: Raw<'a>) -> Result<Request<'a>, Error> {
    fields::object("", root)?;
    let mut request = Request::new(Dialect::TitanEmbed, "inputText");
    let mut pieces = Vec::new();
    for (name, value) in root.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            "fallbacks" => {}
            "inputText" => pieces.insert(0, Piece::Text(fields::text(&name, value)?)),
            "inputImage" => pieces.push(Piece::Image(Source::Base64 {
                media_type: IMAGE_TYPE.into(),
                data: fields::text(&name, value)?,
            })),
            "dimensions" => request.dimensions = Some(fields::number(&name, value)?),
            "embeddingConfig" => {
                request.dimensions = fields::object(&name, value)?.member("outputEmbeddingLength");
                request.keep(OWN_MEMBERS, &name, value);
            }
            "embeddingTypes" => {
                request.formats = fields::each(&name, value, |_, word| read_format(word))?;
            }
            "extra_params" => request.extra.extend(fields::object(&name, value)?.members()),
            _ => request.keep(OWN_MEMBERS, &name, value),
        }
    }
    request.inputs = match (pieces.pop(), pieces.is_empty()) {
        (None, _) => return Err(Error::at("inputText", What::Missing)),
        (Some(Piece::Text(text)), true) => vec![Input::Text(text)],
        (Some(last), _) => {
            pieces.push(last);
            vec![Input::Pieces(pieces)]
        }
    };
    Ok(request)
}

fn read_format(word: Raw<'_>) -> Result<NumberFormat, Error> {
    match word.as_str().as_deref() {
        Some("float") => Ok(NumberFormat::Float),
        Some("binary") => Ok(NumberFormat::Binary),
        _ => Err(Error::new(What::Invalid("must be float or binary"))),
    }
}

fn write_request(
    request: &Request<'_>,
    _: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let target = Dialect::TitanEmbed;
    let is_own = request.source == target;
    let mut body = Object::new(out);
    let is_multimodal = write_input(request.only_input(target)?, &mut body)
        .ok_or_else(|| request.refuse(0, target))?;
    match request.dimensions {
        None => {}
        Some(_) if is_own && request.rest.iter().any(|(name, _)| name == "embeddingConfig") => {}
        Some(dimensions) if is_multimodal => {
            body.object("embeddingConfig").raw("outputEmbeddingLength", dimensions);
        }
        Some(dimensions) => body.raw("dimensions", dimensions),
    }
    notes.number_formats.clone_from(&request.formats);
    if is_own && !request.formats.is_empty() {
        let mut types = body.array("embeddingTypes");
        for format in &request.formats {
            types.text(&word_of_format(*format).into());
        }
    } else {
        request.check_formats(target)?;
    }
    request.note_dropped(notes, &["input_type", "title", "truncate", "user"]);
    request.write_rest(target, notes, &mut body)
}

fn word_of_format(format: NumberFormat) -> &'static str {
    match format {
        NumberFormat::Binary | NumberFormat::Ubinary => "binary",
        NumberFormat::Float | NumberFormat::Base64 | NumberFormat::Int8 | NumberFormat::Uint8 => {
            "float"
        }
    }
}

/// Writes at most one text and one image; `None` if there is anything else. Whether there is an image.
fn write_input(input: &Input<'_>, body: &mut Object<'_>) -> Option<bool> {
    let pieces = match input {
        _ if input.as_text().is_some() => {
            body.text("inputText", &*input.as_text()?);
            return Some(false);
        }
        Input::Pieces(pieces) => &pieces[..],
        Input::Text(_) | Input::Tokens(_) => &[],
    };
    let (text, data): (Option<&Text<'_>>, &Text<'_>) = match pieces {
        [Piece::Image(Source::Base64 { data, .. })] => (None, data),
        [Piece::Text(text), Piece::Image(Source::Base64 { data, .. })]
        | [Piece::Image(Source::Base64 { data, .. }), Piece::Text(text)] => (Some(text), data),
        _ => return None,
    };
    body.text_if("inputText", text);
    body.text("inputImage", data);
    Some(true)
}

fn read_reply<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let by_type = |name| root.member("embeddingsByType").and_then(|types| types.member(name));
    let floats = root.member("embedding").or_else(|| by_type("float"));
    let mut usage = Usage::default();
    if let Some(count) = root.member(TOKENS) {
        report(count.as_u64(), &mut usage);
    }
    match floats {
        Some(floats) => {
            let vector = Vector::read(floats).map_err(|error| error.in_member("embedding"))?;
            Ok(Reply { lists: Reply::float_list(vec![vector]), usage, ..Reply::default() })
        }
        None => Err(Error::at("embedding", What::Missing)),
    }
}

fn report(tokens: Option<u64>, into: &mut Usage) {
    into.reported |= tokens.is_some();
    Usage::set(&mut into.input, tokens);
    into.total = into.input;
}

fn write_reply(reply: &Reply<'_>, _: &ReplyOptions<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
    let vector = reply.only_float(Dialect::TitanEmbed)?;
    let mut object = Object::new(out);
    let fail = |error: Error| error.in_member("embedding");
    vector.write_numbers(object.key("embedding")).map_err(fail)?;
    let mut by_type = object.object("embeddingsByType");
    vector.write_numbers(by_type.key("float")).map_err(fail)?;
    drop(by_type);
    object.u64(TOKENS, reply.usage.input);
    Ok(())
}
