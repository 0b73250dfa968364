//! See `mapstat::fuzz::decoders`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mapstat::fuzz::decoders(bytes));
