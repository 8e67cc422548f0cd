//! What callers leave with a provider: files and batches, in memory. A batch is done as soon as it is asked about.

mod anthropic;
mod gemini;
mod openai;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::limits::{KEPT_BATCHES_MAX, KEPT_BYTES_MAX, KEPT_FILES_MAX};
use super::refusal::Refusal;
use super::reply::{Body, Reply};
use super::request::Request;
use super::shape::Shape;

/// Everything that is kept.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Shelf>);

/// The same, by number; ids are made of these.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    last: u64,
    files: BTreeMap<u64, File>,
    batches: BTreeMap<u64, Batch>,
}

#[derive(Debug)]
struct File {
    name: String,
    media_type: String,
    purpose: String,
    bytes: Vec<u8>,
    /// More of it is to come.
    is_open: bool,
    /// Made by the provider, so that it may be fetched.
    is_output: bool,
}

#[derive(Debug)]
struct Batch {
    endpoint: String,
    input: Option<u64>,
    output: Option<u64>,
    model: String,
    questions: Vec<Question>,
    metadata: Value,
    is_cancelled: bool,
}

#[derive(Debug)]
struct Question {
    id: String,
    text: String,
    model: String,
}

impl Question {
    /// What the model says to it.
    fn answer(&self) -> String {
        format!("mock reply to: {}", self.text)
    }
}

/// When everything was made, in seconds since 1970 and spelt out.
const MADE_AT: u64 = 1_750_000_000;
const MADE_AT_TEXT: &str = "2025-06-15T15:06:40Z";
const ENDS_AT_TEXT: &str = "2025-06-16T15:06:40Z";

/// A request about something that is kept, taken apart.
pub(crate) struct Asked<'a> {
    serve: fn(&mut Shelf, &Asked<'_>) -> Result<Reply, Refusal>,
    request: &'a Request,
    /// `files`, `batches`, or the verb behind a model.
    kind: &'a str,
    /// Behind it in the path, decoded; empty where there is none.
    id: String,
    /// Behind the id, after a slash or a colon.
    verb: String,
}

impl Kept {
    /// The reply to a request.
    pub(crate) fn serve(&self, asked: &Asked<'_>) -> Result<Reply, Refusal> {
        (asked.serve)(&mut self.shelf(), asked)
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        *self.shelf() = Shelf::default();
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // A panic elsewhere leaves nothing half done in here.
        self.0.lock().unwrap_or_else(|poison| poison.into_inner())
    }
}

impl<'a> Asked<'a> {
    /// Takes a request apart; none for requests about anything else.
    pub(crate) fn of(shape: Shape, request: &'a Request) -> Option<Self> {
        const VERB: &str = ":batchGenerateContent";
        let serve: fn(&mut Shelf, &Asked<'_>) -> Result<Reply, Refusal> = match shape {
            Shape::OpenAi => openai::serve,
            Shape::Anthropic => anthropic::serve,
            Shape::Gemini => gemini::serve,
            Shape::Bedrock | Shape::Cohere | Shape::ElevenLabs | Shape::Mistral | Shape::Ollama => {
                return None;
            }
        };
        let path = request.path();
        if path.ends_with(VERB) {
            let (kind, id, verb) = (VERB, String::new(), String::new());
            return Some(Self { serve, request, kind, id, verb });
        }
        let mut segments = path.split('/');
        let kind = segments.find(|segment| matches!(*segment, "files" | "batches"))?;
        let text = |segment: Option<&str>| {
            percent_decode_str(segment.unwrap_or_default()).decode_utf8_lossy().into_owned()
        };
        let (id, verb) = (text(segments.next()), text(segments.next()));
        let (id, verb) = match id.split_once(':') {
            Some((id, verb)) => (id.to_owned(), verb.to_owned()),
            None => (id, verb),
        };
        Some(Self { serve, request, kind, id, verb })
    }

    /// Whether it goes on with an upload, whose address is all the credential it needs.
    pub(crate) fn goes_on(&self) -> bool {
        self.request.query("upload_id").is_some()
    }

    /// Method, kind, whether there is an id, and verb: what decides about the operation.
    fn operation(&self) -> (&'a str, &'a str, bool, &str) {
        (self.request.method(), self.kind, !self.id.is_empty(), &self.verb)
    }

    /// The number in an id.
    fn number(&self) -> Result<u64, Refusal> {
        number_in(&self.id).ok_or_else(|| self.missing())
    }

    fn missing(&self) -> Refusal {
        Refusal::new(404, format!("There is no {} with the id '{}'.", self.kind, self.id))
    }

    fn json(&self) -> Result<Value, Refusal> {
        serde_json::from_slice(self.request.body())
            .map_err(|error| Refusal::invalid(format!("The body is no JSON: {error}.")))
    }

    /// The fields of a form.
    fn form(&self) -> Result<Vec<Field<'a>>, Refusal> {
        let content_type = self.request.header("content-type").unwrap_or_default();
        let boundary = content_type.split("boundary=").nth(1).unwrap_or_default().trim_matches('"');
        if !content_type.starts_with("multipart/form-data") || boundary.is_empty() {
            return Err(Refusal::invalid("A file has to come in a form (multipart/form-data)."));
        }
        fields(self.request.body(), boundary)
            .ok_or_else(|| Refusal::invalid("The form cannot be read."))
    }

    fn unknown(&self) -> Refusal {
        let (method, path) = (self.request.method(), self.request.path());
        Refusal::new(404, format!("Unknown request URL: {method} {path}."))
    }
}

