//! Reranking as Jina first had it and vLLM, OpenRouter, llama.cpp and others took it over, and the product's own
//! `/v1/rerank`, which differs in what a document may be: an object with a text, an id and more.

use memchr::memmem::Finder;

use super::{Document, Reply, Request, Reranking, read_ranked};
use crate::Dialect;
use crate::canonical::Usage;
use crate::error::{Error, What};
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace, Whole};
use crate::json::{Cursor, Object, Raw, Text};
use crate::openai_chat;
use crate::options::{Notes, ReplyOptions, RequestOptions};

/// The hosts' endpoint.
pub(crate) static FORMAT: Format = Format {
    name: "jina_rerank",
    framing: Framing::Sse,
    code: Code::Rerank(Whole::<Reranking> {
        read_request: |root| read_request(root, Dialect::JinaRerank),
        write_request: write_host_request,
        read_reply,
        write_reply,
    }),
    errors: openai_chat::ERRORS,
    usage: usage_place(),
    event_class: |_, _| EventClass::Output,
};

/// The product's own route.
pub(crate) static PRODUCT: Format = Format {
    name: "rerank",
    framing: Framing::Sse,
    code: Code::Rerank(Whole::<Reranking> {
        read_request: |root| read_request(root, Dialect::Rerank),
        write_request: write_product_request,
        read_reply,
        write_reply,
    }),
    errors: openai_chat::ERRORS,
    usage: usage_place(),
    event_class: |_, _| EventClass::Output,
};

const fn usage_place() -> UsagePlace {
    UsagePlace::outermost("usage", || Finder::new("\"usage\""), read_usage)
}

/// Members with a meaning in some of these hosts only.
const OWN_MEMBERS: &[&str] = &["priority", "truncation", "truncate_prompt_tokens"];

fn read_request<'a>(root: Raw<'a>, source: Dialect) -> Result<Request<'a>, Error> {
    fields::object("", root)?;
    let mut request = Request::new(source);
    request.query = fields::required_text(root, "query")?;
    let documents = fields::required(root, "documents")?;
    request.documents = fields::each("documents", documents, |_, it| Document::read(it))?;
    for (name, value) in root.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            // The model to write is the caller's choice, and fallbacks are the gateway's own business.
            "model" | "fallbacks" | "query" | "documents" => {}
            // The second name is that of Voyage.
            "top_n" | "top_k" => request.results_max = Some(fields::number(&name, value)?),
            "max_tokens_per_doc" => {
                request.tokens_per_document_max = Some(fields::number(&name, value)?);
            }
            "return_documents" => request.wants_documents = Some(fields::boolean(&name, value)?),
            "extra_params" => request.extra.extend(fields::object(&name, value)?.members()),
            _ => request.keep(OWN_MEMBERS, &name, value),
        }
    }
    check_product_request(&request)?;
    Ok(request)
}

/// What the product's own route refuses, whoever would have to answer.
fn check_product_request(request: &Request<'_>) -> Result<(), Error> {
    const COUNT: What = What::Invalid("must be at least 1");
    if request.source != Dialect::Rerank {
        return Ok(());
    }
    if request.documents.is_empty() {
        return Err(Error::at("documents", What::Missing));
    }
    let is_blank = |document: &Document<'_>| document.text().plain().trim().is_empty();
    if let Some(position) = request.documents.iter().position(is_blank) {
        let error = Error::at("text", What::Invalid("must not be blank"));
        return Err(error.in_element(position).in_member("documents"));
    }
    match request.results_max.map(|count| count.as_u64()) {
        Some(None | Some(0)) => Err(Error::at("top_n", COUNT)),
        Some(Some(_)) | None => Ok(()),
    }
}

/// Writes a request for a host: strings as documents, which they all take.
fn write_host_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let target = Dialect::JinaRerank;
    let mut body = head(request, options, out);
    request.write_texts(body.array("documents"));
    tail(request, &mut body);
    if request.source == target {
        body.raw_if("max_tokens_per_doc", request.tokens_per_document_max);
    } else {
        request.note_token_limit(notes);
    }
    request.note_documents(notes);
    request.write_rest(target, notes, &mut body);
    Ok(())
}

/// Writes a request for another gateway of this kind: the documents as they came.
fn write_product_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let target = Dialect::Rerank;
    let mut body = head(request, options, out);
    let mut documents = body.array("documents");
    if request.source == target {
        request.write_spelt(documents);
    } else {
        for document in &request.documents {
            let mut object = documents.object();
            object.text("text", &document.text());
            object.text_if("id", document.id.as_ref());
        }
        drop(documents);
    }
    tail(request, &mut body);
    body.raw_if("max_tokens_per_doc", request.tokens_per_document_max);
    request.note_documents(notes);
    request.write_rest(target, notes, &mut body);
    Ok(())
}

fn head<'w>(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    out: &'w mut Vec<u8>,
) -> Object<'w> {
    let mut body = Object::new(out);
    body.str("model", options.model);
    body.text("query", &request.query);
    body
}

fn tail(request: &Request<'_>, body: &mut Object<'_>) {
    body.raw_if("top_n", request.results_max);
    if let Some(wants_documents) = request.wants_documents {
        body.bool("return_documents", wants_documents);
    }
}

/// Reads a reply; Voyage calls the results `data`.
fn read_reply<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let (name, results) = match root.member("data") {
        Some(data) if root.member("results").is_none() => ("data", data),
        _ => ("results", fields::required(root, "results")?),
    };
    let mut reply = Reply {
        id: fields::lenient_text(root, "id"),
        model: fields::lenient_text(root, "model"),
        results: fields::each(name, results, |_, it| read_ranked(it, "relevance_score"))?,
        ..Reply::default()
    };
    if let Some(usage) = root.member("usage") {
        read_usage(&mut Cursor::new(usage.text().as_bytes()), &mut reply.usage);
    }
    Ok(reply)
}

/// Hosts report tokens, most of them only their total, or search units.
fn read_usage(usage: &mut Cursor<'_>, into: &mut Usage) -> Option<()> {
    let mut total = None;
    usage.object(|name, value| {
        match name {
            b"prompt_tokens" | b"input_tokens" => Usage::set(&mut into.input, value.count()?),
            b"completion_tokens" | b"output_tokens" => {
                Usage::set(&mut into.output, value.count()?);
            }
            b"total_tokens" => total = value.count()?,
            b"search_units" => Usage::set(&mut into.search_units, value.count()?),
            _ => drop(value.value()?),
        }
        Some(())
    })?;
    into.reported = true;
    into.total = into.input.saturating_add(into.output);
    Usage::set(&mut into.total, total);
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
    let mut object = Object::new(out);
    object.text("id", reply.id.as_ref().unwrap_or(&options.id.into()));
    match options.model {
        Some(model) => object.str("model", model),
        None => object.text("model", reply.model.as_ref().unwrap_or(&Text::default())),
    }
    let mut results = object.array("results");
    for ranked in &reply.results {
        ranked.write("relevance_score", options.notes, &mut results.object());
    }
    drop(results);
    if reply.usage.reported {
        let mut usage = object.object("usage");
        usage.u64("prompt_tokens", reply.usage.input);
        usage.u64("total_tokens", reply.usage.total);
        if reply.usage.search_units > 0 {
            usage.u64("search_units", reply.usage.search_units);
        }
    }
    object.members(options.trailer);
    Ok(())
}
