//! The losses that are no mistakes: what one dialect says and the other has no place for.

use dialect::Dialect;
use serde_json::Value;

use crate::bedrock_converse;
use crate::exchange::{Body, Exchange};
use crate::gemini;
use crate::openai_responses;
use crate::operations;
use crate::report::Direction;
use crate::{cohere_chat, ollama_chat, openai_completions};

/// A difference between what was said and what arrived.
pub(crate) struct Mismatch<'m> {
    pub(crate) exchange: &'m Exchange,
    /// The other dialect.
    pub(crate) there: Dialect,
    pub(crate) feature: &'static str,
    pub(crate) direction: Direction,
    pub(crate) expected: &'m Value,
    pub(crate) actual: &'m Value,
}

/// A loss that is no mistake.
pub(crate) struct Allowed {
    pub(crate) feature: &'static str,
    pub(crate) applies: fn(&Mismatch<'_>) -> bool,
    pub(crate) reason: &'static str,
}

/// The reason a difference is allowed for, if there is one.
pub(crate) fn reason(mismatch: &Mismatch<'_>) -> Option<&'static str> {
    let fits =
        |allowed: &&Allowed| allowed.feature == mismatch.feature && (allowed.applies)(mismatch);
    let tables = [
        ALLOWED,
        openai_responses::ALLOWED,
        bedrock_converse::ALLOWED,
        cohere_chat::ALLOWED,
        openai_completions::ALLOWED,
        ollama_chat::ALLOWED,
        gemini::ALLOWED,
        operations::ALLOWED,
    ];
    tables.into_iter().flatten().find(fits).map(|allowed| allowed.reason)
}

const ALLOWED: &[Allowed] = &[
    Allowed {
        feature: "token limit",
        applies: |loss| {
            through(loss, Dialect::AnthropicMessages)
                && loss.expected.is_null()
                && *loss.actual == 4096
        },
        reason: "Anthropic requires a limit; requests without one get the default",
    },
    Allowed {
        feature: "server tools",
        applies: |loss| through(loss, Dialect::OpenAiChat) && loss.actual.is_null(),
        reason: "chat completions have no place for what the vendor's own tools did",
    },
    Allowed {
        feature: "server tool history",
        applies: |loss| through(loss, Dialect::OpenAiChat) && loss.actual.is_null(),
        reason: "chat completions have no place for what the vendor's own tools did",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, Dialect::OpenAiChat, "tools[", ".type"),
        reason: "refused: tools with a schema of Anthropic's that the caller runs (computer, memory)",
    },
    Allowed {
        feature: "translation",
        applies: |loss| {
            is_refused(loss, Dialect::OpenAiChat, "messages[", ".type")
                || is_refused(loss, Dialect::AnthropicMessages, "messages[", ".type")
        },
        reason: "refused: content blocks of another vendor (containers, video)",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, Dialect::OpenAiChat, "messages[", ".source"),
        reason: "refused: documents by URL and images by file id, which chat completions do not take",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, Dialect::AnthropicMessages, "messages[", ".input_audio"),
        reason: "refused: Anthropic takes no audio",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, Dialect::AnthropicMessages, "tools[", ".custom"),
        reason: "refused: Anthropic has no tools that take free text by a grammar",
    },
    Allowed {
        feature: "translation",
        applies: |loss| {
            through(loss, Dialect::AnthropicMessages)
                && loss.actual.as_str().is_some_and(|error| {
                    error.starts_with("reasoning") && error.contains("needs a token limit")
                })
        },
        reason: "refused: an effort with a token limit that leaves no room for thinking",
    },
    Allowed {
        feature: "seed",
        applies: |loss| through(loss, Dialect::AnthropicMessages) && loss.actual.is_null(),
        reason: "Anthropic has no such knob",
    },
    Allowed {
        feature: "penalties",
        applies: |loss| through(loss, Dialect::AnthropicMessages) && loss.actual.is_null(),
        reason: "Anthropic has no such knob",
    },
    Allowed {
        feature: "logprobs",
        applies: |loss| through(loss, Dialect::AnthropicMessages) && loss.actual.is_null(),
        reason: "Anthropic has no such knob",
    },
    Allowed {
        feature: "n",
        applies: |loss| through(loss, Dialect::AnthropicMessages) && loss.actual.is_null(),
        reason: "Anthropic gives one answer",
    },
    Allowed {
        feature: "choices",
        applies: |loss| through(loss, Dialect::AnthropicMessages) && loss.actual.is_null(),
        reason: "Anthropic gives one answer; the first is kept",
    },
    Allowed {
        feature: "json mode",
        applies: |loss| through(loss, Dialect::AnthropicMessages) && loss.actual.is_null(),
        reason: "Anthropic knows JSON with a schema only",
    },
    Allowed {
        feature: "temperature",
        applies: |loss| {
            through(loss, Dialect::AnthropicMessages)
                && loss.actual.is_null()
                && thinks(loss.exchange)
        },
        reason: "Anthropic refuses a temperature together with thinking",
    },
    Allowed {
        feature: "tool choice",
        applies: |loss| {
            through(loss, Dialect::AnthropicMessages)
                && loss.expected.is_null()
                && *loss.actual == "auto"
        },
        reason: "the default spelt out, to say beside it that calls must not be parallel",
    },
    Allowed {
        feature: "earlier reasoning",
        applies: |loss| through(loss, Dialect::AnthropicMessages) && loss.actual.is_null(),
        reason: "Anthropic refuses thinking that it did not sign",
    },
    Allowed {
        feature: "earlier encrypted reasoning",
        applies: |loss| {
            through(loss, Dialect::AnthropicMessages)
                && loss.actual.is_null()
                && is_foreign_reasoning(loss.exchange)
        },
        reason: "encrypted by another vendor; Anthropic refuses it",
    },
    Allowed {
        feature: "tool calls",
        applies: |loss| through(loss, Dialect::AnthropicMessages) && is_without_arguments(loss),
        reason: "arguments `null` mean none, which Anthropic spells `{}`",
    },
    Allowed {
        feature: "tool arguments",
        applies: |loss| through(loss, Dialect::AnthropicMessages) && is_without_arguments(loss),
        reason: "arguments `null` mean none, which Anthropic spells `{}`",
    },
    Allowed {
        feature: "tool arguments",
        applies: |loss| through(loss, Dialect::AnthropicMessages) && is_wrapped(loss),
        reason: "Anthropic's input is an object: what is none is kept in its member `arguments`",
    },
    Allowed {
        feature: "tool ids",
        applies: |loss| names_nameless(loss),
        reason: "calls that came without an id get one",
    },
    Allowed {
        feature: "tool call ids",
        applies: |loss| loss.expected.is_null(),
        reason: "calls that came without an id get one",
    },
    Allowed {
        feature: "tool result ids",
        applies: |loss| loss.expected.is_null(),
        reason: "results that came without an id get that of the call they answer",
    },
    Allowed {
        feature: "id",
        applies: |loss| loss.expected.is_null() && *loss.actual == "fallback-id",
        reason: "replies that came without an id get one",
    },
    Allowed {
        feature: "finish reason",
        applies: |loss| {
            through(loss, Dialect::AnthropicMessages)
                && *loss.expected == "end"
                && *loss.actual == "tools"
        },
        reason: "hosts report `stop` beside tool calls; clients of Anthropic go on only at `tool_use`",
    },
    Allowed {
        feature: "finish reason",
        applies: |loss| {
            through(loss, Dialect::AnthropicMessages)
                && *loss.expected == "end"
                && *loss.actual == "declined"
        },
        reason: "OpenAI reports `stop` beside a refusal; Anthropic says `refusal`",
    },
    Allowed {
        feature: "usage total",
        applies: |loss| through(loss, Dialect::AnthropicMessages) && !loss.actual.is_null(),
        reason: "Anthropic reports no total; some hosts count thinking only there",
    },
    Allowed {
        feature: "usage input",
        applies: |loss| {
            through(loss, Dialect::AnthropicMessages) && counts_cache_twice(loss.exchange)
        },
        reason: "the host reports more cached tokens than prompt tokens, which Anthropic's sum cannot say",
    },
    Allowed {
        feature: "error code",
        applies: |loss| through(loss, Dialect::AnthropicMessages) && loss.actual.is_null(),
        reason: "Anthropic's errors have no code",
    },
    Allowed {
        feature: "error type",
        applies: |loss| loss.expected.is_null() && *loss.actual == "api_error",
        reason: "errors without a type get the general one, which OpenAI's clients want",
    },
    Allowed {
        feature: "error type",
        applies: |loss| through(loss, Dialect::AnthropicMessages),
        reason: "Anthropic's types are a closed list, chosen by the status",
    },
    Allowed {
        feature: "thinking",
        applies: |loss| {
            through(loss, Dialect::OpenAiChat)
                && loss.actual.is_null()
                && asks_adaptively(loss.exchange)
        },
        reason: "adaptive thinking leaves the effort to the model, as chat does when none is named",
    },
];

