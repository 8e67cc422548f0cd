//! `:rank` of Google's Discovery Engine, which knows documents by ids and not by their numbers.

use super::{Content, Document, Ranked, Reply, Request, Reranking};
use crate::Dialect;
use crate::error::{Error, What};
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace, Whole};
use crate::gemini;
use crate::json::{Object, Raw, Text};
use crate::options::{Notes, ReplyOptions, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "vertex_rank",
    framing: Framing::Sse,
    code: Code::Rerank(Whole::<Reranking> { read_request, write_request, read_reply, write_reply }),
    errors: gemini::ERRORS,
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

/// Members with a meaning in the vendor's API only.
const OWN_MEMBERS: &[&str] = &["userLabels"];

/// Reads a request. Its caller gets the records back, with their ids, unless it does not want to.
fn read_request<'a>(root: Raw<'a>) -> Result<Request<'a>, Error> {
    fields::object("", root)?;
    let mut request = Request::new(Dialect::VertexRank);
    request.query = fields::required_text(root, "query")?;
    let records = fields::required(root, "records")?;
    request.documents = fields::each("records", records, |_, record| read_record(record))?;
    request.wants_documents = Some(true);
    for (name, value) in root.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            "model" | "fallbacks" | "query" | "records" => {}
            "topN" => request.results_max = Some(fields::number(&name, value)?),
            "ignoreRecordDetailsInResponse" => {
                request.wants_documents = Some(!fields::boolean(&name, value)?);
            }
            "extra_params" => request.extra.extend(fields::object(&name, value)?.members()),
            _ => request.keep(OWN_MEMBERS, &name, value),
        }
    }
    Ok(request)
}

fn read_record<'a>(record: Raw<'a>) -> Result<Document<'a>, Error> {
    let title = fields::lenient_text(record, "title");
    let content = fields::lenient_text(record, "content");
    let text = content.or_else(|| title.clone());
    Ok(Document {
        content: Content::Text(text.ok_or_else(|| Error::at("content", What::Missing))?),
        id: fields::lenient_text(record, "id"),
        title,
        raw: record,
    })
}

/// Writes a request in which the id of each record is its number.
fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut body = Object::new(out);
    body.str("model", options.model);
    body.text("query", &request.query);
    let mut records = body.array("records");
    for (position, document) in request.documents.iter().enumerate() {
        let mut record = records.object();
        let mut digits = itoa::Buffer::new();
        record.str("id", digits.format(position));
        record.text_if("title", document.title.as_ref());
        record.text("content", &document.text());
    }
    drop(records);
    body.raw_if("topN", request.results_max);
    // The documents are known here.
    body.bool("ignoreRecordDetailsInResponse", true);
    request.note_token_limit(notes);
    request.note_documents(notes);
    request.write_rest(Dialect::VertexRank, notes, &mut body);
    Ok(())
}

fn read_reply<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let records = fields::required(root, "records")?;
    let results = fields::each("records", records, |position, record| {
        let id = fields::required_text(record, "id")?;
        Ok(Ranked {
            // Ids that are no numbers are not ours: the order is all there is to go by.
            index: id.plain().parse().unwrap_or(position as u64),
            score: fields::number("score", fields::required(record, "score")?)?,
            text: fields::lenient_text(record, "content"),
        })
    })?;
    Ok(Reply { results, ..Reply::default() })
}

/// Writes a reply; the ids are the caller's where they were noted, else the numbers.
fn write_reply(
    reply: &Reply<'_>,
    options: &ReplyOptions<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut object = Object::new(out);
    let mut records = object.array("records");
    for ranked in &reply.results {
        let mut record = records.object();
        write_record(ranked, options, &mut record)?;
        record.raw("score", ranked.score);
    }
    Ok(())
}

fn write_record(
    ranked: &Ranked<'_>,
    options: &ReplyOptions<'_>,
    record: &mut Object<'_>,
) -> Result<(), Error> {
    let mut index = crate::json::Index::new();
    let noted = match ranked.noted(options.notes) {
        Some(noted) => Some(index.read(noted.as_bytes())?),
        None => None,
    };
    let text = |name| noted.and_then(|noted| fields::lenient_text(noted, name));
    let number = || Text::from(ranked.index.to_string());
    record.text("id", &text("id").unwrap_or_else(number));
    record.text_if("title", text("title").as_ref());
    record.text_if("content", text("content").or_else(|| ranked.text.clone()).as_ref());
    Ok(())
}
