//! `POST /v2/rerank` of Cohere.

use memchr::memmem::Finder;

use super::{Document, Reply, Request, Reranking, read_ranked};
use crate::Dialect;
use crate::cohere_chat;
use crate::embedding::cohere::read_usage;
use crate::error::Error;
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace, Whole};
use crate::json::{Cursor, Object, Raw};
use crate::options::{Notes, ReplyOptions, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "cohere_rerank",
    framing: Framing::Sse,
    code: Code::Rerank(Whole::<Reranking> { read_request, write_request, read_reply, write_reply }),
    errors: cohere_chat::ERRORS,
    usage: UsagePlace::outermost("meta", || Finder::new("\"meta\""), read_usage),
    event_class: |_, _| EventClass::Output,
};

/// Members with a meaning in the vendor's API only; some of its first version.
const OWN_MEMBERS: &[&str] = &["priority", "rank_fields", "max_chunks_per_doc"];

fn read_request<'a>(root: Raw<'a>) -> Result<Request<'a>, Error> {
    fields::object("", root)?;
    let mut request = Request::new(Dialect::CohereRerank);
    request.query = fields::required_text(root, "query")?;
    let documents = fields::required(root, "documents")?;
    request.documents = fields::each("documents", documents, |_, it| Document::read(it))?;
    for (name, value) in root.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            // The model to write is the caller's choice, and fallbacks are the gateway's own business.
            "model" | "fallbacks" | "query" | "documents" => {}
            "top_n" => request.results_max = Some(fields::number(&name, value)?),
            "max_tokens_per_doc" => {
                request.tokens_per_document_max = Some(fields::number(&name, value)?);
            }
            "return_documents" => request.wants_documents = Some(fields::boolean(&name, value)?),
            "extra_params" => request.extra.extend(fields::object(&name, value)?.members()),
            _ => request.keep(OWN_MEMBERS, &name, value),
        }
    }
    Ok(request)
}

/// Writes a request. The API's second version takes strings as documents and returns none; the first had objects, and
/// returned them.
fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut body = Object::new(out);
    body.str("model", options.model);
    body.text("query", &request.query);
    let is_own = request.source == Dialect::CohereRerank;
    if is_own {
        request.write_spelt(body.array("documents"));
    } else {
        request.write_texts(body.array("documents"));
    }
    body.raw_if("top_n", request.results_max);
    body.raw_if("max_tokens_per_doc", request.tokens_per_document_max);
    if let Some(wants_documents) = request.wants_documents.filter(|_| is_own) {
        body.bool("return_documents", wants_documents);
    }
    request.note_documents(notes);
    for (name, value) in &request.rest {
        // The product's own route has the priority from here.
        match &**name {
            "priority" => body.raw(name, *value),
            name if is_own => body.raw(name, *value),
            name => notes.drop(name),
        }
    }
    request.write_extra(Dialect::CohereRerank, notes, &mut body);
    Ok(())
}

fn read_reply<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let results = fields::required(root, "results")?;
    let mut reply = Reply {
        id: fields::lenient_text(root, "id"),
        results: fields::each("results", results, |_, it| read_ranked(it, "relevance_score"))?,
        ..Reply::default()
    };
    if let Some(meta) = root.member("meta") {
        read_usage(&mut Cursor::new(meta.text().as_bytes()), &mut reply.usage);
    }
    Ok(reply)
}

fn write_reply(
    reply: &Reply<'_>,
    options: &ReplyOptions<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut object = Object::new(out);
    object.text("id", reply.id.as_ref().unwrap_or(&options.id.into()));
    let mut results = object.array("results");
    for ranked in &reply.results {
        ranked.write("relevance_score", options.notes, &mut results.object());
    }
    drop(results);
    let mut meta = object.object("meta");
    meta.object("api_version").str("version", "2");
    if reply.usage.reported {
        let mut units = meta.object("billed_units");
        if reply.usage.search_units > 0 {
            units.u64("search_units", reply.usage.search_units);
        }
        if reply.usage.input > 0 {
            units.u64("input_tokens", reply.usage.input);
        }
    }
    Ok(())
}
