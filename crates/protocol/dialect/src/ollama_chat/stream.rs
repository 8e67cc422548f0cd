//! An answer that comes line by line.

mod read;
mod write;

pub(crate) use read::StreamReader;
pub(crate) use write::StreamWriter;
