//! Model, streaming and fallbacks found in a request body.

use std::hint::black_box;
use std::io;

use proxy::bench::Body;

use super::must;
use crate::{Case, Step, fixtures};

pub(super) const CASES: &[Case] = &[
    Case::on_caller("peek/1k", 2000, || peek(&fixtures::chat_request(1024, MODEL, true), 0)),
    Case::on_caller("peek/1k-with-fallbacks", 2000, || {
        let fallbacks = r#""fallbacks":["anthropic/claude-3-5-haiku","groq/llama-3.3-70b"],"#;
        let plain = fixtures::chat_request(1024, MODEL, true);
        peek(&plain.replacen('{', &format!("{{{fallbacks}"), 1), 2)
    }),
    Case::on_caller("peek/10k", 500, || peek(&fixtures::chat_request(10 * 1024, MODEL, true), 0)),
    Case::on_caller("peek/10k-with-20-tools", 500, || {
        peek(&fixtures::chat_request_with_tools(MODEL), 0)
    }),
    Case::on_caller("peek/100k", 50, || peek(&fixtures::chat_request(100 * 1024, MODEL, true), 0)),
];

const MODEL: &str = "openai/gpt-4o-mini";

fn peek(body: &str, fallbacks: usize) -> io::Result<Step> {
    let (body, mut peeked) = (body.to_owned(), Body::default());
    Ok(Box::new(move || {
        must(peeked.peek(black_box(body.as_bytes())) == Some((MODEL.len(), fallbacks)))
    }))
}
