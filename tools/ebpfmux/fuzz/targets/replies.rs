//! See `ebpfmux::fuzz::replies`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ebpfmux::fuzz::replies(bytes));
