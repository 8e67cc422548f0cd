//! Replies and stream events of the dialects beside OpenAI's chats and Anthropic's messages, to and from the former.

use std::hint::black_box;
use std::io;

use dialect::Dialect::{BedrockConverse, CohereChat, Gemini, OpenAiChat, OpenAiResponses};
use dialect::{Dialect, Notes, StreamTranslator};

use super::must;
use super::translate::{reply, reply_options};
use crate::{Case, Step, fixtures};

pub(super) const CASES: &[Case] = &[
    Case::on_caller("translate/reply/openai-to-responses/1400", 300, || {
        reply(OpenAiChat, OpenAiResponses, fixtures::chat_reply(1400))
    }),
    Case::on_caller("translate/reply/gemini-to-openai/1400", 300, || {
        reply(Gemini, OpenAiChat, fixtures::gemini_reply(1400))
    }),
    Case::on_caller("translate/reply/bedrock-to-openai/1400", 300, || {
        reply(BedrockConverse, OpenAiChat, fixtures::converse_reply(1400))
    }),
    Case::on_caller("translate/event/openai-to-responses", 1000, || {
        event(OpenAiChat, OpenAiResponses, &[(None, fixtures::CHAT_CHUNK)])
    }),
    Case::on_caller("translate/event/openai-to-gemini", 1000, || {
        event(OpenAiChat, Gemini, &[(None, fixtures::CHAT_CHUNK)])
    }),
    Case::on_caller("translate/event/openai-to-bedrock", 1000, || {
        event(OpenAiChat, BedrockConverse, &[(None, fixtures::CHAT_CHUNK)])
    }),
    Case::on_caller("translate/event/openai-to-cohere", 1000, || {
        event(OpenAiChat, CohereChat, &[(None, fixtures::CHAT_CHUNK)])
    }),
    Case::on_caller("translate/event/responses-to-openai", 1000, || {
        event(OpenAiResponses, OpenAiChat, fixtures::RESPONSES_EVENTS)
    }),
    Case::on_caller("translate/event/gemini-to-openai", 1000, || {
        event(Gemini, OpenAiChat, &[(None, fixtures::GEMINI_CHUNK)])
    }),
    Case::on_caller("translate/event/bedrock-to-openai", 1000, || {
        event(BedrockConverse, OpenAiChat, fixtures::CONVERSE_EVENTS)
    }),
    Case::on_caller("translate/event/cohere-to-openai", 1000, || {
        event(CohereChat, OpenAiChat, fixtures::COHERE_EVENTS)
    }),
];

/// The last of the events, again and again, in a stream that began with all of them.
fn event(
    upstream: Dialect,
    caller: Dialect,
    events: &'static [(Option<&'static str>, &'static str)],
) -> io::Result<Step> {
    let (notes, mut out) = (Notes::default(), Vec::new());
    let mut translator = StreamTranslator::new(upstream, caller, &reply_options(&notes));
    for (name, data) in events {
        translator.event(*name, data.as_bytes(), &mut out).map_err(io::Error::other)?;
    }
    let (name, data) = events.last().copied().unwrap_or_default();
    Ok(Box::new(move || {
        out.clear();
        let data = black_box(data.as_bytes());
        translator.event(name, data, &mut out).map_err(io::Error::other)?;
        must(!black_box(&out).is_empty())
    }))
}
