//! Forms with files.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::form(input));
