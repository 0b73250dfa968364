//! See `ebpfmux::fuzz::csv`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ebpfmux::fuzz::csv(bytes));
