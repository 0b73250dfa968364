//! What keeps the tool running when memory is exhausted: its memory is locked in RAM, and it is the
//! last to be killed.

use std::fs;
use std::io;

use cli::stderr;
use common::session::capabilities::{Capability, ExtraCapability};

/// The capabilities for this, and what replaces them in a unit.
pub const CAPABILITIES: &[ExtraCapability] = &[
    (Capability::CAP_IPC_LOCK, "to lock its memory: or LimitMEMLOCK=infinity"),
    (Capability::CAP_SYS_RESOURCE, "to protect itself from the OOM killer: or OOMScoreAdjust=-1000"),
];

/// Exempts a process from the OOM killer (`OOM_SCORE_ADJ_MIN` of linux/oom.h).
const NEVER: &str = "-1000";

/// Makes the heap keep all memory that it was ever given: what was needed for loading the programs
/// serves for records later, and is locked with the rest.
pub fn keep_heap() {
    // SAFETY: settings of the allocator, which fail or not without consequence.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_MMAP_THRESHOLD, i32::MAX);
    }
}

/// Locks all memory of the process in RAM, and exempts it from the OOM killer. Notes on stderr
/// report missing capabilities. To be called before capabilities are dropped, when the process has
/// grown to its size.
///
/// Memory that it maps later is not locked: without its capabilities it could not have more than
/// `RLIMIT_MEMLOCK`, and would die of a failed allocation.
pub fn protect(quiet: bool) {
    let note = |what: &str, error: &io::Error, right: &str| {
        if !quiet {
            stderr::note(&format!("cannot {what} ({error}): needs {right}"));
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
