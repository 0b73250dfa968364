//! What the relocations of an object (CO-RE) ask of the kernel's types.

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{self, NonNull};

use super::layout::{kind, word};

/// Where the header of `.BTF.ext` (`struct btf_ext_header`) has its own length, and the place and length of relocations.
const HEADER_LEN: usize = 4;
const RELOCATIONS: usize = 24;
const RELOCATIONS_LEN: usize = 28;
/// Before the relocations of a section: the section's name, and how many there are.
const SECTION: usize = 8;
/// Of a relocation (`struct bpf_core_relo`): the type, and what is asked of it.
const ROOT: usize = 4;
const ASKED: usize = 12;
/// `enum bpf_core_relo_kind`: the number of a type in the object, and in the kernel.
const LOCAL_ID: u32 = 6;
const KERNEL_ID: u32 = 7;

/// A type that an object expects the kernel to have, with all flavors of its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Root {
    /// Its name, maybe with a flavor.
    pub name: Vec<u8>,
    /// What it is (`BTF_KIND_*`).
    pub kind: u32,
}

/// The types that relocations of the object in this file begin with; `None` if it cannot be told, or if numbers of types are
/// asked for, which are others where only some types are kept.
pub fn roots(object: &Path) -> Option<Vec<Root>> {
    let path = CString::new(object.as_os_str().as_bytes()).ok()?;
    let mut ext = ptr::null_mut();
    // SAFETY: a path that ends with NUL, and a place for a pointer.
    let types = Parsed(NonNull::new(unsafe { libbpf_sys::btf__parse(path.as_ptr(), &raw mut ext) })?);
    let Some(ext) = NonNull::new(ext).map(Ext) else { return Some(Vec::new()) };
    relocations(ext.bytes())?
        .into_iter()
        .filter(|(_, asked)| *asked != LOCAL_ID)
        .map(|(root, asked)| if asked == KERNEL_ID { None } else { types.root(root) })
        .collect()
}

/// The types and the kinds of all relocations in the bytes of `.BTF.ext`; `None` if these are malformed.
fn relocations(bytes: &[u8]) -> Option<Vec<(u32, u32)>> {
    let field = |at| word(bytes, at).map(|word| word as usize);
    let header = field(HEADER_LEN)?;
    // Before there were any.
    if header < RELOCATIONS_LEN + 4 {
        return Some(Vec::new());
    }
    let all = bytes.get(header.checked_add(field(RELOCATIONS)?)?..)?.get(..field(RELOCATIONS_LEN)?)?;
    let mut found = Vec::new();
    let Some(size) = word(all, 0).map(|size| size as usize) else { return Some(found) };
    if size < ASKED + 4 {
        return None;
    }
    let mut at = 4;
    while at < all.len() {
        let count = word(all, at + 4)?;
        at += SECTION;
        for _ in 0..count {
            found.push((word(all, at + ROOT)?, word(all, at + ASKED)?));
            at += size;
        }
    }
    Some(found)
}

/// The types of an object.
struct Parsed(NonNull<libbpf_sys::btf>);

impl Parsed {
    fn root(&self, id: u32) -> Option<Root> {
        // SAFETY: the types live as long as `self`; libbpf checks the number.
        let head = unsafe { libbpf_sys::btf__type_by_id(self.0.as_ptr(), id).as_ref() }?;
        // SAFETY: as above; it checks the offset, too.
        let name = unsafe { libbpf_sys::btf__name_by_offset(self.0.as_ptr(), head.name_off) };
        // SAFETY: a name in the table of names, which ends with NUL.
        let name = unsafe { (!name.is_null()).then(|| CStr::from_ptr(name)) }?;
        Some(Root { name: name.to_bytes().to_vec(), kind: head.info >> 24 & 0x1f })
    }
}

impl Drop for Parsed {
    fn drop(&mut self) {
        // SAFETY: libbpf parsed it, and nobody else has it.
        unsafe { libbpf_sys::btf__free(self.0.as_ptr()) }
    }
}

/// The bytes of `.BTF.ext`.
struct Ext(NonNull<libbpf_sys::btf_ext>);

impl Ext {
    fn bytes(&self) -> &[u8] {
        let mut len = 0;
        // SAFETY: libbpf's own, which lives as long as `self`.
        let bytes = unsafe { libbpf_sys::btf_ext__raw_data(self.0.as_ptr(), &raw mut len) };
        match bytes.is_null() {
            true => &[],
            // SAFETY: so many bytes, as libbpf says.
            false => unsafe { std::slice::from_raw_parts(bytes.cast(), len as usize) },
        }
    }
}

impl Drop for Ext {
    fn drop(&mut self) {
        // SAFETY: libbpf parsed it, and nobody else has it.
        unsafe { libbpf_sys::btf_ext__free(self.0.as_ptr()) }
    }
}

/// Whether libbpf takes a type of one kind for one of the other (`btf_kind_core_compat`).
pub fn are_alike(one: u32, other: u32) -> bool {
    let is_enum = |kind| matches!(kind, kind::ENUM | kind::ENUM64);
    one == other || is_enum(one) && is_enum(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ext(header: u32, words: &[u32]) -> Vec<u8> {
        let len = 4 * words.len() as u32;
        let head = [0x0001_eb9f, header, 0, 0, 0, 0, 0, len];
        head.iter().chain(words).flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn relocations_of_all_sections_are_found() {
        let words = [16, 1, 2, 0, 5, 1, 0, 8, 6, 1, 8, 9, 1, 0, 7, 1, 7];
        assert_eq!(relocations(&ext(32, &words)), Some(vec![(5, 0), (6, 8), (7, 7)]));
        assert_eq!((relocations(&ext(32, &[])), relocations(&ext(24, &words))), (Some(vec![]), Some(vec![])));
        // Cut short; records that are too small; more of them than there are.
        let cut = ext(32, &words);
        assert_eq!((relocations(&cut[..cut.len() - 4]), relocations(&[])), (None, None));
        assert_eq!(
            (relocations(&ext(32, &[8, 1, 0])), relocations(&ext(32, &[16, 1, u32::MAX]))),
            (None, None)
        );
    }

    #[test]
    fn what_is_no_object_has_none() {
        assert_eq!(roots(Path::new("/dev/null")), None);
        assert_eq!(roots(Path::new("/nowhere")), None);
    }

    #[test]
    fn enumerations_are_alike_whatever_their_size() {
        assert!(are_alike(kind::ENUM, kind::ENUM64) && are_alike(kind::STRUCT, kind::STRUCT));
        assert!(!are_alike(kind::FWD, kind::STRUCT));
    }
}
