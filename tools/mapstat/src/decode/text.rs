//! Decoders of numbers and texts.

use std::collections::HashMap;
use std::fmt::Write;

use regex::Regex;

use super::{Without, native};

/// A number of 1, 2, 4 or 8 bytes in decimal.
pub fn uint(bytes: &[u8]) -> Result<Vec<u8>, Without> {
    let number = match bytes.len() {
        1 => u64::from(bytes[0]),
        2 => u64::from(u16::from_ne_bytes(native(bytes)?)),
        4 => u64::from(u32::from_ne_bytes(native(bytes)?)),
        8 => u64::from_ne_bytes(native(bytes)?),
        other => {
            return Err(Without::Undecodable(format!("uint is of 1, 2, 4 or 8 bytes, not of {other}")));
        }
    };
    Ok(number.to_string().into_bytes())
}

/// The bytes before the first NUL.
pub fn string(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    bytes
}

/// Two digits for each byte.
pub fn hex(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            // Writing to a String does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
        .into_bytes()
}

/// A text by a text.
pub fn static_map(bytes: Vec<u8>, map: Option<&HashMap<String, String>>, allow_unknown: bool) -> Vec<u8> {
    let Some(map) = map else { return b"empty mapping".to_vec() };
    let found = std::str::from_utf8(&bytes).ok().and_then(|text| map.get(text));
    match found {
        Some(value) => value.clone().into_bytes(),
        None if allow_unknown => bytes,
        None => [b"unknown:", &bytes[..]].concat(),
    }
}

/// What the first of the expressions matches that has at most one group: the group, or all of it.
pub fn regexp(bytes: &[u8], all: &[Regex]) -> Result<Vec<u8>, Without> {
    let text = valid(bytes);
    for one in all.iter().filter(|one| one.captures_len() <= 2) {
        if let Some(found) = one.captures(&text) {
            // A group that took no part is empty.
            let group = found.get(one.captures_len() - 1).map_or("", |group| group.as_str());
            return Ok(group.as_bytes().to_vec());
        }
    }
    Err(Without::LeftOut)
}

/// The bytes as text, with U+FFFD for each byte that is not of UTF-8.
pub fn valid(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

/// The number that a decoder before has written.
pub fn number(bytes: &[u8]) -> Result<u64, Without> {
    let number = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| {
        let text = String::from_utf8_lossy(bytes);
        Without::Undecodable(format!(
            "`{}` is no number: decode it by `uint` first",
            cli::text::visible(&text)
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::re2;

    #[test]
    fn numbers_are_of_the_hosts_order() {
        assert_eq!(uint(&[8]), Ok(b"8".to_vec()));
        assert_eq!(uint(&0x2008u16.to_ne_bytes()), Ok(b"8200".to_vec()));
        assert_eq!(uint(&8u32.to_ne_bytes()), Ok(b"8".to_vec()));
        assert_eq!(uint(&u64::MAX.to_ne_bytes()), Ok(b"18446744073709551615".to_vec()));
        assert!(matches!(uint(&[1, 2, 3]), Err(Without::Undecodable(why)) if why.ends_with("not of 3")));
        assert!(number(b"x").is_err() && number(b"-1").is_err() && number(b"").is_err());
        assert_eq!(number(b"7"), Ok(7));
    }

    #[test]
    fn a_text_ends_with_a_nul_or_with_its_bytes() {
        assert_eq!(string(b"potatoes\0x".to_vec()), b"potatoes");
        assert_eq!(string(b"bananas".to_vec()), b"bananas");
        assert_eq!(string(vec![0, 1]), b"");
        assert_eq!(hex(&[0, 0x1f, 0xff]), b"001fff");
        assert_eq!(valid(b"a\xff\xfeb\xe2\x82"), "a\u{fffd}\u{fffd}b\u{fffd}\u{fffd}");
    }

    #[test]
    fn what_is_in_no_map_says_so() {
        let map = HashMap::from([("1".to_owned(), "read".to_owned())]);
        assert_eq!(static_map(b"1".to_vec(), Some(&map), false), b"read");
        assert_eq!(static_map(b"10".to_vec(), Some(&map), false), b"unknown:10");
        assert_eq!(static_map(b"10".to_vec(), Some(&map), true), b"10");
        assert_eq!(static_map(b"10".to_vec(), None, true), b"empty mapping");
    }

    #[test]
    fn the_first_expression_that_matches_decides() {
        let of = |all: &[&str], text: &str| {
            let all: Vec<_> = all.iter().map(|one| re2::compile(one).unwrap()).collect();
            regexp(text.as_bytes(), &all).map(|bytes| String::from_utf8(bytes).unwrap())
        };
        assert_eq!(of(&["^bananas$", "-banana-"], "a-banana-b"), Ok("-banana-".to_owned()));
        assert_eq!(of(&["^tomato"], "potatoes"), Err(Without::LeftOut));
        assert_eq!(of(&["^(..)at"], "potatoes"), Err(Without::LeftOut));
        assert_eq!(of(&["(o.)at"], "potatoes"), Ok("ot".to_owned()));
        // With two groups it is as if it did not match.
        assert_eq!(of(&["(o)(t)", "toes"], "potatoes"), Ok("toes".to_owned()));
        assert_eq!(of(&["a(b)?"], "a"), Ok(String::new()));
    }
}
