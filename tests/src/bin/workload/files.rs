//! `files --directory PATH --threads T [--join CGROUP] [--pause]`: the operations of `WORK` by T
//! threads in turn, each on its own file in that directory. The file is created before the process
//! joins the cgroup, so nothing else is counted there. With `--pause` each operation waits a
//! millisecond before. It prints a line for each, timed by the caller's clock:
//! `{"tid":…,"op":…,"path":…,"offset":…,"ret":…,"took_ns":…}`.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use crate::args::Args;
use crate::sys;

/// Bytes of a block; an operation moves one.
const BLOCK: usize = 4096;
/// Blocks of a file.
const BLOCKS: usize = 64;
/// An address where no program has memory.
const NOWHERE: usize = 4096;
/// Larger than a program may open without O_LARGEFILE.
const LARGE: u64 = 3 << 30;
/// `PER_LINUX32` of `linux/personality.h`: an open then does not imply O_LARGEFILE, as in a 32-bit
/// program.
const PER_LINUX32: libc::c_ulong = 8;

/// The operations on a file.
#[derive(Clone, Copy)]
enum How {
    Read,
    Pread,
    Readv,
    Preadv,
    Preadv2,
    ReadNowhere,
    Write,
    Pwrite,
    Writev,
    Pwritev,
    Pwritev2,
    WriteNowhere,
    Open,
    OpenLarge,
    Fsync,
    Fdatasync,
    FsyncDirectory,
    Stat,
}

/// How often; odd numbers, so that no other work is taken for them.
const WORK: [(How, usize); 18] = [
    (How::Read, 401),
    (How::Pread, 503),
    (How::Readv, 11),
    (How::Preadv, 13),
    (How::Preadv2, 17),
    (How::ReadNowhere, 7),
    (How::Write, 101),
    (How::Pwrite, 211),
    (How::Writev, 19),
    (How::Pwritev, 23),
    (How::Pwritev2, 29),
    (How::WriteNowhere, 5),
    (How::Open, 103),
    (How::OpenLarge, 3),
    (How::Fsync, 31),
    (How::Fdatasync, 9),
    (How::FsyncDirectory, 13),
    (How::Stat, 37),
];

/// Does the work.
pub fn run(args: &Args) {
    let directory = args.text("directory").expect("--directory PATH");
    let threads = args.count("threads") as usize;
    // In turn, so that reads and writes of all kinds mix.
    let mut all: Vec<How> = Vec::new();
    let most = WORK.iter().map(|(_, times)| *times).max().unwrap_or(0);
    for round in 0..most {
        all.extend(WORK.iter().filter(|(_, times)| round < *times).map(|(how, _)| *how));
    }
    let (start, end) = (Barrier::new(threads + 1), Barrier::new(threads + 1));
    let lines: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|index| {
                let own: Vec<How> = all.iter().copied().skip(index).step_by(threads).collect();
                let (mut worker, pause) = (Worker::new(directory, index), args.has("pause"));
                let (start, end) = (&start, &end);
                let work = move || {
                    start.wait();
                    let lines: Vec<_> = own
                        .into_iter()
                        .map(|how| {
                            if pause {
                                std::thread::sleep(Duration::from_millis(1));
                            }
                            worker.work(how)
                        })
                        .collect();
                    end.wait();
                    lines
                };
                let thread = std::thread::Builder::new().name(args.name_of_threads("files"));
                thread.spawn_scoped(scope, work).expect("a thread")
            })
            .collect();
        args.join("join");
        start.wait();
        end.wait();
        workers.into_iter().flat_map(|worker| worker.join().expect("it works")).collect()
    });
    lines.iter().for_each(|line| println!("{line}"));
    args.hold();
}

/// A thread's files.
struct Worker {
    path: String,
    large: String,
    file: File,
    directory: File,
    directory_path: String,
    buffer: Box<[u8; BLOCK]>,
    done: usize,
}

impl Worker {
    fn new(directory: &str, index: usize) -> Self {
        let path = format!("{directory}/file{index}");
        let large = format!("{directory}/large{index}");
        fs::write(&path, vec![7; BLOCK * BLOCKS]).unwrap_or_else(|error| panic!("{path}: {error}"));
        File::create(&large).and_then(|file| file.set_len(LARGE)).expect("a large file");
        let file = OpenOptions::new().read(true).write(true).open(&path).expect("it is there");
        file.sync_all().expect("it can be synced");
        let directory_path = directory.to_string();
        let directory = File::open(directory).expect("it is there");
        Self { path, large, file, directory, directory_path, buffer: Box::new([1; BLOCK]), done: 0 }
    }

