//! A chat completion that comes in chunks.

mod read;
mod write;

pub(crate) use read::{CHOICES_MAX, StreamReader, chunk_usage, is_bare_error};
pub(crate) use write::{StreamWriter, finish_chunk};
