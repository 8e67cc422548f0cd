//! Cohere chat: requests, replies, streams and errors, into every dialect.
#![no_main]

#[path = "../../../crates/protocol/dialect/tests/support/mod.rs"]
mod support;

use dialect::Dialect;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    for target in Dialect::ALL {
        support::request(Dialect::CohereChat, target, input);
        support::reply(Dialect::CohereChat, target, input);
        support::stream(Dialect::CohereChat, target, input);
        support::error(Dialect::CohereChat, target, input);
    }
});
