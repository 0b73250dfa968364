//! A little work for the functions that are watched, to find those that see nothing.

use cli::exit::{Failure, Result};
use common::bpf::mmap::MappedCounters;
use common::hooks::plan::Plan;

use crate::row::{COUNTERS, Counter};
use crate::skel::ProclifeSkel;

/// Has a child reaped and two forks fail, and names the hooks whose counter did not increase.
pub fn run(skel: &ProclifeSkel<'_>, plan: &Plan) -> Result<Vec<&'static str>> {
    let mut counters: MappedCounters<COUNTERS> = MappedCounters::map(&skel.maps.counters)?;
    counters.since_last();
    let mut unseen = Vec::new();
    // If it is not watched by a function, it is reported later, and would be counted as another
    // process's work.
    if plan.watches_functions_for("reaped") {
        reap().map_err(|error| Failure::failed(format!("cannot run the self-test: {error}")))?;
        if counters.since_last()[Counter::REAPED.0 as usize] < 1 {
            unseen.push("reaped");
        }
    }
    if plan.watches_functions_for("fork_errors") {
        fail_to_fork();
        if counters.since_last()[Counter::FORK_ERRORS.0 as usize] < 2 {
            unseen.push("fork_errors");
        }
    }
    Ok(unseen)
}

/// A child that exits immediately, and is waited for.
fn reap() -> std::io::Result<()> {
    // SAFETY: the child does nothing but end; the parent has no other thread yet whose locks it could inherit.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: always sound.
        unsafe { libc::_exit(0) };
    }
    let mut status = 0;
    // SAFETY: the status outlives the call.
    match child > 0 && unsafe { libc::waitpid(child, &raw mut status, 0) } == child {
        true => Ok(()),
        false => Err(std::io::Error::last_os_error()),
    }
}

/// Two forks that every kernel refuses, by each of the two calls that take flags: shared signal
/// handlers without shared memory (`copy_process` of kernel/fork.c).
fn fail_to_fork() {
    let flags = libc::CLONE_SIGHAND as u64;
    // SAFETY: all fields are numbers, 0 where unused.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags;
    // SAFETY: refused before anything is created.
    unsafe {
        libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0);
        libc::syscall(libc::SYS_clone3, &raw mut args, size_of_val(&args));
    }
}
