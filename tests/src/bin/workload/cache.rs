//! `cache --file PATH --do STEP [--before nothing|all|half] [--pages N] [--bytes B] [--count C] [--join CGROUP]`: known work
//! on the page cache, on one file, in pages of 4 KiB; `--before` says what of the file is in the cache when it begins. A
//! step's work alone is done in the cgroup of `--join`, with all of this program's own pages mapped before: its own faults
//! are nobody's then.
//!
//! Says at its end `{"asked":…,"absent":…,"fetched":…,"mapped":…,"dirtied":…}`, in pages: those that its reads touched; of
//! all that it asked for, those that were not in the cache just before; by how many more of the file were there
//! afterwards; those that the mapping's page table held then; and those that the kernel's account says it made dirty, the
//! file system's own included. By mincore(2), /proc/self/pagemap and /proc/self/io, not by what is tested. A page whose
//! I/O is under way is not there for mincore(2), so the file must be on a disk that is done at once.

use std::fs::{File, OpenOptions};
use std::io::Write;

use crate::args::Args;
use crate::cached::{Cached, PAGE};

/// From one page to the next where they are touched at random: prime to the number of pages.
const STRIDE: u64 = 2_741;
/// Of pages that are stored to, or written in part.
const APART: u64 = 5;

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
    args.join("join");
    let (before, clean) = (cached.resident(), cached.dirtied());
    match step {
        "evict" => cached.evict(),
        "read" => cached.read_all(),
        "random" => (0..count).for_each(|index| cached.read(index * STRIDE % pages * PAGE, PAGE)),
        "same" => (0..count).for_each(|_| cached.read(0, args.count("bytes"))),
        // Again and again to the same page, from nearer to it.
        "ends" => (0..count).for_each(|index| cached.read(index * PAGE, (count - index) * PAGE)),
        "sendfile" => cached.send(),
        "readahead" => cached.read_ahead(count),
        "write" => cached.write_all(),
        "patch" => (0..count).for_each(|index| cached.write(index * APART * PAGE + 1_000)),
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
        "store" | "private" => (0..count).for_each(|index| cached.store(index * APART)),
        // A fault, and then a read of what the fault has not fetched.
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

/// Has just this of a file in the cache.
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

/// Maps all of this program's own pages, for good.
fn lock_memory() {
    // SAFETY: changes nothing that the program can see.
    let outcome = unsafe { libc::mlockall(libc::MCL_CURRENT) };
    assert_eq!(outcome, 0, "mlockall: {}", std::io::Error::last_os_error());
}
