//! A little of each kind of look-up, to find the hooks that see nothing, and for the programs to
//! find out properties of the kernel that are not known beforehand.

use std::ffi::CStr;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use cli::exit::{Failure, Result};
use common::bpf::globals::shared_u32;
use common::bpf::mmap::MappedCounters;
use common::hooks::plan::Plan;
use libbpf_rs::skel::Skel;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::row::{COUNTERS, MISSES, REFERENCES, SLOW};
use crate::skel::{DcstatSkel, OpenDcstatSkel};

/// Nothing can be created in this directory, and it caches no negative entries: each look-up there
/// is a miss.
const DIRECTORY: &CStr = c"/proc/self/fd";
/// A name that it does not have.
const NOTHING: &CStr = c"nothing";
/// How often each is done: other tasks look names up, too, and must not be mistaken for the
/// self-test.
const TIMES: u64 = 16;

/// What the programs found out, for the object that counts: `struct learnt` of `bpf/dcstat.bpf.c`.
static LEARNT: OnceLock<[u32; 2]> = OnceLock::new();

/// Passes on what the programs of an earlier object found out.
pub fn teach(open: &mut OpenDcstatSkel<'_>) {
    if let (Some([lookup_open, creates_by_fast]), Some(data)) = (LEARNT.get(), open.maps.bss_data.as_mut()) {
        data.learnt.lookup_open = *lookup_open;
        data.learnt.creates_by_fast = *creates_by_fast;
        data.all_learnt = 1;
    }
}

/// Keeps what the programs found out, and stops the search, which costs time at each look-up.
fn keep(skel: &DcstatSkel<'_>) -> Result<()> {
    let Some(learnt) = skel.maps.bss_data.as_deref().map(|data| data.learnt) else { return Ok(()) };
    LEARNT.get_or_init(|| [learnt.lookup_open, learnt.creates_by_fast]);
    shared_u32(skel.object(), "all_learnt")?.store(1, Ordering::Relaxed);
    Ok(())
}

/// Looks names up in each way, and names the hooks that did not see it.
pub fn run(skel: &DcstatSkel<'_>, _: &Plan) -> Result<Vec<&'static str>> {
    let mut counters: MappedCounters<COUNTERS> = MappedCounters::map(&skel.maps.counters)?;
    let directory =
        rustix::fs::open(DIRECTORY, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).map_err(|error| {
            Failure::failed(format!("cannot run the self-test: {}: {error}", DIRECTORY.to_string_lossy()))
        })?;
    let mut unseen = Vec::new();
    for (hooks, work) in WORK {
        counters.since_last();
        // If the directory cannot be written to, some operations fail before they look anything up.
        let looked_up = (0..TIMES).filter(|_| work(&directory) != Err(Errno::ROFS)).count() as u64;
        let seen = counters.since_last();
        unseen.extend(hooks.iter().filter(|(_, counter)| seen[*counter] < looked_up).map(|(hook, _)| *hook));
    }
    if unseen.is_empty() {
        keep(skel)?;
    }
    Ok(unseen)
}

/// An operation, which always fails, and the counter by which each hook shows that it saw it.
type Work = (&'static [(&'static str, usize)], fn(&OwnedFd) -> rustix::io::Result<()>);

const WORK: [Work; 7] = [
    (&[("walks", REFERENCES), ("misses", MISSES)], |directory| {
        rustix::fs::statat(directory, NOTHING, AtFlags::empty()).map(drop)
    }),
    (&[("opens", SLOW), ("misses", MISSES)], |directory| open(directory, OFlags::CREATE | OFlags::EXCL)),
    // Whether lookup_fast is called for this one, too, is to be found out.
    (&[("opens", SLOW), ("misses", MISSES)], |directory| open(directory, OFlags::CREATE)),
    (&[("changes", REFERENCES), ("changes", MISSES)], |directory| {
        rustix::fs::mkdirat(directory, NOTHING, Mode::empty())
    }),
    (&[("changes", REFERENCES), ("changes", MISSES)], |directory| {
        rustix::fs::unlinkat(directory, NOTHING, AtFlags::empty())
    }),
    (&[("changes", REFERENCES), ("changes", MISSES)], |directory| {
        rustix::fs::unlinkat(directory, NOTHING, AtFlags::REMOVEDIR)
    }),
    (&[("changes", REFERENCES), ("changes", MISSES)], |directory| {
        rustix::fs::renameat(directory, NOTHING, directory, NOTHING)
    }),
];

fn open(directory: &OwnedFd, flags: OFlags) -> rustix::io::Result<()> {
    rustix::fs::openat(directory, NOTHING, flags, Mode::empty()).map(drop)
}
