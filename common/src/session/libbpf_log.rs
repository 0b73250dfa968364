//! libbpf's messages, to explain a failure: the failed program and the verifier's findings are only
//! in its log.

use std::sync::Mutex;

use cli::stderr;
use libbpf_rs::{PrintLevel, set_print};

static LOG: Mutex<String> = Mutex::new(String::new());

/// Captures libbpf's messages, and shows them on stderr if asked to.
pub fn capture(show: bool) {
    set_print(Some((PrintLevel::Info, if show { print } else { keep })));
}

fn keep(_: PrintLevel, message: String) {
    if let Ok(mut log) = LOG.lock() {
        log.push_str(&message);
    }
}

fn print(level: PrintLevel, message: String) {
    stderr::lines(&message);
    keep(level, message);
}

/// Discards the messages so far.
pub fn clear() {
    if let Ok(mut log) = LOG.lock() {
        log.clear();
    }
}

/// The messages since `clear`.
pub fn captured() -> String {
    LOG.lock().map(|log| log.clone()).unwrap_or_default()
}

/// The names of the programs that the kernel refused to load.
pub fn not_loaded(log: &str) -> impl Iterator<Item = &str> {
    log.lines().filter_map(|line| Some(line.split_once("prog '")?.1.split_once("': failed to load")?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_were_not_loaded_are_named() {
        let log =
            "libbpf: prog 'a': BPF program load failed: -EPERM\nlibbpf: prog 'a': failed to load: -EPERM\n";
        assert_eq!(not_loaded(log).collect::<Vec<_>>(), ["a"]);
        assert_eq!(not_loaded("libbpf: map 'm': failed to create: -EPERM\n").count(), 0);
    }
}
