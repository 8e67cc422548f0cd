//! AWS Bedrock Converse. The model stands in the path, and streams are binary messages (`wire::EventStreamReader`).

mod block;
mod block_write;
mod citation;
mod error;
mod event_class;
mod media;
mod model;
mod names;
mod redacted;
mod reply;
mod request;
mod stream;
mod usage;

use std::sync::LazyLock;

use memchr::memmem::Finder;

pub use error::aws_error_type;

use crate::format::{Code, Errors, Format, Framing, Generation, UsagePlace};

/// How the vendor says that something went wrong, whatever was asked for.
pub(crate) const ERRORS: Errors = Errors {
    read: error::read_error,
    read_event: error::read_stream_error,
    write: error::write_error,
    write_event: error::write_stream_error,
};

pub(crate) static FORMAT: Format = Format {
    name: "bedrock_converse",
    framing: Framing::EventStream,
    code: Code::Generation(Generation {
        read_request: request::read_request,
        write_request: request::write_request,
        read_reply: |root, _| reply::read_reply(root),
        write_reply: reply::write_reply,
        stream_reader: |_| Box::new(stream::StreamReader::default()),
        stream_writer: |_| Box::new(stream::StreamWriter::default()),
    }),
    errors: ERRORS,
    usage: UsagePlace {
        name: "usage",
        finder: LazyLock::new(|| Finder::new("\"usage\"")),
        inside: "metadata",
        is_spread: false,
        read: usage::read_usage,
    },
    event_class: event_class::event_class,
};
