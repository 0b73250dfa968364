//! See `dnslat::fuzz::messages`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dnslat::fuzz::messages(bytes));
