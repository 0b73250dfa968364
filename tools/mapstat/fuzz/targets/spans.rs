//! See `mapstat::fuzz::spans`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mapstat::fuzz::spans(bytes));
