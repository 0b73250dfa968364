//! `synced --directory PATH [--join CGROUP]`: writes that wait for the disk, asked for in each way there is, and what is
//! none: plain writes, msync and sync_file_range. The files are made before the process joins the cgroup. What vfsstat
//! must say of it: `SYNCED` in `tests/tests/e2e/vfsstat_bounds.rs`.

use std::fs::{File, OpenOptions};
use std::io::IoSlice;
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
use rustix::io::{ReadWriteFlags, pwrite, pwritev, pwritev2};

use crate::args::Args;
use crate::entry::{self, Entry};

/// Bytes that a write moves, and of the mapping.
const PAGE: usize = 4096;

/// Does the work.
pub fn run(args: &Args) {
    let directory = args.text("directory").expect("--directory PATH");
    let make = |name: &str, flags: i32| {
        let path = format!("{directory}/{name}");
        let file = OpenOptions::new().read(true).write(true).create(true).custom_flags(flags).open(&path);
        file.unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let (plain, sync, dsync) = (make("plain", 0), make("sync", libc::O_SYNC), make("dsync", libc::O_DSYNC));
    let synchronous = make("synchronous", 0);
    let flags = ioctl_getflags(&synchronous).expect("the file system has flags for files");
    ioctl_setflags(&synchronous, flags | IFlags::SYNC).expect("a file can be made synchronous");
    plain.set_len(PAGE as u64).expect("a page");
    let mapping = entry::map_low(&plain, PAGE);
    let page = [1; PAGE];
    args.join("join");

    let write = |file: &File, times: usize| {
        (0..times).for_each(|_| assert_eq!(pwrite(file, &page, 0), Ok(PAGE)));
    };
    let write_with = |flags, times: usize| {
        (0..times).for_each(|_| assert_eq!(pwritev2(&plain, &[IoSlice::new(&page)], 0, flags), Ok(PAGE)));
    };
    write(&plain, 11);
    write_with(ReadWriteFlags::empty(), 2);
    write(&sync, 7);
    (0..3).for_each(|_| assert_eq!(pwritev(&dsync, &[IoSlice::new(&page)], 0), Ok(PAGE)));
    write(&synchronous, 13);
    write_with(ReadWriteFlags::DSYNC, 5);
    write_with(ReadWriteFlags::SYNC, 1);
    for (call, args) in [
        ("msync", [mapping, PAGE as u64, libc::MS_SYNC as u64, 0]),
        (
            "sync_file_range",
            [
                std::os::fd::AsRawFd::as_raw_fd(&plain) as u64,
                0,
                PAGE as u64,
                u64::from(libc::SYNC_FILE_RANGE_WRITE),
            ],
        ),
    ] {
        (0..19).for_each(|_| assert_eq!(entry::make(Entry::Native, call, args), 0, "{call}"));
    }
}
