//! See `mapstat::fuzz::patterns`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mapstat::fuzz::patterns(bytes));
