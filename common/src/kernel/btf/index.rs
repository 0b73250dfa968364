//! Names looked up among a kernel's types, all in one pass over its 150 000: looking up a single
//! name takes as long as looking up all.

use std::collections::{HashMap, HashSet};

use super::layout::{TYPE, Tables, kind};
use super::relocations::are_alike;

/// The separator between a type's name and its flavor (`bpf_core_is_flavor_sep` of libbpf).
const FLAVOR: &[u8] = b"___";

/// The kinds of types that have names of their own.
const TYPES: [u32; 8] =
    [kind::INT, kind::STRUCT, kind::UNION, kind::ENUM, kind::FWD, kind::TYPEDEF, kind::FLOAT, kind::ENUM64];

/// The offsets of a kernel's types, and which of them have the names that were looked up.
pub struct Index {
    /// Of each type, by its number less one.
    offsets: Vec<u32>,
    /// By name: number and kind of each type with this name or a flavor of it, in ascending order.
    found: HashMap<Vec<u8>, Vec<Named>>,
    /// The number of the first function.
    first_function: Option<u32>,
}

/// A type or function with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Named {
    id: u32,
    kind: u32,
    /// The name is the type's whole name, not followed by a flavor.
    whole: bool,
}

impl Index {
    /// Looks up these names; `None` if the blob is malformed, or has types of an unknown kind.
    pub fn of(tables: &Tables<'_>, wanted: &HashSet<Vec<u8>>) -> Option<Self> {
        let heads = Heads::of(wanted);
        // A type takes 37 bytes on average.
        let mut offsets = Vec::with_capacity(tables.types.len() / 32);
        let mut found: HashMap<Vec<u8>, Vec<Named>> = HashMap::new();
        let mut first_function = None;
        let mut at = 0;
        while at < tables.types.len() {
            let head = tables.head(at)?;
            offsets.push(at as u32);
            if first_function.is_none() && head.kind() == kind::FUNC {
                first_function = Some(offsets.len() as u32);
            }
            if head.name != 0 && heads.may_have(tables.names.get(head.name as usize..)?) {
                let name = tables.name(head.name)?;
                let (id, kind) = (offsets.len() as u32, head.kind());
                let mut note = |name: &[u8], whole| {
                    if wanted.contains(name) {
                        found.entry(name.to_vec()).or_default().push(Named { id, kind, whole });
                    }
                };
                note(name, true);
                if essential(name) != name {
                    note(essential(name), false);
                }
            }
            at += TYPE + head.more()?;
        }
        (at == tables.types.len()).then_some(Self { offsets, found, first_function })
    }

    /// How many types there are.
    pub fn count(&self) -> usize {
        self.offsets.len()
    }

    /// The offset of a type.
    pub fn offset(&self, id: u32) -> Option<usize> {
        Some(*self.offsets.get(id.checked_sub(1)? as usize)? as usize)
    }

    /// The number of the first function; `None` if there is none.
    pub fn first_function(&self) -> Option<u32> {
        self.first_function
    }

    /// The number of the first function of this name.
    pub fn function(&self, name: &str) -> Option<u32> {
        self.first(name, kind::FUNC)
    }

    /// The number of the first type definition of this name.
    pub fn typedef(&self, name: &str) -> Option<u32> {
        self.first(name, kind::TYPEDEF)
    }

    fn first(&self, name: &str, kind: u32) -> Option<u32> {
        let named = self.found.get(name.as_bytes())?.iter().find(|named| named.whole && named.kind == kind);
        named.map(|named| named.id)
    }

    /// Whether libbpf finds a type for one of this name, which may have a flavor, and kind.
    pub fn has(&self, name: &[u8], kind: u32) -> bool {
        let named = self.found.get(essential(name)).into_iter().flatten();
        named.into_iter().any(|named| are_alike(named.kind, kind))
    }

    /// The numbers of all types with this name or a flavor of it; not of functions and variables.
    pub fn types(&self, name: &[u8]) -> impl Iterator<Item = u32> {
        let named = self.found.get(name).into_iter().flatten();
        named.filter(|named| TYPES.contains(&named.kind)).map(|named| named.id)
    }
}

/// A name without its flavor, as in `bpf_core_essential_name_len` of libbpf: the part before the
/// last three underscores that neither begin nor end the name.
pub fn essential(name: &[u8]) -> &[u8] {
    let is_flavor = |at: &usize| {
        let (before, after) = (name[at - 1], name.get(at + 3));
        name[*at..].starts_with(FLAVOR) && before != b'_' && after.is_some_and(|after| *after != b'_')
    };
    let end = (1..name.len().saturating_sub(FLAVOR.len())).rev().find(is_flavor);
    &name[..end.unwrap_or(name.len())]
}

/// The first eight bytes of the names that are looked up: excludes most other names.
struct Heads(Box<[u64; 1024]>);

impl Heads {
    fn of(names: &HashSet<Vec<u8>>) -> Self {
        let mut heads = Self(Box::new([0; 1024]));
        for name in names {
            heads.add(name);
            // With a flavor whose separator is cut off there.
            if (6..8).contains(&name.len()) {
                heads.add(&[name, FLAVOR].concat());
            }
        }
        heads
    }

    fn add(&mut self, name: &[u8]) {
        let (word, bit) = Self::place(head(name));
        self.0[word] |= bit;
    }

