//! `POST /rerank` of Bedrock's agent runtime.

use super::{Content, Document, Ranked, Reply, Request, Reranking, read_ranked};
use crate::Dialect;
use crate::bedrock_converse;
use crate::error::{Error, What};
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace, Whole};
use crate::json::{Array, Object, Raw};
use crate::options::{Notes, ReplyOptions, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "bedrock_rerank",
    framing: Framing::EventStream,
    code: Code::Rerank(Whole::<Reranking> { read_request, write_request, read_reply, write_reply }),
    errors: bedrock_converse::ERRORS,
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

/// The member that says how to rank.
const CONFIGURATION: &str = "rerankingConfiguration";
const BEDROCK_CONFIGURATION: &str = "bedrockRerankingConfiguration";
const MODEL_CONFIGURATION: &str = "modelConfiguration";
const MODEL_FIELDS: &str = "additionalModelRequestFields";

/// The limit per document, which Cohere's models take beside what all models take.
const TOKENS_MAX: &str = "max_tokens_per_doc";

fn read_request<'a>(root: Raw<'a>) -> Result<Request<'a>, Error> {
    fields::object("", root)?;
    let mut request = Request::new(Dialect::BedrockRerank);
    let queries = fields::required(root, "queries")?;
    let queries = fields::each("queries", queries, |_, query| {
        let text = fields::required(query, "textQuery")?;
        fields::required_text(text, "text").map_err(|error| error.in_member("textQuery"))
    })?;
    let [query] = &queries[..] else {
        return Err(Error::at("queries", What::Invalid("must hold one query")));
    };
    request.query = query.clone();
    let sources = fields::required(root, "sources")?;
    request.documents = fields::each("sources", sources, |_, source| read_source(source))?;
    for (name, value) in root.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            "fallbacks" | "queries" | "sources" => {}
            CONFIGURATION => {
                let how = fields::object(&name, value)?.member(BEDROCK_CONFIGURATION);
                read_configuration(how.unwrap_or(value), &mut request)?;
            }
            "extra_params" => request.extra.extend(fields::object(&name, value)?.members()),
            _ => request.extra.push((name, value)),
        }
    }
    Ok(request)
}

fn read_source<'a>(source: Raw<'a>) -> Result<Document<'a>, Error> {
    let document = fields::required(source, "inlineDocumentSource")?;
    let text = document.member("textDocument").and_then(|it| fields::lenient_text(it, "text"));
    let content = match (text, document.member("jsonDocument")) {
        (Some(text), _) => Content::Text(text),
        (None, Some(json)) => Content::Json(json),
        (None, None) => {
            return Err(Error::at("inlineDocumentSource.textDocument", What::Missing));
        }
    };
    Ok(Document { content, id: None, title: None, raw: document })
}

fn read_configuration<'a>(how: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    if let Some(count) = how.member("numberOfResults") {
        request.results_max = Some(fields::number("numberOfResults", count)?);
    }
    // What is for the model alone stays with it; its name is the caller's choice.
    let model = how.member(MODEL_CONFIGURATION);
    if let Some(more) = model.and_then(|model| model.member(MODEL_FIELDS)) {
        for (name, value) in more.members() {
            match &*name {
                TOKENS_MAX => {
                    request.tokens_per_document_max = Some(fields::number(TOKENS_MAX, value)?);
                }
                _ => request.rest.push((name, value)),
            }
        }
    }
    Ok(())
}

/// Writes a request; the model must be named by its ARN.
fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut body = Object::new(out);
    write_query(request, body.array("queries"));
    let mut sources = body.array("sources");
    request.documents.iter().for_each(|document| write_source(document, sources.object()));
    drop(sources);
    write_configuration(request, options, body.object(CONFIGURATION));
    request.note_documents(notes);
    if request.source != Dialect::BedrockRerank {
        request.rest.iter().for_each(|(name, _)| notes.drop(name));
    }
    request.write_extra(Dialect::BedrockRerank, notes, &mut body);
    Ok(())
}

fn write_configuration(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    mut configuration: Object<'_>,
) {
    configuration.str("type", "BEDROCK_RERANKING_MODEL");
    let mut how = configuration.object(BEDROCK_CONFIGURATION);
    how.raw_if("numberOfResults", request.results_max);
    let mut model = how.object(MODEL_CONFIGURATION);
    model.str("modelArn", options.model);
    write_model_fields(request, &mut model);
}

fn write_query(request: &Request<'_>, mut queries: Array<'_>) {
    let mut query = queries.object();
    query.str("type", "TEXT");
    query.object("textQuery").text("text", &request.query);
}

fn write_source(document: &Document<'_>, mut source: Object<'_>) {
    source.str("type", "INLINE");
    let mut inline = source.object("inlineDocumentSource");
    match &document.content {
        Content::Text(text) => {
            inline.str("type", "TEXT");
            inline.object("textDocument").text("text", text);
        }
        Content::Json(json) => {
            inline.str("type", "JSON");
            inline.raw("jsonDocument", *json);
        }
    }
}

/// What this model takes beyond what all take: most of it from those who speak the dialect themselves.
fn write_model_fields(request: &Request<'_>, model: &mut Object<'_>) {
    let is_own = request.source == Dialect::BedrockRerank;
    let own = if is_own { &request.rest[..] } else { &[] };
    if own.is_empty() && request.tokens_per_document_max.is_none() {
        return;
    }
    let mut more = model.object(MODEL_FIELDS);
    more.raw_if(TOKENS_MAX, request.tokens_per_document_max);
    own.iter().for_each(|(name, value)| more.raw(name, *value));
}

fn read_reply<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let results = fields::required(root, "results")?;
    let results = fields::each("results", results, |_, result| {
        let document = result.member("document").and_then(|it| it.member("textDocument"));
        let text = document.and_then(|it| fields::lenient_text(it, "text"));
        Ok(Ranked { text, ..read_ranked(result, "relevanceScore")? })
    })?;
    Ok(Reply { results, ..Reply::default() })
}

fn write_reply(reply: &Reply<'_>, _: &ReplyOptions<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
    let mut object = Object::new(out);
    let mut results = object.array("results");
    for ranked in &reply.results {
        let mut result = results.object();
        result.u64("index", ranked.index);
        result.raw("relevanceScore", ranked.score);
        if let Some(text) = &ranked.text {
            let mut document = result.object("document");
            document.str("type", "TEXT");
            document.object("textDocument").text("text", text);
        }
    }
    Ok(())
}
