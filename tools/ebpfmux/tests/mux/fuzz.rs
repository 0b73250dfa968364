//! Runs the fuzz targets of `scripts/test long` on their seeds: unchanged, truncated, with a byte
//! changed, and concatenated.

use std::path::Path;

#[path = "../../fuzz/scraper.rs"]
mod scraper;
#[path = "../../../../common/fuzz/seeds.rs"]
mod seeds;

fn every(target: &str, body: impl FnMut(&[u8])) {
    seeds::every(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target), body);
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

#[test]
fn metrics() {
    let mut scraper = scraper::Scraper::new();
    every("metrics", |bytes| scraper.check(&ebpfmux::fuzz::metrics(bytes)));
}

#[test]
fn requests() {
    every("requests", ebpfmux::fuzz::requests);
}

#[test]
fn replies() {
    every("replies", ebpfmux::fuzz::replies);
}

#[test]
fn recordings() {
    let folder = tempfile::tempdir().unwrap();
    let recording = ebpfmux::fuzz::Recording::new(folder.path());
    every("recording", |bytes| recording.check(bytes));
}
