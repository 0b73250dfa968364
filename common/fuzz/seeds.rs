//! The inputs of a test on a fuzz target's seeds. Included by such tests.

use std::fs;
use std::path::Path;

/// Bytes with a meaning to parsers.
const BYTES: &[u8] = b"\0\n\r\",{}[]:.eE-0\x7f\xc3\xff";

/// Passes a folder's seeds on: unchanged, truncated, with a byte changed, and concatenated.
pub fn every(folder: &Path, mut body: impl FnMut(&[u8])) {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    let seeds: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    for (number, seed) in seeds.iter().enumerate() {
        body(seed);
        for at in (number % 2..seed.len()).step_by(2) {
            body(&seed[..at]);
            let mut changed = seed.clone();
            changed[at] = BYTES[(at * 7 + number) % BYTES.len()];
            body(&changed);
        }
        let next = &seeds[(number + 1) % seeds.len()];
        body(&[&seed[..seed.len() / 2], next].concat());
    }
}
