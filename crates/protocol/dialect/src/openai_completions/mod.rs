//! OpenAI text completions: a prompt, and what follows it. Errors and usage are those of chat.

mod event_class;
mod reply;
mod request;
mod stream;

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::format::{Code, Errors, Format, Framing, Generation, UsagePlace};
use crate::openai_chat::{error, read_usage};

pub(crate) static FORMAT: Format = Format {
    name: "openai_completions",
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
        is_spread: false,
        inside: "x_groq",
        read: read_usage,
    },
    event_class: event_class::event_class,
};
