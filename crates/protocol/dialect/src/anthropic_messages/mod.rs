//! Anthropic messages.

mod block;
mod block_write;
mod error;
mod event_class;
mod reply;
mod request;
mod stream;
mod usage;

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::format::{Errors, Format, Framing, Generation, UsagePlace};

pub(crate) static FORMAT: Format = Format {
    name: "anthropic_messages",
    framing: Framing::Sse,
    generation: Generation {
        read_request: request::read_request,
        write_request: request::write_request,
        read_reply: |root, _| reply::read_reply(root),
        write_reply: reply::write_reply,
        stream_reader: |_| Box::new(stream::StreamReader::default()),
        stream_writer: |options| Box::new(stream::StreamWriter::new(options)),
    },
    errors: Errors {
        read: error::read_error,
        read_event: error::read_stream_error,
        write: error::write_error,
        write_event: error::write_stream_error,
    },
    usage: UsagePlace {
        name: "usage",
        finder: LazyLock::new(|| Finder::new("\"usage\"")),
        inside: "message",
        read: usage::read_usage,
    },
    event_class: event_class::event_class,
};
