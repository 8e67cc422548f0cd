//! A message that comes as a stream: blocks, tool calls and citations that begin, grow and end.

mod read;
mod write;

pub(crate) use read::StreamReader;
pub(crate) use write::StreamWriter;
