//! Room for file descriptors. It is checked before they are needed: a kernel or a library that gets
//! none in the middle of loading reports anything but that.

use std::fs;

use cli::exit::{Failure, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::hooks::plan::Plan;
use crate::hooks::{Kind, Program};

/// What planning takes: the kernel's BTF, that of modules, trial programs, files of /proc and /sys.
pub const PLANNING: usize = 32;

/// What loading and attaching takes with this number of maps, and with `overhead` what it takes to ask about all of them.
pub fn of_plan(plan: &Plan, maps: usize, overhead: bool) -> usize {
    // A program and its link; kprobes and classic tracepoints have a perf event too.
    let each = |program: &Program| match program.kind {
        Kind::Kprobe | Kind::Tracepoint => 3,
        Kind::Btf | Kind::Fentry | Kind::Iter => 2,
    };
    // The kernel's account of each, and the hash maps once more.
    let asked = if overhead { 2 * maps + plan.programs().count() } else { 0 };
    PLANNING + maps + plan.programs().map(each).sum::<usize>() + asked
}

/// Raises the soft limit of open files if this number of descriptors would exceed it.
///
/// # Errors
/// Status 1 if the hard limit is too low.
pub fn reserve(count: usize) -> Result<()> {
    // Without /proc, the usual three and some that were inherited.
    let open = fs::read_dir("/proc/self/fd").map_or(8, Iterator::count);
    let needed = (open + count) as u64;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|limit| limit >= needed) {
        return Ok(());
    }
    match maximum {
        Some(limit) if limit < needed => Err(Failure::failed(format!(
            "{limit} files may be open, and {needed} are needed: raise the limit of open files (ulimit -n; a unit: \
             LimitNOFILE)"
        ))),
        _ => setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum }).map_err(|error| {
            Failure::failed(format!("cannot raise the limit of open files to {needed}: {error}"))
        }),
    }
}
