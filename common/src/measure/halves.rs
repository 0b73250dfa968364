//! Two halves of the BPF programs' totals: programs fill one while user space reads and empties the
//! other.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cli::exit::Result;
use libbpf_rs::Object;
use rustix::thread::{MembarrierCommand, membarrier};

use crate::bpf::globals::shared_u32;

/// Longer than any program runs, if the kernel cannot report that all have ended.
const PROGRAMS_END: Duration = Duration::from_millis(50);

/// Which half is being filled.
pub struct Halves<'a> {
    filled: &'a AtomicU32,
}

impl<'a> Halves<'a> {
    /// From the variable of a loaded object that selects the half, 0 or 1.
    ///
    /// # Errors
    /// A mistake in the tool itself: the object has none.
    pub fn of(object: &'a Object, variable: &str) -> Result<Self> {
        Ok(Self { filled: shared_u32(object, variable)? })
    }

    /// Switches programs to the other half, waits until none adds to the previous one, and returns
    /// its number. It may be read and must be emptied before the next call.
    pub fn flip(&self) -> usize {
        self.flip_and(|| ())
    }

    /// The same, with an action after the switch and before the wait.
    pub fn flip_and(&self, action: impl FnOnce()) -> usize {
        let full = self.filled.load(Ordering::Relaxed) & 1;
        self.filled.store(1 - full, Ordering::SeqCst);
        action();
        until_programs_end();
        full as usize
    }
}

/// Waits until all programs that are running now have ended: programs run in an RCU read-side
/// section, and this command waits for a grace period (`membarrier` of kernel/sched/membarrier.c).
/// It is not available with nohz_full.
pub fn until_programs_end() {
    if membarrier(MembarrierCommand::Global).is_err() {
        std::thread::sleep(PROGRAMS_END);
    }
}
