//! Names in messages of DNS: RFC 1035. Whoever sent them wrote what he liked.

/// The longest name on the wire: RFC 1035, 2.3.4.
const MAX_BYTES: usize = 255;
/// The two bits that begin a length, of which both are set in the place of another name: RFC 1035, 4.1.4.
const KIND: u8 = 0xc0;

/// The labels of the name at this place of a message, none for the root, and the place after it; `None` if it is cut, or
/// is no name. A label may have any bytes.
pub fn labels(message: &[u8], at: usize) -> Option<(Vec<&[u8]>, usize)> {
    let (mut at, mut after, mut length) = (at, None, 0);
    let mut labels = Vec::new();
    loop {
        let size = *message.get(at)?;
        match size & KIND {
            0 if size == 0 => return Some((labels, after.unwrap_or(at + 1))),
            0 => {
                let label = message.get(at + 1..at + 1 + usize::from(size))?;
                length += 1 + label.len();
                if length >= MAX_BYTES {
                    return None;
                }
                labels.push(label);
                at += 1 + label.len();
            }
            KIND => {
                let place = usize::from(size & !KIND) << 8 | usize::from(*message.get(at + 1)?);
                after.get_or_insert(at + 2);
                // Each leads towards the begin, so that there is an end.
                if place >= at {
                    return None;
                }
                at = place;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_goes_on_at_another_place() {
        let message = b"\x03com\0\x01a\xc0\0\x02\xff.\xc0\x05";
        assert_eq!(labels(message, 0), Some((vec![&b"com"[..]], 5)));
        assert_eq!(labels(message, 9), Some((vec![&b"\xff."[..], b"a", b"com"], 14)));
        assert_eq!((labels(b"\0", 0), labels(message, 14)), (Some((vec![], 1)), None));
        // One that leads to itself, and one that leads ahead.
        assert_eq!((labels(b"\xc0\0", 0), labels(b"\xc0\x02\0", 0)), (None, None));
    }
}
