//! A little work for each hook, to find those that see nothing.

use std::ffi::CStr;
use std::io::{IoSlice, IoSliceMut};

use cli::exit::{Failure, Result};
use common::bpf::mmap::MappedCounters;
use common::hooks::plan::Plan;
use rustix::fs::{AtFlags, CWD, MemfdFlags, Mode, OFlags};

use crate::row::COUNTERS;
use crate::skel::VfsstatSkel;
use crate::skel::types::counter as Counter;

/// This directory does not exist: every operation on it fails, and leaves nothing behind.
const NOWHERE: &CStr = c"/proc/self/fd/nowhere/at-all";

/// Does each kind of work once and names the hooks whose counter did not increase.
pub fn run(skel: &VfsstatSkel<'_>, _: &Plan) -> Result<Vec<&'static str>> {
    let mut counters: MappedCounters<COUNTERS> = MappedCounters::map(&skel.maps.counters)?;
    counters.since_last();
    work().map_err(|error| Failure::failed(format!("cannot run the self-test: {error}")))?;
    let seen = counters.since_last();
    // Reads and writes twice, because calls with a vector have a function of their own.
    let needed = [
        ("reads", Counter::READS, 2),
        ("reads", Counter::READVS, 1),
        ("writes", Counter::WRITES, 2),
        ("writes", Counter::WRITEVS, 1),
        ("opens", Counter::OPENS, 1),
        ("unlinks and rmdirs", Counter::UNLINKS, 1),
        ("mkdirs", Counter::MKDIRS, 1),
        ("unlinks and rmdirs", Counter::RMDIRS, 1),
        ("renames", Counter::RENAMES, 1),
        ("fsyncs", Counter::FSYNCS, 2),
    ];
    Ok(needed
        .into_iter()
        .filter(|(_, counter, times)| seen[counter.0 as usize] < *times)
        .map(|(hook, ..)| hook)
        .collect())
}

fn work() -> rustix::io::Result<()> {
    let file = rustix::fs::memfd_create("vfsstat", MemfdFlags::CLOEXEC)?;
    rustix::io::write(&file, b"x")?;
    rustix::io::pwritev(&file, &[IoSlice::new(b"x")], 0)?;
    rustix::io::pread(&file, &mut [0; 1], 0)?;
    rustix::io::preadv(&file, &mut [IoSliceMut::new(&mut [0; 1])], 0)?;
    rustix::fs::fsync(&file)?;
    rustix::fs::fdatasync(&file)?;
    // These fail, as intended.
    let _ = rustix::fs::open(NOWHERE, OFlags::RDONLY, Mode::empty());
    let _ = rustix::fs::unlinkat(CWD, NOWHERE, AtFlags::empty());
    let _ = rustix::fs::mkdirat(CWD, NOWHERE, Mode::empty());
    let _ = rustix::fs::unlinkat(CWD, NOWHERE, AtFlags::REMOVEDIR);
    let _ = rustix::fs::renameat(CWD, NOWHERE, CWD, NOWHERE);
    Ok(())
}
