//! `POST /v2/embed` of Cohere, and the body its models take from Bedrock, which names no model.

use std::borrow::Cow;

use memchr::memmem::Finder;

use super::openai::{read_piece, url_of, write_pieces};
use super::{Embedding, Input, InputType, Piece, Reply, Request, Truncate, Vector, VectorList};
use crate::Dialect;
use crate::bedrock_converse;
use crate::canonical::{Source, Usage};
use crate::cohere_chat;
use crate::error::{Error, What};
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace, Whole};
use crate::json::{Cursor, Object, Raw, Text};
use crate::options::{Notes, NumberFormat, ReplyOptions};

/// Cohere's own endpoint.
pub(crate) static FORMAT: Format = Format {
    name: "cohere_embed",
    framing: Framing::Sse,
    code: Code::Embedding(Whole::<Embedding> {
        read_request: |root| read_request(root, Dialect::CohereEmbed),
        write_request: |request, options, notes, out| {
            let mut body = Object::new(out);
            body.str("model", options.model);
            write_request(request, Dialect::CohereEmbed, notes, body)
        },
        read_reply,
        write_reply: write_by_type,
    }),
    errors: cohere_chat::ERRORS,
    usage: usage_place(),
    event_class: |_, _| EventClass::Output,
};

/// Cohere's models on Bedrock.
pub(crate) static BEDROCK: Format = Format {
    name: "bedrock_cohere_embed",
    framing: Framing::EventStream,
    code: Code::Embedding(Whole::<Embedding> {
        read_request: |root| read_request(root, Dialect::BedrockCohereEmbed),
        write_request: |request, _, notes, out| {
            write_request(request, Dialect::BedrockCohereEmbed, notes, Object::new(out))
        },
        read_reply,
        write_reply: write_bedrock_reply,
    }),
    errors: bedrock_converse::ERRORS,
    usage: usage_place(),
    event_class: |_, _| EventClass::Output,
};

const fn usage_place() -> UsagePlace {
    UsagePlace::outermost("meta", || Finder::new("\"meta\""), read_usage)
}

/// Members with a meaning in the vendor's API only.
const OWN_MEMBERS: &[&str] = &["max_tokens", "priority"];

/// What the vendor is told when the caller does not say what its vectors are for; it wants to know.
const INPUT_TYPE_DEFAULT: &str = "search_document";

const INPUT_TYPES: &[(&str, InputType<'static>)] = &[
    ("search_document", InputType::Document),
    ("search_query", InputType::Query),
    ("classification", InputType::Classification),
    ("clustering", InputType::Clustering),
    ("image", InputType::Image),
];

const NUMBER_FORMATS: &[(&str, NumberFormat)] = &[
    ("float", NumberFormat::Float),
    ("int8", NumberFormat::Int8),
    ("uint8", NumberFormat::Uint8),
    ("binary", NumberFormat::Binary),
    ("ubinary", NumberFormat::Ubinary),
    ("base64", NumberFormat::Base64),
];

pub(super) fn input_type_of_word(word: Text<'_>) -> InputType<'_> {
    let known = INPUT_TYPES.iter().find(|(known, _)| word == **known);
    known.map_or(InputType::Other(word), |(_, input_type)| input_type.clone())
}

/// The nearest of the vendor's words; `None` where there is none.
pub(super) fn word_of_input_type<'t>(
    input_type: &'t InputType<'_>,
    is_own: bool,
) -> Option<Cow<'t, str>> {
    let known = INPUT_TYPES.iter().find(|(_, known)| known == input_type);
    match (known, input_type) {
        (Some((word, _)), _) => Some((*word).into()),
        // Questions whose answers are looked for among documents.
        (
            None,
            InputType::QuestionAnswering | InputType::FactVerification | InputType::CodeQuery,
        ) => Some("search_query".into()),
        (None, InputType::Other(word)) if is_own => Some(word.plain()),
        (None, _) => None,
    }
}

