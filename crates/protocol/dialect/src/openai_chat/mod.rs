//! OpenAI chat completions, with the spellings its many imitators have added.

mod error;
mod event_class;
mod message;
mod reasoning;
mod reply;
mod request;
mod stream;
mod usage;

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::format::{Errors, Format, Framing, Generation, UsagePlace};

pub(crate) use usage::read_cache_creation;

pub(crate) static FORMAT: Format = Format {
    name: "openai_chat",
    framing: Framing::Sse,
    generation: Generation {
        read_request: request::read_request,
        write_request: request::write_request,
        read_reply: |root, options| reply::read_reply(root, options.id),
        write_reply: |reply, _, options, out| {
            reply::write_reply(reply, options, out);
            Ok(())
        },
        stream_reader: |options| Box::new(stream::StreamReader::new(options.id)),
        stream_writer: |options| Box::new(stream::StreamWriter::new(options)),
    },
    errors: Errors {
        read: error::read_error,
        read_event: error::read_stream_error,
        write: error::write_error,
        write_event: error::write_stream_error,
    },
    // Groq puts usage into `x_groq`, too.
    usage: UsagePlace {
        name: "usage",
        finder: LazyLock::new(|| Finder::new("\"usage\"")),
        inside: "x_groq",
        read: usage::read_usage,
    },
    event_class: event_class::event_class,
};
