//! A message that comes as a stream: numbered blocks of which only tool calls have a beginning of their own.

mod read;
mod write;

pub(crate) use read::StreamReader;
pub(crate) use write::StreamWriter;
