//! The types of a kernel that an object's CO-RE relocations can need, as a blob of their own: a few
//! hundred rather than 150 000, all of which libbpf would read, and search for each type that it
//! looks up.
//!
//! libbpf finds in it what it finds in the whole. A candidate for a type has its name, without
//! flavors (`bpf_core_add_cands`): all candidates are kept, in their order. From there it follows
//! members of structures that are structures themselves, and elements of arrays
//! (`bpf_core_match_member`, `bpf_core_composites_match`). Through a pointer it only compares names
//! and kinds (`__bpf_core_types_match`, `__bpf_core_types_are_compat`). So a structure that only
//! pointers lead to is kept without its members. Numbers of types differ: `bpf_core_type_id_kernel`
//! must not be used.

use super::index::Index;
use super::layout::{HEADER, Head, START, TYPE, Tables, kind, word};

/// The types of these names and all that they refer to, as a blob; `None` if the kernel's own is
/// malformed.
pub fn subset<'n>(
    tables: &Tables<'_>,
    index: &Index,
    names: impl Iterator<Item = &'n Vec<u8>>,
) -> Option<Vec<u8>> {
    let mut kept =
        KeptTypes { tables, index, parts: vec![Part::None; index.count() + 1], ids: vec![], left: vec![] };
    for id in names.flat_map(|name| index.types(name)) {
        kept.add(id, Part::Whole)?;
    }
    while let Some((id, part)) = kept.left.pop() {
        kept.follow(id, part)?;
    }
    kept.ids.sort_unstable();
    kept.write()
}

/// How much of a type is kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    None,
    /// A structure without its members.
    Head,
    Whole,
}

/// The types that are kept.
struct KeptTypes<'a> {
    tables: &'a Tables<'a>,
    index: &'a Index,
    /// By number.
    parts: Vec<Part>,
    /// The numbers of the types that are kept.
    ids: Vec<u32>,
    /// Those whose own references have not been followed.
    left: Vec<(u32, Part)>,
}

impl KeptTypes<'_> {
    fn add(&mut self, id: u32, part: Part) -> Option<()> {
        let kept = self.parts.get_mut(id as usize)?;
        // 0 is void, which is always present.
        if id == 0 || *kept >= part {
            return Some(());
        }
        if *kept == Part::None {
            self.ids.push(id);
        }
        *kept = part;
        self.left.push((id, part));
        Some(())
    }

    /// Adds the types that a type refers to.
    fn follow(&mut self, id: u32, part: Part) -> Option<()> {
        let at = self.index.offset(id)?;
        let head = self.tables.head(at)?;
        let through = match head.kind() {
            kind::PTR => Part::Head,
            kind::STRUCT | kind::UNION if part == Part::Head => return Some(()),
            _ => part,
        };
        for place in references(head) {
            self.add(word(self.tables.types, at + place)?, through)?;
        }
        Some(())
    }

    /// All that is kept, in the order of the kernel's own blob.
    fn write(&self) -> Option<Vec<u8>> {
        let mut new_ids = vec![0; self.parts.len()];
        for (&id, new) in self.ids.iter().zip(1..) {
            *new_ids.get_mut(id as usize)? = new;
        }
        let (mut types, mut names) = (Vec::new(), vec![0]);
        for &id in &self.ids {
            let at = self.index.offset(id)?;
            let mut head = self.tables.head(at)?;
            if self.parts.get(id as usize) == Some(&Part::Head)
                && matches!(head.kind(), kind::STRUCT | kind::UNION)
            {
                head.info &= !0xffff;
            }
            let begin = types.len();
            types.extend(self.tables.types.get(at..at + TYPE + head.more()?)?);
            let new = types.get_mut(begin..)?;
            set(new, 4, head.info)?;
            for place in references(head) {
                let id = new_ids.get(word(new, place)? as usize)?;
                set(new, place, *id)?;
            }
            for place in std::iter::once(0).chain(names_within(head)) {
                let name = self.tables.name(word(new, place)?)?;
                if name.is_empty() {
                    set(new, place, 0)?;
                    continue;
                }
                set(new, place, names.len() as u32)?;
                names.extend(name);
                names.push(0);
            }
        }
        Some(blob(&types, &names))
    }
}

/// The offsets of the numbers of other types, from a type's begin.
fn references(head: Head) -> impl Iterator<Item = usize> {
    // The first offset, the distance between them, and how many.
    let (first, step, count) = match head.kind() {
        kind::PTR | kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
            (8, 4, 1)
        }
        // Types of the elements, and of the index.
        kind::ARRAY => (TYPE, 4, 2),
        kind::STRUCT | kind::UNION => (TYPE + 4, 12, head.members()),
        // The return type, and the parameters: each has its name first.
        kind::FUNC_PROTO => (8, 8, 1 + head.members()),
        _ => (0, 0, 0),
    };
    (0..count).map(move |index| first + step * index)
}

