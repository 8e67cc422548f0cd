//! Files and batches of OpenAI: `…/files`, `…/batches`, and the lines of their input and output.

use super::ResourceCall;
use super::ResourceRequest;
use super::read;
use super::thing::{
    Answer, Ask, Batch, BatchState, Counts, File, FileState, NewBatch, Outcome, Page, Question,
    Thing, Upload,
};
use super::{form, query_value};
use crate::Dialect;
use crate::error::{Error, What};
use crate::json::{Array, Object, Raw};
use crate::operation::Operation;

/// The purpose of a file whose provider knows none.
const PURPOSE_DEFAULT: &str = "user_data";

pub(super) fn read_ask<'a>(request: &ResourceRequest<'a>) -> Result<Ask<'a>, Error> {
    let mut ask = Ask::new(request.operation, request.id);
    ask.limit = query_value(request.query, "limit");
    ask.after = query_value(request.query, "after");
    match request.operation {
        Operation::FileUpload => ask.upload = Some(read_upload(request)?),
        Operation::BatchCreate => {
            let mut batch = read::with_root(request.body, read_new_batch)?;
            batch.model = request.model.to_owned();
            ask.batch = Some(batch);
        }
        _ => {}
    }
    Ok(ask)
}

fn read_upload<'a>(request: &ResourceRequest<'a>) -> Result<Upload<'a>, Error> {
    let mut upload = form::file(request, "file")?;
    upload.purpose = form::text(request, "purpose")?;
    Ok(upload)
}

fn read_new_batch(root: Raw<'_>) -> Result<NewBatch, Error> {
    let endpoint = read::text(root, "endpoint");
    let questions = read::list(root, "requests", |it| read_question(it, endpoint.as_deref()));
    let questions: Result<Vec<Question>, Error> = questions
        .into_iter()
        .enumerate()
        .map(|(at, it)| it.map_err(|error| error.in_element(at).in_member("requests")))
        .collect();
    Ok(NewBatch {
        name: read::text(root, "display_name"),
        input_file: read::text(root, "input_file_id"),
        window: read::text(root, "completion_window"),
        metadata: read::object(root, "metadata"),
        output_uri: read::text(root, "output_s3_uri")
            .or_else(|| read::text(root.member("output_folder")?, "url")),
        role: read::text(root, "role_arn"),
        questions: questions?,
        endpoint,
        ..NewBatch::default()
    })
}

/// A line of a batch's input; its body may also be that of Anthropic, as `params`.
fn read_question(root: Raw<'_>, endpoint: Option<&str>) -> Result<Question, Error> {
    let id = read::text(root, "custom_id").ok_or(Error::at("custom_id", What::Missing))?;
    if let Some(body) = read::object(root, "params") {
        return Ok(Question { id, dialect: Dialect::AnthropicMessages, body });
    }
    let body = read::object(root, "body").ok_or(Error::at("body", What::Missing))?;
    let url = read::text(root, "url");
    Ok(Question { id, dialect: dialect_of(url.as_deref().or(endpoint)), body })
}

/// What is asked at a path of this API.
fn dialect_of(path: Option<&str>) -> Dialect {
    let path = path.unwrap_or_default();
    match path.rsplit('/').next().unwrap_or_default() {
        "responses" => Dialect::OpenAiResponses,
        "embeddings" => Dialect::OpenAiEmbeddings,
        "completions" if !path.ends_with("/chat/completions") => Dialect::OpenAiCompletions,
        _ => Dialect::OpenAiChat,
    }
}

pub(super) fn write_ask(ask: &Ask<'_>, call: &mut ResourceCall) -> Result<(), Error> {
    call.value("id", &ask.id);
    call.query_if("limit", ask.limit.as_deref());
    call.query_if("after", ask.after.as_deref());
    if let Some(upload) = &ask.upload {
        let purpose = upload.purpose.as_deref().unwrap_or(PURPOSE_DEFAULT);
        form::write(call, &[("purpose", purpose)], upload);
    }
    let Some(batch) = &ask.batch else { return Ok(()) };
    // Its questions are a file that has to be there first.
    let input = batch.input_file.as_deref();
    let input = input.ok_or(Error::at("requests", What::Inexpressible(Dialect::OpenAiBatches)))?;
    let mut body = Object::new(call.json());
    body.str("input_file_id", input);
    body.str("endpoint", batch.endpoint.as_deref().unwrap_or("/v1/chat/completions"));
    body.str("completion_window", batch.window.as_deref().unwrap_or("24h"));
    if let Some(metadata) = &batch.metadata {
        body.verbatim("metadata", metadata);
    }
    Ok(())
}

pub(super) fn read_thing(operation: Operation, body: &[u8], id: &str) -> Result<Thing, Error> {
    if operation == Operation::BatchResults {
        return Ok(Thing::Answers(id.to_owned(), read_answers(body)?));
    }
    read::with_root(body, |root| {
        Ok(match operation {
            Operation::FileUpload | Operation::FileRetrieve => Thing::File(read_file(root)),
            Operation::FileList => Thing::Files(read_page(root, read_file)),
            Operation::BatchList => Thing::Batches(read_page(root, read_batch)),
            Operation::FileDelete | Operation::BatchDelete => {
                Thing::Deleted(read::text(root, "id").unwrap_or_else(|| id.to_owned()))
            }
            _ => Thing::Batch(Box::new(read_batch(root))),
        })
    })
}

