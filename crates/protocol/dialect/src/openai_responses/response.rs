//! The response object, which replies are and which events carry. What the answer says nothing about is filled in with
//! what OpenAI takes when nothing is asked.

use std::borrow::Cow;

use super::error::write_failure;
use super::usage::write_usage;
use crate::canonical::{ErrorReply, Stop, Usage};
use crate::fields;
use crate::json::{Object, Raw, Text};

/// How far a response has come.
#[derive(Debug)]
pub(super) enum Outcome<'o> {
    InProgress,
    Stopped(&'o Stop<'o>),
    Failed(&'o ErrorReply<'o>),
}

/// What names a response.
#[derive(Debug)]
pub(super) struct Head<'h> {
    pub(super) id: &'h Text<'h>,
    pub(super) model: &'h Text<'h>,
    /// Seconds since 1970.
    pub(super) created: u64,
    pub(super) service_tier: Option<&'static str>,
}

/// Writes the members of a response; `output` writes the list of items.
pub(super) fn write_response(
    head: &Head<'_>,
    outcome: &Outcome<'_>,
    usage: &Usage,
    object: &mut Object<'_>,
    output: impl FnOnce(&mut Vec<u8>),
) {
    object.text("id", head.id);
    object.str("object", "response");
    object.u64("created_at", head.created);
    object.str("status", status(outcome));
    object.bool("background", false);
    match outcome {
        Outcome::Failed(error) => write_failure(error, object.object("error")),
        Outcome::InProgress | Outcome::Stopped(_) => object.null("error"),
    }
    write_incomplete(outcome, object);
    object.null("instructions");
    object.null("max_output_tokens");
    object.null("max_tool_calls");
    object.text("model", head.model);
    output(object.key("output"));
    object.bool("parallel_tool_calls", true);
    object.null("previous_response_id");
    object.null("prompt_cache_key");
    object.verbatim("reasoning", r#"{"effort":null,"summary":null}"#);
    object.null("safety_identifier");
    object.str("service_tier", head.service_tier.unwrap_or("default"));
    // The gateway keeps nothing.
    object.bool("store", false);
    object.verbatim("temperature", "1.0");
    object.verbatim("text", r#"{"format":{"type":"text"}}"#);
    object.str("tool_choice", "auto");
    object.array("tools");
    object.u64("top_logprobs", 0);
    object.verbatim("top_p", "1.0");
    object.str("truncation", "disabled");
    if usage.reported && !matches!(outcome, Outcome::InProgress) {
        write_usage(usage, &mut object.object("usage"));
    } else {
        object.null("usage");
    }
    object.null("user");
    object.object("metadata");
}

fn status(outcome: &Outcome<'_>) -> &'static str {
    match outcome {
        Outcome::InProgress => "in_progress",
        Outcome::Failed(_) => "failed",
        Outcome::Stopped(stop) => status_of_stop(stop),
    }
}

/// The status of a response, and of its last item, that ended so.
pub(super) fn status_of_stop(stop: &Stop<'_>) -> &'static str {
    match stop {
        Stop::EndTurn | Stop::Sequence | Stop::ToolUse | Stop::Refusal | Stop::Other(_) => {
            "completed"
        }
        Stop::MaxTokens
        | Stop::ContentFilter
        | Stop::ContextWindow
        | Stop::PauseTurn
        | Stop::Compaction => "incomplete",
    }
}

/// Writes why a response is not complete, and the reason it stopped for where that says more than the status does.
fn write_incomplete(outcome: &Outcome<'_>, object: &mut Object<'_>) {
    let Outcome::Stopped(stop) = outcome else { return object.null("incomplete_details") };
    match stop {
        Stop::MaxTokens | Stop::ContextWindow => {
            object.object("incomplete_details").str("reason", "max_output_tokens");
        }
        Stop::ContentFilter => object.object("incomplete_details").str("reason", "content_filter"),
        // The list of reasons is closed and has none for these.
        Stop::PauseTurn | Stop::Compaction => object.object("incomplete_details").null("reason"),
        Stop::EndTurn | Stop::Sequence | Stop::ToolUse | Stop::Refusal | Stop::Other(_) => {
            object.null("incomplete_details");
        }
    }
    if let Some(reason) = stop_reason(stop) {
        object.str("stop_reason", &reason);
    }
}

/// Not OpenAI's, but sent by hosts of the dialect: the reason that a status cannot tell.
fn stop_reason<'a>(stop: &'a Stop<'_>) -> Option<Cow<'a, str>> {
    Some(Cow::Borrowed(match stop {
        Stop::EndTurn | Stop::ToolUse | Stop::MaxTokens | Stop::ContentFilter => return None,
        Stop::Sequence => "stop_sequence",
        Stop::Refusal => "refusal",
        Stop::PauseTurn => "pause_turn",
        Stop::Compaction => "compaction",
        Stop::ContextWindow => "model_context_window_exceeded",
        Stop::Other(name) => return Some(name.plain()),
    }))
}

/// Why a response ended; where it made calls or refused, that is why.
pub(super) fn read_stop<'a>(response: Raw<'a>, has_call: bool, has_refusal: bool) -> Stop<'a> {
    let filled =
        |object: Raw<'a>, name| fields::lenient_text(object, name).filter(|text| !text.is_empty());
    let complete = || match () {
        () if has_call => Stop::ToolUse,
        () if has_refusal => Stop::Refusal,
        () => Stop::EndTurn,
    };
    if let Some(reason) = filled(response, "stop_reason") {
        return match &*reason.plain() {
            "end_turn" | "stop" | "tool_use" => complete(),
            "stop_sequence" => Stop::Sequence,
            "max_tokens" | "length" => Stop::MaxTokens,
            "refusal" => Stop::Refusal,
            "pause_turn" => Stop::PauseTurn,
            "compaction" => Stop::Compaction,
            "model_context_window_exceeded" => Stop::ContextWindow,
            _ => Stop::Other(reason),
        };
    }
    match filled(response, "status") {
        Some(status) if status == *"incomplete" => {
            let details = response.member("incomplete_details");
            let reason = details.and_then(|details| filled(details, "reason")).unwrap_or(status);
            match &*reason.plain() {
                "max_output_tokens" | "max_tokens" => Stop::MaxTokens,
                "content_filter" => Stop::ContentFilter,
                _ => Stop::Other(reason),
            }
        }
        Some(status) if status == *"failed" || status == *"cancelled" => Stop::Other(status),
        _ => complete(),
    }
}

/// The tier in the words of this dialect, which are a closed list.
pub(super) fn service_tier(tier: &Text<'_>) -> Option<&'static str> {
    const TIERS: [&str; 5] = ["auto", "default", "flex", "scale", "priority"];
    let tier = tier.plain();
    TIERS.into_iter().find(|known| *known == tier)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Index;

    #[test]
    fn a_stop_is_read_as_it_was_written() {
        let stops = [
            Stop::EndTurn,
            Stop::Sequence,
            Stop::MaxTokens,
            Stop::Refusal,
            Stop::ContentFilter,
            Stop::PauseTurn,
            Stop::Compaction,
            Stop::ContextWindow,
            Stop::Other("insufficient_system_resource".into()),
        ];
        for stop in stops {
            let mut out = Vec::new();
            let (id, model) = (Text::from("i"), Text::from("m"));
            let head = Head { id: &id, model: &model, created: 1, service_tier: None };
            let outcome = Outcome::Stopped(&stop);
            let mut object = Object::new(&mut out);
            write_response(&head, &outcome, &Usage::default(), &mut object, |out| {
                out.extend_from_slice(b"[]");
            });
            drop(object);
            let mut index = Index::new();
            let response = index.read(&out).expect("JSON");
            assert_eq!(read_stop(response, false, false), stop);
        }
    }

    #[test]
    fn calls_and_refusals_are_why_a_response_is_complete() {
        let mut index = Index::new();
        let response = index.read(br#"{"status":"completed"}"#).expect("JSON");
        assert_eq!(read_stop(response, true, true), Stop::ToolUse);
        assert_eq!(read_stop(response, false, true), Stop::Refusal);
        assert_eq!(read_stop(response, false, false), Stop::EndTurn);
    }
}
