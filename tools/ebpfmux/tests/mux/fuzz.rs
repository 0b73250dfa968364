//! Runs the fuzz targets of `scripts/test long` on their seeds: unchanged, truncated, with a byte
//! changed, and concatenated.

use std::fs;
use std::path::Path;

/// Bytes with a meaning to the readers.
const BYTES: &[u8] = b"\0\n\r\",{}[]:.eE-0\x7f\xc3\xff";

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn every(target: &str, body: fn(&[u8])) {
    let seeds = seeds(target);
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

#[test]
fn ndjson() {
    every("ndjson", ebpfmux::fuzz::ndjson);
}

#[test]
fn csv() {
    every("csv", ebpfmux::fuzz::csv);
}

#[test]
fn expressions() {
    every("expression", ebpfmux::fuzz::expression);
}
