//! Files and batches of Gemini: `/files`, `:batchGenerateContent`, `/batches`. A batch is an operation that tells of
//! itself in `metadata`.

use super::read;
use super::thing::{
    Answer, Ask, Batch, BatchState, Counts, File, FileState, NewBatch, Outcome, Page, Question,
    Thing, Upload,
};
use super::{ResourceCall, ResourceRequest, query_value};
use crate::Dialect;
use crate::error::{Error, What};
use crate::json::{Array, Object, Raw};
use crate::ollama_chat::timestamp::timestamp;
use crate::operation::Operation;

/// The most this API gives at once. Callers of others page by the last item, which means nothing here, so that lists
/// come as whole as they can.
const PAGE_MAX: &str = "100";

/// The number of the code of an error, which is no status.
const CODE_UNKNOWN: u16 = 500;

pub(super) fn read_ask<'a>(request: &ResourceRequest<'a>) -> Result<Ask<'a>, Error> {
    let mut ask = Ask::new(request.operation, request.id);
    ask.limit = query_value(request.query, "pageSize");
    ask.after = query_value(request.query, "pageToken");
    match request.operation {
        // Its bytes come in requests of their own.
        Operation::FileUpload => {
            return Err(Error::new(What::Inexpressible(Dialect::OpenAiFiles)));
        }
        Operation::BatchCreate => {
            let mut batch = read::with_root(request.body, read_new_batch)?;
            batch.model = request.model.to_owned();
            ask.batch = Some(batch);
        }
        _ => {}
    }
    Ok(ask)
}

/// A member by either of its spellings.
fn member<'a>(parent: Raw<'a>, camel: &str, snake: &str) -> Option<Raw<'a>> {
    parent.member(camel).or_else(|| parent.member(snake))
}

fn read_new_batch(root: Raw<'_>) -> Result<NewBatch, Error> {
    let root = fields_of(root)?;
    let input = member(root, "inputConfig", "input_config");
    let file = input.and_then(|it| member(it, "fileName", "file_name"));
    let requests = input.and_then(|it| it.member("requests"));
    let requests = requests.and_then(|it| it.member("requests"));
    let mut questions = Vec::new();
    for (at, request) in requests.iter().flat_map(Raw::elements).enumerate() {
        let body = read::object(request, "request");
        let missing = Error::at("request", What::Missing).in_element(at).in_member("requests");
        questions.push(Question {
            id: key_of(request).unwrap_or_else(|| at.to_string()),
            dialect: Dialect::Gemini,
            body: body.ok_or(missing)?,
        });
    }
    Ok(NewBatch {
        name: member(root, "displayName", "display_name")
            .and_then(|it| it.as_str())
            .map(Into::into),
        input_file: file.and_then(|it| it.as_str()).map(Into::into),
        questions,
        ..NewBatch::default()
    })
}

