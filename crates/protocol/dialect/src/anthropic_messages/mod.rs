//! Anthropic messages.

mod block;
mod block_write;
mod error;
mod event_class;
mod reply;
mod request;
mod server_tool;
mod stream;
mod usage;

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::format::{Code, Errors, Format, Framing, Generation, UsagePlace};

pub(crate) use block_write::plain_document;
pub(crate) use error::{read_object as read_error_object, write_stream_error};

pub(crate) static FORMAT: Format = Format {
    name: "anthropic_messages",
    framing: Framing::Sse,
    code: Code::Generation(Generation {
        read_request: request::read_request,
        write_request: request::write_request,
        read_reply: |root, _| reply::read_reply(root),
        write_reply: reply::write_reply,
        stream_reader: |_| Box::new(stream::StreamReader::default()),
        stream_writer: |options| Box::new(stream::StreamWriter::new(options)),
    }),
    errors: ERRORS,
    usage: UsagePlace {
        name: "usage",
        finder: LazyLock::new(|| Finder::new("\"usage\"")),
        is_spread: false,
        inside: "message",
        read: usage::read_usage,
    },
    event_class: event_class::event_class,
};

/// Errors as the vendor's other endpoints report them, too.
pub(crate) const ERRORS: Errors = Errors {
    read: error::read_error,
    read_event: error::read_stream_error,
    write: error::write_error,
    write_event: error::write_stream_error,
};
