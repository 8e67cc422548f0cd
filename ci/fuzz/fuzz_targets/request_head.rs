//! Request heads and the bodies behind them.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::requests(input));
