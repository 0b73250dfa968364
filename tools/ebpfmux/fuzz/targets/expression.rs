//! See `ebpfmux::fuzz::expression`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ebpfmux::fuzz::expression(bytes));
