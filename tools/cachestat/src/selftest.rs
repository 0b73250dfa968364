//! A little work for each hook, to find those that see nothing.
//!
//! It uses a file system of its own, which no other process sees and which disappears with its last
//! file: ramfs, whose files are only page cache, is in every kernel. Mounting it requires
//! CAP_SYS_ADMIN; without it, hooks are used untested.

use std::os::fd::OwnedFd;

use cli::exit::{Failure, Result};
use common::bpf::mmap::MappedCounters;
use common::hooks::plan::Plan;
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{pread, pwrite};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

use crate::row::COUNTERS;
use crate::skel::CachestatSkel;
use crate::skel::types::counter as Counter;

/// A file of two pages in the page cache.
pub struct Trial {
    file: OwnedFd,
    page: usize,
}

impl Trial {
    /// Creates it.
    pub fn new() -> rustix::io::Result<Self> {
        let context = fsopen("ramfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_create(&context)?;
        let root = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC;
        let trial =
            Self { file: openat(&root, "trial", flags, Mode::RUSR)?, page: rustix::param::page_size() };
        pwrite(&trial.file, &vec![1; 2 * trial.page], 0)?;
        Ok(trial)
    }

    /// Reads one page, from which the BPF programs learn how this kernel passes the pages of a
    /// read: see `read_b` of `bpf/cachestat/reads.h`.
    pub fn read_one_page(&self) {
        // If it fails, nothing is learned; the first read of one page by any process will do.
        let _ = pread(&self.file, &mut [0; 1], 0);
    }

    /// Touches its second page through a mapping.
    fn fault(&self) -> rustix::io::Result<()> {
        // SAFETY: a new mapping at an address that the kernel chooses, of a file that no other
        // process has and that keeps its size.
        unsafe {
            let at =
                mmap(std::ptr::null_mut(), 2 * self.page, ProtFlags::READ, MapFlags::SHARED, &self.file, 0)?;
            at.cast::<u8>().add(self.page).read_volatile();
            munmap(at, 2 * self.page)
        }
    }
}

/// Does each kind of work once and names the hooks whose counter did not move.
pub fn run(skel: &CachestatSkel<'_>, _: &Plan) -> Result<Vec<&'static str>> {
    let mut counters: MappedCounters<COUNTERS> = MappedCounters::map(&skel.maps.counters)?;
    counters.since_last();
    let Ok(trial) = Trial::new() else { return Ok(vec![]) };
    trial.read_one_page();
    trial.fault().map_err(|error| Failure::failed(format!("cannot run the self-test: {error}")))?;
    let seen = counters.since_last();
    // Writing added two pages; nothing is dirty on ramfs.
    let needed = [("reads", Counter::READS), ("faults", Counter::FAULTS)];
    Ok(needed
        .into_iter()
        .filter(|(_, counter)| seen[counter.0 as usize] == 0)
        .map(|(hook, _)| hook)
        .collect())
}
