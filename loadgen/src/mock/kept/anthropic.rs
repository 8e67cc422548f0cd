//! Files and batches as Anthropic keeps them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Asked, Batch, ENDS_AT_TEXT, File, MADE_AT_TEXT, Question, Shelf, content, last_text};
use crate::mock::refusal::Refusal;
use crate::mock::reply::{Body, Reply};

pub(super) fn serve(shelf: &mut Shelf, asked: &Asked<'_>) -> Result<Reply, Refusal> {
    Ok(Reply::json(
        200,
        &match asked.operation() {
            ("POST", "files", false, _) => upload(shelf, asked)?,
            ("GET", "files", false, _) => {
                list(shelf.files.iter().map(|(number, file)| file_object(*number, file)))
            }
            ("GET", "files", true, "") => {
                let (number, file) = shelf.file(asked)?;
                file_object(number, file)
            }
            ("GET", "files", true, "content") => {
                return shelf.file(asked).map(|(_, file)| content(file));
            }
            ("DELETE", "files", true, "") => {
                let (number, _) = shelf.file(asked)?;
                shelf.files.remove(&number);
                json!({"id": asked.id, "type": "file_deleted"})
            }
            ("POST", "batches", false, _) => create(shelf, asked)?,
            ("GET", "batches", false, _) => {
                list(shelf.batches.iter().map(|(number, batch)| batch_object(*number, batch)))
            }
            ("GET", "batches", true, "") => {
                let (number, batch) = shelf.batch(asked)?;
                // It is done from now on.
                batch.output.get_or_insert(number);
                batch_object(number, batch)
            }
            ("DELETE", "batches", true, "") => {
                let (number, _) = shelf.batch(asked)?;
                shelf.batches.remove(&number);
                json!({"id": asked.id, "type": "message_batch_deleted"})
            }
            ("POST", "batches", true, "cancel") => {
                let (number, batch) = shelf.batch(asked)?;
                batch.is_cancelled = true;
                batch_object(number, batch)
            }
            ("GET", "batches", true, "results") => {
                return shelf.batch(asked).map(|(_, it)| results(it));
            }
            _ => return Err(asked.unknown()),
        },
    ))
}

fn list(items: impl DoubleEndedIterator<Item = Value>) -> Value {
    let items: Vec<Value> = items.rev().collect();
    let id = |item: Option<&Value>| item.map_or(Value::Null, |item| item["id"].clone());
    json!({"has_more": false, "first_id": id(items.first()), "last_id": id(items.last()),
        "data": items})
}

fn upload(shelf: &mut Shelf, asked: &Asked<'_>) -> Result<Value, Refusal> {
    let fields = asked.form()?;
    let [file] = fields.as_slice() else {
        return Err(Refusal::invalid("The form must have the field file and no other."));
    };
    let name = file.file_name.clone().filter(|_| file.name == "file");
    let number = shelf.add_file(File {
        name: name.ok_or_else(|| Refusal::invalid("file: Field required"))?,
        media_type: file.media_type.clone(),
        purpose: String::new(),
        bytes: file.value.to_vec(),
        is_open: false,
        // Real files of callers cannot be fetched; here they can, so that it can be tried.
        is_output: true,
    })?;
    shelf.files.get(&number).map(|file| file_object(number, file)).ok_or_else(|| asked.missing())
}

fn file_object(number: u64, file: &File) -> Value {
    json!({"id": format!("file_mock{number}"), "type": "file", "filename": file.name,
        "mime_type": file.media_type, "size_bytes": file.bytes.len(), "created_at": MADE_AT_TEXT,
        "downloadable": file.is_output})
}

fn create(shelf: &mut Shelf, asked: &Asked<'_>) -> Result<Value, Refusal> {
    let body = asked.json()?;
    let requests = body["requests"].as_array().filter(|requests| !requests.is_empty());
    let requests = requests.ok_or_else(|| Refusal::invalid("requests: Field required"))?;
    let questions: Vec<Question> = requests.iter().map(question).collect::<Result<_, _>>()?;
    let ids: BTreeSet<&str> = questions.iter().map(|question| question.id.as_str()).collect();
    if ids.len() < questions.len() {
        return Err(Refusal::invalid("requests: custom_id must be unique"));
    }
    let model = questions.first().map(|first| first.model.clone()).unwrap_or_default();
    let number = shelf.add_batch(Batch {
        endpoint: String::new(),
        input: None,
        output: None,
        model,
        questions,
        metadata: Value::Null,
        is_cancelled: false,
    })?;
    shelf
        .batches
        .get(&number)
        .map(|batch| batch_object(number, batch))
        .ok_or_else(|| asked.missing())
}

fn question(request: &Value) -> Result<Question, Refusal> {
    let params = &request["params"];
    let needed =
        [&request["custom_id"], &params["model"], &params["max_tokens"], &params["messages"]];
    if needed.iter().any(|value| value.is_null()) {
        return Err(Refusal::invalid(
            "requests: custom_id, model, max_tokens and messages are required",
        ));
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(Question {
        id: text(&request["custom_id"]),
        text: last_text(params),
        model: text(&params["model"]),
    })
}

fn batch_object(number: u64, batch: &Batch) -> Value {
    let is_over = batch.output.is_some();
    let status = match (batch.is_cancelled, is_over) {
        (true, _) => "canceling",
        (false, true) => "ended",
        (false, false) => "in_progress",
    };
    let total = batch.questions.len();
    let (open, done) = if is_over { (0, total) } else { (total, 0) };
    json!({"id": format!("msgbatch_mock{number}"), "type": "message_batch",
        "processing_status": status, "ended_at": is_over.then_some(MADE_AT_TEXT),
        "request_counts": {"processing": open, "succeeded": done, "errored": 0, "canceled": 0, "expired": 0},
        "created_at": MADE_AT_TEXT, "expires_at": ENDS_AT_TEXT, "archived_at": null,
        "cancel_initiated_at": batch.is_cancelled.then_some(MADE_AT_TEXT),
        "results_url": is_over.then(|| format!("/v1/messages/batches/msgbatch_mock{number}/results"))})
}

fn results(batch: &Batch) -> Reply {
    let lines = batch.questions.iter().map(|question| {
        let message = json!({"id": "msg_mock", "type": "message", "role": "assistant",
            "model": question.model, "content": [{"type": "text", "text": question.answer()}],
            "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": 1, "output_tokens": 1}});
        let result = json!({"type": "succeeded", "message": message});
        format!("{}\n", json!({"custom_id": question.id, "result": result}))
    });
    let headers = vec![("content-type".to_owned(), "application/x-jsonl".to_owned())];
    let body = Body::Whole(lines.collect::<String>().into_bytes());
    Reply { status: 200, headers, body, break_off: None }
}
