//! Google Gemini: `generateContent` and `streamGenerateContent`, in AI Studio and in Vertex AI.
//!
//! Documents are read in camelCase and in snake_case, as the vendor takes them, and written in camelCase.

mod characters;
mod error;
mod event_class;
mod finish;
mod grounding;
mod media;
pub(crate) mod media_parts;
mod part;
mod part_write;
mod reply;
mod request;
mod schema;
mod spelling;
mod stream;
mod usage;

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::format::{Code, Errors, Format, Framing, Generation, UsagePlace};

pub(crate) use event_class::event_class;
pub(crate) use part::is_about_own_tools;
pub(crate) use schema::{adopt_schemas, write_schemas};

/// How the vendor says that something went wrong, whatever was asked for.
pub(crate) const ERRORS: Errors = Errors {
    read: error::read_error,
    read_event: error::read_stream_error,
    write: error::write_error,
    write_event: error::write_stream_error,
};

pub(crate) static FORMAT: Format = Format {
    name: "gemini",
    framing: Framing::Sse,
    code: Code::Generation(Generation {
        read_request: request::read_request,
        write_request: request::write_request,
        read_reply: |root, options| reply::read_reply(root, options.id),
        write_reply: |reply, source, options, out| {
            reply::write_reply(reply, source, options, out);
            Ok(())
        },
        stream_reader: |options| Box::new(stream::StreamReader::new(options.id)),
        stream_writer: |options| Box::new(stream::StreamWriter::new(options)),
    }),
    errors: ERRORS,
    usage: usage_place(),
    event_class,
};

/// Where replies say what they used. Google's own assistants get them wrapped in `response`.
pub(crate) const fn usage_place() -> UsagePlace {
    UsagePlace {
        name: "usageMetadata",
        finder: LazyLock::new(|| Finder::new("\"usageMetadata\"")),
        inside: "response",
        is_spread: false,
        read: usage::read_usage,
    }
}
