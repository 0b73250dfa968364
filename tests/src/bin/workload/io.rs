//! `io --file PATH --reads R --writes W --bytes B [--from BYTES]`: so many direct reads and writes of B bytes each,
//! one after the other, over eight megabytes of a disk or file.

use std::alloc::{Layout, alloc_zeroed};
use std::fs::OpenOptions;
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use crate::args::Args;

/// Where direct I/O may start and how its memory must lie: enough for any disk.
const ALIGN: usize = 4096;
/// How far over the disk it goes.
const SPAN: u64 = 8 << 20;

/// Does the work.
pub fn run(args: &Args) {
    let path = args.text("file").expect("--file PATH");
    let writes = args.count("writes");
    let file = OpenOptions::new()
        .read(true)
        .write(writes > 0)
        .custom_flags(libc::O_DIRECT)
        .open(path)
        .unwrap_or_else(|error| panic!("cannot open {path}: {error}"));
    let bytes = args.count("bytes");
    let buffer = aligned(bytes as usize);
    let from = args.count("from");
    let places = (0..SPAN / bytes).map(|index| from + index * bytes).cycle();
    for at in places.clone().take(args.count("reads") as usize) {
        file.read_exact_at(buffer, at).expect("read");
    }
    for at in places.take(writes as usize) {
        file.write_all_at(buffer, at).expect("write");
    }
    args.hold();
}

fn aligned(bytes: usize) -> &'static mut [u8] {
    let layout = Layout::from_size_align(bytes.next_multiple_of(512), ALIGN).expect("a sane size");
    assert!(layout.size() == bytes && bytes > 0, "--bytes must be a multiple of 512");
    // SAFETY: freshly allocated, zeroed, of this size, and never freed.
    unsafe { std::slice::from_raw_parts_mut(alloc_zeroed(layout), bytes) }
}
