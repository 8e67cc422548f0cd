//! AWS event streams.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::event_stream(input));
