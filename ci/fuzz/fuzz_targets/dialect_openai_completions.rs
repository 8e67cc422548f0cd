//! Text completions: requests, replies, streams and errors, into every dialect.
#![no_main]

#[path = "../../../crates/protocol/dialect/tests/support/mod.rs"]
mod support;

use dialect::Dialect;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    for target in Dialect::ALL {
        support::request(Dialect::OpenAiCompletions, target, input);
        support::reply(Dialect::OpenAiCompletions, target, input);
        support::stream(Dialect::OpenAiCompletions, target, input);
        support::error(Dialect::OpenAiCompletions, target, input);
    }
});
