//! Structs of the BPF programs in the bytes that they hand over.

/// Types that are valid whatever their bytes, with the layout of a C struct: those of a skeleton, which are generated
/// from it, and some made by hand.
///
/// # Safety
/// Only `repr(C)` integers, and arrays and structs of them, without padding that is not a field.
pub unsafe trait Plain: Copy {}

// SAFETY: integers, and arrays of them, are valid for all bytes.
unsafe impl Plain for u64 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for u8 {}
// SAFETY: as above.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}

/// The struct at the beginning of a record, and the bytes after it. `None` if the record is shorter, or not
/// aligned as the struct is: the kernel aligns records of a ring buffer to 8 bytes (kernel/bpf/ringbuf.c).
pub fn cast<T: Plain>(bytes: &[u8]) -> Option<(&T, &[u8])> {
    let (own, rest) = bytes.split_at_checked(size_of::<T>())?;
    let own = own.as_ptr().cast::<T>();
    // SAFETY: it points to as many bytes as a T has, aligned as just seen and borrowed as long as the result, and
    // any bytes are a T.
    own.is_aligned().then(|| (unsafe { &*own }, rest))
}

/// A copy of the struct at the beginning of these bytes, wherever they are in memory, and the bytes after it. `None`
/// if there are fewer.
pub fn copy<T: Plain>(bytes: &[u8]) -> Option<(T, &[u8])> {
    let (own, rest) = bytes.split_at_checked(size_of::<T>())?;
    // SAFETY: there are that many bytes, as just seen, and any bytes are a T.
    Some((unsafe { own.as_ptr().cast::<T>().read_unaligned() }, rest))
}

/// The bytes of a struct, as a BPF program hands them over.
pub fn bytes_of<T: Plain>(of: &T) -> &[u8] {
    // SAFETY: all bytes of a T are those of its fields.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(of).cast(), size_of::<T>()) }
}

/// The same bytes as another type of the same size and alignment, which the compiler checks.
pub fn same_bytes<T: Plain, U: Plain>(of: &T) -> &U {
    const { assert!(size_of::<T>() == size_of::<U>() && align_of::<T>() == align_of::<U>()) };
    // SAFETY: as many bytes, aligned alike, as just seen, and any bytes are a U.
    unsafe { &*std::ptr::from_ref(of).cast() }
}

/// The length of an array that is a field of a struct: `length(|of: &types::event| &of.comm)`.
pub const fn length<S, T, const N: usize>(_: fn(&S) -> &[T; N]) -> usize {
    N
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_a_struct_and_what_follows_it() {
        let record = [1u64, 2, 3];
        let bytes = bytes_of(&record);
        let (first, rest) = cast::<[u64; 2]>(bytes).unwrap();
        assert_eq!((first, rest), (&[1, 2], &3u64.to_ne_bytes()[..]));
        assert_eq!(cast::<[u64; 3]>(bytes), Some((&record, &[][..])));
    }

    #[test]
    fn what_is_too_short_or_not_aligned_is_no_struct() {
        let record = [1u64, 2];
        let bytes = bytes_of(&record);
        assert_eq!(cast::<[u64; 3]>(bytes), None);
        assert_eq!(cast::<u64>(&bytes[..7]), None);
        assert_eq!(cast::<u64>(&bytes[4..]), None);
        assert_eq!(copy::<u64>(&bytes[9..]), None);
        assert_eq!(cast::<u64>(&bytes[8..]), Some((&2, &[][..])));
        assert_eq!(
            copy::<[u8; 4]>(&bytes[7..]).map(|(copied, rest)| (copied[1], rest.len())),
            Some((bytes[8], 5))
        );
    }
}
