//! Files and batches as OpenAI keeps them.

use serde_json::{Value, json};

use super::{Asked, Batch, File, MADE_AT, Question, Shelf, content, last_text, number_in};
use crate::mock::refusal::Refusal;
use crate::mock::reply::Reply;

const PURPOSES: &[&str] = &["assistants", "batch", "fine-tune", "vision", "user_data", "evals"];

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
                json!({"id": asked.id, "object": "file", "deleted": true})
            }
            ("POST", "batches", false, _) => create(shelf, asked)?,
            ("GET", "batches", false, _) => {
                list(shelf.batches.iter().map(|(number, batch)| batch_object(*number, batch)))
            }
            ("GET", "batches", true, "") => {
                finish(shelf, asked)?;
                let (number, batch) = shelf.batch(asked)?;
                batch_object(number, batch)
            }
            ("POST", "batches", true, "cancel") => {
                let (number, batch) = shelf.batch(asked)?;
                batch.is_cancelled = true;
                batch_object(number, batch)
            }
            _ => return Err(asked.unknown()),
        },
    ))
}

fn list(items: impl DoubleEndedIterator<Item = Value>) -> Value {
    let items: Vec<Value> = items.rev().collect();
    let id = |item: Option<&Value>| item.map_or(Value::Null, |item| item["id"].clone());
    json!({"object": "list", "has_more": false, "first_id": id(items.first()),
        "last_id": id(items.last()), "data": items})
}

fn upload(shelf: &mut Shelf, asked: &Asked<'_>) -> Result<Value, Refusal> {
    let (mut file, mut purpose) = (None, String::new());
    for field in asked.form()? {
        match field.name.as_str() {
            "file" => file = Some(field),
            "purpose" => purpose = String::from_utf8_lossy(field.value).into_owned(),
            "expires_after[anchor]" | "expires_after[seconds]" => {}
            other => {
                let message = format!("Unknown parameter: '{other}'.");
                return Err(Refusal::invalid(message).param(other).code("unknown_parameter"));
            }
        }
    }
    let missing = |name: &str| {
        let message = format!("Missing required parameter: '{name}'.");
        Refusal::invalid(message).param(name).code("missing_required_parameter")
    };
    let file = file.ok_or_else(|| missing("file"))?;
    if !PURPOSES.contains(&purpose.as_str()) {
        return Err(missing("purpose"));
    }
    let number = shelf.add_file(File {
        name: file.file_name.ok_or_else(|| missing("file"))?,
        media_type: "application/octet-stream".to_owned(),
        purpose,
        bytes: file.value.to_vec(),
        is_open: false,
        is_output: false,
    })?;
    shelf.files.get(&number).map(|file| file_object(number, file)).ok_or_else(|| asked.missing())
}

fn file_object(number: u64, file: &File) -> Value {
    json!({"id": file_id(number), "object": "file", "bytes": file.bytes.len(), "created_at": MADE_AT,
        "expires_at": null, "filename": file.name, "purpose": file.purpose, "status": "processed",
        "status_details": null})
}

fn file_id(number: u64) -> String {
    format!("file-mock{number}")
}

