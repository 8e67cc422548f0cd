//! `POST …:generateContent` and `…:streamGenerateContent`: the request body.

mod contents_read;
mod contents_write;
mod read;
mod thinking;
mod write;

pub(crate) use read::read_request;
pub(crate) use write::write_request;
