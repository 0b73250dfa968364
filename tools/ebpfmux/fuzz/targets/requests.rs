//! See `ebpfmux::fuzz::requests`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ebpfmux::fuzz::requests(bytes));
