//! OpenAI chat completions, with the spellings its many imitators have added.

mod error;
mod message;
mod reasoning;
mod reply;
mod request;
mod stream;
mod usage;

pub(crate) use error::{read_error, read_stream_error, write_error, write_stream_error};
pub(crate) use reply::{read_reply, write_reply};
pub(crate) use request::{read_request, write_request};
pub(crate) use stream::{StreamNames, StreamReader, StreamWriter, Trailer};
pub(crate) use usage::{read_cache_creation, read_usage};
