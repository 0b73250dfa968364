//! `syncs --directory PATH --threads T [--ia32]`: the calls of `WORK`, by T threads in turn, each
//! on its own file in that directory; with `--ia32` as a 32-bit program on x86_64 makes them. It
//! prints a line for each call, timed by the caller's clock:
//! `{"tid":…,"call":…,"fd":…,"path":…,"ret":…,"took_ns":…}`, fd and path null if the call has none.
//! If the kernel has no calls for 32-bit programs, it prints `{"ia32":false}` and makes no call.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::Barrier;
use std::time::Instant;

use crate::args::Args;
use crate::entry::{self, Entry};
use crate::sys;

/// Bytes of a page, which is dirtied before each call.
const PAGE: usize = 4096;
/// No descriptor.
const BAD: i32 = -1;

/// The intended result of each call.
#[derive(Clone, Copy, PartialEq)]
enum How {
    Good,
    BadDescriptor,
    BadFlags,
    Unmapped,
}

/// The numbers of each kind; odd ones, so that no other work is taken for them. `EXPECTED` in
/// `tests/tests/e2e/syncsnoop.rs` has the resulting counts.
const WORK: [(&str, How, usize); 12] = [
    ("sync", How::Good, 17),
    ("syncfs", How::Good, 29),
    ("syncfs", How::BadDescriptor, 3),
    ("fsync", How::Good, 211),
    ("fsync", How::BadDescriptor, 7),
    ("fdatasync", How::Good, 103),
    ("fdatasync", How::BadDescriptor, 5),
    ("msync", How::Good, 41),
    ("msync", How::BadFlags, 5),
    ("msync", How::Unmapped, 2),
    ("sync_file_range", How::Good, 53),
    ("sync_file_range", How::BadFlags, 3),
];

/// Does the work.
pub fn run(args: &Args) {
    let entry = if args.has("ia32") { Entry::Ia32 } else { Entry::Native };
    if entry == Entry::Ia32 && !entry::has_ia32() {
        println!("{{\"ia32\":false}}");
        return;
    }
    let directory = args.text("directory").expect("--directory PATH");
    let threads = args.count("threads") as usize;
    let all: Vec<(&str, How)> =
        WORK.iter().flat_map(|(call, how, times)| std::iter::repeat_n((*call, *how), *times)).collect();
    let start = Barrier::new(threads);
    let lines: Vec<String> = std::thread::scope(|scope| {
        let syncers: Vec<_> = (0..threads)
            .map(|index| {
                let own: Vec<_> = all.iter().copied().skip(index).step_by(threads).collect();
                let mut syncer = Syncer::new(format!("{directory}/synced{index}"), entry);
                let start = &start;
                let thread = std::thread::Builder::new().name(args.name_of_threads("syncer"));
                let work = move || {
                    start.wait();
                    own.into_iter().map(|(call, how)| syncer.make(call, how)).collect::<Vec<_>>()
                };
                thread.spawn_scoped(scope, work).expect("a thread")
            })
            .collect();
        syncers.into_iter().flat_map(|syncer| syncer.join().expect("it works")).collect()
    });
    lines.iter().for_each(|line| println!("{line}"));
    args.hold();
}

/// A thread's file, mapped at an address that fits in 32 bits.
struct Syncer {
    path: String,
    file: File,
    page: u64,
    made: u64,
    entry: Entry,
}

impl Syncer {
    fn new(path: String, entry: Entry) -> Self {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path);
        let file = file.unwrap_or_else(|error| panic!("cannot open {path}: {error}"));
        file.write_all_at(&[1; PAGE], 0).expect("write");
        let page = entry::map_low(&file, PAGE);
        Self { path, file, page, made: 0, entry }
    }

    /// Makes the call once, with dirty data if it is to succeed; returns its arguments and result.
    fn make(&mut self, call: &str, how: How) -> String {
        self.made += 1;
        // Its first page stays at the same place, for the mapping.
        self.file.write_all_at(&[self.made as u8; PAGE], self.made % 7 * PAGE as u64).expect("write");
        let fd = if how == How::BadDescriptor { BAD } else { self.file.as_raw_fd() };
        let flags = |good: u64| if how == How::BadFlags { BAD as u64 } else { good };
        let page = if how == How::Unmapped { PAGE as u64 } else { self.page };
        let all = libc::SYNC_FILE_RANGE_WAIT_BEFORE
            | libc::SYNC_FILE_RANGE_WRITE
            | libc::SYNC_FILE_RANGE_WAIT_AFTER;
        let args = match call {
            "sync" => [0; 4],
            "msync" => [page, PAGE as u64, flags(libc::MS_SYNC as u64), 0],
            "sync_file_range" => [fd as u64, 0, PAGE as u64, flags(u64::from(all))],
            _ => [fd as u64, 0, 0, 0],
        };
        let start = Instant::now();
        let ret = entry::make(self.entry, call, args);
        let took = start.elapsed().as_nanos();
        let named = !matches!(call, "sync" | "msync");
        let fd_text = if named { fd.to_string() } else { "null".to_string() };
        let path = if named && fd != BAD { format!("\"{}\"", self.path) } else { "null".to_string() };
        format!(
            "{{\"tid\":{},\"call\":\"{call}\",\"fd\":{fd_text},\"path\":{path},\"ret\":{ret},\"took_ns\":{took}}}",
            sys::thread_id()
        )
    }
}