fn number_in(id: &str) -> Option<u64> {
    let digits = id.rsplit(|letter: char| !letter.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// A field of a form.
struct Field<'a> {
    name: String,
    file_name: Option<String>,
    media_type: String,
    value: &'a [u8],
}

/// Takes a form apart, by the text book: every part has a head, an empty line and a value.
fn fields<'a>(body: &'a [u8], boundary: &str) -> Option<Vec<Field<'a>>> {
    let delimiter = format!("\r\n--{boundary}");
    let first = format!("--{boundary}\r\n");
    let mut rest = body.strip_prefix(first.as_bytes())?;
    let mut fields = Vec::new();
    loop {
        let end = memchr::memmem::find(rest, delimiter.as_bytes())?;
        let (part, behind) = rest.split_at(end);
        let head_end = memchr::memmem::find(part, b"\r\n\r\n")?;
        let head = std::str::from_utf8(part.get(..head_end)?).ok()?;
        fields.push(Field {
            name: attribute(head, "name")?,
            file_name: attribute(head, "filename"),
            media_type: media_type(head),
            value: part.get(head_end + 4..)?,
        });
        let behind = behind.get(delimiter.len()..)?;
        match behind.strip_prefix(b"\r\n") {
            Some(next) => rest = next,
            None => return behind.starts_with(b"--").then_some(fields),
        }
    }
}

fn attribute(head: &str, name: &str) -> Option<String> {
    let line =
        head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
    let mut pairs = line.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(known, _)| *known == name)?;
    Some(value.trim_matches('"').to_owned())
}

fn media_type(head: &str) -> String {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-type:"));
    let value = line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim());
    value.unwrap_or("application/octet-stream").to_owned()
}

impl Shelf {
    fn add_file(&mut self, file: File) -> Result<u64, Refusal> {
        let bytes: usize = self.files.values().map(|file| file.bytes.len()).sum();
        if self.files.len() == KEPT_FILES_MAX || bytes + file.bytes.len() > KEPT_BYTES_MAX {
            return Err(Refusal::new(413, "mock: there are too many files"));
        }
        self.last += 1;
        self.files.insert(self.last, file);
        Ok(self.last)
    }

    fn add_batch(&mut self, batch: Batch) -> Result<u64, Refusal> {
        if self.batches.len() == KEPT_BATCHES_MAX {
            return Err(Refusal::new(413, "mock: there are too many batches"));
        }
        self.last += 1;
        self.batches.insert(self.last, batch);
        Ok(self.last)
    }

    fn file(&self, asked: &Asked<'_>) -> Result<(u64, &File), Refusal> {
        let number = asked.number()?;
        self.files.get(&number).map(|file| (number, file)).ok_or_else(|| asked.missing())
    }

    fn batch(&mut self, asked: &Asked<'_>) -> Result<(u64, &mut Batch), Refusal> {
        let number = asked.number()?;
        self.batches.get_mut(&number).map(|batch| (number, batch)).ok_or_else(|| asked.missing())
    }
}

/// The content of a file.
fn content(file: &File) -> Reply {
    let headers = vec![("content-type".to_owned(), file.media_type.clone())];
    Reply { status: 200, headers, body: Body::Whole(file.bytes.clone()), break_off: None }
}

/// The text of the last message in a body of any provider.
fn last_text(body: &Value) -> String {
    let list = ["messages", "contents", "input"].iter().find_map(|name| body.get(*name));
    let last = list.and_then(Value::as_array).and_then(|list| list.last());
    let content = last.and_then(|last| last.get("content").or_else(|| last.get("parts")));
    let text = |part: &Value| part.get("text").and_then(Value::as_str).map(str::to_owned);
    match content.or_else(|| body.get("input")) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts.iter().filter_map(text).collect(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_taken_apart() {
        let form = "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--b\r\n\
            Content-Disposition: form-data; name=\"file\"; filename=\"a\"\r\nContent-Type: text/x\r\n\r\nx\r\ny\r\n--b--\r\n";
        let found = fields(form.as_bytes(), "b").unwrap();
        assert_eq!((found[0].name.as_str(), found[0].value), ("purpose", &b"batch"[..]));
        assert_eq!(found[1].file_name.as_deref(), Some("a"));
        assert_eq!((found[1].media_type.as_str(), found[1].value), ("text/x", &b"x\r\ny"[..]));
        assert!(fields(&form.as_bytes()[..form.len() - 6], "b").is_none());
    }

    #[test]
    fn the_last_message_is_found_in_every_dialect() {
        for body in [
            r#"{"messages":[{"content":"no"},{"role":"user","content":"hi"}]}"#,
            r#"{"messages":[{"content":[{"type":"text","text":"hi"}]}]}"#,
            r#"{"contents":[{"parts":[{"text":"hi"}]}]}"#,
            r#"{"input":"hi"}"#,
        ] {
            assert_eq!(last_text(&serde_json::from_str(body).unwrap()), "hi", "{body}");
        }
    }
}
