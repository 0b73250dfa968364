//! Known work on files: `filework DIRECTORY` prepares a directory of its own there and stops itself, to be put in a
//! cgroup and continued (SIGCONT). Then it does what `EXPECTED` in `tests/tests/e2e/vfsstat.rs` says, and nothing else.
#![allow(clippy::expect_used, reason = "a failure here fails the calling test with its message")]

use std::ffi::CString;
use std::io::{IoSlice, IoSliceMut};
use std::path::Path;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io;
use rustix::process::{Signal, getpid, kill_process};

/// The numbers of each kind of work; odd ones, so that no other work is taken for them.
const READS: u64 = 4_099;
const WRITES: u64 = 2_053;
const PREADVS: u64 = 17;
const PWRITEVS: u64 = 13;
const FSYNCS: u64 = 211;
const FDATASYNCS: u64 = 5;
const CREATES: u64 = 101;
const OPENS: u64 = 401;
const FAILING_OPENS: u64 = 37;
const FAILING_UNLINKS: u64 = 3;
const DIRECTORIES: u64 = 19;
const FAILING_DIRECTORIES: u64 = 2;
const RENAMES: u64 = 23;

fn open(path: &CString, flags: OFlags) -> io::Result<OwnedFd> {
    rustix::fs::open(path, flags, Mode::from_raw_mode(0o600))
}

fn main() {
    let directory = std::env::args().nth(1).expect("a directory");
    let home = Path::new(&directory).join("filework");
    std::fs::create_dir(&home).expect("a directory of our own");
    let path = |name: String| CString::new(home.join(name).to_str().expect("UTF-8")).expect("no NUL");
    let (data, other) = (path("data".to_string()), path("other".to_string()));
    std::fs::write(home.join("data"), vec![7; 4096]).expect("a file");
    let names: Vec<CString> = (0..CREATES).map(|index| path(format!("new{index}"))).collect();
    let directories: Vec<CString> = (0..DIRECTORIES).map(|index| path(format!("dir{index}"))).collect();
    let nowhere = path("nowhere/at-all".to_string());
    let (mut page, small) = (vec![0u8; 4096], vec![1u8; 512]);
    let file = open(&data, OFlags::RDWR).expect("the file");
    // The test moves the process into the cgroup, so that joining is not part of the counted work.
    kill_process(getpid(), Signal::STOP).expect("a stop");

    for _ in 0..READS {
        assert_eq!(io::pread(&file, &mut page[..], 0), Ok(4096));
    }
    for _ in 0..WRITES {
        assert_eq!(io::pwrite(&file, &small, 0), Ok(512));
    }
    for _ in 0..PREADVS {
        let (left, right) = page.split_at_mut(1000);
        assert_eq!(io::preadv(&file, &mut [IoSliceMut::new(left), IoSliceMut::new(right)], 0), Ok(4096));
    }
    for _ in 0..PWRITEVS {
        assert_eq!(io::pwritev(&file, &[IoSlice::new(&small), IoSlice::new(b"tail")], 0), Ok(516));
    }
    (0..FSYNCS).for_each(|_| rustix::fs::fsync(&file).expect("fsync"));
    (0..FDATASYNCS).for_each(|_| rustix::fs::fdatasync(&file).expect("fdatasync"));
    for name in &names {
        drop(open(name, OFlags::CREATE | OFlags::WRONLY).expect("a new file"));
    }
    (0..OPENS).for_each(|_| drop(open(&data, OFlags::RDONLY).expect("the file")));
    for _ in 0..FAILING_OPENS {
        open(&nowhere, OFlags::RDONLY).expect_err("no such file");
    }
    for _ in 0..RENAMES {
        rustix::fs::rename(&data, &other).expect("a rename");
        rustix::fs::rename(&other, &data).expect("a rename back");
    }
    rustix::fs::rename(&nowhere, &other).expect_err("no such file");
    for name in &names {
        rustix::fs::unlink(name).expect("an unlink");
    }
    for _ in 0..FAILING_UNLINKS {
        rustix::fs::unlink(&nowhere).expect_err("no such file");
    }
    for name in &directories {
        rustix::fs::mkdir(name, Mode::RWXU).expect("a directory");
    }
    for _ in 0..FAILING_DIRECTORIES {
        rustix::fs::mkdir(&nowhere, Mode::RWXU).expect_err("no parent");
    }
    // One by each of the two calls that support it.
    for (index, name) in directories.iter().enumerate() {
        match index % 2 {
            0 => rustix::fs::rmdir(name).expect("an empty directory"),
            _ => rustix::fs::unlinkat(CWD, name, AtFlags::REMOVEDIR).expect("an empty directory"),
        }
    }
    rustix::fs::rmdir(&nowhere).expect_err("no such directory");
}
