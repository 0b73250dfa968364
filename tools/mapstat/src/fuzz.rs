//! Runs what takes a stranger's text or bytes on arbitrary ones: for fuzzing (`fuzz/`), and for a test on a few seeds.
//!
//! Each function panics if an invariant is violated.

use crate::config::Config;
use crate::re2;
use crate::state::{Keys, State};
use crate::system::System;

/// A config, and after a line `---keys` the keys of its maps, one after the other.
///
/// Any text is a config, or a line of it is wrong and said so in one line. Any key is decoded, left out or lost; none is
/// counted twice.
pub fn configs(bytes: &[u8]) {
    const KEYS: &[u8] = b"---keys\n";
    let split = bytes.windows(KEYS.len()).position(|window| window == KEYS);
    let (text, mut keys) = split.map_or((bytes, &[][..]), |at| (&bytes[..at], &bytes[at + KEYS.len()..]));
    let text = String::from_utf8_lossy(text);
    let config = match Config::parse("fuzzed".to_owned(), &text) {
        Ok(config) => config,
        Err(mistake) => {
            let lines = text.lines().count().max(1) as u64 + 1;
            assert!(!mistake.what.contains('\n'), "{mistake:?}");
            assert!(mistake.at.is_none_or(|(line, _)| (0..=lines).contains(&line)), "{mistake:?} of {lines}");
            return;
        }
    };
    let mut system = System::default();
    for metric in &config.metrics {
        let size = crate::decode::size(&metric.labels).clamp(1, 256);
        let mut state = State::new(Keys::Coming);
        let mut distinct = std::collections::HashSet::new();
        for _ in 0..4 {
            let (key, rest) = keys.split_at(size.min(keys.len()));
            keys = rest;
            distinct.insert(key.to_vec());
            state.take(metric, key, 3, true, &mut system);
        }
        let interval = state.end();
        let counted: u64 = interval.values.values().map(crate::state::Values::size).sum();
        if metric.form == crate::config::Form::Counter {
            assert!(counted + interval.lost <= 3 * distinct.len() as u64, "{interval:?}");
        }
        assert_eq!(interval.lost > 0, interval.why.is_some(), "{interval:?}");
    }
}

/// A regular expression, and behind the first line a text that it is tried on.
pub fn patterns(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (expression, text) = text.split_once('\n').unwrap_or((&text, ""));
    match re2::compile(expression) {
        Ok(regex) => drop(regex.captures(text)),
        Err(why) => assert!(!why.is_empty() && !why.contains('\n'), "{why}"),
    }
}

#[cfg(test)]
#[path = "../../../common/fuzz/seeds.rs"]
mod seeds;

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    fn folder(target: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target)
    }

    #[test]
    fn any_config_is_read_or_refused() {
        super::seeds::every(&folder("configs"), super::configs);
    }

    #[test]
    fn any_expression_is_compiled_or_refused() {
        super::seeds::every(&folder("patterns"), super::patterns);
    }
}
