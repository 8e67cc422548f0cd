//! A reply that comes in pieces, each of the shape of a whole one.

mod partial_arguments;
mod read;
mod write;

pub(crate) use read::StreamReader;
pub(crate) use write::StreamWriter;
