//! `POST …/api/chat`: the request body.

mod read;
mod write;
mod write_messages;

pub(crate) use read::read_request;
pub(crate) use write::write_request;

/// Members of the request that Ollama defines and that have no meaning all vendors share.
const OWN_MEMBERS: &[&str] = &["keep_alive", "logprobs", "shift", "top_logprobs", "truncate"];

/// Begins the name of a member of `options` without a common meaning, where it is kept among the others.
const OPTION_PREFIX: &str = "options.";