fn read_page<T>(root: Raw<'_>, read: impl FnMut(Raw<'_>) -> T) -> Page<T> {
    let has_more = root.member("has_more").and_then(|it| it.as_bool()).unwrap_or(false);
    Page { items: read::list(root, "data", read), has_more, next: None }
}

fn read_file(root: Raw<'_>) -> File {
    File {
        id: read::text(root, "id").unwrap_or_default(),
        name: read::text(root, "filename").unwrap_or_default(),
        bytes: read::number(root, "bytes").unwrap_or_default(),
        created: read::number(root, "created_at").unwrap_or_default(),
        expires: read::number(root, "expires_at"),
        purpose: read::text(root, "purpose"),
        state: match read::text(root, "status").as_deref() {
            Some("error") => FileState::Failed,
            Some("uploaded" | "pending" | "running") => FileState::Processing,
            _ => FileState::Ready,
        },
        is_downloadable: true,
        ..File::default()
    }
}

const STATES: &[(&str, BatchState)] = &[
    ("validating", BatchState::Validating),
    ("in_progress", BatchState::InProgress),
    ("finalizing", BatchState::Finalizing),
    ("completed", BatchState::Completed),
    ("failed", BatchState::Failed),
    ("expired", BatchState::Expired),
    ("cancelling", BatchState::Cancelling),
    ("cancelled", BatchState::Cancelled),
];

fn read_batch(root: Raw<'_>) -> Batch {
    let status = read::text(root, "status").unwrap_or_default();
    let state = STATES.iter().find(|(name, _)| *name == status).map(|(_, state)| *state);
    let ends = ["completed_at", "failed_at", "expired_at", "cancelled_at"];
    let count = |name| root.member("request_counts").and_then(|it| read::number(it, name));
    let count = |name| count(name).unwrap_or_default();
    let first_error = || {
        let errors = root.member("errors")?.member("data")?;
        errors.elements().find_map(|it| read::text(it, "message"))
    };
    let error = first_error();
    Batch {
        id: read::text(root, "id").unwrap_or_default(),
        state: state.unwrap_or_default(),
        model: read::text(root, "model"),
        endpoint: read::text(root, "endpoint"),
        window: read::text(root, "completion_window"),
        input_file: read::text(root, "input_file_id"),
        output_file: read::text(root, "output_file_id"),
        error_file: read::text(root, "error_file_id"),
        metadata: read::object(root, "metadata"),
        error,
        created: read::number(root, "created_at").unwrap_or_default(),
        started: read::number(root, "in_progress_at"),
        cancelling: read::number(root, "cancelling_at"),
        ended: ends.iter().find_map(|name| read::number(root, name)),
        expires: read::number(root, "expires_at"),
        counts: Counts {
            total: count("total"),
            succeeded: count("completed"),
            failed: count("failed"),
            ..Counts::default()
        },
        ..Batch::default()
    }
}

/// The lines of an output file.
fn read_answers(body: &[u8]) -> Result<Vec<Answer>, Error> {
    read::lines(body)
        .map(|line| {
            read::with_root(line, |root| {
                let id = read::text(root, "custom_id").unwrap_or_default();
                let response = root.member("response");
                let status = response.and_then(|it| read::number(it, "status_code"));
                let body = response.and_then(|it| read::object(it, "body"));
                let outcome = match (body, status.unwrap_or(200)) {
                    (Some(body), 200..=299) => Outcome::Reply(dialect_of_reply(&body), body),
                    (Some(body), status) => {
                        Outcome::Error(Dialect::OpenAiChat, status as u16, body)
                    }
                    (None, _) => read_failure(root),
                };
                Ok(Answer { id, outcome })
            })
        })
        .collect()
}

fn read_failure(root: Raw<'_>) -> Outcome {
    let error = root.member("error").map_or("null", |error| error.text());
    match root.member("error").and_then(|error| read::text(error, "code")).as_deref() {
        Some("batch_expired") => Outcome::Expired,
        Some("batch_cancelled") => Outcome::Cancelled,
        _ => Outcome::Error(Dialect::OpenAiChat, 500, format!("{{\"error\":{error}}}")),
    }
}

/// What a reply says that it is.
fn dialect_of_reply(body: &str) -> Dialect {
    let object = crate::json::find_member(body.as_bytes(), "object").unwrap_or_default();
    match object {
        b"\"response\"" => Dialect::OpenAiResponses,
        b"\"list\"" => Dialect::OpenAiEmbeddings,
        b"\"text_completion\"" => Dialect::OpenAiCompletions,
        _ => Dialect::OpenAiChat,
    }
}

