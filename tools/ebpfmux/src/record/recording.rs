//! The files of a recording (`--record`) and their names.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::lock;

/// The suffix of the files' names; the rest is their number, in digits that sort as text.
pub const SUFFIX: &str = ".ndjson.zst";

/// The maximum number of uncompressed bytes in a zstd frame, which is verified and left out as a
/// whole. Only a longer line makes a larger frame.
pub const FRAME: usize = 1 << 20;

/// The name of the file of this number.
pub fn name(number: u64) -> String {
    format!("{number:08}{SUFFIX}")
}

/// The files of a recording in their order, with their numbers.
///
/// # Errors
/// If the folder cannot be read.
pub fn files(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if let Some(number) = number(&path) {
            files.push((number, path));
        }
    }
    files.sort();
    Ok(files)
}

/// The number of a file, by its name.
pub fn number(path: &Path) -> Option<u64> {
    let digits = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?;
    digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A message about the files missing between two numbers; `None` if there are none.
pub fn missing(before: u64, after: u64) -> Option<String> {
    let (first, last) = (before.checked_add(1)?, after.checked_sub(1)?);
    match last.checked_sub(first)? {
        0 => Some(format!("{} is missing", name(first))),
        more => {
            Some(format!("{} to {} are missing ({} files)", name(first), name(last), u128::from(more) + 1))
        }
    }
}

/// Whether a process is writing to this file: it is the last one in a folder with a writer.
pub fn is_written(path: &Path) -> bool {
    let folder = match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => return false,
    };
    let last = || Some(files(folder).ok()?.last()?.0);
    number(path).is_some() && number(path) == last() && lock::is_written(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(missing(1, 2), None);
        assert_eq!(missing(1, 1), None);
        assert_eq!(missing(1, 3).unwrap(), "00000002.ndjson.zst is missing");
        assert_eq!(
            missing(7, 10).unwrap(),
            "00000008.ndjson.zst to 00000009.ndjson.zst are missing (2 files)"
        );
        assert!(missing(5, u64::MAX).unwrap().contains("18446744073709551614"));
        assert_eq!(missing(u64::MAX, u64::MAX), None);
    }

    #[test]
    fn numbers_are_digits() {
        for (name, is) in [
            ("00000012.ndjson.zst", Some(12)),
            ("+12.ndjson.zst", None),
            (".ndjson.zst", None),
            ("1.zst", None),
        ] {
            assert_eq!(number(Path::new(name)), is, "{name}");
        }
    }
}
