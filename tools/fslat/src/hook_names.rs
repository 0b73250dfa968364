//! Which file systems and operations a run is about.

use std::fs;

use crate::row::{FILE_SYSTEMS, OPS};

/// The file systems that the kernel supports now, by its own list.
const REGISTERED: &str = "/proc/filesystems";

/// The indices of a hook's file system and operation in their lists.
pub fn parts(hook: &str) -> Option<(usize, usize)> {
    let (fs, op) = hook.split_once(' ')?;
    Some((FILE_SYSTEMS.iter().position(|name| *name == fs)?, OPS.iter().position(|name| *name == op)?))
}

/// The selected ones.
pub struct Selection {
    fs: Vec<String>,
    ops: Vec<String>,
}

impl Selection {
    /// By default all operations, and the file systems that the kernel supports: others are not
    /// tried, unless none is supported.
    pub fn new(fs: &[String], ops: &[String], everywhere: bool) -> Self {
        let registered = fs::read_to_string(REGISTERED).unwrap_or_default();
        let fs = match (fs, everywhere) {
            ([], true) => Vec::new(),
            ([], false) => {
                FILE_SYSTEMS.iter().filter(|fs| has(&registered, fs)).map(ToString::to_string).collect()
            }
            (named, _) => named.to_vec(),
        };
        Self { fs, ops: ops.to_vec() }
    }

    /// Whether a hook is for one of them.
    pub fn wants(&self, hook: &str) -> bool {
        let among = |list: &[String], name: &str| list.is_empty() || list.iter().any(|named| named == name);
        hook.split_once(' ').is_some_and(|(fs, op)| among(&self.fs, fs) && among(&self.ops, op))
    }
}

/// Whether a list of file systems contains this one: one per line, the name last.
fn has(registered: &str, fs: &str) -> bool {
    registered.lines().any(|line| line.split_whitespace().last() == Some(fs))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn hooks_are_found_by_their_names() {
        assert_eq!(parts("ext4 read"), Some((0, 0)));
        assert_eq!(parts("nfs getattr"), Some((3, 4)));
        assert_eq!(parts("fat read"), None);
    }

    #[test]
    fn what_is_named_is_wanted_and_nothing_else() {
        let selection = Selection::new(&strings(&["xfs", "zfs"]), &strings(&["sync"]), false);
        assert!(selection.wants("xfs sync") && selection.wants("zfs sync"));
        assert!(!selection.wants("xfs read") && !selection.wants("ext4 sync"));
        let selection = Selection::new(&[], &strings(&["read"]), true);
        assert!(selection.wants("zfs read") && !selection.wants("zfs write"));
    }

    #[test]
    fn names_are_whole() {
        let list = "nodev\ttmpfs\n\text4\nnodev\tnfs4\n";
        assert_eq!(["tmpfs", "ext4", "nfs", "ext"].map(|fs| has(list, fs)), [true, true, false, false]);
    }
}
