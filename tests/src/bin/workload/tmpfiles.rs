//! `tmpfiles --directory PATH [--join CGROUP]`: 23 files without a name (O_TMPFILE) in that directory, and 5 that fail.

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

use crate::args::Args;

/// Does the work.
pub fn run(args: &Args) {
    let directory = args.text("directory").expect("--directory PATH");
    let nowhere = format!("{directory}/nowhere");
    args.join("join");
    let make = |path: &str| open(path, OFlags::TMPFILE | OFlags::RDWR, Mode::RUSR | Mode::WUSR);
    (0..23).for_each(|_| drop(make(directory).expect("a file without a name")));
    (0..5).for_each(|_| assert_eq!(make(&nowhere).err(), Some(Errno::NOENT)));
}
