//! Files and batches as Gemini keeps them.

use serde_json::{Value, json};

use super::{Asked, Batch, ENDS_AT_TEXT, File, MADE_AT_TEXT, Question, Shelf, content, last_text};
use crate::mock::refusal::Refusal;
use crate::mock::reply::Reply;
use crate::mock::routes::model_in_path;

pub(super) fn serve(shelf: &mut Shelf, asked: &Asked<'_>) -> Result<Reply, Refusal> {
    Ok(Reply::json(
        200,
        &match asked.operation() {
            ("POST", "files", false, _) => return upload(shelf, asked),
            ("GET", "files", false, _) => {
                let files = shelf.files.iter().filter(|(_, file)| !file.is_open);
                let files = files.map(|(number, file)| file_object(*number, file));
                json!({"files": files.collect::<Vec<_>>()})
            }
            ("GET", "files", true, "") => {
                let (number, file) = shelf.file(asked)?;
                file_object(number, file)
            }
            ("GET", "files", true, "download") => {
                return shelf.file(asked).map(|(_, file)| content(file));
            }
            ("DELETE", "files", true, "") => {
                let (number, _) = shelf.file(asked)?;
                shelf.files.remove(&number);
                json!({})
            }
            ("POST", ":batchGenerateContent", ..) => create(shelf, asked)?,
            ("GET", "batches", false, _) => {
                let batches = shelf.batches.iter();
                let batches = batches.map(|(number, batch)| operation(*number, batch));
                json!({"operations": batches.collect::<Vec<_>>()})
            }
            ("GET", "batches", true, "") => {
                let (number, batch) = shelf.batch(asked)?;
                // It is done from now on.
                batch.output.get_or_insert(number);
                operation(number, batch)
            }
            ("DELETE", "batches", true, "") => {
                let (number, _) = shelf.batch(asked)?;
                shelf.batches.remove(&number);
                json!({})
            }
            ("POST", "batches", true, "cancel") => {
                shelf.batch(asked)?.1.is_cancelled = true;
                json!({})
            }
            _ => return Err(asked.unknown()),
        },
    ))
}

/// A resumable upload, or metadata and bytes in one body.
fn upload(shelf: &mut Shelf, asked: &Asked<'_>) -> Result<Reply, Refusal> {
    let header = |name: &str| asked.request.header(name).unwrap_or_default();
    if header("x-goog-upload-protocol") == "multipart" {
        return upload_at_once(shelf, asked);
    }
    let command = header("x-goog-upload-command");
    if command == "start" {
        let file = asked.json()?["file"].clone();
        let text = |name: &str| file[name].as_str().map(str::to_owned);
        let declared = header("x-goog-upload-header-content-type");
        let number = shelf.add_file(File {
            name: text("displayName").or_else(|| text("display_name")).unwrap_or_default(),
            media_type: text("mimeType").unwrap_or_else(|| declared.to_owned()),
            purpose: String::new(),
            bytes: Vec::new(),
            is_open: true,
            is_output: false,
        })?;
        let host = header("host");
        let url = format!("http://{host}{}?upload_id={number}", asked.request.path());
        return Ok(Reply::json(200, &json!({}))
            .with_header("x-goog-upload-url", url)
            .with_header("x-goog-upload-status", "active"));
    }
    let number = asked.request.query("upload_id").and_then(|id| id.parse::<u64>().ok());
    let file = number.and_then(|number| shelf.files.get_mut(&number)).filter(|file| file.is_open);
    let (Some(number), Some(file)) = (number, file) else {
        return Err(Refusal::invalid("There is no such upload."));
    };
    if header("x-goog-upload-offset").parse() != Ok(file.bytes.len()) {
        return Err(Refusal::invalid("The upload does not go on at this offset."));
    }
    file.bytes.extend_from_slice(asked.request.body());
    if !command.contains("finalize") {
        return Ok(Reply::json(200, &json!({})).with_header("x-goog-upload-status", "active"));
    }
    file.is_open = false;
    let file = json!({"file": file_object(number, file)});
    Ok(Reply::json(200, &file).with_header("x-goog-upload-status", "final"))
}

