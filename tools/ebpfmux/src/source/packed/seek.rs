//! Finds a time in a recording without reading what comes before it: by halving, among its files by their first records, and
//! within a file among its frames by theirs. No index is kept that could be damaged or missing.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use memchr::{memchr, memmem};
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use super::zst::MAGIC;
use crate::record::recording::FRAME;
use crate::record::timestamp::{Clock, Nanos};
use crate::record::{find, from_json};

/// How much of a file is read at once.
const CHUNK: usize = 64 << 10;

/// Below this it is read from one end to the other.
const SHORT: u64 = 256 << 10;

/// The first of `count` files that may have records of this time or later, where `first` tells the time of a file's first
/// record. A file of which nothing is known is taken for a later one.
pub fn first_file(count: usize, time: Nanos, first: impl Fn(usize) -> Option<Nanos>) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        match first(middle) {
            Some(found) if found < time => low = middle + 1,
            _ => high = middle,
        }
    }
    // Its last records may be as late.
    low.saturating_sub(1)
}

/// The offset of a frame before which all records are of an earlier time.
///
/// # Errors
/// If the file cannot be read.
pub fn first_frame(file: &File, time: Nanos) -> io::Result<u64> {
    let (mut low, mut high) = (0, file.metadata()?.len());
    while high - low > SHORT {
        let middle = low + (high - low) / 2;
        match frame_after(file, middle, high)? {
            Some((at, found)) if found < time => low = at,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The first frame that begins at `from` or later, but before `to`, and the time of its first record. What only looks like
/// the begin of a frame is passed over.
fn frame_after(file: &File, mut from: u64, to: u64) -> io::Result<Option<(u64, Nanos)>> {
    let mut bytes = vec![0; CHUNK];
    while from < to {
        let count = file.read_at(&mut bytes, from)?;
        let mut passed = 0;
        while let Some(at) = memmem::find(&bytes[passed..count], &MAGIC) {
            let offset = from + (passed + at) as u64;
            if offset >= to {
                return Ok(None);
            }
            if let Some(time) = first_time(file, offset)? {
                return Ok(Some((offset, time)));
            }
            passed += at + 1;
        }
        if count < MAGIC.len() {
            return Ok(None);
        }
        // The magic number may begin in the last three bytes.
        from += (count - MAGIC.len() + 1) as u64;
    }
    Ok(None)
}

/// The time of the first record of the frame at this offset; `None` if none begins there, or its first line is no record.
///
/// # Errors
/// If the file cannot be read, or there is no memory to decompress in.
pub fn first_time(file: &File, mut offset: u64) -> io::Result<Option<Nanos>> {
    let (mut decoder, mut bytes, mut text) = (Decoder::new()?, vec![0; CHUNK], Vec::new());
    loop {
        let count = file.read_at(&mut bytes, offset)?;
        if count == 0 {
            return Ok(None);
        }
        offset += count as u64;
        let mut input = InBuffer::around(&bytes[..count]);
        loop {
            let filled = text.len();
            text.resize(filled + CHUNK, 0);
            let mut output = OutBuffer::around(&mut text[filled..]);
            let left = decoder.run(&mut input, &mut output);
            let made = output.pos();
            text.truncate(filled + made);
            if let Some(end) = memchr(b'\n', &text) {
                return Ok(time_of(&text[..end]));
            }
            match left {
                Ok(left) if left > 0 && text.len() <= FRAME => {}
                _ => return Ok(None),
            }
            if made == 0 && input.pos() == count {
                break;
            }
        }
    }
}

fn time_of(line: &[u8]) -> Option<Nanos> {
    let fields = from_json(line).ok()?;
    Clock::default().any(find(&fields, "ts")?.text().as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A file of frames, each of records of these times in seconds; also the frames' offsets.
    fn recorded(frames: &[Vec<Nanos>], filling: usize) -> (File, Vec<u64>) {
        let (mut file, mut offsets, mut size) = (tempfile::tempfile().unwrap(), Vec::new(), 0);
        for (number, times) in frames.iter().enumerate() {
            let mut seed = number as u64 + 1;
            let lines = times.iter().map(|seconds| {
                // What does not compress, so that the file is long enough to be halved.
                let mut noise = || {
                    seed =
                        seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    char::from(b'A' + (seed >> 40) as u8 % 26)
                };
                let noise: String = (0..filling).map(|_| noise()).collect();
                let at = jiff::Timestamp::from_second(*seconds).unwrap();
                format!("{{\"ts\":\"{at}\",\"host\":\"h\",\"tool\":\"t\",\"text\":\"{noise}\"}}\n")
            });
            let packed = zstd::encode_all(lines.collect::<String>().as_bytes(), 1).unwrap();
            file.write_all(&packed).unwrap();
            offsets.push(size);
            size += packed.len() as u64;
        }
        (file, offsets)
    }

    #[test]
    fn the_frame_of_a_time_is_found() {
        let frames: Vec<Vec<Nanos>> = (0..40).map(|frame| vec![frame * 10 + 1, frame * 10 + 9]).collect();
        let (file, offsets) = recorded(&frames, 100_000);
        assert!(file.metadata().unwrap().len() > 4 * SHORT);
        for seconds in [0, 1, 2, 9, 10, 11, 155, 199, 201, 391, 399, 1000] {
            let found = first_frame(&file, seconds * 1_000_000_000).unwrap();
            let frame = offsets.iter().position(|offset| *offset == found).expect("the begin of a frame");
            let before = frames[..frame].iter().flatten().max();
            assert!(before.is_none_or(|before| *before < seconds), "{seconds} s: frame {frame}");
            // And not from the file's begin.
            let needed = frames.iter().position(|times| times[1] >= seconds).unwrap_or(frames.len());
            let read = offsets.get(needed).map_or(file.metadata().unwrap().len(), |offset| *offset) - found;
            assert!(read <= 2 * SHORT, "{seconds} s: {read} bytes are read before it");
        }
    }

    #[test]
    fn what_is_no_recording_is_read_from_its_begin() {
        let mut file = tempfile::tempfile().unwrap();
        let noise: Vec<u8> = (0..4 * SHORT as usize).map(|at| ((at * 31) >> 3) as u8).collect();
        file.write_all(&noise).unwrap();
        assert_eq!(first_frame(&file, 5).unwrap(), 0);
        assert_eq!(first_time(&file, 0).unwrap(), None);
    }

    #[test]
    fn the_file_of_a_time_is_found() {
        let firsts = [10, 20, 30, 40];
        for (time, expected) in [(5, 0), (10, 0), (15, 0), (20, 0), (21, 1), (35, 2), (99, 3)] {
            assert_eq!(first_file(firsts.len(), time, |at| Some(firsts[at])), expected, "{time}");
        }
        assert_eq!(first_file(4, 99, |_| None), 0);
        assert_eq!(first_file(0, 99, |_| None), 0);
    }
}