fn word_of_format(format: NumberFormat) -> &'static str {
    let known = NUMBER_FORMATS.iter().find(|(_, known)| *known == format);
    known.map_or("float", |(word, _)| word)
}

fn read_request<'a>(root: Raw<'a>, source: Dialect) -> Result<Request<'a>, Error> {
    fields::object("", root)?;
    let mut request = Request::new(source, "texts");
    for (name, value) in root.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            "model" | "fallbacks" => {}
            "texts" | "images" | "inputs" => read_inputs(&name, value, &mut request)?,
            "input_type" => {
                request.input_type = Some(input_type_of_word(fields::text(&name, value)?));
            }
            "embedding_types" => {
                request.formats = fields::each(&name, value, |_, word| read_format(word))?;
            }
            "output_dimension" => request.dimensions = Some(fields::number(&name, value)?),
            "truncate" => {
                let word = fields::text(&name, value)?;
                let truncate = Truncate::from_word(&word.plain());
                const WORDS: What = What::Invalid("must be NONE, START or END");
                request.truncate = Some(truncate.ok_or_else(|| Error::at(&name, WORDS))?);
            }
            "extra_params" => request.extra.extend(fields::object(&name, value)?.members()),
            _ => request.keep(OWN_MEMBERS, &name, value),
        }
    }
    match request.inputs.is_empty() {
        true => Err(Error::at("texts", What::Missing)),
        false => Ok(request),
    }
}

fn read_inputs<'a>(name: &str, value: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    let (place, inputs) = match name {
        "images" => ("images", fields::each(name, value, |_, image| read_image(image))?),
        "inputs" => ("inputs", fields::each(name, value, |_, input| read_mixed(input))?),
        _ => ("texts", fields::each(name, value, |_, text| Ok(Input::Text(string(text)?)))?),
    };
    if inputs.is_empty() {
        return Ok(());
    }
    if !request.inputs.is_empty() {
        const ONE: What = What::Invalid("only one of texts, images and inputs may be given");
        return Err(Error::at(name, ONE));
    }
    request.inputs = inputs;
    request.place = place;
    Ok(())
}

fn read_image<'a>(image: Raw<'a>) -> Result<Input<'a>, Error> {
    Ok(Input::Pieces(vec![Piece::Image(Source::from_url(string(image)?))]))
}

fn read_mixed<'a>(input: Raw<'a>) -> Result<Input<'a>, Error> {
    let content = fields::required(input, "content")?;
    fields::each("content", content, |_, piece| Ok(read_piece(piece))).map(Input::Pieces)
}

fn string<'a>(value: Raw<'a>) -> Result<Text<'a>, Error> {
    value.as_text().ok_or_else(|| Error::new(What::WrongType("a string")))
}

fn read_format(word: Raw<'_>) -> Result<NumberFormat, Error> {
    const WORDS: What = What::Invalid("must be float, int8, uint8, binary, ubinary or base64");
    let word = word.as_str().unwrap_or_default();
    let known = NUMBER_FORMATS.iter().find(|(known, _)| *known == word);
    known.map(|(_, format)| *format).ok_or_else(|| Error::new(WORDS))
}

fn write_request(
    request: &Request<'_>,
    target: Dialect,
    notes: &mut Notes,
    mut body: Object<'_>,
) -> Result<(), Error> {
    let is_images = write_inputs(request, target, &mut body)?;
    let is_own = is_cohere(request.source);
    let input_type = request.input_type.as_ref();
    let word = input_type.and_then(|it| word_of_input_type(it, is_own));
    if word.is_none() {
        request.note_dropped(notes, &["input_type"]);
    }
    let default = if is_images { "image" } else { INPUT_TYPE_DEFAULT };
    body.str("input_type", word.as_deref().unwrap_or(default));
    notes.number_formats.clone_from(&request.formats);
    write_formats(request, target, &mut body);
    body.raw_if("output_dimension", request.dimensions);
    match request.truncate {
        None => {}
        Some(Truncate::Never) => body.str("truncate", "NONE"),
        Some(Truncate::Start) => body.str("truncate", "START"),
        Some(Truncate::End) => body.str("truncate", "END"),
    }
    request.note_dropped(notes, &["title", "user"]);
    if is_own && request.source != target {
        request.rest.iter().for_each(|(name, value)| body.raw(name, *value));
        request.extra.iter().for_each(|(name, _)| notes.drop(name));
        return Ok(());
    }
    request.write_rest(target, notes, &mut body)
}