fn upload_at_once(shelf: &mut Shelf, asked: &Asked<'_>) -> Result<Reply, Refusal> {
    let wrong = || Refusal::invalid("The body must be metadata and bytes (multipart/related).");
    let content_type = asked.request.header("content-type").unwrap_or_default();
    let boundary = content_type.strip_prefix("multipart/related; boundary=").ok_or_else(wrong)?;
    let delimiter = format!("--{boundary}");
    let body = asked.request.body();
    let marks: Vec<usize> = memchr::memmem::find_iter(body, delimiter.as_bytes()).collect();
    let [first, second, third] = marks[..] else { return Err(wrong()) };
    let part = |from: usize, to: usize| -> Option<&[u8]> {
        let part = body.get(from..to.checked_sub(2)?)?;
        let head_end = memchr::memmem::find(part, b"\r\n\r\n")?;
        part.get(head_end + 4..)
    };
    let about = part(first, second).and_then(|part| serde_json::from_slice::<Value>(part).ok());
    let (about, bytes) = about.zip(part(second, third)).ok_or_else(wrong)?;
    let text = |name: &str| about["file"][name].as_str().unwrap_or_default().to_owned();
    let number = shelf.add_file(File {
        name: text("display_name"),
        media_type: text("mime_type"),
        purpose: String::new(),
        bytes: bytes.to_vec(),
        is_open: false,
        is_output: false,
    })?;
    let file = shelf.files.get(&number).map(|file| file_object(number, file));
    Ok(Reply::json(200, &json!({"file": file})))
}

fn file_object(number: u64, file: &File) -> Value {
    let name = format!("files/mock{number}");
    json!({"name": name, "displayName": file.name, "mimeType": file.media_type,
        "sizeBytes": file.bytes.len().to_string(), "createTime": MADE_AT_TEXT,
        "updateTime": MADE_AT_TEXT, "expirationTime": ENDS_AT_TEXT,
        "uri": format!("https://generativelanguage.googleapis.com/v1beta/{name}"),
        "state": "ACTIVE", "source": if file.is_output { "GENERATED" } else { "UPLOADED" }})
}

fn create(shelf: &mut Shelf, asked: &Asked<'_>) -> Result<Value, Refusal> {
    let body = asked.json()?;
    let batch = &body["batch"];
    let either = |value: &Value, camel: &str, snake: &str| {
        value.get(camel).or_else(|| value.get(snake)).cloned().unwrap_or_default()
    };
    let input = either(batch, "inputConfig", "input_config");
    let requests = input["requests"]["requests"].as_array().cloned().unwrap_or_default();
    if requests.is_empty() && !either(&input, "fileName", "file_name").is_string() {
        return Err(Refusal::invalid("batch.input_config: requests or a file are required."));
    }
    let model = model_in_path(asked.request.path()).unwrap_or_default().into_owned();
    let questions = requests.iter().map(|request| Question {
        id: request["metadata"]["key"].as_str().unwrap_or_default().to_owned(),
        text: last_text(&request["request"]),
        model: model.clone(),
    });
    let batch = Batch {
        endpoint: String::new(),
        input: None,
        output: None,
        questions: questions.collect(),
        metadata: either(batch, "displayName", "display_name"),
        is_cancelled: false,
        model,
    };
    let number = shelf.add_batch(batch)?;
    shelf.batches.get(&number).map(|batch| operation(number, batch)).ok_or_else(|| asked.missing())
}

fn operation(number: u64, batch: &Batch) -> Value {
    let name = format!("batches/mock{number}");
    let total = batch.questions.len();
    let (state, done) = match (batch.is_cancelled, batch.output) {
        (true, _) => ("BATCH_STATE_CANCELLED", 0),
        (false, Some(_)) => ("BATCH_STATE_SUCCEEDED", total),
        (false, None) => ("BATCH_STATE_PENDING", 0),
    };
    let stats = json!({"requestCount": total.to_string(), "successfulRequestCount": done.to_string(),
        "pendingRequestCount": (total - done).to_string()});
    let mut operation = json!({"name": name, "metadata": {"name": name,
        "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
        "model": format!("models/{}", batch.model), "displayName": batch.metadata,
        "createTime": MADE_AT_TEXT, "updateTime": MADE_AT_TEXT, "state": state, "batchStats": stats}});
    if done > 0 {
        let answers = batch.questions.iter().map(|question| {
            let content = json!({"role": "model", "parts": [{"text": question.answer()}]});
            let response = json!({"candidates": [{"content": content, "finishReason": "STOP"}],
                "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}});
            json!({"response": response, "metadata": {"key": question.id}})
        });
        let answers = json!({"inlinedResponses": answers.collect::<Vec<_>>()});
        operation["metadata"]["output"] = json!({"inlinedResponses": answers});
        operation["metadata"]["endTime"] = json!(MADE_AT_TEXT);
        operation["response"] = json!({"inlinedResponses": answers});
        operation["done"] = json!(true);
    }
    operation
}
