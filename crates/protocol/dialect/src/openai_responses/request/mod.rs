//! `POST …/responses`: the request body.

mod read;
mod tools;
mod write;
mod write_input;
mod write_own;
mod write_tools;

pub(super) use read::read_request;
pub(super) use write::write_request;

use crate::Dialect;

/// Members of the request that OpenAI defines and that have no meaning all vendors share.
const OWN_MEMBERS: &[&str] = &[
    "access_programs",
    "context_management",
    "image",
    "include",
    "max_tool_calls",
    "metadata",
    "moderation",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "store",
    "truncation",
];

/// Members of which one that is there changes the question: what the vendor keeps, or is to keep.
const STATE_MEMBERS: &[&str] = &["background", "conversation", "previous_response_id", "prompt"];

/// Members of the elder dialect that mean the same here.
const SHARED_MEMBERS: &[&str] = &[
    "metadata",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "store",
    "truncation",
];

/// What answers are to include so that log probabilities are among it.
const INCLUDE_LOGPROBS: &str = "message.output_text.logprobs";

/// What answers are to include so that they can be sent back without the vendor having kept them.
const INCLUDE_ENCRYPTED: &str = "reasoning.encrypted_content";

/// Whether a member without a common meaning means the same here as in the dialect it was read from.
fn is_shared(source: Dialect, name: &str) -> bool {
    match source {
        Dialect::OpenAiChat => SHARED_MEMBERS.contains(&name),
        Dialect::OpenAiResponses => true,
        _ => false,
    }
}
