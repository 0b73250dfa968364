//! `fds --do WHAT --directory PATH [--join CGROUP]`: makes and gives up descriptors in one way, a known number of times. Before
//! that it says how many it has, joins the cgroup (whose file it closes there), and does nothing else in it but that and its
//! exit: `{"had":N}`. `{"ia32":false}` or `{"uring":false}`, and nothing is done, where the kernel has none.
//!
//! With `--do hold` it says `held` when it has 469 descriptors, and after a line on stdin again with 211 more.

use std::ffi::CString;
use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd};

use io_uring::types::Fd;
use io_uring::{IoUring, opcode, squeue};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

use crate::args::Args;
use crate::entry::{self, Entry};
use crate::sys::{self, WAYS};

/// How often most is done.
const TIMES: usize = 101;
/// A path that no program has in its memory.
const BAD_ADDRESS: usize = 1;
/// A flag that open(2) does not have.
const UNKNOWN_FLAG: u64 = 1 << 40;

/// `struct open_how` of `linux/openat2.h`.
#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// Does the work.
pub fn run(args: &Args) {
    let what = args.text("do").expect("--do WHAT");
    let directory = args.text("directory").expect("--directory PATH");
    let path = format!("{directory}/file");
    let name = CString::new(&*path).expect("no NUL");
    drop(File::create(&path).unwrap_or_else(|error| panic!("{path}: {error}")));
    match what {
        "uring" => match IoUring::new(8) {
            Ok(ring) => {
                begin(args);
                by_uring(ring, &name);
            }
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
                println!("{{\"uring\":false}}");
            }
            Err(error) => panic!("io_uring: {error}"),
        },
        "ia32" if !entry::has_ia32() => println!("{{\"ia32\":false}}"),
        "ia32" => {
            let file = File::options().read(true).write(true).open(&path).expect("it is there");
            file.set_len(4096).expect("room");
            let at = entry::map_low(&file, 4096);
            // SAFETY: a mapping of 4 KiB, which no path fills.
            unsafe { std::ptr::copy_nonoverlapping(name.as_ptr(), at as *mut _, path.len() + 1) };
            begin(args);
            for _ in 0..TIMES {
                let fd = entry::make(Entry::Ia32, "open", [at, libc::O_RDONLY as u64, 0, 0]);
                assert!(fd >= 0, "open: {fd}");
                assert_eq!(entry::make(Entry::Ia32, "close", [fd as u64, 0, 0, 0]), 0);
            }
            // What it had is given up at its exit.
            std::mem::forget(file);
        }
        "handles" => {
            let mount = File::open(directory).expect("a directory");
            let mut handle = [0u32; 34];
            handle[0] = 128;
            let mut id = 0;
            // SAFETY: the handle has room for what its first field says.
            let made = unsafe {
                libc::syscall(
                    libc::SYS_name_to_handle_at,
                    libc::AT_FDCWD,
                    name.as_ptr(),
                    handle.as_mut_ptr(),
                    &raw mut id,
                    0,
                )
            };
            assert_eq!(made, 0, "{path}: {}", std::io::Error::last_os_error());
            begin(args);
            for _ in 0..TIMES {
                let args = [mount.as_raw_fd() as u64, handle.as_ptr() as u64, libc::O_RDONLY as u64];
                close(call(libc::SYS_open_by_handle_at, args).expect("a descriptor"));
            }
            std::mem::forget(mount);
        }
        "exec" => {
            begin(args);
            (0..17).for_each(|_| {
                open(&name, libc::O_CLOEXEC);
            });
            let own = std::env::current_exe().expect("/proc");
            sys::exec(own.to_str().expect("UTF-8"), &["workload", "noop"], None);
            panic!("it was executed");
        }
        "hold" => {
            let held: usize = 469 - open_now();
            begin(args);
            (0..held).for_each(|_| {
                open(&name, 0);
            });
            // A process that shares the descriptors, which count once; a thread does so, too.
            let sharing = sys::clone((libc::CLONE_FILES | libc::SIGCHLD) as u64).expect("clone");
            if sharing == 0 {
                loop {
                    // SAFETY: always sound.
                    unsafe { libc::pause() };
                }
            }
            let thread = std::thread::spawn(std::thread::park);
            args.say_and_wait("held");
            (0..211).for_each(|_| {
                open(&name, 0);
            });
            args.say_and_wait("held");
            // SAFETY: our own child.
            unsafe { libc::kill(sharing as i32, libc::SIGKILL) };
            sys::wait(sharing as i32);
            thread.thread().unpark();
        }
        _ => {
            begin(args);
            simple(what, &name);
        }
    }
    args.hold();
}

