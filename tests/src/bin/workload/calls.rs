//! `calls --file PATH --reads R --writes W --bytes B`: R reads and W writes of B bytes at the start
//! of a file that it creates, so from the page cache. It prints the total times:
//! `{"read_ns":…,"write_ns":…}`.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use crate::args::Args;

/// Does the work.
pub fn run(args: &Args) {
    let path = args.text("file").expect("--file PATH");
    let mut bytes = vec![7; args.count("bytes") as usize];
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path);
    let file = file.unwrap_or_else(|error| panic!("cannot open {path}: {error}"));
    file.write_all_at(&bytes, 0).expect("write");
    let read_ns = timed(args.count("reads"), || file.read_exact_at(&mut bytes, 0).expect("read"));
    let write_ns = timed(args.count("writes"), || file.write_all_at(&bytes, 0).expect("write"));
    println!("{{\"read_ns\":{read_ns},\"write_ns\":{write_ns}}}");
    args.hold();
}

/// The nanoseconds of this many calls.
fn timed(times: u64, mut call: impl FnMut()) -> u128 {
    let start = Instant::now();
    (0..times).for_each(|_| call());
    start.elapsed().as_nanos()
}
