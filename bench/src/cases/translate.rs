//! Requests, replies and stream events written in another dialect.

use std::hint::black_box;
use std::io;

use dialect::Dialect::{AnthropicMessages, OpenAiChat};
use dialect::{
    Dialect, Notes, ReplyOptions, RequestOptions, StreamTranslator, translate_reply,
    translate_request,
};

use super::must;
use crate::{Case, Step, fixtures};

pub(super) const CASES: &[Case] = &[
    Case::on_caller("translate/request/openai-to-anthropic/1k", 500, || {
        request(OpenAiChat, AnthropicMessages, fixtures::chat_request(1024, "m", false))
    }),
    Case::on_caller("translate/request/openai-to-anthropic/10k-with-20-tools", 50, || {
        request(OpenAiChat, AnthropicMessages, fixtures::chat_request_with_tools("m"))
    }),
    Case::on_caller("translate/request/anthropic-to-openai/1k", 500, || {
        request(AnthropicMessages, OpenAiChat, fixtures::messages_request(1024, "m", false))
    }),
    Case::on_caller("translate/request/anthropic-to-openai/10k-with-20-tools", 50, || {
        request(AnthropicMessages, OpenAiChat, fixtures::messages_request_with_tools("m"))
    }),
    Case::on_caller("translate/reply/openai-to-anthropic/1400", 300, || {
        reply(OpenAiChat, AnthropicMessages, fixtures::chat_reply(1400))
    }),
    Case::on_caller("translate/reply/anthropic-to-openai/1400", 300, || {
        reply(AnthropicMessages, OpenAiChat, fixtures::messages_reply(1400))
    }),
    Case::on_caller("translate/event/openai-to-anthropic", 1000, || {
        event(OpenAiChat, AnthropicMessages, &[fixtures::CHAT_CHUNK], fixtures::CHAT_CHUNK)
    }),
    Case::on_caller("translate/event/anthropic-to-openai", 1000, || {
        let beginning = &[fixtures::MESSAGE_START, fixtures::CONTENT_BLOCK_START];
        event(AnthropicMessages, OpenAiChat, beginning, fixtures::CONTENT_BLOCK_DELTA)
    }),
];

fn request(from: Dialect, to: Dialect, body: String) -> io::Result<Step> {
    let mut out = Vec::new();
    Ok(Box::new(move || {
        out.clear();
        let options = RequestOptions::new("claude-3-5-haiku-latest");
        let body = black_box(body.as_bytes());
        translate_request(from, to, body, &options, &mut out).map_err(io::Error::other)?;
        must(!black_box(&out).is_empty())
    }))
}

pub(super) fn reply_options(notes: &Notes) -> ReplyOptions<'_> {
    ReplyOptions { notes, model: None, trailer: &[], id: "17fa3b09c2d4e5f6", created: 1 }
}

pub(super) fn reply(upstream: Dialect, caller: Dialect, body: String) -> io::Result<Step> {
    let (notes, mut out) = (Notes::default(), Vec::new());
    Ok(Box::new(move || {
        out.clear();
        let options = reply_options(&notes);
        let body = black_box(body.as_bytes());
        let usage = translate_reply(upstream, caller, body, &options, &mut out);
        must(usage.map_err(io::Error::other)?.reported && !black_box(&out).is_empty())
    }))
}

/// Events in the middle of a stream that began with `beginning`.
fn event(
    upstream: Dialect,
    caller: Dialect,
    beginning: &[&str],
    data: &'static str,
) -> io::Result<Step> {
    let (notes, mut out) = (Notes::default(), Vec::new());
    let mut translator = StreamTranslator::new(upstream, caller, &reply_options(&notes));
    for data in beginning {
        translator.event(None, data.as_bytes(), &mut out).map_err(io::Error::other)?;
    }
    Ok(Box::new(move || {
        out.clear();
        let data = black_box(data.as_bytes());
        translator.event(None, data, &mut out).map_err(io::Error::other)?;
        must(!black_box(&out).is_empty())
    }))
}
