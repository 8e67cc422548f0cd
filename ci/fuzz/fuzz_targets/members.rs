//! The members of a JSON object by position.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::members(input));
