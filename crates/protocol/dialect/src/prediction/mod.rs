//! Predictions of Replicate: every model is a program with inputs of its own, run as a job. Only providers speak this
//! dialect, so requests are written and replies read.
//!
//! The reply to the request that starts a job may come before the job is done: [`prediction`] says how far it is and
//! where more is to be had.

pub(crate) mod image;
mod reply;
mod request;
mod stream;
pub(crate) mod video;

use memchr::memmem::Finder;

use crate::canonical::Usage;
use crate::event_class::EventClass;
use crate::format::{Answering, Code, Errors, Format, Framing, Upstream, UsagePlace};
use crate::json::{Cursor, Index, Object, Raw, find_member};
use crate::openai_chat;

/// Models that answer with text.
pub(crate) static TEXT: Format = Format {
    name: "replicate_text",
    framing: Framing::Sse,
    code: Code::Upstream(Upstream::Generation(Answering {
        write_request: request::write_request,
        read_reply: |root, _| reply::read_reply(root),
        stream_reader: |_| Box::new(stream::StreamReader::default()),
    })),
    errors: ERRORS,
    usage: usage_place(),
    event_class,
};

/// `{"detail": "text"}`, or the error of the job in `{"error": "text"}`: both are among the shapes there.
const ERRORS: Errors = openai_chat::ERRORS;

/// What was used stands beside the output, where the model counts it at all.
const fn usage_place() -> UsagePlace {
    UsagePlace::outermost("metrics", || Finder::new("\"metrics\""), read_usage)
}

fn read_usage(metrics: &mut Cursor<'_>, into: &mut Usage) -> Option<()> {
    let mut is_reported = false;
    metrics.object(|name, value| {
        match name {
            b"input_token_count" => Usage::set(&mut into.input, value.count()?),
            b"output_token_count" => Usage::set(&mut into.output, value.count()?),
            _ => return value.value().map(drop),
        }
        is_reported = true;
        Some(())
    })?;
    into.reported = is_reported;
    into.total = into.input.saturating_add(into.output);
    Some(())
}

/// A stream has events named `output`, whose data is text, `logs` and `done`; a job that was waited for is one event
/// without a name.
fn event_class(event: Option<&str>, data: &[u8]) -> EventClass {
    match event {
        Some("output") => EventClass::Output,
        Some("done") => EventClass::Done,
        Some(_) => EventClass::StartUp,
        None if is_failed(data) => EventClass::Error,
        None => EventClass::Output,
    }
}

fn is_failed(data: &[u8]) -> bool {
    FAILED.iter().any(|status| {
        let value = find_member(data, "status").unwrap_or_default();
        value.strip_prefix(b"\"").and_then(|it| it.strip_suffix(b"\"")) == Some(status.as_bytes())
    })
}

/// How a job ends that has no output.
const FAILED: [&str; 3] = ["failed", "canceled", "aborted"];

/// A job as its description says it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prediction {
    /// Its id.
    pub id: String,
    /// How far it is.
    pub state: State,
    /// Where its output can be read while it is made.
    pub stream_url: Option<String>,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// It has begun, or is going to.
    #[default]
    Running,
    /// The output is there.
    Done,
    /// There is not going to be any.
    Failed,
}

/// Reads the description of a job; none where it is something else.
pub fn prediction(body: &[u8]) -> Option<Prediction> {
    let mut index = Index::new();
    let root = index.read(body).ok()?;
    let text = |name: &str| root.member(name).and_then(|value| value.as_str());
    let state = match &*text("status")? {
        "succeeded" | "successful" => State::Done,
        status if FAILED.contains(&status) => State::Failed,
        _ => State::Running,
    };
    let stream = root.member("urls").and_then(|urls| urls.member("stream"));
    Some(Prediction {
        id: text("id")?.into_owned(),
        state,
        stream_url: stream.and_then(|url| url.as_str()).map(|url| url.into_owned()),
    })
}

/// The version that a model's name ends with, or that it is. Other models are named in the path.
fn version(model: &str) -> Option<&str> {
    match model.split_once(':') {
        Some((_, version)) => Some(version),
        None => (!model.contains('/')).then_some(model),
    }
}

/// Writes `version`, where the model is one.
fn write_version(model: &str, body: &mut Object<'_>) {
    if let Some(version) = version(model) {
        body.str("version", version);
    }
}

/// Seconds since 1970 of a point in time of the job.
fn time(root: Raw<'_>, name: &str) -> Option<u64> {
    let text = root.member(name)?.as_str()?;
    crate::ollama_chat::timestamp::read_timestamp(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dialect, UsageReader};

    #[test]
    fn a_description_says_how_far_the_job_is() {
        let told = |status: &str| {
            let body = format!(
                r#"{{"id":"a1","status":"{status}","urls":{{"get":"x","stream":"https://s/1"}}}}"#
            );
            prediction(body.as_bytes()).expect("a description")
        };
        for (status, state) in [
            ("starting", State::Running),
            ("processing", State::Running),
            ("succeeded", State::Done),
            ("failed", State::Failed),
            ("canceled", State::Failed),
        ] {
            let stream_url = Some("https://s/1".to_owned());
            assert_eq!(told(status), Prediction { id: "a1".to_owned(), state, stream_url });
        }
        for other in [r#"{"detail":"no"}"#, r#"{"id":"a","status":7}"#, "", "[]"] {
            assert_eq!(prediction(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_description_cut_anywhere_is_none() {
        let body = br#"{"id":"a1","status":"succeeded","output":["x"]}"#;
        for end in 0..body.len() {
            assert_eq!(prediction(&body[..end]), None);
        }
    }

    #[test]
    fn versions_are_told_from_names() {
        for (model, expected) in [
            ("meta/llama-3", None),
            ("stability-ai/sdxl:39ed52", Some("39ed52")),
            ("39ed52f2a78e", Some("39ed52f2a78e")),
        ] {
            assert_eq!(version(model), expected, "{model}");
        }
    }

    #[test]
    fn tokens_stand_among_the_metrics() {
        let mut reader = UsageReader::new(Dialect::ReplicateText);
        reader.reply(
            br#"{"output":["\"metrics\":{"],"metrics":{"input_token_count":4,"output_token_count":5,"predict_time":0.1}}"#,
        );
        let usage = reader.usage();
        assert_eq!((usage.reported, usage.input, usage.output, usage.total), (true, 4, 5, 9));
        let mut reader = UsageReader::new(Dialect::ReplicateImage);
        reader.reply(br#"{"metrics":{"predict_time":0.1}}"#);
        assert!(!reader.usage().reported);
    }

    #[test]
    fn events_are_told_apart_by_their_names() {
        for (event, data, class) in [
            (Some("output"), "", EventClass::Output),
            (Some("logs"), "x", EventClass::StartUp),
            (Some("done"), "{}", EventClass::Done),
            (None, r#"{"status":"succeeded"}"#, EventClass::Output),
            (None, r#"{"status":"failed","error":"x"}"#, EventClass::Error),
        ] {
            assert_eq!(event_class(event, data.as_bytes()), class, "{event:?} {data}");
        }
    }
}