/// Says what there is, and joins the cgroup.
fn begin(args: &Args) {
    println!("{{\"had\":{}}}", open_now());
    args.join("join");
}

/// How many descriptors are open, without the one that finds out.
fn open_now() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("/proc").count() - 1
}

/// What needs no preparation.
fn simple(what: &str, name: &CString) {
    match what {
        "opened" => (0..401).for_each(|index| close(open_by(index, name))),
        "left" => (0..TIMES).for_each(|index| {
            open_by(index, name);
        }),
        "failing" => failing(name),
        "sockets" => {
            for index in 0..401 {
                let family = if index % 2 == 0 { libc::AF_UNIX } else { libc::AF_INET };
                close(
                    call(libc::SYS_socket, [family as u64, libc::SOCK_STREAM as u64, 0]).expect("a socket"),
                );
            }
        }
        "copies" => {
            // The first adds a descriptor, each other replaces it.
            let [from, to] = [1u64, 900];
            for index in 0..402 {
                let way = if index % 2 == 0 { libc::SYS_dup3 } else { OTHER_DUP };
                assert_eq!(call(way, [from, to, 0]), Ok(to as i32));
            }
        }
        "range" => {
            let copy = |at| call(libc::SYS_fcntl, [1, libc::F_DUPFD as u64, at]);
            (0..TIMES as u64).for_each(|index| assert_eq!(copy(300 + index), Ok(300 + index as i32)));
            assert_eq!(call(libc::SYS_close_range, [300, 600, 0]), Ok(0));
        }
        "received" => received(),
        "bad" => (0..37).for_each(|index| {
            assert_eq!(call(libc::SYS_close, [700 + index, 0, 0]), Err(libc::EBADF));
        }),
        "children" => {
            (0..4).for_each(|_| {
                open(name, 0);
            });
            for index in 0..TIMES {
                let child = sys::child(WAYS[index % WAYS.len()], 0).expect("a child");
                sys::wait(child as i32);
            }
        }
        other => panic!("--do {other}: no such work"),
    }
}

/// Sends a descriptor to itself over a pair of sockets, and receives it.
fn received() {
    let (from, to) = std::os::unix::net::UnixStream::pair().expect("sockets");
    for _ in 0..TIMES {
        let sent = [from.as_fd()];
        let mut room = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut room);
        assert!(control.push(SendAncillaryMessage::ScmRights(&sent)));
        sendmsg(&from, &[IoSlice::new(b"x")], &mut control, SendFlags::empty()).expect("a message");
        let mut room = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut room);
        let mut byte = [0];
        recvmsg(&to, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::empty()).expect("a message");
        for message in control.drain() {
            let RecvAncillaryMessage::ScmRights(descriptors) = message else { panic!("another message") };
            descriptors.for_each(std::mem::forget);
        }
    }
    std::mem::forget((from, to));
}

/// dup2(2) where there is one.
#[cfg(target_arch = "x86_64")]
const OTHER_DUP: libc::c_long = libc::SYS_dup2;
#[cfg(not(target_arch = "x86_64"))]
const OTHER_DUP: libc::c_long = libc::SYS_dup3;

