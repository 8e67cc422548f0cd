//! Files and batches of Anthropic: `/v1/files`, `/v1/messages/batches`.

use super::read;
use super::thing::{
    Answer, Ask, Batch, BatchState, Counts, File, NewBatch, Outcome, Page, Question, Thing, Upload,
};
use super::{ResourceCall, ResourceRequest, form, query_value};
use crate::Dialect;
use crate::error::{Error, What};
use crate::json::{Object, Raw};
use crate::ollama_chat::timestamp::timestamp;
use crate::operation::Operation;

pub(super) fn read_ask<'a>(request: &ResourceRequest<'a>) -> Result<Ask<'a>, Error> {
    let mut ask = Ask::new(request.operation, request.id);
    ask.limit = query_value(request.query, "limit");
    ask.after = query_value(request.query, "after_id");
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
    form::file(request, "file")
}

fn read_new_batch(root: Raw<'_>) -> Result<NewBatch, Error> {
    let questions = read::list(root, "requests", |it| {
        let id = read::text(it, "custom_id").ok_or(Error::at("custom_id", What::Missing))?;
        let body = read::object(it, "params").ok_or(Error::at("params", What::Missing))?;
        Ok(Question { id, dialect: Dialect::AnthropicMessages, body })
    });
    let questions: Result<Vec<_>, Error> = questions.into_iter().collect();
    Ok(NewBatch { questions: questions?, ..NewBatch::default() })
}

pub(super) fn write_ask(ask: &Ask<'_>, call: &mut ResourceCall) -> Result<(), Error> {
    call.value("id", &ask.id);
    call.query_if("limit", ask.limit.as_deref());
    call.query_if("after_id", ask.after.as_deref());
    if let Some(upload) = &ask.upload {
        form::write(call, &[], upload);
    }
    let Some(batch) = &ask.batch else { return Ok(()) };
    if batch.questions.is_empty() {
        return Err(Error::at("input_file_id", What::Inexpressible(Dialect::AnthropicBatches)));
    }
    let mut body = Object::new(call.json());
    let mut requests = body.array("requests");
    for question in &batch.questions {
        let params = super::question_in(question, Dialect::AnthropicMessages, &batch.model)?;
        let mut request = requests.object();
        request.str("custom_id", &question.id);
        request.verbatim("params", &params);
    }
    Ok(())
}

pub(super) fn read_thing(operation: Operation, body: &[u8], id: &str) -> Result<Thing, Error> {
    if operation == Operation::BatchResults {
        let answers: Result<Vec<_>, Error> = read::lines(body)
            .map(|line| read::with_root(line, |root| Ok(read_answer(root))))
            .collect();
        return Ok(Thing::Answers(id.to_owned(), answers?));
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
        bytes: read::number(root, "size_bytes").unwrap_or_default(),
        created: read::time(root, "created_at").unwrap_or_default(),
        media_type: read::text(root, "mime_type"),
        is_downloadable: root.member("downloadable").and_then(|it| it.as_bool()).unwrap_or(false),
        ..File::default()
    }
}

fn read_batch(root: Raw<'_>) -> Batch {
    let counts = root.member("request_counts");
    let count = |name| counts.and_then(|it| read::number(it, name)).unwrap_or_default();
    let names = ["processing", "succeeded", "errored", "canceled", "expired"];
    let counts = Counts {
        total: names.iter().map(|name| count(name)).sum(),
        succeeded: count("succeeded"),
        failed: count("errored"),
        cancelled: count("canceled"),
        expired: count("expired"),
    };
    let is_any = counts.total > 0;
    Batch {
        id: read::text(root, "id").unwrap_or_default(),
        state: match read::text(root, "processing_status").as_deref() {
            Some("canceling") => BatchState::Cancelling,
            Some("ended") if is_any && counts.cancelled == counts.total => BatchState::Cancelled,
            Some("ended") if is_any && counts.expired == counts.total => BatchState::Expired,
            Some("ended") => BatchState::Completed,
            _ => BatchState::InProgress,
        },
        created: read::time(root, "created_at").unwrap_or_default(),
        started: read::time(root, "created_at"),
        cancelling: read::time(root, "cancel_initiated_at"),
        ended: read::time(root, "ended_at"),
        expires: read::time(root, "expires_at"),
        counts,
        ..Batch::default()
    }
}

