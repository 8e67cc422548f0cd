//! Anthropic's text completions: requests, replies, streams and errors, into every dialect.
#![no_main]

#[path = "../../../crates/protocol/dialect/tests/support/mod.rs"]
mod support;

use dialect::Dialect;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    for target in Dialect::ALL {
        support::request(Dialect::AnthropicComplete, target, input);
        support::reply(Dialect::AnthropicComplete, target, input);
        support::stream(Dialect::AnthropicComplete, target, input);
        support::error(Dialect::AnthropicComplete, target, input);
    }
});
