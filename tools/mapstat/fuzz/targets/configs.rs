//! See `mapstat::fuzz::configs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mapstat::fuzz::configs(bytes));
