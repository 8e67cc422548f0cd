//! Ollama's own chat: one JSON document per line instead of server-sent events, arguments as objects, images as bare
//! base64.

mod call;
mod error;
mod event_class;
mod message;
mod reply;
mod request;
mod stream;
pub(crate) mod timestamp;
mod usage;

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::format::{Code, Errors, Format, Framing, Generation, UsagePlace};

pub(crate) static FORMAT: Format = Format {
    name: "ollama_chat",
    framing: Framing::Lines,
    code: Code::Generation(Generation {
        read_request: request::read_request,
        write_request: request::write_request,
        read_reply: |root, options| reply::read_reply(root, options.id),
        write_reply: |reply, _, options, out| {
            reply::write_reply(reply, options, out);
            Ok(())
        },
        stream_reader: |options| Box::new(stream::StreamReader::new(options.id)),
        stream_writer: |options| Box::new(stream::StreamWriter::new(options)),
    }),
    errors: Errors {
        read: error::read_error,
        read_event: error::read_stream_error,
        write: error::write_error,
        write_event: error::write_stream_error,
    },
    usage: UsagePlace {
        name: "eval_count",
        finder: LazyLock::new(|| Finder::new("\"eval_count\"")),
        is_spread: true,
        inside: "",
        read: usage::read_usage,
    },
    event_class: event_class::event_class,
};
