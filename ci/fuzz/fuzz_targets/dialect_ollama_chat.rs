//! Ollama's own chat: requests, replies, streams and errors, into every dialect.
#![no_main]

#[path = "../../../crates/protocol/dialect/tests/support/mod.rs"]
mod support;

use dialect::Dialect;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    for target in Dialect::ALL {
        support::request(Dialect::OllamaChat, target, input);
        support::reply(Dialect::OllamaChat, target, input);
        support::stream(Dialect::OllamaChat, target, input);
        support::error(Dialect::OllamaChat, target, input);
    }
});
