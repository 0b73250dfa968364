//! The layout of types in a blob (`linux/btf.h`): a header, the types one after the other, their
//! names. Nothing here panics on a malformed blob: it has fewer types then, or none.

/// Size of `struct btf_header`.
pub const HEADER: usize = 24;
/// Size of `struct btf_type`.
pub const TYPE: usize = 12;
/// How a blob begins: `BTF_MAGIC` in this machine's byte order, `BTF_VERSION`, no flags.
pub const START: [u8; 4] = [0xeb9f_u16.to_ne_bytes()[0], 0xeb9f_u16.to_ne_bytes()[1], 1, 0];

/// What a type is (`BTF_KIND_*`).
pub mod kind {
    pub const INT: u32 = 1;
    pub const PTR: u32 = 2;
    pub const ARRAY: u32 = 3;
    pub const STRUCT: u32 = 4;
    pub const UNION: u32 = 5;
    pub const ENUM: u32 = 6;
    pub const FWD: u32 = 7;
    pub const TYPEDEF: u32 = 8;
    pub const VOLATILE: u32 = 9;
    pub const CONST: u32 = 10;
    pub const RESTRICT: u32 = 11;
    pub const FUNC: u32 = 12;
    pub const FUNC_PROTO: u32 = 13;
    pub const VAR: u32 = 14;
    pub const DATASEC: u32 = 15;
    pub const FLOAT: u32 = 16;
    pub const DECL_TAG: u32 = 17;
    pub const TYPE_TAG: u32 = 18;
    pub const ENUM64: u32 = 19;
}

/// The head that all types have: `struct btf_type`.
#[derive(Clone, Copy)]
pub struct Head {
    /// The offset of the name in the table of names; 0 for a type without a name.
    pub name: u32,
    /// Kind, number of members, and a flag.
    pub info: u32,
    /// Depends on the kind: a size in bytes, or another type.
    pub size_or_type: u32,
}

impl Head {
    pub fn kind(self) -> u32 {
        self.info >> 24 & 0x1f
    }

    pub fn members(self) -> usize {
        (self.info & 0xffff) as usize
    }

    /// How many bytes follow the head; `None` for an unknown kind.
    pub fn more(self) -> Option<usize> {
        let members = self.members();
        Some(match self.kind() {
            kind::INT | kind::VAR | kind::DECL_TAG => 4,
            kind::ARRAY => 12,
            kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => 12 * members,
            kind::ENUM | kind::FUNC_PROTO => 8 * members,
            kind::PTR | kind::FWD | kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT => 0,
            kind::FUNC | kind::FLOAT | kind::TYPE_TAG => 0,
            _ => return None,
        })
    }
}

/// The two tables of a blob.
#[derive(Clone, Copy)]
pub struct Tables<'a> {
    pub types: &'a [u8],
    pub names: &'a [u8],
}

impl<'a> Tables<'a> {
    /// The tables of a blob; `None` if it is not a blob, or has another byte order.
    pub fn of(blob: &'a [u8]) -> Option<Self> {
        // Flags have no meaning yet.
        if blob.get(..3)? != &START[..3] {
            return None;
        }
        let field = |at| word(blob, at).map(|word| word as usize);
        let table = |offset, len| blob.get(field(4)?.checked_add(field(offset)?)?..)?.get(..field(len)?);
        Some(Self { types: table(8, 12)?, names: table(16, 20)? })
    }

    /// The head of the type at this offset.
    pub fn head(&self, at: usize) -> Option<Head> {
        let bytes = self.types.get(at..)?.first_chunk::<TYPE>()?;
        let (name, rest) = bytes.split_first_chunk()?;
        let (info, rest) = rest.split_first_chunk()?;
        Some(Head {
            name: u32::from_ne_bytes(*name),
            info: u32::from_ne_bytes(*info),
            size_or_type: u32::from_ne_bytes(*rest.first_chunk()?),
        })
    }

    /// A name, without the NUL at its end.
    pub fn name(&self, at: u32) -> Option<&'a [u8]> {
        let name = self.names.get(at as usize..)?;
        name.get(..memchr::memchr(0, name)?)
    }
}

/// The word at this offset, in this machine's byte order.
pub fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A blob of these types, as words, and these names.
    pub fn blob(types: &[u32], names: &[u8]) -> Vec<u8> {
        let len = 4 * types.len() as u32;
        let mut blob = START.to_vec();
        blob.extend(
            [HEADER as u32, 0, len, len, names.len() as u32].iter().flat_map(|word| word.to_ne_bytes()),
        );
        blob.extend(types.iter().flat_map(|word| word.to_ne_bytes()));
        blob.extend(names);
        blob
    }

    /// The second word of a type's head.
    pub fn info(kind: u32, members: u32) -> u32 {
        kind << 24 | members
    }

    #[test]
    fn tables_are_found_by_the_header() {
        let mut blob = blob(&[1, info(kind::INT, 0), 4, 32], b"\0abc\0");
        blob.extend(b"more");
        let tables = Tables::of(&blob).unwrap();
        assert_eq!((tables.types.len(), tables.names), (16, &b"\0abc\0"[..]));
        let head = tables.head(0).unwrap();
        assert_eq!((head.kind(), head.members(), head.more()), (kind::INT, 0, Some(4)));
        assert_eq!(tables.name(1), Some(&b"abc"[..]));
        assert_eq!((tables.name(9), tables.head(8).is_none()), (None, true));
    }

    #[test]
    fn what_is_odd_has_no_tables() {
        let whole = blob(&[1, info(kind::INT, 0), 4, 32], b"\0abc\0");
        assert!((0..whole.len()).all(|len| Tables::of(&whole[..len]).is_none()));
        for byte in 0..3 {
            let mut odd = whole.clone();
            odd[byte] ^= 0xff;
            assert!(Tables::of(&odd).is_none());
        }
        let mut beyond = whole.clone();
        beyond[4..8].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert!(Tables::of(&beyond).is_none());
        assert_eq!(Head { name: 0, info: info(20, 0), size_or_type: 0 }.more(), None);
    }
}
