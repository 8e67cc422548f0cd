//! `POST …/embeddings` as OpenAI defined it and most hosts copy it.

use memchr::memmem::Finder;

use super::{Embedding, Input, InputType, Piece, Reply, Request, Truncate, Vector, VectorList};
use crate::Dialect;
use crate::canonical::{Source, Usage};
use crate::error::{Error, What};
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace, Whole};
use crate::json::{Cursor, Object, Raw, Text};
use crate::openai_chat;
use crate::options::{Notes, NumberFormat, ReplyOptions, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "openai_embeddings",
    framing: Framing::Sse,
    code: Code::Embedding(Whole::<Embedding> {
        read_request,
        write_request,
        read_reply,
        write_reply,
    }),
    errors: openai_chat::ERRORS,
    usage: UsagePlace::outermost("usage", || Finder::new("\"usage\""), read_usage),
    event_class: |_, _| EventClass::Output,
};

/// The member that says how numbers are spelt.
pub(super) const ENCODING: &str = "encoding_format";

/// Members with a meaning in the vendor's API only.
const OWN_MEMBERS: &[&str] = &[ENCODING, "input_type", "task_type", "title", "truncate"];

/// Reads a request. `input_type`, `task_type`, `title` and `truncate` are not OpenAI's: they say to a vendor that knows
/// them what its own API would be told.
fn read_request<'a>(root: Raw<'a>) -> Result<Request<'a>, Error> {
    fields::object("", root)?;
    let mut request = Request::new(Dialect::OpenAiEmbeddings, "input");
    request.inputs = read_inputs(fields::required(root, "input")?)?;
    for (name, value) in root.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            // The model to write is the caller's choice, and fallbacks are the gateway's own business.
            "model" | "fallbacks" | "input" => {}
            // The second name is that of Mistral, Voyage and Cohere.
            "dimensions" | "output_dimension" => {
                request.dimensions = Some(fields::number(&name, value)?);
            }
            "user" => request.user = Some(fields::text(&name, value)?),
            ENCODING => match &*fields::text(&name, value)?.plain() {
                "float" => request.formats = vec![NumberFormat::Float],
                "base64" => request.formats = vec![NumberFormat::Base64],
                _ => request.keep(OWN_MEMBERS, &name, value),
            },
            "input_type" | "task_type" => {
                request.input_type = Some(read_input_type(fields::text(&name, value)?));
                request.keep(OWN_MEMBERS, &name, value);
            }
            "title" => {
                request.title = Some(fields::text(&name, value)?);
                request.keep(OWN_MEMBERS, &name, value);
            }
            "truncate" => {
                request.truncate = value.as_str().and_then(|word| Truncate::from_word(&word));
                request.keep(OWN_MEMBERS, &name, value);
            }
            "extra_params" => request.extra.extend(fields::object(&name, value)?.members()),
            _ => request.keep(OWN_MEMBERS, &name, value),
        }
    }
    Ok(request)
}

/// A text, an array of texts, an array of token numbers, or an array of such arrays. Hosts of models that read images
/// take objects with `content`, too.
fn read_inputs<'a>(input: Raw<'a>) -> Result<Vec<Input<'a>>, Error> {
    if let Some(text) = input.as_text() {
        return Ok(vec![Input::Text(text)]);
    }
    let first = fields::array("input", input)?.elements().next();
    if first.is_some_and(|first| first.as_i64().is_some()) {
        check_tokens(input).map_err(|error| error.in_member("input"))?;
        return Ok(vec![Input::Tokens(input)]);
    }
    fields::each("input", input, |_, element| read_input(element))
}

fn read_input<'a>(element: Raw<'a>) -> Result<Input<'a>, Error> {
    if let Some(text) = element.as_text() {
        return Ok(Input::Text(text));
    }
    if element.is_array() {
        check_tokens(element)?;
        return Ok(Input::Tokens(element));
    }
    match element.member("content") {
        Some(content) => {
            fields::each("content", content, |_, piece| Ok(read_piece(piece))).map(Input::Pieces)
        }
        None => Err(Error::new(What::WrongType("a string or an array of token numbers"))),
    }
}

fn check_tokens(tokens: Raw<'_>) -> Result<(), Error> {
    match tokens.elements().position(|token| token.as_u64().is_none()) {
        Some(position) => Err(Error::new(What::WrongType("a token number")).in_element(position)),
        None => Ok(()),
    }
}

/// `{type: "text", text}` or `{type: "image_url", image_url: {url}}`; the URL may stand there without an object.
pub(super) fn read_piece<'a>(piece: Raw<'a>) -> Piece<'a> {
    let image = || {
        let image = piece.member("image_url")?;
        image.as_text().or_else(|| fields::lenient_text(image, "url"))
    };
    if let Some(text) = fields::lenient_text(piece, "text") {
        return Piece::Text(text);
    }
    match image() {
        Some(url) => Piece::Image(Source::from_url(url)),
        None => Piece::Other(piece),
    }
}

/// The words of Cohere, Voyage and Nvidia, and those of Gemini.
fn read_input_type(word: Text<'_>) -> InputType<'_> {
    match &*word.plain() {
        "query" => InputType::Query,
        "document" | "passage" => InputType::Document,
        _ => match super::cohere::input_type_of_word(word) {
            InputType::Other(word) => super::gemini::input_type_of_word(word),
            known => known,
        },
    }
}

impl Truncate {
    /// Cohere's words, which others took over.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        match word {
            "NONE" | "none" => Some(Self::Never),
            "START" | "start" => Some(Self::Start),
            "END" | "end" => Some(Self::End),
            _ => None,
        }
    }
}

fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut body = Object::new(out);
    body.str("model", options.model);
    write_inputs(request, options, body.key("input"))?;
    body.raw_if("dimensions", request.dimensions);
    request.check_formats(Dialect::OpenAiEmbeddings)?;
    notes.number_formats.clone_from(&request.formats);
    match &request.formats[..] {
        [] => {}
        [NumberFormat::Base64] => body.str(ENCODING, "base64"),
        _ => body.str(ENCODING, "float"),
    }
    body.text_if("user", request.user.as_ref());
    if request.source != Dialect::OpenAiEmbeddings {
        request.note_dropped(notes, &["input_type", "title", "truncate"]);
    }
    request.write_rest(Dialect::OpenAiEmbeddings, notes, &mut body)
}

fn write_inputs(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    if let [Input::Text(text)] = &request.inputs[..] {
        text.write(out);
        return Ok(());
    }
    if let [Input::Tokens(tokens)] = &request.inputs[..] {
        out.extend_from_slice(tokens.text().as_bytes());
        return Ok(());
    }
    let mut array = crate::json::Array::new(out);
    for (position, input) in request.inputs.iter().enumerate() {
        match (input, input.as_text()) {
            (Input::Tokens(tokens), _) => array.raw(*tokens),
            (_, Some(text)) => array.text(&text),
            // OpenAI itself has no model that reads images here.
            (Input::Pieces(pieces), None) if !options.openai.is_original => {
                write_pieces(pieces, array.object())
                    .ok_or_else(|| request.refuse(position, Dialect::OpenAiEmbeddings))?;
            }
            (Input::Text(_) | Input::Pieces(_), None) => {
                return Err(request.refuse(position, Dialect::OpenAiEmbeddings));
            }
        }
    }
    Ok(())
}

/// Writes an input of several pieces; nothing if there is one that cannot be said.
pub(super) fn write_pieces(pieces: &[Piece<'_>], mut input: Object<'_>) -> Option<()> {
    let mut content = input.array("content");
    for piece in pieces {
        let mut object = content.object();
        match piece {
            Piece::Text(text) => {
                object.str("type", "text");
                object.text("text", text);
            }
            Piece::Image(source) => {
                object.str("type", "image_url");
                object.object("image_url").text("url", &url_of(source)?);
            }
            Piece::Other(_) => return None,
        }
    }
    Some(())
}

/// The URL of an image, a `data:` URL where it has none.
pub(super) fn url_of<'a>(source: &Source<'a>) -> Option<Text<'a>> {
    match source {
        Source::Url(url) => Some(url.clone()),
        Source::Base64 { media_type, data } => {
            Some(format!("data:{};base64,{}", media_type.plain(), data.plain()).into())
        }
        Source::FileId(_) | Source::Plain(_) | Source::Parts(_) => None,
    }
}

fn read_reply<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let data = fields::array("data", fields::required(root, "data")?)?;
    let mut numbered = Vec::new();
    for (position, element) in data.elements().enumerate() {
        let vector = fields::required(element, "embedding")
            .and_then(|vector| Vector::read(vector).map_err(|error| error.in_member("embedding")))
            .map_err(|error| error.in_element(position).in_member("data"))?;
        let index = element.member("index").and_then(|index| index.as_u64());
        numbered.push((index.unwrap_or(position as u64), vector));
    }
    numbered.sort_by_key(|(index, _)| *index);
    let vectors: Vec<Vector<'_>> = numbered.into_iter().map(|(_, vector)| vector).collect();
    let format = vectors.first().map_or(NumberFormat::Float, Vector::format);
    let mut reply = Reply {
        id: fields::lenient_text(root, "id"),
        model: fields::lenient_text(root, "model"),
        lists: vec![VectorList { format, vectors }],
        ..Reply::default()
    };
    if let Some(usage) = root.member("usage") {
        read_usage(&mut Cursor::new(usage.text().as_bytes()), &mut reply.usage);
    }
    Ok(reply)
}

/// Some hosts report the total alone: all of it is input.
pub(super) fn read_usage(usage: &mut Cursor<'_>, into: &mut Usage) -> Option<()> {
    openai_chat::read_usage(usage, into)?;
    if into.input == 0 {
        into.input = into.total.saturating_sub(into.output);
    }
    Some(())
}

fn write_reply(
    reply: &Reply<'_>,
    options: &ReplyOptions<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let format = match &options.notes.number_formats[..] {
        [NumberFormat::Base64, ..] => NumberFormat::Base64,
        _ => NumberFormat::Float,
    };
    let target = Dialect::OpenAiEmbeddings;
    let list =
        reply.list(format).ok_or_else(|| Error::at("embeddings", What::Inexpressible(target)))?;
    let mut object = Object::new(out);
    object.str("object", "list");
    let mut data = object.array("data");
    for (index, vector) in list.vectors.iter().enumerate() {
        let mut element = data.object();
        element.str("object", "embedding");
        element.u64("index", index as u64);
        let out = element.key("embedding");
        let written = match format {
            NumberFormat::Base64 => vector.write_base64(out),
            _ => vector.write_numbers(out),
        };
        written.map_err(|error| error.in_element(index).in_member("embeddings"))?;
    }
    drop(data);
    match options.model {
        Some(model) => object.str("model", model),
        None => object.text("model", reply.model.as_ref().unwrap_or(&Text::default())),
    }
    let mut usage = object.object("usage");
    usage.u64("prompt_tokens", reply.usage.input);
    usage.u64("total_tokens", reply.usage.total);
    drop(usage);
    object.members(options.trailer);
    Ok(())
}
