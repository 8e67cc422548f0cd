//! Cohere chat, version 2 of its API.

mod citation;
mod document;
mod error;
mod event_class;
mod message;
mod reply;
mod request;
mod stream;
mod usage;

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::format::{Code, Errors, Format, Framing, Generation, UsagePlace};

/// How the vendor says that something went wrong, whatever was asked for.
pub(crate) const ERRORS: Errors = Errors {
    read: error::read_error,
    read_event: error::read_stream_error,
    write: error::write_error,
    write_event: error::write_stream_error,
};

pub(crate) static FORMAT: Format = Format {
    name: "cohere_chat",
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
    usage: UsagePlace {
        name: "usage",
        finder: LazyLock::new(|| Finder::new("\"usage\"")),
        is_spread: false,
        inside: "delta",
        read: usage::read_usage,
    },
    event_class: event_class::event_class,
};

/// What marks reasoning as the plan a model makes before it calls tools (`tool_plan`), so that it finds its place again
/// when another dialect sends it back.
const PLAN_FORMAT: &str = "cohere-tool-plan";