    /// Performs it once; returns its arguments and result.
    fn work(&mut self, how: How) -> String {
        self.done += 1;
        let fd = self.file.as_raw_fd();
        let at = (self.done % BLOCKS * BLOCK) as i64;
        let bytes = self.buffer.as_mut_ptr().cast::<libc::c_void>();
        let half = BLOCK / 2;
        let vector = [
            libc::iovec { iov_base: bytes, iov_len: half },
            libc::iovec { iov_base: bytes.wrapping_byte_add(half), iov_len: BLOCK - half },
        ];
        let (vector, nowhere) = (vector.as_ptr(), NOWHERE as *mut libc::c_void);
        let path = CString::new(if matches!(how, How::OpenLarge) { &*self.large } else { &*self.path });
        let path = path.expect("no NUL");
        if matches!(how, How::Read | How::Readv | How::Write | How::Writev) {
            // SAFETY: no memory is involved.
            unsafe { libc::lseek(fd, at, libc::SEEK_SET) };
        }
        if matches!(how, How::OpenLarge) {
            // SAFETY: it affects this thread only, and is undone below.
            unsafe { libc::personality(PER_LINUX32) };
        }
        let mut stat = std::mem::MaybeUninit::<libc::stat>::uninit();
        let start = Instant::now();
        // SAFETY: buffers, vectors and the path outlive the calls; the kernel refuses memory that is not there.
        let ret = unsafe {
            match how {
                How::Read => libc::read(fd, bytes, BLOCK),
                How::Pread => libc::pread(fd, bytes, BLOCK, at),
                How::Readv => libc::readv(fd, vector, 2),
                How::Preadv => libc::preadv(fd, vector, 2, at),
                How::Preadv2 => libc::preadv2(fd, vector, 2, at, 0),
                How::ReadNowhere => libc::pread(fd, nowhere, BLOCK, at),
                How::Write => libc::write(fd, bytes, BLOCK),
                How::Pwrite => libc::pwrite(fd, bytes, BLOCK, at),
                How::Writev => libc::writev(fd, vector, 2),
                How::Pwritev => libc::pwritev(fd, vector, 2, at),
                How::Pwritev2 => libc::pwritev2(fd, vector, 2, at, 0),
                How::WriteNowhere => libc::pwrite(fd, nowhere, BLOCK, at),
                How::Open | How::OpenLarge => {
                    libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), libc::O_RDONLY) as isize
                }
                How::Fsync => libc::fsync(fd) as isize,
                How::Fdatasync => libc::fdatasync(fd) as isize,
                How::FsyncDirectory => libc::fsync(self.directory.as_raw_fd()) as isize,
                How::Stat => libc::fstat(fd, stat.as_mut_ptr()) as isize,
            }
        };
        let error = std::io::Error::last_os_error().raw_os_error().unwrap_or(0) as isize;
        let took = start.elapsed().as_nanos();
        let ret = if ret < 0 { -error } else { ret };
        let (op, path) = match how {
            How::Read | How::Pread | How::Readv | How::Preadv | How::Preadv2 | How::ReadNowhere => {
                ("read", &self.path)
            }
            How::Write | How::Pwrite | How::Writev | How::Pwritev | How::Pwritev2 | How::WriteNowhere => {
                ("write", &self.path)
            }
            How::Open => ("open", &self.path),
            How::OpenLarge => ("open", &self.large),
            How::Fsync | How::Fdatasync => ("sync", &self.path),
            How::FsyncDirectory => ("sync", &self.directory_path),
            How::Stat => ("getattr", &self.path),
        };
        if matches!(how, How::OpenLarge) {
            // SAFETY: as above.
            unsafe { libc::personality(0) };
        }
        if op == "open" && ret >= 0 {
            // SAFETY: the descriptor that was just opened.
            unsafe { libc::close(ret as i32) };
        }
        match how {
            How::ReadNowhere | How::WriteNowhere => assert_eq!(ret, -(libc::EFAULT as isize)),
            // Some file systems allow them.
            How::OpenLarge => {}
            _ => assert!(ret >= 0, "{op}: error {}", -ret),
        }
        let offset = if matches!(op, "read" | "write") { at.to_string() } else { "null".to_string() };
        format!(
            "{{\"tid\":{},\"op\":\"{op}\",\"path\":\"{path}\",\"offset\":{offset},\"ret\":{ret},\"took_ns\":{took}}}",
            sys::thread_id()
        )
    }
}
