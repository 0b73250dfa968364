//! `io --file PATH --reads R --writes W --bytes B [--from BYTES] [--timed] [--dsync] [--join CGROUP]`:
//! R direct reads and W direct writes of B bytes each, one after the other, over eight megabytes of a
//! disk or file; with `--dsync` each is on the disk when it ends. With `--timed` it prints a line for each, timed by the caller's clock:
//! `{"op":…,"took_ns":…}`; and for as many of op `nothing`: empty reads from a device without data,
//! which show the overhead of a call.

use std::alloc::{Layout, alloc_zeroed};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::time::Instant;

use crate::args::Args;

/// The alignment of direct I/O in the file and in memory: sufficient for any disk.
const ALIGN: usize = 4096;
/// The size of the used area.
const SPAN: u64 = 8 << 20;

/// Does the work.
pub fn run(args: &Args) {
    let path = args.text("file").expect("--file PATH");
    let writes = args.count("writes");
    let dsync = if args.has("dsync") { libc::O_DSYNC } else { 0 };
    let file = OpenOptions::new()
        .read(true)
        .write(writes > 0)
        .custom_flags(libc::O_DIRECT | dsync)
        .open(path)
        .unwrap_or_else(|error| panic!("cannot open {path}: {error}"));
    let bytes = args.count("bytes");
    let buffer = aligned(bytes as usize);
    let from = args.count("from");
    let mut times = Vec::new();
    let nothing = File::open("/dev/null").expect("every system has it");
    args.join("join");
    let mut timed = |op: &'static str, call: &mut dyn FnMut() -> std::io::Result<()>| {
        let start = Instant::now();
        let done = call();
        times.push((op, start.elapsed()));
        done.unwrap_or_else(|error| panic!("{op}: {error}"));
    };
    let places = (0..SPAN / bytes).map(|index| from + index * bytes).cycle();
    for at in places.clone().take(args.count("reads") as usize) {
        timed("read", &mut || file.read_exact_at(buffer, at));
        timed("nothing", &mut || nothing.read_at(&mut [0], at).map(drop));
    }
    for at in places.take(writes as usize) {
        timed("write", &mut || file.write_all_at(buffer, at));
    }
    if args.has("timed") {
        for (op, took) in times {
            println!("{{\"op\":\"{op}\",\"took_ns\":{}}}", took.as_nanos());
        }
    }
    args.hold();
}

/// Memory for direct I/O, never freed.
pub fn aligned(bytes: usize) -> &'static mut [u8] {
    let layout = Layout::from_size_align(bytes.next_multiple_of(512), ALIGN).expect("a sane size");
    assert!(layout.size() == bytes && bytes > 0, "--bytes must be a multiple of 512");
    // SAFETY: freshly allocated, zeroed, of this size, and never freed.
    unsafe { std::slice::from_raw_parts_mut(alloc_zeroed(layout), bytes) }
}
