//! See `ebpfmux::fuzz::ndjson`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ebpfmux::fuzz::ndjson(bytes));