/// Whether it was lost on the way through that dialect.
pub(crate) fn through(loss: &Mismatch<'_>, there: Dialect) -> bool {
    loss.direction != Direction::Same && loss.there == there
}

/// Whether a dialect could not say the member at such a place.
pub(crate) fn is_refused(loss: &Mismatch<'_>, target: Dialect, head: &str, tail: &str) -> bool {
    let error = loss.actual.as_str().unwrap_or("");
    let refusal = error.split_once(": cannot be expressed in ");
    refusal.is_some_and(|(path, name)| {
        name == target.name() && path.starts_with(head) && path.ends_with(tail)
    })
}

/// Whether it was said to a model that takes only thinking it signed.
pub(crate) fn is_signed(exchange: &Exchange) -> bool {
    matches!(exchange.dialect, Dialect::AnthropicMessages | Dialect::BedrockConverse)
}

/// Whether the first bytes, in base64, are those of a picture: PNG or JPEG.
pub(crate) fn is_picture(files: &Value) -> bool {
    let first = files[0].as_str().unwrap_or("");
    first.starts_with("iVBOR") || first.starts_with("/9j/")
}

pub(crate) fn thinks(exchange: &Exchange) -> bool {
    let request = exchange.request.as_ref();
    request.is_some_and(|request| {
        request["reasoning"].is_object() || request["reasoning_effort"].is_string()
    })
}

