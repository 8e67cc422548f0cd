//! Responses that come as streams of events.

mod read;
mod write;

pub(super) use read::StreamReader;
pub(super) use write::StreamWriter;
