//! `:embedContent` and `:batchEmbedContents` of Gemini, which Vertex AI has taken over: one content, and many.

use std::borrow::Cow;

use memchr::memmem::Finder;

use super::{Embedding, Input, InputType, Piece, Reply, Request, Truncate, Vector, check_alike};
use crate::Dialect;
use crate::canonical::{Source, Usage};
use crate::error::Error;
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace, Whole};
use crate::gemini;
use crate::json::{Cursor, Object, Raw, Text};
use crate::options::{Notes, ReplyOptions, RequestOptions};

/// `:embedContent`.
pub(crate) static SINGLE: Format = Format {
    name: "gemini_embed_content",
    framing: Framing::Sse,
    code: Code::Embedding(Whole::<Embedding> {
        read_request: read_single,
        write_request: write_single,
        read_reply: read_single_reply,
        write_reply: write_single_reply,
    }),
    errors: gemini::ERRORS,
    usage: usage_place(),
    event_class: |_, _| EventClass::Output,
};

/// `:batchEmbedContents`.
pub(crate) static BATCH: Format = Format {
    name: "gemini_batch_embed",
    framing: Framing::Sse,
    code: Code::Embedding(Whole::<Embedding> {
        read_request: read_batch,
        write_request: write_batch,
        read_reply: read_batch_reply,
        write_reply: write_batch_reply,
    }),
    errors: gemini::ERRORS,
    usage: usage_place(),
    event_class: |_, _| EventClass::Output,
};

const fn usage_place() -> UsagePlace {
    UsagePlace::outermost("usageMetadata", || Finder::new("\"usageMetadata\""), read_usage)
}

/// The vendor's words for what vectors are for.
const TASK_TYPES: &[(&str, InputType<'static>)] = &[
    ("RETRIEVAL_DOCUMENT", InputType::Document),
    ("RETRIEVAL_QUERY", InputType::Query),
    ("CLASSIFICATION", InputType::Classification),
    ("CLUSTERING", InputType::Clustering),
    ("SEMANTIC_SIMILARITY", InputType::Similarity),
    ("QUESTION_ANSWERING", InputType::QuestionAnswering),
    ("FACT_VERIFICATION", InputType::FactVerification),
    ("CODE_RETRIEVAL_QUERY", InputType::CodeQuery),
];

pub(super) fn input_type_of_word(word: Text<'_>) -> InputType<'_> {
    let known = TASK_TYPES.iter().find(|(known, _)| word == **known);
    known.map_or(InputType::Other(word), |(_, input_type)| input_type.clone())
}

/// The word for it; `None` where the vendor has none.
pub(super) fn word_of_input_type<'t>(
    input_type: &'t InputType<'_>,
    is_own: bool,
) -> Option<Cow<'t, str>> {
    let known = TASK_TYPES.iter().find(|(_, known)| known == input_type);
    match (known, input_type) {
        (Some((word, _)), _) => Some((*word).into()),
        (None, InputType::Other(word)) if is_own => Some(word.plain()),
        (None, _) => None,
    }
}

fn read_single<'a>(root: Raw<'a>) -> Result<Request<'a>, Error> {
    let mut request = Request::new(Dialect::GeminiEmbedContent, "content");
    read_item(fields::object("", root)?, &mut request)?;
    Ok(request)
}

/// The object that may hold the settings.
const CONFIG: &str = "embedContentConfig";

/// The settings with a common meaning, as they are named in that object.
const CONFIG_MEMBERS: &[&str] = &["autoTruncate", "outputDimensionality", "taskType", "title"];

/// The settings without one, by their full names.
pub(super) fn settings_without_meaning(name: &str, value: Raw<'_>) -> Vec<String> {
    if name != CONFIG {
        return vec![name.to_owned()];
    }
    let others = value.members().filter(|(name, _)| !CONFIG_MEMBERS.contains(&&**name));
    others.map(|(name, _)| format!("{CONFIG}.{name}")).collect()
}

/// One content and how it is to be embedded. The vendor takes names in camel case and in snake case.
fn read_item<'a>(item: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    request.inputs.push(read_content(fields::required(item, "content")?)?);
    for (name, value) in item.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            "model" | "fallbacks" | "content" => {}
            // Clients for Vertex AI put the settings into an object.
            CONFIG => {
                for (name, value) in fields::object(&name, value)?.members() {
                    if CONFIG_MEMBERS.contains(&&*name) && !value.is_null() {
                        read_setting(name, value, request)
                            .map_err(|error| error.in_member(CONFIG))?;
                    }
                }
                request.rest.push((name, value));
            }
            _ => read_setting(name, value, request)?,
        }
    }
    Ok(())
}

