//! `uring --directory PATH [--join CGROUP]`: the operations of `WORK` by io_uring, one after the other, on each file of
//! `FILES`, which is made in that directory and not in the page cache. Then it says `ready`, waits for a line on stdin,
//! joins the cgroup, and does nothing else but that. Says a line for each kind of operation on each file:
//! `{"path":…,"op":…,"count":…}`; or, where the kernel has no io_uring, `{"uring":false}` and does nothing.
//! A file system without direct I/O has no files for it.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use io_uring::squeue::{Entry, Flags};
use io_uring::types::{Fd, FsyncFlags};
use io_uring::{IoUring, opcode};

use crate::args::Args;
use crate::io;

/// Bytes that a read or write moves: two pages, of which one may be cached.
const BLOCK: usize = 8192;
const PAGE: usize = 4096;
/// Bytes that the last block lacks: the last read is short.
const MISSING: usize = 512;

/// What is done, how often; odd numbers, so that no other work is taken for them. Each block is read once.
const WORK: [(&str, usize); 4] = [("read", 101), ("write", 53), ("open", 31), ("sync", 17)];

/// How a file is worked on.
#[derive(Clone, Copy)]
struct How {
    name: &'static str,
    /// Past the page cache.
    direct: bool,
    /// By io_uring's own threads from the beginning.
    by_workers: bool,
    /// The first page of each block is cached, so that a read can be done in part at once.
    half_cached: bool,
}

const FILES: [How; 5] = [
    How { name: "cold", direct: false, by_workers: false, half_cached: false },
    How { name: "cold_by_workers", direct: false, by_workers: true, half_cached: false },
    How { name: "half_cached", direct: false, by_workers: false, half_cached: true },
    How { name: "direct", direct: true, by_workers: false, half_cached: false },
    How { name: "direct_by_workers", direct: true, by_workers: true, half_cached: false },
];

/// Does the work.
pub fn run(args: &Args) {
    let directory = args.text("directory").expect("--directory PATH");
    let ring = match IoUring::new(8) {
        Ok(ring) => ring,
        // Not built in, switched off (kernel.io_uring_disabled), or kept back by a filter.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
            println!("{{\"uring\":false}}");
            return;
        }
        Err(error) => panic!("io_uring: {error}"),
    };
    let files: Vec<Worked> = FILES.iter().filter_map(|how| Worked::new(directory, *how)).collect();
    let mut asker = Asker { ring, buffer: io::aligned(BLOCK) };
    args.say_and_wait("ready");
    args.join("join");
    let mut said = String::new();
    for file in &files {
        for (op, times) in WORK {
            (0..times).for_each(|index| file.work(&mut asker, op, index));
            said += &format!("{{\"path\":\"{}\",\"op\":\"{op}\",\"count\":{times}}}\n", file.path);
        }
    }
    // At once, so that it is one write.
    print!("{said}");
    args.hold();
}

/// The ring, and the memory that its requests are about.
struct Asker {
    ring: IoUring,
    buffer: &'static mut [u8],
}

impl Asker {
    /// Asks and waits: what came of it.
    fn ask(&mut self, entry: &Entry) -> i32 {
        // SAFETY: what the request points to outlives it: it is waited for.
        unsafe { self.ring.submission().push(entry) }.expect("there is room for one");
        loop {
            self.ring.submit_and_wait(1).expect("io_uring_enter");
            if let Some(done) = self.ring.completion().next() {
                return done.result();
            }
        }
    }
}

/// A file that is worked on.
struct Worked {
    path: String,
    file: File,
    how: How,
}

impl Worked {
    /// Makes it. None where the file system has no direct I/O, and it would be for that.
    fn new(directory: &str, how: How) -> Option<Self> {
        let path = format!("{directory}/{}", how.name);
        let blocks = WORK[0].1;
        let file = File::create(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        file.write_all_at(&vec![7; blocks * BLOCK - MISSING], 0).expect("a write");
        file.sync_all().expect("it can be synced");
        advise(&file, libc::POSIX_FADV_DONTNEED);
        let flags = if how.direct { libc::O_DIRECT } else { 0 };
        let file = match OpenOptions::new().read(true).write(true).custom_flags(flags).open(&path) {
            Err(error) if how.direct && error.raw_os_error() == Some(libc::EINVAL) => {
                fs::remove_file(&path).expect("it is there");
                return None;
            }
            file => file.unwrap_or_else(|error| panic!("{path}: {error}")),
        };
        // No page is read before it is asked for.
        advise(&file, libc::POSIX_FADV_RANDOM);
        if how.half_cached {
            let at = |index| (index * BLOCK) as u64;
            (0..blocks).for_each(|index| file.read_exact_at(&mut [0; PAGE], at(index)).expect("a read"));
        }
        Some(Self { path, file, how })
    }

    /// Does it once.
    fn work(&self, asker: &mut Asker, op: &str, index: usize) {
        let fd = Fd(self.file.as_raw_fd());
        let path = CString::new(&*self.path).expect("no NUL");
        let (at, bytes) = ((index * BLOCK) as u64, asker.buffer.as_mut_ptr());
        let entry = match op {
            "read" => opcode::Read::new(fd, bytes, BLOCK as u32).offset(at).build(),
            "write" => opcode::Write::new(fd, bytes, BLOCK as u32).offset(at).build(),
            "open" => opcode::OpenAt::new(Fd(libc::AT_FDCWD), path.as_ptr()).flags(libc::O_RDONLY).build(),
            "sync" if index.is_multiple_of(2) => opcode::Fsync::new(fd).build(),
            _ => opcode::Fsync::new(fd).flags(FsyncFlags::DATASYNC).build(),
        };
        let flags = if self.how.by_workers { Flags::ASYNC } else { Flags::empty() };
        let ret = asker.ask(&entry.flags(flags));
        match op {
            "read" if index + 1 == WORK[0].1 => assert_eq!(ret, (BLOCK - MISSING) as i32, "{}", self.path),
            "read" | "write" => assert_eq!(ret, BLOCK as i32, "{}: {op}", self.path),
            "open" => {
                assert!(ret >= 0, "{}: {op}: error {}", self.path, -ret);
                // SAFETY: the descriptor that was just opened.
                unsafe { libc::close(ret) };
            }
            _ => assert_eq!(ret, 0, "{}: {op}", self.path),
        }
    }
}

fn advise(file: &File, how: i32) {
    // SAFETY: no memory is involved.
    let ret = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, how) };
    assert_eq!(ret, 0, "posix_fadvise: error {ret}");
}
