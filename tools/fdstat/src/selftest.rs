//! A little work for each hook, to find those that see nothing: close_fd, for example, is there and can be attached to
//! where close(2) does not call it.

use std::ffi::CStr;
use std::os::fd::AsRawFd;

use cli::exit::{Failure, Result};
use common::bpf::mmap::MappedCounters;
use common::hooks::plan::Plan;
use rustix::fs::{Mode, OFlags};

use crate::row::{COUNTERS, Counter};
use crate::skel::FdstatSkel;

/// No file has this name.
const NOWHERE: &CStr = c"/proc/self/fd/nowhere";

/// Does each kind of work, and names the hooks whose counter did not increase.
pub fn run(skel: &FdstatSkel<'_>, plan: &Plan) -> Result<Vec<&'static str>> {
    let mut counters: MappedCounters<COUNTERS> = MappedCounters::map(&skel.maps.counters)?;
    let mut counted = |what: &mut dyn FnMut() -> rustix::io::Result<()>| {
        counters.since_last();
        what().map_err(|error| Failure::failed(format!("cannot run the self-test: {error}")))?;
        Ok::<_, Failure>(counters.since_last())
    };
    let opened = counted(&mut open)?;
    let by_handle = counted(&mut open_by_handle)?;
    let piped = counted(&mut pipe)?;
    let saw = |seen: &[u64; COUNTERS], counter: Counter, times: u64| seen[counter.0 as usize] >= times;
    let opens = saw(&opened, Counter::OPENS, 1);
    let closes = saw(&piped, Counter::CLOSES, 3)
        && saw(&piped, Counter::CLOSE_ERRORS, 1)
        && (!crate::run::sees_dropped(plan) || saw(&piped, Counter::DROPPED, 1));
    let saw_by_hook = [
        ("opens", opens),
        ("each open", opens),
        ("handle opens", saw(&by_handle, Counter::OPENS, 1)),
        ("each handle open", saw(&by_handle, Counter::OPENS, 1)),
        ("created", saw(&piped, Counter::CREATED, 2)),
        ("closes", closes),
        ("failing closes", closes),
    ];
    Ok(saw_by_hook.into_iter().filter(|(_, saw)| !saw).map(|(hook, _)| hook).collect())
}

/// An open that fails.
fn open() -> rustix::io::Result<()> {
    let _ = rustix::fs::open(NOWHERE, OFlags::RDONLY, Mode::empty());
    Ok(())
}

/// Another, of no handle.
fn open_by_handle() -> rustix::io::Result<()> {
    // SAFETY: the kernel refuses to read from address 0.
    unsafe { libc::syscall(libc::SYS_open_by_handle_at, libc::AT_FDCWD, 0, libc::O_RDONLY) };
    Ok(())
}

/// The ends of a pipe: one replaced by the other, both closed, one once more.
fn pipe() -> rustix::io::Result<()> {
    let (read, mut write) = rustix::pipe::pipe()?;
    rustix::io::dup2(&read, &mut write)?;
    let closed = read.as_raw_fd();
    drop((read, write));
    // SAFETY: no descriptor has this number: the process has no other thread yet.
    unsafe { libc::syscall(libc::SYS_close, closed) };
    Ok(())
}
