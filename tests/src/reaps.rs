//! Which processes were freed where some kernels run no BPF program.

use std::collections::HashSet;

use crate::kernel;
use crate::tracer::{self, Tracer};

/// Follows processes from their start to the freeing of what the kernel kept of them. Not in a guest, where
/// programs observe all.
pub struct Reaps(Option<Tracer>);

impl Reaps {
    /// Starts to follow.
    pub fn start() -> Self {
        let events = ["sched/sched_process_fork", "sched/sched_process_free"];
        Self(kernel::of_guest().is_none().then(|| Tracer::start(&events, "")))
    }

    /// Of these processes and all that came from them, how many were freed so far where process 1 ran, or was
    /// interrupted: see [`tracer::threads_of_init`]. Threads, named so, are not among them.
    pub fn unobserved(&self, roots: &[u32]) -> u64 {
        let Some(tracer) = &self.0 else { return 0 };
        let init = tracer::threads_of_init();
        let mut family: HashSet<u32> = roots.iter().copied().collect();
        let mut unobserved = 0;
        let text = tracer.text();
        for event in text.lines().filter_map(tracer::event) {
            if event.name == "sched_process_fork" {
                let parent_is_ours = number(event.fields, " pid=").is_some_and(|pid| family.contains(&pid));
                family.extend(number(event.fields, " child_pid=").filter(|_| parent_is_ours));
            } else if number(event.fields, " pid=").is_some_and(|pid| family.remove(&pid)) {
                let process = !event.fields.starts_with("comm=thread ");
                unobserved += u64::from(process && event.is_unobserved(&init));
            }
        }
        unobserved
    }
}

fn number(fields: &str, key: &str) -> Option<u32> {
    fields.split_once(key)?.1.split(' ').next()?.parse().ok()
}
