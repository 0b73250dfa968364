//! Runs what takes a stranger's bytes on arbitrary ones: for fuzzing (`fuzz/`), and for a test on a few seeds.

use crate::message::Message;
use crate::name;
use crate::stream::{KEPT, Stream};

/// The longest name as it is shown: each byte as `\DDD`, and dots.
const LONGEST: usize = 4 * 255;

/// A message, the data of a connection, and names at any place of it.
///
/// A name is printable, and short. Of a message no more is known than of a longer part of it, and a connection has the same
/// messages in whatever parts its data comes.
pub fn messages(bytes: &[u8]) {
    for at in 0..bytes.len().min(64) {
        if let Some((name, after)) = name::read(bytes, at) {
            let shown = name.to_string();
            assert!(!shown.is_empty() && shown.len() <= LONGEST, "{shown}");
            assert!(shown.bytes().all(|byte| (0x21..0x7f).contains(&byte)), "{shown}");
            assert!(after > at && after <= bytes.len());
        }
    }
    let whole = Message::parse(bytes);
    assert_eq!(whole.is_some(), bytes.len() >= crate::message::HEADER);
    if let Some(whole) = &whole {
        assert!(whole.addresses.len() <= usize::from(whole.answers));
        let part = Message::parse(&bytes[..bytes.len() / 2]);
        if let Some(part) = part {
            assert!(whole.addresses.starts_with(&part.addresses));
            assert!(part.question.is_none() || part.question == whole.question);
            assert!(!part.complete || whole.complete);
        }
    }
    let at_once = stream(&[bytes]);
    // The first byte chooses the parts.
    let size = bytes.first().map_or(1, |first| usize::from(*first) + 1);
    assert_eq!(at_once, stream(&bytes.chunks(size).collect::<Vec<_>>()));
    assert_eq!(at_once, stream(&bytes.chunks(1).collect::<Vec<_>>()));
    // Parts of which not all is known end, too.
    let mut torn = Stream::default();
    for part in bytes.chunks(size) {
        let _ = torn.take(part.len() + usize::from(part[0]), part, |size, known| {
            assert!(known.len() <= size.min(KEPT));
            let _ = Message::parse(known);
        });
    }
}

/// The messages of a connection.
fn stream(parts: &[&[u8]]) -> Vec<(usize, Vec<u8>)> {
    let (mut stream, mut messages) = (Stream::default(), Vec::new());
    for part in parts {
        let taken = stream.take(part.len(), part, |size, bytes| messages.push((size, bytes.to_vec())));
        assert!(taken.is_ok(), "all bytes are known");
    }
    messages
}

#[cfg(test)]
#[path = "../../../common/fuzz/seeds.rs"]
mod seeds;

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn any_message_is_read() {
        super::seeds::every(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/messages"),
            super::messages,
        );
    }
}