fn read_setting<'a>(
    name: Cow<'a, str>,
    value: Raw<'a>,
    request: &mut Request<'a>,
) -> Result<(), Error> {
    match &*name {
        "taskType" | "task_type" => {
            let word = fields::text(&name, value)?;
            request.input_type = Some(input_type_of_word(word))
                .filter(|word| *word != InputType::Other("TASK_TYPE_UNSPECIFIED".into()));
        }
        "title" => request.title = Some(fields::text(&name, value)?),
        "outputDimensionality" | "output_dimensionality" => {
            request.dimensions = Some(fields::number(&name, value)?);
        }
        "autoTruncate" | "auto_truncate" => {
            request.truncate = Some(read_auto_truncate(fields::boolean(&name, value)?));
        }
        "extra_params" => request.extra.extend(fields::object(&name, value)?.members()),
        _ => request.rest.push((name, value)),
    }
    Ok(())
}

pub(super) fn read_auto_truncate(is_cut: bool) -> Truncate {
    if is_cut { Truncate::End } else { Truncate::Never }
}

/// `{parts: […]}`, or one part for a list of one.
fn read_content<'a>(content: Raw<'a>) -> Result<Input<'a>, Error> {
    if let Some(text) = content.as_text() {
        return Ok(Input::Text(text));
    }
    let fail = |error: Error| error.in_member("content");
    let parts = fields::required(content, "parts").map_err(fail)?;
    let mut pieces: Vec<Piece<'_>> = match parts.is_object() {
        true => vec![read_part(parts)],
        false => fields::each("parts", parts, |_, part| Ok(read_part(part))).map_err(fail)?,
    };
    Ok(match (pieces.pop(), pieces.is_empty()) {
        (Some(Piece::Text(text)), true) => Input::Text(text),
        (last, _) => {
            pieces.extend(last);
            Input::Pieces(pieces)
        }
    })
}

fn read_part<'a>(part: Raw<'a>) -> Piece<'a> {
    let inline = part.member("inlineData").or_else(|| part.member("inline_data"));
    let image = || {
        let inline = inline?;
        let kind = ["mimeType", "mime_type"].iter();
        let media_type = kind.into_iter().find_map(|name| fields::lenient_text(inline, name))?;
        let data = fields::lenient_text(inline, "data")?;
        let is_image = media_type.plain().starts_with("image/");
        is_image.then_some(Source::Base64 { media_type, data })
    };
    match fields::lenient_text(part, "text") {
        Some(text) => Piece::Text(text),
        None => image().map_or(Piece::Other(part), Piece::Image),
    }
}

fn read_batch<'a>(root: Raw<'a>) -> Result<Request<'a>, Error> {
    let mut request = Request::new(Dialect::GeminiBatchEmbed, "requests");
    let requests = fields::required(fields::object("", root)?, "requests")?;
    let mut first: Option<Raw<'a>> = None;
    fields::each("requests", requests, |_, item| match first {
        None => {
            first = Some(item);
            read_item(item, &mut request)
        }
        Some(first) => {
            check_alike(first, item)?;
            request.inputs.push(read_content(fields::required(item, "content")?)?);
            Ok(())
        }
    })?;
    for (name, value) in root.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            "model" | "fallbacks" | "requests" => {}
            "extra_params" => request.extra.extend(fields::object(&name, value)?.members()),
            _ => request.extra.push((name, value)),
        }
    }
    Ok(request)
}

fn write_single(
    request: &Request<'_>,
    _: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let target = Dialect::GeminiEmbedContent;
    let input = request.only_input(target)?;
    let mut body = Object::new(out);
    write_item(&Item { request, input, position: 0, target }, &mut body)?;
    note(request, target, notes)?;
    request.write_rest(target, notes, &mut body)
}

fn write_batch(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let target = Dialect::GeminiBatchEmbed;
    let mut body = Object::new(out);
    let mut requests = body.array("requests");
    for (position, input) in request.inputs.iter().enumerate() {
        let mut item = requests.object();
        // The method wants the model, which is in the path, once more in each request.
        write_model(options.model, item.key("model"));
        write_item(&Item { request, input, position, target }, &mut item)?;
        if request.source == target {
            request.rest.iter().for_each(|(name, value)| item.raw(name, *value));
        }
    }
    drop(requests);
    note(request, target, notes)?;
    if request.source == target {
        request.extra.iter().for_each(|(name, value)| body.raw(name, *value));
        return Ok(());
    }
    request.write_rest(target, notes, &mut body)
}

fn write_model(model: &str, out: &mut Vec<u8>) {
    let head = if model.starts_with("models/") { "" } else { "models/" };
    out.push(b'"');
    crate::json::write_str(head, out);
    crate::json::write_str(model, out);
    out.push(b'"');
}

/// One input on its way out.
struct Item<'i, 'a> {
    request: &'i Request<'a>,
    input: &'i Input<'a>,
    position: usize,
    target: Dialect,
}

fn write_item(item: &Item<'_, '_>, body: &mut Object<'_>) -> Result<(), Error> {
    let request = item.request;
    write_content(item, body.object("content"))?;
    // Whoever put the settings into an object gets them written there, with the rest.
    if request.source == item.target && request.rest.iter().any(|(name, _)| name == CONFIG) {
        return Ok(());
    }
    let input_type = request.input_type.as_ref();
    if let Some(word) = input_type.and_then(|it| word_of_input_type(it, is_gemini(request.source)))
    {
        body.str("taskType", &word);
    }
    body.text_if("title", request.title.as_ref());
    body.raw_if("outputDimensionality", request.dimensions);
    // Only Vertex AI takes it; elsewhere it may be said by those who speak the dialect themselves.
    if is_gemini(request.source)
        && let Some(truncate) = request.truncate
    {
        body.bool("autoTruncate", truncate != Truncate::Never);
    }
    Ok(())
}