fn read_answer(root: Raw<'_>) -> Answer {
    let id = read::text(root, "custom_id").unwrap_or_default();
    let result = root.member("result");
    let kind = result.and_then(|it| read::text(it, "type")).unwrap_or_default();
    let object = |name| result.and_then(|it| read::object(it, name)).unwrap_or("{}".to_owned());
    let dialect = Dialect::AnthropicMessages;
    let outcome = match kind.as_str() {
        "succeeded" => Outcome::Reply(dialect, object("message")),
        "canceled" => Outcome::Cancelled,
        "expired" => Outcome::Expired,
        _ => {
            let body = object("error");
            let status = crate::read_stream_error(dialect, None, body.as_bytes()).status;
            Outcome::Error(dialect, status, body)
        }
    };
    Answer { id, outcome }
}

pub(super) fn write_thing(thing: &Thing, out: &mut Vec<u8>) -> Result<(), Error> {
    match thing {
        Thing::File(file) => write_file(file, Object::new(out)),
        Thing::Batch(batch) => write_batch(batch, Object::new(out)),
        Thing::Files(page) => write_page(page, |it| &it.id, write_file, out),
        Thing::Batches(page) => write_page(page, |it| &it.id, write_batch, out),
        Thing::Deleted(id) => {
            let mut object = Object::new(out);
            object.str("id", id);
            object.str("type", "file_deleted");
        }
        Thing::Answers(_, answers) => {
            for answer in answers {
                write_answer(answer, out)?;
                out.push(b'\n');
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
    let mut data = object.array("data");
    for item in &page.items {
        write(item, data.object());
    }
    drop(data);
    object.bool("has_more", page.has_more);
    for (name, item) in [("first_id", page.items.first()), ("last_id", page.items.last())] {
        match item.map(&id) {
            Some(id) if name == "last_id" => object.str(name, page.next.as_ref().unwrap_or(id)),
            Some(id) => object.str(name, id),
            None => object.null(name),
        }
    }
}

fn write_file(file: &File, mut object: Object<'_>) {
    object.str("id", &file.id);
    object.str("type", "file");
    object.str("filename", &file.name);
    object.str("mime_type", file.media_type.as_deref().unwrap_or("application/octet-stream"));
    object.u64("size_bytes", file.bytes);
    object.str("created_at", &timestamp(file.created));
    object.bool("downloadable", file.is_downloadable);
}

fn write_batch(batch: &Batch, mut object: Object<'_>) {
    object.str("id", &batch.id);
    object.str("type", "message_batch");
    object.str(
        "processing_status",
        match batch.state {
            BatchState::Validating | BatchState::InProgress | BatchState::Finalizing => {
                "in_progress"
            }
            BatchState::Cancelling => "canceling",
            BatchState::Completed
            | BatchState::Failed
            | BatchState::Expired
            | BatchState::Cancelled => "ended",
        },
    );
    let mut counts = object.object("request_counts");
    for (name, count) in [
        ("processing", batch.counts.open()),
        ("succeeded", batch.counts.succeeded),
        ("errored", batch.counts.failed),
        ("canceled", batch.counts.cancelled),
        ("expired", batch.counts.expired),
    ] {
        counts.u64(name, count);
    }
    drop(counts);
    // A day is what this API gives a batch.
    let expires = batch.expires.unwrap_or(batch.created + 86_400);
    for (name, time) in [
        ("ended_at", batch.ended),
        ("created_at", Some(batch.created)),
        ("expires_at", Some(expires)),
        ("archived_at", None),
        ("cancel_initiated_at", batch.cancelling),
    ] {
        match time {
            Some(time) => object.str(name, &timestamp(time)),
            None => object.null(name),
        }
    }
    object.null("results_url");
}

fn write_answer(answer: &Answer, out: &mut Vec<u8>) -> Result<(), Error> {
    let mut object = Object::new(out);
    object.str("custom_id", &answer.id);
    let mut result = object.object("result");
    match &answer.outcome {
        Outcome::Reply(dialect, body) => {
            let message = super::reply_in(*dialect, Dialect::AnthropicMessages, body)?;
            result.str("type", "succeeded");
            result.verbatim("message", &message);
        }
        Outcome::Error(dialect, status, body) => {
            let error = super::error_in(*dialect, Dialect::AnthropicMessages, *status, body);
            result.str("type", "errored");
            result.verbatim("error", &error);
        }
        Outcome::Cancelled => result.str("type", "canceled"),
        Outcome::Expired => result.str("type", "expired"),
    }
    Ok(())
}
