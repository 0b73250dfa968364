//! Names of DNS, whose labels may have any bytes.

use std::fmt;

use common::dns::labels;

/// A name as RFC 4343 (2.1) has it: what is no printable character is `\DDD`, a dot within a label `\.`. So it has
/// neither spaces nor what ends a line or moves a terminal. Without a dot at its end; the root is `.`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(Box<str>);

impl Name {
    /// As names are compared: ASCII letters in lower case.
    pub fn folded(&self) -> Box<str> {
        self.0.to_ascii_lowercase().into()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name at this place of a message, and the place after it; none if it is cut, or is no name.
pub fn read(bytes: &[u8], at: usize) -> Option<(Name, usize)> {
    let (labels, after) = labels(bytes, at)?;
    let mut text = String::new();
    for label in labels {
        if !text.is_empty() {
            text.push('.');
        }
        label.iter().for_each(|byte| push(&mut text, *byte));
    }
    if text.is_empty() {
        text.push('.');
    }
    Some((Name(text.into()), after))
}

fn push(text: &mut String, byte: u8) {
    match byte {
        b'.' | b'\\' => text.extend(['\\', byte.into()]),
        0x21..=0x7e => text.push(byte.into()),
        _ => text.push_str(&format!("\\{byte:03}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8], at: usize) -> Option<(String, usize)> {
        read(bytes, at).map(|(name, after)| (name.to_string(), after))
    }

    #[test]
    fn labels_may_have_any_bytes() {
        let odd = b"\x08a b\n.\\\xff\0\x03Com\0rest";
        assert_eq!(shown(odd, 0), Some((r"a\032b\010\.\\\255\000.Com".to_string(), 14)));
        assert_eq!(read(odd, 0).unwrap().0.folded().as_ref(), r"a\032b\010\.\\\255\000.com");
        assert_eq!(shown(b"\0", 0), Some((".".to_string(), 1)));
        // No other name is shown alike.
        assert_ne!(shown(b"\x01a\x01b\0", 0), shown(b"\x03a.b\0", 0));
    }

    #[test]
    fn a_name_may_end_in_another() {
        let bytes = b"\x03com\0\x01a\xc0\0\x01b\xc0\x05";
        assert_eq!(shown(bytes, 9), Some(("b.a.com".to_string(), 13)));
    }

    #[test]
    fn what_is_no_name_is_none() {
        for bytes in
            [&b""[..], b"\x03co", b"\x03com", b"\xc0", b"\xc0\0", b"\xc0\x02\xc0\0", b"\x40a\0", b"\x80a\0"]
        {
            assert_eq!(read(bytes, 0), None, "{bytes:?}");
        }
        let label = [&[63][..], &[b'x'; 63]].concat();
        let long = |last: usize| [label.repeat(3), vec![last as u8], vec![b'x'; last], vec![0]].concat();
        assert_eq!(shown(&long(61), 0).unwrap().0.len(), 3 * 64 + 61);
        assert_eq!(read(&long(62), 0), None);
    }
}
