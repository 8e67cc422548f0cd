//! Messages: requests, replies, streams and errors, into every dialect.
#![no_main]

#[path = "../../../crates/protocol/dialect/tests/support/mod.rs"]
mod support;

use dialect::Dialect;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    for target in Dialect::ALL {
        support::request(Dialect::AnthropicMessages, target, input);
        support::reply(Dialect::AnthropicMessages, target, input);
        support::stream(Dialect::AnthropicMessages, target, input);
        support::error(Dialect::AnthropicMessages, target, input);
    }
});