    /// Whether it may be a name that is looked up; `name` continues after its NUL.
    fn may_have(&self, name: &[u8]) -> bool {
        let head = head(name);
        let (word, bit) = Self::place(head);
        self.0[word] & bit != 0 || has_flavor(head)
    }

    fn place(head: u64) -> (usize, u64) {
        // Fibonacci hashing: the upper bits of a product depend on all of the number.
        let hash = head.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
        ((hash >> 6) as usize, 1 << (hash & 63))
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;

/// The highest bit of each byte that is 0, exact up to the first.
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & (ONES << 7)
}

/// The first eight bytes of a name, zero beyond its end.
fn head(name: &[u8]) -> u64 {
    let word = match name.first_chunk::<8>() {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => name.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    let ends = zeros(word);
    let first = ends & ends.wrapping_neg();
    if ends == 0 { word } else { word & (first >> 7).wrapping_sub(1) }
}

/// Whether three underscores may be among the bytes.
fn has_flavor(head: u64) -> bool {
    let underscores = zeros(head ^ (ONES * u64::from(b'_')));
    underscores & underscores >> 8 & underscores >> 16 != 0
}

#[cfg(test)]
mod tests {
    use super::super::layout::tests::{blob, info};
    use super::*;

    fn wanted(names: &[&str]) -> HashSet<Vec<u8>> {
        names.iter().map(|name| name.as_bytes().to_vec()).collect()
    }

    #[test]
    fn a_flavor_is_what_follows_three_underscores() {
        let names =
            ["bio", "bio___old", "a___b___c", "x____y", "___x", "x___", "a_b", "", "____", "a____b___c"];
        let cut = names.map(|name| String::from_utf8(essential(name.as_bytes()).to_vec()).unwrap());
        assert_eq!(cut, ["bio", "bio", "a___b", "x____y", "___x", "x___", "a_b", "", "____", "a____b"]);
    }

    #[test]
    fn names_are_found_by_kind_and_flavor() {
        // In this order: each name once.
        let names = [
            "int",
            "request",
            "request___old",
            "vfs_read",
            "vfs_read_more",
            "btf_trace_x",
            "bio___a",
            "u8",
            "variable",
        ];
        let mut strings = b"\0".to_vec();
        let at = names.map(|name| {
            let at = strings.len() as u32;
            strings.extend(name.as_bytes());
            strings.push(0);
            at
        });
        let kinds = [(kind::INT, 1), (kind::STRUCT, 0), (kind::STRUCT, 0), (kind::FUNC, 0), (kind::FUNC, 0)];
        let kinds = kinds.into_iter().chain([
            (kind::TYPEDEF, 0),
            (kind::STRUCT, 0),
            (kind::TYPEDEF, 0),
            (kind::VAR, 1),
        ]);
        let types: Vec<u32> = at
            .into_iter()
            .zip(kinds)
            .flat_map(|(at, (kind, more))| [at, info(kind, 0), 8, 0].into_iter().take(3 + more))
            .collect();
        let blob = blob(&types, &strings);
        let tables = Tables::of(&blob).unwrap();
        let index = Index::of(
            &tables,
            &wanted(&["request", "vfs_read", "btf_trace_x", "bio", "none", "u8", "variable"]),
        )
        .unwrap();
        let types = |name: &str| index.types(name.as_bytes()).collect::<Vec<_>>();
        assert_eq!((types("request"), types("bio"), types("u8")), (vec![2, 3], vec![7], vec![8]));
        assert_eq!((types("variable"), types("none"), types("vfs_read")), (vec![], vec![], vec![]));
        assert_eq!(index.first_function(), Some(4));
        assert_eq!((index.function("vfs_read"), index.typedef("btf_trace_x")), (Some(4), Some(6)));
        assert_eq!((index.function("request"), index.typedef("vfs_read")), (None, None));
        assert_eq!(
            (index.offset(1), index.offset(2), index.offset(10), index.offset(0)),
            (Some(0), Some(16), None, None)
        );
    }

    #[test]
    fn an_odd_table_has_no_index() {
        let index = |types: &[u32]| {
            Index::of(&Tables::of(&blob(types, b"\0a\0")).unwrap(), &wanted(&["a"])).is_some()
        };
        assert!(index(&[1, info(kind::FUNC, 0), 0]));
        // Truncated; an unknown kind; a name beyond the table.
        assert!(!index(&[1, info(kind::FUNC, 0), 0, 1]));
        assert!(!index(&[1, info(kind::STRUCT, 2), 0, 1]));
        assert!(!index(&[1, info(31, 0), 0]));
        assert!(!index(&[9, info(kind::FUNC, 0), 0]));
    }

    #[test]
    fn heads_tell_names_apart() {
        assert_eq!(head(b"ab\0cdefghi"), head(b"ab"));
        assert_ne!(head(b"abcdefgh"), head(b"abcdefg"));
        let heads = Heads::of(&wanted(&["bio", "request", "sixsix"]));
        let may = |name: &str| heads.may_have(name.as_bytes());
        assert!(["bio\0more", "bio___x", "request___x", "sixsix___x\0", "sixsix"].into_iter().all(may));
        assert!(!may("biolat") && !may("bi") && !may("requests"));
    }
}
