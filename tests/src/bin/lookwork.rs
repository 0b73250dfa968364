//! Known lookups of names: `lookwork DIRECTORY` prepares a directory of its own there, and then
//! does the parts of `tests/tests/e2e/dcstat.rs` one after the other, and nothing else. Before each
//! part it stops itself, to be put in a cgroup and continued (SIGCONT).
#![allow(clippy::expect_used, reason = "a failure here fails the calling test with its message")]

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::sync::Barrier;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, SeekFrom};
use rustix::io::Errno;
use rustix::process::{Signal, getpid, kill_process};

/// All that is looked up, made ready beforehand.
struct Names {
    /// Below the working directory.
    deep: CString,
    absolute: CString,
    missing: Vec<CString>,
    cold: Vec<CString>,
    created: Vec<CString>,
    exclusive: Vec<CString>,
    unopened: Vec<CString>,
    directories: Vec<CString>,
    links: Vec<CString>,
    unlinked: Vec<CString>,
    shared: Vec<CString>,
    cold_directory: OwnedFd,
    listed: OwnedFd,
}

fn c(text: &str) -> CString {
    CString::new(text).expect("no NUL")
}

fn names(prefix: &str, count: u64) -> Vec<CString> {
    (0..count).map(|index| c(&format!("{prefix}{index}"))).collect()
}

fn directory(path: &str) -> OwnedFd {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).expect("a directory")
}

fn prepare(home: &Path) -> Names {
    std::fs::create_dir(home).expect("a directory of our own");
    std::env::set_current_dir(home).expect("our own directory");
    std::fs::create_dir_all("a/b/c/d/e/f").expect("directories");
    std::fs::write("a/b/c/d/e/f/g", "").expect("a file");
    std::os::unix::fs::symlink("a/b/c/d", "link").expect("a link");
    std::fs::create_dir("cold").expect("a directory");
    let cold = names("cold", 499);
    for name in &cold {
        std::fs::write(Path::new("cold").join(name.to_str().expect("UTF-8")), "").expect("a file");
    }
    Names {
        deep: c("a/b/c/d/e/f/g"),
        absolute: c(home.join("a/b/c/d/e/f/g").to_str().expect("UTF-8")),
        missing: names("missing", 1013),
        cold,
        created: names("created", 101),
        exclusive: names("exclusive", 97),
        unopened: names("unopened", 37),
        directories: names("directory", 19),
        links: names("name", 15),
        unlinked: names("unlinked", 3),
        shared: names("shared", 211),
        cold_directory: directory("cold"),
        listed: directory("/proc/self/task"),
    }
}

fn found(path: &CString) {
    rustix::fs::statat(CWD, path, AtFlags::empty()).expect("it is there");
}

fn not_found(path: &CString) {
    assert_eq!(rustix::fs::statat(CWD, path, AtFlags::empty()).err(), Some(Errno::NOENT));
}

fn open(path: &CString, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)
}

fn repeat(times: u64, mut work: impl FnMut()) {
    (0..times).for_each(|_| work());
}

/// A part of the work.
type Part = fn(&Names);

/// In the order of `EXPECTED` in `tests/tests/e2e/dcstat.rs`.
const PARTS: [Part; 27] = [
    |names| repeat(2_011, || found(&names.deep)),
    |names| repeat(1_009, || found(&names.absolute)),
    |_| repeat(503, || found(&c("a/./b/../b/c"))),
    |_| repeat(211, || found(&c("link/e"))),
    |names| names.missing.iter().for_each(not_found),
    |names| names.missing.iter().for_each(not_found),
    |names| {
        for name in &names.cold {
            rustix::fs::statat(&names.cold_directory, name, AtFlags::empty()).expect("it is there");
        }
    },
    |names| found(&names.deep),
    |names| {
        for name in &names.created {
            open(name, OFlags::CREATE | OFlags::WRONLY).expect("a new file");
        }
    },
    |names| repeat(103, || drop(open(&names.created[0], OFlags::CREATE | OFlags::WRONLY).expect("the file"))),
    |names| {
        for name in &names.exclusive {
            open(name, OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY).expect("a new file");
        }
    },
    |names| {
        repeat(11, || {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY;
            assert_eq!(open(&names.exclusive[0], flags).err(), Some(Errno::EXIST));
        });
    },
    |names| repeat(401, || drop(open(&names.created[0], OFlags::RDONLY).expect("the file"))),
    |names| {
        names
            .unopened
            .iter()
            .for_each(|name| assert_eq!(open(name, OFlags::RDONLY).err(), Some(Errno::NOENT)))
    },
    |names| {
        names
            .unopened
            .iter()
            .for_each(|name| assert_eq!(open(name, OFlags::RDONLY).err(), Some(Errno::NOENT)))
    },
    |names| {
        repeat(29, || {
            rustix::fs::accessat(CWD, &names.deep, rustix::fs::Access::EXISTS, AtFlags::empty())
                .expect("it is there")
        })
    },
    |names| {
        names.directories.iter().for_each(|name| rustix::fs::mkdir(name, Mode::RWXU).expect("a directory"))
    },
    |names| names.links[..7].iter().for_each(|name| rustix::fs::symlink(&names.deep, name).expect("a link")),
    |names| {
        names.links[7..12].iter().for_each(|name| rustix::fs::link(&names.created[1], name).expect("a link"))
    },
    |names| {
        for name in &names.links[12..] {
            rustix::fs::mknodat(CWD, name, FileType::Fifo, Mode::RUSR, 0).expect("a FIFO");
        }
    },
    |names| {
        let (old, new) = (&names.created[0], c("renamed"));
        repeat(23, || {
            rustix::fs::rename(old, &new).expect("a rename");
            rustix::fs::rename(&new, old).expect("a rename back");
        });
    },
    |names| names.directories.iter().for_each(|name| rustix::fs::rmdir(name).expect("an empty directory")),
    |names| names.created.iter().for_each(|name| rustix::fs::unlink(name).expect("a file")),
    |names| names.unlinked.iter().for_each(|name| assert_eq!(rustix::fs::unlink(name), Err(Errno::NOENT))),
    |_| {
        let bad = c("nowhere/at/all");
        repeat(13, || {
            rustix::fs::mkdir(&bad, Mode::RWXU).expect_err("no parent");
        });
    },
    // Some file systems look up names as they list them: no path names these.
    |names| {
        repeat(17, || {
            rustix::fs::seek(&names.listed, SeekFrom::Start(0)).expect("the beginning");
            let mut room = [MaybeUninit::uninit(); 4096];
            let mut listing = RawDir::new(&names.listed, &mut room);
            while listing.next().is_some() {}
        });
    },
    |names| {
        const THREADS: usize = 7;
        let start = Barrier::new(THREADS);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for name in &names.shared {
                        start.wait();
                        not_found(name);
                    }
                });
            }
        });
    },
];

fn main() {
    let home = PathBuf::from(std::env::args().nth(1).expect("a directory")).join("lookwork");
    let names = prepare(&home);
    for part in PARTS {
        kill_process(getpid(), Signal::STOP).expect("a stop");
        part(&names);
    }
    kill_process(getpid(), Signal::STOP).expect("a stop");
}
