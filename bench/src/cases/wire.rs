//! Heads parsed, bodies unframed.

use std::hint::black_box;
use std::io;

use wire::{ChunkedReader, HeadLimits, Progress, RequestHead, ResponseHead};

use super::must;
use crate::{Case, Step, fixtures};

pub(super) const CASES: &[Case] = &[
    Case::on_caller("wire/request-head/18-headers", 1000, || {
        request_head(fixtures::sdk_request_head("/v1/chat/completions", 1024))
    }),
    Case::on_caller("wire/request-head/4-headers", 4000, || {
        request_head(fixtures::short_request_head("/v1/chat/completions", 1024))
    }),
    Case::on_caller("wire/reply-head/24-headers", 1000, || {
        reply_head(fixtures::openai_reply_head("application/json", "Content-Length: 1400"))
    }),
    Case::on_caller("wire/reply-head/2-headers", 4000, || {
        reply_head(fixtures::short_reply_head("application/json", "content-length: 1400"))
    }),
    Case::on_caller("wire/chunked-body/one-event", 10_000, chunked_body),
];

fn request_head(bytes: String) -> io::Result<Step> {
    let (mut head, limits) = (RequestHead::new(), HeadLimits::default());
    Ok(Box::new(move || {
        head.clear();
        let parsed = head.parse(black_box(bytes.as_bytes()), &limits);
        must(parsed.is_ok_and(|progress| progress == Progress::Complete))
    }))
}

fn reply_head(bytes: String) -> io::Result<Step> {
    let (mut head, limits) = (ResponseHead::new(), HeadLimits::default());
    Ok(Box::new(move || {
        head.clear();
        let parsed = head.parse(black_box(bytes.as_bytes()), &limits);
        must(parsed.is_ok_and(|progress| progress == Progress::Complete))
    }))
}

fn chunked_body() -> io::Result<Step> {
    let bytes = fixtures::http_chunk(&fixtures::sse_event(fixtures::CHAT_CHUNK));
    let mut reader = ChunkedReader::new();
    Ok(Box::new(move || {
        let mut rest = black_box(bytes.as_bytes());
        while !rest.is_empty() {
            let step = reader.next(rest).map_err(io::Error::other)?;
            rest = rest.get(step.consumed..).unwrap_or_default();
        }
        Ok(())
    }))
}
