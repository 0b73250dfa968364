//! What libbpf said while it worked, to explain a failure with: which program it was, and what the verifier found,
//! it tells in words only.

use std::sync::Mutex;

use libbpf_rs::{PrintLevel, set_print};

static LOG: Mutex<String> = Mutex::new(String::new());

/// Has libbpf's words kept, and shown on stderr if they are to be.
pub fn capture(show: bool) {
    set_print(Some((PrintLevel::Info, if show { print } else { keep })));
}

fn keep(_: PrintLevel, message: String) {
    if let Ok(mut said) = LOG.lock() {
        said.push_str(&message);
    }
}

fn print(level: PrintLevel, message: String) {
    eprint!("{message}");
    keep(level, message);
}

/// Forgets what was said before.
pub fn clear() {
    if let Ok(mut said) = LOG.lock() {
        said.clear();
    }
}

/// What was said since.
pub fn captured() -> String {
    LOG.lock().map(|said| said.clone()).unwrap_or_default()
}

/// The names of the programs that the kernel would not load.
pub fn not_loaded(said: &str) -> impl Iterator<Item = &str> {
    said.lines().filter_map(|line| Some(line.split_once("prog '")?.1.split_once("': failed to load")?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_were_not_loaded_are_named() {
        let said =
            "libbpf: prog 'a': BPF program load failed: -EPERM\nlibbpf: prog 'a': failed to load: -EPERM\n";
        assert_eq!(not_loaded(said).collect::<Vec<_>>(), ["a"]);
        assert_eq!(not_loaded("libbpf: map 'm': failed to create: -EPERM\n").count(), 0);
    }
}