fn create(shelf: &mut Shelf, asked: &Asked<'_>) -> Result<Value, Refusal> {
    const KNOWN: &[&str] =
        &["input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after"];
    let body = asked.json()?;
    let members =
        body.as_object().ok_or_else(|| Refusal::invalid("The body must be an object."))?;
    if let Some(other) = members.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        let message = format!("Unknown parameter: '{other}'.");
        return Err(Refusal::invalid(message).param(other.as_str()).code("unknown_parameter"));
    }
    let text = |name: &str| {
        body[name].as_str().map(str::to_owned).ok_or_else(|| {
            let message = format!("Missing required parameter: '{name}'.");
            Refusal::invalid(message).param(name).code("missing_required_parameter")
        })
    };
    let (endpoint, input) = (text("endpoint")?, text("input_file_id")?);
    if text("completion_window")? != "24h" {
        return Err(
            Refusal::invalid("Invalid value for 'completion_window'.").param("completion_window")
        );
    }
    let input = number_in(&input).filter(|number| shelf.files.contains_key(number));
    let input = input
        .ok_or_else(|| Refusal::invalid("There is no such input file.").param("input_file_id"))?;
    let bytes = shelf.files.get(&input).map(|file| file.bytes.as_slice()).unwrap_or_default();
    let questions = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let questions = questions.map(question).collect::<Result<Vec<_>, Refusal>>()?;
    let model = questions.first().map(|first| first.model.clone()).unwrap_or_default();
    let metadata = body["metadata"].clone();
    let number = shelf.add_batch(Batch {
        endpoint,
        input: Some(input),
        output: None,
        model,
        questions,
        metadata,
        is_cancelled: false,
    })?;
    shelf
        .batches
        .get(&number)
        .map(|batch| batch_object(number, batch))
        .ok_or_else(|| asked.missing())
}

fn question(line: &[u8]) -> Result<Question, Refusal> {
    let wrong = || Refusal::invalid("A line of the input file is no request.");
    let line: Value = serde_json::from_slice(line).map_err(|_| wrong())?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let is_post = line["method"].as_str() == Some("POST") && line["url"].is_string();
    Ok(Question {
        id: text(&line["custom_id"]).filter(|_| is_post).ok_or_else(wrong)?,
        text: last_text(&line["body"]),
        model: text(&line["body"]["model"]).ok_or_else(wrong)?,
    })
}

/// Answers the questions of a batch that is asked about.
fn finish(shelf: &mut Shelf, asked: &Asked<'_>) -> Result<(), Refusal> {
    let (number, batch) = shelf.batch(asked)?;
    if batch.is_cancelled || batch.output.is_some() {
        return Ok(());
    }
    let lines = batch.questions.iter().map(|question| {
        let message = json!({"role": "assistant", "content": question.answer(), "refusal": null});
        let completion = json!({"id": "chatcmpl-mock", "object": "chat.completion", "created": MADE_AT,
            "model": question.model,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": null}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}});
        let response = json!({"status_code": 200, "request_id": "req_mock", "body": completion});
        let line = json!({"id": "batch_req_mock", "custom_id": question.id, "response": response,
            "error": null});
        format!("{line}\n")
    });
    let bytes = lines.collect::<String>().into_bytes();
    let output = shelf.add_file(File {
        name: format!("batch_mock{number}_output.jsonl"),
        media_type: "application/octet-stream".to_owned(),
        purpose: "batch_output".to_owned(),
        bytes,
        is_open: false,
        is_output: true,
    })?;
    shelf.batch(asked)?.1.output = Some(output);
    Ok(())
}

fn batch_object(number: u64, batch: &Batch) -> Value {
    let status = match (batch.is_cancelled, batch.output) {
        (true, _) => "cancelling",
        (false, Some(_)) => "completed",
        (false, None) => "validating",
    };
    let total = batch.questions.len();
    let done = if batch.output.is_some() { total } else { 0 };
    json!({"id": format!("batch_mock{number}"), "object": "batch", "endpoint": batch.endpoint,
        "model": batch.model, "errors": null, "input_file_id": batch.input.map(file_id),
        "completion_window": "24h", "status": status, "output_file_id": batch.output.map(file_id),
        "error_file_id": null, "created_at": MADE_AT, "in_progress_at": null,
        "expires_at": MADE_AT + 86_400, "finalizing_at": null,
        "completed_at": batch.output.map(|_| MADE_AT), "failed_at": null, "expired_at": null,
        "cancelling_at": batch.is_cancelled.then_some(MADE_AT), "cancelled_at": null,
        "request_counts": {"total": total, "completed": done, "failed": 0},
        "metadata": batch.metadata})
}