fn is_gemini(dialect: Dialect) -> bool {
    matches!(dialect, Dialect::GeminiEmbedContent | Dialect::GeminiBatchEmbed)
}

fn write_content(item: &Item<'_, '_>, mut content: Object<'_>) -> Result<(), Error> {
    let refuse = || item.request.refuse(item.position, item.target);
    let mut parts = content.array("parts");
    match item.input {
        Input::Text(text) => parts.object().text("text", text),
        Input::Tokens(_) => return Err(refuse()),
        Input::Pieces(pieces) => {
            for piece in pieces {
                match piece {
                    Piece::Text(text) => parts.object().text("text", text),
                    Piece::Image(Source::Base64 { media_type, data }) => {
                        let mut part = parts.object();
                        let mut inline = part.object("inlineData");
                        inline.text("mimeType", media_type);
                        inline.text("data", data);
                    }
                    Piece::Other(raw) if is_gemini(item.request.source) => parts.raw(*raw),
                    Piece::Image(_) | Piece::Other(_) => return Err(refuse()),
                }
            }
        }
    }
    Ok(())
}

/// Notes what the dialect cannot say.
fn note(request: &Request<'_>, target: Dialect, notes: &mut Notes) -> Result<(), Error> {
    request.check_formats(target)?;
    notes.number_formats.clone_from(&request.formats);
    let input_type = request.input_type.as_ref();
    if input_type.is_some_and(|it| word_of_input_type(it, is_gemini(request.source)).is_none()) {
        request.note_dropped(notes, &["input_type"]);
    }
    let dropped: &[&str] = if is_gemini(request.source) { &[] } else { &["truncate", "user"] };
    request.note_dropped(notes, dropped);
    Ok(())
}

fn read_single_reply<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let vector = read_values(fields::required(root, "embedding")?)
        .map_err(|error| error.in_member("embedding"))?;
    Ok(Reply {
        lists: Reply::float_list(vec![vector]),
        usage: read_reply_usage(root),
        ..Reply::default()
    })
}

fn read_batch_reply<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let embeddings = fields::required(root, "embeddings")?;
    let vectors = fields::each("embeddings", embeddings, |_, element| read_values(element))?;
    Ok(Reply {
        lists: Reply::float_list(vectors),
        usage: read_reply_usage(root),
        ..Reply::default()
    })
}

fn read_values<'a>(embedding: Raw<'a>) -> Result<Vector<'a>, Error> {
    let values = fields::required(embedding, "values")?;
    Vector::read(values).map_err(|error| error.in_member("values"))
}

fn read_reply_usage(root: Raw<'_>) -> Usage {
    let mut usage = Usage::default();
    if let Some(reported) = root.member("usageMetadata") {
        read_usage(&mut Cursor::new(reported.text().as_bytes()), &mut usage);
    }
    usage
}

fn read_usage(usage: &mut Cursor<'_>, into: &mut Usage) -> Option<()> {
    let mut total = None;
    usage.object(|name, value| {
        match name {
            b"promptTokenCount" => Usage::set(&mut into.input, value.count()?),
            b"totalTokenCount" => total = value.count()?,
            _ => drop(value.value()?),
        }
        Some(())
    })?;
    into.reported = true;
    into.total = into.input;
    Usage::set(&mut into.total, total);
    Some(())
}

fn write_single_reply(
    reply: &Reply<'_>,
    _: &ReplyOptions<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let vector = reply.only_float(Dialect::GeminiEmbedContent)?;
    let mut object = Object::new(out);
    write_values(vector, object.object("embedding"))
        .map_err(|error| error.in_member("embedding"))?;
    write_usage(&reply.usage, &mut object);
    Ok(())
}

fn write_batch_reply(
    reply: &Reply<'_>,
    _: &ReplyOptions<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let vectors = reply.floats(Dialect::GeminiBatchEmbed)?;
    let mut object = Object::new(out);
    let mut embeddings = object.array("embeddings");
    for (position, vector) in vectors.iter().enumerate() {
        write_values(vector, embeddings.object())
            .map_err(|error| error.in_element(position).in_member("embeddings"))?;
    }
    drop(embeddings);
    write_usage(&reply.usage, &mut object);
    Ok(())
}

fn write_values(vector: &Vector<'_>, mut embedding: Object<'_>) -> Result<(), Error> {
    vector.write_numbers(embedding.key("values"))
}

fn write_usage(usage: &Usage, object: &mut Object<'_>) {
    if usage.reported {
        let mut metadata = object.object("usageMetadata");
        metadata.u64("promptTokenCount", usage.input);
        metadata.u64("totalTokenCount", usage.total);
    }
}
