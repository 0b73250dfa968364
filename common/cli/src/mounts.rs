//! What is mounted, by `/proc/self/mountinfo` (proc_pid_mountinfo(5)).

use std::{fs, io};

/// A mounted file system, as the kernel writes it.
pub struct Mount<'a> {
    /// Which directory of the file system is mounted.
    pub root: &'a str,
    /// Where; a space is `\040`.
    pub path: &'a str,
    /// The type of the file system.
    pub kind: &'a str,
    /// The file system's own options, separated by commas.
    pub options: &'a str,
}

/// The text of the list, for [`each`].
///
/// # Errors
/// If `/proc` is not mounted.
pub fn list() -> io::Result<String> {
    fs::read_to_string("/proc/self/mountinfo")
}

/// Each mount, in the order in which they were mounted: of several at one path the last covers the others.
pub fn each(list: &str) -> impl DoubleEndedIterator<Item = Mount<'_>> {
    list.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let mut after = after.split(' ');
        let (root, path, kind) = (before.next()?, before.next()?, after.next()?);
        Some(Mount { root, path, kind, options: after.next_back().unwrap_or_default() })
    })
}