/// Fails 37 times in each of four ways.
fn failing(name: &CString) {
    let how = OpenHow { flags: UNKNOWN_FLAG, mode: 0, resolve: 0 };
    let here = libc::AT_FDCWD as u64;
    let nowhere = c"/nowhere/at-all";
    for _ in 0..37 {
        assert_eq!(call(libc::SYS_openat, [here, nowhere.as_ptr() as u64, 0]), Err(libc::ENOENT));
        assert_eq!(call(libc::SYS_openat, [here, BAD_ADDRESS as u64, 0]), Err(libc::EFAULT));
        let invalid = [here, name.as_ptr() as u64, &raw const how as u64, size_of::<OpenHow>() as u64];
        assert_eq!(call4(libc::SYS_openat2, invalid), Err(libc::EINVAL));
    }
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit outlives the calls.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        limit.rlim_cur = 0;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
    }
    for _ in 0..37 {
        assert_eq!(call(libc::SYS_openat, [here, name.as_ptr() as u64, 0]), Err(libc::EMFILE));
    }
}

/// An open by each of the calls in turn.
fn open_by(index: usize, name: &CString) -> i32 {
    let (here, name) = (libc::AT_FDCWD as u64, name.as_ptr() as u64);
    let how = OpenHow { flags: libc::O_RDWR as u64, mode: 0, resolve: 0 };
    let opened = match index % 4 {
        0 => call(libc::SYS_openat, [here, name, libc::O_RDONLY as u64]),
        1 => call4(libc::SYS_openat2, [here, name, &raw const how as u64, size_of::<OpenHow>() as u64]),
        #[cfg(target_arch = "x86_64")]
        2 => call(libc::SYS_open, [name, libc::O_WRONLY as u64, 0]),
        #[cfg(target_arch = "x86_64")]
        3 => call(libc::SYS_creat, [name, 0o600, 0]),
        _ => call(libc::SYS_openat, [here, name, libc::O_WRONLY as u64]),
    };
    opened.expect("it can be opened")
}

fn open(name: &CString, flags: i32) -> i32 {
    let opened = call(libc::SYS_openat, [libc::AT_FDCWD as u64, name.as_ptr() as u64, flags as u64]);
    opened.expect("it can be opened")
}

fn close(fd: i32) {
    assert_eq!(call(libc::SYS_close, [fd as u64, 0, 0]), Ok(0));
}

/// Opens and closes by io_uring; then 5 opens and 7 closes that fail.
fn by_uring(mut ring: IoUring, name: &CString) {
    let mut ask = |entry: squeue::Entry| {
        // SAFETY: what the request points to outlives it: it is waited for.
        unsafe { ring.submission().push(&entry) }.expect("there is room for one");
        loop {
            ring.submit_and_wait(1).expect("io_uring_enter");
            if let Some(done) = ring.completion().next() {
                return done.result();
            }
        }
    };
    let open = |ask: &mut dyn FnMut(squeue::Entry) -> i32, path: *const libc::c_char| {
        ask(opcode::OpenAt::new(Fd(libc::AT_FDCWD), path).flags(libc::O_RDONLY).build())
    };
    for _ in 0..TIMES {
        let fd = open(&mut ask, name.as_ptr());
        assert!(fd >= 0, "open: error {}", -fd);
        assert_eq!(ask(opcode::Close::new(Fd(fd)).build()), 0);
    }
    for _ in 0..5 {
        assert_eq!(open(&mut ask, c"/nowhere/at-all".as_ptr()), -libc::ENOENT);
    }
    for _ in 0..7 {
        assert_eq!(ask(opcode::Close::new(Fd(700)).build()), -libc::EBADF);
    }
    std::mem::forget(ring);
}

/// A system call: what it returned, or the error's number.
fn call(number: libc::c_long, [a, b, c]: [u64; 3]) -> Result<i32, i32> {
    call4(number, [a, b, c, 0])
}

fn call4(number: libc::c_long, [a, b, c, d]: [u64; 4]) -> Result<i32, i32> {
    // SAFETY: these calls write to no memory of the caller's.
    match unsafe { libc::syscall(number, a, b, c, d) } {
        -1 => Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)),
        done => Ok(done as i32),
    }
}
