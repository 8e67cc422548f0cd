//! Benches, instruction counts and allocation tests of the gateway.
#![forbid(unsafe_code)]
