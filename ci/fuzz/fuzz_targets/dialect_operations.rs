//! Embeddings, reranking, counting tokens, images: requests, replies and errors of every dialect, into every other of the
//! same purpose.
#![no_main]

#[path = "../../../crates/protocol/dialect/tests/support/mod.rs"]
#[expect(dead_code, reason = "these operations have no streams")]
mod support;

use dialect::{Dialect, Purpose};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    for source in Dialect::ALL.into_iter().filter(|it| it.purpose() != Purpose::Generation) {
        for target in source.peers() {
            support::request(source, target, input);
            support::reply(source, target, input);
            support::error(source, target, input);
        }
    }
});
