//! Black-box tests of `loadgen mock`: the real binary, a plain socket, a free port.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what goes wrong in the client fails the test that uses it"
)]

mod anthropic;
mod client;
mod control;
mod dialects;
mod faults;
mod openai;
mod server;
