//! What providers keep: files, batches, containers, cached beginnings of questions. One wire format for each vendor and
//! kind of thing; files and batches translate, by way of `thing.rs`.
//!
//! Unlike a question to a model, such a request says most in its method, path and query. So what is translated is a
//! [`ResourceRequest`], and the result is a [`ResourceCall`].

mod anthropic;
mod bedrock;
mod form;
mod gemini;
mod openai;
mod read;
mod thing;

use std::borrow::Cow;

use crate::Dialect;
use crate::error::{Error, What};
use crate::event_class::EventClass;
use crate::format::{Code, Errors, Format, Framing, Purpose, UsagePlace};
use crate::operation::Operation;
use crate::options::{Notes, ReplyOptions, RequestOptions};
use crate::{anthropic_messages, bedrock_converse, gemini as gemini_api, openai_chat};

use self::thing::{Ask, Question, Thing};

/// The functions of a format for things that are kept.
pub(crate) struct Resource {
    pub(crate) purpose: Purpose,
    read_ask: for<'a> fn(&ResourceRequest<'a>) -> Result<Ask<'a>, Error>,
    write_ask: fn(&Ask<'_>, &mut ResourceCall) -> Result<(), Error>,
    /// Reads the reply to an operation on the thing of an id.
    read_thing: fn(Operation, &[u8], &str) -> Result<Thing, Error>,
    write_thing: fn(&Thing, &mut Vec<u8>) -> Result<(), Error>,
    /// How ids of this format are spelt as one segment of a path, and back.
    path_safe: fn(&str) -> String,
    from_path_safe: fn(&str) -> String,
    /// Media type of the answers of a batch.
    answers_type: &'static str,
}

/// What a caller asks about something that a provider keeps.
#[derive(Clone, Copy, Debug)]
pub struct ResourceRequest<'a> {
    /// What is to be done.
    pub operation: Operation,
    /// The id in the path; empty where there is none.
    pub id: &'a str,
    /// Ids are spelt as one segment of a path.
    pub ids_are_path_safe: bool,
    /// The model that is named, without provider; may be empty.
    pub model: &'a str,
    /// The query, as it is encoded.
    pub query: &'a str,
    /// Of the body.
    pub content_type: &'a [u8],
    /// The whole body.
    pub body: &'a [u8],
}

