//! Two halves of what the kernel's side keeps: programs fill one while user space reads and empties the other.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cli::exit::Result;
use libbpf_rs::Object;
use rustix::thread::{MembarrierCommand, membarrier};

use crate::bpf::globals::shared_u32;

/// Longer than any program runs, where the kernel does not tell that all have ended.
const PROGRAMS_END: Duration = Duration::from_millis(50);

/// Which half is filled.
pub struct Halves<'a> {
    filled: &'a AtomicU32,
}

impl<'a> Halves<'a> {
    /// By the variable of a loaded object that says which, 0 or 1.
    ///
    /// # Errors
    /// A mistake in the tool itself: the object has none.
    pub fn of(object: &'a Object, variable: &str) -> Result<Self> {
        Ok(Self { filled: shared_u32(object, variable)? })
    }

    /// Has programs fill the other half, and waits until none adds to the one that they filled: its number. It may be
    /// read and must be emptied before the next call.
    pub fn flip(&self) -> usize {
        let full = self.filled.load(Ordering::Relaxed) & 1;
        self.filled.store(1 - full, Ordering::SeqCst);
        until_programs_end();
        full as usize
    }
}

/// Waits until no program that runs now runs any more: programs run within RCU's read side, and this command waits for a
/// grace period (`membarrier` of kernel/sched/membarrier.c). With nohz_full there is none.
fn until_programs_end() {
    if membarrier(MembarrierCommand::Global).is_err() {
        std::thread::sleep(PROGRAMS_END);
    }
}
