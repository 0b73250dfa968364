//! Notes of `ebpfmux` on stderr.

/// Prints one line on stderr.
pub fn note(message: &str) {
    eprintln!("ebpfmux: {}", message.replace('\n', " "));
}
