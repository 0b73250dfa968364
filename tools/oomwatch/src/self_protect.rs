//! What keeps the tool at work when memory is gone: its own is in RAM, and it is the last to be killed.

use std::fs;
use std::io;

use common::session::capabilities::{Capability, ExtraCapability};

/// What this takes, and what does instead of it in a unit.
pub const CAPABILITIES: &[ExtraCapability] = &[
    (Capability::CAP_IPC_LOCK, "to lock its memory: or LimitMEMLOCK=infinity"),
    (Capability::CAP_SYS_RESOURCE, "to protect itself from the OOM killer: or OOMScoreAdjust=-1000"),
];

/// Of a process that is never chosen (`OOM_SCORE_ADJ_MIN` of linux/oom.h).
const NEVER: &str = "-1000";

/// Has the heap keep all that it was ever given: what loading the programs needed and gave back serves for records later,
/// and is locked with the rest.
pub fn keep_heap() {
    // SAFETY: settings of the allocator, which fail or not without consequence.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_MMAP_THRESHOLD, i32::MAX);
    }
}

/// Locks in RAM all that the process has, and takes it out of the choice of victims; notes on stderr say what it has no
/// right to. To be called while it has its rights, when it has grown to its size.
///
/// What it maps later is not locked: without its rights it could not have more than `RLIMIT_MEMLOCK`, and would die of
/// being refused it.
pub fn protect(quiet: bool) {
    let note = |what: &str, error: &io::Error, right: &str| {
        if !quiet {
            eprintln!("note: cannot {what} ({error}): needs {right}");
        }
    };
    if let Err(error) = fs::write("/proc/self/oom_score_adj", NEVER) {
        note("protect itself from the OOM killer", &error, "CAP_SYS_RESOURCE");
    }
    // SAFETY: pages stay where they are; nothing else changes.
    if unsafe { libc::mlockall(libc::MCL_CURRENT) } != 0 {
        let error = io::Error::last_os_error();
        note("lock its memory", &error, "CAP_IPC_LOCK or a higher RLIMIT_MEMLOCK");
    }
}
