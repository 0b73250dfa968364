//! Messages in a direction of a TCP connection: each has its length before it, in two bytes (RFC 1035, 4.2.2).

/// The most bytes of a message that are kept: as many as a BPF program passes on.
pub const KEPT: usize = 1280;

/// What is known of the message that is coming.
#[derive(Default)]
pub struct Stream {
    /// The bytes of the length, and how many of them have come.
    length: [u8; 2],
    has: usize,
    /// Bytes that have not come yet.
    left: usize,
    /// The beginning of the message, up to what is not known.
    bytes: Vec<u8>,
    /// Whether all that has come so far is in it.
    whole: bool,
}

/// Not all bytes of a length are known, so it is not known where the next message begins.
#[derive(Debug, PartialEq)]
pub struct Astray;

impl Stream {
    /// Whether no part of a message has come.
    pub fn is_idle(&self) -> bool {
        self.has == 0
    }

    /// Takes the next `len` bytes, of which these are known, and passes on each message that is complete: its size and
    /// the beginning of its bytes.
    ///
    /// # Errors
    /// When it goes astray: then it begins anew with what comes next.
    pub fn take(
        &mut self,
        len: usize,
        known: &[u8],
        mut message: impl FnMut(usize, &[u8]),
    ) -> Result<(), Astray> {
        let (mut len, mut known) = (len, known.get(..len).unwrap_or(known));
        while len > 0 {
            if self.has < self.length.len() {
                let Some((first, rest)) = known.split_first() else {
                    *self = Self::default();
                    return Err(Astray);
                };
                self.length[self.has] = *first;
                (self.has, known, len) = (self.has + 1, rest, len - 1);
                (self.left, self.whole) = (usize::from(u16::from_be_bytes(self.length)), true);
                self.bytes.clear();
            } else {
                let more = self.left.min(len);
                let (own, rest) = known.split_at(more.min(known.len()));
                if self.whole {
                    self.bytes.extend_from_slice(&own[..own.len().min(KEPT - self.bytes.len())]);
                }
                self.whole &= own.len() == more;
                (self.left, known, len) = (self.left - more, rest, len - more);
            }
            if self.has == self.length.len() && self.left == 0 {
                let size = usize::from(u16::from_be_bytes(self.length));
                message(size, &self.bytes);
                self.has = 0;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(parts: &[(usize, &[u8])]) -> (Vec<(usize, Vec<u8>)>, usize, bool) {
        let (mut stream, mut taken, mut astray) = (Stream::default(), Vec::new(), 0);
        for (len, known) in parts {
            let one = stream.take(*len, known, |size, bytes| taken.push((size, bytes.to_vec())));
            astray += usize::from(one.is_err());
        }
        (taken, astray, stream.is_idle())
    }

    #[test]
    fn messages_come_in_any_parts() {
        let all = b"\0\x03abc\0\0\0\x01d";
        let expected = vec![(3, b"abc".to_vec()), (0, vec![]), (1, b"d".to_vec())];
        assert_eq!(messages(&[(all.len(), all)]), (expected.clone(), 0, true));
        let bytes: Vec<_> = all.iter().map(|byte| (1, std::slice::from_ref(byte))).collect();
        assert_eq!(messages(&bytes), (expected.clone(), 0, true));
        assert_eq!(messages(&[(4, &all[..4]), (6, &all[4..])]), (expected, 0, true));
        assert_eq!(messages(&[(4, &all[..4])]), (vec![], 0, false));
    }

    #[test]
    fn of_a_message_that_is_not_all_known_the_beginning_is() {
        assert_eq!(
            messages(&[(4, b"\0\x03a"), (1, b"c"), (3, b"\0\x01d")]),
            (vec![(3, b"a".to_vec()), (1, b"d".to_vec())], 0, true)
        );
        let long = [&[0xff, 0xff][..], &[7; 2 * KEPT]].concat();
        let (taken, astray, idle) = messages(&[(2 + 0xffff, &long)]);
        assert_eq!((taken, astray, idle), (vec![(0xffff, vec![7; KEPT])], 0, true));
    }

    #[test]
    fn without_a_length_it_begins_anew() {
        assert_eq!(
            messages(&[(6, b"\0\x03abc"), (3, b"\0\x01d")]),
            (vec![(3, b"abc".to_vec()), (1, b"d".to_vec())], 1, true)
        );
        assert_eq!(messages(&[(5, b"")]), (vec![], 1, true));
    }
}
