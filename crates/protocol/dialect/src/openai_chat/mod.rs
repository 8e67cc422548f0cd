//! OpenAI chat completions, with the spellings its many imitators have added.

pub(crate) mod error;
pub(crate) mod event_class;
mod message;
mod reasoning;
mod reply;
mod request;
mod stream;
mod usage;

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::format::{Code, Errors, Format, Framing, Generation, UsagePlace};

pub(crate) use error::{read_object as read_error_object, write_error};
pub(crate) use message::read_tool_calls;
pub(crate) use reply::stop_of_finish_reason;
pub(crate) use request::{is_about_tools, is_run_by_caller, read_tool, write_tool_call, write_url};
pub(crate) use stream::{CHOICES_MAX, chunk_usage, finish_chunk, is_bare_error};
pub(crate) use usage::{read_cache_creation, read_usage, write_usage};

pub(crate) static FORMAT: Format = Format {
    name: "openai_chat",
    framing: Framing::Sse,
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
    errors: ERRORS,
    // Groq puts usage into `x_groq`, too.
    usage: UsagePlace {
        name: "usage",
        finder: LazyLock::new(|| Finder::new("\"usage\"")),
        is_spread: false,
        inside: "x_groq",
        read: usage::read_usage,
    },
    event_class: event_class::event_class,
};

/// Errors as OpenAI's other endpoints and their imitators report them, too.
pub(crate) const ERRORS: Errors = Errors {
    read: error::read_error,
    read_event: error::read_stream_error,
    write: error::write_error,
    write_event: error::write_stream_error,
};
