//! A message that comes as a stream: numbered blocks that begin, grow and end one after the other.

mod read;
mod write;

pub(crate) use read::StreamReader;
pub(crate) use write::StreamWriter;