fn fields_of(root: Raw<'_>) -> Result<Raw<'_>, Error> {
    root.member("batch").ok_or(Error::at("batch", What::Missing))
}

/// What the caller knows a question by.
fn key_of(item: Raw<'_>) -> Option<String> {
    let metadata = item.member("metadata")?;
    let key = read::text(metadata, "key").or_else(|| read::text(metadata, "custom_id"));
    key.or_else(|| read::text(item, "key"))
}

pub(super) fn write_ask(ask: &Ask<'_>, call: &mut ResourceCall) -> Result<(), Error> {
    call.value("id", bare(&ask.id));
    if matches!(ask.operation, Operation::FileList | Operation::BatchList) {
        call.query_if("pageSize", Some(ask.limit.as_deref().unwrap_or(PAGE_MAX)));
        call.query_if("pageToken", ask.after.as_deref());
    }
    if let Some(upload) = &ask.upload {
        write_upload(upload, call);
    }
    let Some(batch) = &ask.batch else { return Ok(()) };
    let model = match batch.questions.first() {
        Some(first) if batch.model.is_empty() => model_of(first),
        Some(_) | None => batch.model.clone(),
    };
    if model.is_empty() {
        return Err(Error::at("model", What::Missing));
    }
    let mut questions = Vec::new();
    for question in &batch.questions {
        questions.push((&question.id, super::question_in(question, Dialect::Gemini, &model)?));
    }
    call.value("model", &model);
    let mut body = Object::new(call.json());
    let mut made = body.object("batch");
    made.str("displayName", batch.name.as_deref().unwrap_or("batch"));
    let mut input = made.object("inputConfig");
    match &batch.input_file {
        Some(file) => input.str("fileName", file),
        None => {
            let mut requests = input.object("requests");
            let mut requests = requests.array("requests");
            for (id, question) in &questions {
                let mut request = requests.object();
                request.verbatim("request", question);
                request.object("metadata").str("key", id);
            }
        }
    }
    Ok(())
}

/// The model that a question's own body names, without a provider in front.
fn model_of(question: &Question) -> String {
    let model = read::with_root(question.body.as_bytes(), |root| Ok(read::text(root, "model")));
    let model = model.ok().flatten().unwrap_or_default();
    model.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Metadata and bytes in one body of two parts (`multipart/related`).
fn write_upload(upload: &Upload<'_>, call: &mut ResourceCall) {
    let boundary = crate::resource::form::boundary(upload.bytes);
    call.headers.push(("x-goog-upload-protocol", "multipart".to_owned()));
    call.content_type = format!("multipart/related; boundary={boundary}");
    let body = &mut call.body;
    body.extend_from_slice(
        format!("--{boundary}\r\nContent-Type: application/json; charset=utf-8\r\n\r\n").as_bytes(),
    );
    let mut object = Object::new(body);
    let mut file = object.object("file");
    file.str("display_name", &upload.name);
    file.str("mime_type", &upload.media_type);
    drop(file);
    drop(object);
    let media_type: String = upload.media_type.chars().filter(|it| !it.is_control()).collect();
    body.extend_from_slice(
        format!("\r\n--{boundary}\r\nContent-Type: {media_type}\r\n\r\n").as_bytes(),
    );
    body.extend_from_slice(upload.bytes);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
}

/// An id without the kind of thing in front.
fn bare(id: &str) -> &str {
    id.strip_prefix("files/").or_else(|| id.strip_prefix("batches/")).unwrap_or(id)
}

/// `files/x` as one segment of a path.
pub(super) fn path_safe(id: &str) -> String {
    id.replacen('/', "-", 1)
}

/// What [`path_safe`] made of an id.
pub(super) fn from_path_safe(id: &str) -> String {
    for (safe, plain) in [("files-", "files/"), ("batches-", "batches/")] {
        if let Some(rest) = id.strip_prefix(safe) {
            return format!("{plain}{rest}");
        }
    }
    id.to_owned()
}

pub(super) fn read_thing(operation: Operation, body: &[u8], id: &str) -> Result<Thing, Error> {
    if operation == Operation::BatchResults {
        let lines = read::lines(body).map(|line| read::with_root(line, |it| Ok(read_answer(it))));
        return Ok(Thing::Answers(id.to_owned(), lines.collect::<Result<_, Error>>()?));
    }
    read::with_root(body, |root| {
        Ok(match operation {
            Operation::FileUpload => Thing::File(read_file(root.member("file").unwrap_or(root))),
            Operation::FileRetrieve => Thing::File(read_file(root)),
            Operation::FileList => Thing::Files(read_page(root, "files", read_file)),
            Operation::BatchList => Thing::Batches(read_page(root, "operations", read_batch)),
            Operation::FileDelete | Operation::BatchDelete => Thing::Deleted(id.to_owned()),
            // The answer to a cancellation says nothing.
            Operation::BatchCancel => Thing::Batch(Box::new(Batch {
                id: id.to_owned(),
                state: BatchState::Cancelling,
                ..Batch::default()
            })),
            _ => Thing::Batch(Box::new(read_batch(root))),
        })
    })
}

fn read_page<T>(root: Raw<'_>, name: &str, read: impl FnMut(Raw<'_>) -> T) -> Page<T> {
    let next = read::text(root, "nextPageToken");
    Page { items: read::list(root, name, read), has_more: next.is_some(), next }
}

fn read_file(root: Raw<'_>) -> File {
    let id = read::text(root, "name").unwrap_or_default();
    File {
        name: read::text(root, "displayName").unwrap_or_else(|| id.clone()),
        bytes: read::number(root, "sizeBytes").unwrap_or_default(),
        created: read::time(root, "createTime").unwrap_or_default(),
        expires: read::time(root, "expirationTime"),
        media_type: read::text(root, "mimeType"),
        uri: read::text(root, "uri"),
        state: match read::text(root, "state").as_deref() {
            Some("PROCESSING") => FileState::Processing,
            Some("FAILED") => FileState::Failed,
            _ => FileState::Ready,
        },
        is_downloadable: read::text(root, "source").as_deref() == Some("GENERATED"),
        id,
        ..File::default()
    }
}

const STATES: &[(&str, BatchState)] = &[
    ("PENDING", BatchState::Validating),
    ("RUNNING", BatchState::InProgress),
    ("SUCCEEDED", BatchState::Completed),
    ("FAILED", BatchState::Failed),
    ("CANCELLED", BatchState::Cancelled),
    ("EXPIRED", BatchState::Expired),
];

fn read_batch(root: Raw<'_>) -> Batch {
    let about = root.member("metadata").unwrap_or(root);
    let state = read::text(about, "state").unwrap_or_default();
    let state = state.trim_start_matches("BATCH_STATE_").trim_start_matches("JOB_STATE_");
    let known = STATES.iter().find(|(name, _)| *name == state).map(|(_, state)| *state);
    let count = |name| about.member("batchStats").and_then(|it| read::number(it, name));
    let count = |name| count(name).unwrap_or_default();
    let output = root.member("response").or_else(|| about.member("output"));
    let file = output.and_then(|it| read::text(it, "responsesFile"));
    let inlined = output.and_then(|it| it.member("inlinedResponses"));
    let inlined = inlined.and_then(|it| it.member("inlinedResponses"));
    let answers = inlined.iter().flat_map(Raw::elements).map(read_answer).collect();
    let input = about.member("inputConfig").and_then(|it| read::text(it, "fileName"));
    let model = read::text(about, "model");
    let created = read::time(about, "createTime").unwrap_or_default();
    Batch {
        id: read::text(root, "name").unwrap_or_default(),
        state: known.unwrap_or_default(),
        name: read::text(about, "displayName"),
        model: model.map(|model| model.trim_start_matches("models/").to_owned()),
        input_file: input,
        output_file: file,
        error: root.member("error").and_then(|it| read::text(it, "message")),
        created,
        started: (known != Some(BatchState::Validating)).then_some(created),
        ended: read::time(about, "endTime"),
        counts: Counts {
            total: count("requestCount"),
            succeeded: count("successfulRequestCount"),
            failed: count("failedRequestCount"),
            ..Counts::default()
        },
        answers,
        ..Batch::default()
    }
}

/// One of the answers that a batch holds, or a line of its file.
fn read_answer(root: Raw<'_>) -> Answer {
    let id = key_of(root).unwrap_or_default();
    let outcome = match (read::object(root, "response"), root.member("error")) {
        (Some(body), _) => Outcome::Reply(Dialect::Gemini, body),
        (None, error) => {
            let error = error.map_or("{}", |error| error.text());
            let body = format!("{{\"error\":{error}}}");
            Outcome::Error(Dialect::Gemini, CODE_UNKNOWN, body)
        }
    };
    Answer { id, outcome }
}

pub(super) fn write_thing(thing: &Thing, out: &mut Vec<u8>) -> Result<(), Error> {
    match thing {
        Thing::File(file) => write_file(file, Object::new(out)),
        Thing::Batch(batch) => write_batch(batch, Object::new(out))?,
        Thing::Files(page) => {
            let mut object = Object::new(out);
            let mut files = object.array("files");
            page.items.iter().for_each(|file| write_file(file, files.object()));
            drop(files);
            write_next(page, page.items.last().map(|file| &file.id), &mut object);
        }
        Thing::Batches(page) => {
            let mut object = Object::new(out);
            let mut batches = object.array("operations");
            for batch in &page.items {
                write_batch(batch, batches.object())?;
            }
            drop(batches);
            write_next(page, page.items.last().map(|batch| &batch.id), &mut object);
        }
        Thing::Deleted(_) => drop(Object::new(out)),
        Thing::Answers(_, answers) => {
            for answer in answers {
                write_answer(answer, &mut Array::new(out))?;
            }
        }
    }
    Ok(())
}

fn write_next<T>(page: &Page<T>, last: Option<&String>, object: &mut Object<'_>) {
    if let Some(next) = page.next.as_ref().or(last).filter(|_| page.has_more) {
        object.str("nextPageToken", next);
    }
}

/// An id with the kind of thing in front, as clients of this API demand.
fn named(kind: &str, id: &str) -> String {
    if id.starts_with(kind) { id.to_owned() } else { format!("{kind}{id}") }
}

fn write_file(file: &File, mut object: Object<'_>) {
    object.str("name", &named("files/", &file.id));
    object.str("displayName", &file.name);
    object.str("mimeType", file.media_type.as_deref().unwrap_or("application/octet-stream"));
    object.str("sizeBytes", &file.bytes.to_string());
    object.str("createTime", &timestamp(file.created));
    if let Some(expires) = file.expires {
        object.str("expirationTime", &timestamp(expires));
    }
    if let Some(uri) = &file.uri {
        object.str("uri", uri);
    }
    object.str(
        "state",
        match file.state {
            FileState::Ready => "ACTIVE",
            FileState::Processing => "PROCESSING",
            FileState::Failed => "FAILED",
        },
    );
}

fn write_batch(batch: &Batch, mut object: Object<'_>) -> Result<(), Error> {
    let name = named("batches/", &batch.id);
    object.str("name", &name);
    let mut about = object.object("metadata");
    about.str(
        "@type",
        "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
    );
    about.str("name", &name);
    if let Some(model) = &batch.model {
        about.str("model", &named("models/", model));
    }
    about.str("displayName", batch.name.as_deref().unwrap_or_default());
    about.str("createTime", &timestamp(batch.created));
    if let Some(ended) = batch.ended {
        about.str("endTime", &timestamp(ended));
    }
    let state = match batch.state {
        BatchState::Cancelling => BatchState::InProgress,
        BatchState::Finalizing => BatchState::InProgress,
        other => other,
    };
    let state =
        STATES.iter().find(|(_, known)| *known == state).map_or("PENDING", |(name, _)| name);
    about.str("state", &format!("BATCH_STATE_{state}"));
    let mut counts = about.object("batchStats");
    for (name, count) in [
        ("requestCount", batch.counts.total),
        ("successfulRequestCount", batch.counts.succeeded),
        ("failedRequestCount", batch.counts.failed),
        ("pendingRequestCount", batch.counts.open()),
    ] {
        counts.str(name, &count.to_string());
    }
    drop(counts);
    if let Some(file) = &batch.output_file {
        about.object("output").str("responsesFile", file);
    }
    drop(about);
    let is_over = matches!(
        batch.state,
        BatchState::Completed | BatchState::Failed | BatchState::Expired | BatchState::Cancelled
    );
    if is_over {
        object.bool("done", true);
    }
    if !batch.answers.is_empty() {
        let mut response = object.object("response");
        let mut inlined = response.object("inlinedResponses");
        let mut answers = inlined.array("inlinedResponses");
        for answer in &batch.answers {
            write_answer(answer, &mut answers)?;
        }
    }
    Ok(())
}

fn write_answer(answer: &Answer, answers: &mut Array<'_>) -> Result<(), Error> {
    let mut object = answers.object();
    match &answer.outcome {
        Outcome::Reply(dialect, body) => {
            object.verbatim("response", &super::reply_in(*dialect, Dialect::Gemini, body)?);
        }
        Outcome::Error(dialect, status, body) => {
            let error = super::error_in(*dialect, Dialect::Gemini, *status, body);
            let inner = crate::json::find_member(error.as_bytes(), "error").unwrap_or(b"{}");
            object.verbatim("error", &String::from_utf8_lossy(inner));
        }
        Outcome::Cancelled | Outcome::Expired => {
            object
                .object("error")
                .str("message", "the batch ended before this request was answered");
        }
    }
    object.object("metadata").str("key", &answer.id);
    Ok(())
}
