//! Google Gemini: requests, replies, streams and errors, into every dialect.
#![no_main]

#[path = "../../../crates/protocol/dialect/tests/support/mod.rs"]
mod support;

use dialect::Dialect;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    for target in Dialect::ALL {
        support::request(Dialect::Gemini, target, input);
        support::reply(Dialect::Gemini, target, input);
        support::stream(Dialect::Gemini, target, input);
        support::error(Dialect::Gemini, target, input);
    }
});
