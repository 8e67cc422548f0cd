//! `POST …/completions`: the request body.

mod read;
mod write;

pub(crate) use read::read_request;
pub(crate) use write::write_request;

/// Members of the request that have no meaning all vendors share and can be left out without changing the question.
/// The probabilities it lists have another shape than those of chat.
const OWN_MEMBERS: &[&str] = &["best_of", "logit_bias", "logprobs"];
