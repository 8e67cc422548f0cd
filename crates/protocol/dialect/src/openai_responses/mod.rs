//! OpenAI responses: an answer is a list of items, and so is the question.

mod content;
mod error;
mod event_class;
mod item;
mod namespace;
mod output;
mod reply;
mod request;
mod response;
mod server_tool;
mod stream;
mod usage;

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::format::{Code, Errors, Format, Framing, Generation, UsagePlace};

pub(crate) static FORMAT: Format = Format {
    name: "openai_responses",
    framing: Framing::Sse,
    code: Code::Generation(Generation {
        read_request: request::read_request,
        write_request: request::write_request,
        read_reply: |root, _| reply::read_reply(root),
        write_reply: |reply, _, options, out| {
            reply::write_reply(reply, options, out);
            Ok(())
        },
        stream_reader: |_| Box::new(stream::StreamReader::default()),
        stream_writer: |options| Box::new(stream::StreamWriter::new(options)),
    }),
    errors: Errors {
        read: error::read_error,
        read_event: error::read_stream_error,
        write: error::write_error,
        write_event: error::write_stream_error,
    },
    usage: UsagePlace {
        name: "usage",
        finder: LazyLock::new(|| Finder::new("\"usage\"")),
        inside: "response",
        is_spread: false,
        read: usage::read_usage,
    },
    event_class: event_class::event_class,
};
