//! Whole requests, and whole stream events, through a real worker over real sockets.

use std::io;

use super::must;
use crate::gateway::{Gateway, is_event, is_message};
use crate::{Case, Pace, Step, fixtures};

pub(super) const CASES: &[Case] = &[
    // As an SDK asks and OpenAI answers.
    Case::on_worker("request/openai-route/1k", 200, |pace| relayed(pace, OPENAI_ROUTE, 1024, 1)),
    Case::on_worker("request/own-route/1k", 200, |pace| relayed(pace, OWN_ROUTE, 1024, 1)),
    Case::on_worker("request/own-route/1k-of-1000-keys", 200, |pace| {
        relayed(pace, OWN_ROUTE, 1024, 1000)
    }),
    Case::on_worker("request/openai-route/100k", 50, |pace| {
        relayed(pace, OPENAI_ROUTE, 100 * 1024, 1)
    }),
    Case::on_worker("request/translated/1k", 100, translated),
    // The floor: what is left with as little as possible to read.
    Case::on_worker("request/openai-route/1k-short-heads", 200, |pace| short(pace, OPENAI_ROUTE)),
    Case::on_worker("request/own-route/1k-short-heads", 200, |pace| short(pace, OWN_ROUTE)),
    // One event of a stream that has begun.
    Case::on_worker("event/openai-route", 1000, |pace| chat_event(pace, OPENAI_ROUTE)),
    Case::on_worker("event/own-route", 1000, |pace| chat_event(pace, OWN_ROUTE)),
    Case::on_worker("event/translated", 500, translated_event),
];

/// The provider's own dialect and manners, and model names as it has them.
const OPENAI_ROUTE: Route = Route { path: "/openai/v1/chat/completions", model: "gpt-4o-mini" };

/// The gateway's manners: replies tell how they were routed.
const OWN_ROUTE: Route = Route { path: "/v1/chat/completions", model: "openai/gpt-4o-mini" };

/// Another dialect than the provider's.
const TRANSLATED_ROUTE: Route =
    Route { path: "/anthropic/v1/messages", model: "openai/gpt-4o-mini" };

struct Route {
    path: &'static str,
    model: &'static str,
}

/// The published comparison has replies of this size.
const REPLY_BYTES: usize = 1400;

fn relayed(pace: Pace, route: Route, body_bytes: usize, keys: usize) -> io::Result<Step> {
    let body = fixtures::chat_request(body_bytes, route.model, false);
    exchange(pace, keys, fixtures::sdk_request_head(route.path, body.len()) + &body, openai_reply())
}

fn translated(pace: Pace) -> io::Result<Step> {
    let body = fixtures::messages_request(1024, TRANSLATED_ROUTE.model, false);
    let head = fixtures::sdk_request_head(TRANSLATED_ROUTE.path, body.len());
    exchange(pace, 1, head + &body, openai_reply())
}

fn short(pace: Pace, route: Route) -> io::Result<Step> {
    let body = fixtures::chat_request(1024, route.model, false);
    let reply = fixtures::chat_reply(REPLY_BYTES);
    let framing = format!("content-length: {}", reply.len());
    exchange(
        pace,
        1,
        fixtures::short_request_head(route.path, body.len()) + &body,
        fixtures::short_reply_head("application/json", &framing) + &reply,
    )
}

fn openai_reply() -> String {
    let body = fixtures::chat_reply(REPLY_BYTES);
    let framing = format!("Content-Length: {}", body.len());
    fixtures::openai_reply_head("application/json", &framing) + &body
}

fn exchange(pace: Pace, keys: usize, request: String, reply: String) -> io::Result<Step> {
    let mut gateway = Gateway::start(pace, keys, request.as_bytes(), reply.as_bytes(), is_message)?;
    must(gateway.received().starts_with(b"HTTP/1.1 200 "))?;
    Ok(Box::new(move || gateway.exchange(request.as_bytes(), reply.as_bytes())))
}

fn chat_event(pace: Pace, route: Route) -> io::Result<Step> {
    let body = fixtures::chat_request(1024, route.model, true);
    stream(pace, fixtures::sdk_request_head(route.path, body.len()) + &body)
}

fn translated_event(pace: Pace) -> io::Result<Step> {
    let body = fixtures::messages_request(1024, TRANSLATED_ROUTE.model, true);
    stream(pace, fixtures::sdk_request_head(TRANSLATED_ROUTE.path, body.len()) + &body)
}

fn stream(pace: Pace, request: String) -> io::Result<Step> {
    let event = fixtures::http_chunk(&fixtures::sse_event(fixtures::CHAT_CHUNK));
    let framing = "Transfer-Encoding: chunked";
    let beginning =
        fixtures::openai_reply_head("text/event-stream; charset=utf-8", framing) + &event;
    let mut gateway = Gateway::start(pace, 1, request.as_bytes(), beginning.as_bytes(), is_event)?;
    must(gateway.received().starts_with(b"HTTP/1.1 200 "))?;
    Ok(Box::new(move || gateway.provide(event.as_bytes(), is_event)))
}
