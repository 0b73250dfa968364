//! Names for the bits of a number.

use std::fmt::Write;

/// The names of the bits that are set, in the order of this list, joined by `|`; what has no name follows as one
/// hexadecimal number. `0` if none is set.
pub fn names(value: u64, known: &[(u64, &str)]) -> String {
    let mut left = value;
    let mut text = String::new();
    let mut add = |part: &str| {
        if !text.is_empty() {
            text.push('|');
        }
        text.push_str(part);
    };
    for (bits, name) in known {
        if left & bits == *bits {
            left &= !bits;
            add(name);
        }
    }
    if left != 0 {
        let mut rest = String::new();
        let _ = write!(rest, "{left:#x}");
        add(&rest);
    }
    if text.is_empty() { "0".to_string() } else { text }
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn bits_have_names_and_the_rest_is_a_number() {
        const KNOWN: &[(u64, &str)] = &[(3, "BOTH"), (1, "ONE"), (8, "EIGHT")];
        let named = |value| names(value, KNOWN);
        assert_eq!((named(0).as_str(), named(3).as_str(), named(1).as_str()), ("0", "BOTH", "ONE"));
        assert_eq!((named(9).as_str(), named(0x1a).as_str()), ("ONE|EIGHT", "EIGHT|0x12"));
    }
}
