//! See `ebpfmux::fuzz::Recording`.
#![no_main]

use std::sync::LazyLock;

use ebpfmux::fuzz::Recording;

static RECORDING: LazyLock<Recording> = LazyLock::new(|| {
    Recording::new(&std::env::temp_dir().join(format!("ebpfmux-fuzz-{}", std::process::id())))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| RECORDING.check(bytes));
