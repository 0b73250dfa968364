//! Texts in the bytes that BPF programs hand over.

/// The bytes of an array of C's `char`, which the skeletons have as `i8`.
pub fn chars(chars: &[i8]) -> &[u8] {
    // SAFETY: both types have the same size and alignment, and any bytes are either.
    unsafe { std::slice::from_raw_parts(chars.as_ptr().cast(), chars.len()) }
}

/// The text up to the first NUL.
pub fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