pub(super) fn write_thing(thing: &Thing, out: &mut Vec<u8>) -> Result<(), Error> {
    match thing {
        Thing::File(file) => write_file(file, Object::new(out)),
        Thing::Batch(batch) => write_batch(batch, Object::new(out)),
        Thing::Files(page) => {
            write_page(page, |file| &file.id, write_file, out);
        }
        Thing::Batches(page) => {
            write_page(page, |batch| &batch.id, write_batch, out);
        }
        Thing::Deleted(id) => {
            let mut object = Object::new(out);
            object.str("id", id);
            object.str("object", "file");
            object.bool("deleted", true);
        }
        Thing::Answers(id, answers) => {
            let mut object = Object::new(out);
            object.str("batch_id", id);
            let mut results = object.array("results");
            for answer in answers {
                write_answer(answer, &mut results)?;
            }
        }
    }
    Ok(())
}

fn write_page<T>(
    page: &Page<T>,
    id: impl Fn(&T) -> &String,
    write: impl Fn(&T, Object<'_>),
    out: &mut Vec<u8>,
) {
    let mut object = Object::new(out);
    object.str("object", "list");
    let mut data = object.array("data");
    for item in &page.items {
        write(item, data.object());
    }
    drop(data);
    object.bool("has_more", page.has_more);
    if let Some(first) = page.items.first() {
        object.str("first_id", id(first));
    }
    if let Some(last) = page.next.as_ref().or(page.items.last().map(&id)) {
        object.str("last_id", last);
    }
}

fn write_file(file: &File, mut object: Object<'_>) {
    object.str("id", &file.id);
    object.str("object", "file");
    object.u64("bytes", file.bytes);
    object.u64("created_at", file.created);
    if let Some(expires) = file.expires {
        object.u64("expires_at", expires);
    }
    object.str("filename", &file.name);
    object.str("purpose", file.purpose.as_deref().unwrap_or(PURPOSE_DEFAULT));
    object.str(
        "status",
        match file.state {
            FileState::Ready => "processed",
            FileState::Processing => "uploaded",
            FileState::Failed => "error",
        },
    );
    if let Some(uri) = &file.uri {
        object.str("storage_uri", uri);
    }
}

fn write_batch(batch: &Batch, mut object: Object<'_>) {
    object.str("id", &batch.id);
    object.str("object", "batch");
    object.str("endpoint", batch.endpoint.as_deref().unwrap_or("/v1/chat/completions"));
    if let Some(error) = &batch.error {
        let mut errors = object.object("errors");
        errors.str("object", "list");
        let mut data = errors.array("data");
        data.object().str("message", error);
    } else {
        object.null("errors");
    }
    object.str("input_file_id", batch.input_file.as_deref().unwrap_or_default());
    object.str("completion_window", batch.window.as_deref().unwrap_or("24h"));
    let state = STATES.iter().find(|(_, state)| *state == batch.state);
    object.str("status", state.map_or("in_progress", |(name, _)| name));
    let mut text = |name, value: &Option<String>| match value {
        Some(value) => object.str(name, value),
        None => object.null(name),
    };
    text("output_file_id", &batch.output_file);
    text("error_file_id", &batch.error_file);
    text("model", &batch.model);
    object.u64("created_at", batch.created);
    let ended = |state| batch.ended.filter(|_| batch.state == state);
    for (name, time) in [
        ("in_progress_at", batch.started),
        ("expires_at", batch.expires),
        ("finalizing_at", None),
        ("completed_at", ended(BatchState::Completed)),
        ("failed_at", ended(BatchState::Failed)),
        ("expired_at", ended(BatchState::Expired)),
        ("cancelling_at", batch.cancelling),
        ("cancelled_at", ended(BatchState::Cancelled)),
    ] {
        match time {
            Some(time) => object.u64(name, time),
            None => object.null(name),
        }
    }
    let mut counts = object.object("request_counts");
    let failed = batch.counts.failed + batch.counts.cancelled + batch.counts.expired;
    counts.u64("total", batch.counts.total);
    counts.u64("completed", batch.counts.succeeded);
    counts.u64("failed", failed);
    drop(counts);
    match &batch.metadata {
        Some(metadata) => object.verbatim("metadata", metadata),
        None => object.null("metadata"),
    }
    if let Some(name) = &batch.name {
        object.str("display_name", name);
    }
}

/// As a line of an output file.
fn write_answer(answer: &Answer, results: &mut Array<'_>) -> Result<(), Error> {
    let mut object = results.object();
    object.str("custom_id", &answer.id);
    let (status, body) = match &answer.outcome {
        Outcome::Reply(dialect, body) => {
            (200, super::reply_in(*dialect, Dialect::OpenAiChat, body)?)
        }
        Outcome::Error(dialect, status, body) => {
            (*status, super::error_in(*dialect, Dialect::OpenAiChat, *status, body))
        }
        Outcome::Cancelled | Outcome::Expired => {
            let is_expired = answer.outcome == Outcome::Expired;
            object.null("response");
            let mut error = object.object("error");
            error.str("code", if is_expired { "batch_expired" } else { "batch_cancelled" });
            error.str("message", "the batch ended before this request was answered");
            return Ok(());
        }
    };
    let mut response = object.object("response");
    response.u64("status_code", status.into());
    response.str("request_id", "");
    response.verbatim("body", &body);
    drop(response);
    object.null("error");
    Ok(())
}
