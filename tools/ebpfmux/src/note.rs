//! What `ebpfmux` says on stderr beside failures.

/// Says one line on stderr.
pub fn note(message: &str) {
    eprintln!("ebpfmux: {}", message.replace('\n', " "));
}