fn is_cohere(dialect: Dialect) -> bool {
    matches!(dialect, Dialect::CohereEmbed | Dialect::BedrockCohereEmbed)
}

/// The spellings to ask for. Whoever speaks another dialect gets base64 that is made here: what the vendor puts into
/// its own is not said anywhere.
fn write_formats(request: &Request<'_>, target: Dialect, body: &mut Object<'_>) {
    let is_own = is_cohere(request.source);
    if is_own && request.formats.is_empty() && target == Dialect::BedrockCohereEmbed {
        return;
    }
    let mut types = body.array("embedding_types");
    if !is_own || request.formats.is_empty() {
        types.text(&"float".into());
        return;
    }
    request.formats.iter().for_each(|format| types.text(&word_of_format(*format).into()));
}

/// Writes the inputs in the plainest member that holds them; whether they are images and nothing else.
fn write_inputs(
    request: &Request<'_>,
    target: Dialect,
    body: &mut Object<'_>,
) -> Result<bool, Error> {
    let is_image = |input: &Input<'_>| matches!(input, Input::Pieces(pieces) if matches!(pieces[..], [Piece::Image(_)]));
    if request.inputs.iter().all(|input| input.as_text().is_some()) {
        let mut texts = body.array("texts");
        for text in request.texts(target) {
            texts.text(&*text?);
        }
        return Ok(false);
    }
    if request.inputs.iter().all(is_image) {
        let mut images = body.array("images");
        for (position, input) in request.inputs.iter().enumerate() {
            images.text(&image_url(input).ok_or_else(|| request.refuse(position, target))?);
        }
        return Ok(true);
    }
    let mut inputs = body.array("inputs");
    for (position, input) in request.inputs.iter().enumerate() {
        let written = match input {
            Input::Text(text) => write_pieces(&[Piece::Text(text.clone())], inputs.object()),
            Input::Tokens(_) => None,
            Input::Pieces(pieces) => write_pieces(pieces, inputs.object()),
        };
        written.ok_or_else(|| request.refuse(position, target))?;
    }
    Ok(false)
}

fn image_url<'a>(input: &Input<'a>) -> Option<Text<'a>> {
    match input {
        Input::Pieces(pieces) => match &pieces[..] {
            [Piece::Image(source)] => url_of(source),
            _ => None,
        },
        Input::Text(_) | Input::Tokens(_) => None,
    }
}

/// Reads a reply: `embeddings` are lists by type, or one list of floats as the API's first version and Bedrock have it.
fn read_reply<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let embeddings = fields::required(root, "embeddings")?;
    let mut reply = Reply { id: fields::lenient_text(root, "id"), ..Reply::default() };
    if embeddings.is_array() {
        reply.lists = Reply::float_list(read_list("embeddings", embeddings)?);
    } else {
        for (name, format) in NUMBER_FORMATS {
            if let Some(list) = embeddings.member(name) {
                let vectors =
                    read_list(name, list).map_err(|error| error.in_member("embeddings"))?;
                reply.lists.push(VectorList { format: *format, vectors });
            }
        }
    }
    if reply.lists.is_empty() {
        return Err(Error::at("embeddings", What::Missing));
    }
    if let Some(meta) = root.member("meta") {
        read_usage(&mut Cursor::new(meta.text().as_bytes()), &mut reply.usage);
    }
    Ok(reply)
}

