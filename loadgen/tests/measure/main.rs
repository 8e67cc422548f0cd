//! Black-box tests of what measures: the real binary against real sockets on free ports.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what goes wrong in the tools of a test fails the test that uses them"
)]

mod forwarder;
mod process;
mod results;
