//! `POST …/v2/chat`: the request body.

mod read;
mod write;
mod write_messages;

pub(crate) use read::read_request;
pub(crate) use write::write_request;

/// Members of the request that Cohere defines and that have no meaning all vendors share. The probabilities it lists
/// are by token number, which no other names.
const OWN_MEMBERS: &[&str] = &[
    "citation_options",
    "logprobs",
    "priority",
    "raw_prompting",
    "return_prompt",
    "return_prompt_token_ids",
    "safety_mode",
];
