//! Synthetic streams of millions of records, out of order, and an order-independent sum of their
//! contents.

use std::io::{self, Write};

/// A record may be this much older than one before it in its stream.
pub const LATENESS_US: u64 = 50_000;
/// One record in this many is older by [`TOO_LATE_US`].
pub const TOO_LATE_EVERY: u64 = 9_973;
/// Far more than [`LATENESS_US`].
const TOO_LATE_US: u64 = 10_000_000;
/// The time from one record of a stream to the next.
const STEP_US: u64 = 100;
/// The position in a line of the flag that it is too late.
const MARK: usize = 43;
/// The position in a line of its number within the stream.
const NUMBER: usize = 50;
/// Bytes written at once.
const CHUNK: usize = 64 << 10;

/// The contents of a stream regardless of order: equal if no line was lost, duplicated or changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// The number of lines.
    pub lines: u64,
    /// The sum of their hashes.
    pub hash: u64,
}

impl Sum {
    /// Adds a line.
    pub fn add(&mut self, line: &[u8]) {
        self.lines += 1;
        self.hash = self.hash.wrapping_add(hash(line));
    }

    /// Adds another stream's.
    pub fn merge(&mut self, other: Self) {
        self.lines += other.lines;
        self.hash = self.hash.wrapping_add(other.hash);
    }
}

fn hash(line: &[u8]) -> u64 {
    let mut hash = line.len() as u64;
    let mut mix = |word: u64| hash = (hash.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (words, rest) = line.as_chunks::<8>();
    words.iter().for_each(|word| mix(u64::from_le_bytes(*word)));
    rest.iter().for_each(|byte| mix(u64::from(*byte)));
    hash ^ hash >> 32
}

/// Pseudo-random numbers (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // The upper bits are the better ones.
        ((self.0 >> 32) * bound) >> 32
    }
}

/// Writes a stream; calls back with the number of records written so far.
pub fn write(number: u64, records: u64, out: &mut impl Write, written: impl Fn(u64)) -> io::Result<Sum> {
    let mut random = Random(number + 0x5eed);
    let mut templates: Vec<Vec<u8>> = (0..4).map(|kind| template(number, kind)).collect();
    let (mut sum, mut chunk) = (Sum::default(), Vec::with_capacity(CHUNK * 2));
    for record in 0..records {
        let line = &mut templates[random.below(4) as usize];
        let late = record % TOO_LATE_EVERY == TOO_LATE_EVERY - 1;
        let back = if late { TOO_LATE_US } else { 0 };
        // Starts at one hour, so that late records stay within the day.
        let micros = 3_600_000_000 + record * STEP_US + random.below(LATENESS_US) - back;
        stamp(&mut line[18..33], micros);
        line[MARK] = b'0' + u8::from(late);
        digits(&mut line[NUMBER..NUMBER + 8], 10_000_000 + record);
        sum.add(line);
        chunk.extend_from_slice(line);
        if chunk.len() >= CHUNK {
            out.write_all(&chunk)?;
            chunk.clear();
            written(record + 1);
        }
    }
    out.write_all(&chunk)?;
    out.flush()?;
    written(records);
    Ok(sum)
}

/// The number of records that are too late in a stream of this many.
pub fn too_late(records: u64) -> u64 {
    records / TOO_LATE_EVERY
}

/// The timestamp of a line, as text; `None` if the line is too late.
pub fn time(line: &[u8]) -> Option<&[u8]> {
    (line.get(MARK)? == &b'0').then(|| &line[7..34])
}

fn template(number: u64, kind: usize) -> Vec<u8> {
    let rest = [
        r#""tool":"proclife","interval_s":1.000012,"forks":68,"execs":33,"exits":64,"zombies":2"#,
        r#""tool":"vfsstat","interval_s":1.000007,"reads":4116,"read_bytes":16859136,"opens":539,"fsyncs":216"#,
        r#""tool":"syncsnoop","interval_s":1.000031,"call":"fsync","count":40,"mean_us":4014.2,"p99_us":30925.1,"errors":0"#,
        r#""tool":"biolat","interval_s":1.000024,"disk":"nvme0n1","op":"read","count":2356,"p99_us":1211.904,"bytes":14426112"#,
    ][kind];
    let head = r#"{"ts":"2026-11-21T00:00:00.000000Z","late":0,"nr":10000000,"#;
    format!("{head}\"host\":\"web{number:02}\",{rest},\"lost\":0}}\n").into_bytes()
}

/// Writes `HH:MM:SS.ffffff`.
fn stamp(at: &mut [u8], micros: u64) {
    let seconds = micros / 1_000_000;
    digits(&mut at[9..15], micros % 1_000_000);
    digits(&mut at[6..8], seconds % 60);
    digits(&mut at[3..5], seconds / 60 % 60);
    digits(&mut at[..2], seconds / 3600);
}

fn digits(at: &mut [u8], mut number: u64) {
    for digit in at.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}
