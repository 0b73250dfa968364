//! Notes of `ebpfmux` on stderr.

/// Prints one line on stderr.
pub fn note(message: &str) {
    cli::stderr::line("ebpfmux", message);
}