/// How a provider is asked.
#[derive(Debug, Default)]
pub struct ResourceCall {
    /// What stands in the places of the path.
    pub values: Vec<(&'static str, String)>,
    /// The query, not yet encoded.
    pub query: Vec<(&'static str, String)>,
    /// Further headers, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// Of the body; empty where there is none.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

impl ResourceCall {
    fn value(&mut self, name: &'static str, value: &str) {
        self.values.push((name, value.to_owned()));
    }

    fn query_if(&mut self, name: &'static str, value: Option<&str>) {
        self.query.extend(value.map(|value| (name, value.to_owned())));
    }

    /// The place of a body in JSON.
    fn json(&mut self) -> &mut Vec<u8> {
        "application/json".clone_into(&mut self.content_type);
        &mut self.body
    }
}

/// How a reply is to be written.
#[derive(Clone, Copy, Debug)]
pub struct ResourceReply<'a> {
    /// What was done.
    pub operation: Operation,
    /// With the thing of this id, as the provider spells it.
    pub id: &'a str,
    /// Ids are to be spelt as one segment of a path.
    pub ids_are_path_safe: bool,
}

/// What comes of a provider's reply.
#[derive(Debug, PartialEq, Eq)]
pub enum ResourceAnswer {
    /// The caller's reply is written; its media type.
    Written(&'static str),
    /// What is asked for is in the file of this id.
    InFile(String),
}

/// Says in `to` what `request` asks in `from`.
pub fn translate_resource_request(
    from: Dialect,
    to: Dialect,
    request: &ResourceRequest<'_>,
) -> Result<ResourceCall, Error> {
    let (reader, writer) = (resource(from, to)?, resource(to, to)?);
    let mut ask = (reader.read_ask)(request)?;
    if request.ids_are_path_safe {
        ask.id = (writer.from_path_safe)(&ask.id);
        let input = ask.batch.as_mut().and_then(|batch| batch.input_file.as_mut());
        input.into_iter().for_each(|id| *id = (writer.from_path_safe)(id));
    }
    let mut call = ResourceCall::default();
    (writer.write_ask)(&ask, &mut call)?;
    Ok(call)
}

/// Writes what a provider answered in the caller's format.
pub fn translate_resource_reply(
    upstream: Dialect,
    caller: Dialect,
    reply: &ResourceReply<'_>,
    body: &[u8],
    out: &mut Vec<u8>,
) -> Result<ResourceAnswer, Error> {
    let (reader, writer) = (resource(upstream, caller)?, resource(caller, caller)?);
    let wants_answers = reply.operation == Operation::BatchResults;
    let mut thing = match wants_answers && holds_answers(upstream) {
        false => (reader.read_thing)(reply.operation, body, reply.id)?,
        true => match (reader.read_thing)(Operation::BatchRetrieve, body, reply.id)? {
            Thing::Batch(batch) => match batch.output_file.clone().or(batch.error_file.clone()) {
                Some(file) => return Ok(ResourceAnswer::InFile(file)),
                None => Thing::Answers(batch.id, batch.answers),
            },
            other => other,
        },
    };
    if reply.ids_are_path_safe {
        thing.map_ids(reader.path_safe);
    }
    (writer.write_thing)(&thing, out)?;
    let is_answers = matches!(thing, Thing::Answers(..));
    let content_type = if is_answers { writer.answers_type } else { "application/json" };
    Ok(ResourceAnswer::Written(content_type))
}

/// Writes the answers in the content of a batch's file, which came by [`ResourceAnswer::InFile`].
pub fn translate_batch_file(
    upstream: Dialect,
    caller: Dialect,
    id: &str,
    content: &[u8],
    out: &mut Vec<u8>,
) -> Result<ResourceAnswer, Error> {
    let (reader, writer) = (resource(upstream, caller)?, resource(caller, caller)?);
    let thing = (reader.read_thing)(Operation::BatchResults, content, id)?;
    (writer.write_thing)(&thing, out)?;
    Ok(ResourceAnswer::Written(writer.answers_type))
}

/// Whether replies about a batch say where its answers are, or hold them.
pub fn holds_answers(dialect: Dialect) -> bool {
    matches!(dialect, Dialect::OpenAiBatches | Dialect::GeminiBatches)
}

/// The functions of `dialect`; an error where it is one that is only relayed, which `to` cannot be reached from.
fn resource(dialect: Dialect, to: Dialect) -> Result<&'static Resource, Error> {
    match &dialect.format().code {
        Code::Resource(resource) => Ok(resource),
        _ => Err(Error::new(What::Inexpressible(to))),
    }
}

/// A question of a batch, as another dialect asks it.
fn question_in(question: &Question, to: Dialect, model: &str) -> Result<String, Error> {
    let named = read::with_root(question.body.as_bytes(), |root| Ok(read::text(root, "model")));
    let named = named?.unwrap_or_default();
    let bare = named.rsplit_once('/').map_or(named.as_str(), |(_, model)| model);
    let model = if bare.is_empty() { model } else { bare };
    if question.dialect == to && bare == named {
        return Ok(question.body.clone());
    }
    let mut out = Vec::new();
    let options = RequestOptions::new(model);
    let body = question.body.as_bytes();
    crate::translate_request(question.dialect, to, body, &options, &mut out)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// A reply in a batch, as another dialect says it.
fn reply_in(from: Dialect, to: Dialect, body: &str) -> Result<String, Error> {
    if from == to || from.purpose() != to.purpose() {
        return Ok(body.to_owned());
    }
    let notes = Notes::default();
    let options = ReplyOptions { notes: &notes, model: None, trailer: &[], id: "", created: 0 };
    let mut out = Vec::new();
    crate::translate_reply(from, to, body.as_bytes(), &options, &mut out)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// An error in a batch, as another dialect tells it.
fn error_in(from: Dialect, to: Dialect, status: u16, body: &str) -> String {
    if from == to {
        return body.to_owned();
    }
    let error = crate::read_error(from, status, body.as_bytes());
    let mut out = Vec::new();
    crate::write_error(to, &error, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// A parameter of a query, decoded.
fn query_value<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(known, _)| *known == name)?;
    percent_encoding::percent_decode_str(value).decode_utf8().ok()
}

fn as_it_is(id: &str) -> String {
    id.to_owned()
}

const fn format(name: &'static str, errors: Errors, code: Code) -> Format {
    Format {
        name,
        framing: Framing::Sse,
        code,
        errors,
        usage: UsagePlace::none(),
        event_class: |_, _| EventClass::Output,
    }
}

const fn relayed(name: &'static str, errors: Errors, purpose: Purpose) -> Format {
    format(name, errors, Code::Relayed(purpose))
}

const fn openai(name: &'static str, purpose: Purpose) -> Format {
    let code = Code::Resource(Resource {
        purpose,
        read_ask: openai::read_ask,
        write_ask: openai::write_ask,
        read_thing: openai::read_thing,
        write_thing: openai::write_thing,
        path_safe: as_it_is,
        from_path_safe: as_it_is,
        answers_type: "application/json",
    });
    format(name, openai_chat::ERRORS, code)
}

const fn anthropic(name: &'static str, purpose: Purpose) -> Format {
    let code = Code::Resource(Resource {
        purpose,
        read_ask: anthropic::read_ask,
        write_ask: anthropic::write_ask,
        read_thing: anthropic::read_thing,
        write_thing: anthropic::write_thing,
        path_safe: as_it_is,
        from_path_safe: as_it_is,
        answers_type: "application/x-jsonl",
    });
    format(name, anthropic_messages::ERRORS, code)
}

const fn gemini(name: &'static str, purpose: Purpose) -> Format {
    let code = Code::Resource(Resource {
        purpose,
        read_ask: gemini::read_ask,
        write_ask: gemini::write_ask,
        read_thing: gemini::read_thing,
        write_thing: gemini::write_thing,
        path_safe: gemini::path_safe,
        from_path_safe: gemini::from_path_safe,
        answers_type: "application/json",
    });
    format(name, gemini_api::ERRORS, code)
}

pub(crate) static OPENAI_FILES: Format = openai("openai_files", Purpose::File);
pub(crate) static ANTHROPIC_FILES: Format = anthropic("anthropic_files", Purpose::File);
pub(crate) static GEMINI_FILES: Format = gemini("gemini_files", Purpose::File);
pub(crate) static S3_OBJECTS: Format =
    relayed("s3_objects", bedrock_converse::ERRORS, Purpose::File);
pub(crate) static OPENAI_BATCHES: Format = openai("openai_batches", Purpose::Batch);
pub(crate) static ANTHROPIC_BATCHES: Format = anthropic("anthropic_batches", Purpose::Batch);
pub(crate) static GEMINI_BATCHES: Format = gemini("gemini_batches", Purpose::Batch);
pub(crate) static BEDROCK_JOBS: Format = format(
    "bedrock_jobs",
    bedrock_converse::ERRORS,
    Code::Resource(Resource {
        purpose: Purpose::Batch,
        read_ask: bedrock::read_ask,
        write_ask: bedrock::write_ask,
        read_thing: bedrock::read_thing,
        write_thing: bedrock::write_thing,
        path_safe: bedrock::path_safe,
        from_path_safe: bedrock::from_path_safe,
        answers_type: "application/json",
    }),
);
pub(crate) static VERTEX_JOBS: Format = relayed("vertex_jobs", gemini_api::ERRORS, Purpose::Batch);
pub(crate) static OPENAI_CONTAINERS: Format =
    relayed("openai_containers", openai_chat::ERRORS, Purpose::Container);
pub(crate) static GEMINI_CACHES: Format =
    relayed("gemini_caches", gemini_api::ERRORS, Purpose::Cache);

#[cfg(test)]
mod tests;
