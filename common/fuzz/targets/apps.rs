//! See `common::fuzz::apps`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| common::fuzz::apps(bytes));
