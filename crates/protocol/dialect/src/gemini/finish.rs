//! Why the model stopped, in Google's words.

use std::borrow::Cow;

use crate::canonical::Stop;
use crate::json::Text;

/// What cut the answer because of what it says.
const FILTERED: &[&str] = &[
    "SAFETY",
    "RECITATION",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "MODEL_ARMOR",
];

/// What ended the answer early without being its content or its length. Other dialects know no word for it.
const ENDED: &[&str] = &[
    "STOP",
    "FINISH_REASON_UNSPECIFIED",
    "OTHER",
    "MALFORMED_FUNCTION_CALL",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "NO_IMAGE",
    "IMAGE_OTHER",
    "MISSING_THOUGHT_SIGNATURE",
    "MALFORMED_RESPONSE",
];

/// The meaning of `finishReason`; an answer that calls functions stopped for them.
pub(super) fn stop_of_reason(reason: Text<'_>, has_calls: bool) -> Stop<'_> {
    match &*reason.plain() {
        "MAX_TOKENS" => Stop::MaxTokens,
        known if FILTERED.contains(&known) => Stop::ContentFilter,
        known if ENDED.contains(&known) && has_calls => Stop::ToolUse,
        known if ENDED.contains(&known) => Stop::EndTurn,
        _ => Stop::Other(reason),
    }
}

/// The `finishReason` of a stop.
pub(super) fn reason_of_stop<'s>(stop: &'s Stop<'_>) -> Cow<'s, str> {
    Cow::Borrowed(match stop {
        Stop::EndTurn | Stop::Sequence | Stop::ToolUse => "STOP",
        Stop::MaxTokens | Stop::ContextWindow => "MAX_TOKENS",
        Stop::Refusal | Stop::ContentFilter => "SAFETY",
        Stop::PauseTurn | Stop::Compaction => "OTHER",
        Stop::Other(name) => {
            let name = name.plain();
            return if is_reason(&name) { name } else { "OTHER".into() };
        }
    })
}

/// Whether it is spelt like one of the vendor's own.
fn is_reason(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_meaning() {
        let meaning = |reason: &'static str, has_calls| stop_of_reason(reason.into(), has_calls);
        for reason in ENDED {
            assert_eq!(meaning(reason, false), Stop::EndTurn, "{reason}");
            assert_eq!(meaning(reason, true), Stop::ToolUse, "{reason}");
        }
        for reason in FILTERED {
            assert_eq!(meaning(reason, true), Stop::ContentFilter, "{reason}");
        }
        assert_eq!(meaning("MAX_TOKENS", true), Stop::MaxTokens);
        assert_eq!(meaning("NEW_REASON", false), Stop::Other("NEW_REASON".into()));
    }

    #[test]
    fn every_stop_has_a_reason() {
        for (stop, reason) in [
            (Stop::EndTurn, "STOP"),
            (Stop::Sequence, "STOP"),
            (Stop::ToolUse, "STOP"),
            (Stop::MaxTokens, "MAX_TOKENS"),
            (Stop::ContextWindow, "MAX_TOKENS"),
            (Stop::Refusal, "SAFETY"),
            (Stop::ContentFilter, "SAFETY"),
            (Stop::PauseTurn, "OTHER"),
            (Stop::Compaction, "OTHER"),
            (Stop::Other("NEW_REASON".into()), "NEW_REASON"),
            (Stop::Other("tool_error".into()), "OTHER"),
        ] {
            assert_eq!(reason_of_stop(&stop), reason);
        }
    }
}