/// The offsets of the names of members, from a type's begin.
fn names_within(head: Head) -> impl Iterator<Item = usize> {
    let step = match head.kind() {
        kind::STRUCT | kind::UNION | kind::ENUM64 => 12,
        kind::ENUM | kind::FUNC_PROTO => 8,
        _ => 0,
    };
    let count = if step == 0 { 0 } else { head.members() };
    (0..count).map(move |index| TYPE + step * index)
}

fn set(bytes: &mut [u8], at: usize, word: u32) -> Option<()> {
    bytes.get_mut(at..at + 4)?.copy_from_slice(&word.to_ne_bytes());
    Some(())
}

fn blob(types: &[u8], names: &[u8]) -> Vec<u8> {
    let words = [HEADER, 0, types.len(), types.len(), names.len()].map(|word| word as u32);
    let mut blob = Vec::with_capacity(HEADER + types.len() + names.len());
    blob.extend(START);
    words.iter().for_each(|word| blob.extend(word.to_ne_bytes()));
    blob.extend(types);
    blob.extend(names);
    blob
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::layout::tests::{blob, info};
    use super::*;

    /// A name of one letter, as `STRINGS` has them.
    const fn name(letter: u8) -> u32 {
        1 + 2 * (letter - b'a') as u32
    }

    const STRINGS: &[u8] = b"\0a\0b\0c\0d\0e\0f\0g\0h\0";

    /// `struct a { struct b b; struct c *c; }`, `struct b { int e[]; }`, `struct c { struct b b; struct a a }`,
    /// `struct d { int e }`.
    fn types() -> Vec<u32> {
        [
            &[name(b'd'), info(kind::STRUCT, 1), 4, name(b'e'), 7, 0][..],
            &[name(b'c'), info(kind::STRUCT, 2), 24, name(b'b'), 3, 0, name(b'a'), 4, 64],
            &[name(b'b'), info(kind::STRUCT, 1), 8, name(b'e'), 6, 0],
            &[name(b'a'), info(kind::STRUCT, 2), 16, name(b'b'), 3, 0, name(b'c'), 5, 64],
            &[0, info(kind::PTR, 0), 2],
            &[0, info(kind::ARRAY, 0), 0, 7, 7, 2],
            &[name(b'g'), info(kind::INT, 0), 4, 32],
        ]
        .concat()
    }

    fn cut(types: &[u32], roots: &[&str]) -> Option<Vec<u8>> {
        let blob = blob(types, STRINGS);
        let tables = Tables::of(&blob)?;
        let wanted: HashSet<Vec<u8>> = roots.iter().map(|root| root.as_bytes().to_vec()).collect();
        subset(&tables, &Index::of(&tables, &wanted)?, wanted.iter())
    }

    /// Each type of a blob: its name, its kind, its members.
    fn list(blob: &[u8]) -> Vec<(String, u32, usize)> {
        let tables = Tables::of(blob).unwrap();
        let mut list = Vec::new();
        let mut at = 0;
        while at < tables.types.len() {
            let head = tables.head(at).unwrap();
            let name = String::from_utf8(tables.name(head.name).unwrap().to_vec()).unwrap();
            list.push((name, head.kind(), head.members()));
            at += TYPE + head.more().unwrap();
        }
        list
    }

    #[test]
    fn what_only_pointers_lead_to_has_no_members() {
        let blob = cut(&types(), &["a"]).unwrap();
        let expected = [
            ("c", kind::STRUCT, 0),
            ("b", kind::STRUCT, 1),
            ("a", kind::STRUCT, 2),
            ("", kind::PTR, 0),
            ("", kind::ARRAY, 0),
            ("g", kind::INT, 0),
        ];
        assert_eq!(list(&blob), expected.map(|(name, kind, members)| (name.to_string(), kind, members)));
        let tables = Tables::of(&blob).unwrap();
        // Its members' types have other numbers now: c is first, and has a head only.
        let a = TYPE + TYPE + 12;
        assert_eq!([16, 28].map(|place| word(tables.types, a + place)), [Some(2), Some(4)]);
        assert_eq!(word(tables.types, a + TYPE + 24 + 8), Some(1));
    }

    #[test]
    fn what_is_asked_for_is_whole_whoever_else_points_to_it() {
        let whole = |blob: &[u8]| {
            list(blob).iter().filter(|(_, kind, members)| *kind == kind::STRUCT && *members > 0).count()
        };
        assert_eq!(whole(&cut(&types(), &["a", "c"]).unwrap()), 3);
        assert_eq!(whole(&cut(&types(), &["d"]).unwrap()), 1);
        assert!(list(&cut(&types(), &["h"]).unwrap()).is_empty());
    }

    #[test]
    fn an_odd_blob_has_no_subset() {
        let good = types();
        // Each word in turn made too large: there is a subset that names nothing beyond its tables, or none.
        for at in 0..good.len() {
            for odd in [u32::MAX, 1 << 31, 100, kind::STRUCT << 24 | 9] {
                let mut types = good.clone();
                types[at] = odd;
                if let Some(blob) = cut(&types, &["a", "c"]) {
                    list(&blob);
                }
            }
        }
        let mut nowhere = good.clone();
        nowhere[19] = 100;
        assert_eq!(cut(&nowhere, &["a"]), None);
    }
}
