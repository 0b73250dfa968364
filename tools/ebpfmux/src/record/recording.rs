//! The names of the files of a recording (`--record`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The suffix of the files' names; the rest is their number, in digits that sort as text.
pub const SUFFIX: &str = ".ndjson.zst";

/// The files of a recording in their order, with their numbers.
pub fn files(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some(number) = name.and_then(|name| name.strip_suffix(SUFFIX)?.parse().ok()) {
            files.push((number, path));
        }
    }
    files.sort();
    Ok(files)
}
