//! The path of a file, from the names that the BPF programs read on the way to the root;
//! `bpf/include/path.h`.

use super::bytes::chars;
use super::layouts::path_end;

const ROOT: u32 = path_end::PATH_ROOT.0;
const NOWHERE: u32 = path_end::PATH_NOWHERE.0;
/// Set in addition to the end.
const DELETED: u32 = path_end::PATH_DELETED.0;

/// From the fields of a `struct path_names`: the path as `/proc/PID/fd` shows it, from the root of the process's
/// mount namespace. It begins with `…/` if it was too long, and has no leading slash if the file is
/// in no directory. `None` if it has no name at all.
pub fn decode(len: u32, end: u32, names: &[i8]) -> Option<String> {
    let names = chars(names);
    let names = &names[..names.len().min(len as usize)];
    let names = names.strip_suffix(b"\0").unwrap_or(names);
    let mut names: Vec<_> = names.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    names.reverse();
    let below = names.join("/");
    let start = match end & !DELETED {
        ROOT => "/",
        NOWHERE if below.is_empty() => return None,
        NOWHERE => "",
        _ => "…/",
    };
    Some(format!("{start}{below}{}", if end & DELETED != 0 { " (deleted)" } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(names: &[u8], end: u32) -> Option<String> {
        let mut room = [-1; 64];
        room.iter_mut().zip(names).for_each(|(place, byte)| *place = *byte as i8);
        decode(names.len() as u32, end, &room)
    }

    #[test]
    fn names_stand_the_other_way_round() {
        assert_eq!(path(b"file\0b c\0a\0", ROOT).as_deref(), Some("/a/b c/file"));
        assert_eq!(path(b"", ROOT).as_deref(), Some("/"));
        assert_eq!(path(b"file\0a\0", ROOT | DELETED).as_deref(), Some("/a/file (deleted)"));
    }

    #[test]
    fn what_is_not_the_whole_path_says_so() {
        assert_eq!(path(b"file\0b\0", 0).as_deref(), Some("…/b/file"));
        assert_eq!(path(b"memfd:x\0", NOWHERE).as_deref(), Some("memfd:x"));
        assert_eq!(path(b"\0", NOWHERE), None);
        // A length beyond the room is cut to it.
        assert_eq!(decode(9, NOWHERE, &[b'a' as i8; 3]).as_deref(), Some("aaa"));
    }
}
