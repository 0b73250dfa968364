//! Notes of `ebpfmux` on stderr.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether none are printed.
static MUTED: AtomicBool = AtomicBool::new(false);

/// Prints one line on stderr.
pub fn note(message: &str) {
    if !MUTED.load(Ordering::Relaxed) {
        cli::stderr::line("ebpfmux", message);
    }
}

/// Prints no more notes: for fuzzing, where each of thousands of inputs gives rise to some.
pub fn mute() {
    MUTED.store(true, Ordering::Relaxed);
}
