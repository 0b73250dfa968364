//! Decoders of addresses and names of the network.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::text::hex;

/// An address of 4 or 16 bytes in the network's order; other sizes are written as Go does.
pub fn inet_ip(bytes: &[u8]) -> Vec<u8> {
    let text = match bytes.len() {
        0 => "<nil>".to_owned(),
        4 => Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).to_string(),
        16 => {
            let address =
                bytes.first_chunk().map_or(Ipv6Addr::UNSPECIFIED, |all: &[u8; 16]| Ipv6Addr::from(*all));
            address.to_ipv4_mapped().map_or_else(|| address.to_string(), |mapped| mapped.to_string())
        }
        _ => format!("?{}", String::from_utf8_lossy(&hex(bytes))),
    };
    text.into_bytes()
}

/// A name of the DNS, of which each part has its length before it. One that goes on beyond its end stays as it is.
pub fn dname(bytes: Vec<u8>) -> Vec<u8> {
    if bytes.is_empty() {
        return b".".to_vec();
    }
    let mut name = Vec::with_capacity(bytes.len());
    let mut rest = &bytes[..];
    while let Some((length, after)) = rest.split_first() {
        let Some((part, after)) = after.split_at_checked(usize::from(*length)) else { return bytes };
        if rest.len() < bytes.len() {
            name.push(b'.');
        }
        name.extend_from_slice(part);
        rest = after;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_rfc_5952_says() {
        let mapped = [&[0; 10][..], &[0xff, 0xff, 1, 2, 3, 4]].concat();
        let six = [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1]].concat();
        for (bytes, text) in [
            (&[1, 1, 1, 1][..], "1.1.1.1"),
            (&mapped, "1.2.3.4"),
            (&six, "2001:db8::1"),
            (&[0; 16], "::"),
            (&[1, 2, 3], "?010203"),
            (&[], "<nil>"),
        ] {
            assert_eq!(String::from_utf8(inet_ip(bytes)).unwrap(), text);
        }
    }

    #[test]
    fn names_are_dotted() {
        for (bytes, name) in [
            (&b""[..], &b"."[..]),
            (b"\x03com", b"com"),
            (b"\x07example\x03com", b"example.com"),
            (b"\x05com", b"\x05com"),
            (b"\x01a\x00", b"a."),
        ] {
            assert_eq!(dname(bytes.to_vec()), name);
        }
    }
}