fn read_list<'a>(name: &str, list: Raw<'a>) -> Result<Vec<Vector<'a>>, Error> {
    fields::each(name, list, |_, vector| Vector::read(vector))
}

/// Reads `meta`, which holds what is billed.
pub(crate) fn read_usage(meta: &mut Cursor<'_>, into: &mut Usage) -> Option<()> {
    let mut is_reported = false;
    let (mut texts, mut images) = (0, 0);
    meta.object(|name, value| {
        match name {
            b"billed_units" => value.object_or_skip(|name, value| {
                is_reported = true;
                match name {
                    b"input_tokens" => Usage::set(&mut texts, value.count()?),
                    b"image_tokens" => Usage::set(&mut images, value.count()?),
                    b"search_units" => Usage::set(&mut into.search_units, value.count()?),
                    _ => drop(value.value()?),
                }
                Some(())
            })?,
            _ => drop(value.value()?),
        }
        Some(())
    })?;
    into.reported = is_reported;
    into.image_input = images;
    into.input = texts.saturating_add(images);
    into.total = into.input;
    Some(())
}

/// Writes a reply with a list for each spelling that was asked for.
fn write_by_type(
    reply: &Reply<'_>,
    options: &ReplyOptions<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut object = Object::new(out);
    object.text("id", reply.id.as_ref().unwrap_or(&options.id.into()));
    write_lists(reply, options, object.object("embeddings"))?;
    object.str("response_type", "embeddings_by_type");
    let mut meta = object.object("meta");
    meta.object("api_version").str("version", "2");
    if reply.usage.reported {
        write_billed_units(&reply.usage, meta.object("billed_units"));
    }
    Ok(())
}

fn write_billed_units(usage: &Usage, mut units: Object<'_>) {
    units.u64("input_tokens", usage.input.saturating_sub(usage.image_input));
    if usage.image_input > 0 {
        units.u64("image_tokens", usage.image_input);
    }
}

/// As on Bedrock: one list of floats unless types were asked for.
fn write_bedrock_reply(
    reply: &Reply<'_>,
    options: &ReplyOptions<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut object = Object::new(out);
    object.text("id", reply.id.as_ref().unwrap_or(&options.id.into()));
    if options.notes.number_formats.is_empty() {
        let floats = reply.floats(Dialect::BedrockCohereEmbed)?;
        write_list(floats, NumberFormat::Float, object.key("embeddings"))
            .map_err(|error| error.in_member("embeddings"))?;
        object.str("response_type", "embeddings_floats");
        return Ok(());
    }
    write_lists(reply, options, object.object("embeddings"))?;
    object.str("response_type", "embeddings_by_type");
    Ok(())
}

fn write_lists(
    reply: &Reply<'_>,
    options: &ReplyOptions<'_>,
    mut lists: Object<'_>,
) -> Result<(), Error> {
    let asked = match &options.notes.number_formats[..] {
        [] => &[NumberFormat::Float],
        asked => asked,
    };
    for format in asked {
        let word = word_of_format(*format);
        let fail = |error: Error| error.in_member(word).in_member("embeddings");
        let list = reply.list(*format).ok_or_else(|| fail(Error::new(What::Missing)))?;
        write_list(&list.vectors, *format, lists.key(word)).map_err(fail)?;
    }
    Ok(())
}

fn write_list(
    vectors: &[Vector<'_>],
    format: NumberFormat,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut list = crate::json::Array::new(out);
    for (position, vector) in vectors.iter().enumerate() {
        let out = list.element();
        match format {
            NumberFormat::Base64 => vector.write_base64(out),
            NumberFormat::Float
            | NumberFormat::Int8
            | NumberFormat::Uint8
            | NumberFormat::Binary
            | NumberFormat::Ubinary => vector.write_numbers(out),
        }
        .map_err(|error| error.in_element(position))?;
    }
    Ok(())
}
