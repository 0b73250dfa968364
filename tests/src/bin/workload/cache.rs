//! `cache --file PATH --do STEP [--before nothing|all|half] [--lock] [--pages N] [--bytes B]
//! [--count C] [--join CGROUP]`: known work on the page cache, on one file, in pages of 4 KiB.
//! `--before` sets which part of the file is cached at the beginning; with `--lock` it is all of it,
//! and the kernel cannot drop it, whatever else the machine needs memory for. Only the step's work is
//! done in the cgroup of `--join`, with all of the program's own pages mapped before, so that its own
//! faults are not counted.
//!
//! At its end it prints `{"asked":…,"absent":…,"fetched":…,"mapped":…,"dirtied":…}`, in pages:
//! those that its reads touched; of all that it accessed, those that were not cached just before;
//! how many more of the file were cached afterwards; those in the mapping's page table then; and
//! those that the kernel's accounting counts as dirtied, including the file system's own. The
//! numbers are from mincore(2), /proc/self/pagemap and /proc/self/io, not from the tool under test.
//! mincore(2) does not count a page whose I/O is in flight, so the file must be on a disk that
//! completes synchronously.

use std::fs::{File, OpenOptions};
use std::io::Write;

use crate::args::Args;
use crate::cached::{Cached, PAGE};

/// The step between pages accessed at random: coprime to the number of pages.
const STRIDE: u64 = 2_741;
/// The step between pages that are stored to, or written in part.
const SPACING: u64 = 5;

/// Does the work.
pub fn run(args: &Args) {
    let path = args.text("file").expect("--file PATH");
    let step = args.text("do").expect("--do STEP");
    let count = args.count("count");
    if step == "make" {
        return make(path, args.count("pages"));
    }
    if let Some(before) = args.text("before") {
        prepare(path, before);
    }
    let new = step == "write";
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(new).truncate(new).open(path);
    let file = file.unwrap_or_else(|error| panic!("cannot open {path}: {error}"));
    let buffer = vec![7; args.count("bytes").max(1) as usize];
    lock_memory();
    let pages = if new { args.count("pages") } else { file.metadata().expect("stat").len().div_ceil(PAGE) };
    let mut cached = Cached::new(file, pages, buffer, step == "private");
    if args.has("lock") {
        cached.lock();
    }
    args.join("join");
    let (before, clean) = (cached.resident(), cached.dirtied());
    match step {
        "evict" => cached.evict(),
        "read" => cached.read_all(),
        "random" => (0..count).for_each(|index| cached.read(index * STRIDE % pages * PAGE, PAGE)),
        "same" => (0..count).for_each(|_| cached.read(0, args.count("bytes"))),
        // Repeatedly to the same page, from closer to it.
        "ends" => (0..count).for_each(|index| cached.read(index * PAGE, (count - index) * PAGE)),
        "sendfile" => cached.send(),
        "readahead" => cached.read_ahead(count),
        "write" => cached.write_all(),
        "patch" => (0..count).for_each(|index| cached.write(index * SPACING * PAGE + 1_000)),
        "touch" => (0..pages).for_each(|page| cached.touch(page)),
        "touch-random" => (0..count).for_each(|index| cached.touch(index * STRIDE % pages)),
        "touch-advised" => {
            cached.advise(libc::MADV_RANDOM);
            (0..count).for_each(|index| cached.touch(index * STRIDE % pages));
        }
        "touch-few" => {
            cached.advise(libc::MADV_RANDOM);
            (0..count).for_each(|page| cached.touch(page));
        }
        "store" | "private" => (0..count).for_each(|index| cached.store(index * SPACING)),
        // A fault, then a read of pages that the fault has not fetched.
        "touch-read" => {
            cached.touch(0);
            cached.read(pages / 2 * PAGE, PAGE);
        }
        other => panic!("--do {other}: no such step"),
    }
    let fetched = cached.resident() as i64 - before as i64;
    let (asked, absent, mapped) = (cached.asked, cached.absent, cached.mapped());
    let dirtied = cached.dirtied() - clean;
    println!(
        "{{\"asked\":{asked},\"absent\":{absent},\"fetched\":{fetched},\"mapped\":{mapped},\"dirtied\":{dirtied}}}"
    );
    args.hold();
}

/// Makes exactly this part of a file cached.
fn prepare(path: &str, before: &str) {
    let file = File::options().read(true).write(true).open(path);
    let file = file.unwrap_or_else(|error| panic!("cannot open {path}: {error}"));
    let pages = file.metadata().expect("stat").len().div_ceil(PAGE);
    let mut cached = Cached::new(file, pages, vec![7; 1 << 16], false);
    cached.evict();
    match before {
        "nothing" => (),
        "all" => cached.read_all(),
        "half" => {
            cached.advise(libc::MADV_RANDOM);
            (0..pages).step_by(2).for_each(|page| cached.touch(page));
        }
        other => panic!("--before {other}: no such state"),
    }
}

/// A new file, on disk.
fn make(path: &str, pages: u64) {
    let mut file = File::create(path).unwrap_or_else(|error| panic!("cannot make {path}: {error}"));
    for page in 0..pages {
        file.write_all(&page.to_le_bytes().repeat(PAGE as usize / 8)).expect("write");
    }
    file.sync_all().expect("fsync");
}

/// Faults in and locks all pages of this program.
fn lock_memory() {
    // SAFETY: changes nothing that the program can see.
    let outcome = unsafe { libc::mlockall(libc::MCL_CURRENT) };
    assert_eq!(outcome, 0, "mlockall: {}", std::io::Error::last_os_error());
}