/// Whether all encrypted reasoning of a request names another vendor than Anthropic.
pub(crate) fn is_foreign_reasoning(exchange: &Exchange) -> bool {
    let text = exchange.request.as_ref().map(Value::to_string).unwrap_or_default();
    let is_foreign = |format: &str| text.contains(&format!("\"format\":\"{format}\""));
    (is_foreign("google-gemini-v1") || is_foreign("openai-responses-v1"))
        && !is_foreign("anthropic-claude-v1")
}

pub(crate) fn is_without_arguments(loss: &Mismatch<'_>) -> bool {
    let expected = loss.expected.to_string();
    expected.contains("null") && *expected.replace("null", "{}") == *loss.actual.to_string()
}

pub(crate) fn is_wrapped(loss: &Mismatch<'_>) -> bool {
    let (Some(expected), Some(actual)) = (loss.expected.as_array(), loss.actual.as_array()) else {
        return false;
    };
    expected.len() == actual.len()
        && expected.iter().zip(actual).all(|(expected, actual)| {
            expected == actual || (!expected.is_object() && is_kept(expected, &actual["arguments"]))
        })
}

/// The same, but for spaces at the end of a text.
fn is_kept(expected: &Value, actual: &Value) -> bool {
    let trimmed = |value: &Value| value.as_str().map(|text| text.trim().to_owned());
    expected == actual || (expected.is_string() && trimmed(expected) == trimmed(actual))
}

/// Whether the ids are the same but for the empty ones.
fn names_nameless(loss: &Mismatch<'_>) -> bool {
    let (Some(expected), Some(actual)) = (loss.expected.as_array(), loss.actual.as_array()) else {
        return false;
    };
    expected.len() == actual.len()
        && expected
            .iter()
            .zip(actual)
            .all(|(expected, actual)| expected == actual || *expected == "")
}

pub(crate) fn counts_cache_twice(exchange: &Exchange) -> bool {
    let text = match &exchange.response {
        Body::Json(body) => body.to_string(),
        Body::Sse(text) | Body::Lines(text) => text.clone(),
        Body::None => return false,
    };
    // The last report is the one that counts.
    let count = |name: &str| {
        let (_, behind) = text.rsplit_once(&format!("\"{name}\":"))?;
        let digits: String = behind.trim_start().chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u64>().ok()
    };
    count("cached_tokens") > count("prompt_tokens")
}

fn asks_adaptively(exchange: &Exchange) -> bool {
    exchange.request.as_ref().is_some_and(|request| request["thinking"]["type"] == "adaptive")
}
